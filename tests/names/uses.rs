//! A scheduler of sched_ext and a HID device's events on the boards whose kernels have them, beside the names: what the kernel says of
//! them, and what becomes of reports, besides the programs' counters.

use super::SCHEDULER;
use crate::tools::output::Output;
use anyhow::{Context, Result, ensure};
use corelet_host_tools::cmd::target_arg::Opened;
use corelet_host_tools::kernel::Config;
use std::fmt::Write;

pub(super) const DRIVER: &str = include_str!("uses.sh");
const DEVICE: (&str, &[u8]) = ("hid", include_bytes!("hid.bpf.o"));
/// Modules of a HID device that a program in user space is.
pub(super) const MODULES: [(&str, &str); 3] =
    [("hid", "CONFIG_HID"), ("hid_generic", "CONFIG_HID_GENERIC"), ("uhid", "CONFIG_UHID")];

/// What a kernel has, by its configuration.
const USES: [(&str, &str); 2] = [("sched", "CONFIG_SCHED_CLASS_EXT"), ("hid", "CONFIG_HID_BPF")];

/// A HID report descriptor: three bytes of input of a vendor's own.
const DESCRIPTOR: [u8; 21] = [
    0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x02, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95,
    0x03, 0x81, 0x02, 0xc0,
];

/// `struct uhid_event` of `UHID_CREATE2`, as far as the kernel needs it: `include/uapi/linux/uhid.h`.
fn create() -> Vec<u8> {
    let mut event = 11u32.to_le_bytes().to_vec();
    // name, phys, uniq
    event.extend(b"corelet");
    event.resize(4 + 128 + 64 + 64, 0);
    let rd_size = DESCRIPTOR.len() as u16;
    // BUS_VIRTUAL
    event.extend([rd_size, 6].map(u16::to_le_bytes).as_flattened());
    // vendor, product, version, country
    event.extend([0x1209u32, 1, 0, 0].map(u32::to_le_bytes).as_flattened());
    event.extend(DESCRIPTOR);
    event
}

/// `UHID_INPUT2` of three bytes.
fn input(second: u8) -> Vec<u8> {
    let mut event = 12u32.to_le_bytes().to_vec();
    event.extend(3u16.to_le_bytes());
    event.extend([1, second, 7]);
    event
}

/// Packs and lines of the script for what the kernel has.
///
/// # Errors
/// Of packing.
pub(super) fn prepare(
    kernel: &Opened,
    config: &Config,
    files: &mut Vec<(String, u32, Vec<u8>)>,
    script: &mut String,
) -> Result<()> {
    let _ = writeln!(script, "{DRIVER}");
    for (name, option) in USES.iter().filter(|(_, option)| config.is_set(option)) {
        let (object, line) = if *name == "sched" { (SCHEDULER, "scheduler") } else { (DEVICE, "device") };
        files.push((format!("corelet/{name}.pack"), 0o644, super::pack_of(object, name, "", kernel)?));
        let _ = writeln!(script, "{line} # {option}");
    }
    for (name, bytes) in [("create", create()), ("55", input(0x55)), ("66", input(0x66))] {
        files.push((format!("corelet/uhid-{name}"), 0o644, bytes));
    }
    Ok(())
}

/// What was seen of each, a line each.
///
/// # Errors
/// Something is not as it must be, with what was said.
pub(super) fn judge(config: &Config, outputs: &[Output]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (name, option) in USES {
        if !config.is_set(option) {
            lines.push(format!("{name}: {option} is not set"));
            continue;
        }
        let output = outputs.iter().find(|o| o.label == name);
        let output = output.with_context(|| format!("{name}: the board said nothing of it"))?;
        let facts = |wanted: &[(&str, &str)]| {
            let all = wanted.iter().all(|(fact, value)| output.facts.get(*fact).is_some_and(|f| f == value));
            ensure!(
                all && output.rc == Some(0),
                "{name}: {:?}, {:?}: {:?}",
                output.rc,
                output.facts,
                output.errors
            );
            Ok(())
        };
        let counters = output.results.iter().find_map(|r| r.get("counters")?.as_object());
        let count = |name: &str| counts(counters, name);
        if name == "sched" {
            facts(&[("state", "enabled"), ("ops", "corelet"), ("after", "disabled")])?;
            // the loader itself and what runs beside it become ready again and again
            let seen = [count("0"), count("1"), count("2")];
            ensure!(seen[0] >= 20 && seen[1] == 1, "sched: {seen:?}");
            lines.push(format!("sched: enabled as `corelet`, asked {} times, disabled at the end", seen[0]));
        } else {
            let (plain, changed) = ("015507".repeat(3), "01aa07".repeat(3));
            let rest = "016607".repeat(2);
            facts(&[
                ("before", &format!("{plain}{rest}")),
                ("during", &format!("{changed}{rest}")),
                ("after", &format!("{plain}{rest}")),
            ])?;
            ensure!((count("0"), count("1")) == (5, 3), "hid: {counters:?}");
            lines.push(
                "hid: 3 of 5 reports changed before the driver saw them, none before and after".to_owned(),
            );
        }
    }
    Ok(lines)
}

fn counts(counters: Option<&serde_json::Map<String, serde_json::Value>>, name: &str) -> i64 {
    counters.and_then(|all| all.get(name)?.as_i64()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members' places in `include/uapi/linux/uhid.h`, counted by hand.
    #[test]
    fn events_of_uhid_have_their_form() {
        let event = create();
        assert_eq!(event.len(), 4 + 256 + 2 + 2 + 16 + 21);
        assert_eq!(event[260..264], [21, 0, 6, 0]);
        assert_eq!(event[280], DESCRIPTOR[0]);
        assert_eq!(input(0x55), [12, 0, 0, 0, 3, 0, 1, 0x55, 7]);
    }
}
