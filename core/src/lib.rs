//! CO-RE relocation of BPF programs without `std`, libc or heap.
//!
//! A BPF object that was compiled once carries, beside its instructions, the types it was compiled against (`.BTF`) and the
//! places that depend on them (`.BTF.ext`). This crate reads both ([`elf`], [`btf`], [`btf_ext`], [`object`]), holds the
//! types against those of a kernel and patches the instructions ([`relo`]), puts programs together ([`link`]), and carries
//! all of it from the PC to the device in one file ([`pack`]). [`kernel_btf`] makes the device's own kernel serve where the file
//! has no types for it. [`event`] prints what the programs report; [`executable`] finds what they attach to in user space.
//!
//! The same code runs in the image builder's tools and on the device. It never allocates (working memory comes from the
//! caller), never panics on any input, and takes byte order and pointer size as values.
//!
//! # Relocating an object
//!
//! What follows fits every program of an object to a kernel, in memory that the caller chose the size of, and counts the
//! instructions that were poisoned since this kernel has nothing of what they ask for:
//!
//! ```
//! use corelet_core::btf::Btf;
//! use corelet_core::object::Object;
//! use corelet_core::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch};
//! use corelet_core::{Result, TypeId};
//!
//! fn relocate(file: &[u8], kernel: &[u8], insns: &mut [u8]) -> Result<usize> {
//!     // an entry for each type; `Object::type_count` and `Btf::count` say how many there are
//!     let (mut local_index, mut kernel_index) = ([0; 256], [0; 256]);
//!     let object = Object::parse(file, &mut local_index)?;
//!     let kernel = Btf::parse(kernel, &mut kernel_index)?;
//!
//!     // an entry for each type that relocations start from, and for each type of the kernel of such a name
//!     let (mut lists, mut pool) = ([CandList::default(); 32], [TypeId::VOID; 64]);
//!     let mut relocator = Relocator {
//!         local: object.btf(),
//!         target: &kernel,
//!         cands: Cands::new(&mut lists, &mut pool),
//!         scratch: &mut Scratch::default(),
//!     };
//!     let mut poisoned = 0;
//!     for relo in object.core_relos() {
//!         let relo = relo?;
//!         let what = CoreRelo {
//!             insn: relo.insn,
//!             type_id: relo.record.type_id,
//!             access_str_off: relo.record.access_str_off,
//!             kind: ReloKind::from_number(relo.record.kind)?,
//!         };
//!         // the instructions of all functions, one function after another
//!         let before: usize = object.functions().take(relo.function as usize).map(|f| f.insns.len()).sum();
//!         let outcome = relocator.relocate(&what, &mut insns[before..], object.endian(), &mut ())?;
//!         poisoned += usize::from(matches!(outcome, Outcome::Poisoned(_)));
//!     }
//!     Ok(poisoned)
//! }
//! #
//! # // the object and the made-up kernel of the host tools' tests
//! # let file = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../host-tools/tests/progs/sample.bpf.o"));
//! # let elf = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../host-tools/tests/progs/kernel.o"));
//! # let elf = corelet_core::elf::Elf::parse(elf)?;
//! # let btf = elf.sections().find(|s| s.name == ".BTF").unwrap();
//! # let mut index = [0; 256];
//! # let object = Object::parse(file, &mut index)?;
//! # let mut insns: Vec<u8> = object.functions().flat_map(|f| f.insns).copied().collect();
//! # let compiled = insns.clone();
//! # assert_eq!(relocate(file, btf.data, &mut insns)?, 1);
//! # assert_ne!(insns, compiled);
//! # Ok::<(), corelet_core::Error>(())
//! ```
//!
//! Where a device carries only what these relocations read of the kernel's types, `kernel` is such a subset and the rest stays
//! the same; [`relo::Observer`] is how a subset is found, and [`pack`] how it travels.

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
pub mod device;
pub mod elf;
pub mod error;
pub mod event;
pub mod executable;
pub mod id;
pub mod insn;
pub mod kconfig;
pub mod kernel_btf;
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
