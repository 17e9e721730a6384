//! Which option of its configuration a kernel lacks, told from what fails and from what is not there.

use crate::choose::Chosen;
use crate::exit::{Done, Exit};
use crate::object::Sections;
use crate::say::{Arg::S, fail, text};
use crate::sys::{Errno, Kernel, Open};
use crate::tracefs::{self, Path};
use core::ffi::CStr;
use corelet_core::kconfig;
use corelet_core::pack::{Attach, FixupKind, section};

/// Refuses an object that needs what this loader was built without, but for attachments and what maps are, which are looked at
/// where they are made.
#[inline(always)] // nothing where nothing is left out
pub fn refuse_unbuilt<K: Kernel>(kernel: &mut K, s: &Sections<'_>, chosen: &Chosen<'_>) -> Done<()> {
    let has = |id| chosen.pack.table().find(id, chosen.object).is_some();
    if cfg!(not(feature = "results")) && has(section::RESULTS) {
        return Err(without(kernel, s, "results"));
    }
    if cfg!(not(feature = "maps"))
        && (has(section::INNER_MAPS)
            || has(section::MAP_VALUES)
            || chosen.file.table().find(section::MAP_PLAN, chosen.target).is_some())
    {
        return Err(without(kernel, s, "maps"));
    }
    if cfg!(not(all(feature = "ksyms", feature = "trace"))) {
        for fixup in s.fixups() {
            match fixup.kind {
                FixupKind::KsymAddress { .. } if cfg!(not(feature = "ksyms")) => {
                    return Err(without(kernel, s, "ksyms"));
                }
                FixupKind::Ksym { .. } | FixupKind::Kfunc { .. } if cfg!(not(feature = "trace")) => {
                    return Err(without(kernel, s, "trace"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Says that the object needs a feature.
#[cold]
#[inline(never)]
pub fn without<K: Kernel>(kernel: &mut K, s: &Sections<'_>, feature: &str) -> Exit {
    let form = text!("%: needs the feature %, which this loader was built without");
    fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(feature)])
}

/// The option without which a program cannot be attached; empty where the error has another reason.
#[cold]
#[inline(never)]
pub fn option<K: Kernel>(kernel: &mut K, attach: &Attach<'_>, e: Errno) -> &'static str {
    match (*attach, e) {
        (
            Attach::Tracepoint { .. }
            | Attach::Kprobe { .. }
            | Attach::Ksyscall { .. }
            | Attach::PerfEvent { .. }
            | Attach::Uprobe { .. }
            | Attach::Usdt { .. },
            Errno::ENOSYS,
        ) => kconfig::PERF_EVENTS,
        // a kernel that has it makes the folder that it is mounted on
        (Attach::Tracepoint { .. } | Attach::Kprobe { .. }, Errno::ENODEV)
            if is_missing(kernel, c"/sys/kernel/tracing") =>
        {
            kconfig::EVENT_TRACING
        }
        // a category is a folder, which is there if one of its tracepoints is
        (Attach::Tracepoint { category, .. }, Errno::ENOENT)
            if is_missing_in_tracefs(kernel, "/events/", category) =>
        {
            of_category(category)
        }
        (Attach::Trace { .. }, Errno::ENOENT | Errno::EINVAL)
            if is_missing(kernel, c"/sys/kernel/btf/vmlinux") =>
        {
            kconfig::DEBUG_INFO_BTF
        }
        // there since 5.18 where the option is set
        (Attach::KprobeMulti { .. }, Errno::EOPNOTSUPP) => kconfig::FPROBE,
        // without the PMU (4.17) the symbol was never looked for
        (Attach::Kprobe { .. }, Errno::ENOENT) if is_missing_in_tracefs(kernel, "/kprobe_events", "") => {
            kconfig::KPROBE_EVENTS
        }
        // that the file is there is known by now
        (Attach::Uprobe { .. } | Attach::Usdt { .. }, Errno::ENOENT)
            if is_missing_in_tracefs(kernel, "/uprobe_events", "") =>
        {
            kconfig::UPROBE_EVENTS
        }
        _ => "",
    }
}

/// The option that tracepoints of a category are under; empty where they are under none, or another in each kernel.
fn of_category(category: &str) -> &'static str {
    match category {
        "syscalls" => kconfig::FTRACE_SYSCALLS,
        "block" => kconfig::BLOCK,
        "sock" | "tcp" | "udp" => kconfig::INET,
        "ext4" => kconfig::EXT4_FS,
        _ => "",
    }
}

/// Whether probes can be made by tracefs's `kprobe_events`.
#[cold]
#[inline(never)]
pub fn has_kprobe_events<K: Kernel>(kernel: &mut K) -> bool {
    tracefs::root(kernel).is_ok() && !is_missing_in_tracefs(kernel, "/kprobe_events", "")
}

#[cold]
#[inline(never)]
fn is_missing_in_tracefs<K: Kernel>(kernel: &mut K, folder: &str, name: &str) -> bool {
    let Ok(root) = tracefs::root(kernel) else { return false };
    let mut path = Path::new();
    path.text(root).text(folder).text(name);
    path.as_cstr().is_ok_and(|path| is_missing(kernel, path))
}

#[cold]
#[inline(never)]
fn is_missing<K: Kernel>(kernel: &mut K, path: &CStr) -> bool {
    match kernel.open(path, Open::Read) {
        Ok(fd) => {
            kernel.close(fd);
            false
        }
        Err(e) => e == Errno::ENOENT,
    }
}
