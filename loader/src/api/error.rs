//! What went wrong, as a value.

use crate::exit::Exit;
use crate::sys::MAX_TEXT;
use core::fmt;
use heapless::Vec;

/// An error: what it means for trying again, and the loader's words.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Exit,
    text: Vec<u8, MAX_TEXT>,
}

/// What a call gives. An error has its text in itself: there is no heap that it could lie in.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    pub(super) fn new(kind: Exit, said: &[u8]) -> Self {
        let mut text = Vec::new();
        for &b in said {
            // `said` has no more than there is room for
            let _ = text.push(b);
        }
        Error { kind, text }
    }

    /// The exit code that the loader's executable would end with.
    pub fn kind(&self) -> Exit {
        self.kind
    }

    /// The words, of one or more lines: what is wrong, why, what to do. Cut behind 480 bytes.
    pub fn text(&self) -> &str {
        // a character of several bytes may be cut at the end
        match core::str::from_utf8(&self.text) {
            Ok(text) => text,
            Err(e) => {
                let whole = self.text.get(..e.valid_up_to()).unwrap_or_default();
                core::str::from_utf8(whole).unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text())
    }
}

impl core::error::Error for Error {}
