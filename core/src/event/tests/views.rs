//! What hints and views make of numbers, histograms and stacks.

use super::*;
use crate::pack::View;

pub(super) fn view<'a>(key: Format, value: Format) -> View<'a> {
    View {
        result: 0,
        key,
        value,
        units: "",
        unit_map: 0,
        unit_offset: 0,
        unit_size: 0,
        sort_offset: 0,
        sort_size: 0,
        rows: 0,
        clear: false,
    }
}

/// Stack number n has the frames n, n + 1; even addresses have names.
pub(super) struct Frames;

impl Symbols for Frames {
    fn frame(&self, stack: Stack, frame: usize) -> Option<u64> {
        (frame < 2).then(|| u64::from(stack.id) + frame as u64)
    }

    fn name(&self, pid: Option<u32>, address: u64) -> Option<(&[u8], u64)> {
        let name: &[u8] = if pid.is_some() { b"/bin/a\"\n" } else { b"do_nanosleep" };
        address.is_multiple_of(2).then_some((name, address))
    }
}

#[test]
fn numbers_with_a_meaning() {
    let mut b = Build::new(LITTLE);
    let (u, s, l) = (b.int("u32", 4, 0), b.int("s32", 4, 1), b.int("u64", 8, 0));
    let names = b.enumeration(4, &[("read", 0), ("write", 1)]);
    let flags = b.enumeration(4, &[("RD", 1), ("WR", 2), ("RW", 3), ("TOP", i32::MIN)]);
    let members = ["op", "fl", "dev", "mode", "ms", "neg"];
    let types = [u, u, u, u, u, s];
    let rows: Vec<_> = (0..6).map(|i| (members[i], types[i], 32 * i as u32, 0)).collect();
    let st = b.structure("e", 32, &[&rows[..], &[("at", l, 192, 0)]].concat());
    let list = hints(&[
        (st, 0, Format::Names { enumeration: TypeId(names) }),
        (st, 1, Format::Flags { enumeration: TypeId(flags) }),
        (st, 2, Format::Dev),
        (st, 3, Format::Octal),
        (st, 4, Format::Decimals { digits: 3 }),
        (st, 5, Format::Decimals { digits: 1 }),
        (st, 6, Format::Time { unit: 1000 }),
    ]);
    let record = |words: [u32; 6], at: u64| {
        let mut data: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        data.extend(at.to_le_bytes());
        data
    };
    let lines = |data: &[u8], ahead: u64| {
        let text = print(&b, &list, Style::Text, |p, o| p.clock(ahead).event(o, "", TypeId(st), data));
        let json = print(&b, &list, Style::Json, |p, o| p.clock(ahead).event(o, "", TypeId(st), data));
        (text, serde_json::from_str::<Value>(&json).unwrap())
    };
    // 2024-02-29 23:59:59.000001 with one second of it on the monotonic clock
    let ahead = 1_709_251_198_000_001_000u64;
    let (text, json) = lines(&record([1, 3, 8 << 20 | 17, 0o644, 12_034, (-15i32) as u32], 1_000_000), ahead);
    assert_eq!(
        text,
        "op=write fl=RD|WR dev=8:17 mode=0644 ms=12.034 neg=-1.5 at=2024-02-29T23:59:59.000001Z\n"
    );
    assert_eq!(
        json,
        json!({"op": "write", "fl": "RD|WR", "dev": "8:17", "mode": "0644", "ms": 12.034, "neg": -1.5,
            "at": "2024-02-29T23:59:59.000001Z"})
    );
    // What has no name is a number; a clock that is behind; no time at all.
    let (text, _) = lines(&record([7, 0x14, 0, 0, 5, 0], 4_000_000), 1u64.wrapping_neg());
    assert_eq!(text, "op=7 fl=0x14 dev=0:0 mode=0 ms=0.005 neg=0.0 at=1970-01-01T00:00:03.999999Z\n");
    let (text, _) = lines(&record([7, 0x11, 0, 0, 5, 0], 0), 5);
    assert!(text.contains(" fl=RD|0x10 ") && text.ends_with(" at=0\n"), "{text}");
    assert!(
        event(&b, &list, st, &record([0, 0, 0, 0, 0, 0], 7))
            .0
            .ends_with("fl=0 dev=0:0 mode=0 ms=0.000 neg=0.0 at=7")
    );
}

#[test]
fn the_calendar() {
    let time = |seconds: u64| {
        let mut buf = [0; 64];
        let mut out = Out::new(&mut buf);
        print_time(&mut out, Style::Text, seconds * 1_000_000_000);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    };
    assert_eq!(time(0), "time=1970-01-01T00:00:00.000000Z\n");
    assert_eq!(time(951_782_400), "time=2000-02-29T00:00:00.000000Z\n");
    assert_eq!(time(951_868_799), "time=2000-02-29T23:59:59.000000Z\n");
    assert_eq!(time(1_735_689_599), "time=2024-12-31T23:59:59.000000Z\n");
    assert_eq!(time(4_107_542_400), "time=2100-03-01T00:00:00.000000Z\n");
    assert_eq!(time(u64::MAX / 1_000_000_000), "time=2554-07-21T23:34:33.000000Z\n");
}

