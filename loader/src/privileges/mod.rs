//! What a run keeps while it reads events: the capabilities that something still to come takes, usually none, and the system calls
//! that this run makes from then on. `loader/PRIVILEGES.md` says which case keeps what, and why.

pub mod token;

use crate::exit::Done;
use crate::job::{Output, Source};
use crate::say::{Arg::E, failed, say, text};
use crate::session::Session;
use crate::sys::{Errno, Kernel, calls};

/// `include/uapi/linux/capability.h`; `CAP_BPF` is of 5.8.
pub const CAP_DAC_OVERRIDE: u64 = 1 << 1;
/// As above.
pub const CAP_NET_ADMIN: u64 = 1 << 12;
/// As above.
pub const CAP_SYS_PTRACE: u64 = 1 << 19;
/// As above.
pub const CAP_SYS_ADMIN: u64 = 1 << 21;
/// As above.
pub const CAP_SYSLOG: u64 = 1 << 34;
/// As above.
pub const CAP_BPF: u64 = 1 << 39;

/// What a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Capabilities, a bit each.
    capabilities: u64,
    /// Groups of system calls ([`calls`]).
    calls: u32,
}

/// What this run has a use for once everything is attached; `None` where it is to keep all.
#[cold]
#[inline(never)]
pub fn needed(session: &Session<'_>, sources: &[Source<'_>]) -> Option<Kept> {
    let (options, ledger) = (session.options, &session.ledger);
    if options.keep_privileges {
        return None;
    }
    let (mut capabilities, mut groups) = (0, calls::ALWAYS);
    let mut keep = |case: bool, more: u64, group: u32| {
        if case {
            capabilities |= more;
            groups |= group;
        }
    };
    // of kernels before 5.8 it is CAP_SYS_ADMIN that stands for it
    let bpf = if session.identity.is_at_least(5, 8) { CAP_BPF } else { CAP_SYS_ADMIN };
    // before 5.19 `unprivileged_bpf_disabled` forbade every command, not those alone that make something
    let maps = session.service.is_some() || sources.iter().any(|s| !s.results.is_empty());
    keep(maps && !session.identity.is_at_least(5, 19), bpf, 0);
    let stacks = sources.iter().any(|s| s.printed().has_stacks());
    keep(stacks, CAP_SYSLOG, calls::FILES);
    // raw stacks of user space are not named on the device
    keep(stacks && options.output != Output::Raw, CAP_SYS_PTRACE, 0);
    keep(ledger.tracefs_probes > 0 || ledger.tracefs_uprobes > 0, CAP_DAC_OVERRIDE, calls::FILES);
    keep(options.rotate.is_some(), CAP_DAC_OVERRIDE, calls::FILES | calls::NAMES);
    let to = options.to.map_or(&[][..], |to| to.to_bytes());
    let unix = to.starts_with(b"unix:") || to == b"syslog";
    keep(unix, CAP_DAC_OVERRIDE, 0);
    keep(unix || to.starts_with(b"udp:"), 0, calls::SOCKETS);
    let of_service = calls::FILES | calls::NAMES | calls::SERVICE;
    keep(session.service.is_some(), CAP_DAC_OVERRIDE, of_service);
    keep(!ledger.held.is_empty(), CAP_NET_ADMIN | bpf, calls::HELD);
    keep(!ledger.device.is_empty(), CAP_NET_ADMIN | CAP_DAC_OVERRIDE, calls::NAMES);
    let follows = calls::FOLLOW | calls::FILES | calls::NAMES;
    keep(options.follow, CAP_NET_ADMIN | CAP_DAC_OVERRIDE | bpf, follows);
    Some(Kept { capabilities, calls: groups })
}

/// Gives up the rest, for good. A kernel without seccomp filters is told of, once: nothing else depends on them.
///
/// # Errors
/// The exit of a failed call, said: who asked for fewer privileges is not to have more.
#[cold]
#[inline(never)]
pub fn give_up<K: Kernel>(kernel: &mut K, kept: &Kept) -> Done<()> {
    if let Err(e) = kernel.keep_capabilities(kept.capabilities) {
        return Err(failed(kernel, text!("giving up capabilities"), e));
    }
    match kernel.confine(kept.calls) {
        Ok(()) => Ok(()),
        Err(e @ (Errno::EINVAL | Errno::ENOSYS)) => {
            let form = text!(
                "no filter of system calls: %; this kernel lacks CONFIG_SECCOMP_FILTER; going on without"
            );
            say(kernel, form, &[E(e)]);
            Ok(())
        }
        Err(e) => Err(failed(kernel, text!("the filter of system calls"), e)),
    }
}
