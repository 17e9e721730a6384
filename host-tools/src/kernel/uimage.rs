//! U-Boot's legacy image, "uImage": a header of 64 bytes in network byte order, then the kernel.
//!
//! The header names the compression; lzma data there may have any properties (OpenWrt packs with `-lc1 -lp2`), which no magic
//! could tell. Both checksums are compared: a cut image is an error and not a kernel without an end.
//!
//! Source: `include/image.h` of U-Boot (`struct legacy_img_hdr`, `IH_ARCH_*`, `IH_TYPE_*`, `IH_COMP_*`).

use anyhow::{Result, bail};
use corelet_core::Endian;
use corelet_core::pack::crc32;

use super::bytes::ReadAt;
use super::container::{Span, Wrapper};
use super::decompress::Format;
use super::identity::Arch;

const MAGIC: u32 = 0x2705_1956;
const HEADER: usize = 64;

/// Whether `bytes` begin as such an image does.
pub(super) fn is_uimage(bytes: &[u8]) -> bool {
    Endian::Big.u32_at(bytes, 0) == Some(MAGIC)
}

/// Reads the header.
///
/// # Errors
/// A checksum that differs, an image that holds no kernel, or a compression without a name here.
pub(super) fn wrapper(bytes: &[u8]) -> Result<Wrapper<'_>> {
    let word = |at| Endian::Big.u32_at(bytes, at);
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        bail!("uImage: header cut at {:#x}", bytes.len());
    };
    let (Some(stated), Some(len), Some(sum)) = (word(4), word(12), word(24)) else {
        bail!("uImage: header cut at {:#x}", bytes.len());
    };
    let mut blank = *header;
    blank[4..8].fill(0);
    if crc32(&blank) != stated {
        bail!("uImage: the header's checksum at 0x4 is {stated:#010x}, not {:#010x}: corrupt", crc32(&blank));
    }
    let [_, arch, kind, compression] = [header[28], header[29], header[30], header[31]];
    let whole = Span { at: HEADER, len: len as usize }.of(bytes, "uImage")?;
    if crc32(whole) != sum {
        bail!("uImage: the data's checksum at 0x18 is {sum:#010x}, not {:#010x}: corrupt", crc32(whole));
    }
    let (payload, at) = match kind {
        // kernel, firmware, and the kernel that runs where it lies
        2 | 5 | 14 => (whole, HEADER),
        4 => first_of_many(whole)?,
        _ => bail!("uImage: its type at 0x1e is {kind}, which is no kernel (2, 4, 5 or 14)"),
    };
    let compression = match compression {
        0 => None,
        1 => Some(Format::Gzip),
        2 => Some(Format::Bzip2),
        3 => Some(Format::Lzma),
        4 => Some(Format::Lzo),
        // the frame is the newer one, but for kernels that were packed as the kernel's build does
        5 => Some(Format::detect(payload).filter(|f| *f == Format::Lz4).unwrap_or(Format::Lz4Frame)),
        6 => Some(Format::Zstd),
        other => bail!("uImage: its compression at 0x1f is {other}, which has no name here"),
    };
    Ok(Wrapper { name: "uImage", payload, at, compression, arch: arch_of(arch) })
}

/// A multi-file image: a list of lengths that ends with 0, then the files, of which the kernel is the first.
fn first_of_many(data: &[u8]) -> Result<(&[u8], usize)> {
    let lengths = data.chunks_exact(4).take_while(|word| **word != [0; 4]).count();
    let Some(len) = Endian::Big.u32_at(data, 0).filter(|_| lengths > 0) else {
        bail!("uImage: a multi-file image without files");
    };
    let at = (lengths + 1) * 4;
    Ok((Span { at, len: len as usize }.of(data, "uImage (multi-file)")?, HEADER + at))
}

/// Those that name one width only: RISC-V, PowerPC and SPARC have one number for both.
fn arch_of(number: u8) -> Option<Arch> {
    Some(match number {
        2 => Arch::Arm,
        3 => Arch::X86,
        5 => Arch::Mips,
        6 => Arch::Mips64,
        22 => Arch::Aarch64,
        24 => Arch::X86_64,
        _ => return None,
    })
}
