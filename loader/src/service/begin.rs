//! The life of a service's folder: claimed before anything is loaded, complete with its state, or gone.

use super::state::{self, Kind};
use super::{NEW, ROOT, at, is_name, pins, stale, unload};
use crate::args::{Command, Options};
use crate::exit::{Done, Exit};
use crate::job::Source;
use crate::say::{
    Arg::{E, N, S},
    fail, failed, say, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapFd, Open, Sys};
use core::ffi::CStr;

/// The mount point, whose lock is that of all folders.
const BPFFS: &CStr = c"/sys/fs/bpf";
/// How often a lock is asked for that another has, and how long it is waited between, in milliseconds: five seconds.
const ROUNDS: u32 = 250;
const ROUND_MS: u32 = 20;

/// The folder of this loader.
#[derive(Clone, Copy)]
pub struct Service<'o> {
    /// The service's name.
    pub(super) name: &'o str,
    /// What the folder's name ends in: nothing, or [`NEW`].
    pub(super) end: &'static str,
}

/// Takes the lock of all folders; closing the descriptor gives it back.
///
/// # Errors
/// [`Exit::Again`] where another loader has it all the time, [`Exit::Missing`] where there is no such folder.
pub(super) fn lock_all<K: Kernel>(kernel: &mut K) -> Done<Fd> {
    let fd = match kernel.open(BPFFS, Open::Read) {
        Ok(fd) => fd,
        Err(e) => return Err(no_bpffs(kernel, e)),
    };
    let mut result = kernel.lock(fd);
    if result == Err(Errno::EAGAIN)
        && let Ok(idle) = kernel.epoll_create()
    {
        for _ in 0..ROUNDS {
            let _ = kernel.epoll_wait(idle, Some(ROUND_MS));
            result = kernel.lock(fd);
            if result != Err(Errno::EAGAIN) {
                break;
            }
        }
        kernel.close(idle);
    }
    match result {
        Ok(()) => Ok(fd),
        Err(e) => {
            kernel.close(fd);
            let form = text!("/sys/fs/bpf: another corelet-loader has locked it: %; try again");
            Err(fail(kernel, e.exit(), form, &[E(e)]))
        }
    }
}

/// Whether some process has locked the folder; whoever asks holds the lock of all.
pub(super) fn is_locked<K: Kernel>(kernel: &mut K, folder: &CStr) -> Sys<bool> {
    let fd = kernel.open(folder, Open::Read)?;
    let locked = kernel.lock(fd);
    kernel.close(fd);
    match locked {
        Ok(()) => Ok(false),
        Err(Errno::EAGAIN) => Ok(true),
        Err(e) => Err(e),
    }
}

fn no_bpffs<K: Kernel>(kernel: &mut K, e: Errno) -> Exit {
    let form = text!("/sys/fs/bpf/corelet: %; a service needs a bpffs: mount -t bpf bpf /sys/fs/bpf");
    fail(kernel, if e.exit() == Exit::Again { Exit::Again } else { Exit::Missing }, form, &[E(e)])
}

/// Makes and locks the folder of a `load` or a `run --name`, after removing what killed loaders left.
///
/// # Errors
/// [`Exit::Usage`] for a name that is none or is taken, [`Exit::Again`] where another process is at it, [`Exit::Missing`]
/// without a bpffs.
#[cold]
#[inline(never)]
pub fn begin<K: Kernel>(kernel: &mut K, session: &mut Session<'_>) -> Done<()> {
    let name = match session.options.name {
        Some(name) => name,
        None => of_pack(session.options),
    };
    if !is_name(name) {
        let form = text!("% is no name of a service: up to 32 letters, digits, - and _; give one by --name");
        return Err(fail(kernel, Exit::Usage, form, &[S(name)]));
    }
    let all = lock_all(kernel)?;
    stale::clean_folders(kernel);
    let done = claim(kernel, session, name);
    if done.is_err() {
        unload::tidy(kernel);
    }
    kernel.close(all);
    done
}

/// The name of the pack's file, without folders and `.pack`.
fn of_pack<'o>(options: &Options<'o>) -> &'o str {
    let path = options.packs.first().map_or(&[][..], |path| path.to_bytes());
    let file = path.rsplit(|&b| b == b'/').next().unwrap_or(path);
    let name = core::str::from_utf8(file).unwrap_or("");
    name.strip_suffix(".pack").unwrap_or(name)
}

