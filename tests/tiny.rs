//! What a kernel that was built for a small device is: its configuration in the image, no types, bytes, seconds, memory; and
//! that an option which it lacks is named, on the PC and by the loader.

use anyhow::{Context, Result, bail, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_core::kconfig;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::kernel::Kernel as Image;
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{self, Input, Options};

/// Says the first lines of `/proc/meminfo`, what the loader makes of a pack that this kernel has not the option for, and whether
/// the kernel has types.
const SCRIPT: &str = r#"
head -n 3 /proc/meminfo
/corelet/corelet-loader run /corelet/lacking.pack
echo "lacking $?"
[ ! -e /sys/kernel/btf ]
"#;

/// A program on a tracepoint of ext4, which this kernel has in no form.
const OBJECT: &[u8] = include_bytes!("tiny/lacking.bpf.o");

/// The pack of [`OBJECT`] as somebody makes it who has not this kernel's configuration. With it the PC must refuse, in the words
/// that the loader has.
fn lacking(kernel: &Kernel, progress: &mut dyn Progress) -> Result<Vec<u8>> {
    let opened = [Opened::packaged(kernel, progress)?];
    with_kernels(&opened, |kernels| {
        let inputs =
            || [Input { name: "lacking".to_owned(), bytes: OBJECT.to_vec(), manifest: Manifest::default() }];
        let Err(refused) = pack::build(&inputs(), kernels, &Options::default()) else {
            bail!("packed, though the kernel is configured without {}", kconfig::EXT4_FS);
        };
        let said = format!("{refused:#}");
        let why = kconfig::EXT4_FS.split_once(", ").map_or("", |(_, why)| why);
        ensure!(
            said.contains("CONFIG_EXT4_FS: sync_file: ") && said.contains(why),
            "refused otherwise: {said}"
        );
        let [kernel] = kernels else { bail!("{} kernels", kernels.len()) };
        let untold = pack::Kernel { config: None, ..*kernel };
        pack::container(&pack::build(&inputs(), &[untold], &Options::default())?.sections)
    })
}

/// The image's bytes, the time to `/init` and the memory that is left there, in words. The image must hold the
/// configuration that it was built with, and the board must boot with the memory it has and show no types.
///
/// # Errors
/// It is not so, or what keeps the board from booting.
pub fn figures(
    board: &Board,
    kernel: &Kernel,
    loader: Vec<u8>,
    progress: &mut dyn Progress,
) -> Result<String> {
    let image = Image::open(&kernel.image, &mut |_, _| {})?;
    let config = kernel.config.as_ref().context("no configuration beside the image")?;
    let config = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
    ensure!(image.ikconfig() == Some(&*config), "the configuration in the image is not that of its build");
    ensure!(image.found().is_none(), "the image holds BTF");
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        files: vec![
            ("corelet/corelet-loader".to_owned(), 0o755, loader),
            ("corelet/lacking.pack".to_owned(), 0o644, lacking(kernel, progress)?),
            (RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec()),
        ],
        ..Initramfs::default()
    };
    progress.step(&format!("booting {}", board.name));
    let mut lines = Vec::new();
    let boot = Boot::new(board, &kernel.image, initramfs.build()?);
    let report = boot.run(&mut |line| lines.push(line.to_owned()))?;
    ensure!(report.status == 0, "/sys/kernel/btf is there");
    ensure!(report.release == kernel.release, "{} runs, not {}", report.release, kernel.release);
    let words = format!("ENOENT; this kernel lacks {}", kconfig::EXT4_FS);
    ensure!(
        lines.iter().any(|line| line.contains(&words)) && lines.iter().any(|line| line == "lacking 4"),
        "the loader does not say {words:?} and end with 4: {}",
        lines.join(" / ")
    );
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
