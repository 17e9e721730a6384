//! Boards as data, and what boots them: kernels and userland out of Debian's packages, an initramfs, QEMU.

mod missing;

pub use missing::Missing;
