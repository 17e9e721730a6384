//! Where the arguments of a USDT probe are, turned into what libbpf's `usdt.bpf.h` reads: `struct __bpf_usdt_spec`.
//!
//! A probe says it in the words of its assembler, `SIZE@OPERAND` for each argument with a blank between: `-4@%eax`,
//! `8@-24(%rbp)`, `-4@$7` on x86; `8@x1`, `4@[sp, 28]`, `-4@7` on AArch64; `-4@#7`, `4@[fp, #-8]` on ARM; `8@-40(s0)` on RISC-V.
//! A negative size is a signed argument's. Registers are told by their place in `struct pt_regs`
//! (`arch/*/include/uapi/asm/ptrace.h`).

use crate::pack::Arch;

/// `BPF_USDT_MAX_ARG_CNT`
pub const MAX_ARGS: usize = 12;
/// Bytes of an argument's spec: `val_off` 8, `arg_type` 4, `reg_off` 2, `arg_signed` 1, `arg_bitshift` 1.
const ARG_LEN: usize = 16;
/// Bytes of `struct __bpf_usdt_spec`: the arguments, a cookie of 8, their count in 2, and padding.
pub const SPEC_LEN: usize = MAX_ARGS * ARG_LEN + 16;

/// `arg_type`.
const CONST: u32 = 0;
const REG: u32 = 1;
const REG_DEREF: u32 = 2;

/// Registers of x86_64 in the order of `struct pt_regs`, 8 bytes each; empty for those that no argument is in.
const X86_64: &str = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di - ip - - sp";
/// Registers of RISC-V, as `struct user_regs_struct` has them.
const RISCV: &str =
    "pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6";
/// Registers of ARM beside `r0` to `r15`, from `r11` on.
const ARM: &str = "fp ip sp lr pc";

/// The spec of a probe whose arguments are at `args`, for a program that runs on `arch`.
///
/// # Errors
/// The number of the argument that is not understood, from 1, or one more than [`MAX_ARGS`].
pub fn spec(arch: Arch, args: &str) -> Result<[u8; SPEC_LEN], usize> {
    let mut out = [0; SPEC_LEN];
    let mut text = Text(args.as_bytes());
    let mut count = 0u16;
    loop {
        text.blanks();
        if text.0.is_empty() {
            break;
        }
        let number = usize::from(count).saturating_add(1);
        let record = argument(arch, &mut text).ok_or(number)?;
        let place = out.as_chunks_mut::<ARG_LEN>().0.iter_mut().take(MAX_ARGS).nth(count.into());
        *place.ok_or(number)? = record;
        count = count.saturating_add(1);
    }
    if let Some(place) = out.get_mut(MAX_ARGS * ARG_LEN + 8..).and_then(|rest| rest.first_chunk_mut()) {
        *place = count.to_ne_bytes();
    }
    Ok(out)
}

/// What is left to be read.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Goes over `byte`, and blanks before it, if it comes next.
    fn skip(&mut self, byte: u8) -> bool {
        let rest = self.0.trim_ascii_start().strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Goes over what `fits`.
    fn word(&mut self, fits: impl Fn(&u8) -> bool) -> &'a str {
        let end = self.0.iter().position(|b| !fits(b)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end).unwrap_or_default();
        self.0 = rest;
        core::str::from_utf8(word).unwrap_or("")
    }

    /// An integer, if one comes next.
    fn integer(&mut self) -> Option<i64> {
        let before = self.0;
        self.blanks();
        let value = self.word(|b| b.is_ascii_digit() || *b == b'-').parse().ok();
        if value.is_none() {
            self.0 = before;
        }
        value
    }

    /// A register's place in `struct pt_regs`.
    fn register(&mut self, arch: Arch) -> Option<u16> {
        self.skip(b'%');
        register(arch, self.word(u8::is_ascii_alphanumeric))
    }
}

/// The record of one argument.
fn argument(arch: Arch, text: &mut Text<'_>) -> Option<[u8; ARG_LEN]> {
    let size = text.integer()?;
    let bits = size.unsigned_abs().checked_mul(8).filter(|bits| matches!(bits, 8 | 16 | 32 | 64))?;
    if !text.skip(b'@') {
        return None;
    }
    let (kind, value, register) = if text.skip(b'[') {
        let register = text.register(arch)?;
        let mut offset = 0;
        if text.skip(b',') {
            text.skip(b'#');
            offset = text.integer()?;
        }
        (REG_DEREF, offset, text.skip(b']').then_some(register)?)
    } else {
        let constant = text.skip(b'$') || text.skip(b'#');
        let value = text.integer();
        if !constant && text.skip(b'(') {
            let register = text.register(arch)?;
            (REG_DEREF, value.unwrap_or(0), text.skip(b')').then_some(register)?)
        } else if let Some(value) = value {
            (CONST, value, 0)
        } else if constant {
            return None;
        } else {
            (REG, 0, text.register(arch)?)
        }
    };
    // what comes next is another argument
    if !text.0.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
    let [i, j, k, l] = kind.to_ne_bytes();
    let [m, n] = register.to_ne_bytes();
    let shift = 64u64.checked_sub(bits)? as u8;
    Some([a, b, c, d, e, f, g, h, i, j, k, l, m, n, u8::from(size < 0), shift])
}

