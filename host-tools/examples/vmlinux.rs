//! Fetches the vmlinux with debug information of a board's kernel and prints its path:
//! `cargo run -p corelet-host-tools --example vmlinux -- BOARD`.

use anyhow::{Context, Result};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::kernel::packaged;

fn main() -> Result<()> {
    let board = Board::find(&std::env::args().nth(1).context("which board?")?)?;
    let mut progress = on_stderr();
    let kernel = kernel_for(&board, &mut *progress)?;
    eprintln!("{:?}", packaged::identity(&kernel)?);
    println!("{}", packaged::vmlinux(&kernel, &mut *progress)?.display());
    Ok(())
}
