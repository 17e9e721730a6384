//! One BTF type and what trails its record: members, enumerators, parameters, variables.

use super::kind::Kind;
use crate::bytes::Endian;
use crate::id::TypeId;

/// A type of a parsed [`super::Btf`]. Its trailing bytes were checked by `Btf::parse`.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a> {
    /// Its id.
    pub id: TypeId,
    /// Offset of its name in the strings; 0 for an anonymous type.
    pub name_off: u32,
    pub(super) info: u32,
    pub(super) size_or_type: u32,
    pub(super) trailing: &'a [u8],
    pub(super) endian: Endian,
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
    pub(super) const fn void() -> Type<'static> {
        Type {
            id: TypeId::VOID,
            name_off: 0,
            info: 0,
            size_or_type: 0,
            trailing: &[],
            endian: Endian::Little,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::from_number(self.kind_number())
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

    fn word(&self, at: usize) -> Option<u32> {
        let b = self.trailing.get(at..at.checked_add(4)?)?;
        Some(self.endian.u32(b.try_into().ok()?))
    }

    fn row(&self, index: u32, stride: usize, words: usize) -> Option<[u32; 3]> {
        if index >= self.vlen() {
            return None;
        }
        let at = (index as usize).checked_mul(stride)?;
        let mut out = [0; 3];
        for (i, o) in out.iter_mut().enumerate().take(words) {
            *o = self.word(at.checked_add(i.checked_mul(4)?)?)?;
        }
        Some(out)
    }

    /// Member number `index` of a struct or union.
    pub fn member(&self, index: u32) -> Option<Member> {
        if !self.kind().is_composite() {
            return None;
        }
        let [name_off, ty, offset] = self.row(index, 12, 3)?;
        let (bit_offset, bitfield_size) =
            if self.kflag() { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
        Some(Member { name_off, ty: TypeId(ty), bit_offset, bitfield_size })
    }

    /// All members of a struct or union.
    pub fn members(self) -> impl Iterator<Item = Member> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.member(i))
    }

    /// What an array is made of; `None` for another kind.
    pub fn array(&self) -> Option<Array> {
        if self.kind() != Kind::Array {
            return None;
        }
        Some(Array { elem: TypeId(self.word(0)?), index: TypeId(self.word(4)?), nelems: self.word(8)? })
    }

    /// Enumerator number `index` of an enum or enum64.
    pub fn enumerator(&self, index: u32) -> Option<Enumerator> {
        match self.kind() {
            Kind::Enum => {
                let [name_off, value, _] = self.row(index, 8, 2)?;
                Some(Enumerator { name_off, value: value as i32 as i64 as u64 })
            }
            Kind::Enum64 => {
                let [name_off, low, high] = self.row(index, 12, 3)?;
                Some(Enumerator { name_off, value: u64::from(high) << 32 | u64::from(low) })
            }
            _ => None,
        }
    }

    /// All enumerators of an enum or enum64.
    pub fn enumerators(self) -> impl Iterator<Item = Enumerator> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.enumerator(i))
    }

    /// Parameter number `index` of a function prototype.
    pub fn param(&self, index: u32) -> Option<Param> {
        if self.kind() != Kind::FuncProto {
            return None;
        }
        let [name_off, ty, _] = self.row(index, 8, 2)?;
        Some(Param { name_off, ty: TypeId(ty) })
    }

    /// All parameters of a function prototype.
    pub fn params(self) -> impl Iterator<Item = Param> + use<'a> {
        (0..self.vlen()).map_while(move |i| self.param(i))
    }

    /// The variables of a DATASEC.
    pub fn vars(self) -> impl Iterator<Item = SecVar> + use<'a> {
        let rows = if self.kind() == Kind::Datasec { self.vlen() } else { 0 };
        (0..rows).map_while(move |i| {
            let [ty, offset, size] = self.row(i, 12, 3)?;
            Some(SecVar { ty: TypeId(ty), offset, size })
        })
    }

    /// Encoding of an integer; `None` for another kind.
    pub fn int(&self) -> Option<IntEncoding> {
        if self.kind() != Kind::Int {
            return None;
        }
        let word = self.word(0)?;
        Some(IntEncoding { encoding: (word >> 24 & 0xf) as u8, offset: (word >> 16) as u8, bits: word as u8 })
    }

    /// Linkage of a VAR (0 static, 1 global, 2 extern).
    pub fn var_linkage(&self) -> Option<u32> {
        if self.kind() == Kind::Var { self.word(0) } else { None }
    }

    /// Linkage of a FUNC (0 static, 1 global, 2 extern), which stands in `vlen`.
    pub fn func_linkage(&self) -> u32 {
        self.vlen()
    }

    /// Component that a DECL_TAG is on: a member or parameter number, -1 for the declaration itself.
    pub fn tag_component(&self) -> Option<i32> {
        if self.kind() == Kind::DeclTag { self.word(0).map(|w| w as i32) } else { None }
    }

    /// Type ids in the trailing bytes: members, elements, parameters, variables.
    pub(super) fn trailing_ids(self) -> impl Iterator<Item = TypeId> + use<'a> {
        let array = self.array();
        let none = TypeId::VOID;
        let members = self.members().map(|m| m.ty);
        let params = self.params().map(|p| p.ty);
        let vars = self.vars().map(|v| v.ty);
        members
            .chain(params)
            .chain(vars)
            .chain([array.map_or(none, |a| a.elem), array.map_or(none, |a| a.index)])
    }

    /// Name offsets in the trailing bytes: members, enumerators, parameters.
    pub(super) fn trailing_names(self) -> impl Iterator<Item = u32> + use<'a> {
        let members = self.members().map(|m| m.name_off);
        let enums = self.enumerators().map(|e| e.name_off);
        members.chain(enums).chain(self.params().map(|p| p.name_off))
    }
}
