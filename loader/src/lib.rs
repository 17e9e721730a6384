//! Loads, attaches and reads a corelet pack on a device: static, without libc, heap or `std`.
//!
//! The order of things: [`args`] the command line, [`identity`] the running kernel, [`mod@file`] the pack, [`choose`] the target
//! of each object, then for each object [`load`]: [`plan`] which programs, [`relocate`] (with [`kernel_btf`] where no target
//! fits), [`maps`], [`programs`] (with [`btf_id`] where they attach by types), [`attach`];
//! then [`stream`] what the programs report, or [`service`] pins them. What the kernel gave is kept in a ledger ([`undo`]) and given back whatever
//! happens. Memory is a region of the size that the pack states ([`corelet_core::pack::work`], [`arena`]); all calls go through one seam
//! ([`sys`]); an error is said where it arises ([`say`]) and travels as an exit code ([`exit`]). A program that carries the loader
//! inside itself calls [`api`].

#![cfg_attr(not(test), no_std)]
#![deny(
    unsafe_code,
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
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod api;
pub mod arena;
pub mod args;
pub mod attach;
pub mod btf_id;
pub mod choose;
pub mod device;
pub mod directory;
#[cfg(feature = "doctor")]
pub mod doctor;
pub mod exit;
pub mod file;
pub mod identity;
pub mod installed;
pub mod job;
pub mod kernel_btf;
pub mod kprobe;
pub mod ksyms;
pub mod lacking;
pub mod load;
pub mod maps;
pub mod modules;
pub mod multi;
pub mod number;
pub mod object;
pub mod overrides;
pub mod pattern;
pub mod pins;
pub mod place;
pub mod plan;
pub mod preflight;
#[cfg(feature = "privileges")]
pub mod privileges;
pub mod programs;
pub mod rare;
pub mod relocate;
pub mod report;
pub mod run;
pub mod say;
pub mod service;
pub mod session;
pub mod stream;
#[allow(unsafe_code, reason = "the one place that talks to the kernel")]
pub mod sys;
pub mod tracefs;
pub mod typed;
pub mod undo;
pub mod uprobe;
pub mod vars;
pub mod verifier;

/// Whether the objects' types are read.
pub const TYPES: bool = cfg!(feature = "types");
/// Whether nothing is read of a pack but what plain programs need.
pub const PLAIN: bool = cfg!(not(any(
    feature = "types",
    feature = "maps",
    feature = "targets",
    feature = "explain",
    feature = "uprobe",
    feature = "service"
)));

use args::Command;
use core::ffi::CStr;
use sys::Kernel;

/// Runs the command line `args`, the program's name first; gives the exit code.
pub fn main<'a, K: Kernel>(kernel: &mut K, args: impl Iterator<Item = &'a CStr>, page_size: u32) -> i32 {
    let options = match args::parse(kernel, args) {
        Ok(Some(options)) => options,
        Ok(None) => return 0,
        Err(exit) => return exit as i32,
    };
    let done = match (options.command, options.packs.first()) {
        (Command::Status, _) if service::BUILT => service::status(kernel, &options),
        (Command::Unload, Some(name)) if service::BUILT => {
            service::unload(kernel, name.to_str().unwrap_or(""))
        }
        _ => run::run(kernel, &options, page_size),
    };
    done.map_or_else(|exit| exit as i32, |()| 0)
}
