//! What all units together hold, each thing once: types, names that types are referred to by, functions, variables.

use super::die::DieRef;
use super::hash::{self, Hash, Map};
use super::shape::{self, Names, Shapes, Target, by_name};
use super::tables::{Tables, Tag};
use std::ops::Range;

/// A number of a node. 0 is `void`.
pub(super) type NodeId = u32;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Type(Tag),
    /// A struct, union or enum as it is referred to.
    Name(Tag),
    Func,
    Var,
}

/// A type, name, function or variable. Nodes refer to nodes of lower numbers.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) what: What,
    /// `DW_AT_encoding`; of a variable, whether it is external; of a function, whether it has code.
    pub(super) encoding: u8,
    /// Place in [`Store::strings`].
    pub(super) name: u32,
    /// In bytes; of an array, its elements.
    pub(super) size: u32,
    /// What it refers to; of a struct, union or enum with a name, the node of that name.
    pub(super) to: NodeId,
    pub(super) parts: Range<u32>,
    /// Unit and offset of the first DIE that is this, where it stands for itself.
    pub(super) first: u64,
}

/// A member, enumerator, parameter or dimension of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodePart {
    pub(super) value: u64,
    pub(super) name: u32,
    pub(super) to: NodeId,
    pub(super) bits: u32,
}

/// The place of a node that nothing but references leads to.
pub(super) const NOWHERE: u64 = u64::MAX;

/// All nodes.
pub(super) struct Store {
    ids: Map<Hash, NodeId>,
    pub(super) nodes: Vec<Node>,
    pub(super) parts: Vec<NodePart>,
    pub(super) strings: Strings,
    /// For each unit, the structs, unions and enums with a name that it defines.
    pub(super) defined: Vec<Box<[NodeId]>>,
    /// The ids of nodes that are of the base; 0 for a name of it. There are no others before these.
    base: Vec<u32>,
}

/// A unit, for what is looked up in it.
pub(super) struct Local<'a> {
    pub(super) tables: &'a Tables,
    pub(super) shapes: &'a Shapes,
    pub(super) names: Names<'a>,
}

impl Store {
    pub(super) fn new(units: usize) -> Store {
        let void = Node {
            what: What::Type(Tag::Void),
            encoding: 0,
            name: 0,
            size: 0,
            to: 0,
            parts: 0..0,
            first: NOWHERE,
        };
        Store {
            ids: Map::default(),
            nodes: vec![void],
            parts: Vec::new(),
            strings: Strings::new(),
            defined: vec![Box::default(); units],
            base: Vec::new(),
        }
    }

    /// The node of the type at `index`, whose hash is `hash` and which begins at `first`.
    pub(super) fn root(&mut self, hash: Hash, index: u32, first: u64, local: &Local) -> NodeId {
        let id = match self.ids.get(&hash) {
            Some(&id) => id,
            None => self.create(hash, index, local),
        };
        self.seen(id, first)
    }

    /// The node of a function or variable.
    pub(super) fn named(
        &mut self,
        hash: Hash,
        what: What,
        name: &[u8],
        to: NodeId,
        rest: (u8, u32, u64),
        first: u64,
    ) -> NodeId {
        let id = match self.ids.get(&hash) {
            Some(&id) => id,
            None => {
                let (encoding, size, value) = rest;
                let part = NodePart { value, name: 0, to: 0, bits: 0 };
                let start = self.parts.len() as u32;
                if what == What::Var {
                    self.parts.push(part);
                }
                let name = self.strings.add(name);
                self.push(
                    hash,
                    Node { what, encoding, name, size, to, parts: start..self.parts.len() as u32, first },
                )
            }
        };
        self.seen(id, first)
    }

    fn seen(&mut self, id: NodeId, first: u64) -> NodeId {
        let node = &mut self.nodes[id as usize];
        node.first = node.first.min(first);
        id
    }

    /// The node of what a reference is to, which has been hashed.
    pub(super) fn reference(&mut self, to: DieRef, local: &Local) -> NodeId {
        let Ok(Target::Type(index)) = local.tables.target(to) else { return 0 };
        let hash = local.shapes.known(index);
        match self.ids.get(&hash) {
            Some(&id) => id,
            None => {
                let ty = &local.tables.types[index as usize];
                if local.tables.is_by_name(ty, &local.names) {
                    return self.name(ty.tag, local.names.get(ty.name), local.names.hash(ty.name));
                }
                self.create(hash, index, local)
            }
        }
    }

