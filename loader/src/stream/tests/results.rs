//! Results: units, intervals, order, stacks, times.

use super::*;

#[test]
fn results_of_hashes_cpus_and_variables() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    let key = |k: u32| k.to_ne_bytes().to_vec();
    let cpus = |a: u64, b: u64| [a.to_ne_bytes(), b.to_ne_bytes()].concat();
    let word = |n: u64| n.to_ne_bytes().to_vec();
    kernel.maps.insert(10, vec![(key(3), word(30)), (key(1), word(0))]);
    kernel.maps.insert(11, vec![(key(0), cpus(0, 0)), (key(1), cpus(4, 5))]);
    kernel.maps.insert(12, vec![(key(0), [word(1), word(77)].concat())]);
    let maps = [
        map(1, MapRole::Declared, 4, 8, 10),
        map(6, MapRole::Declared, 4, 8, 2),
        map(2, MapRole::Data, 4, 16, 1),
    ];
    let result = |map, name, offset| ResultMap { map, name, offset, type_id: TypeId(2), how: How::Entries };
    let results =
        [result(0, "hash", 0), result(1, "cpus", 0), result(2, "total", 8), result(2, "outside", 12)];
    stream(&mut kernel, Form::Text, &maps, &[], &results, &[]).unwrap();
    assert_eq!(
        said(&kernel),
        "hash key=3 value=30\nhash key=1 value=0\ncpus key=1 value=9\ntotal value=77\nlost kernel=0 output=0\n"
    );
    assert!(String::from_utf8(kernel.stderr.clone()).unwrap().contains("result outside"));
}

