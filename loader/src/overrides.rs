//! `--attach PROGRAM=WHAT`: what a program is attached to on this device, where the pack says something else. Tools whose users
//! name the function have programs that wait for it (funclatency's `dummy_kprobe`), and files lie elsewhere on each device.
//!
//! The words are those of SEC() behind its first `/`: a kernel's function, a file and its function, a USDT probe.

use crate::exit::{Done, Exit};
use crate::number;
use crate::say::{Arg::S, fail};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::pack::{Attach, Program};

/// `BPF_PROG_TYPE_KPROBE`, of which all are that one of these can be given to.
const KPROBE: u32 = 2;

/// The program, attached to what the command line says of it, if it does.
///
/// # Errors
/// [`Exit::Usage`], said, where it cannot be attached to that.
#[inline(never)]
pub fn of<'a, 'o: 'a, K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'o>,
    program: Program<'a>,
) -> Done<Program<'a>> {
    if session.options.attaches.is_empty() {
        return Ok(program);
    }
    replaced(kernel, session, program)
}

#[cold]
#[inline(never)]
fn replaced<'a, 'o: 'a, K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'o>,
    mut program: Program<'a>,
) -> Done<Program<'a>> {
    for (i, &option) in session.options.attaches.iter().enumerate() {
        let Some(what) = option.strip_prefix(program.name).and_then(|rest| rest.strip_prefix('=')) else {
            continue;
        };
        session.attaches_used |= 1u32.checked_shl(i as u32).unwrap_or(0);
        match attach(&program, what) {
            Some(attach) if program.prog_type == KPROBE => program.attach = attach,
            _ => {
                let form = "--attach %: % (%) cannot be attached to that";
                let args = [S(option), S(program.name), S(program.section)];
                return Err(fail(kernel, Exit::Usage, form, &args));
            }
        }
    }
    Ok(program)
}

/// What `what` is for `program`.
fn attach<'a>(program: &Program<'_>, what: &'a str) -> Option<Attach<'a>> {
    let ret = program.section.starts_with("kret") || program.section.starts_with("uret");
    let is_usdt = program.section.starts_with("usdt");
    let Some((path, place)) = what.split_once(':') else {
        let (symbol, offset) = behind(what)?;
        let offset = u32::try_from(offset).ok().filter(|&offset| offset == 0 || !ret)?;
        return (!is_usdt && !symbol.is_empty()).then_some(Attach::Kprobe { symbol, offset, ret });
    };
    if path.is_empty() || place.is_empty() {
        return None;
    }
    match place.split_once(':') {
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
    match place.split_once('+') {
        Some((symbol, offset)) => Some((symbol, number(offset)?)),
        None => Some(number(place).map_or((place, 0), |offset| ("", offset))),
    }
}

/// Refuses `--attach` options that named no program of any object.
pub fn all_used<K: Kernel>(kernel: &mut K, session: &Session<'_>) -> Done<()> {
    for (i, attach) in session.options.attaches.iter().enumerate() {
        if session.attaches_used & 1u32.checked_shl(i as u32).unwrap_or(0) == 0 {
            return Err(fail(kernel, Exit::Usage, "--attach %: the pack has no such program", &[S(attach)]));
        }
    }
    Ok(())
}
