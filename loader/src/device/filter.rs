//! Traffic control on kernels without tcx: filters at a clsact queueing discipline, by rtnetlink.
//!
//! A filter of ours is named `corelet_PID`, with `_q` behind it where the discipline is ours too, so that what a killed loader left
//! is known ([`super::stale`]).
//! Source: `include/uapi/linux/pkt_sched.h`, `pkt_cls.h` and `tc_act/tc_bpf.h`, tc-bpf(8).

use super::netlink::{self, F_CREATE, F_ECHO, F_EXCL, Refused, Request};
use crate::sys::{Errno, Fd, Kernel};
use crate::tracefs::Path;

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
/// Bytes of `struct tcmsg`: family, index, handle, parent, info.
pub(super) const TCMSG: usize = 20;
pub(super) const TCA_KIND: u16 = 1;
pub(super) const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
pub(super) const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
/// `TCA_BPF_FLAG_ACT_DIRECT`: what the program returns is done.
const ACT_DIRECT: u32 = 1;
pub(super) const TCA_MATCHALL_ACT: u16 = 2;
const TCA_ACT_KIND: u16 = 1;
pub(super) const TCA_ACT_OPTIONS: u16 = 2;
const TCA_ACT_BPF_PARMS: u16 = 2;
const TCA_ACT_BPF_FD: u16 = 5;
pub(super) const TCA_ACT_BPF_NAME: u16 = 6;
/// `TC_ACT_PIPE`, what follows where the program has no opinion.
const PIPE: u32 = 3;
/// `TC_H_CLSACT`, the discipline's parent, and its handle.
const CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
/// Parents of filters: `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`, and of `TC_H_MIN_EGRESS`.
pub(super) const INGRESS: u32 = 0xffff_fff2;
pub(super) const EGRESS: u32 = 0xffff_fff3;
/// `htons(ETH_P_ALL)`
const ALL: u16 = u16::to_be(3);

/// A filter that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// The interface's index.
    pub(super) index: u32,
    /// [`INGRESS`] or [`EGRESS`].
    pub(super) parent: u32,
    /// Its number among those of its priority.
    pub(super) handle: u32,
    /// Priority and protocol, `tcm_info`.
    pub(super) info: u32,
    /// Whether the discipline is ours.
    pub(super) qdisc: bool,
}

impl Filter {
    fn fixed(&self) -> [u32; TCMSG / 4] {
        [0, self.index, self.handle, self.parent, self.info]
    }

    /// What a message on a filter says; the discipline is somebody else's.
    pub(super) fn of(body: &[u8]) -> Filter {
        let [index, handle, parent, info] = [4, 8, 12, 16].map(|at| netlink::word(body, at));
        Filter { index, parent, handle, info, qdisc: false }
    }
}

