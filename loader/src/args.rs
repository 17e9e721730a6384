//! The command line.

use crate::device;
use crate::exit::{Done, Exit};
use crate::identity::MAX_BUILD_ID;
use crate::installed;
use crate::job::Output;
use crate::number;
use crate::place;
use crate::say::{Arg::S, fail, text, write_all};
use crate::service;
use crate::sys::{Fd, Kernel};
use core::ffi::CStr;
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::words::bytes;
use heapless::Vec;

/// `--set` options that one command line may hold.
const MAX_SETS: usize = 16;
/// `--attach` options that one command line may hold: memleak has 20 programs for libc's functions.
const MAX_ATTACHES: usize = 32;
/// `--interface` options that one command line may hold.
const MAX_INTERFACES: usize = 8;

/// What `--help` prints: a variable of its own, which `link.ld` puts where it is no memory while programs are loaded.
static HELP: [u8; HELP_TEXT.len()] = bytes(HELP_TEXT);
#[cfg(not(feature = "explain"))]
const HELP_TEXT: &str = "\
corelet-loader verify|run PACK... [--raw] [--for SECONDS]
This one was built without the longer help.
";
#[cfg(feature = "explain")]
const HELP_TEXT: &str = "\
Loads a corelet pack into the running kernel.

corelet-loader verify PACK [OPTIONS]   load everything, attach nothing, close
corelet-loader run PACK... [OPTIONS]   load, attach, print events until stopped
corelet-loader load PACK [OPTIONS]     load, attach, and leave that pinned in
                                       /sys/fs/bpf/corelet/NAME
corelet-loader unload NAME             undo load
corelet-loader status [NAME] [--json]  what is loaded, and what runs by a name
corelet-loader preflight PACK --build-id HEX [OPTIONS]
                                       whether PACK will load on that kernel
corelet-loader doctor [PACK] [--json]  what this kernel has and lacks for packs
corelet-loader --version | --help

An executable that `corelet embed` made has its pack inside: it takes no PACK,
and does `run` where no command is named: ./tool --json. NAME is then its own.

  --json                 events and reports as JSON, one object a line
  --raw                  events as records that `corelet decode` formats
  --output WHERE         to a FILE, unix:PATH, udp:A.B.C.D:PORT or syslog
  --rotate BYTES         of FILE, which then becomes FILE.1 (K, M)
  --for SECONDS          stop after this time
  --interval SECONDS     print the results each time it has passed too
  --name NAME            of load, instead of the pack's; run with it is shown by
                         status
  --replace              load takes the place of what is loaded by that name
  --set VARIABLE=VALUE   change a variable of the programs before they start
  --attach PROGRAM=WHAT  attach a program to something else than the pack says:
                         FUNCTION[+OFFSET] of the kernel, FILE:FUNCTION[+OFFSET]
                         or FILE:OFFSET of user space, FILE:PROVIDER:PROBE (USDT);
                         a cgroup, network namespace, map of sockets, interface
                         or socket (PID/FD) for programs that take one;
                         IF[,OPTION]... of an interface, FAMILY,HOOK[,OPTION]...
                         of netfilter: words as in the manifest's `place`
  --cgroup DIR           the cgroup for all programs that take one
  --netns FILE           the network namespace for all that take one
  --interface IF         attach what belongs on interfaces to this one; several
                         options for several
  --follow               attach again to interfaces that come back (run)
  --pid PID              probes of user space in that process only
  --target FILE          take the target from this file too (corelet target)
  --targets DIR          where kernels' packages put target files, as
                         DIR/DIGEST/BUILDID.target (/lib/corelet)
  --allow-release        take a target by release, version and architecture
                         where no build id matches
  --only-targets         refuse a pack that has no target for this kernel, and
                         do not relocate with the kernel's own types
  --max-kernel-mem BYTES refuse a pack that may take more of it (K, M)
  --token DIR            load with a token of the bpffs on DIR, to which was
                         delegated what this process may not do (Linux 6.9)
  --keep-privileges      of run: give up neither capabilities nor system calls
                         once everything is attached
  --log-size BYTES       of the verifier's log of a refused program (64K)
  --memory               report memory and time of loading
  --verbose              name each relocation that found nothing in this kernel,
                         not the first of each program alone
  --touch BYTES          touch that much memory besides, to check a meter

Exit codes: 0 done; 1 the pack cannot run on this kernel; 2 usage; 3 the pack
is damaged; 4 the machine lacks a permission, a file system or an option;
5 out of memory or busy: trying again can help. status NAME: 1 if there is none.
";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Load and close.
    Verify,
    /// Load, attach, print.
    Run,
    /// Tell whether a pack will load on a kernel that is named by its build id.
    Preflight,
    /// Load, attach, pin.
    Load,
    /// Undo that.
    Unload,
    /// Print what is loaded.
    Status,
    /// Print what the kernel has and lacks.
    Doctor,
}

