//! Text put together piece by piece, without `core::fmt`, whose machinery takes the device 6 KB of flash.
//!
//! What the device prints is written for [`Words`]; `displayed` makes `Display` of it for the host.

use std::fmt;

/// Where text goes.
pub trait Words {
    /// Goes on with this text.
    fn text(&mut self, text: &str);
    /// Goes on with a decimal number.
    fn number(&mut self, n: u64);
}

struct Formatted<'f, 'a> {
    f: &'f mut fmt::Formatter<'a>,
    result: fmt::Result,
}

impl Words for Formatted<'_, '_> {
    fn text(&mut self, text: &str) {
        self.result = self.result.and_then(|()| self.f.write_str(text));
    }

    fn number(&mut self, n: u64) {
        self.result = self.result.and_then(|()| write!(self.f, "{n}"));
    }
}

/// Displays what `say` says.
pub(crate) fn displayed(f: &mut fmt::Formatter<'_>, say: impl FnOnce(&mut dyn Words)) -> fmt::Result {
    let mut out = Formatted { f, result: Ok(()) };
    say(&mut out);
    out.result
}

/// The `N` bytes of a text, for a list that is a variable of its own: a linker script can then say where it lies.
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

/// Text that is said, as a static of its own, which a linker script can put where it is no memory until it is said: literals lie
/// among all others. In the loader what is said of a load that goes well stays a literal, since that is read anyway.
#[macro_export]
macro_rules! text {
    ($text:literal) => {{
        static TEXT: [u8; $text.len()] = $crate::words::bytes($text);
        // no `const`: clippy 1.95 fails on one that refers to a static
        static WORDS: &str = match core::str::from_utf8(&TEXT) {
            Ok(words) => words,
            Err(_) => "",
        };
        WORDS
    }};
}

/// Part number `n` of a list whose parts `separator` separates: a table of strings without its pointers.
pub fn nth(list: &'static [u8], separator: u8, n: usize) -> Option<&'static str> {
    let part = list.split(|&b| b == separator).nth(n)?;
    core::str::from_utf8(part).ok()
}
