//! Target files that came with a kernel: `DIR/DIGEST/BUILDID.target`, found by an object's digest and the kernel's build id.
//!
//! So a kernel's package brings the targets of its kernel, an application's package brings its pack, and neither knows the
//! other. A file under that name must hold that target; one that does not is damaged, and refused.

use crate::choose;
use crate::exit::{Done, Exit};
use crate::file::{PackFile, SMALL};
use crate::number::hex_digit;
use crate::say::{
    Arg::{E, S},
    fail, failed, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, Open};
use crate::tracefs::Path;
use core::ffi::CStr;
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::pack::{Object, section};
use heapless::Vec;

/// Where they are, unless `--targets` says otherwise.
pub const FOLDER: &CStr = c"/lib/corelet";

/// The target files of a pack's objects.
pub type Installed = Vec<PackFile<'static>, MAX_PACK_OBJECTS>;

/// Opens those of the objects of `pack` on the kernel of the session's build id, behind the `files` that are open; an object
/// without one is passed over.
///
/// # Errors
/// [`Exit::BadInput`] for a file that is damaged, or holds another target than its name says.
#[inline(never)] // its frame is gone when objects are loaded
pub fn open<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    pack: &PackFile<'_>,
    files: &mut Installed,
) -> Done<()> {
    if session.identity.build_id.is_empty() {
        return Ok(());
    }
    for entry in pack.table().entries().filter(|e| e.id == section::OBJECT) {
        let mut buffer = [0; SMALL];
        let object = pack.object(kernel, entry.owner, &mut buffer)?;
        if let Some(file) = find(kernel, session, &object)? {
            // choosing refuses more objects than there is room for
            let _ = files.push(file);
        }
    }
    Ok(())
}

fn find<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    object: &Object<'_>,
) -> Done<Option<PackFile<'static>>> {
    let folder = session.options.targets.to_str().unwrap_or("");
    let mut path = Path::new();
    path.text(folder);
    for name in [&object.digest[..], &session.identity.build_id] {
        path.text("/");
        for &b in name {
            let digits = [b >> 4, b & 15].map(hex_digit);
            path.text(core::str::from_utf8(&digits).unwrap_or(""));
        }
    }
    path.text(".target");
    let opened = path.as_cstr().and_then(|path| kernel.open(path, Open::Read));
    match opened {
        Ok(fd) => {
            session.ledger.keep(kernel, fd)?;
            read(kernel, session, object, path.as_str(), fd).map(Some)
        }
        Err(Errno::ENOENT) => Ok(None),
        Err(e) => Err(fail(kernel, e.exit(), text!("targets in %: %"), &[S(folder), E(e)])),
    }
}

/// Checks the file's table, and that the target in it is the one of its name.
#[cold]
#[inline(never)] // where no file is, its code is no memory
fn read<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    object: &Object<'_>,
    path: &str,
    fd: Fd,
) -> Done<PackFile<'static>> {
    let name = match kernel.region(path.len()) {
        Ok(name) => name,
        Err(e) => return Err(failed(kernel, path, e)),
    };
    for (slot, b) in name.iter_mut().zip(path.bytes()) {
        *slot = b;
    }
    let file = PackFile::of(kernel, fd, core::str::from_utf8(name).unwrap_or(""))?;
    if choose::have(kernel, &[&file], &object.digest, &session.identity)? {
        return Ok(file);
    }
    let form = text!("%: not what its name says: it has no target of % for that build id");
    Err(fail(kernel, Exit::BadInput, form, &[S(path), S(object.name)]))
}