/// A parsed command line.
pub struct Options<'a> {
    /// What to do.
    pub command: Command,
    /// The packs' files; of `unload` and `status` the service's name.
    pub packs: Vec<&'a CStr, MAX_PACK_OBJECTS>,
    /// `--target`
    pub target: Option<&'a CStr>,
    /// `--targets`
    pub targets: &'a CStr,
    /// `--build-id`; empty where it is not given.
    pub build_id: Vec<u8, MAX_BUILD_ID>,
    /// `--json`, `--raw`
    pub output: Output,
    /// `--output`
    pub to: Option<&'a CStr>,
    /// `--rotate`, in bytes.
    pub rotate: Option<u32>,
    /// `--for`, in seconds.
    pub seconds: Option<u32>,
    /// `--interval`, in seconds, more than 0.
    pub interval: Option<u32>,
    /// `--set`, as `VARIABLE=VALUE`.
    pub sets: Vec<&'a str, MAX_SETS>,
    /// `--attach`, as `PROGRAM=WHAT`.
    pub attaches: Vec<&'a str, MAX_ATTACHES>,
    /// `--cgroup`
    pub cgroup: Option<&'a str>,
    /// `--netns`
    pub netns: Option<&'a str>,
    /// `--interface`
    pub interfaces: Vec<&'a str, MAX_INTERFACES>,
    /// `--follow`
    pub follow: bool,
    /// `--token`
    pub token: Option<&'a CStr>,
    /// `--keep-privileges`
    pub keep_privileges: bool,
    /// `--pid`
    pub pid: Option<u32>,
    /// `--max-kernel-mem`, in bytes.
    pub max_kernel_mem: Option<u32>,
    /// `--log-size`, in bytes.
    pub log_size: u32,
    /// `--name`
    pub name: Option<&'a str>,
    /// `--replace`
    pub replace: bool,
    /// `--allow-release`
    pub allow_release: bool,
    /// `--only-targets`
    pub only_targets: bool,
    /// `--memory`
    pub memory: bool,
    /// `--touch`, in bytes.
    pub touch: u32,
    /// `--verbose`
    pub verbose: bool,
}

/// The options, in the order of the numbers below.
const ALL: [&str; 27] = [
    "--json",
    "--raw",
    "--only-targets",
    "--for",
    "--allow-release",
    "--memory",
    "--replace",
    "--follow",
    "--keep-privileges",
    "--verbose",
    "--set",
    "--target",
    "--targets",
    "--build-id",
    "--max-kernel-mem",
    "--log-size",
    "--touch",
    "--interval",
    "--attach",
    "--pid",
    "--name",
    "--output",
    "--rotate",
    "--cgroup",
    "--netns",
    "--interface",
    "--token",
];
/// Those that this loader may have: every loader has the first four.
const NAMES: &[&str] = if MORE { &ALL } else { &[ALL[JSON], ALL[RAW], ALL[ONLY_TARGETS], ALL[FOR]] };
const JSON: usize = 0;
const RAW: usize = 1;
const ONLY_TARGETS: usize = 2;
const FOR: usize = 3;
const ALLOW_RELEASE: usize = 4;
const MEMORY: usize = 5;
const REPLACE: usize = 6;
const FOLLOW: usize = 7;
const KEEP_PRIVILEGES: usize = 8;
const VERBOSE: usize = 9;
const SET: usize = 10;
const TARGET: usize = 11;
const TARGETS: usize = 12;
const BUILD_ID: usize = 13;
const MAX_KERNEL_MEM: usize = 14;
const LOG_SIZE: usize = 15;
const TOUCH: usize = 16;
const INTERVAL: usize = 17;
const ATTACH: usize = 18;
const PID: usize = 19;
const NAME: usize = 20;
const OUTPUT: usize = 21;
const ROTATE: usize = 22;
const CGROUP: usize = 23;
const NETNS: usize = 24;
const INTERFACE: usize = 25;
const TOKEN: usize = 26;

/// What is said of an argument that is none of them.
static UNKNOWN: &str = if MORE {
    text!("unknown argument")
} else {
    text!("unknown argument, or of what this loader was built without:")
};

/// The same where the pack is inside the executable.
static INSIDE: &str = text!("this executable takes no pack but the one inside, and not");

/// Whether a value follows.
fn has_value(option: usize) -> bool {
    option == FOR || option >= SET
}

