//! One BTF type and what trails its record: members, enumerators, parameters, variables.

use super::RECORD;
use super::kind::Kind;
use crate::bytes::Endian;
use crate::id::TypeId;

/// A type of a parsed [`super::Btf`]. `Btf::parse` proved that all of its record is there; what is read outside of it is 0.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a> {
    /// Its id.
    pub id: TypeId,
    /// Offset of its name in the strings; 0 for an anonymous type.
    pub name_off: u32,
    kind: Kind,
    info: u32,
    size_or_type: u32,
    /// From behind the 12 bytes that all types have, to the end of the type section.
    trailing: &'a [u8],
    endian: Endian,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset of its name; 0 for an anonymous member.
    pub name_off: u32,
    /// Its type.
    pub ty: TypeId,
    /// Distance from the start of the struct, in bits.
    pub bit_offset: u32,
    /// Bits of a bitfield; 0 for an ordinary member.
    pub bitfield_size: u32,
}

/// What an array is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Type of an element.
    pub elem: TypeId,
    /// Type of an index, as the compiler recorded it.
    pub index: TypeId,
    /// Number of elements; 0 for a flexible array.
    pub nelems: u32,
}

/// An enumerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// Offset of its name.
    pub name_off: u32,
    /// Its value; sign-extended from 32 bits for an enum, all 64 bits of an enum64.
    pub value: u64,
}

/// A parameter of a function prototype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Offset of its name; 0 in prototypes and for the `...` of a variadic function.
    pub name_off: u32,
    /// Its type; void for `...`.
    pub ty: TypeId,
}

/// A variable within a DATASEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecVar {
    /// The VAR, or FUNC for externs in `.ksyms`.
    pub ty: TypeId,
    /// Offset in the section, in bytes.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// `BTF_INT_*` bits of an integer's encoding.
pub mod encoding {
    /// Signed.
    pub const SIGNED: u8 = 1;
    /// Character.
    pub const CHAR: u8 = 2;
    /// Boolean.
    pub const BOOL: u8 = 4;
}

/// The encoding word of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntEncoding {
    /// Bits of [`encoding`].
    pub encoding: u8,
    /// Offset of the value in its storage, in bits; 0 but for old bitfields.
    pub offset: u8,
    /// Bits of the value.
    pub bits: u8,
}

impl<'a> Type<'a> {
    /// The type whose record `bytes` start with; void where there are none.
    #[inline]
    pub(super) fn new(id: TypeId, bytes: &'a [u8], endian: Endian) -> Self {
        let (head, trailing) = bytes.split_first_chunk().unwrap_or((&[0; RECORD], &[]));
        Type { trailing, endian, ..Type::head(id, endian.three(head)) }
    }

