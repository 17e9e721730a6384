//! Creating the maps: sizes that only the device knows, first contents, frozen constants.

use crate::arena::Arena;
use crate::btf_id::Loaded;
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::lacking::without;
use crate::object::{Sections, kernel_name};
use crate::pins;
use crate::place::{self, struct_ops};
#[cfg(feature = "privileges")]
use crate::privileges::token;
#[cfg(feature = "privileges")]
use crate::say::Arg::X;
use crate::say::{
    Arg::{E, N, P, S},
    bad, fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapFd, MapSpec, Sys};
use crate::vars;
use corelet_core::bytes::Bytes;
use corelet_core::pack::{Holds, InnerMap, Map, MapChoice, MapFate, MapRole, MapValue, Sizing, section};
use corelet_core::{Endian, Part, TypeId, kconfig};

/// Whether more than plain maps are known.
const BUILT: bool = cfg!(feature = "maps");

/// `BPF_F_RDONLY_PROG`
const RDONLY_PROG: u32 = 1 << 7;
/// `BPF_F_MMAPABLE` (5.5)
pub const MMAPABLE: u32 = 1 << 10;

/// Does `call`, and once more with a higher `RLIMIT_MEMLOCK` where it was refused: kernels before 5.11 charge maps and
/// programs to that limit and answer `EPERM`.
pub fn with_memlock<K: Kernel, T>(kernel: &mut K, mut call: impl FnMut(&mut K) -> Sys<T>) -> Sys<T> {
    match call(kernel) {
        Err(Errno::EPERM) if cfg!(feature = "old-kernels") => {
            kernel.raise_memlock()?;
            call(kernel)
        }
        other => other,
    }
}

/// What `max_entries` becomes on this machine.
fn entries(map: &Map<'_>, cpus: u32, page_size: u32) -> u32 {
    match map.sizing {
        Sizing::Exact => map.max_entries,
        Sizing::Cpus => cpus,
        Sizing::PowerOfTwoPages => {
            map.max_entries.max(page_size).checked_next_power_of_two().unwrap_or(1 << 31)
        }
    }
}

/// What the kernel is asked for to create `map` of the object `object` on a machine of `cpus` possible CPUs.
pub fn spec(object: &str, map: &Map<'_>, (cpus, page_size): (u32, u32), btf: Option<Fd>) -> MapSpec {
    let frozen = matches!(map.role, MapRole::Rodata | MapRole::Kconfig);
    // libbpf's names of data maps: the object's name, cut so that the section's fits behind it, but for `.data.NAME`
    let room = 15usize.saturating_sub(map.name.len().max(7));
    let custom = map.name.bytes().filter(|&b| b == b'.').count() > 1;
    let prefix = if map.role.is_declared() || custom { "" } else { object.get(..room).unwrap_or(object) };
    MapSpec {
        map_type: map.map_type,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: entries(map, cpus, page_size),
        map_flags: map.map_flags | if frozen { RDONLY_PROG } else { 0 },
        map_extra: map.map_extra,
        name: kernel_name(prefix, map.name),
        btf: btf.filter(|_| map.value_type != TypeId::VOID),
        key_type: map.key_type.0,
        value_type: map.value_type.0,
        kernel_value_type: 0,
        module: None,
        inner: None,
    }
}

