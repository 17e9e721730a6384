//! The board's script: `driver.sh`, the shell of the cases that are run, and the runs.

use super::Case;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What marks begin with. No line of a loader's begins so: they are `F`, `O` and `E`.
pub const MARK: &str = "@case";

/// The label of what the board says of itself, which is no run.
pub const BOARD: &str = "board";

/// What the loader says on standard error once everything is attached.
pub const READY: &str = "ready";

const DRIVER: &str = include_str!("driver.sh");

/// One run of a case with a pack.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What its output is found by: without spaces.
    pub label: &'a str,
    /// The case.
    pub case: &'a Case,
    /// The pack's path on the board.
    pub pack: &'a str,
    /// Path of a program that prints the events in the loader's place: `PROGRAM PACK SECONDS [OPTIONS]`, which ends when nothing has
    /// come for so long.
    pub program: Option<&'a str>,
}

/// The script of these runs, in this order.
pub fn script(runs: &[Run<'_>]) -> String {
    let mut text = functions(runs.iter().map(|run| run.case));
    for Run { label, case, pack, program } in runs {
        let program = program.unwrap_or_default();
        let _ = writeln!(text, "one '{label}' '{}' '{pack}' '{program}'", case.name);
    }
    text
}

/// The script without runs: what `one LABEL CASE PACK` calls.
pub fn functions<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let mut text = format!("MARK='{MARK}'\nREADY='{READY}'\nBOARD='{BOARD}'\n{DRIVER}");
    let mut written = BTreeSet::new();
    for case in cases.filter(|case| written.insert(case.name)) {
        let sets: String = case.sets.iter().map(|set| format!(" --set {set}")).collect();
        let sets = format!("sets=\"{}\"", sets.trim_start());
        let parts = [("prepare", case.prepare), ("sets", &sets), ("work", case.work), ("clean", case.clean)];
        for (part, shell) in parts {
            // `:` makes a function of one that has nothing to do.
            let _ = write!(text, "\n{part}_{}() {{\n:\n{}\n}}\n", case.name, shell.trim());
        }
    }
    text
}
