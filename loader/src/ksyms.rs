//! Addresses of kernel symbols that programs name without a type (`extern const void X __ksym`): one pass over `/proc/kallsyms` for
//! all of an object's, in a window of `WINDOW` bytes. An address goes straight into the instructions that load it, so that no table
//! is needed.
//!
//! Source: `bpf_object__read_kallsyms_file` and `kallsyms_cb`, libbpf `src/libbpf.c`: modules' symbols count too, two addresses of one
//! name are refused, a weak symbol that is not there is 0; a suffix `.llvm.N` of data is not part of the name.
//! Time: linear in the file; what it names is compared where length and ends agree with a wanted name's.

use crate::exit::{Done, Exit};
use crate::object::Sections;
use crate::say::{
    Arg::{S, X},
    bad, fail, failed, text,
};
use crate::sys::{Errno, Fd, Kernel, Open};
use corelet_core::pack::{Fixup, FixupKind};
use corelet_core::{Endian, insn};

/// Bytes of the file that are in memory at once; a line has some 600 at most (`KSYM_NAME_LEN` 512, `MODULE_NAME_LEN` 64).
const WINDOW: usize = 2048;

/// Whether the programs name such symbols.
#[inline(always)] // asked of every object, so it does not lie with the rest of this file (link.ld)
pub fn any(s: &Sections<'_>) -> bool {
    s.fixups().any(|f| matches!(f.kind, FixupKind::KsymAddress { .. }))
}

/// Puts the addresses into `insns`, those of all functions of the object; `used` says which functions are loaded.
///
/// # Errors
/// [`Exit::NotPortable`] for a symbol that must be there and is not, said with its program, and for one of two addresses;
/// [`Exit::Missing`] where the kernel hides addresses.
#[cold]
#[inline(never)]
pub fn resolve<K: Kernel>(kernel: &mut K, s: &Sections<'_>, used: &[u8], insns: &mut [u8]) -> Done<()> {
    let mut symbols = Symbols { s, used, insns, kinds: 0, hidden: None };
    for (fixup, name, _) in symbols.wanted() {
        symbols.kinds |= kind(name.as_bytes());
        bad(kernel, s.path, symbols.set(&fixup, 0))?;
    }
    match kernel.open(c"/proc/kallsyms", Open::Read) {
        Ok(file) => {
            let done = symbols.pass(kernel, file);
            kernel.close(file);
            done?;
        }
        // a kernel without CONFIG_KALLSYMS has no symbols to give
        Err(Errno::ENOENT) => {}
        Err(e) => return Err(failed(kernel, text!("/proc/kallsyms"), e)),
    }
    if let Some(name) = symbols.hidden {
        let form = text!(
            "%: the kernel hides the address of %: this needs root or CAP_SYSLOG, and sysctl kernel.kptr_restrict below 2"
        );
        return Err(fail(kernel, Exit::Missing, form, &[S(s.object.name), S(name)]));
    }
    for (fixup, name, weak) in symbols.wanted() {
        if !weak && bad(kernel, s.path, symbols.get(&fixup))? == 0 {
            let whose = s.programs().find(|p| p.functions().any(|f| f == fixup.function));
            let program = whose.map_or("", |p| p.name);
            let form = text!(
                "%: program % needs the symbol %, which this kernel does not have (variables are there with CONFIG_KALLSYMS_ALL)"
            );
            return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(program), S(name)]));
        }
    }
    Ok(())
}

/// A bit of 64 for a name's length and ends.
fn kind(name: &[u8]) -> u64 {
    let ends = name
        .first()
        .zip(name.last())
        .map_or(0, |(&a, &b)| u32::from(a).wrapping_mul(5).wrapping_add(b.into()));
    1u64.wrapping_shl((name.len() as u32).wrapping_mul(11).wrapping_add(ends))
}

/// What is looked for.
struct Symbols<'x, 'a> {
    s: &'x Sections<'a>,
    used: &'x [u8],
    insns: &'x mut [u8],
    /// The [`kind`]s of all names.
    kinds: u64,
    /// A symbol that is there, at an address that the kernel does not tell.
    hidden: Option<&'a str>,
}

