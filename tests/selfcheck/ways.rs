//! The three ways an object is relocated: against all types, against the minimum of `corelet btf min`, and as a device
//! does it, out of a pack. All must give the same instructions, but for ids of types where the types are numbered anew.

use super::case::Target;
use anyhow::{Context, Result};
use corelet_core::btf::{Btf, Kind};
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::pack::{self, Arch, section};
use corelet_core::relo::{CandList, Cands, CoreRelo, ReloKind, Relocator, Scratch, TargetTypes};
use corelet_core::{Endian, TypeId};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::modules::{Module, WithModules, join};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{File, Input, Kernel, Options, TypeIds, build, container};
use corelet_host_tools::relocate::{Program, Verdict, core_relo, relocate};
use corelet_host_tools::subset::{self, BtfWriter, KernelTypes, Marks};

/// Name of the program in each object.
const PROGRAM: &str = "check";

/// A program after relocation.
#[derive(Clone, Debug)]
pub struct Relocated {
    /// Its instructions; an error's reason if it cannot be loaded.
    pub insns: Result<Vec<u8>, String>,
    /// The numbers that `type_id.c` is to find: of the target's types, and at 8 of its own.
    pub ids: [u64; 16],
    /// The reports, where this way makes any.
    pub programs: Vec<Program>,
}

/// The types of `target` as of a kernel with its modules.
///
/// # Errors
/// BTF that cannot be read.
pub fn types(target: &Target, pointers: Option<u8>) -> Result<WithModules> {
    let (kernel, modules) = target.types.split_first().context("a target without types")?;
    let mut kernel = OwnedBtf::from_bytes(kernel.clone())?;
    if let Some(size) = pointers {
        kernel = with_pointers(&kernel, size)?;
    }
    let modules: Vec<Module> = modules
        .iter()
        .map(|bytes| {
            let alone = OwnedBtf::from_bytes(bytes.clone())?;
            let mut split = BtfWriter::over(&kernel.view());
            split.push_split(&alone.view(), &Default::default())?;
            Ok(Module::of_types("module", split.finish(), None))
        })
        .collect::<Result<_>>()?;
    join(kernel.into(), &modules)
}

/// The same types with pointers of `size` bytes, and an integer `long` from which that is seen.
fn with_pointers(btf: &OwnedBtf, size: u8) -> Result<OwnedBtf> {
    let view = btf.view().with_pointer_size(size);
    let mut all = Marks::default();
    for t in view.own_types() {
        all.whole(t.id);
    }
    let written = OwnedBtf::from_bytes(subset::write(&view, &all, true)?.bytes)?;
    anyhow::ensure!(written.view().pointer_size() == size, "the pointer size is not seen");
    Ok(written)
}

/// Against `types`.
///
/// # Errors
/// An object that cannot be read.
pub fn whole(object: &Object<'_>, types: &impl TargetTypes) -> Result<Relocated> {
    let programs = relocate(object, types, &|_| true)?;
    let program = programs.iter().find(|p| p.name == PROGRAM).context("no program")?;
    let failed = program.relocations.iter().find(|r| r.outcome == Verdict::Failed);
    let insns = match failed {
        Some(r) => Err(format!("relo #{}: {}", r.index, r.reason.clone().unwrap_or_default())),
        None => Ok(program.insns.bytes.clone()),
    };
    Ok(Relocated { insns, ids: ids(object.btf(), types.btf()), programs })
}

/// The minimum of `types` for `object`, as `corelet btf min` writes it.
///
/// # Errors
/// A malformed relocation.
pub fn minimum(object: &Object<'_>, types: &KernelTypes<'_>) -> Result<OwnedBtf> {
    let relos = object.core_relos().map(|r| r.and_then(|r| core_relo(&r))).collect::<Result<Vec<_>, _>>()?;
    let marks = subset::marks(object.btf(), types, relos.iter());
    Ok(OwnedBtf::from_bytes(subset::write(types.btf(), &marks, true)?.bytes)?)
}

