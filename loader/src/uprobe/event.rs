//! A place in a file as a perf event: by the uprobe PMU (4.17), else by tracefs's `uprobe_events`.
//!
//! Sources: `Documentation/trace/uprobetracer.rst`, `kernel/events/core.c` (`perf_uprobe`).

use crate::identity::number_in;
use crate::kprobe;
use crate::sys::{Errno, Fd, Kernel, PerfSpec, Sys};
use crate::tracefs::{self, Path};
use crate::undo::Ledger;

/// A place to be probed.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    /// The file.
    pub(super) path: &'a Path,
    /// Of the instruction in the file.
    pub(super) offset: u64,
    /// At the function's return.
    pub(super) ret: bool,
    /// Of a USDT probe's semaphore in the file; 0 for none.
    pub(super) semaphore: u64,
    /// Of one process only.
    pub(super) pid: Option<u32>,
}

/// Opens it as a perf event, which is disabled until a program is attached.
///
/// # Errors
/// `ENOENT` where the kernel has no uprobes as events; `EOPNOTSUPP` where it does not count a semaphore (before 4.20).
#[cold]
#[inline(never)]
pub(super) fn open<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, spot: &Spot<'_>) -> Sys<Fd> {
    match number_in(kernel, c"/sys/bus/event_source/devices/uprobe/type") {
        Ok(kind) => by_pmu(kernel, kind, spot),
        Err(Errno::ENOENT) => by_tracefs(kernel, ledger, spot),
        Err(e) => Err(e),
    }
}

fn by_pmu<K: Kernel>(kernel: &mut K, kind: u32, spot: &Spot<'_>) -> Sys<Fd> {
    let mut config = 0;
    if spot.ret {
        let bit = number_in(kernel, c"/sys/bus/event_source/devices/uprobe/format/retprobe")?;
        config = 1u64.checked_shl(bit).ok_or(Errno::EINVAL)?;
    }
    if spot.semaphore != 0 {
        let bit = match number_in(kernel, c"/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset") {
            Err(Errno::ENOENT) => return Err(Errno::EOPNOTSUPP),
            bit => bit?,
        };
        let offset = u32::try_from(spot.semaphore).map_err(|_| Errno::EINVAL)?;
        config |= u64::from(offset).checked_shl(bit).ok_or(Errno::EINVAL)?;
    }
    let path = Some(spot.path.as_cstr()?);
    let spec =
        PerfSpec { kind, config, symbol: path, offset: spot.offset, pid: spot.pid, ..PerfSpec::default() };
    kernel.perf_event_open(&spec, 0)
}

/// `corelet/u_PID_NUMBER`, as kprobes have their names.
fn name(path: &mut Path, pid: u32, number: u32) {
    path.text("corelet/u_").number(pid).text("_").number(number);
}

fn by_tracefs<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, spot: &Spot<'_>) -> Sys<Fd> {
    let small = |n: u64| u32::try_from(n).map_err(|_| Errno::EINVAL);
    let (pid, number) = (kernel.pid(), ledger.tracefs_uprobes);
    let mut line = Path::new();
    line.text(if spot.ret { "r:" } else { "p:" });
    name(&mut line, pid, number);
    line.text(" ").text(spot.path.as_str()).text(":").number(small(spot.offset)?);
    if spot.semaphore != 0 {
        line.text("(").number(small(spot.semaphore)?).text(")");
    }
    line.as_cstr()?;
    kprobe::control(kernel, "/uprobe_events", &line)?;
    ledger.tracefs_uprobes = number.saturating_add(1);
    let mut event = Path::new();
    name(&mut event, pid, number);
    let id = tracefs::event_id(kernel, event.as_str())?;
    tracefs::open_of(kernel, id, spot.pid)
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
    let _ = kprobe::control(kernel, "/uprobe_events", &line);
}
