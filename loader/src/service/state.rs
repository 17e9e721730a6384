//! What a service says of itself: an array map, pinned as `state` in its folder, that the kernel keeps.
//!
//! Values of 64 bytes, words in this machine's order:
//!
//! ```text
//! 0            version, kind (1 load, 2 run), process, objects: u32 each; u64 CLOCK_MONOTONIC at its start, ns
//! 1            u64 each: events, lost by the kernel, dropped by a slow output (of a run; a load prints none)
//! 2 ..         of each object: digest, 32 bytes; name, 32 bytes, cut, NUL-padded
//! behind       ids, 16 in a value, 0 behind the last: of programs, and of maps with the highest bit set
//! ```

use super::pins;
use crate::args::Command;
use crate::identity::read_file;
use crate::job::{Source, Summary};
use crate::number;
use crate::session::Session;
use crate::sys::Kind as Object;
use crate::sys::{Errno, Fd, Kernel, MapFd, MapSpec, Sys};
use crate::tracefs::Path;

/// The version of this form.
const VERSION: u32 = 1;
/// Bytes of a value.
pub(super) const VALUE: usize = 64;
/// Ids in a value.
const IDS: usize = 16;
const _: () = assert!(IDS * 4 == VALUE);
/// Set in an id of a map.
const MAP: u32 = 1 << 31;
/// `BPF_MAP_TYPE_ARRAY`
const ARRAY: u32 = 2;
/// The value with the counts.
const COUNTS: u32 = 1;
/// The value of the first object.
const OBJECTS: u32 = 2;

/// Who made a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// `load`: its pins stay.
    Load = 1,
    /// `run --name`: it is as long as its process.
    Run = 2,
}

/// The first value.
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) pid: u32,
    pub(super) objects: u32,
    pub(super) started: u64,
    /// The map; whoever asked closes it.
    pub(super) map: MapFd,
}

/// Writes down what is loaded, and pins it in `folder`.
pub(super) fn create<K: Kernel>(
    kernel: &mut K,
    session: &Session<'_>,
    sources: &[Source<'_>],
    folder: &Path,
) -> Sys<MapFd> {
    let blocks = session.ledger.len().div_ceil(IDS).saturating_add(sources.len());
    let spec = MapSpec {
        map_type: ARRAY,
        key_size: 4,
        value_size: VALUE as u32,
        max_entries: OBJECTS.saturating_add(blocks as u32),
        name: *b"corelet_state\0\0\0",
        ..MapSpec::default()
    };
    let map = kernel.map_create(&spec, session.identity.cpus)?;
    let pinned = write(kernel, session, sources, &map).and_then(|()| {
        let mut path = Path::new();
        path.text(folder.as_str()).text("/state");
        pins::pin(kernel, map.fd(), &path)
    });
    match pinned {
        Ok(()) => Ok(map),
        Err(e) => {
            kernel.close(map.fd());
            Err(e)
        }
    }
}

fn write<K: Kernel>(kernel: &mut K, session: &Session<'_>, sources: &[Source<'_>], map: &MapFd) -> Sys<()> {
    let kind = if session.options.command == Command::Load { Kind::Load } else { Kind::Run };
    let mut value = [0; VALUE];
    put(&mut value, &[VERSION, kind as u32, kernel.pid(), sources.len() as u32]);
    put_long(&mut value, 2, kernel.now());
    kernel.map_update(map, &0u32.to_ne_bytes(), &value)?;
    let mut key = OBJECTS;
    for source in sources {
        let name = source.name.bytes().take(VALUE / 2).chain(core::iter::repeat(0));
        for (slot, b) in value.iter_mut().zip(source.digest.into_iter().chain(name)) {
            *slot = b;
        }
        kernel.map_update(map, &key.to_ne_bytes(), &value)?;
        key = key.saturating_add(1);
    }
    let mut ids = [0; IDS];
    let mut used = 0usize;
    for index in 0..session.ledger.len() {
        let Some(id) = session.ledger.get(index).and_then(|fd| id(kernel, fd)) else { continue };
        if let Some(slot) = ids.get_mut(used) {
            *slot = id;
        }
        used = used.saturating_add(1);
        if used == IDS {
            put(&mut value, &ids);
            kernel.map_update(map, &key.to_ne_bytes(), &value)?;
            (key, ids, used) = (key.saturating_add(1), [0; IDS], 0);
        }
    }
    if used == 0 {
        return Ok(());
    }
    put(&mut value, &ids);
    kernel.map_update(map, &key.to_ne_bytes(), &value)
}

/// The id of a program or map, as `/proc` shows it of a descriptor; `None` for anything else.
fn id<K: Kernel>(kernel: &mut K, fd: Fd) -> Option<u32> {
    let mut text = [0; INFO];
    let info = info(kernel, fd, &mut text).ok()?;
    match (field(info, "map_id:"), field(info, "prog_id:")) {
        (Some(map), _) => Some(map as u32 | MAP),
        // a link tells its program too
        (_, Some(prog)) if field(info, "link_id:").is_none() => Some(prog as u32),
        _ => None,
    }
}

