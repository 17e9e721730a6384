//! What loaders left that were killed: folders that nobody has locked and that are no complete load, and probes in tracefs
//! whose process is gone. Nothing of a living process, and nothing of others.

use super::begin::{is_locked, lock_all};
use super::state::{self, Kind};
use super::{MAX_NAME, NEW, at, unload};
use crate::directory::Names;
use crate::number;
use crate::say::{
    Arg::{E, S},
    say, text,
};
use crate::sys::{Errno, Fd, Kernel, Open, Sys};
use crate::tracefs::{self, Path};
use heapless::String;

/// Bytes of a list of probes that are looked at at once; a line that is longer is none of ours.
const CHUNK: usize = 512;

/// Removes it all.
#[cold]
#[inline(never)]
pub fn clean<K: Kernel>(kernel: &mut K) {
    clean_probes(kernel);
    // without the folder of all there is nothing to be locked for
    let Ok(fd) = at(&[]).as_cstr().and_then(|path| kernel.open(path, Open::Read)) else { return };
    kernel.close(fd);
    if let Ok(all) = lock_all(kernel) {
        clean_folders(kernel);
        unload::tidy(kernel);
        kernel.close(all);
    }
}

/// Removes folders that were left, and finishes replacements that were complete. Whoever calls this has the lock of all.
pub(super) fn clean_folders<K: Kernel>(kernel: &mut K) {
    let Ok(mut names) = at(&[]).as_cstr().and_then(|path| Names::open(kernel, path)) else { return };
    while let Ok(Some(name)) = names.next(kernel) {
        let name: Result<String<{ MAX_NAME + NEW.len() }>, _> = name.try_into();
        // a longer one is not ours
        let Ok(name) = name else { continue };
        if let Err(e) = clean_folder(kernel, &name) {
            let form = text!("cannot remove /sys/fs/bpf/corelet/%, which a killed loader left: %");
            say(kernel, form, &[S(&name), E(e)]);
        }
    }
    names.close(kernel);
}

fn clean_folder<K: Kernel>(kernel: &mut K, name: &str) -> Sys<()> {
    let folder = at(&["/", name]);
    if is_locked(kernel, folder.as_cstr()?)? {
        return Ok(());
    }
    match state::head(kernel, &folder) {
        Ok(head) => {
            kernel.close(head.map.fd());
            match (head.kind, name.strip_suffix(NEW)) {
                (Kind::Load, None) => return Ok(()),
                (Kind::Load, Some(name)) => {
                    unload::replace(kernel, name)?;
                    say(kernel, text!("%: replaced, as a killed loader had begun to"), &[S(name)]);
                    return Ok(());
                }
                (Kind::Run, _) => {}
            }
        }
        Err(Errno::ENOENT) => {}
        // of another version, or none of ours
        Err(e) => return Err(e),
    }
    unload::remove(kernel, &[name])?;
    say(kernel, text!("removed /sys/fs/bpf/corelet/%, which a killed loader left"), &[S(name)]);
    Ok(())
}

/// Removes probes in tracefs, `corelet/LETTER_PID_NUMBER` ([`crate::kprobe`]). A pid may be another process's by now: then the
/// probe stays until that one is gone.
fn clean_probes<K: Kernel>(kernel: &mut K) {
    let Ok(root) = tracefs::root(kernel) else { return };
    for list in ["/kprobe_events", "/uprobe_events"] {
        let mut path = Path::new();
        path.text(root).text(list);
        let Ok(fd) = path.as_cstr().and_then(|path| kernel.open(path, Open::Read)) else { continue };
        clean_list(kernel, fd, &path);
        kernel.close(fd);
    }
}

fn clean_list<K: Kernel>(kernel: &mut K, list: Fd, path: &Path) {
    let mut at = 0u32;
    let mut text = [0; CHUNK];
    loop {
        let n = kernel.read_at(list, at, &mut text).unwrap_or(0);
        let Some(bytes) = text.get(..n).filter(|b| !b.is_empty()) else { return };
        let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        at = at.saturating_add(line.len() as u32).saturating_add(1);
        let Some((name, pid)) = of_line(line) else { continue };
        if !is_gone(kernel, pid) {
            continue;
        }
        let mut command = Path::new();
        command.text("-:").text(name);
        let removed = path.as_cstr().and_then(|path| kernel.open(path, Open::Append)).and_then(|fd| {
            let written = kernel.write(fd, command.as_str().as_bytes());
            kernel.close(fd);
            written
        });
        match removed {
            Ok(_) => {
                say(kernel, text!("removed the probe %, which a killed loader left"), &[S(name)]);
                // the list begins anew, without it
                at = 0;
            }
            Err(e) => {
                let form = text!("cannot remove the probe %, which a killed loader left: %");
                say(kernel, form, &[S(name), E(e)]);
            }
        }
    }
}

/// Name and process of a probe of ours in a line as `p:corelet/p_77_0 do_open`.
fn of_line(line: &[u8]) -> Option<(&str, u32)> {
    let start = line.iter().position(|&b| b == b':')?.saturating_add(1);
    let name = line.get(start..)?.split(|&b| b == b' ').next()?;
    let pid = number::after(name, b"corelet/")?.split(|&b| b == b'_').nth(1)?;
    Some((core::str::from_utf8(name).ok()?, number::decimal(core::str::from_utf8(pid).ok()?)?))
}

/// Whether there is no such process; where `/proc` cannot be read there may be.
pub fn is_gone<K: Kernel>(kernel: &mut K, pid: u32) -> bool {
    let mut is_there = |path: &Path| {
        let opened = path.as_cstr().and_then(|path| kernel.open(path, Open::Read));
        if let Ok(fd) = opened {
            kernel.close(fd);
        }
        opened.map(drop)
    };
    is_there(Path::new().text("/proc/self")).is_ok()
        && is_there(Path::new().text("/proc/").number(pid)) == Err(Errno::ENOENT)
}
