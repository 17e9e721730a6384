//! The step that wraps real kernels as vendors do, by the tools that vendors use: U-Boot's `mkimage` and `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Kernel, bootable, kernel_for, on_stderr};
use corelet_host_tools::kernel::{self, Config};
use corelet_host_tools::setup::{Wants, needs};

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// The boards' kernels, and what wraps them.
pub(crate) fn wants() -> Wants {
    let mut wants = boards::both_wants();
    wants.needs.extend([&needs::MKIMAGE, &needs::DPKG_DEB]);
    wants
}

/// Whatever a kernel is wrapped in, its types and identity are those of the image that boots.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let mut count = 0;
    for (board, arch) in [("qemu-aarch64", "arm64"), ("qemu-riscv64", "riscv")] {
        let board = Board::find(board)?;
        let shipped = kernel_for(&board, &mut *on_stderr())?;
        let plain = kernel::Kernel::open(&shipped.image, &mut |_, _| {})?;
        let folder = tempfile::tempdir()?;
        for file in wrapped(context, &board, arch, &shipped, folder.path())? {
            let found = kernel::Kernel::open(&file, &mut |_, _| {})?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            context.note(&format!("{} {name}: {}", board.name, found.format()))?;
            ensure!(found.btf()? == plain.btf()?, "{}: {name}: other types", board.name);
            let (is, was) = (found.identity(), plain.identity());
            ensure!(is == was, "{}: {name}: {is:?}, not {was:?}", board.name);
            if name.ends_with(".deb") {
                let config = Config::read(shipped.config.as_deref().context("a kernel without its config")?)?;
                ensure!(found.config()?.as_ref() == Some(&config), "{}: {name}: other options", board.name);
                ensure!(Config::read(&file)? == config, "{}: {name}: other options", board.name);
            }
            count += 1;
        }
    }
    Ok(Outcome::Passed(format!("{count} images of both boards' kernels")))
}

/// The kernel of a board as uImage and FIT, plain and compressed, and as a package.
fn wrapped(
    context: &mut Context<'_>,
    board: &Board,
    arch: &str,
    shipped: &Kernel,
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let bytes = fs::read(&shipped.image)?;
    let image = folder.join("Image");
    fs::write(&image, bootable(&board.arch.name, &bytes)?)?;
    context.run(Command::new("gzip").args(["-1", "-k"]).arg(&image))?;
    let gzip = folder.join("Image.gz");
    let mut out = vec![image.clone(), gzip.clone()];
    for (compression, data) in [("none", &image), ("gzip", &gzip)] {
        let common = ["-A", arch, "-O", "linux", "-T", "kernel", "-C", compression, "-n", "a kernel"];
        let place = ["-a", "0x80000", "-e", "0x80000"];
        for (name, more) in
            [("uImage", &[][..]), ("fit", &["-f", "auto"]), ("fit-external", &["-E", "-f", "auto"])]
        {
            let file = folder.join(format!("{name}-{compression}"));
            let mut mkimage = Command::new("mkimage");
            context.run(mkimage.args(more).args(common).args(place).arg("-d").arg(data).arg(&file))?;
            out.push(file);
        }
    }
    let config = shipped.config.as_deref().context("a kernel without its config")?;
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("DEBIAN"))?;
    fs::create_dir_all(tree.join("boot"))?;
    let control = "Package: a-kernel\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@invalid>\nDescription: a test\n";
    fs::write(tree.join("DEBIAN/control"), control)?;
    fs::copy(&gzip, tree.join(format!("boot/vmlinuz-{}", shipped.release)))?;
    fs::copy(config, tree.join(format!("boot/config-{}", shipped.release)))?;
    let file = folder.join("a-kernel.deb");
    let words = ["--root-owner-group", "-Zxz", "-z1", "--build"];
    context.run(Command::new("dpkg-deb").args(words).arg(&tree).arg(&file))?;
    out.push(file);
    Ok(out)
}
