//! What commands cost: instructions, counted by valgrind, which are the same from run to run; and time and memory of real
//! runs, which are not.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const RUN: &str = include_str!("run.c");

/// Instructions that `words` execute: all, or those of the functions `of` and of what they call.
///
/// # Errors
/// valgrind does not run, or the command fails.
pub fn instructions(words: &[String], of: &[&str]) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.args(of.iter().map(|function| format!("--toggle-collect={function}")));
    // symbols are looked up when the program starts, which is no part of what is compared
    let output = valgrind.args(words).env("LD_BIND_NOW", "1").output().context("valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}: {said}", words.join(" "), output.status);
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    let count = count.with_context(|| format!("valgrind counts nothing: {said}"))?;
    ensure!(count > 0, "{}: no function {of:?} was called", words.join(" "));
    Ok(count)
}

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Microseconds of user and system time.
    pub micros: u64,
    /// Microseconds from start to end.
    pub wall: u64,
    /// KiB at the peak.
    pub peak: u64,
}

/// The program that runs others and says what they took.
#[derive(Debug)]
pub struct Meter(PathBuf);

impl Meter {
    /// Compiles it into `folder`.
    ///
    /// # Errors
    /// There is no C compiler.
    pub fn build(folder: &Path) -> Result<Meter> {
        let (source, program) = (folder.join("run.c"), folder.join("run"));
        std::fs::write(&source, RUN).with_context(|| source.display().to_string())?;
        let output =
            Command::new("cc").args(["-O1", "-o"]).args([&program, &source]).output().context("cc")?;
        ensure!(output.status.success(), "run.c: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Meter(program))
    }

    /// Runs `words` once.
    ///
    /// # Errors
    /// The command fails.
    pub fn run(&self, words: &[String]) -> Result<Cost> {
        let start = Instant::now();
        let output = Command::new(&self.0).args(words).output().context("run")?;
        let wall = start.elapsed().as_micros() as u64;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", words.join(" "));
        let cost = said.lines().last().and_then(|line| {
            let (micros, peak) = line.split_once(' ')?;
            Some(Cost { micros: micros.parse().ok()?, wall, peak: peak.parse().ok()? })
        });
        cost.with_context(|| format!("no figures: {said}"))
    }

    /// The medians of `times` runs of each of two commands, in turn, so that what else the machine does falls on both.
    ///
    /// # Errors
    /// As [`Meter::run`].
    pub fn pair(&self, times: usize, a: &[String], b: &[String]) -> Result<(Cost, Cost)> {
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        for _ in 0..times {
            of_a.push(self.run(a)?);
            of_b.push(self.run(b)?);
        }
        Ok((median(&of_a)?, median(&of_b)?))
    }
}

fn median(costs: &[Cost]) -> Result<Cost> {
    let middle = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied().context("no runs")
    };
    Ok(Cost {
        micros: middle(costs.iter().map(|c| c.micros).collect())?,
        wall: middle(costs.iter().map(|c| c.wall).collect())?,
        peak: middle(costs.iter().map(|c| c.peak).collect())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_of_each_figure_apart() {
        let costs = [(5, 1, 7), (1, 9, 8), (3, 2, 9)].map(|(micros, peak, wall)| Cost { micros, wall, peak });
        let m = median(&costs).unwrap();
        assert_eq!((m.micros, m.peak, m.wall), (3, 2, 8));
        assert!(median(&[]).is_err());
    }
}
