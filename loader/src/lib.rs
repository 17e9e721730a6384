//! Loads, attaches and reads a corelet pack on a device: static, without libc, heap or `std`.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod exit;
pub mod job;
#[allow(unsafe_code, reason = "the one place that talks to the kernel")]
pub mod sys;
