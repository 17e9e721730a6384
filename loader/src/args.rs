//! The command line.

use crate::exit::{Done, Exit};
use crate::job::Output;
use crate::say::{say, write_all};
use crate::sys::{Fd, Kernel};
use core::ffi::CStr;
use heapless::Vec;

/// `--set` options that one command line may hold.
const MAX_SETS: usize = 16;

/// What `--help` prints.
const HELP: &str = "\
Loads a corelet pack into the running kernel.

corelet-loader verify PACK [OPTIONS]   load everything, attach nothing, close
corelet-loader run PACK [OPTIONS]      load, attach, print events until stopped
corelet-loader --version | --help

  --json                 events and reports as JSON, one object a line
  --raw                  events as records that `corelet decode` formats
  --for SECONDS          stop after this time
  --set VARIABLE=VALUE   change a variable of the programs before they start
  --target FILE          take the target from this file too (corelet target)
  --allow-release        take a target by release, version and architecture
                         where no build id matches
  --max-kernel-mem BYTES refuse a pack whose maps may take more (K, M)
  --log-size BYTES       of the verifier's log of a refused program (64K)
  --memory               report memory and time of loading
  --touch BYTES          touch that much memory besides, to check a meter

Exit codes: 0 done; 1 the pack cannot run on this kernel; 2 usage; 3 the pack
is damaged; 4 the machine lacks a permission, a file system or an option;
5 out of memory or busy: trying again can help.
";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Load and close.
    Verify,
    /// Load, attach, print.
    Run,
}

/// A parsed command line.
pub struct Options<'a> {
    /// What to do.
    pub command: Command,
    /// The pack's file.
    pub pack: &'a CStr,
    /// `--target`
    pub target: Option<&'a CStr>,
    /// `--json`, `--raw`
    pub output: Output,
    /// `--for`, in seconds.
    pub seconds: Option<u32>,
    /// `--set`, as `VARIABLE=VALUE`.
    pub sets: Vec<&'a str, MAX_SETS>,
    /// `--max-kernel-mem`, in bytes.
    pub max_kernel_mem: Option<u32>,
    /// `--log-size`, in bytes.
    pub log_size: u32,
    /// `--allow-release`
    pub allow_release: bool,
    /// `--memory`
    pub memory: bool,
    /// `--touch`, in bytes.
    pub touch: u32,
}

/// A number of bytes or seconds, with `K` or `M` behind it or not.
fn number(text: &str) -> Option<u32> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        _ => (text, 1u32),
    };
    crate::number::decimal(digits)?.checked_mul(unit)
}

/// Parses the arguments, the program's own name first. `None` where `--help` or `--version` was asked for and printed.
///
/// # Errors
/// [`Exit::Usage`], said.
pub fn parse<'a, K: Kernel>(
    kernel: &mut K,
    args: impl Iterator<Item = &'a CStr>,
) -> Done<Option<Options<'a>>> {
    let mut args = args.skip(1);
    let usage =
        |k: &mut K, what: &str, arg: &str| say(k).s(what).s(" ").s(arg).s(" (see --help)").exit(Exit::Usage);
    let mut o = Options {
        command: Command::Run,
        pack: c"",
        target: None,
        output: Output::Text,
        seconds: None,
        sets: Vec::new(),
        max_kernel_mem: None,
        log_size: 64 << 10,
        allow_release: false,
        memory: false,
        touch: 0,
    };
    match args.next().map_or(Ok("--help"), CStr::to_str) {
        Ok("verify") => o.command = Command::Verify,
        Ok("run") => {}
        Ok("--help") => {
            write_all(kernel, Fd::STDOUT, HELP.as_bytes());
            return Ok(None);
        }
        Ok("--version") => {
            let version = concat!("corelet-loader ", env!("CARGO_PKG_VERSION"), "\n");
            write_all(kernel, Fd::STDOUT, version.as_bytes());
            return Ok(None);
        }
        other => return Err(usage(kernel, "unknown command", other.unwrap_or("?"))),
    }
    while let Some(arg) = args.next() {
        let Ok(text) = arg.to_str() else { return Err(usage(kernel, "not UTF-8:", "an argument")) };
        match text {
            "--json" => o.output = Output::Json,
            "--raw" => o.output = Output::Raw,
            "--allow-release" => o.allow_release = true,
            "--memory" => o.memory = true,
            "--for" | "--set" | "--target" | "--max-kernel-mem" | "--log-size" | "--touch" => {
                let Some(value) = args.next() else { return Err(usage(kernel, "no value for", text)) };
                let utf8 = value.to_str().unwrap_or("");
                let mut taken = true;
                match (text, number(utf8)) {
                    ("--target", _) => o.target = Some(value),
                    ("--set", _) => taken = utf8.as_bytes().contains(&b'=') && o.sets.push(utf8).is_ok(),
                    ("--for", Some(n)) => o.seconds = Some(n),
                    ("--max-kernel-mem", Some(n)) => o.max_kernel_mem = Some(n),
                    ("--log-size", Some(n)) if n >= 128 => o.log_size = n,
                    ("--touch", Some(n)) => o.touch = n,
                    _ => taken = false,
                }
                if !taken {
                    return Err(usage(kernel, "bad value for", text));
                }
            }
            _ if text.starts_with('-') || !o.pack.is_empty() => {
                return Err(usage(kernel, "unknown argument", text));
            }
            _ => o.pack = arg,
        }
    }
    if o.pack.is_empty() {
        return Err(usage(kernel, "no PACK", "is named"));
    }
    Ok(Some(o))
}
