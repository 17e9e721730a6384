//! The kernel's own types on the device: a subset of `/sys/kernel/btf/vmlinux` (5 MB) made in a few KiB of the caller's memory,
//! for the ordinary [`crate::btf::Btf::parse`] and [`crate::relo::Relocator`]. Relocation through it gives what relocation
//! through all of the types gives: the same values, poison, ambiguity and ids.
//!
//! The bytes come from a [`Source`] through one window of [`crate::limits::KERNEL_BTF_WINDOW`] bytes:
//!
//! 1. the strings, once: where the names stand that matter (`strings`), which are those of the relocations' root types and
//!    of the members and enumerators of their specs (`wanted`). Every offset counts whose text, to its NUL, has the essential
//!    name, flavored names and ends of longer strings included, so that BTF whose strings share their ends is read right;
//! 2. the types, once: the candidates, by name and kind, and the place of every 64th record or, in larger BTF, every 128th,
//!    256th, … (`blob`);
//! 3. what relocation may read of each candidate (`close`): each type is found again by a walk from the last place that is
//!    known, and read once or twice;
//! 4. the kept records, then their names one by one, are written (`write`).
//!
//! Modules' BTF takes part where a root type has no candidate in the kernel itself, as in libbpf (`bpf_core_find_cands`): each
//! module's strings and types once, and a module without candidates is forgotten.
//!
//! # What is kept
//! Of a candidate for fields: members whose name some spec has, anonymous ones, and a nameless member in place of the last, so
//! that an array without elements stays or stays not the last ("flexible"). Nothing behind pointers. Of one for TYPE_EXISTS,
//! TYPE_SIZE and TYPE_ID_TARGET: kinds, through pointers, arrays and prototypes, without members. Of one for TYPE_MATCHES: the
//! same with names, with members and enumerators that have a name of the local types, and so many nameless ones that no
//! local type has more members than its target where it had not before; behind pointers names only.
//!
//! # Cost
//! Time: linear in the blob for passes 1 and 2; for 3 and 4 the types that are kept × a walk of 512 records in a kernel of
//! 130,000 types. Bytes read: the blob once, and some KiB for each kept type; [`Stats`] tells. Memory: [`Stats::peak`]; of the
//! caller's region nothing behind that is touched, and the result is moved to its start.
//!
//! # Contract
//! Any bytes give a result or an error. What is not read is not checked; [`crate::btf::Btf::parse`] checks what was kept. An
//! empty name at another offset than 0 counts as a name: kernels refuse such types (`btf_name_valid_identifier`).

mod blob;
mod close;
mod source;
mod strings;
mod tables;
#[cfg(test)]
mod tests;
mod wanted;
mod write;

pub use source::{Source, Stats};

use crate::btf::Btf;
use crate::error::{Error, Limit, Result};
use crate::limits::{KERNEL_BTF_MARKS, KERNEL_BTF_WINDOW, MAX_CANDIDATE_MODULES, MODULE_BTF_MARKS};
use crate::relo::CoreRelo;
use blob::Blob;
use heapless::Vec;
use source::Reader;
use tables::Tables;
use wanted::Wanted;

/// What [`select`] left at the start of the caller's memory.
#[derive(Clone, Copy, Debug)]
pub struct Selected {
    /// Bytes of a BTF blob, from the first.
    pub btf: usize,
    /// Bytes of `KernelId` records as a pack's section `IDS` has them ([`crate::pack::Subset`]), right behind it: the
    /// kernel's own ids of all candidates.
    pub ids: usize,
    /// What it took.
    pub stats: Stats,
}

/// Everything that the steps share.
struct Select<'s, 'm, 'l> {
    reader: Reader<'s, 'm>,
    tables: Tables<'m>,
    wanted: Wanted<'l>,
    /// The kernel's types, then those of each module that has candidates; a blob's number is its file's.
    blobs: Vec<Blob, { MAX_CANDIDATE_MODULES + 1 }>,
    /// Where the nodes are, and how many.
    nodes_at: usize,
    nodes: usize,
    /// Members and parameters looked at.
    rows: u32,
}