/// A view of result 0 that says nothing.
fn view() -> View<'static> {
    View {
        result: 0,
        key: Format::Plain,
        value: Format::Plain,
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

#[test]
fn units_are_those_that_a_variable_chooses() {
    for (ms, unit) in [(0u64, "usecs"), (1, "msecs")] {
        let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
        kernel.maps.insert(10, vec![(5u32.to_ne_bytes().to_vec(), 9u64.to_ne_bytes().to_vec())]);
        kernel.maps.insert(11, vec![(vec![0; 4], [[0; 8], ms.to_ne_bytes()].concat())]);
        let maps = [map(1, MapRole::Declared, 4, 8, 10), map(2, MapRole::Rodata, 4, 16, 1)];
        let how = How::Hist { offset: 0, slots: 1, size: 8, base: 0, step: 0, labels: TypeId(0) };
        let results = [ResultMap { map: 0, name: "lat", offset: 0, type_id: TypeId(2), how }];
        let view = View { units: "usecs msecs", unit_map: 1, unit_offset: 8, unit_size: 8, ..view() };
        stream(&mut kernel, Form::Json, &maps, &[], &results, &[view]).unwrap();
        let line = format!("\"key\":5,\"unit\":\"{unit}\",\"log2\":[{{\"from\":0,\"to\":1,\"count\":9}}]");
        assert!(said(&kernel).contains(&line), "{}", said(&kernel));
    }
}

/// Bytes of each of these numbers.
fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

fn key(k: u32) -> Vec<u8> {
    k.to_ne_bytes().to_vec()
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn intervals_print_sort_and_count_anew() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    kernel.interval = Some(SECOND);
    kernel.ahead = 86_400 * SECOND;
    kernel.deadline = Some(SECOND * 5 / 2);
    let entries = [(1, 5), (2, 50), (3, 7), (4, 50)];
    kernel.maps.insert(10, entries.map(|(k, v)| (key(k), words(&[v]))).into());
    kernel.maps.insert(11, vec![(key(0), words(&[1, 2])), (key(1), words(&[0, 0]))]);
    kernel.maps.insert(12, vec![(key(0), words(&[7, 100]))]);
    // after the first print the programs count on
    kernel.at.push((SECOND * 3 / 2, 12, key(0), words(&[7, 130])));
    kernel.at.push((SECOND * 3 / 2, 10, key(9), words(&[3])));
    kernel.ready = vec![vec![]; 9].into();
    let maps = [
        map(1, MapRole::Declared, 4, 8, 10),
        map(6, MapRole::Declared, 4, 8, 2),
        map(2, MapRole::Data, 4, 16, 1),
    ];
    let result = |map, name, offset| ResultMap { map, name, offset, type_id: TypeId(2), how: How::Entries };
    let results = [result(0, "top", 0), result(1, "cpus", 0), result(2, "total", 8)];
    let views = [
        View { sort_size: 8, rows: 3, clear: true, ..view() },
        View { result: 1, clear: true, ..view() },
        View { result: 2, clear: true, ..view() },
    ];
    stream(&mut kernel, Form::Text, &maps, &[], &results, &views).unwrap();
    assert_eq!(
        said(&kernel),
        "time=1970-01-02T00:00:01.000000Z\n\
         top key=2 value=50\ntop key=4 value=50\ntop key=3 value=7\ncpus key=0 value=3\ntotal value=100\n\
         time=1970-01-02T00:00:02.000000Z\ntop key=9 value=3\ntotal value=30\n\
         time=1970-01-02T00:00:02.500000Z\ntotal value=0\nlost kernel=0 output=0\n"
    );
    // what is counted anew at the end would be lost: the last print leaves the maps as they are
    assert_eq!(kernel.maps[&11], [(key(0), words(&[0, 0])), (key(1), words(&[0, 0]))]);
}

#[test]
fn a_slow_reader_loses_results_at_an_interval_and_is_not_waited_for_long() {
    let mut kernel = Fake { room: 100, ..Fake::default() };
    kernel.interval = Some(SECOND);
    kernel.deadline = Some(3 * SECOND);
    kernel.maps.insert(10, (0..2000).map(|k| (key(k), words(&[1]))).collect());
    kernel.ready = vec![vec![]; 400].into();
    let maps = [map(1, MapRole::Declared, 4, 8, 2000)];
    let results = [ResultMap { map: 0, name: "r", offset: 0, type_id: TypeId(2), how: How::Entries }];
    let sum = stream(&mut kernel, Form::Text, &maps, &[], &results, &[]).unwrap();
    assert!(sum.dropped > 5000, "{sum:?}");
    // a fifth of a second at each interval, two seconds at the end, thrice
    assert!(kernel.clock < 3 * SECOND + 3 * SECOND / 5 + 6 * SECOND + SECOND / 2, "{}", kernel.clock);
}

/// A map of stacks and one of counts by stack: what `key` says how its numbers are printed.
fn with_stacks(kernel: &mut Fake, form: Form, key_format: Format) {
    let mut frames =
        words(&[0xffff_ffff_8100_1010, 0xffff_ffff_8100_2004, 0xffff_ffff_c000_0008, 0xffff_ffff_f000_0000]);
    frames.resize(127 * 8, 0);
    kernel
        .maps
        .insert(10, vec![(key(1), words(&[30])), (key(u32::MAX - 13), words(&[2])), (key(2), words(&[1]))]);
    kernel.maps.insert(11, vec![(key(1), frames)]);
    let list = "0000000000000000 A fixed_percpu_data\n\
        ffffffff81001000 T do_nanosleep\nffffffff81001000 T alias\nffffffff81001ffc d data\n\
        ffffffff81002000 t schedule\nffffffff81003000 T after\n\
        ffffffffc0000000 t mod_fn\t[mod]\nffffffffc0000004 r rodata\t[mod]\n";
    kernel.files.insert("/proc/kallsyms".into(), list.into());
    let maps = [map(1, MapRole::Declared, 4, 8, 10), map(7, MapRole::Declared, 4, 127 * 8, 10)];
    let results = [ResultMap { map: 0, name: "off", offset: 0, type_id: TypeId(2), how: How::Entries }];
    let view = View { key: key_format, sort_size: 8, ..view() };
    stream(kernel, form, &maps, &[], &results, &[view]).unwrap();
}

#[test]
fn stacks_have_kernel_symbols() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    with_stacks(&mut kernel, Form::Text, Format::KernelStack { map: 1 });
    let text = said(&kernel).to_owned();
    assert_eq!(
        text,
        "off value=30\n    do_nanosleep+0x10\n    schedule+0x4\n    mod_fn+0x8\n    0xfffffffff0000000\n\
         off key=-14 value=2\noff value=1\nlost kernel=0 output=0\n"
    );
    // where several objects are printed, the memory of one may not last for all
    let mut kernel = Fake { room: 1 << 20, of_another: true, ..Fake::default() };
    with_stacks(&mut kernel, Form::Text, Format::KernelStack { map: 1 });
    assert_eq!(said(&kernel), text);
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    with_stacks(&mut kernel, Form::Json, Format::KernelStack { map: 1 });
    let stack = "[\"do_nanosleep+0x10\",\"schedule+0x4\",\"mod_fn+0x8\",\"0xfffffffff0000000\"]";
    assert!(said(&kernel).contains(&format!("\"key\":{stack},\"value\":30}}")), "{}", said(&kernel));
}

