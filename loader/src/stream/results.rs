//! Reading the maps and variables that are results, at the end and at intervals.

use super::output::Output;
use super::print::{self, Found};
use super::rows::Rows;
#[cfg(feature = "format")]
use super::stacks::Stacks;
use crate::job::{Job, OpenMap, Source};
use crate::say::{
    Arg::{E, N, S},
    say, text,
};
use crate::sys::{Errno, Fd, Kernel, Region};
use corelet_core::btf::Btf;
use corelet_core::event::{Out, add_cpu, subtract};
use corelet_core::pack::{Checked, How, Map, MapRole, Printing, ResultMap, View, section};
use corelet_core::{Endian, TypeId};

/// `BPF_MAP_TYPE_ARRAY` and `BPF_MAP_TYPE_PERCPU_ARRAY`: maps in which every key exists.
const ARRAYS: [u32; 2] = [2, 6];

/// What printing results needs beside the job.
pub(super) struct Reader<'r, 'b, K> {
    pub(super) kernel: &'r mut K,
    pub(super) out: &'r mut Output<'b>,
    pub(super) scratch: &'r mut [u8],
    /// An epoll without descriptors, to wait for the reader with.
    pub(super) idle: Fd,
    /// Results that the output did not take.
    pub(super) dropped: u64,
    /// How often the reader is waited for, [`super::output::ROUND_MS`] each time.
    pub(super) rounds: u32,
    /// Whether there will be another print, so that what counts anew is set to nothing.
    pub(super) again: bool,
    /// What lasts from one print to the next.
    pub(super) memory: &'r mut Memory,
    /// Whether addresses are collected and nothing is printed.
    pub(super) collecting: bool,
    /// Nanoseconds that the wall clock is ahead of the monotonic one, wrapping.
    pub(super) ahead: u64,
}

/// Memory of what is printed, by kind; empty where the pack has nothing of it.
#[derive(Default)]
pub(super) struct Memory {
    /// For a record that half the stream's buffers do not hold.
    pub(super) large: Region,
    /// Of sorted entries.
    rows: Region,
    /// Values of variables at the last print, one behind the other.
    earlier: Region,
    /// Of stacks and their names.
    #[cfg(feature = "format")]
    pub(super) stacks: Option<Stacks>,
}

/// Takes `len` bytes off the start of `rest`; nothing where it is shorter.
pub(super) fn cut(rest: &mut Region, len: usize) -> Region {
    match core::mem::take(rest).split_at_mut_checked(len) {
        Some((first, behind)) => {
            *rest = behind;
            first
        }
        None => &mut [],
    }
}

impl Memory {
    /// Cuts it out of `memory`, which has that much where one object is printed; else it is taken anew, and is no more than the
    /// formulas of all objects together.
    ///
    /// # Errors
    /// Those of `mmap(2)`.
    pub(super) fn new<K: Kernel>(
        kernel: &mut K,
        printing: &Printing,
        memory: &mut Region,
    ) -> Result<Memory, Errno> {
        let bytes = printing.bytes();
        let mut all = cut(memory, bytes);
        if all.len() < bytes {
            all = kernel.region(bytes)?;
        }
        #[cfg_attr(not(feature = "format"), expect(unused_mut, reason = "stacks are text"))]
        let mut memory = Memory {
            large: cut(&mut all, printing.large),
            rows: cut(&mut all, printing.rows),
            earlier: cut(&mut all, printing.earlier),
            ..Memory::default()
        };
        memory.earlier.fill(0);
        #[cfg(feature = "format")]
        if printing.stacks > 0 {
            if cfg!(feature = "stacks") {
                memory.stacks = Some(Stacks::new(all));
            } else {
                say(
                    kernel,
                    text!("addresses stay numbers: this loader was built without the feature stacks"),
                    &[],
                );
            }
        }
        Ok(memory)
    }
}

impl<K: Kernel> Reader<'_, '_, K> {
    /// Prints all results of all objects.
    pub(super) fn all(&mut self, job: &Job<'_>) {
        if job.interval.is_some() {
            let now = self.kernel.real_time();
            self.put(&|o, _| print::time(o, job.output, now));
        }
        #[cfg(feature = "format")]
        if cfg!(feature = "stacks") {
            self.name_addresses(job);
        }
        self.each(job);
    }

