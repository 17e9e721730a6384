//! Programs on network devices and in netfilter: XDP, tc, actions, netkit.
//!
//! By a link where the kernel has one for them, which goes with its descriptor; else by rtnetlink (`interface`, `filter`), and
//! what was attached so is in the ledger ([`Attached`]) and taken away at the end. Nothing here runs for packs without such programs
//! but `stale`, where the feature `net` is on; the module's name puts it where it is no memory then (link.ld).

mod attached;
mod filter;
mod follow;
mod interface;
mod netlink;
mod refuse;
mod stale;
mod values;

pub use attached::Attached;
pub use follow::{changed, listen};
pub use values::hold;

use crate::exit::{Done, Exit};
use crate::object::Sections;
use crate::plan::optional;
use crate::say::{
    Arg::{P, S},
    fail, say, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, LinkSpec};
use crate::undo::Ledger;
use attached::{Entry, Hold};
use corelet_core::device::option::{AFTER, BEFORE, DEFRAG, EGRESS, FIRST, INGRESS, LAST, NETLINK, PRIORITY};
use corelet_core::device::{How, Kind, Place};
use corelet_core::pack::{Attach, Program};
use heapless::String;
use netlink::Refused;

/// Whether the loader has any of this; without it, `args` refuses what asks for it.
pub const BUILT: bool = cfg!(feature = "net");

/// `enum bpf_attach_type`
const XDP: u32 = 37;
const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;
/// `BPF_F_BEFORE`, `BPF_F_AFTER` and `BPF_F_ID` of `BPF_LINK_CREATE`.
const F_BEFORE: u32 = 1 << 3;
const F_AFTER: u32 = 1 << 4;
const F_ID: u32 = 1 << 5;

/// A loaded program of an object.
pub struct Job<'x, 'a> {
    /// Its object.
    pub s: &'x Sections<'a>,
    /// Its number.
    pub number: u16,
    /// Its record.
    pub program: &'x Program<'a>,
    /// Its descriptor.
    pub prog: Fd,
}

/// Attaches a program to where the command line or the pack says. Whether it is attached: an optional one whose interface is not
/// there is reported and left.
///
/// # Errors
/// Said: which interface, why, what to do.
#[cold]
#[inline(never)]
pub fn attach<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, job: &Job<'_, '_>) -> Done<bool> {
    let (program, options) = (job.program, session.options);
    let kind = Kind::of(program.prog_type, program.expected_attach_type);
    let (Attach::Device { place: words }, Some(kind)) = (program.attach, kind) else {
        return Err(crate::plan::refuse(kernel, job.s, program, Errno::EOPNOTSUPP));
    };
    let place = match Place::parse(words, kind) {
        Ok(place) => place,
        Err(_) if words.is_empty() => return Err(job.nowhere(kernel, kind)),
        Err(word) => {
            let form = text!("%: cannot attach % (%) to %: `%` cannot stand there");
            let args = [S(job.s.object.name), S(program.name), S(program.section), S(words), S(word)];
            return Err(fail(kernel, Exit::Usage, form, &args));
        }
    };
    if kind == Kind::Netfilter {
        return job.to(kernel, session, kind, &place);
    }
    if options.interfaces.is_empty() {
        return if place.interface.is_empty() {
            Err(job.nowhere(kernel, kind))
        } else {
            job.to(kernel, session, kind, &place)
        };
    }
    let mut any = false;
    for &interface in &options.interfaces {
        any |= job.to(kernel, session, kind, &Place { interface, ..place })?;
    }
    Ok(any)
}

impl Job<'_, '_> {
    /// Says that nothing names a place.
    #[cold]
    #[inline(never)]
    fn nowhere<K: Kernel>(&self, kernel: &mut K, kind: Kind) -> Exit {
        let name = [S(self.program.name)];
        let how = if kind == Kind::Netfilter {
            P(text!("--attach %=FAMILY,HOOK"), &name)
        } else {
            P(text!("--interface IF, or --attach %=IF"), &name)
        };
        let args = [S(self.s.object.name), S(self.program.name), S(self.program.section), how];
        fail(kernel, Exit::Usage, text!("%: % (%) is attached to nothing that the pack names: say %"), &args)
    }

