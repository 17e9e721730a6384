//! `status`: what is loaded and what runs, as lines for people or as one JSON object for each service.

use super::begin::{is_locked, lock_all};
use super::state::{self, Head, INFO, Kind, VALUE, field, info};
use super::{MAX_NAME, NEW, ROOT, at};
use crate::args::Options;
use crate::directory::Names;
use crate::exit::{Done, Exit};
use crate::identity::number_in;
use crate::job::Output;
use crate::say::{
    Arg::{N, P, S, X},
    fail, failed, print, text,
};
use crate::sys::Kind as Object;
use crate::sys::{Errno, Fd, Kernel, Sys};
use crate::tracefs::until_nul;
use heapless::String;

/// Prints the service that is named, or all.
///
/// # Errors
/// [`Exit::NotPortable`] where nothing of that name is there, [`Exit::Missing`] without a bpffs.
#[cold]
#[inline(never)]
pub fn status<K: Kernel>(kernel: &mut K, options: &Options<'_>) -> Done<()> {
    let json = options.output == Output::Json;
    // without the file there are counts always, or never: then they are 0
    let counted = number_in(kernel, c"/proc/sys/kernel/bpf_stats_enabled") != Ok(0);
    if let Some(name) = options.packs.first().and_then(|name| name.to_str().ok()) {
        return if one(kernel, name, json, counted)? {
            Ok(())
        } else {
            Err(fail(kernel, Exit::NotPortable, text!("%: nothing is loaded by that name"), &[S(name)]))
        };
    }
    let mut names = match at(&[]).as_cstr().and_then(|path| Names::open(kernel, path)) {
        Ok(names) => names,
        Err(Errno::ENOENT) => return Ok(()),
        Err(e) => return Err(failed(kernel, ROOT, e)),
    };
    let done = loop {
        let name: Result<String<{ MAX_NAME + NEW.len() }>, _> = match names.next(kernel) {
            Ok(Some(name)) => name.try_into(),
            Ok(None) => break Ok(()),
            Err(e) => break Err(failed(kernel, ROOT, e)),
        };
        // a longer one is not ours
        let Ok(name) = name else { continue };
        if let Err(exit) = one(kernel, &name, json, counted) {
            break Err(exit);
        }
    };
    names.close(kernel);
    done
}

/// Prints one service; whether it is there.
fn one<K: Kernel>(kernel: &mut K, name: &str, json: bool, counted: bool) -> Done<bool> {
    let folder = at(&["/", name]);
    // whoever judges a folder has the lock of all, which is given back before anything is printed
    let all = lock_all(kernel)?;
    let locked = folder.as_cstr().and_then(|path| is_locked(kernel, path));
    let head = state::head(kernel, &folder);
    kernel.close(all);
    let shown = match (locked, head) {
        (Err(Errno::ENOENT), _) => return Ok(false),
        (Err(e), _) | (_, Err(e)) if e != Errno::ENOENT => Err(e),
        (locked, head) => show(kernel, name, locked == Ok(true), head.ok(), json, counted),
    };
    shown.map(|()| true).map_err(|e| failed(kernel, name, e))
}

fn show<K: Kernel>(
    kernel: &mut K,
    name: &str,
    locked: bool,
    head: Option<Head>,
    json: bool,
    counted: bool,
) -> Sys<()> {
    let what = match &head {
        Some(Head { kind: Kind::Load, .. }) => "loaded",
        Some(_) if locked => "running",
        None if locked => "loading",
        _ => "stale",
    };
    if json {
        print(kernel, Fd::STDOUT, text!("{\"service\":\"%\",\"state\":\"%\""), &[S(name), S(what)]);
    } else {
        let left = text!(", left by a loader that was killed; the next one removes it");
        print(
            kernel,
            Fd::STDOUT,
            text!("%: %%\n"),
            &[S(name), S(what), S(if what == text!("stale") { left } else { "" })],
        );
    }
    if let Some(head) = &head {
        let told = if what == "stale" { Ok(()) } else { tell(kernel, head, json, counted) };
        kernel.close(head.map.fd());
        told?;
    }
    if json {
        print(kernel, Fd::STDOUT, "}\n", &[]);
    }
    Ok(())
}

