//! A kernel that remembers what it was asked, keeps what is open, and fails any call on request.

use super::pack::{BUILD_ID, RELEASE, VERSION_TEXT};
use super::rtnetlink::Net;
#[cfg(feature = "privileges")]
use corelet_loader::sys::calls;
use corelet_loader::sys::{
    Address, Carried, Errno, Fd, Held, Image, Kernel, Kind, LinkSpec, MapFd, MapSpec, MultiSpec, Open,
    PerfCommand, PerfSpec, ProgSpec, Region, Shared, Sys, Uname,
};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::rc::Rc;

/// A loader that keeps all system calls has no groups of them.
#[cfg(not(feature = "privileges"))]
mod calls {
    pub const FILES: u32 = 0;
    pub const NAMES: u32 = 0;
    pub const SOCKETS: u32 = 0;
    pub const SERVICE: u32 = 0;
    pub const FOLLOW: u32 = 0;
    pub const HELD: u32 = 0;
}

/// What a descriptor is.
#[derive(Clone, Debug, PartialEq)]
pub enum Thing {
    File { path: String, at: usize },
    Btf,
    Map(MapSpec),
    Prog(String),
    Perf(u32),
    Link,
    Signals,
    Epoll,
    Socket,
    Netlink { groups: u32 },
    Token,
}

/// What is at a path of the bpffs.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Folder,
    /// A pin of what this descriptor was when it was made.
    Pin(i32),
}

/// A type that the kernel finds by its name.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    Own(u32),
    OfModule(u32),
}

/// A loaded program, as it was asked for.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub name: String,
    pub insns: Vec<u8>,
    pub license: String,
    pub func_info: Vec<u8>,
    pub prog_type: u32,
    pub attach_btf_id: u32,
    pub expected_attach_type: u32,
    /// What `attach_prog_fd` or `attach_btf_obj_fd` is.
    pub attach_of: Option<Thing>,
}

#[derive(Default)]
pub struct Fake {
    /// Whether a program carries the loader inside itself, and what it was then told to hold.
    pub inside: bool,
    pub held: Vec<Held>,
    /// Whether the pack at `/p` lies in the executable's own image.
    pub embedded: bool,
    /// Whether a token can be made of the bpffs, and what was refused in its place.
    pub token: Option<Result<(), Errno>>,
    pub has_token: bool,
    /// The capabilities that were kept, and the system calls.
    pub kept: Option<u64>,
    pub confined: Option<u32>,
    /// Kernels without seccomp filters.
    pub no_seccomp: bool,
    /// Calls, and descriptors that are open, for who gives the fake kernel away.
    pub seen: Rc<Cell<(usize, usize)>>,
    /// Mappings that were made and not ended.
    pub mappings: usize,
    pub files: HashMap<String, Vec<u8>>,
    pub open: BTreeMap<i32, Thing>,
    pub calls: usize,
    /// Fails the call of this number, from 1.
    pub fail: Option<(usize, Errno)>,
    /// Changes a file before the call of this number.
    pub rewrite: Option<(usize, String, Vec<u8>)>,
    pub stdout: String,
    pub stderr: String,
    pub maps: Vec<MapSpec>,
    pub contents: Vec<(i32, Vec<u8>)>,
    pub keys: Vec<Vec<u8>>,
    pub frozen: Vec<i32>,
    pub progs: Vec<Loaded>,
    /// Programs by name whose load is refused, with the log that is given.
    pub refuse: Option<(String, Errno, String)>,
    pub attached: Vec<String>,
    /// Bytes of the regions that were asked for.
    pub regions: Vec<usize>,
    pub perf: Vec<(u32, u64, Option<String>)>,
    /// Offsets and processes of perf events that have a symbol or file.
    pub spots: Vec<(u64, Option<u32>)>,
    pub cookies: Vec<u64>,
    pub no_multi: bool,
    /// Makes `tracefs_probes` all lines that were written, those that remove too.
    pub keep_probes: bool,
    pub tracefs_probes: Vec<String>,
    /// Types by name; a kernel that has programs of type `syscall` finds them.
    pub types: Vec<(String, Known)>,
    pub no_syscall_programs: bool,
    /// Before 5.11: no program loads until RLIMIT_MEMLOCK is raised.
    pub small_memlock: bool,
    /// Of each loaded program.
    pub fd_arrays: Vec<Vec<i32>>,
    pub no_trampolines: bool,
    /// `kprobe_events` shows what is left of them when one is removed.
    pub lists_probes: bool,
    pub no_links: bool,
    /// Kernels without links to cgroups and the like.
    pub no_place_links: bool,
    /// What attaching to a place gives instead.
    pub place_refuses: Option<Errno>,
    /// What is attached without a link, and undone by hand: descriptors of program and target, attach type.
    pub by_place: Vec<(i32, i32, u32)>,
    /// Maps of struct_ops that are registered without a link.
    pub registered: Vec<i32>,
    /// Options of sockets that were set: the option, and what the value is a descriptor of.
    pub options: Vec<(u32, Option<Thing>)>,
    pub no_symbols: bool,
    /// Perf events and maps that a kernel without the option has: every such call is refused.
    pub no_perf: bool,
    pub no_bpf: bool,
    /// `uname -r` where it is another than the sample's target has.
    pub release: Option<&'static str>,
    /// Key and value of each update, by the map's name.
    pub updates: Vec<(String, Vec<u8>, Vec<u8>)>,
    /// The bpffs; a machine without one has no `/sys/fs/bpf`.
    pub bpffs: BTreeMap<String, Node>,
    /// Folders that other processes have locked.
    pub locked: Vec<String>,
    /// What every descriptor was that there ever was: what is pinned lives on.
    pub things: BTreeMap<i32, Thing>,
    /// Values of maps, by the descriptor that made the map.
    pub values: HashMap<(i32, u32), Vec<u8>>,
    /// Addresses of Unix sockets that somebody listens on, and what they heard.
    pub heard: HashMap<String, Vec<String>>,
    /// Interfaces and what is attached to them.
    pub net: Net,
    /// What each wait for events takes, in milliseconds, where it has no timeout.
    pub patience: u64,
    /// The call of this number, from 1, is the last: everything ends as by SIGKILL.
    pub killed: Option<usize>,
    /// Descriptors of pinned maps, by the ones that made them.
    same: HashMap<i32, i32>,
    /// The last name that a reader of a directory was given.
    last: HashMap<i32, String>,
    next: i32,
    now: u64,
}