    /// The node of a type's prototype, by its index.
    pub(super) fn proto(&mut self, index: u32, local: &Local) -> NodeId {
        let hash = local.shapes.known(index);
        match self.ids.get(&hash) {
            Some(&id) => id,
            None => self.create(hash, index, local),
        }
    }

    /// A node for a type of the base; the first of equal ones stands for all.
    pub(super) fn push_base(&mut self, hash: Hash, what: What, to: NodeId, base: u32) {
        if self.ids.contains_key(&hash) {
            return;
        }
        let node = Node { what, encoding: 0, name: 0, size: 0, to, parts: 0..0, first: NOWHERE };
        let id = self.push(hash, node);
        self.base.resize(id as usize, 0);
        self.base.push(base);
    }

    /// The id that a node has in the base.
    pub(super) fn base_id(&self, id: NodeId) -> Option<u32> {
        self.base.get(id as usize).copied().filter(|&base| base != 0)
    }

    /// The node of the name of a struct, union or enum.
    pub(super) fn name(&mut self, tag: Tag, name: &[u8], name_hash: u64) -> NodeId {
        let hash = by_name(tag, name_hash);
        if let Some(&id) = self.ids.get(&hash) {
            return id;
        }
        let name = self.strings.add(name);
        let node =
            Node { what: What::Name(tag), encoding: 0, name, size: 0, to: 0, parts: 0..0, first: NOWHERE };
        self.push(hash, node)
    }

    fn create(&mut self, hash: Hash, index: u32, local: &Local) -> NodeId {
        let Local { tables, names, .. } = local;
        let ty = &tables.types[index as usize];
        if ty.tag == Tag::Array {
            return self.arrays(index, local);
        }
        let parts = &tables.parts[ty.parts.start as usize..ty.parts.end as usize];
        let to = if tables.is_by_name(ty, names) {
            self.name(ty.tag, names.get(ty.name), names.hash(ty.name))
        } else if ty.tag == Tag::Enum {
            0
        } else {
            self.reference(ty.ty, local)
        };
        // first what the parts refer to, whose own parts go before
        for part in parts {
            self.reference(part.ty, local);
        }
        let start = self.parts.len() as u32;
        for part in parts {
            let to = self.reference(part.ty, local);
            let name = self.strings.add(names.get(part.name));
            self.parts.push(NodePart { value: part.value, name, to, bits: part.bits });
        }
        let name = match ty.tag {
            Tag::Proto => 0,
            _ => self.strings.add(names.get(ty.name)),
        };
        let node = Node {
            what: What::Type(ty.tag),
            encoding: ty.encoding,
            name,
            size: ty.size,
            to,
            parts: start..self.parts.len() as u32,
            first: NOWHERE,
        };
        self.push(hash, node)
    }

    /// An array of several dimensions is one of arrays.
    fn arrays(&mut self, index: u32, local: &Local) -> NodeId {
        let ty = &local.tables.types[index as usize];
        let mut id = self.reference(ty.ty, local);
        let mut hash = local.shapes.reference_hash(ty.ty, local.tables);
        for elements in local.tables.dimensions(ty) {
            hash = shape::array(hash, elements);
            id = match self.ids.get(&hash) {
                Some(&id) => id,
                None => {
                    let what = What::Type(Tag::Array);
                    let node = Node {
                        what,
                        encoding: 0,
                        name: 0,
                        size: elements,
                        to: id,
                        parts: 0..0,
                        first: NOWHERE,
                    };
                    self.push(hash, node)
                }
            };
        }
        id
    }

    fn push(&mut self, hash: Hash, node: Node) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(node);
        self.ids.insert(hash, id);
        id
    }

    /// The parts of a node.
    pub(super) fn parts(&self, node: &Node) -> &[NodePart] {
        &self.parts[node.parts.start as usize..node.parts.end as usize]
    }

    /// Gives back what only building needs.
    pub(super) fn seal(&mut self) {
        self.ids = Map::default();
        self.strings.places = Map::default();
    }
}

/// Strings, each once, each ended by NUL. The empty one is at 0.
pub(super) struct Strings {
    bytes: Vec<u8>,
    places: Map<u64, u32>,
}

impl Strings {
    fn new() -> Strings {
        Strings { bytes: vec![0], places: Map::default() }
    }

    fn add(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let mut key = hash::string(text);
        loop {
            match self.places.get(&key) {
                None => break,
                Some(&at) if self.get(at) == text => return at,
                Some(_) => key = key.wrapping_add(1),
            }
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        self.places.insert(key, at);
        at
    }

    /// The string at `at`.
    pub(super) fn get(&self, at: u32) -> &[u8] {
        let rest = &self.bytes[at as usize..];
        &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]
    }
}
