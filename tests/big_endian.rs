//! Relocation on a big-endian machine, s390x under QEMU's user emulation, against relocation here: objects of both byte
//! orders. The executable is `tests/big-endian`.

use anyhow::{Context, Result, ensure};
use corelet_core::object::Object;
use corelet_core::pack::Crc;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::relocate::{Verdict, relocate, type_count};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Rust's name of the machine.
pub const TARGET: &str = "s390x-unknown-linux-gnu";

/// An object and the kernel that it is relocated for, by byte order; both of one source.
const CASES: [(&str, &[u8], &[u8]); 2] = [
    (
        "little-endian",
        include_bytes!("../host-tools/tests/progs/sample.bpf.o"),
        include_bytes!("../host-tools/tests/progs/kernel.o"),
    ),
    (
        "big-endian",
        include_bytes!("big-endian/progs/sample.bpf.o"),
        include_bytes!("big-endian/progs/kernel.o"),
    ),
];

/// Relocates every case there and here; a line for each.
///
/// # Errors
/// What is printed there is not what is computed here; or a damaged object is not refused.
pub fn compare(emulator: &Path, program: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (order, object, kernel) in CASES {
        let target = types(kernel)?;
        let here = here(object, &target).context(order)?;
        let there = there(emulator, program, object, target.bytes())?;
        let said = String::from_utf8_lossy(&there.stdout);
        ensure!(there.status.success(), "{order} object on s390x: {}: {said}", there.status);
        ensure!(said.trim() == here, "{order} object: {said} on s390x, {here} here");
        lines.push(format!("{order} object on s390x: {here}"));
        let cut = there_refuses(emulator, program, &object[..object.len() / 2], target.bytes())?;
        ensure!(cut, "half of the {order} object is not refused on s390x");
    }
    Ok(lines)
}

/// The types of a kernel's object file.
fn types(kernel: &[u8]) -> Result<OwnedBtf> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), kernel)?;
    OwnedBtf::open(file.path())
}

/// What the executable must print, as computed here.
fn here(bytes: &[u8], target: &OwnedBtf) -> Result<String> {
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    let functions = relocate(&object, &target.view(), &|_| true)?;
    let mut digest = Crc::new();
    functions.iter().for_each(|f| digest.update(&f.insns.bytes));
    let of = |verdict| functions.iter().flat_map(|f| &f.relocations).filter(|r| r.outcome == verdict).count();
    let [patched, poisoned, failed] = [Verdict::Patched, Verdict::Poisoned, Verdict::Failed].map(of);
    ensure!(
        patched >= 20 && poisoned >= 1,
        "{patched} patched, {poisoned} poisoned: too few to tell anything"
    );
    Ok(format!("patched {patched}, poisoned {poisoned}, failed {failed}, digest {}", digest.finish()))
}

fn there(emulator: &Path, program: &Path, object: &[u8], types: &[u8]) -> Result<Output> {
    let mut child = Command::new(emulator)
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| emulator.display().to_string())?;
    let mut input = Vec::new();
    for part in [object, types] {
        input.extend((part.len() as u32).to_le_bytes());
    }
    input.extend([object, types].concat());
    child.stdin.take().context("no pipe")?.write_all(&input)?;
    Ok(child.wait_with_output()?)
}

fn there_refuses(emulator: &Path, program: &Path, object: &[u8], types: &[u8]) -> Result<bool> {
    let output = there(emulator, program, object, types)?;
    Ok(output.status.code() == Some(3) && output.stdout == b"bad input\n")
}