/// Bytes that the fake machine has.
const MEMORY: usize = 1 << 20;

/// What an iterator's descriptor reads.
pub const ITERATOR: &str = "iterator";
pub const TRACING: &str = "/sys/kernel/tracing/events";
pub const EVENT_ID: &str = "/sys/kernel/tracing/events/syscalls/sys_enter_openat/id";
pub const PMU: &str = "/sys/bus/event_source/devices/kprobe/type";

/// ELF notes: of others, and of this build id.
fn notes(build_id: &[u8]) -> Vec<u8> {
    let mut notes = Vec::new();
    for (name, kind, desc) in [(*b"XYZ\0", 3u32, &[1u8; 8][..]), (*b"GNU\0", 3, build_id)] {
        notes.extend(4u32.to_ne_bytes());
        notes.extend((desc.len() as u32).to_ne_bytes());
        notes.extend(kind.to_ne_bytes());
        notes.extend(name);
        notes.extend(desc);
    }
    notes
}

impl Fake {
    /// A machine of four CPUs with everything mounted, and a pack at `/p`.
    pub fn new(pack: Vec<u8>) -> Fake {
        let mut fake = Fake { next: 2, patience: 1, ..Fake::default() };
        fake.bpffs.insert("/sys/fs/bpf".into(), Node::Folder);
        for (path, bytes) in [
            ("/p", pack),
            ("/sys/kernel/notes", notes(&BUILD_ID)),
            ("/sys/devices/system/cpu/possible", b"0-3\n".to_vec()),
            ("/sys/kernel/tracing", Vec::new()),
            (TRACING, Vec::new()),
            ("/sys/kernel/tracing/events/syscalls", Vec::new()),
            ("/sys/kernel/tracing/kprobe_events", Vec::new()),
            (EVENT_ID, b"613\n".to_vec()),
            (PMU, b"6\n".to_vec()),
            ("/sys/bus/event_source/devices/kprobe/format/retprobe", b"config:0\n".to_vec()),
            ("/proc/self/status", b"Name:\tx\nCapEff:\t000001ffffffffff\n".to_vec()),
            (
                "/proc/self/limits",
                b"Max locked memory         8388608              8388608              bytes\n".to_vec(),
            ),
            ("/proc/self/mounts", b"sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n".to_vec()),
            ("/proc/sys/net/core/bpf_jit_enable", b"1\n".to_vec()),
            ("/proc/sys/kernel/perf_event_paranoid", b"2\n".to_vec()),
            ("/proc/sys/kernel/unprivileged_bpf_disabled", b"2\n".to_vec()),
            ("/proc/sys/kernel/kptr_restrict", b"1\n".to_vec()),
            ("/proc/kallsyms", b"10 T _stext\n".to_vec()),
            ("/proc/self/smaps_rollup", b"x\nRss:      72 kB\nAnonymous:     20 kB\n".to_vec()),
        ] {
            fake.files.insert(path.into(), bytes);
        }
        fake
    }