fn claim<'o, K: Kernel>(kernel: &mut K, session: &mut Session<'o>, name: &'o str) -> Done<()> {
    match make(kernel, &[]) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(no_bpffs(kernel, e)),
    }
    let end = match make(kernel, &["/", name]) {
        Ok(()) => "",
        Err(Errno::EEXIST) => beside(kernel, session.options, name)?,
        Err(e) => return Err(no_bpffs(kernel, e)),
    };
    session.service = Some(Service { name, end });
    let fd = at(&["/", name, end]).as_cstr().and_then(|path| kernel.open(path, Open::Read));
    let fd = match fd {
        Ok(fd) => session.ledger.keep(kernel, fd)?,
        Err(e) => return Err(failed(kernel, ROOT, e)),
    };
    kernel.lock(fd).map_err(|e| failed(kernel, ROOT, e))?;
    if session.options.command == Command::Load {
        for part in pins::FOLDERS {
            make(kernel, &["/", name, end, part]).map_err(|e| failed(kernel, ROOT, e))?;
        }
    }
    Ok(())
}

fn make<K: Kernel>(kernel: &mut K, parts: &[&str]) -> Sys<()> {
    at(parts).as_cstr().and_then(|path| kernel.mkdir(path))
}

/// Makes the folder beside one that is there and may be replaced, and gives what its name ends in; else says what is there.
fn beside<K: Kernel>(kernel: &mut K, options: &Options<'_>, name: &str) -> Done<&'static str> {
    match at(&["/", name]).as_cstr().and_then(|path| is_locked(kernel, path)) {
        Ok(false) => {}
        Ok(true) => return Err(busy(kernel, name)),
        Err(e) => return Err(failed(kernel, ROOT, e)),
    }
    if options.command != Command::Load || !options.replace {
        let form = text!("% is loaded already: corelet-loader unload %, or load --replace");
        return Err(fail(kernel, Exit::Usage, form, &[S(name), S(name)]));
    }
    match make(kernel, &["/", name, NEW]) {
        Ok(()) => Ok(NEW),
        // what was left was removed, so this one is locked
        Err(Errno::EEXIST) => Err(busy(kernel, name)),
        Err(e) => Err(no_bpffs(kernel, e)),
    }
}

/// Says which process has a folder.
pub(super) fn busy<K: Kernel>(kernel: &mut K, name: &str) -> Exit {
    match state::head(kernel, &at(&["/", name])) {
        Ok(head) if head.kind == Kind::Run => {
            let form = text!("% runs in process %: stop that first");
            fail(kernel, Exit::Again, form, &[S(name), N(head.pid.into())])
        }
        _ => fail(
            kernel,
            Exit::Again,
            text!("% is being loaded by another corelet-loader; try again"),
            &[S(name)],
        ),
    }
}

/// Writes down what is loaded, which completes the folder; a load that replaces another takes its place then.
///
/// # Errors
/// Of the calls, said; nothing is left of this load then, and the one that it was to replace is as it was.
#[cold]
#[inline(never)]
pub fn commit<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    sources: &[Source<'_>],
) -> Done<Option<MapFd>> {
    let Some(service) = session.service else { return Ok(None) };
    let state = match state::create(kernel, session, sources, &at(&["/", service.name, service.end])) {
        Ok(state) => state,
        Err(e) => return Err(pins::refuse(kernel, "state", e)),
    };
    session.ledger.keep(kernel, state.fd())?;
    if !service.end.is_empty() {
        let all = lock_all(kernel)?;
        // from here on the new one is complete, and whoever comes would finish this
        session.service = None;
        let done = unload::replace(kernel, service.name);
        kernel.close(all);
        if let Err(e) = done {
            let form = text!("%: cannot remove the old one: %; the new one is attached as %+new");
            return Err(fail(kernel, e.exit(), form, &[S(service.name), E(e), S(service.name)]));
        }
        let form = text!(
            "%: replaced; the new programs were attached before the old ones went, for a moment both ran"
        );
        say(kernel, form, &[S(service.name)]);
    }
    Ok(Some(state))
}

/// Removes the folder of a `load` that failed, or of a `run` that ends.
#[cold]
#[inline(never)]
pub fn abandon<K: Kernel>(kernel: &mut K, session: &mut Session<'_>) {
    let Some(Service { name, end }) = session.service.take() else { return };
    if let Err(e) = unload::remove(kernel, &[name, end]) {
        say(kernel, text!("cannot remove /sys/fs/bpf/corelet/%%: %"), &[S(name), S(end), E(e)]);
    }
    if let Ok(all) = lock_all(kernel) {
        unload::tidy(kernel);
        kernel.close(all);
    }
}
