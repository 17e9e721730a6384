//! Which programs a target loads: the manifest's alternatives, what is disabled, what is optional.
//!
//! What a manifest says is the same for every kernel. Of a kernel whose types and configuration are at hand it is known what
//! it cannot attach at all ([`on`]); of what is left of a group of alternatives the device takes the first set that it can
//! attach, since much else decides: a trampoline for the architecture, the options of ftrace, what the compiler inlined.

use super::absent::{self, Sure};
use super::collect::Collected;
use super::varying::fitted;
use super::{Kernel, attach_ids, kconfig, map_plan, registers};
use crate::exit::Failure;
use crate::kconfig::Presence;
use crate::manifest::{self, Manifest};
use anyhow::{Context, Result, ensure};
use corelet_core::limits::{MAX_ALTERNATIVES, MAX_SETS};
use corelet_core::object::{Object, Referent};
use corelet_core::pack::{Arch, Attach, Decision, Map, MapFate, SkipReason};
use corelet_core::relo::TargetTypes;
use std::collections::BTreeMap;

/// Whether this version's loader can attach a program. The rest is refused on the PC, where it can be mended.
fn attachable(attach: &Attach<'_>) -> bool {
    !matches!(attach, Attach::Other { .. })
}

/// Why a program that is not [`attachable`] is refused.
const LOADER: &str = "this version's loader does not attach it";
/// The same of a name that three ways of attaching share.
const SK_SKB: &str = "the name leaves open how it is attached: say so in the manifest, attach = \"sk_skb/stream_verdict\", \
                      \"sk_skb/stream_parser\" or \"sk_skb/verdict\"";

/// Which programs are loaded, by function, and whether the device may do without each.
pub(super) fn presence(c: &Collected<'_>, decisions: &[Decision]) -> BTreeMap<u32, Presence> {
    let programs = c.programs.iter().zip(decisions);
    programs
        .filter_map(|(&(function, _), decision)| match decision {
            Decision::Load => Some((function, Presence::Needed)),
            // one that is not taken may want what the kernel lacks
            Decision::IfPresent | Decision::OneOf { .. } => Some((function, Presence::Optional)),
            Decision::Skip(_) => None,
        })
        .collect()
}

/// The same for an object that need not be packed: as planned where it can be, else every program that is loaded unless
/// something says otherwise.
pub fn decisions(object: Object<'_>, manifest: &Manifest) -> BTreeMap<u32, Presence> {
    let planned = fitted(&object, manifest).and_then(|manifest| {
        let c = Collected::new(object, &manifest)?;
        Ok(presence(&c, &plan(&c, &manifest)?))
    });
    planned.unwrap_or_else(|_| {
        let entries = object.functions().filter(|f| f.entry && f.autoload);
        let wanted = entries.filter_map(|f| match manifest.programs.get(f.name).map(|p| p.presence) {
            Some(manifest::Presence::Disabled) => None,
            Some(manifest::Presence::Optional) => Some((f.index, Presence::Optional)),
            Some(manifest::Presence::Needed) | None => Some((f.index, Presence::Needed)),
        });
        wanted.collect()
    })
}

