//! Whole images made here, cut and damaged: every result is a kernel or an error, never a panic.

use std::io::Write;

use super::super::btf_scan::tests::sample;
use super::super::peel::MAX_LAYERS;
use super::*;

#[path = "vendor_tests.rs"]
mod vendor;

/// A fixed-seed generator (xorshift64*), so that a failure is found again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

const LIMIT: usize = 1 << 20;

fn parse(bytes: Vec<u8>) -> Result<Kernel> {
    Kernel::parse(bytes, LIMIT, &mut |_, _| {})
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = 1 << 16;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(bytes);
    [&0x184c_2102u32.to_le_bytes()[..], &(block.len() as u32).to_le_bytes(), &block].concat()
}

fn lzma(bytes: &[u8]) -> Vec<u8> {
    let mut options = lzma_rust2::LzmaOptions::with_preset(1);
    options.dict_size = 1 << 16;
    let mut writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// An arm64 Image of 64 KiB pages with a banner, a build id and the sample BTF.
fn image() -> Vec<u8> {
    let mut out = vec![0; 64];
    out[..2].copy_from_slice(b"MZ");
    out[24] = 3 << 1;
    out[56..60].copy_from_slice(b"ARM\x64");
    out.extend((0..6000u32).flat_map(|i| (i.wrapping_mul(0x9e37_79b9) >> 9).to_le_bytes()));
    out.extend(b"Linux version 6.12.9-test (a@b) (gcc (x) 14) #1 SMP 2025\n\0");
    out.extend([4u32, 20, 3].iter().flat_map(|v| v.to_le_bytes()));
    out.extend(b"GNU\0");
    out.extend([0x5a; 20]);
    out.extend(sample(Endian::Little, 24));
    out
}

fn zboot(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = b"MZ\0\0zimg".to_vec();
    out.extend(256u32.to_le_bytes());
    out.extend((payload.len() as u32).to_le_bytes());
    out.resize(24, 0);
    out.extend(name.as_bytes());
    out.resize(256, 0);
    out.extend(payload);
    out.extend([0xee; 100]);
    out
}

fn bzimage(inner: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1024 + 32];
    out[0x1f1] = 1;
    out[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    out[0x202..0x206].copy_from_slice(b"HdrS");
    out[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    out[0x248..0x24c].copy_from_slice(&32u32.to_le_bytes());
    out[0x24c..0x250].copy_from_slice(&(payload.len() as u32 + 4).to_le_bytes());
    out.extend(payload);
    out.extend((inner.len() as u32).to_le_bytes());
    out
}

fn all_wrappers() -> Vec<(String, Vec<u8>)> {
    let image = image();
    let mut out = vec![("Image".to_owned(), image.clone()), ("BTF".to_owned(), sample(Endian::Big, 32))];
    let packed = [
        ("gzip", gzip(&image)),
        ("xz", xz(&image)),
        ("zstd", zstd(&image)),
        ("lz4", lz4(&image)),
        ("lzma", lzma(&image)),
    ];
    for (name, payload) in packed {
        out.push((format!("{name} file"), payload.clone()));
        out.push((format!("{name} zboot"), zboot(name, &payload)));
        out.push((format!("{name} bzImage"), bzimage(&image, &payload)));
        out.push((format!("{name} wrapper"), [&[1; 99], &payload[..]].concat()));
        out.push((format!("gzip of {name} zboot"), gzip(&zboot(name, &payload))));
    }
    out.extend(vendor::wrappers(&image));
    out
}

#[test]
fn every_wrapper_gives_the_same_kernel() {
    for (name, bytes) in all_wrappers() {
        let kernel = parse(bytes).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        if name == "BTF" {
            assert_eq!(kernel.format(), "raw BTF");
            assert_eq!(kernel.identity().endianness, Some(Endian::Big));
            continue;
        }
        assert_eq!(kernel.btf().ok(), Some(&sample(Endian::Little, 24)[..]), "{name}: {}", kernel.format());
        let identity = kernel.identity();
        assert_eq!(identity.release.as_deref(), Some("6.12.9-test"), "{name}");
        assert_eq!(identity.version.as_deref(), Some("#1 SMP 2025"), "{name}");
        assert_eq!(identity.build_id.as_ref().unwrap().as_bytes(), [0x5a; 20], "{name}");
        assert_eq!((identity.arch, identity.page_size), (Some(Arch::Aarch64), Some(65536)), "{name}");
    }
}

#[test]
fn a_cut_file_is_an_error_or_the_kernel() {
    for (name, bytes) in all_wrappers() {
        let step = bytes.len() / 97 + 1;
        for cut in (0..bytes.len()).step_by(step) {
            // Cut behind the payload, nothing is missing; before it, the BTF at the end of the Image is.
            if let Ok(kernel) = parse(bytes[..cut].to_vec()) {
                assert!(
                    kernel.btf().is_err() || kernel.btf().unwrap() == sample(Endian::Little, 24),
                    "{name} cut at {cut}"
                );
            }
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let mut random = Random(0x0c0f_fee0_dead_beef);
    for (name, bytes) in all_wrappers() {
        for round in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(4) {
                // Half of the damage goes to the headers, where it matters most.
                let reach = if round % 2 == 0 { damaged.len().min(1100) } else { damaged.len() };
                let at = random.below(reach);
                damaged[at] ^= 1 << random.below(8);
            }
            if let Err(error) = parse(damaged) {
                assert!(!format!("{error:#}").is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn a_bomb_is_refused() {
    let error = parse(gzip(&vec![0; LIMIT + 1])).err().unwrap();
    assert!(format!("{error:#}").contains("expands to more than 1048576 bytes"), "{error:#}");
    let mut nested = image();
    for _ in 0..=MAX_LAYERS {
        nested = gzip(&nested);
    }
    assert!(format!("{:#}", parse(nested).err().unwrap()).contains("layers"));
}

#[test]
fn what_is_missing_is_said() {
    let mut image = image();
    let end = image.len() - sample(Endian::Little, 24).len();
    image.truncate(end);
    let kernel = parse(image).unwrap();
    let error = kernel.btf().unwrap_err().to_string();
    assert!(
        error.contains("6.12.9-test")
            && error.contains("CONFIG_DEBUG_INFO_BTF")
            && error.contains("corelet btf convert"),
        "{error}"
    );
    assert!(format!("{:#}", parse(b"hello".to_vec()).err().unwrap()).contains("not a kernel"));
    assert!(format!("{:#}", parse(Vec::new()).err().unwrap()).contains("empty"));
}

#[test]
fn the_embedded_configuration_is_read() {
    let mut image = image();
    image.extend(b"IKCFG_ST");
    image.extend(gzip(b"CONFIG_BPF=y\n"));
    image.extend(b"IKCFG_ED");
    let kernel = parse(image).unwrap();
    assert_eq!(kernel.ikconfig(), Some("CONFIG_BPF=y\n"));
    assert!(kernel.config().unwrap().unwrap().is_set("CONFIG_BPF"));
}
