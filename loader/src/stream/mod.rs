//! What the programs report, from the kernel's buffers to standard output.
//!
//! [`Channels::open`] maps the ring buffers and perf buffers that carry events; [`Channels::follow`] reads them until the
//! time is over or the loader is asked to stop, and then prints the results and how many events were lost. Reading never
//! waits for the output: what a full buffer does not take is dropped and counted. The kernel counts what it drops of a perf
//! buffer; of a ring buffer only the program knows.
//!
//! Memory: [`Job::memory`], half of [`STREAM_FIXED`] for the output and the rest for one record or the values of one
//! result, and the mappings' addresses in a region of their own.

mod output;
mod perf;
pub mod poll;
mod print;
#[cfg(feature = "format")]
mod resolve;
mod results;
mod ring;
mod rows;
mod sink;
#[cfg(feature = "format")]
mod stacks;
#[cfg(feature = "format")]
mod table;
#[cfg(test)]
mod tests;

use crate::TYPES;
use crate::exit::{Done, Exit};
use crate::job::{Job, OpenMap, Output as Form, STREAM_FIXED, Source, Streamed, Summary, stream_bytes};
use crate::number::divide;
use crate::say::{
    Arg::{E, N, S},
    fail, failed, text,
};
use crate::service::Pulse;
use crate::sys::{Errno, Fd, Kernel, slots};
use crate::undo::Ledger;
use core::cell::Cell;
use corelet_core::TypeId;
use corelet_core::event::Out;
use corelet_core::pack::{Checked, EVENT_PADDING, Event, Format, Hint, Map, Printing, section};
use output::{Output, ROUND_MS, ROUNDS};
use perf::Perf;
use results::{Memory, Reader, cut};
use ring::Ring;
use sink::{Kind, Sink};

/// Buffers that are read at once: one for each ring buffer, one for each CPU of a perf event array.
pub const MAX_CHANNELS: usize = 128;

