//! The wrappers that boot loaders see: EFI zboot, bzImage, the ARM zImage and the Image header; those of U-Boot and Android
//! have files of their own (`uimage`, `fit`, `android`).
//!
//! Sources: `drivers/firmware/efi/libstub/zboot-header.S`, `Documentation/arch/x86/boot.rst`,
//! `Documentation/arch/arm64/booting.rst`, `Documentation/arch/riscv/boot-image-header.rst`,
//! `arch/arm/boot/compressed/head.S`.

use anyhow::{Result, bail};
use corelet_core::Endian;

use super::bytes::ReadAt;
use super::decompress::Format;
use super::identity::Arch;
use super::{android, fit, uimage};

/// A stretch of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub at: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Span {
    /// The bytes it names, or an error that names `what`.
    pub(super) fn of<'a>(self, bytes: &'a [u8], what: &str) -> Result<&'a [u8]> {
        match self.at.checked_add(self.len).and_then(|end| bytes.get(self.at..end)) {
            Some(part) => Ok(part),
            None => bail!(
                "{what}: its payload is bytes {:#x} to {:#x}, the file ends at {:#x}: cut short or corrupt",
                self.at,
                self.at as u128 + self.len as u128,
                bytes.len()
            ),
        }
    }
}

/// The header of a raw `Image`, which is also the start of the kernel itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// From the magic and, on RISC-V, the PE header's machine.
    pub arch: Arch,
    /// From bit 0 of the flags.
    pub endian: Endian,
    /// In bytes; the arm64 header may leave it unspecified.
    pub page_size: Option<u32>,
}

/// A kernel in another file that says where it is and how it is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper<'a> {
    /// What the file is called.
    pub name: &'static str,
    /// The kernel, as it is packed.
    pub payload: &'a [u8],
    /// Where it is in the file.
    pub at: usize,
    /// How it is compressed; a payload may be a wrapper of its own too.
    pub compression: Option<Format>,
    /// As the header says; `None` where it names a family of both widths.
    pub arch: Option<Arch>,
}

/// What a file is, by its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container<'a> {
    /// An EFI application that unpacks the kernel in it.
    Zboot {
        /// The compression's name as the header gives it, e.g. `gzip`, `zstd22`, `xzkern`.
        compression: String,
        /// The compressed kernel, without the length word that may follow it.
        payload: &'a [u8],
        /// Where it is in the file.
        at: usize,
        /// From the PE header.
        arch: Option<Arch>,
    },
    /// The x86 boot image.
    BzImage {
        /// The compressed vmlinux with its length word.
        payload: &'a [u8],
        /// Where it is in the file.
        at: usize,
        /// `release (who@where) version`, as the setup header's text.
        version: Option<String>,
    },
    /// The 32-bit ARM boot image, whose header does not say where the payload starts.
    ZImage {
        /// Of the kernel, from the header's magic.
        endian: Endian,
    },
    /// A uImage, a FIT or an Android boot image.
    Wrapper(Wrapper<'a>),
    /// The kernel itself, ready to be copied to memory.
    Image(ImageHeader),
}

/// Reads the headers; `Ok(None)` when there is none of these.
///
/// # Errors
/// A header whose payload lies outside the file.
pub fn detect(bytes: &[u8]) -> Result<Option<Container<'_>>> {
    if bytes.starts_with(b"MZ") && bytes.get(4..8) == Some(b"zimg") {
        return zboot(bytes).map(Some);
    }
    if uimage::is_uimage(bytes) {
        return uimage::wrapper(bytes).map(Container::Wrapper).map(Some);
    }
    if fit::is_fdt(bytes) {
        return fit::wrapper(bytes).map(Container::Wrapper).map(Some);
    }
    if android::is_android(bytes) {
        return android::wrapper(bytes).map(Container::Wrapper).map(Some);
    }
    if bytes.get(0x202..0x206) == Some(b"HdrS") && le16(bytes, 0x1fe) == Some(0xaa55) {
        return bzimage(bytes).map(Some);
    }
    for endian in [Endian::Little, Endian::Big] {
        if endian.u32_at(bytes, 0x24) == Some(0x016f_2818) {
            return Ok(Some(Container::ZImage { endian }));
        }
    }
    Ok(image_header(bytes).map(Container::Image))
}

