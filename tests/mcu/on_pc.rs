//! What the PC computes for a pack, to hold what a microcontroller says against.

use super::Said;
use anyhow::{Context, Result, bail};
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::pack::{Choice, Crc, Decision, Function, Program, Relo, Subset, Target, section};
use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch};
use corelet_core::{Endian, TypeId};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::pack::{File, Kernel, relocation_bytes};
use corelet_host_tools::relocate::{Verdict, relocate, type_count};

/// What must come of an object on the kernel of target number `number`: relocated against all of its types.
///
/// # Errors
/// The pack does not read back, or a relocation fails.
pub(super) fn from_whole(object: &[u8], kernel: &Kernel<'_>, pack: &File<'_>, number: u16) -> Result<Said> {
    let chosen = chosen(pack, number)?;
    let mut index = vec![0; type_count(object)?];
    let object = Object::parse(object, &mut index)?;
    let functions = relocate(&object, kernel.types, &|f| chosen.contains(&f))?;
    let mut said = Said { work: work(pack, number)?, ..Said::default() };
    let mut digest = Crc::new();
    for (_, f) in (0..).zip(&functions).filter(|(number, _)| chosen.contains(number)) {
        digest.update(&f.insns.bytes);
        said.insns += (f.insns.bytes.len() / INSN_SIZE) as u64;
        for r in &f.relocations {
            match r.outcome {
                Verdict::Patched => said.patched += 1,
                Verdict::Poisoned => said.poisoned += 1,
                Verdict::Failed => bail!("{}: a relocation fails", f.name),
            }
        }
    }
    said.digest = digest.finish().into();
    Ok(said)
}

/// What must come of a pack that others built, for its target number `number`: relocated through its subset, with room for
/// every access string.
///
/// # Errors
/// As [`from_whole`].
pub(super) fn from_pack(pack: &File<'_>, number: u16) -> Result<Said> {
    let chosen = chosen(pack, number)?;
    let target: Target<'_> = pack.record(section::TARGET, number)?;
    let endian = if target.big_endian { Endian::Big } else { Endian::Little };
    let functions: Vec<Function<'_>> = pack.records(section::FUNCTIONS, 0)?;
    let relos: Vec<Relo> = pack.records(section::RELOS, 0)?;
    let range = |f: u16| {
        let f = &functions[usize::from(f)];
        f.start as usize * INSN_SIZE..(f.start + f.count) as usize * INSN_SIZE
    };
    let local = OwnedBtf::from_bytes(pack.section(section::BTF, 0)?.to_vec())?;
    let subset = OwnedBtf::from_bytes(pack.section(section::SUBSET, number)?.to_vec())?;
    let subset = subset.with_pointer_size(target.pointer_size);
    let mut lists = vec![CandList::default(); relos.len()];
    let mut ids = vec![TypeId::VOID; relos.len() * subset.view().id_end() as usize];
    let mut relocator = Relocator {
        local: &local.view(),
        target: &Subset::new(subset.view(), pack.section(section::IDS, number)?),
        cands: Cands::new(&mut lists, &mut ids),
        scratch: &mut Scratch::default(),
    };
    let mut insns = pack.section(section::INSNS, 0)?.to_vec();
    let mut said = Said { work: work(pack, number)?, ..Said::default() };
    for r in relos.iter().filter(|r| chosen.contains(&r.function.into())) {
        let kind = ReloKind::from_number(r.kind.into())?;
        let relo = CoreRelo { insn: r.insn, type_id: r.type_id, access_str_off: r.access_str_off, kind };
        match relocator.relocate(&relo, &mut insns[range(r.function)], endian, &mut ())? {
            Outcome::Patched { .. } => said.patched += 1,
            Outcome::Poisoned(_) => said.poisoned += 1,
        }
    }
    let mut digest = Crc::new();
    for f in (0..).take(functions.len()).filter(|f| chosen.contains(&u32::from(*f))) {
        digest.update(&insns[range(f)]);
        said.insns += u64::from(functions[usize::from(f)].count);
    }
    said.digest = digest.finish().into();
    Ok(said)
}

/// The functions of the programs that the plan of target `number` does not leave out.
fn chosen(pack: &File<'_>, number: u16) -> Result<Vec<u32>> {
    let plan: Vec<Choice> = pack.records(section::PLAN, number)?;
    let mut chosen = Vec::new();
    for (program, p) in (0u16..).zip(pack.records::<Program<'_>>(section::PROGRAMS, 0)?) {
        if !plan.iter().any(|c| c.program == program && matches!(c.decision, Decision::Skip(_))) {
            chosen.extend([p.function].into_iter().chain(p.subprograms()).map(u32::from));
        }
    }
    Ok(chosen)
}

fn work(pack: &File<'_>, number: u16) -> Result<u64> {
    Ok(relocation_bytes(pack, number)?.context("the target's object is in another file")? as u64)
}
