//! What the board gets of a tool: its pack, its object, the minimum of the kernel's types for libbpf, and what libbpf is told.

use super::cases;
use crate::oracle::Named;
use crate::tools::Case;
use anyhow::Result;
use corelet_boards::{Kernel, Progress};
use corelet_core::object::Object;
use corelet_core::pack::{Attach, Choice, Decision, Map, Program, Records, Sizing, section};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::kernel::packaged;
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use corelet_host_tools::relocate::{core_relo, type_count};
use corelet_host_tools::subset::{self, KernelTypes};

/// One tool, ready for the board.
pub(super) struct Prepared {
    /// The tool.
    pub(super) name: String,
    /// The file.
    pub(super) object: Vec<u8>,
    /// The types of the kernel that relocation asks for, as `corelet btf min` writes them.
    pub(super) minimum: Vec<u8>,
    /// The pack, or why there is none.
    pub(super) packed: Result<Packed, String>,
    /// The work and what must come of it.
    pub(super) case: &'static Case,
    /// Whether what the programs report is printed: a manifest says how.
    pub(super) has_manifest: bool,
}

/// A pack, and what libbpf must do to do the same.
pub(super) struct Packed {
    pub(super) pack: Vec<u8>,
    words: Vec<String>,
    /// Programs that the device may lack the place for.
    pub(super) optional: Vec<String>,
}

impl Prepared {
    /// The words for libbpf's loader.
    pub(super) fn words(&self) -> &[String] {
        self.packed.as_ref().map_or(&[], |packed| &packed.words)
    }
}

/// Packs all `objects` for `kernel`.
///
/// # Errors
/// The kernel's types cannot be had, or an object is damaged. A tool that does not fit is no error.
pub(super) fn prepare(
    kernel: &Kernel,
    objects: &[Named],
    progress: &mut dyn Progress,
) -> Result<Vec<Prepared>> {
    let whole = OwnedBtf::open(&packaged::types(kernel, progress)?)?;
    let types = KernelTypes::new(whole.view());
    let opened = [Opened::packaged(kernel, progress)?];
    let mut prepared = Vec::new();
    for (name, object) in objects {
        // as Debian calls BCC's tools
        let name = name.trim_end_matches("-libbpf");
        let manifest = Manifest::builtin(name);
        let packed = pack(name, object, manifest, &opened).map_err(|e| format!("{e:#}"));
        prepared.push(Prepared {
            name: name.to_owned(),
            minimum: minimum(object, &whole, &types)?,
            object: object.clone(),
            packed,
            case: cases::case(name),
            has_manifest: manifest.is_some(),
        });
    }
    Ok(prepared)
}

fn minimum(object: &[u8], whole: &OwnedBtf, types: &KernelTypes<'_>) -> Result<Vec<u8>> {
    let mut index = vec![0; type_count(object)?];
    let object = Object::parse(object, &mut index)?;
    let relos = object.core_relos().map(|r| r.and_then(|r| core_relo(&r))).collect::<Result<Vec<_>, _>>()?;
    let marks = subset::marks(object.btf(), types, relos.iter());
    Ok(subset::write(&whole.view(), &marks, true)?.bytes)
}

fn pack(name: &str, object: &[u8], manifest: Option<&str>, kernel: &[Opened]) -> Result<Packed> {
    let manifest = manifest.map_or(Ok(Manifest::default()), |text| Manifest::parse(name, text))?;
    let input = [Input { name: name.to_owned(), bytes: object.to_vec(), manifest }];
    let sections = with_kernels(kernel, |kernels| build(&input, kernels, &Options::default()))?.sections;
    let bytes = |id| sections.iter().find(|s| s.id == id).map_or(&[][..], |s| &s.bytes);
    let programs =
        Records::new(bytes(section::PROGRAMS), section::PROGRAMS).collect::<Result<Vec<Program<'_>>, _>>()?;
    let choices =
        Records::<Choice>::new(bytes(section::PLAN), section::PLAN).collect::<Result<Vec<_>, _>>()?;
    let (mut words, mut optional) = (Vec::new(), Vec::new());
    let mut sets = std::collections::BTreeMap::new();
    for choice in &choices {
        if let Decision::OneOf { group, set } = choice.decision {
            let first = sets.entry(group).or_insert(set);
            *first = set.min(*first);
        }
    }
    for (program, number) in programs.iter().zip(0u16..) {
        match choices.iter().find(|choice| choice.program == number).map(|choice| choice.decision) {
            Some(Decision::Skip(_)) => continue,
            Some(Decision::IfPresent) => optional.push(program.name.to_owned()),
            // the device takes the first set that it can attach; libbpf is given the first
            Some(Decision::OneOf { group, set }) if sets.get(&group).is_some_and(|first| *first < set) => {
                continue;
            }
            Some(Decision::OneOf { .. } | Decision::Load) | None => {}
        }
        words.push(match target(&program.attach) {
            Some(target) => format!("{}:{target}", program.name),
            None => program.name.to_owned(),
        });
    }
    for map in Records::<Map<'_>>::new(bytes(section::MAPS), section::MAPS) {
        let map = map?;
        if map.sizing == Sizing::Exact && !map.name.starts_with('.') {
            words.push(format!("{}={}", map.name, map.max_entries));
        }
    }
    Ok(Packed { pack: container(&sections)?, words, optional })
}

/// What libbpf must be told of a place that the section's name may not say: the tools' own programs set it by hand.
fn target(attach: &Attach<'_>) -> Option<String> {
    match *attach {
        Attach::Kprobe { symbol, offset: 0, .. } => Some(symbol.to_owned()),
        Attach::Trace { name, .. } => Some(name.to_owned()),
        Attach::Uprobe { path, symbol, offset: 0, .. } if !path.is_empty() => {
            Some(format!("{path}:{symbol}"))
        }
        _ => None,
    }
}
