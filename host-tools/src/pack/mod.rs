//! Building packs: objects and kernels in, one file for the device out.
//!
//! `collect` lists what an object has, `closure` and `types` make the BTF that it carries, `plan` decides which programs a
//! kernel loads, `object`, `results` and `target` write their sections, `kconfig` and `memory` say what the device need not find out,
//! `registers` finds programs that were compiled for one architecture, `attach_ids` the kernel's ids of what programs attach to, `devices` and `places` where those of the network and of cgroups do, `absent` what a kernel's types show to be missing, `modules` finds out which modules a target stands on, `sanitize` what
//! old kernels do not take, `write` puts the file together,
//! `apart` a file for each target. Before a target is written the object is relocated twice, against all of the kernel's
//! types and as the device will, through the subset: any difference stops the build.

mod absent;
mod apart;
mod attach_ids;
mod bare;
mod closure;
mod collect;
mod devices;
mod file;
mod jit;
mod kconfig;
mod map_plan;
mod maps;
mod memory;
mod modules;
mod object;
mod patches;
mod places;
mod plan;
mod reached;
mod reads;
mod registers;
mod results;
mod sanitize;
mod sizes;
mod struct_ops;
mod target;
mod types;
mod varying;
mod ways;
mod write;

pub use apart::target_files;
pub use bare::relocation_bytes;
pub(crate) use collect::reached;
pub use file::File;
pub use memory::of_map as map_memory;
pub use modules::WithModules;
pub use patches::patches;
pub use plan::decisions;
pub use reads::WideRead;
pub use sizes::UntypedEvents;
pub use target::TargetReport;
pub use write::{Section, container};

use crate::btf::OwnedBtf;
use crate::exit::Failure;
use crate::kernel::Config;
use crate::manifest::Manifest;
use crate::relocate::type_count;
use crate::subset::KernelTypes;
use anyhow::{Context, Result};
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::object::Object;
use corelet_core::pack::Arch;
use sha2::{Digest, Sha256};

/// An object to be packed.
pub struct Input {
    /// Name of the object, without `.bpf.o`.
    pub name: String,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// What its BTF does not say.
    pub manifest: Manifest,
}

/// Whether the ids of types in the BTF at hand are those that the running kernel knows them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeIds {
    /// They are: it is the kernel's own BTF.
    Kernels,
    /// They are not: it was made of debug information, and the kernel has no BTF or another one.
    Others,
    /// Raw BTF does not say what it was made of.
    Unknown,
}

/// A kernel to pack for.
pub struct Kernel<'x> {
    /// All its own types.
    pub types: &'x KernelTypes<'x>,
    /// The same with the types of modules, for each set of them that a manifest names; nothing where its modules are not at hand.
    pub modules: &'x [WithModules<'x>],
    /// Bytes of its BTF.
    pub btf_len: usize,
    /// Whether the kernel knows its types by the ids that they have there.
    pub type_ids: TypeIds,
    /// Build id; empty where it is not known.
    pub build_id: &'x [u8],
    /// `uname -r`.
    pub release: &'x str,
    /// `uname -v`.
    pub version: &'x str,
    /// Architecture.
    pub arch: Arch,
    /// Its configuration, where that is known.
    pub config: Option<&'x Config>,
    /// Whether `types` are those that it shows in `/sys/kernel/btf`, so that their ids are its own. Types that were made of
    /// debug information are not.
    pub own_types: bool,
}

impl Kernel<'_> {
    /// Whether it has types of its own in memory; `None` where neither its image nor its configuration says.
    pub fn has_btf(&self) -> Option<bool> {
        if self.own_types { Some(true) } else { self.config.map(|c| c.is_set("CONFIG_DEBUG_INFO_BTF")) }
    }
}

/// Choices of the one who packs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Carry source lines for the verifier's log.
    pub lines: bool,
}

/// What was built.
pub struct Built {
    /// All sections, objects first.
    pub sections: Vec<Section>,
    /// By object.
    pub reports: Vec<ObjectReport>,
}

/// What became of an object.
#[derive(Debug)]
pub struct ObjectReport {
    /// Its name.
    pub name: String,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Bytes of the file.
    pub object: usize,
    /// Buffers whose events will not be printed.
    pub untyped: Vec<UntypedEvents>,
    /// By kernel, in the order given.
    pub targets: Vec<TargetReport>,
}

