//! Interfaces: the index of a name, and the XDP program that one has.

use super::netlink::{self, Refused, Request};
use crate::sys::{Errno, Fd, Kernel};
use corelet_core::device::How;
use corelet_core::device::option::{GENERIC, NATIVE, OFFLOAD};

const RTM_SETLINK: u16 = 19;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
/// Bytes of `struct ifinfomsg`; the index is its second word.
const IFINFO: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_FLAGS: u16 = 3;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_EXPECTED_FD: u16 = 8;
/// `RTEXT_FILTER_SKIP_STATS`
const SKIP_STATS: u32 = 1 << 3;

/// `XDP_FLAGS_*`
pub(super) const UPDATE_IF_NOEXIST: u32 = 1;
const SKB_MODE: u32 = 2;
const DRV_MODE: u32 = 4;
const HW_MODE: u32 = 8;
const REPLACE: u32 = 16;

/// What is known of an interface.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interface {
    /// Its index.
    pub(super) index: u32,
    /// Id of the XDP program that it has; 0 for none.
    pub(super) xdp: u32,
}

/// The interface of this name.
///
/// # Errors
/// `ENODEV` where there is none.
#[cold]
#[inline(never)]
pub(super) fn find<K: Kernel>(kernel: &mut K, socket: Fd, name: &str) -> Result<Interface, Refused> {
    let mut found = Interface::default();
    let mut request = Request::new(RTM_GETLINK, 0, &[0; IFINFO / 4]);
    request.name(IFLA_IFNAME, name).number(IFLA_EXT_MASK, SKIP_STATS);
    request.ask(kernel, socket, &mut |kind, body| {
        if kind == RTM_NEWLINK {
            let xdp = body.get(IFINFO..).and_then(|attrs| netlink::attr(attrs, IFLA_XDP));
            let id = xdp.and_then(|xdp| netlink::attr(xdp, IFLA_XDP_PROG_ID));
            found = Interface { index: netlink::word(body, 4), xdp: id.map_or(0, |id| netlink::word(id, 0)) };
        }
    })?;
    if found.index == 0 { Err(Errno::ENODEV.into()) } else { Ok(found) }
}

/// `XDP_FLAGS_*` of the mode that a place names.
pub(super) fn mode(how: &How) -> u32 {
    let flag = |option, flag| if how.has(option) { flag } else { 0 };
    flag(GENERIC, SKB_MODE) | flag(NATIVE, DRV_MODE) | flag(OFFLOAD, HW_MODE)
}

/// Gives an interface an XDP program, by rtnetlink.
///
/// # Errors
/// `EBUSY` where it has one, unless `flags` lack [`UPDATE_IF_NOEXIST`].
#[cold]
#[inline(never)]
pub(super) fn set_xdp<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    index: u32,
    prog: Fd,
    flags: u32,
) -> Result<(), Refused> {
    set(kernel, socket, index, prog.0, flags, None)
}

/// Takes the program away again, if the interface still has it: kernels compare since 5.7, and older ones take away what there is.
///
/// # Errors
/// `EEXIST` where it has another by now.
#[cold]
#[inline(never)]
pub(super) fn take_xdp<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    index: u32,
    prog: Fd,
    mode: u32,
) -> Result<(), Refused> {
    match set(kernel, socket, index, -1, mode | REPLACE, Some(prog)) {
        // a kernel before 5.7 knows no such flag
        Err(Refused { errno: Errno::EINVAL, .. }) => set(kernel, socket, index, -1, mode, None),
        done => done,
    }
}

#[cold]
#[inline(never)]
fn set<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    index: u32,
    prog: i32,
    flags: u32,
    expected: Option<Fd>,
) -> Result<(), Refused> {
    let mut request = Request::new(RTM_SETLINK, 0, &[0, index, 0, 0]);
    let xdp = request.nest(IFLA_XDP);
    request.attr(IFLA_XDP_FD, &prog.to_ne_bytes()).number(IFLA_XDP_FLAGS, flags);
    if let Some(expected) = expected {
        request.attr(IFLA_XDP_EXPECTED_FD, &expected.0.to_ne_bytes());
    }
    request.end(xdp);
    request.ask(kernel, socket, &mut |_, _| ())
}
