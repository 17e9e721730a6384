//! What a program's section name, its SEC(), says of it: type, flags and what it is attached to.
//! Source: `sec_def_matches`, `attach_kprobe`, `attach_tp` and `attach_raw_tp`, libbpf `src/libbpf.c`.

pub use super::sec_table::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS};
use super::sec_table::{Form, ROWS, Row};
use crate::pack::Attach;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{digit1, hex_digit1};
use nom::combinator::{all_consuming, map_res, opt};
use nom::sequence::{preceded, separated_pair};
use nom::{IResult, Parser};
use std::fmt;

/// What a section name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecName<'a> {
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`, 0 where the type has none.
    pub expected_attach_type: u32,
    /// `BPF_F_*` of program loading.
    pub prog_flags: u32,
    /// What the program is attached to.
    pub attach: Attach<'a>,
}

/// A section name that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSecName<'a> {
    /// The name.
    pub section: &'a str,
    /// Whether the kind of program is known, and only what stands behind it is not.
    pub kind_is_known: bool,
}

impl fmt::Display for UnknownSecName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = self.section;
        if self.kind_is_known {
            write!(f, "SEC(\"{section}\"): what the program is attached to cannot be read")
        } else {
            write!(f, "SEC(\"{section}\"): no kind of program that corelet knows")
        }
    }
}

impl core::error::Error for UnknownSecName<'_> {}

/// Reads a section name. A leading `?` (not loaded unless asked for) is passed over; [`super::Function`] tells of it.
///
/// # Errors
/// [`UnknownSecName`].
///
/// ```
/// use corelet_core::{object::sec_name, pack::Attach};
/// let s = sec_name::parse("kprobe/vfs_read+0x10").unwrap();
/// assert_eq!((s.prog_type, s.attach), (2, Attach::Kprobe { symbol: "vfs_read", offset: 16, ret: false }));
/// ```
pub fn parse(section: &str) -> Result<SecName<'_>, UnknownSecName<'_>> {
    let name = section.strip_prefix('?').unwrap_or(section);
    let mut kind_is_known = false;
    for row in ROWS {
        let Some(extra) = behind(row, name) else { continue };
        kind_is_known = true;
        if let Ok((_, attach)) = attach(row, name, extra) {
            let Row(_, _, prog_type, expected_attach_type, prog_flags) = *row;
            return Ok(SecName { prog_type, expected_attach_type, prog_flags, attach });
        }
    }
    Err(UnknownSecName { section, kind_is_known })
}

/// What stands behind a row's name and the `/`; `None` where the row does not fit.
fn behind<'a>(row: &Row, name: &'a str) -> Option<Option<&'a str>> {
    let rest = name.strip_prefix(row.0)?;
    match (row.1, rest.strip_prefix('/')) {
        (_, None) if rest.is_empty() => Some(None),
        (Form::Alone | Form::Exact, _) => None,
        (_, extra) => extra.map(Some),
    }
}

fn attach<'a>(row: &Row, name: &'a str, extra: Option<&'a str>) -> IResult<&'a str, Attach<'a>> {
    let other = Attach::Other { section: name };
    let Some(extra) = extra else {
        return Ok(("", if row.1 == Form::Alone { Attach::None } else { other }));
    };
    match row.1 {
        Form::Alone | Form::Exact | Form::Open => Ok(("", other)),
        Form::Kprobe { ret: true } => {
            all_consuming(symbol).map(|symbol| Attach::Kprobe { symbol, offset: 0, ret: true }).parse(extra)
        }
        Form::Kprobe { ret: false } => all_consuming((symbol, opt(preceded(tag("+"), number))))
            .map(|(symbol, offset)| Attach::Kprobe { symbol, offset: offset.unwrap_or(0), ret: false })
            .parse(extra),
        Form::Tracepoint => all_consuming(separated_pair(is_not("/"), tag("/"), is_not("/")))
            .map(|(category, name)| Attach::Tracepoint { category, name })
            .parse(extra),
        Form::RawTracepoint => {
            all_consuming(is_not("/")).map(|name| Attach::RawTracepoint { name }).parse(extra)
        }
    }
}

/// A kernel function, with the suffixes that compilers give it (`.isra.0`).
fn symbol(i: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.').parse(i)
}

/// An offset in decimal, or in hexadecimal behind `0x`.
fn number(i: &str) -> IResult<&str, u32> {
    alt((
        map_res(preceded(tag("0x"), hex_digit1), |d| u32::from_str_radix(d, 16)),
        map_res(digit1, |d: &str| d.parse()),
    ))
    .parse(i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach_of(name: &str) -> Attach<'_> {
        parse(name).unwrap().attach
    }

    #[test]
    fn names_that_are_attached() {
        let tracepoint = Attach::Tracepoint { category: "sched", name: "sched_switch" };
        for name in ["tracepoint/sched/sched_switch", "tp/sched/sched_switch", "?tp/sched/sched_switch"] {
            assert_eq!(attach_of(name), tracepoint);
        }
        assert_eq!(attach_of("raw_tp/sys_enter"), Attach::RawTracepoint { name: "sys_enter" });
        assert_eq!(parse("raw_tracepoint.w/x").unwrap().prog_type, 24);
        let kprobe = |symbol, offset, ret| Attach::Kprobe { symbol, offset, ret };
        assert_eq!(attach_of("kprobe/a.isra.0"), kprobe("a.isra.0", 0, false));
        assert_eq!(attach_of("kprobe/f+12"), kprobe("f", 12, false));
        assert_eq!(attach_of("kretprobe/f"), kprobe("f", 0, true));
    }

    #[test]
    fn names_that_are_not() {
        assert_eq!(attach_of("syscall"), Attach::None);
        for name in ["kprobe", "tp_btf/x", "fentry.s/x", "perf_event", "xdp", "uprobe//bin/sh:main"] {
            assert_eq!(attach_of(name), Attach::Other { section: name });
        }
        let s = parse("fentry.s/x").unwrap();
        assert_eq!((s.prog_type, s.expected_attach_type, s.prog_flags), (26, 24, BPF_F_SLEEPABLE));
        assert_eq!(parse("xdp.frags/devmap").unwrap().prog_flags, BPF_F_XDP_HAS_FRAGS);
    }

    #[test]
    fn names_that_say_nothing() {
        for name in ["", "?", "prog", "kprobes/x", "xdp/other", "perf_event/x"] {
            assert_eq!(parse(name), Err(UnknownSecName { section: name, kind_is_known: false }));
        }
        for name in ["kretprobe/f+4", "kprobe/", "kprobe/f+", "kprobe/f+x", "tp/sched", "tp/a/b/c", "raw_tp/"]
        {
            assert_eq!(parse(name), Err(UnknownSecName { section: name, kind_is_known: true }));
        }
    }
}