    /// Prints all results, or collects their addresses.
    pub(super) fn each(&mut self, job: &Job<'_>) {
        let mut earlier = 0;
        for (object, source) in job.sources.iter().enumerate() {
            let results = Checked::<ResultMap<'_>>::new(source.results, section::RESULTS);
            for (number, record) in results.enumerate() {
                let map = Checked::<Map<'_>>::new(source.maps, section::MAPS).at(record.map);
                let (Ok(map), Some(open)) = (map, source.open.get(usize::from(record.map))) else { continue };
                let number = number as u16;
                let view =
                    Checked::<View<'_>>::new(source.views, section::VIEWS).find(|v| v.result == number);
                let unit = self.unit(source, view.as_ref());
                let at = Place {
                    job,
                    object: object as u8,
                    source,
                    number,
                    record: &record,
                    view: view.as_ref(),
                    unit,
                };
                if !unit.is_empty() && !self.collecting {
                    self.put(&|o, _| print::unit(o, job.output, at.object, number, unit));
                }
                match map.role {
                    MapRole::Declared | MapRole::Pinned | MapRole::StructOps | MapRole::Arena => {
                        self.entries(&at, &map, open)
                    }
                    MapRole::Data | MapRole::Rodata | MapRole::Kconfig if self.collecting => {}
                    MapRole::Data | MapRole::Rodata | MapRole::Kconfig => {
                        let len = view.as_ref().map_or(0, |v| source.printed().earlier(v));
                        self.variable(&at, open, (earlier, len));
                        earlier = earlier.saturating_add(len);
                    }
                }
            }
        }
    }

    /// The unit of a histogram's values, by the variable that says so; empty for none.
    fn unit<'a>(&mut self, source: &Source<'a>, view: Option<&View<'a>>) -> &'a str {
        let Some(view) = view.filter(|v| !v.units.is_empty()) else { return "" };
        let open = source.open.get(usize::from(view.unit_map)).filter(|_| view.unit_size > 0);
        let data = open.and_then(|open| {
            let value = self.scratch.get_mut(..open.map.value_len())?;
            self.kernel.map_lookup(&open.map, &0u32.to_ne_bytes(), value).ok()?;
            Some(&*value)
        });
        view.unit(source.btf.endian(), data.unwrap_or_default())
    }

    /// Prints a variable of a data map; of one that is counted anew, what came to it since what [`Memory::earlier`] has there.
    fn variable(&mut self, at: &Place<'_>, open: &OpenMap, (from, earlier_len): (usize, usize)) {
        let scratch = core::mem::take(&mut self.scratch);
        let len = open.map.value_len();
        let size = at.source.btf.size_of(at.record.type_id).unwrap_or(0) as usize;
        let read = match scratch.get_mut(..len) {
            Some(value) => self
                .kernel
                .map_lookup(&open.map, &0u32.to_ne_bytes(), value)
                .map(|()| value.get_mut(at.record.offset as usize..).and_then(|v| v.get_mut(..size))),
            None => self.mapped(at, open, scratch.get_mut(..size)),
        };
        match read {
            Ok(Some(value)) => {
                let earlier = core::mem::take(&mut self.memory.earlier);
                let old = earlier.get_mut(from..).and_then(|e| e.get_mut(..earlier_len)).unwrap_or_default();
                since(&at.source.btf, at.record, value, old);
                self.print(at, TypeId::VOID, &[], value);
                self.memory.earlier = earlier;
            }
            Ok(None) => self.too_large(at, size),
            Err(e) => self.failed(at, e),
        }
        self.scratch = scratch;
    }

