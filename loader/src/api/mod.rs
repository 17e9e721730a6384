//! The loader as a library: a program loads a pack, reads and writes its maps and variables, attaches its programs and is handed
//! their events. With `std` or without it, without a heap; nothing is global but what a kernel keeps for each process.
//!
//! ```no_run
//! use corelet_loader::api::{Form, Loaded, Pack};
//!
//! fn main() -> Result<(), corelet_loader::api::Error> {
//!     let bytes = std::fs::read("/lib/opensnoop.pack").unwrap();
//!     let mut loaded = Loaded::load(Pack::of(c"opensnoop", &bytes), &[c"--set", c"targ_failed=true"], None)?;
//!     loaded.attach()?;
//!     loop {
//!         let mut line = [0; 1024];
//!         loaded.poll(None, &mut |event| {
//!             println!("{}", String::from_utf8_lossy(event.print(Form::Json, &mut line)))
//!         })?;
//!     }
//! }
//! ```
//!
//! What is dropped gives everything back: attachments, programs, maps, memory. Two loads do not know of each other, but for kernels
//! before 4.17, whose probes have names of a process: there one load in a process may attach to functions.
//!
//! The process's limit `RLIMIT_MEMLOCK` is raised where a kernel refuses for it (before 5.11), as libbpf does. No signal is
//! touched, nothing is printed, no thread is started; a load stays on the thread that made it.
#![allow(clippy::result_large_err, reason = "there is no heap for an error's text")]

mod error;
mod global;
mod map;
mod plain;

pub use crate::exit::Exit;
#[cfg(feature = "format")]
pub use crate::job::Output as Form;
pub use crate::stream::poll::{Event, Polled};
pub use crate::sys::{Fd, Hear};
pub use error::{Error, Result};
pub use global::Global;
pub use map::Map;
pub use plain::Plain;

use crate::args;
use crate::choose::{Chosen, choose, have_all};
use crate::exit::Done;
use crate::file::PackFile;
use crate::identity::Identity;
use crate::installed::{self, Installed};
use crate::job::{Output, Source};
use crate::load::{self, Objects, load};
use crate::object::{Parts, Sections};
use crate::pins;
use crate::run::within_limit;
use crate::say::{Arg::S, bad, fail, failed, text};
use crate::session::Session;
use crate::stream::{Channels, poll};
use crate::sys::{Carried, Hosted, Kernel, Shared, slots};
use core::ffi::CStr;
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::pack::section;
use heapless::Vec;

/// Words of options that one load takes.
pub const MAX_WORDS: usize = 64;
/// Files of targets and packs of one load: the pack, `--target`, and what is installed for each object.
const MAX_FILES: usize = MAX_PACK_OBJECTS + 2;
/// What attaching reads of an object, and of its target.
const OF_OBJECT: [u16; 4] = [section::OBJECT, section::FUNCTIONS, section::PROGRAMS, section::ALIASES];
const OF_TARGET: [u16; 3] = [section::PLAN, section::MAP_PLAN, section::ATTACH_IDS];

/// Where a pack is.
#[derive(Clone, Copy)]
pub struct Pack<'o> {
    name: &'o CStr,
    bytes: Option<&'o [u8]>,
}

impl<'o> Pack<'o> {
    /// In memory. `name` is for messages.
    pub fn of(name: &'o CStr, bytes: &'o [u8]) -> Self {
        Pack { name, bytes: Some(bytes) }
    }

    /// A file, which stays open: what is read of it is checked in a copy.
    pub fn at(path: &'o CStr) -> Self {
        Pack { name: path, bytes: None }
    }
}

/// A loaded pack, of some kilobytes itself. Dropped, everything that the kernel gave for it is given back.
pub struct Loaded<'o, K: Carried = Hosted<'o>> {
    session: Session<'o>,
    chosen: Vec<Chosen<'o>, MAX_PACK_OBJECTS>,
    sources: Vec<Source<'static>, MAX_PACK_OBJECTS>,
    channels: Channels,
    /// For the longest event.
    scratch: &'static mut [u8],
    /// Mapped data sections.
    data: Vec<(Fd, Shared), { global::MAX_DATA }>,
    is_open: bool,
    is_attached: bool,
    /// The last: it unmaps what lies in the others.
    kernel: K,
}

