//! Instructions as others write them: llvm-objdump over real objects, the running kernel's verifier over every opcode, and
//! the names that kernels give their helpers.

mod llvm;

use anyhow::{Context, Result, ensure};
use corelet_core::Endian;
use corelet_core::btf::{Btf, Kind};
use corelet_core::insn::{self, INSN_SIZE, Insn};
use corelet_core::object::Object;
use corelet_host_tools::disasm::{Helpers, Names, text};
use corelet_host_tools::relocate::type_count;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn plain(first: Insn, second: Option<Insn>) -> String {
    text(first, second, &Names { helpers: &Helpers::default(), referent: None })
}

/// Compares the instructions of `object` with llvm-objdump's, and says how many there were.
///
/// # Errors
/// The first instruction that differs; a file that cannot be written.
pub fn as_llvm(objdump: &Path, object: &[u8], folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let file = folder.join("object.o");
    fs::write(&file, object).with_context(|| file.display().to_string())?;
    let theirs = llvm::listing(objdump, &file)?;
    let mut index = vec![0; type_count(object)?];
    let object = Object::parse(object, &mut index)?;
    let mut count = 0;
    for f in object.functions() {
        let section = object.elf().section(f.section)?.name.to_owned();
        let mut at = 0;
        while let Ok(first) = insn::read(f.insns, at, object.endian()) {
            let second = insn::read(f.insns, at + 1, object.endian()).ok();
            let ours = plain(first, second);
            let place = (section.clone(), f.start / INSN_SIZE as u32 + at);
            let llvm = theirs.get(&place).with_context(|| format!("llvm-objdump has no {place:?}"))?;
            ensure!(llvm::theirs(llvm) == llvm::ours(&ours), "{place:?}: {ours:?}, llvm-objdump {llvm:?}");
            at += if first.is_ld_imm64() { 2 } else { 1 };
            count += 1;
        }
    }
    Ok(count)
}

/// Compares names of helpers with the kernel's own, and says how many it has.
///
/// # Errors
/// A helper of another name; types without the enum.
pub fn helpers_of(kernel: &Btf<'_>) -> Result<usize> {
    let ids = kernel.find("bpf_func_id", Kind::Enum).context("the kernel has no enum bpf_func_id")?;
    let mut count = 0;
    for e in ids.enumerators() {
        let Some(theirs) = kernel.string(e.name_off).strip_prefix("BPF_FUNC_") else { continue };
        let ours = Helpers::default().name(i32::try_from(e.value)?);
        ensure!(ours == Some(theirs), "helper {}: {ours:?}, the kernel's {theirs}", e.value);
        count += 1;
    }
    Ok(count)
}

/// What the running kernel's verifier made of every opcode.
#[derive(Debug, Default)]
pub struct Verified {
    /// Instructions that it wrote, each as we do.
    pub compared: usize,
    /// Opcodes among them.
    pub opcodes: usize,
}

