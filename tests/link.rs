//! `corelet link` beside `bpftool gen object`: what both make of the same objects must be the same at work.
//!
//! Both results are opened twice. By core, which must find the same programs (their instructions once they are relocated on a
//! kernel's types, what each refers to, the source line and the function of each), maps, variables, externs and words. And by
//! libbpf, which must ask the same of a kernel that is not there: the same maps, contents and programs, byte by byte. Only ids of
//! types differ, and are held against each other by what they are.

pub mod view;

use crate::oracle::calls::{Call, Event, command, map, prog, update};
use crate::oracle::libbpf::{Libbpf, Running};
use anyhow::{Context, Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::btf::Kind;
use corelet_core::insn::INSN_SIZE;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::shape::{self, Nameless};
use corelet_host_tools::link::{Input, link};
use corelet_host_tools::subset::KernelTypes;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pairs of `tests/link`: name, first and second file. `build.sh` there compiles them.
pub const PAIRS: [(&str, &[u8], &[u8]); 8] = [
    ("calls", include_bytes!("link/calls.a.o"), include_bytes!("link/calls.b.o")),
    // a map that is declared before it is defined keeps offset 0 in the types that bpftool 7.8 writes, and libbpf does not find it
    ("maps", include_bytes!("link/maps.b.o"), include_bytes!("link/maps.a.o")),
    ("variables", include_bytes!("link/variables.a.o"), include_bytes!("link/variables.b.o")),
    ("weak", include_bytes!("link/weak.a.o"), include_bytes!("link/weak.b.o")),
    ("externs", include_bytes!("link/externs.a.o"), include_bytes!("link/externs.b.o")),
    ("core", include_bytes!("link/core.a.o"), include_bytes!("link/core.b.o")),
    ("ops", include_bytes!("link/ops.a.o"), include_bytes!("link/ops.b.o")),
    ("hidden", include_bytes!("link/hidden.a.o"), include_bytes!("link/hidden.b.o")),
];

/// Offsets in the attribute of `BPF_PROG_LOAD`: addresses of the licence and of `struct bpf_line_info`s.
const LICENSE: usize = 16;
const LINE_INFO: usize = 96;

/// What comparisons came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    /// Sets of objects that both link.
    pub linked: usize,
    /// Sets that both refuse.
    pub refused: usize,
    /// Programs and subprograms.
    pub functions: usize,
    /// Instructions of them, those of libbpf's programs too.
    pub insns: usize,
    /// Maps and variables.
    pub data: usize,
    /// Variables whose offset in the types bpftool leaves at what another definition or a declaration had.
    pub misplaced: usize,
    /// Bytes of types, ours and bpftool's.
    pub btf: (usize, usize),
}

/// What is linked with, and on what.
pub struct Bench<'x> {
    /// The words of bpftool's command line.
    pub bpftool: &'x [String],
    /// libbpf's program.
    pub libbpf: &'x Libbpf,
    /// The kernel's types, whole.
    pub types: &'x KernelTypes<'x>,
    /// The same as a file, and what else libbpf asks of a kernel.
    pub running: Running<'x>,
    /// A folder of ours.
    pub folder: &'x Path,
}

