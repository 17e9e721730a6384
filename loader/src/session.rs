//! What all steps of one run of the loader share.

use crate::args::Options;
use crate::identity::Identity;
use crate::service::Service;
use crate::undo::Ledger;
use heapless::Vec;

/// One run.
pub struct Session<'o> {
    /// The command line.
    pub options: &'o Options<'o>,
    /// The running kernel.
    pub identity: Identity,
    /// What is to be undone.
    pub ledger: Ledger,
    /// Descriptors in the ledger before anything was attached.
    pub attached_from: usize,
    /// The folder of a `load` or a `run --name`.
    pub service: Option<Service<'o>>,
    /// Which `--set` options found their variable, a bit each.
    pub sets_used: u32,
    /// Which `--attach` options found their program, a bit each.
    pub attaches_used: u32,
    /// Specs of USDT probes so far, which are numbered from 0.
    pub usdt_specs: u32,
    /// Programs loaded, relocations patched and poisoned so far.
    pub counts: Counts,
    /// Maps that are pinned by their names once everything runs: place of the object among those loaded, number of the map.
    pub to_pin: Vec<(u8, u16), MAX_PINS>,
}

impl<'o> Session<'o> {
    /// A run that has done nothing yet.
    #[inline(always)] // one that is returned would be copied
    pub fn new(options: &'o Options<'o>, identity: Identity) -> Self {
        Session {
            options,
            identity,
            ledger: Ledger::default(),
            attached_from: 0,
            service: None,
            sets_used: 0,
            attaches_used: 0,
            usdt_specs: 0,
            counts: Counts::default(),
            to_pin: Vec::new(),
        }
    }
}

/// Maps of one pack that a run may have to pin.
pub const MAX_PINS: usize = 16;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Programs loaded.
    pub programs: u32,
    /// Programs skipped.
    pub skipped: u32,
    /// Programs attached to what has yet to happen.
    pub waiting: u32,
    /// Iterators, whose text is printed.
    pub iterators: u32,
    /// Maps created.
    pub maps: u32,
    /// Relocations that patched an instruction.
    pub patched: u32,
    /// Relocations that poisoned one.
    pub poisoned: u32,
}
