//! The newest release of a peer that runs here: this machine's, or Debian unstable's, unpacked and run by the C library of
//! its own.

use anyhow::{Context, Result, ensure};
use corelet_boards::debian::Debian;
use corelet_boards::{Progress, Source};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that one program may need in all.
const MAX_PACKAGES: usize = 40;

/// A bpftool.
#[derive(Clone, Debug)]
pub struct Bpftool {
    /// The words of its command line, the program first.
    pub words: Vec<String>,
    /// Its version, `v7.8.0`.
    pub version: String,
}

impl Bpftool {
    /// Asks the program for its version.
    fn open(words: Vec<String>) -> Result<Bpftool> {
        let (program, rest) = words.split_first().context("no program")?;
        let output = Command::new(program).args(rest).arg("version").output().context("bpftool")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
        ensure!(output.status.success() && version.starts_with('v'), "bpftool does not say its version");
        Ok(Bpftool { words, version })
    }

    /// `here`, or that of Debian unstable where it is newer and runs; `work` is a folder of ours.
    ///
    /// # Errors
    /// The one at `here` does not run.
    pub fn newest(here: &Path, work: &Path, progress: &mut dyn Progress) -> Result<Bpftool> {
        let here = Bpftool::open(vec![here.display().to_string()])?;
        match unstable("bpftool", "usr/sbin/bpftool", work, progress).and_then(Bpftool::open) {
            Ok(newer) if numbers(&newer.version) > numbers(&here.version) => Ok(newer),
            Ok(_) => Ok(here),
            Err(error) => {
                progress.note(&format!("bpftool of Debian unstable: {error:#}"));
                Ok(here)
            }
        }
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.trim_start_matches('v').split('.').map_while(|n| n.parse().ok()).collect()
}

/// The command line of the program at `path` in Debian unstable's `package`. `work` is a folder of ours: the names of packages'
/// folders can hold colons, which separate folders in the command line, so that links there stand for them.
///
/// # Errors
/// The package or one that it needs cannot be had.
pub fn unstable(package: &str, path: &str, work: &Path, progress: &mut dyn Progress) -> Result<Vec<String>> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let debian = Debian::open()?;
    let (mut seen, mut open) = (BTreeSet::new(), vec![package.to_owned()]);
    let mut folders = Vec::new();
    while let Some(package) = open.pop() {
        if !seen.insert(package.clone()) || seen.len() > MAX_PACKAGES {
            continue;
        }
        let source = Source { suites: vec!["sid".to_owned()], package };
        // what is not there is a name that other packages stand for, and none of them is needed to run this
        let Ok(found) = debian.find(arch, &source, progress) else { continue };
        folders.push(debian.unpack(&found, progress)?);
        open.extend(found.depends);
    }
    let file = |path: &str| folders.iter().map(|f| f.join(path)).find(|f| f.is_file());
    let program = file(path).with_context(|| format!("{package} has no {path}"))?;
    let libraries: Vec<PathBuf> = (folders.iter())
        .map(|f| f.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)))
        .filter(|f| f.is_dir())
        .collect();
    let loader = (libraries.iter().filter_map(|f| f.read_dir().ok()).flatten().flatten())
        .find(|entry| entry.file_name().to_string_lossy().starts_with("ld-linux-"))
        .context("no dynamic linker among the packages")?;
    let mut links = Vec::new();
    for (number, library) in libraries.iter().enumerate() {
        let link = work.join(format!("{package}-{number}"));
        let _ = fs::remove_file(&link);
        symlink(library, &link).with_context(|| format!("{}: cannot link here", link.display()))?;
        links.push(link.display().to_string());
    }
    let path = links.join(":");
    let shown = |path: &Path| path.display().to_string();
    Ok(vec![shown(&loader.path()), "--library-path".to_owned(), path, shown(&program)])
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("v7.10.0") > numbers("v7.8.0"));
        assert!(numbers("v7.8.0") > numbers("v7.1.0"));
    }
}