    /// Copies a variable of a data map that is larger than the buffer into `out`.
    fn mapped<'v>(
        &mut self,
        at: &Place<'_>,
        open: &OpenMap,
        out: Option<&'v mut [u8]>,
    ) -> Result<Option<&'v mut [u8]>, Errno> {
        let len = open.map.value_len().checked_next_multiple_of(at.job.page_size as usize);
        let (Some(out), Some(len)) = (out, len) else { return Ok(None) };
        let shared = self.kernel.map_shared(open.map.fd(), 0, len, false)?;
        Ok(if shared.copy(at.record.offset as usize, out) { Some(out) } else { None })
    }

    /// Prints the entries of a map, those of per-CPU maps summed where they are counters.
    fn entries(&mut self, at: &Place<'_>, map: &Map<'_>, open: &OpenMap) {
        let scratch = core::mem::take(&mut self.scratch);
        self.walk(at, map, open, scratch);
        self.scratch = scratch;
    }

    fn walk(&mut self, at: &Place<'_>, map: &Map<'_>, open: &OpenMap, scratch: &mut [u8]) {
        let (key_len, len, one) = (open.map.key_len(), open.map.value_len(), map.value_size as usize);
        // what CPUs counted is added up behind it
        let sum_len = if len == one { 0 } else { one };
        let need = key_len.saturating_mul(2).saturating_add(sum_len).saturating_add(len);
        let Some([key, next, sum, value]) = parts(scratch, [key_len, key_len, sum_len, len]) else {
            return self.too_large(at, need);
        };
        let sort = at.view.filter(|v| v.sort_size > 0);
        let memory = core::mem::take(&mut self.memory.rows);
        let mut rows = Rows::new(memory, key_len, sort.map_or(0, |v| v.rows).into());
        let array = ARRAYS.contains(&map.map_type);
        let nonzero = array && !matches!(at.record.how, How::Counters { .. });
        // A key that is deleted meanwhile starts the walk again; the number of entries ends it.
        for i in 0..open.max_entries {
            match self.kernel.map_next_key(&open.map, (i > 0).then_some(&*key), next) {
                Ok(()) => copy(key, next),
                Err(Errno::ENOENT) => break,
                Err(e) => {
                    self.failed(at, e);
                    break;
                }
            }
            match self.kernel.map_lookup(&open.map, key, value) {
                Ok(()) => {}
                Err(Errno::ENOENT) => continue,
                Err(e) => {
                    self.failed(at, e);
                    break;
                }
            }
            match sort {
                Some(view) => {
                    let total = sum_of(at, value, sum, one);
                    rows.offer(weight(view, at.source.btf.endian(), total.unwrap_or(value)), key);
                }
                None => {
                    self.entry(at, map, key, value, sum, nonzero);
                    if array && at.clears(self.again) {
                        value.fill(0);
                        let _ = self.kernel.map_update(&open.map, key, value);
                    }
                }
            }
        }
        for row in (0..).map_while(|i| rows.key(i)) {
            if self.kernel.map_lookup(&open.map, row, value).is_ok() {
                self.entry(at, map, row, value, sum, nonzero);
            }
        }
        if at.view.is_some_and(|v| v.rows == 0) && rows.left_out > 0 {
            let form = text!("result %: % entries are left out: there is no memory to sort more");
            say(self.kernel, form, &[S(at.record.name), N(rows.left_out)]);
        }
        self.memory.rows = rows.into_memory();
        if at.clears(self.again) && !array {
            // what was counted since it was read is lost, as it is to the tools of BCC
            for _ in 0..open.max_entries {
                if self.kernel.map_next_key(&open.map, None, next).is_err()
                    || self.kernel.map_delete(&open.map, next).is_err()
                {
                    break;
                }
            }
        }
    }

    /// Prints one entry; where `nonzero`, only what is not all zeros.
    fn entry(
        &mut self,
        at: &Place<'_>,
        map: &Map<'_>,
        key: &[u8],
        value: &[u8],
        sum: &mut [u8],
        nonzero: bool,
    ) {
        let filled = |v: &[u8]| v.iter().any(|&b| b != 0);
        let one = map.value_size as usize;
        if let Some(total) = sum_of(at, value, sum, one) {
            if !nonzero || filled(total) {
                self.print(at, map.key_type, key, total);
            }
            return;
        }
        for cpu in cpus(value, one) {
            if filled(cpu) {
                self.print(at, map.key_type, key, cpu);
            }
        }
    }

    fn print(&mut self, at: &Place<'_>, key_type: TypeId, key: &[u8], value: &[u8]) {
        let (number, record, view, unit, ahead) = (at.number, at.record, at.view, at.unit, self.ahead);
        let found = Found { number, record, view, unit, ahead, key_type, key, value };
        #[cfg(feature = "format")]
        if cfg!(feature = "stacks")
            && let Some(mut stacks) = self.memory.stacks.take()
        {
            self.print_named(at, &found, &mut stacks);
            self.memory.stacks = Some(stacks);
            return;
        }
        let whose = (at.object, at.source);
        self.put(&|o, clip| {
            let start = o.len();
            print::result(o, at.job.output, whose, &found, None, clip);
            super::tag(o, at.job, start, at.source);
        });
    }

    /// Prints with `print`, waiting for the reader where there is no room.
    pub(super) fn put(&mut self, print: &dyn Fn(&mut Out<'_>, usize)) {
        let taken = self.out.put(self.kernel, print) || (self.waited() && self.out.put(self.kernel, print));
        self.dropped = self.dropped.saturating_add(u64::from(!taken));
    }

    /// Waits for the reader; whether everything was taken. One that takes nothing is not waited for again in this print.
    fn waited(&mut self) -> bool {
        let settled = self.out.settle(self.kernel, self.idle, self.rounds);
        if !settled {
            self.rounds = 0;
        }
        settled
    }

    fn too_large(&mut self, at: &Place<'_>, need: usize) {
        let form = text!("result %: an entry takes % bytes, more than the buffer has; it is left out");
        say(self.kernel, form, &[S(at.record.name), N(need as u64)]);
    }

    fn failed(&mut self, at: &Place<'_>, e: Errno) {
        say(self.kernel, text!("result %: cannot read the map: %"), &[S(at.record.name), E(e)]);
    }
}