/// The decision for each program, in the order of [`Collected::programs`].
///
/// # Errors
/// The manifest names a program that is not there, no alternative can be attached by this version's loader, or a program that
/// is to be loaded cannot be.
pub(super) fn plan(c: &Collected<'_>, manifest: &Manifest) -> Result<Vec<Decision>> {
    let name = |i: usize| c.functions[c.programs[i].0 as usize].name;
    let find = |wanted: &str| {
        let found: Vec<usize> = (0..c.programs.len()).filter(|&i| name(i) == wanted).collect();
        ensure!(
            !found.is_empty(),
            "{}: the manifest names program `{wanted}`, which the object does not have (it has {})",
            manifest.file,
            (0..c.programs.len()).map(name).collect::<Vec<_>>().join(", ")
        );
        Ok(found)
    };
    let mut decisions: Vec<Decision> = (c.programs.iter())
        .map(|&(f, _)| match c.functions[f as usize].autoload {
            true => Decision::Load,
            false => Decision::Skip(SkipReason::NoAutoload),
        })
        .collect();
    for (group_number, group) in manifest.alternatives.iter().enumerate() {
        let all = |set: &Vec<String>| Ok(set.iter().map(|n| find(n)).collect::<Result<Vec<_>>>()?.concat());
        let sets = group.sets.iter().map(all).collect::<Result<Vec<_>>>()?;
        let number = u16::try_from(group_number).ok().filter(|n| usize::from(*n) < MAX_ALTERNATIVES);
        let group_number = number.with_context(|| {
            format!("{}: more than {MAX_ALTERNATIVES} groups of alternatives", manifest.file)
        })?;
        ensure!(
            sets.len() <= usize::from(MAX_SETS),
            "{}: more than {MAX_SETS} sets in a group of alternatives",
            manifest.file
        );
        for (set_number, set) in (0..).zip(&sets) {
            for &i in set {
                decisions[i] = Decision::OneOf { group: group_number, set: set_number };
            }
        }
    }
    for (wanted, program) in &manifest.programs {
        for i in find(wanted)? {
            match (program.presence, decisions[i]) {
                (manifest::Presence::Disabled, _) => decisions[i] = Decision::Skip(SkipReason::Disabled),
                (manifest::Presence::Optional, Decision::Load) => decisions[i] = Decision::IfPresent,
                _ => {}
            }
        }
    }
    let loader = |i: usize| match c.programs[i].1.attach {
        Attach::Other { section: "sk_skb" } => Some(SK_SKB.to_owned()),
        attach => (!attachable(&attach)).then(|| LOADER.to_owned()),
    };
    narrow(c, &mut decisions, &loader, true)?;
    Ok(decisions)
}

