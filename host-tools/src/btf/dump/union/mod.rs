//! The types of several kernels as one header: what an object that is compiled once, for all of them, is compiled with.
//!
//! - A type has all members that any of the kernels has, the first kernel's in front. A type that is the same everywhere keeps
//!   its layout; of any other only names and types of members count, which is all that CO-RE takes from an object.
//! - Where a member's type does not fit what the header has (`fits.rs`), the member is once more in a flavor
//!   `struct NAME___KERNEL`, which has those members only, as that kernel has them. A typedef likewise.
//! - Enumerators are those of all kernels. Of one that has another number elsewhere the first kernel's is taken, and the others
//!   stand in the remark at the header's end.
//! - Of several types of one name in one kernel the first is taken; but of the first kernel all are printed, as of one alone.
//! - Kernel functions that programs may call are those of all kernels, by the first's prototype.
//!
//! Time and memory: those of printing each of the kernels.

mod fits;
mod nodes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;

use super::layout::{Layouts, MAX_NESTING};
use super::names;
use crate::btf::OwnedBtf;
use crate::exit::Failure;
use nodes::{Body, Member, Node, Nodes};

/// Types without a name, one around the other, that are followed. A kernel has about ten.
const MAX_IMPORT_DEPTH: usize = 64;
/// Members that are looked at. Those of the boards stay far below; hostile types could ask for any number.
const MAX_LOOKS: u64 = 100_000_000;
/// The declaration tag of a function that programs may call.
const KFUNC: &str = "bpf_kfunc";

/// A kernel's types and what its flavors are called by.
pub struct Labelled<'b> {
    /// Letters, digits and single underscores: `arm_6_12`.
    pub label: String,
    /// The types.
    pub btf: Btf<'b>,
}

/// What [`merge`] made.
pub struct Merged {
    /// The types.
    pub btf: OwnedBtf,
    /// Structs and unions that are laid out as no kernel has them.
    pub(super) inexact: HashSet<TypeId>,
    /// What the header says at its end.
    pub(super) remarks: String,
    /// How many flavors it has.
    pub flavors: usize,
}

