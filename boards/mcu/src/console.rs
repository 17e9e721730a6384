//! Text on the machine's console, without `core::fmt`.

use crate::machine::write;
use corelet_core::Words;

/// The console.
pub(crate) struct Console;

impl Words for Console {
    fn text(&mut self, text: &str) {
        text.bytes().for_each(write);
    }

    /// The low 32 bits: nothing that the firmware says is longer, and division of 64 bits takes a kilobyte.
    fn number(&mut self, n: u64) {
        let n = n as u32;
        let mut place = 1_000_000_000;
        while place > 1 && n < place {
            place /= 10;
        }
        while place > 0 {
            write(b'0' + (n / place % 10) as u8);
            place /= 10;
        }
    }
}
