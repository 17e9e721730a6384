//! Hostile types by hand: cycles, sizes that wrap, counts that lie, strings without end, layouts that describe nonsense.

use super::super::*;
use std::vec;
use std::vec::Vec;

const STRINGS: &[u8] = b"\0a\0";

/// A blob of these words of types and these strings.
fn blob(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let len = 4 * types.len() as u32;
    let header = [0x0001_eb9f, 24, 0, len, len, strings.len() as u32];
    let words = header.iter().chain(types).flat_map(|w| w.to_le_bytes());
    words.chain(strings.iter().copied()).collect()
}

fn parse<T>(blob: &[u8], then: impl FnOnce(Btf<'_>) -> T) -> Result<T> {
    let mut index = vec![0; Btf::count(blob)?];
    Btf::parse(blob, &mut index).map(then)
}

fn kind(kind: Kind, vlen: u32) -> u32 {
    (kind as u32) << 24 | vlen
}

#[test]
fn cycles_end() {
    let (typedef, constant) = (kind(Kind::Typedef, 0), kind(Kind::Const, 0));
    let own = blob(&[1, typedef, 1], STRINGS);
    assert_eq!(parse(&own, |_| ()), Err(TOO_DEEP));
    let pair = blob(&[1, typedef, 2, 0, constant, 1], STRINGS);
    assert_eq!(parse(&pair, |_| ()), Err(TOO_DEEP));
    // pointers and structs may go round, and have a size that does not ask where to
    let pointer = blob(&[0, kind(Kind::Ptr, 0), 1], STRINGS);
    assert_eq!(parse(&pointer, |b| b.size_of(TypeId(1))), Ok(Ok(8)));
    let member = blob(&[1, kind(Kind::Struct, 1), 4, 1, 1, 0], STRINGS);
    assert_eq!(parse(&member, |b| b.size_of(TypeId(1))), Ok(Ok(4)));
    // an array of itself has no size, and no element
    let array = blob(&[0, kind(Kind::Array, 0), 0, 1, 1, 1], STRINGS);
    assert_eq!(parse(&array, |b| b.size_of(TypeId(1))), Ok(Err(TOO_DEEP)));
    assert_eq!(parse(&array, |b| b.element(TypeId(1)).kind()), Ok(Kind::Array));
}

#[test]
fn chains_are_as_long_as_the_limit_and_no_longer() {
    let chain = |n: u32| -> Vec<u32> {
        let modifiers = (0..n).flat_map(|i| [0, kind(Kind::Const, 0), i + 2]);
        modifiers.chain([1, kind(Kind::Int, 0), 4, 32]).collect()
    };
    let limit = crate::limits::MAX_RESOLVE_DEPTH as u32;
    assert!(parse(&blob(&chain(limit), STRINGS), |_| ()).is_ok());
    assert_eq!(parse(&blob(&chain(limit + 1), STRINGS), |_| ()), Err(TOO_DEEP));
}

#[test]
fn counts_that_lie_are_refused_and_large_ones_are_read() {
    let short = Error::Truncated { part: Part::BtfTypes, at: 0 };
    for k in [Kind::Struct, Kind::Union, Kind::Enum, Kind::Enum64, Kind::FuncProto, Kind::Datasec] {
        let claimed = blob(&[1, kind(k, 0x00ff_ffff), 4, 1, 0, 0], STRINGS);
        assert_eq!(parse(&claimed, |_| ()), Err(short), "{k:?}");
    }
    let n = 1 << 18;
    let mut types = vec![1, kind(Kind::Struct, n), 4];
    types.extend((0..n).flat_map(|i| [1, 1, i]));
    let last = |b: Btf<'_>| b.get(TypeId(1)).members().last().map(|m| m.bit_offset);
    assert_eq!(parse(&blob(&types, STRINGS), last), Ok(Some(n - 1)));
    let elements = blob(&[0, kind(Kind::Array, 0), 0, 2, 2, u32::MAX, 1, kind(Kind::Int, 0), 4, 32], STRINGS);
    assert_eq!(parse(&elements, |b| b.size_of(TypeId(1))), Ok(Err(Error::NoSize { id: TypeId(1) })));
}

#[test]
fn offsets_and_lengths_that_wrap_are_refused() {
    let whole = blob(&[1, kind(Kind::Int, 0), 4, 32], STRINGS);
    for word in [1, 2, 3, 4, 5] {
        for value in [u32::MAX, u32::MAX - 23, 1 << 31, whole.len() as u32] {
            let mut changed = whole.clone();
            changed[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
            assert!(parse(&changed, |_| ()).is_err(), "word {word} = {value:#x}");
        }
    }
}

#[test]
fn names_lie_in_strings_that_end() {
    let int = [1, kind(Kind::Int, 0), 4, 32];
    let endless = Error::BadString { part: Part::BtfStrings, at: 3 };
    assert_eq!(parse(&blob(&int, b"\0ab"), |_| ()), Err(endless));
    let behind = blob(&[3, kind(Kind::Int, 0), 4, 32], STRINGS);
    assert_eq!(parse(&behind, |_| ()), Err(Error::BadString { part: Part::BtfStrings, at: 3 }));
    let member = blob(&[1, kind(Kind::Struct, 1), 4, u32::MAX, 0, 0], STRINGS);
    assert_eq!(parse(&member, |_| ()), Err(Error::BadString { part: Part::BtfStrings, at: u32::MAX }));
}

#[test]
fn a_name_is_as_long_as_the_kernel_takes_it_and_a_text_of_any_length() {
    for (len, named) in [(MAX_NAME_LEN, MAX_NAME_LEN), (MAX_NAME_LEN + 1, 0), (1 << 20, 0)] {
        let strings = [b"\0", &vec![b'x'; len][..], b"\0"].concat();
        let lengths =
            |b: Btf<'_>| (b.name(&b.get(TypeId(1))).len(), b.text(1).len(), b.text(2 + len as u32).len());
        let int = blob(&[1, kind(Kind::Int, 0), 4, 32], &strings);
        assert_eq!(parse(&int, lengths), Ok((named, len, 0)));
    }
}

#[test]
fn a_layout_may_say_anything_and_the_walk_still_ends() {
    // kind 20, of 100 elements, whose layout says how long it is
    let with_layout = |once: u8, each: u8| {
        let types = [1, 20 << 24 | 100, 0];
        let header = [0x0001_eb9f, 32, 0, 12, 12 + 84, 3, 12, 84];
        let mut out: Vec<u8> = header.iter().chain(&types).flat_map(|w: &u32| w.to_le_bytes()).collect();
        out.resize(out.len() + 80, 0);
        out.extend([once, each, 0, 0]);
        out.extend(STRINGS);
        out
    };
    assert_eq!(parse(&with_layout(0, 0), |b| b.id_end()), Ok(2));
    let short = Error::Truncated { part: Part::BtfTypes, at: 0 };
    assert_eq!(parse(&with_layout(255, 255), |_| ()), Err(short));
    assert_eq!(parse(&with_layout(0, 1), |_| ()), Err(short));
    let unknown = blob(&[1, 20 << 24, 0], STRINGS);
    assert_eq!(parse(&unknown, |_| ()), Err(Error::UnknownKind { id: TypeId(1), kind: 20 }));
}