    /// Has the module `name` loaded, of this build id.
    pub fn load_module(&mut self, name: &str, build_id: &[u8]) {
        self.files.insert(format!("/sys/module/{name}/notes/.note.gnu.build-id"), notes(build_id));
    }

    fn call(&mut self) -> Sys<()> {
        self.calls += 1;
        self.seen.set((self.calls, self.open.len()));
        if self.killed == Some(self.calls) {
            std::panic::resume_unwind(Box::new(Killed));
        }
        if let Some((_, path, bytes)) = self.rewrite.take_if(|(n, ..)| *n == self.calls) {
            self.files.insert(path, bytes);
        }
        match self.fail {
            Some((n, e)) if n == self.calls => Err(e),
            _ => Ok(()),
        }
    }

    /// The path of an open file; of the pack in the image that of a file which nobody opened.
    fn file_of(&self, fd: Fd) -> Sys<String> {
        match self.open.get(&fd.0) {
            _ if self.embedded && fd == Image::PACK => Ok("/p".into()),
            Some(Thing::File { path, .. }) => Ok(path.clone()),
            _ => Err(Errno::EBADF),
        }
    }

    /// Sees that a call is made only while the loader has all, or of a group that it kept: the kernel would refuse it.
    fn of(&self, groups: u32) {
        if let Some(kept) = self.confined {
            assert!(kept & groups != 0, "a call of {groups} where {kept} was kept\n{}", self.stderr);
        }
    }

    /// What is open.
    pub fn left(&self) -> Vec<&Thing> {
        self.open.values().collect()
    }

    fn give(&mut self, thing: Thing) -> Sys<Fd> {
        self.next += 1;
        self.things.insert(self.next, thing.clone());
        self.open.insert(self.next, thing);
        self.seen.set((self.calls, self.open.len()));
        Ok(Fd(self.next))
    }

    /// What is there of the bpffs below its own folder.
    pub fn pinned(&self) -> Vec<&str> {
        self.bpffs.keys().filter_map(|path| path.strip_prefix("/sys/fs/bpf/")).collect()
    }

    /// What a killed process leaves: its descriptors are closed, its pins stay.
    pub fn bury(&mut self) {
        self.open.clear();
        (self.killed, self.calls) = (None, 0);
    }

    fn path(&self, path: &CStr) -> Sys<String> {
        let path = path.to_str().unwrap().to_string();
        let parent = path.rsplit_once('/').unwrap().0;
        match self.bpffs.get(parent) {
            Some(Node::Folder) => Ok(path),
            _ if parent == "/sys/fs" => Ok(path),
            _ => Err(Errno::ENOENT),
        }
    }

    /// Pins a map that somebody else made.
    pub fn pin(&mut self, path: &str, spec: MapSpec) {
        self.things.insert(-1, Thing::Map(spec));
        self.bpffs.insert(path.into(), Node::Pin(-1));
    }

    /// Paths of what is pinned.
    pub fn pins(&self) -> Vec<&str> {
        self.bpffs.iter().filter(|(_, node)| **node != Node::Folder).map(|(path, _)| path.as_str()).collect()
    }

    /// What `/proc` shows of a descriptor.
    fn info(&self, fd: i32) -> Option<String> {
        let made = self.same.get(&fd).copied().unwrap_or(fd);
        Some(match self.open.get(&fd)? {
            Thing::Map(_) => format!("pos:\t0\nmemlock:\t4096\nmap_id:\t{made}\n"),
            Thing::Prog(_) => {
                format!("pos:\t0\nmemlock:\t8192\nprog_id:\t{made}\nrun_time_ns:\t500\nrun_cnt:\t5\n")
            }
            Thing::Link => "link_type:\tperf\nlink_id:\t1\nprog_id:\t2\n".into(),
            _ => "pos:\t0\n".into(),
        })
    }
}

/// What a killed loader ends by.
pub struct Killed;

/// Of a load inside a program; the fake kernel's mappings are leaked, and counted.
impl Carried for Fake {
    fn page_size(&mut self) -> Sys<u32> {
        self.call().map(|()| super::PAGE)
    }

    fn said(&self) -> &[u8] {
        self.stderr.trim_end().as_bytes()
    }

    fn programs(&self) -> &[Held] {
        &self.held
    }

    fn mappings(&self) -> usize {
        self.mappings
    }

    fn unmap(&mut self, keep: usize) {
        assert!(keep <= self.mappings, "{keep} of {} mappings", self.mappings);
        self.mappings = keep;
    }
}

impl Kernel for Fake {
    fn inside(&self) -> bool {
        self.inside
    }

    fn embedded(&self) -> bool {
        self.embedded
    }

