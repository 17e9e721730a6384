//! From nodes to BTF: which are written, in what order and under what ids.
//!
//! Types come in the order of the first DIE that is one, each followed by what it alone leads to, so that the result does not
//! depend on which thread came first.

use super::hash::{self, Map};
use super::split::{Class, Meanings, Place};
use super::store::{NOWHERE, Node, NodeId, Store, What};
use super::symbols::Kfunc;
use super::tables::{Tag, VARARGS};
use crate::subset::BtfWriter;
use anyhow::{Result, ensure};
use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::{Endian, TypeId};
use std::collections::VecDeque;

/// A record to be written.
#[derive(Clone, Copy)]
enum Item {
    /// A node, with what ambiguous names mean in it.
    Node(NodeId, Place),
    /// A struct, union or enum that is only declared.
    Declared(NodeId),
    /// The type of arrays' indices, where no unit has an `int`.
    Index,
}

/// The largest number of elements of one type: `vlen` has 16 bits.
pub const MAX_VLEN: usize = 0xffff;

/// Gives out ids, then writes in their order.
pub(super) struct Emit<'a> {
    store: &'a Store,
    meanings: &'a Meanings,
    items: Vec<Item>,
    /// Ids of nodes that are the same wherever they stand.
    ids: Vec<u32>,
    /// Ids of those that are not.
    ids_at: Map<(NodeId, Place), u32>,
    /// The same by what they refer to: two places may mean the same by a name.
    alike: Map<(NodeId, Vec<u32>), u32>,
    classes: Map<Class, u32>,
    declared: Map<NodeId, u32>,
    open: VecDeque<Class>,
    index: u32,
    base: Option<&'a Btf<'a>>,
    endian: Endian,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Types in all; those of a base are not counted.
    pub types: u32,
    /// Functions, without those that were left out.
    pub functions: u32,
    /// Functions left out, since functions of the same name have other prototypes.
    pub inconsistent: u32,
    /// Per-cpu variables.
    pub variables: u32,
    /// Functions with the tag of a kfunc.
    pub kfuncs: u32,
    /// Types left out: with more members than BTF can say, or of a size that it has no word for.
    pub unsayable: u32,
}

