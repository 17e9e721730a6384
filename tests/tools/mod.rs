//! BCC's nine tools on a board: known work, and checks of what the loader prints about it.
//!
//! A [`Case`] runs one tool's pack with some settings beside some work, and says what must be in the output: pids, names,
//! paths, return values, counts. Checks are strict about every value that comes out of a relocated field, since they are
//! checked in turn: each offset of a pack's subset is shifted ([`mutants`]), and then some case of the tool must fail
//! (`survivors.toml` lists the shifts that no work can show). A tenth, [`ext4sync`], is of our own: its types are a module's. All runs of a board go into one boot ([`board`]); cases,
//! the board's script and checks are data and pure functions, so they are tested here on recorded output too.

pub mod board;
pub mod exceptions;
pub mod ext4sync;
pub mod mutants;
pub mod output;
pub mod script;
pub mod survivors;
#[cfg(test)]
mod tests;

mod biolatency;
mod execsnoop;
mod exitsnoop;
mod opensnoop;
mod runqslower;
mod sigsnoop;
mod syscount;
mod tcpconnect;
mod vfsstat;

use output::Output;

/// What a check says: the reason where the output is not what it must be.
pub type Checked = Result<(), String>;

/// One tool with known work.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The tool, as its manifest is called.
    pub tool: &'static str,
    /// The case: letters and underscores.
    pub name: &'static str,
    /// `VARIABLE=VALUE` for the loader's `--set`; the board's shell puts in what `prepare` assigned.
    pub sets: &'static [&'static str],
    /// Shell, before the loader starts.
    pub prepare: &'static str,
    /// Shell, once the programs are attached: a second or two. It prints facts, lines `name=value`.
    pub work: &'static str,
    /// Shell, after the loader's end.
    pub clean: &'static str,
    /// What must have come out.
    pub check: fn(&Output) -> Checked,
}

impl Case {
    /// Whether a run shows the tool at work: the loader ended well and printed what the work must cause.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub fn verdict(&self, output: &Output) -> Checked {
        if output.rc != Some(0) {
            return Err(format!("the loader ended with {:?}: {}", output.rc, output.errors.join(" / ")));
        }
        if output.lost > 0 {
            return Err(format!("{} events were lost", output.lost));
        }
        if let Some(line) = output.errors.iter().find(|line| line.contains("did not take the types")) {
            return Err(line.clone());
        }
        match output.unreadable.first() {
            Some(line) => Err(format!("not a JSON object: {line}")),
            None => (self.check)(output),
        }
    }
}

/// All cases, by tool.
pub const CASES: &[&[Case]] = &[
    biolatency::CASES,
    execsnoop::CASES,
    exitsnoop::CASES,
    opensnoop::CASES,
    runqslower::CASES,
    sigsnoop::CASES,
    syscount::CASES,
    tcpconnect::CASES,
    vfsstat::CASES,
];

/// The names of the tools, sorted.
pub fn tools() -> impl Iterator<Item = &'static str> {
    CASES.iter().filter_map(|cases| cases.first()).map(|case| case.tool)
}

/// The cases of a tool; none for a tool that is not known.
pub fn cases(tool: &str) -> &'static [Case] {
    CASES.iter().copied().find(|cases| cases.iter().any(|case| case.tool == tool)).unwrap_or(&[])
}
