//! What the loader says of itself: what it loaded, the memory it takes, what was lost.

use crate::identity::with_file;
use crate::job::{Output, Summary};
use crate::number;
use crate::say::{bare, say};
use crate::session::Session;
use crate::sys::{Errno, Kernel, Sys};

/// Says that everything is loaded, or attached and running.
pub fn ready<K: Kernel>(kernel: &mut K, session: &Session<'_>, what: &str) {
    let c = session.counts;
    let mut line = say(kernel);
    line.s(what).s(": ").n(c.programs).s(" programs, ").n(c.maps).s(" maps, ").n(c.skipped).s(" skipped; ");
    line.n(c.patched).s(" relocations patched, ").n(c.poisoned).s(" poisoned");
}

/// Says how many events were not printed.
pub fn ended<K: Kernel>(kernel: &mut K, summary: &Summary) {
    let mut line = say(kernel);
    line.s("ended: ").n(summary.events).s(" events, ").n(summary.lost).s(" lost by the kernel, ");
    line.n(summary.dropped).s(" dropped by a slow output");
}

/// Resident and anonymous memory of the process in KiB, by `/proc/self/smaps_rollup`, which is exact where counters such as
/// VmHWM are not (kernels from 6.2 batch those for each CPU).
fn resident<K: Kernel>(kernel: &mut K) -> Sys<(u32, u32)> {
    let mut text = [0; 1024];
    let n = with_file(kernel, c"/proc/self/smaps_rollup", |k, fd| k.read(fd, &mut text))?;
    let text = text.get(..n).unwrap_or(&[]);
    let field = |name: &str| {
        text.split(|&b| b == b'\n').find_map(|l| number::first(l.strip_prefix(name.as_bytes())?))
    };
    field("Rss:").zip(field("Anonymous:")).ok_or(Errno::EINVAL)
}

/// Says how much memory the process takes now, and how long loading took.
pub fn memory<K: Kernel>(kernel: &mut K, output: Output, started: u64) {
    let micros = kernel.now().wrapping_sub(started) / 1000;
    match resident(kernel) {
        Ok((rss, anonymous)) if output == Output::Json => {
            let mut line = bare(kernel);
            line.s("{\"memory\":{\"rss_kib\":").n(rss).s(",\"anonymous_kib\":").n(anonymous);
            line.s(",\"load_us\":").n(micros).s("}}");
        }
        Ok((rss, anonymous)) => {
            let mut line = say(kernel);
            line.s("memory: ").n(rss).s(" KiB resident, ").n(anonymous).s(" KiB of it anonymous; loaded in ");
            line.n(micros).s(" us");
        }
        Err(e) => {
            say(kernel).s("cannot read /proc/self/smaps_rollup: ").errno(e);
        }
    }
}