    /// Attaches to one place.
    #[cold]
    #[inline(never)]
    fn to<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        kind: Kind,
        place: &Place<'_>,
    ) -> Done<bool> {
        let mut entry = Entry {
            kind,
            how: place.how,
            // no longer than the grammar takes
            name: String::try_from(place.interface).unwrap_or_default(),
            index: 0,
            attach_type: self.program.expected_attach_type,
            prog: self.prog,
            hold: Hold::Nothing,
        };
        let is_tc = matches!(kind, Kind::Tc | Kind::Action);
        if is_tc && !entry.how.has(INGRESS | EGRESS) {
            entry.how.options |= match entry.attach_type {
                TCX_INGRESS => INGRESS,
                TCX_EGRESS => EGRESS,
                _ => return Err(self.refuse(kernel, &entry, &Errno::EINVAL.into())),
            };
        }
        let done = entry.attach(kernel, &mut session.ledger);
        match done {
            Ok(()) => {}
            Err(Refused { errno: Errno::ENODEV, .. }) if session.options.follow && entry.index == 0 => {
                let args = [S(self.s.object.name), S(self.program.name), S(&entry.name)];
                say(kernel, text!("%: % waits for the interface %"), &args);
            }
            Err(Refused { errno: Errno::ENODEV, .. })
                if entry.index == 0 && optional(self.s, self.number) =>
            {
                session.counts.skipped = session.counts.skipped.saturating_add(1);
                let args = [S(self.s.object.name), S(self.program.name), S(&entry.name)];
                say(kernel, text!("%: skipped %: there is no interface %"), &args);
                return Ok(false);
            }
            Err(refused) => return Err(self.refuse(kernel, &entry, &refused)),
        }
        // what has a link and is not followed needs no memory of it
        let kept = matches!(entry.hold, Hold::Xdp | Hold::Filter(_)) || session.options.follow;
        if kept && kind != Kind::Netfilter && !session.ledger.device.push(kernel, entry) {
            return Err(fail(kernel, Exit::NotPortable, text!("more attachments to devices than 16"), &[]));
        }
        session.counts.waiting = session.counts.waiting.saturating_add(1);
        Ok(true)
    }
}

impl Entry {
    /// Attaches to what has the entry's name now; where that fails, nothing is left.
    ///
    /// # Errors
    /// `ENODEV` with `index` 0 where there is no such interface.
    #[cold]
    #[inline(never)]
    fn attach<K: Kernel>(&mut self, kernel: &mut K, ledger: &mut Ledger) -> Result<(), Refused> {
        self.index = 0;
        self.hold = Hold::Nothing;
        if self.kind == Kind::Netfilter {
            let How { family, hook, priority, .. } = self.how;
            let rest = [family.into(), hook.into(), priority as u32, self.how.has(DEFRAG).into()];
            return self.link(kernel, ledger, self.attach_type, 0, rest);
        }
        let socket = ledger.device.socket(kernel)?;
        self.index = interface::find(kernel, socket, &self.name)?.index;
        match self.kind {
            Kind::Xdp => self.xdp(kernel, ledger, socket),
            Kind::Netkit => {
                let (flags, relative) = self.order();
                self.link(kernel, ledger, self.attach_type, flags, [relative, 0, 0, 0])
            }
            _ => self.tc(kernel, ledger, socket),
        }
    }

    /// By a link, which the ledger has then.
    #[cold]
    #[inline(never)]
    fn link<K: Kernel>(
        &mut self,
        kernel: &mut K,
        ledger: &mut Ledger,
        attach_type: u32,
        flags: u32,
        rest: [u32; 4],
    ) -> Result<(), Refused> {
        let spec = LinkSpec { target: self.index, attach_type, flags, rest };
        let link = kernel.link_create(self.prog, &spec)?;
        ledger.keep(kernel, link).map_err(|_| Errno::EMFILE)?;
        self.hold = Hold::Link(link);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn xdp<K: Kernel>(&mut self, kernel: &mut K, ledger: &mut Ledger, socket: Fd) -> Result<(), Refused> {
        use corelet_core::device::option::REPLACE;
        let mode = interface::mode(&self.how);
        let replace = self.how.has(REPLACE);
        if !replace && !self.how.has(NETLINK) {
            match self.link(kernel, ledger, XDP, mode, [0; 4]) {
                // before 5.9
                Err(Refused { errno: Errno::EINVAL, .. }) => {}
                done => return done,
            }
        }
        let flags = if replace { mode } else { mode | interface::UPDATE_IF_NOEXIST };
        interface::set_xdp(kernel, socket, self.index, self.prog, flags)?;
        self.hold = Hold::Xdp;
        stale::mark(kernel, self.prog, self.index, mode);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn tc<K: Kernel>(&mut self, kernel: &mut K, ledger: &mut Ledger, socket: Fd) -> Result<(), Refused> {
        let (ingress, action) = (self.how.has(INGRESS), self.kind == Kind::Action);
        if !action && !self.how.has(NETLINK | PRIORITY) {
            let (flags, relative) = self.order();
            let attach_type = if ingress { TCX_INGRESS } else { TCX_EGRESS };
            match self.link(kernel, ledger, attach_type, flags, [relative, 0, 0, 0]) {
                // before 6.6; an order among others is a thing of tcx alone
                Err(Refused { errno: Errno::EINVAL, .. }) if flags == 0 => {}
                done => return done,
            }
        }
        let parent = if ingress { filter::INGRESS } else { filter::EGRESS };
        let priority = self.how.priority.unsigned_abs();
        let filter = filter::add(kernel, socket, (self.index, parent), self.prog, priority, action)?;
        self.hold = Hold::Filter(filter);
        Ok(())
    }

    /// Flags and the program of tcx and netkit that say where among others.
    fn order(&self) -> (u32, u32) {
        let by_id = if self.how.has(BEFORE | AFTER) { F_ID } else { 0 };
        let before = if self.how.has(FIRST | BEFORE) { F_BEFORE } else { 0 };
        let after = if self.how.has(LAST | AFTER) { F_AFTER } else { 0 };
        (by_id | before | after, self.how.relative)
    }
}