impl<'o> Loaded<'o> {
    /// Loads all that is in the pack for this kernel: maps, their first contents, programs. Nothing is attached.
    ///
    /// `options` are words of the loader's command line (`corelet-loader --help`): `--set VARIABLE=VALUE`, `--attach PROGRAM=WHAT`,
    /// `--pid`, `--target`, `--targets`, `--only-targets`, `--allow-release`, `--max-kernel-mem`, `--log-size`; those that are about
    /// printing do nothing. `hear` is given all that the executable would say on standard error, notices included, and the text of
    /// iterators, in pieces of lines.
    ///
    /// # Errors
    /// By [`Error::kind`]: the pack does not fit this kernel, a wrong option, a damaged pack, something that the machine lacks, or a
    /// lack of memory. Nothing is left loaded.
    pub fn load(pack: Pack<'o>, options: &[&'o CStr], hear: Option<Hear<'o>>) -> Result<Self> {
        Loaded::load_with(Hosted::new(pack.bytes.unwrap_or_default(), hear), pack, options)
    }
}

impl<'o, K: Carried> Loaded<'o, K> {
    /// [`Loaded::load`] by another kernel, which holds the pack if it is in memory.
    ///
    /// # Errors
    /// As of [`Loaded::load`].
    pub fn load_with(mut kernel: K, pack: Pack<'o>, options: &[&'o CStr]) -> Result<Self> {
        let options = match parse(&mut kernel, pack.name, options) {
            Ok(options) => options,
            Err(exit) => return Err(Error::new(exit, kernel.said())),
        };
        let session = match identity(&mut kernel) {
            Ok(identity) => Session::new(options, identity),
            Err(exit) => return Err(Error::new(exit, kernel.said())),
        };
        let mut loaded = Loaded {
            session,
            chosen: Vec::new(),
            sources: Vec::new(),
            channels: Channels::default(),
            scratch: &mut [],
            data: Vec::new(),
            is_open: false,
            is_attached: false,
            kernel,
        };
        match loaded.fill(pack) {
            Ok(()) => Ok(loaded),
            Err(exit) => Err(loaded.error(exit)),
        }
    }

    /// Finds a target for each object, and loads them.
    fn fill(&mut self, pack: Pack<'o>) -> Done<()> {
        let (kernel, session) = (&mut self.kernel, &mut self.session);
        let options = session.options;
        let mut files: Vec<PackFile<'o>, MAX_FILES> = Vec::new();
        if let Some(path) = options.target {
            // there is room for all
            let _ = files.push(PackFile::open(kernel, &mut session.ledger, path)?);
        }
        let file = match pack.bytes {
            Some(_) => PackFile::of(kernel, Hosted::PACK, pack.name.to_str().unwrap_or("the pack"))?,
            None => PackFile::open(kernel, &mut session.ledger, pack.name)?,
        };
        let place = files.len();
        let _ = files.push(file);
        let mut found = Installed::new();
        if let Some(pack) = files.get(place)
            && !have_all(kernel, pack, &all_of(&files), &session.identity)?
        {
            installed::open(kernel, session, pack, &mut found)?;
        }
        // each is of another object; iterating would bring a panic
        while let Some(file) = found.pop() {
            let _ = files.push(file);
        }
        let files = hold(kernel, files)?;
        if let Some(pack) = files.get(place) {
            choose(kernel, pack, &all_of(files), &session.identity, options, &mut self.chosen)?;
        }
        if let Some(limit) = options.max_kernel_mem {
            within_limit(kernel, session, &self.chosen, limit)?;
        }
        let channels = Channels::default();
        let mut objects =
            Objects { chosen: &self.chosen, sources: Vec::new(), channels, stop: Fd::default() };
        let memory = load(kernel, session, &mut objects)?;
        self.sources = objects.sources;
        let longest = poll::longest(&self.sources);
        self.scratch = if memory.len() < longest {
            kernel.region(longest).map_err(|e| failed(kernel, text!("memory"), e))?
        } else {
            memory
        };
        Ok(())
    }

    /// Attaches all programs, after the buffers of events are open, so that nothing is missed; pins maps that are pinned by name.
    /// Nothing more happens where they are attached already.
    ///
    /// # Errors
    /// As of [`Loaded::load`]; nothing stays attached.
    pub fn attach(&mut self) -> Result<()> {
        if self.is_attached {
            return Ok(());
        }
        let before = self.kernel.mappings();
        if !self.is_open {
            let open = self.session.ledger.len();
            let mut objects = Objects {
                chosen: &[],
                sources: self.sources.clone(),
                channels: Channels::default(),
                stop: Fd::default(),
            };
            let done = load::open_channels(&mut self.kernel, &mut self.session, &mut objects);
            if let Err(exit) = done {
                self.session.ledger.undo_to(&mut self.kernel, open);
                self.kernel.unmap(before);
                return Err(self.error(exit));
            }
            self.channels = objects.channels;
        }
        self.session.attached_from = self.session.ledger.len();
        let first = !self.is_open;
        (self.is_open, self.is_attached) = (true, true);
        let before = self.kernel.mappings();
        let mut done = self.attach_all();
        self.kernel.unmap(before);
        if done.is_ok() && first && !self.session.to_pin.is_empty() {
            done = pins::pin(&mut self.kernel, &mut self.session, &self.sources);
        }
        done.map_err(|exit| {
            self.detach();
            self.error(exit)
        })
    }

    fn attach_all(&mut self) -> Done<()> {
        let (kernel, session) = (&mut self.kernel, &mut self.session);
        for (place, (chosen, source)) in (0u8..).zip(self.chosen.iter().zip(&self.sources)) {
            let s = sections(kernel, chosen, source)?;
            for (number, mut program) in (0..).zip(s.programs()) {
                let held = kernel.programs().iter().find(|p| (p.object, p.number) == (place, number));
                let Some(prog) = held.map(|p| p.fd) else { continue };
                crate::overrides::apply(kernel, session, &mut program)?;
                load::attach_one(kernel, session, (&s, source.open), (number, &program), prog)?;
            }
        }
        Ok(())
    }

    /// Detaches all programs. They and their maps stay loaded, and what they reported can still be read.
    pub fn detach(&mut self) {
        if self.is_attached {
            self.session.ledger.undo_from(&mut self.kernel, self.session.attached_from);
            self.session.usdt_specs = 0;
            self.is_attached = false;
        }
    }

    /// The descriptor of the loaded program of that name, for calls of your own (`BPF_PROG_TEST_RUN`); [`Loaded`] closes it. Of
    /// several objects the first that has one.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a name that no program has, and for one that is not loaded on this kernel.
    pub fn program(&mut self, name: &str) -> Result<Fd> {
        let before = self.kernel.mappings();
        let found = self.find(name);
        self.kernel.unmap(before);
        let exit = match found {
            Ok(Some(fd)) => return Ok(fd),
            Ok(None) => {
                fail(&mut self.kernel, Exit::Usage, text!("%: no such program is loaded"), &[S(name)])
            }
            Err(exit) => exit,
        };
        Err(self.error(exit))
    }

    fn find(&mut self, name: &str) -> Done<Option<Fd>> {
        for (place, (chosen, source)) in (0u8..).zip(self.chosen.iter().zip(&self.sources)) {
            let s = sections(&mut self.kernel, chosen, source)?;
            let number = (0u16..).zip(s.programs()).find(|(_, p)| p.name == name).map(|(n, _)| n);
            let held = self.kernel.programs().iter().find(|p| p.object == place && Some(p.number) == number);
            if let Some(held) = held {
                return Ok(Some(held.fd));
            }
        }
        Ok(None)
    }

    /// Waits up to `timeout_ms` milliseconds (`None` for ever) until there are events, and hands over those that are there then, up
    /// to 16 buffers' at a time. Before [`Loaded::attach`] there are none, and none of maps whose events the manifest gives no type.
    ///
    /// # Errors
    /// That of `epoll_pwait(2)`. A signal is none: it ends the wait.
    pub fn poll(&mut self, timeout_ms: Option<u32>, each: &mut dyn FnMut(&Event<'_>)) -> Result<Polled> {
        if !self.is_open {
            return Ok(Polled::default());
        }
        let done = self.channels.poll(&mut self.kernel, &self.sources, timeout_ms, self.scratch, each);
        done.map_err(|e| {
            let exit = failed(&mut self.kernel, text!("epoll_pwait"), e);
            self.error(exit)
        })
    }

    /// What becomes readable when there are events, for a `poll(2)` or `epoll(7)` of your own; none before [`Loaded::attach`].
    pub fn epoll(&self) -> Option<Fd> {
        self.is_open.then(|| self.channels.epoll())
    }

    fn error(&self, exit: Exit) -> Error {
        Error::new(exit, self.kernel.said())
    }
}

