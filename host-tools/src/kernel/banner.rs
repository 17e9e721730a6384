//! Release and version in the kernel's own words: the banner and the UTS name.
//!
//! The banner is `Linux version RELEASE (WHO@WHERE) (COMPILER) VERSION`, followed by a newline; RELEASE is `uname -r` and VERSION
//! is `uname -v`. The kernel also holds the format string it prints `/proc/version` with; a `%` tells that one apart.
//! `init_uts_ns` holds the same two as NUL-padded fields of 65 bytes, with the machine beside them.
//!
//! Since 6.1 an image may hold both twice: `init/version.c` defines weak ones, for the links that come before the last, whose
//! version begins `# SMP`; the true ones, of `init/version-timestamp.c`, have the build's number: `#1 SMP`.
//!
//! Sources: `init/version.c`, `init/version-timestamp.c`, `init/Makefile`, `include/uapi/linux/utsname.h`.

use nom::Parser;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{all_consuming, recognize, verify};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, branch::alt};

/// `__NEW_UTS_LEN` and the NUL behind it.
const UTS_FIELD: usize = 65;
/// Longer than any banner: two UTS fields and the compiler's own version text.
const MAX_BANNER: usize = 1024;
/// How deep the compiler's parentheses may nest.
const MAX_NESTING: usize = 8;

/// What a kernel calls itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m` as compiled in (32-bit ARM refines it at boot); from the UTS name only.
    pub machine: Option<String>,
}

/// What the kernel image `bytes` calls itself: its UTS name, or else its banner, each only if all that are found agree once
/// the weak ones are left out.
pub fn find(bytes: &[u8]) -> Option<Name> {
    agreed(uts_names(bytes)).or_else(|| agreed(banners(bytes)))
}

/// Whether `bytes` hold a UTS name as a kernel does. A banner may survive compression as literal text; 60 NULs do not.
pub fn has_uts_name(bytes: &[u8]) -> bool {
    uts_names(bytes).next().is_some()
}

/// The release and version of the text in a bzImage's setup header: `RELEASE (WHO@WHERE) VERSION`.
pub fn setup_version(text: &str) -> Option<Name> {
    let (_, (release, version)) =
        all_consuming((release, preceded((char(' '), group), version))).parse(text).ok()?;
    Some(Name { release: release.to_owned(), version: version.to_owned(), machine: None })
}

fn agreed(names: impl Iterator<Item = Name>) -> Option<Name> {
    let mut names = names.filter(|name| !name.version.starts_with("# "));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

fn banners(bytes: &[u8]) -> impl Iterator<Item = Name> + '_ {
    memchr::memmem::find_iter(bytes, b"Linux version ").filter_map(|at| {
        let rest = &bytes[at..];
        let rest = &rest[..rest.len().min(MAX_BANNER)];
        let end = rest.iter().position(|&b| b == b'\n')?;
        let (_, (release, version)) = banner(std::str::from_utf8(&rest[..end]).ok()?).ok()?;
        Some(Name { release: release.to_owned(), version: version.to_owned(), machine: None })
    })
}

fn banner(text: &str) -> IResult<&str, (&str, &str)> {
    let groups = (char(' '), group, char(' '), group);
    all_consuming((preceded(tag("Linux version "), release), preceded(groups, version))).parse(text)
}

/// One word; no format directive.
fn release(text: &str) -> IResult<&str, &str> {
    take_while_m_n(1, UTS_FIELD - 1, |c: char| c.is_ascii_graphic() && c != '%').parse(text)
}

/// The rest of the line.
fn version(text: &str) -> IResult<&str, &str> {
    let line = take_while1(|c: char| !c.is_control());
    preceded(char(' '), verify(line, |line: &str| !line.contains('%') && line.len() < UTS_FIELD)).parse(text)
}

/// A parenthesised text, with parentheses inside it.
fn group(text: &str) -> IResult<&str, &str> {
    nested(text, MAX_NESTING)
}

