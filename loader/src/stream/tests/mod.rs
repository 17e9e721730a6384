//! Streaming against a scripted kernel.

mod fake;
mod results;
mod sinks;

use super::*;
use crate::job::OpenMap;
use crate::sys::{MapFd, MapSpec, Shared};
use corelet_core::TypeId;
use corelet_core::btf::Btf;
use corelet_core::event::raw;
use corelet_core::pack::{Format, How, MapRole, ResultMap, Sizing, View};
use fake::{Fake, PAGE, poke, shared};
use std::vec::Vec;

const SIZE: usize = 4096;

// Ring buffers

/// The kernel's side of a ring buffer whose positions start at `start`.
struct Producer {
    consumer: Shared,
    producer: Shared,
    at: usize,
    size: usize,
}

impl Producer {
    fn new(kernel: &mut Fake, fd: i32, start: usize) -> Producer {
        Producer::sized(kernel, fd, start, SIZE)
    }

    fn sized(kernel: &mut Fake, fd: i32, start: usize, size: usize) -> Producer {
        let (consumer, producer) = (shared(PAGE as usize), shared(PAGE as usize + 2 * size));
        consumer.store_long(0, start);
        producer.store_long(0, start);
        kernel.shared.insert((fd, 0), consumer.clone());
        kernel.shared.insert((fd, PAGE), producer.clone());
        Producer { consumer, producer, at: start, size }
    }

    /// Writes 8 bytes at a position, in both mappings.
    fn word(&self, at: usize, bytes: &[u8]) {
        let place = PAGE as usize + at % self.size;
        poke(&self.producer, place, bytes);
        poke(&self.producer, place + self.size, bytes);
    }

    fn push(&mut self, flags: u32, content: &[u8]) {
        let header = [(content.len() as u32 | flags).to_ne_bytes(), [0xee; 4]].concat();
        self.word(self.at, &header);
        for (i, word) in content.chunks(8).enumerate() {
            self.word(self.at.wrapping_add(8 + i * 8), word);
        }
        self.at = self.at.wrapping_add((content.len() + 8).next_multiple_of(8));
        self.producer.store_long(0, self.at);
    }

    fn ring(&self) -> Ring {
        Ring {
            consumer: self.consumer.clone(),
            producer: self.producer.clone(),
            page: PAGE as usize,
            size: SIZE,
        }
    }
}

fn take(ring: &Ring, scratch: &mut [u8]) -> Option<Option<Vec<u8>>> {
    ring.next(ring.end(), scratch).map(|r| match r {
        Record::Event(b) => Some(b.to_vec()),
        Record::TooLong => None,
        Record::Lost(_) => panic!("a ring buffer counts nothing"),
    })
}

#[test]
fn ring_records_wrap_with_data_and_positions() {
    // At the end of the data, and at the end of an unsigned long, which a 32-bit kernel reaches after 4 GiB.
    for start in [0, SIZE - 16, usize::MAX - 15] {
        let mut kernel = Fake::default();
        let mut p = Producer::new(&mut kernel, 5, start & !7);
        let ring = p.ring();
        let mut scratch = [0; 64];
        let content: Vec<u8> = (0..29).collect();
        p.push(0, &content);
        p.push(1 << 30, b"discarded");
        p.push(0, b"x");
        p.push(0, &[7; 65]);
        p.push(1 << 31, b"busy");
        assert_eq!(take(&ring, &mut scratch), Some(Some(content)));
        assert_eq!(take(&ring, &mut scratch), Some(Some(b"x".to_vec())));
        assert_eq!(take(&ring, &mut scratch), Some(None));
        let before = p.consumer.load_long(0);
        assert_eq!(take(&ring, &mut scratch), None);
        assert_eq!(p.consumer.load_long(0), before);
        p.word(before, &[4u32.to_ne_bytes(), [0; 4]].concat());
        assert_eq!(take(&ring, &mut scratch), Some(Some(b"busy".to_vec())));
        assert_eq!(p.consumer.load_long(0), p.at);
        assert_eq!(take(&ring, &mut scratch), None);
    }
}

// Perf buffers

/// The kernel's side of a perf buffer of one page.
struct Writer {
    pages: Shared,
    at: usize,
}

impl Writer {
    fn new(kernel: &mut Fake, cpu: i32, start: usize) -> Writer {
        let pages = shared(2 * PAGE as usize);
        pages.store_long(1024, start);
        pages.store_long(1032, start);
        kernel.shared.insert((200 + cpu, 0), pages.clone());
        Writer { pages, at: start }
    }

