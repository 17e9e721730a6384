//! Where long work says what it is doing: a terminal, or nowhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What long work reports to. All methods may be called often: an implementation limits itself.
pub trait Progress {
    /// A new step began; `what` is a phrase without a full stop: `fetching busybox-static (arm64)`.
    fn step(&mut self, what: &str);

    /// `done` bytes of the current step, of `total` where that is known.
    fn bytes(&mut self, done: u64, total: Option<u64>);

    /// Something worth knowing that is no failure.
    fn note(&mut self, what: &str);
}

/// Progress for a person: on standard error where that is a terminal, silent in a pipe.
pub fn on_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() { Box::new(Terminal::default()) } else { Box::new(Quiet) }
}

/// Says nothing, except for notes.
pub struct Quiet;

impl Progress for Quiet {
    fn step(&mut self, _what: &str) {}
    fn bytes(&mut self, _done: u64, _total: Option<u64>) {}
    fn note(&mut self, what: &str) {
        eprintln!("note: {what}");
    }
}

/// One line for each step, with the bytes rewritten in place.
#[derive(Default)]
pub struct Terminal {
    step: String,
    drawn: Option<Instant>,
}

impl Terminal {
    const REDRAW: Duration = Duration::from_millis(100);
}

impl Progress for Terminal {
    fn step(&mut self, what: &str) {
        what.clone_into(&mut self.step);
        self.drawn = None;
        eprintln!("{what} …");
    }

    fn bytes(&mut self, done: u64, total: Option<u64>) {
        let finished = total.is_some_and(|total| done >= total);
        if !finished && self.drawn.is_some_and(|at| at.elapsed() < Self::REDRAW) {
            return;
        }
        let of = total.map(|total| format!(" of {}", mebibytes(total))).unwrap_or_default();
        eprint!("\r  {}{of}\x1b[K{}", mebibytes(done), if finished { "\n" } else { "\r" });
        // A terminal that went away is no reason to stop the work.
        let _ = std::io::stderr().flush();
        self.drawn = Some(Instant::now());
    }

    fn note(&mut self, what: &str) {
        eprintln!("note: {what}");
    }
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
