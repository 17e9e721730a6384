//! Relocation through converted types must give what relocation through the kernel's own gives, where a kernel has both.
//!
//! The two number their types differently, so an instruction that takes the kernel's id of a type is left out and counted.

use crate::oracle::Named;
use anyhow::{Context, Result};
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::relo::ReloKind;
use corelet_host_tools::relocate::{Program, Relocation, relocate, type_count};
use corelet_host_tools::subset::KernelTypes;

/// What comparing came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Objects.
    pub objects: usize,
    /// Relocations that are the same.
    pub relocations: usize,
    /// Instructions that are the same.
    pub insns: usize,
    /// Relocations that were left out since they take an id.
    pub ids: usize,
    /// What is not the same.
    pub differences: Vec<String>,
}

/// Relocates all `objects` both ways.
///
/// # Errors
/// An object that cannot be read.
pub fn compare(objects: &[Named], own: &KernelTypes<'_>, converted: &KernelTypes<'_>) -> Result<Outcome> {
    let mut out = Outcome::default();
    for (name, bytes) in objects {
        let mut index = vec![0; type_count(bytes).with_context(|| name.clone())?];
        let object = Object::parse(bytes, &mut index).with_context(|| name.clone())?;
        let programs = [own, converted].map(|types| relocate(&object, types, &|_| true));
        let [own, converted] = programs;
        for (own, converted) in own?.iter().zip(&converted?) {
            out.program(name, own, converted);
        }
        out.objects += 1;
    }
    Ok(out)
}

impl Outcome {
    fn program(&mut self, object: &str, own: &Program, converted: &Program) {
        let mut left_out = Vec::new();
        for (a, b) in own.relocations.iter().zip(&converted.relocations) {
            if a.kind == ReloKind::TypeIdTarget.name() {
                self.ids += 1;
                // an ldimm64 has two
                left_out.extend([a.insn, a.insn + 1]);
                continue;
            }
            let what = |r: &Relocation| (r.outcome, r.new, r.mem_sz);
            if what(a) == what(b) {
                self.relocations += 1;
            } else {
                let (own, name) = (what(a), &own.name);
                self.differences.push(format!(
                    "{object}: {name} relo #{} {}: {:?} with converted types, {own:?} with the kernel's own; {}",
                    a.index,
                    a.spec,
                    what(b),
                    b.reason.as_deref().unwrap_or_default()
                ));
            }
        }
        let insns = own.insns.bytes.chunks(INSN_SIZE).zip(converted.insns.bytes.chunks(INSN_SIZE));
        for (at, _) in (0u32..).zip(insns).filter(|(at, (a, b))| a != b && !left_out.contains(at)) {
            self.differences.push(format!("{object}: {} insn #{at} is another", own.name));
        }
        self.insns += own.insns.bytes.len() / INSN_SIZE - left_out.len();
    }
}
