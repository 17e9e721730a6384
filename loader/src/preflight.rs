//! `preflight`: whether a pack will load on a kernel that does not run yet, told to an updater before it switches.
//!
//! The target is chosen as on that kernel, by its build id alone, and the modules that it needs are named; then everything that loading will read is read and checked,
//! in the memory that loading will have. Relocation was proved when the target was made, so what remains to that kernel is the
//! verifier and what is attached to.

use crate::arena::Arena;
use crate::choose::Chosen;
use crate::exit::Done;
use crate::file::SMALL;
use crate::object;
use crate::say::{
    Arg::{N, S, X},
    failed, say, text,
};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::pack::{Checked, Module, section};

/// Checks every section of the objects and of their chosen targets, and says of each object that it is ready.
///
/// # Errors
/// A section that is damaged, said with the file.
#[cold]
#[inline(never)]
pub fn check<K: Kernel>(kernel: &mut K, session: &Session<'_>, chosen: &[Chosen<'_>]) -> Done<()> {
    let id = &session.identity;
    for c in chosen {
        let bytes = c.memory.work.bytes(id.cpus, id.page_size);
        let region = match kernel.region(usize::try_from(bytes).unwrap_or(usize::MAX)) {
            Ok(region) => region,
            Err(e) => return Err(failed(kernel, text!("memory for the pack"), e)),
        };
        let mut arena = Arena::new(region);
        for id in section::OBJECT..=section::STRUCT_OPS_MEMBERS {
            let whole = if section::of_target(id) { (c.file, c.target) } else { (c.pack, c.object) };
            let mut arena = arena.scope();
            let bytes = object::section(kernel, whole, &mut arena, id)?;
            if id == section::MODULES {
                // that kernel's modules cannot be seen from here
                for module in Checked::<Module<'_>>::new(bytes, id) {
                    let args = [S(c.file.path), S(module.name), X(module.build_id)];
                    say(kernel, text!("%: module % of build id % must be loaded there"), &args);
                }
            }
        }
        let mut buffer = [0; SMALL];
        let target = c.file.target(kernel, c.target, &mut buffer)?;
        let (release, version) = (S(target.release), S(target.version));
        say(
            kernel,
            text!("%: object % is ready for % %"),
            &[S(c.file.path), N(c.object.into()), release, version],
        );
    }
    Ok(())
}
