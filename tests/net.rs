//! Every way of attaching to network devices on a board: echoes come from another network namespace, those of one content are dropped
//! and all are counted; when the programs are gone all echoes pass again. What a kernel cannot do is refused in words.

mod lwt;

use crate::tools::output::{self, Output};
use crate::tools::script::{MARK, READY};
use anyhow::{Context, Result};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, Quiet, RUN, busybox_static};
use corelet_core::object::Object;
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use corelet_host_tools::relocate::type_count;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

/// `net.bpf.c` is its source.
const OBJECT: &[u8] = include_bytes!("net/net.bpf.o");
const DRIVER: &str = include_str!("net/driver.sh");

/// The modules that the kernels of the boards have these devices, filters and actions in.
const MODULES: [&str; 5] = ["veth", "sch_ingress", "cls_bpf", "cls_matchall", "act_bpf"];

/// The counters, by their place in `hits`: `enum counter` of `net.bpf.c`.
const COUNTERS: [&str; 24] = [
    "XDP_SEEN",
    "XDP_DROPPED",
    "FRAGS_SEEN",
    "FRAGS_DROPPED",
    "TC_SEEN",
    "TC_DROPPED",
    "TCX_IN_SEEN",
    "TCX_IN_DROPPED",
    "TCX_OUT_SEEN",
    "TCX_OUT_DROPPED",
    "ACTION_SEEN",
    "ACTION_DROPPED",
    "PRIMARY_SEEN",
    "PRIMARY_DROPPED",
    "PEER_SEEN",
    "PEER_DROPPED",
    "FILTER_SEEN",
    "FILTER_DROPPED",
    "DEVMAP_SEEN",
    "DEVMAP_DROPPED",
    "CPUMAP_SEEN",
    "CPUMAP_DROPPED",
    "OTHER_SEEN",
    "OTHER_DROPPED",
];

/// A pack: the program that is attached, and where.
struct Way {
    name: &'static str,
    program: &'static str,
    place: &'static str,
    /// Another program that is loaded, and what the manifest says more.
    more: (&'static str, &'static str),
    /// Which counters.
    counter: &'static str,
    /// The device is the netkit pair.
    netkit: bool,
    /// Whether echoes come back while it runs.
    passes: bool,
    /// The first Linux that has it: major and minor.
    since: (u32, u32),
}

const fn way(name: &'static str, program: &'static str, place: &'static str, counter: &'static str) -> Way {
    Way { name, program, place, more: ("", ""), counter, netkit: false, passes: true, since: (5, 10) }
}

const WAYS: &[Way] = &[
    way("native", "xdp_main", "veth0,native", "XDP"),
    way("generic", "xdp_main", "veth0,generic", "XDP"),
    way("netlink", "xdp_main", "veth0,netlink", "XDP"),
    way("other", "xdp_other", "veth0", "OTHER"),
    way("replace", "xdp_main", "veth0,generic,replace", "XDP"),
    Way { since: (5, 18), ..way("frags", "xdp_frags", "veth0,native", "FRAGS") },
    way("tc", "tc_main", "veth0,ingress", "TC"),
    way("clsact", "tc_main", "veth0,egress,netlink", "TC"),
    way("prio", "tc_main", "veth0,ingress,prio=7", "TC"),
    way("tcx-in", "tcx_in", "veth0", "TCX_IN"),
    way("tcx-out", "tcx_out", "veth0", "TCX_OUT"),
    Way { since: (6, 6), ..way("tcx-first", "tcx_in", "veth0,first", "TCX_IN") },
    way("action", "act", "veth0,ingress", "ACTION"),
    Way { netkit: true, since: (6, 7), ..way("primary", "primary", "nk1", "PRIMARY") },
    Way { netkit: true, since: (6, 7), ..way("peer", "peer", "nk1", "PEER") },
    Way { since: (6, 4), ..way("netfilter", "filter", "ipv4,input,prio=-10", "FILTER") },
    Way {
        more: (
            "on_device",
            "[maps.devices]\nvalues = [{ key = 1, interface = \"veth0\", program = \"on_device\" }]\n",
        ),
        passes: false,
        ..way("devmap", "to_device", "veth0,generic", "DEVMAP")
    },
    Way {
        more: ("on_cpu", "[maps.cpus]\nvalues = [{ key = 0, size = 64, program = \"on_cpu\" }]\n"),
        ..way("cpumap", "to_cpu", "veth0,native", "CPUMAP")
    },
    // attached by none of these names
    way("anywhere", "xdp_main", "", "XDP"),
];

