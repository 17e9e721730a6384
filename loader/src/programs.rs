//! Linking the chosen programs one by one into a buffer and loading them.

use crate::arena::Arena;
use crate::btf_id::{self, Loaded};
use crate::exit::Done;
use crate::job::OpenMap;
use crate::maps::with_memlock;
use crate::object::{Sections, kernel_name};
use crate::place::{self, struct_ops};
use crate::plan::refuse;
use crate::say::{
    Arg::{E, S},
    bad, fail, text,
};
use crate::session::Session;
use crate::sys::{Fd, Kernel, ProgBtf, ProgSpec, slots};
use crate::verifier;
use core::ffi::CStr;
use corelet_core::link::{Parts, Placed, old_callbacks, old_helpers};
use corelet_core::pack::{FuncInfo, LineInfo, Program, section};
use corelet_core::{Endian, insn};

/// What programs of one object are linked and loaded with.
pub struct Linker<'x, 'a> {
    /// The object.
    pub sections: &'x Sections<'a>,
    /// All instructions, relocated.
    pub insns: &'x [u8],
    /// The maps.
    pub open: &'x [OpenMap],
    /// The loaded BTF, if the kernel took it.
    pub btf: Option<Fd>,
    /// The license.
    pub license: &'x CStr,
    /// Modules' BTF; empty where no module's function is called.
    pub fd_array: &'x [i32],
}

impl Linker<'_, '_> {
    /// Links and loads one program, of which those before it are `loaded`.
    ///
    /// # Errors
    /// What the kernel refused, explained by [`verifier::explain`].
    pub fn load<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        (number, program): (u16, &Program<'_>),
        loaded: Loaded<'_>,
        mut arena: Arena<'_>,
    ) -> Done<Fd> {
        let s = self.sections;
        let parts =
            Parts { functions: s.functions(), insns: self.insns, fixups: s.fixups(), endian: Endian::HOST };
        let (mut count, mut bytes) = (0usize, 0usize);
        for function in program.functions() {
            let f = bad(kernel, s.path, s.function(function))?;
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(bad(kernel, s.path, parts.insns_of(&f))?.len());
        }
        let out = arena.take(kernel, bytes)?;
        let placed = arena.take(kernel, count.saturating_mul(size_of::<Placed>()))?;
        let placed = slots(placed, Placed::default);
        let map_fd = |n: u16| self.open.get(usize::from(n)).map(|m| m.map.fd().0);
        let linked = bad(kernel, s.path, parts.link(program, &map_fd, placed, out))?;
        let placed = placed.get(..linked.1).unwrap_or(&[]);
        let insns = out.get_mut(..linked.0.saturating_mul(insn::INSN_SIZE)).unwrap_or_default();
        let (major, minor) = old_helpers::SINCE;
        if cfg!(feature = "old-kernels") && !session.identity.is_at_least(major, minor) {
            old_helpers::replace(insns, Endian::HOST);
        }
        let (major, minor) = old_callbacks::SINCE;
        if cfg!(feature = "old-kernels") && !session.identity.is_at_least(major, minor) {
            old_callbacks::replace(insns, Endian::HOST);
        }
        let btf = match self.btf {
            Some(fd) => Some(ProgBtf {
                fd,
                func_info: func_info(kernel, s, placed, &mut arena)?,
                line_info: line_info(kernel, s, placed, &mut arena)?,
            })
            // line_info without func_info is refused, as is either without all functions
            .filter(|b| !b.func_info.is_empty()),
            None => None,
        };
        let mut member = program.expected_attach_type;
        let found = match program.prog_type {
            struct_ops::PROGRAM if place::BUILT => {
                struct_ops::attach_to(kernel, s, number).map(|(to, at)| {
                    member = at;
                    to
                })
            }
            _ => btf_id::find(kernel, session, s, number, program, loaded),
        };
        let attach_to = match found {
            Ok(attach_to) => attach_to,
            Err(e) => return Err(refuse(kernel, s, program, e)),
        };
        let spec = ProgSpec {
            prog_type: program.prog_type,
            expected_attach_type: member,
            prog_flags: program.prog_flags,
            kern_version: s.object.kern_version,
            name: kernel_name("", program.name),
            insns,
            license: self.license,
            btf,
            attach_to,
            fd_array: self.fd_array,
        };
        let done = match with_memlock(kernel, |k| k.prog_load(&spec, None)) {
            Ok(fd) => {
                session.counts.programs = session.counts.programs.saturating_add(1);
                session.ledger.keep(kernel, fd)
            }
            Err(e) if cfg!(not(feature = "explain")) => {
                let args = [S(s.object.name), S(program.name), S(program.section), E(e)];
                Err(fail(kernel, e.exit(), text!("%: program % (%): the kernel refused it: %"), &args))
            }
            Err(e) => Err(verifier::explain(kernel, session, s, &spec, program, placed, e, arena)),
        };
        attach_to.close(kernel);
        done
    }
}

/// `struct bpf_func_info` of every placed function; empty where the pack has not all.
fn func_info<'a, K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    placed: &[Placed],
    arena: &mut Arena<'a>,
) -> Done<&'a [u8]> {
    if s.parts.get(section::FUNC_INFO).is_empty() {
        return Ok(&[]);
    }
    let out = arena.take(kernel, placed.len().saturating_mul(8))?;
    let mut rows = out.as_chunks_mut::<8>().0.iter_mut();
    for p in placed {
        let mut all = s.parts.records::<FuncInfo>(section::FUNC_INFO);
        let (Some(info), Some(row)) = (all.find(|f| f.function == p.function), rows.next()) else {
            return Ok(&[]);
        };
        put(row, [p.start, info.type_id.0]);
    }
    Ok(out)
}

/// `struct bpf_line_info` of the placed functions, in their order; empty where a function has none at its start, which the
/// kernel refuses.
fn line_info<'a, K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    placed: &[Placed],
    arena: &mut Arena<'a>,
) -> Done<&'a [u8]> {
    if cfg!(not(feature = "explain")) || s.parts.get(section::LINE_INFO).is_empty() {
        Ok(&[])
    } else {
        lines(kernel, s, placed, arena)
    }
}

#[cold] // a pack has lines where it is asked for them only
#[inline(never)]
fn lines<'a, K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    placed: &[Placed],
    arena: &mut Arena<'a>,
) -> Done<&'a [u8]> {
    let lines = s.parts.records::<LineInfo>(section::LINE_INFO);
    // a function is placed once, so there are no more lines than the pack has
    let out = arena.take(kernel, lines.clone().count().saturating_mul(16))?;
    let mut rows = out.as_chunks_mut::<16>().0.iter_mut();
    let mut len = 0usize;
    for p in placed {
        let mut next = Some(0);
        for l in lines.clone() {
            if l.function != p.function {
                continue;
            }
            if next.take().is_some_and(|first| l.insn != first) {
                return Ok(&[]);
            }
            if let Some(row) = rows.next() {
                put(row, [p.start.saturating_add(l.insn), l.file_off, l.line_off, l.line_col]);
                len = len.saturating_add(16);
            }
        }
        if next.is_some() {
            return Ok(&[]);
        }
    }
    Ok(out.get(..len).unwrap_or(&[]))
}

fn put<const N: usize>(row: &mut [u8], words: [u32; N]) {
    for (slot, word) in row.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *slot = word.to_ne_bytes();
    }
}
