//! tcpconnect: connections with known addresses and ports over the loopback device, as events and as counts.
//!
//! The driver gives that device the addresses. Nobody listens: the kernel's function returns before the answer comes.

use super::output::{Output, same};
use super::{Case, Checked};
use serde_json::{Value, json};

const CONNECT: &str = r#"
    sh -c 'echo v4=$$; exec /bin/nc 10.7.0.2 7417 </dev/null'
    sh -c 'echo v6=$$; exec /bin/nc fd00:9::9 7418 </dev/null' & six=$!
    usleep 300000
    kill $six
"#;

pub(super) const CASES: &[Case] = &[
    Case {
        tool: "tcpconnect",
        name: "tcpconnect",
        sets: &[],
        prepare: "",
        work: CONNECT,
        clean: "",
        check: events,
    },
    Case {
        tool: "tcpconnect",
        name: "tcpconnect_count",
        sets: &["do_count=true"],
        prepare: "",
        work: CONNECT,
        clean: "",
        check: counts,
    },
];

/// The driver leaves no other local port.
const LPORT: u16 = 40417;

fn events(output: &Output) -> Checked {
    let connected = |which: &str, af: u32, from: &str, to: &str, dport: u16| -> Checked {
        let pid = output.fact(which)?;
        same(
            output.one("pid", pid)?,
            &json!({"saddr": from, "daddr": to, "task": "nc", "ts_us": Value::Null, "af": af, "pid": pid, "uid": 0,
                "lport": LPORT, "dport": dport}),
        )
    };
    connected("v4", 2, "10.7.0.1", "10.7.0.2", 7417)?;
    connected("v6", 10, "fd00::1", "fd00:9::9", 7418)
}

fn counts(output: &Output) -> Checked {
    output.fact("v4").and(output.fact("v6"))?;
    if let Some(event) = output.events.first() {
        return Err(format!("an event where connections are counted: {event:?}"));
    }
    let counted = |name: &str, key: Value| -> Checked {
        match output.result(name).collect::<Vec<_>>().as_slice() {
            [line] => same(line, &json!({"result": name, "key": key, "value": 1})),
            lines => Err(format!("{} flows in {name}, not 1: {lines:?}", lines.len())),
        }
    };
    counted("ipv4_count", json!({"saddr": "10.7.0.1", "daddr": "10.7.0.2", "sport": LPORT, "dport": 7417}))?;
    let from = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let to = [0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    counted("ipv6_count", json!({"saddr": from, "daddr": to, "sport": LPORT, "dport": 7418}))
}
