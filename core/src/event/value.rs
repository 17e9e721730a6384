//! Values by their BTF type: structs, unions, arrays, numbers, enums.

use super::MAX_DEPTH;
use super::stack::Symbols;
use super::write::Writer;
use crate::btf::{Btf, Kind, Type, encoding};
use crate::bytes::Endian;
use crate::id::TypeId;
use crate::pack::{Checked, Format, Hint, section};

/// What values are printed by.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) btf: &'a Btf<'a>,
    pub(super) hints: &'a [u8],
    /// Longest string in bytes; what is behind it is left out.
    pub(super) clip: usize,
    /// What the device knows of addresses.
    pub(super) symbols: Option<&'a dyn Symbols>,
    /// Nanoseconds that the wall clock is ahead of the monotonic one, wrapping.
    pub(super) clock: Option<u64>,
}

/// A number as it was read: sign-extended to 64 bits if it is signed.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) raw: u64,
    pub(super) bits: u32,
    pub(super) signed: bool,
}

impl<'a> Layout<'a> {
    /// Prints the members of the struct or union `t` that are in `data`, which may end early.
    pub(super) fn members(&self, w: &mut Writer<'_, '_>, t: &Type<'a>, data: &[u8], depth: usize) {
        self.members_but(w, t, data, depth, None);
    }

    /// The same, without the member at byte `but`.
    pub(super) fn members_but(
        &self,
        w: &mut Writer<'_, '_>,
        t: &Type<'a>,
        data: &[u8],
        depth: usize,
        but: Option<usize>,
    ) {
        for (i, m) in t.members().enumerate() {
            if !w.step() {
                return;
            }
            if but.is_some_and(|but| m.bit_offset as usize / 8 == but) {
                continue;
            }
            let hint = self.hint(t.id, i);
            let ty = self.btf.behind(m.ty);
            let bitfield = m.bitfield_size != 0 || m.bit_offset % 8 != 0;
            let field = self.cut(m.ty, data.get(m.bit_offset as usize / 8..).unwrap_or(&[]));
            let mut name = self.btf.string(m.name_off);
            if name.is_empty() && ty.kind().is_composite() {
                if hint.is_none() {
                    if depth < MAX_DEPTH {
                        self.members(w, &ty, field, depth.saturating_add(1));
                    }
                    continue;
                }
                // An anonymous union with a hint is one value, called as its first member.
                name = ty.member(0).map_or("", |first| self.btf.string(first.name_off));
            }
            if name.is_empty() || hint == Some(Format::Hide) {
                continue;
            }
            if bitfield {
                let number = self.number(&ty, data, m.bit_offset, Some(m.bitfield_size).filter(|&n| n != 0));
                if let Some(number) = number {
                    w.name(name.as_bytes());
                    self.scalar(w, &ty, number, hint);
                }
            } else if self.present(&ty, field) {
                let name = name.as_bytes();
                if let Some(stack) = self.stack_of(t, data, hint, field) {
                    self.stack(w, name, stack.id.cast_signed().into(), stack);
                    continue;
                }
                w.name(name);
                match hint {
                    Some(format) => self.hinted(w, t, &ty, data, field, format),
                    None => self.value(w, &ty, field, depth),
                }
            }
        }
    }

