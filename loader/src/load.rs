//! Loading the objects: sections into memory, relocation, maps, programs; then, when all objects are loaded and what they
//! report can be read, attaching.
//!
//! Objects are loaded each within the one before, so that what attaching needs of all of them stays in memory until the end.

use crate::arena::Arena;
use crate::args::Command;
use crate::attach;
use crate::choose::{Chosen, MAX_OBJECTS};
use crate::exit::Done;
use crate::file::PackFile;
use crate::job::{Job, OpenMap, Source};
use crate::maps::{self, with_memlock};
use crate::object::{Reader, Sections};
use crate::plan;
use crate::programs::Linker;
use crate::relocate;
use crate::say::{
    Arg::{E, S},
    bad, failed, say,
};
use crate::session::Session;
use crate::stream::Channels;
use crate::sys::{Fd, Kernel, slots, words};
use crate::vars;
use core::ffi::CStr;
use corelet_core::btf::Btf;
use corelet_core::pack::{Records, STREAM_FIXED, STREAM_PER_CPU, Subset, Target, section};
use corelet_core::{Error, Part};
use heapless::Vec;

/// The objects that are still to be loaded, and what came of those before.
pub struct Objects<'r, 'f> {
    /// To be loaded, with their targets.
    pub chosen: &'r [Chosen<'f>],
    /// The pack.
    pub pack: &'r PackFile<'f>,
    /// Loaded, in the order of the pack.
    pub sources: Vec<Source<'static>, MAX_OBJECTS>,
    /// Where their events will be read.
    pub channels: Channels,
    /// Readable when the loader is asked to stop.
    pub stop: Fd,
}

/// Loads all objects, opens their channels and attaches them where the command is `run`. Gives memory that is free again,
/// the longest piece of it.
pub fn load<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    objects: &mut Objects<'_, '_>,
) -> Done<&'static mut [u8]> {
    let Some((chosen, rest)) = objects.chosen.split_first() else {
        vars::all_used(kernel, session)?;
        if session.options.command == Command::Run {
            open_channels(kernel, session, objects)?;
        }
        return Ok(&mut []);
    };
    objects.chosen = rest;
    let pack = objects.pack;
    let id = &session.identity;
    let bytes = usize::try_from(chosen.memory.work.bytes(id.cpus, id.page_size)).unwrap_or(usize::MAX);
    let region = match kernel.region(bytes) {
        Ok(region) => region,
        Err(e) => return Err(failed(kernel, "memory for the pack", e)),
    };
    let mut arena = Arena::new(region);
    let mut of_object = Reader { file: pack, owner: chosen.object, arena: &mut arena };
    let object = &*of_object.section(kernel, section::OBJECT)?;
    let btf_bytes = &*of_object.section(kernel, section::BTF)?;
    let maps = &*of_object.section(kernel, section::MAPS)?;
    let events = &*of_object.section(kernel, section::EVENTS)?;
    let results = &*of_object.section(kernel, section::RESULTS)?;
    let hints = &*of_object.section(kernel, section::HINTS)?;
    let object = bad(kernel, pack.path, Records::new(object, section::OBJECT).at(0))?;
    let btf = parse_btf(kernel, pack.path, btf_bytes, &mut arena)?;
    let sections = Sections {
        path: pack.path,
        object,
        btf,
        btf_bytes,
        maps,
        functions: &[],
        programs: &[],
        relos: &[],
        fixups: &[],
        data: &[],
        kconfig: &[],
        plan: &[],
        func_info: &[],
        line_info: &[],
    };
    let count = sections.maps().count();
    let open = arena.take(kernel, count * size_of::<OpenMap>())?;
    let open = slots(open, OpenMap::default);
    let memory = arena.into_rest();
    let next;
    {
        let mut arena = Arena::new(&mut *memory);
        let mut reader = Reader { file: pack, owner: chosen.object, arena: &mut arena };
        let insns = reader.section(kernel, section::INSNS)?;
        let mut sections = Sections { ..sections };
        sections.functions = reader.section(kernel, section::FUNCTIONS)?;
        sections.programs = reader.section(kernel, section::PROGRAMS)?;
        sections.relos = reader.section(kernel, section::RELOS)?;
        sections.fixups = reader.section(kernel, section::FIXUPS)?;
        sections.data = reader.section(kernel, section::DATA)?;
        sections.func_info = reader.section(kernel, section::FUNC_INFO)?;
        sections.line_info = reader.section(kernel, section::LINE_INFO)?;
        let mut reader = Reader { file: chosen.file, owner: chosen.target, arena: &mut arena };
        sections.kconfig = reader.section(kernel, section::KCONFIG)?;
        sections.plan = reader.section(kernel, section::PLAN)?;
        let source = |open| Source {
            name: object.name,
            digest: object.digest,
            btf,
            maps,
            open,
            events,
            results,
            hints,
        };
        next = into_kernel(kernel, session, chosen, &sections, insns, open, arena, objects, source)?;
    }
    Ok(if next.len() > memory.len() { next } else { memory })
}