impl<K: Carried> Drop for Loaded<'_, K> {
    fn drop(&mut self) {
        self.session.ledger.undo(&mut self.kernel);
    }
}

/// The options, as the executable takes them from its command line.
fn parse<'o, K: Kernel>(kernel: &mut K, pack: &'o CStr, words: &[&'o CStr]) -> Done<&'o args::Options<'o>> {
    if words.len() > MAX_WORDS {
        return Err(fail(kernel, Exit::Usage, text!("too many options"), &[]));
    }
    let line = [c"corelet-loader", c"verify", pack].into_iter().chain(words.iter().copied());
    match args::parse(kernel, line)? {
        Some(mut options) => {
            // printing is the program's: what this loader was built to print does not matter
            options.output = Output::Raw;
            hold(kernel, options)
        }
        None => Err(Exit::Usage),
    }
}

/// As [`choose`] takes them.
fn all_of<'f, 'o>(files: &'f [PackFile<'o>]) -> Vec<&'f PackFile<'o>, MAX_FILES> {
    let mut all = Vec::new();
    for file in files {
        // there is room for all; collecting would bring the panic for more
        let _ = all.push(file);
    }
    all
}

fn identity<K: Carried>(kernel: &mut K) -> Done<Identity> {
    match kernel.page_size() {
        Ok(page_size) => Identity::read(kernel, page_size),
        Err(e) => Err(failed(kernel, "/proc/self/auxv", e)),
    }
}

