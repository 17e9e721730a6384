//! DWARF to BTF: one deduplicated BTF of all that a kernel's debug information says of its types.
//!
//! `input` finds the files and `sections` the bytes in them (`relocatable` those of modules, `dwo` those of split DWARF), `unit`
//! the units; `abbrev`, `form` and `die` read DIEs; `walk` brings a unit's into `tables`, together with units that it refers to
//! (`group`); `shape` makes hashes of what they are; `store` holds each thing once; `base` puts a kernel's types there first;
//! `split` tells apart what has one name in several units; `symbols` knows the ELF's side; `emit` writes; `worker` is what each
//! thread does and `convert` the whole. Units are independent of one another up to the store: threads take one after the other,
//! and what they hold is a unit's bytes and tables. So memory is that of the result and of the largest unit.
//!
//! What is in the BTF: every struct, union, enum, typedef and base type that a unit of C defines, those in function bodies
//! included; what these, the functions and the per-cpu variables refer to, and no pointer, array or declaration besides. A
//! function is in it if a unit of C has its prototype, the ELF's symbols have its name once, without a suffix of the
//! optimiser's, and all units agree on the prototype. Functions of assembler are not: DWARF has no prototype for them.
//!
//! Input is untrusted: any bytes give a result or an error. A unit that is damaged, or not of C, is left out and reported.

mod abbrev;
mod base;
mod convert;
mod die;
mod dwo;
mod emit;
mod fault;
mod form;
mod group;
mod hash;
mod input;
mod relocatable;
mod sections;
mod shape;
mod shipped;
mod split;
mod store;
mod symbols;
mod tables;
mod unit;
mod walk;
mod worker;

pub use convert::{Converted, Options, Progress, Skipped, convert};
pub use emit::{Counts, MAX_VLEN};
use fault::Malformed;
pub use input::DEBUG_FOLDER;
pub use shipped::same_symbols;
