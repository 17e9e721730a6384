//! What each type of a unit is, as a hash that does not depend on the unit.
//!
//! A type's hash covers all that it is made of, except that structs, unions and enums with a name are referred to by kind and
//! name alone. C has no other way to make a circle of types, so each hash is computed from finished ones.

use super::Malformed;
use super::die::{DieRef, Place, Str};
use super::emit::Encoding;
use super::hash::{self, Hash, Hasher};
use super::tables::{Tables, Tag, Ty};

/// The deepest chain of types without a name on the way. The kernel follows 32 (`MAX_RESOLVE_DEPTH`).
pub(super) const MAX_DEPTH: u32 = 200;

/// Where names are.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) unit: &'a [u8],
    pub(super) debug_str: &'a [u8],
    pub(super) line_str: &'a [u8],
}

impl<'a> Names<'a> {
    /// The bytes that begin with a name; empty for no name, or one outside its section.
    #[inline]
    pub(super) fn from(&self, name: Str) -> &'a [u8] {
        let (section, at) = match name.place() {
            Place::DebugStr(at) => (self.debug_str, at),
            Place::Unit(at) => (self.unit, at),
            Place::LineStr(at) => (self.line_str, at),
            Place::Nowhere => return &[],
        };
        section.get(at..).unwrap_or_default()
    }

    /// The name, without the NUL that ends it.
    pub(super) fn get(&self, name: Str) -> &'a [u8] {
        let bytes = self.from(name);
        &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
    }

    #[inline]
    pub(super) fn hash(&self, name: Str) -> u64 {
        if name == Str::NONE { hash::string(&[]) } else { hash::string(self.from(name)) }
    }

    /// Whether there is a name that is not empty.
    #[inline]
    pub(super) fn has(&self, name: Str) -> bool {
        name != Str::NONE && self.from(name).first().is_some_and(|&first| first != 0)
    }
}

/// What a reference is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Void,
    Type(u32),
}

/// The hashes of a unit's types, made as they are asked for.
#[derive(Default)]
pub(super) struct Shapes {
    done: Vec<(State, Hash)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    New,
    Open,
    Done,
}

/// The hash of `void`.
pub(super) const VOID: Hash = Hash(1, 1);

/// What a hash is of, beside the tags.
const BY_NAME: u64 = 100;
pub(super) const FUNC: u64 = 101;
/// A function that is defined where its code is not.
pub(super) const FUNC_ELSEWHERE: u64 = 103;
pub(super) const VAR: u64 = 102;

/// The hash of the name of a struct, union or enum.
#[inline]
pub(super) fn by_name(tag: Tag, name: u64) -> Hash {
    Hasher::new(BY_NAME).with(tag as u64).with(name).end()
}

/// The hash of a struct or union, without its parts yet.
#[inline]
pub(super) fn composite(tag: Tag, name: u64, size: u32) -> Hasher {
    Hasher::new(tag as u64).with(name).with(size.into())
}

/// The hash of what only refers to something, with a name if it is a typedef; a prototype's without its parameters yet.
#[inline]
pub(super) fn modifier(tag: Tag, name: u64, to: Hash) -> Hasher {
    Hasher::new(tag as u64).and(to).with(name)
}

/// A hash with a member or parameter more.
#[inline]
pub(super) fn part(made: Hasher, to: Hash, name: u64, value: u64, bits: u32) -> Hasher {
    made.and(to).with(name).with(value ^ u64::from(bits).rotate_left(40))
}

/// The hash of an enum. What it is stored as says its size and no more.
pub(super) fn enumeration(
    name: u64,
    size: u32,
    signed: bool,
    values: impl Iterator<Item = (u64, u64)>,
) -> Hash {
    let mut made = Hasher::new(Tag::Enum as u64).with(name).with(u64::from(size) << 1 | u64::from(signed));
    for (name, value) in values {
        made = made.with(name).with(if size > 4 { value } else { u64::from(value as u32) });
    }
    made.end()
}

/// The hash of an integer or float.
pub(super) fn base(name: u64, size: u32, encoding: Encoding) -> Hash {
    let encoding = match encoding {
        Encoding::Float => 0x100,
        Encoding::Int(bits) => bits.into(),
    };
    Hasher::new(Tag::Base as u64).with(name).with(u64::from(size) << 16 | encoding).end()
}

/// The hash of an array of `elements` of what `of` is the hash of.
pub(super) fn array(of: Hash, elements: u32) -> Hash {
    Hasher::new(Tag::Array as u64).and(of).with(elements.into()).end()
}

impl Tables {
    /// An array's numbers of elements, from the innermost dimension outwards. An array without a dimension has one of none.
    pub(super) fn dimensions(&self, ty: &Ty) -> impl Iterator<Item = u32> {
        let parts = &self.parts[ty.parts.start as usize..ty.parts.end as usize];
        // what does not fit is the -1 of "no elements" in a wide form
        let stated = parts.iter().rev().map(|part| u32::try_from(part.value).unwrap_or(0));
        stated.chain(parts.is_empty().then_some(0))
    }

