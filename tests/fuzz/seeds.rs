//! Writes what the targets start from into `$SEEDS/TARGET`: made of the fixtures of the tests beside this crate, so that no
//! corpus lies in git. Same fixtures, same seeds.
//!
//! A fuzz target that ends before it fuzzes: so it links with the crates that were built for the others.

#![no_main]
#![allow(unreachable_code, reason = "it ends before it fuzzes")]

use corelet_core::elf::Elf;
use corelet_fuzz::{joined, sample_packs};
use corelet_host_tools::manifest::BUILTIN;
use std::error::Error;
use std::io::Write;
use std::path::Path;

const OBJECTS: [&[u8]; 4] = [
    include_bytes!("../../host-tools/tests/progs/sample.bpf.o"),
    include_bytes!("../../host-tools/tests/progs/unportable.bpf.o"),
    include_bytes!("../golden/0.1/sample.bpf.o"),
    include_bytes!("../refusals/bad.bpf.o"),
];
const DWARF: [&[u8]; 5] = [
    include_bytes!("../../host-tools/tests/dwarf/two"),
    include_bytes!("../../host-tools/tests/dwarf/two-zstd"),
    include_bytes!("../../host-tools/tests/dwarf/types-mips-5.o"),
    include_bytes!("../../host-tools/tests/dwarf/types-x86_64-4.o"),
    include_bytes!("../../host-tools/tests/dwarf/types-armv7a-4.o"),
];
const KERNEL: &[u8] = include_bytes!("../../host-tools/tests/progs/kernel.o");
const PACK: &[u8] = include_bytes!("../golden/0.1/sample.pack");
const TARGET: &[u8] = include_bytes!("../golden/0.1/sample.target");
const DECLARATION: &str = "struct point { int x, y; char name[16]; };\nstruct event { __u64 ts; struct point at[2]; unsigned a:3; };\n";

libfuzzer_sys::fuzz_target!(
    init: {
        let folder = std::env::var_os("SEEDS").expect("SEEDS names the folder to write to");
        write(Path::new(&folder)).expect("the seeds are written");
        std::process::exit(0)
    },
    |_data: &[u8]| {}
);

fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let put = |target: &str, seeds: &[Vec<u8>]| -> Result<(), Box<dyn Error>> {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i:02}")), seed)?;
        }
        Ok(())
    };
    let section = |file: &[u8], name: &str| section_of(file, name).unwrap_or_default();
    let kernel_types = section(KERNEL, ".BTF");
    let types: Vec<Vec<u8>> = OBJECTS
        .iter()
        .map(|o| section(o, ".BTF"))
        .chain([kernel_types.clone()])
        .filter(|s| !s.is_empty())
        .collect();
    let packs = [PACK.to_vec(), TARGET.to_vec()].into_iter().chain(sample_packs()).collect::<Vec<_>>();

    put("object", &OBJECTS.map(<[u8]>::to_vec))?;
    put("btf", &types)?;
    let exts = OBJECTS.map(|o| section(o, ".BTF.ext"));
    put("btf_ext", &exts.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>())?;
    put("pack", &packs)?;
    put("loader", &packs)?;
    let on = |types: &[u8]| OBJECTS.map(|o| joined(o, types));
    let own: Vec<_> = OBJECTS.iter().map(|o| joined(o, &section(o, ".BTF"))).collect();
    put("relocation", &[on(&kernel_types).to_vec(), own].concat())?;
    put("image", &images(&kernel_types)?)?;
    let texts = BUILTIN.iter().map(|(_, text)| *text).chain([DECLARATION]);
    put("manifest", &texts.map(|t| t.as_bytes().to_vec()).collect::<Vec<_>>())?;
    let record: Vec<u8> = (0..96).collect();
    put("event", &types.iter().map(|t| joined(t, &record)).collect::<Vec<_>>())?;
    put("dwarf", &DWARF.map(<[u8]>::to_vec))?;
    Ok(())
}

fn section_of(file: &[u8], name: &str) -> Option<Vec<u8>> {
    let own = || Elf::parse(file).ok()?.find(name).map(|s| s.data.to_vec());
    // the kernel is no BPF object: its types are told by their magic
    own().or_else(|| {
        let at = file.windows(4).position(|w| w == [0x9f, 0xeb, 1, 0]).filter(|_| name == ".BTF")?;
        let word =
            |n: usize| Some(u32::from_le_bytes(file.get(at + n..at + n + 4)?.try_into().ok()?) as usize);
        file.get(at..at + word(4)? + word(16)? + word(20)?).map(<[u8]>::to_vec)
    })
}

/// A kernel as ELF, as raw types, and in the compressions that need no encoder of their own here.
fn images(types: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(KERNEL)?;
    let block = lz4_flex::block::compress(KERNEL);
    let lz4 = [&0x184c_2102_u32.to_le_bytes()[..], &(block.len() as u32).to_le_bytes(), &block].concat();
    // one raw block, of a frame that states its size in four bytes
    let len = KERNEL.len() as u32;
    let zstd =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0][..], &len.to_le_bytes(), &(len << 3 | 1).to_le_bytes()[..3], KERNEL];
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default())?;
    xz.write_all(KERNEL)?;
    Ok(vec![KERNEL.to_vec(), types.to_vec(), gzip.finish()?, lz4, zstd.concat(), xz.finish()?])
}
