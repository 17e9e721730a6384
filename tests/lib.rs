//! Whole pipelines on real input: what the tests of this package share.

pub mod attach;
pub mod big_endian;
pub mod budgets;
pub mod capi;
pub mod convert;
pub mod disasm;
pub mod embed;
pub mod field;
pub mod fleet;
pub mod gallery;
#[cfg(test)]
mod golden;
pub mod identity;
pub mod kernel_relo;
pub mod link;
pub mod matrix;
pub mod mcu;
pub mod module_types;
pub mod names;
pub mod narrow;
pub mod net;
pub mod objects;
pub mod oracle;
#[cfg(test)]
mod parsing;
pub mod peer;
#[cfg(test)]
mod property;
pub mod refusals;
pub mod selfcheck;
pub mod service;
pub mod single;
pub mod streamed;
pub mod table;
pub mod tiny;
pub mod tools;
pub mod uprobe;
