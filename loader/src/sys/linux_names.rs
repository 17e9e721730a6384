//! Names of kernel objects: in file systems, pinned in a bpffs, by the ids of `bpf(2)`, of Unix sockets. What a service needs
//! and loading does not, so that `link.ld` keeps it apart.

use super::attr::{Attr, cmd};
use super::linux::bpf;
use super::raw::syscall;
use super::{Fd, Kind, MapFd, MapSpec, Sys};
use core::ffi::CStr;
use linux_raw_sys::general as nr;

const AT_FDCWD: usize = -100isize as usize;

#[cold]
#[inline(never)]
pub(super) fn mkdir(path: &CStr) -> Sys<()> {
    // SAFETY: the path is NUL-terminated.
    unsafe { syscall(nr::__NR_mkdirat, AT_FDCWD, path.as_ptr() as usize, 0o700, 0, 0) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn remove(path: &CStr, folder: bool) -> Sys<()> {
    const AT_REMOVEDIR: usize = 0x200;
    let flags = if folder { AT_REMOVEDIR } else { 0 };
    // SAFETY: the path is NUL-terminated.
    unsafe { syscall(nr::__NR_unlinkat, AT_FDCWD, path.as_ptr() as usize, flags, 0, 0) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn rename(from: &CStr, to: &CStr) -> Sys<()> {
    let (from, to) = (from.as_ptr() as usize, to.as_ptr() as usize);
    // SAFETY: the paths are NUL-terminated.
    unsafe { syscall(nr::__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn lock(fd: Fd) -> Sys<()> {
    const LOCK_EX_NB: usize = 2 | 4;
    // SAFETY: no addresses in it.
    unsafe { syscall(nr::__NR_flock, fd.0 as usize, LOCK_EX_NB, 0, 0, 0) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn obj_pin(fd: Fd, path: &CStr) -> Sys<()> {
    // SAFETY: the path is NUL-terminated.
    unsafe { bpf(cmd::OBJ_PIN, &Attr::obj(path.as_ptr(), fd.0)) }.map(drop)
}

#[cold]
#[inline(never)]
pub(super) fn obj_get_map(path: &CStr, cpus: u32) -> Sys<MapFd> {
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe { bpf(cmd::OBJ_GET, &Attr::obj(path.as_ptr(), 0)) }?;
    let mut info = [0; INFO];
    if let Err(e) = obj_info(fd, &mut info) {
        close(fd);
        return Err(e);
    }
    // struct bpf_map_info: type, id, key_size, value_size, max_entries. What is no map takes none of a map's calls.
    let [map_type, _, key_size, value_size, max_entries, ..] = info;
    let spec = MapSpec { map_type, key_size, value_size, max_entries, ..MapSpec::default() };
    Ok(MapFd::new(Fd(fd as i32), &spec, cpus))
}

#[cold]
#[inline(never)]
pub(super) fn obj_by_id(kind: Kind, id: u32) -> Sys<(Fd, [u8; 16])> {
    // where the name is in struct bpf_prog_info and struct bpf_map_info, in words
    let (command, at) = match kind {
        Kind::Prog => (cmd::PROG_GET_FD_BY_ID, 16),
        Kind::Map => (cmd::MAP_GET_FD_BY_ID, 6),
    };
    // SAFETY: no addresses in it.
    let fd = unsafe { bpf(command, &Attr::id(id)) }?;
    let mut info = [0; INFO];
    if let Err(e) = obj_info(fd, &mut info) {
        close(fd);
        return Err(e);
    }
    let mut name = [0; 16];
    for (slot, word) in name.as_chunks_mut::<4>().0.iter_mut().zip(info.iter().skip(at)) {
        *slot = word.to_ne_bytes();
    }
    Ok((Fd(fd as i32), name))
}

/// Words of the infos that are asked for: up to and with the name of a program.
const INFO: usize = 20;

/// `BPF_OBJ_GET_INFO_BY_FD`
#[cold]
fn obj_info(fd: u32, info: &mut [u32; INFO]) -> Sys<()> {
    let attr = Attr::obj_info(fd as i32, info.as_mut_ptr(), size_of_val(info));
    // SAFETY: the kernel reads and writes at most the length that it is told.
    unsafe { bpf(cmd::OBJ_GET_INFO_BY_FD, &attr) }.map(drop)
}

fn close(fd: u32) {
    // SAFETY: it was just opened here.
    unsafe { rustix::io::close(fd as i32) };
}
