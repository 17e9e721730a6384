//! The commands: each reads its arguments, calls the library, prints.

pub mod boot;
pub mod convert;
pub mod decode;
pub mod demo;
pub mod diff;
pub mod dump;
pub mod embed;
pub mod extract;
pub mod extract_objects;
pub mod headers;
pub mod image;
mod inputs;
pub mod inspect;
pub mod kconfig;
pub mod link;
pub mod min;
pub mod new;
pub mod pack;
mod pack_report;
pub mod relocate;
pub mod target_arg;
mod target_modules;
mod vmlinux;
