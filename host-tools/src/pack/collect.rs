//! Everything of an object that goes into a pack, as lists.

use anyhow::{Context, Result, ensure};
use corelet_core::object::sec_name::SecName;
use corelet_core::object::{
    DataRole, DataSection, Extern, Function, Located, MapDef, MapValue, Object, Reference, StructOps,
    Variable, sec_name,
};
use corelet_core::pack::{Attach, MapRole};
use corelet_core::relo::CoreRelo;
use corelet_core::{btf_ext, insn};
use std::collections::{BTreeMap, BTreeSet};

use super::places;
use crate::manifest::{self, Manifest, PerfEvent};
use crate::relocate::{Lines, core_relo};

/// `BPF_PROG_TYPE_PERF_EVENT`.
const PERF_EVENT: u32 = 7;

/// An object, collected.
pub(super) struct Collected<'o> {
    pub(super) object: Object<'o>,
    pub(super) functions: Vec<Function<'o>>,
    /// Entry programs: function number and what the section name or the manifest says. One that the manifest attaches to
    /// several places is there for each of them, one after the other.
    pub(super) programs: Vec<(u32, SecName<'o>)>,
    pub(super) relos: Vec<(Located<btf_ext::CoreRelo>, CoreRelo)>,
    pub(super) references: Vec<Reference>,
    pub(super) func_infos: BTreeMap<u32, corelet_core::TypeId>,
    pub(super) maps: Vec<MapDef<'o>>,
    /// What maps hold from the start.
    pub(super) map_values: Vec<MapValue>,
    pub(super) data: Vec<(DataSection<'o>, Vec<Variable<'o>>)>,
    /// What the object's arena begins with.
    pub(super) arena: Option<DataSection<'o>>,
    pub(super) externs: Vec<Extern<'o>>,
    pub(super) kconfig_size: u32,
    /// Maps of struct_ops.
    pub(super) struct_ops: Vec<StructOps<'o>>,
    pub(super) lines: Lines<'o>,
}

impl<'o> Collected<'o> {
    /// # Errors
    /// The object is damaged, has what is not supported yet, or does not fit the manifest's `attach` and `perf`.
    pub(super) fn new(object: Object<'o>, manifest: &'o Manifest) -> Result<Self> {
        let functions: Vec<Function<'o>> = object.functions().collect();
        let maps = object.maps().collect::<Result<Vec<_>, _>>().context("section .maps")?;
        let mut programs = Vec::new();
        for f in functions.iter().filter(|f| f.entry) {
            let said = manifest.programs.get(f.name);
            let secs = attachments(f.section_name, said).and_then(|secs| {
                places::named(secs, said.map_or(&[][..], |said| &said.places), &maps, f.section_name)
            });
            let secs = secs.with_context(|| format!("program {}", f.name))?;
            programs.extend(secs.into_iter().map(|sec| (f.index, sec)));
        }
        let mut relos = Vec::new();
        for relo in object.core_relos() {
            let relo = relo.context(".BTF.ext core_relo")?;
            relos.push((relo, core_relo(&relo).with_context(|| format!("relo #{}", relo.number))?));
        }
        let mut data = Vec::new();
        for section in object.data_sections() {
            let section = section?;
            let variables = object.variables(&section).collect::<Result<Vec<_>, _>>();
            data.push((section, variables.with_context(|| format!("section {}", section.name))?));
        }
        Ok(Collected {
            programs,
            relos,
            references: object
                .references()
                .collect::<Result<_, _>>()
                .context("relocations of instructions")?,
            func_infos: object
                .func_infos()
                .map(|f| f.map(|f| (f.function, f.record.type_id)))
                .collect::<Result<_, _>>()
                .context(".BTF.ext func_info")?,
            maps,
            map_values: object.map_values().collect::<Result<_, _>>().context("section .maps")?,
            data,
            arena: object.arena_section()?,
            externs: object.externs().collect::<Result<_, _>>().context("externs")?,
            kconfig_size: object.kconfig_size()?,
            struct_ops: object.struct_ops().collect::<Result<_, _>>().context("section .struct_ops")?,
            lines: Lines::of(&object)?,
            functions,
            object,
        })
    }

    /// The subprograms that `function` reaches, in the order they are met.
    pub(super) fn reached(&self, function: u32) -> Vec<u32> {
        reached(&self.references, function)
    }

    /// All functions that the given programs are linked of.
    pub(super) fn functions_of(&self, programs: impl Iterator<Item = usize>) -> BTreeSet<u32> {
        let entries = programs.map(|p| self.programs[p].0);
        entries.flat_map(|f| std::iter::once(f).chain(self.reached(f))).collect()
    }

