//! BTF of every age: the old header, the one of kernel 7.1 with its layout section, kinds that this version does not know.

use super::super::*;
use std::vec::Vec;

const STRINGS: &str = "\0int\0s\0x\0y\0e\0";
const INT: u32 = 1;
const S: u32 = 5;
const X: u32 = 7;
const Y: u32 = 9;

/// What stands where in a blob.
struct Blob<'x> {
    hdr_len: u32,
    /// Words of the type section.
    types: &'x [u32],
    /// `info_sz`, `elem_sz` of each kind, from kind 0.
    layout: &'x [(u8, u8)],
    /// Whether the strings stand before the types.
    strings_first: bool,
}

impl Blob<'_> {
    fn bytes(&self, e: Endian) -> Vec<u8> {
        let types: Vec<u8> = self.types.iter().flat_map(|&w| e.from_u32(w)).collect();
        let layout: Vec<u8> = self.layout.iter().flat_map(|&(once, each)| [once, each, 0, 0]).collect();
        let mut strings = STRINGS.as_bytes().to_vec();
        strings.resize(strings.len().next_multiple_of(4), 0);
        let [types_len, layout_len, strings_len] = [&types, &layout, &strings].map(|p| p.len() as u32);
        let (type_off, layout_off, str_off) = match self.strings_first {
            true => (strings_len, strings_len + types_len, 0),
            false => (0, types_len, types_len + layout_len),
        };
        let mut out = e.from_u16(MAGIC).to_vec();
        out.extend([1, 0]);
        let words = [self.hdr_len, type_off, types_len, str_off, strings_len, layout_off, layout_len];
        out.extend(words.iter().flat_map(|&w| e.from_u32(w)));
        out.resize(self.hdr_len as usize, 0);
        let parts = if self.strings_first { [strings, types, layout] } else { [types, layout, strings] };
        out.extend(parts.concat());
        out
    }

    fn parse<R>(&self, e: Endian, f: impl FnOnce(Result<Btf<'_>>) -> R) -> R {
        let bytes = self.bytes(e);
        let mut index = [0; 8];
        f(Btf::count(&bytes).and_then(|_| Btf::parse(&bytes, &mut index)))
    }
}

/// `int`, then `struct s { int x; int y; }` with further words between.
fn types(between: &[u32]) -> Vec<u32> {
    let int = [INT, 1 << 24, 4, 32];
    let s = [S, 4 << 24 | 2, 8, X, 1, 0, Y, 1, 32];
    [&int, between, &s].concat()
}

const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

#[test]
fn headers_of_every_length() {
    let types = types(&[]);
    let layout: Vec<(u8, u8)> =
        (0..20).map(|k| Kind::from_number(k).trailing()).map(|(a, b)| (a as u8, b as u8)).collect();
    for e in BOTH {
        for hdr_len in [24, 32, 40] {
            for strings_first in [false, true] {
                let layout = if hdr_len == 24 { &[][..] } else { &layout };
                let blob = Blob { hdr_len, types: &types, layout, strings_first };
                blob.parse(e, |btf| {
                    let btf = btf.unwrap();
                    let s = btf.find("s", Kind::Struct).unwrap();
                    assert_eq!((btf.endian(), btf.id_end(), s.id, s.vlen()), (e, 3, TypeId(2), 2));
                    assert_eq!(btf.string(s.member(1).unwrap().name_off), "y");
                });
            }
        }
        let short = Blob { hdr_len: 20, types: &types, layout: &[], strings_first: false };
        let bad = Error::BadValue { part: Part::BtfHeader, at: 4, found: 20 };
        short.parse(e, |btf| assert_eq!(btf.err(), Some(bad)));
    }
}

