//! The one seam between set-up and the machine: programs, files, the terminal. Tests put a fake in its place.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A command to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The program, searched as a shell does.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set in its environment; `None` takes one out.
    pub env: Vec<(String, Option<OsString>)>,
    /// Where it runs; `None` is the present folder.
    pub folder: Option<PathBuf>,
    /// After this long it is ended.
    pub limit: Option<Duration>,
    /// Whether a person at a terminal sees what it prints, as it prints it.
    pub shown: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With exit code 0.
    Well,
    /// With another code or a signal, in words.
    Badly(String),
    /// It ran into its limit and was ended.
    TooLate,
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// All of its standard output, unless the call was `shown`.
    pub stdout: String,
    /// The last lines that it printed, of both streams in the order they came.
    pub tail: Vec<String>,
}

/// What set-up asks of a machine.
pub trait Machine {
    /// The path of a program; the folders of administrators count too, which a user's PATH may lack.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// Whether there is something at this path.
    fn exists(&self, path: &Path) -> bool;
    /// A variable of the environment; `None` where it is unset or empty.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// Whether we are root.
    fn is_root(&self) -> bool;
    /// Whether a person can answer.
    fn has_person(&self) -> bool;
    /// A line for the person, on standard error.
    fn say(&mut self, line: &str);
    /// Asks, and reads a line; `None` at the end of the input.
    fn ask(&mut self, question: &str) -> Result<Option<String>>;
    /// Runs a command to its end.
    ///
    /// # Errors
    /// Only where it cannot be started; a command that fails is no error here.
    fn run(&mut self, call: &Call) -> Result<Finished>;
    /// The source of Rust's standard library at this release, put where `link` then points to.
    ///
    /// # Errors
    /// As [`super::rust_src::fetch`].
    fn fetch_rust_src(&mut self, release: &str, link: &Path) -> Result<()>;
}

/// The machine that this runs on.
#[derive(Debug, Default)]
pub struct ThisMachine;

/// How many of a command's last lines are kept for an error message.
const TAIL: usize = 12;

impl Call {
    /// A program and its arguments.
    pub fn new<S: Into<String>>(program: &str, args: impl IntoIterator<Item = S>) -> Self {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets a variable in the command's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the command's environment.
    pub fn without_env(mut self, name: impl Into<String>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Runs it in this folder.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Ends it after this long.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lets a person see what it prints.
    pub fn shown(mut self) -> Self {
        self.shown = true;
        self
    }

    /// The command as a person would type it.
    pub fn line(&self) -> String {
        [self.program.as_str()]
            .into_iter()
            .chain(self.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Finished {
    /// Whether the command succeeded.
    pub fn is_well(&self) -> bool {
        self.ended == Ended::Well
    }

    /// How it ended and what it said last, for an error message.
    pub fn why(&self) -> String {
        let how = match &self.ended {
            Ended::Well => "it succeeded".to_owned(),
            Ended::Badly(status) => status.clone(),
            Ended::TooLate => "it was ended after its time limit".to_owned(),
        };
        self.tail.iter().fold(how, |text, line| text + "\n    " + line)
    }
}

impl Machine for ThisMachine {
    fn program(&self, name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    fn is_root(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        // A process's entry in /proc belongs to its effective user.
        std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
    }

    fn has_person(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    fn say(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn ask(&mut self, question: &str) -> Result<Option<String>> {
        eprint!("{question} ");
        std::io::stderr().flush().context("cannot ask on the terminal")?;
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).context("cannot read the answer")?;
        Ok((read > 0).then_some(line))
    }

    fn run(&mut self, call: &Call) -> Result<Finished> {
        let mut command = Command::new(&call.program);
        command.args(&call.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &call.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &call.folder {
            command.current_dir(folder);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {}", call.program))?;
        let tail = Tail::new(call.shown && std::io::stderr().is_terminal());
        let stdout = tail.follow(child.stdout.take(), !call.shown);
        let stderr = tail.follow(child.stderr.take(), false);
        let ended =
            wait(&mut child, call.limit).with_context(|| format!("cannot wait for {}", call.program))?;
        let stdout = stdout.join().unwrap_or_default();
        let _ = stderr.join();
        Ok(Finished { ended, stdout, tail: tail.into_lines() })
    }

    fn fetch_rust_src(&mut self, release: &str, link: &Path) -> Result<()> {
        let given = super::rust_src::given(self);
        super::rust_src::fetch(release, link, given, &mut *corelet_boards::on_stderr())
    }
}

fn wait(child: &mut Child, limit: Option<Duration>) -> std::io::Result<Ended> {
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if limit.is_some_and(|limit| since.elapsed() >= limit) {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::TooLate);
        }
        thread::sleep(Duration::from_millis(5));
    };
    Ok(if status.success() { Ended::Well } else { Ended::Badly(status.to_string()) })
}

/// The last lines of two streams, and the terminal they are copied to.
#[derive(Clone)]
struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    copied: bool,
}

impl Tail {
    fn new(copied: bool) -> Self {
        Self { lines: Arc::default(), copied }
    }

    /// Reads a stream to its end in a thread that gives back all of it, if `kept`.
    fn follow(&self, stream: Option<impl Read + Send + 'static>, kept: bool) -> thread::JoinHandle<String> {
        let tail = self.clone();
        thread::spawn(move || {
            let mut all = String::new();
            let Some(stream) = stream else { return all };
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                tail.push(&line);
                if kept {
                    all.push_str(&line);
                    all.push('\n');
                }
            }
            all
        })
    }

    fn push(&self, line: &str) {
        if self.copied {
            eprintln!("  {line}");
        }
        let Ok(mut lines) = self.lines.lock() else { return };
        if lines.len() == TAIL {
            lines.pop_front();
        }
        lines.push_back(line.trim_end().to_owned());
    }

    fn into_lines(self) -> Vec<String> {
        self.lines
            .lock()
            .map(|lines| lines.iter().filter(|line| !line.is_empty()).cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_leaves_its_output_and_its_last_lines() {
        let done = ThisMachine.run(&Call::new("sh", ["-c", "seq 1 40; exit 3"])).unwrap();
        assert_eq!(done.stdout.lines().count(), 40);
        assert_eq!((done.tail.len(), done.tail[TAIL - 1].as_str()), (TAIL, "40"));
        assert!(matches!(&done.ended, Ended::Badly(status) if status.contains('3')), "{done:?}");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let call = Call::new("sleep", ["60"]).within(Duration::from_millis(50));
        assert_eq!(ThisMachine.run(&call).unwrap().ended, Ended::TooLate);
    }
}
