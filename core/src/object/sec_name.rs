//! What a program's section name, its SEC(), says of it: type, flags and what it is attached to.
//! Source: `sec_def_matches` and the `attach_…` functions that `section_defs` names, libbpf `src/libbpf.c`.

pub use super::sec_table::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS};
use super::sec_table::{Form, ROWS, Row};
use crate::pack::Attach;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{digit1, hex_digit1};
use nom::combinator::{all_consuming, map_res, opt};
use nom::sequence::{preceded, separated_pair, terminated};
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

/// Every name that is known, and whether more may follow it behind a `/`.
pub fn names() -> impl Iterator<Item = (&'static str, bool)> {
    ROWS.iter().map(|row| (row.0, !matches!(row.1, Form::Alone | Form::Device | Form::Exact | Form::At(_))))
}

/// The prefix that what a program of this `enum bpf_attach_type` attaches to has in the kernel's BTF, and whether it is a typedef
/// there and no function. Source: `btf_get_kernel_prefix_kind`, libbpf `src/libbpf.c`.
pub fn kernel_type(expected_attach_type: u32) -> (&'static str, bool) {
    match expected_attach_type {
        23 => ("btf_trace_", true),
        27 | 43 => ("bpf_lsm_", false),
        28 => ("bpf_iter_", false),
        _ => ("", false),
    }
}

/// What stands behind a row's name and the `/`; `None` where the row does not fit.
fn behind<'a>(row: &Row, name: &'a str) -> Option<Option<&'a str>> {
    let rest = name.strip_prefix(row.0)?;
    match (row.1, rest.strip_prefix('/')) {
        (_, None) if rest.is_empty() => Some(None),
        (Form::Alone | Form::Device | Form::Exact | Form::At(_), _) => None,
        (_, extra) => extra.map(Some),
    }
}

fn attach<'a>(row: &Row, name: &'a str, extra: Option<&'a str>) -> IResult<&'a str, Attach<'a>> {
    let other = Attach::Other { section: name };
    let Some(extra) = extra else {
        let attach = match row.1 {
            Form::Alone | Form::Member => Attach::None,
            Form::Device => Attach::Device { place: "" },
            Form::At(kind) => Attach::Place { kind, path: "", hook: "" },
            _ => other,
        };
        return Ok(("", attach));
    };
    match row.1 {
        Form::Alone | Form::Device | Form::Exact | Form::At(_) => Ok(("", other)),
        Form::Member => Ok(("", Attach::None)),
        Form::Hook(kind) => {
            all_consuming(symbol).map(|hook| Attach::Place { kind, path: "", hook }).parse(extra)
        }
        Form::Kprobe { ret: true } => {
            all_consuming(symbol).map(|symbol| Attach::Kprobe { symbol, offset: 0, ret: true }).parse(extra)
        }
        Form::Kprobe { ret: false } => all_consuming((symbol, offset))
            .map(|(symbol, offset)| Attach::Kprobe { symbol, offset, ret: false })
            .parse(extra),
        Form::KprobeMulti { ret } => {
            all_consuming(pattern).map(|pattern| Attach::KprobeMulti { pattern, ret }).parse(extra)
        }
        Form::Ksyscall { ret } => {
            all_consuming(symbol).map(|name| Attach::Ksyscall { name, ret }).parse(extra)
        }
        Form::Uprobe { ret } => all_consuming(separated_pair(path, tag(":"), in_file))
            .map(|(path, (symbol, offset))| Attach::Uprobe { path, symbol, offset, ret })
            .parse(extra),
        Form::UprobeMulti { ret } => all_consuming(separated_pair(path, tag(":"), is_not(":")))
            .map(|(path, symbol)| Attach::Uprobe { path, symbol, offset: 0, ret })
            .parse(extra),
        Form::Usdt => all_consuming((path, preceded(tag(":"), is_not(":")), preceded(tag(":"), is_not(":"))))
            .map(|(path, provider, name)| Attach::Usdt { path, provider, name })
            .parse(extra),
        Form::Tracepoint => all_consuming(separated_pair(is_not("/"), tag("/"), is_not("/")))
            .map(|(category, name)| Attach::Tracepoint { category, name })
            .parse(extra),
        Form::RawTracepoint => {
            all_consuming(is_not("/")).map(|name| Attach::RawTracepoint { name }).parse(extra)
        }
        Form::TraceMulti => {
            let one = all_consuming(symbol).map(|name| Attach::Trace { module: "", name });
            alt((one, all_consuming(pattern).map(|_| other))).parse(extra)
        }
        Form::Trace => all_consuming((opt(terminated(is_not(":"), tag(":"))), symbol))
            .map(|(module, name)| Attach::Trace { module: module.unwrap_or(""), name })
            .parse(extra),
    }
}