    fn take_token(&mut self, bpffs: Fd) -> Sys<Fd> {
        self.call()?;
        assert!(matches!(self.open.get(&bpffs.0), Some(Thing::File { .. })), "{bpffs:?}");
        self.token.ok_or(Errno::EINVAL)??;
        self.has_token = true;
        self.give(Thing::Token)
    }

    fn has_token(&self) -> bool {
        self.has_token
    }

    fn keep_capabilities(&mut self, keep: u64) -> Sys<()> {
        self.call()?;
        self.kept = Some(keep);
        Ok(())
    }

    fn confine(&mut self, groups: u32) -> Sys<()> {
        self.call()?;
        if self.no_seccomp {
            return Err(Errno::EINVAL);
        }
        self.confined = Some(groups);
        Ok(())
    }

    fn loaded(&mut self, program: Held) -> bool {
        self.held.push(program);
        true
    }

    fn open(&mut self, path: &CStr, _: Open) -> Sys<Fd> {
        self.of(calls::FILES);
        self.call()?;
        let path = path.to_str().unwrap().to_string();
        if let Some(info) = path.strip_prefix("/proc/self/fdinfo/").and_then(|fd| self.info(fd.parse().ok()?))
        {
            self.files.insert(path.clone(), info.into());
        }
        if !self.files.contains_key(&path) && self.bpffs.get(&path) != Some(&Node::Folder) {
            return Err(Errno::ENOENT);
        }
        self.give(Thing::File { path, at: 0 })
    }