/// Builds the sections of a pack for every object on every kernel.
pub fn build(inputs: &[Input], kernels: &[Kernel<'_>], options: &Options) -> Result<Built> {
    if inputs.len() > MAX_PACK_OBJECTS {
        return Err(Failure::usage(format!(
            "{} objects, but a loader takes at most {MAX_PACK_OBJECTS} of one pack: make several packs",
            inputs.len()
        )));
    }
    let mut built = Built { sections: Vec::new(), reports: Vec::new() };
    let mut targets = Vec::new();
    let mut next_target = 0;
    for (owner, input) in (0..).zip(inputs) {
        let name = || input.name.clone();
        let mut index = vec![0; type_count(&input.bytes).with_context(name)?];
        let digest: [u8; 32] = Sha256::digest(&input.bytes).into();
        if let Some(twin) = built.reports.iter().find(|r: &&ObjectReport| r.digest == digest) {
            return Err(Failure::usage(format!(
                "{} is the same object as {}: give it once",
                input.name, twin.name
            )));
        }
        let object = Object::parse(&input.bytes, &mut index).with_context(name)?;
        let manifest = varying::fitted(&object, &input.manifest).with_context(name)?;
        let c = collect::Collected::new(object, &manifest).with_context(name)?;
        let names = strings(&c, options)?;
        let types = types::build(&c, &manifest, &names).with_context(name)?;
        let maps = object::Maps::new(&c, &manifest, &types).with_context(name)?;
        let who = object::Identity { name: &input.name, alone: inputs.len() == 1, digest };
        let sections =
            object::sections(owner, &who, &c, &manifest, &types, &maps, options).with_context(name)?;
        let decisions = plan::plan(&c, &manifest).with_context(name)?;
        let mut report = ObjectReport {
            name: name(),
            digest,
            object: input.bytes.len(),
            untyped: sizes::untyped(&c, &manifest, &decisions),
            targets: Vec::new(),
        };
        for kernel in kernels {
            let decisions = plan::on(&c, &decisions, &maps.maps, kernel, manifest.arch)
                .with_context(|| format!("{} on {}", input.name, kernel.release))?;
            let job = target::Job {
                owner: next_target,
                digest,
                c: &c,
                types: &types,
                maps: &maps,
                decisions: &decisions,
                modules: &manifest.modules,
                compiled_for: manifest.arch,
                object_sections: &sections,
                kernel,
            };
            let (target, said) =
                job.run().with_context(|| format!("{} on {}", input.name, kernel.release))?;
            targets.extend(target);
            report.targets.push(said);
            next_target += 1;
        }
        built.sections.extend(sections);
        built.reports.push(report);
    }
    built.sections.extend(targets);
    Ok(built)
}

/// The sections of an object alone, whatever its programs attach to and a kernel has: what becomes of its maps, for comparisons.
///
/// # Errors
/// The object is malformed, or has maps that no loader of ours makes.
pub fn object_sections(input: &Input) -> Result<Vec<Section>> {
    let mut index = vec![0; type_count(&input.bytes)?];
    let object = Object::parse(&input.bytes, &mut index)?;
    let manifest = varying::fitted(&object, &input.manifest)?;
    let c = collect::Collected::new(object, &manifest)?;
    let options = Options::default();
    let types = types::build(&c, &manifest, &strings(&c, &options)?)?;
    let maps = object::Maps::new(&c, &manifest, &types)?;
    let digest = Sha256::digest(&input.bytes).into();
    let who = object::Identity { name: &input.name, alone: true, digest };
    object::sections(0, &who, &c, &manifest, &types, &maps, &options)
}

/// Strings that records refer to by offset: names of kernel symbols, and source lines where they are wanted.
fn strings<'o>(c: &collect::Collected<'o>, options: &Options) -> Result<Vec<&'o str>> {
    let btf = *c.object.btf();
    let mut out = Vec::new();
    for e in &c.externs {
        out.push(e.name);
    }
    if options.lines {
        for l in c.object.line_infos() {
            let l = l?;
            out.extend([btf.text(l.record.file_name_off), btf.text(l.record.line_off)]);
        }
    }
    Ok(out)
}

/// Reads back BTF that was written here.
fn read_back(bytes: &[u8], pointer_size: u8) -> Result<OwnedBtf> {
    let btf =
        OwnedBtf::from_bytes(bytes.to_vec()).context("the BTF that corelet wrote does not read back")?;
    Ok(btf.with_pointer_size(pointer_size))
}
