//! The table of the listed objects beside libbpf: each packed here, and on one boot of a board loaded and closed by our loader and by
//! libbpf's, both told what the object's own tool sets. What libbpf loads, ours must load, with as many programs; and neither success
//! nor refusal may leave anything in the kernel.

use crate::objects::list::{List, Listed};
use crate::objects::packets;
use crate::tools::output::{self, Output};
use crate::tools::script::MARK;
use anyhow::{Context, Result};
use corelet_boards::modules::Modules;
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_modules};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{self, Input, Options, build, container};
use corelet_loader::sys::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;

/// libbpf's loader for a board: [`crate::peer::around`].
pub const LOADER: &str = include_str!("loader.c");
/// A program for a board: [`crate::peer::program`].
pub const DATAGRAMS: &str = include_str!("datagrams.c");
const DRIVER: &str = include_str!("driver.sh");

/// Seconds that an object may take at most under emulation, by both loaders: libbpf reads all of a kernel's types for many.
const SECONDS: u64 = 30;
const MEMORY_MIB: u32 = 768;
/// Modules whose types or functions objects name, where the kernel has them as modules.
const MODULES: [&str; 3] = ["nf_flow_table", "veth", "hid"];
/// Sections that a row names.
const SECTIONS: usize = 4;

/// What a board runs beside the objects.
#[derive(Clone, Debug)]
pub struct Executables {
    /// Our loader.
    pub ours: Vec<u8>,
    /// Of [`LOADER`].
    pub libbpf: Vec<u8>,
    /// Of [`DATAGRAMS`].
    pub datagrams: Vec<u8>,
}

/// What a loader came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many programs are in the kernel.
    Loaded(usize),
    /// What it says.
    No(String),
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// PACKAGE/OBJECT.
    pub object: String,
    /// The package's version.
    pub version: String,
    /// The sections with programs, in one text.
    pub sections: String,
    /// libbpf's answer.
    pub libbpf: Verdict,
    /// Ours.
    pub corelet: Verdict,
    /// What either left in the kernel.
    pub left: Option<String>,
}

/// What a boot came to.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// By object.
    pub rows: Vec<Row>,
    /// Programs at work that did not do with packets what they must.
    pub wrong_packets: Vec<String>,
    /// How many did.
    pub packets: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Loaded(programs) => write!(f, "loaded, {programs} programs"),
            Verdict::No(why) => write!(f, "no: {why}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { object, version, sections, libbpf, corelet, left } = self;
        write!(f, "{object} | {version} | {sections} | libbpf {libbpf} | corelet {corelet}")?;
        left.as_ref().map_or(Ok(()), |left| write!(f, " | left behind: {left}"))
    }
}

