//! Addresses as symbols, and stacks of them.
//!
//! What only the device knows, the frames of a stack and the names of addresses, comes through [`Symbols`]. Text shows the stacks
//! of a line behind it, a frame a line, first the kernel's, then behind `--` that of user space; JSON as an array in the member's place.

use super::value::Layout;
use super::write::{Style, Writer};
use crate::bytes::pieces;

/// `PERF_MAX_STACK_DEPTH`, `include/uapi/linux/perf_event.h`: frames that a map of stack traces has of one stack, at most.
pub const MAX_FRAMES: usize = 127;
/// A stack in a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The map.
    pub map: u16,
    /// Its number.
    pub id: u32,
    /// The process whose user space it is of; `None` for the kernel.
    pub pid: Option<u32>,
}

/// Names of addresses.
pub trait Symbols {
    /// The address of frame `frame` from the innermost, `None` behind the last.
    fn frame(&self, stack: Stack, frame: usize) -> Option<u64>;
    /// The symbol or file that holds an address of the kernel, or of the user space of `pid`, and the offset in it.
    fn name(&self, pid: Option<u32>, address: u64) -> Option<(&[u8], u64)>;
}

impl Layout<'_> {
    /// Prints an address as a symbol and an offset, in quotes; in hexadecimal where there is none.
    pub(super) fn symbol(&self, w: &mut Writer<'_, '_>, pid: Option<u32>, address: u64) {
        match self.symbols.and_then(|s| s.name(pid, address)) {
            Some((name, offset)) => {
                w.quote();
                w.word(name);
                w.out.put_byte(b'+');
                w.out.put_hex(offset);
                w.quote();
            }
            None => w.hex(address),
        }
    }

    /// Prints a stack in its member's place, or the reason why there is none; text puts it off to the end of the line.
    pub(super) fn stack(&self, w: &mut Writer<'_, '_>, name: &[u8], id: i64, stack: Stack) {
        // -EFAULT and the like: a kernel thread has no user space
        let known = id >= 0 && self.symbols.is_some();
        if known && w.style == Style::Text && w.put_off(stack) {
            return;
        }
        w.name(name);
        if !known || w.style == Style::Text {
            return w.signed(id);
        }
        w.open(b'[');
        for frame in self.frames(stack) {
            w.element();
            self.symbol(w, stack.pid, frame);
        }
        w.close(b']');
    }

    /// Prints the stacks that were put off, a frame a line.
    pub(super) fn stacks(&self, w: &mut Writer<'_, '_>) {
        for stack in w.stacks.into_iter().flatten() {
            if stack.pid.is_some() {
                w.out.put_str("\n    --");
            }
            for frame in self.frames(stack) {
                w.out.put_str("\n    ");
                self.symbol(w, stack.pid, frame);
            }
        }
    }

    fn frames(&self, stack: Stack) -> impl Iterator<Item = u64> {
        let symbols = self.symbols;
        (0..MAX_FRAMES).map_while(move |i| symbols?.frame(stack, i).filter(|&address| address != 0))
    }

    /// Prints an array of addresses, eight bytes each, to the first 0.
    pub(super) fn addresses(&self, w: &mut Writer<'_, '_>, bytes: &[u8]) {
        w.open(b'[');
        for part in pieces(bytes, 8) {
            let address = part.try_into().map_or(0, |b| self.btf.endian().u64(b));
            if address == 0 || !w.step() {
                break;
            }
            w.element();
            self.symbol(w, None, address);
        }
        w.close(b']');
    }
}
