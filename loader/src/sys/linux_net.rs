//! Sockets to rtnetlink.

use super::raw::syscall;
use super::{Fd, Sys};
use linux_raw_sys::general as nr;

const AF_NETLINK: usize = 16;
/// `SOCK_RAW | SOCK_CLOEXEC`
const RAW: usize = 3 | 0o2000000;
const SOL_NETLINK: usize = 270;
/// `NETLINK_CAP_ACK`: an acknowledgement does not repeat the request; `NETLINK_EXT_ACK`: it has words.
const OPTIONS: [usize; 2] = [10, 11];

#[cold]
#[inline(never)]
pub(super) fn netlink(groups: u32) -> Sys<Fd> {
    // SAFETY: no addresses in it; protocol 0 is NETLINK_ROUTE.
    let number = unsafe { syscall(nr::__NR_socket, AF_NETLINK, RAW, 0, 0, 0) }?;
    let fd = number as usize;
    for option in OPTIONS {
        let on = 1u32;
        // A kernel that does not know it (before 4.3, 4.12) answers without, longer or with no words.
        // SAFETY: the kernel reads four bytes.
        let _ = unsafe { syscall(nr::__NR_setsockopt, fd, SOL_NETLINK, option, &raw const on as usize, 4) };
    }
    // `struct sockaddr_nl`: family, padding, port, groups
    let address = [0u32, 0, groups];
    let mut bytes = [[0; 4]; 3];
    for (slot, word) in bytes.iter_mut().zip(address) {
        *slot = word.to_ne_bytes();
    }
    let family = (AF_NETLINK as u16).to_ne_bytes();
    bytes[0] = [family[0], family[1], 0, 0];
    // SAFETY: the kernel reads the address by its length.
    let bound = unsafe { syscall(nr::__NR_bind, fd, bytes.as_ptr() as usize, size_of_val(&bytes), 0, 0) };
    if let Err(e) = bound {
        // SAFETY: it is open, and nobody else has it.
        unsafe { rustix::io::close(number as i32) };
        return Err(e);
    }
    Ok(Fd(number as i32))
}
