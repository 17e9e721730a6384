//! Exit codes, the same for every command: 0 done, 1 not portable, 2 usage, 3 bad input, 4 the machine lacks something.

use corelet_boards::Missing;
use std::fmt;
use std::process::ExitCode;

/// What a command's failure means to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// An object does not fit a kernel; the report says where.
    NotPortable = 1,
    /// Arguments that make no sense together.
    Usage = 2,
    /// A file is not what it should be.
    BadInput = 3,
    /// A tool or package is missing.
    Missing = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends a command with a code of its own.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What is said.
    pub message: String,
}

impl Failure {
    /// An object asks for what cannot be had on the kernel, or by this version's loader.
    pub fn not_portable(message: String) -> anyhow::Error {
        Failure { exit: Exit::NotPortable, message }.into()
    }

    /// Arguments that make no sense together.
    pub fn usage(message: String) -> anyhow::Error {
        Failure { exit: Exit::Usage, message }.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The code that an error ends the command with: 4 for [`Missing`], that of a [`Failure`], else 3.
pub fn code_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Missing>() {
            return Exit::Missing;
        }
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
    }
    Exit::BadInput
}

/// Whether the error is that nobody reads our output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|c| {
        c.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
