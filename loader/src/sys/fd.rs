//! File descriptors as numbers: who closes one is decided by the ledger ([`crate::undo`]), not by a destructor.

/// A file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fd(pub i32);

impl Fd {
    /// Standard output.
    pub const STDOUT: Fd = Fd(1);
    /// Standard error.
    pub const STDERR: Fd = Fd(2);
}

impl Default for Fd {
    /// -1, which is never open.
    fn default() -> Fd {
        Fd(-1)
    }
}
