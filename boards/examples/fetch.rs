//! Fetches a package of Debian and prints the folder it is unpacked in:
//! `cargo run -p corelet-boards --example fetch -- SUITE PACKAGE ARCH`; with the architecture `source` its
//! source, out of one of several suites: `trixie,forky`.

use anyhow::{Result, bail};
use corelet_boards::debian::Debian;
use corelet_boards::{Source, on_stderr};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [suite, package, arch] = &words[..] else { bail!("give a suite, a package and an architecture") };
    let (debian, mut progress) = (Debian::open()?, on_stderr());
    let folder = if arch == "source" {
        debian.source(&suite.split(',').collect::<Vec<_>>(), package, &mut *progress)?
    } else {
        let source = Source { suites: vec![suite.clone()], package: package.clone() };
        debian.unpack(&debian.find(arch, &source, &mut *progress)?, &mut *progress)?
    };
    println!("{}", folder.display());
    Ok(())
}
