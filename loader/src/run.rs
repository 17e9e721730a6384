//! The commands: what happens from the command line to the exit code.

use crate::args::{Command, Options};
use crate::choose::{Chosen, choose, have_all};
use crate::exit::{Done, Exit};
use crate::file::PackFile;
use crate::identity::Identity;
use crate::installed;
use crate::job::Job;
use crate::load::{Objects, load, stream_bytes};
use crate::pins;
use crate::preflight;
use crate::report;
use crate::say::{Arg::N, fail, failed};
use crate::session::{Counts, Session};
use crate::stream::Channels;
use crate::sys::Kernel;
use crate::undo::Ledger;
use corelet_core::limits::MAX_PACK_OBJECTS;
use heapless::Vec;

/// Does what the command line says; whatever comes, nothing is left open or attached.
pub fn run<K: Kernel>(kernel: &mut K, options: &Options<'_>, page_size: u32) -> Done<()> {
    let started = kernel.now();
    let mut identity = Identity::read(kernel, page_size)?;
    if options.command == Command::Preflight {
        identity.becomes(&options.build_id);
    }
    let mut session = Session {
        options,
        identity,
        ledger: Ledger::default(),
        sets_used: 0,
        attaches_used: 0,
        usdt_specs: 0,
        counts: Counts::default(),
        to_pin: Vec::new(),
    };
    let done = within(kernel, &mut session, started);
    session.ledger.undo(kernel);
    done
}

fn within<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, started: u64) -> Done<()> {
    let options = session.options;
    // first of all, so that a signal while loading does not leave a probe in tracefs
    let stop = match kernel.stop_fd() {
        Ok(fd) => session.ledger.keep(kernel, fd)?,
        Err(e) => return Err(failed(kernel, "signalfd", e)),
    };
    let pack = PackFile::open(kernel, &mut session.ledger, options.pack)?;
    let extra = match options.target {
        Some(path) => Some(PackFile::open(kernel, &mut session.ledger, path)?),
        None => None,
    };
    let installed;
    let mut files: Vec<&PackFile<'_>, { MAX_PACK_OBJECTS + 2 }> = Vec::new();
    for file in extra.iter().chain([&pack]) {
        // two at most
        let _ = files.push(file);
    }
    if !have_all(kernel, &pack, &files, &session.identity)? {
        installed = installed::open(kernel, session, &pack)?;
        for file in &installed {
            // no more than there are places left
            let _ = files.push(file);
        }
    }
    let chosen = choose(kernel, &pack, &files, &session.identity, options)?;
    within_limit(kernel, session, &chosen)?;
    if options.command == Command::Preflight {
        return preflight::check(kernel, session, &pack, &chosen);
    }
    let mut objects =
        Objects { chosen: &chosen, pack: &pack, sources: Vec::new(), channels: Channels::default(), stop };
    let memory = load(kernel, session, &mut objects)?;
    if options.command == Command::Run {
        pins::pin(kernel, session, &objects.sources)?;
    }
    touch(kernel, options.touch)?;
    if options.memory {
        report::memory(kernel, options.output, started);
    }
    if options.command == Command::Verify {
        report::ready(kernel, session, "verified");
        return Ok(());
    }
    if session.counts.waiting == 0 && session.counts.iterators > 0 {
        // iterators have said all that they have
        report::ready(kernel, session, "done");
        return Ok(());
    }
    stream(kernel, session, &objects, memory)
}

/// Checks the kernel memory that the maps may take, before anything is created.
fn within_limit<K: Kernel>(kernel: &mut K, session: &Session<'_>, chosen: &[Chosen<'_>]) -> Done<()> {
    let Some(limit) = session.options.max_kernel_mem else { return Ok(()) };
    let id = &session.identity;
    let need =
        chosen.iter().fold(0u64, |sum, c| sum.saturating_add(c.memory.maps.bytes(id.cpus, id.page_size)));
    if need > limit.into() {
        let form = "the maps may take % bytes of kernel memory on % CPUs; --max-kernel-mem allows %";
        return Err(fail(kernel, Exit::NotPortable, form, &[N(need), N(id.cpus.into()), N(limit.into())]));
    }
    Ok(())
}

/// Prints events until the time is over or a signal comes.
#[cold] // once, when everything is loaded: it lies with what it calls
#[inline(never)]
fn stream<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    objects: &Objects<'_, '_>,
    memory: &mut [u8],
) -> Done<()> {
    let (options, id) = (session.options, &session.identity);
    let Some(memory) = memory.get_mut(..stream_bytes(id.cpus)) else {
        return Err(fail(kernel, Exit::BadInput, "the pack's memory formula leaves no room for events", &[]));
    };
    let start = kernel.now();
    let deadline = options.seconds.map(|s| start.saturating_add(u64::from(s).saturating_mul(1_000_000_000)));
    report::ready(kernel, session, "ready");
    let job = Job {
        sources: &objects.sources,
        output: options.output,
        deadline,
        interval: options.interval.map(|s| u64::from(s).saturating_mul(1_000_000_000)),
        stop: objects.stop,
        cpus: id.cpus,
        page_size: id.page_size,
        memory,
    };
    let summary = objects.channels.follow(kernel, job)?;
    report::ended(kernel, &summary);
    Ok(())
}

/// Takes memory and writes to each page of it, so that whoever measures can see that it is measured.
fn touch<K: Kernel>(kernel: &mut K, bytes: u32) -> Done<()> {
    if bytes == 0 {
        return Ok(());
    }
    match kernel.region(bytes as usize) {
        Ok(region) => {
            region.fill(1);
            Ok(())
        }
        Err(e) => Err(failed(kernel, "--touch", e)),
    }
}
