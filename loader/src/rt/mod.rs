//! What libc and `std` would do: the entry point, the memory functions that the compiler calls, and the end by panic.

mod memory;
mod panic;
mod start;
mod stripes;
