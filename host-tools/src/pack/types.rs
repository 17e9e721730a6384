//! The BTF of a pack: what [`super::closure`] keeps of the object's, variables with their places, event types that the
//! manifest declares, and all strings.

use super::closure::Closure;
use super::collect::Collected;
use super::sizes;
use crate::manifest::decl::{Composite, CompositeKind, IntKind, Type as DeclType};
use crate::manifest::{EventType, Hint, Labels, Manifest, Names, ResultHow, Version};
use crate::subset::{BtfWriter, Marks, Moved};
use anyhow::{Context, Result, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::object::ExternKind;
use corelet_core::relo::{CoreRelo, Spec};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Linkage of a global variable.
const GLOBAL: u32 = 1;

/// The BTF of a pack, and where things are in it.
pub(super) struct PackTypes {
    pub(super) bytes: Vec<u8>,
    /// Number of types.
    pub(super) types: usize,
    /// Where the object's types went.
    pub(super) moved: Moved,
    /// Local type and access string of each relocation.
    pub(super) relos: Vec<(TypeId, u32)>,
    /// DATASEC of each data section; void where it has none.
    pub(super) datasecs: Vec<TypeId>,
    /// DATASEC of `.kconfig`.
    pub(super) kconfig: TypeId,
    /// VARs in it of weak externs.
    pub(super) weak: Vec<TypeId>,
    /// Event types by map.
    pub(super) events: BTreeMap<String, TypeId>,
    /// Enums that name numbers, each by whether its names are of bits.
    names: BTreeMap<(bool, Names), TypeId>,
    strings: HashMap<String, u32>,
}

impl PackTypes {
    /// Offset of a string that was asked for when the types were built.
    pub(super) fn string(&self, text: &str) -> u32 {
        self.strings.get(text).copied().unwrap_or(0)
    }

    /// The enum of names that the manifest gives, of bits or of numbers.
    pub(super) fn names(&self, bits: bool, names: &Names) -> TypeId {
        self.names.get(&(bits, names.clone())).copied().unwrap_or(TypeId::VOID)
    }

    /// The enum of names of counters.
    pub(super) fn labels(&self, labels: &Labels) -> TypeId {
        match labels {
            Labels::Numbers => TypeId::VOID,
            Labels::Named(names) => self.names(false, names),
        }
    }
}

/// Builds the BTF. `strings` are kept beside those that the types need.
pub(super) fn build(c: &Collected<'_>, manifest: &Manifest, strings: &[&str]) -> Result<PackTypes> {
    let btf = c.object.btf();
    let file = || manifest.file.clone();
    let marks = mark(c, manifest)?;
    let mut w = BtfWriter::new(btf.endian());
    // as libbpf, so that the kernel verifies hidden functions with their callers (usdt.bpf.h has such)
    let hidden = |function: &u32| !c.functions[*function as usize].global;
    w.make_static(c.func_infos.iter().filter(|(function, _)| hidden(function)).map(|(_, &func)| func));
    let moved = w.push_marked(btf, &marks)?;
    let relos = c.relos.iter().map(|(_, r)| {
        let access = moved_access(btf, r, &moved)?;
        Ok((moved.id(r.type_id), w.string(&access)))
    });
    let relos = relos.collect::<Result<Vec<_>>>()?;
    let mut datasecs = Vec::new();
    for (section, variables) in &c.data {
        let mut rows = Vec::new();
        for v in variables {
            let target = btf.ty(v.ty)?.target();
            let linkage = if v.is_static { 0 } else { GLOBAL };
            rows.push((v.offset, v.size, push_var(&mut w, v.name, moved.id(target), linkage)));
        }
        let has_type = section.ty.is_some() && !rows.is_empty();
        datasecs.push(if has_type {
            push_datasec(&mut w, section.name, section.size, rows)
        } else {
            TypeId::VOID
        });
    }
    let (mut rows, mut weak) = (Vec::new(), Vec::new());
    for e in &c.externs {
        if let ExternKind::Kconfig { offset, size, .. } = e.kind {
            let target = btf.ty(e.ty)?.target();
            let var = push_var(&mut w, e.name, moved.id(target), GLOBAL);
            rows.push((offset, size, var));
            weak.extend(e.weak.then_some(var));
        }
    }
    let kconfig =
        if rows.is_empty() { TypeId::VOID } else { push_datasec(&mut w, ".kconfig", c.kconfig_size, rows) };

    let mut events = BTreeMap::new();
    let mut declared = Declared { writer: &mut w, ints: HashMap::new() };
    for (map, spec) in &manifest.maps {
        let ty = match &spec.event {
            None => continue,
            Some(EventType::Btf(name)) => moved.id(find(btf, Kind::Struct, name).with_context(file)?),
            Some(EventType::Declared(versions)) => {
                declared.composite(&version_of(c, &manifest.file, map, versions)?.decl)
            }
        };
        events.insert(map.clone(), ty);
    }
    let mut names = BTreeMap::new();
    for (bits, given) in all_names(manifest) {
        let id = match given {
            Names::Enum(name) => moved.id(find(btf, Kind::Enum, name).with_context(file)?),
            Names::List(list) => {
                let number = |i: u32| if bits { 1u32.checked_shl(i).unwrap_or(0) } else { i };
                push_enum(&mut w, (0..).map(number).zip(list))
            }
            Names::Values(values) => push_enum(&mut w, values.iter().map(|(name, &number)| (number, name))),
        };
        names.insert((bits, given.clone()), id);
    }
    let strings = strings.iter().map(|s| ((*s).to_owned(), w.string(s))).collect();
    Ok(PackTypes {
        types: w.next_id().0 as usize - 1,
        bytes: w.finish(),
        moved,
        relos,
        datasecs,
        kconfig,
        weak,
        events,
        names,
        strings,
    })
}

/// The declaration of the size that the programs send through `map`: of several, that of which the object has the program.
fn version_of<'v>(c: &Collected<'_>, file: &str, map: &str, versions: &'v [Version]) -> Result<&'v Version> {
    let first = versions.first().context("an event without a declaration")?;
    let Some(number) = c.maps.iter().position(|m| m.name == map) else { return Ok(first) };
    let sent = sizes::sent(c, number as u32);
    let fits = || versions.iter().filter(|v| sent.is_empty() || sent.contains(&v.decl.size));
    let has = |program: &String| c.functions.iter().any(|f| f.name == *program);
    let own = fits().find(|v| v.program.as_ref().is_some_and(has));
    own.or_else(|| fits().find(|v| v.program.is_none())).with_context(|| {
        let list = |sizes: &mut dyn Iterator<Item = u32>| sizes.map(|s| s.to_string()).collect::<Vec<_>>().join(" or ");
        format!(
            "map {map}: the programs send events of {} bytes, the manifest {file} declares {}: it is for another version of the \
             tool",
            list(&mut sent.iter().copied()),
            list(&mut versions.iter().map(|v| v.decl.size))
        )
    })
}

fn mark(c: &Collected<'_>, manifest: &Manifest) -> Result<Marks> {
    let btf = c.object.btf();
    let file = || manifest.file.clone();
    let mut closure = Closure { btf, marks: Marks::default() };
    for (located, relo) in &c.relos {
        let context = || format!("{}: relo #{}", c.functions[located.function as usize].name, located.number);
        closure.relocation(relo).with_context(context)?;
    }
    for map in &c.maps {
        closure.value(map.spec.key_type)?;
        closure.value(map.spec.value_type)?;
        if let Some(inner) = &map.inner {
            closure.value(inner.key_type)?;
            closure.value(inner.value_type)?;
        }
    }
    for map in &c.struct_ops {
        closure.value(map.ty)?;
    }
    for v in c.data.iter().flat_map(|(_, variables)| variables) {
        closure.value(btf.ty(v.ty)?.target())?;
    }
    for e in c.externs.iter().filter(|e| matches!(e.kind, ExternKind::Kconfig { .. })) {
        closure.value(btf.ty(e.ty)?.target())?;
    }
    for (&function, &func) in &c.func_infos {
        let f = &c.functions[function as usize];
        closure.function(func, f.global && !f.entry)?;
    }
    for map in manifest.maps.values() {
        if let Some(EventType::Btf(name)) = &map.event {
            closure.value(find(btf, Kind::Struct, name).with_context(file)?)?;
        }
    }
    for (_, names) in all_names(manifest) {
        if let Names::Enum(name) = names {
            closure.value(find(btf, Kind::Enum, name).with_context(file)?)?;
        }
    }
    closure.tags();
    Ok(closure.marks)
}

/// The type of `kind` and `name`, which may be written with the kind in front as in C.
pub(super) fn find(btf: &Btf<'_>, kind: Kind, name: &str) -> Result<TypeId> {
    let bare = name.strip_prefix(kind.name()).map_or(name, str::trim_start);
    let found = btf.find(bare, kind).with_context(|| {
        format!(
            "the manifest names `{} {bare}`, which the object's BTF does not have: give a declaration",
            kind.name()
        )
    })?;
    Ok(found.id)
}

/// The access string of `relo` for the members that were kept.
fn moved_access(btf: &Btf<'_>, relo: &CoreRelo, moved: &Moved) -> Result<String> {
    let mut spec = Spec::default();
    spec.parse(btf, relo.type_id, relo.access_str_off, relo.kind)?;
    if relo.kind.is_type() {
        return Ok("0".to_owned());
    }
    let missing = "a member on the way was not kept";
    let mut t = btf.skip_mods(relo.type_id)?;
    let first = spec.raw.first().copied().unwrap_or(0);
    if relo.kind.is_enumval() {
        return Ok(moved.part(t.id, first).context(missing)?.to_string());
    }
    let mut out = first.to_string();
    for &index in spec.raw.iter().skip(1) {
        let index = match (t.array(), t.member(index)) {
            (Some(array), _) => {
                t = btf.skip_mods(array.elem)?;
                index
            }
            (None, Some(member)) => {
                let kept = moved.part(t.id, index).context(missing)?;
                t = btf.skip_mods(member.ty)?;
                kept
            }
            (None, None) => anyhow::bail!("the access string passes its type"),
        };
        out.push_str(&format!(":{index}"));
    }
    Ok(out)
}

/// Names of static variables hold dots, which the kernel does not take.
fn push_var(w: &mut BtfWriter, name: &str, ty: TypeId, linkage: u32) -> TypeId {
    w.push(&name.replace('.', "_"), Kind::Var, false, 0, ty.0, &[linkage])
}

fn push_datasec(w: &mut BtfWriter, name: &str, size: u32, mut rows: Vec<(u32, u32, TypeId)>) -> TypeId {
    rows.sort_unstable();
    let trailing: Vec<u32> = rows.iter().flat_map(|&(offset, size, var)| [var.0, offset, size]).collect();
    w.push(name, Kind::Datasec, false, rows.len() as u32, size, &trailing)
}

fn push_enum<'n>(w: &mut BtfWriter, names: impl Iterator<Item = (u32, &'n String)>) -> TypeId {
    let trailing: Vec<u32> = names.flat_map(|(value, name)| [w.string(name), value]).collect();
    w.push("", Kind::Enum, false, trailing.len() as u32 / 2, 4, &trailing)
}