/// Bytes of a descriptor's info that are looked at: all of a map's and a program's.
pub(super) const INFO: usize = 768;

/// What `/proc` says of a descriptor.
pub(super) fn info<'b, K: Kernel>(kernel: &mut K, fd: Fd, text: &'b mut [u8; INFO]) -> Sys<&'b [u8]> {
    let mut path = Path::new();
    path.text("/proc/self/fdinfo/").number(fd.0.unsigned_abs());
    read_file(kernel, path.as_cstr()?, text)
}

/// The number behind `name` at the start of a line.
pub(super) fn field(info: &[u8], name: &str) -> Option<u64> {
    let line = info.split(|&b| b == b'\n').find_map(|line| number::after(line, name.as_bytes()))?;
    let (_, n) = number::integer(core::str::from_utf8(line.trim_ascii()).ok()?)?;
    Some(n)
}

/// Writes how many events there were so far.
pub(super) fn count<K: Kernel>(kernel: &mut K, map: &MapFd, sum: &Summary) -> Sys<()> {
    let mut value = [0; VALUE];
    for (at, n) in [sum.events, sum.lost, sum.dropped].into_iter().enumerate() {
        put_long(&mut value, at, n);
    }
    kernel.map_update(map, &COUNTS.to_ne_bytes(), &value)
}

/// The first value of the state in `folder`.
///
/// # Errors
/// `ENOENT` without one; `EINVAL` for one of another version.
pub(super) fn head<K: Kernel>(kernel: &mut K, folder: &Path) -> Sys<Head> {
    let mut path = Path::new();
    path.text(folder.as_str()).text("/state");
    // no map for each CPU is one of ours, so their number does not matter
    let map = kernel.obj_get_map(path.as_cstr()?, 1)?;
    let value = value(kernel, &map, 0);
    let head = value.and_then(|value| {
        let kind = match [word(&value, 0), word(&value, 1)] {
            [VERSION, 1] => Kind::Load,
            [VERSION, 2] => Kind::Run,
            _ => return Err(Errno::EINVAL),
        };
        Ok(Head { kind, pid: word(&value, 2), objects: word(&value, 3), started: long(&value, 2), map })
    });
    if head.is_err() {
        kernel.close(map.fd());
    }
    head
}

impl Head {
    /// How many events there were.
    pub(super) fn counts<K: Kernel>(&self, kernel: &mut K) -> Sys<Summary> {
        let value = value(kernel, &self.map, COUNTS)?;
        let [events, lost, dropped] = [0, 1, 2].map(|n| long(&value, n));
        Ok(Summary { events, lost, dropped, ..Summary::default() })
    }

    /// Digest and name of object number `n`.
    pub(super) fn object<K: Kernel>(&self, kernel: &mut K, n: u32) -> Sys<[u8; VALUE]> {
        value(kernel, &self.map, OBJECTS.saturating_add(n))
    }

    /// Program or map number `n`; `None` behind the last.
    pub(super) fn id<K: Kernel>(&self, kernel: &mut K, n: u32) -> Sys<Option<(Object, u32)>> {
        let key = OBJECTS.saturating_add(self.objects).saturating_add(n >> IDS.ilog2());
        let id = match value(kernel, &self.map, key) {
            Ok(value) => word(&value, n as usize % IDS),
            Err(Errno::ENOENT) => 0,
            Err(e) => return Err(e),
        };
        let kind = if id & MAP != 0 { Object::Map } else { Object::Prog };
        Ok((id != 0).then_some((kind, id & !MAP)))
    }
}

fn value<K: Kernel>(kernel: &mut K, map: &MapFd, key: u32) -> Sys<[u8; VALUE]> {
    let mut value = [0; VALUE];
    kernel.map_lookup(map, &key.to_ne_bytes(), &mut value)?;
    Ok(value)
}

/// Puts words into a value; what is behind them becomes 0.
fn put(value: &mut [u8; VALUE], words: &[u32]) {
    let words = words.iter().copied().chain(core::iter::repeat(0));
    for (slot, word) in value.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *slot = word.to_ne_bytes();
    }
}

fn put_long(value: &mut [u8; VALUE], at: usize, n: u64) {
    if let Some(slot) = value.as_chunks_mut::<8>().0.get_mut(at) {
        *slot = n.to_ne_bytes();
    }
}

fn word(value: &[u8; VALUE], at: usize) -> u32 {
    value.as_chunks::<4>().0.get(at).map_or(0, |w| u32::from_ne_bytes(*w))
}

fn long(value: &[u8; VALUE], at: usize) -> u64 {
    value.as_chunks::<8>().0.get(at).map_or(0, |w| u64::from_ne_bytes(*w))
}
