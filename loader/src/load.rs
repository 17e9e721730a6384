//! Loading the objects: sections into memory, relocation, maps, programs; then, when all objects are loaded and what they
//! report can be read, attaching.
//!
//! Objects are loaded each within the one before, so that what attaching needs of all of them stays in memory until the end.

use crate::TYPES;
use crate::arena::Arena;
use crate::args::Command;
use crate::attach;
use crate::btf_id::Loaded;
use crate::choose::Chosen;
use crate::device;
use crate::exit::{Done, Exit};
use crate::job::{Job, OpenMap, Source};
use crate::kernel_btf;
use crate::ksyms;
use crate::lacking;
use crate::maps::{self, with_memlock};
use crate::object::{self, Parts, Sections};
use crate::overrides;
use crate::place;
use crate::plan;
use crate::programs::Linker;
use crate::relocate;
use crate::say::{
    Arg::{E, N, S},
    bad, fail, failed, say, text,
};
use crate::service;
use crate::session::Session;
use crate::stream::Channels;
use crate::sys::{Errno, Fd, Held, Kernel, MAX_PROGRAMS, slots};
use crate::tracefs::until_nul;
use crate::typed::{self, FdArray};
use crate::uprobe;
use crate::vars;
use corelet_core::btf::Btf;
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::pack::{self, Attach, Checked, Map, Object, Program, Subset, section};
use corelet_core::{Endian, Error};
use heapless::Vec;

/// Bytes of the smallest BTF that has a type: header, one type, the empty string.
const MIN_TYPES: usize = 24 + 12 + 1;
/// Sections that stay in memory while the programs run ([`corelet_core::pack::stays`]).
const KEPT: &[u16] = &[
    section::OBJECT,
    section::BTF,
    section::MAPS,
    section::EVENTS,
    #[cfg(feature = "types")]
    section::RESULTS,
    #[cfg(feature = "types")]
    section::HINTS,
    #[cfg(feature = "types")]
    section::VIEWS,
];
/// Sections of the object that only loading needs, but for `INSNS`.
const LOADED: &[u16] = &[
    section::FUNCTIONS,
    section::PROGRAMS,
    #[cfg(feature = "engine")]
    section::RELOS,
    section::FIXUPS,
    section::DATA,
    section::FUNC_INFO,
    #[cfg(feature = "explain")]
    section::LINE_INFO,
    #[cfg(feature = "kernel-btf")]
    section::WEAK,
    #[cfg(feature = "maps")]
    section::INNER_MAPS,
    #[cfg(feature = "maps")]
    section::MAP_VALUES,
    #[cfg(feature = "options")]
    section::ALIASES,
    #[cfg(feature = "net")]
    section::DEVICE_VALUES,
];
/// Sections of the target that loading needs beside those of relocation.
const OF_TARGET: &[u16] = &[
    section::KCONFIG,
    section::PLAN,
    section::SANITIZED,
    #[cfg(feature = "maps")]
    section::MAP_PLAN,
];
/// The same, of which ids and layouts hold for the very kernel alone.
const OF_BUILD: &[u16] = &[
    section::ATTACH_IDS,
    #[cfg(feature = "place")]
    section::STRUCT_OPS,
    #[cfg(feature = "place")]
    section::STRUCT_OPS_MEMBERS,
];

/// The objects that are still to be loaded, and what came of those before.
pub struct Objects<'r, 'f> {
    /// To be loaded, with their targets.
    pub chosen: &'r [Chosen<'f>],
    /// Loaded, in the order of the pack.
    pub sources: Vec<Source<'static>, MAX_PACK_OBJECTS>,
    /// Where their events will be read.
    pub channels: Channels,
    /// Readable when the loader is asked to stop.
    pub stop: Fd,
}

