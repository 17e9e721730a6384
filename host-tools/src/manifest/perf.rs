//! Counters that `perf` of a manifest names. Source: `enum perf_type_id` and the `perf_hw_id`, `perf_sw_ids` and
//! `perf_hw_cache_*_id` behind it, `include/uapi/linux/perf_event.h`: the constants' own names, in small letters.

use super::PerfEvent;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// By `PERF_TYPE_*`.
const KINDS: [(&str, u32); 4] = [("hardware", 0), ("software", 1), ("hw-cache", 3), ("raw", 4)];
/// By `PERF_COUNT_HW_*`.
const HARDWARE: [&str; 10] = [
    "cpu-cycles",
    "instructions",
    "cache-references",
    "cache-misses",
    "branch-instructions",
    "branch-misses",
    "bus-cycles",
    "stalled-cycles-frontend",
    "stalled-cycles-backend",
    "ref-cpu-cycles",
];
/// By `PERF_COUNT_SW_*`.
const SOFTWARE: [&str; 12] = [
    "cpu-clock",
    "task-clock",
    "page-faults",
    "context-switches",
    "cpu-migrations",
    "page-faults-min",
    "page-faults-maj",
    "alignment-faults",
    "emulation-faults",
    "dummy",
    "bpf-output",
    "cgroup-switches",
];
/// By `PERF_COUNT_HW_CACHE_*`: cache, operation, result.
const CACHES: [&str; 7] = ["l1d", "l1i", "ll", "dtlb", "itlb", "bpu", "node"];
const OPERATIONS: [&str; 3] = ["read", "write", "prefetch"];
const RESULTS: [&str; 2] = ["access", "miss"];

/// `perf = { … }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PerfTable {
    #[serde(rename = "type")]
    kind: String,
    config: Config,
    freq: Option<u64>,
    period: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a counter's name, such as \"cpu-clock\", or its number")]
enum Config {
    Number(u64),
    Name(String),
}

impl PerfTable {
    pub(super) fn check(self) -> Result<PerfEvent> {
        let names = || KINDS.map(|(name, _)| format!("\"{name}\"")).join(", ");
        let known = KINDS.iter().find(|(name, _)| *name == self.kind);
        let kind = known.with_context(|| format!("`type` is one of {}", names()))?.1;
        let config = match self.config {
            Config::Number(number) => number,
            Config::Name(name) => config(kind, &name)?,
        };
        let (sample, freq) = match (self.freq, self.period) {
            (Some(freq), None) => (freq, true),
            (None, Some(period)) => (period, false),
            _ => bail!("give `freq`, samples a second, or `period`, events to a sample"),
        };
        ensure!(sample > 0, "no samples at `freq` or `period` 0");
        Ok(PerfEvent { kind, config, sample, freq })
    }
}

/// `config` of a counter.
fn config(kind: u32, name: &str) -> Result<u64> {
    let place = |names: &[&str], name: &str| names.iter().position(|n| *n == name).map(|at| at as u64);
    match kind {
        0 => place(&HARDWARE, name)
            .with_context(|| format!("`{name}`: `config` is one of {}, or a number", HARDWARE.join(", "))),
        1 => place(&SOFTWARE, name)
            .with_context(|| format!("`{name}`: `config` is one of {}, or a number", SOFTWARE.join(", "))),
        3 => {
            let mut parts = name.split('-');
            let mut next = |names: &[&str]| parts.next().and_then(|part| place(names, part));
            let all = (next(&CACHES), next(&OPERATIONS), next(&RESULTS));
            match (all, parts.next()) {
                ((Some(cache), Some(operation), Some(result)), None) => {
                    Ok(cache | operation << 8 | result << 16)
                }
                _ => bail!(
                    "`{name}`: `config` is CACHE-OPERATION-RESULT of {}; {}; {}, such as \"ll-read-miss\", or a number",
                    CACHES.join(", "),
                    OPERATIONS.join(", "),
                    RESULTS.join(", ")
                ),
            }
        }
        _ => bail!("`{name}`: `config` of a raw event is a number"),
    }
}
