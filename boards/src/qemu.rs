//! Boots a board under QEMU, in software emulation, and listens to its console until it says that it is done.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::board::Board;
use crate::console::Console;
use crate::{Missing, files, image};

/// One boot of a board, as data.
#[derive(Clone, Debug)]
pub struct Boot<'b> {
    /// The machine.
    pub board: &'b Board,
    /// A kernel image as its maker ships it.
    pub kernel: PathBuf,
    /// The gzipped archive of [`crate::Initramfs::build`].
    pub initramfs: Vec<u8>,
    /// RAM; `None` is what the board has.
    pub memory_mib: Option<u32>,
    /// CPUs; `None` is what the board has.
    pub cpus: Option<u32>,
    /// More words for the kernel's command line.
    pub append: Vec<String>,
    /// Raw disk images, as virtio disks in this order (`/dev/vda`, …): the module `virtio_blk` shows them.
    pub drives: Vec<PathBuf>,
    /// When QEMU is ended, if the board does not say before that it is done.
    pub deadline: Duration,
    /// How long the console may say nothing before QEMU is ended; `None` is as long as it likes.
    pub silence: Option<Duration>,
    /// Hand over the lines of firmware and kernel too.
    pub verbose: bool,
}

/// How a boot went that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Exit status of `/corelet/run`.
    pub status: i32,
    /// `uname -r`.
    pub release: String,
    /// From the start of QEMU to the start of `/corelet/run`.
    pub to_init: Duration,
    /// From the start of QEMU to the end of `/corelet/run`.
    pub to_done: Duration,
}

/// A boot that did not come to its end, with the last lines of the console.
#[derive(Clone, Debug)]
pub struct BootFailed {
    /// The board's name.
    pub board: String,
    /// What ended it.
    pub why: Why,
    /// The last lines of the console, oldest first, then those of QEMU's own messages.
    pub tail: Vec<String>,
}

/// What ended a boot before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The kernel panicked; its words.
    Panic(String),
    /// The deadline passed; whether the kernel had started `/init` by then.
    Deadline(Duration, bool),
    /// The console said nothing for so long.
    Silent(Duration),
    /// QEMU ended by itself.
    Exited(ExitStatus),
}

/// Time for the console to say the rest, once a boot is decided.
const GRACE: Duration = Duration::from_secs(5);

/// What the threads that read QEMU's pipes send.
enum Heard {
    Console(Vec<u8>),
    Messages(Vec<u8>),
}

impl<'b> Boot<'b> {
    /// A boot of `board` as it is, ended after two minutes at the latest.
    pub fn new(board: &'b Board, kernel: impl Into<PathBuf>, initramfs: Vec<u8>) -> Self {
        Self {
            board,
            kernel: kernel.into(),
            initramfs,
            memory_mib: None,
            cpus: None,
            append: Vec::new(),
            drives: Vec::new(),
            deadline: Duration::from_secs(120),
            silence: None,
            verbose: false,
        }
    }

    /// Boots, hands each line of the workload to `on_line` as it comes, and waits for the end of `/corelet/run`.
    ///
    /// # Errors
    /// [`Missing`] without QEMU or the board's firmware; a file that is no kernel of this architecture; [`BootFailed`].
    pub fn run(&self, on_line: &mut dyn FnMut(&str)) -> Result<Report> {
        let nonce = nonce();
        let inputs = self.inputs()?;
        let mut command = self.command(&inputs, &nonce, false)?;
        command.args(["-nodefaults", "-serial", "stdio"]);
        let started = Instant::now();
        let mut qemu =
            Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let (sender, heard) = mpsc::channel();
        listen(qemu.0.stdout.take(), sender.clone(), Heard::Console);
        listen(qemu.0.stderr.take(), sender, Heard::Messages);

        let mut console = Console::new(&nonce, self.verbose);
        let mut messages = Vec::new();
        let (mut to_init, mut to_done) = (None, None);
        let mut until = started + self.deadline;
        let silence = self.silence.unwrap_or(self.deadline);
        let mut last = started;
        let timed_out = loop {
            let wait = until.min(last + silence).saturating_duration_since(Instant::now());
            last = match heard.recv_timeout(wait) {
                Ok(Heard::Console(bytes)) => {
                    console.feed(&bytes, on_line);
                    Instant::now()
                }
                Ok(Heard::Messages(bytes)) => {
                    messages.extend_from_slice(&bytes);
                    last
                }
                Err(RecvTimeoutError::Timeout) => break true,
                Err(RecvTimeoutError::Disconnected) => break false,
            };
            if console.release.is_some() {
                to_init.get_or_insert_with(|| started.elapsed());
            }
            let decided = console.done.is_some() || console.panic.is_some();
            if decided && to_done.is_none() {
                to_done = Some(started.elapsed());
                until = Instant::now() + GRACE;
            }
        };
        console.finish(on_line);
        if !timed_out {
            qemu.let_end(Duration::from_secs(1))?;
        }
        let exit = qemu.end()?;

        let why = match (&console.panic, console.done, to_init, to_done) {
            (None, Some(status), Some(to_init), Some(to_done)) => {
                return Ok(Report { status, release: console.release.unwrap_or_default(), to_init, to_done });
            }
            (Some(words), ..) => Why::Panic(words.clone()),
            _ if timed_out && Instant::now() < started + self.deadline => Why::Silent(silence),
            _ if timed_out => Why::Deadline(self.deadline, console.release.is_some()),
            _ => Why::Exited(exit),
        };
        let messages = String::from_utf8_lossy(&messages);
        let mut tail = console.tail();
        // QEMU's words where the firmware is a package of its own and absent.
        let no_firmware =
            |line: &str| line.contains("Unable to") && (line.contains("BIOS") || line.contains("firmware"));
        if messages.lines().any(no_firmware) {
            return Err(self.missing("the firmware of this machine").into());
        }
        tail.extend(messages.lines().map(str::to_owned));
        Err(BootFailed { board: self.board.name.clone(), why, tail }.into())
    }

