//! The modules that a target has types of: each must be loaded, and in that very build (law 4).

use crate::choose::Fit;
use crate::exit::{Done, Exit};
use crate::file::PackFile;
use crate::identity::build_id;
use crate::say::{
    Arg::{P, S, X},
    bare, failed,
};
use crate::sys::{Errno, Kernel};
use crate::tracefs::Path;
use corelet_core::limits::MAX_MODULES_BYTES;
use corelet_core::pack::{Checked, Module, section};

/// What is wrong with the modules of target number `target`, the worst of it; `None` where all are as they must be. With
/// `list`, says what each is like.
#[inline(never)] // its frame is gone when objects are loaded
pub fn misfit<K: Kernel>(kernel: &mut K, file: &PackFile<'_>, target: u16, list: bool) -> Done<Option<Fit>> {
    let mut buffer = [0; MAX_MODULES_BYTES];
    let bytes = file.small(kernel, section::MODULES, target, &mut buffer)?;
    let mut worst = None;
    for module in Checked::<Module<'_>>::new(bytes, section::MODULES) {
        let mut path = Path::new();
        path.text("/sys/module/").text(module.name).text("/notes/.note.gnu.build-id");
        let loaded = match path.as_cstr().and_then(|path| build_id(kernel, path)) {
            Ok(loaded) => Some(loaded),
            Err(Errno::ENOENT) => None,
            Err(e) if e.exit() == Exit::Again => return Err(failed(kernel, path.as_str(), e)),
            // notes that are none
            Err(_) => Some(Default::default()),
        };
        let fit = match &loaded {
            Some(id) if id.as_slice() == module.build_id && !id.is_empty() => None,
            Some(_) => Some(Fit::OtherModule),
            None => Some(Fit::NoModule),
        };
        if list {
            let next = [S(module.name)];
            let loaded = match &loaded {
                Some(id) => X(id),
                None => P("none; next: modprobe %", &next),
            };
            bare(
                kernel,
                "    module %, build id %; loaded: %",
                &[S(module.name), X(module.build_id), loaded],
            );
        }
        worst = worst.max(fit);
    }
    Ok(worst)
}