/// Out of a pack, with nothing but what the pack has. So many `modules` have some of the types.
///
/// # Errors
/// The pack cannot be built or read.
pub fn packed(
    name: &str,
    bytes: &[u8],
    types: &KernelTypes<'_>,
    modules: usize,
    endian: Endian,
) -> Result<Relocated> {
    let named: Vec<String> = (0..modules).map(|n| format!("module{n}")).collect();
    let files: Vec<Module> = (named.iter())
        .map(|name| Module { build_id: vec![1; 20], ..Module::of_types(name, Vec::new(), None) })
        .collect();
    let with = corelet_host_tools::pack::WithModules { named: &named, types, modules: &files };
    let manifest = Manifest { modules: named.clone(), ..Manifest::default() };
    let input = Input { name: name.to_owned(), bytes: bytes.to_vec(), manifest };
    let kernel = Kernel {
        types,
        modules: &[with],
        btf_len: 0,
        type_ids: TypeIds::Kernels,
        build_id: &[1; 20],
        release: "6.1.0-selfcheck",
        version: "#1",
        arch: Arch::Aarch64,
        config: None,
        own_types: true,
    };
    let built = build(&[input], &[kernel], &Options::default())?;
    let file = container(&built.sections)?;
    let file = File::whole(&file)?;
    let target: pack::Target<'_> = file.record(section::TARGET, 0)?;
    let local = OwnedBtf::from_bytes(file.section(section::BTF, 0)?.to_vec())?.with_pointer_size(8);
    let small = OwnedBtf::from_bytes(file.section(section::SUBSET, 0)?.to_vec())?;
    let small = small.with_pointer_size(target.pointer_size);
    let subset = pack::Subset::new(small.view(), file.section(section::IDS, 0)?);
    let functions: Vec<pack::Function<'_>> = file.records(section::FUNCTIONS, 0)?;
    let (number, function) =
        (0u16..).zip(functions).find(|(_, f)| f.name == PROGRAM).context("no program in the pack")?;
    let at = function.start as usize * INSN_SIZE;
    let code = file.section(section::INSNS, 0)?;
    let mut insns = code[at..at + function.count as usize * INSN_SIZE].to_vec();
    let relos: Vec<pack::Relo> = file.records(section::RELOS, 0)?;
    let (mut lists, mut pool) = (vec![CandList::default(); relos.len()], vec![TypeId::VOID; 256]);
    let mut scratch = Scratch::default();
    let view = local.view();
    let mut relocator = Relocator {
        local: &view,
        target: &subset,
        cands: Cands::new(&mut lists, &mut pool),
        scratch: &mut scratch,
    };
    let mut failed = None;
    for r in relos.iter().filter(|r| r.function == number) {
        let kind = ReloKind::from_number(r.kind.into())?;
        let relo = CoreRelo { insn: r.insn, type_id: r.type_id, access_str_off: r.access_str_off, kind };
        if let Err(e) = relocator.relocate(&relo, &mut insns, endian, &mut ()) {
            failed.get_or_insert(format!("relo #{}: {e}", r.index));
        }
    }
    let insns = failed.map_or(Ok(insns), Err);
    Ok(Relocated { insns, ids: ids(&view, types.btf()), programs: Vec::new() })
}

/// How many relocations came to each kind and outcome.
pub fn count(
    programs: &[Program],
    counts: &mut std::collections::BTreeMap<(&'static str, &'static str), usize>,
) {
    for r in programs.iter().flat_map(|p| &p.relocations) {
        let outcome = match r.outcome {
            Verdict::Patched if r.mem_sz.is_some() => "resized",
            Verdict::Patched => "patched",
            Verdict::Poisoned => "poisoned",
            Verdict::Failed => "failed",
        };
        *counts.entry((r.kind, outcome)).or_default() += 1;
    }
}

/// The types that `type_id.c` asks for, in its order; 0 for those that are not there.
fn ids(local: &Btf<'_>, target: &Btf<'_>) -> [u64; 16] {
    let wanted = [
        ("a_struct", Kind::Struct),
        ("a_union", Kind::Union),
        ("an_enum", Kind::Enum),
        ("named_struct_typedef", Kind::Typedef),
        ("func_proto_typedef", Kind::Typedef),
        ("arr_typedef", Kind::Typedef),
        ("int", Kind::Int),
    ];
    let mut out = [0; 16];
    for (i, (name, kind)) in wanted.into_iter().enumerate() {
        let id = |btf: &Btf<'_>| btf.find(name, kind).map_or(0, |t| t.id.0.into());
        (out[i], out[i + 8]) = (id(target), id(local));
    }
    out
}
