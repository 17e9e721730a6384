//! The sections of one object on one kernel, and the proof that the device will compute what the PC did.

use super::collect::Collected;
use super::kconfig;
use super::modules::Looked;
use super::object::Maps;
use super::reached;
use super::reads::{Reads, WideRead};
use super::types::PackTypes;
use super::write::Section;
use super::{
    Kernel, TypeIds, absent, attach_ids, devices, jit, map_plan, memory, patches, plan, read_back, registers,
    sanitize, struct_ops,
};
use crate::exit::Failure;
use crate::kconfig::{Answer, needs};
use crate::relocate::{Program, Relocation, Verdict, watched};
use crate::subset::{self, Subset};
use anyhow::{Context, Result, ensure};
use corelet_core::btf::names;
use corelet_core::insn::INSN_SIZE;
use corelet_core::link::old_helpers;
use corelet_core::object::Function;
use corelet_core::pack::{
    self, Arch, Choice, Decision, Formula, KernelId, MapFate, Memory, Printed, Printing, Records, Sizes,
    Target, section,
};
use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch, TargetTypes};
use corelet_core::{Endian, TypeId};
use std::collections::{BTreeMap, BTreeSet};

/// What became of an object on a kernel.
#[derive(Debug)]
pub struct TargetReport {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`; empty where it is not known.
    pub version: String,
    /// Architecture.
    pub arch: Arch,
    /// Build id; empty where it is not known.
    pub build_id: Vec<u8>,
    /// Name and build id of each module that has types of the subset.
    pub modules: Vec<(String, Vec<u8>)>,
    /// Bytes of all of the kernel's types.
    pub full_btf: usize,
    /// Bytes of the subset.
    pub subset: usize,
    /// Types in the subset.
    pub subset_types: usize,
    /// The programs that are loaded, optional ones included, and the decision on every other.
    pub decisions: Vec<(String, Decision)>,
    /// Relocations of the loaded programs that were patched.
    pub patched: usize,
    /// Those that were poisoned or failed, by function.
    pub unresolved: Vec<(String, Relocation)>,
    /// Options that the configuration does not set, in the words of [`crate::kconfig::Need::words`].
    pub lacking: Vec<String>,
    /// Calls of helpers that this kernel is too old for, in whose place the loader calls others.
    pub replaced_calls: usize,
    /// Whether the ids in the BTF at hand are the kernel's.
    pub type_ids: TypeIds,
    /// By function, the relocations that took ids which may not be the kernel's.
    pub foreign_ids: Vec<(String, Relocation)>,
    /// Reads of more bytes than a member has.
    pub wide_reads: Vec<WideRead>,
    /// Elements at variable indices of arrays whose elements have another size there, in words.
    pub strides: Vec<String>,
    /// Of the poisoned, those that the verifier comes to.
    pub unguarded: Vec<(String, Relocation)>,
    /// Reads of registers at the offset of an architecture that the object does not name, in words.
    pub registers: Vec<String>,
    /// Weak symbols and functions that the kernel itself has not, so that some module must or they are missing.
    pub absent: Vec<String>,
    /// What programs that must be loaded attach to or use, and the kernel's types do not show: each in words.
    pub doubts: Vec<String>,
    /// Programs that only the kernel's compiler can run, with the reason; and why it may be off.
    pub needs_jit: (Vec<String>, &'static str),
    /// By function, how programs of devices are attached on a kernel that is too old for links of them.
    pub older_ways: Vec<(String, String)>,
    /// Maps of types that the kernel lacks, and what becomes of them.
    pub map_fates: Vec<(String, MapFate)>,
    /// What it takes.
    pub memory: Memory,
}

impl TargetReport {
    /// Whether the programs can be loaded as far as relocation is concerned.
    pub fn portable(&self) -> bool {
        self.unresolved.iter().all(|(_, r)| r.outcome != Verdict::Failed)
    }
}

/// What the sections of a target are made of.
pub(super) struct Job<'x, 'o> {
    pub(super) owner: u16,
    pub(super) digest: [u8; 32],
    pub(super) c: &'x Collected<'o>,
    pub(super) types: &'x PackTypes,
    pub(super) maps: &'x Maps<'o>,
    pub(super) decisions: &'x [Decision],
    /// The modules that the manifest names.
    pub(super) modules: &'x [String],
    /// The architecture that it says the object was compiled for.
    pub(super) compiled_for: Option<Arch>,
    pub(super) object_sections: &'x [Section],
    pub(super) kernel: &'x Kernel<'x>,
}

impl Job<'_, '_> {
    /// All sections of the target, and what is to be said of it.
    pub(super) fn run(&self) -> Result<(Vec<Section>, TargetReport)> {
        let (c, kernel) = (self.c, self.kernel);
        ensure!(
            c.object.endian() == kernel.types.btf().endian(),
            "the object's byte order is not the kernel's: compile it with clang -target {}",
            if kernel.types.btf().endian() == Endian::Big { "bpfeb" } else { "bpfel" }
        );
        let loaded = |d: &Decision| !matches!(d, Decision::Skip(_));
        let chosen: BTreeSet<u32> =
            c.functions_of((0..self.decisions.len()).filter(|&i| loaded(&self.decisions[i])));
        self.refuse_unresolvable()?;
        let registers = registers::check(c, &chosen, kernel.arch, self.compiled_for)?;
        let lacking = self.refuse_switched_off()?;
        let relos: Vec<&CoreRelo> =
            c.relos.iter().filter(|(l, _)| chosen.contains(&l.function)).map(|(_, r)| r).collect();
        let looked = Looked::new(kernel, self.modules, c.object.btf(), &relos, &c.struct_ops)?;
        let full = looked.types.btf();
        let marks = subset::marks(c.object.btf(), looked.types, relos.into_iter());
        let subset = subset::write(full, &marks, false)?;
        let mut reads = Reads::new(*c.object.btf(), *full);
        let programs = watched(&c.object, looked.types, &|f| chosen.contains(&f), &mut reads)?;
        let kernel_ids = subset.kernel_ids.iter().map(|&(subset, id)| {
            let kernel = looked.types.kernel_id(id)?;
            Ok(KernelId { subset, kernel })
        });
        let ids = Section::records(section::IDS, self.owner, kernel_ids.collect::<Result<Vec<_>>>()?)?;
        let (sizes, patches) = self.prove_equal(&programs, &chosen, &subset, &ids.bytes)?;

        let target = Target {
            object: self.digest,
            build_id: kernel.build_id,
            release: kernel.release,
            version: kernel.version,
            arch: kernel.arch,
            pointer_size: full.pointer_size(),
            big_endian: full.endian() == Endian::Big,
        };
        let types = read_back(&self.types.bytes, 8)?;
        let version = kconfig::kernel_version(kernel.release, kernel.version).ok();
        let (sanitized, replaced_calls) = match version {
            Some(version) => (
                sanitize::sanitized(&types.view(), &self.types.bytes, version)?,
                self.replaced_calls(&chosen, version),
            ),
            // a release that says no version is of somebody's own making, and new
            None => (Vec::new(), 0),
        };
        let map_plan = map_plan::plan(&self.maps.maps, kernel.types.btf(), version);
        let choices = (0u16..).zip(self.decisions).filter(|(_, d)| **d != Decision::Load);
        let facts = kconfig::Facts {
            release: kernel.release,
            version: kernel.version,
            arch: kernel.arch,
            config: kernel.config,
            btf: kernel.types.btf(),
        };
        let configuration = kconfig::image(&c.externs, &facts, c.object.endian())?;
        let entries = c.programs.iter().zip(self.decisions).filter(|(_, d)| loaded(d)).map(|((f, _), _)| *f);
        let zero = absent::zero(c, &chosen, kernel)?;
        let known = reached::Known { kconfig: &configuration, zero: &zero };
        let reached = reached::reached(c, &programs, entries, &known);
        let mut sections = vec![
            Section::records(section::TARGET, self.owner, [target])?,
            Section::raw(section::SUBSET, self.owner, subset.bytes.clone()),
            ids,
            Section::raw(section::KCONFIG, self.owner, configuration),
            Section::records(
                section::PLAN,
                self.owner,
                choices.map(|(program, &decision)| Choice { program, decision }),
            )?,
            Section::raw(section::SANITIZED, self.owner, sanitized),
            Section::records(section::MAP_PLAN, self.owner, &map_plan)?,
            attach_ids::section(self.owner, c, self.decisions, kernel)?,
            patches,
        ];
        sections.extend(struct_ops::sections(self.owner, c, self.maps, self.decisions, kernel, &looked)?);
        let lengths = self.object_sections.iter().chain(&sections).map(|s| (s.id, s.bytes.len()));
        let maps = (0..).zip(&self.maps.maps).filter_map(|(n, m)| map_plan::applied(n, m, &map_plan));
        let maps = maps.map(|m| memory::of_map(&m));
        let inner = self.maps.inner.iter().map(|i| memory::of_map(&i.def));
        let loaded_programs = (0..self.decisions.len()).filter(|&i| loaded(&self.decisions[i]));
        let of_programs = loaded_programs.map(|i| {
            let functions: Vec<u32> = c.functions_of(std::iter::once(i)).into_iter().collect();
            memory::of_program(functions.iter().map(|&f| c.functions[f as usize].insn_count()))
        });
        let maps = maps.chain(inner).chain(of_programs).fold(Formula::default(), |a, b| a.plus(&b));
        let memory = Memory { work: pack::work(&sizes, lengths), maps };
        sections.push(Section::records(section::MEMORY, self.owner, [memory])?);
        sections.push(looked.section(self.owner)?);
        let mut report = self.report(&programs, &chosen, &subset, memory, &reached);
        report.absent = absent::weak(c, &chosen, kernel)?.into_iter().collect();
        report.doubts = plan::doubts(c, self.decisions, kernel)?;
        report.modules = looked.modules.iter().map(|m| (m.name.clone(), m.build_id.clone())).collect();
        report.lacking = lacking;
        report.replaced_calls = replaced_calls;
        let name = |map: u16| self.maps.maps[usize::from(map)].name.to_owned();
        report.map_fates = map_plan.iter().map(|c| (name(c.map), c.fate)).collect();
        report.wide_reads = reads.find(&programs);
        report.strides = reads.strides(&programs);
        let taken = c.programs.iter().zip(self.decisions).filter(|(_, d)| loaded(d));
        report.older_ways = taken
            .filter_map(|((f, sec), _)| {
                Some((c.functions[*f as usize].name.to_owned(), devices::older_way(sec, kernel)?))
            })
            .collect();
        report.registers = registers;
        if let Some(off) = jit::may_be_off(kernel.arch, kernel.config) {
            let programs = (0..self.decisions.len()).filter(|&i| loaded(&self.decisions[i]));
            report.needs_jit = (jit::needs(c, programs), off);
        }
        Ok((sections, report))
    }

    /// How many calls of helpers the loader replaces on a kernel of this version (`KERNEL_VERSION`).
    fn replaced_calls(&self, chosen: &BTreeSet<u32>, version: u32) -> usize {
        let (major, minor) = old_helpers::SINCE;
        if version >= major << 16 | minor << 8 {
            return 0;
        }
        let calls = |&f: &u32| {
            let mut insns = self.c.functions[f as usize].insns.to_vec();
            old_helpers::replace(&mut insns, self.c.object.endian())
        };
        chosen.iter().map(calls).sum()
    }

    /// Refuses a kernel whose configuration switches off what a program needs that must be loaded. Returns what it does not
    /// mention, as a part of one does not, and what only optional programs need, or calls behind conditions.
    fn refuse_switched_off(&self) -> Result<Vec<String>> {
        let Some(config) = self.kernel.config else { return Ok(Vec::new()) };
        let wanted = plan::presence(self.c, self.decisions);
        let mut lacking = Vec::new();
        for need in needs(&self.c.object, &|function| wanted.get(&function).copied())? {
            let words = || need.words("the object");
            match (need.answer(config), need.is_required()) {
                (Answer::Set | Answer::Module, _) => {}
                // said with the extern, where its value is looked up
                (Answer::Off | Answer::Absent, _) if need.since.is_empty() => {}
                (Answer::Off, true) => {
                    return Err(Failure::not_portable(format!(
                        "the kernel is configured without {}; `corelet kconfig` lists all that the programs need",
                        words()
                    )));
                }
                (Answer::Off | Answer::Absent, _) => lacking.push(words()),
            }
        }
        Ok(lacking)
    }

    /// Refuses programs that use what the kernel certainly has not: optional ones, for the plan was made without the others.
    fn refuse_unresolvable(&self) -> Result<()> {
        let c = self.c;
        for (i, _) in self.decisions.iter().enumerate().filter(|(_, d)| !matches!(d, Decision::Skip(_))) {
            let mut lacks = absent::of_references(c, i, self.kernel)?.into_iter();
            if let Some((_, lack)) = lacks.find(|(sure, _)| *sure == absent::Sure::Certain) {
                return Err(Failure::not_portable(format!(
                    "program {}: the kernel {lack}: disable the program in the manifest if the tool works without it",
                    c.functions[c.programs[i].0 as usize].name
                )));
            }
        }
        Ok(())
    }

    /// Relocates as the device will, from the packed types through the subset, and compares every instruction with what the
    /// whole of the kernel's types gave. Returns what the memory formula depends on, and the section `PATCHES`.
    fn prove_equal(
        &self,
        programs: &[Program],
        chosen: &BTreeSet<u32>,
        subset: &Subset,
        ids: &[u8],
    ) -> Result<(Sizes, Section)> {
        let c = self.c;
        let packed = read_back(&self.types.bytes, 8)?;
        let packed_subset = read_back(&subset.bytes, self.kernel.types.btf().pointer_size())?;
        let target = pack::Subset::new(packed_subset.view(), ids);
        let find = |id| self.object_sections.iter().find(|s| s.id == id).map_or(&[][..], |s| &s.bytes);
        let relos = Records::<pack::Relo>::new(find(section::RELOS), section::RELOS)
            .collect::<Result<Vec<_>, _>>()?;

        let local = packed.view();
        let roots: BTreeSet<TypeId> = (relos.iter())
            .filter(|r| u32::from(r.kind) != ReloKind::TypeIdLocal as u32)
            .map(|r| r.type_id)
            .collect();
        let (mut candidates, mut most) = (0, 0);
        for &root in &roots {
            let t = local.ty(root)?;
            let name = names::essential(local.name(&t));
            let before = candidates;
            target.candidates(name, t.kind(), &mut |_| {
                candidates += 1;
                Ok(())
            })?;
            most = most.max(candidates - before);
        }
        let mut lists = vec![CandList::default(); roots.len()];
        let mut pool = vec![TypeId::VOID; candidates];
        let mut scratch = Scratch::default();
        let mut relocator = Relocator {
            local: &local,
            target: &target,
            cands: Cands::new(&mut lists, &mut pool),
            scratch: &mut scratch,
        };
        let mut insns: BTreeMap<u32, Vec<u8>> =
            chosen.iter().map(|&f| (f, c.functions[f as usize].insns.to_vec())).collect();
        let mut outcomes: BTreeMap<(u32, u32), Result<Outcome, corelet_core::Error>> = BTreeMap::new();
        for r in &relos {
            let Some(insns) = insns.get_mut(&u32::from(r.function)) else { continue };
            let relo = CoreRelo {
                insn: r.insn,
                type_id: r.type_id,
                access_str_off: r.access_str_off,
                kind: ReloKind::from_number(r.kind.into())?,
            };
            let outcome = relocator.relocate(&relo, insns, c.object.endian(), &mut ());
            outcomes.insert((r.function.into(), r.index), outcome);
        }
        for (&f, insns) in &insns {
            let whole = &programs[f as usize];
            for r in &whole.relocations {
                let outcome = outcomes.get(&(f, r.index)).context("a relocation is missing from the pack")?;
                let verdict = match outcome {
                    Ok(Outcome::Patched { .. }) => Verdict::Patched,
                    Ok(Outcome::Poisoned(_)) => Verdict::Poisoned,
                    Err(_) => Verdict::Failed,
                };
                // the ids of types in the program's own BTF are others in the pack
                let own_id = r.kind == ReloKind::TypeIdLocal.name();
                let at = r.insn as usize * INSN_SIZE..(r.insn as usize + 1) * INSN_SIZE;
                ensure!(
                    verdict == r.outcome && (own_id || insns.get(at.clone()) == whole.insns.bytes.get(at)),
                    "{}: relo #{} through the subset differs from the whole: {outcome:?}, not {:?}. This is a fault of corelet",
                    whole.name,
                    r.index,
                    r.outcome
                );
            }
        }
        let printed = Printed {
            btf: local,
            maps: find(section::MAPS),
            events: find(section::EVENTS),
            results: find(section::RESULTS),
            hints: find(section::HINTS),
            views: find(section::VIEWS),
        };
        // where there are several, which of them are left depends on the programs that the device chooses
        let is_settled = |d: &Decision| matches!(d, Decision::Load | Decision::Skip(_));
        let is_certain = most <= 1 || self.decisions.iter().all(is_settled);
        let is_possible =
            is_certain && !self.kernel.build_id.is_empty() && outcomes.values().all(Result::is_ok);
        let whole = |f: &Function<'_>| insns.get(&f.index).map_or(f.insns, Vec::as_slice).to_vec();
        let patches = match is_possible {
            true => {
                let relocated: Vec<u8> = c.functions.iter().flat_map(whole).collect();
                patches::patches(self.owner, &c.insns(), &relocated, c.object.endian())?
            }
            false => Section::raw(section::PATCHES, self.owner, Vec::new()),
        };
        let sizes = Sizes {
            types: self.types.types,
            subset_types: subset.types,
            maps: self.maps.maps.len(),
            functions: c.functions.len(),
            programs: c.programs.len(),
            roots: roots.len(),
            candidates,
            program_bytes: c.longest_program(),
            program_functions: c.most_functions(),
            lines: if find(section::LINE_INFO).is_empty() { 0 } else { c.object.line_infos().count() },
            value_bytes: (self.maps.maps.iter())
                .filter(|m| !m.role.is_declared())
                .map(|m| m.value_size as usize)
                .max()
                .unwrap_or(0),
            license: c.object.license()?.unwrap_or("").len(),
            printing: Printing::of(&printed).bytes(),
        };
        Ok((sizes, patches))
    }

    fn report(
        &self,
        programs: &[Program],
        chosen: &BTreeSet<u32>,
        subset: &Subset,
        memory: Memory,
        reached: &BTreeSet<(u32, u32)>,
    ) -> TargetReport {
        let c = self.c;
        let of = |f: u32| programs[f as usize].relocations.iter().map(move |r| (&programs[f as usize], r));
        let relocations = || chosen.iter().flat_map(|&f| of(f));
        let come_to =
            || chosen.iter().flat_map(|&f| of(f).filter(move |(_, r)| reached.contains(&(f, r.insn))));
        let unresolved = relocations().filter(|(_, r)| r.outcome != Verdict::Patched);
        let foreign = come_to().filter(|(_, r)| {
            self.kernel.type_ids != TypeIds::Kernels
                && r.outcome == Verdict::Patched
                && r.kind == ReloKind::TypeIdTarget.name()
        });
        let name = |i: usize| c.functions[c.programs[i].0 as usize].name.to_owned();
        TargetReport {
            release: self.kernel.release.to_owned(),
            version: self.kernel.version.to_owned(),
            arch: self.kernel.arch,
            build_id: self.kernel.build_id.to_vec(),
            full_btf: self.kernel.btf_len,
            subset: subset.bytes.len(),
            subset_types: subset.types,
            decisions: self.decisions.iter().enumerate().map(|(i, &d)| (name(i), d)).collect(),
            patched: relocations().filter(|(_, r)| r.outcome == Verdict::Patched).count(),
            replaced_calls: 0,
            type_ids: self.kernel.type_ids,
            foreign_ids: foreign.map(|(p, r)| (p.name.clone(), r.clone())).collect(),
            lacking: Vec::new(),
            absent: Vec::new(),
            doubts: Vec::new(),
            modules: Vec::new(),
            wide_reads: Vec::new(),
            strides: Vec::new(),
            registers: Vec::new(),
            unguarded: come_to()
                .filter(|(_, r)| r.outcome == Verdict::Poisoned)
                .map(|(p, r)| (p.name.clone(), r.clone()))
                .collect(),
            needs_jit: (Vec::new(), ""),
            map_fates: Vec::new(),
            older_ways: Vec::new(),
            unresolved: unresolved.map(|(p, r)| (p.name.clone(), r.clone())).collect(),
            memory,
        }
    }
}
