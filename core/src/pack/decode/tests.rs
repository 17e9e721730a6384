//! Both readers, postcard's own through serde and the one by hand, on every type of record.

use super::*;
use crate::error::Error;
use crate::id::TypeId;
use crate::pack::{Checked, Records, section};
use std::vec::Vec;

fn by_hand<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Option<(T, usize)> {
    let mut r = Reader::new(bytes);
    let value = T::read(&mut r);
    (!r.failed()).then_some((value, r.len()))
}

/// Both readers read what postcard writes of a value. What is cut off is refused. With any one byte changed, what is read by
/// hand is what postcard reads, and what postcard reads is read by hand if postcard would write it so.
macro_rules! agree {
    ($of:ty: $($value:expr),+ $(,)?) => {$({
        let value: $of = $value;
        let bytes = postcard::to_allocvec(&value).unwrap();
        assert_eq!(by_hand::<$of>(&bytes), Some((value, 0)));
        assert_eq!(postcard::from_bytes::<$of>(&bytes), Ok(value));
        for cut in 0..bytes.len() {
            assert_eq!(by_hand::<$of>(&bytes[..cut]), None, "{value:?} cut at {cut}");
        }
        for at in 0..bytes.len() {
            for byte in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = byte;
                match (by_hand::<$of>(&changed), postcard::take_from_bytes::<$of>(&changed)) {
                    (Some((read, left)), theirs) => {
                        let (same, rest) = theirs.unwrap();
                        assert_eq!((read, left), (same, rest.len()), "byte {at} as {byte:#x}");
                    }
                    (None, Ok((read, rest))) => {
                        let shortest = postcard::to_allocvec(&read).unwrap();
                        assert_ne!(shortest, changed[..changed.len() - rest.len()], "byte {at} as {byte:#x}");
                    }
                    (None, Err(_)) => {}
                }
            }
        }
    })+};
}

const ID: TypeId = TypeId(u32::MAX);
const TEXT: &str = "gr\u{fc}n \u{1f600}";

#[test]
fn objects_and_functions() {
    agree!(Object<'_>:
        Object { name: "", digest: [0; 32], license: "", spdx: "", kern_version: 0 },
        Object { name: TEXT, digest: [0xff; 32], license: "GPL", spdx: "GPL-2.0", kern_version: u32::MAX },
    );
    agree!(Function<'_>:
        Function { name: "f", start: 127, count: 128 },
        Function { name: TEXT, start: u32::MAX, count: 1 << 28 },
    );
}

#[test]
fn programs() {
    let program = |attach| Program {
        name: "p",
        section: TEXT,
        function: u16::MAX,
        subprograms: &[0, 0xff, 0x80],
        prog_type: 5,
        expected_attach_type: u32::MAX,
        prog_flags: 1 << 14,
        attach,
    };
    agree!(Program<'_>:
        program(Attach::None),
        program(Attach::Kprobe { symbol: "do_unlinkat", offset: 300, ret: true }),
        program(Attach::Kprobe { symbol: "", offset: 0, ret: false }),
        program(Attach::Tracepoint { category: "syscalls", name: TEXT }),
        program(Attach::RawTracepoint { name: "sched_switch" }),
        program(Attach::Other { section: "xdp" }),
        program(Attach::KprobeMulti { pattern: "tcp_*", ret: true }),
        program(Attach::Ksyscall { name: "openat", ret: false }),
        program(Attach::Trace { module: "ext4", name: "ext4_sync_file" }),
        program(Attach::Uprobe { path: "/bin/sh", symbol: TEXT, offset: u64::MAX, ret: true }),
        program(Attach::Usdt { path: "libc.so.6", provider: "libc", name: "setjmp" }),
        program(Attach::PerfEvent { kind: 1, config: 0, sample: 1 << 40, freq: true }),
        program(Attach::Place { kind: Place::Cgroup, path: TEXT, hook: "socket_bind" }),
        program(Attach::Place { kind: Place::Lirc, path: "/dev/lirc0", hook: "" }),
        program(Attach::Device { place: "eth0,generic" }),
    );
}

#[test]
fn values_of_devices() {
    agree!(DeviceValue<'_>:
        DeviceValue { map: 0, key: 0, interface: "eth0", size: 0, program: 0 },
        DeviceValue { map: u16::MAX, key: u32::MAX, interface: "", size: 1 << 14, program: 128 },
    );
}