impl<'a> Emit<'a> {
    pub(super) fn new(
        store: &'a Store,
        meanings: &'a Meanings,
        base: Option<&'a Btf<'a>>,
        endian: Endian,
    ) -> Emit<'a> {
        Emit {
            base,
            store,
            meanings,
            items: Vec::new(),
            ids: vec![0; store.nodes.len()],
            ids_at: Map::default(),
            alike: Map::default(),
            classes: Map::default(),
            declared: Map::default(),
            open: VecDeque::new(),
            index: 0,
            endian,
        }
    }

    /// The BTF of all nodes.
    pub(super) fn run(mut self, percpu: Option<(&str, u32)>, kfuncs: &[Kfunc]) -> Result<(Vec<u8>, Counts)> {
        let store = self.store;
        let mut counts = Counts::default();
        let mut roots: Vec<NodeId> = (1..store.nodes.len() as NodeId).collect();
        roots.retain(|&id| store.nodes[id as usize].first != NOWHERE && store.base_id(id).is_none());
        // one DIE may be two nodes: a function and its prototype
        roots.sort_unstable_by_key(|&id| {
            (store.nodes[id as usize].first, order(store.nodes[id as usize].what))
        });
        self.index = self.index_type(&roots);
        let functions = consistent(store, &roots, &mut counts);
        for id in roots {
            let node = &store.nodes[id as usize];
            let unit = Place::Unit((node.first >> 32) as u32);
            match node.what {
                What::Func if !functions.contains_key(&id) => continue,
                What::Type(tag) if tag.is_tagged() && node.to != 0 => {
                    for division in 0..self.meanings.divisions(id) {
                        self.class((id, division));
                    }
                }
                _ => {
                    self.id(id, unit);
                }
            }
            self.drain();
        }
        let mut writer = self.base.map_or_else(|| BtfWriter::new(self.endian), BtfWriter::over);
        let mut names = Names::new(store, self.base);
        let first = writer.next_id().0;
        let mut funcs: Map<u32, u32> = Map::default();
        let mut vars: Vec<[u32; 3]> = Vec::new();
        for at in 0..self.items.len() {
            let written = self.write(self.items[at], &mut writer, &mut names, &mut counts);
            ensure!(written.0 == first + at as u32, "type {written} was written out of order");
            if let Item::Node(id, _) = self.items[at] {
                let node = &store.nodes[id as usize];
                match node.what {
                    What::Func => {
                        funcs.insert(node.name, written.0);
                        counts.functions += 1;
                    }
                    What::Var => {
                        let address = store.parts(node).first().map_or(0, |part| part.value);
                        vars.push([written.0, address as u32, node.size]);
                        counts.variables += 1;
                    }
                    _ => {}
                }
            }
        }
        if let (Some((name, size)), false) = (percpu, vars.is_empty()) {
            vars.sort_unstable_by_key(|&[id, at, _]| (at, id));
            vars.truncate(MAX_VLEN);
            writer.push(name, Kind::Datasec, false, vars.len() as u32, size, vars.as_flattened());
        }
        let by_name: std::collections::HashMap<&[u8], u32> =
            funcs.iter().map(|(&name, &id)| (store.strings.get(name), id)).collect();
        for kfunc in kfuncs {
            let Some(&id) = by_name.get(kfunc.name.as_bytes()) else { continue };
            counts.kfuncs += 1;
            for tag in kfunc.tags() {
                writer.push(tag, Kind::DeclTag, false, 0, id, &[u32::MAX]);
            }
        }
        counts.types = writer.next_id().0 - first;
        Ok((writer.finish(), counts))
    }

    /// The id of what arrays are indexed by: `int`, as pahole has it.
    fn index_type(&mut self, roots: &[NodeId]) -> u32 {
        let store = self.store;
        if let Some(int) = self.base.and_then(|base| base.find("int", Kind::Int)) {
            return int.id.0;
        }
        let int = roots.iter().find(|&&id| {
            let node = &store.nodes[id as usize];
            node.what == What::Type(Tag::Base) && store.strings.get(node.name) == b"int" && node.size == 4
        });
        match int {
            Some(&id) => self.id(id, Place::Unit(0)),
            None if store.nodes.iter().any(|node| node.what == What::Type(Tag::Array)) => {
                self.push(Item::Index)
            }
            None => 0,
        }
    }

    fn push(&mut self, item: Item) -> u32 {
        self.items.push(item);
        self.base.map_or(0, |base| base.id_end() - 1) + self.items.len() as u32
    }

    /// Ids for what the structs and unions that have one refer to.
    fn drain(&mut self) {
        while let Some(class) = self.open.pop_front() {
            let store = self.store;
            for part in store.parts(&store.nodes[class.0 as usize]) {
                self.id(part.to, Place::Class(class));
            }
        }
    }

    fn class(&mut self, class: Class) -> u32 {
        if let Some(id) = self.store.base_id(class.0) {
            return id;
        }
        if let Some(&id) = self.classes.get(&class) {
            return id;
        }
        let id = self.push(Item::Node(class.0, Place::Class(class)));
        self.classes.insert(class, id);
        self.open.push_back(class);
        id
    }

    /// The id of a node as it is meant at `place`, given out if it has none yet.
    fn id(&mut self, id: NodeId, place: Place) -> u32 {
        let store = self.store;
        let node = &store.nodes[id as usize];
        if let Some(id) = store.base_id(id) {
            return id;
        }
        match node.what {
            _ if id == 0 => return 0,
            What::Name(_) => {
                return match self.meanings.of(id, place) {
                    Some(class) => self.class(class),
                    None => match self.declared.get(&id) {
                        Some(&known) => known,
                        None => {
                            let new = self.push(Item::Declared(id));
                            self.declared.insert(id, new);
                            new
                        }
                    },
                };
            }
            What::Type(tag) if tag.is_tagged() && node.to != 0 => return self.class((id, 0)),
            What::Type(Tag::Base) if !sayable(node) => return 0,
            _ => {}
        }
        let depends = self.meanings.depends(id);
        let known =
            if depends { self.ids_at.get(&(id, place)).copied().unwrap_or(0) } else { self.ids[id as usize] };
        if known != 0 {
            return known;
        }
        // nodes lead to lower numbers only, in chains no longer than `shape::MAX_DEPTH`
        let mut refers = vec![self.id(node.to, place)];
        refers.extend(store.parts(node).iter().map(|part| self.id(part.to, place)));
        if !depends {
            let new = self.push(Item::Node(id, place));
            self.ids[id as usize] = new;
            return new;
        }
        let new = match self.alike.get(&(id, refers.clone())) {
            Some(&known) => known,
            None => {
                let new = self.push(Item::Node(id, place));
                self.alike.insert((id, refers), new);
                new
            }
        };
        self.ids_at.insert((id, place), new);
        new
    }

    /// The id that a node got.
    fn given(&mut self, id: NodeId, place: Place) -> u32 {
        let items = self.items.len();
        let given = self.id(id, place);
        debug_assert_eq!(items, self.items.len(), "an id is asked for first when it is written");
        given
    }

    fn write(
        &mut self,
        item: Item,
        writer: &mut BtfWriter,
        names: &mut Names,
        counts: &mut Counts,
    ) -> TypeId {
        let store = self.store;
        let (id, place) = match item {
            Item::Index => return writer.push("int", Kind::Int, false, 0, 4, &[1 << 24 | 32]),
            Item::Declared(id) => {
                let node = &store.nodes[id as usize];
                let name = names.put(node.name, writer);
                return match node.what {
                    What::Name(Tag::Enum) => writer.push_at(name, Kind::Enum, false, 0, 4, &[]),
                    What::Name(tag) => writer.push_at(name, Kind::Fwd, tag == Tag::Union, 0, 0, &[]),
                    _ => unreachable!("only names are declared"),
                };
            }
            Item::Node(id, place) => (id, place),
        };
        let node = &store.nodes[id as usize];
        let mut parts = store.parts(node);
        if parts.len() > MAX_VLEN {
            counts.unsayable += 1;
            parts = &parts[..MAX_VLEN];
        }
        let name = names.put(node.name, writer);
        let tag = match node.what {
            What::Type(tag) => tag,
            What::Func => {
                let to = self.given(node.to, place);
                return writer.push_at(name, Kind::Func, false, 0, to, &[]);
            }
            What::Var => {
                let to = self.given(node.to, place);
                return writer.push_at(name, Kind::Var, false, 0, to, &[node.encoding.into()]);
            }
            What::Name(_) => unreachable!("names are not written"),
        };
        let vlen = parts.len() as u32;
        let mut words = Vec::with_capacity(3 * parts.len());
        match tag {
            Tag::Struct | Tag::Union => {
                let bitfields = parts.iter().any(|part| part.bits != 0);
                for part in parts {
                    let offset = match bitfields {
                        true => part.value as u32 & 0x00ff_ffff | part.bits << 24,
                        false => part.value as u32,
                    };
                    words.extend([names.put(part.name, writer), self.given(part.to, place), offset]);
                }
                let kind = if tag == Tag::Struct { Kind::Struct } else { Kind::Union };
                writer.push_at(name, kind, bitfields, vlen, node.size, &words)
            }
            Tag::Enum => {
                let wide = node.size > 4;
                for part in parts {
                    words.extend([names.put(part.name, writer), part.value as u32]);
                    if wide {
                        words.push((part.value >> 32) as u32);
                    }
                }
                let signed = parts.iter().any(|part| part.bits != 0);
                let kind = if wide { Kind::Enum64 } else { Kind::Enum };
                writer.push_at(name, kind, signed, vlen, node.size, &words)
            }
            Tag::Array => {
                words.extend([self.given(node.to, place), self.index, node.size]);
                writer.push_at(0, Kind::Array, false, 0, 0, &words)
            }
            Tag::Proto => {
                for part in parts {
                    let name = names.put(part.name, writer);
                    words.extend(if part.value == VARARGS {
                        [0, 0]
                    } else {
                        [name, self.given(part.to, place)]
                    });
                }
                let to = self.given(node.to, place);
                writer.push_at(0, Kind::FuncProto, false, vlen, to, &words)
            }
            Tag::Base => match Encoding::of(node.encoding, store.strings.get(node.name)) {
                Encoding::Float => writer.push_at(name, Kind::Float, false, 0, node.size, &[]),
                Encoding::Int(bits) => {
                    let word = u32::from(bits) << 24 | (node.size * 8);
                    writer.push_at(name, Kind::Int, false, 0, node.size, &[word])
                }
            },
            Tag::Pointer => self.modifier(0, Kind::Ptr, node, place, writer),
            Tag::Const => self.modifier(0, Kind::Const, node, place, writer),
            Tag::Volatile => self.modifier(0, Kind::Volatile, node, place, writer),
            Tag::Restrict => self.modifier(0, Kind::Restrict, node, place, writer),
            Tag::Typedef => self.modifier(name, Kind::Typedef, node, place, writer),
            Tag::Void | Tag::Transparent => unreachable!("references pass over these"),
        }
    }

    fn modifier(
        &mut self,
        name: u32,
        kind: Kind,
        node: &Node,
        place: Place,
        writer: &mut BtfWriter,
    ) -> TypeId {
        let to = self.given(node.to, place);
        writer.push_at(name, kind, false, 0, to, &[])
    }
}

