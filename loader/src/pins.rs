//! Maps that are pinned by their names, `pinning = LIBBPF_PIN_BY_NAME`: a map of the same definition under `/sys/fs/bpf/NAME` is
//! used; one that is not there is made, and pinned when everything runs, so that whatever fails before leaves no pin. Pins stay when
//! the loader ends: they are there to outlive it. One that it did not make is never removed.
//!
//! Source: `bpf_object__reuse_map` and `map_is_reuse_compat`, libbpf `src/libbpf.c`. None of this runs for most packs (`link.ld`).

use crate::exit::{Done, Exit};
use crate::job::Source;
use crate::object::Sections;
use crate::say::{
    Arg::{E, N, S},
    fail, text,
};
use crate::session::{MAX_PINS, Session};
use crate::sys::{Errno, Kernel, MapFd, MapSpec, Sys};
use crate::tracefs::Path;
use corelet_core::pack::{Checked, Map, section};

/// Where pins are: what libbpf takes too.
const FOLDER: &str = "/sys/fs/bpf/";

/// The pinned map of this name; `None` where there is none, so that one is to be created, which [`pin`] will pin.
///
/// # Errors
/// What is pinned there is another map, said with what differs.
#[cold]
#[inline(never)]
pub fn find<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    (place, number): (usize, u16),
    map: &Map<'_>,
    wanted: &MapSpec,
) -> Done<Option<MapFd>> {
    let mut path = Path::new();
    path.text(FOLDER).text(map.name);
    let found = path.as_cstr().and_then(|path| kernel.obj_get(path));
    let fd = match found {
        Ok(fd) => session.ledger.keep(kernel, fd)?,
        Err(Errno::ENOENT) => {
            if session.to_pin.push((place as u8, number)).is_err() {
                let args = [N(MAX_PINS as u64)];
                return Err(fail(kernel, Exit::NotPortable, text!("more than % maps to pin"), &args));
            }
            return Ok(None);
        }
        Err(e) => return Err(cannot(kernel, s.object.name, map.name, e)),
    };
    let info = match kernel.map_info(fd) {
        Ok(info) => info,
        Err(e) => return Err(cannot(kernel, s.object.name, map.name, e)),
    };
    let pairs = [
        ("type", info.map_type.into(), wanted.map_type.into()),
        (text!("key size"), info.key_size.into(), wanted.key_size.into()),
        (text!("value size"), info.value_size.into(), wanted.value_size.into()),
        (text!("max_entries"), info.max_entries.into(), wanted.max_entries.into()),
        (text!("flags"), info.map_flags.into(), wanted.map_flags.into()),
        (text!("map_extra"), info.map_extra, wanted.map_extra),
    ];
    for (what, there, ours) in pairs {
        if there != ours {
            let form = text!(
                "%: map %: the map that is pinned as %% has % %, the pack's %: it is another program's or version's; \
                        remove the pin when nobody needs it any more"
            );
            let args = [S(s.object.name), S(map.name), S(FOLDER), S(map.name), S(what), N(there), N(ours)];
            return Err(fail(kernel, Exit::NotPortable, form, &args));
        }
    }
    Ok(Some(MapFd::new(fd, wanted, session.identity.cpus)))
}

/// Pins the maps that [`find`] did not find; all of them, or none.
#[inline(always)] // nearly always nothing
pub fn pin<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, sources: &[Source<'_>]) -> Done<()> {
    if session.to_pin.is_empty() { Ok(()) } else { pin_all(kernel, session, sources) }
}

#[cold]
#[inline(never)]
fn pin_all<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, sources: &[Source<'_>]) -> Done<()> {
    for (done, &(place, number)) in session.to_pin.iter().enumerate() {
        let Some((source, map)) = named(sources, (place, number)) else { continue };
        let open = source.open.get(usize::from(number)).copied().unwrap_or_default();
        if let Err(e) = at(map.name, |path| kernel.obj_pin(open.map.fd(), path)) {
            for &made in session.to_pin.iter().take(done) {
                if let Some((_, map)) = named(sources, made) {
                    // nothing is left to be done about one that cannot be removed
                    let _ = at(map.name, |path| kernel.remove(path, false));
                }
            }
            return Err(cannot(kernel, source.name, map.name, e));
        }
    }
    Ok(())
}

/// An object and one of its maps.
#[cold]
#[inline(never)]
fn named<'s, 'm>(sources: &'s [Source<'m>], (place, number): (u8, u16)) -> Option<(&'s Source<'m>, Map<'m>)> {
    let source = sources.get(usize::from(place))?;
    let map = Checked::new(source.maps, section::MAPS).at(number).ok()?;
    Some((source, map))
}

fn at<T>(name: &str, call: impl FnOnce(&core::ffi::CStr) -> Sys<T>) -> Sys<T> {
    call(Path::new().text(FOLDER).text(name).as_cstr()?)
}

#[cold]
#[inline(never)]
fn cannot<K: Kernel>(kernel: &mut K, object: &str, map: &str, e: Errno) -> Exit {
    let (exit, why) = match e {
        Errno::EPERM | Errno::ENOENT => (
            Exit::Missing,
            text!("; is a bpffs mounted there, and is this root? mount -t bpf none /sys/fs/bpf"),
        ),
        Errno::EACCES | Errno::EINVAL => (Exit::NotPortable, text!("; what is there is no map of ours")),
        Errno::EEXIST => (Exit::Again, text!("; another loader pinned one in the meantime")),
        _ => (e.exit(), ""),
    };
    fail(kernel, exit, text!("%: map %: pin %%: %%"), &[S(object), S(map), S(FOLDER), S(map), E(e), S(why)])
}
