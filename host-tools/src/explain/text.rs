//! Explanations as text: for each source line the relocations of its instructions.

use super::{Candidate, Explanation};
use crate::relocate::{Program, Relocation, Verdict};
use corelet_core::relo::ReloKind;
use std::fmt::{Result, Write};

/// Writes one program's relocations, those for which `chosen` says so; nothing where there are none.
///
/// # Errors
/// `out` takes no more.
pub fn write(
    out: &mut dyn Write,
    program: &Program,
    explanations: &[Explanation],
    chosen: &dyn Fn(&Relocation) -> bool,
) -> Result {
    let mut header = Some((program, &program.section));
    let mut line_at = None;
    for (r, e) in program.relocations.iter().zip(explanations).filter(|(r, _)| chosen(r)) {
        if let Some((program, section)) = header.take() {
            let insns = program.insns.bytes.len() / corelet_core::insn::INSN_SIZE;
            writeln!(out, "{} ({section}, {insns} insns)", program.name)?;
        }
        if line_at != Some((&r.source, &e.line)) {
            match &r.source {
                Some(source) if e.line.is_empty() => writeln!(out, "\n  {source}")?,
                Some(source) => writeln!(out, "\n  {source}: {}", e.line)?,
                None => writeln!(out, "\n  unknown source line")?,
            }
        }
        line_at = Some((&r.source, &e.line));
        relocation(out, r, e)?;
    }
    if header.is_none() {
        writeln!(out)?;
    }
    Ok(())
}

fn relocation(out: &mut dyn Write, r: &Relocation, e: &Explanation) -> Result {
    writeln!(out, "    {}", e.access)?;
    writeln!(out, "      relo #{}: insn #{} <{}> {}", r.index, r.insn, r.kind, r.spec)?;
    if let Some(target_spec) = &r.target_spec {
        writeln!(out, "      target:  {target_spec}")?;
    }
    match (&e.local, &e.target) {
        (Some(local), Some(target)) => writeln!(out, "      local {local} -> target {target}")?,
        (Some(local), None) => writeln!(out, "      local {local}")?,
        _ => {}
    }
    if r.kind != ReloKind::TypeIdLocal.name() {
        candidates(out, &e.candidates)?;
    }
    let verdict = match r.outcome {
        Verdict::Patched if e.before == e.after => " (the same)",
        Verdict::Patched => "",
        Verdict::Poisoned => " (poisoned)",
        Verdict::Failed => " (FAILED: as it was)",
    };
    writeln!(out, "      before:  {}", e.before)?;
    writeln!(out, "      after:   {}{verdict}", e.after)?;
    if let Some(reason) = &r.reason {
        writeln!(out, "      {reason}")?;
    }
    Ok(())
}

/// Nothing where there is one that fits: the line of the target has named it.
fn candidates(out: &mut dyn Write, candidates: &[Candidate]) -> Result {
    match candidates {
        [] => return writeln!(out, "      candidates: none"),
        [one] if one.fits => return Ok(()),
        _ => writeln!(out, "      candidates:")?,
    }
    let width = candidates.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for c in candidates {
        write!(out, "        {:>8} {:width$}  ", format!("[{}]", c.id), c.name)?;
        match (&c.dropped, c.value) {
            (Some(why), _) => writeln!(out, "dropped: {why}")?,
            (None, Some(value)) => writeln!(out, "fits, gives {value}")?,
            (None, None) => writeln!(out, "fits")?,
        }
    }
    Ok(())
}
