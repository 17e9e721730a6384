//! Exit codes. A function that fails has already said why on stderr and returns only the code.

/// Why the loader ends, as a supervisor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// This pack cannot run on this kernel; trying again does not help.
    NotPortable = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The pack is no pack, or damaged.
    BadInput = 3,
    /// The machine lacks a permission, a file system or a kernel option.
    Missing = 4,
    /// Out of memory, busy or interrupted: trying again can help.
    Again = 5,
}

/// A result whose error was reported where it arose.
pub type Done<T> = Result<T, Exit>;
