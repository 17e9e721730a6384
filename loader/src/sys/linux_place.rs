//! Places that take programs: cgroups, network namespaces, maps of sockets, sockets. Few packs have such programs, so that all of
//! it is `#[cold]` (`link.ld`).

use super::attr::{Attr, cmd};
use super::linux::bpf;
use super::raw::syscall;
use super::{Fd, Sys};
use linux_raw_sys::general as nr;

/// `SOCK_CLOEXEC`, which is `O_CLOEXEC` and the same on our architectures.
const CLOEXEC: usize = 0o2000000;
/// `BPF_F_ALLOW_MULTI`
const ALLOW_MULTI: u32 = 2;

fn fd(number: u32) -> Fd {
    Fd(number as i32)
}

#[cold]
#[inline(never)]
pub(super) fn link(prog: Fd, target: Fd, attach_type: u32) -> Sys<Fd> {
    // SAFETY: no addresses in it.
    unsafe { bpf(cmd::LINK_CREATE, &Attr::link_place(prog.0, target.0, attach_type)) }.map(fd)
}

#[cold]
#[inline(never)]
pub(super) fn attach(prog: Fd, target: Fd, attach_type: u32, multi: bool) -> Sys<()> {
    let flags = if multi { ALLOW_MULTI } else { 0 };
    // SAFETY: no addresses in it.
    unsafe { bpf(cmd::PROG_ATTACH, &Attr::prog_attach(prog.0, target.0, attach_type, flags)) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn detach(prog: Fd, target: Fd, attach_type: u32) -> Sys<()> {
    // SAFETY: no addresses in it.
    unsafe { bpf(cmd::PROG_DETACH, &Attr::prog_attach(prog.0, target.0, attach_type, 0)) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn packet_socket(interface: u32) -> Sys<Fd> {
    const AF_PACKET: u16 = 17;
    const SOCK_RAW: usize = 3;
    // ETH_P_ALL in network byte order
    let all = 3u16.to_be();
    // SAFETY: no addresses in it.
    let socket = unsafe { syscall(nr::__NR_socket, AF_PACKET.into(), SOCK_RAW | CLOEXEC, all.into(), 0, 0) }?;
    if interface == 0 {
        return Ok(fd(socket));
    }
    // `struct sockaddr_ll`: family, protocol, interface, and eight bytes and more of an address that binding does not read
    let [a, b] = AF_PACKET.to_ne_bytes();
    let [c, d] = all.to_ne_bytes();
    let address = [u32::from_ne_bytes([a, b, c, d]), interface, 0, 0, 0];
    let (at, len) = (address.as_ptr() as usize, size_of_val(&address));
    // SAFETY: the kernel reads the address by its length.
    match unsafe { syscall(nr::__NR_bind, socket as usize, at, len, 0, 0) } {
        Ok(_) => Ok(fd(socket)),
        Err(e) => {
            close(socket);
            Err(e)
        }
    }
}

#[cold]
#[inline(never)]
pub(super) fn fd_of_process(pid: u32, number: u32) -> Sys<Fd> {
    // SAFETY: no addresses in it.
    let process = unsafe { syscall(nr::__NR_pidfd_open, pid as usize, 0, 0, 0, 0) }?;
    // SAFETY: no addresses in it.
    let got = unsafe { syscall(nr::__NR_pidfd_getfd, process as usize, number as usize, 0, 0, 0) };
    close(process);
    got.map(fd)
}

#[cold]
#[inline(never)]
pub(super) fn socket_option(socket: Fd, option: u32, value: Fd) -> Sys<()> {
    const SOL_SOCKET: usize = 1;
    let (at, len) = (&raw const value.0 as usize, size_of_val(&value.0));
    // SAFETY: the kernel reads the value by its length.
    unsafe { syscall(nr::__NR_setsockopt, socket.0 as usize, SOL_SOCKET, option as usize, at, len) }.map(drop)
}

#[cold]
fn close(number: u32) {
    // SAFETY: it was just opened here.
    unsafe { rustix::io::close(number as i32) };
}
