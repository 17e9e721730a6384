//! `.BTF`: the types of a program or a kernel, read in place.
//!
//! [`Btf::parse`] walks the whole type section once and proves: every record lies inside the section, every kind is known
//! or described by the layout section, every name offset points into terminated UTF-8 strings, every type id exists, no
//! chain of modifiers and typedefs is longer than [`crate::limits::MAX_RESOLVE_DEPTH`]. After that the accessors cannot fail
//! but for an id that is out of range and for types that have no size.
//!
//! Memory: four bytes a type, given by the caller ([`Btf::count`] says how many). Time: linear in the blob.
//! Source: `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h` (kernel 7.1 for the layout section).

mod header;
mod kind;
pub mod names;
mod resolve;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod types;

pub use header::{Header, MAGIC};
pub use kind::Kind;
pub use types::{Array, Enumerator, IntEncoding, Member, Param, SecVar, Type, encoding};

use crate::bytes::Endian;
use crate::error::{Error, Limit, Part, Result};
use crate::id::TypeId;
use crate::limits::MAX_NAME_LEN;
use resolve::TOO_DEEP;

/// Bytes of the part of a record that all kinds have.
pub(crate) const RECORD: usize = 12;

/// A parsed BTF blob, possibly split over a base.
#[derive(Clone, Copy, Debug)]
pub struct Btf<'a> {
    endian: Endian,
    types: &'a [u8],
    strings: &'a str,
    index: &'a [u32],
    base: Option<&'a Btf<'a>>,
    /// Its own first id and first offset of a string: where those of the base end.
    id_start: u32,
    string_start: u32,
    pointer_size: u8,
}

