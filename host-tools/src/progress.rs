//! Progress of long steps: on a terminal, and nowhere else.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// The progress of long steps on a terminal; nothing anywhere else.
pub(crate) struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// Draws itself if standard error is a terminal.
    pub(crate) fn new() -> Spinner {
        if !io::stderr().is_terminal() {
            return Spinner(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner(Some(bar))
    }

    /// Says what is being done, and how many bytes came out so far.
    pub(crate) fn tell(&self, what: &str, done: usize) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{what}: {} MiB", done >> 20));
        }
    }

    /// Says how many of how many are done.
    pub(crate) fn count(&self, what: &str, done: usize, all: usize) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{what}: {done} of {all}"));
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