#[test]
fn histograms_of_other_shapes() {
    let mut b = Build::new(LITTLE);
    let (u32_, u64_) = (b.int("u32", 4, 0), b.int("u64", 8, 0));
    let wide = b.array(u64_, 3);
    let hist = b.structure("hist", 32, &[("total", u64_, 0, 0), ("slots", wide, 64, 0)]);
    let hists = b.array(hist, 3);
    let plain = b.array(u32_, 4);
    let labels = b.enumeration(4, &[("HI", 0), ("TIMER", 1)]);
    let how = |offset, size, slots, base, step| How::Hist {
        offset,
        slots,
        size,
        base,
        step,
        labels: TypeId(labels),
    };
    let both = |r: &ResultMap<'_>, value: &[u8], unit| {
        let v = view(Format::Plain, Format::Plain);
        let text =
            print(&b, &[], Style::Text, |p, o| p.viewed(&v, unit).result(o, r, TypeId(u32_), &[], value));
        let json =
            print(&b, &[], Style::Json, |p, o| p.viewed(&v, unit).result(o, r, TypeId(u32_), &[], value));
        (text, serde_json::from_str::<Value>(&json).unwrap())
    };
    let words = |w: &[u64]| w.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    // An array of histograms of 64-bit slots: the empty one is left out.
    let value = words(&[9, 0, 1, 0, 0, 0, 0, 0, 7, 1 << 40, 0, 0]);
    let (text, json) = both(&result(hists, how(8, 8, 3, 0, 0)), &value, "usecs");
    assert_eq!(
        text,
        "r HI total=9\n\
        \x20       from -> to usecs     :      count |distribution\n\
        \x20          2 -> 3            :          1 |****************************************|\n\
        r 2 total=7\n\
        \x20       from -> to usecs     :      count |distribution\n\
        \x20          0 -> 1            : 1099511627776 |****************************************|\n"
            .replace("r 2 ", "r of=2 ")
    );
    assert_eq!(
        json,
        json!({"result": "r", "histograms": [
            {"of": "HI", "total": 9, "unit": "usecs", "log2": [{"from": 2, "to": 3, "count": 1}]},
            {"of": 2, "total": 7, "unit": "usecs", "log2": [{"from": 0, "to": 1, "count": 1u64 << 40}]}]})
    );
    // Slots of equal width, in a variable that is the array itself.
    let value: Vec<u8> = [0u32, 2, 0, 4].iter().flat_map(|n| n.to_le_bytes()).collect();
    let (text, json) = both(&result(plain, how(0, 4, 4, 1000, 200)), &value, "");
    assert_eq!(
        text,
        "r\n\
        \x20       from -> to           :      count |distribution\n\
        \x20       1200 -> 1399         :          2 |********************                    |\n\
        \x20       1400 -> 1599         :          0 |                                        |\n\
        \x20       1600 -> 1799         :          4 |****************************************|\n"
    );
    assert_eq!(json["linear"][0], json!({"from": 1200, "to": 1399, "count": 2}));
}

#[test]
fn differences_and_sums_of_arrays_of_histograms() {
    for endian in [Endian::Little, Endian::Big] {
        let mut b = Build::new(endian);
        let u32_ = b.int("u32", 4, 0);
        let slots = b.array(u32_, 2);
        let hist = b.structure("hist", 12, &[("other", u32_, 0, 0), ("slots", slots, 32, 0)]);
        let hists = b.array(hist, 2);
        let blob = b.blob();
        let mut index = [0; 8];
        let btf = Btf::parse(&blob, &mut index).unwrap();
        let words = |w: [u32; 6]| w.iter().flat_map(|&w| endian.from_u32(w)).collect::<Vec<u8>>();
        let how = How::Hist { offset: 4, slots: 2, size: 4, base: 0, step: 0, labels: TypeId::VOID };
        let mut sum = words([1, 0x1ff, 3, 4, 5, u32::MAX]);
        assert!(add_cpu(&btf, &result(hists, how), &mut sum, &words([9, 1, 1, 9, 1, 1])));
        assert_eq!(sum, words([1, 0x200, 4, 4, 6, 0]));
        assert!(subtract(&btf, &result(hists, how), &mut sum, &words([9, 1, 1, 9, 1, 1])));
        assert_eq!(sum, words([1, 0x1ff, 3, 4, 5, u32::MAX]));
    }
}

