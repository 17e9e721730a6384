//! Boards as data, and what boots them: kernels and userland out of Debian's packages or built here, an initramfs, QEMU.
//!
//! ```no_run
//! use corelet_boards::{Board, Boot, Initramfs, RUN, busybox_static, kernel_for, on_stderr};
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut progress = on_stderr();
//! let board = Board::find("qemu-aarch64")?;
//! let kernel = kernel_for(&board, &mut *progress)?;
//! let initramfs = Initramfs {
//!     busybox: busybox_static(&board, &mut *progress)?,
//!     files: vec![(RUN.to_owned(), 0o755, b"uname -a; exit 3".to_vec())],
//!     ..Initramfs::default()
//! };
//! let report = Boot::new(&board, kernel.image, initramfs.build()?).run(&mut |line| println!("{line}"))?;
//! assert_eq!(report.status, 3);
//! # Ok(())
//! # }
//! ```

mod board;
mod build;
mod console;
pub mod debian;
mod files;
mod image;
mod initramfs;
mod kernel;
mod missing;
pub mod modules;
mod progress;
mod qemu;

pub use board::{Arch, Board, Build, Qemu, Source};
pub use image::bootable;
pub use initramfs::{Initramfs, RUN};
pub use kernel::{Kernel, busybox_static, kernel_for};
pub use missing::Missing;
pub use progress::{Progress, Quiet, Terminal, on_stderr};
pub use qemu::{Boot, BootFailed, Report, Why};
