//! From specs to values: what a relocation's instruction must hold.
//! Source: `bpf_core_calc_relo` and its `_field`, `_type` and `_enumval` parts, libbpf `src/relo_core.c`; the shift of a
//! bitfield goes by the byte order of the types and not of the machine that this runs on.

use super::field::{size_of, skip_mods};
use super::{Observer, ReloKind, Spec, TargetTypes};
use crate::btf::{Btf, Kind, Type, encoding};
use crate::bytes::Endian;
use crate::error::{Error, Limit, Result};
use crate::id::TypeId;

/// What one candidate gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calc {
    /// What the instruction must hold now, if `validate`.
    pub old: u64,
    /// What it is to hold.
    pub new: u64,
    /// There is no such value: the instruction is poisoned.
    pub poison: bool,
    /// Whether `old` is certain enough to be checked.
    pub validate: bool,
    /// Bytes of the field that a load or store moves, by the local type; 0 where the kind says nothing of that.
    pub old_size: u32,
    /// The same by the target's type.
    pub new_size: u32,
    /// The sizes differ and the types do not allow to load one for the other.
    pub bad_mem_size: bool,
}

/// Value, size and type of a field, and whether the instruction's present value can be checked against it.
#[derive(Default)]
struct Value {
    value: u64,
    size: u32,
    ty: TypeId,
    unsure: bool,
}

/// The values for a local spec and its match in the target, `None` if there is none.
pub(super) fn calc<const LEN: usize>(
    local_btf: &Btf<'_>,
    local: &Spec<LEN>,
    target: &impl TargetTypes,
    targ: Option<&Spec<LEN>>,
    observer: &mut impl Observer,
) -> Result<Calc> {
    let kind = local.kind;
    let mut c =
        Calc { old: 0, new: 0, poison: false, validate: true, old_size: 0, new_size: 0, bad_mem_size: false };
    if kind.is_field() {
        let old = match kind {
            ReloKind::FieldExists => Value { value: 1, ..Value::default() },
            _ => field(local_btf, local, &mut ())?,
        };
        (c.old, c.old_size, c.validate) = (old.value, old.size, !old.unsure);
        let Some(targ) = targ else {
            c.poison = kind != ReloKind::FieldExists;
            return Ok(c);
        };
        let new = match kind {
            ReloKind::FieldExists => Value { value: 1, ..Value::default() },
            _ => field(target.btf(), targ, observer)?,
        };
        (c.new, c.new_size) = (new.value, new.size);
        if c.old_size != c.new_size {
            c.bad_mem_size = !resizable(local_btf.get(old.ty), target.btf().get(new.ty));
        }
    } else if kind.is_type() {
        c.validate = kind != ReloKind::TypeIdTarget;
        c.old = match kind {
            ReloKind::TypeSize => local_btf.size_of(local.root)?.into(),
            ReloKind::TypeIdTarget => local.root.0.into(),
            _ => 1,
        };
        let Some(targ) = targ else { return Ok(c) };
        c.new = match kind {
            ReloKind::TypeSize => {
                let root = skip_mods(target.btf(), targ.root, observer);
                size_of(target.btf(), &root, observer)?.into()
            }
            ReloKind::TypeIdTarget => {
                observer.need_kernel_id(targ.root);
                target.kernel_id(targ.root)?.0.into()
            }
            _ => 1,
        };
    } else {
        c.old = if kind == ReloKind::EnumvalExists { 1 } else { enum_value(local_btf, local)? };
        match targ {
            None => c.poison = kind == ReloKind::EnumvalValue,
            Some(_) if kind == ReloKind::EnumvalExists => c.new = 1,
            Some(targ) => c.new = enum_value(target.btf(), targ)?,
        }
    }
    Ok(c)
}

#[cfg_attr(feature = "small", inline(never))]
#[cfg_attr(not(feature = "small"), inline)]
fn enum_value<const LEN: usize>(btf: &Btf<'_>, spec: &Spec<LEN>) -> Result<u64> {
    let Some(p) = spec.points.first() else { return Err(Error::NoSuchMember { id: spec.root, index: 0 }) };
    let e = btf.get(p.type_id).enumerator(p.index);
    e.map(|e| e.value).ok_or(Error::NoSuchMember { id: p.type_id, index: p.index })
}

/// Loading a pointer as a pointer of another size, or an unsigned integer as another, keeps the value: what is loaded is
/// zero-extended. Anything else would change it. `BTF_INT_BOOL` and `_CHAR` count as not signed, as in libbpf.
fn resizable(old: Type<'_>, new: Type<'_>) -> bool {
    if old.kind() == Kind::Ptr && new.kind() == Kind::Ptr {
        return true;
    }
    let plain = |t: Type<'_>| t.int().is_some_and(|e| e.encoding != encoding::SIGNED);
    plain(old) && plain(new)
}

