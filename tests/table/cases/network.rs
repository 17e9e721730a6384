//! Tools of sockets: one connection with known ends and contents over the loopback device, to a listener of busybox.
//!
//! Each tool has ports of its own: the driver leaves one local port, and a pair of ends is free again only after a minute.

use super::ask::Want::{Is, Least, Number, Text};
use super::ask::{counted, some};
use super::{CASE, Case};

/// A listener on `$port`, and a client that sends it six bytes. `prepare` says the port.
const CONNECTION: &str = r#"
    # a listener whose own input ends would end the connection before it has heard anything
    mkfifo stay; exec 8<>stay
    sh -c 'echo server=$$; exec /bin/nc -l -p '$port' <&8 >/dev/null' & server=$!
    # 0A: LISTEN
    for try in $(seq 500); do
        grep -q "$(printf ':%04X .* 0A ' $port)" /proc/net/tcp /proc/net/tcp6 && break
        usleep 20000
    done
    # what comes with the connection itself passes the tracepoints of data
    (usleep 100000; echo hello) | sh -c 'echo client=$$; exec /bin/nc 10.7.0.2 '$port' >/dev/null'
    usleep 500000
    kill $server
    exec 8>&-
"#;

/// The driver leaves no other local port.
const LPORT: i64 = 40417;
const SENT: i64 = 6;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "bindsnoop",
        name: "bindsnoop",
        prepare: "port=7511",
        work: CONNECTION,
        check: |output| {
            let pid = Number(output.fact("server")?);
            some(output, 1, &[("task", Text("nc")), ("pid", pid), ("port", Number(7511)), ("ret", Number(0))])
        },
        ..CASE
    },
    Case {
        tool: "solisten",
        name: "solisten",
        prepare: "port=7512",
        work: CONNECTION,
        check: |output| {
            let pid = Number(output.fact("server")?);
            some(
                output,
                1,
                &[
                    ("task", Text("nc")),
                    ("pid", pid),
                    ("port", Number(7512)),
                    ("ret", Number(0)),
                    ("backlog", Least(1)),
                ],
            )
        },
        ..CASE
    },
    Case {
        tool: "tcpconnlat",
        name: "tcpconnlat",
        prepare: "port=7513",
        work: CONNECTION,
        check: |output| {
            let tgid = Number(output.fact("client")?);
            some(
                output,
                1,
                &[
                    ("comm", Text("nc")),
                    ("tgid", tgid),
                    ("dport", Number(7513)),
                    ("af", Is(2, "AF_INET")),
                    ("delta_us", Least(1)),
                ],
            )
        },
        ..CASE
    },
    Case {
        tool: "tcplife",
        name: "tcplife",
        prepare: "port=7514",
        work: CONNECTION,
        check: |output| {
            output.fact("client")?;
            let ends = [("sport", Number(LPORT)), ("dport", Number(7514))];
            // SYN and FIN count as a byte each
            some(
                output,
                1,
                &[&ends[..], &[("tx_b", Number(SENT + 2)), ("rx_b", Number(1)), ("span_us", Least(1))]]
                    .concat(),
            )
        },
        ..CASE
    },
    Case {
        tool: "tcppktlat",
        name: "tcppktlat",
        prepare: "port=7515",
        work: CONNECTION,
        check: |output| {
            let pid = Number(output.fact("server")?);
            some(
                output,
                1,
                &[
                    ("comm", Text("nc")),
                    ("pid", pid),
                    ("sport", Number(7515)),
                    ("dport", Number(LPORT)),
                    ("delta_us", Least(0)),
                ],
            )
        },
        ..CASE
    },
    Case {
        tool: "tcprtt",
        name: "tcprtt",
        prepare: "port=7516",
        work: CONNECTION,
        check: |output| output.fact("client").and_then(|_| counted(output, &[], 1, 100)),
        ..CASE
    },
    Case {
        tool: "tcpstates",
        name: "tcpstates",
        prepare: "port=7517",
        work: CONNECTION,
        check: |output| {
            output.fact("client")?;
            let ends = [("sport", Number(LPORT)), ("dport", Number(7517))];
            // of include/net/tcp_states.h
            for (old, new) in [((7, "CLOSE"), (2, "SYN_SENT")), ((2, "SYN_SENT"), (1, "ESTABLISHED"))] {
                let states = [("oldstate", Is(old.0, old.1)), ("newstate", Is(new.0, new.1))];
                some(output, 1, &[&states[..], if new.0 == 1 { &ends } else { &ends[1..] }].concat())?;
            }
            Ok(())
        },
        ..CASE
    },
    Case {
        tool: "tcpsynbl",
        name: "tcpsynbl",
        // the listener is of IPv6, whose function calls that of IPv4: each is probed
        prepare: "port=7518",
        work: CONNECTION,
        check: |output| output.fact("client").and_then(|_| counted(output, &[], 2, 2)),
        ..CASE
    },
    Case {
        tool: "tcptop",
        name: "tcptop",
        prepare: "port=7519",
        work: CONNECTION,
        check: |output| {
            let who =
                [("name", Text("nc")), ("pid", Number(output.fact("client")?)), ("dport", Number(7519))];
            some(output, 1, &[&who[..], &[("sent", Number(SENT)), ("received", Number(0))]].concat())
        },
        ..CASE
    },
    Case {
        tool: "tcptracer",
        name: "tcptracer",
        prepare: "port=7520",
        work: CONNECTION,
        check: |output| {
            let who =
                [("task", Text("nc")), ("pid", Number(output.fact("client")?)), ("dport", Number(7520))];
            some(output, 1, &[&who[..], &[("type", Is(0, "connect"))]].concat())?;
            let who =
                [("task", Text("nc")), ("pid", Number(output.fact("server")?)), ("sport", Number(7520))];
            some(output, 1, &[&who[..], &[("type", Is(1, "accept"))]].concat())
        },
        ..CASE
    },
];