fn tell<K: Kernel>(kernel: &mut K, head: &Head, json: bool, counted: bool) -> Sys<()> {
    let seconds = kernel.now().saturating_sub(head.started) / 1_000_000_000;
    let form = if json {
        text!(",\"pid\":%,\"age_s\":%,\"counted\":%")
    } else {
        text!("  by process %, % s ago%\n")
    };
    let off = text!("; runs are not counted: sysctl kernel.bpf_stats_enabled=1");
    let counted = match (json, counted) {
        (true, true) => "true",
        (true, false) => text!("false"),
        (false, true) => "",
        (false, false) => off,
    };
    print(kernel, Fd::STDOUT, form, &[N(head.pid.into()), N(seconds), S(counted)]);
    if head.kind == Kind::Run {
        let sum = head.counts(kernel)?;
        let form = if json {
            text!(",\"events\":%,\"lost\":%,\"dropped\":%")
        } else {
            text!("  events %, lost by the kernel %, dropped by a slow output %\n")
        };
        print(kernel, Fd::STDOUT, form, &[N(sum.events), N(sum.lost), N(sum.dropped)]);
    }
    let mut list = List { json, open: "" };
    for n in 0..head.objects {
        let value = head.object(kernel, n)?;
        let (digest, name) = value.split_at_checked(VALUE / 2).unwrap_or_default();
        // 31 bytes and a NUL, or 32 bytes
        let name = core::str::from_utf8(name.split(|&b| b == 0).next().unwrap_or_default()).unwrap_or("?");
        let form =
            list.item(kernel, "objects", text!("{\"name\":\"%\",\"digest\":\"%\"}"), text!("  object % %\n"));
        print(kernel, Fd::STDOUT, form, &[S(name), X(digest)]);
    }
    for wanted in [Object::Prog, Object::Map] {
        let mut n = 0;
        while let Some((kind, id)) = head.id(kernel, n)? {
            n = n.saturating_add(1);
            if kind != wanted {
                continue;
            }
            match object(kernel, &mut list, kind, id) {
                // unloaded meanwhile
                Err(Errno::ENOENT) => {}
                other => other?,
            }
        }
    }
    list.close(kernel);
    Ok(())
}

/// Prints a program with its runs, or a map with its bytes.
fn object<K: Kernel>(kernel: &mut K, list: &mut List, kind: Object, id: u32) -> Sys<()> {
    let (fd, name) = kernel.obj_by_id(kind, id)?;
    let mut text = [0; INFO];
    let info = info(kernel, fd, &mut text);
    kernel.close(fd);
    let info = info?;
    let name = until_nul(&name).to_str().unwrap_or("?");
    let of = |field_name: &str| N(field(info, field_name).unwrap_or(0));
    let memory = of("memlock:");
    let common = [S(name), N(id.into()), memory];
    match kind {
        Object::Prog => {
            let (runs, time) = (of("run_cnt:"), of("run_time_ns:"));
            let json = text!("{%,\"runs\":%,\"run_ns\":%}");
            let words = text!("  program %, % runs in % ns\n");
            let form = list.item(kernel, "programs", json, words);
            print(kernel, Fd::STDOUT, form, &[P(list.common(), &common), runs, time]);
        }
        Object::Map => {
            let form = list.item(kernel, "maps", text!("{%}"), text!("  map %\n"));
            print(kernel, Fd::STDOUT, form, &[P(list.common(), &common)]);
        }
    }
    Ok(())
}

/// Lists as they are printed one behind the other; in JSON arrays.
struct List {
    json: bool,
    /// Name of the array that is open.
    open: &'static str,
}

impl List {
    /// Begins an item of the list `name`: gives the form that it is printed by.
    fn item<K: Kernel>(
        &mut self,
        kernel: &mut K,
        name: &'static str,
        json: &'static str,
        words: &'static str,
    ) -> &'static str {
        if !self.json {
            return words;
        }
        if self.open == name {
            print(kernel, Fd::STDOUT, ",", &[]);
        } else {
            self.close(kernel);
            print(kernel, Fd::STDOUT, text!(",\"%\":["), &[S(name)]);
            self.open = name;
        }
        json
    }

    fn close<K: Kernel>(&mut self, kernel: &mut K) {
        if !self.open.is_empty() {
            print(kernel, Fd::STDOUT, "]", &[]);
            self.open = "";
        }
    }

    /// The form of name, id and bytes.
    fn common(&self) -> &'static str {
        if self.json { text!("\"name\":\"%\",\"id\":%,\"bytes\":%") } else { text!("%, id %, % bytes") }
    }
}
