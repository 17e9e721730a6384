//! The kernel's own relocation against ours: on a board every program of every object is loaded with `core_relos`, so that
//! the kernel relocates it, and its words in the verifier's log are compared (`relo #N: patched insn #M …`, `… substituting
//! insn #M w/ invalid insn`).
//!
//! Each program is loaded twice. Once with two instructions behind it that the kernel refuses as soon as it has relocated:
//! the log then ends with the relocations, whatever the program attaches to and whatever the verifier thinks of it. And once
//! as it is, which shows that the kernel takes the program it has relocated; programs whose attach target the kernel does not
//! have are left out of that. Nothing is attached.
//!
//! The kernel relocates with the same rules as libbpf but for candidates, which must be of the very kind and are not pruned
//! from one relocation to the next. Source: `bpf_core_apply`, kernel `kernel/bpf/btf.c`; `check_core_relo`,
//! `kernel/bpf/verifier.c`.

pub mod answers;
pub mod differences;
pub(crate) mod file;
pub mod request;

use crate::oracle::Named;
use crate::oracle::libbpf::{Libbpf, Running};
use answers::{Answer, Fate, MARK, answers, judge, others_refused};
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_core::object::Object;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::relocate::{relocate, type_count};
use corelet_host_tools::subset::KernelTypes;
use differences::{Fact, What};
use request::{Request, request};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a board said about the objects.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Objects.
    pub objects: usize,
    /// Objects of which the kernel took every program.
    pub accepted: usize,
    /// Programs that the kernel took, and those that were sent.
    pub programs: (usize, usize),
    /// Relocations that came out as ours.
    pub relocations: usize,
    /// What is not so.
    pub facts: Vec<Fact>,
    /// What was answered to each of the further files.
    pub further: Vec<Vec<Answer>>,
}

/// Tries all `objects` on `board`, in one boot, and repeats the `further` files there. `replay` is the program that repeats
/// calls; `on_line` hears the console.
///
/// # Errors
/// The board does not come up, or libbpf does not prepare an object.
#[allow(clippy::too_many_arguments, reason = "a board, what runs there, and where to work")]
pub fn run(
    board: &Board,
    kernel: &Kernel,
    replay: &[u8],
    objects: &[Named],
    further: &[Vec<u8>],
    folder: &Path,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let requests = requests(kernel, objects, folder)?;
    progress.step(&format!("booting {} for {} objects", board.name, objects.len()));
    let files: Vec<&[u8]> = requests.iter().map(|r| &*r.file).chain(further.iter().map(|f| &**f)).collect();
    let mut answers = ask(board, kernel, replay, &files, progress, on_line)?;
    let further = answers.split_off(objects.len());
    let mut outcome = Outcome { objects: objects.len(), further, ..Outcome::default() };
    for (((name, _), request), answers) in objects.iter().zip(&requests).zip(&answers) {
        let taken = outcome.programs.0;
        outcome.facts.extend(others_refused(answers).map(|said| Fact {
            board: board.name.clone(),
            place: name.clone(),
            what: What::Other,
            said,
        }));
        for (number, sent) in request.programs.iter().enumerate() {
            let Fate { agreed, differ, refused } = judge(sent, number, answers);
            outcome.relocations += agreed;
            let fact = |what, said: String| Fact {
                board: board.name.clone(),
                place: format!("{name}: {}", sent.name),
                what,
                said,
            };
            outcome.facts.extend(differ.into_iter().map(|said| fact(What::Relocation, said)));
            match refused {
                Some(said) => outcome.facts.push(fact(What::Program, said)),
                None => outcome.programs.0 += 1,
            }
        }
        outcome.programs.1 += request.programs.len();
        outcome.accepted += usize::from(outcome.programs.0 - taken == request.programs.len());
    }
    Ok(outcome)
}

/// What the board says of each of `requests`, in one boot.
///
/// # Errors
/// The board does not come up, or dies on the way.
pub fn ask(
    board: &Board,
    kernel: &Kernel,
    replay: &[u8],
    requests: &[&[u8]],
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<Vec<Answer>>> {
    let mut files = vec![("corelet/replay".to_owned(), 0o755, replay.to_vec())];
    // callbacks and functions of the kernel need it
    let mut script = String::from("echo 1 >/proc/sys/net/core/bpf_jit_enable\n");
    for (number, request) in requests.iter().enumerate() {
        files.push((format!("corelet/{number}"), 0o644, request.to_vec()));
        let _ = writeln!(script, "echo '{MARK}{number}'\n/corelet/replay /corelet/{number}");
    }
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let initramfs = Initramfs { busybox: busybox_static(board, progress)?, files, ..Initramfs::default() };
    let mut boot = Boot::new(board, &kernel.image, initramfs.build()?);
    // some tools preallocate maps for machines far larger than a board
    boot.memory_mib = Some(512);
    boot.deadline = Duration::from_secs(120 + 5 * requests.len() as u64);
    let lines = crate::tools::board::lines(&boot, on_line)?;
    let answers = answers(lines.iter().map(String::as_str));
    let spoken = answers.len();
    ensure!(spoken == requests.len(), "the board spoke of {spoken} of {} objects", requests.len());
    Ok(answers.into_iter().map(|(_, answers)| answers).collect())
}

/// What the board is asked about each object.
fn requests(kernel: &Kernel, objects: &[Named], folder: &Path) -> Result<Vec<Request>> {
    let libbpf = Libbpf::build(folder)?;
    let whole = OwnedBtf::open(&kernel.image)?;
    let btf = folder.join("kernel.btf");
    fs::write(&btf, whole.bytes()).with_context(|| btf.display().to_string())?;
    let types = KernelTypes::new(whole.view());
    let running = Running { btf: &btf, release: &kernel.release, config: kernel.config.as_deref() };
    let one = |(name, bytes): &Named| -> Result<Request> {
        let mut index = vec![0; type_count(bytes)?];
        let object = Object::parse(bytes, &mut index)?;
        let expected = relocate(&object, &types, &|_| true)?;
        let loaded = libbpf.load(bytes, &btf, running, folder)?;
        request(&object, &expected, &loaded).with_context(|| name.clone())
    };
    objects.iter().map(one).collect()
}
