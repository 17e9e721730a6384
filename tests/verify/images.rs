//! The step that wraps real kernels as vendors do, by the tools that vendors use: U-Boot's `mkimage`, `dpkg-deb`, `rpmbuild`, the
//! commands of `opkg-build`, `mke2fs`, `mksquashfs`.

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
    wants.needs.extend([
        &needs::MKIMAGE,
        &needs::DPKG_DEB,
        &needs::RPMBUILD,
        &needs::MKE2FS,
        &needs::MKSQUASHFS,
    ]);
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
            if name.starts_with("a-kernel") || name == "root" {
                let config = Config::read(shipped.config.as_deref().context("a kernel without its config")?)?;
                ensure!(found.config()?.as_ref() == Some(&config), "{}: {name}: other options", board.name);
                ensure!(Config::read(&file)? == config, "{}: {name}: other options", board.name);
            }
            count += 1;
        }
    }
    Ok(Outcome::Passed(format!("{count} images of both boards' kernels")))
}

/// The kernel of a board as uImage and FIT, plain and compressed, in packages, in a folder and in a file system.
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
    let root = folder.join("root");
    fs::create_dir_all(root.join("boot"))?;
    fs::copy(&gzip, root.join(format!("boot/vmlinuz-{}", shipped.release)))?;
    fs::copy(config, root.join(format!("boot/config-{}", shipped.release)))?;
    out.push(root.clone());
    out.push(deb(context, &root, folder)?);
    out.push(rpm(context, &root, folder)?);
    out.push(ipk(context, &root, folder)?);
    let file = folder.join("a-kernel.ext4");
    let mut mke2fs = Command::new("mke2fs");
    context.run(mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(&root).arg(&file).arg("256M"))?;
    out.push(file);
    for packing in ["gzip", "xz"] {
        let file = folder.join(format!("a-kernel-{packing}.squashfs"));
        let mut mksquashfs = Command::new("mksquashfs");
        mksquashfs.arg(&root).arg(&file).args(["-quiet", "-no-progress", "-comp", packing]);
        context.run(&mut mksquashfs)?;
        out.push(file);
    }
    Ok(out)
}

/// The files of `root` as a Debian package in `folder`.
fn deb(context: &mut Context<'_>, root: &Path, folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("deb");
    fs::create_dir_all(tree.join("DEBIAN"))?;
    context.run(Command::new("cp").arg("-a").arg(root.join("boot")).arg(&tree))?;
    let control = "Package: a-kernel\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@invalid>\nDescription: a test\n";
    fs::write(tree.join("DEBIAN/control"), control)?;
    let file = folder.join("a-kernel.deb");
    let words = ["--root-owner-group", "-Zxz", "-z1", "--build"];
    context.run(Command::new("dpkg-deb").args(words).arg(&tree).arg(&file))?;
    Ok(file)
}

/// As an RPM package.
fn rpm(context: &mut Context<'_>, root: &Path, folder: &Path) -> Result<PathBuf> {
    let top = folder.join("rpm");
    fs::create_dir_all(&top)?;
    let spec = top.join("a-kernel.spec");
    let text = format!(
        "Name: a-kernel\nVersion: 1\nRelease: 1\nSummary: a test\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n\
         %description\na test\n%install\ncp -a {}/. %{{buildroot}}\n%files\n/boot\n",
        root.display()
    );
    fs::write(&spec, text)?;
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.arg("-bb").arg("--define").arg(format!("_topdir {}", top.display()));
    for define in ["__os_install_post %{nil}", "debug_package %{nil}", "_binary_payload w3.zstdio"] {
        rpmbuild.args(["--define", define]);
    }
    context.run(rpmbuild.arg(&spec))?;
    Ok(top.join("RPMS/noarch/a-kernel-1-1.noarch.rpm"))
}

/// As a package of opkg's, by the commands of `opkg-build`.
fn ipk(context: &mut Context<'_>, root: &Path, folder: &Path) -> Result<PathBuf> {
    let parts = folder.join("ipk");
    fs::create_dir_all(&parts)?;
    fs::write(parts.join("debian-binary"), "2.0\n")?;
    fs::write(parts.join("control"), "Package: a-kernel\nVersion: 1\nArchitecture: all\n")?;
    let tar = |into: PathBuf, from: &Path, what: &[&str]| {
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(into).arg("-C").arg(from).args(["--owner=0", "--group=0"]).args(what);
        tar
    };
    context.run(&mut tar(parts.join("control.tar.gz"), &parts, &["./control"]))?;
    context.run(&mut tar(parts.join("data.tar.gz"), root, &["."]))?;
    let file = folder.join("a-kernel.ipk");
    let members = ["./debian-binary", "./data.tar.gz", "./control.tar.gz"];
    context.run(&mut tar(file.clone(), &parts, &members))?;
    Ok(file)
}
