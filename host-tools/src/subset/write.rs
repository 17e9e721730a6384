//! Writing BTF: records one after another, each string once, the kept part of a BTF under new ids.
//!
//! The header is the 24 bytes that every kernel and every libbpf reads. Source: `include/uapi/linux/btf.h`.

use super::mark::{Keep, Marks};
use anyhow::{Context, Result, ensure};
use corelet_core::btf::{Btf, Kind, MAGIC, Type};
use corelet_core::{Endian, TypeId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A BTF blob being written.
pub struct BtfWriter {
    endian: Endian,
    types: Vec<u8>,
    /// Types, those of the base included.
    count: u32,
    /// Offset of the first of `strings`: 0, or where those of the base end.
    string_start: u32,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
    /// FUNCs of the source that are written as static.
    statics: BTreeSet<TypeId>,
}

/// Where the types of a source went.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    ids: BTreeMap<TypeId, TypeId>,
    parts: BTreeMap<TypeId, Vec<u32>>,
}

impl Moved {
    /// Types that went to these ids, whole.
    pub fn of(ids: BTreeMap<TypeId, TypeId>) -> Moved {
        Moved { ids, parts: BTreeMap::new() }
    }

    /// The new id of a source type; void for void and for what was not kept.
    pub fn id(&self, id: TypeId) -> TypeId {
        self.ids.get(&id).copied().unwrap_or(TypeId::VOID)
    }

    /// The new number of a member or enumerator; `None` where it was not kept.
    pub fn part(&self, id: TypeId, part: u32) -> Option<u32> {
        match self.parts.get(&id) {
            Some(kept) => kept.binary_search(&part).ok().map(|n| n as u32),
            None => Some(part),
        }
    }
}

impl BtfWriter {
    /// An empty blob of byte order `endian`.
    pub fn new(endian: Endian) -> Self {
        BtfWriter {
            endian,
            types: Vec::new(),
            count: 0,
            string_start: 0,
            strings: vec![0],
            offsets: HashMap::from([(String::new(), 0)]),
            statics: BTreeSet::new(),
        }
    }

    /// An empty blob split over `base`: its ids and strings continue those. Such strings do not begin with an empty one,
    /// which the base has: that tells split BTF from other BTF.
    pub fn over(base: &Btf<'_>) -> Self {
        let (count, string_start) = (base.id_end() - 1, base.string_end());
        BtfWriter { count, string_start, strings: Vec::new(), ..BtfWriter::new(base.endian()) }
    }

    /// Offset of `text` in the strings, added at its first use.
    pub fn string(&mut self, text: &str) -> u32 {
        if let Some(&at) = self.offsets.get(text) {
            return at;
        }
        let at = self.string_start + self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        self.offsets.insert(text.to_owned(), at);
        at
    }

    /// Makes FUNCs of the source static, whatever they are there.
    pub fn make_static(&mut self, functions: impl Iterator<Item = TypeId>) {
        self.statics.extend(functions);
    }

    /// Id that the next type gets.
    pub fn next_id(&self) -> TypeId {
        TypeId(self.count + 1)
    }

    /// Adds a type: its record, then `trailing` words. `vlen` elements, `kflag` as in `struct btf_type`.
    pub fn push(
        &mut self,
        name: &str,
        kind: Kind,
        kflag: bool,
        vlen: u32,
        size_or_type: u32,
        trailing: &[u32],
    ) -> TypeId {
        let name_off = self.string(name);
        self.push_at(name_off, kind, kflag, vlen, size_or_type, trailing)
    }

    /// The same for a name whose offset is known.
    pub fn push_at(
        &mut self,
        name_off: u32,
        kind: Kind,
        kflag: bool,
        vlen: u32,
        size_or_type: u32,
        trailing: &[u32],
    ) -> TypeId {
        let info = u32::from(kflag) << 31 | u32::from(kind as u8) << 24 | vlen & 0x00ff_ffff;
        for word in [name_off, info, size_or_type].into_iter().chain(trailing.iter().copied()) {
            self.types.extend(self.endian.from_u32(word));
        }
        self.count += 1;
        TypeId(self.count)
    }

