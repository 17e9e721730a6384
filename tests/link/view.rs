//! An object as lines of text that do not depend on the numbers of types, sections and symbols: what two linkers' results are
//! compared by.

use anyhow::{Context, Result};
use corelet_core::TypeId;
use corelet_core::btf::Btf;
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::{ExternKind, MapSpec, MapValueTarget, Object, Referent};
use corelet_core::relo::ReloKind;
use corelet_host_tools::btf::shape::{self, Nameless};
use corelet_host_tools::relocate::{Program, relocate, type_count};
use corelet_host_tools::subset::KernelTypes;
use std::collections::{BTreeMap, BTreeSet};

/// Instructions that take an id of the object's own types, by function.
pub type LocalIds = BTreeMap<String, BTreeSet<u32>>;

/// An object as text.
#[derive(Debug, Default)]
pub struct View {
    lines: BTreeSet<String>,
    /// Programs and subprograms.
    pub functions: usize,
    /// Instructions of them.
    pub insns: usize,
    /// Maps and variables.
    pub data: usize,
    /// Bytes of `.BTF`.
    pub btf: usize,
    /// Variables that their DATASEC places elsewhere than their symbol does.
    pub misplaced: Vec<String>,
    /// What is left out of the comparison of instructions.
    pub ids: LocalIds,
}

/// The object in `bytes`, relocated on a kernel's types.
///
/// # Errors
/// It is no whole object.
pub fn of(bytes: &[u8], types: &KernelTypes<'_>) -> Result<View> {
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    let btf = object.elf().find(".BTF").map_or(0, |s| s.data.len());
    let mut view = View { btf, ..View::default() };
    view.line(format!("license {:?}, version {}", object.license()?, object.kern_version()?));
    let programs = relocate(&object, types, &|_| true)?;
    view.programs(&object, &programs)?;
    view.records(&object)?;
    view.maps(&object)?;
    view.variables(&object)?;
    view.externs(&object)?;
    Ok(view)
}

/// Lines that only one of two views has: bpftool's is the second.
pub fn differences(ours: &View, theirs: &View) -> Vec<String> {
    let only = |a: &View, b: &View, who: &str| -> Vec<String> {
        a.lines.difference(&b.lines).map(|line| format!("only {who}: {line}")).collect()
    };
    [only(ours, theirs, "ours"), only(theirs, ours, "bpftool's")].concat()
}

fn function(programs: &[Program], number: u32) -> String {
    let p = programs.get(number as usize);
    p.map_or_else(String::new, |p| format!("{}+{:#x} {}", p.section, p.offset, p.name))
}

fn text(btf: &Btf<'_>, id: TypeId) -> String {
    shape::of(btf, id, Nameless::Whole)
}

