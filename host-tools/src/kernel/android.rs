//! Android's `boot.img`, header versions 0 to 4: a header in a page of its own, then the kernel, often compressed and with a
//! device tree behind it.
//!
//! Source: `include/bootimg/bootimg.h` of `platform/system/tools/mkbootimg`.

use anyhow::{Result, bail};
use corelet_core::Endian;

use super::bytes::ReadAt;
use super::container::{Span, Wrapper};
use super::decompress::Format;

/// The page of header versions 3 and 4, which do not say one.
const PAGE: usize = 4096;
/// The last header version that is defined. Before versions the word held other things.
const NEWEST: u32 = 4;

/// Whether `bytes` begin as such an image does.
pub(super) fn is_android(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ANDROID!") || bytes.starts_with(b"VNDRBOOT")
}

/// Reads the header.
///
/// # Errors
/// An image without a kernel, or one that was cut.
pub(super) fn wrapper(bytes: &[u8]) -> Result<Wrapper<'_>> {
    if bytes.starts_with(b"VNDRBOOT") {
        bail!("Android vendor_boot: holds a ramdisk and device trees only; the kernel is in boot.img");
    }
    let word = |at| Endian::Little.u32_at(bytes, at);
    let (Some(len), Some(page), Some(version)) = (word(8), word(36), word(40)) else {
        bail!("Android boot image: header cut at {:#x}", bytes.len());
    };
    let page = match version {
        3 | 4 => PAGE,
        _ => page as usize,
    };
    if !page.is_power_of_two() || !(2048..=1 << 16).contains(&page) {
        bail!("Android boot image: its page at 0x24 is {page:#x} bytes, which no version has: corrupt");
    }
    if len == 0 {
        bail!("Android boot image: holds no kernel (an init_boot image?); the kernel is in boot.img");
    }
    let payload = Span { at: page, len: len as usize }.of(bytes, "Android boot image")?;
    let name = match version {
        1 => "Android boot image v1",
        2 => "Android boot image v2",
        3 => "Android boot image v3",
        NEWEST => "Android boot image v4",
        _ => "Android boot image v0",
    };
    Ok(Wrapper { name, payload, at: page, compression: Format::detect(payload), arch: None })
}
