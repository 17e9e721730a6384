//! Programs of cgroups, network namespaces, maps of sockets and sockets on a board, beside a process that makes a known number of calls
//! (`tests/sockets`): each kind is judged by its count, and afterwards the kernel has no program left. What is not there is refused by
//! name.

use super::{Fate, RESULT};
use crate::oracle::maps::EVERY_TYPE;
use crate::tools::output::Output;
use anyhow::Result;
use corelet_core::object::Object;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use corelet_host_tools::relocate::type_count;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::RangeInclusive;

const DRIVER: &str = include_str!("places.sh");
const PLACES: (&str, &[u8]) = ("places", include_bytes!("places.bpf.o"));

const STORES: (&str, &[u8]) = ("stores", include_bytes!("stores.bpf.o"));
/// The counters of `stores.bpf.c`.
const STORED: [&str; 13] = [
    "CGROUP",
    "CGROUP_CPU",
    "SOCKET",
    "TIMER",
    "LOCK",
    "QUEUE",
    "STACK",
    "BLOOM",
    "TASK",
    "POINTER",
    "USER",
    "ARENA",
    "VARIABLE",
];
const REDIRECT: (&str, &[u8]) = ("redirect", include_bytes!("redirect.bpf.o"));
/// The counters of `redirect.bpf.c`.
const REDIRECTED: [&str; 6] = ["KEPT", "STREAM", "STREAM_MOVED", "MESSAGE", "MESSAGE_MOVED", "CHOSEN"];
const CONGESTION: (&str, &[u8]) = ("congestion", include_bytes!("congestion.bpf.o"));

/// The counters, by their place in `hits`: `enum kind` of `places.bpf.c`.
const COUNTERS: [&str; 38] = [
    "INGRESS",
    "EGRESS",
    "SKB",
    "SOCK_CREATE",
    "SOCK_RELEASE",
    "SOCK",
    "POST_BIND4",
    "POST_BIND6",
    "BIND4",
    "BIND6",
    "CONNECT4",
    "CONNECT6",
    "CONNECT_UNIX",
    "SENDMSG4",
    "SENDMSG6",
    "SENDMSG_UNIX",
    "RECVMSG4",
    "RECVMSG6",
    "RECVMSG_UNIX",
    "GETPEERNAME4",
    "GETPEERNAME6",
    "GETPEERNAME_UNIX",
    "GETSOCKNAME4",
    "GETSOCKNAME6",
    "GETSOCKNAME_UNIX",
    "SYSCTL",
    "GETSOCKOPT",
    "SETSOCKOPT",
    "DEV",
    "SOCKOPS",
    "HOOK",
    "LOOKUP",
    "DISSECTOR",
    "VERDICT",
    "PARSER",
    "MESSAGE",
    "FILTER",
    "REUSEPORT",
];

/// One pack and one run of it.
pub(super) struct Kind {
    pub(super) name: &'static str,
    object: (&'static str, &'static [u8]),
    counters: &'static [&'static str],
    programs: &'static [&'static str],
    /// The variable that they are in.
    variable: &'static str,
    /// What the manifest says more.
    more: &'static str,
    /// What the process does: `all`, `group`, `redirect` or `choose`.
    work: &'static str,
    /// What the process says, where it says something: lines.
    says: &'static [&'static str],
    /// Options of the loader.
    options: &'static str,
    /// Counters and how often each must have counted.
    hits: &'static [(&'static str, RangeInclusive<i64>)],
    /// Exit code and words, where it must be refused.
    refused: Option<(i32, &'static str)>,
}

const KIND: Kind = Kind {
    name: "",
    object: PLACES,
    counters: &COUNTERS,
    programs: &[],
    variable: "hits",
    more: "",
    work: "all",
    says: &[],
    options: "--cgroup /sys/fs/cgroup/corelet",
    hits: &[],
    refused: None,
};

const SOME: RangeInclusive<i64> = 1..=1_000_000;

const fn just(n: i64) -> RangeInclusive<i64> {
    n..=n
}

