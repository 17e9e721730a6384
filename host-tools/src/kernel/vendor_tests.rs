//! What vendors wrap kernels in, made here byte by byte: U-Boot's uImage and FIT, Android's boot image, Debian's package, and
//! vmlinux of both widths and byte orders.

use super::*;
use corelet_core::pack::crc32;

/// `image` in every wrapper, each with the words for a failed test.
pub(super) fn wrappers(image: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut out = vec![
        ("plain uImage".to_owned(), uimage(22, 2, 0, image)),
        ("uImage with others".to_owned(), multi(image)),
        (
            "FIT of a gzip file".to_owned(),
            fit(&[("kernel-1", "none", &gzip(image))], Some("kernel-1"), false),
        ),
        ("package".to_owned(), deb("data.tar.xz", &xz(&tar(image)))),
        ("package with zstd".to_owned(), deb("data.tar.zst", &zstd(&tar(image)))),
        ("plain package".to_owned(), deb("data.tar", &tar(image))),
        ("opkg's package".to_owned(), ipk("./data.tar.gz", &gzip(&tar(image)))),
        ("opkg's package with xz".to_owned(), ipk("./data.tar.xz", &xz(&tar(image)))),
        ("RPM".to_owned(), rpm(&gzip(&cpio(image)))),
        ("RPM with zstd".to_owned(), rpm(&zstd(&cpio(image)))),
        ("plain RPM".to_owned(), rpm(&cpio(image))),
    ];
    for (number, name, payload) in [
        (1, "gzip", gzip(image)),
        (2, "bzip2", bzip2(image)),
        (3, "lzma", openwrt_lzma(image)),
        (5, "lz4", lz4_frame(image)),
        (5, "lz4", lz4(image)),
        (6, "zstd", zstd(image)),
    ] {
        out.push((format!("{name} uImage"), uimage(22, 14, number, &payload)));
        for external in [false, true] {
            let images = [("fdt-1", "none", &[0xd0, 0x0d, 0xfe, 0xed][..]), ("kernel-1", name, &payload[..])];
            out.push((format!("{name} FIT, external {external}"), fit(&images, Some("kernel-1"), external)));
            out.push((format!("{name} FIT without a default"), fit(&images, None, external)));
        }
    }
    for version in 0..=4 {
        out.push((format!("Android v{version}"), android(version, image)));
        out.push((format!("Android v{version}, lz4"), android(version, &lz4(image))));
    }
    out
}

fn uimage(arch: u8, kind: u8, compression: u8, data: &[u8]) -> Vec<u8> {
    let mut out = [0x2705_1956, 0, 0, data.len() as u32, 0x8000, 0x8000, crc32(data)]
        .iter()
        .flat_map(|word: &u32| word.to_be_bytes())
        .collect::<Vec<u8>>();
    out.extend([5, arch, kind, compression]);
    out.extend(b"Linux-6.12.9-test");
    out.resize(64, 0);
    let sum = crc32(&out);
    out[4..8].copy_from_slice(&sum.to_be_bytes());
    out.extend(data);
    out
}

