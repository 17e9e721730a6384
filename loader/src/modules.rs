//! The modules that a target has types of: each must be loaded, and in that very build (law 4).

use crate::choose::Fit;
use crate::exit::{Done, Exit};
use crate::identity::build_id;
use crate::say::{
    Arg::{P, S, X},
    bad, failed, say, text,
};
use crate::sys::{Errno, Kernel};
use crate::tracefs::Path;
use corelet_core::Error;
use corelet_core::pack::{Module, Reader, Wire, section};

/// How a target fits that fits as `without` says but for the modules that `bytes`, a section `MODULES` of the file `name`, names.
/// Says what is loaded instead.
#[cold] // few targets have types of modules; for the others this is no memory (link.ld)
#[inline(never)]
pub fn fit<K: Kernel>(kernel: &mut K, name: &str, bytes: &[u8], without: Fit) -> Done<Fit> {
    let mut reader = Reader::new(bytes);
    let mut worst = without;
    while !reader.is_empty() {
        let module = Module::read(&mut reader);
        if reader.failed() {
            return bad(kernel, name, Err(Error::BadRecord { id: section::MODULES, index: 0 }));
        }
        let mut path = Path::new();
        path.text("/sys/module/").text(module.name).text("/notes/.note.gnu.build-id");
        let loaded = match path.as_cstr().and_then(|path| build_id(kernel, path)) {
            Ok(loaded) => Some(loaded),
            Err(Errno::ENOENT) => None,
            Err(e) if e.exit() == Exit::Again => return Err(failed(kernel, path.as_str(), e)),
            // notes that are none
            Err(_) => Some(Default::default()),
        };
        let next = [S(module.name)];
        let (fit, loaded) = match &loaded {
            Some(id) if id.as_slice() == module.build_id && !id.is_empty() => continue,
            Some(id) => (Fit::OtherModule, X(id)),
            None => (Fit::NoModule, P(text!("none: modprobe %"), &next)),
        };
        let args = [S(module.name), X(module.build_id), loaded];
        say(kernel, text!("module %: needs build id %, has %"), &args);
        worst = if worst == without { fit } else { worst.max(fit) };
    }
    Ok(worst)
}
