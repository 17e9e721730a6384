//! The device's executable: start-up here, everything else in the library.

#![no_std]
#![no_main]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod rt;