/// Makes what the programs will report readable, before anything is attached.
fn open_channels<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    objects: &mut Objects<'_, '_>,
) -> Done<()> {
    let job = Job {
        sources: &objects.sources,
        output: session.options.output,
        deadline: None,
        stop: objects.stop,
        cpus: session.identity.cpus,
        page_size: session.identity.page_size,
        memory: &mut [],
    };
    objects.channels.open(kernel, &mut session.ledger, &job)
}

fn parse_btf<'a, K: Kernel>(
    kernel: &mut K,
    path: &str,
    bytes: &'a [u8],
    arena: &mut Arena<'a>,
) -> Done<Btf<'a>> {
    let count = bad(kernel, path, Btf::count(bytes))?;
    let index = words(arena.take(kernel, count.saturating_mul(4))?);
    bad(kernel, path, Btf::parse(bytes, index))
}

/// Everything that needs the kernel: decides, relocates, creates maps, loads programs; loads the other objects; attaches.
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
    source: impl FnOnce(&'static [OpenMap]) -> Source<'static>,
) -> Done<&'static mut [u8]> {
    let flags = arena.take(kernel, s.programs().count())?;
    plan::decide(kernel, session, s, flags)?;
    relocate_all(kernel, session, chosen, s, flags, insns, &mut arena)?;
    let btf = match with_memlock(kernel, |k| k.btf_load(s.btf_bytes)) {
        Ok(fd) => Some(session.ledger.keep(kernel, fd)?),
        Err(e) => {
            let args = [S(s.object.name), E(e)];
            say(kernel, "%: the kernel did not take the types: %; going on without them", &args);
            None
        }
    };
    maps::create(kernel, session, s, btf, open, arena.scope())?;
    let open: &'static [OpenMap] = open;
    let license = arena.take(kernel, s.object.license.len() + 1)?;
    license.fill(0);
    for (slot, b) in license.iter_mut().zip(s.object.license.bytes()) {
        *slot = b;
    }
    let license = CStr::from_bytes_until_nul(license).unwrap_or(c"");
    let linker = Linker { sections: s, insns, open, btf, license };
    let programs = || (0u16..).zip(s.programs()).zip(&*flags).filter(|(_, flag)| **flag == 1);
    let first = session.ledger.len();
    for ((_, program), _) in programs() {
        let program = bad(kernel, s.path, program)?;
        linker.load(kernel, session, &program, arena.scope())?;
    }
    // there are no more than MAX_OBJECTS
    let _ = objects.sources.push(source(open));
    let memory = load(kernel, session, objects)?;
    if session.options.command == Command::Run {
        for (i, ((number, program), _)) in programs().enumerate() {
            let program = bad(kernel, s.path, program)?;
            if let Some(prog) = session.ledger.get(first + i) {
                attach::attach(kernel, session, s, number, &program, prog)?;
            }
        }
    }
    Ok(memory)
}

/// Relocates with the target's types, in memory that is free again afterwards.
fn relocate_all<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    chosen: &Chosen<'_>,
    s: &Sections<'_>,
    flags: &[u8],
    insns: &mut [u8],
    arena: &mut Arena<'_>,
) -> Done<()> {
    let path = chosen.file.path;
    let mut arena = arena.scope();
    let mut reader = Reader { file: chosen.file, owner: chosen.target, arena: &mut arena };
    let target = &*reader.section(kernel, section::TARGET)?;
    let subset = &*reader.section(kernel, section::SUBSET)?;
    let ids = &*reader.section(kernel, section::IDS)?;
    let target = bad(kernel, path, Records::<Target<'_>>::new(target, section::TARGET).at(0))?;
    if target.object != s.object.digest {
        // chosen by the same record a moment ago
        let changed = Error::BadChecksum { part: Part::PackSection, id: section::TARGET };
        return bad(kernel, path, Err(changed));
    }
    if subset.is_empty() {
        let missing = Error::NoSection { what: corelet_core::Needed::Subset };
        return if s.relos.is_empty() { Ok(()) } else { bad(kernel, path, Err(missing)) };
    }
    let types = parse_btf(kernel, path, subset, &mut arena)?.with_pointer_size(target.pointer_size);
    // the kernel's own ids hold for the very build only
    let subset = Subset::new(types, if chosen.by_build_id { ids } else { &[] });
    relocate::relocate(kernel, s, &subset, flags, insns, arena, &mut session.counts)
}

/// Bytes of memory that the stream is promised.
pub fn stream_bytes(cpus: u32) -> usize {
    STREAM_FIXED.saturating_add(STREAM_PER_CPU.saturating_mul(cpus)) as usize
}
