//! Reading one attribute's value: the forms of DWARF 2 to 5 (DWARF 5, section 7.5.6) out of a unit's bytes.
//!
//! Every read checks its bounds against the unit. A form that is not known ends the unit, since what follows it cannot be
//! found.

use super::Malformed;
use corelet_core::Endian;
use gimli::constants::{self as dw, DwForm};

/// What the forms of a unit depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) endian: Endian,
    /// Bytes of an offset into another section: 4 or 8.
    pub(super) offset_size: u8,
    /// Bytes of an address: 1 to 8.
    pub(super) address_size: u8,
    pub(super) version: u16,
}

/// A place in a unit's bytes.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

type Read<T> = Result<T, Malformed>;

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn skip(&mut self, count: usize) -> Read<()> {
        self.take(count).map(|_| ())
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(Malformed::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    /// An unsigned number of `size` bytes, at most 8.
    #[inline]
    pub(super) fn unsigned(&mut self, size: u8, endian: Endian) -> Read<u64> {
        let raw = self.take(size.into())?;
        Ok(match (raw, endian) {
            (&[a], _) => a.into(),
            (&[a, b], _) => endian.u16([a, b]).into(),
            (&[a, b, c, d], _) => endian.u32([a, b, c, d]).into(),
            (&[a, b, c, d, e, f, g, h], _) => endian.u64([a, b, c, d, e, f, g, h]),
            (odd, Endian::Little) => odd.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)),
            (odd, Endian::Big) => odd.iter().fold(0, |n, &b| n << 8 | u64::from(b)),
        })
    }

    #[inline]
    pub(super) fn uleb(&mut self) -> Read<u64> {
        let first = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
        self.at += 1;
        if first < 0x80 {
            return Ok(first.into());
        }
        let (mut value, mut shift) = (u64::from(first & 0x7f), 7);
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
            self.at += 1;
            // what does not fit in 64 bits is padding, or no number that is used here
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift = (shift + 7).min(64);
            if byte < 0x80 {
                return Ok(value);
            }
        }
    }

    pub(super) fn sleb(&mut self) -> Read<i64> {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
            self.at += 1;
            if shift < 64 {
                value |= i64::from(byte & 0x7f) << shift;
            }
            shift = (shift + 7).min(64);
            if byte < 0x80 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1 << shift;
                }
                return Ok(value);
            }
        }
    }

    /// Past a string that ends with NUL.
    pub(super) fn string(&mut self) -> Read<()> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed::Truncated)?;
        let len = memchr::memchr(0, rest).ok_or(Malformed::Truncated)?;
        self.at += len + 1;
        Ok(())
    }

    /// Past a value of `form`.
    pub(super) fn skip_form(&mut self, form: DwForm, unit: &Encoding) -> Read<()> {
        if let Some(size) = fixed_size(form, unit) {
            return self.skip(size);
        }
        match form {
            dw::DW_FORM_string => self.string(),
            dw::DW_FORM_block1
            | dw::DW_FORM_block2
            | dw::DW_FORM_block4
            | dw::DW_FORM_block
            | dw::DW_FORM_exprloc => self.block(form, unit).map(|_| ()),
            dw::DW_FORM_indirect => {
                let form = self.indirect()?;
                self.skip_form(form, unit)
            }
            dw::DW_FORM_sdata
            | dw::DW_FORM_udata
            | dw::DW_FORM_ref_udata
            | dw::DW_FORM_strx
            | dw::DW_FORM_addrx
            | dw::DW_FORM_loclistx
            | dw::DW_FORM_rnglistx
            | dw::DW_FORM_GNU_addr_index
            | dw::DW_FORM_GNU_str_index => self.uleb().map(|_| ()),
            _ => Err(Malformed::Form(form.0)),
        }
    }

    /// The form that stands before its value. One indirect form inside another means nothing.
    pub(super) fn indirect(&mut self) -> Read<DwForm> {
        let form = DwForm(u16::try_from(self.uleb()?).unwrap_or(u16::MAX));
        if form == dw::DW_FORM_indirect || form == dw::DW_FORM_implicit_const {
            return Err(Malformed::Form(form.0));
        }
        Ok(form)
    }

    /// The bytes of a block or an expression.
    pub(super) fn block(&mut self, form: DwForm, unit: &Encoding) -> Read<&'a [u8]> {
        let len = match form {
            dw::DW_FORM_block1 => self.unsigned(1, unit.endian)?,
            dw::DW_FORM_block2 => self.unsigned(2, unit.endian)?,
            dw::DW_FORM_block4 => self.unsigned(4, unit.endian)?,
            dw::DW_FORM_block | dw::DW_FORM_exprloc => self.uleb()?,
            _ => return Err(Malformed::Form(form.0)),
        };
        self.take(usize::try_from(len).map_err(|_| Malformed::Truncated)?)
    }
}

/// Bytes of a value of `form`, where all its values have the same.
pub(super) fn fixed_size(form: DwForm, unit: &Encoding) -> Option<usize> {
    Some(match form {
        dw::DW_FORM_flag_present | dw::DW_FORM_implicit_const => 0,
        dw::DW_FORM_data1 | dw::DW_FORM_ref1 | dw::DW_FORM_flag | dw::DW_FORM_strx1 | dw::DW_FORM_addrx1 => 1,
        dw::DW_FORM_data2 | dw::DW_FORM_ref2 | dw::DW_FORM_strx2 | dw::DW_FORM_addrx2 => 2,
        dw::DW_FORM_strx3 | dw::DW_FORM_addrx3 => 3,
        dw::DW_FORM_data4
        | dw::DW_FORM_ref4
        | dw::DW_FORM_strx4
        | dw::DW_FORM_addrx4
        | dw::DW_FORM_ref_sup4 => 4,
        dw::DW_FORM_data8 | dw::DW_FORM_ref8 | dw::DW_FORM_ref_sig8 | dw::DW_FORM_ref_sup8 => 8,
        dw::DW_FORM_data16 => 16,
        dw::DW_FORM_addr => unit.address_size.into(),
        // an address before DWARF 3
        dw::DW_FORM_ref_addr if unit.version <= 2 => unit.address_size.into(),
        dw::DW_FORM_strp
        | dw::DW_FORM_line_strp
        | dw::DW_FORM_sec_offset
        | dw::DW_FORM_ref_addr
        | dw::DW_FORM_strp_sup
        | dw::DW_FORM_GNU_ref_alt
        | dw::DW_FORM_GNU_strp_alt => unit.offset_size.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length_end_at_the_end_of_the_bytes() {
        let read = |bytes: &[u8]| {
            let (mut a, mut b) = (Cursor { bytes, at: 0 }, Cursor { bytes, at: 0 });
            (a.uleb(), b.sleb())
        };
        assert!(matches!(read(&[0x7f]), (Ok(127), Ok(-1))));
        assert!(matches!(read(&[0xe5, 0x8e, 0x26]), (Ok(624_485), Ok(624_485))));
        assert!(matches!(read(&[0xc0, 0xbb, 0x78]), (_, Ok(-123_456))));
        assert!(matches!(read(&[0x80; 40]), (Err(Malformed::Truncated), Err(Malformed::Truncated))));
        let mut padded = [0x80; 40];
        padded[39] = 0;
        assert!(matches!(read(&padded), (Ok(0), Ok(0))));
    }
}
