//! Creating the maps: sizes that only the device knows, first contents, frozen constants.

use crate::arena::Arena;
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::object::{Sections, kernel_name};
use crate::say::{
    Arg::{E, N, P, S},
    bad, fail,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapSpec, Sys};
use crate::vars;
use corelet_core::bytes::Bytes;
use corelet_core::pack::{Map, MapRole, Sizing, section};
use corelet_core::{Endian, Part, TypeId, kconfig};

/// `BPF_F_RDONLY_PROG`
const RDONLY_PROG: u32 = 1 << 7;

/// Does `call`, and once more with a higher `RLIMIT_MEMLOCK` where it was refused: kernels before 5.11 charge maps and
/// programs to that limit and answer `EPERM`.
pub fn with_memlock<K: Kernel, T>(kernel: &mut K, mut call: impl FnMut(&mut K) -> Sys<T>) -> Sys<T> {
    match call(kernel) {
        Err(Errno::EPERM) => {
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

fn spec(s: &Sections<'_>, map: &Map<'_>, session: &Session<'_>, btf: Option<Fd>) -> MapSpec {
    let frozen = matches!(map.role, MapRole::Rodata | MapRole::Kconfig);
    // libbpf's names of data maps: the object's name, cut so that the section's fits behind it
    let room = 15usize.saturating_sub(map.name.len().max(7));
    let prefix = match map.role {
        MapRole::Declared => "",
        _ => s.object.name.get(..room).unwrap_or(s.object.name),
    };
    MapSpec {
        map_type: map.map_type,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: entries(map, session.identity.cpus, session.identity.page_size),
        map_flags: map.map_flags | if frozen { RDONLY_PROG } else { 0 },
        map_extra: map.map_extra,
        name: kernel_name(prefix, map.name),
        btf: btf.filter(|_| map.value_type != TypeId::VOID),
        key_type: map.key_type.0,
        value_type: map.value_type.0,
    }
}

/// Creates and fills map after map, in the order of their numbers.
pub fn create<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    btf: Option<Fd>,
    open: &mut [OpenMap],
    mut arena: Arena<'_>,
) -> Done<()> {
    let cpus = session.identity.cpus;
    for (map, slot) in s.maps().zip(open) {
        let mut spec = spec(s, &map, session, btf);
        let created = loop {
            match with_memlock(kernel, |k| k.map_create(&spec, cpus)) {
                // some map types take no types, and older kernels not all of them
                Err(_) if spec.btf.is_some() => spec.btf = None,
                created => break created,
            }
        };
        let created = match created {
            Ok(created) => created,
            Err(e) => return Err(refuse(kernel, s, &map, &spec, e)),
        };
        session.ledger.keep(kernel, created.fd())?;
        session.counts.maps = session.counts.maps.saturating_add(1);
        *slot = OpenMap { map: created, max_entries: spec.max_entries };
        if map.role != MapRole::Declared {
            fill(kernel, session, s, &map, slot, arena.scope())?;
        }
    }
    Ok(())
}

/// Says why a map cannot be created.
#[cold]
#[inline(never)]
fn refuse<K: Kernel>(kernel: &mut K, s: &Sections<'_>, map: &Map<'_>, spec: &MapSpec, e: Errno) -> Exit {
    let lacking = [S(kconfig::BPF_SYSCALL)];
    let why = match e {
        Errno::ENOSYS => P("; this kernel lacks %", &lacking),
        _ => S(""),
    };
    let (ty, entries) = (spec.map_type.into(), spec.max_entries.into());
    let args = [S(s.object.name), S(map.name), N(ty), N(entries), E(e), why];
    fail(kernel, e.exit(), "%: map % of type %, % entries: %%", &args)
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
    let set = settable && vars::apply(kernel, session, &s.btf, map.value_type, value)?;
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
        fail(kernel, e.exit(), "%: contents of map %: %", &[S(s.object.name), S(map.name), E(e)])
    })
}
