//! When the kernel refuses a program: which instruction, which relocation is behind a poisoned one, and the verifier's log.

use crate::arena::Arena;
use crate::exit::Exit;
use crate::identity::number_in;
use crate::object::Sections;
#[cfg(feature = "privileges")]
use crate::privileges::token;
use crate::relocate::describe;
#[cfg(feature = "privileges")]
use crate::say::Arg::X;
use crate::say::{
    Arg::{E, N, P, S},
    bare, failed, say, text, write_all,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, ProgSpec, slots};
use corelet_core::insn::UNCREATED_MAP;
use corelet_core::kconfig;
use corelet_core::link::Placed;
use corelet_core::pack::{Attach, Program, Relo};
use corelet_core::relo::{ReloKind, Spec};

/// How the verifier prints the call that poison puts in an instruction's place.
const POISON: &[u8] = b"call unknown#195896080";

/// How the verifier prints the call that takes the place of a load of a map which was not created, before its number.
const UNCREATED: &[u8] = b"invalid func unknown#";

/// Explains why `first`, the error of loading without a log, came.
#[cold]
#[inline(never)]
#[allow(clippy::too_many_arguments, reason = "everything that is known of the failure")]
pub fn explain<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    spec: &ProgSpec<'_>,
    program: &Program<'_>,
    placed: &[Placed],
    first: Errno,
    arena: Arena<'_>,
) -> Exit {
    // with a log the errno may become ENOSPC, so the first one is kept
    let log = match kernel.region(session.options.log_size as usize) {
        Ok(log) => log,
        Err(e) => return failed(kernel, text!("memory for the verifier's log"), e),
    };
    let again = kernel.prog_load(spec, Some(log));
    if let Ok(fd) = again {
        kernel.close(fd);
    }
    let len = log.iter().position(|&b| b == 0).unwrap_or(log.len());
    let log = log.get(..len).unwrap_or(&[]);
    let rejected = matches!(first, Errno::EINVAL | Errno::EACCES | Errno::E2BIG) || !log.is_empty();
    let number;
    let mut at = S("");
    if let Some(insn) = last_insn(log) {
        number = [N(insn.into())];
        at = P(text!(" at instruction %"), &number);
    }
    let poisoned = poisoned_insn(log);
    // what the interpreter cannot do, such as subprograms beside other calls on some architectures, is refused so
    let jit_off = poisoned.is_none()
        && matches!(first, Errno::EINVAL | Errno::ENOTSUPP)
        && number_in(kernel, c"/proc/sys/net/core/bpf_jit_enable") == Ok(0);
    let events = [S(kconfig::BPF_EVENTS)];
    #[cfg(feature = "privileges")]
    let masks = [token::mask(spec.prog_type), token::mask(spec.expected_attach_type)];
    #[cfg(feature = "privileges")]
    let delegated = [X(&masks[0]), X(&masks[1])];
    let need = match first {
        #[cfg(feature = "privileges")]
        Errno::EPERM if kernel.has_token() => P(token::OF_PROGRAM, &delegated),
        Errno::EPERM => S(text!(" (needs root, or CAP_BPF and CAP_PERFMON)")),
        // the verifier never saw it: the type of program is unknown
        Errno::EINVAL
            if log.is_empty() && !matches!(program.attach, Attach::None | Attach::Device { .. }) =>
        {
            P(text!("; this kernel may lack %"), &events)
        }
        _ if jit_off => S(text!(
            "; the kernel's compiler is off, which some programs need: sysctl net.core.bpf_jit_enable=1"
        )),
        _ => S(""),
    };
    let args = [S(s.object.name), S(program.name), S(program.section), E(first), at, need];
    say(kernel, text!("%: program % (%): the kernel refused it: %%%"), &args);
    if let Some(insn) = poisoned.filter(|_| cfg!(feature = "engine")) {
        blame(kernel, s, placed, insn, arena);
    }
    if let Some(map) = uncreated_map(log).and_then(|number| s.maps().at(number).ok()) {
        let args = [S(map.name), N(map.map_type.into())];
        bare(
            kernel,
            text!("  it uses map %, which was not created: this kernel has no maps of type %"),
            &args,
        );
    }
    if !log.is_empty() {
        // kernels from 6.4 on keep the end of a log that does not fit, older ones its start
        let cut = match (again, session.identity.is_at_least(6, 4)) {
            (Err(Errno::ENOSPC), true) => text!(", its start cut off (--log-size makes room)"),
            (Err(Errno::ENOSPC), false) => text!(", its end cut off (--log-size makes room)"),
            _ => "",
        };
        bare(kernel, text!("  the verifier's log%:"), &[S(cut)]);
        write_all(kernel, Fd::STDERR, log);
    }
    if jit_off {
        Exit::Missing
    } else if rejected && !matches!(first, Errno::ENOMEM | Errno::EAGAIN | Errno::EPERM) {
        Exit::NotPortable
    } else {
        first.exit()
    }
}

