//! A kernel that remembers what it was asked, keeps what is open, and fails any call on request.

mod kernel;

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
    /// Refuses probes at the start of a function.
    pub no_starts: bool,
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