/// Creates and fills map after map, in the order of their numbers. `place` is the object's among those loaded.
pub fn create<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    (s, place): (&Sections<'_>, usize),
    btf: Option<Fd>,
    open: &mut [OpenMap],
    mut arena: Arena<'_>,
) -> Done<()> {
    let machine = (session.identity.cpus, session.identity.page_size);
    for ((number, mut map), slot) in (0u16..).zip(s.maps()).zip(open) {
        if BUILT && !s.parts.get(section::MAP_PLAN).is_empty() && is_absent(s, number, &mut map) {
            continue;
        }
        let mut spec = spec(s.object.name, &map, machine, btf);
        if place::BUILT && map.role == MapRole::StructOps {
            // the kernel wants the object's types with it, though it takes none of them
            spec.btf = btf;
            struct_ops::spec(kernel, session, s, number, map.name, &mut spec)?;
        }
        if map.role == MapRole::Pinned && !BUILT {
            return Err(without(kernel, s, "maps"));
        }
        if BUILT
            && map.role == MapRole::Pinned
            && let Some(found) = pins::find(kernel, session, s, (place, number), &map, &spec)?
        {
            *slot = OpenMap { map: found, max_entries: spec.max_entries };
            continue;
        }
        let pattern = match s.parts.get(section::INNER_MAPS) {
            [] => None,
            _ if !BUILT => None,
            _ => pattern(kernel, session, s, (number, &map), btf)?,
        };
        spec.inner = pattern;
        if kernel.inside() && !map.role.is_declared() && session.identity.is_at_least(5, 5) {
            spec.map_flags |= MMAPABLE;
        }
        let created = attempt(kernel, &mut spec, machine.0);
        if let Some(pattern) = pattern {
            kernel.close(pattern);
        }
        let created = match created {
            Ok(created) => created,
            Err(e) => return Err(refuse(kernel, s, &map, &spec, e)),
        };
        session.ledger.keep(kernel, created.fd())?;
        session.counts.maps = session.counts.maps.saturating_add(1);
        *slot = OpenMap { map: created, max_entries: spec.max_entries };
        if BUILT && map.role == MapRole::Arena {
            begin_arena(kernel, s, &map, slot, machine.1)?;
        }
        if !map.role.is_declared() {
            fill(kernel, session, s, &map, slot, arena.scope())?;
        }
    }
    Ok(())
}

/// Creates a map, without its types where the kernel does not take it with them.
fn attempt<K: Kernel>(kernel: &mut K, spec: &mut MapSpec, cpus: u32) -> Sys<MapFd> {
    loop {
        match with_memlock(kernel, |k| k.map_create(spec, cpus)) {
            // some map types take no types, and older kernels not all of them
            Err(_) if spec.btf.is_some() => spec.btf = None,
            created => return created,
        }
    }
}

/// Whether a map is not created on this target; one that is another there becomes that.
#[cold]
#[inline(never)]
fn is_absent(s: &Sections<'_>, number: u16, map: &mut Map<'_>) -> bool {
    let mut plan = s.parts.records::<MapChoice>(section::MAP_PLAN);
    let fate = plan.find(|c| c.map == number).map(|c| c.fate);
    if fate == Some(MapFate::PerfBuffer) {
        *map = map.as_perf_buffer();
    }
    fate == Some(MapFate::Absent)
}

/// Of a map of maps, a map such as are in it, which is closed when the outer one is created.
#[cold]
#[inline(never)]
fn pattern<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    s: &Sections<'_>,
    (number, outer): (u16, &Map<'_>),
    btf: Option<Fd>,
) -> Done<Option<Fd>> {
    let mut all = s.parts.records::<InnerMap<'_>>(section::INNER_MAPS);
    let Some(InnerMap { def, .. }) = all.find(|i| i.map == number) else { return Ok(None) };
    let machine = (session.identity.cpus, session.identity.page_size);
    let mut spec = spec(s.object.name, &def, machine, btf);
    spec.name = kernel_name(outer.name, ".inner");
    match attempt(kernel, &mut spec, machine.0) {
        Ok(pattern) => Ok(Some(pattern.fd())),
        Err(e) => Err(refuse(kernel, s, &def, &spec, e)),
    }
}

/// Puts maps and programs into the maps that hold them from the start. Maps in a map that was pinned before stay as they are, as libbpf leaves them.
#[cold]
#[inline(never)]
pub fn hold<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    (s, place): (&Sections<'_>, usize),
    open: &[OpenMap],
    loaded: Loaded<'_>,
) -> Done<()> {
    let fd_of = |map: u16| open.get(usize::from(map)).map(|m| m.map.fd()).filter(|fd| fd.0 >= 0);
    for value in s.parts.records::<MapValue>(section::MAP_VALUES) {
        let map = bad(kernel, s.path, s.maps().at(value.map))?;
        let was_pinned = map.role == MapRole::Pinned && !session.to_pin.contains(&(place as u8, value.map));
        let held = match value.holds {
            Holds::Map { .. } if was_pinned => continue,
            Holds::Map { map } => fd_of(map),
            // left out, which was said
            Holds::Program { program } => loaded.number(session, program),
        };
        let (Some(holder), Some(held)) = (open.get(usize::from(value.map)), held) else { continue };
        // one that was not created holds nothing
        if holder.map.fd().0 < 0 {
            continue;
        }
        if let Err(e) = kernel.map_update(&holder.map, &value.key.to_ne_bytes(), &held.0.to_ne_bytes()) {
            let args = [S(s.object.name), S(map.name), N(value.key.into()), E(e)];
            return Err(fail(kernel, e.exit(), text!("%: map %: value % from the start: %"), &args));
        }
    }
    Ok(())
}