/// The offset of a register in `struct pt_regs`, in bytes.
fn register(arch: Arch, name: &str) -> Option<u16> {
    let place = |list: &str, name: &str| list.split(' ').position(|n| n == name);
    let numbered = |letter: char, last: usize| {
        let n = name.strip_prefix(letter)?.parse::<usize>().ok()?;
        (n <= last).then_some(n)
    };
    let (at, bytes) = match arch {
        Arch::X86_64 => (place(X86_64, x86_64(name))?, 8),
        Arch::Aarch64 => {
            let at = if name == "sp" { Some(31) } else { numbered('x', 30).or_else(|| numbered('w', 30)) };
            (at?, 8)
        }
        Arch::Arm => {
            let named = place(ARM, name).and_then(|at| at.checked_add(11));
            (named.or_else(|| numbered('r', 15))?, 4)
        }
        Arch::Riscv64 => (place(RISCV, if name == "fp" { "s0" } else { name })?, 8),
    };
    u16::try_from(at.checked_mul(bytes)?).ok()
}

/// A register's name without what says how much of it is meant: `rax`, `eax`, `ax` and `al` are `ax`; `r8d`, `r8w` and `r8b` are
/// `r8`.
fn x86_64(name: &str) -> &str {
    let numbered = |n: &&str| n.starts_with('r') && n.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if numbered(&name) {
        return name.strip_suffix(['d', 'w', 'b']).unwrap_or(name);
    }
    let name = match name.as_bytes() {
        [b'r' | b'e', _, _] => name.get(1..).unwrap_or(name),
        _ => name,
    };
    match name {
        "al" => "ax",
        "bl" => "bx",
        "cl" => "cx",
        "dl" => "dx",
        "sil" => "si",
        "dil" => "di",
        "bpl" => "bp",
        "spl" => "sp",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// `val_off`, `arg_type`, `reg_off`, `arg_signed`, `arg_bitshift` of every argument.
    fn args(arch: Arch, text: &str) -> Vec<(i64, u32, u16, bool, u8)> {
        let spec = spec(arch, text).unwrap();
        let count = u16::from_ne_bytes([spec[200], spec[201]]);
        let records = spec[..192].as_chunks::<ARG_LEN>().0;
        assert!(records[count.into()..].iter().flatten().all(|&b| b == 0));
        (records[..count.into()].iter())
            .map(|r| {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, signed, shift] = *r;
                (
                    i64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                    u32::from_ne_bytes([i, j, k, l]),
                    u16::from_ne_bytes([m, n]),
                    signed == 1,
                    shift,
                )
            })
            .collect()
    }

    #[test]
    fn as_usdt_bpf_h_reads_them() {
        assert_eq!(SPEC_LEN, 208);
        assert_eq!(
            args(
                Arch::X86_64,
                "-4@%eax 8@-24(%rbp) -4@$-9 1@%r8b 2@(%rsp) 8@%rip 1@%sil 8@$9223372036854775807"
            ),
            [
                (0, REG, 80, true, 32),
                (-24, REG_DEREF, 32, false, 0),
                (-9, CONST, 0, true, 32),
                (0, REG, 72, false, 56),
                (0, REG_DEREF, 152, false, 48),
                (0, REG, 128, false, 0),
                (0, REG, 104, false, 56),
                (i64::MAX, CONST, 0, false, 0),
            ]
        );
        assert_eq!(
            args(Arch::Aarch64, "8@x30 -4@[sp, 96] 4@[sp] -4@5 4@w3 8@sp 8@[x29,-16]"),
            [
                (0, REG, 240, false, 0),
                (96, REG_DEREF, 248, true, 32),
                (0, REG_DEREF, 248, false, 32),
                (5, CONST, 0, true, 32),
                (0, REG, 24, false, 32),
                (0, REG, 248, false, 0),
                (-16, REG_DEREF, 232, false, 0),
            ]
        );
        assert_eq!(
            args(Arch::Arm, "-4@#-7 4@[fp, #-8] 4@r10 8@lr 1@[ip]"),
            [
                (-7, CONST, 0, true, 32),
                (-8, REG_DEREF, 44, false, 32),
                (0, REG, 40, false, 32),
                (0, REG, 56, false, 0),
                (0, REG_DEREF, 48, false, 56),
            ]
        );
        assert_eq!(
            args(Arch::Riscv64, " -8@-88(s0)  4@12 2@t6 8@(sp)"),
            [
                (-88, REG_DEREF, 64, true, 0),
                (12, CONST, 0, false, 32),
                (0, REG, 248, false, 48),
                (0, REG_DEREF, 16, false, 0),
            ]
        );
        assert_eq!(args(Arch::Arm, ""), []);
    }

    #[test]
    fn what_is_not_understood_is_told_by_its_number() {
        for (arch, text, number) in [
            (Arch::X86_64, "8@%xmm0", 1),
            (Arch::X86_64, "8@%rax 8f@%rbx", 2),
            (Arch::X86_64, "8@8(%rax,%rbx,8)", 1),
            (Arch::X86_64, "3@%rax", 1),
            (Arch::X86_64, "8@symbol(%rip)", 1),
            (Arch::X86_64, "8@%rax,8@%rbx", 1),
            (Arch::X86_64, "8@", 1),
            (Arch::X86_64, "8@$", 1),
            (Arch::X86_64, "8@4(%rax", 1),
            (Arch::X86_64, "-128@%rax", 1),
            (Arch::X86_64, "-9223372036854775808@%rax", 1),
            (Arch::Aarch64, "8@x31", 1),
            (Arch::Aarch64, "8@[sp, 8", 1),
            (Arch::Arm, "4@r16", 1),
            (Arch::Riscv64, "8@%rax", 1),
            (Arch::Riscv64, "8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1 8@1", 13),
        ] {
            assert_eq!(spec(arch, text), Err(number), "{text}");
        }
    }
}
