//! The kernel's own types on the device: a subset of `/sys/kernel/btf/vmlinux` (5 MB) made in a few KiB of the caller's memory,
//! for the ordinary [`crate::btf::Btf::parse`] and [`crate::relo::Relocator`]. Relocation through it gives what relocation
//! through all of the types gives: the same values, poison, ambiguity and ids.
//!
//! The bytes come from a [`Source`] through one window of [`crate::limits::KERNEL_BTF_WINDOW`] bytes:
//!
//! 1. the strings, once: where the names stand that matter (`strings`), which are those of the relocations' root types and
//!    of the members and enumerators of their specs (`wanted`). Every offset counts whose text, to its NUL, has the essential
//!    name, flavored names and ends of longer strings included, so that BTF whose strings share their ends is read right;
//! 2. the types, once: the candidates, by name and kind, and the place of one record in some hundreds (`blob`);
//! 3. what relocation may read of each candidate (`close`): a type that is no candidate is found again by a walk from the last
//!    place that is known;
//! 4. the kept records, then their names one by one, are read once more and written (`write`).
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
//! Time: linear in the blob for passes 1 and 2; for 3 the types that are kept × a walk of up to 1200 records in a kernel of
//! 130,000 types. Bytes read: the blob once, up to 30 KiB for each kept type that is no candidate, and some windows; [`Stats`]
//! tells. Memory: [`Stats::peak`]; of the caller's region nothing behind that is touched, and the result is moved to its start.
//! opensnoop on AArch64's 6.12 (4,905,904 bytes): 5 types, 4,893,721 bytes in 2395 reads, 4,892 bytes of memory. Of 165 objects
//! on four kernels the worst takes 22 KiB and reads 5.9 MB.
//!
//! # Contract
//! Any bytes give a result or an error. What is not read is not checked; [`crate::btf::Btf::parse`] checks what was kept. An
//! empty name at another offset than 0 counts as a name: kernels refuse such types (`btf_name_valid_identifier`).

mod blob;
mod close;
mod find;
mod source;
mod strings;
#[cfg(test)]
mod tests;
mod wanted;
mod work;
mod write;

pub use find::find;
pub use source::{Source, Stats};

use crate::btf::Btf;
use crate::error::{Error, Limit, Result};
use crate::limits::{KERNEL_BTF_MARKS, KERNEL_BTF_WINDOW, MAX_CANDIDATE_MODULES, MODULE_BTF_MARKS};
use crate::relo::CoreRelo;
use blob::Blob;
use heapless::Vec;
use wanted::Wanted;
use work::Work;

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
    work: Work<'s, 'm>,
    wanted: Wanted<'l>,
    /// The kernel's types, then those of each module that has candidates; a blob's number is its file's.
    blobs: Vec<Blob, { MAX_CANDIDATE_MODULES + 1 }>,
    /// Where the nodes are, and how many.
    nodes_at: usize,
    nodes: usize,
    /// Members and parameters looked at.
    rows_seen: u32,
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
    let full = Error::TooMany { what: Limit::KernelBtfMemory, limit: memory.len() as u32 };
    let (window, tables) = memory.split_at_mut_checked(KERNEL_BTF_WINDOW).ok_or(full)?;
    let mut work = Work::new(source, window, tables);
    let wanted = Wanted::new(local, relos, &mut work)?;
    let mut s = Select { work, wanted, blobs: Vec::new(), nodes_at: 0, nodes: 0, rows_seen: 0 };
    s.nodes_at = s.work.end();
    if s.nodes_at > 0 {
        s.read(0, KERNEL_BTF_MARKS)?;
        s.modules()?;
    }
    s.close();
    let (start, btf, ids) = s.write();
    s.work.check()?;
    let stats = Stats { types: s.nodes as u32, peak: s.work.peak() as u32, ..s.work.stats };
    let start = start.wrapping_mul(4).wrapping_add(KERNEL_BTF_WINDOW);
    for i in 0..btf.wrapping_add(ids) {
        let byte = memory.get(start.wrapping_add(i)).copied();
        if let (Some(slot), Some(byte)) = (memory.get_mut(i), byte) {
            *slot = byte;
        }
    }
    Ok(Selected { btf, ids, stats })
}

impl Select<'_, '_, '_> {
    /// Passes 1 and 2 over file `file`, which is kept if it has candidates.
    #[inline(never)]
    fn read(&mut self, file: u8, marks: u32) -> Result<()> {
        let (tables, nodes) = (self.nodes_at, self.nodes);
        let mut blob = Blob::open(&mut self.work, file, self.blobs.first())?;
        blob.set_stride(marks);
        blob.marks_at = tables;
        self.make_room(tables, marks as usize);
        self.find_names(&mut blob);
        self.find_candidates(&mut blob);
        self.work.check()?;
        if file > 0 && self.nodes == nodes {
            self.work.remove(tables, self.nodes_at.wrapping_sub(tables));
            self.nodes_at = tables;
            return Ok(());
        }
        let limit = MAX_CANDIDATE_MODULES as u32;
        self.blobs.push(blob).map_err(|_| Error::TooMany { what: Limit::Modules, limit })
    }

    /// The same over the modules, where some root type has no candidate in the kernel itself.
    fn modules(&mut self) -> Result<()> {
        self.wanted.only_missing(&mut self.work);
        while self.wanted.kinds != 0 {
            let file = self.blobs.len() as u8;
            if !self.work.source.next_module(file)? {
                break;
            }
            self.work.forget();
            self.work.stats.modules = self.work.stats.modules.wrapping_add(1);
            self.read(file, MODULE_BTF_MARKS)?;
        }
        Ok(())
    }

    /// Makes room for `len` words of tables at `at`, in front of the nodes.
    fn make_room(&mut self, at: usize, len: usize) {
        self.work.insert(at, len);
        self.nodes_at = self.nodes_at.wrapping_add(len);
    }

    /// The blob of file `file`.
    fn blob(&self, file: u8) -> Blob {
        self.blobs.get(usize::from(file)).copied().unwrap_or_default()
    }
}