impl<'x, 'a> Symbols<'x, 'a> {
    /// The loads of symbols' addresses in functions that are loaded, with the name and whether it may be missing.
    fn wanted(&self) -> impl Iterator<Item = (Fixup, &'a str, bool)> + use<'x, 'a> {
        let (s, used, mut fixups) = (self.s, self.used, self.s.fixups());
        core::iter::from_fn(move || {
            loop {
                let fixup = fixups.next()?;
                if let FixupKind::KsymAddress { name_off, weak } = fixup.kind
                    && used.get(usize::from(fixup.function)) == Some(&1)
                {
                    return Some((fixup, s.btf.string(name_off), weak));
                }
            }
        })
    }

    /// The two instructions of a load.
    fn place(&self, fixup: &Fixup) -> corelet_core::Result<[u32; 2]> {
        let at = self.s.function(fixup.function)?.start.saturating_add(fixup.insn);
        Ok([at, at.saturating_add(1)])
    }

    fn get(&self, fixup: &Fixup) -> corelet_core::Result<u64> {
        let [low, high] = self.place(fixup)?;
        let imm = |at| Ok(insn::read(self.insns, at, Endian::HOST)?.imm as u32);
        Ok(u64::from(imm(low)?) | u64::from(imm(high)?) << 32)
    }

    fn set(&mut self, fixup: &Fixup, address: u64) -> corelet_core::Result<()> {
        for (at, half) in self.place(fixup)?.into_iter().zip([address, address >> 32]) {
            let old = insn::read(self.insns, at, Endian::HOST)?;
            insn::write(self.insns, at, insn::Insn { imm: half as i32, ..old }, Endian::HOST)?;
        }
        Ok(())
    }

    /// Reads the whole file, line by line; a line that does not fit the window is passed over.
    fn pass<K: Kernel>(&mut self, kernel: &mut K, file: Fd) -> Done<()> {
        let mut window = [0u8; WINDOW];
        let (mut kept, mut skipping) = (0usize, false);
        loop {
            let read = match kernel.read(file, window.get_mut(kept..).unwrap_or_default()) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(failed(kernel, text!("/proc/kallsyms"), e)),
            };
            let filled = kept.saturating_add(read);
            let mut at = 0usize;
            while let Some(rest) = window.get(at..filled)
                && let Some(end) = rest.iter().position(|&b| b == b'\n')
            {
                if !core::mem::take(&mut skipping) {
                    self.line(kernel, rest.get(..end).unwrap_or_default())?;
                }
                at = at.saturating_add(end).saturating_add(1);
            }
            if at == 0 && filled == WINDOW {
                (at, skipping) = (filled, true);
            }
            kept = filled.saturating_sub(at);
            // not `copy_within`, which would bring its panic
            for i in 0..kept {
                let byte = window.get(at.saturating_add(i)).copied().unwrap_or(0);
                if let Some(slot) = window.get_mut(i) {
                    *slot = byte;
                }
            }
        }
    }

    /// One line: `ffffffc008010000 T _stext`, behind it a tab and `[MODULE]` where it is of one.
    fn line<K: Kernel>(&mut self, kernel: &mut K, line: &[u8]) -> Done<()> {
        let mut words = line.split(|&b| b == b' ' || b == b'\t');
        let (Some(address), Some(sort), Some(name)) = (words.next(), words.next(), words.next()) else {
            return Ok(());
        };
        let mut name = name;
        if matches!(sort, b"d" | b"D")
            && let Some(at) = name.windows(6).position(|w| w == b".llvm.")
        {
            name = name.get(..at).unwrap_or(name);
        }
        if self.kinds & kind(name) == 0 {
            return Ok(());
        }
        for (fixup, wanted, _) in self.wanted() {
            if wanted.as_bytes() != name {
                continue;
            }
            let value =
                address.iter().try_fold(0u64, |n, &b| Some(n << 4 | u64::from(char::from(b).to_digit(16)?)));
            let value = value.unwrap_or(0);
            if value == 0 {
                self.hidden = Some(wanted);
                continue;
            }
            let before = bad(kernel, self.s.path, self.get(&fixup))?;
            if before != 0 && before != value {
                let form = text!(
                    "%: the kernel has two symbols %, at % and %: no program can mean one of them by its name"
                );
                let (a, b) = (before.to_be_bytes(), value.to_be_bytes());
                return Err(fail(
                    kernel,
                    Exit::NotPortable,
                    form,
                    &[S(self.s.object.name), S(wanted), X(&a), X(&b)],
                ));
            }
            bad(kernel, self.s.path, self.set(&fixup, value))?;
        }
        Ok(())
    }
}
