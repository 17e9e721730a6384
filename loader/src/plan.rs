//! Which programs are loaded: what the pack's plan says, and for optional ones whether this machine has what they attach to.
//! Decided before relocation, since candidates depend on what is relocated.

use crate::attach;
use crate::btf_id::EXT;
use crate::device;
use crate::exit::{Done, Exit};
use crate::kprobe::{self, Probe};
use crate::lacking::{self, without};
use crate::object::Sections;
use crate::overrides;
use crate::place;
use crate::say::{
    Arg::{E, S},
    bad, fail, say, text,
};
use crate::session::Session;
use crate::sys::{Errno, Kernel, Sys};
use crate::tracefs::{self, Path};
use corelet_core::Error;
use corelet_core::limits::{MAX_ALTERNATIVES, MAX_SETS};
use corelet_core::pack::{Attach, Choice, Decision, Program, SkipReason, section};
use heapless::Vec;

/// Why a program is left out that does what another does.
static OTHER_SET: &str = text!("another of its group is taken");

/// `EADDRNOTAVAIL`, which a kprobe in a blacklisted place gives.
const NOT_AVAILABLE: Errno = Errno(99);

/// Why a kernel refuses a probe of a function that it has.
static CANNOT_PROBE: &str = text!("; this kernel cannot probe there");

/// The same of its return.
static CANNOT_PROBE_RETURN: &str = if cfg!(target_arch = "riscv64") {
    text!(
        "; this kernel cannot probe there: RISC-V kernels without KPROBES_ON_FTRACE (6.12) refuse probes of a function's return"
    )
} else {
    CANNOT_PROBE
};

/// What the plan says of program number `program`.
fn decision(s: &Sections<'_>, program: u16) -> Decision {
    let mut choices = s.parts.records::<Choice>(section::PLAN);
    choices.find(|c| c.program == program).map_or(Decision::Load, |c| c.decision)
}

/// Sets `chosen[n]` to 1 for every program that is loaded and `used[f]` for the functions that it reaches, all 0 before;
/// reports the others.
pub fn decide<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    chosen: &mut [u8],
    used: &mut [u8],
) -> Done<()> {
    let mut taken: Vec<u16, MAX_ALTERNATIVES> = Vec::new();
    let (mut missed, mut before) = (false, None);
    for (number, mut program) in (0..).zip(s.programs()) {
        overrides::apply(kernel, session, &mut program)?;
        let why = match decision(s, number) {
            Decision::Load => None,
            Decision::OneOf { .. } | Decision::IfPresent if cfg!(not(feature = "alternatives")) => {
                return Err(without(kernel, s, "alternatives"));
            }
            Decision::OneOf { group, set } => {
                alternatives(kernel, session, s, number, group, &mut taken)?;
                (taken.get(usize::from(group)) != Some(&set)).then_some(OTHER_SET)
            }
            Decision::IfPresent => match present(kernel, session, s, number, &program) {
                Ok(()) => None,
                Err(Errno::ENOENT) => Some("this kernel has nothing of that name"),
                Err(Errno::EINVAL | NOT_AVAILABLE | Errno::ENOTSUPP) => {
                    Some("this kernel cannot attach there")
                }
                Err(e) => return Err(refuse(kernel, s, &program, e)),
            },
            Decision::Skip(SkipReason::Disabled) => Some("the manifest says so"),
            Decision::Skip(SkipReason::Alternative) => Some(OTHER_SET),
            Decision::Skip(SkipReason::NoAutoload) => Some("nothing asks for it"),
        };
        // a program of several places is there for each of them, one after the other
        missed |= why.is_some() && before == Some(program.function);
        before = Some(program.function);
        let Some(why) = why else {
            mark(chosen, number);
            for f in program.functions() {
                mark(used, f);
            }
            continue;
        };
        session.counts.skipped = session.counts.skipped.saturating_add(1);
        let args = [S(s.object.name), S(program.name), S(program.section), S(why)];
        say(kernel, "%: skipped % (%): %", &args);
    }
    if cfg!(feature = "alternatives") && (missed || !chosen.contains(&1)) {
        nowhere(kernel, session, s, chosen)
    } else {
        Ok(())
    }
}

