//! What a program attaches to by its type: its id in the kernel's BTF, or in that of a module, or in another program's.
//!
//! From the pack where the build id says that its target is this very kernel; else from the kernel, which a program of its own
//! asks by name (`bpf_btf_find_by_name_kind`, 5.14) and which looks into modules too; else, from older kernels, by going through
//! `/sys/kernel/btf/vmlinux` in pieces. All of it is `#[cold]`: most packs need none of it, and for them it is no memory (link.ld).

use crate::kernel_btf;
use crate::maps::with_memlock;
use crate::object::Sections;
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, ProgSpec, Sys};
use crate::tracefs::Path;
use corelet_core::Endian;
use corelet_core::btf::Kind;
use corelet_core::insn::{self, CALL, INSN_SIZE, Insn};
use corelet_core::object::sec_name::kernel_type;
use corelet_core::pack::{Attach, AttachId, Program, section};

/// `BPF_PROG_TYPE_EXT`: what replaces a function of another program.
pub const EXT: u32 = 28;
/// `BPF_PROG_TYPE_SYSCALL` (5.14).
const SYSCALL: u32 = 31;
/// `BPF_F_SLEEPABLE`, which programs of that type must be.
const SLEEPABLE: u32 = 1 << 4;
/// `BPF_FUNC_btf_find_by_name_kind`
const FIND_BY_NAME_KIND: i32 = 167;
/// Bytes of a name with its NUL, at most: what [`Path`] holds, and less than half of a program's stack.
const LONGEST: usize = 192;
/// Instructions around those that write the name.
const AROUND: usize = 10;

/// What `BPF_PROG_LOAD` is told of a program's target.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachTo {
    /// `attach_btf_id`; 0 for programs that have none.
    pub id: u32,
    /// Whose BTF it is of, where not the kernel's: of a program, or a module's BTF.
    pub of: Option<Fd>,
    /// Whether the descriptor is the caller's to close.
    pub owned: bool,
}

impl AttachTo {
    /// Closes what is to be closed, once the program is loaded.
    pub fn close<K: Kernel>(self, kernel: &mut K) {
        if let Some(fd) = self.of.filter(|_| self.owned) {
            kernel.close(fd);
        }
    }
}

/// The programs of an object that are loaded already.
#[derive(Clone, Copy, Debug)]
pub struct Loaded<'x> {
    /// Place of the first one's descriptor in the ledger; the others follow it.
    pub first: usize,
    /// 1 for each program of the object that is chosen.
    pub chosen: &'x [u8],
}

impl Loaded<'_> {
    /// The descriptor of program number `number`; `None` where it is left out.
    pub fn number(&self, session: &Session<'_>, number: u16) -> Option<Fd> {
        let (before, rest) = self.chosen.split_at_checked(usize::from(number))?;
        let before = before.iter().filter(|&&f| f == 1).count();
        rest.first().filter(|&&f| f == 1)?;
        session.ledger.get(self.first.saturating_add(before))
    }

    fn fd(&self, session: &Session<'_>, s: &Sections<'_>, name: &str) -> Option<Fd> {
        let chosen = s.programs().zip(self.chosen).filter(|(_, flag)| **flag == 1);
        let before = chosen.take_while(|(program, _)| program.name != name).count();
        session.ledger.get(self.first.saturating_add(before))
    }
}

/// Whether programs of this `enum bpf_attach_type` are linked to several functions: `BPF_TRACE_FENTRY_MULTI` and its like (7.2).
pub fn is_multi(attach_type: u32) -> bool {
    matches!(attach_type, 59..=61)
}

/// What program number `number` attaches to, or would replace a function of, of those that are `loaded` before it.
///
/// # Errors
/// `ENOENT` where the kernel has nothing of that name.
pub fn find<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    number: u16,
    program: &Program<'_>,
    loaded: Loaded<'_>,
) -> Sys<AttachTo> {
    match program.attach {
        // said by `plan::refuse`
        Attach::Trace { .. } if !cfg!(feature = "trace") => Err(Errno::EOPNOTSUPP),
        Attach::Trace { module, name } if program.prog_type == EXT => {
            replaced(session, s, if module.is_empty() { name } else { module }, name, loaded)
        }
        // one of these is loaded for any function, and its link says for which
        Attach::Trace { .. } if is_multi(program.expected_attach_type) => Ok(AttachTo::default()),
        Attach::Trace { name, .. } => of_kernel(kernel, s, number, program, name),
        Attach::Place { hook, .. } if cfg!(feature = "place") && !hook.is_empty() => {
            of_kernel(kernel, s, number, program, hook)
        }
        _ => Ok(AttachTo::default()),
    }
}

#[cold]
#[inline(never)]
fn replaced(
    session: &Session<'_>,
    s: &Sections<'_>,
    program: &str,
    name: &str,
    loaded: Loaded<'_>,
) -> Sys<AttachTo> {
    let fd = loaded.fd(session, s, program).ok_or(Errno::ENOENT)?;
    let function = s.btf.find(name, Kind::Func).ok_or(Errno::ENOENT)?;
    Ok(AttachTo { id: function.id.0, of: Some(fd), owned: false })
}

