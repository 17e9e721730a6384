//! Messages to stderr: one line, put together in a small buffer and written when it ends.

use crate::exit::{Done, Exit};
use crate::sys::{Errno, Fd, Kernel};
use core::fmt;

/// Longest part of a line that is written at once.
const BUFFER: usize = 256;

/// A line that is being said. It ends, and is written, when it goes out of scope.
pub struct Line<'k, K: Kernel> {
    kernel: &'k mut K,
    buffer: [u8; BUFFER],
    len: usize,
}

/// Starts a line with the program's name.
#[inline(never)]
pub fn say<K: Kernel>(kernel: &mut K) -> Line<'_, K> {
    let mut line = bare(kernel);
    line.s("corelet-loader: ");
    line
}

/// Starts a line with nothing.
pub fn bare<K: Kernel>(kernel: &mut K) -> Line<'_, K> {
    Line { kernel, buffer: [0; BUFFER], len: 0 }
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
            self.len += 1;
        }
    }

    fn flush(&mut self) {
        write_all(self.kernel, Fd::STDERR, self.buffer.get(..self.len).unwrap_or(&[]));
        self.len = 0;
    }

    /// Text of our own or checked text of the pack. Control characters, which a pack may hold, become `?`.
    #[inline(never)]
    pub fn s(&mut self, text: &str) -> &mut Self {
        for b in text.bytes() {
            self.byte(if b < b' ' || b == 0x7f { b'?' } else { b });
        }
        self
    }

    /// A decimal number.
    pub fn n(&mut self, n: impl Into<u64>) -> &mut Self {
        let mut n = n.into();
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                break;
            }
        }
        for &d in digits.get(at..).unwrap_or(&[]) {
            self.byte(d);
        }
        self
    }

    /// Bytes as hexadecimal digits, as build ids are written.
    pub fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        for &b in bytes {
            for nibble in [b >> 4, b & 15] {
                self.byte(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
            }
        }
        self
    }

    /// An error number, by name where it has one.
    pub fn errno(&mut self, e: Errno) -> &mut Self {
        match e.name() {
            "" => self.s("errno ").n(e.0),
            name => self.s(name),
        }
    }

    /// Anything that can be displayed.
    pub fn d(&mut self, value: &dyn fmt::Display) -> &mut Self {
        let _ = fmt::write(self, format_args!("{value}"));
        self
    }

    /// Gives the code back, for `return Err(say(k).s("…").exit(Exit::Usage))`.
    pub fn exit(&mut self, code: Exit) -> Exit {
        code
    }
}

impl<K: Kernel> fmt::Write for Line<'_, K> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.s(s);
        Ok(())
    }
}

impl<K: Kernel> Drop for Line<'_, K> {
    #[inline(never)]
    fn drop(&mut self) {
        self.byte(b'\n');
        self.flush();
    }
}

/// Says that `what` failed with an error number, and ends with the code of that error.
pub fn failed<K: Kernel>(kernel: &mut K, what: &str, e: Errno) -> Exit {
    let mut line = say(kernel);
    line.s(what).s(": ").errno(e);
    if matches!(e, Errno::EPERM | Errno::EACCES) {
        line.s(" (loading BPF programs needs root, or CAP_BPF and CAP_PERFMON)");
    }
    e.exit()
}

/// Says what is wrong with the pack's bytes, in core's words.
#[cold]
#[inline(never)]
fn damaged<K: Kernel>(kernel: &mut K, what: &str, e: corelet_core::Error) -> Exit {
    say(kernel).s(what).s(": ").d(&e).exit(Exit::BadInput)
}

/// The value, or what is wrong with the pack's bytes, said.
#[inline(always)]
pub fn bad<K: Kernel, T>(kernel: &mut K, what: &str, result: corelet_core::Result<T>) -> Done<T> {
    match result {
        Ok(value) => Ok(value),
        Err(e) => Err(damaged(kernel, what, e)),
    }
}