/// Loads all objects, opens their channels and attaches them where the command is `run`. Gives memory that is free again,
/// the longest piece of it.
///
/// Calls itself for the next object: no deeper than [`MAX_PACK_OBJECTS`], which is all that `chosen` holds.
pub fn load<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    objects: &mut Objects<'_, '_>,
) -> Done<&'static mut [u8]> {
    let Some((chosen, rest)) = objects.chosen.split_first() else {
        if cfg!(feature = "options") && !session.options.sets.is_empty() {
            vars::all_used(kernel, session)?;
        }
        if cfg!(feature = "options") && !session.options.attaches.is_empty() {
            overrides::all_used(kernel, session)?;
        }
        if session.options.command == Command::Run {
            open_channels(kernel, session, objects)?;
        }
        session.attached_from = session.ledger.len();
        return Ok(&mut []);
    };
    objects.chosen = rest;
    let pack = chosen.pack;
    let id = &session.identity;
    let bytes = usize::try_from(chosen.memory.work.bytes(id.cpus, id.page_size)).unwrap_or(usize::MAX);
    let own = if chosen.own_types() { kernel_btf::KERNEL_BTF_MEMORY } else { 0 };
    let region = match kernel.region(bytes.saturating_add(own)) {
        Ok(region) => region,
        Err(e) => return Err(failed(kernel, text!("memory for the pack"), e)),
    };
    let mut arena = Arena::new(region);
    let whole = (pack, chosen.object);
    let mut kept = Parts::none();
    kept.read(kernel, whole, &mut arena, KEPT)?;
    let object: Object<'_> = bad(kernel, pack.path, kept.records(section::OBJECT).at(0))?;
    let btf = match TYPES {
        true => parse_btf(kernel, pack.path, kept.get(section::BTF), &mut arena)?,
        false => Btf::none(),
    };
    let count = kept.records::<Map<'_>>(section::MAPS).count();
    let open = slots(arena.take(kernel, count.saturating_mul(size_of::<OpenMap>()))?, OpenMap::default);
    let place = objects.sources.len();
    // there are no more than MAX_PACK_OBJECTS
    let _ = objects.sources.push(Source {
        name: object.name,
        digest: object.digest,
        btf,
        maps: kept.get(section::MAPS),
        open: &[],
        events: kept.get(section::EVENTS),
        results: kept.get(section::RESULTS),
        hints: kept.get(section::HINTS),
        views: kept.get(section::VIEWS),
    });
    let memory = arena.into_rest();
    let next;
    {
        let mut arena = Arena::new(&mut *memory);
        let insns = object::section(kernel, whole, &mut arena, section::INSNS)?;
        let mut parts: Parts<'_> = kept;
        parts.read(kernel, whole, &mut arena, LOADED)?;
        parts.read(kernel, (chosen.file, chosen.target), &mut arena, OF_TARGET)?;
        if cfg!(any(feature = "trace", feature = "place")) && chosen.by_build_id {
            // ids of the kernel hold for the very build only
            parts.read(kernel, (chosen.file, chosen.target), &mut arena, OF_BUILD)?;
        }
        let mut sections = Sections { path: pack.path, object, btf, parts };
        if chosen.own_types() {
            let values = kernel_btf::kconfig(kernel, session, &sections, &mut arena)?;
            sections.parts.put(section::KCONFIG, values);
        }
        lacking::refuse_unbuilt(kernel, &sections, chosen)?;
        next = into_kernel(kernel, session, chosen, &sections, insns, open, arena, objects, place)?;
    }
    Ok(if next.len() > memory.len() { next } else { memory })
}

/// Makes what the programs will report readable, before anything is attached.
pub fn open_channels<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    objects: &mut Objects<'_, '_>,
) -> Done<()> {
    let job = Job {
        sources: &objects.sources,
        output: session.options.output,
        to: session.options.to,
        rotate: 0,
        deadline: None,
        interval: None,
        stop: objects.stop,
        cpus: session.identity.cpus,
        page_size: session.identity.page_size,
        memory: &mut [],
    };
    objects.channels.open(kernel, &mut session.ledger, &job)
}

/// Checks and indexes types.
pub fn parse_btf<'a, K: Kernel>(
    kernel: &mut K,
    path: &str,
    bytes: &'a [u8],
    arena: &mut Arena<'a>,
) -> Done<Btf<'a>> {
    let count = bad(kernel, path, Btf::count(bytes))?;
    let index = slots(arena.take(kernel, count.saturating_mul(4))?, || 0);
    bad(kernel, path, Btf::parse(bytes, index))
}

