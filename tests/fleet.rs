//! All 57 of Debian's libbpf-tools on one board: each is either packed and loaded there, or refused on the PC with a reason.

use crate::oracle::Named;
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, Quiet, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use std::fmt::Write;
use std::time::Duration;

/// What came of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not packed, for this reason.
    Refused(String),
    /// The board's kernel took all of its programs.
    Loaded,
    /// The loader's exit code, and what it said.
    Failed(i32, String),
}

const MARK: &str = "@fleet";

/// Tries all `objects` on `board`, in one boot.
///
/// # Errors
/// The board does not come up, or says nothing of an object.
pub fn run(
    board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    objects: &[Named],
    progress: &mut dyn Progress,
) -> Result<Vec<(String, Fate)>> {
    let opened = [Opened::packaged(kernel, &mut Quiet)?];
    let mut fates = Vec::new();
    let mut files = vec![("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec())];
    let mut script = String::from("echo 1 >/proc/sys/net/core/bpf_jit_enable\n");
    for (name, bytes) in objects {
        let manifest =
            Manifest::builtin(name).map_or(Ok(Manifest::default()), |text| Manifest::parse(name, text))?;
        let input = [Input { name: name.clone(), bytes: bytes.clone(), manifest }];
        match with_kernels(&opened, |kernels| build(&input, kernels, &Options::default())) {
            Err(e) => fates.push((name.clone(), Fate::Refused(format!("{e:#}")))),
            Ok(built) => {
                files.push((format!("corelet/{}.pack", name), 0o644, container(&built.sections)?));
                let _ = writeln!(
                    script,
                    "/corelet/corelet-loader verify /corelet/{0}.pack 2>said\necho {MARK} {0} $?\ncat said",
                    name
                );
            }
        }
    }
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let tried = objects.len() - fates.len();
    progress.step(&format!("booting {} for {tried} packs", board.name));
    let initramfs = Initramfs { busybox: busybox_static(board, progress)?, files, ..Initramfs::default() };
    let mut boot = Boot::new(board, &kernel.image, initramfs.build()?);
    // some tools preallocate maps for machines far larger than a board
    boot.memory_mib = Some(512);
    boot.deadline = Duration::from_secs(60 + 10 * tried as u64);
    let mut lines = Vec::new();
    boot.run(&mut |line| lines.push(line.to_owned()))?;
    for (at, line) in lines.iter().enumerate() {
        let Some((name, code)) = line.strip_prefix(MARK).and_then(|l| l.trim().split_once(' ')) else {
            continue;
        };
        let said = lines[at + 1..].iter().take_while(|l| !l.starts_with(MARK)).cloned().collect::<Vec<_>>();
        let fate = match code.parse().context("an exit code")? {
            0 => Fate::Loaded,
            code => Fate::Failed(code, said.join(" / ")),
        };
        fates.push((name.to_owned(), fate));
    }
    ensure!(fates.len() == objects.len(), "of {} objects the board spoke of {}", objects.len(), fates.len());
    fates.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(fates)
}
