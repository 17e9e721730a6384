//! The step that holds the objects of Debian's packages against libbpf.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs};
use corelet_tests::objects::beside::{self, Verdict};
use corelet_tests::objects::list;
use corelet_tests::peer;

use crate::boards;
use crate::context::Context;
use crate::run::Outcome;

/// The boards, and what the names of their objects begin with: the AArch64 one takes all; the RISC-V one, whose kernel alone has HID-BPF
/// and sched_ext, what there is for these and our own. They are the same objects: BPF is one architecture.
const BOARDS: [(&str, &[&str]); 2] =
    [("qemu-aarch64", &[""]), ("qemu-riscv64", &["corelet/", "udev-hid-bpf/"])];
/// The architecture of the packages.
const ARCH: &str = "arm64";

pub(crate) fn wants() -> Wants {
    let mut wants = boards::all_wants();
    wants.needs.extend([&needs::CLANG, &needs::DPKG_SOURCE]);
    wants
}

/// All objects on the boards, or those that `CORELET_OBJECTS` names the beginning of (with commas between) on the one that
/// `CORELET_BOARD` names.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let list = list::list()?;
    let all = list.fetch(ARCH, &mut *on_stderr())?;
    let only = std::env::var("CORELET_OBJECTS").ok();
    let board = std::env::var("CORELET_BOARD").ok();
    let (mut failures, mut words) = (Vec::new(), Vec::new());
    for (name, own) in
        BOARDS.into_iter().filter(|(name, _)| board.as_deref().is_none_or(|board| board == *name))
    {
        let prefixes = only.as_deref().map_or_else(|| own.to_vec(), |only| only.split(',').collect());
        let mut objects = all.clone();
        objects.retain(|object| prefixes.iter().any(|prefix| object.name.starts_with(prefix)));
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let ours = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        let libbpf = peer::around(&board, beside::LOADER, &context.machine, &mut *on_stderr())?;
        let datagrams = peer::program(&board, beside::DATAGRAMS, &context.machine, &mut *on_stderr())?;
        let executables = beside::Executables { ours, libbpf, datagrams };
        // as they come: the boot takes minutes
        let mut noted = Ok(());
        let mut hear = |line: &str| {
            if noted.is_ok() {
                noted = context.note(line);
            }
        };
        let table = beside::run(&board, &kernel, &executables, &objects, &mut *on_stderr(), &mut hear);
        noted?;
        let table = table?;
        let rows = &table.rows;
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let file = context.workspace.target.join("verify").join(format!("objects-{name}.txt"));
        std::fs::write(&file, &text).with_context(|| file.display().to_string())?;
        rows.iter().try_for_each(|row| context.note(&format!("{name}: {row}")))?;
        let loaded = |verdict: &Verdict| matches!(verdict, Verdict::Loaded(_));
        let both = rows.iter().filter(|row| loaded(&row.libbpf) && loaded(&row.corelet)).count();
        let theirs = rows.iter().filter(|row| loaded(&row.libbpf)).count();
        let ours = rows.iter().filter(|row| loaded(&row.corelet)).count();
        words.push(format!(
            "{name}: {} objects, libbpf loads {theirs}, corelet {both} of these and {} more; {} at work with packets",
            rows.len(),
            ours - both,
            table.packets
        ));
        failures.extend(beside::failures(&list, name, &table));
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(format!("{}; {} exceptions", words.join("; "), list.excepted.len())))
}