#[test]
fn units_by_a_variable() {
    let v = View { units: "usecs msecs", unit_offset: 2, unit_size: 1, ..view(Format::Plain, Format::Plain) };
    assert_eq!(v.unit(LITTLE, &[9, 9, 1]), "msecs");
    assert_eq!(v.unit(LITTLE, &[9, 9, 0]), "usecs");
    assert_eq!((v.unit(LITTLE, &[9, 9, 2]), v.unit(LITTLE, &[9])), ("", "usecs"));
    let v = View { unit_offset: 0, unit_size: 4, ..v };
    assert_eq!((v.unit(Endian::Big, &[0, 0, 0, 1]), v.unit(LITTLE, &[1, 0, 0, 0])), ("msecs", "msecs"));
    assert_eq!(view(Format::Plain, Format::Plain).unit(LITTLE, &[]), "");
}

#[test]
fn stacks_and_addresses() {
    let mut b = Build::new(LITTLE);
    let (u, s, l) = (b.int("u32", 4, 0), b.int("s32", 4, 1), b.int("u64", 8, 0));
    let frames = b.array(l, 3);
    let st = b.structure(
        "key_t",
        48,
        &[
            ("pid", u, 0, 0),
            ("user", s, 32, 0),
            ("kern", s, 64, 0),
            ("len", s, 96, 0),
            ("ip", l, 128, 0),
            ("at", frames, 192, 0),
        ],
    );
    let list = hints(&[
        (st, 1, Format::UserStack { map: 1, pid: 0 }),
        (st, 2, Format::KernelStack { map: 1 }),
        (st, 4, Format::Ksym),
        (st, 5, Format::Ksyms { len: 3 }),
    ]);
    let record = |user: i32, kern: i32| {
        let mut data: Vec<u8> = [42, user, kern, 16].iter().flat_map(|w: &i32| w.to_le_bytes()).collect();
        [16u64, 18, 21, 33].iter().for_each(|a| data.extend(a.to_le_bytes()));
        data
    };
    let r = result(u, How::Entries);
    let both = |key: &[u8]| {
        let text = |p: &Printer<'_>, o: &mut Out<'_>| {
            p.resolving(&Frames).result(o, &r, TypeId(st), key, &5u32.to_le_bytes())
        };
        let json = print(&b, &list, Style::Json, text);
        (print(&b, &list, Style::Text, text), serde_json::from_str::<Value>(&json).unwrap())
    };
    let (text, json) = both(&record(8, 5));
    assert_eq!(
        text,
        "r key={pid=42 len=16 ip=do_nanosleep+0x10 at=[do_nanosleep+0x12,0x15]} value=5\n\
        \x20   0x5\n\
        \x20   do_nanosleep+0x6\n\
        \x20   --\n\
        \x20   /bin/a??+0x8\n\
        \x20   0x9\n"
    );
    assert_eq!(
        json["key"],
        json!({"pid": 42, "user": ["/bin/a??+0x8", "0x9"], "kern": ["0x5", "do_nanosleep+0x6"], "len": 16,
            "ip": "do_nanosleep+0x10", "at": ["do_nanosleep+0x12", "0x15"]})
    );
    // No stack, for the reason that the number is: -EFAULT, -EEXIST.
    let (text, json) = both(&record(-14, -17));
    assert!(
        text.starts_with("r key={pid=42 user=-14 kern=-17 ") && text.matches('\n').count() == 1,
        "{text}"
    );
    assert_eq!((&json["key"]["user"], &json["key"]["kern"]), (&json!(-14), &json!(-17)));
    // Nobody who knows addresses: numbers.
    let (text, _) = event(&b, &list, st, &record(8, 5));
    assert_eq!(text, "pid=42 user=8 kern=5 len=16 ip=0x10 at=[0x12,0x15]");
}

#[test]
fn keys_and_values_that_are_numbers() {
    let mut b = Build::new(LITTLE);
    let (u, s) = (b.int("u32", 4, 0), b.int("s32", 4, 1));
    let r = result(u, How::Entries);
    let line = |key: Format, value: Format, ty| {
        let v = view(key, value);
        let key = (8u32 << 20).to_le_bytes();
        print(&b, &[], Style::Text, |p, o| {
            p.viewed(&v, "").resolving(&Frames).result(o, &r, TypeId(ty), &key, &1500u32.to_le_bytes())
        })
    };
    assert_eq!(line(Format::Dev, Format::Decimals { digits: 3 }, u), "r key=8:0 value=1.500\n");
    assert_eq!(line(Format::Hide, Format::Hex, u), "r value=0x5dc\n");
    assert_eq!(
        line(Format::KernelStack { map: 3 }, Format::Plain, s),
        "r value=1500\n    do_nanosleep+0x800000\n    0x800001\n"
    );
}
