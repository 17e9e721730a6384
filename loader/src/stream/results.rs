//! Reading the maps and variables that are results, once, at the end.

use super::output::Output;
use super::print::{self, Found};
use crate::job::{Job, OpenMap, Source};
use crate::say::{
    Arg::{E, N, S},
    say,
};
use crate::sys::{Errno, Fd, Kernel};
use corelet_core::TypeId;
use corelet_core::event::{Out, add_cpu};
use corelet_core::pack::{Checked, How, Map, MapRole, ResultMap, View, section};

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
}

impl<K: Kernel> Reader<'_, '_, K> {
    /// Prints all results of all objects.
    pub(super) fn all(&mut self, job: &Job<'_>) {
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
                if !unit.is_empty() {
                    self.put(&|o, _| print::unit(o, job.output, at.object, number, unit));
                }
                match map.role {
                    MapRole::Declared => self.entries(&at, &map, open),
                    MapRole::Data | MapRole::Rodata | MapRole::Kconfig => self.variable(&at, open),
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

    /// Prints a variable of a data map.
    fn variable(&mut self, at: &Place<'_>, open: &OpenMap) {
        let scratch = core::mem::take(&mut self.scratch);
        let len = open.map.value_len();
        let size = at.source.btf.size_of(at.record.type_id).unwrap_or(0) as usize;
        let read = match scratch.get_mut(..len) {
            Some(value) => self
                .kernel
                .map_lookup(&open.map, &0u32.to_ne_bytes(), value)
                .map(|()| value.get(at.record.offset as usize..).and_then(|v| v.get(..size))),
            None => self.mapped(at, open, scratch.get_mut(..size)),
        };
        match read {
            Ok(Some(value)) => self.print(at, TypeId::VOID, &[], value),
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
    ) -> Result<Option<&'v [u8]>, Errno> {
        let len = open.map.value_len().checked_next_multiple_of(at.job.page_size as usize);
        let (Some(out), Some(len)) = (out, len) else { return Ok(None) };
        let shared = self.kernel.map_shared(open.map.fd(), 0, len, false)?;
        Ok(shared.copy(at.record.offset as usize, out).then_some(&*out))
    }

    /// Prints the entries of a map, those of per-CPU maps summed where they are counters.
    fn entries(&mut self, at: &Place<'_>, map: &Map<'_>, open: &OpenMap) {
        let scratch = core::mem::take(&mut self.scratch);
        self.walk(at, map, open, scratch);
        self.scratch = scratch;
    }

    fn walk(&mut self, at: &Place<'_>, map: &Map<'_>, open: &OpenMap, scratch: &mut [u8]) {
        let (key_len, len, one) = (open.map.key_len(), open.map.value_len(), map.value_size as usize);
        let need = key_len.saturating_mul(2).saturating_add(one).saturating_add(len);
        let Some([key, next, sum, value]) = parts(scratch, [key_len, key_len, one, len]) else {
            return self.too_large(at, need);
        };
        // A key that is deleted meanwhile starts the walk again; the number of entries ends it.
        for i in 0..open.max_entries {
            match self.kernel.map_next_key(&open.map, (i > 0).then_some(&*key), next) {
                Ok(()) => copy(key, next),
                Err(Errno::ENOENT) => return,
                Err(e) => return self.failed(at, e),
            }
            match self.kernel.map_lookup(&open.map, key, value) {
                Ok(()) => {}
                Err(Errno::ENOENT) => continue,
                Err(e) => return self.failed(at, e),
            }
            let every = ARRAYS.contains(&map.map_type) && !matches!(at.record.how, How::Counters { .. });
            self.entry(at, map, key, value, sum, every);
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
        // Of a per-CPU map the values of all CPUs, each padded to 8 bytes; else the value is its own only slot.
        let one = sum.len();
        let stride = if value.len() == one { one } else { one.next_multiple_of(8) }.max(1);
        let count = value.len().checked_div(stride).unwrap_or(0);
        let slot = |i: usize| value.get(i.saturating_mul(stride)..).and_then(|v| v.get(..one));
        let slots = || (0..count).map(|i| slot(i).unwrap_or_default());
        let filled = |v: &[u8]| v.iter().any(|&b| b != 0);
        let mut summed = true;
        for (cpu, slot) in slots().enumerate() {
            if cpu == 0 {
                copy(sum, slot);
            } else {
                summed = summed && add_cpu(&at.source.btf, at.record, sum, slot);
            }
        }
        if summed {
            if !nonzero || filled(sum) {
                self.print(at, map.key_type, key, sum);
            }
            return;
        }
        for cpu in slots() {
            if filled(cpu) {
                self.print(at, map.key_type, key, cpu);
            }
        }
    }

    fn print(&mut self, at: &Place<'_>, key_type: TypeId, key: &[u8], value: &[u8]) {
        let (record, view, unit) = (at.record, at.view, at.unit);
        let found = Found { number: at.number, record, view, unit, key_type, key, value };
        let whose = (at.object, at.source);
        self.put(&|o, clip| print::result(o, at.job.output, whose, &found, clip));
    }

    /// Prints with `print`, waiting for the reader where there is no room.
    fn put(&mut self, print: &dyn Fn(&mut Out<'_>, usize)) {
        let taken = self.out.put(self.kernel, print)
            || (self.out.settle(self.kernel, self.idle) && self.out.put(self.kernel, print));
        self.dropped = self.dropped.saturating_add(u64::from(!taken));
    }

    fn too_large(&mut self, at: &Place<'_>, need: usize) {
        let form = "result %: an entry takes % bytes, more than the buffer has; it is left out";
        say(self.kernel, form, &[S(at.record.name), N(need as u64)]);
    }

    fn failed(&mut self, at: &Place<'_>, e: Errno) {
        say(self.kernel, "result %: cannot read the map: %", &[S(at.record.name), E(e)]);
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
struct Place<'p> {
    job: &'p Job<'p>,
    object: u8,
    source: &'p Source<'p>,
    number: u16,
    record: &'p ResultMap<'p>,
    view: Option<&'p View<'p>>,
    unit: &'p str,
}
