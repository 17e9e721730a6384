//! What relocation alone takes of a microcontroller, whose firmware uses the pack out of its flash.

use super::File;
use anyhow::{Context, Result};
use corelet_core::btf::Btf;
use corelet_core::limits::SMALL_SPEC_LEN;
use corelet_core::pack::{
    Function, Object, Records, Relo, Sizes, Subset, Target, candidates, relocation, section,
};

/// Bytes of RAM that relocating for target number `target` takes beside the stack; `None` where the file has not its object.
///
/// # Errors
/// The pack does not read back.
pub fn relocation_bytes(pack: &File<'_>, target: u16) -> Result<Option<usize>> {
    let of: Target<'_> = pack.record(section::TARGET, target)?;
    let mut object = None;
    for owner in pack.owners(section::OBJECT) {
        if pack.record::<Object<'_>>(section::OBJECT, owner)?.digest == of.object {
            object = Some(owner);
        }
    }
    let Some(object) = object else { return Ok(None) };
    let relos = Records::<Relo>::new(pack.section(section::RELOS, object)?, section::RELOS);
    let local = pack.section(section::BTF, object)?;
    let mut local_index = vec![0; Btf::count(local).context("section BTF")?];
    let mut sizes = Sizes {
        types: local_index.len(),
        functions: pack.records::<Function<'_>>(section::FUNCTIONS, object)?.len(),
        ..Sizes::default()
    };
    let local = Btf::parse(local, &mut local_index).context("section BTF")?;
    let subset = pack.section(section::SUBSET, target)?;
    if !subset.is_empty() {
        let mut index = vec![0; Btf::count(subset).context("section SUBSET")?];
        sizes.subset_types = index.len();
        let subset = Subset::new(Btf::parse(subset, &mut index).context("section SUBSET")?, &[]);
        let mut seen = vec![0; sizes.types / 8 + 1];
        (sizes.roots, sizes.candidates) = candidates(&local, &subset, relos, &mut seen)?;
    }
    Ok(Some(relocation::<SMALL_SPEC_LEN>(&sizes, pack.section(section::INSNS, object)?.len())))
}