    fn read(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        if matches!(self.open.get(&fd.0), Some(Thing::Netlink { .. })) {
            let answer = self.net.answer().ok_or(Errno::EAGAIN)?;
            let n = answer.len().min(buf.len());
            buf[..n].copy_from_slice(&answer[..n]);
            return Ok(n);
        }
        self.call()?;
        let Some(Thing::File { path, at }) = self.open.get_mut(&fd.0) else { return Err(Errno::EBADF) };
        let rest = &self.files[path][*at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        *at += n;
        Ok(n)
    }

    fn read_at(&mut self, fd: Fd, offset: u32, buf: &mut [u8]) -> Sys<usize> {
        self.of(calls::FILES);
        self.call()?;
        let file = &self.files[&self.file_of(fd)?];
        let rest = file.get(offset as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn read_dir(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        self.of(calls::SERVICE | calls::FOLLOW);
        self.call()?;
        let Some(Thing::File { path, .. }) = self.open.get(&fd.0) else { return Err(Errno::EBADF) };
        let inside = format!("{path}/");
        let paths = self.files.keys().chain(self.bpffs.keys());
        let mut names: Vec<&str> = paths.filter_map(|f| f.strip_prefix(&inside)).collect();
        names.retain(|name| !name.contains('/'));
        names.extend([".", ".."]);
        names.sort_unstable();
        // what was removed meanwhile is not counted, as in the kernel
        let from = names.iter().position(|name| Some(*name) > self.last.get(&fd.0).map(String::as_str));
        let mut end = 0;
        let mut last = None;
        for name in &names[from.unwrap_or(names.len())..] {
            let len = (19 + name.len() + 1).next_multiple_of(8);
            let Some(entry) = buf.get_mut(end..end + len) else { break };
            entry.fill(0);
            entry[16..18].copy_from_slice(&(len as u16).to_ne_bytes());
            entry[19..19 + name.len()].copy_from_slice(name.as_bytes());
            end += len;
            last = Some((*name).to_string());
        }
        if let Some(last) = last {
            self.last.insert(fd.0, last);
        }
        Ok(end)
    }

    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Sys<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match fd {
            Fd::STDOUT => self.stdout += &text,
            Fd::STDERR => self.stderr += &text,
            _ if self.open.get(&fd.0) == Some(&Thing::Socket) => {
                self.heard.values_mut().for_each(|heard| heard.push(text.clone()));
            }
            // removing is undoing: it is never made to fail
            _ if matches!(self.open.get(&fd.0), Some(Thing::Netlink { .. })) => {
                if !Net::undoes(bytes) {
                    self.call()?;
                }
                self.net.hear(bytes);
            }
            _ if text.starts_with('-') && self.keep_probes => self.tracefs_probes.push(text),
            _ if text.starts_with('-') => {
                self.tracefs_probes.retain(|p| !p.contains(&text[2..]));
                if self.lists_probes {
                    let list: String = self.tracefs_probes.iter().map(|p| format!("{p}\n")).collect();
                    self.files.insert("/sys/kernel/tracing/kprobe_events".into(), list.into());
                }
            }
            _ => {
                self.call()?;
                let name = text.split([':', ' ']).nth(1).unwrap_or_default();
                self.files.insert(format!("{TRACING}/{name}/id"), b"9\n".to_vec());
                self.tracefs_probes.push(text);
            }
        }
        Ok(bytes.len())
    }

    fn netlink(&mut self, groups: u32) -> Sys<Fd> {
        self.of(calls::FOLLOW);
        self.call()?;
        self.give(Thing::Netlink { groups })
    }

    fn connect(&mut self, to: &Address) -> Sys<Fd> {
        self.of(calls::SOCKETS);
        self.call()?;
        // behind the family
        let name = String::from_utf8_lossy(to.bytes().get(2..).unwrap_or_default()).into_owned();
        let name = match name.strip_prefix('\0') {
            Some(name) => format!("@{name}"),
            None => name.trim_end_matches('\0').to_owned(),
        };
        if !self.heard.contains_key(&name) {
            return Err(Errno::ENOENT);
        }
        self.give(Thing::Socket)
    }

    fn close(&mut self, fd: Fd) {
        assert!(self.open.remove(&fd.0).is_some(), "{fd:?} is closed twice");
        self.seen.set((self.calls, self.open.len()));
    }

    fn file_len(&mut self, fd: Fd) -> Sys<u64> {
        self.of(calls::FILES);
        self.call()?;
        Ok(self.files[&self.file_of(fd)?].len() as u64)
    }

    fn mkdir(&mut self, path: &CStr) -> Sys<()> {
        self.of(0);
        self.call()?;
        let path = self.path(path)?;
        if self.bpffs.contains_key(&path) {
            return Err(Errno::EEXIST);
        }
        self.bpffs.insert(path, Node::Folder);
        Ok(())
    }

    fn remove(&mut self, path: &CStr, folder: bool) -> Sys<()> {
        self.of(calls::NAMES);
        let path = self.path(path)?;
        // of a map that is pinned by its name, removing is undoing: it is never made to fail
        if path.contains("/corelet") {
            self.call()?;
        }
        let inside = format!("{path}/");
        match self.bpffs.get(&path) {
            None => Err(Errno::ENOENT),
            Some(Node::Folder) if !folder => Err(Errno::EISDIR),
            Some(Node::Pin(_)) if folder => Err(Errno::EINVAL),
            // ENOTEMPTY
            Some(_) if self.bpffs.keys().any(|p| p.starts_with(&inside)) => Err(Errno(39)),
            Some(_) => {
                self.bpffs.remove(&path);
                Ok(())
            }
        }
    }

    fn rename(&mut self, from: &CStr, to: &CStr) -> Sys<()> {
        self.of(calls::NAMES);
        self.call()?;
        let (from, to) = (self.path(from)?, self.path(to)?);
        if self.bpffs.keys().any(|p| p.starts_with(&format!("{to}/"))) {
            return Err(Errno(39));
        }
        let moved: Vec<String> = self.bpffs.keys().filter(|p| p.starts_with(&from)).cloned().collect();
        for path in moved {
            if let Some(rest) = path.strip_prefix(&from).filter(|r| r.is_empty() || r.starts_with('/')) {
                let node = self.bpffs[&path].clone();
                self.bpffs.insert(format!("{to}{rest}"), node);
                self.bpffs.remove(&path);
            }
        }
        Ok(())
    }

    fn lock(&mut self, fd: Fd) -> Sys<()> {
        self.of(calls::SERVICE);
        self.call()?;
        let Some(Thing::File { path, .. }) = self.open.get(&fd.0) else { return Err(Errno::EBADF) };
        let is_same = |other: &Thing| matches!(other, Thing::File { path: p, at: 1 } if p == path);
        if self.locked.contains(path) || self.open.values().any(is_same) {
            return Err(Errno::EAGAIN);
        }
        // of a folder `at` says nothing else
        let path = path.clone();
        self.open.insert(fd.0, Thing::File { path, at: 1 });
        Ok(())
    }

    fn uname(&mut self) -> Uname {
        self.of(0);
        Uname {
            release: self.release.unwrap_or(RELEASE).try_into().unwrap(),
            version: VERSION_TEXT.try_into().unwrap(),
            machine: std::env::consts::ARCH.try_into().unwrap(),
        }
    }

    fn pid(&mut self) -> u32 {
        7
    }

    fn region(&mut self, len: usize) -> Sys<Region> {
        self.call()?;
        if len > MEMORY {
            return Err(Errno::ENOMEM);
        }
        self.regions.push(len);
        self.mappings += 1;
        let words = vec![0u64; len.div_ceil(8)].leak();
        // a u64 slice gives the alignment that a mapping has
        Ok(&mut corelet_loader::sys::bytes(words)[..len])
    }

    fn map_shared(&mut self, _: Fd, _: u32, len: usize, _: bool) -> Sys<Shared> {
        self.call()?;
        self.mappings += 1;
        Ok(Shared::over(vec![0u64; len / 8].leak()))
    }

    fn raise_memlock(&mut self) -> Sys<()> {
        self.of(0);
        self.call()?;
        self.small_memlock = false;
        Ok(())
    }

    fn btf_load(&mut self, _: &[u8]) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.give(Thing::Btf)
    }

    fn map_create(&mut self, spec: &MapSpec, cpus: u32) -> Sys<MapFd> {
        self.of(0);
        self.call()?;
        if self.no_bpf {
            return Err(Errno::ENOSYS);
        }
        if let Some(inner) = spec.inner {
            assert!(matches!(self.open[&inner.0], Thing::Map(_)), "{inner:?}");
        }
        self.maps.push(*spec);
        Ok(MapFd::new(self.give(Thing::Map(*spec))?, spec, cpus))
    }

    fn map_update(&mut self, map: &MapFd, key: &[u8], value: &[u8]) -> Sys<()> {
        self.call()?;
        if (key.len(), value.len()) != (map.key_len(), map.value_len()) {
            return Err(Errno::EINVAL);
        }
        let Some(Thing::Map(spec)) = self.open.get(&map.fd().0) else { return Err(Errno::EBADF) };
        let name = String::from_utf8_lossy(&spec.name).trim_end_matches('\0').to_string();
        self.updates.push((name, key.to_vec(), value.to_vec()));
        self.contents.push((map.fd().0, value.to_vec()));
        if spec.map_type == 26 && spec.map_flags & 1 << 13 == 0 {
            self.registered.push(map.fd().0);
        }
        self.keys.push(key.to_vec());
        if let Ok(key) = key.try_into() {
            let made = self.same.get(&map.fd().0).copied().unwrap_or(map.fd().0);
            self.values.insert((made, u32::from_ne_bytes(key)), value.to_vec());
        }
        Ok(())
    }

    fn map_lookup(&mut self, map: &MapFd, key: &[u8], value: &mut [u8]) -> Sys<()> {
        self.call()?;
        // of a pinned array; the stream's maps are empty here
        let Some(made) = self.same.get(&map.fd().0) else { return Err(Errno::ENOENT) };
        let key = u32::from_ne_bytes(key.try_into().map_err(|_| Errno::EINVAL)?);
        match &self.things[made] {
            Thing::Map(spec) if key < spec.max_entries => match self.values.get(&(*made, key)) {
                Some(found) => value.copy_from_slice(found),
                None => value.fill(0),
            },
            _ => return Err(Errno::ENOENT),
        }
        Ok(())
    }

    fn map_next_key(&mut self, _: &MapFd, _: Option<&[u8]>, _: &mut [u8]) -> Sys<()> {
        self.call()?;
        Err(Errno::ENOENT)
    }

    fn map_delete(&mut self, map: &MapFd, _: &[u8]) -> Sys<()> {
        let registered = self.registered.iter().position(|&ops| ops == map.fd().0);
        if let Some(at) = registered {
            self.registered.remove(at);
        }
        self.call()?;
        Err(Errno::ENOENT)
    }

    fn map_freeze(&mut self, map: Fd) -> Sys<()> {
        self.of(0);
        self.call()?;
        self.frozen.push(map.0);
        Ok(())
    }

    fn prog_load(&mut self, spec: &ProgSpec<'_>, log: Option<&mut [u8]>) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        let name = String::from_utf8_lossy(&spec.name).trim_end_matches('\0').to_string();
        if self.small_memlock {
            return Err(Errno::EPERM);
        }
        if spec.prog_type == 31 && self.no_syscall_programs {
            return Err(Errno::EINVAL);
        }
        if let Some((_, e, text)) = self.refuse.as_ref().filter(|(n, ..)| *n == name) {
            if let Some(log) = log {
                log[..text.len()].copy_from_slice(text.as_bytes());
            }
            return Err(*e);
        }
        self.fd_arrays.push(spec.fd_array.to_vec());
        self.progs.push(Loaded {
            name: name.clone(),
            insns: spec.insns.to_vec(),
            license: spec.license.to_str().unwrap().into(),
            func_info: spec.btf.map_or(Vec::new(), |b| b.func_info.to_vec()),
            prog_type: spec.prog_type,
            attach_btf_id: spec.attach_to.id,
            expected_attach_type: spec.expected_attach_type,
            attach_of: spec.attach_to.of.map(|fd| self.open[&fd.0].clone()),
        });
        self.give(Thing::Prog(name))
    }

    fn raw_tracepoint_open(&mut self, name: Option<&CStr>, prog: Fd) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        let Thing::Prog(of) = &self.open[&prog.0] else { return Err(Errno::EINVAL) };
        if name.is_none() && self.no_trampolines {
            return Err(Errno::ENOTSUPP);
        }
        self.attached
            .push(name.map_or_else(|| format!("{of} by type"), |name| name.to_str().unwrap().into()));
        self.give(Thing::Link)
    }

