//! A kernel's types and identity, out of whatever file holds them.
//!
//! [`Kernel::open`] takes raw BTF, an ELF vmlinux, a kernel image as distributions and vendors ship it, or a package, folder or
//! file system that holds one; it peels the layers one by one (`peel`; [`container`] knows the wrappers, [`decompress`] the compressions,
//! [`files`] what holds files), finds the BTF ([`btf_scan`]) and reads who the kernel is ([`identity`], [`notes`], [`banner`]). [`config`] reads
//! its `.config`, which may be embedded in it, packed beside it, or a file of its own.
//!
//! Every byte here is untrusted: any input gives a result or an error that says where, in memory bounded by
//! [`decompress::MAX_OUTPUT`].

mod android;
pub mod banner;
pub mod btf_scan;
mod bytes;
pub mod config;
pub mod container;
pub mod decompress;
pub mod elf;
pub mod files;
mod fit;
pub mod identity;
pub mod image;
pub mod notes;
pub mod packaged;
mod peel;
mod uimage;

pub use config::Config;
pub use corelet_core::Endian;
pub use identity::{Arch, BuildId, Identity};
pub use image::{Kernel, Progress};
