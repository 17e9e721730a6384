//! Boards as data, and what boots them: kernels and userland out of Debian's packages, an initramfs, QEMU.

mod board;
pub mod debian;
mod files;
mod missing;
mod progress;

pub use board::{Arch, Board, Qemu, Source};
pub use missing::Missing;
pub use progress::{Progress, Quiet, Terminal, on_stderr};