    fn link_kprobe_multi(
        &mut self,
        _: Fd,
        attach_type: u32,
        ret: bool,
        names: &[u8],
        places: &mut [u64],
    ) -> Sys<Fd> {
        self.call()?;
        let names = String::from_utf8_lossy(names.strip_suffix(&[0]).unwrap()).replace('\0', ",");
        assert_eq!(names.split(',').count(), places.len());
        self.attached.push(format!("{names} by {attach_type} {ret}"));
        self.give(Thing::Link)
    }

    fn link_iter(&mut self, _: Fd) -> Sys<Fd> {
        self.call()?;
        self.give(Thing::Link)
    }

    fn link_tracing_multi(&mut self, _: Fd, _: u32, function: u32) -> Sys<Fd> {
        self.call()?;
        assert_ne!(function, 0);
        self.give(Thing::Link)
    }

    fn iter_create(&mut self, link: Fd) -> Sys<Fd> {
        self.call()?;
        assert_eq!(self.open[&link.0], Thing::Link);
        self.give(Thing::File { path: ITERATOR.into(), at: 0 })
    }

    /// Answers what the program would find: it has the name on its stack.
    fn prog_run(&mut self, prog: Fd, context: &mut u64) -> Sys<()> {
        self.call()?;
        let Thing::Prog(of) = &self.open[&prog.0] else { return Err(Errno::EINVAL) };
        assert_eq!(of, "corelet_find");
        let asking = self.progs.last().unwrap().insns.as_chunks::<8>().0;
        let name: Vec<u8> = asking.iter().filter(|i| i[0] == 0x62).flat_map(|i| i[4..].to_vec()).collect();
        let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
        *context = match self.types.iter().find(|(known, _)| **known == name) {
            Some((_, Known::Own(id))) => u64::from(*id),
            Some((_, Known::OfModule(id))) => {
                let id = u64::from(*id);
                (self.give(Thing::Btf)?.0 as u64) << 32 | id
            }
            None => -2i64 as u64,
        };
        Ok(())
    }

