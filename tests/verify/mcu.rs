//! The step that runs the firmware on microcontrollers.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs};
use corelet_tests::budgets::{budgets, hold};
use corelet_tests::mcu::{Flash, MACHINES, Machine, Packed, ended, hostile, refused};
use corelet_tests::objects;
use std::path::Path;

use crate::context::Context;
use crate::run::Outcome;

/// What it takes.
pub(crate) fn wants() -> Wants {
    Wants {
        needs: vec![&needs::QEMU_ARM, &needs::QEMU_RISCV32, &needs::DPKG_DEB, &needs::KEYRING],
        targets: MACHINES.iter().map(|m| m.target).collect(),
        ..Wants::default()
    }
}

/// Packs two tools for two kernels, and lets both machines choose and relocate; shows them packs that they must refuse.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let mut progress = on_stderr();
    // objects as Debian ships them for AArch64; the other kernel is there to be told from the first
    let board = Board::find("qemu-aarch64")?;
    let kernels =
        [kernel_for(&board, &mut *progress)?, kernel_for(&Board::find("qemu-riscv64")?, &mut *progress)?];
    let folder = context.workspace.target.join("verify").join(&board.name);
    let tools: Vec<_> = corelet_tests::tools::tools().collect();
    let objects =
        objects::for_board(&board, &kernels[0], &tools, &folder, &mut context.machine, &mut *progress)?;
    let pack = |tool: &str| {
        let object = objects.get(tool).with_context(|| format!("{tool}: no object"))?;
        Packed::new(tool, object, &[&kernels[0], &kernels[1]])
    };
    let packed = [pack("opensnoop")?, pack("execsnoop")?];
    let golden = Packed::golden()?;
    let budgets = budgets()?;
    let mut words = Vec::new();
    let mut failures = Vec::new();
    for machine in &MACHINES {
        let lints = ["--package", "corelet-mcu", "--features", "device", "--target", machine.target];
        context.cargo(&[&["clippy"], lints.as_slice(), &["--", "-D", "warnings"]].concat())?;
        let firmware =
            loader::executable(&mut context.machine, context.workspace, "corelet-mcu", machine.target)?;
        let flash = Flash::of(&firmware)?;
        let [(work, stack), _] = [
            relocates(context, machine, &firmware, &packed[0])?,
            relocates(context, machine, &firmware, &packed[1])?,
        ];
        relocates(context, machine, &firmware, &golden)?;
        let packs = refuses(context, machine, &firmware, &packed[0])?;
        context.note(&format!("{}: {packs} packs refused or survived", machine.name))?;
        let of = budgets.mcu.get(machine.name);
        let (name, goals) = (machine.name, &budgets.goals);
        for (what, measured, budget, goal) in [
            ("flash", flash.all, of.map(|m| m.flash), goals.mcu_flash),
            ("of it core", flash.core, of.map(|m| m.core), goals.mcu_flash),
            ("work area", work, of.map(|m| m.work), goals.mcu_ram),
            ("stack", stack, of.map(|m| m.stack), goals.mcu_ram),
            ("RAM in all", work + stack, of.map(|m| m.work + m.stack), goals.mcu_ram),
        ] {
            match hold(&format!("{name} {what}"), measured, budget.as_ref(), 1, goal) {
                Ok(held) => words.push(held),
                Err(e) => failures.push(e.to_string()),
            }
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(Outcome::Passed(words.join(", ")))
}

/// Relocates a tool for each of its kernels, as the PC did; the RAM that it took beside the stack, and the deepest stack.
fn relocates(
    context: &mut Context<'_>,
    machine: &Machine,
    firmware: &Path,
    packed: &Packed,
) -> Result<(u64, u64)> {
    let bytes = packed.bytes()?;
    let mut most = (0, 0);
    for (build_id, expected) in &packed.kernels {
        let run = machine.run(firmware, &bytes, Some(build_id))?;
        context.note(&format!("{} on {build_id}: {}", machine.name, run.lines.join(" / ")))?;
        let said = run.of(&packed.name)?;
        ensure!(
            run.code == 0 && said == *expected,
            "{} on {}: exit code {}, {said:?}, where the PC has {expected:?}",
            packed.name,
            machine.name,
            run.code
        );
        let (work, stack) = run.touched()?;
        // what is last in the work area need not be written to its end
        ensure!(
            (said.work.saturating_sub(64)..=said.work).contains(&work),
            "{} on {}: touched {work} bytes of RAM, the formula says {}",
            packed.name,
            machine.name,
            said.work
        );
        most = (most.0.max(said.work), most.1.max(stack));
    }
    Ok(most)
}

/// Shows the firmware packs and command lines that it must refuse in words, and hostile ones that it must survive; how many.
fn refuses(context: &mut Context<'_>, machine: &Machine, firmware: &Path, packed: &Packed) -> Result<usize> {
    let (build_id, _) = packed.kernels.first().context("no kernel")?;
    let right = packed.bytes()?;
    let of_none = "00".repeat(build_id.len() / 2);
    machine.run(firmware, &right, Some(&of_none))?.is(1, "no target of this build id")?;
    machine.run(firmware, &right, None)?.is(2, "must end with the kernel's build id")?;
    let (refused, hostile) = (refused(packed)?, hostile(packed)?);
    for r in &refused {
        let run = machine.run(firmware, &r.bytes, Some(build_id))?;
        run.is(r.code, r.words).with_context(|| format!("{}: {}", machine.name, r.what))?;
    }
    for (what, bytes) in &hostile {
        let run = machine.run(firmware, bytes, Some(build_id))?;
        context.note(&format!("{}: {what}: {}", machine.name, run.lines.join(" / ")))?;
        ended(&run).with_context(|| format!("{}: {what}", machine.name))?;
    }
    Ok(2 + refused.len() + hostile.len())
}