/// What the process does in `all`: of each family 4 sockets and one that is accepted, 2 binds, a connection of a byte, 3 datagrams;
/// a device opened, a sysctl read and written. TOMOYO asks for the name of a socket that listens, once more.
const KINDS: &[Kind] = &[
    Kind { name: "cgroup-skb", programs: &["skb"], hits: &[("SKB", just(3))], ..KIND },
    Kind {
        name: "cgroup",
        programs: &[
            "ingress",
            "egress",
            "sock_create",
            "sock_release",
            "sock",
            "post_bind4",
            "post_bind6",
            "bind4",
            "bind6",
            "connect4",
            "connect6",
            "connect_unix",
            "sendmsg4",
            "sendmsg6",
            "sendmsg_unix",
            "recvmsg4",
            "recvmsg6",
            "recvmsg_unix",
            "getpeername4",
            "getpeername6",
            "getpeername_unix",
            "getsockname4",
            "getsockname6",
            "getsockname_unix",
            "sysctl",
            "getsockopt",
            "setsockopt",
            "dev",
            "connections",
        ],
        hits: &[
            ("INGRESS", just(3)),
            ("EGRESS", just(3)),
            ("SOCK_CREATE", just(8)),
            ("SOCK_RELEASE", just(10)),
            ("SOCK", just(8)),
            ("POST_BIND4", just(2)),
            ("POST_BIND6", just(2)),
            ("BIND4", just(2)),
            ("BIND6", just(2)),
            ("CONNECT4", just(1)),
            ("CONNECT6", just(1)),
            ("CONNECT_UNIX", just(1)),
            ("SENDMSG4", just(3)),
            ("SENDMSG6", just(3)),
            ("SENDMSG_UNIX", just(3)),
            ("RECVMSG4", just(3)),
            ("RECVMSG6", just(3)),
            ("RECVMSG_UNIX", just(3)),
            ("GETPEERNAME4", just(1)),
            ("GETPEERNAME6", just(1)),
            ("GETPEERNAME_UNIX", just(1)),
            ("GETSOCKNAME4", 1..=2),
            ("GETSOCKNAME6", 1..=2),
            ("GETSOCKNAME_UNIX", 1..=2),
            ("SYSCTL", just(2)),
            ("GETSOCKOPT", just(3)),
            ("SETSOCKOPT", just(3)),
            ("DEV", just(1)),
            ("SOCKOPS", just(4)),
        ],
        ..KIND
    },
    Kind { name: "lsm_cgroup", programs: &["hook"], hits: &[("HOOK", just(6))], ..KIND },
    Kind {
        name: "cgroup-manifest",
        programs: &["egress", "connect4"],
        more: "[programs.egress]\nplace = \"/sys/fs/cgroup/corelet\"\n[programs.connect4]\nplace = \"/sys/fs/cgroup\"\n",
        options: "",
        hits: &[("EGRESS", just(3)), ("CONNECT4", just(1))],
        ..KIND
    },
    Kind {
        name: "netns",
        programs: &["lookup", "dissector"],
        options: "",
        hits: &[("LOOKUP", just(6)), ("DISSECTOR", 1..=1000)],
        ..KIND
    },
    Kind {
        name: "netns-named",
        programs: &["lookup"],
        options: "--netns /proc/1/ns/net",
        hits: &[("LOOKUP", just(6))],
        ..KIND
    },
    Kind {
        name: "sockets",
        programs: &["keep", "parser", "verdict", "message"],
        hits: &[("VERDICT", just(2)), ("PARSER", 2..=4), ("MESSAGE", just(2))],
        ..KIND
    },
    // each goes out and comes in
    Kind {
        name: "filter",
        programs: &["filter"],
        options: "--attach filter=lo",
        hits: &[("FILTER", just(6))],
        ..KIND
    },
    Kind { name: "filter-all", programs: &["filter"], options: "", hits: &[("FILTER", just(6))], ..KIND },
    Kind {
        name: "reuseport",
        programs: &["reuseport"],
        work: "group",
        options: "--attach reuseport=WORKER/3",
        hits: &[("REUSEPORT", just(10))],
        ..KIND
    },
    // of four bytes for one socket two come to another: `r` from the stream, `m` from the message
    Kind {
        name: "redirect",
        object: REDIRECT,
        counters: &REDIRECTED,
        programs: &["keep", "parser", "stream", "message"],
        work: "redirect",
        says: &["meant p", "other r", "other m", "meant q"],
        hits: &[
            ("KEPT", just(4)),
            ("STREAM", just(3)),
            ("STREAM_MOVED", just(1)),
            ("MESSAGE", just(4)),
            ("MESSAGE_MOVED", just(1)),
        ],
        ..KIND
    },
    Kind {
        name: "choose",
        object: REDIRECT,
        counters: &REDIRECTED,
        programs: &["choose"],
        work: "choose",
        options: "--attach choose=WORKER/3",
        says: &["first a", "first a", "second b", "second b", "second b"],
        hits: &[("CHOSEN", just(5))],
        ..KIND
    },
    // in use by the connections of IPv4 and IPv6: both ends of each begin with it
    Kind {
        name: "congestion",
        object: CONGESTION,
        counters: &["INIT", "AVOID", "RELEASED"],
        programs: &["begin", "released", "threshold", "avoid", "undo"],
        options: "",
        hits: &[("INIT", 2..=6), ("AVOID", 1..=20), ("RELEASED", 2..=6)],
        ..KIND
    },
    // two binds of each family, a connection of IPv4, four sockets of it and four of IPv6
    Kind {
        name: "stores",
        object: STORES,
        counters: &STORED,
        programs: &["storages", "socket", "values", "later", "pointers", "pages"],
        hits: &[
            ("CGROUP", just(1)),
            ("CGROUP_CPU", just(1)),
            ("SOCKET", just(8)),
            ("TIMER", just(1)),
            ("LOCK", just(2)),
            ("QUEUE", just(2)),
            ("STACK", just(2)),
            ("BLOOM", just(2)),
            ("TASK", just(1)),
            ("POINTER", just(5)),
            ("USER", just(6)),
            ("ARENA", just(6)),
            // 41 from the start
            ("VARIABLE", just(47)),
        ],
        ..KIND
    },
    // what holds other things from the start, and variables, found by a program at each switch of tasks
    Kind {
        name: "maps",
        object: ("maps", EVERY_TYPE),
        counters: &["OF_MAPS", "EMPTY", "HASH_OF_MAPS", "SYMBOL", "WEAK", "VARIABLES", "RETURNED", "CALLED"],
        programs: &["called", "holders", "callback"],
        variable: "checked",
        options: "",
        hits: &[
            ("OF_MAPS", SOME),
            ("EMPTY", SOME),
            ("HASH_OF_MAPS", SOME),
            ("SYMBOL", SOME),
            ("WEAK", SOME),
            ("VARIABLES", SOME),
            ("RETURNED", just(0)),
            ("CALLED", SOME),
        ],
        ..KIND
    },
    Kind {
        name: "no-place",
        programs: &["skb"],
        options: "",
        refused: Some((2, "nobody has said where: --attach skb=CGROUP, or --cgroup CGROUP for all programs")),
        ..KIND
    },
    Kind {
        name: "no-cgroup",
        programs: &["skb", "connect4"],
        options: "--attach skb=/sys/fs/cgroup/corelet --attach connect4=/sys/fs/cgroup/gone",
        refused: Some((4, "to /sys/fs/cgroup/gone: ENOENT; there is no such cgroup")),
        ..KIND
    },
    Kind {
        name: "plain-folder",
        programs: &["skb"],
        options: "--cgroup /tmp/plain",
        refused: Some((4, "to /tmp/plain: EBADF; that is no cgroup of version 2")),
        ..KIND
    },
    // a hierarchy of version 1 is no place for programs of cgroups: the kernel looks for version 2 alone
    Kind {
        name: "version-1",
        programs: &["skb"],
        options: "--cgroup /tmp/version1",
        refused: Some((4, "to /tmp/version1: EBADF; that is no cgroup of version 2")),
        ..KIND
    },
    Kind {
        name: "no-netns",
        programs: &["lookup"],
        options: "--netns /tmp/plain",
        refused: Some((4, "that is no network namespace")),
        ..KIND
    },
    Kind {
        name: "no-interface",
        programs: &["filter"],
        options: "--attach filter=eth9",
        refused: Some((4, "to eth9: ENOENT; there is no such interface")),
        ..KIND
    },
    Kind {
        name: "no-group",
        programs: &["reuseport"],
        options: "--attach reuseport=WORKER/0",
        refused: Some((4, "; that is no socket")),
        ..KIND
    },
    Kind {
        name: "no-process",
        programs: &["reuseport"],
        options: "--attach reuseport=4000000/3",
        refused: Some((4, "there is no such process")),
        ..KIND
    },
];

