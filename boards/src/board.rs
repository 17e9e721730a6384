//! A board as data: what to emulate, which kernel to boot and where its packages come from.
//!
//! The boards of this repository are in `boards/linux/*.toml`; a path to a file of the same form serves as well.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The boards that are part of Corelet, the one that starts soonest first.
const BUILT_IN: [(&str, &str); 7] = [
    ("qemu-aarch64", include_str!("../linux/qemu-aarch64.toml")),
    ("qemu-aarch64-5.10", include_str!("../linux/qemu-aarch64-5.10.toml")),
    ("qemu-riscv64", include_str!("../linux/qemu-riscv64.toml")),
    ("qemu-armv7", include_str!("../linux/qemu-armv7.toml")),
    ("qemu-riscv64-6.12", include_str!("../linux/qemu-riscv64-6.12.toml")),
    ("qemu-armv7-5.10", include_str!("../linux/qemu-armv7-5.10.toml")),
    ("qemu-armv7-tiny", include_str!("../linux/qemu-armv7-tiny.toml")),
];

/// The files of options that they name.
const FRAGMENTS: [(&str, &str); 1] =
    [("qemu-armv7-tiny.config", include_str!("../linux/qemu-armv7-tiny.config"))];

/// A machine to boot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// What a person types after `--board`.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// The architecture, by each of its names.
    pub arch: Arch,
    /// How QEMU emulates it.
    pub qemu: Qemu,
    /// Its kernel, as a package of Debian: the image, or with [`Board::build`] the source.
    pub kernel: Source,
    /// How its kernel is made of that source; without this it is ready in the package.
    pub build: Option<Build>,
    /// Its static busybox, as a package of Debian.
    pub userland: Source,
}

/// One architecture, as three worlds call it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// The kernel's: `aarch64`, as in `uname -m`.
    pub name: String,
    /// Debian's: `arm64`.
    pub debian: String,
    /// Rust's, for the loader: `aarch64-unknown-linux-gnu`.
    pub rust: String,
}

/// What QEMU is told. Software emulation is always added: `/dev/kvm` is not always plain KVM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// The executable: `qemu-system-aarch64`.
    pub program: String,
    /// Debian's packages that hold it and all it needs.
    pub packages: Vec<String>,
    /// Machine and CPU.
    pub args: Vec<String>,
    /// RAM in MiB, unless a boot says otherwise.
    pub memory_mib: u32,
    /// CPUs, unless a boot says otherwise.
    pub cpus: u32,
    /// The kernel's name of the serial console: `ttyAMA0`.
    pub console: String,
    /// More words for the kernel's command line.
    #[serde(default)]
    pub append: Vec<String>,
}

/// A package of Debian, by pattern: releases move, so the newest match is taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Suites, tried in order; the first that has a match serves.
    pub suites: Vec<String>,
    /// A package's name, with at most one `*`.
    pub package: String,
}

/// How a kernel is built of Debian's `linux-source-*`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The kernel's `ARCH`: the name of its folder in `arch/`.
    pub arch: String,
    /// What the names of the cross compiler's programs begin with: `arm-linux-gnueabihf-`.
    pub cross: String,
    /// The file of options, beside the board's: what it does not name is off.
    pub config: String,
    /// What that file says.
    #[serde(skip)]
    pub options: String,
    /// The image that boots, by its path in the built tree; its file's name is the target of make.
    pub image: String,
}

impl Board {
    /// The boards that are part of Corelet, the one that starts soonest first.
    pub fn built_in() -> Vec<Self> {
        BUILT_IN
            .iter()
            .map(|(name, text)| Self::parse(text, &fragment).unwrap_or_else(|e| panic!("{name}: {e:#}")))
            .collect()
    }

    /// The board called `name_or_path`, or described in the TOML file of that path.
    ///
    /// # Errors
    /// No such board (the message lists those there are), or a file that does not describe one.
    pub fn find(name_or_path: &str) -> Result<Self> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(text, &fragment);
        }
        let path = Path::new(name_or_path);
        if path.extension().is_none_or(|ext| ext != "toml") {
            let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            bail!(
                "no board is called {name_or_path:?}: there are {}, or give a .toml file of your own",
                known.join(", ")
            );
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("{name_or_path}: cannot read this board"))?;
        let beside = |name: &str| {
            let options = path.with_file_name(name);
            fs::read_to_string(&options)
                .with_context(|| format!("{}: cannot read these options", options.display()))
        };
        Self::parse(&text, &beside).with_context(|| format!("{name_or_path}: not a description of a board"))
    }

    /// A board from the text of its TOML file; `beside` gives the text of a file beside that.
    ///
    /// # Errors
    /// A field that is missing, unknown or of the wrong type, or a number that no machine can have; what `beside` says.
    pub fn parse(text: &str, beside: &dyn Fn(&str) -> Result<String>) -> Result<Self> {
        let mut board: Self = toml::from_str(text)?;
        if let Some(build) = &mut board.build {
            build.options = beside(&build.config)?;
        }
        if board.qemu.memory_mib == 0 || board.qemu.cpus == 0 {
            bail!("qemu.memory_mib and qemu.cpus must be at least 1");
        }
        for source in [&board.kernel, &board.userland] {
            if source.suites.is_empty() || source.package.matches('*').count() > 1 {
                bail!(
                    "{:?}: needs at least one suite, and at most one * in the package's name",
                    source.package
                );
            }
        }
        Ok(board)
    }
}

/// What a file says that a board of ours names.
fn fragment(name: &str) -> Result<String> {
    let found = FRAGMENTS.iter().find(|(known, _)| *known == name);
    Ok(found.with_context(|| format!("{name}: no such file among ours"))?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_of_the_repository_parse_under_their_names() {
        for (board, (name, _)) in Board::built_in().iter().zip(BUILT_IN) {
            assert_eq!(board.name, name);
            assert!(board.qemu.memory_mib <= 128, "{name}: boards are small machines");
        }
    }

    #[test]
    fn an_unknown_board_lists_the_known_ones() {
        let error = Board::find("qemu-vax").unwrap_err().to_string();
        assert!(
            BUILT_IN.iter().all(|(name, _)| error.contains(name))
                && error.contains("qemu-aarch64, qemu-aarch64-5.10, "),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let text = BUILT_IN[0].1.replace("memory_mib", "memory");
        assert!(format!("{:#}", Board::parse(&text, &fragment).unwrap_err()).contains("memory"));
    }
}