#[test]
fn raw_stacks_and_symbols_come_before_the_results() {
    let mut kernel = Fake { room: 1 << 20, ahead: 7 * SECOND, clock: 5, ..Fake::default() };
    let id = "01234567-89ab-cdef-0123-456789abcdef\n";
    kernel.files.insert("/proc/sys/kernel/random/boot_id".into(), id.into());
    with_stacks(&mut kernel, Form::Raw, Format::KernelStack { map: 1 });
    let mut rest = &kernel.stdout[raw::HEADER_LEN + raw::DIGEST_LEN..];
    let mut kinds = Vec::new();
    while let Some(head) = rest.first_chunk() {
        let head = raw::Head::parse(head).unwrap();
        let content = &rest[raw::HEAD_LEN..][..head.len as usize];
        match head.kind {
            raw::Kind::Clock => {
                assert_eq!(content[..8], [1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
                assert_eq!(raw::numbers(content, 16).unwrap(), [5, 7 * SECOND + 5]);
            }
            raw::Kind::Stack if content[..4] == [1, 0, 0, 0] => {
                assert_eq!((head.number, content.len()), (1, 36))
            }
            raw::Kind::Symbol => assert!(
                ["do_nanosleep", "schedule", "mod_fn"]
                    .contains(&std::str::from_utf8(&content[16..]).unwrap())
            ),
            _ => {}
        }
        kinds.push(head.kind);
        rest = &rest[raw::HEAD_LEN + content.len()..];
    }
    use raw::Kind::*;
    assert_eq!(kinds, [Clock, Stack, Stack, Symbol, Symbol, Symbol, Result, Result, Result, End]);
}

#[test]
fn stacks_of_user_space_have_files_while_the_process_lives() {
    let frames = |addresses: &[u64]| {
        let mut frames = words(addresses);
        frames.resize(127 * 8, 0);
        frames
    };
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    kernel
        .maps
        .insert(10, vec![(words(&[1 << 32 | 77]), words(&[3])), (words(&[1 << 32 | 78]), words(&[4]))]);
    kernel.maps.insert(11, vec![(key(1), frames(&[0x40_1234, 0x7f00_0000_3010, 0x10]))]);
    let maps_of = "00400000-00402000 r-xp 00001000 08:02 173521      /usr/bin/cat\n\
        00602000-00603000 rw-p 00000000 00:00 0 \n\
        7f0000003000-7f0000004000 r-xp 00020000 08:02 1 /lib/a name.so\n";
    kernel.files.insert("/proc/77/maps".into(), maps_of.into());
    // struct key { u32 tgid; s32 stack }, type 3, with hints
    let maps = [map(1, MapRole::Declared, 8, 8, 10), map(7, MapRole::Declared, 4, 127 * 8, 10)];
    let maps = [Map { key_type: TypeId(3), ..maps[0] }, maps[1]];
    let results = [ResultMap { map: 0, name: "off", offset: 0, type_id: TypeId(2), how: How::Entries }];
    kernel.hints = [corelet_core::pack::Hint {
        type_id: TypeId(3),
        member: 1,
        format: Format::UserStack { map: 1, pid: 0 },
    }]
    .iter()
    .flat_map(record)
    .collect();
    stream(&mut kernel, Form::Text, &maps, &[], &results, &[]).unwrap();
    assert_eq!(
        said(&kernel),
        "off key={t=77} value=3\n    --\n    /usr/bin/cat+0x2234\n    /lib/a+0x20010\n    0x10\n\
         off key={t=78} value=4\n    --\n    0x401234\n    0x7f0000003010\n    0x10\nlost kernel=0 output=0\n"
    );
}

#[test]
fn times_of_events_follow_the_clock() {
    let day = 86_400 * SECOND;
    // the second is of a clock that is set while the loader waits
    for (ahead, stepped, time) in
        [(day, None, "1970-01-02T00:00:00.009000Z"), (day, Some(3 * day), "1970-01-04T00:00:00.009000Z")]
    {
        let mut kernel = Fake { room: 1 << 20, ahead, stepped, ..Fake::default() };
        let mut p = Producer::new(&mut kernel, 10, 0);
        p.push(0, &[1u32.to_ne_bytes(), 9u32.to_ne_bytes()].concat());
        let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
        let hint = corelet_core::pack::Hint {
            type_id: TypeId(3),
            member: 1,
            format: Format::Time { unit: 1_000_000 },
        };
        kernel.hints = record(&hint);
        let event = Event { type_id: TypeId(3), ..event(0) };
        stream(&mut kernel, Form::Text, &ring, &[event], &[], &[]).unwrap();
        assert_eq!(said(&kernel), format!("t=1 s={time}\nlost kernel=0 output=0\n"));
    }
}

/// Both clocks are in the stream again before the events that come after a step, forward or back; a clock that is slewed is none.
#[test]
fn a_clock_that_is_set_is_in_the_raw_stream_again() {
    for (stepped, again) in [(3 * SECOND, true), (9 * SECOND, true), (7 * SECOND + 900_000, false)] {
        let mut kernel =
            Fake { room: 1 << 20, clock: 5, ahead: 7 * SECOND, stepped: Some(stepped), ..Fake::default() };
        let mut p = Producer::new(&mut kernel, 10, 0);
        p.push(0, b"abcd");
        let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
        stream(&mut kernel, Form::Raw, &ring, &[event(0)], &[], &[]).unwrap();
        let mut rest = &kernel.stdout[raw::HEADER_LEN + raw::DIGEST_LEN..];
        let (mut kinds, mut ahead) = (Vec::new(), Vec::new());
        while let Some(head) = rest.first_chunk().map(|head| raw::Head::parse(head).unwrap()) {
            let (content, behind) = rest[raw::HEAD_LEN..].split_at(head.len as usize);
            if head.kind == raw::Kind::Clock {
                let [monotonic, real] =
                    [16, 24].map(|at| u64::from_le_bytes(content[at..at + 8].try_into().unwrap()));
                ahead.push(real - monotonic);
            }
            kinds.push(head.kind);
            rest = behind;
        }
        let mut expected = vec![raw::Kind::Clock, raw::Kind::Event, raw::Kind::End];
        let mut set = vec![7 * SECOND];
        if again {
            expected.insert(1, raw::Kind::Clock);
            set.push(stepped);
        }
        assert_eq!((kinds, ahead), (expected, set));
    }
}