/// What must be refused: a name, the pack, the loader's options, its exit code, words of it, and since which Linux.
type Refused = (&'static str, &'static str, &'static str, i32, &'static str, (u32, u32));

const REFUSED: &[Refused] = &[
    ("nowhere", "anywhere", "", 2, "say --interface IF, or --attach xdp_main=IF", (5, 10)),
    ("missing", "anywhere", "--interface eth9", 4, "there is no interface eth9 here", (5, 10)),
    (
        "offload",
        "anywhere",
        "--attach xdp_main=veth0,offload",
        1,
        "veth0 runs no programs in its hardware",
        (5, 10),
    ),
    ("words", "anywhere", "--attach xdp_main=veth0,ingress", 2, "`ingress` cannot stand there", (5, 10)),
    (
        "direction",
        "tc",
        "--attach tc_main=veth0",
        2,
        "say a direction: veth0,ingress or veth0,egress",
        (5, 10),
    ),
    ("device", "peer", "--interface veth0", 1, "veth0 is no netkit device", (6, 7)),
    ("beside", "tc", "--attach tc_main=veth0,ingress,after=1", 1, "stand beside is not attached", (6, 6)),
    (
        "order",
        "tc",
        "--attach tc_main=veth0,ingress,first",
        1,
        "an order among programs came with tcx",
        (0, 0),
    ),
];

/// What a run of a board came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each pack.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
    /// Packs whose programs counted right.
    pub right: usize,
    /// Packs that were refused as they must be.
    pub refused: usize,
}