/// Everything that needs the kernel: decides, relocates, creates maps, loads programs; loads the other objects; attaches.
/// `place` is the object's among the sources, which get the open maps.
#[allow(clippy::too_many_arguments, reason = "one object's parts, and the others")]
fn into_kernel<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    chosen: &Chosen<'_>,
    s: &Sections<'_>,
    insns: &mut [u8],
    open: &'static mut [OpenMap],
    mut arena: Arena<'_>,
    objects: &mut Objects<'_, '_>,
    place: usize,
) -> Done<&'static mut [u8]> {
    let mut array = FdArray::new();
    let flags = arena.take(kernel, s.programs().count())?;
    flags.fill(0);
    {
        let mut arena = arena.scope();
        let used = arena.take(kernel, s.functions().count())?;
        used.fill(0);
        plan::decide(kernel, session, s, flags, used)?;
        if chosen.own_types() {
            kernel_btf::relocate(kernel, session, s, used, insns, arena.scope())?;
        } else if cfg!(feature = "engine") {
            relocate_all(kernel, session, chosen, s, used, insns, arena.scope())?;
        } else {
            patch_all(kernel, session, chosen, s, insns, arena.scope())?;
        }
        if cfg!(feature = "trace") && typed::any(s) {
            typed::resolve(kernel, session, s, used, insns, &mut array)?;
        }
        if cfg!(feature = "ksyms") && ksyms::any(s) {
            ksyms::resolve(kernel, s, used, insns)?;
        }
    }
    let types = match s.parts.get(section::SANITIZED) {
        [] => s.parts.get(section::BTF),
        old => old,
    };
    let btf = match with_memlock(kernel, |k| k.btf_load(types)) {
        // of an object that was compiled without: the kernel takes no BTF that is empty
        Err(_) if types.len() < MIN_TYPES => None,
        Ok(fd) => Some(session.ledger.keep(kernel, fd)?),
        Err(e) => {
            types_refused(kernel, s, e);
            None
        }
    };
    maps::create(kernel, session, (s, place), btf, open, arena.scope())?;
    let open: &'static [OpenMap] = open;
    let license = arena.take(kernel, s.object.license.len().saturating_add(1))?;
    license.fill(0);
    for (slot, b) in license.iter_mut().zip(s.object.license.bytes()) {
        *slot = b;
    }
    let license = until_nul(license);
    // one place alone is the kernel's own
    let fd_array = if array.len() > 1 { array.as_slice() } else { &[] };
    let linker = Linker { sections: s, insns, open, btf, license, fd_array };
    let is_chosen = |number: u16| flags.get(usize::from(number)) == Some(&1);
    let first = session.ledger.len();
    let loaded = Loaded { first, chosen: flags };
    for (number, program) in (0..).zip(s.programs()) {
        if is_chosen(number) {
            let fd = linker.load(kernel, session, (number, &program), loaded, arena.scope())?;
            if !kernel.loaded(Held { object: place as u8, number, fd }) {
                return Err(too_many(kernel));
            }
        }
    }
    if cfg!(feature = "maps") && !s.parts.get(section::MAP_VALUES).is_empty() {
        maps::hold(kernel, session, (s, place), open, loaded)?;
    }
    let attaches = matches!(session.options.command, Command::Run | Command::Load);
    if device::BUILT && attaches && !s.parts.get(section::DEVICE_VALUES).is_empty() {
        device::hold(kernel, session, s, open, (flags, first))?;
    }
    let mut next = first;
    if let Some(source) = objects.sources.get_mut(place) {
        source.open = open;
    }
    let memory = load(kernel, session, objects)?;
    if let command @ (Command::Run | Command::Load) = session.options.command {
        for (number, mut program) in (0..).zip(s.programs()) {
            if is_chosen(number)
                && let Some(prog) = session.ledger.get(next)
            {
                overrides::apply(kernel, session, &mut program)?;
                let before = (session.ledger.len(), session.ledger.tracefs_probes);
                let attached = attach_one(kernel, session, (s, open), (number, &program), prog)?;
                if service::BUILT && attached && command == Command::Load {
                    service::program(kernel, session, s, &program, prog, before)?;
                }
                next = next.saturating_add(1);
            }
        }
        if place::BUILT && place::struct_ops::any(s) {
            let loaded = Loaded { first, chosen: flags };
            place::struct_ops::attach(kernel, session, s, open, loaded)?;
        }
        if service::BUILT && command == Command::Load {
            service::maps(kernel, session, s, open)?;
        }
    }
    Ok(memory)
}

