//! What is attached to interfaces and is not undone by closing a descriptor, or is attached again when they come back.

use super::filter::{self, Filter};
use super::interface;
use super::netlink::Refused;
use super::stale;
use crate::rare::Rare;
use crate::say::{
    Arg::{E, S},
    say, text,
};
use crate::sys::{Errno, Fd, Kernel, Sys};
use corelet_core::device::{How, Kind, MAX_INTERFACE};
use heapless::String;

/// Attachments of one run: 1 KiB.
const MAX_ENTRIES: usize = 16;

/// What keeps a program attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing: the interface is not there.
    Nothing,
    /// A link, which the ledger has.
    Link(Fd),
    /// The interface itself (XDP by rtnetlink).
    Xdp,
    /// A filter.
    Filter(Filter),
}

/// One attachment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What it is.
    pub(super) kind: Kind,
    /// How the place says.
    pub(super) how: How,
    /// The interface.
    pub(super) name: String<MAX_INTERFACE, u8>,
    /// The interface's index; 0 where there is none.
    pub(super) index: u32,
    /// `expected_attach_type` of the program.
    pub(super) attach_type: u32,
    /// The program, which the ledger has.
    pub(super) prog: Fd,
    /// What keeps it.
    pub(super) hold: Hold,
}

/// All attachments, and the socket that undoing them takes: it is open before there is one.
#[derive(Default)]
pub struct Attached {
    socket: Option<Fd>,
    entries: Rare<Entry, MAX_ENTRIES>,
}

impl Attached {
    /// The socket to rtnetlink.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` or `EAFNOSUPPORT` where the kernel has no network.
    #[cold]
    #[inline(never)]
    pub(super) fn socket<K: Kernel>(&mut self, kernel: &mut K) -> Sys<Fd> {
        match self.socket {
            Some(socket) => Ok(socket),
            None => {
                let socket = kernel.netlink(0)?;
                self.socket = Some(socket);
                // before anything is attached, that an interface is not taken by what nobody has any more
                stale::clean(kernel, socket);
                Ok(socket)
            }
        }
    }

    /// Takes an attachment; where there is no room it is undone, and that is `false`.
    #[cold]
    #[inline(never)]
    pub(super) fn push<K: Kernel>(&mut self, kernel: &mut K, entry: Entry) -> bool {
        match self.entries.push(kernel, entry) {
            Ok(()) => true,
            Err(entry) => {
                self.undo_one(kernel, &entry);
                false
            }
        }
    }

    /// The attachments.
    pub(super) fn entries(&mut self) -> &mut Rare<Entry, MAX_ENTRIES> {
        &mut self.entries
    }

    /// Whether there is anything to undo.
    pub fn is_empty(&self) -> bool {
        self.socket.is_none()
    }

    /// Undoes all, the last first, while the programs are open: by them the kernel knows what is ours. What cannot be undone is said.
    #[cold]
    #[inline(never)]
    pub fn undo<K: Kernel>(&mut self, kernel: &mut K) {
        while let Some(entry) = self.entries.pop() {
            self.undo_one(kernel, &entry);
        }
        if let Some(socket) = self.socket.take() {
            kernel.close(socket);
        }
    }

    fn undo_one<K: Kernel>(&mut self, kernel: &mut K, entry: &Entry) {
        let Some(socket) = self.socket else { return };
        let done = match &entry.hold {
            Hold::Nothing | Hold::Link(_) => return,
            Hold::Xdp => {
                let mode = interface::mode(&entry.how);
                let done = interface::take_xdp(kernel, socket, entry.index, entry.prog, mode);
                let pid = kernel.pid();
                stale::unmark(kernel, pid, entry.index, mode);
                done
            }
            Hold::Filter(filter) => filter::remove(kernel, socket, filter),
        };
        match done {
            // the interface is gone, and all of it; or somebody was faster
            Ok(()) | Err(Refused { errno: Errno::ENODEV | Errno::ENOENT | Errno::EEXIST, .. }) => {}
            Err(Refused { errno, words }) => {
                let args = [S(&entry.name), E(errno), S(&words)];
                say(kernel, text!("%: cannot detach: % %"), &args);
            }
        }
    }
}