    /// Boots and gives the console to the person at this terminal, until the board is off.
    ///
    /// # Errors
    /// As [`Boot::run`], except that nobody listens for a panic: the person sees it.
    pub fn shell(&self) -> Result<ExitStatus> {
        let inputs = self.inputs()?;
        let mut command = self.command(&inputs, &nonce(), true)?;
        // The monitor shares the terminal: Ctrl-C reaches the board, Ctrl-A X ends QEMU.
        command.args(["-nodefaults", "-serial", "mon:stdio"]);
        Ok(Running(command.spawn()?).wait()?)
    }

    /// The kernel as QEMU wants it, and the initramfs.
    fn inputs(&self) -> Result<Inputs> {
        let shipped = files::read(&self.kernel)?;
        let kernel = image::bootable(&self.board.arch.name, &shipped)
            .with_context(|| self.kernel.display().to_string())?;
        let unpacked = match kernel {
            Cow::Borrowed(_) => None,
            Cow::Owned(bytes) => Some(Input::new(&bytes)?),
        };
        let kernel = unpacked.as_ref().map_or_else(|| self.kernel.clone(), Input::path);
        Ok(Inputs { kernel, _unpacked: unpacked, initramfs: Input::new(&self.initramfs)? })
    }

    fn command(&self, inputs: &Inputs, nonce: &str, shell: bool) -> Result<Command> {
        let qemu = &self.board.qemu;
        let program = files::program(&qemu.program)
            .ok_or_else(|| self.missing(&format!("the program {}", qemu.program)))?;
        // If we are killed, so is QEMU. setpriv is part of util-linux; without it, an orphan is the worst that happens.
        let mut command = match files::program("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut append = format!("console={} panic=-1 oops=panic CORELET_NONCE={nonce}", qemu.console);
        if !self.verbose {
            append.push_str(" quiet");
        }
        if shell {
            append.push_str(" CORELET_SHELL=1");
        }
        for word in qemu.append.iter().chain(&self.append) {
            append.push(' ');
            append.push_str(word);
        }
        command
            .args(&qemu.args)
            .args(["-accel", "tcg", "-display", "none", "-no-reboot"])
            .args(["-m", &format!("{}M", self.memory_mib.unwrap_or(qemu.memory_mib))])
            .args(["-smp", &self.cpus.unwrap_or(qemu.cpus).to_string()])
            .arg("-kernel")
            .arg(&inputs.kernel)
            .arg("-initrd")
            .arg(inputs.initramfs.path())
            .args(["-append", &append]);
        for (index, drive) in self.drives.iter().enumerate() {
            let file =
                drive.to_str().with_context(|| format!("{}: this name is not text", drive.display()))?;
            // A comma ends an option; two of them are one in a name.
            let file = file.replace(',', ",,");
            command
                .args(["-drive", &format!("if=none,id=disk{index},format=raw,file={file}")])
                .args(["-device", &format!("virtio-blk-pci,drive=disk{index}")]);
        }
        Ok(command)
    }

    fn missing(&self, what: &str) -> Missing {
        let board = &self.board;
        Missing::new(
            format!("{what}, to boot {}", board.name),
            format!("apt-get install {}", board.qemu.packages.join(" ")),
        )
    }
}

/// What QEMU reads, as long as this value lives.
struct Inputs {
    kernel: PathBuf,
    _unpacked: Option<Input>,
    initramfs: Input,
}

/// A file without a name: nothing is left behind, however this process ends.
struct Input(File);

impl Input {
    fn new(bytes: &[u8]) -> Result<Self> {
        let write = || -> std::io::Result<File> {
            let mut file = tempfile::tempfile()?;
            file.write_all(bytes)?;
            Ok(file)
        };
        Ok(Self(write().context("cannot write a file to boot from in the folder for temporary files")?))
    }

    /// Where another process of the same user can open it.
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

/// A process that does not outlive this value.
struct Running(Child);

impl Running {
    /// Kills it if it still runs.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        self.0.kill()?;
        self.0.wait()
    }

    /// Gives it time to end by itself: its pipes close a little before it is gone.
    fn let_end(&mut self, time: Duration) -> std::io::Result<()> {
        let until = Instant::now() + time;
        while self.0.try_wait()?.is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn wait(mut self) -> std::io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing left to do.
        let _ = self.end();
    }
}

/// Reads a pipe to its end on a thread of its own, so that QEMU never waits for us.
fn listen(pipe: Option<impl Read + Send + 'static>, sender: Sender<Heard>, wrap: fn(Vec<u8>) -> Heard) {
    let Some(mut pipe) = pipe else { return };
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            if sender.send(wrap(buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// A word that no earlier boot has used; the standard library seeds each `RandomState` anew.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

impl fmt::Display for BootFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.board)?;
        match &self.why {
            Why::Panic(words) => write!(f, "{words}")?,
            Why::Silent(after) => write!(f, "nothing came from the console for {} s", after.as_secs())?,
            Why::Deadline(after, true) => write!(f, "not done after {} s", after.as_secs())?,
            Why::Deadline(after, false) => write!(
                f,
                "the kernel did not reach /init in {} s: is it built for this machine, with initramfs and serial console, \
                 and is there memory enough?",
                after.as_secs()
            )?,
            Why::Exited(status) => write!(f, "QEMU ended before the board was done ({status})")?,
        }
        if self.tail.is_empty() {
            return write!(f, "\nnothing came from the console");
        }
        write!(f, "\nthe last lines of the console:")?;
        self.tail.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

impl std::error::Error for BootFailed {}