#[cold]
#[inline(never)]
fn types_refused<K: Kernel>(kernel: &mut K, s: &Sections<'_>, e: Errno) {
    let mut why = "";
    #[cfg(feature = "privileges")]
    if e == Errno::EPERM && kernel.has_token() {
        why = crate::privileges::token::OF_TYPES;
    }
    let args = [S(s.object.name), E(e), S(why)];
    say(kernel, text!("%: the kernel did not take the types: %%; going on without them"), &args);
}

#[cold]
#[inline(never)]
fn too_many<K: Kernel>(kernel: &mut K) -> Exit {
    fail(kernel, Exit::NotPortable, text!("more than % programs"), &[N(MAX_PROGRAMS as u64)])
}

/// Attaches a program of an object whose maps are `open`; whether it is attached.
#[inline(always)]
pub fn attach_one<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    (s, open): (&Sections<'_>, &[OpenMap]),
    (number, program): (u16, &Program<'_>),
    prog: Fd,
) -> Done<bool> {
    match program.attach {
        Attach::Uprobe { .. } | Attach::Usdt { .. } if cfg!(feature = "uprobe") => {
            let job = uprobe::Job { s, open, number, program, prog };
            session.counts.waiting = session.counts.waiting.saturating_add(1);
            uprobe::attach(kernel, session, &job)
        }
        Attach::Place { .. } if place::BUILT => {
            place::attach(kernel, session, &uprobe::Job { s, open, number, program, prog })
        }
        Attach::Device { .. } if device::BUILT => {
            device::attach(kernel, session, &device::Job { s, number, program, prog })
        }
        _ => attach::attach(kernel, session, s, number, program, prog),
    }
}

/// Relocates with the target's types, in memory that is free again afterwards.
#[inline(never)] // its frame is gone when programs are loaded
fn relocate_all<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    chosen: &Chosen<'_>,
    s: &Sections<'_>,
    used: &[u8],
    insns: &mut [u8],
    mut arena: Arena<'_>,
) -> Done<()> {
    let path = chosen.file.path;
    let whole = (chosen.file, chosen.target);
    let subset = &*object::section(kernel, whole, &mut arena, section::SUBSET)?;
    let ids = &*object::section(kernel, whole, &mut arena, section::IDS)?;
    if subset.is_empty() {
        let missing = Error::NoSection { what: corelet_core::Needed::Subset };
        return if s.parts.get(section::RELOS).is_empty() { Ok(()) } else { bad(kernel, path, Err(missing)) };
    }
    // a target of another pointer size is not chosen
    let types = parse_btf(kernel, path, subset, &mut arena)?.with_pointer_size(size_of::<usize>() as u8);
    // the kernel's own ids hold for the very build only
    let subset = Subset::new(types, if chosen.by_build_id { ids } else { &[] });
    relocate::relocate(kernel, s, &subset, used, insns, arena, session)
}

/// Does what relocation did on the PC, which holds for the very build.
#[inline(never)]
fn patch_all<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    chosen: &Chosen<'_>,
    s: &Sections<'_>,
    insns: &mut [u8],
    mut arena: Arena<'_>,
) -> Done<()> {
    let patches = &*object::section(kernel, (chosen.file, chosen.target), &mut arena, section::PATCHES)?;
    let has_relos = chosen.pack.table().find(section::RELOS, chosen.object).is_some();
    if (patches.is_empty() || !chosen.by_build_id) && has_relos {
        let form = text!(
            "%: the pack has no patches for this kernel, and this loader was built without the feature engine"
        );
        return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name)]));
    }
    let done = pack::patch(Checked::new(patches, section::PATCHES), insns, Endian::HOST);
    let (changed, poisoned) = bad(kernel, chosen.file.path, done)?;
    let counts = &mut session.counts;
    counts.patched = counts.patched.saturating_add(changed).saturating_sub(poisoned);
    counts.poisoned = counts.poisoned.saturating_add(poisoned);
    Ok(())
}
