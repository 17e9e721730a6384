//! A kernel's types and identity, out of whatever file holds them.
//!
//! [`Kernel::open`] takes raw BTF, an ELF vmlinux, or a kernel image as distributions ship it, peels the layers one by one
//! ([`container`] knows the wrappers, [`decompress`] the compressions), finds the BTF ([`btf_scan`]) and reads who the
//! kernel is ([`identity`], [`notes`], [`banner`]). [`config`] reads the `.config` that travels beside it.
//!
//! Every byte here is untrusted: any input gives a result or an error that says where, in memory bounded by
//! [`decompress::MAX_OUTPUT`].

pub mod banner;
pub mod btf_scan;
mod bytes;
pub mod config;
pub mod container;
pub mod decompress;
pub mod elf;
pub mod identity;
pub mod image;
pub mod notes;
pub mod packaged;

pub use config::Config;
pub use corelet_core::Endian;
pub use identity::{Arch, BuildId, Identity};
pub use image::{Kernel, Progress};