impl<'a> Btf<'a> {
    /// No types, for a caller that has no use for those that there are.
    pub const fn none() -> Btf<'a> {
        let (types, index): (&[u8], &[u32]) = (&[], &[]);
        let (endian, pointer_size) = (Endian::HOST, 8);
        Btf { endian, types, strings: "", index, base: None, id_start: 1, string_start: 0, pointer_size }
    }

    /// Number of types in `data`, which is the number of entries that [`Btf::parse`] needs.
    pub fn count(data: &[u8]) -> Result<usize> {
        let mut walk = Walk::new(data)?;
        let mut n = 0usize;
        while walk.next()?.is_some() {
            n = n.saturating_add(1);
        }
        Ok(n)
    }

    /// Checks `data` and indexes its types in `index`. Pointers are taken as 8 bytes, as in BPF objects;
    /// see [`Btf::with_pointer_size`].
    pub fn parse(data: &'a [u8], index: &'a mut [u32]) -> Result<Btf<'a>> {
        Btf::parse_split(data, index, None)
    }

    /// The same for split BTF (a module's) whose ids and strings continue those of `base`.
    pub fn parse_split(data: &'a [u8], index: &'a mut [u32], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>> {
        let mut walk = Walk::new(data)?;
        let limit = index.len();
        let mut n = 0usize;
        while let Some(offset) = walk.next()? {
            let slot =
                index.get_mut(n).ok_or(Error::TooMany { what: Limit::TypeIndex, limit: limit as u32 })?;
            *slot = offset;
            n = n.saturating_add(1);
        }
        let index: &'a [u32] = index;
        let btf = Btf {
            endian: walk.header.endian,
            types: walk.types,
            strings: walk.strings,
            index: index.get(..n).unwrap_or(index),
            base,
            id_start: base.map_or(1, |b| b.id_end()),
            string_start: base.map_or(0, |b| b.string_end()),
            pointer_size: base.map_or(8, |b| b.pointer_size),
        };
        for t in btf.own_types() {
            btf.check(t)?;
        }
        Ok(btf)
    }

    /// Whether the ids and names of `t` exist, and what modifies another type comes to an end.
    fn check(&self, t: Type<'a>) -> Result<()> {
        self.check_name(t.name_off)?;
        let kind = t.kind();
        if kind.refers_to_type() {
            self.check_id(t.target())?;
        }
        if kind.is_modifier() && self.behind(t.id).kind().is_modifier() {
            return Err(TOO_DEEP);
        }
        // the first word of a row is a name or else an id; the second may be an id
        let (rows, stride, first_is_name, second_is_id) = match kind {
            Kind::Struct | Kind::Union => (t.vlen(), 12, true, true),
            Kind::FuncProto => (t.vlen(), 8, true, true),
            Kind::Enum => (t.vlen(), 8, true, false),
            Kind::Enum64 => (t.vlen(), 12, true, false),
            Kind::Datasec => (t.vlen(), 12, false, false),
            Kind::Array => (1, 12, false, true),
            _ => return Ok(()),
        };
        for i in 0..rows {
            let [first, second, _] = t.row(i, stride);
            if first_is_name {
                self.check_name(first)?;
            } else {
                self.check_id(TypeId(first))?;
            }
            if second_is_id {
                self.check_id(TypeId(second))?;
            }
        }
        Ok(())
    }

    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)] // asked for every id
    pub(crate) fn check_id(&self, id: TypeId) -> Result<()> {
        if id.0 < self.id_end() { Ok(()) } else { Err(Error::NoSuchType { id }) }
    }

    fn check_name(&self, at: u32) -> Result<()> {
        if at < self.string_end() { Ok(()) } else { Err(Error::BadString { part: Part::BtfStrings, at }) }
    }

    /// The same types with pointers of another size, in bytes.
    pub fn with_pointer_size(self, pointer_size: u8) -> Self {
        Btf { pointer_size, ..self }
    }

    /// Bytes of a pointer.
    pub fn pointer_size(&self) -> u8 {
        self.pointer_size
    }

    /// Byte order of the blob.
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// Ids run from 1 to one below this, those of the base included.
    pub fn id_end(&self) -> u32 {
        self.id_start.saturating_add(self.index.len() as u32)
    }

    /// First id of this blob's own types: 1, or the base's end for split BTF.
    pub fn id_start(&self) -> u32 {
        self.id_start
    }

    /// Offset behind the strings, those of the base included: where those of BTF that is split over this one begin.
    pub fn string_end(&self) -> u32 {
        self.string_start.saturating_add(self.strings.len() as u32)
    }

    /// The type of id `id`.
    ///
    /// # Errors
    /// [`Error::NoSuchType`]
    #[inline]
    pub fn ty(&self, id: TypeId) -> Result<Type<'a>> {
        self.check_id(id)?;
        Ok(self.get(id))
    }

    /// The same for an id that stands in these types, so that it is known to exist; void for one that does not.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(crate) fn get(&self, id: TypeId) -> Type<'a> {
        match self.index.get(id.0.wrapping_sub(self.id_start) as usize) {
            Some(&at) => Type::new(id, self.types.get(at as usize..).unwrap_or(&[]), self.endian),
            None => self.of_base(id),
        }
    }

    /// The type of an id that is none of this blob's own: one of the base, or void.
    #[cold]
    fn of_base(&self, id: TypeId) -> Type<'a> {
        self.base.map_or(Type::head(id, [0; 3]), |base| base.get(id))
    }

    /// This blob's own types in id order, without those of a base.
    pub fn own_types(&self) -> impl Iterator<Item = Type<'a>> + use<'a> {
        let btf = *self;
        (btf.id_start()..btf.id_end()).map(move |id| btf.get(TypeId(id)))
    }

    /// The name at `off`, which is any string of up to [`MAX_NAME_LEN`] bytes; empty for a longer one, which the kernel
    /// refuses as a name, and for an offset outside the strings, which no parsed name has.
    ///
    /// Whoever walks names of types or members thus takes no longer for them than their number allows.
    pub fn string(&self, off: u32) -> &'a str {
        let rest = self.tail(off);
        let end = rest.bytes().take(MAX_NAME_LEN.saturating_add(1)).position(|b| b == 0);
        end.and_then(|end| rest.get(..end)).unwrap_or("")
    }

    /// The string at `off` of any length, for what is no name: source lines and the paths of their files.
    pub fn text(&self, off: u32) -> &'a str {
        self.tail(off).split('\0').next().unwrap_or("")
    }

    /// All strings from `off` on.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(crate) fn tail(&self, off: u32) -> &'a str {
        match self.strings.get(off.wrapping_sub(self.string_start) as usize..) {
            Some(tail) => tail,
            None => self.tail_of_base(off),
        }
    }

    /// The strings from an offset on that is none of this blob's own: those of the base.
    #[cold]
    fn tail_of_base(&self, off: u32) -> &'a str {
        match self.base {
            Some(base) if off < self.string_start => base.tail(off),
            _ => "",
        }
    }

    /// The name of a type; empty for an anonymous one.
    pub fn name(&self, t: &Type<'_>) -> &'a str {
        self.string(t.name_off)
    }

    /// Whether `name` is the essential name of the one at `off`.
    #[inline]
    pub(crate) fn has_essential(&self, off: u32, name: &str) -> bool {
        // most names begin otherwise: those are not walked to their end
        (cfg!(feature = "small") || self.tail(off).as_bytes().starts_with(name.as_bytes()))
            && names::essential(self.string(off)) == name
    }

    /// First type of `kind` and exactly `name`.
    pub fn find(&self, name: &str, kind: Kind) -> Option<Type<'a>> {
        self.base
            .and_then(|b| b.find(name, kind))
            .or_else(|| self.own_types().find(|t| t.kind() == kind && self.name(t) == name))
    }
}

