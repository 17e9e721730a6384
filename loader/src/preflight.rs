//! `preflight`: whether a pack will load on a kernel that does not run yet, told to an updater before it switches.
//!
//! The target is chosen as on that kernel, by its build id alone; then everything that loading will read is read and checked.
//! Relocation was proved when the target was made, so what remains to that kernel is the verifier and what is attached to.

use crate::choose::Chosen;
use crate::exit::Done;
use crate::file::{PackFile, SMALL};
use crate::say::{
    Arg::{N, S},
    bad, failed, say,
};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::pack::{Checked, Object, Target, section};

/// Checks every section of the objects and of their chosen targets, and says of each that it is ready.
///
/// # Errors
/// A section that is damaged, said with the file.
#[cold]
#[inline(never)]
pub fn check<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    pack: &PackFile<'_>,
    chosen: &[Chosen<'_>],
) -> Done<()> {
    let files = chosen.iter().map(|c| c.file).chain([pack]);
    let longest = files.flat_map(|f| f.table().entries()).map(|e| e.len).max().unwrap_or(0);
    let region = match kernel.region(longest.max(1) as usize) {
        Ok(region) => region,
        Err(e) => return Err(failed(kernel, "memory for a section", e)),
    };
    let id = &session.identity;
    for c in chosen {
        for (file, owner, of_target) in [(pack, c.object, false), (c.file, c.target, true)] {
            for entry in file.table().entries() {
                let wanted = entry.owner == owner && section::of_target(entry.id) == of_target;
                if wanted && let Some(into) = region.get_mut(..entry.len as usize) {
                    file.read(kernel, &entry, into)?;
                }
            }
        }
        let (mut object, mut target) = ([0; SMALL], [0; SMALL]);
        let object = pack.small(kernel, section::OBJECT, c.object, &mut object)?;
        let object = bad(kernel, pack.path, Checked::<Object<'_>>::new(object, section::OBJECT).at(0))?;
        let target = c.file.small(kernel, section::TARGET, c.target, &mut target)?;
        let target = bad(kernel, c.file.path, Checked::<Target<'_>>::new(target, section::TARGET).at(0))?;
        let work = c.memory.work.bytes(id.cpus, id.page_size);
        let maps = c.memory.maps.bytes(id.cpus, id.page_size);
        let args = [S(object.name), S(target.release), S(target.version), S(c.file.path), N(work), N(maps)];
        say(kernel, "%: ready for % %, by %; takes % bytes to load, its maps % at most", &args);
    }
    Ok(())
}
