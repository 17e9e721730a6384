//! `compare-btf THEIRS OURS [KERNEL]`: what two BTFs of one kernel say differently, by name; with a name of `differences.toml`
//! what of that stands in no rule, and which rules cover another number of names than they say.

use anyhow::{Result, bail};
use corelet_host_tools::btf::OwnedBtf;
use corelet_tests::convert::compare::compare;
use corelet_tests::convert::differences::Differences;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    let ([theirs, ours] | [theirs, ours, _]) = &*files else {
        bail!("two files of BTF: the peer's and ours")
    };
    let (theirs, ours) = (OwnedBtf::open(theirs.as_ref())?, OwnedBtf::open(ours.as_ref())?);
    let comparison = compare(&theirs.view(), &ours.view());
    for difference in &comparison.differences {
        print!("{difference}");
    }
    if let Some(kernel) = files.get(2) {
        let list = Differences::read()?;
        let (kernel, found) = (kernel.to_string_lossy(), &comparison.differences);
        let unlisted = list.unlisted(&kernel, &list.pahole, &list.release, found);
        unlisted.iter().for_each(|line| println!("{line}"));
    }
    println!("{} bytes and {} bytes", theirs.bytes().len(), ours.bytes().len());
    for (kind, [theirs, ours]) in &comparison.kinds {
        println!("{:<12} {theirs:>7} {ours:>7}", kind.name());
    }
    println!("{} the same, {} names with differences", comparison.same, comparison.differences.len());
    Ok(if comparison.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
