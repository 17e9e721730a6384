//! Printing of hand-made types and records, and of random ones.

use super::*;
use crate::bytes::Endian;
use crate::error::{Error, Limit};
use crate::pack::{Format, Hint, How, ResultMap};
use serde_json::{Value, json};
use std::string::String;
use std::vec::Vec;

mod views;

/// Builds a BTF blob type by type; ids count from 1.
struct Build {
    endian: Endian,
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Build {
    fn new(endian: Endian) -> Self {
        Build { endian, types: Vec::new(), strings: std::vec![0], count: 0 }
    }

    fn string(&mut self, s: &str) -> u32 {
        if s.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(s.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|&w| self.types.extend(self.endian.from_u32(w)));
    }

    fn add(&mut self, name: &str, kind: u32, vlen: usize, kflag: bool, size: u32, tail: &[u32]) -> u32 {
        let name = self.string(name);
        self.words(&[name, kind << 24 | u32::from(kflag) << 31 | vlen as u32, size]);
        self.words(tail);
        self.count += 1;
        self.count
    }

    fn int(&mut self, name: &str, size: u32, encoding: u32) -> u32 {
        self.add(name, 1, 0, false, size, &[(encoding << 24) | (size * 8)])
    }

    fn array(&mut self, elem: u32, n: u32) -> u32 {
        self.add("", 3, 0, false, 0, &[elem, elem, n])
    }

    /// Members as name, type, bit offset, bitfield bits.
    fn composite(&mut self, kind: u32, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> u32 {
        let mut tail = Vec::new();
        for &(name, ty, at, bits) in members {
            tail.extend([self.string(name), ty, bits << 24 | at]);
        }
        self.add(name, kind, members.len(), true, size, &tail)
    }

    fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> u32 {
        self.composite(4, name, size, members)
    }

    fn enumeration(&mut self, size: u32, names: &[(&str, i32)]) -> u32 {
        let mut tail = Vec::new();
        for &(name, value) in names {
            tail.extend([self.string(name), value as u32]);
        }
        self.add("e", 6, names.len(), true, size, &tail)
    }

    fn blob(&self) -> Vec<u8> {
        let e = self.endian;
        let mut out = Vec::new();
        out.extend(e.from_u16(crate::btf::MAGIC));
        out.extend([1, 0]);
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        [24, 0, types, types, strings].iter().for_each(|&w| out.extend(e.from_u32(w)));
        out.extend(&self.types);
        out.extend(&self.strings);
        out
    }
}

fn hints(list: &[(u32, u16, Format)]) -> Vec<u8> {
    let mut out = Vec::new();
    for &(id, member, format) in list {
        let mut buf = [0; 16];
        let hint = Hint { type_id: TypeId(id), member, format };
        out.extend_from_slice(postcard::to_slice(&hint, &mut buf).unwrap());
    }
    out
}

fn print(b: &Build, hints: &[u8], style: Style, f: impl Fn(&Printer<'_>, &mut Out<'_>)) -> String {
    let blob = b.blob();
    let mut index = std::vec![0; Btf::count(&blob).unwrap()];
    let btf = Btf::parse(&blob, &mut index).unwrap();
    let mut buf = std::vec![0; 8192];
    let mut out = Out::new(&mut buf);
    f(&Printer::new(&btf, hints, style), &mut out);
    assert!(!out.is_full());
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

/// The event in both styles: the text line, and the JSON line parsed.
fn event(b: &Build, hints: &[u8], ty: u32, data: &[u8]) -> (String, Value) {
    let text = print(b, hints, Style::Text, |p, o| p.event(o, "", TypeId(ty), data));
    let json = print(b, hints, Style::Json, |p, o| p.event(o, "", TypeId(ty), data));
    assert!(text.ends_with('\n') && json.ends_with('\n'));
    (text.trim_end().into(), serde_json::from_str(&json).unwrap())
}

const LITTLE: Endian = Endian::Little;

#[test]
fn opensnoop_like_event() {
    let mut b = Build::new(LITTLE);
    let (int, ch) = (b.int("int", 4, 1), b.int("char", 1, 1));
    let (comm, fname) = (b.array(ch, 16), b.array(ch, 32));
    let st = b.structure(
        "event",
        56,
        &[("pid", int, 0, 0), ("ret", int, 32, 0), ("comm", comm, 64, 0), ("fname", fname, 192, 0)],
    );
    let mut data = Vec::new();
    data.extend(123i32.to_le_bytes());
    data.extend((-2i32).to_le_bytes());
    data.extend(b"my cat\0garbage!!");
    data.extend(b"/etc/\x1b[31m\xff\0");
    data.resize(56, 0);
    let (text, json) = event(&b, &hints(&[(st, 1, Format::Errno)]), st, &data);
    assert_eq!(text, r#"pid=123 ret=-ENOENT comm="my cat" fname="/etc/\x1b[31m\xff""#);
    assert_eq!(
        json,
        json!({"pid": 123, "ret": "-ENOENT", "comm": "my cat", "fname": "/etc/\u{1b}[31m\u{fffd}"})
    );
    // A short record: `fname` cut, then absent; `ret` cut in the middle.
    assert_eq!(event(&b, &[], st, &data[..27]).0, r#"pid=123 ret=-2 comm="my cat" fname=/et"#);
    assert_eq!(event(&b, &[], st, &data[..24]).0, r#"pid=123 ret=-2 comm="my cat""#);
    assert_eq!(event(&b, &[], st, &data[..7]).0, "pid=123");
    assert_eq!(event(&b, &[], st, &[]).1, json!({}));
    // A padded one.
    data.extend([0xaa; 4]);
    assert_eq!(event(&b, &[], st, &data).0.matches('=').count(), 4);
    let named = print(&b, &[], Style::Text, |p, o| p.event(o, "open", TypeId(st), &data[..4]));
    assert_eq!(named, "open pid=123\n");
    let named = print(&b, &[], Style::Json, |p, o| p.event(o, "open", TypeId(st), &data[..4]));
    assert_eq!(named, "{\"event\":\"open\",\"pid\":123}\n");
}

#[test]
fn nested_values_and_numbers() {
    let mut b = Build::new(LITTLE);
    let (u64_, s64) = (b.int("u64", 8, 0), b.int("s64", 8, 1));
    let (bool_, u128_) = (b.int("_Bool", 1, 4), b.int("__int128", 16, 1));
    let u8_ = b.int("unsigned char", 1, 0);
    let ptr = b.add("", 2, 0, false, 0, &[]);
    let e = b.enumeration(4, &[("MINUS", -1), ("TWO", 2)]);
    let pair = b.array(u8_, 2);
    let pairs = b.array(pair, 2);
    let inner = b.structure("inner", 4, &[("a", u8_, 0, 0), ("b", pair, 8, 0)]);
    let anon = b.composite(5, "", 4, &[("u1", u8_, 0, 0), ("u2", e, 0, 0)]);
    let st = b.structure(
        "s",
        64,
        &[
            ("big", u64_, 0, 0),
            ("neg", s64, 64, 0),
            ("yes", bool_, 128, 0),
            ("in", inner, 136, 0),
            ("e", e, 160, 0),
            ("p", ptr, 192, 0),
            ("", anon, 256, 0),
            ("m", pairs, 288, 0),
            ("w", u128_, 320, 0),
        ],
    );
    let mut data = Vec::new();
    data.extend(u64::MAX.to_le_bytes());
    data.extend((-5i64).to_le_bytes());
    data.extend([1, 7, 8, 9]);
    data.extend((-1i32).to_le_bytes());
    data.extend(0xffff_0000_1234_0000u64.to_le_bytes());
    data.extend(2u32.to_le_bytes());
    data.extend([1, 2, 3, 4]);
    data.extend(1u128.to_le_bytes());
    let (text, json) = event(&b, &[], st, &data);
    assert_eq!(
        text,
        "big=18446744073709551615 neg=-5 yes=true in={a=7 b=[8,9]} e=MINUS p=0xffff000012340000 u1=2 u2=TWO \
         m=[[1,2],[3,4]] w=0x00000000000000000000000000000001"
    );
    assert_eq!(
        json,
        json!({"big": "18446744073709551615", "neg": -5, "yes": true, "in": {"a": 7, "b": [8, 9]}, "e": "MINUS",
            "p": "0xffff000012340000", "u1": 2, "u2": "TWO", "m": [[1, 2], [3, 4]],
            "w": "0x00000000000000000000000000000001"})
    );
    assert_eq!(event(&b, &[], e, &3u32.to_le_bytes()).0, "value=3");
}

#[test]
fn json_integers_are_exact() {
    let mut b = Build::new(LITTLE);
    let s64 = b.int("s64", 8, 1);
    for (v, expected) in [
        (1i64 << 53, json!(1i64 << 53)),
        ((1 << 53) + 1, json!("9007199254740993")),
        (-(1 << 53), json!(-(1i64 << 53))),
        (i64::MIN, json!("-9223372036854775808")),
    ] {
        assert_eq!(event(&b, &[], s64, &v.to_le_bytes()).1["value"], expected);
    }
}

#[test]
fn bitfields_in_both_byte_orders() {
    // struct { u32 a:3; s32 b:5; u32 c:12; u64 d:60 } as clang lays it out: bits from the low end of a byte on
    // little-endian machines, from the high end on big-endian ones.
    for (endian, first) in [(Endian::Little, 0xf5u8), (Endian::Big, 0xbeu8)] {
        let mut b = Build::new(endian);
        let (u, s, l) = (b.int("u32", 4, 0), b.int("s32", 4, 1), b.int("u64", 8, 0));
        let st = b.structure("s", 12, &[("a", u, 0, 3), ("b", s, 3, 5), ("c", u, 8, 12), ("d", l, 28, 60)]);
        let mut data = [0u8; 12];
        data[0] = first;
        match endian {
            Endian::Little => data[1..3].copy_from_slice(&[0xbc, 0x0a]),
            Endian::Big => data[1..3].copy_from_slice(&[0xab, 0xc0]),
        }
        let d = (1u128 << 59) + 1;
        match endian {
            Endian::Little => {
                (d << 4).to_le_bytes()[..8].iter().zip(&mut data[3..11]).for_each(|(s, d)| *d = *s)
            }
            Endian::Big => {
                (d << 8).to_be_bytes()[7..16].iter().zip(&mut data[3..12]).for_each(|(s, d)| *d = *s)
            }
        }
        assert_eq!(event(&b, &[], st, &data).0, "a=5 b=-2 c=2748 d=576460752303423489");
    }
}

#[test]
fn hints_override_types() {
    let mut b = Build::new(LITTLE);
    let (int, u16_, u8_) = (b.int("unsigned int", 4, 0), b.int("u16", 2, 0), b.int("u8", 1, 0));
    let (addr, blob) = (b.array(u8_, 16), b.array(u8_, 12));
    let st = b.structure(
        "e",
        44,
        &[
            ("af", int, 0, 0),
            ("addr", addr, 32, 0),
            ("port", u16_, 160, 0),
            ("pad", u16_, 176, 0),
            ("sig", int, 192, 0),
            ("len", int, 224, 0),
            ("args", blob, 256, 0),
        ],
    );
    let list = hints(&[
        (st, 1, Format::Ip { family: 0 }),
        (st, 2, Format::Port),
        (st, 3, Format::Hide),
        (st, 4, Format::Signal),
        (st, 6, Format::Args { len: 5 }),
    ]);
    let record = |af: u32, addr: [u8; 16]| {
        let mut data = Vec::new();
        data.extend(af.to_le_bytes());
        data.extend(addr);
        data.extend([0x1f, 0x90, 9, 9]);
        data.extend(15u32.to_le_bytes());
        data.extend(9u32.to_le_bytes());
        data.extend(b"ls\0-l\0/\0\0xyz");
        data
    };
    let mut v6 = [0; 16];
    (v6[0], v6[1], v6[15]) = (0x20, 0x01, 1);
    let line = |af, addr| event(&b, &list, st, &record(af, addr)).0;
    assert_eq!(line(10, v6), r#"af=10 addr=2001::1 port=8080 sig=SIGTERM len=9 args="ls -l /""#);
    assert!(line(10, [0; 16]).contains("addr=:: "));
    assert!(line(10, [1; 16]).contains("addr=101:101:101:101:101:101:101:101 "));
    v6[15] = 0;
    assert!(line(10, v6).contains("addr=2001:: "));
    assert!(line(2, [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).contains("addr=127.0.0.1 "));
    assert!(line(1, [0xab; 16]).contains(&std::format!("addr={} ", "ab".repeat(16))));
    // The length says more than there is.
    let mut data = record(2, [0; 16]);
    data[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(event(&b, &list, st, &data).0.ends_with(r#"args="ls -l /  xyz""#));
}

#[test]
fn errnos_of_signed_and_unsigned_members() {
    let mut b = Build::new(LITTLE);
    let (s, u) = (b.int("int", 4, 1), b.int("unsigned int", 4, 0));
    let st = b.structure("e", 8, &[("s", s, 0, 0), ("u", u, 32, 0)]);
    let list = hints(&[(st, 0, Format::Errno), (st, 1, Format::Errno)]);
    let line = |s: i32, u: u32| event(&b, &list, st, &[s.to_le_bytes(), u.to_le_bytes()].concat()).0;
    assert_eq!(line(-13, 13), "s=-EACCES u=EACCES");
    assert_eq!(line(3, 0), "s=3 u=0");
    assert_eq!(line(-4000, 4000), "s=-4000 u=4000");
}

fn result<'a>(type_id: u32, how: How) -> ResultMap<'a> {
    ResultMap { map: 0, name: "r", offset: 0, type_id: TypeId(type_id), how }
}

#[test]
fn results() {
    let mut b = Build::new(LITTLE);
    let (u32_, u64_) = (b.int("u32", 4, 0), b.int("u64", 8, 0));
    let st = b.structure("data_t", 16, &[("count", u64_, 0, 0), ("ns", u64_, 64, 0)]);
    let stats = b.array(u64_, 3);
    let labels = b.enumeration(4, &[("S_READ", 0), ("S_WRITE", 1)]);
    let slots = b.array(u32_, 4);
    let hist = b.structure("hist", 24, &[("slots", slots, 0, 0), ("total", u64_, 128, 0)]);
    let both = |r: &ResultMap<'_>, key: &[u8], value: &[u8]| {
        let text = print(&b, &[], Style::Text, |p, o| p.result(o, r, TypeId(u32_), key, value));
        let json = print(&b, &[], Style::Json, |p, o| p.result(o, r, TypeId(u32_), key, value));
        (text, serde_json::from_str::<Value>(&json).unwrap())
    };
    let words = |w: &[u64]| w.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();

    let (text, json) = both(&result(st, How::Entries), &59u32.to_le_bytes(), &words(&[3, 812]));
    assert_eq!(text, "r key=59 count=3 ns=812\n");
    assert_eq!(json, json!({"result": "r", "key": 59, "value": {"count": 3, "ns": 812}}));
    let (text, json) = both(&result(u64_, How::Entries), &[], &words(&[7]));
    assert_eq!((text.as_str(), json), ("r value=7\n", json!({"result": "r", "value": 7})));

    let counters = How::Counters { labels: TypeId(labels) };
    let (text, json) = both(&result(stats, counters), &[], &words(&[0, 5, 0]));
    assert_eq!(text, "r S_READ=0 S_WRITE=5\n");
    assert_eq!(json, json!({"result": "r", "counters": {"S_READ": 0, "S_WRITE": 5}}));
    assert_eq!(both(&result(stats, counters), &[], &words(&[0, 5, 9])).1["counters"]["2"], json!(9));
    assert_eq!(both(&result(u64_, counters), &1u32.to_le_bytes(), &words(&[5])).0, "r S_WRITE=5\n");

    let mut value = Vec::new();
    [0u32, 1, 4, 0].iter().for_each(|n| value.extend(n.to_le_bytes()));
    value.extend(words(&[11]));
    let log2 = How::Log2 { offset: 0, slots: 4 };
    let (text, json) = both(&result(hist, log2), &8u32.to_le_bytes(), &value);
    assert_eq!(
        text,
        "r key=8 total=11\n\
        \x20       from -> to           :      count |distribution\n\
        \x20          2 -> 3            :          1 |**********                              |\n\
        \x20          4 -> 7            :          4 |****************************************|\n"
    );
    assert_eq!(
        json,
        json!({"result": "r", "key": 8, "total": 11, "log2": [{"from": 2, "to": 3, "count": 1},
            {"from": 4, "to": 7, "count": 4}]})
    );
    assert_eq!(both(&result(hist, log2), &[], &[0; 24]).1["log2"], json!([]));
}

#[test]
fn cpus_are_summed_by_number() {
    for endian in [Endian::Little, Endian::Big] {
        let mut b = Build::new(endian);
        let u64_ = b.int("u64", 8, 0);
        let st = b.structure("s", 8, &[("n", u64_, 0, 0)]);
        let blob = b.blob();
        let mut index = [0; 8];
        let btf = Btf::parse(&blob, &mut index).unwrap();
        let bytes = |v: u64| if endian == LITTLE { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut sum = bytes(0x01ff_ffff_ffff);
        assert!(add_cpu(&btf, &result(u64_, How::Entries), &mut sum, &bytes(2)));
        assert_eq!(sum, bytes(0x0200_0000_0001));
        assert!(!add_cpu(&btf, &result(st, How::Entries), &mut sum, &bytes(2)));
        let mut slots = [endian.from_u32(u32::MAX), endian.from_u32(5)].concat();
        let other = [endian.from_u32(1), endian.from_u32(6)].concat();
        assert!(add_cpu(&btf, &result(st, How::Log2 { offset: 0, slots: 1 }), &mut slots, &other));
        assert_eq!(slots, [endian.from_u32(0), endian.from_u32(5)].concat());
    }
}

#[test]
fn lost_events() {
    let mut buf = [0; 64];
    let mut out = Out::new(&mut buf);
    print_lost(&mut out, Style::Text, 3, 4);
    print_lost(&mut out, Style::Json, 3, 4);
    assert_eq!(out.bytes(), b"lost kernel=3 output=4\n{\"lost\":{\"kernel\":3,\"output\":4}}\n");
}

#[test]
fn a_type_that_nests_for_ever_ends() {
    // Anonymous unions of empty ones: each level multiplies, and nothing is printed.
    let mut b = Build::new(LITTLE);
    let mut ty = b.structure("", 4, &[]);
    for _ in 0..20 {
        ty = b.structure("", 4, &[("", ty, 0, 0); 64]);
    }
    let blob = b.blob();
    let mut index = [0; 32];
    let btf = Btf::parse(&blob, &mut index).unwrap();
    let mut buf = [0; 256];
    let mut out = Out::new(&mut buf);
    Printer::new(&btf, &[], Style::Json).event(&mut out, "", TypeId(ty), &[0; 4]);
    assert!(out.is_full());
    // A struct within itself, by name.
    let mut b = Build::new(LITTLE);
    let own = b.structure("s", 4, &[("s", 1, 0, 0)]);
    assert_eq!(event(&b, &[], own, &[0; 4]).0.matches("s=").count(), MAX_DEPTH + 1);
}

/// xorshift64*: the same bytes on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u32) -> u32 {
        (self.next() >> 33) as u32 % n
    }
}

#[test]
fn hostile_types_and_bytes_never_panic_and_json_stays_valid() {
    let mut r = Random(0x1234_5678_9abc_def1);
    let formats = [
        Format::Hide,
        Format::Text,
        Format::Hex,
        Format::Port,
        Format::Ip { family: 1 },
        Format::Ipv4,
        Format::Args { len: 0 },
        Format::Errno,
        Format::Signal,
        Format::Plain,
        Format::Names { enumeration: TypeId(1) },
        Format::Flags { enumeration: TypeId(2) },
        Format::Dev,
        Format::Octal,
        Format::Time { unit: u32::MAX },
        Format::Decimals { digits: 255 },
        Format::KernelStack { map: 1 },
        Format::UserStack { map: 1, pid: 1 },
        Format::Ksym,
        Format::Ksyms { len: 0 },
    ];
    for round in 0..500 {
        let mut b = Build::new(if round % 2 == 0 { Endian::Little } else { Endian::Big });
        let n = 2 + r.below(12);
        for _ in 0..n {
            let id = 1 + r.below(n);
            let name = ["a", "char", "", "x\"\n\u{202e}"][r.below(4) as usize];
            let size = [0, 1, 2, 4, 8, 16, 3, r.below(1 << 20)][r.below(8) as usize];
            match r.below(8) {
                0 => {
                    let word = r.next() as u32;
                    b.add(name, 1, 0, false, size, &[word]);
                }
                1 => drop(b.array(id, r.below(5) * r.below(90_000))),
                2 => drop(b.enumeration(size, &[("E", r.next() as i32), ("F", r.below(3) as i32)])),
                3 => drop(b.add(name, 8 + r.below(4), 0, false, id, &[])),
                4 => drop(b.add(name, 16, 0, false, size, &[])),
                _ => {
                    let members: Vec<_> = (0..r.below(5))
                        .map(|_| (name, 1 + r.below(n), r.below(70), r.below(3) * r.below(80)))
                        .collect();
                    b.composite(4 + r.below(2), name, size, &members);
                }
            }
        }
        let list: Vec<_> = (0..r.below(6))
            .map(|_| (1 + r.below(n), r.below(5) as u16, formats[r.below(9) as usize]))
            .collect();
        let list = hints(&list);
        let data: Vec<u8> = (0..r.below(80)).map(|_| r.next() as u8).collect();
        let blob = b.blob();
        let mut index = [0; 16];
        let btf = match Btf::parse(&blob, &mut index) {
            Ok(btf) => btf,
            // qualifiers and typedefs that go in circles
            Err(e) => {
                assert!(matches!(e, Error::TooMany { what: Limit::ResolveDepth, .. }), "{e}");
                continue;
            }
        };
        let how = [
            How::Entries,
            How::Log2 { offset: r.below(90), slots: r.next() as u32 },
            How::Counters { labels: TypeId(r.below(n + 2)) },
            How::Hist {
                offset: r.below(20),
                slots: r.next() as u32,
                size: [4, 8][r.below(2) as usize],
                base: r.next() as u32,
                step: r.below(2) * r.next() as u32,
                labels: TypeId(r.below(n + 2)),
            },
        ][r.below(4) as usize];
        let view = views::view(formats[r.below(20) as usize], formats[r.below(20) as usize]);
        let res = result(1 + r.below(n), how);
        let mut buf = std::vec![0; 1 << 16];
        for ty in 0..=n + 1 {
            for style in [Style::Text, Style::Json] {
                let p =
                    Printer::new(&btf, &list, style).viewed(&view, "a\"").clock(5).resolving(&views::Frames);
                for kind in 0..2 {
                    let mut out = Out::new(&mut buf);
                    match kind {
                        0 => p.event(&mut out, name_of(ty), TypeId(ty), &data),
                        _ => p.result(&mut out, &res, TypeId(ty), &data[..data.len() / 2], &data),
                    }
                    if out.is_full() {
                        continue;
                    }
                    let line = std::str::from_utf8(out.bytes()).unwrap();
                    assert!(!line.contains('\x1b') && !line.contains('\u{202e}'));
                    if style == Style::Json {
                        serde_json::from_str::<serde::de::IgnoredAny>(line).unwrap();
                        assert_eq!(line.matches('\n').count(), 1);
                    }
                }
            }
        }
        let mut sum = data.clone();
        if add_cpu(&btf, &res, &mut sum, &data) {
            assert!(subtract(&btf, &res, &mut sum, &data));
            assert_eq!(sum, data);
        }
        let _ = raw::Header::parse(&data);
        let _ = raw::split_result(&data);
        let _ = raw::split_end(&data);
    }
}

fn name_of(ty: u32) -> &'static str {
    if ty.is_multiple_of(2) { "" } else { "ev il\"" }
}

#[test]
fn raw_records_come_back() {
    let mut buf = [0; 256];
    let mut out = Out::new(&mut buf);
    let header = raw::Header { endian: Endian::Big, pointer_size: 4, objects: 2 };
    header.put(&mut out);
    raw::put_event(&mut out, 1, 7, b"event");
    raw::put_result(&mut out, 0, 2, b"key", b"value");
    raw::put_end(&mut out, 5, u64::MAX);
    let bytes = out.bytes();
    assert_eq!(raw::Header::parse(bytes), Ok(header));
    let mut rest = &bytes[raw::HEADER_LEN..];
    let mut next = || {
        let (head, tail) = rest.split_first_chunk().unwrap();
        let head = raw::Head::parse(head).unwrap();
        let (content, tail) = tail.split_at(head.len as usize);
        rest = tail;
        (head.kind, head.object, head.number, content)
    };
    assert_eq!(next(), (raw::Kind::Event, 1, 7, &b"event"[..]));
    let (kind, _, number, content) = next();
    assert_eq!((kind, number), (raw::Kind::Result, 2));
    assert_eq!(raw::split_result(content), Ok((&b"key"[..], &b"value"[..])));
    let (kind, _, _, content) = next();
    assert_eq!((kind, raw::split_end(content)), (raw::Kind::End, Ok((5, u64::MAX))));
    assert!(rest.is_empty());
    assert!(raw::Head::parse(&[0, 0, 0x20, 0, 1, 0, 0, 0]).is_err());
    assert!(raw::Head::parse(&[0, 0, 0, 0, 9, 0, 0, 0]).is_err());
}
