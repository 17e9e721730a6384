//! All 57 tools of Debian's libbpf-tools on the boards: each is packed, or refused on the PC with a reason; and the board's
//! kernel loads what was packed, or the loader says why not. What is right says `tools/fleet.toml`.

use crate::narrow;
use crate::oracle::Named;
use anyhow::{Context, Result, bail, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, Quiet, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::{BUILTIN, Manifest};
use corelet_host_tools::pack::{Input, Options, build, container};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

/// What came of packing one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packed {
    /// There is none for the board, for this reason.
    NoObject(String),
    /// Not packed, for this reason.
    Refused(String),
    /// The pack's bytes, and what was said that the kernel hardly has.
    Pack(Vec<u8>, Vec<String>),
}

/// What came of loading a pack: nothing, or what the loader said.
pub type Loaded = Result<(), String>;

/// Packs all `objects` for one kernel, each with the manifest that comes with the command.
///
/// # Errors
/// The kernel cannot be read, a tool of the package has no manifest, or a manifest no tool.
pub fn pack(board: &Board, kernel: &Kernel, objects: &[Named]) -> Result<BTreeMap<String, Packed>> {
    let opened = [Opened::packaged(kernel, &mut Quiet)?];
    let mut packed = BTreeMap::new();
    for (name, bytes) in objects {
        let text = Manifest::builtin(name).with_context(|| format!("{name} has no manifest"))?;
        let manifest = Manifest::parse(name, text)?;
        let input = [Input { name: name.clone(), bytes: bytes.clone(), manifest }];
        let built = with_kernels(&opened, |kernels| build(&input, kernels, &Options::default()));
        let outcome = match built {
            Ok(built) => {
                let doubts = built.reports.iter().flat_map(|r| &r.targets).flat_map(|t| &t.doubts);
                Packed::Pack(container(&built.sections)?, doubts.cloned().collect())
            }
            Err(e) => Packed::Refused(format!("{e:#}")),
        };
        packed.insert(name.clone(), outcome);
    }
    for (tool, _) in BUILTIN {
        if !packed.contains_key(*tool) {
            let why = narrow::without(tool).filter(|_| narrow::is(board));
            let why = why.with_context(|| format!("{tool} has a manifest and no object"))?;
            packed.insert((*tool).to_owned(), Packed::NoObject(why.to_owned()));
        }
    }
    Ok(packed)
}

const MARK: &str = "@fleet";

/// Loads all packs on `board` and closes them again, in one boot.
///
/// # Errors
/// The board does not come up, or says nothing of a pack.
pub fn load(
    board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    packed: &BTreeMap<String, Packed>,
    progress: &mut dyn Progress,
) -> Result<BTreeMap<String, Loaded>> {
    let mut files = vec![("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec())];
    let mut script = String::from("echo 1 >/proc/sys/net/core/bpf_jit_enable\n");
    let mut tried = 0;
    for (name, outcome) in packed {
        let Packed::Pack(pack, _) = outcome else { continue };
        tried += 1;
        files.push((format!("corelet/{name}.pack"), 0o644, pack.clone()));
        let _ = writeln!(
            script,
            "/corelet/corelet-loader verify /corelet/{name}.pack 2>said\necho {MARK} {name} $?\ncat said"
        );
    }
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    progress.step(&format!("booting {} for {tried} packs", board.name));
    let initramfs = Initramfs { busybox: busybox_static(board, progress)?, files, ..Initramfs::default() };
    let mut boot = Boot::new(board, &kernel.image, initramfs.build()?);
    // all are loaded one after the other, on kernels that free maps and programs late
    boot.memory_mib = Some(512);
    boot.deadline = Duration::from_secs(60 + 10 * tried as u64);
    let mut lines = Vec::new();
    boot.run(&mut |line| lines.push(line.to_owned()))?;
    let mut loaded = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, code)) = line.strip_prefix(MARK).and_then(|l| l.trim().split_once(' ')) else {
            continue;
        };
        let said = lines[at + 1..].iter().take_while(|l| !l.starts_with(MARK)).cloned().collect::<Vec<_>>();
        let outcome = match code.parse::<u8>().context("an exit code")? {
            0 => Ok(()),
            code => Err(format!("exit code {code}: {}", said.join(" / "))),
        };
        loaded.insert(name.to_owned(), outcome);
    }
    ensure!(loaded.len() == tried, "of {tried} packs the board spoke of {}", loaded.len());
    Ok(loaded)
}