#[test]
fn maps() {
    let map = |role, sizing, map_extra| Map {
        name: TEXT,
        role,
        map_type: 27,
        key_size: 0,
        value_size: u32::MAX,
        max_entries: 1 << 21,
        sizing,
        map_flags: 0x80,
        map_extra,
        key_type: TypeId::VOID,
        value_type: ID,
        data_off: 1 << 7,
        data_len: 1 << 14,
        perf_pages: u16::MAX,
    };
    agree!(Map<'_>:
        map(MapRole::Declared, Sizing::Exact, 0),
        map(MapRole::Data, Sizing::Cpus, 1 << 63),
        map(MapRole::Rodata, Sizing::PowerOfTwoPages, u64::MAX),
        map(MapRole::Kconfig, Sizing::Exact, u64::from(u32::MAX) + 1),
        map(MapRole::Pinned, Sizing::Exact, 0),
        map(MapRole::Arena, Sizing::Exact, 0),
    );
    agree!(InnerMap<'_>: InnerMap { map: 300, def: map(MapRole::Declared, Sizing::Exact, 7) });
    let value = |holds| MapValue { map: u16::MAX, key: 1 << 21, holds };
    agree!(MapValue: value(Holds::Map { map: 128 }), value(Holds::Program { program: u16::MAX }));
    let choice = |fate| MapChoice { map: 200, fate };
    agree!(MapChoice: choice(MapFate::Absent), choice(MapFate::PerfBuffer));
    let ops = StructOps { map: 129, ops_type: ID, value_type: TypeId(3), link: true, value: &[0xff; 130] };
    agree!(StructOps<'_>: ops, StructOps { link: false, value: &[], ..ops });
    agree!(StructOpsMember: StructOpsMember { map: 1, program: 300, member: 17, offset: 1 << 14 });
}

#[test]
fn instructions() {
    let relo = Relo {
        function: 1,
        insn: 2,
        type_id: ID,
        access_str_off: 1 << 14,
        kind: 0xff,
        index: 0,
        line: u32::MAX,
    };
    agree!(Relo: relo);
    agree!(TypeId: TypeId::VOID, ID);
    let fixup = |kind| Fixup { function: 128, insn: u32::MAX, kind };
    agree!(Fixup:
        fixup(FixupKind::Map { map: u16::MAX }),
        fixup(FixupKind::MapValue { map: 0, offset: u32::MAX }),
        fixup(FixupKind::Call { function: 1 << 14 }),
        fixup(FixupKind::FunctionAddress { function: 1 }),
        fixup(FixupKind::Ksym { name_off: u32::MAX, weak: true }),
        fixup(FixupKind::Kfunc { name_off: 0, weak: false }),
        fixup(FixupKind::KsymAddress { name_off: 1 << 14, weak: false }),
    );
    agree!(FuncInfo: FuncInfo { function: 3, type_id: ID });
    agree!(LineInfo:
        LineInfo { function: 0, insn: 0, file_off: 1, line_off: 200, line_col: u32::MAX },
    );
}

#[test]
fn views() {
    agree!(Alias<'_>: Alias { name: "pid", variable: TEXT });
    agree!(View<'_>:
        View {
            result: 300,
            key: Format::Names { enumeration: ID },
            value: Format::Plain,
            units: "usecs msecs",
            unit_map: 2,
            unit_offset: 129,
            unit_size: 4,
            sort_offset: 16,
            sort_size: 8,
            rows: 20,
            clear: true,
        },
    );
}

#[test]
fn reports() {
    agree!(Event<'_>: Event { map: 1, type_id: ID, name: "" }, Event { map: 0, type_id: TypeId(1), name: TEXT });
    let result = |how| ResultMap { map: 1, name: TEXT, offset: 1 << 20, type_id: ID, how };
    agree!(ResultMap<'_>:
        result(How::Entries),
        result(How::Log2 { offset: u32::MAX, slots: 27 }),
        result(How::Counters { labels: ID }),
        result(How::Hist { offset: 8, slots: 300, size: 8, base: u32::MAX, step: 200, labels: ID }),
    );
    let hint = |format| Hint { type_id: ID, member: 300, format };
    agree!(Hint:
        hint(Format::Hide),
        hint(Format::Text),
        hint(Format::Hex),
        hint(Format::Port),
        hint(Format::Ip { family: u16::MAX }),
        hint(Format::Ipv4),
        hint(Format::Args { len: 0 }),
        hint(Format::Errno),
        hint(Format::Signal),
        hint(Format::Plain),
        hint(Format::Names { enumeration: ID }),
        hint(Format::Flags { enumeration: ID }),
        hint(Format::Dev),
        hint(Format::Octal),
        hint(Format::Time { unit: 1000 }),
        hint(Format::Decimals { digits: 3 }),
        hint(Format::KernelStack { map: 300 }),
        hint(Format::UserStack { map: 1, pid: 300 }),
        hint(Format::Ksym),
        hint(Format::Ksyms { len: 1 }),
    );
}

#[test]
fn targets() {
    let target = |arch, big_endian| Target {
        object: [7; 32],
        build_id: &[0xde, 0xad],
        release: "6.1.0",
        version: TEXT,
        arch,
        pointer_size: 8,
        big_endian,
    };
    agree!(Target<'_>:
        target(Arch::X86_64, false),
        target(Arch::Aarch64, true),
        target(Arch::Arm, false),
        target(Arch::Riscv64, false),
    );
    agree!(Module<'_>:
        Module { name: "", build_id: &[] },
        Module { name: TEXT, build_id: &[0xff; 20] },
    );
    agree!(KernelId: KernelId { subset: TypeId(1), kernel: ID });
    let choice = |decision| Choice { program: 9, decision };
    agree!(Choice:
        choice(Decision::Load),
        choice(Decision::IfPresent),
        choice(Decision::Skip(SkipReason::Disabled)),
        choice(Decision::Skip(SkipReason::Alternative)),
        choice(Decision::Skip(SkipReason::NoAutoload)),
        choice(Decision::OneOf { group: 128, set: u16::MAX }),
    );
    let formula = Formula { fixed: u32::MAX, per_cpu: 64, pages: 0, pages_per_cpu: 128 };
    agree!(Memory: Memory::default(), Memory { work: formula, maps: Formula { pages: 1 << 21, ..formula } });
}

#[test]
fn numbers_have_one_encoding() {
    assert_eq!(by_hand::<u16>(&[0xff, 0xff, 3]), Some((u16::MAX, 0)));
    assert_eq!(by_hand::<u32>(&[0xff, 0xff, 0xff, 0xff, 0xf]), Some((u32::MAX, 0)));
    for wrong in [
        &[0x80][..],                                                         // ends early
        &[0x80, 0],                                                          // longer than it need be
        &[0xff, 0xff, 4],                                                    // 17 bits
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], // 71 bits
    ] {
        assert_eq!(by_hand::<u16>(wrong), None, "{wrong:?}");
    }
    assert_eq!(by_hand::<u32>(&[0xff, 0xff, 0xff, 0xff, 0x10]), None);
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(by_hand::<u64>(&most), Some((u64::MAX, 0)));
    let more = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
    assert_eq!(by_hand::<u64>(&more), None);
}

#[test]
fn lengths_that_pass_the_section_are_refused_before_anything_is_read() {
    for len in [3, 1 << 7, 1 << 31, u32::MAX] {
        let mut bytes = postcard::to_allocvec(&len).unwrap();
        bytes.extend(b"ab");
        assert_eq!(by_hand::<&str>(&bytes), None, "{len:#x}");
        assert_eq!(by_hand::<&[u8]>(&bytes), None, "{len:#x}");
        assert_eq!(
            check(section::FUNCTIONS, &bytes),
            Err(Error::BadRecord { id: section::FUNCTIONS, index: 0 })
        );
    }
    // a length of 64 bits is none
    let long = postcard::to_allocvec(&(1u64 << 32 | 2)).unwrap();
    assert_eq!(by_hand::<&[u8]>(&[&long[..], b"ab"].concat()), None);
}

#[test]
fn a_bad_record_is_an_error_and_the_last() {
    let mut bytes = postcard::to_allocvec(&Event { map: 0, type_id: ID, name: "x" }).unwrap();
    bytes.extend([0, 1, 1, 0xff]); // a name that is no UTF-8
    bytes.extend([0, 1, 0]);
    let records: Vec<_> = Records::<Event<'_>>::new(&bytes, section::EVENTS).collect();
    assert_eq!(records[0].unwrap().name, "x");
    assert_eq!(records[1..], [Err(Error::BadRecord { id: section::EVENTS, index: 1 })]);
    let none = Records::<Event<'_>>::new(&bytes, section::EVENTS).at(2);
    assert_eq!(none, Err(Error::BadRecord { id: section::EVENTS, index: 2 }));
    let found = check(section::EVENTS, &bytes);
    assert_eq!(found, Err(Error::BadRecord { id: section::EVENTS, index: 1 }));
}

#[test]
fn checked_records_are_those_that_decode() {
    let event = |map| Event { map, type_id: ID, name: TEXT };
    let bytes: Vec<u8> = (0..3).flat_map(|map| postcard::to_allocvec(&event(map)).unwrap()).collect();
    assert_eq!(check(section::EVENTS, &bytes), Ok(()));
    let records = || Checked::<Event<'_>>::new(&bytes, section::EVENTS);
    assert!(records().eq((0..3).map(event)));
    assert_eq!(records().at(2), Ok(event(2)));
    assert_eq!(records().at(3), Err(Error::BadRecord { id: section::EVENTS, index: 3 }));
    // sections without records are never wrong
    assert_eq!(check(section::INSNS, &[0xff; 3]), Ok(()));
}
