//! pahole, the newest that runs here: Debian unstable's.

use crate::oracle::newest::unstable;
use anyhow::{Context, Result, ensure};
use corelet_boards::Progress;
use std::path::Path;
use std::process::Command;

/// What the kernel's build asks of pahole. Source: kernel 6.12, `scripts/Makefile.btf`.
const FEATURES: &str =
    "encode_force,var,float,enum64,decl_tag,type_tag,optimized_func,consistent_func,decl_tag_kfuncs";

/// A pahole.
#[derive(Clone, Debug)]
pub struct Pahole {
    words: Vec<String>,
    /// Its version, `v1.32`.
    pub version: String,
}

impl Pahole {
    /// That of Debian unstable; `work` is a folder of ours.
    ///
    /// # Errors
    /// It cannot be had, or does not run.
    pub fn newest(work: &Path, progress: &mut dyn Progress) -> Result<Pahole> {
        let words =
            unstable("pahole", "usr/bin/pahole", work, progress).context("pahole of Debian unstable")?;
        let mut pahole = Pahole { words, version: String::new() };
        pahole.version = pahole.output(&["--version"])?.trim().to_owned();
        ensure!(pahole.version.starts_with('v'), "pahole does not say its version");
        Ok(pahole)
    }

    /// The command that makes the BTF of `vmlinux` out of its DWARF.
    pub fn encode(&self, vmlinux: &Path, out: &Path, jobs: usize) -> Vec<String> {
        let mut words = self.words.clone();
        words.extend(["-J", "--lang_exclude=rust"].map(str::to_owned));
        words.push(format!("-j{jobs}"));
        words.push(format!("--btf_features={FEATURES}"));
        words.push(format!("--btf_encode_detached={}", out.display()));
        words.push(vmlinux.display().to_string());
        words
    }

    /// All structs and unions of a file of BTF with their layouts.
    ///
    /// # Errors
    /// It does not run.
    pub fn layouts(&self, btf: &Path) -> Result<String> {
        self.output(&["-F", "btf", "--cacheline_size=64", &btf.display().to_string()])
    }

    fn output(&self, words: &[&str]) -> Result<String> {
        let (program, rest) = self.words.split_first().context("no program")?;
        let output = Command::new(program).args(rest).args(words).output().context("pahole")?;
        ensure!(output.status.success(), "pahole: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