/// Has the running kernel verify a program around each instruction form, and compares what it calls them.
/// `None` where this kernel verifies nothing for us.
///
/// # Errors
/// All instructions that differ; no C compiler.
pub fn as_verifier(folder: &Path) -> Result<Option<Verified>> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let (source, program) = (folder.join("verifier.c"), folder.join("verifier-log"));
    fs::write(&source, include_str!("verifier.c")).with_context(|| source.display().to_string())?;
    let cc = Command::new("cc").args(["-O1", "-o"]).args([&program, &source]).output().context("cc")?;
    ensure!(cc.status.success(), "verifier.c: {}", String::from_utf8_lossy(&cc.stderr));
    let forms = forms();
    let mut child = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("verifier-log")?;
    let input: Vec<u8> = forms.iter().flat_map(|&form| around(form)).collect();
    let mut stdin = child.stdin.take().context("no pipe")?;
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().context("verifier-log")?;
    ensure!(
        output.status.success() && writer.join().is_ok_and(|w| w.is_ok()),
        "verifier-log: {}",
        output.status
    );
    let logs = String::from_utf8_lossy(&output.stdout).into_owned();
    let logs: Vec<&str> = logs.split_terminator('\u{c}').collect();
    ensure!(logs.len() == forms.len(), "{} logs of {} programs", logs.len(), forms.len());
    if logs.iter().all(|log| log.is_empty()) {
        return Ok(None);
    }
    let (mut verified, mut opcodes, mut wrong) = (Verified::default(), BTreeSet::new(), Vec::new());
    for (form, log) in forms.iter().zip(logs) {
        let Some(theirs) = written(log, *form) else { continue };
        verified.compared += 1;
        opcodes.insert(form.code);
        let ours = plain(*form, Some(SECOND));
        if ours != theirs {
            wrong.push(format!("{:#04x}: {ours:?}, the verifier {theirs:?}", form.code));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    verified.opcodes = opcodes.len();
    Ok(Some(verified))
}

/// Number of the form's instruction in its program.
const AT: usize = 7;
/// The half behind a 64-bit immediate.
const SECOND: Insn = Insn { code: 0, dst: 0, src: 0, off: 0, imm: 6 };

/// Every opcode with the offsets and immediates that make a difference. r2 points at the stack, r3 and r4 are numbers, r6
/// is the context.
fn forms() -> Vec<Insn> {
    let atomics = [0, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110];
    let mut out = Vec::new();
    for code in 0..=255u8 {
        let mut form = |dst, src, off, imm| out.push(Insn { code, dst, src, off, imm });
        match code & 7 {
            insn::class::LD => {
                form(3, 0, 0, 5);
                form(0, 0, 0, 4);
                form(0, 4, 0, 4);
            }
            insn::class::LDX => form(3, 2, 8, 0),
            insn::class::ST => form(2, 0, 8, -7),
            insn::class::STX => {
                form(2, 3, 8, 0);
                for imm in atomics {
                    form(2, 3, 0, imm);
                    form(3, 2, 0, imm);
                }
            }
            insn::class::ALU | insn::class::ALU64 => {
                for off in [0, 1, 8, 16, 32] {
                    form(3, 4, off, 0);
                    form(3, 0, off, 0);
                    for imm in [5, 16, 32, 64, -5] {
                        form(3, 0, off, imm);
                    }
                }
            }
            // helper 5 takes nothing
            _ if code == insn::CALL => form(0, 0, 0, 5),
            _ => {
                form(3, 4, 0, 0);
                form(3, 0, 0, 7);
                form(3, 0, 0, -7);
                form(0, 0, 0, 0);
            }
        }
    }
    out
}

/// A program that has `form` as its instruction [`AT`], behind its length.
fn around(form: Insn) -> Vec<u8> {
    let i = |code, dst, src, off, imm| Insn { code, dst, src, off, imm };
    let mut insns = vec![
        i(0xbf, 6, 1, 0, 0),
        i(0xbf, 2, 10, 0, 0),
        i(0x07, 2, 0, 0, -16),
        i(0x7a, 10, 0, -8, 1),
        i(0x7a, 10, 0, -16, 1),
        i(0xb7, 3, 0, 0, 3),
        i(0xb7, 4, 0, 0, 4),
    ];
    assert_eq!(insns.len(), AT);
    insns.push(form);
    if form.is_ld_imm64() {
        insns.push(SECOND);
    }
    insns.extend([i(0xb7, 0, 0, 0, 0), i(0x95, 0, 0, 0, 0)]);
    let endian = Endian::HOST;
    let len = (insns.len() as u32).to_ne_bytes();
    len.into_iter().chain(insns.into_iter().flat_map(|i| i.encode(endian))).collect()
}

/// What the log calls instruction [`AT`]; `None` where it does not come to it.
fn written(log: &str, form: Insn) -> Option<String> {
    let mark = format!("({:02x}) ", form.code);
    log.lines().find_map(|line| {
        let (head, text) = line.split_once(&mark)?;
        let number = head.trim().split(':').next()?.parse::<usize>().ok()?;
        // behind the text are registers
        let text = text.split(';').next()?.trim();
        (number == AT && !is_none(text)).then(|| text.to_owned())
    })
}

/// What the verifier writes for bytes that are no instruction.
fn is_none(text: &str) -> bool {
    text.starts_with("BUG") || text.contains("(null)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_are_found() {
        let form = Insn { code: 0xb7, dst: 3, src: 0, off: 0, imm: 5 };
        let log = "      7: .......... (b7) r3 = 5\n7: (b7) r3 = 6      ; R3=6\n";
        assert_eq!(written(log, form).as_deref(), Some("r3 = 5"));
        assert_eq!(written("7: (b7) r3 = 6      ; R3=6\n", form).as_deref(), Some("r3 = 6"));
        assert_eq!(written("6: (b7) r3 = 6\nunknown opcode b7\n", form), None);
    }

    #[test]
    fn every_opcode_has_a_form() {
        let opcodes: BTreeSet<u8> = forms().iter().map(|f| f.code).collect();
        assert_eq!(opcodes.len(), 256);
    }
}