/// Runs all `objects` on `board`, each by ours and then by libbpf's, in one boot.
///
/// # Errors
/// A board that does not come up, or says nothing of an object.
pub fn run(
    board: &Board,
    kernel: &Kernel,
    executables: &Executables,
    objects: &[Listed],
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Table> {
    let folder = kernel.modules(progress)?;
    let target = TargetArg::new(&kernel.image, kernel.config.as_deref()).with_modules(&folder);
    let opened = [Opened::open(&target)?];
    let mut files = vec![
        ("corelet/corelet-loader".to_owned(), 0o755, executables.ours.clone()),
        ("corelet/libbpf".to_owned(), 0o755, executables.libbpf.clone()),
        ("corelet/datagrams".to_owned(), 0o755, executables.datagrams.clone()),
    ];
    let mut script = format!("MARK='{MARK}'\n{DRIVER}");
    progress.step(&format!("packing {} objects", objects.len()));
    let there = Modules::list(std::slice::from_ref(&folder))?;
    let inputs = objects.iter().map(|object| input(object, &there)).collect::<Result<Vec<_>>>()?;
    let packs = with_modules(&opened, &inputs, |kernels| {
        Ok(inputs.iter().map(|input| pack(input, kernels).map_err(|e| format!("{e:#}"))).collect::<Vec<_>>())
    })?;
    let mut packed = Vec::new();
    for (number, (object, pack)) in objects.iter().zip(packs).enumerate() {
        if let Ok(bytes) = &pack {
            files.push((format!("corelet/{number}.pack"), 0o644, bytes.clone()));
            let _ = writeln!(script, "ours {number}");
        }
        files.push((format!("corelet/{number}.bpf.o"), 0o644, object.bytes.clone()));
        let words: String = object.words.iter().map(|word| format!(" '{word}'")).collect();
        let _ = writeln!(script, "theirs {number}{words}");
        packed.push(pack.map(drop));
    }
    script.push_str(&packets::script(objects));
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder: Some(folder),
        modules: MODULES
            .iter()
            .filter(|name| there.find(name).is_ok())
            .map(|&name| name.to_owned())
            .collect(),
        files,
    };
    let mut boot = Boot::new(board, &kernel.image, initramfs.build()?);
    boot.memory_mib = Some(MEMORY_MIB);
    boot.cpus = Some(2);
    boot.deadline = Duration::from_secs(120 + SECONDS * objects.len() as u64);
    progress.step(&format!("booting {} for {} objects", board.name, objects.len()));
    let lines = crate::tools::board::lines(&boot, on_line)?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    let by_label: BTreeMap<&str, &Output> = outputs.iter().map(|o| (o.label.as_str(), o)).collect();
    let rows = objects.iter().zip(packed).enumerate().map(|(number, (object, packed))| {
        let find = |who: &str| {
            let found = by_label.get(format!("{number}.{who}").as_str()).copied();
            found
                .with_context(|| format!("{}: the board says nothing of {who}'s {}", board.name, object.name))
        };
        let theirs = find("libbpf")?;
        let (corelet, ours) = match packed {
            Err(why) => (Verdict::No(first_line(&why, &object.name)), None),
            Ok(()) => {
                let ours = find("corelet")?;
                (ours_came_to(ours, number), Some(ours))
            }
        };
        let left = [ours, Some(theirs)].into_iter().flatten().find_map(|output| output.facts.get("left"));
        Ok(Row {
            object: object.name.clone(),
            version: object.version.clone(),
            sections: sections(&object.sections),
            libbpf: libbpf_came_to(theirs),
            corelet,
            left: left.filter(|left| *left != "0").cloned(),
        })
    });
    let rows = rows.collect::<Result<_>>()?;
    let (wrong_packets, packets) = packets::judge(objects, &by_label);
    Ok(Table { rows, wrong_packets, packets })
}

/// What is packed, for a kernel whose modules are `there`.
fn input(object: &Listed, there: &Modules) -> Result<Input> {
    let modules: Vec<_> = object.modules.iter().filter(|name| there.find(name).is_ok()).collect();
    let text = match modules.as_slice() {
        [] => object.manifest.clone(),
        _ => format!("[object]\nmodules = {modules:?}\n{}", object.manifest),
    };
    let manifest = Manifest::parse(&object.name, &text)?;
    Ok(Input { name: object.name.clone(), bytes: object.bytes.clone(), manifest })
}

