//! Attaching a loaded program to what its section names.

use crate::btf_id::{self, Loaded};
use crate::exit::Done;
use crate::kprobe::{self, Probe};
use crate::maps::with_memlock;
use crate::multi;
use crate::object::Sections;
use crate::place;
use crate::plan::{optional, refuse};
use crate::say::{Arg::S, failed, say, write_all};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, PerfCommand, PerfSpec, ProgSpec, Sys};
use crate::tracefs::{self, Path};
use corelet_core::Endian;
use corelet_core::btf::Kind;
use corelet_core::insn::Insn;
use corelet_core::pack::{Attach, Program};

/// `BPF_TRACE_ITER` of `enum bpf_attach_type`.
const ITER: u32 = 28;
/// What stands before a system call's name in its function's, with `CONFIG_ARCH_HAS_SYSCALL_WRAPPER`: `SYSCALL_DEFINEx` of
/// `arch/*/include/asm/syscall_wrapper.h`. 32-bit ARM has none.
const SYSCALL_WRAPPER: &str = if cfg!(target_arch = "x86_64") {
    "__x64_sys_"
} else if cfg!(target_arch = "aarch64") {
    "__arm64_sys_"
} else if cfg!(target_arch = "riscv64") {
    "__riscv_sys_"
} else {
    "sys_"
};

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
    match try_attach(kernel, session, program, prog) {
        Ok(fds) => {
            for &fd in fds.iter().flatten() {
                session.ledger.keep(kernel, fd)?;
            }
            if cfg!(feature = "trace")
                && let (ITER, [Some(link), _]) = (program.expected_attach_type, fds)
            {
                session.counts.iterators = session.counts.iterators.saturating_add(1);
                return iterate(kernel, session, s, program, link).map(|()| true);
            }
            session.counts.waiting = session.counts.waiting.saturating_add(1);
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

/// Whether a program of this type can be attached there, tried with one that does nothing.
///
/// # Errors
/// That of the call that failed.
#[cold]
#[inline(never)]
pub fn try_out<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    number: u16,
    program: &Program<'_>,
) -> Sys<()> {
    if program.prog_type == btf_id::EXT {
        // the program of which it replaces a function is not loaded yet
        return Ok(());
    }
    // of a place it is only loaded: what it answers there would count. Those must be able to allow.
    let is_place = matches!(program.attach, Attach::Place { .. });
    // r0 = 0 or 1; exit
    let insns = [Insn { code: 0xb7, imm: is_place.into(), ..Insn::ZERO }, Insn { code: 0x95, ..Insn::ZERO }];
    let insns = insns.map(|insn| insn.encode(Endian::HOST));
    let none = Loaded { first: 0, chosen: &[] };
    let attach_to = btf_id::find(kernel, session, s, number, program, none)?;
    let spec = ProgSpec {
        prog_type: program.prog_type,
        expected_attach_type: program.expected_attach_type,
        prog_flags: program.prog_flags,
        kern_version: s.object.kern_version,
        name: *b"corelet_try\0\0\0\0\0",
        insns: insns.as_flattened(),
        license: c"GPL",
        btf: None,
        attach_to,
        fd_array: &[],
    };
    let loaded = with_memlock(kernel, |k| k.prog_load(&spec, None));
    attach_to.close(kernel);
    let prog = loaded?;
    if is_place {
        kernel.close(prog);
        return place::present(kernel, program);
    }
    let before = session.ledger.len();
    let done = try_attach(kernel, session, program, prog);
    for &fd in done.iter().flatten().flatten() {
        kernel.close(fd);
    }
    session.ledger.undo_to(kernel, before);
    kernel.close(prog);
    done.map(drop)
}

/// The descriptors that keep the attachment: the perf event and its link, or the only one. Of perf events on every CPU those of
/// all CPUs are in the ledger already.
#[cold]
fn try_attach<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    program: &Program<'_>,
    prog: Fd,
) -> Sys<[Option<Fd>; 2]> {
    let one = |fd| [Some(fd), None];
    match program.attach {
        Attach::None => Ok([None, None]),
        Attach::Tracepoint { category, name } => {
            let mut event = Path::new();
            event.text(category).text("/").text(name);
            let id = tracefs::event_id(kernel, event.as_str())?;
            let event = tracefs::open(kernel, id)?;
            to_event(kernel, prog, event, 0)
        }
        Attach::Kprobe { symbol, offset, ret } => {
            let event = kprobe::open(kernel, &mut session.ledger, &Probe { symbol, offset, ret })?;
            to_event(kernel, prog, event, 0)
        }
        _ if cfg!(not(feature = "trace")) => Err(Errno::EOPNOTSUPP),
        Attach::RawTracepoint { name } => {
            let mut path = Path::new();
            path.text(name);
            kernel.raw_tracepoint_open(Some(path.as_cstr()?), prog).map(one)
        }
        _ => other_ways(kernel, session, program, prog),
    }
}

