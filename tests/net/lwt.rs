//! Programs of routes: Debian's `ip` attaches them from the loader's pins, and echoes over the routes pass or are dropped by content.

use super::facts;
use crate::tools::output::Output;
use anyhow::{Context, Result};
use corelet_boards::debian::Debian;
use corelet_boards::{Board, Progress, Source};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use std::path::Path;

const OBJECT: &[u8] = include_bytes!("lwt.bpf.o");
pub(super) const DRIVER: &str = include_str!("lwt.sh");

/// `ip`, and the libraries that it is linked with, by the packages that hold them.
const PACKAGES: [(&str, &[&str]); 11] = [
    ("iproute2", &["ip"]),
    ("libc6", &["libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1"]),
    ("libbpf1", &["libbpf.so.1"]),
    ("libelf1t64", &["libelf.so.1"]),
    ("libmnl0", &["libmnl.so.0"]),
    ("libcap2", &["libcap.so.2"]),
    ("libselinux1", &["libselinux.so.1"]),
    ("libpcre2-8-0", &["libpcre2-8.so.0"]),
    ("libzstd1", &["libzstd.so.1"]),
    ("zlib1g", &["libz.so.1"]),
    ("libtirpc3t64", &["libtirpc.so.3"]),
];

/// `ip` with its libraries, and the pack.
///
/// # Errors
/// A package that cannot be fetched, or lacks one of the files; those of packing.
pub(super) fn files(
    board: &Board,
    kernel: &Opened,
    progress: &mut dyn Progress,
) -> Result<Vec<(String, u32, Vec<u8>)>> {
    let mut files = vec![("corelet/lwt.pack".to_owned(), 0o644, pack(kernel)?)];
    let debian = Debian::open()?;
    for (package, names) in PACKAGES {
        let source = Source { suites: board.userland.suites.clone(), package: package.to_owned() };
        let found = debian.find(&board.arch.debian, &source, progress)?;
        let folder = debian.unpack(&found, progress)?;
        for name in names {
            let bytes = find(&folder, name)?.with_context(|| format!("{package} has no {name}"))?;
            // where the interpreter is named, and where it looks first
            let to = match *name {
                "ip" => "usr/bin".to_owned(),
                name if name.starts_with("ld-") => "lib".to_owned(),
                _ => "usr/lib".to_owned(),
            };
            files.push((format!("{to}/{name}"), 0o755, bytes));
        }
    }
    Ok(files)
}

/// A file somewhere below a folder; links among libraries are followed.
fn find(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == name && entry.path().is_file() {
                return Ok(Some(std::fs::read(entry.path())?));
            }
        }
    }
    Ok(None)
}

fn pack(kernel: &Opened) -> Result<Vec<u8>> {
    let manifest = Manifest::parse("lwt", "")?;
    let input = Input { name: "lwt".to_owned(), bytes: OBJECT.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        container(&build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

/// Whether echoes passed, or were forwarded, and were dropped as they must be: three of each content on each way.
pub(super) fn judge(output: &Output) -> Result<(), String> {
    for way in ["out", "xmit", "in", "segment"] {
        facts(output, &[(&format!("{way}_55"), "3"), (&format!("{way}_dd"), "0")])?;
    }
    facts(output, &[("without_55", "3"), ("without_dd", "3"), ("pins", "0")])
}
