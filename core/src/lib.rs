//! CO-RE relocation of BPF programs without `std`, libc or heap.
//!
//! A BPF object that was compiled once carries, beside its instructions, the types it was compiled against (`.BTF`) and the
//! places that depend on them (`.BTF.ext`). This crate reads both ([`elf`], [`btf`], [`btf_ext`], [`object`]), holds the
//! types against those of a kernel and patches the instructions ([`relo`]), puts programs together ([`link`]), and carries
//! all of it from the PC to the device in one file ([`pack`]). [`event`] prints what the programs report.
//!
//! The same code runs in the image builder's tools and on the device. It never allocates (working memory comes from the
//! caller), never panics on any input, and takes byte order and pointer size as values.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::unwrap_used
    )
)]

// One source reads `std::` with the standard library and without it.
#[cfg(not(any(test, feature = "std")))]
extern crate no_std_compat as std;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod btf;
pub mod btf_ext;
pub mod bytes;
pub mod elf;
pub mod error;
pub mod event;
pub mod id;
pub mod insn;
pub mod limits;
pub mod link;
pub mod object;
pub mod pack;
pub mod relo;
pub mod words;

pub use bytes::Endian;
pub use error::{Error, Limit, Needed, Part, Result};
pub use id::TypeId;
pub use words::Words;
