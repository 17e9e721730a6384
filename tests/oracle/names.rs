//! SEC() names: libbpf lists those that it knows, and says which program and attach type each makes.

use super::newest::unstable;
use anyhow::{Context, Result, ensure};
use corelet_boards::Progress;
use corelet_core::object::sec_name;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = include_str!("names.c");
/// The fewest names that libbpf may know: version 1.1 has 81, version 1.7 has 105.
const FEWEST: usize = 81;
/// Names that libbpf has from version 1.8 on, by its source: Debian's may be older.
const NEWER: [&str; 11] = [
    "tracepoint.s",
    "tp.s",
    "raw_tracepoint.s",
    "raw_tp.s",
    "tp_btf.s",
    "fentry.multi",
    "fentry.multi.s",
    "fexit.multi",
    "fexit.multi.s",
    "fsession.multi",
    "fsession.multi.s",
];

/// Compares every name that Debian unstable's libbpf knows with ours, in both directions. How many it knows, and how many we.
/// What is made on the way goes into `folder`.
///
/// # Errors
/// A name that one of us lacks or that makes another program; the library cannot be had or does not run.
pub fn compare(folder: &Path, progress: &mut dyn Progress) -> Result<(usize, usize)> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let (source, program) = (folder.join("names.c"), folder.join("names"));
    std::fs::write(&source, SOURCE).with_context(|| source.display().to_string())?;
    let cc = Command::new("cc").args(["-O1", "-o"]).args([&program, &source]).arg("-lbpf").output();
    let cc = cc.context("cc")?;
    ensure!(cc.status.success(), "names.c: {}", String::from_utf8_lossy(&cc.stderr));
    let library = format!("usr/lib/{}-linux-gnu/libbpf.so.1", std::env::consts::ARCH);
    let mut words = unstable("libbpf1", &library, folder, progress)?;
    words.pop();
    let (linker, rest) = words.split_first().context("no dynamic linker")?;
    let output = Command::new(linker).args(rest).arg(&program).output().context("names")?;
    ensure!(output.status.success(), "names: {}", String::from_utf8_lossy(&output.stderr));
    hold(&String::from_utf8(output.stdout)?)
}

/// Holds our names against the lines `NAME[+] TYPE ATTACH`.
fn hold(text: &str) -> Result<(usize, usize)> {
    let mut theirs = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next().with_context(|| format!("`{line}`: three words expected"));
        let (name, prog_type, attach_type) = (next()?, next()?.parse()?, next()?.parse()?);
        let more = name.ends_with('+');
        theirs.insert(name.trim_end_matches('+'), (prog_type, attach_type, more));
    }
    ensure!(theirs.len() >= FEWEST, "libbpf lists {} names only", theirs.len());
    let mut ours = BTreeMap::new();
    for (name, more) in sec_name::names() {
        let sec = sec_name::parse(name).map_err(|e| anyhow::anyhow!("{e}"))?;
        ours.insert(name, (sec.prog_type, sec.expected_attach_type, more));
    }
    for (name, of_libbpf) in &theirs {
        let own = ours.get(name).with_context(|| format!("libbpf knows SEC(\"{name}\"), we do not"))?;
        ensure!(own == of_libbpf, "SEC(\"{name}\"): ours {own:?}, libbpf's {of_libbpf:?}");
    }
    let invented = ours.keys().find(|name| !theirs.contains_key(*name) && !NEWER.contains(name));
    ensure!(invented.is_none(), "{invented:?} is no name that libbpf knows");
    Ok((theirs.len(), ours.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our own names as lines, with one of them as `change` makes it.
    fn lines(change: impl Fn(&str, bool) -> String) -> String {
        let line = |(name, more): (&str, bool)| {
            let sec = sec_name::parse(name).unwrap();
            format!("{} {} {}\n", change(name, more), sec.prog_type, sec.expected_attach_type)
        };
        sec_name::names().map(line).collect()
    }

    #[test]
    fn every_difference_is_seen() {
        let right = |name: &str, more| format!("{name}{}", if more { "+" } else { "" });
        assert_eq!(hold(&lines(right)).unwrap(), (116, 116));
        let said = |text: &str| hold(text).unwrap_err().to_string();
        assert!(said("").contains("0 names only"));
        assert!(said(&format!("{}fentri+ 26 24\n", lines(right))).contains("we do not"));
        assert!(said(&lines(right).replace("fexit+ 26 25", "fexit+ 26 24")).contains("SEC(\"fexit\"): ours"));
        assert!(said(&lines(right).replace("fexit+", "fexit")).contains("SEC(\"fexit\"): ours"));
        assert!(said(&lines(right).replace("lwt_in 10 0\n", "")).contains("is no name"));
    }
}
