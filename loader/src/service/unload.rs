//! Removing services: their pins, which detaches, and their folders.

use super::begin::{busy, is_locked, lock_all};
use super::pins::FOLDERS;
use super::{NEW, at, is_name, stale};
use crate::directory::Names;
use crate::exit::{Done, Exit};
use crate::say::{
    Arg::{E, S},
    fail, failed, say, text,
};
use crate::sys::{Errno, Kernel, Sys};
use crate::tracefs::Path;

/// Removes the service `name`, and what killed loaders left; that there is none is no error.
///
/// # Errors
/// [`Exit::Again`] while it is loaded or runs; [`Exit::NotPortable`] where something else is pinned in its folder, which
/// stays.
#[cold]
#[inline(never)]
pub fn unload<K: Kernel>(kernel: &mut K, name: &str) -> Done<()> {
    if !is_name(name) {
        return Err(fail(kernel, Exit::Usage, text!("% is no name of a service"), &[S(name)]));
    }
    let all = lock_all(kernel)?;
    stale::clean_folders(kernel);
    let done = one(kernel, name);
    tidy(kernel);
    kernel.close(all);
    done
}

fn one<K: Kernel>(kernel: &mut K, name: &str) -> Done<()> {
    match at(&["/", name]).as_cstr().and_then(|path| is_locked(kernel, path)) {
        Ok(false) => {}
        Ok(true) => return Err(busy(kernel, name)),
        Err(Errno::ENOENT) => {
            say(kernel, text!("%: nothing is loaded by that name"), &[S(name)]);
            return Ok(());
        }
        Err(e) => return Err(failed(kernel, name, e)),
    }
    match remove(kernel, &[name]) {
        Ok(()) => {
            say(kernel, text!("%: unloaded"), &[S(name)]);
            Ok(())
        }
        Err(e) => {
            let form =
                text!("%: cannot remove all of /sys/fs/bpf/corelet/%: %; something else may be pinned there");
            Err(fail(kernel, e.exit(), form, &[S(name), S(name), E(e)]))
        }
    }
}

/// Removes the folder whose name is these parts, as far as it is ours: state, links, programs, maps. What is not there is no
/// error, so that a removal that was cut short can go on.
pub(super) fn remove<K: Kernel>(kernel: &mut K, name: &[&str]) -> Sys<()> {
    let mut folder = at(&["/"]);
    for part in name {
        folder.text(part);
    }
    let inside = |parts: &[&str]| {
        let mut path = Path::new();
        path.text(folder.as_str());
        for part in parts {
            path.text(part);
        }
        path
    };
    gone(kernel, &inside(&["/state"]), false)?;
    for part in FOLDERS {
        let path = inside(&[part]);
        let mut names = match path.as_cstr().and_then(|path| Names::open(kernel, path)) {
            Err(Errno::ENOENT) => continue,
            names => names?,
        };
        let emptied = loop {
            match names.next(kernel) {
                Ok(Some(pin)) => {
                    if let Err(e) = gone(kernel, &inside(&[part, "/", pin]), false) {
                        break Err(e);
                    }
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        names.close(kernel);
        emptied?;
        gone(kernel, &path, true)?;
    }
    gone(kernel, &folder, true)
}

fn gone<K: Kernel>(kernel: &mut K, path: &Path, folder: bool) -> Sys<()> {
    match kernel.remove(path.as_cstr()?, folder) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

/// Puts a complete `NAME+new` in the place of NAME.
pub(super) fn replace<K: Kernel>(kernel: &mut K, name: &str) -> Sys<()> {
    remove(kernel, &[name])?;
    kernel.rename(at(&["/", name, NEW]).as_cstr()?, at(&["/", name]).as_cstr()?)
}

/// Removes the folder of all services, where it is empty.
pub(super) fn tidy<K: Kernel>(kernel: &mut K) {
    if let Ok(path) = at(&[]).as_cstr() {
        let _ = kernel.remove(path, true);
    }
}