/// What the CPUs counted: of a map of one value the value itself, of a per-CPU map the sum of all CPUs, in `sum`. `None` where
/// there is no sum.
fn sum_of<'v>(at: &Place<'_>, value: &'v [u8], sum: &'v mut [u8], one: usize) -> Option<&'v [u8]> {
    if value.len() == one {
        return Some(value);
    }
    for (cpu, slot) in cpus(value, one).enumerate() {
        if cpu == 0 {
            copy(sum, slot);
        } else if !add_cpu(&at.source.btf, at.record, sum, slot) {
            return None;
        }
    }
    Some(sum)
}

/// The values of all CPUs, each padded to 8 bytes; else the value is its own only slot.
fn cpus(value: &[u8], one: usize) -> impl Iterator<Item = &[u8]> {
    let stride = if value.len() == one { one } else { one.next_multiple_of(8) }.max(1);
    let count = value.len().checked_div(stride).unwrap_or(0);
    (0..count).map_while(move |i| value.get(i.saturating_mul(stride)..)?.get(..one))
}

/// The number by which an entry is sorted.
fn weight(view: &View<'_>, endian: Endian, value: &[u8]) -> u64 {
    let bytes = value.get(view.sort_offset as usize..).and_then(|v| v.get(..view.sort_size.into()));
    let up = |n: u64, &b: &u8| n << 8 | u64::from(b);
    let bytes = bytes.unwrap_or_default();
    match endian {
        Endian::Little => bytes.iter().rev().fold(0, up),
        Endian::Big => bytes.iter().fold(0, up),
    }
}

/// Makes of `value` what came to it since it was `earlier`, and of `earlier` what it was now.
fn since(btf: &Btf<'_>, record: &ResultMap<'_>, value: &mut [u8], earlier: &mut [u8]) {
    if earlier.len() != value.len() {
        return;
    }
    if subtract(btf, record, value, earlier) {
        add_cpu(btf, record, earlier, value);
    }
}

/// Pieces of these lengths, one behind the other.
fn parts(bytes: &mut [u8], lens: [usize; 4]) -> Option<[&mut [u8]; 4]> {
    let [a, b, c, d] = lens;
    let (a, rest) = bytes.split_at_mut_checked(a)?;
    let (b, rest) = rest.split_at_mut_checked(b)?;
    let (c, rest) = rest.split_at_mut_checked(c)?;
    Some([a, b, c, rest.get_mut(..d)?])
}

/// Copies as far as both go: `copy_from_slice` would bring its panic.
fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

/// A result and whose it is.
pub(super) struct Place<'p> {
    pub(super) job: &'p Job<'p>,
    pub(super) object: u8,
    pub(super) source: &'p Source<'p>,
    number: u16,
    record: &'p ResultMap<'p>,
    view: Option<&'p View<'p>>,
    unit: &'p str,
}

impl Place<'_> {
    /// Whether the result is to count anew, where there will be `again` a print.
    fn clears(&self, again: bool) -> bool {
        again && self.view.is_some_and(|v| v.clear)
    }
}
