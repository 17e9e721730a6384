//! What a board says on its serial console: lines, and among them what `/init` says to the host.
//!
//! `CORELET-INIT NONCE RELEASE` when the kernel is up and all is mounted; `CORELET-DONE NONCE rc=N` when `/corelet/run`
//! ended with status N. The nonce is new for each boot, so that no program's output is taken for the end of it.

use std::collections::VecDeque;

/// Lines kept to show how a boot went wrong.
const TAIL: usize = 25;

/// A line is handed over at this length even if its end is not in sight.
const LONGEST_LINE: usize = 64 * 1024;

/// The state of one console.
#[derive(Debug)]
pub(crate) struct Console {
    nonce: String,
    everything: bool,
    partial: Vec<u8>,
    tail: VecDeque<String>,
    /// `uname -r`, once `/init` has mounted everything.
    pub(crate) release: Option<String>,
    /// The status of `/corelet/run`, once it ended.
    pub(crate) done: Option<i32>,
    /// The kernel's words, once it panicked.
    pub(crate) panic: Option<String>,
}

impl Console {
    /// A console that hands over the lines of the workload, or with `everything` those of the boot as well.
    pub(crate) fn new(nonce: &str, everything: bool) -> Self {
        Self {
            nonce: nonce.to_owned(),
            everything,
            partial: Vec::new(),
            tail: VecDeque::new(),
            release: None,
            done: None,
            panic: None,
        }
    }

    /// Takes bytes as they come and hands over whole lines, without their ends.
    pub(crate) fn feed(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|c| *c == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.end_line(on_line);
            }
        }
    }

    /// Hands over what came after the last end of a line.
    pub(crate) fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            self.end_line(on_line);
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    fn end_line(&mut self, on_line: &mut dyn FnMut(&str)) {
        let bytes = std::mem::take(&mut self.partial);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\r', '\n']);
        // A program may have left its last line without an end.
        let (init, done) =
            (format!("CORELET-INIT {} ", self.nonce), format!("CORELET-DONE {} rc=", self.nonce));
        let shown = if let Some((before, release)) = line.split_once(&init) {
            self.release = Some(release.to_owned());
            before
        } else if let Some((before, status)) = line.split_once(&done) {
            self.done = status.parse().ok();
            before
        } else {
            if let Some(at) = line.find("Kernel panic - not syncing") {
                self.panic.get_or_insert_with(|| line[at..].to_owned());
            }
            self.keep(line);
            if self.everything || self.release.is_some() && self.done.is_none() {
                on_line(line);
            }
            return;
        };
        if !shown.is_empty() {
            self.keep(shown);
            on_line(shown);
        }
    }

    fn keep(&mut self, line: &str) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(pieces: &[&str]) -> (Console, Vec<String>) {
        let (mut console, mut lines) = (Console::new("n1", false), Vec::new());
        for piece in pieces {
            console.feed(piece.as_bytes(), &mut |line| lines.push(line.to_owned()));
        }
        console.finish(&mut |line| lines.push(line.to_owned()));
        (console, lines)
    }

    #[test]
    fn the_workload_is_between_init_and_done() {
        let (console, lines) = hear(&[
            "OpenSBI v1\r\nCORELET-IN",
            "IT n1 6.12.1\r\na\nCORELET-DONE n2 rc=0\nb",
            "CORELET-DONE n1 rc=3\nreboot: Power down\n",
        ]);
        assert_eq!(lines, ["a", "CORELET-DONE n2 rc=0", "b"]);
        assert_eq!((console.release.as_deref(), console.done), (Some("6.12.1"), Some(3)));
    }

    #[test]
    fn a_panic_is_heard_before_init_too() {
        let (console, lines) = hear(&["[ 1.0] Kernel panic - not syncing: no init\nmore"]);
        assert_eq!(console.panic.as_deref(), Some("Kernel panic - not syncing: no init"));
        assert_eq!(console.tail(), ["[ 1.0] Kernel panic - not syncing: no init", "more"]);
        assert!(lines.is_empty());
    }
}