/// `DW_ATE_*`.
const BOOLEAN: u8 = 2;
const FLOAT: u8 = 4;
const SIGNED: u8 = 5;
const SIGNED_CHAR: u8 = 6;

/// How a base type is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Float,
    /// With bits of [`encoding`].
    Int(u8),
}

impl Encoding {
    /// Of `DW_AT_encoding`. `char` has no sign of its own in the kernel's BTF.
    pub(super) fn of(number: u8, name: &[u8]) -> Encoding {
        match number {
            FLOAT => Encoding::Float,
            BOOLEAN => Encoding::Int(encoding::BOOL),
            SIGNED => Encoding::Int(encoding::SIGNED),
            SIGNED_CHAR if name != b"char" => Encoding::Int(encoding::SIGNED),
            _ => Encoding::Int(0),
        }
    }
}

/// Whether the kernel takes an integer or float of this size (`btf_int_check_meta`, `btf_float_check_meta`).
fn sayable(node: &Node) -> bool {
    match node.encoding {
        FLOAT => matches!(node.size, 2 | 4 | 8 | 12 | 16),
        _ => matches!(node.size, 1 | 2 | 4 | 8 | 16),
    }
}

/// Which of two nodes of one DIE is first.
fn order(what: What) -> u8 {
    match what {
        What::Type(_) => 0,
        What::Name(_) => 1,
        What::Func => 2,
        What::Var => 3,
    }
}