    /// Adds what `marks` keeps of `btf`, in id order. References to types that are not kept become void.
    pub fn push_marked(&mut self, btf: &Btf<'_>, marks: &Marks) -> Result<Moved> {
        let mut moved = Moved::default();
        for (id, _) in marks.iter() {
            let next = TypeId(self.count + 1 + moved.ids.len() as u32);
            moved.ids.insert(id, next);
        }
        for (id, keep) in marks.iter() {
            let t = btf.ty(id).with_context(|| format!("type {id}"))?;
            let at = match keep {
                Keep::Declaration if t.kind().is_composite() => {
                    self.push(btf.name(&t), Kind::Fwd, t.kind() == Kind::Union, 0, 0, &[])
                }
                Keep::Parts(parts) if t.kind().is_composite() || t.kind().is_enum() => {
                    let parts: Vec<u32> = parts.iter().copied().collect();
                    let at = self.push_type(btf, &t, &parts, &moved);
                    moved.parts.insert(id, parts);
                    at
                }
                _ => self.push_type(btf, &t, &(0..t.vlen()).collect::<Vec<_>>(), &moved),
            };
            ensure!(at == moved.id(id), "type {id} was written out of order");
        }
        Ok(moved)
    }

    /// Adds all of `own`'s own types, whose references into its base become what `of_base` says.
    ///
    /// # Errors
    /// A type of a kind that is not known here, whose references are not known either.
    pub fn push_split(&mut self, own: &Btf<'_>, of_base: &BTreeMap<TypeId, TypeId>) -> Result<()> {
        let mut moved = Moved { ids: of_base.clone(), parts: BTreeMap::new() };
        moved.ids.extend(
            (own.id_start()..own.id_end()).zip(self.count + 1..).map(|(a, b)| (TypeId(a), TypeId(b))),
        );
        for t in own.own_types() {
            ensure!(
                t.kind() != Kind::Unknown,
                "type {} is of kind {}, which this version does not know",
                t.id,
                t.kind_number()
            );
            self.push_as(own, &t, &moved);
        }
        Ok(())
    }

    /// Adds the whole of a type of `btf`; what it refers to is where `moved` says.
    pub fn push_as(&mut self, btf: &Btf<'_>, t: &Type<'_>, moved: &Moved) -> TypeId {
        self.push_type(btf, t, &(0..t.vlen()).collect::<Vec<_>>(), moved)
    }

    fn push_type(&mut self, btf: &Btf<'_>, t: &Type<'_>, parts: &[u32], moved: &Moved) -> TypeId {
        let mut trailing = Vec::new();
        match t.kind() {
            Kind::Struct | Kind::Union => {
                for m in parts.iter().filter_map(|&i| t.member(i)) {
                    let name = self.string(btf.string(m.name_off));
                    let offset = if t.kflag() { m.bit_offset | m.bitfield_size << 24 } else { m.bit_offset };
                    trailing.extend([name, moved.id(m.ty).0, offset]);
                }
            }
            Kind::Enum | Kind::Enum64 => {
                for e in parts.iter().filter_map(|&i| t.enumerator(i)) {
                    trailing.extend([self.string(btf.string(e.name_off)), e.value as u32]);
                    if t.kind() == Kind::Enum64 {
                        trailing.push((e.value >> 32) as u32);
                    }
                }
            }
            Kind::FuncProto => {
                for p in t.params() {
                    trailing.extend([self.string(btf.string(p.name_off)), moved.id(p.ty).0]);
                }
            }
            Kind::Datasec => trailing.extend(t.vars().flat_map(|v| [moved.id(v.ty).0, v.offset, v.size])),
            Kind::Array => trailing
                .extend(t.array().iter().flat_map(|a| [moved.id(a.elem).0, moved.id(a.index).0, a.nelems])),
            Kind::Int => trailing.extend(
                t.int().map(|e| u32::from(e.encoding) << 24 | u32::from(e.offset) << 16 | u32::from(e.bits)),
            ),
            Kind::Var => trailing.extend(t.var_linkage()),
            Kind::DeclTag => trailing.extend(t.tag_component().map(|c| c as u32)),
            _ => {}
        }
        let listed = t.kind().is_composite() || t.kind().is_enum();
        let vlen = match t.kind() {
            // the linkage, BTF_FUNC_STATIC
            Kind::Func if self.statics.contains(&t.id) => 0,
            _ if listed => parts.len() as u32,
            _ => t.vlen(),
        };
        let size_or_type = if t.kind().refers_to_type() { moved.id(t.target()).0 } else { t.size() };
        self.push(btf.name(t), t.kind(), t.kflag(), vlen, size_or_type, &trailing)
    }

    /// The finished blob.
    pub fn finish(self) -> Vec<u8> {
        let e = self.endian;
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = Vec::with_capacity(24 + self.types.len() + self.strings.len());
        out.extend(e.from_u16(MAGIC));
        out.extend([1, 0]);
        for word in [24, 0, types, types, strings] {
            out.extend(e.from_u32(word));
        }
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}
