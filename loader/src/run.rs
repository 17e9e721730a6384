//! The commands: what happens from the command line to the exit code.

use crate::args::{Command, Options};
use crate::choose::{Chosen, choose, have_all};
use crate::device;
#[cfg(feature = "doctor")]
use crate::doctor;
use crate::exit::{Done, Exit};
use crate::file::PackFile;
use crate::identity::Identity;
use crate::installed::{self, Installed};
use crate::job::{Job, stream_bytes};
use crate::load::{Objects, load};
use crate::pins;
use crate::preflight;
#[cfg(feature = "privileges")]
use crate::privileges::{needed, token};
use crate::report;
use crate::say::{Arg::N, fail, failed, text};
use crate::service::{self, Pulse};
use crate::session::Session;
use crate::stream::Channels;
use crate::sys::{Kernel, Region};
use corelet_core::limits::MAX_PACK_OBJECTS;
use heapless::Vec;

const OPTIONS: bool = cfg!(feature = "options");
const TARGETS: bool = cfg!(feature = "targets");

/// Does what the command line says; whatever comes, nothing is left open or attached.
pub fn run<K: Kernel>(kernel: &mut K, options: &Options<'_>, page_size: u32) -> Done<()> {
    let started = kernel.now();
    let mut identity = Identity::read(kernel, page_size)?;
    if TARGETS && options.command == Command::Preflight {
        identity.becomes(&options.build_id);
    }
    let mut session = Session::new(options, identity);
    let done = within(kernel, &mut session, started);
    if service::BUILT && session.service.is_some() && (done.is_err() || options.command == Command::Run) {
        service::abandon(kernel, &mut session);
    }
    session.ledger.undo(kernel);
    done
}

fn within<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, started: u64) -> Done<()> {
    let options = session.options;
    #[cfg(feature = "privileges")]
    if let Some(dir) = options.token {
        token::take(kernel, session, dir)?;
    }
    #[cfg(feature = "doctor")]
    if options.command == Command::Doctor {
        return doctor::run(kernel, session);
    }
    // first of all, so that a signal while loading does not leave a probe in tracefs
    let stop = match kernel.stop_fd() {
        Ok(fd) => session.ledger.keep(kernel, fd)?,
        Err(e) => return Err(failed(kernel, text!("signalfd"), e)),
    };
    let mut packs: Vec<PackFile<'_>, MAX_PACK_OBJECTS> = Vec::new();
    for path in &options.packs {
        // as many as the command line may name
        let _ = packs.push(PackFile::named(kernel, &mut session.ledger, path)?);
    }
    let extra = match options.target {
        Some(path) if TARGETS => Some(PackFile::open(kernel, &mut session.ledger, path)?),
        _ => None,
    };
    let mut installed = Installed::new();
    let mut files: Vec<&PackFile<'_>, { 2 * MAX_PACK_OBJECTS + 1 }> = Vec::new();
    for file in extra.iter().chain(&packs) {
        // no more than there are places
        let _ = files.push(file);
    }
    for pack in &packs {
        if TARGETS && !have_all(kernel, pack, &files, &session.identity)? {
            installed::open(kernel, session, pack, &mut installed)?;
        }
    }
    for file in installed.iter().filter(|_| TARGETS) {
        // no more than there are places left
        let _ = files.push(file);
    }
    let mut chosen = Vec::new();
    for pack in &packs {
        choose(kernel, pack, &files, &session.identity, options, &mut chosen)?;
    }
    if let Some(limit) = options.max_kernel_mem.filter(|_| OPTIONS) {
        within_limit(kernel, session, &chosen, limit)?;
    }
    if TARGETS && options.command == Command::Preflight {
        return preflight::check(kernel, session, &chosen);
    }
    let named = options.command == Command::Run && options.name.is_some();
    if service::BUILT && (named || options.command == Command::Load) {
        service::begin(kernel, session)?;
    }
    let mut objects = Objects { chosen: &chosen, sources: Vec::new(), channels: Channels::default(), stop };
    let memory = load(kernel, session, &mut objects)?;
    if cfg!(feature = "maps")
        && matches!(options.command, Command::Run | Command::Load)
        && !session.to_pin.is_empty()
    {
        pins::pin(kernel, session, &objects.sources)?;
    }
    if OPTIONS && options.touch > 0 {
        touch(kernel, options.touch)?;
    }
    if OPTIONS && options.memory {
        report::memory(kernel, options.output, started);
        report::kernel_memory(kernel, session, &chosen, &objects.sources);
    }
    match options.command {
        Command::Run if session.counts.waiting == 0 && session.counts.iterators > 0 => {
            // iterators have said all that they have
            report::ready(kernel, session, "done");
        }
        Command::Run => return stream(kernel, session, &objects, memory),
        Command::Load if service::BUILT => {
            service::commit(kernel, session, &objects.sources)?;
            report::ready(kernel, session, text!("loaded"));
        }
        _ => report::ready(kernel, session, "verified"),
    }
    Ok(())
}

