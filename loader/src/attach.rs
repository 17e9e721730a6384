//! Attaching a loaded program to what its section names.

use crate::exit::Done;
use crate::kprobe::{self, Probe};
use crate::object::Sections;
use crate::plan::{optional, refuse};
use crate::say::{Arg::S, say};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, PerfCommand, Sys};
use crate::tracefs::{self, Path};
use crate::undo::Ledger;
use corelet_core::pack::{Attach, Program};

/// Attaches program number `number`, loaded as `prog`. Whether it is attached: an optional one whose raw tracepoint is not
/// there is reported and left.
pub fn attach<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    number: u16,
    program: &Program<'_>,
    prog: Fd,
) -> Done<bool> {
    match try_attach(kernel, &mut session.ledger, &program.attach, prog) {
        Ok(fds) => {
            for &fd in fds.iter().flatten() {
                session.ledger.keep(kernel, fd)?;
            }
            Ok(true)
        }
        Err(Errno::ENOENT) if optional(s, number) => {
            session.counts.skipped = session.counts.skipped.saturating_add(1);
            let args = [S(s.object.name), S(program.name)];
            say(kernel, "%: skipped %: this kernel has nothing of that name", &args);
            Ok(false)
        }
        Err(e) => Err(refuse(kernel, s, program, e)),
    }
}

/// The descriptors that keep the attachment: the perf event and its link, or the raw tracepoint's.
fn try_attach<K: Kernel>(
    kernel: &mut K,
    ledger: &mut Ledger,
    attach: &Attach<'_>,
    prog: Fd,
) -> Sys<[Option<Fd>; 2]> {
    match *attach {
        Attach::None => Ok([None, None]),
        Attach::Tracepoint { category, name } => {
            let mut event = Path::new();
            event.text(category).text("/").text(name);
            let id = tracefs::event_id(kernel, event.as_str())?;
            let event = tracefs::open(kernel, id)?;
            to_event(kernel, prog, event, 0)
        }
        Attach::Kprobe { symbol, offset, ret } => {
            let event = kprobe::open(kernel, ledger, &Probe { symbol, offset, ret })?;
            to_event(kernel, prog, event, 0)
        }
        Attach::RawTracepoint { name } => {
            let mut path = Path::new();
            path.text(name);
            Ok([Some(kernel.raw_tracepoint_open(path.as_cstr()?, prog)?), None])
        }
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Attaches to a perf event, by a link with a cookie where the kernel has them (5.15), else by ioctl.
pub fn to_event<K: Kernel>(kernel: &mut K, prog: Fd, event: Fd, cookie: u64) -> Sys<[Option<Fd>; 2]> {
    let result = match kernel.link_perf(prog, event, cookie) {
        Ok(link) => Ok(Some(link)),
        Err(Errno::EINVAL) => kernel.perf_ioctl(event, PerfCommand::SetBpf(prog)).map(|()| None),
        Err(e) => Err(e),
    };
    let result = result.and_then(|link| match kernel.perf_ioctl(event, PerfCommand::Enable) {
        Ok(()) => Ok([Some(event), link]),
        Err(e) => {
            if let Some(link) = link {
                kernel.close(link);
            }
            Err(e)
        }
    });
    if result.is_err() {
        kernel.close(event);
    }
    result
}
