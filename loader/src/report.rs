//! What the loader says of itself: what it loaded, the memory it takes, what was lost.

use crate::identity::read_file;
use crate::job::{Output, Summary};
use crate::number;
use crate::say::{
    Arg::{E, N, S},
    bare, say,
};
use crate::session::Session;
use crate::sys::{Errno, Kernel, Sys};

/// Says that everything is loaded, or attached and running.
pub fn ready<K: Kernel>(kernel: &mut K, session: &Session<'_>, what: &str) {
    let c = session.counts;
    let [programs, maps, skipped, patched, poisoned] =
        [c.programs, c.maps, c.skipped, c.patched, c.poisoned].map(|n| N(n.into()));
    let form = "%: % programs, % maps, % skipped; % relocations patched, % poisoned";
    say(kernel, form, &[S(what), programs, maps, skipped, patched, poisoned]);
}

/// Says how many events were not printed.
pub fn ended<K: Kernel>(kernel: &mut K, summary: &Summary) {
    let args = [N(summary.events), N(summary.lost), N(summary.dropped)];
    say(kernel, "ended: % events, % lost by the kernel, % dropped by a slow output", &args);
    if summary.misfits > 0 {
        let form = "% events had not the size of their type: is the pack's manifest for another version of the tool?";
        say(kernel, form, &[N(summary.misfits)]);
    }
}

/// Resident and anonymous memory of the process in KiB, by `/proc/self/smaps_rollup`, which is exact where counters such as
/// VmHWM are not (kernels from 6.2 batch those for each CPU).
fn resident<K: Kernel>(kernel: &mut K) -> Sys<(u32, u32)> {
    let mut text = [0; 1024];
    let text = read_file(kernel, c"/proc/self/smaps_rollup", &mut text)?;
    let field = |name: &str| {
        text.split(|&b| b == b'\n').find_map(|l| number::first(l.strip_prefix(name.as_bytes())?))
    };
    field("Rss:").zip(field("Anonymous:")).ok_or(Errno::EINVAL)
}

/// Says how much memory the process takes now, and how long loading took.
#[inline(never)]
pub fn memory<K: Kernel>(kernel: &mut K, output: Output, started: u64) {
    let micros = kernel.now().wrapping_sub(started) / 1000;
    let (rss, anonymous) = match resident(kernel) {
        Ok(both) => both,
        Err(e) => return say(kernel, "cannot read /proc/self/smaps_rollup: %", &[E(e)]),
    };
    let args = [N(rss.into()), N(anonymous.into()), N(micros)];
    if output == Output::Json {
        bare(kernel, "{\"memory\":{\"rss_kib\":%,\"anonymous_kib\":%,\"load_us\":%}}", &args);
    } else {
        say(kernel, "memory: % KiB resident, % KiB of it anonymous; loaded in % us", &args);
    }
}