/// Kernel memory that maps, buffers and programs may take, by the packs' formulas.
#[cold]
#[inline(never)]
pub fn kernel_memory(chosen: &[Chosen<'_>], id: &Identity) -> u64 {
    chosen.iter().fold(0, |sum, c| sum.saturating_add(c.memory.maps.bytes(id.cpus, id.page_size)))
}

/// Checks the kernel memory that the pack may take, before anything is created.
#[cold]
#[inline(never)]
pub fn within_limit<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    chosen: &[Chosen<'_>],
    limit: u32,
) -> Done<()> {
    let id = &session.identity;
    let need = kernel_memory(chosen, id);
    if need > limit.into() {
        let form = text!(
            "maps, buffers and programs may take % bytes of kernel memory on % CPUs; --max-kernel-mem allows %"
        );
        return Err(fail(kernel, Exit::NotPortable, form, &[N(need), N(id.cpus.into()), N(limit.into())]));
    }
    Ok(())
}

/// Prints events until the time is over or a signal comes.
#[cold] // once, when everything is loaded: it lies with what it calls
#[inline(never)]
fn stream<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    objects: &Objects<'_, '_>,
    memory: Region,
) -> Done<()> {
    let mut state = None;
    match &session.service {
        _ if !service::BUILT => {}
        Some(_) => state = service::commit(kernel, session, &objects.sources)?,
        None => service::clean(kernel),
    }
    let (options, id) = (session.options, &session.identity);
    if memory.len() < stream_bytes(id.cpus) {
        return Err(fail(
            kernel,
            Exit::BadInput,
            text!("the pack's memory formula leaves no room for events"),
            &[],
        ));
    }
    let start = kernel.now();
    let deadline = options.seconds.map(|s| start.saturating_add(u64::from(s).saturating_mul(1_000_000_000)));
    report::ready(kernel, session, "ready");
    let job = Job {
        sources: &objects.sources,
        output: options.output,
        to: options.to,
        rotate: options.rotate.unwrap_or(0).into(),
        deadline,
        interval: options.interval.map(|s| u64::from(s).saturating_mul(1_000_000_000)),
        stop: objects.stop,
        cpus: id.cpus,
        page_size: id.page_size,
        memory,
    };
    let mut follow = None;
    if device::BUILT && session.options.follow {
        let told = device::listen(kernel, &mut session.ledger)?;
        objects.channels.watch_interfaces(kernel, told)?;
        follow = Some(told);
    }
    #[cfg(feature = "privileges")]
    let kept = needed(session, &objects.sources);
    let mut pulse = Pulse::start(kernel, session, state);
    #[cfg(feature = "privileges")]
    if let Some(kept) = kept {
        pulse.kept = Some(kept);
    }
    pulse.told_of_interfaces = follow;
    let summary = objects.channels.follow(kernel, job, &mut pulse)?;
    report::ended(kernel, &summary);
    Ok(())
}

/// Takes memory and writes to each page of it, so that whoever measures can see that it is measured. Not `#[cold]`: what lies with
/// cold code would be measured too.
#[inline(never)]
fn touch<K: Kernel>(kernel: &mut K, bytes: u32) -> Done<()> {
    match kernel.region(bytes as usize) {
        Ok(region) => {
            region.fill(1);
            Ok(())
        }
        Err(e) => Err(failed(kernel, text!("--touch"), e)),
    }
}