/// The decisions on one kernel, where it shows that it cannot attach some of the alternatives.
///
/// # Errors
/// No alternative is left, or it cannot attach a program that is to be loaded.
pub(super) fn on(
    c: &Collected<'_>,
    decisions: &[Decision],
    maps: &[Map<'_>],
    kernel: &Kernel<'_>,
    compiled_for: Option<Arch>,
) -> Result<Vec<Decision>> {
    let mut decisions = decisions.to_vec();
    let mut why = Vec::new();
    for (i, decision) in decisions.iter().enumerate() {
        why.push(match decision {
            Decision::Skip(_) => None,
            _ => impossible(c, i, kernel)?,
        });
    }
    refer_to_what_is_there(c, &decisions, maps, kernel, &mut why);
    let others = registers::of_another(c, kernel.arch, compiled_for)?;
    give_way(&decisions, &mut why, |i| others.get(&c.programs[i].0).cloned());
    narrow(c, &mut decisions, &|i| why[i].clone(), false)?;
    Ok(decisions)
}

/// Gives alternatives that use a map which the kernel cannot create a reason against them, where others do without: the use may be
/// in a branch that is not taken, so it is none by itself.
fn refer_to_what_is_there(
    c: &Collected<'_>,
    decisions: &[Decision],
    maps: &[Map<'_>],
    kernel: &Kernel<'_>,
    why: &mut [Option<String>],
) {
    let version = kconfig::kernel_version(kernel.release, kernel.version).ok();
    let fates = map_plan::plan(maps, kernel.types.btf(), version);
    let absent = |map: u32| fates.iter().any(|f| u32::from(f.map) == map && f.fate == MapFate::Absent);
    let lack = |program: usize| {
        let functions = c.functions_of(std::iter::once(program));
        c.references.iter().filter(|r| functions.contains(&r.function)).find_map(|r| match r.to {
            Referent::Map { map } if absent(map) => {
                Some(format!("the kernel has no maps of the type of {}", maps[map as usize].name))
            }
            _ => None,
        })
    };
    give_way(decisions, why, lack);
}

/// Gives alternatives of which `lack` tells something a reason against them, where others do without.
fn give_way(decisions: &[Decision], why: &mut [Option<String>], lack: impl Fn(usize) -> Option<String>) {
    for sets in groups(decisions).into_values() {
        if sets.values().any(|set| set.iter().all(|&i| why[i].is_none() && lack(i).is_none())) {
            for i in sets.into_values().flatten() {
                why[i] = why[i].take().or_else(|| lack(i));
            }
        }
    }
}

/// The programs of each set of each group of alternatives.
fn groups(decisions: &[Decision]) -> BTreeMap<u16, BTreeMap<u16, Vec<usize>>> {
    let mut groups: BTreeMap<u16, BTreeMap<u16, Vec<usize>>> = BTreeMap::new();
    for (i, decision) in decisions.iter().enumerate() {
        if let Decision::OneOf { group, set } = *decision {
            groups.entry(group).or_default().entry(set).or_default().push(i);
        }
    }
    groups
}

/// Why the kernel cannot load or attach program number `i`; `None` where only trying tells.
fn impossible(c: &Collected<'_>, i: usize, kernel: &Kernel<'_>) -> Result<Option<String>> {
    let sec = &c.programs[i].1;
    if let Some(why) = attach_ids::impossible(sec, kernel) {
        return Ok(Some(why));
    }
    let lacks = absent::of_attachment(sec, kernel).into_iter().chain(absent::of_references(c, i, kernel)?);
    let mut certain = lacks.filter(|(sure, _)| *sure == Sure::Certain);
    Ok(certain.next().map(|(_, lack)| format!("the kernel {lack}")))
}

/// What the kernel's types do not show of what must be there, each in words: of programs that are loaded, and of alternatives
/// where each of them lacks something.
pub(super) fn doubts(c: &Collected<'_>, decisions: &[Decision], kernel: &Kernel<'_>) -> Result<Vec<String>> {
    let mut doubts = Vec::new();
    let mut groups: BTreeMap<u16, BTreeMap<u16, Vec<String>>> = BTreeMap::new();
    for (i, decision) in decisions.iter().enumerate() {
        let into = match *decision {
            Decision::Load => &mut doubts,
            Decision::OneOf { group, set } => groups.entry(group).or_default().entry(set).or_default(),
            Decision::IfPresent | Decision::Skip(_) => continue,
        };
        let lacks = absent::of_attachment(&c.programs[i].1, kernel).into_iter();
        for (_, lack) in lacks.chain(absent::of_references(c, i, kernel)?) {
            into.push(shown(c, i, &format!("the kernel {lack}")));
        }
    }
    let without = groups.into_values().filter(|sets| sets.values().all(|lacks| !lacks.is_empty()));
    doubts.extend(without.flat_map(|sets| sets.into_values().flatten()));
    Ok(doubts)
}

/// A reason with the program that it is of.
fn shown(c: &Collected<'_>, i: usize, why: &str) -> String {
    let function = &c.functions[c.programs[i].0 as usize];
    format!("{} (SEC(\"{}\")): {why}", function.name, function.section_name)
}

/// Takes away the alternatives of which `why` tells that they cannot be attached, and refuses other programs for that reason:
/// optional ones only where `optional` says so, since the device leaves them out by itself.
fn narrow(
    c: &Collected<'_>,
    decisions: &mut [Decision],
    why: &dyn Fn(usize) -> Option<String>,
    optional: bool,
) -> Result<()> {
    for sets in groups(decisions).values() {
        let cannot = |set: &Vec<usize>| set.iter().find_map(|&i| why(i).map(|why| shown(c, i, &why)));
        let (left, out): (Vec<_>, Vec<_>) =
            sets.values().map(|set| (set, cannot(set))).partition(|s| s.1.is_none());
        if left.is_empty() {
            let reasons: Vec<String> = out.into_iter().filter_map(|(_, why)| why).collect();
            return Err(Failure::not_portable(format!(
                "none of the alternatives can be attached: {}",
                reasons.join("; ")
            )));
        }
        for &i in out.iter().flat_map(|(set, _)| *set) {
            decisions[i] = Decision::Skip(SkipReason::Alternative);
        }
        if let [(set, _)] = left[..] {
            for &i in set {
                decisions[i] = Decision::Load;
            }
        }
    }
    let asked = |d: &Decision| *d == Decision::Load || (optional && *d == Decision::IfPresent);
    let refused: Vec<String> = (decisions.iter().enumerate())
        .filter(|(_, d)| asked(d))
        .filter_map(|(i, _)| why(i).map(|why| shown(c, i, &why)))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::not_portable(format!(
        "cannot attach {} of {} programs: {}; name alternatives in the manifest, or disable the programs",
        refused.len(),
        c.programs.len(),
        refused.join(", ")
    )))
}