/// Where names are in the strings.
struct Names<'a> {
    store: &'a Store,
    put: Map<u32, u32>,
    base: Option<&'a Btf<'a>>,
    /// Offsets in the base's strings, by the hash of the string.
    of_base: Map<u64, u32>,
}

impl<'a> Names<'a> {
    fn new(store: &'a Store, base: Option<&'a Btf<'a>>) -> Names<'a> {
        let mut of_base = Map::default();
        let mut at = 0;
        while let Some(base) = base.filter(|base| at < base.string_end()) {
            let text = base.string(at);
            of_base.entry(hash::string(text.as_bytes())).or_insert(at);
            at += text.len() as u32 + 1;
        }
        Names { store, put: Map::default(), base, of_base }
    }

    /// The offset of a name, which is added if neither the base nor the blob has it.
    fn put(&mut self, name: u32, writer: &mut BtfWriter) -> u32 {
        let Names { store, put, base, of_base } = self;
        *put.entry(name).or_insert_with(|| {
            let text = store.strings.get(name);
            let known = of_base.get(&hash::string(text)).copied();
            match known.filter(|&at| base.is_some_and(|base| base.string(at).as_bytes() == text)) {
                Some(at) => at,
                None => writer.string(&String::from_utf8_lossy(text)),
            }
        })
    }
}

/// The functions whose name stands for one prototype in all units. Where some have code, those without are not asked: they are
/// weak ones that another took the place of, as `sys_ni.c` has for each system call.
fn consistent(store: &Store, roots: &[NodeId], counts: &mut Counts) -> Map<NodeId, ()> {
    let mut of_name: Map<u32, Vec<NodeId>> = Map::default();
    for &id in roots.iter().filter(|&&id| store.nodes[id as usize].what == What::Func) {
        of_name.entry(store.nodes[id as usize].name).or_default().push(id);
    }
    let mut found = Map::default();
    for of in of_name.values_mut() {
        let has_code = |id: &NodeId| store.nodes[*id as usize].encoding != 0;
        if of.iter().any(has_code) {
            of.retain(has_code);
        }
        match of[..] {
            [only] => _ = found.insert(only, ()),
            _ => counts.inconsistent += 1,
        }
    }
    found
}
