//! Programs of Debian's xdp-tools at work, on the boot of the table: xdp_drop and xdp_pass, and xdp-filter, whose map says which
//! datagrams are dropped; counted by its own maps.

use super::list::Listed;
use crate::tools::output::Output;
use crate::tools::script::READY;
use std::collections::BTreeMap;
use std::fmt::Write;

const SHELL: &str = include_str!("packets.sh");

/// What the board must say: names and values.
type Facts = &'static [(&'static str, &'static str)];

/// What is done, the ends of the objects' names, and what the board must say of each.
const RUNS: [(&str, &str, Facts); 3] = [
    ("pings", "/xdp_drop.o", &[("with", "0"), ("gone", "3"), ("left", "0")]),
    ("pings", "/xdp_pass.o", &[("with", "3"), ("gone", "3"), ("left", "0")]),
    (
        "filter",
        "/xdpfilt_alw_udp.o",
        &[
            ("before", "3"),
            ("dropped", "0"),
            ("passed", "3"),
            // 10 says destination and UDP, and hits count from bit 6 on; the sum over the two CPUs
            ("filter_ports.24862", "212"),
            ("gone", "3"),
            ("left", "0"),
        ],
    ),
];
/// Where xdp-filter counts what it dropped: packets and bytes of XDP_DROP.
const DROPPED: &str = "xdp_stats_map.1";

/// The number and name of each object that is run.
fn found(objects: &[Listed]) -> impl Iterator<Item = (usize, &'static str, Facts)> {
    RUNS.iter().filter_map(|&(run, end, facts)| {
        let number = objects.iter().position(|object| object.name.ends_with(end))?;
        Some((number, run, facts))
    })
}

/// The board's script behind the table's, where the list has all of the objects.
pub(super) fn script(objects: &[Listed]) -> String {
    let mut text = String::new();
    if found(objects).count() == RUNS.len() {
        let _ = writeln!(text, "READY='{READY}'\n{SHELL}");
        for (number, run, _) in found(objects) {
            let _ = writeln!(text, "{run} packets.{number} /corelet/{number}.pack");
        }
    }
    text
}

/// What is not as it must be, and how many runs are.
pub(super) fn judge(objects: &[Listed], outputs: &BTreeMap<&str, &Output>) -> (Vec<String>, usize) {
    let (mut failures, mut right) = (Vec::new(), 0);
    if found(objects).count() < RUNS.len() {
        return (failures, right);
    }
    for (number, run, facts) in found(objects) {
        let name = &objects[number].name;
        let Some(output) = outputs.get(format!("packets.{number}").as_str()) else {
            failures.push(format!("{name}: the board says nothing of its packets"));
            continue;
        };
        let said = |fact: &str| output.facts.get(fact).map_or("", String::as_str);
        let wrong = facts.iter().find(|&&(fact, value)| said(fact) != value);
        let counted = run != "filter" || said(DROPPED).starts_with("3 ");
        match wrong {
            None if counted && output.rc == Some(0) => right += 1,
            _ => failures.push(format!("{name}: {run}: {:?}: {}", output.facts, output.errors.join(" | "))),
        }
    }
    (failures, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_too_many_is_a_failure() {
        let names = RUNS.map(|(_, end, _)| format!("p{end}"));
        let objects = names.map(|name| Listed { name, ..Listed::default() });
        assert_eq!(script(&objects).matches("\npings packets.").count(), 2);
        let outputs: Vec<Output> = RUNS
            .iter()
            .map(|(_, _, facts)| {
                let mut output = Output { rc: Some(0), ..Output::default() };
                output.facts.extend(facts.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())));
                output.facts.insert(DROPPED.to_owned(), "3 129".to_owned());
                output
            })
            .collect();
        let labels: Vec<String> = (0..RUNS.len()).map(|n| format!("packets.{n}")).collect();
        let mut all: BTreeMap<&str, &Output> = labels.iter().map(String::as_str).zip(&outputs).collect();
        assert_eq!(judge(&objects, &all), (vec![], 3));
        let mut wrong = outputs[2].clone();
        wrong.facts.insert("dropped".to_owned(), "1".to_owned());
        all.insert("packets.2", &wrong);
        assert_eq!(judge(&objects, &all).1, 2);
        assert_eq!(judge(&objects[..2], &all), (vec![], 0));
    }
}
