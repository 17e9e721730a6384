//! The kernel's build id in an image without sections, among the notes of other things.
//!
//! A kernel image holds several GNU build-id notes: its own, in `.notes`, and one in each vDSO, which is a whole ELF file
//! embedded in the kernel's data. On a device `/sys/kernel/notes` shows the first only. So the ELF files inside the image
//! are found and left out; should several notes still remain, the kernel's is the one beside a `Linux` note (`.notes` has
//! the build salt and the LTO note too); and if that does not decide, no build id is given rather than a wrong one.
//!
//! Sources: `include/linux/elfnote.h`, `include/linux/build-salt.h`, `NOTES` in `include/asm-generic/vmlinux.lds.h`.

use std::collections::BTreeSet;

use corelet_core::Endian;

use super::bytes::ReadAt;
use super::elf;
use super::identity::BuildId;

const NT_GNU_BUILD_ID: u32 = 3;
/// `LINUX_ELFNOTE_BUILD_SALT`; the LTO note is the next number.
const LINUX_BUILD_SALT: u32 = 0x100;
const LINUX_LTO_INFO: u32 = 0x101;
/// How far from the build id the kernel's `Linux` notes are looked for: `.notes` is a few hundred bytes.
const NEIGHBOURHOOD: usize = 1024;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel's own.
    One(BuildId),
    /// No GNU note outside embedded ELF files.
    None,
    /// Several different ones that nothing tells apart.
    Ambiguous(Vec<BuildId>),
}

/// The kernel's build id in `image`, a raw kernel image in the byte order `endian`.
pub fn build_id(image: &[u8], endian: Endian) -> Outcome {
    let inside = elf::embedded(image, 0);
    let own = |at: usize| !inside.iter().any(|elf| (elf.at..elf.at + elf.len).contains(&at));

    let candidates: Vec<(usize, BuildId)> = memchr::memmem::find_iter(image, b"GNU\0")
        .filter_map(|name| name.checked_sub(12))
        .filter(|&at| own(at))
        .filter_map(|at| Some((at, note(image, at, endian)?)))
        .collect();
    let linux: Vec<usize> = memchr::memmem::find_iter(image, b"Linux\0\0\0")
        .filter_map(|name| name.checked_sub(12))
        .filter(|&at| own(at) && endian.u32_at(image, at) == Some(6))
        .filter(|&at| matches!(endian.u32_at(image, at + 8), Some(LINUX_BUILD_SALT | LINUX_LTO_INFO)))
        .collect();

    let all: BTreeSet<BuildId> = candidates.iter().map(|(_, id)| id.clone()).collect();
    let beside: BTreeSet<BuildId> = candidates
        .iter()
        .filter(|(at, _)| linux.iter().any(|note| note.abs_diff(*at) <= NEIGHBOURHOOD))
        .map(|(_, id)| id.clone())
        .collect();
    for set in [&all, &beside] {
        if set.len() == 1 {
            return set.first().map_or(Outcome::None, |id| Outcome::One(id.clone()));
        }
    }
    if all.is_empty() { Outcome::None } else { Outcome::Ambiguous(all.into_iter().collect()) }
}

/// The build id of the GNU note at `at`, whose name is known to be right.
fn note(image: &[u8], at: usize, endian: Endian) -> Option<BuildId> {
    let (name_len, len, kind) =
        (endian.u32_at(image, at)?, endian.u32_at(image, at + 4)?, endian.u32_at(image, at + 8)?);
    if name_len != 4 || kind != NT_GNU_BUILD_ID {
        return None;
    }
    let start = at + 16;
    BuildId::new(image.get(start..start.checked_add(len as usize)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gnu(id: u8) -> Vec<u8> {
        let mut out: Vec<u8> = [4u32, 20, 3].iter().flat_map(|v| v.to_le_bytes()).collect();
        out.extend(b"GNU\0");
        out.extend([id; 20]);
        out
    }

    fn salt() -> Vec<u8> {
        let mut out: Vec<u8> = [6u32, 4, 0x100].iter().flat_map(|v| v.to_le_bytes()).collect();
        out.extend(b"Linux\0\0\0");
        out.extend([0; 4]);
        out
    }

    /// A minimal ELF64 with one segment that holds `body`.
    fn vdso(body: &[u8]) -> Vec<u8> {
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        out.resize(16, 0);
        out.extend(3u16.to_le_bytes());
        out.extend(183u16.to_le_bytes());
        out.extend([0; 12]);
        out.extend(64u64.to_le_bytes());
        out.extend([0; 12]);
        for half in [64u16, 56, 1, 64, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        out.extend([4u32.to_le_bytes(), 4u32.to_le_bytes()].concat());
        for word in [120u64, 0, 0, body.len() as u64, body.len() as u64, 4] {
            out.extend(word.to_le_bytes());
        }
        assert_eq!(out.len(), 120);
        out.extend(body);
        out
    }

    #[test]
    fn the_vdso_is_not_the_kernel() {
        let mut image = vec![0; 4096];
        image.extend(vdso(&[gnu(0xaa), salt()].concat()));
        image.extend([0; 5000]);
        assert_eq!(build_id(&image, Endian::Little), Outcome::None);
        image.extend([gnu(0x11), salt()].concat());
        assert_eq!(build_id(&image, Endian::Little), Outcome::One(BuildId::new(&[0x11; 20]).unwrap()));
    }

    #[test]
    fn linux_notes_decide_and_doubt_gives_nothing() {
        let far = vec![0; 5000];
        let image = [gnu(0x11), salt(), far.clone(), gnu(0x22)].concat();
        assert_eq!(build_id(&image, Endian::Little), Outcome::One(BuildId::new(&[0x11; 20]).unwrap()));
        let image = [gnu(0x11), far, gnu(0x22)].concat();
        assert!(matches!(build_id(&image, Endian::Little), Outcome::Ambiguous(ids) if ids.len() == 2));
    }

    #[test]
    fn cut_notes_are_no_notes() {
        let image = gnu(0x11);
        for cut in 0..image.len() {
            assert_eq!(build_id(&image[..cut], Endian::Little), Outcome::None);
        }
    }
}