#[cfg_attr(feature = "small", inline(never))]
#[cfg_attr(not(feature = "small"), inline)] // called for both sides
fn field<const LEN: usize>(btf: &Btf<'_>, spec: &Spec<LEN>, observer: &mut impl Observer) -> Result<Value> {
    let none = Error::NoSuchMember { id: spec.root, index: 0 };
    let p = spec.points.last().ok_or(none)?;
    if !p.named {
        let size = size_of(btf, &skip_mods(btf, p.type_id, observer), observer)?;
        return match spec.kind {
            ReloKind::FieldByteOffset => {
                Ok(Value { value: (spec.bit_offset / 8).into(), size, ty: p.type_id, unsure: false })
            }
            ReloKind::FieldByteSize => Ok(Value { value: size.into(), ..Value::default() }),
            _ => Err(Error::NotForArray),
        };
    }
    let t = btf.get(p.type_id);
    let m = t.member(p.index).ok_or(Error::NoSuchMember { id: t.id, index: p.index })?;
    let mt = skip_mods(btf, m.ty, observer);
    let bits = Bits::of(btf, spec.bit_offset, m.bitfield_size, &mt, observer)?;
    let bitfield = m.bitfield_size > 0;
    let mut v = Value { unsure: bitfield, ..Value::default() };
    v.value = match spec.kind {
        ReloKind::FieldByteOffset => {
            if !bitfield {
                // of an array a load takes one element
                v.size = match mt.kind() {
                    Kind::Array => size_of(btf, &btf.element(mt.id), observer)?,
                    _ => bits.byte_size,
                };
                v.ty = mt.id;
            }
            bits.byte_off.into()
        }
        ReloKind::FieldByteSize => bits.byte_size.into(),
        ReloKind::FieldSigned => {
            v.unsure = false;
            let signed = match mt.int() {
                Some(e) => e.encoding & encoding::SIGNED != 0,
                None => mt.kind().is_enum() && mt.kflag(),
            };
            signed.into()
        }
        ReloKind::FieldLshiftU64 => bits.lshift(btf.endian()).into(),
        ReloKind::FieldRshiftU64 => {
            v.unsure = false;
            64u32.wrapping_sub(bits.bit_size).into()
        }
        _ => return Err(none),
    };
    Ok(v)
}

/// Where a field lies in the integer that is loaded to read it.
struct Bits {
    /// Start of the integer, in bytes.
    byte_off: u32,
    /// Bytes of the integer.
    byte_size: u32,
    /// Start of the field from the integer's start, in bits.
    bit_off: u32,
    /// Bits of the field.
    bit_size: u32,
}

impl Bits {
    fn of(
        btf: &Btf<'_>,
        bit_offset: u32,
        bitfield: u32,
        mt: &Type<'_>,
        observer: &mut impl Observer,
    ) -> Result<Bits> {
        if bitfield == 0 {
            let byte_size = size_of(btf, mt, observer)?;
            let byte_off = bit_offset / 8;
            let bit_size = byte_size.wrapping_mul(8);
            return Ok(Bits { byte_off, byte_size, bit_off: bit_offset % 8, bit_size });
        }
        // the smallest aligned integer, from the declared type's size up, that holds the field
        // a pointer's record has an id where others have a size: no compiler makes such a bitfield
        let mut byte_size = if mt.kind().refers_to_type() { 0 } else { mt.size() };
        loop {
            let start = (bit_offset / 8).checked_div(byte_size).ok_or(Error::NoSize { id: mt.id })?;
            let byte_off = start.saturating_mul(byte_size);
            let bit_off = bit_offset.saturating_sub(byte_off.saturating_mul(8));
            if bit_off.saturating_add(bitfield) <= byte_size.saturating_mul(8) {
                return Ok(Bits { byte_off, byte_size, bit_off, bit_size: bitfield });
            }
            if byte_size >= 8 {
                return Err(Error::TooMany { what: Limit::BitfieldBytes, limit: 8 });
            }
            byte_size = byte_size.saturating_mul(2);
        }
    }

    /// Left shift after which the field's top bit is bit 63.
    fn lshift(&self, endian: Endian) -> u32 {
        match endian {
            Endian::Little => 64u32.wrapping_sub(self.bit_off.wrapping_add(self.bit_size)),
            Endian::Big => 8u32.wrapping_sub(self.byte_size).wrapping_mul(8).wrapping_add(self.bit_off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Found by fuzzing: the id of the pointee was taken for the bitfield's size, so that the value depended on numbering.
    #[test]
    fn a_bitfield_of_a_pointer_has_no_value() {
        // INT i; PTR to it; struct s { i *p : 3 at bit 192 }, with kflag
        let types = [1, 1 << 24, 4, 32, 0, 2 << 24, 1, 3, 1 << 31 | 4 << 24 | 1, 32, 1, 2, 3 << 24 | 192];
        let strings = b"\0i\0s\x000:0\0";
        let len = size_of_val(&types) as u32;
        let words = [0x0001_eb9f, 24, 0, len, len, strings.len() as u32];
        let mut blob: Vec<u8> = words.iter().chain(&types).flat_map(|w| w.to_le_bytes()).collect();
        blob.extend(strings);
        let mut index = [0; 3];
        let btf = Btf::parse(&blob, &mut index).unwrap();
        let mut spec = Spec::default();
        spec.parse(&btf, TypeId(3), 5, ReloKind::FieldByteOffset).unwrap();
        assert!(matches!(field(&btf, &spec, &mut ()), Err(Error::NoSize { id: TypeId(2) })));
    }
}