    /// The type of a record whose first three words are at hand and whose trailing ones are not.
    #[inline]
    pub(crate) fn head(id: TypeId, [name_off, info, size_or_type]: [u32; 3]) -> Self {
        let kind = Kind::from_number((info >> 24 & 0x7f) as u8);
        Type { id, name_off, kind, info, size_or_type, trailing: &[], endian: Endian::HOST }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The number of its kind, for messages about unknown ones. 7 bits since kernel 7.1, 5 before, the rest 0.
    pub fn kind_number(&self) -> u8 {
        (self.info >> 24 & 0x7f) as u8
    }

    /// Number of its members, enumerators, parameters or variables. 24 bits since kernel 7.1, 16 before.
    pub fn vlen(&self) -> u32 {
        self.info & 0x00ff_ffff
    }

    /// The kind flag: bitfield encoding of a struct, union of a forward declaration, signedness of an enum.
    pub fn kflag(&self) -> bool {
        self.info >> 31 == 1
    }

    /// Size in bytes of the kinds that state one; see [`super::Btf::size_of`] for all.
    pub fn size(&self) -> u32 {
        self.size_or_type
    }

    /// The type that a pointer, modifier, typedef, function or variable refers to; a prototype's return type.
    pub fn target(&self) -> TypeId {
        TypeId(self.size_or_type)
    }

    /// The first three words of row `index` of rows of `stride` bytes; 0 behind the type section. Of rows of fewer words the
    /// others are not theirs.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)] // called by every accessor: inlined, it takes the device more flash
    pub(super) fn row(&self, index: u32, stride: usize) -> [u32; 3] {
        let rest = self.trailing.get((index as usize).saturating_mul(stride)..).unwrap_or(&[]);
        // most rows are no last ones of two words: three at once take less time, and more flash
        if let (false, Some(row)) = (cfg!(feature = "small"), rest.first_chunk()) {
            return self.endian.three(row);
        }
        let mut row = [0; 3];
        for (word, bytes) in row.iter_mut().zip(rest.as_chunks().0) {
            *word = self.endian.u32(*bytes);
        }
        row
    }

    /// The first word behind the record's first 12 bytes.
    fn word(&self) -> u32 {
        let [word, ..] = self.row(0, 0);
        word
    }

    /// Member number `index` of a struct or union.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub fn member(&self, index: u32) -> Option<Member> {
        if !self.kind().is_composite() || index >= self.vlen() {
            return None;
        }
        let [name_off, ty, offset] = self.row(index, 12);
        let (bit_offset, bitfield_size) =
            if self.kflag() { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
        Some(Member { name_off, ty: TypeId(ty), bit_offset, bitfield_size })
    }

    /// All members of a struct or union.
    pub fn members(self) -> impl Iterator<Item = Member> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.member(i))
    }

    /// What an array is made of; `None` for another kind.
    #[inline]
    pub fn array(&self) -> Option<Array> {
        if self.kind() != Kind::Array {
            return None;
        }
        let [elem, index, nelems] = self.row(0, RECORD);
        Some(Array { elem: TypeId(elem), index: TypeId(index), nelems })
    }

    /// Enumerator number `index` of an enum or enum64.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub fn enumerator(&self, index: u32) -> Option<Enumerator> {
        if !self.kind().is_enum() || index >= self.vlen() {
            return None;
        }
        if self.kind() == Kind::Enum {
            let [name_off, value, _] = self.row(index, 8);
            return Some(Enumerator { name_off, value: value as i32 as i64 as u64 });
        }
        let [name_off, low, high] = self.row(index, 12);
        Some(Enumerator { name_off, value: u64::from(high) << 32 | u64::from(low) })
    }

    /// All enumerators of an enum or enum64.
    pub fn enumerators(self) -> impl Iterator<Item = Enumerator> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.enumerator(i))
    }

    /// Parameter number `index` of a function prototype.
    pub fn param(&self, index: u32) -> Option<Param> {
        if self.kind() != Kind::FuncProto || index >= self.vlen() {
            return None;
        }
        let [name_off, ty, _] = self.row(index, 8);
        Some(Param { name_off, ty: TypeId(ty) })
    }

    /// All parameters of a function prototype.
    pub fn params(self) -> impl Iterator<Item = Param> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.param(i))
    }

    /// The variables of a DATASEC.
    pub fn vars(self) -> impl Iterator<Item = SecVar> + use<'a> {
        let rows = if self.kind() == Kind::Datasec { self.vlen() } else { 0 };
        (0..rows).map(move |i| {
            let [ty, offset, size] = self.row(i, 12);
            SecVar { ty: TypeId(ty), offset, size }
        })
    }

    /// Encoding of an integer; `None` for another kind.
    pub fn int(&self) -> Option<IntEncoding> {
        if self.kind() != Kind::Int {
            return None;
        }
        let word = self.word();
        Some(IntEncoding { encoding: (word >> 24 & 0xf) as u8, offset: (word >> 16) as u8, bits: word as u8 })
    }

    /// Whether it is an integer that starts where its storage starts, which one of an old bitfield does not.
    #[cfg_attr(feature = "small", inline(never))]
    #[cfg_attr(not(feature = "small"), inline)]
    pub(crate) fn is_whole_int(&self) -> bool {
        self.int().is_some_and(|i| i.offset == 0)
    }

    /// Linkage of a VAR (0 static, 1 global, 2 extern).
    pub fn var_linkage(&self) -> Option<u32> {
        (self.kind() == Kind::Var).then(|| self.word())
    }

    /// Linkage of a FUNC (0 static, 1 global, 2 extern), which stands in `vlen`.
    pub fn func_linkage(&self) -> u32 {
        self.vlen()
    }

    /// Component that a DECL_TAG is on: a member or parameter number, -1 for the declaration itself.
    pub fn tag_component(&self) -> Option<i32> {
        (self.kind() == Kind::DeclTag).then(|| self.word() as i32)
    }
}