/// All names of numbers that the manifest gives, each once, with whether they are of bits.
fn all_names(manifest: &Manifest) -> BTreeSet<(bool, &Names)> {
    let labels = manifest.results.iter().filter_map(|r| match &r.how {
        ResultHow::Counters(Labels::Named(names)) | ResultHow::Hist { labels: Labels::Named(names), .. } => {
            Some((false, names))
        }
        _ => None,
    });
    let of_results = manifest.results.iter().flat_map(|r| [&r.key, &r.value]).flatten();
    let hints = manifest.hints.values().flat_map(BTreeMap::values).chain(of_results);
    let hints = hints.filter_map(|hint| match hint {
        Hint::Names(names) => Some((false, names)),
        Hint::Flags(names) => Some((true, names)),
        _ => None,
    });
    labels.chain(hints).collect()
}

/// Adds types that a manifest declares.
struct Declared<'w> {
    writer: &'w mut BtfWriter,
    ints: HashMap<(&'static str, u8), TypeId>,
}

impl Declared<'_> {
    fn int(&mut self, name: &'static str, bytes: u8, encoding: u8) -> TypeId {
        if let Some(&id) = self.ints.get(&(name, bytes)) {
            return id;
        }
        let word = (u32::from(encoding) << 24) | (u32::from(bytes) * 8);
        let id = self.writer.push(name, Kind::Int, false, 0, bytes.into(), &[word]);
        self.ints.insert((name, bytes), id);
        id
    }

    fn ty(&mut self, ty: &DeclType) -> TypeId {
        match ty {
            DeclType::Int(int) => {
                let encoding = match int.kind {
                    IntKind::Unsigned => 0,
                    IntKind::Signed | IntKind::Char => encoding::SIGNED,
                    IntKind::Bool => encoding::BOOL,
                };
                self.int(int.name, int.bytes, encoding)
            }
            DeclType::Pointer => self.writer.push("", Kind::Ptr, false, 0, 0, &[]),
            DeclType::Array { element, len } => {
                let element = self.ty(element);
                let index = self.int("unsigned int", 4, 0);
                self.writer.push("", Kind::Array, false, 0, 0, &[element.0, index.0, *len])
            }
            DeclType::Composite(c) => self.composite(c),
        }
    }

    fn composite(&mut self, c: &Composite) -> TypeId {
        let mut trailing = Vec::new();
        for m in &c.members {
            let ty = self.ty(&m.ty);
            trailing.extend([self.writer.string(m.name.as_deref().unwrap_or("")), ty.0, m.offset * 8]);
        }
        let kind = match c.kind {
            CompositeKind::Struct => Kind::Struct,
            CompositeKind::Union => Kind::Union,
        };
        let name = c.name.as_deref().unwrap_or("");
        self.writer.push(name, kind, false, c.members.len() as u32, c.size, &trailing)
    }
}

/// The struct or union below `root` that has the member `name`, through anonymous ones, with the member's number.
pub(super) fn member_of(btf: &Btf<'_>, root: TypeId, name: &str) -> Result<(TypeId, u16)> {
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        let t = btf.skip_mods(id)?;
        for (i, m) in (0u16..).zip(t.members()) {
            match btf.string(m.name_off) {
                n if n == name => return Ok((t.id, i)),
                "" => open.push(m.ty),
                _ => {}
            }
        }
        ensure!(open.len() < 64, "anonymous members nest too deep");
    }
    anyhow::bail!("there is no member `{name}`")
}