/// Says why a map cannot be created.
#[cold]
#[inline(never)]
fn refuse<K: Kernel>(kernel: &mut K, s: &Sections<'_>, map: &Map<'_>, spec: &MapSpec, e: Errno) -> Exit {
    let lacking = [S(kconfig::BPF_SYSCALL)];
    #[cfg(feature = "privileges")]
    let mask = token::mask(spec.map_type);
    #[cfg(feature = "privileges")]
    let delegated = [X(&mask)];
    let why = match e {
        #[cfg(feature = "privileges")]
        Errno::EPERM if kernel.has_token() => P(token::OF_MAP, &delegated),
        Errno::ENOSYS if cfg!(feature = "explain") => P(text!("; this kernel lacks %"), &lacking),
        _ => S(""),
    };
    let (ty, entries) = (spec.map_type.into(), spec.max_entries.into());
    let args = [S(s.object.name), S(map.name), N(ty), N(entries), E(e), why];
    fail(kernel, e.exit(), text!("%: map % of type %, % entries: %%"), &args)
}

/// Sets the variables that an arena begins with, by mapping it: the kernel loads no program that uses an arena before its address is
/// known, and takes that of its first mapping (`arena_map_mmap`, `kernel/bpf/arena.c`).
#[cold]
#[inline(never)]
fn begin_arena<K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    map: &Map<'_>,
    open: &OpenMap,
    page_size: u32,
) -> Done<()> {
    let data = Bytes::new(s.parts.get(section::DATA), Endian::HOST, Part::PackSection);
    let first = bad(kernel, s.path, data.slice(map.data_off as usize, map.data_len as usize))?;
    let len = (open.max_entries as usize).saturating_mul(page_size as usize);
    let set = match kernel.map_shared(open.map.fd(), 0, len, true) {
        Ok(pages) if pages.store(0, first) => Ok(()),
        Ok(_) => Err(Errno::E2BIG),
        Err(e) => Err(e),
    };
    set.map_err(|e| {
        let form = text!("%: cannot set the variables in arena %: %");
        fail(kernel, e.exit(), form, &[S(s.object.name), S(map.name), E(e)])
    })
}

/// Sets the contents of a data map and freezes constants.
fn fill<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    map: &Map<'_>,
    open: &OpenMap,
    mut arena: Arena<'_>,
) -> Done<()> {
    let value = arena.take(kernel, map.value_size as usize)?;
    value.fill(0);
    let first = match map.role {
        MapRole::Kconfig => s.parts.get(section::KCONFIG),
        _ => {
            let data = Bytes::new(s.parts.get(section::DATA), Endian::HOST, Part::PackSection);
            bad(kernel, s.path, data.slice(map.data_off as usize, map.data_len as usize))?
        }
    };
    for (slot, &b) in value.iter_mut().zip(first) {
        *slot = b;
    }
    let settable = map.role != MapRole::Kconfig;
    let set = cfg!(feature = "options")
        && settable
        && vars::apply(kernel, session, &s.btf, s.parts.records(section::ALIASES), map.value_type, value)?;
    let frozen = matches!(map.role, MapRole::Rodata | MapRole::Kconfig);
    let mut done = Ok(());
    // a new map is all zeros
    if set || frozen || !first.is_empty() {
        done = kernel.map_update(&open.map, &0u32.to_ne_bytes(), value);
    }
    if done.is_ok() && frozen {
        done = kernel.map_freeze(open.map.fd());
    }
    done.map_err(|e| {
        fail(kernel, e.exit(), text!("%: contents of map %: %"), &[S(s.object.name), S(map.name), E(e)])
    })
}