/// A kernel function, with the suffixes that compilers give it (`.isra.0`).
fn symbol(i: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.').parse(i)
}

/// Kernel functions, by `*` and `?`.
fn pattern(i: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '*' | '?')).parse(i)
}

/// A file; it cannot have a `:` in its name.
fn path(i: &str) -> IResult<&str, &str> {
    is_not(":").parse(i)
}

/// A place in a file: a symbol, which may be of C++ or Rust, and an offset; or an offset alone, which no symbol begins like.
fn in_file(i: &str) -> IResult<&str, (&str, u64)> {
    let offset = all_consuming(number).map(|offset| ("", offset));
    let symbol = is_not(":+").and(opt(preceded(tag("+"), number)));
    alt((offset, symbol.map(|(symbol, offset): (&str, _)| (symbol, offset.unwrap_or(0))))).parse(i)
}

/// Bytes behind a kernel function's start.
fn offset(i: &str) -> IResult<&str, u32> {
    let offset = opt(preceded(tag("+"), number));
    map_res(offset, |n: Option<u64>| n.unwrap_or(0).try_into()).parse(i)
}

/// A number in decimal, or in hexadecimal behind `0x`.
fn number(i: &str) -> IResult<&str, u64> {
    alt((
        map_res(preceded(tag("0x"), hex_digit1), |d| u64::from_str_radix(d, 16)),
        map_res(digit1, |d: &str| d.parse()),
    ))
    .parse(i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Place;
    use std::format;
    use std::string::ToString;

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
    fn several_functions_and_system_calls() {
        let multi = |pattern, ret| Attach::KprobeMulti { pattern, ret };
        assert_eq!(attach_of("kprobe.multi/tcp_*"), multi("tcp_*", false));
        assert_eq!(attach_of("kretprobe.multi/vfs_?ead"), multi("vfs_?ead", true));
        assert_eq!(attach_of("kprobe.session/vfs_read"), multi("vfs_read", false));
        assert_eq!(attach_of("ksyscall/openat"), Attach::Ksyscall { name: "openat", ret: false });
        assert_eq!(attach_of("kretsyscall/openat"), Attach::Ksyscall { name: "openat", ret: true });
    }

    #[test]
    fn names_in_the_kernels_types() {
        let trace = |module, name| Attach::Trace { module, name };
        let kinds = [
            "tp_btf", "fentry", "fexit.s", "fmod_ret", "fsession", "lsm", "lsm.s", "iter", "iter.s",
            "freplace",
        ];
        for kind in kinds {
            assert_eq!(attach_of(&format!("{kind}/task")), trace("", "task"), "{kind}");
        }
        assert_eq!(attach_of("fentry/ext4:ext4_sync_file"), trace("ext4", "ext4_sync_file"));
        assert_eq!(attach_of("fentry.multi.s/vfs_read"), trace("", "vfs_read"));
        let s = parse("fentry.s/x").unwrap();
        assert_eq!((s.prog_type, s.expected_attach_type, s.prog_flags), (26, 24, BPF_F_SLEEPABLE));
    }

    #[test]
    fn places_in_files() {
        let probe = |path, symbol, offset, ret| Attach::Uprobe { path, symbol, offset, ret };
        assert_eq!(attach_of("uretprobe//bin/bash:readline"), probe("/bin/bash", "readline", 0, true));
        assert_eq!(attach_of("uprobe/libc.so.6:malloc+0x10"), probe("libc.so.6", "malloc", 16, false));
        assert_eq!(attach_of("uprobe.s//bin/sh:0x1234"), probe("/bin/sh", "", 0x1234, false));
        assert_eq!(
            attach_of("uprobe//bin/x:_ZN1a1b17h$u20$E"),
            probe("/bin/x", "_ZN1a1b17h$u20$E", 0, false)
        );
        assert_eq!(attach_of("uprobe.multi//bin/sh:ev*"), probe("/bin/sh", "ev*", 0, false));
        assert_eq!(parse("uprobe.session/libc:a?").unwrap().expected_attach_type, 57);
        let usdt = Attach::Usdt { path: "libc.so.6", provider: "libc", name: "setjmp" };
        assert_eq!(attach_of("usdt/libc.so.6:libc:setjmp"), usdt);
    }

    #[test]
    fn places_that_others_name() {
        let place = |kind, hook| Attach::Place { kind, path: "", hook };
        let all = [
            ("cgroup/skb", place(Place::Cgroup, "")),
            ("cgroup/getsockname_unix", place(Place::Cgroup, "")),
            ("sockops", place(Place::Cgroup, "")),
            ("lsm_cgroup/socket_bind", place(Place::Cgroup, "socket_bind")),
            ("sk_lookup", place(Place::Netns, "")),
            ("sk_skb/stream_verdict", place(Place::SockMap, "")),
            ("socket", place(Place::Socket, "")),
            ("sk_reuseport/migrate", place(Place::Reuseport, "")),
            ("lirc_mode2", place(Place::Lirc, "")),
            ("struct_ops/ssthresh", Attach::None),
            ("struct_ops.s", Attach::None),
            ("lwt_xmit", Attach::None),
            // which of the three it is, is not said
            ("sk_skb", Attach::Other { section: "sk_skb" }),
        ];
        for (name, attach) in all {
            assert_eq!(attach_of(name), attach, "{name}");
        }
        assert!(parse("lsm_cgroup/a/b").is_err_and(|e| e.kind_is_known));
    }

    /// What a name's suffix says: `libbpf.c` writes it into each row, we too.
    #[test]
    fn all_names_are_there_and_their_flags_are_those_of_their_suffix() {
        assert_eq!(ROWS.len(), 116);
        for (at, Row(name, form, _, _, flags)) in ROWS.iter().enumerate() {
            assert!(!ROWS.iter().take(at).any(|row| row.0 == *name), "{name}");
            let fragments = name.starts_with("xdp.frags");
            let sleepable = name.ends_with(".s") || *name == "syscall";
            let expected =
                if fragments { BPF_F_XDP_HAS_FRAGS } else { u32::from(sleepable) * BPF_F_SLEEPABLE };
            assert_eq!(*flags, expected, "{name}");
            // a row that another hides is never taken
            let behind = if *form == Form::Tracepoint { "/a/b" } else { "/a:b:c" };
            for section in [name.to_string(), format!("{name}{behind}")] {
                let row = ROWS.iter().find(|row| super::behind(row, &section).is_some());
                assert!(row.is_none_or(|row| row.0 == *name), "{section}");
            }
        }
    }

    #[test]
    fn names_that_are_not() {
        assert_eq!(attach_of("syscall"), Attach::None);
        for name in ["kprobe", "fentry", "lsm_cgroup", "perf_event", "fentry.multi/vfs_*", "uprobe.s"] {
            assert_eq!(attach_of(name), Attach::Other { section: name });
        }
        let frags = parse("xdp.frags/devmap").unwrap();
        assert_eq!((frags.prog_flags, frags.attach), (BPF_F_XDP_HAS_FRAGS, Attach::None));
        for name in
            ["xdp", "xdp.frags", "tc", "classifier", "action", "tcx/egress", "netkit/peer", "netfilter"]
        {
            assert_eq!(attach_of(name), Attach::Device { place: "" });
        }
    }

    #[test]
    fn names_that_say_nothing() {
        for name in ["", "?", "prog", "kprobes/x", "xdp/other", "perf_event/x"] {
            assert_eq!(parse(name), Err(UnknownSecName { section: name, kind_is_known: false }));
        }
        let known = "kretprobe/f+4 kprobe/ kprobe/f+ kprobe/f+x kprobe/f+0x100000000 tp/sched tp/a/b/c raw_tp/ kprobe.multi/ \
                     kprobe.multi/a+1 ksyscall/a/b fentry/ fentry/a:b:c fentry/:b iter/a/b uprobe//bin/sh uprobe/:main \
                     uprobe//bin/sh: uprobe/a:f+ uprobe/a:f+1x usdt/a:b usdt/a:b: usdt/a::c usdt/a:b:c:d uprobe.multi/a";
        for name in known.split_ascii_whitespace() {
            assert_eq!(parse(name), Err(UnknownSecName { section: name, kind_is_known: true }));
        }
    }
}
