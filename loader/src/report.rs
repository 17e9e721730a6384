//! What the loader says of itself: what it loaded, the memory it takes, what was lost.

use crate::choose::Chosen;
use crate::identity::read_file;
use crate::job::{Output, Source, Summary};
use crate::number;
use crate::run;
use crate::say::{
    Arg::{E, N, S},
    bare, say, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, Sys};
use crate::tracefs::Path;
use corelet_core::pack::{Checked, Map, section};

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
    say(kernel, text!("ended: % events, % lost by the kernel, % dropped by a slow output"), &args);
    if summary.misfits > 0 {
        let form = text!(
            "% events had not the size of their type: is the pack's manifest for another version of the tool?"
        );
        say(kernel, form, &[N(summary.misfits)]);
    }
}

/// Resident and anonymous memory of the process in KiB, by `/proc/self/smaps_rollup`, which is exact where counters such as
/// VmHWM are not (kernels from 6.2 batch those for each CPU).
fn resident<K: Kernel>(kernel: &mut K) -> Sys<(u32, u32)> {
    let mut text = [0; 1024];
    let text = read_file(kernel, c"/proc/self/smaps_rollup", &mut text)?;
    let field = |name: &str| {
        text.split(|&b| b == b'\n').find_map(|l| number::first(number::after(l, name.as_bytes())?))
    };
    field("Rss:").zip(field("Anonymous:")).ok_or(Errno::EINVAL)
}

/// Says how much memory the process takes now, and how long loading took.
#[inline(never)]
pub fn memory<K: Kernel>(kernel: &mut K, output: Output, started: u64) {
    let micros = kernel.now().wrapping_sub(started) / 1000;
    let (rss, anonymous) = match resident(kernel) {
        Ok(both) => both,
        Err(e) => return say(kernel, text!("cannot read /proc/self/smaps_rollup: %"), &[E(e)]),
    };
    let args = [N(rss.into()), N(anonymous.into()), N(micros)];
    if output == Output::Json {
        bare(kernel, text!("{\"memory\":{\"rss_kib\":%,\"anonymous_kib\":%,\"load_us\":%}}"), &args);
    } else {
        say(kernel, "memory: % KiB resident, % KiB of it anonymous; loaded in % us", &args);
    }
}

/// Bytes that the kernel counts for a map (`memlock` of its fdinfo, exact from 6.4).
#[cold]
#[inline(never)]
fn of_map<K: Kernel>(kernel: &mut K, map: Fd) -> Sys<u32> {
    let mut path = Path::new();
    path.text("/proc/self/fdinfo/").number(map.0 as u32);
    let mut text = [0; 512];
    let text = read_file(kernel, path.as_cstr()?, &mut text)?;
    let lines = text.split(|&b| b == b'\n');
    lines.into_iter().find_map(|l| number::first(number::after(l, b"memlock:")?)).ok_or(Errno::EINVAL)
}

/// Says how much memory the kernel takes for each map by its own count, and what the pack's formula says for everything.
#[cold]
#[inline(never)]
pub fn kernel_memory<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    chosen: &[Chosen<'_>],
    sources: &[Source<'_>],
) {
    let json = session.options.output == Output::Json;
    let mut sum = 0u64;
    for source in sources {
        let maps = Checked::<Map<'_>>::new(source.maps, section::MAPS);
        for (map, open) in maps.zip(source.open).filter(|(_, open)| open.map.fd().0 >= 0) {
            let bytes = match of_map(kernel, open.map.fd()) {
                Ok(bytes) => bytes,
                Err(e) => return say(kernel, text!("cannot read a map's /proc/self/fdinfo: %"), &[E(e)]),
            };
            sum = sum.saturating_add(bytes.into());
            if !json {
                bare(kernel, text!("  map %.%: % bytes"), &[S(source.name), S(map.name), N(bytes.into())]);
            }
        }
    }
    let args = [N(sum), N(run::kernel_memory(chosen, &session.identity))];
    if json {
        bare(kernel, text!("{\"kernel_memory\":{\"maps_bytes\":%,\"at_most\":%}}"), &args);
    } else {
        say(kernel, text!("kernel memory: % bytes of maps; with buffers and programs at most %"), &args);
    }
}