    /// Instructions of the longest program, subprograms included, in bytes.
    pub(super) fn longest_program(&self) -> usize {
        let len = |f: &u32| self.functions[*f as usize].insns.len();
        let program = |&(f, _): &(u32, SecName<'_>)| len(&f) + self.reached(f).iter().map(len).sum::<usize>();
        self.programs.iter().map(program).max().unwrap_or(0)
    }

    /// Functions that one program is linked of, at most.
    pub(super) fn most_functions(&self) -> usize {
        self.programs.iter().map(|&(f, _)| self.reached(f).len() + 1).max().unwrap_or(0)
    }

    /// Bytes of all instructions.
    pub(super) fn insns(&self) -> Vec<u8> {
        self.functions.iter().flat_map(|f| f.insns).copied().collect()
    }

    /// First instruction of a function within [`Collected::insns`].
    pub(super) fn start_of(&self, function: u32) -> u32 {
        let before = self.functions.iter().take(function as usize);
        (before.map(|f| f.insns.len()).sum::<usize>() / insn::INSN_SIZE) as u32
    }
}

/// What the manifest says of a program's attachments, or else its section's name.
fn attachments<'o>(section: &'o str, said: Option<&'o manifest::Program>) -> Result<Vec<SecName<'o>>> {
    let parse = |name| sec_name::parse(name).map_err(|e| anyhow::anyhow!("{e}"));
    let Some(said) = said else { return Ok(vec![parse(section)?]) };
    if let Some(PerfEvent { kind, config, sample, freq }) = said.perf {
        let own = parse(section)?;
        ensure!(
            own.prog_type == PERF_EVENT,
            "the manifest's `perf` is for SEC(\"perf_event\"), this is SEC(\"{section}\")"
        );
        return Ok(vec![SecName { attach: Attach::PerfEvent { kind, config, sample, freq }, ..own }]);
    }
    if said.attach.is_empty() {
        return Ok(vec![parse(section)?]);
    }
    let own = sec_name::parse(section).ok(); // one that says nothing, such as SEC("prog"), leaves it to the manifest
    let all = said.attach.iter().map(|name| {
        let sec = parse(name)?;
        ensure!(
            own.is_none_or(|own| own.prog_type == sec.prog_type),
            "the manifest's `attach = \"{name}\"` makes another type of program of it than SEC(\"{section}\")"
        );
        Ok(sec)
    });
    all.collect()
}

/// The functions that `function` reaches by calls and addresses, each once and without itself, in the order they are met.
/// Time: for each of them a walk over the references.
pub(crate) fn reached(references: &[Reference], function: u32) -> Vec<u32> {
    use corelet_core::object::Referent;
    let mut order = vec![function];
    let mut at = 0;
    while at < order.len() {
        let caller = order[at];
        for r in references.iter().filter(|r| r.function == caller) {
            if let Referent::Call { function } | Referent::FunctionAddress { function } = r.to
                && !order.contains(&function)
            {
                order.push(function);
            }
        }
        at += 1;
    }
    order.remove(0);
    order
}

/// The role of a section of variables in a pack.
pub(super) fn role(role: DataRole) -> MapRole {
    match role {
        DataRole::Data | DataRole::Bss => MapRole::Data,
        DataRole::Rodata => MapRole::Rodata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Program;
    use corelet_core::limits::MAX_FUNCTIONS;
    use corelet_core::object::Referent;

    fn attach(section: &str, names: &[&str]) -> Result<Vec<String>> {
        let said = Program { attach: names.iter().map(|&n| n.to_owned()).collect(), ..Program::default() };
        let all = attachments(section, Some(&said))?;
        Ok(all.iter().map(|s| format!("{} {:?}", s.prog_type, s.attach)).collect())
    }

    #[test]
    fn the_manifest_says_what_a_program_is_attached_to() {
        let vfs = "2 Kprobe { symbol: \"vfs_read\", offset: 0, ret: false }";
        let ret = "2 Kprobe { symbol: \"vfs_open\", offset: 0, ret: true }";
        assert_eq!(
            attach("kprobe/dummy_kprobe", &["kprobe/vfs_read", "kretprobe/vfs_open"]).unwrap(),
            [vfs, ret]
        );
        assert_eq!(attach("prog", &["kprobe/vfs_read"]).unwrap(), [vfs]);
        assert_eq!(attach("kprobe/vfs_read", &[]).unwrap(), [vfs]);
        let said = attach("kprobe/x", &["tp/sched/sched_switch"]).unwrap_err().to_string();
        assert!(said.contains("another type of program of it than SEC(\"kprobe/x\")"), "{said}");
        assert!(attach("prog", &[]).unwrap_err().to_string().contains("no kind of program"));
    }

    #[test]
    fn the_manifest_says_what_is_counted() {
        let perf = Some(PerfEvent { kind: 1, config: 0, sample: 99, freq: true });
        let said = Program { perf, ..Program::default() };
        let all = attachments("perf_event", Some(&said)).unwrap();
        assert_eq!(all[0].attach, Attach::PerfEvent { kind: 1, config: 0, sample: 99, freq: true });
        let refused = attachments("kprobe/x", Some(&said)).unwrap_err().to_string();
        assert!(refused.contains("is for SEC(\"perf_event\")"), "{refused}");
    }

    fn call(function: u32, callee: u32) -> Reference {
        Reference { function, insn: 0, to: Referent::Call { function: callee } }
    }

    #[test]
    fn calls_in_circles_are_followed_once() {
        let taken = Reference { to: Referent::FunctionAddress { function: 3 }, ..call(2, 3) };
        let circle =
            [call(0, 1), call(1, 2), call(1, 1), call(2, 0), call(2, 1), taken, call(3, 2), call(4, 0)];
        assert_eq!(reached(&circle, 0), [1, 2, 3]);
        assert_eq!(reached(&circle, 3), [2, 0, 1]);
        assert_eq!(reached(&circle, 4), [0, 1, 2, 3]);
        assert_eq!(reached(&[call(0, 0)], 0), [0; 0]);
    }

    #[test]
    fn chains_are_followed_to_their_end() {
        let last = MAX_FUNCTIONS - 1;
        let chain: Vec<_> = (0..last).map(|f| call(f, f + 1)).collect();
        assert!(reached(&chain, 0).into_iter().eq(1..=last));
    }
}
