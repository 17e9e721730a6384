//! What the loader hands over once everything is attached, and what it gets back: the interface to [`crate::stream`].

use crate::exit::Exit;
use crate::sys::{Fd, MapFd, Region};
use core::ffi::CStr;
use corelet_core::btf::Btf;
use corelet_core::pack::{OPEN_MAP, Printed};
pub use corelet_core::pack::{STREAM_FIXED, STREAM_PER_CPU};

/// How events and results are printed to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Length-prefixed records that `corelet decode` formats.
    Raw,
}

/// A created map. The other parameters are those of the pack's record of the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMap {
    /// Its descriptor, with the lengths of key and value.
    pub map: MapFd,
    /// Entries it was created with: CPUs of a perf event array, bytes of a ring buffer.
    pub max_entries: u32,
}

const _: () = assert!(size_of::<OpenMap>() <= OPEN_MAP);

/// One loaded object. Sections are the pack's checked bytes; read them with `corelet_core::pack::Checked`.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The object's name.
    pub name: &'a str,
    /// The object's digest, which names it in raw output.
    pub digest: [u8; 32],
    /// The pack's BTF, with the pointer size of BPF objects (8).
    pub btf: Btf<'a>,
    /// Section `MAPS`.
    pub maps: &'a [u8],
    /// The created maps, by map number.
    pub open: &'a [OpenMap],
    /// Section `EVENTS`, maybe empty.
    pub events: &'a [u8],
    /// Section `RESULTS`, maybe empty.
    pub results: &'a [u8],
    /// Section `HINTS`, maybe empty.
    pub hints: &'a [u8],
    /// Section `VIEWS`, maybe empty.
    pub views: &'a [u8],
}

impl<'a> Source<'a> {
    /// What says how much memory printing takes.
    pub fn printed(&self) -> Printed<'a> {
        let &Source { btf, maps, events, results, hints, views, .. } = self;
        Printed { btf, maps, events, results, hints, views }
    }
}

/// Bytes of memory that the stream's buffers are promised.
pub fn stream_bytes(cpus: u32) -> usize {
    STREAM_FIXED.saturating_add(STREAM_PER_CPU.saturating_mul(cpus)) as usize
}

/// Everything that streaming needs.
pub struct Job<'a> {
    /// The loaded objects.
    pub sources: &'a [Source<'a>],
    /// How to print.
    pub output: Output,
    /// Where to, as `--output` says; `None` for standard output.
    pub to: Option<&'a CStr>,
    /// Bytes of a file before it is rotated; 0 for never.
    pub rotate: u64,
    /// End by the clock of [`crate::sys::Kernel::now`], in nanoseconds; `None` to run until stopped.
    pub deadline: Option<u64>,
    /// Nanoseconds from one print of the results to the next; `None` to print them at the end only.
    pub interval: Option<u64>,
    /// Readable when the loader is asked to stop.
    pub stop: Fd,
    /// Possible CPUs: numbers run from 0 to one below, and per-CPU values have this many slots.
    pub cpus: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// Memory of any content, 8-aligned: [`stream_bytes`] for the stream's buffers, then what printing takes
    /// ([`corelet_core::pack::Printing`]). Where several objects are printed and it does not last, more is taken, which their
    /// formulas have.
    pub memory: Region,
}

/// What came of streaming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events printed.
    pub events: u64,
    /// Events that the kernel dropped because a buffer was full.
    pub lost: u64,
    /// Events that were read but not printed because the output did not take them.
    pub dropped: u64,
    /// Events that were shorter or longer than the type that the pack gives them.
    pub misfits: u64,
}

/// Result of [`crate::stream::Channels::follow`]; the reason was said on stderr.
pub type Streamed = Result<Summary, Exit>;