    /// The bytes of a value of type `id` at the start of `data`, fewer if `data` ends; all of it for a flexible array.
    pub(super) fn cut<'d>(&self, id: TypeId, data: &'d [u8]) -> &'d [u8] {
        let size = self.btf.size_of(id).unwrap_or(0) as usize;
        let flexible = size == 0 && self.btf.behind(id).kind() == Kind::Array;
        if flexible { data } else { data.get(..size).unwrap_or(data) }
    }

    /// Whether enough of a value is there to be printed: all of a scalar, any of what has parts.
    pub(super) fn present(&self, t: &Type<'a>, field: &[u8]) -> bool {
        match t.kind() {
            Kind::Struct | Kind::Union | Kind::Array => !field.is_empty(),
            _ => self.btf.size_of(t.id).is_ok_and(|size| field.len() >= size as usize),
        }
    }

    /// The hint for member `index` of struct `id`.
    fn hint(&self, id: TypeId, index: usize) -> Option<Format> {
        Checked::<Hint>::new(self.hints, section::HINTS)
            .find(|h| h.type_id == id && usize::from(h.member) == index)
            .map(|h| h.format)
    }

    /// Prints a value of type `t`, whose bytes are `field`.
    pub(super) fn value(&self, w: &mut Writer<'_, '_>, t: &Type<'a>, field: &[u8], depth: usize) {
        if depth >= MAX_DEPTH {
            return w.nothing();
        }
        let deeper = depth.saturating_add(1);
        match t.kind() {
            Kind::Struct | Kind::Union => {
                w.open(b'{');
                self.members(w, t, field, deeper);
                w.close(b'}');
            }
            Kind::Array => self.array(w, t, field, deeper),
            Kind::Int | Kind::Ptr | Kind::Enum | Kind::Enum64 | Kind::Float => {
                match self.number(t, field, 0, None) {
                    Some(number) => self.scalar(w, t, number, None),
                    None => self.wide(w, field),
                }
            }
            _ => w.nothing(),
        }
    }

    fn array(&self, w: &mut Writer<'_, '_>, t: &Type<'a>, field: &[u8], depth: usize) {
        let Some(array) = t.array() else { return w.nothing() };
        let elem = self.btf.behind(array.elem);
        if self.is_char(&elem) {
            return self.text(w, field);
        }
        let size = self.btf.size_of(elem.id).unwrap_or(0) as usize;
        w.open(b'[');
        if size > 0 {
            for part in crate::bytes::pieces(field, size) {
                if !w.step() {
                    break;
                }
                w.element();
                self.value(w, &elem, part, depth);
            }
        }
        w.close(b']');
    }

    /// Whether an array of `t` is text: an integer of one byte that is called `char` or encoded as one.
    fn is_char(&self, t: &Type<'a>) -> bool {
        t.size() == 1
            && t.int().is_some_and(|i| i.encoding & encoding::CHAR != 0 || self.btf.name(t) == "char")
    }

    /// Prints bytes up to the first NUL.
    pub(super) fn text(&self, w: &mut Writer<'_, '_>, bytes: &[u8]) {
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        w.string(bytes.get(..end.min(self.clip)).unwrap_or(&[]));
    }

    /// Prints a number of more than 64 bits in hexadecimal.
    fn wide(&self, w: &mut Writer<'_, '_>, field: &[u8]) {
        w.quote();
        w.out.put_str("0x");
        match self.btf.endian() {
            Endian::Little => field.iter().rev().for_each(|&b| w.out.put_hex_byte(b)),
            Endian::Big => field.iter().for_each(|&b| w.out.put_hex_byte(b)),
        }
        w.quote();
    }

    /// The number of type `t` at `bit_offset` of `data`; `bits` of a bitfield. `None` for more than 64 bits and where
    /// `data` ends.
    pub(super) fn number(
        &self,
        t: &Type<'a>,
        data: &[u8],
        bit_offset: u32,
        bits: Option<u32>,
    ) -> Option<Number> {
        let mut at = bit_offset;
        let mut width = self.btf.size_of(t.id).ok()?.checked_mul(8)?;
        let mut signed = t.kind().is_enum() && t.kflag();
        if let Some(int) = t.int() {
            signed = int.encoding & encoding::SIGNED != 0;
            if bits.is_none() && u32::from(int.bits) < width {
                // Bitfields of compilers before kflag: the integer type itself says which bits.
                at = at.checked_add(int.offset.into())?;
                width = int.bits.into();
            }
        }
        let bits = bits.unwrap_or(width);
        let spare = 64u32.checked_sub(bits)?;
        let raw = read_bits(data, self.btf.endian(), at, bits)?;
        // A shift by 64, of a field without bits, is none.
        let top = raw.checked_shl(spare).unwrap_or(0);
        let extended = if signed { (top as i64).checked_shr(spare).unwrap_or(0) as u64 } else { raw };
        Some(Number { raw: extended, bits, signed })
    }

    /// Prints a number of type `t`.
    pub(super) fn scalar(&self, w: &mut Writer<'_, '_>, t: &Type<'a>, n: Number, format: Option<Format>) {
        let low = n.raw & u64::MAX.checked_shr(64u32.saturating_sub(n.bits)).unwrap_or(0);
        if format.is_some_and(|format| self.meaning(w, n, low, format)) {
            return;
        }
        match (t.kind(), format) {
            (Kind::Ptr | Kind::Float, None) => w.hex(low),
            (Kind::Enum | Kind::Enum64, _) if self.enumerator(t, low, n.bits).is_some() => {
                w.string(self.enumerator(t, low, n.bits).unwrap_or("").as_bytes());
            }
            (Kind::Int, _) if t.int().is_some_and(|i| i.encoding & encoding::BOOL != 0) => {
                w.out.put_str(if low == 0 { "false" } else { "true" });
            }
            _ if n.signed => w.signed(n.raw as i64),
            _ => w.unsigned(n.raw),
        }
    }

    /// Name of the enumerator whose low `bits` bits are `low`.
    pub(super) fn enumerator(&self, t: &Type<'a>, low: u64, bits: u32) -> Option<&'a str> {
        let spare = 64u32.saturating_sub(bits);
        t.enumerators()
            .find(|e| (e.value ^ low).checked_shl(spare).unwrap_or(0) == 0)
            .map(|e| self.btf.string(e.name_off))
    }
}

/// `bits` bits from bit `at` of `data`: counted from the least significant bit of a byte in little-endian data and from the
/// most significant in big-endian, as compilers lay out bitfields. `None` where `data` ends.
fn read_bits(data: &[u8], endian: Endian, at: u32, bits: u32) -> Option<u64> {
    let first = at as usize / 8;
    let last = at.checked_add(bits)?.div_ceil(8) as usize;
    let bytes = data.get(first..last)?;
    // Bits below the field in its least significant byte.
    let below = match endian {
        Endian::Little => at % 8,
        Endian::Big => (last as u32).wrapping_mul(8).wrapping_sub(at.wrapping_add(bits)) % 8,
    };
    let ends = match endian {
        Endian::Little => bytes.split_first(),
        Endian::Big => bytes.split_last(),
    };
    // no bytes: a field of no bits
    let Some((&least, more)) = ends else { return Some(0) };
    let up = |value: u64, &b: &u8| value << 8 | u64::from(b);
    let high = match endian {
        Endian::Little => more.iter().rev().fold(0, up),
        Endian::Big => more.iter().fold(0, up),
    };
    // of nine bytes the topmost bits, which are not the field's, fall off
    let value = high.wrapping_shl(8u32.wrapping_sub(below)) | u64::from(least >> below);
    Some(value & u64::MAX.checked_shr(64u32.checked_sub(bits)?).unwrap_or(0))
}
