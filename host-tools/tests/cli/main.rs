//! The command `corelet` as its users meet it: what it prints, what it writes, how it refuses what it cannot take.
//!
//! The objects are small ones of our own, in `progs/` with their source and recipe; everything else is made here.

mod common;
mod diff;
mod modules;

mod absent;
mod authors;
mod bad_files;
mod bad_requests;
mod embed;
mod inspect;
mod kconfig;
mod outputs;
mod pack;
mod pack_modules;
mod relocate;
