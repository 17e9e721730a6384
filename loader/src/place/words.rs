//! Why a program cannot be attached to a place, in words.

use super::UNNAMED;
use crate::exit::Exit;
use crate::object::Sections;
use crate::say::{
    Arg::{E, S},
    fail, text,
};
use crate::sys::{Errno, Kernel};
use corelet_core::pack::{Attach, Place, Program};

/// What `pidfd_open(2)` says of a process that is not there, and `setsockopt(2)` of what is no socket.
const ESRCH: Errno = Errno(3);
const ENOTSOCK: Errno = Errno(88);
/// What cgroups and namespaces say of a descriptor that is none.
const EBADF: Errno = Errno::EBADF;

/// Says why a program cannot be attached to the place that is named, or not named.
#[cold]
#[inline(never)]
pub fn refuse<K: Kernel>(kernel: &mut K, s: &Sections<'_>, program: &Program<'_>, e: Errno) -> Exit {
    let Attach::Place { kind, path, .. } = program.attach else { return e.exit() };
    if e == UNNAMED {
        let form = text!("%: cannot attach % (%): nobody has said where: --attach %=%%");
        let (what, all) = match kind {
            Place::Cgroup => ("CGROUP", text!(", or --cgroup CGROUP for all programs")),
            Place::Reuseport | Place::Socket => ("PID/FD", text!(", a process and its socket")),
            _ => ("FILE", ""),
        };
        let name = S(program.name);
        return fail(
            kernel,
            Exit::Usage,
            form,
            &[S(s.object.name), name, S(program.section), name, S(what), S(all)],
        );
    }
    let (exit, why) = why(kind, path, e);
    let form = text!("%: cannot attach % (%) to %: %%");
    let to = if path.is_empty() { text!("what is meant without a name") } else { path };
    fail(kernel, exit, form, &[S(s.object.name), S(program.name), S(program.section), S(to), E(e), S(why)])
}

#[cold]
fn why(kind: Place, path: &str, e: Errno) -> (Exit, &'static str) {
    match (kind, e) {
        (Place::Cgroup, Errno::ENOENT) => (Exit::Missing, text!("; there is no such cgroup")),
        (Place::Cgroup, EBADF) => {
            (Exit::Missing, text!("; that is no cgroup of version 2 (mount -t cgroup2 none /sys/fs/cgroup)"))
        }
        (Place::Cgroup, Errno::EPERM) => (
            Exit::Missing,
            text!(
                "; a program that is attached there, or above, without BPF_F_ALLOW_MULTI takes no other beside it (bpftool \
                 cgroup tree); else CAP_NET_ADMIN is missing"
            ),
        ),
        (Place::Cgroup, Errno::EINVAL) => {
            (Exit::NotPortable, text!("; this kernel lacks such programs, or CONFIG_CGROUP_BPF"))
        }
        (Place::Netns, Errno::ENOENT) => (Exit::Missing, text!("; there is no such network namespace")),
        (Place::Netns, Errno::EINVAL) => {
            (Exit::Missing, text!("; that is no network namespace, or this kernel lacks such programs"))
        }
        (Place::Netns, Errno::EEXIST | Errno::E2BIG) => {
            (Exit::Again, text!("; another program is attached there, which takes none beside it"))
        }
        (Place::SockMap, Errno::ENOENT) => {
            (Exit::NotPortable, text!("; the object has no such map of sockets"))
        }
        (Place::SockMap, Errno::EBUSY) => {
            (Exit::Again, text!("; a program that excludes this one is attached there"))
        }
        (Place::Socket | Place::Reuseport, ESRCH) => (Exit::Missing, text!("; there is no such process")),
        (Place::Socket | Place::Reuseport, EBADF) => {
            (Exit::Missing, text!("; the process has no such descriptor"))
        }
        (Place::Socket | Place::Reuseport, ENOTSOCK) => (Exit::Missing, text!("; that is no socket")),
        (Place::Socket, Errno::ENOENT) if !path.contains('/') => {
            (Exit::Missing, text!("; there is no such interface"))
        }
        (Place::Socket, Errno(97)) => (Exit::Missing, text!("; this kernel lacks CONFIG_PACKET")),
        (Place::Reuseport, Errno::EINVAL) => {
            (Exit::Missing, text!("; that socket has no SO_REUSEPORT, or is not bound"))
        }
        (Place::Lirc, Errno::ENOENT) => {
            (Exit::Missing, text!("; there is no such receiver, or this kernel lacks CONFIG_BPF_LIRC_MODE2"))
        }
        (_, Errno::EPERM | Errno::EACCES) => {
            (Exit::Missing, text!("; this needs root, or CAP_BPF and CAP_NET_ADMIN"))
        }
        _ => (e.exit(), ""),
    }
}
