//! One object of the pack: the target of the kernel that its programs are for, and relocation against it.
//!
//! All sections are used where they lie in flash; of the instructions a copy in RAM is patched in place.

use crate::Stop;
use crate::memory::Arena;
use corelet_core::btf::Btf;
use corelet_core::insn::INSN_SIZE;
use corelet_core::limits::SMALL_SPEC_LEN;
use corelet_core::pack::{
    Choice, Crc, Decision, Function, Header, Object, Program, Records, Relo, Subset, Table, Target, Wire,
    candidates, section,
};
use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch};
use corelet_core::{Endian, Error, Needed, TypeId};

/// The pack in flash.
#[derive(Clone, Copy)]
pub(crate) struct Pack<'f> {
    flash: &'f [u8],
    table: Table<'f>,
}

/// What became of an object.
pub(crate) struct Done {
    /// Relocations that were patched, and poisoned.
    pub(crate) patched: u32,
    pub(crate) poisoned: u32,
    /// Instructions of the programs that are loaded and their subprograms, and their CRC-32 (as the pack's) in the order of
    /// the pack.
    pub(crate) insns: u32,
    pub(crate) digest: u32,
    /// Bytes of the work area.
    pub(crate) work: usize,
}

impl<'f> Pack<'f> {
    /// Checks what `flash` begins with: header, section table, the checksum of every section.
    pub(crate) fn open(flash: &'f [u8]) -> Result<Pack<'f>, Stop> {
        let header = Header::parse(flash)?;
        let pack = Pack { flash, table: Table::parse(flash, header.file_len.into())? };
        for e in pack.table.entries() {
            pack.section(e.id, e.owner)?;
        }
        Ok(pack)
    }

    /// Numbers of the objects or targets that have a section `id`.
    pub(crate) fn owners(&self, id: u16) -> impl Iterator<Item = u16> + use<'f> {
        self.table.entries().filter(move |e| e.id == id).map(|e| e.owner)
    }

