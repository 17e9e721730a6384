//! The device's executable: start-up here, everything else in the library.

#![no_std]
#![no_main]

mod rt;
