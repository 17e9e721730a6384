//! Programs of places that are named, not traced: cgroups, network namespaces, maps of sockets, sockets, infrared receivers.
//!
//! By a link where the kernel has one for the kind (cgroups 5.7, namespaces 5.8, maps of sockets 6.10), which ends with its descriptor;
//! else by `BPF_PROG_ATTACH`, or an option of a socket, which the ledger undoes. What is attached without a link outlives a loader
//! that is killed, but for packet sockets. All of it is `#[cold]`: for packs without such programs it is no memory (link.ld).

pub mod struct_ops;
mod words;

pub use words::refuse;

use crate::exit::{Done, Exit};
use crate::identity::number_in;
use crate::number::decimal;
use crate::plan::optional;
use crate::say::{Arg::S, fail, say, text};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapFd, MapSpec, Open, Sys};
use crate::tracefs::Path;
use crate::uprobe::Job;
use corelet_core::pack::{Attach, Place, Program};

/// Whether this loader has what programs of places take.
pub const BUILT: bool = cfg!(feature = "place");
/// Attachments without a link of one run: the kernel takes 64 programs of one kind for one cgroup (`BPF_CGROUP_MAX_PROGS`).
pub const MAX_HELD: usize = 64;

/// Options of `SOL_SOCKET`: `include/uapi/asm-generic/socket.h`.
const ATTACH_BPF: u32 = 50;
const DETACH_FILTER: u32 = 27;
const ATTACH_REUSEPORT_EBPF: u32 = 52;
const DETACH_REUSEPORT_BPF: u32 = 68;
/// `EDESTADDRREQ`, which none of the calls gives: nobody has said which place.
pub const UNNAMED: Errno = Errno(89);

/// An attachment that lasts until it is undone. Descriptors are the ledger's.
#[derive(Clone, Copy, Debug)]
pub enum Held {
    /// By `BPF_PROG_ATTACH`.
    Attached {
        /// The program.
        prog: u16,
        /// What it is attached to.
        target: u16,
        /// `enum bpf_attach_type`.
        attach_type: u16,
    },
    /// By an option of a process's socket.
    Option {
        /// The socket.
        socket: u16,
        /// The option that undoes it.
        detach: u16,
    },
    /// A map of struct_ops without a link.
    Registered {
        /// The map.
        map: u16,
    },
}

/// Undoes what was attached without a link.
#[cold]
#[inline(never)]
pub fn release<K: Kernel>(kernel: &mut K, held: Held) {
    let fd = |number: u16| Fd(number.into());
    // what was undone by others meanwhile is undone
    let _ = match held {
        Held::Attached { prog, target, attach_type } => {
            kernel.prog_detach(fd(prog), fd(target), attach_type.into())
        }
        Held::Option { socket, detach } => kernel.socket_option(fd(socket), detach.into(), Fd(0)),
        Held::Registered { map } => {
            let spec = MapSpec { key_size: 4, ..MapSpec::default() };
            kernel.map_delete(&MapFd::new(fd(map), &spec, 1), &0u32.to_ne_bytes())
        }
    };
}

/// What keeps a program attached.
enum Kept {
    /// A link; its target need not stay open.
    Link(Fd),
    /// The target itself, and what it takes to undo that where closing does not.
    Target(Option<Held>),
}

/// Attaches to the place that the pack or the command line names. Whether it is attached: an optional program whose place is not
/// there is reported and left.
///
/// # Errors
/// Said: which place, and what keeps the program from it.
#[cold]
#[inline(never)]
pub fn attach<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, job: &Job<'_, '_>) -> Done<bool> {
    let Attach::Place { kind, path, .. } = job.program.attach else { return Ok(false) };
    let (target, owned) = match find(kernel, job, kind, path) {
        Ok(found) => found,
        Err(Errno::ENOENT) if optional(job.s, job.number) => {
            session.counts.skipped = session.counts.skipped.saturating_add(1);
            let form = text!("%: skipped % (%): there is no %");
            say(kernel, form, &[S(job.s.object.name), S(job.program.name), S(job.program.section), S(path)]);
            return Ok(false);
        }
        Err(e) => return Err(refuse(kernel, job.s, job.program, e)),
    };
    let kept = match to(kernel, job, kind, target) {
        Ok(kept) => kept,
        Err(e) => {
            if owned {
                kernel.close(target);
            }
            return Err(refuse(kernel, job.s, job.program, e));
        }
    };
    match kept {
        Kept::Link(link) => {
            if owned {
                kernel.close(target);
            }
            session.ledger.keep(kernel, link)?;
        }
        Kept::Target(held) => {
            // undone before the descriptor is closed, whatever comes
            if let Some(held) = held
                && session.ledger.held.push(kernel, held).is_err()
            {
                release(kernel, held);
                if owned {
                    kernel.close(target);
                }
                let form = text!("%: more than 64 programs are attached without a link");
                return Err(fail(kernel, Exit::NotPortable, form, &[S(job.s.object.name)]));
            }
            if owned {
                session.ledger.keep(kernel, target)?;
            }
        }
    }
    session.counts.waiting = session.counts.waiting.saturating_add(1);
    Ok(true)
}