/// Whether a kernel can be called this: `struct NAME___LABEL` is a flavor of `NAME` then, and C.
pub fn is_label(label: &str) -> bool {
    label.split('_').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Puts the types of `kernels` together.
///
/// # Errors
/// A label that is none or is there twice; types that no compiler could have made.
pub fn merge(kernels: &[Labelled<'_>]) -> Result<Merged> {
    merge_within(kernels, MAX_LOOKS)
}

fn merge_within(kernels: &[Labelled<'_>], looks: u64) -> Result<Merged> {
    let mut labels = HashSet::new();
    for kernel in kernels {
        let label = &kernel.label;
        if !is_label(label) {
            return Err(Failure::usage(format!(
                "`{label}`: a label has letters, digits and single underscores"
            )));
        }
        if !labels.insert(label) {
            return Err(Failure::usage(format!("two kernels are called {label}: name them as LABEL=KERNEL")));
        }
    }
    let mut union = Union::new(looks);
    for kernel in kernels {
        union.add(kernel).with_context(|| kernel.label.clone())?;
    }
    let pointers = kernels.first().map_or(8, |kernel| kernel.btf.pointer_size());
    let btf = OwnedBtf::from_bytes(union.nodes.write())?.with_pointer_size(pointers);
    let remarks = union.remarks();
    Ok(Merged { btf, inexact: union.inexact, remarks, flavors: union.flavors })
}

/// What a name stands for: keyword (`typedef` for those) and name.
type Key = (&'static str, String);

struct Union {
    nodes: Nodes,
    named: HashMap<Key, TypeId>,
    /// Enum of each enumerator's name, and its value.
    enumerators: HashMap<String, (TypeId, u64)>,
    functions: HashSet<String>,
    inexact: HashSet<TypeId>,
    /// Enumerators with other values: name, then value and kernels that have it.
    renumbered: BTreeMap<String, BTreeMap<i128, Vec<String>>>,
    flavors: usize,
}

/// A kernel that is added, and where its types went.
struct Source<'k, 'b> {
    label: &'k str,
    btf: Btf<'b>,
    moved: HashMap<TypeId, TypeId>,
    layouts: Layouts<'b>,
}

fn key(btf: &Btf<'_>, t: &Type<'_>) -> Option<Key> {
    let word = match t.kind() {
        Kind::Typedef => "typedef",
        _ => names::tag_word(t)?,
    };
    (t.name_off != 0).then(|| (word, btf.name(t).to_owned()))
}

impl Union {
    fn new(looks: u64) -> Union {
        Union {
            nodes: Nodes::new(looks),
            named: HashMap::new(),
            enumerators: HashMap::new(),
            functions: HashSet::new(),
            inexact: HashSet::new(),
            renumbered: BTreeMap::new(),
            flavors: 0,
        }
    }

    fn add(&mut self, kernel: &Labelled<'_>) -> Result<()> {
        let btf = kernel.btf;
        let is_first = self.named.is_empty();
        let layouts = Layouts::new(&btf);
        let mut source = Source { label: &kernel.label, btf, moved: HashMap::new(), layouts };
        // names first, so that whatever refers to one finds it
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for t in names::all(&btf).filter(|t| !names::is_forward(t)) {
            let Some(key) = key(&btf, &t) else { continue };
            match self.named.get(&key) {
                Some(&id) if !is_first => {
                    source.moved.insert(t.id, id);
                    known.push((t, id));
                }
                there => {
                    let is_named = there.is_some();
                    let id = self.nodes.push(Node::named("", t.kind(), 0, Body::Words(Vec::new())));
                    source.moved.insert(t.id, id);
                    if !is_named {
                        self.named.insert(key, id);
                    }
                    new.push((t, id));
                }
            }
        }
        // of several of one name in this kernel the first
        let mut filled: HashSet<TypeId> = new.iter().map(|(_, id)| *id).collect();
        known.retain(|(_, id)| filled.insert(*id));
        for t in names::all(&btf).filter(names::is_forward) {
            let Some(key) = key(&btf, &t) else { continue };
            let id = match self.named.get(&key) {
                Some(&id) => id,
                None => {
                    let id = self.nodes.push(Node::of(&btf, &t, &mut |id| Ok(id))?);
                    self.named.insert(key, id);
                    id
                }
            };
            source.moved.insert(t.id, id);
        }
        // typedefs that mean something else here, before anything refers to them
        for &(t, id) in known.iter().filter(|(t, _)| t.kind() == Kind::Typedef) {
            self.typedef(&mut source, &t, id)?;
        }
        for &(t, id) in &new {
            let node = Node::of(&btf, &t, &mut |id| self.import(&mut source, id, 0))?;
            *self.nodes.get_mut(id) = node;
            self.finish(&mut source, &t, id)?;
        }
        for &(t, id) in &known {
            match t.kind() {
                Kind::Struct | Kind::Union => self.composite(&mut source, &t, id)?,
                Kind::Enum | Kind::Enum64 => self.enumeration(&source, &t, id),
                _ => {}
            }
        }
        for t in names::all(&btf).filter(|t| t.kind().is_enum() && t.name_off == 0) {
            self.nameless_enum(&mut source, &t)?;
        }
        self.kfuncs(&mut source)
    }

    /// What is to be known of a type that was copied.
    fn finish<'b>(&mut self, source: &mut Source<'_, 'b>, t: &Type<'b>, id: TypeId) -> Result<()> {
        if t.kind().is_composite() && !source.layouts.of(t.id)?.is_some_and(|l| l.exact) {
            self.inexact.insert(id);
        }
        if let Body::Enumerators(all) = &self.nodes.get(id).body {
            for (name, value) in all.clone() {
                self.enumerators.entry(name).or_insert((id, value));
            }
        }
        Ok(())
    }

    /// The type `id` of a kernel here: what its name stands for, else a copy.
    fn import(&mut self, source: &mut Source<'_, '_>, id: TypeId, depth: usize) -> Result<TypeId> {
        if id == TypeId::VOID {
            return Ok(id);
        }
        if let Some(&there) = source.moved.get(&id) {
            return Ok(there);
        }
        if depth > MAX_IMPORT_DEPTH {
            bail!("type {id}: more than {MAX_IMPORT_DEPTH} types without a name, one around the other");
        }
        let btf = source.btf;
        let t = btf.ty(id)?;
        if t.kind().is_enum()
            && let Some(e) = t.enumerator(0)
            && let Some(&(there, _)) = self.enumerators.get(btf.string(e.name_off))
            && self.nodes.get(there).name.is_empty()
        {
            source.moved.insert(id, there);
            return Ok(there);
        }
        let node = Node::of(&btf, &t, &mut |id| self.import(source, id, depth + 1))?;
        let there = self.nodes.push(node);
        source.moved.insert(id, there);
        self.finish(source, &t, there)?;
        Ok(there)
    }

    /// A typedef that is there: the same, more members of its struct, or a flavor.
    fn typedef(&mut self, source: &mut Source<'_, '_>, t: &Type<'_>, id: TypeId) -> Result<()> {
        let btf = source.btf;
        if names::is_builtin(&btf, t) {
            return Ok(());
        }
        let inner = btf.ty(t.target())?;
        let here = TypeId(self.nodes.get(id).size_or_type);
        let nameless = self.nodes.get(here).name.is_empty() && inner.name_off == 0;
        if nameless && inner.kind().is_composite() && self.nodes.get(here).kind == inner.kind() {
            let own = self.own(id, here);
            return self.merge_members(source, &inner, own, &Key::from(("typedef", btf.name(t).to_owned())));
        }
        if self.fits(here, &btf, t.target(), 0)? {
            return Ok(());
        }
        let target = self.import(source, t.target(), 0)?;
        let name = format!("{}___{}", btf.name(t), source.label);
        let flavor = self.nodes.push(Node::named(&name, Kind::Typedef, target.0, Body::Words(Vec::new())));
        source.moved.insert(t.id, flavor);
        self.flavors += 1;
        Ok(())
    }

    /// A struct without a name that only `user` refers to, so that it can grow.
    fn own(&mut self, user: TypeId, inner: TypeId) -> TypeId {
        let copy = self.nodes.push(self.nodes.get(inner).clone());
        if self.inexact.contains(&inner) {
            self.inexact.insert(copy);
        }
        self.nodes.get_mut(user).size_or_type = copy.0;
        copy
    }

    fn composite(&mut self, source: &mut Source<'_, '_>, t: &Type<'_>, id: TypeId) -> Result<()> {
        let Some(key) = key(&source.btf, t) else { return Ok(()) };
        self.merge_members(source, t, id, &key)
    }

    /// Adds the members that `t` has and `id` has not, and a flavor with those that do not fit.
    fn merge_members(
        &mut self,
        source: &mut Source<'_, '_>,
        t: &Type<'_>,
        id: TypeId,
        key: &Key,
    ) -> Result<()> {
        let mut other = Vec::new();
        self.grow(source, t, id, &mut other, 0)?;
        if other.is_empty() {
            return Ok(());
        }
        let mut members = Vec::new();
        for m in other {
            let ty = self.import(source, m.ty, 0)?;
            members.push(Member {
                name: source.btf.string(m.name_off).to_owned(),
                ty,
                offset: 0,
                bits: m.bitfield_size,
            });
        }
        let name = format!("{}___{}", key.1, source.label);
        let (tag, typedef) = if key.0 == "typedef" { ("", Some(name)) } else { (name.as_str(), None) };
        let flavor = self.nodes.push(Node::named(tag, t.kind(), 0, Body::Members(members)));
        self.inexact.insert(flavor);
        if let Some(name) = typedef {
            self.nodes.push(Node::named(&name, Kind::Typedef, flavor.0, Body::Words(Vec::new())));
        }
        self.flavors += 1;
        Ok(())
    }

    /// Adds to `id` what `t` has more; into `other` goes what does not fit.
    fn grow(
        &mut self,
        source: &mut Source<'_, '_>,
        t: &Type<'_>,
        id: TypeId,
        other: &mut Vec<corelet_core::btf::Member>,
        depth: usize,
    ) -> Result<()> {
        ensure!(depth <= MAX_NESTING, "type {}: nests deeper than {MAX_NESTING} levels", t.id);
        let btf = source.btf;
        let there: HashMap<String, (TypeId, Member)> = {
            let all = self.nodes.members(id, 0)?;
            all.into_iter().map(|(holder, m)| (m.name.clone(), (holder, m.clone()))).collect()
        };
        let last = t.members().last().map(|m| m.name_off);
        for m in t.members() {
            self.nodes.look()?;
            let name = btf.string(m.name_off);
            let inner = btf.ty(m.ty)?;
            let nameless = inner.kind().is_composite() && inner.name_off == 0;
            if name.is_empty() {
                // what CO-RE finds by name, in whatever nameless type
                self.grow(source, &btf.skip_mods(m.ty)?, id, other, depth + 1)?;
                continue;
            }
            let Some((holder, have)) = there.get(name) else {
                let ends = self.nodes.ends_open(id)?;
                if ends
                    && last == Some(m.name_off)
                    && btf.skip_mods(m.ty)?.array().is_some_and(|a| a.nelems == 0)
                {
                    other.push(m);
                    continue;
                }
                let ty = self.import(source, m.ty, 0)?;
                let member =
                    Member { name: name.to_owned(), ty, offset: m.bit_offset, bits: m.bitfield_size };
                if let Body::Members(members) = &mut self.nodes.get_mut(id).body
                    && !members.iter().any(|m| m.name == name)
                {
                    members.insert(members.len() - usize::from(ends), member);
                    self.inexact.insert(id);
                }
                continue;
            };
            let here = self.nodes.get(have.ty);
            if nameless && here.name.is_empty() && here.kind == inner.kind() {
                if !self.covers(have.ty, &btf, m.ty, 0)? {
                    let copy = self.nodes.push(self.nodes.get(have.ty).clone());
                    self.grow(source, &inner, copy, &mut Vec::new(), depth + 1)?;
                    self.inexact.extend([copy, *holder]);
                    if let Body::Members(members) = &mut self.nodes.get_mut(*holder).body {
                        members.iter_mut().filter(|m| m.name == name).for_each(|m| m.ty = copy);
                    }
                }
                if !self.covers(self.member_type(*holder, name), &btf, m.ty, 0)? {
                    other.push(m);
                }
                continue;
            }
            if (have.bits > 0) != (m.bitfield_size > 0) || !self.fits(have.ty, &btf, m.ty, 0)? {
                other.push(m);
            }
        }
        Ok(())
    }

    fn member_type(&self, holder: TypeId, name: &str) -> TypeId {
        match &self.nodes.get(holder).body {
            Body::Members(members) => members.iter().find(|m| m.name == name).map_or(TypeId::VOID, |m| m.ty),
            _ => TypeId::VOID,
        }
    }

    /// Adds the enumerators of `t` that no enum has.
    fn enumeration(&mut self, source: &Source<'_, '_>, t: &Type<'_>, id: TypeId) {
        for e in t.enumerators() {
            let name = source.btf.string(e.name_off);
            if let Some(&(holder, value)) = self.enumerators.get(name) {
                let held = self.nodes.get(holder);
                let (is, first) =
                    (number(t.kflag(), t.size(), e.value), number(held.kflag, held.size_or_type, value));
                if is != first {
                    let values = self.renumbered.entry(name.to_owned()).or_default();
                    values.entry(is).or_default().push(source.label.to_owned());
                }
                continue;
            }
            self.enumerators.insert(name.to_owned(), (id, e.value));
            let node = self.nodes.get_mut(id);
            if t.size() > node.size_or_type {
                (node.kind, node.size_or_type) = (t.kind(), t.size());
            }
            node.kflag |= t.kflag();
            if let Body::Enumerators(all) = &mut node.body {
                all.push((name.to_owned(), e.value));
            }
        }
    }

    /// Constants without an enum's name: those that are new.
    fn nameless_enum(&mut self, source: &mut Source<'_, '_>, t: &Type<'_>) -> Result<()> {
        if source.moved.contains_key(&t.id) {
            return Ok(());
        }
        let known = t.enumerators().find_map(|e| {
            let there = self.enumerators.get(source.btf.string(e.name_off))?.0;
            self.nodes.get(there).name.is_empty().then_some(there)
        });
        let id = match known {
            Some(id) => id,
            None => self.nodes.push(Node {
                kflag: t.kflag(),
                ..Node::named("", t.kind(), t.size(), Body::Enumerators(Vec::new()))
            }),
        };
        source.moved.insert(t.id, id);
        self.enumeration(source, t, id);
        Ok(())
    }

    fn kfuncs(&mut self, source: &mut Source<'_, '_>) -> Result<()> {
        let btf = source.btf;
        for tag in names::all(&btf).filter(|t| t.kind() == Kind::DeclTag && btf.name(t) == KFUNC) {
            let function = btf.ty(tag.target())?;
            if function.kind() == Kind::Func && self.functions.insert(btf.name(&function).to_owned()) {
                let proto = self.import(source, function.target(), 0)?;
                let function = self.nodes.push(Node::named(
                    btf.name(&function),
                    Kind::Func,
                    proto.0,
                    Body::Words(Vec::new()),
                ));
                self.nodes.push(Node::named(KFUNC, Kind::DeclTag, function.0, Body::Words(vec![u32::MAX])));
            }
        }
        Ok(())
    }

    fn remarks(&self) -> String {
        let mut text = String::new();
        if !self.renumbered.is_empty() {
            text.push_str("\n/*\n * Enumerators that some of these kernels number otherwise: ask bpf_core_enum_value().\n");
            for (name, values) in &self.renumbered {
                let _ = write!(text, " * {name}:");
                for (value, labels) in values {
                    let _ = write!(text, " {value} in {};", labels.join(", "));
                }
                text.pop();
                text.push('\n');
            }
            text.push_str(" */\n");
        }
        text
    }
}

/// The value of an enumerator with its enum's sign and size.
fn number(signed: bool, size: u32, value: u64) -> i128 {
    match (signed, size) {
        (true, _) => (value as i64).into(),
        (false, 8) => value.into(),
        (false, _) => (value as u32).into(),
    }
}
