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
    ("maps", include_bytes!("link/maps.a.o"), include_bytes!("link/maps.b.o")),
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