    /// The one record of a section.
    pub(crate) fn record<T: Wire<'f>>(&self, id: u16, owner: u16) -> Result<T, Stop> {
        Ok(self.records(id, owner)?.at(0)?)
    }

    fn records<T: Wire<'f>>(&self, id: u16, owner: u16) -> Result<Records<'f, T>, Stop> {
        Ok(Records::new(self.section(id, owner)?, id))
    }

    #[inline(never)]
    fn section(&self, id: u16, owner: u16) -> Result<&'f [u8], Stop> {
        Ok(self.table.section(self.flash, id, owner)?)
    }

    /// The target of `object` for the kernel of this build id.
    fn target(&self, object: &Object<'_>, build_id: &[u8]) -> Result<(u16, Target<'f>), Stop> {
        for owner in self.owners(section::TARGET) {
            let target: Target<'f> = self.record(section::TARGET, owner)?;
            if target.object == object.digest && !target.build_id.is_empty() && target.build_id == build_id {
                return Ok((owner, target));
            }
        }
        Err(Stop::NoTarget)
    }

    /// Relocates object number `owner` for the kernel of this build id, all in `memory`; `tell` hears of each relocation
    /// that is not patched, and what became of it.
    pub(crate) fn relocate(
        &self,
        owner: u16,
        object: &Object<'_>,
        build_id: &[u8],
        memory: &mut [u8],
        tell: &mut dyn FnMut(&str, &Relo, &str),
    ) -> Result<Done, Stop> {
        let (number, target) = self.target(object, build_id)?;
        let endian = if target.big_endian { Endian::Big } else { Endian::Little };
        let mut arena = Arena::new(memory);
        let arena = &mut arena;
        let functions = self.records::<Function<'_>>(section::FUNCTIONS, owner)?;
        let relos = self.records::<Relo>(section::RELOS, owner)?;
        let used = self.used(owner, number, arena.take(functions.clone().count(), false)?)?;
        let flash = self.section(section::INSNS, owner)?;
        let insns = arena.take(flash.len(), 0)?;
        insns.iter_mut().zip(flash).for_each(|(to, from)| *to = *from);

        let local = parse(self.section(section::BTF, owner)?, arena)?;
        let types = self.section(section::SUBSET, number)?;
        if types.is_empty() && relos.clone().next().is_some() {
            return Err(Error::NoSection { what: Needed::Subset }.into());
        }
        let mut done = Done { patched: 0, poisoned: 0, insns: 0, digest: 0, work: 0 };
        if !types.is_empty() {
            let types = parse(types, arena)?.with_pointer_size(target.pointer_size);
            let subset = Subset::new(types, self.section(section::IDS, number)?);
            let seen = arena.take(local.id_end().saturating_sub(1) as usize / 8 + 1, 0)?;
            let (lists, ids) = candidates(&local, &subset, relos.clone(), seen)?;
            let lists = arena.take(lists, CandList::default())?;
            let ids = arena.take(ids, TypeId::VOID)?;
            let scratch = arena.one(Scratch::<SMALL_SPEC_LEN>::new())?;
            let mut relocator =
                Relocator { local: &local, target: &subset, cands: Cands::new(lists, ids), scratch };
            for relo in relos {
                let relo = relo?;
                if used.get(usize::from(relo.function)) != Some(&true) {
                    continue;
                }
                let function = functions.clone().at(relo.function)?;
                let record = CoreRelo {
                    insn: relo.insn,
                    type_id: relo.type_id,
                    access_str_off: relo.access_str_off,
                    kind: ReloKind::from_number(relo.kind.into())?,
                };
                let insns = of_function(insns, &function)?;
                match relocator.relocate(&record, insns, endian, &mut ()) {
                    Ok(Outcome::Patched { .. }) => done.patched += 1,
                    Ok(Outcome::Poisoned(_)) => {
                        done.poisoned += 1;
                        tell(
                            function.name,
                            &relo,
                            ": poisoned, which is right where the program checks first\n",
                        );
                    }
                    Err(e) => {
                        tell(function.name, &relo, ": relocation failed: ");
                        return Err(e.into());
                    }
                }
            }
        }
        let mut digest = Crc::new();
        for (function, _) in functions.zip(used.iter()).filter(|(_, used)| **used) {
            let insns = of_function(insns, &function?)?;
            digest.update(insns);
            done.insns += (insns.len() / INSN_SIZE) as u32;
        }
        done.digest = digest.finish();
        done.work = arena.taken();
        Ok(done)
    }

    /// Marks the functions of all programs but those that the plan leaves out.
    #[inline(never)] // its frame is gone when relocation begins
    fn used<'u>(&self, owner: u16, target: u16, used: &'u mut [bool]) -> Result<&'u [bool], Stop> {
        let plan = self.records::<Choice>(section::PLAN, target)?;
        for (number, program) in (0u16..).zip(self.records::<Program<'_>>(section::PROGRAMS, owner)?) {
            let program = program?;
            let skipped = |c: Choice| c.program == number && matches!(c.decision, Decision::Skip(_));
            if plan.clone().flatten().any(skipped) {
                continue;
            }
            for function in core::iter::once(program.function).chain(program.subprograms()) {
                if let Some(used) = used.get_mut(usize::from(function)) {
                    *used = true;
                }
            }
        }
        Ok(used)
    }
}

#[inline(never)]
fn parse<'a>(blob: &'a [u8], arena: &mut Arena<'a>) -> Result<Btf<'a>, Stop> {
    let index = arena.take(Btf::count(blob)?, 0u32)?;
    Ok(Btf::parse(blob, index)?)
}

/// The instructions of a function.
fn of_function<'i>(insns: &'i mut [u8], f: &Function<'_>) -> Result<&'i mut [u8], Stop> {
    let start = (f.start as usize).saturating_mul(INSN_SIZE);
    let len = (f.count as usize).saturating_mul(INSN_SIZE);
    let insns = insns.get_mut(start..).and_then(|i| i.get_mut(..len));
    insns.ok_or(Stop::Bad(Error::NoSuchInsn { insn: f.start }))
}