impl View {
    fn line(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn programs(&mut self, object: &Object<'_>, programs: &[Program]) -> Result<()> {
        for (f, p) in object.functions().zip(programs) {
            let name = function(programs, f.index);
            self.functions += 1;
            self.line(format!(
                "function {name}: global {}, entry {}, load {}",
                f.global, f.entry, f.autoload
            ));
            let local = |kind: &str| kind == ReloKind::TypeIdLocal.name();
            let ids = p.relocations.iter().filter(|r| local(r.kind)).map(|r| r.insn);
            self.ids.entry(p.name.clone()).or_default().extend(ids);
            let masked: BTreeSet<u32> =
                p.relocations.iter().filter(|r| local(r.kind)).map(|r| r.insn).collect();
            for (number, insn) in (0u32..).zip(p.insns.bytes.chunks(INSN_SIZE)) {
                let shown = if masked.contains(&number) { &insn[..4] } else { insn };
                self.insns += 1;
                self.line(format!("insn {name} #{number}: {shown:02x?}"));
            }
            for r in &p.relocations {
                let (old, new) = if local(r.kind) { (None, None) } else { (r.old, r.new) };
                let spec = r.spec.split_once("] ").map_or(r.spec.as_str(), |(_, rest)| rest);
                self.line(format!(
                    "relocation {name} #{}: {} {spec} {:?} {old:?} {new:?} {:?}",
                    r.insn, r.kind, r.target_spec, r.outcome
                ));
            }
        }
        let maps = object.maps().map(|m| Ok(m?.name)).collect::<Result<Vec<_>>>()?;
        let externs = object.externs().map(|e| Ok(e?.name)).collect::<Result<Vec<_>>>()?;
        for r in object.references() {
            let r = r?;
            let named = |ty: TypeId| object.btf().ty(ty).map_or("", |t| object.btf().name(&t));
            let to = match r.to {
                Referent::Map { map } => format!("map {}", maps[map as usize]),
                Referent::Data { section, offset } => {
                    format!("{}+{offset:#x}", object.elf().section(section)?.name)
                }
                Referent::Kconfig { index, offset } => format!("{} at {offset}", externs[index as usize]),
                Referent::Ksym { ty, weak } => format!("symbol {}, weak {weak}", named(ty)),
                Referent::Kfunc { ty, weak } => format!("kernel function {}, weak {weak}", named(ty)),
                Referent::Call { function: to } => format!("call of {}", function(programs, to)),
                Referent::FunctionAddress { function: to } => {
                    format!("address of {}", function(programs, to))
                }
            };
            self.line(format!("reference {} #{}: {to}", function(programs, r.function), r.insn));
        }
        for value in object.map_values() {
            let value = value?;
            let held = match value.target {
                MapValueTarget::Map(map) => maps[map as usize].to_owned(),
                MapValueTarget::Program(program) => function(programs, program),
            };
            self.line(format!("value {}[{}]: {held}", maps[value.map as usize], value.key));
        }
        Ok(())
    }

    /// Functions and source lines of `.BTF.ext`.
    fn records(&mut self, object: &Object<'_>) -> Result<()> {
        let btf = object.btf();
        let place = |number: u32, insn: u32| {
            let f = object.function(number);
            f.map_or_else(String::new, |f| {
                format!("{}+{:#x}", f.section_name, f.start + insn * INSN_SIZE as u32)
            })
        };
        for info in object.func_infos() {
            let info = info?;
            let t = btf.ty(info.record.type_id)?;
            let what = shape::declare(btf, t.target(), btf.name(&t), Nameless::Whole);
            self.line(format!(
                "func_info {}: {what}, linkage {}",
                place(info.function, info.insn),
                t.func_linkage()
            ));
        }
        for info in object.line_infos() {
            let info = info?;
            let r = info.record;
            let (file, line) = (btf.text(r.file_name_off), btf.text(r.line_off));
            self.line(format!("line {}: {file}:{}: {line}", place(info.function, info.insn), r.line_col));
        }
        Ok(())
    }

    fn maps(&mut self, object: &Object<'_>) -> Result<()> {
        let btf = object.btf();
        let shown = |spec: MapSpec| {
            let types = (text(btf, spec.key_type), text(btf, spec.value_type));
            let plain = [spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.map_flags];
            let more = (spec.map_extra, spec.numa_node, spec.pinned, spec.values_off);
            format!("{plain:?} {more:?} {types:?}")
        };
        for m in object.maps() {
            let m = m?;
            self.data += 1;
            let inner = m.inner.map(shown);
            self.line(format!("map #{} {}: {} bytes, {}, {inner:?}", m.index, m.name, m.size, shown(m.spec)));
        }
        Ok(())
    }

    fn variables(&mut self, object: &Object<'_>) -> Result<()> {
        let btf = object.btf();
        for s in object.data_sections() {
            let s = s?;
            self.line(format!("section {} {:?} of {} bytes: {:02x?}", s.name, s.role, s.size, s.data));
            for v in object.variables(&s) {
                let v = v?;
                self.data += 1;
                let ty = btf.ty(v.ty).map(|t| shape::declare(btf, t.target(), v.name, Nameless::Whole));
                let ty = ty.context("a VAR")?;
                let mut symbols = object.elf().symbols();
                let symbol = symbols.find(|x| x.section == s.section && x.name == v.name);
                // instructions and maps go by the symbol
                let at = symbol.filter(|_| !v.is_static).map_or(v.offset.into(), |symbol| symbol.value);
                if at != u64::from(v.offset) {
                    self.misplaced.push(v.name.to_owned());
                }
                self.line(format!(
                    "variable {}+{:#x}: {ty}, {} bytes, static {}",
                    s.name, at, v.size, v.is_static
                ));
            }
        }
        Ok(())
    }

    fn externs(&mut self, object: &Object<'_>) -> Result<()> {
        for e in object.externs() {
            let e = e?;
            let kind = match e.kind {
                ExternKind::Ksym { ty } => format!("symbol {}", text(object.btf(), ty)),
                kind => format!("{kind:?}"),
            };
            self.line(format!("extern #{} {}: {kind}, weak {}", e.index, e.name, e.weak));
        }
        Ok(())
    }
}
