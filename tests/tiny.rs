//! What a kernel that was built for a small device is: its configuration in the image, no types, bytes, seconds, memory.

use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::kernel::Kernel as Image;

/// Says the first lines of `/proc/meminfo` and whether the kernel has types.
const SCRIPT: &str = "head -n 3 /proc/meminfo\n[ ! -e /sys/kernel/btf ]\n";

/// The image's bytes, the time to `/init` and the memory that is left there, in words. The image must hold the
/// configuration that it was built with, and the board must boot with the memory it has and show no types.
///
/// # Errors
/// It is not so, or what keeps the board from booting.
pub fn figures(board: &Board, kernel: &Kernel, progress: &mut dyn Progress) -> Result<String> {
    let image = Image::open(&kernel.image, &mut |_, _| {})?;
    let config = kernel.config.as_ref().context("no configuration beside the image")?;
    let config = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
    ensure!(image.ikconfig() == Some(&*config), "the configuration in the image is not that of its build");
    ensure!(image.found().is_none(), "the image holds BTF");
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        files: vec![(RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec())],
        ..Initramfs::default()
    };
    progress.step(&format!("booting {}", board.name));
    let mut lines = Vec::new();
    let boot = Boot::new(board, &kernel.image, initramfs.build()?);
    let report = boot.run(&mut |line| lines.push(line.to_owned()))?;
    ensure!(report.status == 0, "/sys/kernel/btf is there");
    ensure!(report.release == kernel.release, "{} runs, not {}", report.release, kernel.release);
    let kib = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        line.with_context(|| format!("no {name} in {}", lines.join(" / ")))
    };
    Ok(format!(
        "{}: image of {} bytes, {:.1} s to /init, of {} MiB {} KiB for processes, {} KiB of them free, {} KiB available",
        board.name,
        std::fs::metadata(&kernel.image)?.len(),
        report.to_init.as_secs_f64(),
        board.qemu.memory_mib,
        kib("MemTotal:")?,
        kib("MemFree:")?,
        kib("MemAvailable:")?
    ))
}
