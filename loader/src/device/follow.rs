//! `--follow`: what is attached to an interface is attached again when it comes back.
//!
//! The kernel tells of every change of an interface (`RTMGRP_LINK`). What it says is not read: telling is lossy where many come at
//! once, so each name is looked up anew, and an index that is another one is another interface.

use super::attached::Hold;
use super::interface;
use super::netlink::Refused;
use crate::exit::Done;
use crate::say::{
    Arg::{E, S},
    failed, say, text,
};
use crate::sys::{Errno, Fd, Kernel};
use crate::undo::Ledger;

/// `RTMGRP_LINK`
const LINKS: u32 = 1;

/// A descriptor that is readable when something of an interface changes.
///
/// # Errors
/// Of the call, said.
#[cold]
#[inline(never)]
pub fn listen<K: Kernel>(kernel: &mut K, ledger: &mut Ledger) -> Done<Fd> {
    match kernel.netlink(LINKS) {
        Ok(fd) => ledger.keep(kernel, fd),
        Err(e) => Err(failed(kernel, "--follow", e)),
    }
}

/// Looks what became of the interfaces, and attaches to those that are new.
#[cold]
#[inline(never)]
pub fn changed<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, told: Fd) {
    // one datagram a time, of which nothing is needed; what is lost is an error and as good
    let _ = kernel.read(told, &mut [0; 64]);
    let Ok(socket) = ledger.device.socket(kernel) else { return };
    for at in 0..ledger.device.entries().len() {
        let Some(mut entry) = ledger.device.entries().get_mut(at).cloned() else { continue };
        let (before, hold) = (entry.index, entry.hold);
        match interface::find(kernel, socket, &entry.name) {
            Ok(found) if found.index == before => continue,
            Ok(_) => match entry.attach(kernel, ledger) {
                Ok(()) => say(kernel, text!("% is back: attached again"), &[S(&entry.name)]),
                Err(Refused { errno, words }) => {
                    let args = [S(&entry.name), E(errno), S(&words)];
                    say(kernel, text!("% is back, and cannot be attached to again: % %"), &args);
                }
            },
            Err(Refused { errno: Errno::ENODEV, .. }) if before != 0 => {
                say(kernel, text!("% is gone; what is attached to it waits"), &[S(&entry.name)]);
                (entry.index, entry.hold) = (0, Hold::Nothing);
            }
            Err(_) => continue,
        }
        if let Hold::Link(link) = hold {
            ledger.release(kernel, link);
        }
        if let Some(slot) = ledger.device.entries().get_mut(at) {
            *slot = entry;
        }
    }
}