fn nested(text: &str, depth: usize) -> IResult<&str, &str> {
    if depth == 0 {
        return Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::TooLarge)));
    }
    let plain = recognize(satisfy(|c| !matches!(c, '(' | ')' | '%') && !c.is_control()));
    let inner = many0(alt((plain, |text| nested(text, depth - 1))));
    recognize(delimited(char('('), inner, char(')'))).parse(text)
}

/// `struct new_utsname`: sysname, nodename, release, version, machine, domainname.
fn uts_names(bytes: &[u8]) -> impl Iterator<Item = Name> + '_ {
    let mut sysname = [0; UTS_FIELD];
    sysname[..5].copy_from_slice(b"Linux");
    let hits: Vec<usize> = memchr::memmem::find_iter(bytes, &sysname).collect();
    hits.into_iter().filter_map(move |at| {
        let field = |n: usize| {
            let start = at + n * UTS_FIELD;
            uts_field(bytes.get(start..start + UTS_FIELD)?)
        };
        field(1)?;
        let (_, release) = all_consuming(release).parse(field(2)?).ok()?;
        let version = field(3).filter(|version| !version.is_empty())?;
        Some(Name {
            release: release.to_owned(),
            version: version.to_owned(),
            machine: Some(field(4)?.to_owned()),
        })
    })
}

/// Text, a NUL, and nothing but NULs behind it.
fn uts_field(bytes: &[u8]) -> Option<&str> {
    let text = bytes.split(|&b| b == 0).next()?;
    let padded = text.len() < bytes.len() && bytes[text.len()..].iter().all(|&b| b == 0);
    let text = std::str::from_utf8(text).ok()?;
    (padded && text.chars().all(|c| !c.is_control())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNER: &str = "Linux version 6.12.9-arm64 (who@where) (gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (2.44)) \
                          #1 SMP Debian 6.12.9-1 (2025-01-10)\n";

    fn name(machine: Option<&str>) -> Name {
        Name {
            release: "6.12.9-arm64".into(),
            version: "#1 SMP Debian 6.12.9-1 (2025-01-10)".into(),
            machine: machine.map(str::to_owned),
        }
    }

    fn uts() -> Vec<u8> {
        let name = name(Some("aarch64"));
        ["Linux", "(none)", &name.release, &name.version, "aarch64", "(none)"]
            .iter()
            .flat_map(|text| {
                let mut field = text.as_bytes().to_vec();
                field.resize(UTS_FIELD, 0);
                field
            })
            .collect()
    }

    #[test]
    fn the_banner_is_read_and_the_format_string_is_not() {
        let image = format!("%s version %s (a@b) (c) %s\n\0Linux version %s (%s@%s) (%s) %s\n\0{BANNER}\0");
        assert_eq!(find(image.as_bytes()), Some(name(None)));
        assert_eq!(find(b"Linux version 6.1 (a@b) (c)\n"), None);
        assert_eq!(
            find(format!("{BANNER}{}", BANNER.replace("#1", "#2")).as_bytes()),
            None,
            "two that differ"
        );
        let weak = BANNER.replace("#1", "#");
        assert_eq!(find(format!("{weak}{BANNER}").as_bytes()), Some(name(None)));
        assert_eq!(find(weak.as_bytes()), None);
    }

    #[test]
    fn the_uts_name_gives_the_machine() {
        let image = [b"noise".to_vec(), uts(), BANNER.as_bytes().to_vec()].concat();
        assert_eq!(find(&image), Some(name(Some("aarch64"))));
        let whole = uts();
        for cut in 0..whole.len() - UTS_FIELD {
            assert_eq!(find(&whole[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_setup_header_text_is_read() {
        let text = "6.1.0-50-cloud-amd64 (debian@x) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)";
        let name = setup_version(text).unwrap();
        assert_eq!(name.release, "6.1.0-50-cloud-amd64");
        assert_eq!(name.version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)");
        assert_eq!(setup_version("6.1.0"), None);
    }
}