/// Whether the place is there, as far as that can be seen without the object's maps.
///
/// # Errors
/// Of the call that failed.
#[cold]
#[inline(never)]
pub fn present<K: Kernel>(kernel: &mut K, program: &Program<'_>) -> Sys<()> {
    match program.attach {
        Attach::Place { kind, path, .. } if kind != Place::SockMap => {
            let place = open(kernel, kind, path)?;
            kernel.close(place);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The place's descriptor, and whether it is ours to close.
#[cold]
#[inline(never)]
fn find<K: Kernel>(kernel: &mut K, job: &Job<'_, '_>, kind: Place, path: &str) -> Sys<(Fd, bool)> {
    match kind {
        Place::SockMap => Ok((of_map(job, path)?, false)),
        _ => open(kernel, kind, path).map(|fd| (fd, true)),
    }
}

#[cold]
fn of_map(job: &Job<'_, '_>, name: &str) -> Sys<Fd> {
    let mut maps = job.s.maps().zip(job.open);
    let found = maps.find(|(map, _)| map.name == name).map(|(_, open)| open.map.fd());
    found.filter(|fd| fd.0 >= 0).ok_or(Errno::ENOENT)
}

#[cold]
#[inline(never)]
fn open<K: Kernel>(kernel: &mut K, kind: Place, path: &str) -> Sys<Fd> {
    let path = match kind {
        Place::Netns if path.is_empty() => "/proc/self/ns/net",
        Place::Socket if path.is_empty() => return kernel.packet_socket(0),
        _ if path.is_empty() => return Err(UNNAMED),
        Place::Socket | Place::Reuseport => {
            let slash = path.bytes().position(|b| b == b'/');
            let Some((pid, number)) = slash.and_then(|at| path.split_at_checked(at)) else {
                return if kind == Place::Socket { on_interface(kernel, path) } else { Err(UNNAMED) };
            };
            let number = number.get(1..).and_then(decimal);
            let (pid, number) = decimal(pid).zip(number).ok_or(UNNAMED)?;
            return kernel.fd_of_process(pid, number);
        }
        _ => path,
    };
    let mut name = Path::new();
    name.text(path);
    kernel.open(name.as_cstr()?, Open::Read)
}

#[cold]
fn on_interface<K: Kernel>(kernel: &mut K, name: &str) -> Sys<Fd> {
    let mut path = Path::new();
    path.text("/sys/class/net/").text(name).text("/ifindex");
    let interface = number_in(kernel, path.as_cstr()?)?;
    kernel.packet_socket(interface)
}

#[cold]
#[inline(never)]
fn to<K: Kernel>(kernel: &mut K, job: &Job<'_, '_>, kind: Place, target: Fd) -> Sys<Kept> {
    let (prog, attach_type) = (job.prog, job.program.expected_attach_type);
    let socket = |attach, detach| (attach, Some(Held::Option { socket: target.0 as u16, detach }));
    let own = matches!(job.program.attach, Attach::Place { path, .. } if !path.contains('/'));
    let (option, undone) = match kind {
        Place::Socket if own => (ATTACH_BPF, None),
        Place::Socket => socket(ATTACH_BPF, DETACH_FILTER as u16),
        Place::Reuseport => socket(ATTACH_REUSEPORT_EBPF, DETACH_REUSEPORT_BPF as u16),
        _ => {
            // receivers have no links; kernels without one for the kind answer EINVAL
            let linked = match kind {
                Place::Lirc => Err(Errno::EINVAL),
                _ => kernel.link_place(prog, target, attach_type),
            };
            match linked {
                Err(Errno::EINVAL) => {}
                linked => return linked.map(Kept::Link),
            }
            kernel.prog_attach(prog, target, attach_type, kind == Place::Cgroup)?;
            return Ok(Kept::Target(Some(Held::Attached {
                prog: prog.0 as u16,
                target: target.0 as u16,
                attach_type: attach_type as u16,
            })));
        }
    };
    kernel.socket_option(target, option, prog)?;
    Ok(Kept::Target(undone))
}
