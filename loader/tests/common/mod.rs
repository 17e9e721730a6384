//! A kernel and a pack to test the loader with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod btf;
pub mod fake;
pub mod pack;
pub mod rtnetlink;

use fake::Fake;
use std::ffi::{CStr, CString};

/// Bytes of a page of the fake machine.
pub const PAGE: u32 = 4096;

/// Runs a command line; gives the exit code.
pub fn run(kernel: &mut Fake, line: &[&str]) -> i32 {
    run_as(kernel, "corelet-loader", line)
}

/// The same of an executable of another name.
pub fn run_as(kernel: &mut Fake, name: &str, line: &[&str]) -> i32 {
    let args: Vec<CString> = std::iter::once(&name).chain(line).map(|a| CString::new(*a).unwrap()).collect();
    // each is a process of its own
    (kernel.confined, kernel.has_token) = (None, false);
    corelet_loader::main(kernel, args.iter().map(CString::as_c_str).collect::<Vec<&CStr>>().into_iter(), PAGE)
}
