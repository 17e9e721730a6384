//! Access strings: `0:1:2`, the grammar `N(:N)*`.

use super::spec::too_long;
use crate::error::{Error, Result};
use crate::limits::SPEC_MAX_LEN;
use heapless::Vec;

/// The numbers of an access string.
pub type RawSpec<const LEN: usize = SPEC_MAX_LEN> = Vec<u32, LEN, u8>;

/// Reads `text`, which stands at `at` in the BTF strings.
///
/// # Errors
/// [`Error::BadAccessStr`] for anything but decimal numbers with single colons between them (negative ones too),
/// [`Error::TooMany`] past `LEN` numbers.
pub(super) fn parse<const LEN: usize>(text: &str, at: u32, out: &mut RawSpec<LEN>) -> Result<()> {
    out.clear();
    let bad = Error::BadAccessStr { at };
    let mut number: Option<u32> = None;
    for b in text.bytes().chain([b':']) {
        match b {
            b'0'..=b'9' => {
                let tens = number.unwrap_or(0).checked_mul(10);
                number = tens.and_then(|n| n.checked_add((b & 15).into()));
                if number.is_none() {
                    return Err(bad);
                }
            }
            b':' => out.push(number.take().ok_or(bad)?).map_err(|_| too_long(LEN))?,
            _ => return Err(bad),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RawSpec> {
        let mut out = RawSpec::new();
        parse(text, 7, &mut out).map(|()| out)
    }

    #[test]
    fn numbers_with_colons() {
        assert_eq!(read("0").unwrap(), [0]);
        assert_eq!(read("0:12:3").unwrap(), [0, 12, 3]);
        assert_eq!(read("4294967295").unwrap(), [u32::MAX]);
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
        assert_eq!(parse("3:4", 7, &mut out), Ok(()));
        let too_long = Error::TooMany { what: crate::error::Limit::SpecLen, limit: 2 };
        assert_eq!(parse("3:4:5", 7, &mut out), Err(too_long));
    }
}
