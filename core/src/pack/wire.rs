//! Reading [postcard's wire format](https://postcard.jamesmunns.com/wire-format): the device's half of it, by hand.
//!
//! The host writes records with postcard and serde. Reading them back through serde costs the device 7 KB of visitors,
//! one copy for every field of every record. Here a record is read field by field into plain values; what is wrong is
//! remembered in the [`Reader`] and asked for once, at the record's end, instead of after every field. The tests hold both
//! readers against each other for every record type.
//!
//! Stricter than postcard in one point: a number has one encoding, the shortest, which is the one that postcard writes.
//! Time: linear in the bytes; a number has ten of them at most, and a length that passes what is left takes nothing.

use crate::id::TypeId;

/// Reads values one after another. After the first that does not decode, all are zero and empty, and [`Reader::failed`].
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    failed: bool,
}

/// What can be read from its wire form.
pub trait Wire<'a>: Sized {
    /// Reads a value; any value where the bytes are none, which the reader remembers.
    fn read(r: &mut Reader<'a>) -> Self;
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, failed: false }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that are not read yet.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether something did not decode.
    pub fn failed(&self) -> bool {
        self.failed
    }

    fn fail(&mut self) {
        self.rest = &[];
        self.failed = true;
    }

    /// The next `len` bytes.
    #[inline(never)] // called for every field: inlined, it takes the device more flash
    fn take(&mut self, len: usize) -> &'a [u8] {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                bytes
            }
            None => {
                self.fail();
                &[]
            }
        }
    }

    /// A number of at most `max`: seven bits a byte from the lowest, all bytes but the last with bit 7.
    #[inline(never)]
    fn varint(&mut self, max: u64) -> u64 {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = u8::read(self);
            let part = u64::from(byte & 0x7f);
            let placed = part.wrapping_shl(shift);
            value |= placed;
            // too many bits, or more bytes than the number takes
            if placed.wrapping_shr(shift) != part || byte == 0 && shift > 0 {
                break;
            }
            if byte < 0x80 {
                if value <= max {
                    return value;
                }
                break;
            }
        }
        self.fail();
        0
    }

    /// The number of an enum's variant, below `count`.
    #[inline(never)]
    pub(super) fn variant(&mut self, count: u8) -> u8 {
        let max = u64::from(count).saturating_sub(1);
        self.varint(max) as u8
    }
}

impl Wire<'_> for u8 {
    fn read(r: &mut Reader<'_>) -> Self {
        r.take(1).first().copied().unwrap_or(0)
    }
}

impl Wire<'_> for bool {
    fn read(r: &mut Reader<'_>) -> Self {
        r.variant(2) == 1
    }
}

impl Wire<'_> for u16 {
    fn read(r: &mut Reader<'_>) -> Self {
        r.varint(u16::MAX.into()) as u16
    }
}

impl Wire<'_> for u32 {
    #[inline(never)]
    fn read(r: &mut Reader<'_>) -> Self {
        r.varint(u32::MAX.into()) as u32
    }
}

impl Wire<'_> for u64 {
    fn read(r: &mut Reader<'_>) -> Self {
        r.varint(u64::MAX)
    }
}

impl Wire<'_> for TypeId {
    fn read(r: &mut Reader<'_>) -> Self {
        TypeId(u32::read(r))
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    #[inline(never)]
    fn read(r: &mut Reader<'a>) -> Self {
        let len = u32::read(r);
        r.take(len as usize)
    }
}

impl<'a> Wire<'a> for &'a str {
    #[inline(never)]
    fn read(r: &mut Reader<'a>) -> Self {
        let bytes = <&[u8]>::read(r);
        core::str::from_utf8(bytes).unwrap_or_else(|_| {
            r.fail();
            ""
        })
    }
}

impl Wire<'_> for [u8; 32] {
    #[inline(never)]
    fn read(r: &mut Reader<'_>) -> Self {
        r.take(32).first_chunk().copied().unwrap_or([0; 32])
    }
}

/// A struct: its fields in the order of the wire. One that is left out does not compile. Attributes are those of `read`.
macro_rules! fields {
    ($(#[$attr:meta])* $name:ident { $($field:ident),+ $(,)? }) => {
        impl<'a> Wire<'a> for $name {
            $(#[$attr])*
            fn read(r: &mut Reader<'a>) -> Self {
                $name { $($field: Wire::read(r)),+ }
            }
        }
    };
    ($(#[$attr:meta])* $name:ident<'a> { $($field:ident),+ $(,)? }) => {
        impl<'a> Wire<'a> for $name<'a> {
            $(#[$attr])*
            fn read(r: &mut Reader<'a>) -> Self {
                $name { $($field: Wire::read(r)),+ }
            }
        }
    };
}

/// An enum without fields: its variants in the order of their numbers.
macro_rules! variants {
    ($name:ident { $first:ident $(, $variant:ident)* $(,)? }) => {
        impl Wire<'_> for $name {
            fn read(r: &mut Reader<'_>) -> Self {
                const ALL: &[$name] = &[$name::$first $(, $name::$variant)*];
                let number = r.variant(ALL.len() as u8);
                ALL.get(usize::from(number)).copied().unwrap_or($name::$first)
            }
        }
    };
}

pub(super) use {fields, variants};
