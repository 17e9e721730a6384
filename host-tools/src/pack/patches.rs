//! Section `PATCHES` of a target: what relocation made of the instructions, for loaders without an engine ([`corelet_core::pack::patch`]).
//!
//! A pack has it only where it is the same for every set of programs that the plan leaves to the device. Where nothing changes, one
//! record says so, since a section without content is left out.

use super::write::Section;
use anyhow::{Context, Result, ensure};
use corelet_core::Endian;
use corelet_core::insn::{INSN_SIZE, Insn};
use corelet_core::pack::{self, Checked, Patch, section};

/// The section of target `owner`: a record for each instruction of `old` that differs in `new`. What the device makes of the records
/// is compared with `new`.
///
/// # Errors
/// Relocation does not change instructions in that way.
pub fn patches(owner: u16, old: &[u8], new: &[u8], endian: Endian) -> Result<Section> {
    let insns = |bytes: &[u8]| -> Vec<Insn> {
        bytes.as_chunks::<INSN_SIZE>().0.iter().map(|&b| Insn::decode(b, endian)).collect()
    };
    let mut patches = Vec::new();
    let mut last = 0;
    let insns: Vec<(Insn, Insn)> = insns(old).into_iter().zip(insns(new)).collect();
    for (at, &(old, new)) in (0..).zip(&insns).filter(|(_, (old, new))| old != new) {
        let patch = Patch::between(at - last, old, new);
        patches.push(patch.with_context(|| format!("{new:?} of {old:?} is no relocation's work"))?);
        last = at;
    }
    if patches.is_empty() {
        patches.extend(insns.first().and_then(|&(first, _)| Patch::between(0, first, first)));
    }
    let section = Section::records(section::PATCHES, owner, patches)?;
    let mut patched = old.to_vec();
    pack::patch(Checked::new(&section.bytes, section::PATCHES), &mut patched, endian)?;
    ensure!(patched == new, "patches are not what relocation does. This is a fault of corelet");
    Ok(section)
}
