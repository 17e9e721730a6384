//! The types of all files, each once, and the DATASECs of the joined sections.
//!
//! Types that say the same are one ([`super::dedup`]). A VAR or FUNC that other files may see is the one of the definition; static
//! ones stay apart, since each is of a variable or function of its own. A forward declaration becomes the only struct or union
//! of its name, where there is one: but not where a CO-RE relocation asks for the declaration itself, which no kernel answers
//! as it answers for a struct.

use super::dedup::{Node, classes};
use super::input::{File, STATIC, linkage};
use super::sections::Sections;
use super::symbols::Symbols;
use crate::subset::{BtfWriter, Moved};
use anyhow::{Context, Result};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Type};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How often declarations are looked at anew, after others have become what they declare.
const MAX_PASSES: usize = 64;
/// Sections without bytes, whose variables and functions the kernel or its configuration defines.
const VIRTUAL: [&str; 2] = [".kconfig", ".ksyms"];

/// The types of the linked object.
pub(super) struct Merged {
    writer: BtfWriter,
    moved: Vec<Moved>,
}

impl Merged {
    /// The id of a file's type in the linked object; void for void and for what is left out.
    pub(super) fn id(&self, file: usize, id: TypeId) -> TypeId {
        self.moved[file].id(id)
    }

    /// Offset of `text` in the strings.
    pub(super) fn string(&mut self, text: &str) -> u32 {
        self.writer.string(text)
    }

    /// Number of types.
    pub(super) fn count(&self) -> usize {
        self.writer.next_id().0 as usize - 1
    }

    /// The section `.BTF`.
    pub(super) fn finish(self) -> Vec<u8> {
        self.writer.finish()
    }
}

/// All types, by number: 0 is void, then each file's own in their order.
struct All<'x, 'a> {
    files: &'x [File<'a>],
    /// Number of each file's void, which nothing has.
    base: Vec<u32>,
    /// File and id of each number.
    at: Vec<(usize, TypeId)>,
}

impl<'x, 'a> All<'x, 'a> {
    fn new(files: &'x [File<'a>]) -> Self {
        let (mut base, mut at) = (Vec::new(), vec![(0, TypeId::VOID)]);
        for (number, file) in files.iter().enumerate() {
            base.push(at.len() as u32 - 1);
            at.extend(file.object.btf().own_types().map(|t| (number, t.id)));
        }
        All { files, base, at }
    }

    fn number(&self, file: usize, id: TypeId) -> u32 {
        if id == TypeId::VOID { 0 } else { self.base[file] + id.0 }
    }

    /// The type of a number, with its file's types.
    fn ty(&self, number: u32) -> Result<(&'x Btf<'a>, Type<'a>)> {
        let (file, id) = self.at[number as usize];
        let btf = self.files[file].object.btf();
        Ok((btf, btf.ty(id)?))
    }

    fn numbers(&self) -> std::ops::Range<u32> {
        1..self.at.len() as u32
    }
}

