//! Programs of cgroups, network namespaces, maps of sockets and sockets on a board, beside a process that makes a known number of calls
//! (`tests/sockets`): each kind is judged by its count, and afterwards the kernel has no program left. What is not there is refused by
//! name.

mod kinds;

use self::kinds::{KINDS, Kind};
use super::{Fate, RESULT};
use crate::tools::output::Output;
use anyhow::Result;
use corelet_core::object::Object;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use corelet_host_tools::relocate::type_count;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const DRIVER: &str = include_str!("places.sh");

/// The packs' names.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

fn pack(kind: &Kind, kernel: &Opened) -> Result<Vec<u8>> {
    let (name, bytes) = kind.object;
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    let result = RESULT.replace("variable = \"hits\"", &format!("variable = \"{}\"", kind.variable));
    let mut text = format!("{result}\nlabels = {:?}\n{}", kind.counters, kind.more);
    for f in object.functions().filter(|f| f.entry && !kind.programs.contains(&f.name)) {
        let _ = writeln!(text, "[programs.{}]\ndisabled = true", f.name);
    }
    let manifest = Manifest::parse(kind.name, &text)?;
    let input = Input { name: name.to_owned(), bytes: bytes.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        container(&build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

/// The files and the script's lines for all kinds, and what the PC refused: name and words.
pub(super) fn prepare(
    kernel: &Opened,
    sockets: &[u8],
    files: &mut Vec<(String, u32, Vec<u8>)>,
    script: &mut String,
) -> (Vec<&'static Kind>, Vec<(&'static str, String)>) {
    files.push(("corelet/sockets".to_owned(), 0o755, sockets.to_vec()));
    let _ = writeln!(script, "{DRIVER}");
    let (mut packed, mut refused) = (Vec::new(), Vec::new());
    for kind in KINDS {
        match pack(kind, kernel) {
            Ok(bytes) => {
                files.push((format!("corelet/{}.pack", kind.name), 0o644, bytes));
                let _ = writeln!(
                    script,
                    "place {0} /corelet/{0}.pack {1} {2}",
                    kind.name, kind.work, kind.options
                );
                packed.push(kind);
            }
            Err(e) => refused.push((kind.name, format!("{e:#}"))),
        }
    }
    (packed, refused)
}

/// Why no map is made of a type that the kernels of boards have; the number of the type.
const NOT_MADE: [(u32, &str); 1] = [(34, "the loader makes no array of instructions")];

/// The kernel's types of maps in a line, each made by one of the runs or with the reason; `Err` for one that is neither.
pub(super) fn maps(types: &BTreeMap<String, u32>, outputs: &[Output]) -> Result<String, String> {
    let said = outputs.iter().filter_map(|o| o.facts.get("maps"));
    let made: BTreeSet<u32> = said.flat_map(|all| all.split(',').filter_map(|n| n.parse().ok())).collect();
    let mut by_number: Vec<(u32, &str)> = types.iter().map(|(name, n)| (*n, name.as_str())).collect();
    by_number.sort_unstable();
    // two that the kernel calls deprecated have their numbers twice
    by_number.dedup_by_key(|(number, _)| *number);
    let mut words = Vec::new();
    for (number, name) in by_number.into_iter().filter(|(number, _)| *number > 0) {
        let name = name.trim_start_matches("BPF_MAP_TYPE_").to_lowercase();
        let reason = NOT_MADE.iter().find(|(n, _)| *n == number);
        words.push(match (made.contains(&number), reason) {
            (true, None) => format!("{number} {name}: made"),
            (false, Some((_, why))) => format!("{number} {name}: no: {why}"),
            (made, _) => return Err(format!("map type {number} {name}: made: {made}")),
        });
    }
    Ok(format!("map types: {}", words.join("; ")))
}

/// Kinds that a board's kernel refuses, by board and kind, with its word: RISC-V's JIT compiler of 7.2 has no arenas.
const REFUSED: [(&str, &str, &str); 1] =
    [("qemu-riscv64", "stores", "map arena of type 33, 4 entries: EOPNOTSUPP")];

/// Whether all types of maps are made on a board: some kind that makes them is refused elsewhere.
pub(super) fn makes_all(board: &str) -> bool {
    REFUSED.iter().all(|(of, ..)| *of != board)
}

/// Whether the programs counted what they must, or were refused as they must be; and whether nothing is left in the kernel.
pub(super) fn judge(kind: &Kind, output: &Output, board: &str) -> Result<Fate, String> {
    let said = output.errors.join("\n");
    let left = output.fact("left")?;
    if left != 0 {
        return Err(format!("{left} programs are left in the kernel: {said}"));
    }
    let here = REFUSED.iter().find(|(of, name, _)| (*of, *name) == (board, kind.name));
    if let Some((code, words)) = here.map(|(.., word)| (1, *word)).or(kind.refused) {
        let right = output.rc == Some(code) && said.contains(words);
        return if right { Ok(Fate::Refused) } else { Err(format!("not refused: {:?}: {said}", output.rc)) };
    }
    if output.rc != Some(0) || output.fact("worked")? != 0 {
        return Err(format!("exit code {:?}: {said}", output.rc));
    }
    let heard = output.errors.iter().filter_map(|line| line.strip_prefix("work: "));
    if !heard.eq(kind.says.iter().copied()) {
        return Err(format!("the sockets got something else: {said}"));
    }
    if kind.name == "congestion" {
        let fact = |name: &str| output.facts.get(name).map_or("", String::as_str);
        let during = fact("registered");
        let registered = ["corelet_cc", "corelet_old"].map(|name| during.split(',').any(|n| n == name));
        if fact("congestion") != "corelet_cc" || registered != [true; 2] {
            return Err(format!("in use {}, registered {during}: {said}", fact("congestion")));
        }
    }
    if output.facts.get("available").is_none_or(|names| names.contains("corelet")) {
        return Err(format!("left registered: {:?}: {said}", output.facts.get("available")));
    }
    let counts = output.results.iter().find(|r| r.get("result").and_then(Value::as_str) == Some("hits"));
    let counts = counts.ok_or_else(|| format!("no result: {said}"))?;
    let count = |name: &str| counts["counters"].get(name).and_then(Value::as_i64).unwrap_or(-1);
    let wrong: Vec<String> = (kind.hits.iter())
        .filter(|(name, range)| !range.contains(&count(name)))
        .map(|(name, range)| format!("{name} is {}, not of {range:?}", count(name)))
        .collect();
    if wrong.is_empty() { Ok(Fate::Right) } else { Err(format!("{}: {said}", wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::kinds::CONGESTION;
    use super::*;

    #[test]
    fn maps_of_struct_ops_are_read_as_the_object_has_them() {
        let (_, bytes) = CONGESTION;
        let mut index = vec![0; type_count(bytes).unwrap()];
        let object = Object::parse(bytes, &mut index).unwrap();
        let function = |index: u32| object.functions().nth(index as usize).unwrap().name;
        let maps = object.struct_ops().collect::<Result<Vec<_>, _>>().unwrap();
        let seen: Vec<_> = maps
            .iter()
            .map(|map| {
                let functions = object.struct_ops_functions(map).map(|f| f.map(|(at, f)| (at, function(f))));
                (map.name, map.link, functions.collect::<Result<Vec<_>, _>>().unwrap())
            })
            .collect();
        let some = vec![(24, "begin"), (40, "threshold"), (48, "avoid"), (56, "undo")];
        let all = [&some[..1], &[(32, "released")], &some[1..]].concat();
        assert_eq!(seen, [("corelet_old", false, some), ("corelet_cc", true, all)]);
        assert!(maps.iter().all(|map| map.data.len() == 64 && map.data.starts_with(b"corelet_")));
    }
}
