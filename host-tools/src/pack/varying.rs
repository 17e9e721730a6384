//! A manifest for one version of a tool: without what it says of programs, maps and variables that this version does not
//! have. Which may be missing the manifest itself says ([`Manifest::varying`]); any other name must be there.

use crate::manifest::{Manifest, ResultFrom};
use anyhow::{Context, Result};
use corelet_core::object::Object;
use std::collections::BTreeSet;

/// `manifest` as it is for `object`. A set of alternatives that misses a program is no choice; a group without one is none.
///
/// # Errors
/// The object's maps or variables cannot be read.
pub(super) fn fitted(object: &Object<'_>, manifest: &Manifest) -> Result<Manifest> {
    let mut fitted = manifest.clone();
    if manifest.varying.is_empty() {
        return Ok(fitted);
    }
    let mut there: BTreeSet<&str> = object.functions().filter(|f| f.entry).map(|f| f.name).collect();
    for map in object.maps() {
        there.insert(map.context("section .maps")?.name);
    }
    for section in object.data_sections() {
        let section = section?;
        for variable in object.variables(&section) {
            there.insert(variable.with_context(|| format!("section {}", section.name))?.name);
        }
    }
    let has = |name: &String| there.contains(name.as_str()) || !manifest.varying.contains(name);
    fitted.programs.retain(|name, _| has(name));
    fitted.maps.retain(|name, _| has(name));
    fitted.variables.retain(|name, _| has(name));
    fitted.results.retain(|r| match &r.from {
        ResultFrom::Map(name) | ResultFrom::Variable(name) => has(name),
    });
    for group in &mut fitted.alternatives {
        group.sets.retain(|set| set.iter().all(has));
    }
    fitted.alternatives.retain(|group| !group.sets.is_empty());
    Ok(fitted)
}
