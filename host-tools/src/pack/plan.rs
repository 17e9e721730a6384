//! Which programs a target loads: the manifest's alternatives, what is disabled, what is optional.

use super::collect::Collected;
use super::varying::fitted;
use crate::exit::Failure;
use crate::kconfig::Presence;
use crate::manifest::{self, Manifest};
use anyhow::{Result, ensure};
use corelet_core::object::Object;
use corelet_core::pack::{Attach, Decision, SkipReason};
use std::collections::BTreeMap;

/// Whether this version's loader can attach a program. The rest is refused on the PC, where it can be mended.
fn attachable(attach: &Attach<'_>) -> bool {
    matches!(
        attach,
        Attach::None | Attach::Kprobe { .. } | Attach::Tracepoint { .. } | Attach::RawTracepoint { .. }
    )
}

/// Which programs are loaded, by function, and whether the device may do without each.
pub(super) fn presence(c: &Collected<'_>, decisions: &[Decision]) -> BTreeMap<u32, Presence> {
    let programs = c.programs.iter().zip(decisions);
    programs
        .filter_map(|(&(function, _), decision)| match decision {
            Decision::Load => Some((function, Presence::Needed)),
            Decision::IfPresent => Some((function, Presence::Optional)),
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
/// The manifest names a program that is not there, no alternative can be attached, or a program that is to be loaded
/// cannot be attached.
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
    for group in &manifest.alternatives {
        let all = |set: &Vec<String>| Ok(set.iter().map(|n| find(n)).collect::<Result<Vec<_>>>()?.concat());
        let sets = group.sets.iter().map(all).collect::<Result<Vec<_>>>()?;
        let fits = |set: &&Vec<usize>| set.iter().all(|&i| attachable(&c.programs[i].1.attach));
        let Some(taken) = sets.iter().find(fits) else {
            let sets: Vec<_> = group.sets.iter().map(|s| s.join(", ")).collect();
            return Err(Failure::not_portable(format!(
                "none of the alternatives [{}] can be attached by this version's loader",
                sets.join("] or [")
            )));
        };
        for &i in sets.iter().flatten() {
            decisions[i] =
                if taken.contains(&i) { Decision::Load } else { Decision::Skip(SkipReason::Alternative) };
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
    let refused: Vec<String> = (decisions.iter().zip(&c.programs).enumerate())
        .filter(|(_, (d, (_, sec)))| !matches!(d, Decision::Skip(_)) && !attachable(&sec.attach))
        .map(|(i, (_, &(f, _)))| format!("{} (SEC(\"{}\"))", name(i), c.functions[f as usize].section_name))
        .collect();
    if refused.is_empty() {
        return Ok(decisions);
    }
    Err(Failure::not_portable(format!(
        "this version's loader cannot attach {} of {} programs: {}; it has tracepoints, raw tracepoints, kprobes and \
         kretprobes: name alternatives in the manifest, or disable the programs",
        refused.len(),
        c.programs.len(),
        refused.join(", ")
    )))
}