    fn push(&mut self, kind: u32, body: &[u8]) {
        let len = (8 + body.len()).next_multiple_of(8);
        let mut record =
            [kind.to_ne_bytes().to_vec(), vec![0, 0], (len as u16).to_ne_bytes().to_vec()].concat();
        record.extend(body);
        for (i, word) in record.chunks(8).enumerate() {
            poke(&self.pages, PAGE as usize + (self.at + i * 8) % SIZE, word);
        }
        self.at += len;
        self.pages.store_long(1024, self.at);
    }

    /// A sample as the kernel writes it: the size includes the padding.
    fn sample(&mut self, content: &[u8]) {
        let size = (content.len() + 4).next_multiple_of(8) - 4;
        let mut body = (size as u32).to_ne_bytes().to_vec();
        body.extend(content);
        body.resize(size + 4, 0xa5);
        self.push(9, &body);
    }
}

// The whole

/// BTF with the types 1: `unsigned`, 2: the same of 8 bytes, 3: `struct { unsigned t; unsigned s; }`,
/// 4: 4096 of 1.
fn types() -> (Vec<u8>, Vec<u32>) {
    let mut b = vec![0x9f, 0xeb, 1, 0];
    let ints = [1u32, 1 << 24, 4, 32, 1, 1 << 24, 8, 64];
    let structure = [0, 4 << 24 | 2, 8, 10, 1, 0, 12, 1, 32];
    let array = [0, 3 << 24, 0, 1, 1, 4096];
    for w in [24u32, 0, 92, 92, 14].iter().chain(&ints).chain(&structure).chain(&array) {
        b.extend(w.to_le_bytes());
    }
    b.extend(b"\0unsigned\0t\0s\0");
    let index = vec![0; 4];
    (b, index)
}

fn record<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut buf = [0; 256];
    postcard::to_slice(value, &mut buf).unwrap().to_vec()
}

fn map(map_type: u32, role: MapRole, key_size: u32, value_size: u32, entries: u32) -> Map<'static> {
    Map {
        name: "m",
        role,
        map_type,
        key_size,
        value_size,
        max_entries: entries,
        sizing: Sizing::Exact,
        map_flags: 0,
        map_extra: 0,
        key_type: TypeId(if key_size == 4 { 1 } else { 0 }),
        value_type: TypeId(0),
        data_off: 0,
        data_len: 0,
        perf_pages: 1,
    }
}

