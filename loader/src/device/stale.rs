//! What loaders left on interfaces that were killed: rtnetlink's attachments live on without a process.
//!
//! A filter has its loader's number in its name ([`super::filter`]). An XDP program has none of ours, so it is pinned meanwhile as
//! `/sys/fs/bpf/corelet_xdp_PID_INDEX_MODE`, where there is a bpffs; by the pin the kernel knows it again.

use super::filter::{
    self, EGRESS, Filter, INGRESS, TCA_ACT_BPF_NAME, TCA_ACT_OPTIONS, TCA_BPF_NAME, TCA_KIND,
    TCA_MATCHALL_ACT, TCA_OPTIONS, TCMSG,
};
use super::interface;
use super::netlink::{Request, attr, word};
use crate::directory::Names;
use crate::number::{after, decimal};
use crate::say::{
    Arg::{N, S},
    say, text,
};
use crate::service::is_gone;
use crate::sys::{Fd, Kernel};
use crate::tracefs::Path;
use heapless::Vec;

const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
/// Interfaces, and attachments, that are looked at in one run.
const MAX: usize = 16;
/// Where the pins are.
const FOLDER: &str = "/sys/fs/bpf";
const PIN: &str = "corelet_xdp_";

fn pin(pid: u32, index: u32, mode: u32) -> Path {
    let mut path = Path::new();
    path.text(FOLDER).text("/").text(PIN);
    path.number(pid).text("_").number(index).text("_").number(mode);
    path
}

/// Has the next loader know the program again that an interface is given.
#[cold]
#[inline(never)]
pub(super) fn mark<K: Kernel>(kernel: &mut K, prog: Fd, index: u32, mode: u32) {
    let pid = kernel.pid();
    // without a bpffs it stays unknown
    let _ = pin(pid, index, mode).as_cstr().and_then(|path| kernel.obj_pin(prog, path));
}

/// Takes the mark away.
#[cold]
#[inline(never)]
pub(super) fn unmark<K: Kernel>(kernel: &mut K, pid: u32, index: u32, mode: u32) {
    let _ = pin(pid, index, mode).as_cstr().and_then(|path| kernel.remove(path, false));
}

/// Removes what loaders left whose process is gone.
#[cold]
#[inline(never)]
pub(super) fn clean<K: Kernel>(kernel: &mut K, socket: Fd) {
    clean_xdp(kernel, socket);
    clean_filters(kernel, socket);
}

#[cold]
#[inline(never)]
fn clean_xdp<K: Kernel>(kernel: &mut K, socket: Fd) {
    let mut folder = Path::new();
    let folder = folder.text(FOLDER).as_cstr();
    let Ok(mut names) = folder.and_then(|path| Names::open(kernel, path)) else { return };
    while let Ok(Some(name)) = names.next(kernel) {
        let Some(numbers) = after(name.as_bytes(), PIN.as_bytes()) else { continue };
        let mut numbers =
            numbers.split(|&b| b == b'_').map(|n| core::str::from_utf8(n).ok().and_then(decimal));
        let (Some(Some(pid)), Some(Some(index)), Some(Some(mode))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            continue;
        };
        if !is_gone(kernel, pid) {
            continue;
        }
        if let Ok(prog) = pin(pid, index, mode).as_cstr().and_then(|path| kernel.obj_get(path)) {
            if interface::take_xdp(kernel, socket, index, prog, mode).is_ok() {
                said(kernel, "XDP", index);
            }
            kernel.close(prog);
        }
        unmark(kernel, pid, index, mode);
    }
    names.close(kernel);
}

#[cold]
#[inline(never)]
fn clean_filters<K: Kernel>(kernel: &mut K, socket: Fd) {
    let mut indices: Vec<u32, MAX> = Vec::new();
    let mut request = Request::dump(RTM_GETQDISC, &[0; TCMSG / 4]);
    let all = request.ask_all(kernel, socket, &mut |kind, body| {
        let name = body.get(TCMSG..).and_then(|attrs| attr(attrs, TCA_KIND));
        if kind == RTM_NEWQDISC && name == Some(b"clsact\0") {
            // those beyond are looked at when these are clean
            let _ = indices.push(word(body, 4));
        }
    });
    if all.is_err() {
        return;
    }
    let mut left: Vec<(Filter, u32), MAX> = Vec::new();
    for &index in &indices {
        for parent in [INGRESS, EGRESS] {
            // what is gone meanwhile is not left
            let _ = filter::each(kernel, socket, index, parent, &mut |body| {
                if let Some((pid, qdisc)) = owner(body) {
                    let _ = left.push((Filter { qdisc, ..Filter::of(body) }, pid));
                }
            });
        }
    }
    for (filter, pid) in &left {
        if is_gone(kernel, *pid) && filter::remove(kernel, socket, filter).is_ok() {
            said(kernel, "tc", filter.index);
        }
    }
}

#[cold]
#[inline(never)]
fn said<K: Kernel>(kernel: &mut K, what: &str, index: u32) {
    let form = text!("removed a program (%) of interface %, which a killed loader left");
    say(kernel, form, &[S(what), N(index.into())]);
}

/// The process that a filter is named after, and whether the queueing discipline was its own; none for filters of others.
#[cold]
#[inline(never)]
fn owner(body: &[u8]) -> Option<(u32, bool)> {
    let options = attr(body.get(TCMSG..)?, TCA_OPTIONS)?;
    let name = match attr(options, TCA_BPF_NAME) {
        Some(name) => name,
        None => {
            let action = attr(attr(options, TCA_MATCHALL_ACT)?, 1)?;
            attr(attr(action, TCA_ACT_OPTIONS)?, TCA_ACT_BPF_NAME)?
        }
    };
    let mut parts = after(name, b"corelet_")?.split(|&b| b == b'_' || b == 0);
    let pid = decimal(core::str::from_utf8(parts.next()?).ok()?)?;
    Some((pid, parts.next() == Some(b"q")))
}