/// The relocation of an instruction.
#[cold]
#[inline(never)]
fn hit(s: &Sections<'_>, function: u16, insn: u32) -> Option<Relo> {
    s.relos().flatten().find(|relo| relo.function == function && relo.insn == insn)
}

/// Says which relocation poisoned the instruction.
fn blame<K: Kernel>(kernel: &mut K, s: &Sections<'_>, placed: &[Placed], insn: u32, mut arena: Arena<'_>) {
    let Some(p) = placed.iter().find(|p| insn.wrapping_sub(p.start) < p.count) else { return };
    let at = insn.wrapping_sub(p.start);
    // the second half of a 64-bit load is poisoned with the first
    let Some(relo) = hit(s, p.function, at).or_else(|| hit(s, p.function, at.wrapping_sub(1))) else {
        return;
    };
    let Ok(memory) = arena.take(kernel, size_of::<Spec>()) else { return };
    let Some(spec) = slots(memory, Spec::default).first_mut() else { return };
    if let Ok(kind) = ReloKind::from_number(relo.kind.into()) {
        // one that does not parse is printed raw
        let _ = spec.parse(&s.btf, relo.type_id, relo.access_str_off, kind);
    }
    describe(kernel, s, &relo, spec, text!("  it reads what this kernel does not have: %"), S(""));
}

/// The number of the map that was not created and is used in an instruction that is reached.
fn uncreated_map(log: &[u8]) -> Option<u16> {
    let at = log.windows(UNCREATED.len()).position(|w| w == UNCREATED)?;
    let number = crate::number::first(log.get(at.saturating_add(UNCREATED.len())..)?)?;
    number.checked_sub(UNCREATED_MAP as u32)?.try_into().ok()
}

/// The number at the start of a log line such as `12: (85) call …`.
fn insn_of(line: &[u8]) -> Option<u32> {
    let colon = line.iter().position(|&b| b == b':')?;
    let rest = line.get(colon..)?;
    let number = core::str::from_utf8(line.get(..colon)?).ok()?;
    if rest.starts_with(b": (") { crate::number::decimal(number) } else { None }
}

fn last_insn(log: &[u8]) -> Option<u32> {
    log.rsplit(|&b| b == b'\n').find_map(insn_of)
}

fn poisoned_insn(log: &[u8]) -> Option<u32> {
    let lines = log.rsplit(|&b| b == b'\n');
    lines.filter(|l| l.windows(POISON.len()).any(|w| w == POISON)).find_map(insn_of)
}

#[cfg(test)]
mod tests {
    use super::{last_insn, poisoned_insn, uncreated_map};

    #[test]
    fn instructions_are_found_in_a_log() {
        let log = b"0: R1=ctx() R10=fp0\n; int x = 1;\n0: (b7) r1 = 0\n1: (85) call unknown#195896080\n\
            invalid func unknown#195896080\nprocessed 2 insns\n";
        assert_eq!(last_insn(log), Some(1));
        assert_eq!(poisoned_insn(log), Some(1));
        assert_eq!(uncreated_map(log), None);
        assert_eq!(
            uncreated_map(b"7: (85) call unknown#2001000003\ninvalid func unknown#2001000003\n"),
            Some(3)
        );
        assert_eq!(uncreated_map(b"invalid func unknown#2002000003\n"), None);
        assert_eq!(last_insn(b"processed 2 insns\n"), None);
        assert_eq!(poisoned_insn(b"3: (85) call bpf_probe_read#4\n"), None);
    }
}