/// Adds a filter that runs the program, at `parent` of an interface; `priority` 0 leaves it to the kernel. `action` programs are
/// the action of a filter that takes every packet.
///
/// # Errors
/// `ENOENT` where the kernel lacks clsact or such filters.
#[cold]
#[inline(never)]
pub(super) fn add<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    (index, parent): (u32, u32),
    prog: Fd,
    priority: u32,
    action: bool,
) -> Result<Filter, Refused> {
    let mut request = Request::new(RTM_NEWQDISC, F_CREATE | F_EXCL, &[0, index, CLSACT_HANDLE, CLSACT, 0]);
    let qdisc = match request.name(TCA_KIND, "clsact").ask(kernel, socket, &mut |_, _| ()) {
        Ok(()) => true,
        Err(Refused { errno: Errno::EEXIST, .. }) => false,
        Err(refused) => return Err(refused),
    };
    let mut filter =
        Filter { index, parent, handle: action.into(), info: priority << 16 | u32::from(ALL), qdisc };
    let mut name = Path::new();
    name.text("corelet_").number(kernel.pid()).text(if qdisc { "_q" } else { "" });
    let mut request = Request::new(RTM_NEWTFILTER, F_CREATE | F_EXCL | F_ECHO, &filter.fixed());
    if action {
        with_action(&mut request, prog, name.as_str());
    } else {
        request.name(TCA_KIND, "bpf");
        let options = request.nest(TCA_OPTIONS);
        request.attr(TCA_BPF_FD, &prog.0.to_ne_bytes()).name(TCA_BPF_NAME, name.as_str());
        request.number(TCA_BPF_FLAGS, ACT_DIRECT);
        request.end(options);
    }
    let done = request.ask(kernel, socket, &mut |kind, body| {
        if kind == RTM_NEWTFILTER {
            let told = Filter::of(body);
            // matchall has one filter, and does not tell of its handle
            filter = Filter { qdisc, handle: told.handle.max(action.into()), ..told };
        }
    });
    // without the echo nobody could remove it again
    let done = if done.is_ok() && filter.handle == 0 { Err(Errno::EIO.into()) } else { done };
    match done {
        Ok(()) => Ok(filter),
        Err(refused) => {
            if qdisc {
                // what refuses the filter is what is said
                let _ = remove_qdisc(kernel, socket, index);
            }
            Err(refused)
        }
    }
}

#[cold]
#[inline(never)]
fn with_action(request: &mut Request, prog: Fd, name: &str) {
    request.name(TCA_KIND, "matchall");
    let options = request.nest(TCA_OPTIONS);
    let actions = request.nest(TCA_MATCHALL_ACT);
    let first = request.nest(1);
    request.name(TCA_ACT_KIND, "bpf");
    let bpf = request.nest(TCA_ACT_OPTIONS);
    // `struct tc_act_bpf`: index, capabilities, action, counts of references
    let parms = [[0; 4], [0; 4], PIPE.to_ne_bytes(), [0; 4], [0; 4]];
    request.attr(TCA_ACT_BPF_PARMS, parms.as_flattened());
    request.attr(TCA_ACT_BPF_FD, &prog.0.to_ne_bytes()).name(TCA_ACT_BPF_NAME, name);
    for at in [bpf, first, actions, options] {
        request.end(at);
    }
}

/// Removes a filter, and the discipline where it is ours and nobody has a filter there.
///
/// # Errors
/// `ENOENT` where somebody removed it.
#[cold]
#[inline(never)]
pub(super) fn remove<K: Kernel>(kernel: &mut K, socket: Fd, filter: &Filter) -> Result<(), Refused> {
    let mut request = Request::new(RTM_DELTFILTER, 0, &filter.fixed());
    request.ask(kernel, socket, &mut |_, _| ())?;
    if !filter.qdisc {
        return Ok(());
    }
    let mut any = false;
    for parent in [INGRESS, EGRESS] {
        each(kernel, socket, filter.index, parent, &mut |_| any = true)?;
    }
    if any { Ok(()) } else { remove_qdisc(kernel, socket, filter.index) }
}

/// Hears of each filter at a parent of an interface: the bytes of `struct tcmsg` and attributes. A priority is told of apart from its
/// filters, without a handle; that is left out.
///
/// # Errors
/// As of the request.
#[cold]
#[inline(never)]
pub(super) fn each<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    index: u32,
    parent: u32,
    hear: &mut dyn FnMut(&[u8]),
) -> Result<(), Refused> {
    let mut request = Request::dump(RTM_GETTFILTER, &[0, index, 0, parent, 0]);
    request.ask_all(kernel, socket, &mut |kind, body| {
        if kind == RTM_NEWTFILTER && Filter::of(body).handle != 0 {
            hear(body);
        }
    })
}

#[cold]
#[inline(never)]
fn remove_qdisc<K: Kernel>(kernel: &mut K, socket: Fd, index: u32) -> Result<(), Refused> {
    Request::new(RTM_DELQDISC, 0, &[0, index, CLSACT_HANDLE, CLSACT, 0]).ask(kernel, socket, &mut |_, _| ())
}