/// A multi-file uImage: the kernel and a device tree.
fn multi(image: &[u8]) -> Vec<u8> {
    let tree = [7; 20];
    let mut data: Vec<u8> =
        [image.len() as u32, tree.len() as u32, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    data.extend(image);
    data.resize(data.len().next_multiple_of(4), 0);
    data.extend(tree);
    uimage(22, 4, 0, &data)
}

/// A tree of these images, each with a CRC-32 and a SHA-256; those whose name begins with `kernel` are kernels.
fn fit(images: &[(&str, &str, &[u8])], default: Option<&str>, external: bool) -> Vec<u8> {
    use sha2::Digest;
    let mut tree = Fdt::default();
    let mut behind = Vec::new();
    tree.begin("");
    tree.begin("images");
    for (name, compression, data) in images {
        tree.begin(name);
        tree.text("type", if name.starts_with("kernel") { "kernel" } else { "flat_dt" });
        tree.text("arch", "arm64");
        tree.text("compression", compression);
        if external {
            tree.prop("data-offset", &(behind.len() as u32).to_be_bytes());
            tree.prop("data-size", &(data.len() as u32).to_be_bytes());
            behind.extend(*data);
            behind.resize(behind.len().next_multiple_of(4), 0);
        } else {
            tree.prop("data", data);
        }
        for (hash, algo, value) in [
            ("hash-1", "crc32", crc32(data).to_be_bytes().to_vec()),
            ("hash-2", "sha256", sha2::Sha256::digest(data).to_vec()),
        ] {
            tree.begin(hash);
            tree.text("algo", algo);
            tree.prop("value", &value);
            tree.end();
        }
        tree.end();
    }
    tree.end();
    tree.begin("configurations");
    if let Some(kernel) = default {
        tree.text("default", "conf-1");
        tree.begin("conf-1");
        tree.text("kernel", kernel);
        tree.end();
    }
    tree.end();
    tree.end();
    let mut out = tree.finish();
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(behind);
    out
}

/// A flattened device tree as it grows.
#[derive(Default)]
struct Fdt {
    structs: Vec<u8>,
    strings: Vec<u8>,
}

impl Fdt {
    fn word(&mut self, word: u32) {
        self.structs.extend(word.to_be_bytes());
    }

    fn pad(&mut self) {
        self.structs.resize(self.structs.len().next_multiple_of(4), 0);
    }

    fn begin(&mut self, name: &str) {
        self.word(1);
        self.structs.extend(name.as_bytes());
        self.structs.push(0);
        self.pad();
    }

    fn end(&mut self) {
        self.word(2);
    }

    fn prop(&mut self, name: &str, value: &[u8]) {
        self.word(3);
        self.word(value.len() as u32);
        self.word(self.strings.len() as u32);
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        self.structs.extend(value);
        self.pad();
    }

    fn text(&mut self, name: &str, text: &str) {
        self.prop(name, &[text.as_bytes(), &[0]].concat());
    }

    fn finish(mut self) -> Vec<u8> {
        self.word(9);
        let (structs, strings) = (self.structs.len() as u32, self.strings.len() as u32);
        let words = [0xd00d_feed, 56 + structs + strings, 56, 56 + structs, 40, 17, 16, 0, strings, structs];
        let mut out: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        out.resize(56, 0);
        out.extend(self.structs);
        out.extend(self.strings);
        out
    }
}

fn android(version: u32, kernel: &[u8]) -> Vec<u8> {
    let mut out = b"ANDROID!".to_vec();
    out.extend((kernel.len() as u32).to_le_bytes());
    out.resize(2048, 0);
    let page = if version < 3 { 2048 } else { 4096 };
    if version < 3 {
        out[36..40].copy_from_slice(&2048u32.to_le_bytes());
    }
    out[40..44].copy_from_slice(&version.to_le_bytes());
    out.resize(page, 0);
    out.extend(kernel);
    // the ramdisk, in a page of its own
    out.resize(out.len().next_multiple_of(page) + 99, 0x55);
    out
}

fn deb(member: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.xz", b"odd"), (member, data)] {
        out.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).bytes(),
        );
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(2), b'\n');
    }
    out
}

fn tar(image: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    add("./usr/share/doc/vmlinuz", b"no kernel");
    add("./boot/config-6.12.9-test", b"CONFIG_ARM64_64K_PAGES=y\nCONFIG_HZ=250\n");
    add("./boot/vmlinuz-6.12.9-test", image);
    add("./usr/share/doc/more", &[0xff; 3000]);
    tar.into_inner().unwrap()
}

/// As `opkg-build` makes it with tar.
fn ipk(member: &str, data: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [("./debian-binary", &b"2.0\n"[..]), ("./control.tar.gz", b"odd"), (member, data)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

/// A lead, a header of signatures, a header with an entry and its five bytes, the payload.
fn rpm(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 96];
    out[..4].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb]);
    for (entries, bytes) in [(1u32, 5u32), (2, 3)] {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
        out.extend(entries.to_be_bytes());
        out.extend(bytes.to_be_bytes());
        out.extend(vec![0x11; (16 * entries + bytes) as usize]);
    }
    out.extend(payload);
    out
}