/// Walks the records of a type section without an index.
struct Walk<'a> {
    header: Header,
    types: &'a [u8],
    strings: &'a str,
    layout: &'a [u8],
    at: usize,
    id: u32,
}

impl<'a> Walk<'a> {
    fn new(data: &'a [u8]) -> Result<Self> {
        let header = Header::parse(data)?;
        let types = header.part(data, header.type_off, header.type_len, Part::BtfTypes)?;
        let strings = header.part(data, header.str_off, header.str_len, Part::BtfStrings)?;
        let layout = header.part(data, header.layout_off, header.layout_len, Part::BtfLayout)?;
        let bad = |at: usize| Error::BadString { part: Part::BtfStrings, at: at as u32 };
        if strings.last().is_some_and(|&b| b != 0) {
            return Err(bad(strings.len()));
        }
        Ok(Walk {
            header,
            types,
            strings: core::str::from_utf8(strings).map_err(|e| bad(e.valid_up_to()))?,
            layout,
            at: 0,
            id: 0,
        })
    }

    /// Offset of the next record in the type section, `None` at the end.
    fn next(&mut self) -> Result<Option<u32>> {
        if self.at >= self.types.len() {
            return Ok(None);
        }
        let at = self.at;
        let short = Error::Truncated { part: Part::BtfTypes, at: at as u32 };
        self.id = self.id.saturating_add(1);
        let rest = self.types.get(at..).filter(|rest| rest.len() >= RECORD).ok_or(short)?;
        let t = Type::new(TypeId(self.id), rest, self.header.endian);
        let number = t.kind_number();
        let (once, each) = match t.kind() {
            Kind::Void => return Err(Error::UnknownKind { id: t.id, kind: 0 }),
            // struct btf_layout: u8 info_sz, u8 elem_sz, u16 flags, one for each kind
            Kind::Unknown => {
                let unknown = Error::UnknownKind { id: t.id, kind: number };
                let [once, each, ..] =
                    *self.layout.as_chunks::<4>().0.get(usize::from(number)).ok_or(unknown)?;
                (usize::from(once), usize::from(each))
            }
            kind => kind.trailing(),
        };
        let len = each.saturating_mul(t.vlen() as usize).saturating_add(once).saturating_add(RECORD);
        if len > rest.len() {
            return Err(short);
        }
        self.at = at.saturating_add(len);
        Ok(Some(at as u32))
    }
}