/// Runs with one object of these maps, whose descriptors count from 10; two CPUs.
fn stream(
    kernel: &mut Fake,
    form: Form,
    maps: &[Map<'_>],
    events: &[Event<'_>],
    results: &[ResultMap<'_>],
    views: &[View<'_>],
) -> Streamed {
    let (blob, mut index) = types();
    let btf = Btf::parse(&blob, &mut index).unwrap();
    let open: Vec<OpenMap> = (maps.iter().enumerate())
        .map(|(i, m)| {
            let (map_type, key_size, value_size) = (m.map_type, m.key_size, m.value_size);
            let spec = MapSpec { map_type, key_size, value_size, ..MapSpec::default() };
            OpenMap { map: MapFd::new(Fd(10 + i as i32), &spec, 2), max_entries: m.max_entries }
        })
        .collect();
    let hints = kernel.hints.clone();
    let source = Source {
        name: "o",
        digest: [7; 32],
        btf,
        maps: &maps.iter().flat_map(record).collect::<Vec<_>>(),
        open: &open,
        events: &events.iter().flat_map(record).collect::<Vec<_>>(),
        results: &results.iter().flat_map(record).collect::<Vec<_>>(),
        hints: &hints,
        views: &views.iter().flat_map(record).collect::<Vec<_>>(),
    };
    let deadline = kernel.deadline;
    let to = kernel.to.clone();
    let printing = if kernel.of_another { 0 } else { Printing::of(&source.printed()).bytes() };
    let words = (stream_bytes(2) + printing).div_ceil(8);
    let memory = crate::sys::bytes(vec![0xcccc_cccc_cccc_cccc; words].leak());
    let job = Job {
        sources: &[source],
        output: form,
        to: to.as_deref(),
        rotate: kernel.rotate,
        deadline,
        interval: kernel.interval,
        stop: Fd(3),
        cpus: 2,
        page_size: PAGE,
        memory,
    };
    let (mut channels, mut ledger) = (Channels::default(), Ledger::default());
    channels.open(kernel, &mut ledger, &job)?;
    kernel.sealed = !kernel.of_another;
    channels.follow(kernel, job, &mut Pulse::new(&mut ledger, usize::MAX))
}

fn event(map: u16) -> Event<'static> {
    Event { map, type_id: TypeId(1), name: "" }
}

fn said(kernel: &Fake) -> &str {
    std::str::from_utf8(&kernel.stdout).unwrap()
}

#[test]
fn ring_events_are_printed_and_the_rest_at_the_end() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    let mut p = Producer::new(&mut kernel, 10, 4000);
    p.push(0, &5u32.to_ne_bytes());
    p.push(0, &6u32.to_ne_bytes());
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    kernel.ready = [vec![]].into();
    let sum = stream(&mut kernel, Form::Json, &ring, &[event(0)], &[], &[]).unwrap();
    assert_eq!(said(&kernel), "{\"value\":5}\n{\"value\":6}\n{\"lost\":{\"kernel\":0,\"output\":0}}\n");
    assert_eq!(sum, Summary { events: 2, lost: 0, ..Summary::default() });
}

#[test]
fn perf_buffers_lose_wrap_and_pad() {
    let mut kernel = Fake { room: 1 << 20, offline: vec![1], ..Fake::default() };
    let mut w = Writer::new(&mut kernel, 0, SIZE - 8);
    w.sample(&7u32.to_ne_bytes());
    w.push(2, &[1u64.to_ne_bytes(), 30u64.to_ne_bytes()].concat());
    w.push(77, b"other");
    w.sample(&[8u32.to_ne_bytes(), [1; 4]].concat());
    kernel.ready = [vec![0]].into();
    let array = [map(4, MapRole::Declared, 4, 4, 2)];
    let sum = stream(&mut kernel, Form::Text, &array, &[event(0)], &[], &[]).unwrap();
    assert_eq!(said(&kernel), "value=7\nvalue=8\nlost kernel=30 output=0\n");
    assert_eq!(sum, Summary { events: 2, lost: 30, dropped: 0, misfits: 1 });
    assert_eq!(kernel.maps[&10], [(vec![0; 4], 200i32.to_ne_bytes().to_vec())]);
    assert_eq!(w.pages.load_long(1032), w.at);
}

#[test]
fn losses_are_counted_that_no_record_tells_of() {
    // Of 30 lost records 20 are told in the buffer: nothing came behind the others. An old kernel tells of no more.
    for (old, lost) in [(false, 30 + 5), (true, 20)] {
        let mut kernel = Fake { room: 1 << 20, old, ..Fake::default() };
        let mut writers = [0, 1].map(|cpu| Writer::new(&mut kernel, cpu, 0));
        writers[0].push(2, &[1u64.to_ne_bytes(), 20u64.to_ne_bytes()].concat());
        kernel.told = [(200, 30), (201, 5)].into();
        let array = [map(4, MapRole::Declared, 4, 4, 2)];
        let sum = stream(&mut kernel, Form::Text, &array, &[event(0)], &[], &[]).unwrap();
        assert_eq!(sum, Summary { lost, ..Summary::default() });
        assert_eq!(said(&kernel), format!("lost kernel={lost} output=0\n"));
    }
}

#[test]
fn events_that_are_not_of_their_type_are_counted() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    let mut p = Producer::new(&mut kernel, 10, 0);
    [3, 4, 11, 12].iter().for_each(|&len| p.push(0, &[1u8; 12][..len]));
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    let sum = stream(&mut kernel, Form::Text, &ring, &[event(0)], &[], &[]).unwrap();
    assert_eq!((sum.events, sum.misfits), (4, 2));
    // One whose length a member says may end anywhere.
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    kernel.hints = record(&Hint { type_id: TypeId(3), member: 1, format: Format::Args { len: 0 } });
    let mut p = Producer::new(&mut kernel, 10, 0);
    p.push(0, &[1; 6]);
    let event = Event { type_id: TypeId(3), ..event(0) };
    let sum = stream(&mut kernel, Form::Text, &ring, &[event], &[], &[]).unwrap();
    assert_eq!((sum.events, sum.misfits), (1, 0));
}

#[test]
fn an_event_larger_than_the_memory_has_some_of_its_own() {
    for (form, len) in [(Form::Raw, 16 << 10), (Form::Json, 16 << 10)] {
        let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
        let mut p = Producer::sized(&mut kernel, 10, 0, 64 << 10);
        p.push(0, &vec![7; len]);
        let ring = [map(27, MapRole::Declared, 0, 0, 64 << 10)];
        let event = Event { type_id: TypeId(4), ..event(0) };
        let sum = stream(&mut kernel, form, &ring, &[event], &[], &[]).unwrap();
        assert_eq!((sum.events, sum.dropped, sum.misfits), (1, 0, 0));
        assert!(kernel.stdout.len() > len);
    }
}

#[test]
fn a_perf_buffer_that_holds_nonsense_is_given_up() {
    let mut kernel = Fake { room: 1 << 20, offline: vec![1], ..Fake::default() };
    let mut w = Writer::new(&mut kernel, 0, 0);
    w.push(9, &[0; 8]);
    poke(&w.pages, PAGE as usize, &[9, 0, 0, 0, 0, 0, 3, 0]);
    let array = [map(4, MapRole::Declared, 4, 4, 2)];
    let sum = stream(&mut kernel, Form::Text, &array, &[event(0)], &[], &[]).unwrap();
    assert_eq!((sum.events, w.pages.load_long(1032)), (0, w.at));
}

#[test]
fn a_slow_reader_loses_events_and_not_the_loader() {
    let mut kernel = Fake { room: 100, reads: 1000, ..Fake::default() };
    let rings: Vec<_> = (0..40).map(|_| map(27, MapRole::Declared, 0, 0, SIZE as u32)).collect();
    let events: Vec<_> = (0..40).map(event).collect();
    for i in 0..40 {
        let mut p = Producer::new(&mut kernel, 10 + i, 0);
        (0..100).for_each(|_| p.push(0, &u32::MAX.to_ne_bytes()));
    }
    let sum = stream(&mut kernel, Form::Text, &rings, &events, &[], &[]).unwrap();
    let lines: Vec<_> = said(&kernel).lines().collect();
    assert_eq!(sum.events + sum.dropped, 4000);
    assert!(sum.dropped > 1000 && sum.events > 400, "{sum:?}");
    assert_eq!(lines.len() as u64, sum.events + 1);
    assert!(lines[..lines.len() - 1].iter().all(|l| *l == "value=4294967295"));
    assert_eq!(*lines.last().unwrap(), format!("lost kernel=0 output={}", sum.dropped));
}

#[test]
fn a_reader_that_never_reads_does_not_keep_the_loader() {
    let mut kernel = Fake::default();
    let mut p = Producer::new(&mut kernel, 10, 0);
    p.push(0, &[0; 4]);
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    assert!(stream(&mut kernel, Form::Text, &ring, &[event(0)], &[], &[]).is_ok());
    assert!(kernel.stdout.is_empty() && kernel.clock <= 5_000_000_000);
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    for (e, end) in [(Errno::EPIPE, None), (Errno::ENOSPC, Some(Errno::ENOSPC.exit()))] {
        let mut kernel = Fake { write_error: Some(e), ..Fake::default() };
        let mut p = Producer::new(&mut kernel, 10, 0);
        p.push(0, &[0; 4]);
        kernel.ready = [vec![0], vec![0], vec![0]].into();
        assert_eq!(stream(&mut kernel, Form::Text, &ring, &[event(0)], &[], &[]).err(), end);
        assert_eq!(kernel.stderr.is_empty(), end.is_none());
        assert_eq!(kernel.ready.len(), 2);
    }
}

#[test]
fn the_deadline_ends_it() {
    let mut kernel = Fake { room: 1 << 20, ready: vec![vec![]; 9].into(), ..Fake::default() };
    (kernel.clock, kernel.deadline) = (5, Some(1_500_000_000));
    assert!(stream(&mut kernel, Form::Json, &[], &[], &[], &[]).is_ok());
    assert_eq!((kernel.ready.len(), kernel.clock), (7, 1_500_000_005));
}

#[test]
fn raw_output_is_a_stream_that_core_reads() {
    let mut kernel = Fake { room: 1 << 20, ..Fake::default() };
    let mut p = Producer::new(&mut kernel, 10, 0);
    p.push(0, b"abcd");
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    stream(&mut kernel, Form::Raw, &ring, &[event(0)], &[], &[]).unwrap();
    let out = &kernel.stdout;
    let header = raw::Header::parse(out).unwrap();
    assert_eq!((header.objects, header.pointer_size), (1, size_of::<usize>() as u8));
    // behind the clocks
    let records = &out[raw::HEADER_LEN + raw::DIGEST_LEN + raw::HEAD_LEN + 32..];
    let head = raw::Head::parse(records.first_chunk().unwrap()).unwrap();
    assert_eq!((head.kind, head.number, head.len), (raw::Kind::Event, 0, 4));
    let end = &records[raw::HEAD_LEN + 4..];
    assert_eq!(raw::Head::parse(end.first_chunk().unwrap()).unwrap().kind, raw::Kind::End);
    assert_eq!(raw::split_end(&end[raw::HEAD_LEN..]), Ok((0, 0)));
}
