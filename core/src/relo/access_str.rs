//! Access strings: `0:1:2`, the grammar `N(:N)*`.

use crate::error::{Error, Limit, Result};
use crate::limits::SPEC_MAX_LEN;
use heapless::Vec;
use nom::bytes::complete::take_while1;
use nom::{IResult, Parser};

/// The numbers of an access string.
pub type RawSpec = Vec<u32, SPEC_MAX_LEN, u8>;

fn number(input: &str) -> IResult<&str, u32> {
    take_while1(|c: char| c.is_ascii_digit()).map_res(str::parse).parse(input)
}

/// Reads `text`, which stands at `at` in the BTF strings.
///
/// # Errors
/// [`Error::BadAccessStr`] for anything but decimal numbers with single colons between them (negative ones too),
/// [`Error::TooMany`] past [`SPEC_MAX_LEN`] numbers.
pub(super) fn parse(text: &str, at: u32, out: &mut RawSpec) -> Result<()> {
    out.clear();
    let bad = Error::BadAccessStr { at };
    let mut rest = text;
    loop {
        let (after, n) = number(rest).map_err(|_| bad)?;
        out.push(n).map_err(|_| Error::TooMany { what: Limit::SpecLen, limit: SPEC_MAX_LEN as u32 })?;
        match after.strip_prefix(':') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(()),
            None => return Err(bad),
        }
    }
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
}