/// The ways that few tools go, apart: for the others they are no memory (link.ld).
#[cold]
#[inline(never)]
fn other_ways<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    program: &Program<'_>,
    prog: Fd,
) -> Sys<[Option<Fd>; 2]> {
    let one = |fd| [Some(fd), None];
    match program.attach {
        Attach::Ksyscall { name, ret } => {
            let event = syscall(kernel, session, name, ret)?;
            to_event(kernel, prog, event, 0)
        }
        Attach::KprobeMulti { pattern, ret } => {
            multi::attach(kernel, prog, program.expected_attach_type, pattern, ret).map(one)
        }
        // what it attaches to was said when it was loaded
        Attach::Trace { .. } if program.expected_attach_type == ITER => kernel.link_iter(prog).map(one),
        Attach::Trace { name, .. } if btf_id::is_multi(program.expected_attach_type) => {
            let function = btf_id::by_name(kernel, name, Kind::Func)?;
            let link = kernel.link_tracing_multi(prog, program.expected_attach_type, function.id);
            function.close(kernel);
            link.map(one)
        }
        Attach::Trace { .. } => kernel.raw_tracepoint_open(None, prog).map(one),
        Attach::PerfEvent { kind, config, sample, freq } => {
            let spec = PerfSpec { kind, config, sample_period: sample, freq, ..PerfSpec::default() };
            on_every_cpu(kernel, session, prog, &spec).map(|()| [None, None])
        }
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// A probe of a system call's function: of the wrapper's, where the architecture has one in this kernel.
#[cold]
#[inline(never)]
fn syscall<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, name: &str, ret: bool) -> Sys<Fd> {
    let mut last = Errno::ENOENT;
    for prefix in [SYSCALL_WRAPPER, "sys_"] {
        let mut symbol = Path::new();
        let symbol = symbol.text(prefix).text(name).as_str();
        match kprobe::open(kernel, &mut session.ledger, &Probe { symbol, offset: 0, ret }) {
            Err(e @ (Errno::ENOENT | Errno::EINVAL)) => last = e,
            other => return other,
        }
    }
    Err(last)
}

/// Samples of a counter on every CPU that is there.
#[cold]
#[inline(never)]
fn on_every_cpu<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    prog: Fd,
    spec: &PerfSpec<'_>,
) -> Sys<()> {
    let mut any = Err(Errno::ENODEV);
    for cpu in 0..session.identity.cpus {
        let event = match kernel.perf_event_open(spec, cpu) {
            Ok(event) => event,
            // a CPU that is possible and not online
            Err(Errno::ENODEV) => continue,
            Err(e) => return Err(e),
        };
        for &fd in to_event(kernel, prog, event, 0)?.iter().flatten() {
            session.ledger.keep(kernel, fd).map_err(|_| Errno::EMFILE)?;
        }
        any = Ok(());
    }
    any
}

/// Prints the text of an iterator to its end.
#[cold]
#[inline(never)]
fn iterate<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    program: &Program<'_>,
    link: Fd,
) -> Done<()> {
    let file = match kernel.iter_create(link) {
        Ok(file) => session.ledger.keep(kernel, file)?,
        Err(e) => return Err(refuse(kernel, s, program, e)),
    };
    let mut piece = [0; 512];
    loop {
        match kernel.read(file, &mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => write_all(kernel, Fd::STDOUT, piece.get(..n).unwrap_or_default()),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(e) => return Err(failed(kernel, program.name, e)),
        }
    }
}

/// Attaches to a perf event, by a link with a cookie where the kernel has them (5.15), else by ioctl.
#[cold] // `verify` attaches nothing
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