/// Refuses what would run and show nothing: an optional program for several places of which the kernel has none, and an object
/// of which nothing is left.
#[cold]
#[inline(never)]
fn nowhere<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    chosen: &[u8],
) -> Done<()> {
    let is_chosen = |number: u16| chosen.get(usize::from(number)) == Some(&1);
    let none = !chosen.contains(&1);
    for (number, mut program) in (0..).zip(s.programs()) {
        let same = |of: &Program<'_>| of.function == program.function;
        let copies = || (0..).zip(s.programs()).filter(|(_, other)| same(other));
        if decision(s, number) != Decision::IfPresent
            || copies().any(|(copy, _)| is_chosen(copy))
            || (copies().count() < 2 && !none)
        {
            continue;
        }
        overrides::apply(kernel, session, &mut program)?;
        if let Err(e) = present(kernel, session, s, number, &program) {
            return Err(refuse(kernel, s, &program, e));
        }
    }
    Ok(())
}

fn mark(flags: &mut [u8], number: u16) {
    if let Some(flag) = flags.get_mut(usize::from(number)) {
        *flag = 1;
    }
}

/// Chooses the sets of all groups up to `group`, which program number `number` is in.
#[cold]
#[inline(never)]
fn alternatives<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    number: u16,
    group: u16,
    taken: &mut Vec<u16, MAX_ALTERNATIVES>,
) -> Done<()> {
    while taken.len() <= usize::from(group) {
        let first = alternative(kernel, session, s, taken.len() as u16)?;
        if taken.push(first).is_err() {
            let many = Error::BadRecord { id: section::PLAN, index: number.into() };
            return bad(kernel, s.path, Err(many));
        }
    }
    Ok(())
}

/// The first set of a group of which all programs can be attached; what else is tried is said.
#[cold]
#[inline(never)]
fn alternative<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    group: u16,
) -> Done<u16> {
    let mut refused = None;
    // sets that the PC took away leave gaps
    for set in 0..MAX_SETS {
        let (mut any, mut fits) = (false, true);
        for (number, program) in (0..).zip(s.programs()) {
            if !fits || decision(s, number) != (Decision::OneOf { group, set }) {
                continue;
            }
            any = true;
            match present(kernel, session, s, number, &program) {
                Ok(()) => {}
                // not this kernel's word on this program
                Err(e @ (Errno::EPERM | Errno::EACCES | Errno::ENOMEM | Errno::EMFILE | Errno::EINTR)) => {
                    return Err(refuse(kernel, s, &program, e));
                }
                Err(e) => {
                    let args = [S(s.object.name), S(program.name), S(program.section), E(e)];
                    say(kernel, text!("%: % (%) cannot be attached here: %"), &args);
                    refused = Some((program, e));
                    fits = false;
                }
            }
        }
        if any && fits {
            return Ok(set);
        }
    }
    match refused {
        Some((program, e)) => Err(refuse(kernel, s, &program, e)),
        // a group without programs has nothing to choose
        None => Ok(0),
    }
}

/// Whether what a program attaches to is there.
#[inline(never)]
fn present<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    number: u16,
    program: &Program<'_>,
) -> Sys<()> {
    match program.attach {
        Attach::Tracepoint { category, name } => {
            tracefs::event_id(kernel, Path::new().text(category).text("/").text(name).as_str()).map(drop)
        }
        Attach::Kprobe { symbol, offset, ret } => {
            let probe = kprobe::open(kernel, &mut session.ledger, &Probe { symbol, offset, ret })?;
            kernel.close(probe);
            Ok(())
        }
        // whether the file has the place, or the machine the interface, is found out when it is attached
        Attach::None | Attach::Uprobe { .. } | Attach::Usdt { .. } | Attach::Device { .. } => Ok(()),
        _ => attach::try_out(kernel, session, s, number, program),
    }
}