#[cold]
#[inline(never)]
fn of_kernel<K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    number: u16,
    program: &Program<'_>,
    name: &str,
) -> Sys<AttachTo> {
    let mut known = s.parts.records::<AttachId>(section::ATTACH_IDS);
    if let Some(known) = known.find(|known| known.program == number) {
        return Ok(AttachTo { id: known.id.0, ..AttachTo::default() });
    }
    let (prefix, is_typedef) = kernel_type(program.expected_attach_type);
    let kind = if is_typedef { Kind::Typedef } else { Kind::Func };
    let mut path = Path::new();
    path.text(prefix).text(name);
    path.as_cstr()?;
    by_name(kernel, path.as_str(), kind)
}

/// The type of this name and kind in the kernel's BTF or a module's.
#[cold]
#[inline(never)]
pub fn by_name<K: Kernel>(kernel: &mut K, name: &str, kind: Kind) -> Sys<AttachTo> {
    let mut insns = [0; (LONGEST / 4 + AROUND) * INSN_SIZE];
    let insns = asking(name.as_bytes(), kind, &mut insns).ok_or(Errno::E2BIG)?;
    let spec = ProgSpec {
        prog_type: SYSCALL,
        expected_attach_type: 0,
        prog_flags: SLEEPABLE,
        kern_version: 0,
        name: *b"corelet_find\0\0\0\0",
        insns,
        license: c"GPL",
        btf: None,
        attach_to: AttachTo::default(),
        fd_array: &[],
    };
    let prog = match with_memlock(kernel, |k| k.prog_load(&spec, None)) {
        Ok(prog) => prog,
        Err(e @ (Errno::EPERM | Errno::EACCES | Errno::ENOMEM | Errno::EMFILE)) => return Err(e),
        // before 5.14
        Err(_) => {
            return kernel_btf::find(kernel, name, kind).map(|id| AttachTo { id, ..AttachTo::default() });
        }
    };
    let mut answer = 0;
    let run = kernel.prog_run(prog, &mut answer);
    kernel.close(prog);
    run?;
    if let Some(e) = (answer as i64).checked_neg().filter(|&e| e > 0) {
        return Err(Errno(e as u16));
    }
    let fd = (answer >> 32) as i32;
    Ok(AttachTo { id: answer as u32, of: (fd > 0).then_some(Fd(fd)), owned: true })
}

/// The program that asks for a name: it writes the name onto its stack, and the answer into its context.
#[cold]
fn asking<'o>(name: &[u8], kind: Kind, out: &'o mut [u8]) -> Option<&'o [u8]> {
    const STACK: u8 = 10;
    let op = |code, dst, src, imm| Insn { code, dst, src, off: 0, imm };
    // with a NUL at least
    let words = (name.len() / 4).checked_add(1)?;
    let size = words.checked_mul(4)?.checked_next_multiple_of(8)?;
    let mut at = 0u32;
    let mut put = |insn: Insn| {
        let done = insn::write(out, at, insn, Endian::HOST);
        at = at.saturating_add(1);
        done.ok()
    };
    put(op(0xbf, 6, 1, 0))?;
    for i in 0..words {
        let from = i.checked_mul(4)?;
        let mut word = [0; 4];
        for (slot, &b) in word.iter_mut().zip(name.get(from..).unwrap_or_default()) {
            *slot = b;
        }
        let off = i16::try_from(from).ok()?.checked_sub(i16::try_from(size).ok()?)?;
        put(Insn { off, ..op(0x62, STACK, 0, i32::from_ne_bytes(word)) })?;
    }
    put(op(0xbf, 1, STACK, 0))?;
    put(op(0x07, 1, 0, i32::try_from(size).ok()?.checked_neg()?))?;
    put(op(0xb7, 2, 0, i32::try_from(name.len()).ok()?.checked_add(1)?))?;
    put(op(0xb7, 3, 0, kind as i32))?;
    put(op(0xb7, 4, 0, 0))?;
    put(op(CALL, 0, 0, FIND_BY_NAME_KIND))?;
    put(op(0x7b, 6, 0, 0))?;
    put(op(0xb7, 0, 0, 0))?;
    put(op(0x95, 0, 0, 0))?;
    let len = (at as usize).checked_mul(INSN_SIZE)?;
    out.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_its_name_on_the_stack() {
        for (name, words) in [("abc", 1), ("abcd", 2), ("btf_trace_sched_switch", 6)] {
            let mut out = [0; (LONGEST / 4 + AROUND) * INSN_SIZE];
            let insns = asking(name.as_bytes(), Kind::Typedef, &mut out).unwrap();
            let all: Vec<Insn> = insns.as_chunks().0.iter().map(|&b| Insn::decode(b, Endian::HOST)).collect();
            assert_eq!(all.len(), words + AROUND);
            let text: Vec<u8> =
                all.iter().filter(|i| i.code == 0x62).flat_map(|i| i.imm.to_ne_bytes()).collect();
            assert_eq!(text[..=name.len()], *[name.as_bytes(), &[0]].concat());
            let first = all[1].off;
            assert!(first % 8 == 0 && usize::from(first.unsigned_abs()) >= text.len());
            assert_eq!((all[words + 2].imm, all[words + 3].imm), (i32::from(first), name.len() as i32 + 1));
        }
        let mut out = [0; (LONGEST / 4 + AROUND) * INSN_SIZE];
        assert!(asking(&[b'x'; LONGEST - 1], Kind::Func, &mut out).is_some());
        assert!(asking(&[b'x'; LONGEST], Kind::Func, &mut out).is_none());
    }
}
