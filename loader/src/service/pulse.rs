//! Signs of life while events are read: to the supervisor by `NOTIFY_SOCKET` (`sd_notify(3)`; nothing of it is needed), and to
//! `status` by the counts in the service's state.

use super::{environ, state};
use crate::device;
use crate::exit::Done;
use crate::job::Summary;
use crate::number;
use crate::say::{
    Arg::{E, N},
    print, say, text,
};
use crate::session::Session;
use crate::sys::{Address, Errno, Fd, Kernel, MapFd};
use crate::undo::Ledger;

/// How long counts may be behind, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// What is told, and when next.
pub struct Pulse<'l> {
    ledger: &'l mut Ledger,
    /// Descriptors in the ledger before anything was attached.
    before: usize,
    socket: Option<Fd>,
    state: Option<MapFd>,
    /// Time between two beats of the watchdog, in nanoseconds; none without one.
    period: Option<u64>,
    beat: u64,
    told: Summary,
    tell: u64,
    /// What is readable when interfaces change.
    pub told_of_interfaces: Option<Fd>,
    /// The privileges that are left when reading begins; all where it is `None`.
    #[cfg(feature = "privileges")]
    pub kept: Option<crate::privileges::Kept>,
}

impl<'l> Pulse<'l> {
    /// Nobody is told anything; at the end is detached what is in the ledger from number `before` on.
    pub fn new(ledger: &'l mut Ledger, before: usize) -> Self {
        let told = Summary::default();
        Pulse {
            ledger,
            before,
            socket: None,
            state: None,
            period: None,
            beat: 0,
            told,
            tell: 0,
            told_of_interfaces: None,
            #[cfg(feature = "privileges")]
            kept: None,
        }
    }

    /// Tells the supervisor that everything is attached.
    #[cold]
    #[inline(never)]
    pub fn start<K: Kernel>(kernel: &mut K, session: &'l mut Session<'_>, state: Option<MapFd>) -> Self {
        let mut pulse = Pulse::new(&mut session.ledger, session.attached_from);
        pulse.state = state;
        if !super::BUILT {
            return pulse;
        }
        let Some(address) = environ::variable(kernel, "NOTIFY_SOCKET") else { return pulse };
        let address = Address::unix(address.as_bytes(), true).ok_or(Errno::EINVAL);
        match address.and_then(|address| kernel.connect(&address)) {
            // a descriptor too many is said, and closed
            Ok(fd) => pulse.socket = pulse.ledger.keep(kernel, fd).ok(),
            Err(e) => say(kernel, text!("NOTIFY_SOCKET: %; going on without it"), &[E(e)]),
        }
        pulse.period = period(kernel).filter(|_| pulse.socket.is_some());
        pulse.send(kernel, text!("READY=1\nSTATUS=attached"), &[]);
        pulse
    }

    /// Gives up the privileges that nothing still to come takes: everything is open by now.
    ///
    /// # Errors
    /// That of [`crate::privileges::give_up`].
    #[inline(always)]
    pub fn begin<K: Kernel>(&self, kernel: &mut K) -> Done<()> {
        #[cfg(feature = "privileges")]
        if let Some(kept) = &self.kept {
            return crate::privileges::give_up(kernel, kept);
        }
        let _ = kernel;
        Ok(())
    }

    fn send<K: Kernel>(&self, kernel: &mut K, form: &str, args: &[crate::say::Arg<'_>]) {
        if let (true, Some(socket)) = (super::BUILT, self.socket) {
            print(kernel, socket, form, args);
        }
    }

    /// Does what is due; gives the milliseconds until something is again, if anything will be.
    #[inline(never)]
    pub fn beat<K: Kernel>(&mut self, kernel: &mut K, sum: &Summary) -> Option<u32> {
        if !super::BUILT || (self.socket.is_none() && self.state.is_none()) {
            return None;
        }
        let now = kernel.now();
        let mut next = None;
        if *sum != self.told {
            if now >= self.tell {
                self.tell(kernel, sum);
                self.tell = now.saturating_add(SECOND);
            } else {
                next = Some(self.tell);
            }
        }
        if let Some(period) = self.period {
            if now >= self.beat {
                self.send(kernel, text!("WATCHDOG=1"), &[]);
                self.beat = now.saturating_add(period);
            }
            next = Some(next.unwrap_or(u64::MAX).min(self.beat));
        }
        let left = next?.saturating_sub(now).div_ceil(1_000_000);
        Some(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn tell<K: Kernel>(&mut self, kernel: &mut K, sum: &Summary) {
        if let Some(map) = &self.state {
            // a count that is behind is no reason to stop
            let _ = state::count(kernel, map, sum);
        }
        let args = [N(sum.events), N(sum.lost), N(sum.dropped)];
        self.send(kernel, text!("STATUS=% events, % lost by the kernel, % dropped by a slow output"), &args);
        self.told = *sum;
    }

    /// Attaches again to interfaces that came back, of which the kernel told.
    #[cold]
    #[inline(never)]
    pub fn interfaces<K: Kernel>(&mut self, kernel: &mut K) {
        if let (true, Some(told)) = (device::BUILT, self.told_of_interfaces) {
            device::changed(kernel, self.ledger, told);
        }
    }

    /// Tells that it ends, and detaches: what the programs reported until then is still to be read.
    #[inline(never)]
    pub fn stop<K: Kernel>(&mut self, kernel: &mut K) {
        self.send(kernel, text!("STOPPING=1"), &[]);
        // the socket is behind what was attached
        self.socket = None;
        self.state = None;
        self.ledger.undo_from(kernel, self.before);
    }
}

/// Half of what the supervisor waits for a sign, where it waits for this process: `WATCHDOG_USEC`, `WATCHDOG_PID`.
fn period<K: Kernel>(kernel: &mut K) -> Option<u64> {
    if let Some(pid) = environ::variable(kernel, "WATCHDOG_PID")
        && number::decimal(&pid) != Some(kernel.pid())
    {
        return None;
    }
    let (_, micros) = number::integer(&environ::variable(kernel, "WATCHDOG_USEC")?)?;
    Some(micros.saturating_mul(1000 / 2)).filter(|&period| period > 0)
}