fn pack(input: &Input, kernels: &[pack::Kernel<'_>]) -> Result<Vec<u8>> {
    container(&build(std::slice::from_ref(input), kernels, &Options::default())?.sections)
}

/// What our loader came to on the board; `number` is what the pack is called there.
fn ours_came_to(output: &Output, number: usize) -> Verdict {
    // behind it may stand what the verifier said
    let ours = output.errors.iter().rev().find_map(|line| line.strip_prefix("corelet-loader: "));
    let ours = ours.unwrap_or("nothing");
    let programs = ours.strip_prefix("verified: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    match (output.rc, programs) {
        (Some(0), Some(programs)) => Verdict::Loaded(programs),
        (rc, _) => {
            let why = ours.trim_start_matches(&format!("/corelet/{number}.pack: "));
            let rc = rc.map_or_else(|| "none".to_owned(), |rc| rc.to_string());
            Verdict::No(format!("{why} (exit code {rc})"))
        }
    }
}

/// What libbpf came to: its errno, and the first thing that it said.
fn libbpf_came_to(output: &Output) -> Verdict {
    let fact = |name: &str| output.facts.get(name).and_then(|value| value.parse::<u16>().ok());
    match (fact("open"), fact("load"), fact("programs")) {
        (_, Some(0), Some(programs)) => Verdict::Loaded(programs.into()),
        (open, load, _) => {
            let errno = load.or(open.filter(|open| *open != 0)).unwrap_or(0);
            let name = match Errno(errno).name() {
                "" => format!("errno {errno}"),
                name => format!("E{name}"),
            };
            let said = output.errors.iter().map(|line| line.trim_start_matches("libbpf: "));
            // behind what it tells of types and programs that it left out
            let first = said.clone().find(|line| !line.contains("skipping")).or(said.clone().next());
            Verdict::No(format!("{name}: {}", first.unwrap_or("nothing").replace('\n', " ")))
        }
    }
}

/// What was said on the PC, without the object's name.
fn first_line(why: &str, name: &str) -> String {
    let why = why.strip_prefix(name).map_or(why, |rest| rest.trim_start_matches([':', ' ']));
    format!("{} (on the PC)", why.replace('\n', "; "))
}

fn sections(names: &BTreeSet<String>) -> String {
    let mut text = names.iter().take(SECTIONS).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(SECTIONS).filter(|more| *more > 0) {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// What is not as it must be.
pub fn failures(list: &List, board: &str, table: &Table) -> Vec<String> {
    let mut out: Vec<String> = table.wrong_packets.iter().map(|why| format!("{board}: {why}")).collect();
    for row in &table.rows {
        let excepted = list.excepted.contains_key(&row.object);
        let behind = match (&row.libbpf, &row.corelet) {
            (Verdict::Loaded(_), Verdict::No(_)) => true,
            (Verdict::Loaded(theirs), Verdict::Loaded(ours)) => theirs != ours,
            (Verdict::No(_), _) => false,
        };
        if behind && !excepted {
            out.push(format!("{board}: {row}"));
        }
        if excepted && matches!(row.corelet, Verdict::Loaded(_)) {
            out.push(format!("{board}: {} loads: it is no exception any more", row.object));
        }
        if let Some(left) = &row.left {
            out.push(format!("{board}: {}: left in the kernel: {left}", row.object));
        }
        if matches!(&row.corelet, Verdict::No(why) if why.starts_with("nothing")) {
            out.push(format!("{board}: {}: refused without a word", row.object));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(libbpf: Verdict, corelet: Verdict) -> Row {
        let text = |text: &str| text.to_owned();
        Row { object: text("p/o"), version: text("1"), sections: text("xdp"), libbpf, corelet, left: None }
    }

    #[test]
    fn what_libbpf_loads_and_ours_does_not_is_a_failure() {
        let list = crate::objects::list::list().unwrap();
        let no = || Verdict::No("EINVAL".to_owned());
        let of = |row: Row| failures(&list, "b", &Table { rows: vec![row], ..Table::default() }).len();
        let behind = |libbpf, corelet| of(row(libbpf, corelet));
        assert_eq!(behind(Verdict::Loaded(1), no()), 1);
        assert_eq!(behind(Verdict::Loaded(2), Verdict::Loaded(1)), 1);
        assert_eq!(behind(Verdict::Loaded(2), Verdict::Loaded(2)), 0);
        assert_eq!(behind(no(), no()), 0);
        let left = Row { left: Some("programs=1".to_owned()), ..row(no(), no()) };
        assert_eq!(of(left), 1);
    }

    #[test]
    fn ours_says_how_many_programs_it_verified() {
        let line = |text: &str| Output { rc: Some(0), errors: vec![text.to_owned()], ..Output::default() };
        let verified = line("corelet-loader: verified: 8 programs, 10 maps, 0 skipped");
        assert_eq!(ours_came_to(&verified, 3), Verdict::Loaded(8));
        let said = ours_came_to(&line("corelet-loader: /corelet/3.pack: bad"), 3);
        assert_eq!(said, Verdict::No("bad (exit code 0)".to_owned()));
    }

    #[test]
    fn libbpf_s_errno_has_a_name_and_its_first_word_is_kept() {
        let mut output = Output::default();
        output.facts.extend([("open", "0"), ("load", "22")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        output.errors = ["libbpf: prog 'a': no type", "libbpf: failed"].map(str::to_owned).to_vec();
        assert_eq!(libbpf_came_to(&output), Verdict::No("EINVAL: prog 'a': no type".to_owned()));
    }
}