fn pack(way: &Way, kernel: &Opened, linux: (u32, u32)) -> Result<Vec<u8>> {
    let mut index = vec![0; type_count(OBJECT)?];
    let object = Object::parse(OBJECT, &mut index)?;
    let mut text = format!(
        "[[results]]\nname = \"hits\"\nvariable = \"hits\"\nhow = \"counters\"\nlabels = {COUNTERS:?}\n{}",
        way.more.1
    );
    for f in object.functions().filter(|f| f.entry) {
        if f.name == way.program {
            // a redirection in generic mode runs programs of the map since 5.15; native ones go to peers that take frames alone,
            // which later kernels look at first
            let old = way.name == "devmap" && linux < (5, 15);
            let place = if old { "veth0,native" } else { way.place };
            if !place.is_empty() {
                let _ = writeln!(text, "[programs.{}]\nplace = \"{place}\"", f.name);
            }
        } else if f.name != way.more.0 {
            let _ = writeln!(text, "[programs.{}]\ndisabled = true", f.name);
        }
    }
    let manifest = Manifest::parse(way.name, &text)?;
    let input = Input { name: "net".to_owned(), bytes: OBJECT.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        container(&build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

/// Major and minor of a release.
pub(crate) fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Runs all of it in one boot of `the_board`, whose kernel is `kernel`; with `token`, the program `corelet-token`, also by what is
/// delegated to a user namespace.
///
/// # Errors
/// What keeps the board from running; what the packs show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    (loader, token): (&[u8], Option<&[u8]>),
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let opened = Opened::packaged(kernel, &mut Quiet)?;
    let linux = version(&kernel.release).context("a kernel without a version")?;
    let mut outcome = Outcome::default();
    let mut script = format!("MARK='{MARK}'\nREADY='{READY}'\n{DRIVER}\nsetup\n");
    let mut files = vec![("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec())];
    let mut packed = Vec::new();
    for way in WAYS {
        match pack(way, &opened, linux) {
            Ok(_) if linux < way.since => {
                outcome.failures.push(format!("{}: packed for a kernel that cannot attach it", way.name));
            }
            Ok(bytes) => {
                files.push((format!("corelet/{}.pack", way.name), 0o644, bytes));
                packed.push(way);
            }
            Err(e) => {
                let said = format!("{e:#}");
                let expected = linux < way.since && said.contains("came with Linux");
                if expected {
                    outcome.refused += 1;
                } else {
                    outcome.failures.push(format!("{}: {said}", way.name));
                }
                outcome.lines.push(format!("{}: refused on the PC: {said}", way.name));
            }
        }
    }
    for way in packed.iter().filter(|way| !way.place.is_empty()) {
        let address = if way.netkit { "10.8.0.1" } else { "10.9.0.1" };
        let _ = writeln!(script, "one {0} {address} /corelet/{0}.pack", way.name);
    }
    script.push_str("one anywhere 10.9.0.1 /corelet/anywhere.pack --interface veth0\n");
    let refusals: Vec<_> =
        REFUSED.iter().filter(|r| if r.5 == (0, 0) { linux < (6, 6) } else { linux >= r.5 }).collect();
    for (name, pack, options, ..) in &refusals {
        let _ = writeln!(script, "refused {name} /corelet/{pack}.pack {options}");
    }
    let service = if linux >= (6, 6) { ["native", "tcx-in"] } else { ["native", "native"] };
    let _ = writeln!(script, "busy busy /corelet/native.pack /corelet/other.pack");
    for pack in ["netlink", "clsact"] {
        let _ = writeln!(script, "killed killed-{pack} /corelet/{pack}.pack");
    }
    let _ = writeln!(script, "service service-xdp /corelet/{}.pack", service[0]);
    let _ = writeln!(script, "service service-tc /corelet/{}.pack", service[1]);
    for pack in ["native", "tc", "netlink", "clsact"] {
        let _ = writeln!(script, "follow follow-{pack} /corelet/{pack}.pack");
    }
    let _ = writeln!(script, "{}\nlwt", lwt::DRIVER);
    files.extend(lwt::files(the_board, &opened, progress)?);
    if let Some(token) = token {
        files.push(("corelet/corelet-token".to_owned(), 0o755, token.to_vec()));
        // BPF_PROG_TYPE_XDP is 6, BPF_PROG_TYPE_SCHED_CLS 3
        script.push_str(
            "token token /corelet/anywhere.pack 0x40\ntoken not-delegated /corelet/anywhere.pack 0x8\n",
        );
    }
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let initramfs = Initramfs {
        busybox: busybox_static(the_board, progress)?,
        modules_folder: Some(kernel.modules(progress)?),
        modules: MODULES.map(str::to_owned).into(),
        files,
    };
    let mut boot = Boot::new(the_board, kernel.image.clone(), initramfs.build()?);
    boot.deadline = Duration::from_secs(600);
    progress.step(&format!("booting {} for {} ways of attaching to devices", the_board.name, packed.len()));
    let lines = crate::tools::board::lines(&boot, on_line)?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    let mut judged = |name: &str, judge: &dyn Fn(&Output) -> Result<(), String>, refusal: bool| {
        let found = outputs.iter().find(|o| o.label == name);
        let verdict = found.ok_or_else(|| "the board said nothing of it".to_owned()).and_then(judge);
        let said = |o: &Output| o.errors.join(" | ");
        match verdict {
            Ok(()) if refusal => outcome.refused += 1,
            Ok(()) => outcome.right += 1,
            Err(ref why) => {
                outcome.failures.push(format!("{name}: {why}: {}", found.map(said).unwrap_or_default()))
            }
        }
        let what = verdict.map_or_else(|why| why, |()| "right".to_owned());
        outcome.lines.push(format!("{name}: {what}"));
    };
    for way in &packed {
        judged(way.name, &|o| counted(way, o), false);
    }
    for &&(name, _, _, code, words, _) in &refusals {
        judged(name, &|o| refused(o, code, words), true);
    }
    let there = "veth0 has the program";
    judged(
        "busy",
        &|o| refused(o, 5, there).and_then(|()| facts(o, &[("with_55", "3"), ("with_dd", "0")])),
        true,
    );
    for pack in ["killed-netlink", "killed-clsact"] {
        let left: &[_] = &[("killed", "0"), ("left", "1"), ("pins", "0")];
        judged(pack, &|o| said(o, "which a killed loader left").and_then(|()| facts(o, left)), false);
    }
    let pinned: &[_] = &[("links", "1"), ("with_55", "3"), ("with_dd", "0"), ("left", "1")];
    for name in ["service-xdp", "service-tc"] {
        judged(name, &|o| facts(o, pinned), false);
    }
    judged("lwt", &|o| lwt::judge(o), false);
    if token.is_some() {
        let counted = |o: &Output| {
            let counts = o.results.iter().find(|r| r.get("result").and_then(Value::as_str) == Some("hits"));
            let dropped = counts.and_then(|r| r["counters"]["XDP_DROPPED"].as_i64());
            facts(o, &[("with_55", "3"), ("with_dd", "0")])?;
            if o.rc == Some(0) && dropped == Some(3) {
                Ok(())
            } else {
                Err(format!("{:?}, {dropped:?} dropped", o.rc))
            }
        };
        judged("token", &counted, false);
        let lacks = "the token may lack delegate_cmds=0x20 (prog_load), delegate_progs=0x0000000000000040";
        judged(
            "not-delegated",
            &|o| refused(o, 4, lacks).and_then(|()| facts(o, &[("with_55", "3"), ("with_dd", "3")])),
            true,
        );
    }
    let again: &[_] = &[("with_55", "3"), ("with_dd", "0"), ("left", "1")];
    for name in ["follow-native", "follow-tc", "follow-netlink", "follow-clsact"] {
        judged(name, &|o| said(o, "veth0 is back: attached again").and_then(|()| facts(o, again)), false);
    }
    Ok(outcome)
}

fn said(output: &Output, words: &str) -> Result<(), String> {
    let found = output.errors.iter().any(|line| line.contains(words));
    if found && output.rc == Some(0) { Ok(()) } else { Err(format!("{:?}, and not `{words}`", output.rc)) }
}

fn facts(output: &Output, expected: &[(&str, &str)]) -> Result<(), String> {
    for &(name, value) in expected {
        if output.facts.get(name).map(String::as_str) != Some(value) {
            return Err(format!("{name} is not {value}: {:?}", output.facts));
        }
    }
    Ok(())
}

fn refused(output: &Output, code: i32, words: &str) -> Result<(), String> {
    let found = output.errors.iter().any(|line| line.contains(words));
    if found && output.rc == Some(code) { Ok(()) } else { Err(format!("{:?}, and not `{words}`", output.rc)) }
}

/// Whether the programs counted what they must, dropped what they must, and are gone.
fn counted(way: &Way, output: &Output) -> Result<(), String> {
    if output.rc != Some(0) {
        return Err(format!("exit code {:?}", output.rc));
    }
    let passes = if way.passes { "3" } else { "0" };
    facts(output, &[("with_55", passes), ("with_dd", "0"), ("left", "1")])?;
    let counts = output.results.iter().find(|r| r.get("result").and_then(Value::as_str) == Some("hits"));
    let counts = counts.ok_or("no result")?;
    let count = |name: &str| counts["counters"].get(name).and_then(Value::as_i64).unwrap_or(-1);
    for name in COUNTERS {
        let own = name.strip_prefix(way.counter).filter(|rest| matches!(*rest, "_SEEN" | "_DROPPED"));
        let expected = match own {
            Some("_SEEN") => 6,
            Some(_) => 3,
            None => 0,
        };
        if count(name) != expected {
            return Err(format!("{name} is {}, not {expected}", count(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::pack::{Attach, DeviceValue, Program, Records, section};
    use corelet_host_tools::pack::{Section, object_sections};

    fn sections(more: &str) -> Result<Vec<Section>> {
        let manifest = Manifest::parse("net.toml", more)?;
        object_sections(&Input { name: "net".to_owned(), bytes: OBJECT.to_vec(), manifest })
    }

    fn find(sections: &[Section], id: u16) -> &[u8] {
        &sections.iter().find(|s| s.id == id).unwrap().bytes
    }

    #[test]
    fn the_manifest_names_places() {
        let text = "[programs.xdp_main]\nplace = [\"eth0\", \"eth1,generic\"]\n[programs.filter]\nplace = \"ipv6,output\"\n";
        let all = sections(text).unwrap();
        let programs: Records<'_, Program<'_>> =
            Records::new(find(&all, section::PROGRAMS), section::PROGRAMS);
        let mut places = Vec::new();
        for program in programs {
            if let Attach::Device { place } = program.unwrap().attach {
                places.push(place);
            }
        }
        assert_eq!(places.iter().filter(|p| p.is_empty()).count(), 10);
        places.retain(|p| !p.is_empty());
        assert_eq!(places, ["eth0", "eth1,generic", "ipv6,output"]);
    }

    #[test]
    fn the_manifest_fills_maps_of_devices_and_cpus() {
        let text = "[maps.devices]\nvalues = [{ key = 1, interface = \"eth0\", program = \"on_device\" }, { key = 0, interface = \"lo\" }]\n\
                    [maps.cpus]\nvalues = [{ key = 3, size = 64, program = \"on_cpu\" }]\n";
        let all = sections(text).unwrap();
        let bytes = find(&all, section::DEVICE_VALUES);
        let values: Vec<DeviceValue<'_>> =
            Records::new(bytes, section::DEVICE_VALUES).collect::<Result<_, _>>().unwrap();
        let programs = Records::<Program<'_>>::new(find(&all, section::PROGRAMS), section::PROGRAMS);
        let names: Vec<_> = programs.map(|p| p.unwrap().name).collect();
        let said: Vec<_> = values
            .iter()
            .map(|v| (v.key, v.interface, v.size, v.program.checked_sub(1).map(|p| names[usize::from(p)])))
            .collect();
        // maps by their names
        assert_eq!(
            said,
            [(3, "", 64, Some("on_cpu")), (1, "eth0", 0, Some("on_device")), (0, "lo", 0, None)]
        );
        assert_ne!(values[0].map, values[1].map);
    }

    #[test]
    fn what_cannot_stand_there_is_said() {
        for (text, why) in [
            (
                "[programs.xdp_main]\nplace = \"eth0,ingress\"\n",
                "`ingress` cannot stand there; it is IF[,generic|native|offload]",
            ),
            (
                "[programs.filter]\nplace = \"eth0\"\n",
                "`eth0` cannot stand there; it is ipv4|ipv6,prerouting",
            ),
            (
                "[programs.on_device]\nplace = \"eth0\"\n",
                "network devices and netfilter, this is SEC(\"xdp/devmap\")",
            ),
            ("[programs.xdp_main]\nplace = []\n", "an empty list"),
            ("[maps.devices]\nvalues = [{ key = 0 }]\n", "give one of them"),
            (
                "[maps.devices]\nvalues = [{ key = 0, interface = \"a b\" }]\n",
                "`a b`: no name of an interface",
            ),
            ("[maps.devices]\nvalues = [{ key = 0, size = 1 }]\n", "such a map holds `interface`"),
            ("[maps.cpus]\nvalues = [{ key = 0, interface = \"eth0\" }]\n", "such a map holds `size`"),
            (
                "[maps.cpus]\nvalues = [{ key = 0, size = 1, program = \"on_device\" }]\n",
                "no SEC(\"xdp/cpumap\") program `on_device`",
            ),
        ] {
            let said = format!("{:#}", sections(text).map(drop).unwrap_err());
            assert!(said.contains(why), "{text}\n{said}\ninstead of\n{why}");
        }
    }
}
