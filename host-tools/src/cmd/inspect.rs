//! `corelet inspect`: what is in a BPF object, in BTF, in a pack or target file.

use super::inputs::{Target, same_byte_order};
use crate::btf::OwnedBtf;
use crate::btf::dump::{Options, to_c};
use crate::disasm::Helpers;
use crate::embed::pack_of;
use crate::input::{MAX_FILE, read_by_head};
use crate::inspect::{self, HEAD, Kind, UNDERSTOOD, btf, listing::Listing, object, pack};
use crate::kernel::decompress::MAX_OUTPUT;
use crate::kernel::{Kernel, image};
use crate::output;
use crate::progress::Spinner;
use crate::relocate::{Program, relocate, type_count};
use anyhow::{Context, Result, bail, ensure};
use corelet_core::object::Object;
use corelet_core::relo::TargetTypes;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Show what is in a BPF object, in BTF or a kernel, in a pack or target file.
///
/// What the file is shows in its first bytes. Of an object: programs, subprograms, maps, variables, externs, relocations;
/// with --disasm the instructions in the verifier's syntax, with source lines. Of BTF and kernels: parts and kinds of types.
/// Of packs: everything that the device reads, every checksum verified; an executable that `corelet embed` made shows its pack.
///
/// Examples: corelet inspect opensnoop.pack; corelet inspect opensnoop.bpf.o --disasm handle_open --btf vmlinux
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A BPF object, raw BTF, vmlinux or kernel image, pack or target file.
    file: PathBuf,
    /// One JSON document.
    #[arg(long)]
    json: bool,
    /// List the instructions of an object: of this program or subprogram, or of all.
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, conflicts_with_all = ["json", "type_name"])]
    disasm: Option<Option<String>>,
    /// With --disasm: the code as it is after relocation against this kernel's types.
    #[arg(long, value_name = "K", requires = "disasm")]
    btf: Option<PathBuf>,
    /// Print this type of an object or of BTF as C, with what it needs.
    #[arg(long = "type", value_name = "NAME", conflicts_with = "json")]
    type_name: Option<String>,
    /// What split BTF (a module's) continues.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let name = args.file.display().to_string();
    let bytes = read_by_head(&args.file, HEAD, |head| match Kind::of(head) {
        Kind::Kernel => image::MAX_FILE,
        _ => MAX_FILE,
    })?;
    let embedded = pack_of(&bytes).map(<[u8]>::to_vec);
    let bytes = embedded.unwrap_or(bytes);
    let kind = Kind::of(&bytes);
    let only = |what: &str| format!("{name}: --{what} is for BPF objects");
    ensure!(kind == Kind::Object || args.disasm.is_none(), only("disasm"));
    ensure!(kind == Kind::Kernel || args.base.is_none(), "{name}: --base is for BTF");
    let text = match kind {
        Kind::Object => of_object(&args, &bytes).with_context(|| name.clone())?,
        Kind::Pack => {
            ensure!(args.type_name.is_none(), "{name}: --type is for BPF objects and BTF");
            let document = pack::document(&bytes).with_context(|| name.clone())?;
            if args.json { json(&document)? } else { pack::text(&name, &document)? }
        }
        Kind::Kernel => of_kernel(&args, bytes)?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn json(document: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(document)? + "\n")
}

fn one_type(btf: &corelet_core::btf::Btf<'_>, name: &str) -> Result<String> {
    to_c(btf, &Options { types: vec![name.to_owned()], asserts: false })
}

fn of_object(args: &Args, bytes: &[u8]) -> Result<String> {
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    if let Some(name) = &args.type_name {
        return one_type(object.btf(), name);
    }
    let Some(program) = &args.disasm else {
        let report = object::Report::new(&object, bytes.len())?;
        return if args.json { json(&report) } else { Ok(report.text(&args.file.display().to_string())?) };
    };
    match &args.btf {
        None => listing(&object, &Helpers::of(object.btf()), None, program.as_deref()),
        Some(kernel) => Target::open(kernel)?.with_types(|types| {
            same_byte_order(object.endian(), types.btf().endian())?;
            let relocated = relocate(&object, types, &|_| true)?;
            listing(&object, &Helpers::of(types.btf()), Some(&relocated), program.as_deref())
        })?,
    }
}

fn listing(
    object: &Object<'_>,
    helpers: &Helpers<'_>,
    relocated: Option<&[Program]>,
    program: Option<&str>,
) -> Result<String> {
    let mut out = String::new();
    Listing::new(object, helpers, relocated)?.write(&mut out, program)?;
    Ok(out)
}

fn of_kernel(args: &Args, bytes: Vec<u8>) -> Result<String> {
    let name = args.file.display().to_string();
    if let Some(what) = inspect::looks_like(&bytes[..bytes.len().min(HEAD)]) {
        bail!("{name}: {what}; {UNDERSTOOD}");
    }
    let spinner = Spinner::new();
    let kernel = Kernel::parse(bytes, MAX_OUTPUT, &mut |what, done| spinner.tell(what, done))
        .with_context(|| format!("{name}: {UNDERSTOOD}"))?;
    drop(spinner);
    let bytes = kernel.btf().with_context(|| name.clone())?;
    let split = kernel.found().is_some_and(|found| found.split);
    let types = match (split, &args.base) {
        (true, None) => None,
        (true, Some(base)) => Some(of_split(bytes, base).with_context(|| name.clone())?),
        (false, _) => {
            let types = OwnedBtf::from_bytes(bytes.to_vec()).with_context(|| name.clone())?;
            Some(match kernel.identity().pointer_size {
                Some(size) => types.with_pointer_size(size),
                None => types,
            })
        }
    };
    if let Some(wanted) = &args.type_name {
        let types = types.with_context(|| format!("{name}: is split BTF; give its base with --base"))?;
        return one_type(&types.view(), wanted).context(name);
    }
    let report = btf::Report::new(kernel.format(), bytes, types.as_ref().map(|t| t.view()).as_ref())
        .with_context(|| name.clone())?
        .with_kernel(&kernel);
    if args.json { json(&report) } else { report.text(&name) }
}

fn of_split(bytes: &[u8], base: &Path) -> Result<OwnedBtf> {
    Ok(OwnedBtf::from_split(bytes.to_vec(), Arc::new(OwnedBtf::open(base)?))?)
}