impl Bench<'_> {
    /// Links `objects` by both, and compares.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, objects: &[(&str, &[u8])], compared: &mut Compared) -> Result<()> {
        let mut paths = Vec::new();
        for (number, (_, bytes)) in objects.iter().enumerate() {
            let path = self.folder.join(format!("{number}.o"));
            std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            paths.push(path);
        }
        let theirs = self.theirs(&paths)?;
        let inputs: Vec<_> = (objects.iter())
            .map(|(name, bytes)| Input { name: (*name).to_owned(), bytes: bytes.to_vec() })
            .collect();
        let (ours, theirs) = match (link(&inputs), theirs) {
            (Ok(ours), Ok(theirs)) => (ours.bytes, theirs),
            (Err(_), Err(_)) => {
                compared.refused += 1;
                return Ok(());
            }
            (Err(e), Ok(_)) => bail!("bpftool links what is refused here: {e:#}"),
            (Ok(_), Err(said)) => bail!("bpftool refuses what is linked here: {said}"),
        };
        let again = link(&[Input { name: "again".to_owned(), bytes: ours.clone() }])?;
        ensure!(again.bytes == ours, "linked once more, it is another file");
        compared.linked += 1;
        let (a, b) = (view::of(&ours, self.types)?, view::of(&theirs, self.types).context("bpftool's")?);
        ensure!(a.misplaced.is_empty(), "types place {:?} elsewhere than symbols", a.misplaced);
        compared.misplaced += b.misplaced.len();
        let differences = view::differences(&a, &b);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        compared.functions += a.functions;
        compared.insns += a.insns;
        compared.data += a.data;
        compared.btf.0 += a.btf;
        compared.btf.1 += b.btf;
        let events = |object: &[u8]| -> Result<Vec<Event>> {
            Ok(self.libbpf.load(object, self.running.btf, self.running, self.folder)?.events)
        };
        let (asked_ours, asked_theirs) = (events(&ours)?, events(&theirs)?);
        compared.insns += same_events(&asked_ours, &asked_theirs, &a.ids)?;
        Ok(())
    }

    /// What bpftool makes of the files; the inner error is its words.
    fn theirs(&self, paths: &[PathBuf]) -> Result<Result<Vec<u8>, String>> {
        let out = self.folder.join("theirs.o");
        let _ = std::fs::remove_file(&out);
        let (program, words) = self.bpftool.split_first().context("no bpftool")?;
        let mut command = Command::new(program);
        let output = command.args(words).args(["gen", "object"]).arg(&out).args(paths).output();
        let output = output.context("bpftool")?;
        if output.status.success() {
            return Ok(Ok(std::fs::read(&out).with_context(|| out.display().to_string())?));
        }
        Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

/// Holds what libbpf asks of a kernel for our object against what it asks for bpftool's; gives the instructions compared.
fn same_events(ours: &[Event], theirs: &[Event], ids: &view::LocalIds) -> Result<usize> {
    ensure!(!ours.is_empty(), "libbpf asks nothing of a kernel");
    ensure!(ours.len() == theirs.len(), "libbpf asks {} things, not {}", ours.len(), theirs.len());
    let (mut types, mut insns) = (None, 0);
    for (number, pair) in ours.iter().zip(theirs).enumerate() {
        let (Event::Call(a), Event::Call(b)) = pair else {
            ensure!(pair.0 == pair.1, "libbpf's event #{number} is {:?}, not {:?}", pair.0, pair.1);
            continue;
        };
        ensure!((a.command, a.result) == (b.command, b.result), "libbpf's call #{number} is another");
        if a.command == command::BTF_LOAD {
            types = Some((loaded_types(a)?, loaded_types(b)?));
            continue;
        }
        let (x, y) = types.as_ref().context("libbpf loads no types")?;
        let (a, b) = (asked(a, x, ids)?, asked(b, y, ids)?);
        for (a, b) in a.lines.iter().zip(&b.lines) {
            ensure!(a == b, "libbpf's call #{number}: {a}, with bpftool's {b}");
        }
        ensure!(a.lines.len() == b.lines.len(), "libbpf's call #{number} has more to it");
        insns += a.insns;
    }
    Ok(insns)
}

/// The types of a `BPF_BTF_LOAD`.
fn loaded_types(call: &Call) -> Result<OwnedBtf> {
    let bytes = call.memory.values().next().context("no types in BPF_BTF_LOAD")?;
    Ok(OwnedBtf::from_bytes(bytes.clone())?)
}

/// What a call asks, without addresses and numbers of types.
struct Asked {
    lines: Vec<String>,
    insns: usize,
}

fn asked(call: &Call, types: &OwnedBtf, ids: &view::LocalIds) -> Result<Asked> {
    let btf = types.view();
    let ty = |id: u32| {
        let t = btf.ty(TypeId(id))?;
        let of = if t.kind() == Kind::Func { t.target() } else { t.id };
        Ok::<_, anyhow::Error>(shape::declare(&btf, of, btf.name(&t), Nameless::Whole))
    };
    let words = |memory: &[u8]| -> Vec<u32> {
        memory.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    };
    let mut lines = Vec::new();
    let mut insns = 0;
    match call.command {
        command::MAP_CREATE => {
            let mut plain = call.clone();
            for at in [map::KEY_TYPE, map::VALUE_TYPE] {
                lines.push(format!("type {}", ty(call.u32(at))?));
                plain.set(at, 0);
            }
            lines.push(format!("map {:02x?}", plain.attr));
        }
        command::MAP_UPDATE_ELEM => {
            let (key, value) = (call.memory(update::KEY), call.memory(update::VALUE));
            lines.push(format!("update of {}: {key:02x?} {value:02x?}", call.u32(update::MAP)));
        }
        command::PROG_LOAD => {
            let name = call.attr.get(prog::NAME..prog::NAME + 16).unwrap_or_default();
            // type, licence, flags, attachment
            let plain = [0, prog::INSN_CNT, 44, 68, 108].map(|at| call.u32(at));
            lines.push(format!("program {} {plain:?}", name.escape_ascii()));
            lines.push(format!("license {:02x?}", call.memory(LICENSE)));
            let mut functions = Vec::new();
            for record in words(call.memory(prog::FUNC_INFO)).chunks_exact(2) {
                let name = btf.name(&btf.ty(TypeId(record[1]))?);
                functions.push((record[0], ids.get(name)));
                lines.push(format!("function at {}: {}", record[0], ty(record[1])?));
            }
            for record in words(call.memory(LINE_INFO)).chunks_exact(4) {
                let (file, line) = (btf.text(record[1]), btf.text(record[2]));
                lines.push(format!("line at {}: {file}:{} {line}", record[0], record[3]));
            }
            for (at, insn) in (0u32..).zip(call.memory(prog::INSNS).chunks(INSN_SIZE)) {
                let of = functions.iter().rev().find(|(start, _)| *start <= at);
                let is_id = of.is_some_and(|(start, ids)| ids.is_some_and(|ids| ids.contains(&(at - start))));
                lines.push(format!("insn #{at}: {:02x?}", if is_id { &insn[..4] } else { insn }));
                insns += 1;
            }
        }
        _ => lines.push(format!("command {} {:02x?}", call.command, call.attr)),
    }
    Ok(Asked { lines, insns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::object::{Object, Referent};
    use corelet_host_tools::link::Linked;
    use object::{Object as _, ObjectSection as _};

    const REFUSED: &[u8] = include_bytes!("link/refused.o");
    /// A big-endian object.
    const BIG: &[u8] = include_bytes!("big-endian/progs/sample.bpf.o");

    fn linked(files: &[(&str, &[u8])]) -> Result<Linked> {
        let inputs =
            files.iter().map(|(name, bytes)| Input { name: (*name).to_owned(), bytes: bytes.to_vec() });
        link(&inputs.collect::<Vec<_>>())
    }

    fn pair(name: &str) -> (&'static [u8], &'static [u8]) {
        let found = PAIRS.iter().find(|(of, ..)| *of == name).expect("a pair of this name");
        (found.1, found.2)
    }

    #[test]
    fn linking_again_gives_the_same_bytes() {
        for (name, a, b) in PAIRS {
            let once = linked(&[("a.o", a), ("b.o", b)]).unwrap();
            assert_eq!(once.bytes, linked(&[("elsewhere/a.o", a), ("b.o", b)]).unwrap().bytes, "{name}");
            assert_eq!(once.bytes, linked(&[("c.o", &once.bytes)]).unwrap().bytes, "{name}");
            assert!(once.types < once.input_types, "{name}");
            let open: &[(String, String)] = &once.undefined;
            assert!(open.is_empty(), "{name}: {open:?}");
        }
    }

    #[test]
    fn linking_in_steps_is_linking_at_once() {
        let (a, b) = pair("variables");
        let c = pair("weak").0;
        let part = linked(&[("a.o", a), ("b.o", b)]).unwrap().bytes;
        let refused = linked(&[("ab.o", &part), ("c.o", c)]).unwrap_err().to_string();
        assert!(refused.contains("ab.o") && refused.contains("c.o"), "{refused}");
        let (a, b) = pair("calls");
        let c = pair("core").0;
        // `LICENSE` and the program names of these are apart
        let at_once = linked(&[("a.o", a), ("b.o", b), ("c.o", c)]).unwrap().bytes;
        let part = linked(&[("a.o", a), ("b.o", b)]).unwrap().bytes;
        assert_eq!(linked(&[("ab.o", &part), ("c.o", c)]).unwrap().bytes, at_once);
    }

    /// Offsets of the maps that `enter` refers to, and of those in the types.
    #[test]
    fn what_is_declared_first_is_found_where_it_is_defined() {
        let (b, a) = pair("maps");
        let bytes = linked(&[("a.o", a), ("b.o", b)]).unwrap().bytes;
        let mut index = vec![0; Object::type_count(&bytes).unwrap()];
        let object = Object::parse(&bytes, &mut index).unwrap();
        let counts = object.maps().map(Result::unwrap).find(|m| m.name == "counts").unwrap();
        let datasec = object.btf().find(".maps", Kind::Datasec).unwrap();
        let row = datasec.vars().find(|v| v.ty == counts.ty).unwrap();
        assert_eq!((row.offset, row.size), (counts.offset, counts.size));
        assert!(row.offset > 0);
        let refers = |map| object.references().any(|r| r.unwrap().to == Referent::Map { map });
        assert!(refers(counts.index));
    }

    #[test]
    fn the_strong_definition_counts_in_either_order_and_dead_code_has_no_records() {
        let (a, b) = pair("weak");
        for files in [[("a.o", a), ("b.o", b)], [("b.o", b), ("a.o", a)]] {
            let bytes = linked(&files).unwrap().bytes;
            let mut index = vec![0; Object::type_count(&bytes).unwrap()];
            let object = Object::parse(&bytes, &mut index).unwrap();
            // the strong one subtracts: `tgid`, not `pid`, is what is left of CO-RE relocations
            let relos: Vec<_> = object.core_relos().map(Result::unwrap).collect();
            let blocks = object.btf_ext().unwrap().core_relo().len() as usize;
            assert_eq!((relos.len(), blocks), (1, 1));
            let ty = object.btf().ty(relos[0].record.type_id).unwrap();
            assert_eq!(object.btf().string(ty.member(0).unwrap().name_off), "tgid");
            let names: Vec<_> = object.functions().map(|f| f.name).collect();
            assert_eq!(names.iter().filter(|n| **n == "choose").count(), 1);
        }
    }

    /// The files that must be named, and what must be said.
    fn refused(files: &[(&str, &[u8])], words: &[&str]) {
        let said = format!("{:#}", linked(files).map(|_| ()).unwrap_err());
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_files() {
        let (a, b) = pair("calls");
        let (maps, variables) = (pair("maps").1, pair("variables").0);
        let both = ["a.o", "b.o"];
        let with = |more: &[&'static str]| [&both[..], more].concat();
        refused(&[("a.o", a), ("b.o", a)], &with(&["`deeper`", "defined", "static"]));
        refused(&[("a.o", maps), ("b.o", REFUSED)], &with(&["`counts`", "max_entries is 65 in one and 64"]));
        refused(&[("a.o", variables), ("b.o", REFUSED)], &with(&["`there`", "u64 there", "int there"]));
        refused(&[("a.o", a), ("b.o", REFUSED)], &with(&["`shared`", "shared(long x", "shared(int,"]));
        refused(&[("a.o", pair("externs").0), ("b.o", REFUSED)], &with(&["`bpf_rcu_read_lock`", "__ksym"]));
        refused(
            &[("a.o", pair("hidden").0), ("b.o", REFUSED)],
            &with(&["`step`", "`int step`", "`int step(int)`"]),
        );
        refused(&[("a.o", variables), ("b.o", b)], &with(&["license", "\"Dual MIT/GPL\"", "\"GPL\""]));
        refused(&[("a.o", a), ("b.o", BIG)], &with(&["little-endian", "big-endian", "-target bpfe"]));
    }

    #[test]
    fn versions_that_differ_are_refused() {
        let (a, b) = pair("hidden");
        let mut other = b.to_vec();
        let file = object::File::parse(b).unwrap();
        let (at, _) = file.section_by_name("version").and_then(|s| s.file_range()).unwrap();
        other[at as usize] = 7;
        refused(&[("a.o", a), ("b.o", &other)], &["a.o", "b.o", "version", "0x60c00", "0x60c07"]);
    }

    #[test]
    fn what_is_no_object_is_refused_by_name() {
        let (a, b) = pair("calls");
        let mut foreign = b.to_vec();
        foreign[18] = 62;
        refused(&[("a.o", a), ("b.o", &foreign)], &["b.o", "BPF"]);
        refused(&[("a.o", a), ("b.o", b"no ELF at all")], &["b.o"]);
        refused(&[], &["nothing"]);
        for cut in (0..b.len()).step_by(97) {
            refused(&[("a.o", a), ("b.o", &b[..cut])], &["b.o"]);
        }
    }

    /// Any byte that is changed gives an object or an error.
    #[test]
    fn damaged_objects_never_panic() {
        for (_, a, b) in PAIRS {
            for at in (0..b.len()).step_by(41) {
                let mut bytes = b.to_vec();
                bytes[at] ^= 0xff;
                let _ = linked(&[("a.o", a), ("b.o", &bytes)]);
            }
        }
    }
}