/// Says why a program cannot be attached.
#[cold]
#[inline(never)]
pub fn refuse<K: Kernel>(kernel: &mut K, s: &Sections<'_>, program: &Program<'_>, e: Errno) -> Exit {
    match program.attach {
        Attach::Uprobe { .. } | Attach::Usdt { .. } if !cfg!(feature = "uprobe") => {
            return without(kernel, s, "uprobe");
        }
        Attach::None
        | Attach::Tracepoint { .. }
        | Attach::Kprobe { .. }
        | Attach::Uprobe { .. }
        | Attach::Usdt { .. }
        | Attach::Other { .. } => {}
        Attach::Place { .. } if !place::BUILT => return without(kernel, s, "place"),
        Attach::Device { .. } if !device::BUILT => return without(kernel, s, "net"),
        Attach::Place { .. } | Attach::Device { .. } => {}
        _ if !cfg!(feature = "trace") => return without(kernel, s, "trace"),
        _ => {}
    }
    if !cfg!(feature = "explain") {
        let args = [S(s.object.name), S(program.name), S(program.section), E(e)];
        return fail(kernel, e.exit(), text!("%: cannot attach % (%): %"), &args);
    }
    if place::BUILT && e == place::UNNAMED {
        return place::refuse(kernel, s, program, e);
    }
    let replaces = program.prog_type == EXT;
    let lacking = if replaces { "" } else { lacking::option(kernel, &program.attach, e) };
    if !lacking.is_empty() {
        let args = [S(s.object.name), S(program.name), S(program.section), E(e), S(lacking)];
        return fail(kernel, Exit::Missing, text!("%: cannot attach % (%): %; this kernel lacks %"), &args);
    }
    let (exit, why) = match (program.attach, e) {
        (
            Attach::Tracepoint { .. } | Attach::Kprobe { .. } | Attach::Uprobe { .. } | Attach::Usdt { .. },
            Errno::ENODEV,
        ) => (Exit::Missing, text!("; tracefs is not mounted: mount -t tracefs none /sys/kernel/tracing")),
        (_, Errno::EPERM | Errno::EACCES) => {
            (Exit::Missing, text!("; this needs root, or CAP_BPF and CAP_PERFMON"))
        }
        (Attach::None | Attach::Other { .. }, _) => {
            (Exit::NotPortable, text!("; this loader has no way to attach such a program"))
        }
        (Attach::Trace { .. }, Errno::ENOTSUPP) => {
            let why = text!(
                "; this architecture's kernel has no BPF trampolines (AArch64: 6.0, RISC-V: 6.3, 32-bit ARM: none)"
            );
            (Exit::NotPortable, why)
        }
        (Attach::PerfEvent { .. }, Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV) => {
            (Exit::NotPortable, text!("; this machine has no such counter"))
        }
        (Attach::Trace { .. }, Errno::ENOENT) if replaces => {
            let why = text!("; no program that is loaded before it has such a function");
            (Exit::NotPortable, why)
        }
        (Attach::Usdt { .. }, Errno::EOPNOTSUPP) => {
            (Exit::NotPortable, text!("; this kernel does not count the semaphores of USDT probes (4.20)"))
        }
        (_, Errno::ENOENT) => (Exit::NotPortable, text!("; this kernel has nothing of that name")),
        (Attach::KprobeMulti { .. }, Errno::E2BIG) => {
            let why = text!("; the pattern fits more functions than the loader takes: narrow it");
            (Exit::NotPortable, why)
        }
        (Attach::Kprobe { ret: true, .. }, Errno::EINVAL) => (Exit::NotPortable, CANNOT_PROBE_RETURN),
        (Attach::Kprobe { .. }, Errno::EINVAL | NOT_AVAILABLE) => (Exit::NotPortable, CANNOT_PROBE),
        _ => (e.exit(), ""),
    };
    let args = [S(s.object.name), S(program.name), S(program.section), E(e), S(why)];
    fail(kernel, exit, text!("%: cannot attach % (%): %%"), &args)
}

/// Whether the plan lets the program be left out.
pub fn optional(s: &Sections<'_>, program: u16) -> bool {
    cfg!(feature = "alternatives") && decision(s, program) == Decision::IfPresent
}