    fn link_perf(&mut self, prog: Fd, event: Fd, cookie: u64) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if self.no_links {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {:?} by link", self.open[&prog.0], self.open[&event.0]));
        self.cookies.push(cookie);
        self.give(Thing::Link)
    }

    fn link_place(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if let Some(e) = self.place_refuses {
            return Err(e);
        }
        if self.no_place_links {
            return Err(Errno::EINVAL);
        }
        let to = self.open.get(&target.0);
        self.attached.push(to.map_or_else(
            || format!("{:?} by {attach_type}", self.open[&prog.0]),
            |to| format!("{:?} to {to:?} by {attach_type}", self.open[&prog.0]),
        ));
        self.give(Thing::Link)
    }

    fn prog_attach(&mut self, prog: Fd, target: Fd, attach_type: u32, multi: bool) -> Sys<()> {
        self.of(0);
        self.call()?;
        if let Some(e) = self.place_refuses {
            return Err(e);
        }
        let (of, to) = (&self.open[&prog.0], &self.open[&target.0]);
        self.attached.push(format!("{of:?} to {to:?} by {attach_type} held, multi {multi}"));
        self.by_place.push((prog.0, target.0, attach_type));
        Ok(())
    }

    fn prog_detach(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<()> {
        self.of(calls::HELD);
        // asked once: one that fails is not asked again
        let at = self.by_place.iter().position(|held| *held == (prog.0, target.0, attach_type)).unwrap();
        self.by_place.remove(at);
        self.call()
    }

    fn packet_socket(&mut self, interface: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.attached.push(format!("packet socket on {interface}"));
        self.give(Thing::Socket)
    }

    fn fd_of_process(&mut self, pid: u32, number: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.attached.push(format!("{number} of {pid}"));
        self.give(Thing::Socket)
    }

    fn socket_option(&mut self, socket: Fd, option: u32, value: Fd) -> Sys<()> {
        self.of(calls::HELD);
        self.call()?;
        assert_eq!(self.open[&socket.0], Thing::Socket);
        self.options.push((option, self.open.get(&value.0).cloned()));
        Ok(())
    }

    fn link_create(&mut self, prog: Fd, spec: &LinkSpec) -> Sys<Fd> {
        self.of(calls::FOLLOW);
        self.call()?;
        if self.net.no_links {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {spec:?}", self.open[&prog.0]));
        self.give(Thing::Link)
    }

    fn link_uprobe_multi(&mut self, prog: Fd, spec: &MultiSpec<'_>) -> Sys<Fd> {
        self.call()?;
        if self.no_links || self.no_multi {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {spec:?}", self.open[&prog.0]));
        self.give(Thing::Link)
    }

    fn obj_get(&mut self, path: &CStr) -> Sys<Fd> {
        self.of(calls::SERVICE | calls::FOLLOW);
        self.call()?;
        let Some(Node::Pin(made)) = self.bpffs.get(path.to_str().unwrap()) else { return Err(Errno::ENOENT) };
        let made = *made;
        let thing = self.things[&made].clone();
        let fd = self.give(thing)?;
        self.net.same.insert(fd.0, made);
        Ok(fd)
    }

    fn map_info(&mut self, map: Fd) -> Sys<MapSpec> {
        self.of(0);
        self.call()?;
        let Some(Thing::Map(spec)) = self.open.get(&map.0) else { return Err(Errno::EINVAL) };
        Ok(*spec)
    }

    fn obj_pin(&mut self, fd: Fd, path: &CStr) -> Sys<()> {
        self.of(calls::FOLLOW);
        self.call()?;
        let path = self.path(path)?;
        assert!(!path.contains('.'), "{path}: a bpffs has no dots");
        match self.open.get(&fd.0) {
            Some(Thing::Map(_) | Thing::Prog(_) | Thing::Link) => {}
            _ => return Err(Errno::EINVAL),
        }
        if self.bpffs.contains_key(&path) {
            return Err(Errno::EEXIST);
        }
        self.bpffs.insert(path, Node::Pin(fd.0));
        Ok(())
    }

    fn obj_get_map(&mut self, path: &CStr, cpus: u32) -> Sys<MapFd> {
        self.of(calls::SERVICE);
        self.call()?;
        let Some(Node::Pin(made)) = self.bpffs.get(path.to_str().unwrap()) else { return Err(Errno::ENOENT) };
        let made = *made;
        let Thing::Map(spec) = self.things[&made].clone() else { return Err(Errno::EINVAL) };
        let fd = self.give(Thing::Map(spec))?;
        self.same.insert(fd.0, made);
        Ok(MapFd::new(fd, &spec, cpus))
    }

    fn obj_by_id(&mut self, kind: Kind, id: u32) -> Sys<(Fd, [u8; 16])> {
        self.of(calls::FOLLOW);
        self.call()?;
        let made = id as i32;
        let thing = self.things.get(&made).cloned().ok_or(Errno::ENOENT)?;
        let name = match (&thing, kind) {
            (Thing::Map(spec), Kind::Map) => spec.name,
            (Thing::Prog(name), Kind::Prog) => {
                let mut padded = [0; 16];
                padded[..name.len()].copy_from_slice(name.as_bytes());
                padded
            }
            _ => return Err(Errno::ENOENT),
        };
        let fd = self.give(thing)?;
        self.same.insert(fd.0, made);
        Ok((fd, name))
    }

    fn perf_event_open(&mut self, spec: &PerfSpec<'_>, _: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if self.no_perf {
            return Err(Errno::ENOSYS);
        }
        let symbol = spec.symbol.map(|s| s.to_str().unwrap().to_string());
        if self.no_symbols && symbol.is_some() {
            return Err(Errno::ENOENT);
        }
        if symbol.is_some() {
            self.spots.push((spec.offset, spec.pid));
        }
        self.perf.push((spec.kind, spec.config, symbol));
        self.give(Thing::Perf(spec.kind))
    }

    fn perf_ioctl(&mut self, event: Fd, command: PerfCommand) -> Sys<()> {
        self.of(0);
        self.call()?;
        if let PerfCommand::SetBpf(prog) = command {
            self.attached.push(format!("{:?} to {:?} by ioctl", self.open[&prog.0], self.open[&event.0]));
        }
        Ok(())
    }

    fn stop_fd(&mut self) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.give(Thing::Signals)
    }

    fn now(&mut self) -> u64 {
        self.now += 1_000_000;
        self.now
    }

    fn real_time(&mut self) -> u64 {
        0
    }

    fn epoll_create(&mut self) -> Sys<Fd> {
        self.of(calls::SERVICE);
        self.call()?;
        self.give(Thing::Epoll)
    }

    fn epoll_add(&mut self, _: Fd, _: Fd, _: u32) -> Sys<()> {
        self.of(0);
        self.call()
    }

    fn epoll_wait(&mut self, _: Fd, timeout_ms: Option<u32>) -> Sys<heapless::Vec<u32, 16>> {
        self.call()?;
        self.now += timeout_ms.map_or(self.patience, u64::from) * 1_000_000;
        Ok(heapless::Vec::new())
    }

    fn writable(&mut self, _: Fd) -> bool {
        true
    }
}
