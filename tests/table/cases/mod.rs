//! The known work of each tool: the nine of [`crate::tools`], which have theirs there, and the others here.

mod ask;
mod disks;
mod network;
mod system;

use crate::tools::{self, Case};

/// What cannot happen on a board, and why.
const NOT_EXERCISED: &[(&str, &str)] =
    &[("cpufreq", "emulated CPUs have one frequency"), ("llcstat", "emulated CPUs count no cache misses")];

/// The others, by group.
const CASES: &[&[Case]] = &[disks::CASES, network::CASES, system::CASES];

/// What a case changes. By itself it does nothing and looks at nothing: for the tools of [`NOT_EXERCISED`], which are attached all
/// the same.
const CASE: Case =
    Case { tool: "", name: "nothing", sets: &[], prepare: "", work: "", clean: "", check: |_| Ok(()) };

/// The work of a tool.
pub(super) fn case(tool: &str) -> &'static Case {
    let here = CASES.iter().flat_map(|cases| cases.iter()).find(|case| case.tool == tool);
    here.or(tools::cases(tool).first()).unwrap_or(&CASE)
}

/// Why no work is done for a tool.
pub(super) fn not_exercised(tool: &str) -> Option<&'static str> {
    let listed = NOT_EXERCISED.iter().find(|(name, _)| *name == tool).map(|(_, why)| *why);
    listed.or_else(|| (case(tool).name == CASE.name).then_some("no work is written for it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::output::Output;

    #[test]
    fn the_57_tools_have_work_or_a_reason_and_no_check_passes_on_nothing() {
        let mut tools: Vec<&str> =
            CASES.iter().flat_map(|cases| cases.iter()).map(|case| case.tool).collect();
        assert!(tools.iter().all(|tool| case(tool).name == *tool), "shell functions are called by the name");
        tools.extend(tools::tools());
        tools.extend(NOT_EXERCISED.iter().map(|(tool, _)| *tool));
        tools.sort_unstable();
        let all = tools.len();
        tools.dedup();
        assert_eq!((all, tools.len()), (57, 57), "{tools:?}");
        for case in CASES.iter().flat_map(|cases| cases.iter()) {
            let facts = ["pid", "done", "dev", "absent", "victim", "client", "server", "futex", "count"];
            let facts = facts.map(|fact| (fact.to_owned(), "1".to_owned())).into();
            assert!((case.check)(&Output { facts, ..Output::default() }).is_err(), "{}", case.tool);
        }
    }
}
