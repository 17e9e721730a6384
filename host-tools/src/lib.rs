//! The image builder's command as a library.

pub mod btf;
pub mod cmd;
pub mod diff;
pub mod disasm;
pub mod dwarf;
pub mod embed;
pub mod exit;
pub mod explain;
mod input;
pub mod inspect;
pub mod kconfig;
pub mod kernel;
pub mod link;
pub mod manifest;
pub mod output;
pub mod pack;
mod progress;
pub mod relocate;
pub mod setup;
pub mod subset;
