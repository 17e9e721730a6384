//! Kernel images as distributions ship them, made into what QEMU starts.
//!
//! Sources: Documentation/arch/arm64/booting.rst and Documentation/arch/riscv/boot-image-header.rst (the magic at
//! offset 56 of an `Image`), drivers/firmware/efi/libstub/zboot-header.S (EFI zboot).

use std::borrow::Cow;
use std::io::{Cursor, Read};

use anyhow::{Context, Result, bail};

/// More than any kernel; what unpacks to more is no kernel.
const LARGEST: u64 = 512 << 20;

/// The bytes that QEMU starts, out of an `Image` that may be plain, gzip or EFI zboot.
///
/// `arch` is the kernel's name of the architecture. For others than aarch64 and riscv64 the bytes pass unchecked.
///
/// # Errors
/// Bytes that are no kernel image of this architecture; the message says what they look like.
pub fn bootable<'b>(arch: &str, shipped: &'b [u8]) -> Result<Cow<'b, [u8]>> {
    let magic: &[u8] = match arch {
        "aarch64" => b"ARM\x64",
        "riscv64" => b"RSC\x05",
        _ => return Ok(Cow::Borrowed(shipped)),
    };
    let mut bytes = Cow::Borrowed(shipped);
    // An EFI zboot image may hold a gzip of an Image, and no more layers than these exist.
    for _ in 0..=2 {
        if bytes.get(56..60) == Some(magic) {
            return Ok(bytes);
        }
        let Some(unpacked) = layer(&bytes)? else { break };
        bytes = Cow::Owned(unpacked);
    }
    bail!("not a kernel image for {arch}: {}", looks_like(&bytes))
}

fn layer(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Some(unpack("gzip", bytes)?));
    }
    if bytes.starts_with(b"MZ") && bytes.get(4..8) == Some(b"zimg") {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (offset, size) = word(8).zip(word(12)).context("an EFI zboot image, cut off in its header")?;
        let payload = offset.checked_add(size).and_then(|end| bytes.get(offset..end));
        let payload = payload.with_context(|| {
            format!("an EFI zboot image, cut off: its payload is {size} bytes at {offset}")
        })?;
        let name = bytes.get(24..56).unwrap_or_default().split(|c| *c == 0).next().unwrap_or_default();
        return Ok(Some(unpack(&String::from_utf8_lossy(name), payload)?));
    }
    Ok(None)
}

/// Unpacks what a kernel's build packed; `method` is the name that a zboot header uses.
pub(crate) fn unpack(method: &str, packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader: Box<dyn Read + '_> = match method {
        "gzip" => Box::new(flate2::read::GzDecoder::new(packed)),
        "xz" | "xzkern" => Box::new(lzma_rust2::XzReader::new(Cursor::new(packed), false)),
        "zstd" | "zstd22" => Box::new(ruzstd::decoding::StreamingDecoder::new(packed)?),
        other => bail!("packed by {other:?}: only gzip, xz and zstd are known"),
    };
    reader
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("damaged or cut off: {method} cannot unpack it"))?;
    if bytes.len() as u64 > LARGEST {
        bail!("unpacks to more than {} MiB", LARGEST >> 20);
    }
    Ok(bytes)
}

fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes {
        _ if bytes.get(0x202..0x206) == Some(b"HdrS") => "this is a bzImage, for x86",
        _ if bytes.get(56..60) == Some(b"ARM\x64") => "this is an Image for aarch64",
        _ if bytes.get(56..60) == Some(b"RSC\x05") => "this is an Image for RISC-V",
        [0x7f, b'E', b'L', b'F', ..] => "this is an ELF file; the file that boots is called Image or vmlinuz",
        [] => "the file is empty",
        _ => "neither an Image nor gzip nor EFI zboot",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 4096];
        image[56..60].copy_from_slice(b"ARM\x64");
        image
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_gzip_and_zboot_give_the_image() {
        let packed = gzip(&image());
        let mut zboot = b"MZ\0\0zimg".to_vec();
        zboot.extend_from_slice(&64u32.to_le_bytes());
        zboot.extend_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
        zboot.resize(24, 0);
        zboot.extend_from_slice(b"gzip");
        zboot.resize(64, 0);
        zboot.extend_from_slice(&packed);
        for shipped in [image(), packed, zboot.clone()] {
            assert!(*bootable("aarch64", &shipped).unwrap() == image());
        }
        zboot.truncate(zboot.len() - 1);
        assert!(bootable("aarch64", &zboot).unwrap_err().to_string().contains("cut off"));
    }

    #[test]
    fn other_files_are_refused_by_what_they_look_like() {
        for (bytes, word) in [(vec![], "empty"), (b"\x7fELF".to_vec(), "ELF"), (vec![7; 600], "neither")] {
            let error = bootable("aarch64", &bytes).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(bootable("riscv64", &image()).unwrap_err().to_string().contains("for aarch64"));
        assert!(bootable("aarch64", &gzip(&image())[..30]).is_err());
    }
}