/// The packs' names.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

fn pack(kind: &Kind, kernel: &Opened) -> Result<Vec<u8>> {
    let (name, bytes) = kind.object;
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    let result = RESULT.replace("variable = \"hits\"", &format!("variable = \"{}\"", kind.variable));
    let mut text = format!("{result}\nlabels = {:?}\n{}", kind.counters, kind.more);
    for f in object.functions().filter(|f| f.entry && !kind.programs.contains(&f.name)) {
        let _ = writeln!(text, "[programs.{}]\ndisabled = true", f.name);
    }
    let manifest = Manifest::parse(kind.name, &text)?;
    let input = Input { name: name.to_owned(), bytes: bytes.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        container(&build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

/// The files and the script's lines for all kinds, and what the PC refused: name and words.
pub(super) fn prepare(
    kernel: &Opened,
    sockets: &[u8],
    files: &mut Vec<(String, u32, Vec<u8>)>,
    script: &mut String,
) -> (Vec<&'static Kind>, Vec<(&'static str, String)>) {
    files.push(("corelet/sockets".to_owned(), 0o755, sockets.to_vec()));
    let _ = writeln!(script, "{DRIVER}");
    let (mut packed, mut refused) = (Vec::new(), Vec::new());
    for kind in KINDS {
        match pack(kind, kernel) {
            Ok(bytes) => {
                files.push((format!("corelet/{}.pack", kind.name), 0o644, bytes));
                let _ = writeln!(
                    script,
                    "place {0} /corelet/{0}.pack {1} {2}",
                    kind.name, kind.work, kind.options
                );
                packed.push(kind);
            }
            Err(e) => refused.push((kind.name, format!("{e:#}"))),
        }
    }
    (packed, refused)
}

/// Why no map is made of a type that the kernels of boards have; the number of the type.
const NOT_MADE: [(u32, &str); 1] = [(34, "the loader makes no array of instructions")];

/// The kernel's types of maps in a line, each made by one of the runs or with the reason; `Err` for one that is neither.
pub(super) fn maps(types: &BTreeMap<String, u32>, outputs: &[Output]) -> Result<String, String> {
    let said = outputs.iter().filter_map(|o| o.facts.get("maps"));
    let made: BTreeSet<u32> = said.flat_map(|all| all.split(',').filter_map(|n| n.parse().ok())).collect();
    let mut by_number: Vec<(u32, &str)> = types.iter().map(|(name, n)| (*n, name.as_str())).collect();
    by_number.sort_unstable();
    // two that the kernel calls deprecated have their numbers twice
    by_number.dedup_by_key(|(number, _)| *number);
    let mut words = Vec::new();
    for (number, name) in by_number.into_iter().filter(|(number, _)| *number > 0) {
        let name = name.trim_start_matches("BPF_MAP_TYPE_").to_lowercase();
        let reason = NOT_MADE.iter().find(|(n, _)| *n == number);
        words.push(match (made.contains(&number), reason) {
            (true, None) => format!("{number} {name}: made"),
            (false, Some((_, why))) => format!("{number} {name}: no: {why}"),
            (made, _) => return Err(format!("map type {number} {name}: made: {made}")),
        });
    }
    Ok(format!("map types: {}", words.join("; ")))
}

/// Kinds that a board's kernel refuses, by board and kind, with its word: RISC-V's JIT compiler of 7.2 has no arenas.
const REFUSED: [(&str, &str, &str); 1] =
    [("qemu-riscv64", "stores", "map arena of type 33, 4 entries: EOPNOTSUPP")];

/// Whether all types of maps are made on a board: some kind that makes them is refused elsewhere.
pub(super) fn makes_all(board: &str) -> bool {
    REFUSED.iter().all(|(of, ..)| *of != board)
}

/// Whether the programs counted what they must, or were refused as they must be; and whether nothing is left in the kernel.
pub(super) fn judge(kind: &Kind, output: &Output, board: &str) -> Result<Fate, String> {
    let said = output.errors.join("\n");
    let left = output.fact("left")?;
    if left != 0 {
        return Err(format!("{left} programs are left in the kernel: {said}"));
    }
    let here = REFUSED.iter().find(|(of, name, _)| (*of, *name) == (board, kind.name));
    if let Some((code, words)) = here.map(|(.., word)| (1, *word)).or(kind.refused) {
        let right = output.rc == Some(code) && said.contains(words);
        return if right { Ok(Fate::Refused) } else { Err(format!("not refused: {:?}: {said}", output.rc)) };
    }
    if output.rc != Some(0) || output.fact("worked")? != 0 {
        return Err(format!("exit code {:?}: {said}", output.rc));
    }
    let heard = output.errors.iter().filter_map(|line| line.strip_prefix("work: "));
    if !heard.eq(kind.says.iter().copied()) {
        return Err(format!("the sockets got something else: {said}"));
    }
    if kind.name == "congestion" {
        let fact = |name: &str| output.facts.get(name).map_or("", String::as_str);
        let during = fact("registered");
        let registered = ["corelet_cc", "corelet_old"].map(|name| during.split(',').any(|n| n == name));
        if fact("congestion") != "corelet_cc" || registered != [true; 2] {
            return Err(format!("in use {}, registered {during}: {said}", fact("congestion")));
        }
    }
    if output.facts.get("available").is_none_or(|names| names.contains("corelet")) {
        return Err(format!("left registered: {:?}: {said}", output.facts.get("available")));
    }
    let counts = output.results.iter().find(|r| r.get("result").and_then(Value::as_str) == Some("hits"));
    let counts = counts.ok_or_else(|| format!("no result: {said}"))?;
    let count = |name: &str| counts["counters"].get(name).and_then(Value::as_i64).unwrap_or(-1);
    let wrong: Vec<String> = (kind.hits.iter())
        .filter(|(name, range)| !range.contains(&count(name)))
        .map(|(name, range)| format!("{name} is {}, not of {range:?}", count(name)))
        .collect();
    if wrong.is_empty() { Ok(Fate::Right) } else { Err(format!("{}: {said}", wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_struct_ops_are_read_as_the_object_has_them() {
        let (_, bytes) = CONGESTION;
        let mut index = vec![0; type_count(bytes).unwrap()];
        let object = Object::parse(bytes, &mut index).unwrap();
        let function = |index: u32| object.functions().nth(index as usize).unwrap().name;
        let maps = object.struct_ops().collect::<Result<Vec<_>, _>>().unwrap();
        let seen: Vec<_> = maps
            .iter()
            .map(|map| {
                let functions = object.struct_ops_functions(map).map(|f| f.map(|(at, f)| (at, function(f))));
                (map.name, map.link, functions.collect::<Result<Vec<_>, _>>().unwrap())
            })
            .collect();
        let some = vec![(24, "begin"), (40, "threshold"), (48, "avoid"), (56, "undo")];
        let all = [&some[..1], &[(32, "released")], &some[1..]].concat();
        assert_eq!(seen, [("corelet_old", false, some), ("corelet_cc", true, all)]);
        assert!(maps.iter().all(|map| map.data.len() == 64 && map.data.starts_with(b"corelet_")));
    }
}
