//! Access strings: `0:1:2`, the grammar `N(:N)*`.

use super::spec::too_long;
use crate::error::{Error, Result};
use crate::limits::{MAX_NAME_LEN, SPEC_MAX_LEN};
use heapless::Vec;

/// The numbers of an access string.
pub type RawSpec<const LEN: usize = SPEC_MAX_LEN> = Vec<u32, LEN, u8>;

/// Reads what `text` begins with up to a NUL, which stands at `at` in the BTF strings.
///
/// # Errors
/// [`Error::BadAccessStr`] for anything but decimal numbers with single colons between them (negative ones too),
/// [`Error::TooMany`] past `LEN` numbers.
#[inline]
pub(super) fn parse<const LEN: usize>(text: &str, at: u32, out: &mut RawSpec<LEN>) -> Result<()> {
    out.clear();
    let bad = Error::BadAccessStr { at };
    let mut number: Option<u32> = None;
    for b in text.bytes().take(MAX_NAME_LEN.saturating_add(1)) {
        match b {
            b'0'..=b'9' => {
                let tens = number.unwrap_or(0).checked_mul(10);
                number = tens.and_then(|n| n.checked_add((b & 15).into()));
                if number.is_none() {
                    return Err(bad);
                }
            }
            b':' | 0 => {
                out.push(number.take().ok_or(bad)?).map_err(|_| too_long(LEN))?;
                if b == 0 {
                    return Ok(());
                }
            }
            _ => break,
        }
    }
    Err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned;

    fn read(text: &str) -> Result<RawSpec> {
        let mut out = RawSpec::new();
        parse(&(text.to_owned() + "\0"), 7, &mut out).map(|()| out)
    }

    #[test]
    fn numbers_with_colons() {
        assert_eq!(read("0").unwrap(), [0]);
        assert_eq!(read("0:12:3").unwrap(), [0, 12, 3]);
        assert_eq!(read("4294967295").unwrap(), [u32::MAX]);
    }

    #[test]
    fn no_longer_string_than_a_name_is_read() {
        let zeros = |len| "0".repeat(len);
        assert_eq!(read(&zeros(MAX_NAME_LEN)).unwrap(), [0]);
        assert_eq!(read(&zeros(MAX_NAME_LEN + 1)), Err(Error::BadAccessStr { at: 7 }));
        assert_eq!(parse("0", 7, &mut RawSpec::<2>::new()), Err(Error::BadAccessStr { at: 7 }), "no end");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ":", "0:", ":0", "0::1", "-1", "0:-1", "x", "0:1x", " 0", "4294967296"] {
            assert_eq!(read(text), Err(Error::BadAccessStr { at: 7 }), "{text:?}");
        }
        let long = ["0"; SPEC_MAX_LEN + 1].join(":");
        assert!(matches!(read(&long), Err(Error::TooMany { .. })));
    }

    #[test]
    fn where_there_is_less_room_what_does_not_fit_is_refused_with_how_much_does() {
        let mut out = RawSpec::<2>::new();
        assert_eq!(parse("3:4\0", 7, &mut out), Ok(()));
        let too_long = Error::TooMany { what: crate::error::Limit::SpecLen, limit: 2 };
        assert_eq!(parse("3:4:5\0", 7, &mut out), Err(too_long));
    }
}