#[test]
fn an_unknown_kind_is_skipped_where_the_layout_describes_it_and_named_where_not() {
    // of kind 20: one word, and two for each of its 3 elements
    let types = types(&[0, 20 << 24 | 3, 7, 99, 1, 2, 3, 4, 5, 6]);
    let mut layout = std::vec![(0, 0); 21];
    layout[20] = (4, 8);
    for e in BOTH {
        let parse = |layout: &[(u8, u8)]| {
            let blob = Blob { hdr_len: 32, types: &types, layout, strings_first: false };
            blob.parse(e, |btf| {
                btf.map(|btf| {
                    let t = btf.ty(TypeId(2)).unwrap();
                    assert_eq!((t.kind(), t.kind_number()), (Kind::Unknown, 20));
                    btf.find("s", Kind::Struct).map(|s| s.id)
                })
            })
        };
        assert_eq!(parse(&layout), Ok(Some(TypeId(3))));
        let unknown = Error::UnknownKind { id: TypeId(2), kind: 20 };
        assert_eq!(parse(&layout[..20]), Err(unknown));
        assert_eq!(parse(&[]), Err(unknown));
        // its elements would pass the end
        layout[20] = (4, 80);
        let blob = Blob { hdr_len: 32, types: &types, layout: &layout, strings_first: false };
        blob.parse(e, |btf| assert!(matches!(btf, Err(Error::Truncated { part: Part::BtfTypes, .. }))));
        layout[20] = (4, 8);
    }
}

#[test]
fn more_elements_than_16_bits_count() {
    let count = 0x1_0001u32;
    let mut types = std::vec![0, 6 << 24 | count, 4];
    types.extend((0..count).flat_map(|i| [X, i]));
    for e in BOTH {
        let blob = Blob { hdr_len: 24, types: &types, layout: &[], strings_first: false };
        blob.parse(e, |btf| {
            let t = btf.unwrap().ty(TypeId(1)).unwrap();
            assert_eq!((t.kind(), t.vlen()), (Kind::Enum, count));
            assert_eq!(t.enumerator(0x1_0000).unwrap().value, 0x1_0000);
            assert_eq!(t.enumerator(count), None);
        });
    }
}

#[test]
fn kinds_have_7_bits_and_the_flag_is_the_eighth() {
    let types = [S, 1 << 31 | 7 << 24, 0, S, 7 << 24, 0];
    let blob = Blob { hdr_len: 24, types: &types, layout: &[], strings_first: false };
    blob.parse(Endian::Little, |btf| {
        let btf = btf.unwrap();
        let flags: Vec<_> = btf.own_types().map(|t| (t.kind(), t.kflag())).collect();
        assert_eq!(flags, [(Kind::Fwd, true), (Kind::Fwd, false)]);
    });
}

#[test]
fn split_types_continue_their_bases_ids_and_strings() {
    for e in BOTH {
        let base_bytes = Blob { hdr_len: 24, types: &types(&[]), layout: &[], strings_first: false }.bytes(e);
        let mut base_index = [0; 2];
        let base = Btf::parse(&base_bytes, &mut base_index).unwrap().with_pointer_size(4);
        let end = base.string_end();
        // `struct y { struct s x; int *own; }`, its last name its own
        let own = [0, 2 << 24, 1, Y, 4 << 24 | 2, 12, X, 2, 0, end, 3, 64];
        let mut bytes = e.from_u16(MAGIC).to_vec();
        bytes.extend([1, 0]);
        let words = [24, 0, 4 * own.len() as u32, 4 * own.len() as u32, 4].into_iter().chain(own);
        bytes.extend(words.flat_map(|w| e.from_u32(w)));
        bytes.extend(b"own\0");
        let mut index = [0; 2];
        let btf = Btf::parse_split(&bytes, &mut index, Some(&base)).unwrap();
        assert_eq!((btf.id_start(), btf.id_end(), btf.pointer_size()), (3, 5, 4));
        let y = btf.find("y", Kind::Struct).unwrap();
        let names: Vec<_> = y.members().map(|m| btf.string(m.name_off)).collect();
        assert_eq!((y.id, names), (TypeId(4), std::vec!["x", "own"]));
        assert_eq!(btf.find("s", Kind::Struct).unwrap().id, TypeId(2));
        assert_eq!((btf.size_of(TypeId(2)), btf.size_of(TypeId(3))), (Ok(8), Ok(4)));
        // by itself it refers to what it does not have
        assert!(Btf::parse(&bytes, &mut [0; 2]).is_err());
    }
}