/// Writes the types of `files`.
///
/// # Errors
/// Types that cannot be told apart in bounded time.
pub(super) fn merge(files: &[File<'_>], sections: &Sections<'_>, symbols: &Symbols<'_>) -> Result<Merged> {
    let all = All::new(files);
    let (mut stands_for, left_out) = definitions(&all, sections, symbols)?;
    let nodes = nodes(&all)?;
    let class = declarations(&all, &nodes, &mut stands_for)?;
    let mut writer = BtfWriter::new(files[0].object.endian());
    let mut new = vec![TypeId::VOID; all.at.len()];
    let mut of_class: HashMap<u32, TypeId> = HashMap::new();
    let mut order = Vec::new();
    for n in all.numbers() {
        if left_out.contains(&n) || all.ty(n)?.1.kind() == Kind::Datasec {
            continue;
        }
        new[n as usize] = *of_class.entry(class[n as usize]).or_insert_with(|| {
            order.push(stands_for[n as usize]);
            TypeId(order.len() as u32)
        });
    }
    let moved = |file: usize| {
        let own = files[file].object.btf().own_types();
        Moved::of(own.map(|t| (t.id, new[all.number(file, t.id) as usize])).collect())
    };
    let moved: Vec<_> = (0..files.len()).map(moved).collect();
    for n in order {
        let (btf, t) = all.ty(n)?;
        writer.push_as(btf, &t, &moved[all.at[n as usize].0]);
    }
    let mut merged = Merged { writer, moved };
    datasecs(files, sections, symbols, &mut merged)?;
    Ok(merged)
}

/// For each type the one in its place: of a VAR or FUNC that other files may see the definition's, else the first file's. And
/// what is left out: the variables of a licence or version that is said again, and tags of them.
fn definitions(
    all: &All<'_, '_>,
    sections: &Sections<'_>,
    symbols: &Symbols<'_>,
) -> Result<(Vec<u32>, HashSet<u32>)> {
    let mut stands_for: Vec<u32> = (0..all.at.len() as u32).collect();
    let mut left_out = HashSet::new();
    for n in all.numbers() {
        let (btf, t) = all.ty(n)?;
        let (number, file) = (all.at[n as usize].0, &all.files[all.at[n as usize].0]);
        let Some(linkage) = linkage(&t) else { continue };
        let home = file.home(t.id).and_then(|home| file.sections.iter().find(|s| s.name == home));
        if home.and_then(|s| sections.piece(number, s.index)).is_some_and(|piece| piece.again) {
            left_out.insert(n);
            continue;
        }
        let global = symbols.global(btf.name(&t)).filter(|g| linkage != STATIC && g.is_used_by(number));
        let Some(global) = global else { continue };
        let main = global.main().0;
        if let Some(id) = all.files[main].global(global.name) {
            stands_for[n as usize] = all.number(main, id);
        }
    }
    for n in all.numbers() {
        let t = all.ty(n)?.1;
        if t.kind() == Kind::DeclTag && left_out.contains(&all.number(all.at[n as usize].0, t.target())) {
            left_out.insert(n);
        }
    }
    Ok((stands_for, left_out))
}

/// What each type says of itself, as a number, and what it refers to.
fn nodes(all: &All<'_, '_>) -> Result<Vec<Node>> {
    let mut colors: HashMap<(Vec<u32>, Vec<&str>), u32> = HashMap::new();
    let mut nodes = vec![Node { color: 0, to: Vec::new() }];
    for n in all.numbers() {
        let (btf, t) = all.ty(n)?;
        let file = all.at[n as usize].0;
        let mut words = vec![t.kind() as u32, t.kflag().into(), t.vlen()];
        let mut names = vec![btf.name(&t)];
        let mut to = Vec::new();
        match t.kind() {
            Kind::Struct | Kind::Union => {
                for m in t.members() {
                    words.extend([m.bit_offset, m.bitfield_size]);
                    names.push(btf.string(m.name_off));
                    to.push(m.ty);
                }
            }
            Kind::Enum | Kind::Enum64 => {
                for e in t.enumerators() {
                    words.extend([e.value as u32, (e.value >> 32) as u32]);
                    names.push(btf.string(e.name_off));
                }
            }
            Kind::FuncProto => {
                for p in t.params() {
                    names.push(btf.string(p.name_off));
                    to.push(p.ty);
                }
            }
            Kind::Array => {
                let array = t.array().context("an array without its record")?;
                words.push(array.nelems);
                to.extend([array.elem, array.index]);
            }
            Kind::Int => {
                let int = t.int().context("an integer without its record")?;
                words.extend([int.encoding, int.offset, int.bits].map(u32::from));
            }
            Kind::DeclTag => words.extend(t.tag_component().map(|c| c as u32)),
            // each is of a variable, function or section of its own
            Kind::Func | Kind::Var | Kind::Datasec => words.push(n),
            _ => {}
        }
        if t.kind().refers_to_type() {
            to.push(t.target());
        } else {
            words.push(t.size());
        }
        let color = colors.len() as u32 + 1;
        let color = *colors.entry((words, names)).or_insert(color);
        nodes.push(Node { color, to: to.into_iter().map(|id| all.number(file, id)).collect() });
    }
    Ok(nodes)
}

/// The class of each type, once declarations stand for what they declare.
fn declarations(all: &All<'_, '_>, nodes: &[Node], stands_for: &mut [u32]) -> Result<Vec<u32>> {
    let mut open = Vec::new();
    let mut whole: HashMap<(Kind, &str), Vec<u32>> = HashMap::new();
    let asked = asked(all);
    for n in all.numbers() {
        let (btf, t) = all.ty(n)?;
        match (t.kind(), t.kflag()) {
            (Kind::Fwd, _) if asked.contains(&n) => {}
            (Kind::Fwd, false) => open.push((n, (Kind::Struct, btf.name(&t)))),
            (Kind::Fwd, true) => open.push((n, (Kind::Union, btf.name(&t)))),
            (kind @ (Kind::Struct | Kind::Union), _) => {
                whole.entry((kind, btf.name(&t))).or_default().push(n);
            }
            _ => {}
        }
    }
    let mut class = classes(nodes, stands_for)?;
    for _ in 0..MAX_PASSES {
        let before = open.len();
        open.retain(|(n, what)| {
            let found = whole.get(what).map_or(&[][..], Vec::as_slice);
            let Some(&first) = found.first() else { return true };
            let one = found.iter().all(|&n| class[n as usize] == class[first as usize]);
            if one {
                stands_for[*n as usize] = first;
            }
            !one
        });
        if open.len() == before {
            break;
        }
        class = classes(nodes, stands_for)?;
    }
    Ok(class)
}

/// The types that CO-RE relocations begin at.
fn asked(all: &All<'_, '_>) -> HashSet<u32> {
    let mut found = HashSet::new();
    for (number, file) in all.files.iter().enumerate() {
        let blocks = file.object.btf_ext().into_iter().flat_map(|ext| ext.core_relo().blocks());
        let relos = blocks.flat_map(|b| (0..b.len()).filter_map(move |i| b.get(i)));
        found.extend(relos.map(|relo| all.number(number, relo.type_id)));
    }
    found
}

/// A variable in a DATASEC: offset, VAR or FUNC, bytes.
type Row = (u32, TypeId, u32);

/// Writes the DATASECs, in the order of the joined sections and those without bytes behind.
fn datasecs(
    files: &[File<'_>],
    sections: &Sections<'_>,
    symbols: &Symbols<'_>,
    merged: &mut Merged,
) -> Result<()> {
    let mut rows: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        let btf = file.object.btf();
        for t in btf.own_types().filter(|t| t.kind() == Kind::Datasec) {
            let name = btf.name(&t);
            let section = file.sections.iter().find(|s| s.name == name);
            let piece = section.and_then(|s| sections.piece(number, s.index));
            let offset = piece.map_or(0, |p| p.offset as u32);
            let rows = rows.entry(name).or_default();
            for v in t.vars().filter(|_| piece.is_none_or(|p| !p.again)) {
                let var = btf.ty(v.ty)?;
                let id = merged.id(number, v.ty);
                let global = symbols.global(btf.name(&var));
                let global = global.filter(|g| linkage(&var) != Some(STATIC) && g.is_used_by(number));
                let row = match global {
                    // a static one, or one that nothing refers to, carries its offset
                    None => (v.offset + offset, id, v.size),
                    Some(global) if global.main().0 == number => {
                        let s = &file.symbols[global.main().1 as usize];
                        let size = if v.size == 0 { s.size as u32 } else { v.size };
                        (s.value as u32 + offset, id, size)
                    }
                    // defined by another file, or declared before
                    Some(_) => continue,
                };
                rows.push(row);
            }
        }
    }
    let joined = sections.joined.iter().map(|s| (s.name, s.size as u32));
    let mut order: Vec<_> = joined.filter(|(name, _)| !VIRTUAL.contains(name)).collect();
    let others = rows.keys().filter(|name| order.iter().all(|(joined, _)| joined != *name));
    let others: Vec<_> = others.map(|name| (*name, 0)).collect();
    order.extend(others);
    for (name, size) in order {
        let Some(mut rows) = rows.remove(name).filter(|rows| !rows.is_empty()) else { continue };
        rows.sort_by_key(|row| row.0);
        let trailing: Vec<u32> = rows.iter().flat_map(|&(offset, id, size)| [id.0, offset, size]).collect();
        merged.writer.push(name, Kind::Datasec, false, rows.len() as u32, size, &trailing);
    }
    Ok(())
}
