//! Types that are put together: records that own their names and members, until they are written as BTF.

use std::cell::Cell;

use anyhow::{Context, Result, bail};
use corelet_core::Endian;
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;
use corelet_core::limits::MAX_RESOLVE_DEPTH;

use crate::subset::BtfWriter;

/// A type under construction.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) kflag: bool,
    pub(super) vlen: u32,
    /// Bytes, or the type that is referred to.
    pub(super) size_or_type: u32,
    pub(super) body: Body,
}

/// What follows a record.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Members(Vec<Member>),
    Enumerators(Vec<(String, u64)>),
    Words(Vec<u32>),
}

/// A member of a struct or union.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: TypeId,
    /// Bits from the start in its own kernel.
    pub(super) offset: u32,
    /// Width of a bitfield, else 0.
    pub(super) bits: u32,
}

/// All types, by id; number 0 is void.
pub(super) struct Nodes {
    all: Vec<Node>,
    /// Members that may still be looked at.
    looks: Cell<u64>,
}

impl Nodes {
    pub(super) fn new(looks: u64) -> Nodes {
        let void = Node::named("", Kind::Void, 0, Body::Words(Vec::new()));
        Nodes { all: vec![void], looks: Cell::new(looks) }
    }

    pub(super) fn push(&mut self, node: Node) -> TypeId {
        self.all.push(node);
        TypeId(self.all.len() as u32 - 1)
    }

    pub(super) fn get(&self, id: TypeId) -> &Node {
        self.all.get(id.0 as usize).unwrap_or(&self.all[0])
    }

    pub(super) fn get_mut(&mut self, id: TypeId) -> &mut Node {
        let at = if (id.0 as usize) < self.all.len() { id.0 as usize } else { 0 };
        &mut self.all[at]
    }

    /// `id` behind modifiers and typedefs.
    pub(super) fn skip(&self, mut id: TypeId) -> Result<TypeId> {
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let node = self.get(id);
            if !node.kind.is_modifier() {
                return Ok(id);
            }
            id = TypeId(node.size_or_type);
        }
        bail!("type {id}: more than {MAX_RESOLVE_DEPTH} typedefs and qualifiers around one type")
    }

    /// Counts a member that is looked at.
    ///
    /// # Errors
    /// No more may be.
    pub(super) fn look(&self) -> Result<()> {
        let left = self.looks.get().checked_sub(1);
        self.looks.set(left.context("more members are to be compared than kernels have")?);
        Ok(())
    }

    /// Members by name, those of nameless members among them, with the type that each is in.
    pub(super) fn members(&self, id: TypeId, depth: usize) -> Result<Vec<(TypeId, &Member)>> {
        let mut found = Vec::new();
        let Body::Members(members) = &self.get(id).body else { return Ok(found) };
        for m in members {
            self.look()?;
            if !m.name.is_empty() {
                found.push((id, m));
            } else if depth < super::super::layout::MAX_NESTING {
                found.extend(self.members(self.skip(m.ty)?, depth + 1)?);
            }
        }
        Ok(found)
    }

    /// Whether a struct ends with an array without an end, behind which there can be no other member: CO-RE, as libbpf and the kernel
    /// have it, lets an index only there be beyond the array.
    pub(super) fn ends_open(&self, id: TypeId) -> Result<bool> {
        let node = self.get(id);
        let Body::Members(members) = &node.body else { return Ok(false) };
        let Some(last) = members.last().filter(|_| node.kind == Kind::Struct) else { return Ok(false) };
        let array = self.get(self.skip(last.ty)?);
        Ok(array.kind == Kind::Array && matches!(&array.body, Body::Words(words) if words.get(2) == Some(&0)))
    }

    /// The types as BTF.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = BtfWriter::new(Endian::Little);
        for node in self.all.iter().skip(1) {
            let (kflag, vlen, trailing) = match &node.body {
                Body::Members(members) => {
                    let kflag = members.iter().any(|m| m.bits > 0);
                    let offset =
                        |m: &Member| if kflag { m.offset & 0x00ff_ffff | m.bits << 24 } else { m.offset };
                    let words = members.iter().flat_map(|m| [writer.string(&m.name), m.ty.0, offset(m)]);
                    (kflag, members.len() as u32, words.collect())
                }
                Body::Enumerators(enumerators) => {
                    let words = enumerators.iter().flat_map(|(name, value)| {
                        let name = writer.string(name);
                        let high = (node.kind == Kind::Enum64).then_some((value >> 32) as u32);
                        [Some(name), Some(*value as u32), high].into_iter().flatten()
                    });
                    (node.kflag, enumerators.len() as u32, words.collect())
                }
                Body::Words(words) => (node.kflag, node.vlen, words.clone()),
            };
            writer.push(&node.name, node.kind, kflag, vlen, node.size_or_type, &trailing);
        }
        writer.finish()
    }
}

impl Node {
    /// One without flags.
    pub(super) fn named(name: &str, kind: Kind, size_or_type: u32, body: Body) -> Node {
        Node { name: name.to_owned(), kind, kflag: false, vlen: 0, size_or_type, body }
    }

    /// A type of a kernel, what it refers to by `moved`.
    pub(super) fn of(
        btf: &Btf<'_>,
        t: &Type<'_>,
        moved: &mut dyn FnMut(TypeId) -> Result<TypeId>,
    ) -> Result<Node> {
        let mut size_or_type = t.size();
        let body = match t.kind() {
            Kind::Struct | Kind::Union => {
                let mut members = Vec::new();
                for m in t.members() {
                    members.push(Member {
                        name: btf.string(m.name_off).to_owned(),
                        ty: moved(m.ty)?,
                        offset: m.bit_offset,
                        bits: m.bitfield_size,
                    });
                }
                Body::Members(members)
            }
            Kind::Enum | Kind::Enum64 => Body::Enumerators(
                t.enumerators().map(|e| (btf.string(e.name_off).to_owned(), e.value)).collect(),
            ),
            Kind::FuncProto => {
                let mut words = Vec::new();
                for p in t.params() {
                    words.extend([0, moved(p.ty)?.0]);
                }
                Body::Words(words)
            }
            Kind::Array => match t.array() {
                Some(a) => Body::Words(vec![moved(a.elem)?.0, moved(a.index)?.0, a.nelems]),
                None => Body::Words(Vec::new()),
            },
            Kind::Int => {
                let word = |e: corelet_core::btf::IntEncoding| {
                    u32::from(e.encoding) << 24 | u32::from(e.offset) << 16 | u32::from(e.bits)
                };
                Body::Words(t.int().map(word).into_iter().collect())
            }
            Kind::DeclTag => Body::Words(t.tag_component().map(|c| c as u32).into_iter().collect()),
            _ => Body::Words(Vec::new()),
        };
        if t.kind().refers_to_type() {
            size_or_type = moved(t.target())?.0;
        }
        let (kflag, vlen) =
            (t.kflag(), if t.kind() == Kind::Func || t.kind() == Kind::FuncProto { t.vlen() } else { 0 });
        Ok(Node { name: btf.name(t).to_owned(), kind: t.kind(), kflag, vlen, size_or_type, body })
    }
}