/// Words of the table for what a kernel lacks by name.
const NOT_THERE: [&str; 2] = ["this kernel has nothing of that name", "(fexit/__page_cache_alloc): ENOENT"];

/// What `tools/fleet.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Names of the boards, one for each column.
    pub boards: Vec<String>,
    tools: BTreeMap<String, Vec<String>>,
}

/// What a cell of the table means.
enum Cell<'t> {
    Loaded,
    /// Loaded, and said when packing that the kernel hardly has something: a probe's function is looked for when it is
    /// attached, which loading is not.
    Doubted(&'t str),
    Fails(&'t str),
    Refused(&'t str),
    NoObject(&'t str),
}

impl Cell<'_> {
    fn parse(text: &str) -> Result<Cell<'_>> {
        match text.split_once(": ") {
            None if text == "loaded" => Ok(Cell::Loaded),
            Some(("doubted", what)) => Ok(Cell::Doubted(what)),
            Some(("fails", why)) => Ok(Cell::Fails(why)),
            Some(("refused", why)) => Ok(Cell::Refused(why)),
            Some(("no object", why)) => Ok(Cell::NoObject(why)),
            _ => bail!(
                "`{text}`: expected \"loaded\", or \"doubted\", \"fails\", \"refused\" or \"no object\" with a reason"
            ),
        }
    }
}

impl Table {
    /// The committed table.
    ///
    /// # Errors
    /// It is not of its form, or has other tools than there are manifests.
    pub fn committed() -> Result<Table> {
        Table::read(include_str!("tools/fleet.toml")).context("tests/tools/fleet.toml")
    }

    fn read(text: &str) -> Result<Table> {
        let table: Table = toml::from_str(text)?;
        let manifests: BTreeSet<&str> = BUILTIN.iter().map(|(tool, _)| *tool).collect();
        let tools: BTreeSet<&str> = table.tools.keys().map(String::as_str).collect();
        ensure!(
            tools == manifests,
            "other tools than manifests: {:?}",
            tools.symmetric_difference(&manifests)
        );
        for (tool, cells) in &table.tools {
            ensure!(
                cells.len() == table.boards.len(),
                "{tool}: {} cells for {:?}",
                cells.len(),
                table.boards
            );
            cells.iter().try_for_each(|cell| Cell::parse(cell).map(drop)).with_context(|| tool.clone())?;
        }
        Ok(table)
    }

    fn cell(&self, board: &str, tool: &str) -> Result<&str> {
        let column =
            self.boards.iter().position(|b| b == board).with_context(|| format!("no column for {board}"))?;
        self.tools
            .get(tool)
            .and_then(|cells| cells.get(column))
            .map(String::as_str)
            .with_context(|| tool.to_owned())
    }

    /// Each way in which packing came out otherwise than the table says.
    ///
    /// # Errors
    /// The table has no such board.
    pub fn differences(&self, board: &str, packed: &BTreeMap<String, Packed>) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for (tool, outcome) in packed {
            let cell = self.cell(board, tool)?;
            let same = match (Cell::parse(cell)?, outcome) {
                (Cell::Loaded, Packed::Pack(_, doubts)) => doubts.is_empty(),
                (Cell::Doubted(what), Packed::Pack(_, doubts)) => doubts.iter().any(|d| d.contains(what)),
                // what the kernel has not, the PC has said
                (Cell::Fails(why), Packed::Pack(_, doubts)) => doubts.is_empty() != NOT_THERE.contains(&why),
                (Cell::Refused(why), Packed::Refused(said))
                | (Cell::NoObject(why), Packed::NoObject(said)) => said.contains(why),
                _ => false,
            };
            if !same {
                let is = match outcome {
                    Packed::Pack(_, doubts) => &format!("packed, with doubts {doubts:?}"),
                    Packed::Refused(said) => &format!("refused: {said}"),
                    Packed::NoObject(said) => &format!("no object: {said}"),
                };
                out.push(format!("{board}: {tool}: {is}\n    the table says: {cell}"));
            }
        }
        Ok(out)
    }

    /// Each way in which loading came out otherwise than the table says.
    ///
    /// # Errors
    /// The table has no such board.
    pub fn load_differences(&self, board: &str, loaded: &BTreeMap<String, Loaded>) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for (tool, outcome) in loaded {
            let cell = self.cell(board, tool)?;
            let same = match (Cell::parse(cell)?, outcome) {
                (Cell::Loaded | Cell::Doubted(_), Ok(())) => true,
                (Cell::Fails(why), Err(said)) => said.contains(why),
                _ => false,
            };
            if !same {
                let is =
                    outcome.as_ref().map_or_else(|said| format!("fails: {said}"), |()| "loaded".to_owned());
                out.push(format!("{board}: {tool}: {is}\n    the table says: {cell}"));
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let table = Table::committed().unwrap();
        assert_eq!(table.boards, ["qemu-aarch64", "qemu-riscv64", "qemu-armv7"]);
        assert_eq!(table.tools.len(), 57);
    }

    /// A table of one board on which everything but for two tools is loaded.
    fn table_of(refused: &str, fails: &str) -> Table {
        let mut text = String::from("boards = [\"b\"]\n[tools]\n");
        for (tool, _) in BUILTIN {
            let cell = match *tool {
                "biotop" => refused,
                "llcstat" => fails,
                _ => "loaded",
            };
            let _ = writeln!(text, "{tool} = [{cell:?}]");
        }
        Table::read(&text).unwrap()
    }

    #[test]
    fn any_other_outcome_is_a_difference() {
        let table = table_of("refused: no such function", "fails: no counter");
        let pack = |outcome: Packed| {
            table.differences("b", &BTreeMap::from([("biotop".to_owned(), outcome)])).unwrap().len()
        };
        assert_eq!(pack(Packed::Refused("biotop: no such function here".to_owned())), 0);
        assert_eq!(pack(Packed::Refused("biotop: another reason".to_owned())), 1);
        assert_eq!(pack(Packed::NoObject("no such function".to_owned())), 1);
        assert_eq!(pack(Packed::Pack(Vec::new(), Vec::new())), 1);
        let doubted = table_of("doubted: no function `f`", "fails: this kernel has nothing of that name");
        let doubts = |tool: &str, words: &[&str]| {
            let outcome = Packed::Pack(Vec::new(), words.iter().map(|&w| w.to_owned()).collect());
            doubted.differences("b", &BTreeMap::from([(tool.to_owned(), outcome)])).unwrap().len()
        };
        let said = "p: the kernel has no function `f`";
        assert_eq!(["biotop", "llcstat", "runqlen"].map(|tool| doubts(tool, &[said])), [0, 0, 1]);
        assert_eq!(["biotop", "llcstat", "runqlen"].map(|tool| doubts(tool, &[])), [1, 1, 0]);
        let load = |tool: &str, outcome: Loaded| {
            table.load_differences("b", &BTreeMap::from([(tool.to_owned(), outcome)])).unwrap().len()
        };
        assert_eq!(load("llcstat", Err("exit code 1: no counter".to_owned())), 0);
        assert_eq!(load("llcstat", Err("exit code 1: no memory".to_owned())), 1);
        assert_eq!(load("llcstat", Ok(())), 1);
        assert_eq!((load("runqlen", Ok(())), load("runqlen", Err("no memory".to_owned()))), (0, 1));
        assert!(
            table
                .differences(
                    "another",
                    &BTreeMap::from([("biotop".to_owned(), Packed::Pack(Vec::new(), Vec::new()))])
                )
                .is_err()
        );
    }

    #[test]
    fn a_table_that_lacks_something_is_refused() {
        for (text, why) in [
            ("boards = [\"b\"]\n[tools]\n", "other tools than manifests"),
            ("boards = []\n[tools]\nx = 1\n", "expected a sequence"),
        ] {
            let said = format!("{:#}", Table::read(text).err().unwrap());
            assert!(said.contains(why), "{said}");
        }
        assert!(Cell::parse("packed").is_err());
    }
}
