//! USDT: every place of a probe gets a spec that says where its arguments are, in the maps that libbpf's `usdt.bpf.h` reads.
//!
//! The program finds its spec by the cookie of its attachment (5.15), before that by the address of the instruction.
//! Source: libbpf `src/usdt.c` and `src/usdt.bpf.h`.

use super::event::Spot;
use super::file;
use super::words::Form;
use super::{Job, refuse};
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::say::Arg::{N, S};
use crate::session::Session;
use crate::sys::{Fd, Kernel};
use crate::tracefs::Path;
use corelet_core::executable::arg_spec::{self, SPEC_LEN};
use corelet_core::executable::notes::{Notes, Place};
use corelet_core::executable::{ET_DYN, Head};
use corelet_core::limits::MAX_USDT_NOTE;
use corelet_core::pack::Arch;

/// The maps of `usdt.bpf.h`.
const SPECS: &str = "__bpf_usdt_specs";
const IP_TO_SPEC: &str = "__bpf_usdt_ip_to_spec_id";

/// The machine that the loader is of, as ELF and packs name it.
const MACHINE: (u16, Arch) = if cfg!(target_arch = "aarch64") {
    (183, Arch::Aarch64)
} else if cfg!(target_arch = "arm") {
    (40, Arch::Arm)
} else if cfg!(target_arch = "riscv64") {
    (243, Arch::Riscv64)
} else {
    (62, Arch::X86_64)
};

/// What one note says, without its text.
struct Found {
    place: Place,
    address: u64,
    spec: Result<[u8; SPEC_LEN], usize>,
}

/// Attaches to every place of the probe `name` of `provider`.
#[cold]
#[inline(never)]
pub(super) fn attach<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    job: &Job<'_, '_>,
    (path, fd): (&Path, Fd),
    (provider, name): (&str, &str),
) -> Done<bool> {
    let bad = |kernel: &mut K, trouble| Err(job.no_file(kernel, path.as_str(), trouble));
    let (head, notes): (Head, _) =
        match file::with(kernel, fd, |executable| Ok((*executable.head(), Notes::of(executable)?))) {
            Ok(found) => found,
            Err(trouble) => return bad(kernel, trouble),
        };
    if head.machine != MACHINE.0 || head.wide != cfg!(target_pointer_width = "64") {
        let args = [S(path.as_str()), N(head.machine.into())];
        return job.absent(kernel, session, Form::OtherMachine, &args);
    }
    let Some(mut notes) = notes else {
        return job.absent(kernel, session, Form::NoProbes, &[S(path.as_str())]);
    };
    let has_cookies = session.identity.is_at_least(5, 15);
    if !has_cookies && head.kind == ET_DYN {
        return job.absent(kernel, session, Form::NoCookies, &[S(path.as_str())]);
    }
    // programs that ask for no argument have none: an object that was compiled without libbpf's <bpf/usdt.bpf.h>
    let specs = map(job, SPECS);
    if specs.is_some_and(|m| m.map.value_len() != SPEC_LEN || m.map.key_len() != 4) {
        return Err(job.refuse(kernel, Exit::NotPortable, Form::NoSpecs, &[S(SPECS)]));
    }
    let ips = map(job, IP_TO_SPEC).filter(|m| m.map.value_len() == 4 && m.map.key_len() == 8);
    // the last spec: the places of a probe mostly have the same
    let mut last = [0; SPEC_LEN];
    let (mut seen, mut places) = (0u64, 0u32);
    loop {
        let mut text = [0; MAX_USDT_NOTE];
        // opened anew, since what is attached in between needs the kernel too
        let next = file::with(kernel, fd, |executable| {
            let Some(probe) = notes.next(executable, &mut text)? else { return Ok(None) };
            if (probe.provider, probe.name) != (provider, name) {
                return Ok(Some(None));
            }
            let Some(place) = probe.place(executable)? else { return Ok(Some(None)) };
            let spec = arg_spec::spec(MACHINE.1, probe.args);
            Ok(Some(Some(Found { place, address: probe.address, spec })))
        });
        let found = match next {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(trouble) => return bad(kernel, trouble),
        };
        seen = seen.saturating_add(1);
        let Some(found) = found else { continue };
        let spec = match found.spec {
            Ok(spec) => spec,
            Err(number) => return not_understood(kernel, job, path, &text, number),
        };
        if places == 0 || spec != last {
            session.usdt_specs = session.usdt_specs.saturating_add(1);
            last = spec;
        }
        let id = session.usdt_specs.saturating_sub(1);
        let mut filled = Ok(());
        if let Some(specs) = specs {
            if id >= specs.max_entries {
                let args = [S(SPECS), N(specs.max_entries.into())];
                return Err(job.refuse(kernel, Exit::NotPortable, Form::FullSpecs, &args));
            }
            filled = kernel.map_update(&specs.map, &id.to_ne_bytes(), &spec);
        }
        if let Some(ips) = ips.filter(|_| head.kind != ET_DYN && filled.is_ok() && !has_cookies) {
            filled = kernel.map_update(&ips.map, &found.address.to_ne_bytes(), &id.to_ne_bytes());
        }
        if let Err(e) = filled {
            return Err(refuse(kernel, job.s, job.program, e));
        }
        let Place { offset, semaphore } = found.place;
        let spot = Spot { path, offset, ret: false, semaphore, pid: session.options.pid };
        job.to_place(kernel, session, &spot, id.into())?;
        places = places.saturating_add(1);
    }
    if places == 0 {
        let args = [S(provider), S(name), S(path.as_str()), N(seen)];
        return job.absent(kernel, session, Form::NoProbe, &args);
    }
    Ok(true)
}

/// The object's map of this name.
#[cold]
#[inline(never)]
fn map<'x>(job: &Job<'x, '_>, name: &str) -> Option<&'x OpenMap> {
    job.s.maps().zip(job.open).find(|(map, _)| map.name == name).map(|(_, open)| open)
}

/// Says which argument's place is not understood.
#[cold]
#[inline(never)]
fn not_understood<K: Kernel>(
    kernel: &mut K,
    job: &Job<'_, '_>,
    path: &Path,
    text: &[u8; MAX_USDT_NOTE],
    number: usize,
) -> Done<bool> {
    // the descriptor ends with the arguments
    let words = if cfg!(target_pointer_width = "64") { 24 } else { 12 };
    let mut strings = text.get(words..).unwrap_or_default().split(|&b| b == 0);
    let args = strings.nth(2).and_then(|args| core::str::from_utf8(args).ok()).unwrap_or("");
    let of = [S(path.as_str()), N(number as u64), S(args)];
    Err(job.refuse(kernel, Exit::NotPortable, Form::Argument, &of))
}
