//! Errors of system calls, by their kernel names and by what they mean for trying again.

use crate::exit::Exit;
use crate::say::text;
use corelet_core::words::nth;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

#[allow(missing_docs, reason = "the kernel's names, `include/uapi/asm-generic/errno*.h`")]
impl Errno {
    pub const EPERM: Errno = Errno(1);
    pub const ENOENT: Errno = Errno(2);
    pub const EINTR: Errno = Errno(4);
    pub const EIO: Errno = Errno(5);
    pub const E2BIG: Errno = Errno(7);
    pub const EBADF: Errno = Errno(9);
    pub const EAGAIN: Errno = Errno(11);
    pub const ENOMEM: Errno = Errno(12);
    pub const EACCES: Errno = Errno(13);
    pub const EFAULT: Errno = Errno(14);
    pub const EBUSY: Errno = Errno(16);
    pub const EEXIST: Errno = Errno(17);
    pub const ENODEV: Errno = Errno(19);
    pub const EISDIR: Errno = Errno(21);
    pub const EINVAL: Errno = Errno(22);
    pub const EMFILE: Errno = Errno(24);
    pub const ENOSPC: Errno = Errno(28);
    pub const EPIPE: Errno = Errno(32);
    pub const ENOSYS: Errno = Errno(38);
    pub const EOPNOTSUPP: Errno = Errno(95);
    pub const ENOTSUPP: Errno = Errno(524);
}

/// Names without their `E`, from 1 on; `-` for those that the loader never meets.
static NAMES: &str = text!(
    "PERM NOENT - INTR IO - 2BIG - BADF - AGAIN NOMEM ACCES FAULT - BUSY EXIST - NODEV - ISDIR INVAL - \
MFILE - - - NOSPC - - - PIPE - - - - - NOSYS"
);

impl Errno {
    /// The kernel's name without its `E`; empty for those that the loader never meets.
    pub fn name(self) -> &'static str {
        match self {
            Errno::EOPNOTSUPP => "OPNOTSUPP",
            Errno::ENOTSUPP => "NOTSUPP",
            _ => nth(NAMES.as_bytes(), b' ', usize::from(self.0).wrapping_sub(1))
                .filter(|&n| n != "-")
                .unwrap_or_default(),
        }
    }

    /// The exit code of a program that stops because of this error in a call that is right by itself.
    #[inline(never)] // asked wherever a call fails
    pub fn exit(self) -> Exit {
        match self {
            Errno::ENOMEM | Errno::EAGAIN | Errno::EBUSY | Errno::EINTR | Errno::EMFILE => Exit::Again,
            Errno::EPERM | Errno::EACCES | Errno::ENOENT | Errno::ENOSYS | Errno::ENODEV => Exit::Missing,
            _ => Exit::NotPortable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn names_stand_at_their_numbers() {
        let all = [
            (Errno::EPERM, "PERM"),
            (Errno::EINTR, "INTR"),
            (Errno::E2BIG, "2BIG"),
            (Errno::EFAULT, "FAULT"),
            (Errno::EINVAL, "INVAL"),
            (Errno::EMFILE, "MFILE"),
            (Errno::ENOSPC, "NOSPC"),
            (Errno::EPIPE, "PIPE"),
            (Errno::ENOSYS, "NOSYS"),
            (Errno::ENOTSUPP, "NOTSUPP"),
        ];
        for (e, name) in all {
            assert_eq!(e.name(), name);
        }
        assert_eq!((Errno(3).name(), Errno(0).name(), Errno(39).name()), ("", "", ""));
    }
}