    /// What `reference` is to, qualifiers without a word in BTF passed over.
    #[inline]
    pub(super) fn target(&self, reference: DieRef) -> Result<Target, Malformed> {
        let mut reference = reference;
        for _ in 0..MAX_DEPTH {
            if reference == DieRef::NONE {
                return Ok(Target::Void);
            }
            if reference.0 & DieRef::FOREIGN != 0 {
                return Err(Malformed::Foreign);
            }
            let index = self.find(reference.0).ok_or(Malformed::Reference(reference.0.into()))?;
            let ty = &self.types[index as usize];
            match ty.tag {
                Tag::Void => return Ok(Target::Void),
                Tag::Transparent => reference = ty.ty,
                _ => return Ok(Target::Type(index)),
            }
        }
        Err(Malformed::Circle)
    }

    /// Whether references to `ty` are by its name.
    #[inline]
    pub(super) fn is_by_name(&self, ty: &Ty, names: &Names) -> bool {
        ty.tag.is_tagged() && names.has(ty.name)
    }
}

impl Shapes {
    /// Begins with another unit.
    pub(super) fn reset(&mut self, types: usize) {
        self.done.clear();
        self.done.resize(types, Default::default());
    }

    /// The hash of what a reference is to.
    #[inline]
    fn reference(
        &mut self,
        to: DieRef,
        tables: &Tables,
        names: &Names,
        depth: u32,
    ) -> Result<Hash, Malformed> {
        let Target::Type(index) = tables.target(to)? else { return Ok(VOID) };
        let (state, hash) = self.done[index as usize];
        if state == State::Done {
            return Ok(hash);
        }
        let ty = &tables.types[index as usize];
        if tables.is_by_name(ty, names) {
            let hash = by_name(ty.tag, names.hash(ty.name));
            self.done[index as usize] = (State::Done, hash);
            return Ok(hash);
        }
        self.inner(index, tables, names, depth)
    }

    /// The hash of a type without a name to refer to it by, and of all inside it.
    fn inner(&mut self, index: u32, tables: &Tables, names: &Names, depth: u32) -> Result<Hash, Malformed> {
        match self.done[index as usize] {
            (State::Done, hash) => return Ok(hash),
            (State::Open, _) => return Err(Malformed::Circle),
            (State::New, _) if depth >= MAX_DEPTH => return Err(Malformed::Nesting),
            (State::New, _) => self.done[index as usize].0 = State::Open,
        }
        let hash = self.whole(index, tables, names, depth)?;
        self.done[index as usize] = (State::Done, hash);
        Ok(hash)
    }

    /// The hash of the type itself, named or not.
    pub(super) fn whole(
        &mut self,
        index: u32,
        tables: &Tables,
        names: &Names,
        depth: u32,
    ) -> Result<Hash, Malformed> {
        let ty = &tables.types[index as usize];
        if ty.tag == Tag::Array {
            let of = self.reference(ty.ty, tables, names, depth + 1)?;
            return Ok(tables.dimensions(ty).fold(of, array));
        }
        let parts = &tables.parts[ty.parts.start as usize..ty.parts.end as usize];
        let name = || names.hash(ty.name);
        let mut made = match ty.tag {
            Tag::Struct | Tag::Union => composite(ty.tag, name(), ty.size),
            Tag::Base => return Ok(base(name(), ty.size, Encoding::of(ty.encoding, names.get(ty.name)))),
            Tag::Enum => {
                let signed = parts.iter().any(|part| part.bits != 0);
                return Ok(enumeration(
                    name(),
                    ty.size,
                    signed,
                    parts.iter().map(|part| (names.hash(part.name), part.value)),
                ));
            }
            // a function's own name is no part of its prototype
            tag => {
                let to = self.reference(ty.ty, tables, names, depth + 1)?;
                modifier(tag, if tag == Tag::Typedef { name() } else { 0 }, to)
            }
        };
        for of in parts {
            let to = self.reference(of.ty, tables, names, depth + 1)?;
            made = part(made, to, names.hash(of.name), of.value, of.bits);
        }
        Ok(made.end())
    }

    /// The hash that [`Shapes::reference`] gave for a type, of which it was asked.
    pub(super) fn known(&self, index: u32) -> Hash {
        self.done[index as usize].1
    }

    /// The same for a reference.
    pub(super) fn reference_hash(&self, to: DieRef, tables: &Tables) -> Hash {
        match tables.target(to) {
            Ok(Target::Type(index)) => self.known(index),
            _ => VOID,
        }
    }

    /// The hash of a type that a function or variable refers to.
    pub(super) fn of(&mut self, to: DieRef, tables: &Tables, names: &Names) -> Result<Hash, Malformed> {
        self.reference(to, tables, names, 0)
    }

    /// The hash of a type that stands for itself: a root.
    #[inline]
    pub(super) fn root(&mut self, index: u32, tables: &Tables, names: &Names) -> Result<Hash, Malformed> {
        let ty = &tables.types[index as usize];
        if tables.is_by_name(ty, names) {
            self.whole(index, tables, names, 0)
        } else {
            self.inner(index, tables, names, 0)
        }
    }
}
