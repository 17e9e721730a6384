//! Numbers that mean something: names, bits, devices, times, decimals.

use super::value::{Layout, Number};
use super::write::Writer;
use crate::id::TypeId;
use crate::pack::Format;

/// `MINORBITS`, `include/linux/kdev_t.h`.
const MINOR_BITS: u32 = 20;
/// Decimals of a 64-bit number, at most.
const MAX_DECIMALS: u8 = 19;
const SECONDS_A_DAY: u64 = 86_400;

impl Layout<'_> {
    /// Prints the number `n`, whose bits are `low`, as `format` says; whether it is a format of numbers and `n` fits it.
    pub(super) fn meaning(&self, w: &mut Writer<'_, '_>, n: Number, low: u64, format: Format) -> bool {
        match format {
            Format::Hex => w.hex(low),
            Format::Errno => super::names::errno(w, n),
            Format::Signal => super::names::signal(w, n),
            Format::Names { enumeration } => {
                let names = self.btf.behind(enumeration);
                match self.enumerator(&names, low, n.bits) {
                    Some(name) => w.string(name.as_bytes()),
                    None => return false,
                }
            }
            Format::Flags { enumeration } => return self.flags(w, enumeration, low),
            Format::Dev => {
                w.quote();
                w.out.put_u64(low.wrapping_shr(MINOR_BITS));
                w.out.put_byte(b':');
                w.out.put_u64(low & u64::from(u32::MAX).wrapping_shr(32u32.wrapping_sub(MINOR_BITS)));
                w.quote();
            }
            Format::Octal => {
                w.quote();
                w.out.put_byte(b'0');
                let digits = 64u32.wrapping_sub(low.leading_zeros()).div_ceil(3);
                for i in (0..digits).rev() {
                    w.out.put_u64(low.wrapping_shr(i.wrapping_mul(3)) & 7);
                }
                w.quote();
            }
            Format::Time { unit } => match self.clock {
                Some(ahead) if low != 0 => {
                    w.quote();
                    put_time(w.out, low.saturating_mul(unit.into()).wrapping_add(ahead));
                    w.quote();
                }
                _ => return false,
            },
            Format::Decimals { digits } => decimals(w, n, digits),
            Format::Ksym => self.symbol(w, None, low),
            _ => return false,
        }
        true
    }

    /// Prints the names of the bits that are set; `false` where none is.
    fn flags(&self, w: &mut Writer<'_, '_>, enumeration: TypeId, low: u64) -> bool {
        if low == 0 {
            return false;
        }
        let mut rest = low;
        w.quote();
        for e in self.btf.behind(enumeration).enumerators() {
            // of fewer bits than the number it may be sign-extended; the number decides
            let bits = e.value & low;
            if bits == 0 || bits != e.value || rest & bits == 0 {
                continue;
            }
            if rest != low {
                w.out.put_byte(b'|');
            }
            rest &= !bits;
            w.word(self.btf.string(e.name_off).as_bytes());
        }
        if rest != 0 {
            if rest != low {
                w.out.put_byte(b'|');
            }
            w.out.put_hex(rest);
        }
        w.quote();
        true
    }
}

/// Prints a number with `digits` digits behind the point.
fn decimals(w: &mut Writer<'_, '_>, n: Number, digits: u8) {
    let unit = (0..digits.min(MAX_DECIMALS)).fold(1u64, |unit, _| unit.saturating_mul(10));
    let value = if n.signed { (n.raw as i64).unsigned_abs() } else { n.raw };
    if n.signed && (n.raw as i64) < 0 {
        w.out.put_byte(b'-');
    }
    w.out.put_u64(value.checked_div(unit).unwrap_or(0));
    if digits > 0 {
        w.out.put_byte(b'.');
        w.out.put_padded(value.checked_rem(unit).unwrap_or(0), digits.min(MAX_DECIMALS).into(), b'0');
    }
}

/// Prints nanoseconds since 1970 as RFC 3339 with microseconds, in UTC.
pub(super) fn put_time(out: &mut super::Out<'_>, ns: u64) {
    let seconds = ns / 1_000_000_000;
    let mut day = seconds / SECONDS_A_DAY;
    let mut year = 1970u64;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // to 2554 at most, the end of 64 bits
    while day >= 365u64.wrapping_add(leap(year).into()) {
        day = day.wrapping_sub(365u64.wrapping_add(leap(year).into()));
        year = year.wrapping_add(1);
    }
    let mut month = 1u64;
    for days in [31, 28u64.wrapping_add(leap(year).into()), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day = day.wrapping_sub(days);
        month = month.wrapping_add(1);
    }
    let second = seconds % SECONDS_A_DAY;
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day.wrapping_add(1), 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
        (second % 60, 2, b'.'),
        (ns / 1000 % 1_000_000, 6, b'Z'),
    ];
    for (value, width, behind) in parts {
        out.put_padded(value, width, b'0');
        out.put_byte(behind);
    }
}