/// The arm64 or RISC-V Image header at the start of `bytes`.
pub fn image_header(bytes: &[u8]) -> Option<ImageHeader> {
    let flags = Endian::Little.u64_at(bytes, 24)?;
    let endian = if flags & 1 == 0 { Endian::Little } else { Endian::Big };
    match bytes.get(56..60)? {
        b"ARM\x64" => {
            let page_size = match flags >> 1 & 3 {
                1 => Some(4096),
                2 => Some(16384),
                3 => Some(65536),
                _ => None,
            };
            Some(ImageHeader { arch: Arch::Aarch64, endian, page_size })
        }
        // The header is the same for both widths; the PE header, where there is one, tells them apart.
        b"RSC\x05" => {
            let arch = pe_arch(bytes).filter(|arch| *arch == Arch::Riscv32).unwrap_or(Arch::Riscv64);
            Some(ImageHeader { arch, endian, page_size: arch.only_page_size() })
        }
        _ => None,
    }
}

/// Offsets 8 and 12 hold the payload's offset and size, 24 the compression's name.
fn zboot(bytes: &[u8]) -> Result<Container<'_>> {
    let (Some(at), Some(len)) = (le32(bytes, 8), le32(bytes, 12)) else {
        bail!("EFI zboot: header cut at {:#x}", bytes.len());
    };
    let name = bytes.get(24..56).unwrap_or_default();
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    let span = Span { at: at as usize, len: len as usize };
    Ok(Container::Zboot {
        compression: String::from_utf8_lossy(name).into_owned(),
        payload: span.of(bytes, "EFI zboot")?,
        at: span.at,
        arch: pe_arch(bytes),
    })
}

/// The payload's offset counts from the end of the real-mode part, whose sectors the header counts without the first.
fn bzimage(bytes: &[u8]) -> Result<Container<'_>> {
    let protocol = le16(bytes, 0x206).unwrap_or(0);
    if protocol < 0x208 {
        bail!(
            "bzImage: boot protocol {protocol:#06x} at 0x206 is from before Linux 2.6.24: no payload to find"
        );
    }
    let setup_sectors = match bytes.get(0x1f1) {
        None | Some(0) => 4,
        Some(&n) => usize::from(n),
    };
    let (Some(offset), Some(len)) = (le32(bytes, 0x248), le32(bytes, 0x24c)) else {
        bail!("bzImage: header cut at {:#x}", bytes.len());
    };
    let at = (setup_sectors + 1) * 512 + offset as usize;
    let version = le16(bytes, 0x20e).filter(|&p| p != 0).and_then(|p| text(bytes, usize::from(p) + 0x200));
    Ok(Container::BzImage { payload: Span { at, len: len as usize }.of(bytes, "bzImage")?, at, version })
}

/// The machine that the PE header names, found through the word at 0x3c.
fn pe_arch(bytes: &[u8]) -> Option<Arch> {
    let at = le32(bytes, 0x3c)? as usize;
    let header = bytes.get(at..)?;
    if !header.starts_with(b"PE\0\0") {
        return None;
    }
    match le16(header, 4)? {
        0x014c => Some(Arch::X86),
        0x8664 => Some(Arch::X86_64),
        0x01c2 | 0x01c4 => Some(Arch::Arm),
        0xaa64 => Some(Arch::Aarch64),
        0x5032 => Some(Arch::Riscv32),
        0x5064 => Some(Arch::Riscv64),
        0x6264 => Some(Arch::Loongarch64),
        _ => None,
    }
}

/// How long the file must be for the sections that the PE header lists, where there is one: the only thing in an Image that
/// tells a whole one from one that was cut.
pub fn pe_extent(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(le32(bytes, 0x3c)? as usize..)?;
    if !header.starts_with(b"PE\0\0") {
        return None;
    }
    // The section headers, of 40 bytes each, stand behind the COFF header and the optional header.
    let table = 24 + usize::from(le16(header, 20)?);
    (0..usize::from(le16(header, 6)?))
        .map(|index| {
            let section = table + index * 40;
            Some(le32(header, section + 16)? as usize + le32(header, section + 20)? as usize)
        })
        .try_fold(0, |end, section| Some(end.max(section?)))
}

/// NUL-terminated printable text of at most 255 bytes.
fn text(bytes: &[u8], at: usize) -> Option<String> {
    let rest = bytes.get(at..)?;
    let rest = &rest[..rest.len().min(256)];
    let end = rest.iter().position(|&b| b == 0)?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    text.chars().all(|c| !c.is_control()).then(|| text.to_owned())
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Endian::Little.u16_at(bytes, at)
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Endian::Little.u32_at(bytes, at)
}