/// Takes out of `source` what `relos`, the relocations that will be applied, may read of the kernel's types. `local` are the
/// program's.
///
/// # Errors
/// What is wrong with the kernel's types where they were read; [`Error::TooMany`] where `memory` or a limit does not suffice.
pub fn select<'l>(
    source: &mut dyn Source,
    local: &Btf<'l>,
    relos: &mut dyn Iterator<Item = Result<CoreRelo>>,
    memory: &mut [u8],
) -> Result<Selected> {
    let given = memory.len();
    let full = Error::TooMany { what: Limit::KernelBtfMemory, limit: given as u32 };
    let (window, rest) = memory.split_at_mut_checked(KERNEL_BTF_WINDOW).ok_or(full)?;
    let mut tables = Tables::new(rest, full);
    let wanted = Wanted::new(local, relos, &mut tables)?;
    let reader = Reader::new(source, window);
    let mut s = Select { reader, tables, wanted, blobs: Vec::new(), nodes_at: 0, nodes: 0, rows: 0 };
    s.kernel()?;
    if s.wanted.any_missing(&s.tables) {
        s.modules()?;
    }
    s.close()?;
    let (start, btf, ids) = s.write()?;
    let mut stats = s.reader.stats;
    stats.nodes = s.nodes as u32;
    stats.peak = s.tables.peak().saturating_add(KERNEL_BTF_WINDOW);
    let start = start.saturating_add(KERNEL_BTF_WINDOW);
    let end = start.saturating_add(btf).saturating_add(ids);
    if end > given {
        return Err(full);
    }
    // a range that `given` was just held against
    memory.copy_within(start..end, 0);
    Ok(Selected { btf, ids, stats })
}

impl Select<'_, '_, '_> {
    /// Passes 1 and 2 over the kernel's own BTF.
    fn kernel(&mut self) -> Result<()> {
        let mut blob = Blob::open(&mut self.reader, 0, None)?;
        blob.marks_at = self.tables.front(KERNEL_BTF_MARKS as usize)?;
        blob.found_at = self.tables.end();
        blob.found = self.find_names(&blob)?;
        self.nodes_at = self.tables.end();
        self.find_candidates(&mut blob, KERNEL_BTF_MARKS)?;
        self.keep(blob)
    }

    /// The same over modules, for root types that the kernel itself has not.
    fn modules(&mut self) -> Result<()> {
        let Some(kernel) = self.blobs.first().copied() else { return Ok(()) };
        self.wanted.only_missing(&mut self.tables);
        loop {
            let file = self.blobs.len() as u8;
            if !self.reader.source.next_module(file)? {
                return Ok(());
            }
            self.reader.forget();
            self.reader.stats.modules = self.reader.stats.modules.saturating_add(1);
            let mut blob = Blob::open(&mut self.reader, file, Some(&kernel))?;
            let back = self.tables.mark();
            let first = self.tables.end();
            blob.found = self.find_names(&blob)?;
            blob.found_at = self.tables.move_back(first)?;
            blob.marks_at = self.tables.back(MODULE_BTF_MARKS as usize)?;
            let before = self.nodes;
            self.find_candidates(&mut blob, MODULE_BTF_MARKS)?;
            if self.nodes == before {
                self.tables.release(back);
                continue;
            }
            self.keep(blob)?;
        }
    }

    fn keep(&mut self, blob: Blob) -> Result<()> {
        let limit = MAX_CANDIDATE_MODULES as u32;
        self.blobs.push(blob).map_err(|_| Error::TooMany { what: Limit::Modules, limit })
    }

    /// The blob of file `file`.
    fn blob(&self, file: u8) -> Blob {
        self.blobs.get(usize::from(file)).copied().unwrap_or_default()
    }
}
