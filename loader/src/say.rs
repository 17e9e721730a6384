//! Messages to stderr: one line each, as a form with a `%` for each argument. A form costs the device one call, however many
//! parts it has.

use crate::exit::{Done, Exit};
use crate::number::{divide, hex_digit};
use crate::sys::{Errno, Fd, Kernel};
use corelet_core::{Error, Words, relo::SpecText};

pub(crate) use corelet_core::text;

/// Longest part of a line that is written at once.
const BUFFER: usize = 256;

/// What takes the place of a `%`.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// Text of our own or checked text of the pack. Control characters, which a pack may hold, become `?`.
    S(&'a str),
    /// A decimal number.
    N(u64),
    /// An error number, by name where it has one.
    E(Errno),
    /// Bytes as hexadecimal digits, as build ids are written.
    X(&'a [u8]),
    /// What is wrong, in core's few words.
    B(Error),
    /// What a relocation asks.
    T(&'a SpecText<'a, 'a>),
    /// A part with arguments of its own.
    P(&'a str, &'a [Arg<'a>]),
}

/// A line that is being said.
struct Line<'k, K: Kernel> {
    kernel: &'k mut K,
    fd: Fd,
    buffer: [u8; BUFFER],
    len: usize,
}

/// Says a line, behind the program's name.
#[inline(never)]
pub fn say<K: Kernel>(kernel: &mut K, form: &str, args: &[Arg<'_>]) {
    bare(kernel, "corelet-loader: %", &[Arg::P(form, args)]);
}

/// Says a line that has nothing before it.
#[inline(never)]
pub fn bare<K: Kernel>(kernel: &mut K, form: &str, args: &[Arg<'_>]) {
    print(kernel, Fd::STDERR, "%\n", &[Arg::P(form, args)]);
}

/// Writes text to `fd`, by one `write(2)` where it has no more than `BUFFER` bytes. On standard output quotes and backslashes in
/// text become `'` and `/`, so that it may stand within a string of JSON.
#[inline(never)]
pub fn print<K: Kernel>(kernel: &mut K, fd: Fd, form: &str, args: &[Arg<'_>]) {
    let mut line = Line { kernel, fd, buffer: [0; BUFFER], len: 0 };
    line.form(form, args);
    line.flush();
}

/// Says a line, and ends with `exit`.
#[cold]
#[inline(never)]
pub fn fail<K: Kernel>(kernel: &mut K, exit: Exit, form: &str, args: &[Arg<'_>]) -> Exit {
    say(kernel, form, args);
    exit
}

/// Writes all of `bytes`, as far as `fd` takes them.
pub fn write_all<K: Kernel>(kernel: &mut K, fd: Fd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match kernel.write(fd, bytes) {
            Ok(n) if n > 0 => bytes = bytes.get(n..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

impl<K: Kernel> Line<'_, K> {
    #[inline(never)]
    fn byte(&mut self, b: u8) {
        if self.len == BUFFER {
            self.flush();
        }
        if let Some(slot) = self.buffer.get_mut(self.len) {
            *slot = b;
            self.len = self.len.saturating_add(1);
        }
    }

    #[inline(never)]
    fn flush(&mut self) {
        write_all(self.kernel, self.fd, self.buffer.get(..self.len).unwrap_or(&[]));
        self.len = 0;
    }

    fn form(&mut self, form: &str, args: &[Arg<'_>]) {
        let mut args = args.iter();
        for b in form.bytes() {
            match b {
                b'%' => args.next().into_iter().for_each(|a| self.arg(a)),
                _ => self.byte(b),
            }
        }
    }

    fn arg(&mut self, arg: &Arg<'_>) {
        match *arg {
            Arg::S(text) => self.text(text),
            Arg::N(n) => self.number(n),
            Arg::P(form, args) => self.form(form, args),
            _ => self.rare(arg),
        }
    }

    /// What is only in lines on failures.
    #[cold]
    #[inline(never)]
    fn rare(&mut self, arg: &Arg<'_>) {
        match *arg {
            Arg::E(e) if cfg!(not(feature = "explain")) => self.form(text!("errno %"), &[Arg::N(e.0.into())]),
            Arg::E(e) => match e.name() {
                "" => self.form(text!("errno %"), &[Arg::N(e.0.into())]),
                name => self.form("E%", &[Arg::S(name)]),
            },
            Arg::X(bytes) => {
                for &b in bytes {
                    for nibble in [b >> 4, b & 15] {
                        self.byte(hex_digit(nibble));
                    }
                }
            }
            Arg::B(_) if cfg!(not(feature = "explain")) => {
                self.form(text!("damaged, or of another kind: `corelet inspect` says how"), &[]);
            }
            Arg::B(error) => error.brief(self),
            Arg::T(spec) if cfg!(feature = "engine") => spec.say(self),
            Arg::S(_) | Arg::N(_) | Arg::P(..) | Arg::T(_) => {}
        }
    }
}

impl<K: Kernel> Words for Line<'_, K> {
    #[inline(never)]
    fn text(&mut self, text: &str) {
        for b in text.bytes() {
            self.byte(match b {
                b'"' if self.fd == Fd::STDOUT => b'\'',
                b'\\' if self.fd == Fd::STDOUT => b'/',
                0..b' ' | 0x7f => b'?',
                _ => b,
            });
        }
    }

    #[inline(never)]
    fn number(&mut self, n: u64) {
        let (rest, digit) = divide(n, 10);
        if rest > 0 {
            self.number(rest);
        }
        self.byte(b'0'.wrapping_add(digit as u8));
    }
}

/// Says that `what` failed with an error number, and ends with the code of that error.
#[cold]
#[inline(never)]
pub fn failed<K: Kernel>(kernel: &mut K, what: &str, e: Errno) -> Exit {
    let need = match e {
        Errno::EPERM | Errno::EACCES if cfg!(feature = "explain") => {
            text!(" (loading BPF programs needs root, or CAP_BPF and CAP_PERFMON)")
        }
        _ => "",
    };
    fail(kernel, e.exit(), text!("%: %%"), &[Arg::S(what), Arg::E(e), Arg::S(need)])
}

/// Says what is wrong with the pack's bytes, in core's few words.
#[cold]
#[inline(never)]
fn damaged<K: Kernel>(kernel: &mut K, what: &str, e: corelet_core::Error) -> Exit {
    fail(kernel, Exit::BadInput, "%: %", &[Arg::S(what), Arg::B(e)])
}

/// The value, or what is wrong with the pack's bytes, said.
#[inline(always)]
pub fn bad<K: Kernel, T>(kernel: &mut K, what: &str, result: corelet_core::Result<T>) -> Done<T> {
    match result {
        Ok(value) => Ok(value),
        Err(e) => Err(damaged(kernel, what, e)),
    }
}
