//! The kinds: which programs, what the process does, and how often each counter must have counted.

use crate::oracle::maps::EVERY_TYPE;
use std::ops::RangeInclusive;

const PLACES: (&str, &[u8]) = ("places", include_bytes!("../places.bpf.o"));

const STORES: (&str, &[u8]) = ("stores", include_bytes!("../stores.bpf.o"));
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
const REDIRECT: (&str, &[u8]) = ("redirect", include_bytes!("../redirect.bpf.o"));
/// The counters of `redirect.bpf.c`.
const REDIRECTED: [&str; 6] = ["KEPT", "STREAM", "STREAM_MOVED", "MESSAGE", "MESSAGE_MOVED", "CHOSEN"];
pub(super) const CONGESTION: (&str, &[u8]) = ("congestion", include_bytes!("../congestion.bpf.o"));

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
pub(in crate::attach) struct Kind {
    pub(in crate::attach) name: &'static str,
    pub(super) object: (&'static str, &'static [u8]),
    pub(super) counters: &'static [&'static str],
    pub(super) programs: &'static [&'static str],
    /// The variable that they are in.
    pub(super) variable: &'static str,
    /// What the manifest says more.
    pub(super) more: &'static str,
    /// What the process does: `all`, `group`, `redirect` or `choose`.
    pub(super) work: &'static str,
    /// What the process says, where it says something: lines.
    pub(super) says: &'static [&'static str],
    /// Options of the loader.
    pub(super) options: &'static str,
    /// Counters and how often each must have counted.
    pub(super) hits: &'static [(&'static str, RangeInclusive<i64>)],
    /// Exit code and words, where it must be refused.
    pub(super) refused: Option<(i32, &'static str)>,
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
pub(super) const KINDS: &[Kind] = &[
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
