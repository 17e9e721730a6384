//! `corelet btf min`: the types that some objects need of a kernel, as BTF that libbpf accepts too.

use super::inputs::{Target, read_object, same_byte_order};
use crate::btf::excerpt::{Wanted, excerpt};
use crate::btf::{OwnedBtf, Source};
use crate::output::{print, write_file};
use crate::relocate;
use crate::subset::{self, KernelTypes};
use anyhow::{Context, Result, ensure};
use corelet_core::btf_ext::BtfExt;
use corelet_core::elf::Elf;
use corelet_core::relo::{CoreRelo, ReloKind, TargetTypes};
use corelet_core::{Error, Needed};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Cut a kernel's types down to what objects need.
///
/// The result is plain BTF: libbpf takes it as custom BTF (`btf_custom_path`). Relocating the objects against it gives the
/// same as against the whole.
///
/// Example: corelet btf min --btf vmlinux opensnoop.bpf.o execsnoop.bpf.o -o min.btf
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel's types: raw BTF, vmlinux, or a kernel image.
    #[arg(long, value_name = "K")]
    btf: PathBuf,
    /// A module that is loaded, or its BTF; may be repeated. Its types count only where the kernel has none of the name.
    #[arg(long, value_name = "FILE")]
    module: Vec<PathBuf>,
    /// BPF objects.
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// Where to write the BTF; `-` is the standard output.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Bytes of objects' types that are held from one use to the next. Those of more objects are read twice: there are two
/// uses, and fifty tools have a megabyte of them.
const HELD: usize = 128 << 10;

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut wanted = Wanted::default();
    let mut held = Vec::new();
    let mut free = HELD;
    for path in &args.objects {
        let object = Local::read(path)?;
        wanted.add(&object.btf.view(), object.relos.iter());
        let len = object.btf.bytes().len();
        // a pipe cannot be read twice
        let hold = len <= free || !std::fs::metadata(path).is_ok_and(|m| m.is_file());
        free = free.saturating_sub(if hold { len } else { 0 });
        held.push(hold.then_some(object));
    }
    let (subset, whole) = if args.module.is_empty() {
        let kernel = Types::open(&args.btf, &wanted)?;
        let types = KernelTypes::new(kernel.excerpt.view());
        (minimum(&types, &args.objects, held, &mut wanted)?, kernel.whole)
    } else {
        let target = Target::with_modules(&args.btf, &args.module)?;
        let subset = target.with_types(|types| minimum(types, &args.objects, held, &mut wanted))??;
        (subset, target.btf_bytes()?.len() as u64)
    };
    write_file(&args.output, &subset.bytes)?;
    if args.output.as_os_str() != "-" {
        print(&format!(
            "{}: {} bytes, {} types, of {whole} bytes\n",
            args.output.display(),
            subset.bytes.len(),
            subset.types,
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the objects read of `types`; those that are not held are read again.
fn minimum(
    types: &KernelTypes<'_>,
    paths: &[PathBuf],
    held: Vec<Option<Local>>,
    wanted: &mut Wanted,
) -> Result<subset::Subset> {
    let mut all = subset::Marks::default();
    for (path, held) in paths.iter().zip(held) {
        let name = || path.display().to_string();
        let object = held.map_or_else(|| Local::read(path), Ok)?;
        let local = object.btf.view();
        ensure!(!wanted.add(&local, object.relos.iter()), "{}: changed while it was in use", name());
        same_byte_order(local.endian(), types.btf().endian()).with_context(name)?;
        object.warn(path);
        all.merge(subset::marks(&local, types, object.relos.iter()));
    }
    subset::write(types.btf(), &all, true)
}

/// What is asked of an object: its types and its relocations. Its code is not looked at.
struct Local {
    btf: OwnedBtf,
    relos: Vec<CoreRelo>,
}

impl Local {
    fn read(path: &Path) -> Result<Local> {
        let name = || path.display().to_string();
        let bytes = read_object(path)?;
        let elf = Elf::parse(&bytes).with_context(name)?;
        let btf = elf.find(".BTF").ok_or(Error::NoSection { what: Needed::Btf });
        let btf = btf.map_err(relocate::without_types).with_context(name)?;
        let btf = OwnedBtf::from_bytes(btf.data.to_vec()).with_context(name)?;
        let ext = elf.find(".BTF.ext").map(|s| BtfExt::parse(s.data)).transpose().with_context(name)?;
        let mut relos = Vec::new();
        for block in ext.iter().flat_map(|ext| ext.core_relo().blocks()) {
            for record in (0..block.len()).filter_map(|number| block.get(number)) {
                let kind = ReloKind::from_number(record.kind).with_context(name)?;
                let (type_id, access_str_off) = (record.type_id, record.access_str_off);
                // no instruction is patched here
                relos.push(CoreRelo { insn: 0, type_id, access_str_off, kind });
            }
        }
        Ok(Local { btf, relos })
    }

    /// Says what the result cannot hold.
    fn warn(&self, path: &Path) {
        if self.relos.iter().any(|r| r.kind == ReloKind::TypeIdTarget) {
            eprintln!(
                "note: {}: asks for ids of the kernel's types (bpf_core_type_id_kernel), which plain BTF cannot keep: \
                 through this file they are wrong. A pack keeps them.",
                path.display()
            );
        }
    }
}

/// What the objects can read of the kernel's types.
struct Types {
    excerpt: OwnedBtf,
    /// Bytes of all of the kernel's types.
    whole: u64,
}

impl Types {
    fn open(path: &Path, wanted: &Wanted) -> Result<Types> {
        if let Some(source) = Source::raw(path)? {
            let excerpt = excerpt(&source, wanted).with_context(|| path.display().to_string())?;
            return Ok(Types { excerpt, whole: source.len() });
        }
        let target = Target::open(path)?;
        let source = Source::Memory(target.btf_bytes()?);
        let excerpt = excerpt(&source, wanted).with_context(|| path.display().to_string())?;
        let excerpt = match target.kernel.identity().pointer_size {
            Some(size) => excerpt.with_pointer_size(size),
            None => excerpt,
        };
        Ok(Types { excerpt, whole: source.len() })
    }
}
