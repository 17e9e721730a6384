//! Runs steps one after the other and counts.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use corelet_host_tools::setup::Workspace;

use crate::context::Context;
use crate::steps::Step;

/// How a step that did not fail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds. The words, if any, say how it was shown, or give its figures.
    Passed(String),
    /// It could not be tried here, and why.
    #[allow(dead_code, reason = "each of the present steps can be tried on every machine")]
    Skipped(String),
}

/// All steps that ran, with their times.
pub(crate) struct Tally {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    verdict: Verdict,
    words: String,
    took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// How many lines of a failed step's log are printed; the file has all.
const SHOWN: usize = 200;

impl Tally {
    /// Runs the steps. One that fails does not stop the others.
    ///
    /// # Errors
    /// A target folder that cannot be written.
    pub(crate) fn of(steps: &[&'static Step], workspace: &Workspace) -> Result<Self> {
        let logs = workspace.target.join("verify");
        fs::create_dir_all(&logs)
            .with_context(|| format!("{}: cannot create this folder", logs.display()))?;
        let mut rows = Vec::new();
        for step in steps {
            println!("{}: {} …", step.name, step.what);
            let row = Row::of(step, workspace, &logs.join(format!("{}.log", step.name)))?;
            println!("{}: {} in {:.1} s", step.name, row.verdict, row.took.as_secs_f64());
            rows.push(row);
        }
        Ok(Self { rows })
    }

    /// Whether no step failed.
    pub(crate) fn is_good(&self) -> bool {
        self.count(Verdict::Failed) == 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }
}

impl Row {
    fn of(step: &Step, workspace: &Workspace, log: &Path) -> Result<Self> {
        let mut context = Context::new(workspace, log)?;
        let since = Instant::now();
        let ended = (step.run)(&mut context);
        let took = since.elapsed();
        let (verdict, words) = match ended {
            Ok(Outcome::Passed(words)) => (Verdict::Passed, words),
            Ok(Outcome::Skipped(reason)) => (Verdict::Skipped, reason),
            Err(error) => {
                let text =
                    fs::read(log).with_context(|| format!("{}: cannot read this log", log.display()))?;
                print!("{}", end_of(&String::from_utf8_lossy(&text), &log.display().to_string()));
                println!("{}: {error:#}", step.name);
                (Verdict::Failed, String::new())
            }
        };
        Ok(Self { name: step.name, verdict, words, took })
    }
}

/// The last lines of a log, and where the rest is.
fn end_of(text: &str, log: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN);
    let mut end = if from > 0 { format!("({from} lines before are in {log})\n") } else { String::new() };
    for line in &lines[from..] {
        end.push_str("  | ");
        end.push_str(line);
        end.push('\n');
    }
    end
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` and not `write_str`: the table sets a width.
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        writeln!(f)?;
        for Row { name, verdict, words, took } in &self.rows {
            let line = format!("{name:width$}  {verdict:7}  {:7.1} s  {words}", took.as_secs_f64());
            writeln!(f, "{}", line.trim_end())?;
        }
        let all: Duration = self.rows.iter().map(|row| row.took).sum();
        writeln!(f, "{:width$}  {:7}  {:7.1} s\n", "all", "", all.as_secs_f64())?;
        write!(f, "{} passed, {} failed", self.count(Verdict::Passed), self.count(Verdict::Failed))?;
        match self.count(Verdict::Skipped) {
            0 => writeln!(f),
            skipped => writeln!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict) -> Row {
        Row { name: "a-step", verdict, words: "why".into(), took: Duration::from_millis(1250) }
    }

    #[test]
    fn the_last_line_counts() {
        let tally = Tally { rows: vec![row(Verdict::Passed), row(Verdict::Failed), row(Verdict::Passed)] };
        assert!(tally.to_string().ends_with("\n\n2 passed, 1 failed\n"));
        assert!(!tally.is_good());
        let tally = Tally { rows: vec![row(Verdict::Passed), row(Verdict::Skipped)] };
        assert!(tally.to_string().ends_with("\n1 passed, 0 failed, 1 skipped\n"), "{tally}");
        assert!(tally.to_string().contains("a-step  skipped      1.2 s  why\n"), "{tally}");
    }

    #[test]
    fn a_long_log_is_cut_at_its_beginning_and_says_so() {
        let text: String = (0..SHOWN + 5).map(|i| format!("{i}\n")).collect();
        let end = end_of(&text, "x.log");
        assert!(end.starts_with("(5 lines before are in x.log)\n  | 5\n"), "{end}");
    }
}
