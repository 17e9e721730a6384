//! Kernel probes as perf events: by the kprobe PMU (4.17), else by tracefs's `kprobe_events`.
//!
//! Sources: `Documentation/trace/kprobetrace.rst`, `kernel/events/core.c` (`perf_kprobe`).

use crate::identity::number_in;
use crate::sys::{Errno, Fd, Kernel, Open, PerfSpec, Sys};
use crate::tracefs::{self, Path};
use crate::undo::Ledger;

/// A probe to be made.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Kernel function.
    pub symbol: &'a str,
    /// Bytes behind its start.
    pub offset: u32,
    /// At the return.
    pub ret: bool,
}

/// What ftrace may write at the start of a function of RISC-V, in bytes: `auipc` and `jalr`.
const FTRACE: Option<u32> = if cfg!(target_arch = "riscv64") { Some(8) } else { None };

/// Opens a probe as a perf event, which is disabled until a program is attached.
///
/// RISC-V kernels without `KPROBES_ON_FTRACE` (6.12) refuse the very start of a function that ftrace can patch. Behind those bytes
/// nothing of the function has run yet: arguments are where they were. Kernels before, with 16 such bytes, had the option.
///
/// # Errors
/// `ENOENT` for a symbol that does not exist; `EINVAL` where the kernel cannot probe this place.
#[cold] // tracepoints, which many tools have alone, go without
#[inline(never)]
pub fn open<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, probe: &Probe<'_>) -> Sys<Fd> {
    open_or_behind(kernel, ledger, probe, FTRACE)
}

/// The same, so many bytes behind the start of the function where the kernel refuses that.
///
/// # Errors
/// As [`open`].
pub fn open_or_behind<K: Kernel>(
    kernel: &mut K,
    ledger: &mut Ledger,
    probe: &Probe<'_>,
    behind: Option<u32>,
) -> Sys<Fd> {
    match (open_there(kernel, ledger, probe), behind) {
        (Err(Errno::EINVAL), Some(offset)) if probe.offset == 0 && !probe.ret => {
            open_there(kernel, ledger, &Probe { offset, ..*probe })
        }
        (opened, _) => opened,
    }
}

fn open_there<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, probe: &Probe<'_>) -> Sys<Fd> {
    match number_in(kernel, c"/sys/bus/event_source/devices/kprobe/type") {
        Ok(kind) => by_pmu(kernel, kind, probe),
        Err(Errno::ENOENT) if cfg!(feature = "old-kernels") => by_tracefs(kernel, ledger, probe),
        Err(e) => Err(e),
    }
}

#[cold]
#[inline(never)]
fn by_pmu<K: Kernel>(kernel: &mut K, kind: u32, probe: &Probe<'_>) -> Sys<Fd> {
    let mut config = 0;
    if probe.ret {
        let path = c"/sys/bus/event_source/devices/kprobe/format/retprobe";
        config = 1u64.checked_shl(number_in(kernel, path)?).ok_or(Errno::EINVAL)?;
    }
    let mut symbol = Path::new();
    symbol.text(probe.symbol);
    let spec = PerfSpec {
        kind,
        config,
        symbol: Some(symbol.as_cstr()?),
        offset: probe.offset.into(),
        ..PerfSpec::default()
    };
    kernel.perf_event_open(&spec, 0)
}

/// `corelet/p_PID_NUMBER`: names that no other process makes and that tell whose they are.
fn name(path: &mut Path, pid: u32, number: u32) {
    path.text("corelet/p_").number(pid).text("_").number(number);
}

#[cold]
#[inline(never)]
fn by_tracefs<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, probe: &Probe<'_>) -> Sys<Fd> {
    let (pid, number) = (kernel.pid(), ledger.tracefs_probes);
    let mut line = Path::new();
    line.text(if probe.ret { "r:" } else { "p:" });
    name(&mut line, pid, number);
    line.text(" ").text(probe.symbol);
    if probe.offset != 0 {
        line.text("+").number(probe.offset);
    }
    match control(kernel, "/kprobe_events", &line) {
        // of a loader that had our pid, and was killed
        Err(Errno::EEXIST) => {
            remove(kernel, number);
            control(kernel, "/kprobe_events", &line)?;
        }
        other => other?,
    }
    ledger.tracefs_probes = ledger.tracefs_probes.saturating_add(1);
    let mut event = Path::new();
    name(&mut event, pid, number);
    let id = tracefs::event_id(kernel, event.as_str())?;
    tracefs::open(kernel, id)
}

/// Removes the probe of number `number` that this process made in tracefs.
#[cold]
#[inline(never)]
pub fn remove<K: Kernel>(kernel: &mut K, number: u32) {
    let mut line = Path::new();
    line.text("-:");
    let pid = kernel.pid();
    name(&mut line, pid, number);
    // at the end there is nobody left to tell
    let _ = control(kernel, "/kprobe_events", &line);
}

/// Writes a line to a control file of tracefs.
#[cold]
#[inline(never)]
pub fn control<K: Kernel>(kernel: &mut K, file: &str, line: &Path) -> Sys<()> {
    let root = tracefs::root(kernel)?;
    let mut path = Path::new();
    path.text(root).text(file);
    let fd = kernel.open(path.as_cstr()?, Open::Append)?;
    let result = kernel.write(fd, line.as_str().as_bytes());
    kernel.close(fd);
    result.map(drop)
}