/// Keeps a value as long as the load lasts, in memory of its own.
fn hold<'o, K: Kernel, T: 'o>(kernel: &mut K, value: T) -> Done<&'o T> {
    let region: &'o mut [u8] = match kernel.region(size_of::<Option<T>>()) {
        Ok(region) => region,
        Err(e) => return Err(failed(kernel, text!("memory"), e)),
    };
    match slots(region, || None).first_mut() {
        Some(slot) => Ok(slot.insert(value)),
        None => Err(Exit::Again),
    }
}

/// What attaching needs of a loaded object, read again into memory of its own.
fn sections<K: Kernel>(
    kernel: &mut K,
    chosen: &Chosen<'_>,
    source: &Source<'static>,
) -> Done<Sections<'static>> {
    let mut parts = Parts::none();
    let whole = [(chosen.pack, chosen.object, &OF_OBJECT[..]), (chosen.file, chosen.target, &OF_TARGET)];
    for (file, owner, ids) in whole {
        for &id in ids {
            // ids of the kernel hold for the very build only
            if id == section::ATTACH_IDS && !chosen.by_build_id {
                continue;
            }
            let Some(entry) = file.table().find(id, owner) else { continue };
            let into = match kernel.region(entry.len as usize) {
                Ok(into) => into,
                Err(e) => return Err(failed(kernel, text!("memory"), e)),
            };
            file.read(kernel, &entry, into)?;
            parts.put(id, into);
        }
    }
    parts.put(section::MAPS, source.maps);
    let object = bad(kernel, chosen.pack.path, parts.records(section::OBJECT).at(0))?;
    // its own path lives shorter
    Ok(Sections { path: "the pack", object, btf: source.btf, parts })
}
