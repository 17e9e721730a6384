//! Boots a board and runs a shell script there: `cargo run -p corelet-boards --example boot -- BOARD SCRIPT [MODULE…]`.
//!
//! `CPUS`, `MEMORY` (MiB), `KERNEL` and `DEADLINE` (seconds) in the environment change the boot.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use corelet_boards::{Board, Boot, Initramfs, RUN, busybox_static, kernel_for, on_stderr};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let board = Board::find(&words.next().context("which board?")?)?;
    let script = words.next().context("which script?")?;
    let modules: Vec<String> = words.collect();
    let mut progress = on_stderr();

    let kernel = kernel_for(&board, &mut *progress)?;
    let modules_folder = if modules.is_empty() { None } else { Some(kernel.modules(&mut *progress)?) };
    let busybox = busybox_static(&board, &mut *progress)?;
    let files = vec![(RUN.to_owned(), 0o755, script.into_bytes())];
    let initramfs = Initramfs { busybox, modules_folder, modules, files }.build()?;
    eprintln!("{} {}: {} bytes of initramfs", kernel.package, kernel.version, initramfs.len());

    let mut boot = Boot::new(&board, setting::<PathBuf>("KERNEL").unwrap_or(kernel.image), initramfs);
    boot.cpus = setting("CPUS");
    boot.memory_mib = setting("MEMORY");
    boot.drives = setting::<PathBuf>("DRIVE").into_iter().collect();
    boot.deadline = setting("DEADLINE").map_or(boot.deadline, Duration::from_secs);
    let report = boot.run(&mut |line| println!("{line}"))?;
    eprintln!("{report:?}");
    Ok(())
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
