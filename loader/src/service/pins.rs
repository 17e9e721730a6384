//! Pinning what a load made, program by program and map by map.

use super::{Service, at};
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::object::Sections;
use crate::say::{
    Arg::{E, S},
    fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, Sys};
use crate::tracefs::Path;
use corelet_core::pack::{Attach, Program};

/// The folders of a load, in the order in which they go: links first, which detaches.
pub(super) const FOLDERS: [&str; 3] = [LINKS, PROGS, MAPS];
const LINKS: &str = "/links";
const PROGS: &str = "/progs";
const MAPS: &str = "/maps";

/// Pins program `prog`, and what keeps it attached: of the descriptors that the ledger has from number `first` on, those that
/// are links; before it was attached there were `probes` in tracefs. The kernel tells a link from a perf event, which lives on with its link.
///
/// # Errors
/// [`Exit::NotPortable`] where the attachment cannot be pinned: before 5.15 one to a perf event, before 5.7 any.
#[cold]
#[inline(never)]
pub fn program<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    program: &Program<'_>,
    prog: Fd,
    (first, probes): (usize, u32),
) -> Done<()> {
    let Some(service) = session.service else { return Ok(()) };
    let name = (s.object.name, program.name);
    if let Err(e) = pin(kernel, prog, &leaf(service, PROGS, name, 0)) {
        return Err(refuse(kernel, program.name, e));
    }
    let mut links = 0;
    for index in first..session.ledger.len() {
        let Some(fd) = session.ledger.get(index) else { break };
        match pin(kernel, fd, &leaf(service, LINKS, name, links)) {
            Ok(()) => links = links.saturating_add(1),
            Err(Errno::EINVAL) => {}
            Err(e) => return Err(refuse(kernel, program.name, e)),
        }
    }
    let attached = program.attach != Attach::None;
    // a probe that was made in tracefs is removed with this process
    if matches!(program.attach, Attach::Device { .. }) && links == 0 {
        let form = text!(
            "%: % (%) is attached by rtnetlink, which cannot be pinned: links came with Linux 5.9 (XDP), 6.6 (tc); \
             corelet-loader run holds it for as long as it runs"
        );
        let args = [S(s.object.name), S(program.name), S(program.section)];
        return Err(fail(kernel, Exit::NotPortable, form, &args));
    }
    if attached && (links == 0 || session.ledger.tracefs_probes > probes) {
        let form = text!(
            "%: cannot pin the attachment of % (%): links to perf events came with Linux 5.15, others with 5.7; \
             corelet-loader run holds it for as long as it runs"
        );
        let args = [S(s.object.name), S(program.name), S(program.section)];
        return Err(fail(kernel, Exit::NotPortable, form, &args));
    }
    Ok(())
}

/// Pins the maps of an object; those that this kernel's target leaves out have no descriptor.
///
/// # Errors
/// Of the calls, said with the map.
#[cold]
#[inline(never)]
pub fn maps<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    open: &[OpenMap],
) -> Done<()> {
    let Some(service) = session.service else { return Ok(()) };
    for (map, open) in s.maps().zip(open).filter(|(_, open)| open.map.fd() != Fd::default()) {
        if let Err(e) = pin(kernel, open.map.fd(), &leaf(service, MAPS, (s.object.name, map.name), 0)) {
            return Err(refuse(kernel, map.name, e));
        }
    }
    Ok(())
}

pub(super) fn pin<K: Kernel>(kernel: &mut K, fd: Fd, path: &Path) -> Sys<()> {
    kernel.obj_pin(fd, path.as_cstr()?)
}

/// Says why something cannot be pinned.
pub(super) fn refuse<K: Kernel>(kernel: &mut K, what: &str, e: Errno) -> Exit {
    let why = match e {
        Errno::EPERM | Errno::ENOENT => text!("; a service needs a bpffs: mount -t bpf bpf /sys/fs/bpf"),
        Errno::EEXIST => text!("; two of that name"),
        _ => "",
    };
    fail(kernel, e.exit(), text!("cannot pin %: %%"), &[S(what), E(e), S(why)])
}

/// `FOLDER/OBJECT-NAME`, behind the first one with its number; what a bpffs does not take becomes `_`.
fn leaf(service: Service<'_>, folder: &str, (object, name): (&str, &str), number: u32) -> Path {
    let mut path = at(&["/", service.name, service.end, folder, "/"]);
    for (text, end) in [(object, "-"), (name, "")] {
        for b in text.bytes() {
            let b = [if b.is_ascii_alphanumeric() || b == b'-' { b } else { b'_' }];
            path.text(core::str::from_utf8(&b).unwrap_or("_"));
        }
        path.text(end);
    }
    if number > 0 {
        path.text("-").number(number);
    }
    path
}
