//! Instructions as llvm-objdump writes them. It differs from the verifier in ways that are known; each rule of [`ours`] and
//! [`theirs`] takes one of them away, and what is left must be equal.

use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// The text of every instruction, by section and index there.
///
/// # Errors
/// The program does not start, or refuses the object.
pub(super) fn listing(objdump: &Path, object: &Path) -> Result<HashMap<(String, u32), String>> {
    let output = Command::new(objdump).args(["-d", "--no-show-raw-insn"]).arg(object).output();
    let output = output.with_context(|| objdump.display().to_string())?;
    ensure!(output.status.success(), "llvm-objdump: {}", String::from_utf8_lossy(&output.stderr));
    let mut section = String::new();
    let mut out = HashMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(name) = line.strip_prefix("Disassembly of section ") {
            section = name.trim_end_matches(':').to_owned();
        } else if let Some((number, text)) = line.split_once(":\t")
            && let Ok(number) = number.trim().parse()
        {
            out.insert((section.clone(), number), text.to_owned());
        }
    }
    Ok(out)
}

/// What llvm-objdump wrote, without what is its own.
pub(super) fn theirs(text: &str) -> String {
    // the name of the place that a jump goes to
    let place = text.rsplit_once(" <").filter(|_| text.ends_with('>'));
    let text = place.map_or(text, |(text, _)| text);
    // a 64-bit immediate is marked
    let text = text.trim().strip_suffix(" ll").unwrap_or(text.trim());
    numbers(&wide_registers(text))
}

/// What we wrote, without what is the verifier's own.
pub(super) fn ours(text: &str) -> String {
    // helpers and functions have names here
    let text = match (text.strip_prefix("call "), text.rsplit_once('#')) {
        (Some(_), Some((_, number))) => format!("call {number}"),
        _ => text.to_owned(),
    };
    let mut text = wide_registers(&text.replace("call pc+", "call ").replace("pc+", "+").replace("pc-", "-"));
    // the operand of a comparison is written without its sign
    if let Some((head, rest)) = text.clone().split_once("0x").filter(|_| text.starts_with("if "))
        && let Some((hex, tail)) = rest.split_once(' ')
        && let Ok(value) = u32::from_str_radix(hex, 16)
    {
        text = format!("{head}{} {tail}", value as i32);
    }
    // atomics: the width stands in the pointer's type
    if text.contains("atomic") {
        text = text.replace("atomic64_", "atomic_");
        for name in ["xchg", "cmpxchg"] {
            for (pointer, width) in [("u64", "64"), ("u32", "32")] {
                let verifiers = format!("atomic_{name}(({pointer} *)(");
                if let Some((head, rest)) = text.clone().split_once(&verifiers) {
                    text = format!("{head}{name}_{width}({}", rest.replacen(')', "", 1));
                }
            }
        }
    }
    numbers(&text)
}

/// llvm writes `w1` in loads, stores and atomics of up to 32 bits, the verifier `r1` in all.
fn wide_registers(text: &str) -> String {
    let narrow = ["(u8 *)", "(u16 *)", "(u32 *)", "xchg_32("].iter().any(|p| text.contains(p));
    if narrow { text.replace('w', "r") } else { text.to_owned() }
}

/// Without spaces and plus signs before numbers, all numbers decimal.
fn numbers(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut out = String::new();
    let mut rest = &text[..];
    while let Some(at) = rest.find("0x") {
        out.push_str(&rest[..at]);
        let digits = &rest[at + 2..];
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        match u64::from_str_radix(&digits[..end], 16) {
            Ok(value) => out.push_str(&(value as i64).to_string()),
            Err(_) => out.push_str(&digits[..end]),
        }
        rest = &digits[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_instruction_twice() {
        for (llvm, verifier) in [
            ("r1 = 0x10", "r1 = 16"),
            ("r1 += -0x10", "r1 += -16"),
            ("call 0x71", "call bpf_probe_read_kernel#113"),
            ("call -0x1", "call pc-1"),
            ("call 0x93", "call pc+147"),
            ("r3 = *(u64 *)(r10 - 0x10)", "r3 = *(u64 *)(r10 -16)"),
            ("w3 = *(u32 *)(r1 + 0x0)", "r3 = *(u32 *)(r1 +0)"),
            ("*(u8 *)(r10 - 0x1) = w2", "*(u8 *)(r10 -1) = r2"),
            ("if w1 s> -0x1 goto +0x4 <LBB0_2>", "if w1 s> 0xffffffff goto pc+4"),
            ("if r7 <= 0x7f goto +0x1 <f+0xb0>", "if r7 <= 0x7f goto pc+1"),
            ("goto -0x5 <f>", "goto pc-5"),
            ("r1 = 0xffffffff ll", "r1 = 0xffffffff"),
            ("r2 = xchg_64(r1 + 0x0, r2)", "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
            ("w0 = cmpxchg_32(r1 + 0x4, w0, w2)", "r0 = atomic_cmpxchg((u32 *)(r1 +4), r0, r2)"),
            ("r2 = atomic_fetch_add((u64 *)(r1 + 0x0), r2)", "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"),
        ] {
            assert_eq!(theirs(llvm), ours(verifier), "{llvm}");
        }
        assert_ne!(theirs("r1 = 0x10"), ours("r1 = 17"));
    }
}