/// A number of bytes or seconds, with `K` or `M` behind it or not.
fn count(text: &str) -> Option<u32> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (text.get(..text.len().checked_sub(1)?)?, 1 << 10),
        b'M' => (text.get(..text.len().checked_sub(1)?)?, 1 << 20),
        _ => (text, 1u32),
    };
    number::decimal(digits)?.checked_mul(unit)
}

/// Whether there are other options than those that every loader has.
const MORE: bool = cfg!(any(
    feature = "service",
    feature = "outputs",
    feature = "options",
    feature = "targets",
    feature = "results",
    feature = "explain",
    feature = "uprobe",
    feature = "place",
    feature = "net",
    feature = "privileges"
));

/// Whether the loader has what an option asks for.
fn is_built(option: usize) -> bool {
    match option {
        NAME | REPLACE => service::BUILT,
        OUTPUT | ROTATE => cfg!(feature = "outputs"),
        SET | ATTACH | MAX_KERNEL_MEM | MEMORY | TOUCH | VERBOSE => cfg!(feature = "options"),
        TARGET | TARGETS | ALLOW_RELEASE | BUILD_ID => cfg!(feature = "targets"),
        INTERVAL => cfg!(feature = "results"),
        LOG_SIZE => cfg!(feature = "explain"),
        PID => cfg!(feature = "uprobe"),
        CGROUP | NETNS => place::BUILT,
        FOLLOW | INTERFACE => device::BUILT,
        TOKEN | KEEP_PRIVILEGES => cfg!(feature = "privileges"),
        _ => true,
    }
}

/// Says what is wrong with an argument.
#[cold]
#[inline(never)]
fn usage<K: Kernel>(kernel: &mut K, what: &str, arg: &str) -> Exit {
    fail(kernel, Exit::Usage, text!("% % (see --help)"), &[S(what), S(arg)])
}