/// The archive of an RPM, in the order of paths.
fn cpio(image: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut add = |path: &str, mode: u32, bytes: &[u8]| {
        let name = path.len() + 1;
        let fields = [1, mode, 0, 0, 1, 0, bytes.len() as u32, 0, 0, 0, 0, name as u32, 0];
        out.extend(b"070701");
        out.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        out.extend(path.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    };
    add("./lib/modules/6.12.9-test", 0o040_755, b"");
    add("./lib/modules/6.12.9-test/.vmlinuz.hmac", 0o100_644, b"odd");
    add("./lib/modules/6.12.9-test/config", 0o100_644, b"CONFIG_ARM64_64K_PAGES=y\nCONFIG_HZ=250\n");
    add("./lib/modules/6.12.9-test/vmlinuz", 0o100_755, image);
    add("./usr/share/more", 0o100_644, &[0xff; 3000]);
    add("TRAILER!!!", 0, b"");
    out
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4_frame(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With the properties of OpenWrt's `lzma -lc1 -lp2 -pb2`.
fn openwrt_lzma(bytes: &[u8]) -> Vec<u8> {
    let mut options = lzma_rust2::LzmaOptions::with_preset(1);
    (options.lc, options.lp, options.pb, options.dict_size) = (1, 2, 2, 1 << 16);
    let mut writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    writer.write_all(bytes).unwrap();
    let out = writer.finish().unwrap();
    assert_eq!(out[0], 0x6d);
    out
}

fn refusal(bytes: Vec<u8>) -> String {
    format!("{:#}", parse(bytes).err().unwrap())
}

#[test]
fn what_is_wrong_with_a_wrapper_is_said() {
    let image = image();
    let mut bad = uimage(22, 2, 1, &gzip(&image));
    bad[100] ^= 1;
    assert!(refusal(bad.clone()).contains("data's checksum at 0x18"));
    bad[40] ^= 1;
    assert!(refusal(bad).contains("header's checksum at 0x4"));
    assert!(refusal(uimage(22, 3, 0, &image)).contains("which is no kernel"));
    assert!(refusal(uimage(22, 2, 4, &image)).contains("lzo compression is not read; unpack it first"));

    let kernels = [("kernel-1", "none", &image[..]), ("kernel-2", "none", &image[..])];
    let several = refusal(fit(&kernels, None, false));
    assert!(several.contains("2 kernels (/images/kernel-1, /images/kernel-2)"), "{several}");
    assert!(refusal(fit(&[("fdt-1", "none", b"x")], None, false)).contains("no image of type kernel"));
    assert!(refusal(fit(&kernels, Some("kernel-3"), false)).contains("/images/kernel-3, which is not there"));
    let mut bad = fit(&kernels[..1], None, false);
    let at = bad.windows(64).position(|w| w == &image[64..128]).unwrap();
    bad[at] ^= 1;
    assert!(refusal(bad).contains("/images/kernel-1/hash-1 does not fit the data"));
    let mut tree = Fdt::default();
    tree.begin("");
    tree.text("model", "a board");
    tree.end();
    assert!(refusal(tree.finish()).contains("without /images: no FIT"));
    let mut deep = Fdt::default();
    (0..100).for_each(|_| deep.begin("x"));
    assert!(refusal(deep.finish()).contains("nest deeper"));

    assert!(refusal(android(3, b"")).contains("holds no kernel"));
    assert!(refusal(b"VNDRBOOT and more".to_vec()).contains("the kernel is in boot.img"));

    let mut only_config = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(13);
    only_config.append_data(&mut header, "usr/lib/modules/7.2/config", &b"CONFIG_BPF=y\n"[..]).unwrap();
    let package = deb("data.tar", &only_config.into_inner().unwrap());
    let said = refusal(package.clone());
    assert!(
        said.contains("no kernel in it, only a configuration") && said.contains("linux-binary-"),
        "{said}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, package).unwrap();
    assert!(Config::read(file.path()).unwrap().is_set("CONFIG_BPF"));
}

#[test]
fn a_package_has_the_configuration_beside_the_kernel() {
    let kernel = parse(deb("data.tar.xz", &xz(&tar(&image())))).unwrap();
    assert_eq!(kernel.config_place().as_deref(), Some("boot/config-6.12.9-test in the Debian package"));
    assert_eq!(kernel.config().unwrap().unwrap().page_size(), Some(65536));
    for (package, place) in [
        (ipk("./data.tar.gz", &gzip(&tar(&image()))), "boot/config-6.12.9-test in the opkg package"),
        (rpm(&gzip(&cpio(&image()))), "lib/modules/6.12.9-test/config in the RPM package"),
    ] {
        let kernel = parse(package).unwrap();
        assert_eq!(kernel.config_place().as_deref(), Some(place));
        assert_eq!(kernel.config().unwrap().unwrap().page_size(), Some(65536));
    }
}

/// A root file system as a folder: /lib is a link, as most have it now, and so is the kernel's name without a release.
#[test]
fn a_folder_has_its_kernel_where_devices_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let open = || Kernel::open(folder.path(), &mut |_, _| {});
    let nothing = format!("{:#}", open().err().unwrap());
    assert!(nothing.contains("no kernel in it") && nothing.contains("lib/modules/RELEASE"), "{nothing}");
    std::fs::create_dir_all(at("boot")).unwrap();
    std::fs::create_dir_all(at("usr/lib/modules/6.12.9-test")).unwrap();
    std::os::unix::fs::symlink("usr/lib", at("lib")).unwrap();
    std::fs::write(at("boot/config-6.12.9-test"), "CONFIG_ARM64_64K_PAGES=y\n").unwrap();
    std::fs::write(at("boot/vmlinuz-6.12.9-test"), gzip(&image())).unwrap();
    std::os::unix::fs::symlink("vmlinuz-6.12.9-test", at("boot/vmlinuz")).unwrap();
    std::fs::write(at("usr/lib/modules/6.12.9-test/vmlinuz"), gzip(&image())).unwrap();
    let kernel = open().unwrap();
    assert!(
        kernel.format().starts_with("folder (boot/vmlinuz-6.12.9-test) → gzip → "),
        "{}",
        kernel.format()
    );
    assert_eq!(kernel.btf().unwrap(), parse(image()).unwrap().btf().unwrap());
    assert_eq!(kernel.config_place().as_deref(), Some("boot/config-6.12.9-test in the folder"));
    assert_eq!(files::modules(folder.path(), "6.12.9-test"), Some(at("lib/modules/6.12.9-test")));
    assert_eq!(files::modules(folder.path(), "6.12.8"), None);
    std::fs::write(at("boot/vmlinuz-6.12.8"), gzip(&image())).unwrap();
    let two = format!("{:#}", open().err().unwrap());
    assert!(two.contains("kernels of 2 releases") && two.contains("boot/vmlinuz-6.12.8"), "{two}");

    // a build tree
    let tree = tempfile::tempdir().unwrap();
    for (name, bytes) in
        [("Kconfig", &b"mainmenu"[..]), (".config", b"CONFIG_HZ=250\n"), ("vmlinux", &image())]
    {
        std::fs::write(tree.path().join(name), bytes).unwrap();
    }
    let kernel = Kernel::open(tree.path(), &mut |_, _| {}).unwrap();
    assert!(kernel.format().starts_with("folder (vmlinux) → "), "{}", kernel.format());
    assert_eq!(kernel.config_place().as_deref(), Some(".config in the folder"));
    assert!(Config::read(tree.path()).unwrap().is_set("CONFIG_HZ"));
    assert_eq!(files::modules(tree.path(), "any").as_deref(), Some(tree.path()));
}

#[test]
fn damaged_packages_are_refused() {
    let whole = rpm(&cpio(&image()));
    for (at, words) in [(100, "no header at 0x60"), (170, "cut short"), (whole.len() / 2, "cut short")] {
        let said = refusal(whole[..at].to_vec());
        assert!(said.contains("RPM package") && said.contains(words), "{at}: {said}");
    }
    let mut odd = whole;
    let at = odd.windows(6).position(|w| w == b"070701").unwrap();
    odd[at + 5] = b'9';
    assert!(refusal(odd).contains("an entry of the archive begins with"));
    let lost = ipk("./data.tar.lz9", b"x");
    assert!(refusal(lost).contains("data.tar.lz9: a compression that is not known here"));
}

/// Where a kernel's byte order and name are only in its own bytes: MIPS as OpenWrt ships it.
#[test]
fn a_big_endian_image_without_headers() {
    let mut raw: Vec<u8> = (0..3000u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
    for (field, size) in
        [("Linux", 65), ("(none)", 65), ("5.15.167", 65), ("#0 Mon 2025", 65), ("mips", 65), ("(none)", 65)]
    {
        let end = raw.len() + size;
        raw.extend(field.as_bytes());
        raw.resize(end, 0);
    }
    raw.resize(raw.len().next_multiple_of(4), 0);
    raw.extend([4u32, 20, 3].iter().flat_map(|v| v.to_be_bytes()));
    raw.extend(b"GNU\0");
    raw.extend([0x3c; 20]);
    let packed = openwrt_lzma(&raw);
    // vmlinux.bin itself, its uImage, and the lzma data behind a loader
    for bytes in [raw.clone(), uimage(5, 2, 3, &packed), [&[0x3c; 600], &packed[..]].concat()] {
        let kernel = parse(bytes).unwrap();
        let id = kernel.identity();
        assert_eq!((id.arch, id.pointer_size, id.endianness), (Some(Arch::Mips), Some(4), Some(Endian::Big)));
        assert_eq!(id.release.as_deref(), Some("5.15.167"), "{}", kernel.format());
        assert_eq!(id.build_id.as_ref().unwrap().as_bytes(), [0x3c; 20]);
    }
}

/// An ELF of these sections, none of them in a segment.
fn elf(endian: Endian, wide: bool, machine: u16, kind: u16, sections: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let half = |n: u16| if endian == Endian::Little { n.to_le_bytes() } else { n.to_be_bytes() };
    let word = |n: u32| if endian == Endian::Little { n.to_le_bytes() } else { n.to_be_bytes() };
    let long = |n: usize| match (wide, endian) {
        (false, _) => word(n as u32).to_vec(),
        (true, Endian::Little) => (n as u64).to_le_bytes().to_vec(),
        (true, _) => (n as u64).to_be_bytes().to_vec(),
    };
    let mut names = vec![0];
    let mut body = Vec::new();
    let start = if wide { 64 } else { 52 };
    let mut headers = vec![0; if wide { 64 } else { 40 }];
    let mut header = |names: &mut Vec<u8>, body: &mut Vec<u8>, name: &str, kind: u32, data: Option<&[u8]>| {
        let (name_at, at) = (names.len(), start + body.len());
        names.extend(name.as_bytes());
        names.push(0);
        body.extend(data.unwrap_or(names));
        let len = data.map_or(names.len(), <[u8]>::len);
        body.resize(body.len().next_multiple_of(8), 0);
        headers.extend(word(name_at as u32));
        headers.extend(word(kind));
        for field in [0, 0, at, len] {
            headers.extend(long(field));
        }
        headers.extend([word(0), word(0)].concat());
        headers.extend([long(4), long(0)].concat());
    };
    for (name, kind, data) in sections {
        header(&mut names, &mut body, name, *kind, Some(data));
    }
    header(&mut names, &mut body, ".shstrtab", 3, None);
    let mut out = vec![0x7f, b'E', b'L', b'F', 1 + u8::from(wide), 1 + u8::from(endian == Endian::Big), 1];
    out.resize(16, 0);
    out.extend([half(kind), half(machine)].concat());
    out.extend(word(1));
    out.extend([long(0), long(0), long(start + body.len())].concat());
    out.extend(word(0));
    for n in [start, 0, 0, if wide { 64 } else { 40 }, sections.len() + 2, sections.len() + 1] {
        out.extend(half(n as u16));
    }
    assert_eq!(out.len(), start);
    out.extend(body);
    out.extend(headers);
    out
}

fn note(endian: Endian, id: u8) -> Vec<u8> {
    let word = |n: u32| if endian == Endian::Little { n.to_le_bytes() } else { n.to_be_bytes() };
    [&[word(4), word(20), word(3)].concat()[..], b"GNU\0", &[id; 20]].concat()
}

#[test]
fn vmlinux_of_both_widths_and_byte_orders() {
    for (endian, wide, machine, arch) in [
        (Endian::Little, true, 183, Arch::Aarch64),
        (Endian::Big, true, 8, Arch::Mips64),
        (Endian::Little, false, 40, Arch::Arm),
        (Endian::Big, false, 20, Arch::Powerpc),
    ] {
        let types = sample(endian, 24);
        let data = [
            b"Linux version 5.10.9 (a@b) (gcc 14) #7 SMP\n\0IKCFG_ST".as_slice(),
            &gzip(b"CONFIG_PAGE_SHIFT=14\n"),
            b"IKCFG_ED",
        ]
        .concat();
        let note = note(endian, 0x77);
        let sections =
            [(".notes", 7, note.as_slice()), (".BTF", 1, types.as_slice()), (".rodata", 1, data.as_slice())];
        for bytes in
            [elf(endian, wide, machine, 2, &sections), gzip(&elf(endian, wide, machine, 2, &sections))]
        {
            let kernel = parse(bytes).unwrap();
            let id = kernel.identity();
            assert_eq!((id.arch, id.endianness), (Some(arch), Some(endian)));
            assert_eq!(id.pointer_size, Some(if wide { 8 } else { 4 }));
            assert_eq!(id.build_id.as_ref().unwrap().as_bytes(), [0x77; 20]);
            assert_eq!(id.release.as_deref(), Some("5.10.9"));
            assert_eq!(kernel.btf().unwrap(), types);
            assert!(kernel.config().unwrap().unwrap().page_size() == Some(16384));
            // 32-bit ARM has pages of one size; where there are several the configuration tells
            let only = arch.only_page_size();
            assert_eq!(id.page_size, only.or(Some(16384)));
        }
    }
}

#[test]
fn the_module_that_holds_the_configuration() {
    let data = [b"IKCFG_ST".as_slice(), &gzip(b"CONFIG_BPF=m\n"), b"IKCFG_ED"].concat();
    let module = elf(Endian::Little, true, 183, 1, &[(".rodata", 1, &data)]);
    let file = tempfile::NamedTempFile::new().unwrap();
    for bytes in
        [module.clone(), gzip(&module), xz(&module), gzip(b"CONFIG_BPF=m\n"), b"CONFIG_BPF=m\n".to_vec()]
    {
        std::fs::write(&file, bytes).unwrap();
        assert!(Config::read(file.path()).unwrap().is_set("CONFIG_BPF"));
    }
    std::fs::write(&file, image()).unwrap();
    let error = format!("{:#}", Config::read(file.path()).unwrap_err());
    assert!(error.contains("CONFIG_IKCONFIG is off"), "{error}");
}

/// `vmlinuz` of MIPS: an ELF that only unpacks the kernel in it.
#[test]
fn an_elf_that_unpacks_a_kernel() {
    let image = image();
    let wrapper =
        elf(Endian::Little, true, 183, 2, &[(".text", 1, &[0x90; 64]), (".image", 1, &gzip(&image))]);
    let kernel = parse(wrapper).unwrap();
    assert!(kernel.format().starts_with("ELF wrapper (gzip at "), "{}", kernel.format());
    assert_eq!(kernel.identity().release.as_deref(), Some("6.12.9-test"));
}
