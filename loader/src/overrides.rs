//! `--attach PROGRAM=WHAT`: what a program is attached to on this device, where the pack says something else. Tools whose users
//! name the function have programs that wait for it (funclatency's `dummy_kprobe`), and files lie elsewhere on each device.
//!
//! The words are those of SEC() behind its first `/`: a kernel's function, a file and its function, a USDT probe; or the name of a
//! place ([`crate::place`]), which `--cgroup` and `--netns` give for all programs that take such a one. Of programs of interfaces
//! and netfilter they are those of [`corelet_core::device::Place`].

use crate::exit::{Done, Exit};
use crate::number;
use crate::say::{Arg::S, fail, text};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::device::Kind;
use corelet_core::pack::{Attach, Place, Program};

/// `BPF_PROG_TYPE_KPROBE`, of which all are that a place in code can be given to.
const KPROBE: u32 = 2;

/// Attaches the program to what the command line says of it, if it does.
///
/// # Errors
/// [`Exit::Usage`], said, where it cannot be attached to that.
#[inline(always)] // asked of every program, so it does not lie with the rest of this file (link.ld)
pub fn apply<'a, 'o: 'a, K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'o>,
    program: &mut Program<'a>,
) -> Done<()> {
    if let Attach::Place { kind, path, .. } = &mut program.attach {
        let all = match kind {
            Place::Cgroup => session.options.cgroup,
            Place::Netns => session.options.netns,
            _ => None,
        };
        *path = all.unwrap_or(path);
    }
    if cfg!(not(feature = "options")) || session.options.attaches.is_empty() {
        Ok(())
    } else {
        replace(kernel, session, program)
    }
}

#[cold]
#[inline(never)]
fn replace<'a, 'o: 'a, K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'o>,
    program: &mut Program<'a>,
) -> Done<()> {
    for (i, &option) in session.options.attaches.iter().enumerate() {
        let Some((_, what)) = halves(option, b'=').filter(|(name, _)| *name == program.name) else {
            continue;
        };
        session.attaches_used |= 1 << (i & 31);
        let attached = match program.attach {
            Attach::Place { kind, hook, .. } if !what.is_empty() => {
                Some(Attach::Place { kind, path: what, hook })
            }
            // what is wrong with it is said when it is attached
            _ if Kind::of(program.prog_type, program.expected_attach_type).is_some() => {
                Some(Attach::Device { place: what })
            }
            _ => attach(program, what).filter(|_| program.prog_type == KPROBE),
        };
        match attached {
            Some(attach) => program.attach = attach,
            None => {
                let form = text!("--attach %: % (%) cannot be attached to that");
                let args = [S(option), S(program.name), S(program.section)];
                return Err(fail(kernel, Exit::Usage, form, &args));
            }
        }
    }
    Ok(())
}

/// What stands before and behind the first `byte`.
#[cold]
#[inline(never)]
fn halves(text: &str, byte: u8) -> Option<(&str, &str)> {
    let (before, rest) = text.split_at_checked(text.bytes().position(|b| b == byte)?)?;
    Some((before, rest.get(1..)?))
}

/// What `what` is for `program`.
#[cold]
#[inline(never)]
fn attach<'a>(program: &Program<'_>, what: &'a str) -> Option<Attach<'a>> {
    let ret = program.section.starts_with("kret") || program.section.starts_with("uret");
    let is_usdt = program.section.starts_with("usdt");
    let Some((path, place)) = halves(what, b':') else {
        let (symbol, offset) = behind(what)?;
        let offset = u32::try_from(offset).ok().filter(|&offset| offset == 0 || !ret)?;
        return (!is_usdt && !symbol.is_empty()).then_some(Attach::Kprobe { symbol, offset, ret });
    };
    if path.is_empty() || place.is_empty() {
        return None;
    }
    match halves(place, b':') {
        Some((provider, name)) if is_usdt && !name.is_empty() => Some(Attach::Usdt { path, provider, name }),
        None if !is_usdt => {
            let (symbol, offset) = behind(place)?;
            (offset == 0 || !ret || symbol.is_empty()).then_some(Attach::Uprobe { path, symbol, offset, ret })
        }
        _ => None,
    }
}

/// A symbol and the bytes behind it, or no symbol and the bytes from the file's start.
fn behind(place: &str) -> Option<(&str, u64)> {
    let number = |text| number::integer(text).filter(|&(negative, _)| !negative).map(|(_, n)| n);
    match halves(place, b'+') {
        Some((symbol, offset)) => Some((symbol, number(offset)?)),
        None => Some(number(place).map_or((place, 0), |offset| ("", offset))),
    }
}

/// Refuses `--attach` options that named no program of any object.
#[cold]
#[inline(never)]
pub fn all_used<K: Kernel>(kernel: &mut K, session: &Session<'_>) -> Done<()> {
    for (i, attach) in session.options.attaches.iter().enumerate() {
        if session.attaches_used & (1 << (i & 31)) == 0 {
            return Err(fail(
                kernel,
                Exit::Usage,
                text!("--attach %: the pack has no such program"),
                &[S(attach)],
            ));
        }
    }
    Ok(())
}