/// Parses the arguments, the program's own name first. `None` where `--help` or `--version` was asked for and printed.
///
/// # Errors
/// [`Exit::Usage`], said.
#[inline(never)] // its frame is gone when the work begins
pub fn parse<'a, K: Kernel>(
    kernel: &mut K,
    mut args: impl Iterator<Item = &'a CStr>,
) -> Done<Option<Options<'a>>> {
    let own = args.next().unwrap_or_default();
    let embedded = cfg!(feature = "embed") && kernel.embedded();
    let mut first = args.next();
    let command = match first {
        // an option, which is looked at with the others
        first if embedded && first.is_none_or(|arg| is_option_of_run(text(arg))) => "run",
        _ => first.take().map_or("--help", text),
    };
    let print = match command {
        "verify" | "run" => &[],
        "preflight" if cfg!(feature = "targets") => &[],
        "load" | "unload" | "status" if service::BUILT => &[],
        "doctor" if cfg!(feature = "doctor") => &[],
        "--help" => &HELP[..],
        "--version" => concat!("corelet-loader ", env!("CARGO_PKG_VERSION"), "\n").as_bytes(),
        "load" | "unload" | "status" | "doctor" | "preflight" => {
            return Err(usage(kernel, text!("this loader was built without the command"), command));
        }
        other => return Err(usage(kernel, text!("unknown command"), other)),
    };
    if !print.is_empty() {
        write_all(kernel, Fd::STDOUT, print);
        return Ok(None);
    }
    let mut o = Options {
        command: match command {
            "run" => Command::Run,
            "preflight" => Command::Preflight,
            "load" => Command::Load,
            "unload" => Command::Unload,
            "status" => Command::Status,
            "doctor" => Command::Doctor,
            _ => Command::Verify,
        },
        packs: Vec::new(),
        target: None,
        targets: installed::FOLDER,
        build_id: Vec::new(),
        output: Output::Text,
        seconds: None,
        interval: None,
        to: None,
        rotate: None,
        sets: Vec::new(),
        attaches: Vec::new(),
        cgroup: None,
        netns: None,
        interfaces: Vec::new(),
        follow: false,
        token: None,
        keep_privileges: false,
        pid: None,
        max_kernel_mem: None,
        log_size: 64 << 10,
        name: None,
        replace: false,
        allow_release: false,
        only_targets: false,
        memory: false,
        touch: 0,
        verbose: false,
    };
    while let Some(arg) = first.take().or_else(|| args.next()) {
        let name = text(arg);
        let Some(option) = NAMES.iter().position(|&n| n == name) else {
            let several = o.command == Command::Run || o.packs.is_empty();
            let several = if embedded { takes_name(o.command) && o.packs.is_empty() } else { several };
            if arg.to_bytes().starts_with(b"-") || !several || o.packs.push(arg).is_err() {
                let what = if embedded { INSIDE } else { UNKNOWN };
                return Err(usage(kernel, what, name));
            }
            continue;
        };
        let mut value = c"";
        if has_value(option) {
            value = match args.next() {
                Some(value) => value,
                None => return Err(usage(kernel, text!("no value for"), name)),
            };
        }
        if MORE && !is_built(option) {
            return Err(usage(kernel, text!("this loader was built without"), name));
        }
        let words = text(value);
        let taken = match (option, count(words)) {
            (JSON, _) => put(&mut o.output, Output::Json),
            (RAW, _) => put(&mut o.output, Output::Raw),
            (ONLY_TARGETS, _) => put(&mut o.only_targets, true),
            (FOR, Some(n)) => put(&mut o.seconds, Some(n)),
            _ if !MORE => false,
            (ALLOW_RELEASE, _) => put(&mut o.allow_release, true),
            (MEMORY, _) => put(&mut o.memory, true),
            (VERBOSE, _) => put(&mut o.verbose, true),
            (FOLLOW, _) => o.command == Command::Run && put(&mut o.follow, true),
            (KEEP_PRIVILEGES, _) => o.command == Command::Run && put(&mut o.keep_privileges, true),
            (TOKEN, _) => !words.is_empty() && put(&mut o.token, Some(value)),
            (INTERFACE, _) => corelet_core::device::is_interface(words) && o.interfaces.push(words).is_ok(),
            (REPLACE, _) => o.command == Command::Load && put(&mut o.replace, true),
            (NAME, _) => matches!(o.command, Command::Load | Command::Run) && put(&mut o.name, Some(words)),
            (TARGET, _) => put(&mut o.target, Some(value)),
            (TARGETS, _) => put(&mut o.targets, value),
            (BUILD_ID, _) => number::hex(words).is_some_and(|id| put(&mut o.build_id, id)),
            (SET, _) => words.bytes().any(|b| b == b'=') && o.sets.push(words).is_ok(),
            (MAX_KERNEL_MEM, Some(n)) => put(&mut o.max_kernel_mem, Some(n)),
            (LOG_SIZE, Some(n)) if n >= 128 => put(&mut o.log_size, n),
            (INTERVAL, Some(n)) if n > 0 => put(&mut o.interval, Some(n)),
            (OUTPUT, _) => !words.is_empty() && put(&mut o.to, Some(value)),
            (ROTATE, Some(n)) if n > 0 => put(&mut o.rotate, Some(n)),
            (TOUCH, Some(n)) => put(&mut o.touch, n),
            (ATTACH, _) => words.bytes().any(|b| b == b'=') && o.attaches.push(words).is_ok(),
            (CGROUP, _) => !words.is_empty() && put(&mut o.cgroup, Some(words)),
            (NETNS, _) => !words.is_empty() && put(&mut o.netns, Some(words)),
            (PID, Some(n)) if n > 0 => put(&mut o.pid, Some(n)),
            _ => false,
        };
        if !taken {
            return Err(usage(kernel, text!("bad value for"), name));
        }
    }
    if embedded && o.packs.is_empty() {
        // its own, or of a service the name that it has by that
        let _ = o.packs.push(file_name(own));
    }
    if o.packs.is_empty() && !matches!(o.command, Command::Status | Command::Doctor) {
        return Err(usage(kernel, text!("no PACK or NAME"), text!("is named")));
    }
    if cfg!(feature = "targets") && (o.command == Command::Preflight) == o.build_id.is_empty() {
        return Err(usage(kernel, text!("only preflight takes"), text!("--build-id")));
    }
    Ok(Some(o))
}

/// Whether an executable with a pack inside is asked to run it by an option alone.
fn is_option_of_run(arg: &str) -> bool {
    arg.as_bytes().first() == Some(&b'-') && !matches!(arg, "--help" | "--version")
}

/// Whether a command is of services, and takes the name of one.
fn takes_name(command: Command) -> bool {
    matches!(command, Command::Unload | Command::Status)
}

/// The last part of a path.
#[cold]
#[inline(never)]
fn file_name(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    let start = path.to_bytes().iter().rposition(|&b| b == b'/').map_or(0, |slash| slash.saturating_add(1));
    bytes.get(start..).and_then(|name| CStr::from_bytes_with_nul(name).ok()).unwrap_or(path)
}

/// An argument's text; what is not UTF-8 is no option and no value.
fn text(arg: &CStr) -> &str {
    arg.to_str().unwrap_or("-")
}

fn put<T>(place: &mut T, value: T) -> bool {
    *place = value;
    true
}
