//! On a board: runs a program in a user, mount and network namespace of its own, with a bpffs there to which something is delegated. A
//! part of the tests, never of what a device runs.
//!
//! `corelet-token CMDS MAPS PROGS ATTACHS DIR PROGRAM [ARGUMENT]...` mounts the bpffs on DIR, which is there, with the first four as
//! `delegate_cmds` and so on; `-` is for an option that is not given. The program has user 0 and all capabilities of its own
//! namespace, and none outside. Its exit code is that of this. What fails here is printed as `! CALL ERRNO`.
//!
//! As a container manager does it: the one inside opens the file system's context, which decides whose it is; the one outside, who may,
//! says what is delegated and makes it; the one inside mounts it. Both have one table of descriptors, so that none is sent.

#![no_std]
#![no_main]

#[path = "../../../loader/src/rt/memory.rs"]
mod memory;
#[allow(dead_code, reason = "the other program's calls of bpf(2) and its files")]
#[path = "../../replay/src/sys.rs"]
mod sys;

use core::ffi::{CStr, c_char};
use linux_raw_sys::general as nr;

/// A call that failed, by its name, and its error number.
type Failed = (&'static str, i32);

const OPTIONS: [&CStr; 4] = [c"delegate_cmds", c"delegate_maps", c"delegate_progs", c"delegate_attachs"];
const SIGCHLD: usize = 17;
/// `CLONE_FILES`; `CLONE_NEWNS`, `CLONE_NEWUSER` and `CLONE_NEWNET`
const SHARED: usize = 0x400;
const APART: usize = 0x2_0000 | 0x1000_0000 | 0x4000_0000;
/// `FSCONFIG_SET_STRING` and `FSCONFIG_CMD_CREATE`
const SET_STRING: usize = 1;
const CREATE: usize = 6;
/// `MOVE_MOUNT_F_EMPTY_PATH`
const EMPTY_PATH: usize = 4;
/// `O_WRONLY`
const WRITE: usize = 1;
/// First argument that is none of the options: the folder, then the program.
const DIR: usize = 5;

fn call(name: &'static str, number: u32, args: [usize; 6]) -> Result<usize, Failed> {
    // SAFETY: the callers below hand over buffers that are theirs, with their lengths, and texts that end with a NUL.
    unsafe { sys::call(number, args) }.map_err(|e| (name, e))
}

/// Where something is that the kernel reads or writes.
fn at<T: ?Sized>(of: *const T) -> usize {
    of.expose_provenance()
}

/// Two ends of a pipe.
fn pipe() -> Result<[u32; 2], Failed> {
    let mut ends = [0u32; 2];
    call("pipe2", nr::__NR_pipe2, [at(&raw mut ends), 0, 0, 0, 0, 0])?;
    Ok(ends)
}

/// Tells a number below 256 to who waits at the other end.
fn tell(pipe: [u32; 2], number: usize) -> Result<(), Failed> {
    let byte = number as u8;
    call("write", nr::__NR_write, [pipe[1] as usize, at(&raw const byte), 1, 0, 0, 0]).map(drop)
}

/// Waits for it.
fn hear(pipe: [u32; 2]) -> Result<usize, Failed> {
    let mut byte = 0u8;
    call("read", nr::__NR_read, [pipe[0] as usize, at(&raw mut byte), 1, 0, 0, 0])?;
    Ok(byte.into())
}

/// Writes `text` to `/proc/PID/NAME`.
fn write_of(pid: usize, name: &[u8], text: &[u8]) -> Result<(), Failed> {
    let mut path = [0u8; 48];
    let mut digits = [0u8; 10];
    let (mut rest, mut first) = (pid, digits.len());
    while rest > 0 {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let parts = b"/proc/".iter().chain(&digits[first..]).chain(b"/").chain(name);
    path.iter_mut().zip(parts).for_each(|(to, &from)| *to = from);
    let args = [nr::AT_FDCWD as usize, at(path.as_ptr()), WRITE, 0, 0, 0];
    let fd = call("openat", nr::__NR_openat, args)?;
    call("write map", nr::__NR_write, [fd, at(text.as_ptr()), text.len(), 0, 0, 0])?;
    call("close", nr::__NR_close, [fd, 0, 0, 0, 0, 0]).map(drop)
}

/// The arguments, the program's name first, and the environment behind their null.
#[derive(Clone, Copy)]
struct Words {
    count: usize,
    first: *const usize,
}

impl Words {
    fn get(self, number: usize) -> usize {
        // SAFETY: the kernel put so many addresses there, and a null behind them.
        if number < self.count { unsafe { self.first.add(number).read() } } else { 0 }
    }

    fn from(self, number: usize) -> usize {
        at(self.first.wrapping_add(number))
    }
}

/// Inside: opens the context, has it filled, mounts it, and becomes the program.
fn inside(words: Words, up: [u32; 2], down: [u32; 2]) -> Result<(), Failed> {
    call("unshare", nr::__NR_unshare, [APART, 0, 0, 0, 0, 0])?;
    tell(up, 0)?;
    hear(down)?;
    let context = call("fsopen", nr::__NR_fsopen, [at(c"bpf".as_ptr()), 0, 0, 0, 0, 0])?;
    tell(up, context)?;
    hear(down)?;
    let mount = call("fsmount", nr::__NR_fsmount, [context, 0, 0, 0, 0, 0])?;
    let here = nr::AT_FDCWD as usize;
    let args = [mount, at(c"".as_ptr()), here, words.get(DIR), EMPTY_PATH, 0];
    call("move_mount", nr::__NR_move_mount, args)?;
    let program = words.get(DIR + 1);
    let args = [program, words.from(DIR + 1), words.from(words.count + 1), 0, 0, 0];
    call("execve", nr::__NR_execve, args).map(drop)
}

/// Outside: says who is who, what is delegated, and waits for the end.
fn outside(words: Words, child: usize, up: [u32; 2], down: [u32; 2]) -> Result<i32, Failed> {
    hear(up)?;
    write_of(child, b"uid_map", b"0 0 1")?;
    write_of(child, b"setgroups", b"deny")?;
    write_of(child, b"gid_map", b"0 0 1")?;
    tell(down, 0)?;
    let context = hear(up)?;
    for (number, option) in OPTIONS.into_iter().enumerate() {
        let value = words.get(number + 1);
        // SAFETY: there are so many arguments, which end with a NUL.
        if unsafe { CStr::from_ptr(core::ptr::with_exposed_provenance::<c_char>(value)) } != c"-" {
            let args = [context, SET_STRING, at(option.as_ptr()), value, 0, 0];
            call("fsconfig", nr::__NR_fsconfig, args)?;
        }
    }
    call("fsconfig create", nr::__NR_fsconfig, [context, CREATE, 0, 0, 0, 0])?;
    tell(down, 0)?;
    let mut status = 0u32;
    call("wait4", nr::__NR_wait4, [child, at(&raw mut status), 0, 0, 0, 0])?;
    // as a shell says it of one that a signal ended
    Ok(if status & 0x7f == 0 { (status >> 8) as i32 & 0xff } else { 128 + (status & 0x7f) as i32 })
}

fn run(words: Words) -> Result<i32, Failed> {
    if words.count < DIR + 2 {
        return Err(("arguments", 22));
    }
    let (up, down) = (pipe()?, pipe()?);
    match call("clone", nr::__NR_clone, [SHARED | SIGCHLD, 0, 0, 0, 0, 0])? {
        0 => inside(words, up, down).map(|()| 0),
        child => {
            let done = outside(words, child, up, down);
            if done.is_err() {
                // who waits inside would wait for ever
                let _ = call("kill", nr::__NR_kill, [child, 9, 0, 0, 0, 0]);
            }
            done
        }
    }
}

/// What `_start` calls with the stack that the kernel made: argc, then the arguments.
unsafe extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: argc stands there, and the arguments behind it.
    let words = unsafe { Words { count: stack.read(), first: stack.add(1) } };
    match run(words) {
        Ok(code) => sys::exit(code),
        Err((name, e)) => {
            sys::print(b"! ");
            sys::print(name.as_bytes());
            sys::print_number(e as u32);
            sys::exit(101)
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(102)
}