/// The token of [`Job::stop`] in the epoll; those of channels are their numbers.
const STOP: u32 = u32::MAX;
/// The token of what tells of interfaces.
const FOLLOW: u32 = u32::MAX - 1;
/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`
const PERF_EVENT_ARRAY: u32 = 4;
/// `BPF_MAP_TYPE_RINGBUF`
const RINGBUF: u32 = 27;

/// What `--output` takes.
static SINKS: &str = text!("--output takes a file, unix:PATH, udp:A.B.C.D:PORT or syslog");

/// How long a slow reader is waited for at an interval, in rounds of [`ROUND_MS`]: a fifth of a second, in which the buffers of
/// events fill.
const INTERVAL_ROUNDS: u32 = 10;

/// Whether maps and variables are printed.
const RESULTS: bool = cfg!(feature = "results");
/// Whether there are perf event arrays.
const PERF: bool = cfg!(feature = "perf");

/// What came out of a buffer.
enum Record<'s> {
    /// An event's bytes.
    Event(&'s [u8]),
    /// An event of more bytes than there is memory for.
    TooLong,
    /// So many events were dropped by the kernel.
    Lost(u64),
}

/// A mapped buffer.
enum Buffer {
    Ring(Ring),
    Perf(Perf),
}

/// A buffer and what it carries.
struct Channel {
    buffer: Buffer,
    /// Number of the object.
    object: u8,
    /// Number of the record in the object's section `EVENTS`.
    event: u16,
}

/// The buffers that carry events, open for reading.
#[derive(Default)]
pub struct Channels {
    /// A place for each buffer; empty for those of CPUs that are offline.
    channels: &'static mut [Option<Channel>],
    epoll: Fd,
    /// Without descriptors, to wait for the reader of the output with.
    idle: Fd,
}

impl Channels {
    /// Maps the buffers. Called before programs are attached, nothing that they report is missed; a perf event array drops
    /// what is reported earlier.
    ///
    /// # Errors
    /// [`Exit::Usage`] where this loader cannot print in the form asked for; the exit of a failed system call;
    /// [`Exit::NotPortable`] for more than [`MAX_CHANNELS`] buffers.
    pub fn open<K: Kernel>(&mut self, kernel: &mut K, ledger: &mut Ledger, job: &Job<'_>) -> Done<()> {
        if !print::can(job.output) {
            let form =
                text!("this loader was built without formatting: use --raw, and corelet decode on the PC");
            return Err(fail(kernel, Exit::Usage, form, &[]));
        }
        for epoll in [&mut self.epoll, &mut self.idle] {
            *epoll = match kernel.epoll_create() {
                Ok(epoll) => ledger.keep(kernel, epoll)?,
                Err(e) => return Err(failed(kernel, text!("epoll_create1"), e)),
            };
        }
        if !kernel.inside() {
            self.watch(kernel, job.stop, STOP)?;
        }
        let mut count = 0usize;
        for source in job.sources {
            for c in carriers(source, job.cpus) {
                count = count.saturating_add(c.buffers as usize);
            }
        }
        if count > MAX_CHANNELS {
            let args = [N(MAX_CHANNELS as u64)];
            return Err(fail(kernel, Exit::NotPortable, text!("more than % buffers of events"), &args));
        }
        if count > 0 {
            let memory = kernel.region(count.saturating_mul(size_of::<Option<Channel>>()));
            self.channels = slots(memory.map_err(|e| failed(kernel, text!("memory"), e))?, || None);
        }
        let mut token = 0u32;
        for (object, source) in job.sources.iter().enumerate() {
            for c in carriers(source, job.cpus) {
                if !c.ring && !PERF {
                    let form = text!("map %: needs the feature perf, which this loader was built without");
                    return Err(fail(kernel, Exit::NotPortable, form, &[S(c.name)]));
                }
                for cpu in 0..c.buffers {
                    let opened = if c.ring || !PERF {
                        Ring::open(kernel, &c.open.map, c.open.max_entries, job.page_size)
                            .map(|ring| Some((Buffer::Ring(ring), c.open.map.fd())))
                    } else {
                        Perf::open(kernel, &c.open.map, cpu, c.perf_pages, job.page_size)
                            .map(|perf| perf.map(|(perf, fd)| (Buffer::Perf(perf), fd)))
                    };
                    let opened = match opened {
                        Ok(opened) => opened,
                        Err(e) => {
                            let args = [S(c.name), E(e)];
                            return Err(fail(
                                kernel,
                                e.exit(),
                                text!("map %: cannot map its buffer: %"),
                                &args,
                            ));
                        }
                    };
                    if let Some((buffer, fd)) = opened {
                        if PERF && matches!(buffer, Buffer::Perf(_)) {
                            ledger.keep(kernel, fd)?;
                        }
                        self.watch(kernel, fd, token)?;
                        if let Some(slot) = self.channels.get_mut(token as usize) {
                            *slot = Some(Channel { buffer, object: object as u8, event: c.number });
                        }
                    }
                    token = token.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// Has [`Channels::follow`] look after interfaces when `fd` is readable.
    ///
    /// # Errors
    /// The exit of a failed system call.
    pub fn watch_interfaces<K: Kernel>(&self, kernel: &mut K, fd: Fd) -> Done<()> {
        self.watch(kernel, fd, FOLLOW)
    }

    /// Has the epoll give `token` when `fd` is readable.
    fn watch<K: Kernel>(&self, kernel: &mut K, fd: Fd, token: u32) -> Done<()> {
        kernel.epoll_add(self.epoll, fd, token).map_err(|e| failed(kernel, text!("epoll_ctl"), e))
    }

    /// Prints events until the deadline, a signal or the end of the reader; then detaches, and prints what is left, results
    /// and losses. Meanwhile `pulse` tells others that it goes on.
    ///
    /// # Errors
    /// The exit of a failed system call. A reader that closed the pipe is no error.
    #[inline(never)] // its code is no memory before there are events (link.ld)
    pub fn follow<K: Kernel>(&self, kernel: &mut K, mut job: Job<'_>, pulse: &mut Pulse<'_>) -> Streamed {
        let mut memory = core::mem::take(&mut job.memory);
        let mut buffer = cut(&mut memory, STREAM_FIXED as usize / 2);
        let mut scratch = cut(&mut memory, stream_bytes(job.cpus).saturating_sub(STREAM_FIXED as usize / 2));
        let mut printing = Printing::default();
        if TYPES {
            let all = job.sources.iter().map(|s| Printing::of(&s.printed()));
            printing = all.fold(printing, Printing::and);
        }
        let mut results =
            Memory::new(kernel, &printing, &mut memory).map_err(|e| failed(kernel, text!("memory"), e))?;
        if printing.large > 0 {
            let large = core::mem::take(&mut results.large);
            (scratch, buffer) = large.split_at_mut_checked(printing.large / 4).unwrap_or_default();
        }
        let boot = print::Boot::read(kernel, job.output);
        let clocks = Clocks::default();
        let header = |o: &mut Out<'_>| {
            print::header(o, job.output, job.sources);
            print::clock(o, job.output, &boot, clocks.pair.get());
        };
        clocks.compare(kernel);
        let kind = match sink::parse(job.to, job.rotate) {
            Some(kind) => kind,
            None if cfg!(feature = "outputs") => return Err(fail(kernel, Exit::Usage, SINKS, &[])),
            None => Kind::Stdout,
        };
        if cfg!(feature = "outputs") && job.output == Form::Raw && matches!(kind, Kind::Packets(..)) {
            let form = text!("--raw goes to standard output, a file or a stream socket: datagrams get lost");
            return Err(fail(kernel, Exit::Usage, form, &[]));
        }
        let sink = Sink::open(kernel, kind).map_err(|e| failed(kernel, text!("--output"), e))?;
        let mut out = Output::new(kernel, buffer, sink, &header);
        pulse.begin(kernel)?;
        let mut sum = Summary::default();
        let idle = self.idle;
        let mut print =
            |kernel: &mut K, out: &mut Output<'_>, scratch: &mut [u8], again: bool, ahead: u64| {
                if !RESULTS {
                    return 0;
                }
                let rounds = if again { INTERVAL_ROUNDS } else { ROUNDS };
                let memory = &mut results;
                let (dropped, collecting) = (0, false);
                let mut reader =
                    Reader { kernel, out, scratch, idle, dropped, rounds, again, memory, collecting, ahead };
                reader.all(&job);
                reader.dropped
            };
        let mut next = job.interval.map(|every| kernel.now().saturating_add(every));
        let mut stop = false;
        while !stop && out.failed().is_none() {
            let now = kernel.now();
            if let (Some(at), Some(every)) = (next, job.interval)
                && RESULTS
                && at <= now
            {
                let dropped = print(kernel, &mut out, scratch, true, clocks.ahead());
                sum.dropped = sum.dropped.saturating_add(dropped);
                // those that passed meanwhile are left out
                let missed = now.saturating_sub(at).checked_div(every).unwrap_or(0);
                next = Some(at.saturating_add(every.saturating_mul(missed.saturating_add(1))));
            }
            let left = job.deadline.map(|end| ms_until(kernel, end));
            let mut timeout = left;
            if let Some(at) = next.filter(|_| RESULTS) {
                timeout = Some(timeout.unwrap_or(u32::MAX).min(ms_until(kernel, at)));
            }
            if out.pending() {
                timeout = Some(timeout.unwrap_or(ROUND_MS).min(ROUND_MS));
            }
            if let Some(ms) = pulse.beat(kernel, &sum) {
                timeout = Some(timeout.unwrap_or(ms).min(ms));
            }
            let ready = kernel
                .epoll_wait(self.epoll, timeout)
                .map_err(|e| failed(kernel, text!("epoll_pwait"), e))?;
            if clocks.compare(kernel) && job.output == Form::Raw {
                out.put(kernel, &|o, _| print::clock(o, job.output, &boot, clocks.pair.get()));
            }
            for &token in &ready {
                stop |= token == STOP;
                if token == FOLLOW {
                    pulse.interfaces(kernel);
                }
                if let Some(Some(channel)) = self.channels.get(token as usize) {
                    channel.drain(kernel, &job, &mut out, scratch, clocks.ahead(), &mut sum);
                }
            }
            out.flush(kernel);
            stop |= left == Some(0);
        }
        // what comes until everything is detached is printed too
        pulse.stop(kernel);
        for channel in self.channels.iter().flatten() {
            channel.drain(kernel, &job, &mut out, scratch, clocks.ahead(), &mut sum);
        }
        let told = self.channels.iter().flatten().fold(0u64, |sum, c| sum.saturating_add(c.lost(kernel)));
        sum.lost = sum.lost.max(told);
        let dropped = print(kernel, &mut out, scratch, false, clocks.ahead());
        sum.dropped = sum.dropped.saturating_add(dropped);
        out.settle(kernel, idle, ROUNDS);
        out.put(kernel, &|o, _| print::lost(o, job.output, sum.lost, sum.dropped));
        out.settle(kernel, idle, ROUNDS);
        out.close(kernel);
        match out.failed() {
            None | Some(Errno::EPIPE) => Ok(sum),
            Some(e) => Err(failed(
                kernel,
                if job.to.is_some() { text!("--output") } else { text!("standard output") },
                e,
            )),
        }
    }
}

/// Both clocks at one moment, by which times of events become times of day.
#[derive(Default)]
struct Clocks {
    /// The monotonic clock, and how far the wall clock is ahead of it, wrapping; in nanoseconds.
    pair: Cell<(u64, u64)>,
}

/// What the wall clock moves between two comparisons without being set, in nanoseconds: more than reading both takes, and what a
/// clock that is slewed drifts in two seconds.
const CLOCK_STEP: u64 = 1_000_000;

impl Clocks {
    fn ahead(&self) -> u64 {
        self.pair.get().1
    }

    /// Compares the clocks; whether they moved against each other.
    fn compare<K: Kernel>(&self, kernel: &mut K) -> bool {
        let now = kernel.now();
        let ahead = kernel.real_time().wrapping_sub(now);
        let moved = ahead.wrapping_sub(self.ahead()).wrapping_add(CLOCK_STEP) > CLOCK_STEP.wrapping_mul(2);
        if moved || self.pair.get().0 == 0 {
            self.pair.set((now, ahead));
        }
        moved
    }
}

/// Milliseconds until `end`, 0 where it has passed.
fn ms_until<K: Kernel>(kernel: &mut K, end: u64) -> u32 {
    let (ms, rest) = divide(end.saturating_sub(kernel.now()), 1_000_000);
    u32::try_from(ms.saturating_add(u64::from(rest > 0))).unwrap_or(u32::MAX >> 1)
}

impl Channel {
    /// Prints what is in the buffer now. What comes meanwhile is left for the next time, so that this ends.
    fn drain<K: Kernel>(
        &self,
        kernel: &mut K,
        job: &Job<'_>,
        out: &mut Output<'_>,
        scratch: &mut [u8],
        ahead: u64,
        sum: &mut Summary,
    ) {
        let Some(source) = job.sources.get(usize::from(self.object)) else { return };
        let Ok(event) = events(source).at(self.event) else { return };
        let size = if TYPES { source.btf.size_of(event.type_id).unwrap_or(0) as usize } else { 0 };
        let end = self.buffer.end();
        while let Some(record) = self.buffer.next(end, scratch) {
            if let Record::Event(data) = &record
                && TYPES
                && !(size..=size.saturating_add(EVENT_PADDING)).contains(&data.len())
                && !varies(source, &event)
            {
                sum.misfits = sum.misfits.saturating_add(1);
            }
            let taken = match record {
                Record::Event(data) => out.put(kernel, &|o, clip| {
                    let start = o.len();
                    print::event(o, job.output, (self.object, source), &event, data, ahead, clip);
                    tag(o, job, start, source);
                }),
                Record::TooLong => false,
                Record::Lost(n) => {
                    sum.lost = sum.lost.saturating_add(n);
                    continue;
                }
            };
            let count = if taken { &mut sum.events } else { &mut sum.dropped };
            *count = count.saturating_add(1);
        }
    }
}

impl Channel {
    /// How many events the kernel says that it lost, of buffers of which it says so.
    fn lost<K: Kernel>(&self, kernel: &mut K) -> u64 {
        match &self.buffer {
            Buffer::Perf(perf) if PERF => perf.lost(kernel),
            _ => 0,
        }
    }
}

/// Whether events end where what they use ends: one with a member whose length another says, or without a type.
fn varies(source: &Source<'_>, event: &Event<'_>) -> bool {
    let used = |h: Hint| {
        h.type_id == event.type_id && matches!(h.format, Format::Args { .. } | Format::Ksyms { .. })
    };
    event.type_id == TypeId::VOID || Checked::<Hint>::new(source.hints, section::HINTS).any(used)
}

impl Buffer {
    fn end(&self) -> usize {
        match self {
            Buffer::Ring(ring) => ring.end(),
            Buffer::Perf(perf) if PERF => perf.end(),
            Buffer::Perf(_) => 0,
        }
    }

    fn next<'s>(&self, end: usize, scratch: &'s mut [u8]) -> Option<Record<'s>> {
        match self {
            Buffer::Ring(ring) => ring.next(end, scratch),
            Buffer::Perf(perf) if PERF => perf.next(end, scratch),
            Buffer::Perf(_) => None,
        }
    }
}

/// Says whose line it is that was printed from `start` on, where there are several objects.
fn tag(out: &mut Out<'_>, job: &Job<'_>, start: usize, source: &Source<'_>) {
    #[cfg(feature = "format")]
    if job.sources.len() > 1 {
        print::tag(out, job.output, start, source);
    }
    let _ = (out, job, start, source);
}

fn events<'a>(source: &Source<'a>) -> Checked<'a, Event<'a>> {
    Checked::new(source.events, section::EVENTS)
}

/// A map that carries events.
struct Carrier<'a> {
    /// Number of the event.
    number: u16,
    /// Name of the map.
    name: &'a str,
    /// Whether it is a ring buffer and no perf event array.
    ring: bool,
    /// Pages of the data of each of its perf buffers.
    perf_pages: u16,
    open: OpenMap,
    /// Buffers that it has: one, or one for each CPU.
    buffers: u32,
}

/// The maps of one object that carry events, one for each event.
fn carriers<'s, 'a>(source: &'s Source<'a>, cpus: u32) -> impl Iterator<Item = Carrier<'a>> + use<'s, 'a> {
    (0..).map_while(move |number| carrier(source, number, cpus))
}

/// The map of event number `number`.
#[inline(never)] // called to count and to open
fn carrier<'a>(source: &Source<'a>, number: u16, cpus: u32) -> Option<Carrier<'a>> {
    let event = events(source).at(number).ok()?;
    let map = Checked::<Map<'_>>::new(source.maps, section::MAPS).at(event.map).ok()?;
    let open = *source.open.get(usize::from(event.map))?;
    // what was created counts: a ring buffer, which has no keys, may have become a perf event array
    let ring = open.map.key_len() == 0;
    let buffers = match map.map_type {
        // a map that was not created carries nothing
        _ if open.map.fd().0 < 0 => 0,
        RINGBUF if ring => 1,
        RINGBUF | PERF_EVENT_ARRAY => cpus.min(open.max_entries),
        _ => 0,
    };
    Some(Carrier { number, name: map.name, ring, perf_pages: map.perf_pages, open, buffers })
}
