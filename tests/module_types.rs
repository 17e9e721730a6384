//! One pack with types of ext4 for both boards' kernels, built into one of them and a module of the other; and packs made of
//! it that fit less well.

use crate::matrix::{Mutants, Packed};
use crate::tools::ext4sync;
use crate::tools::mutants::mutants;
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Progress, kernel_for};
use corelet_core::pack::{Arch, Module, Records, Target, section};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_modules};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, Section, build, container};

/// The board whose kernel has ext4 built in, and the one whose kernel has it as a module.
const BOARDS: [&str; 2] = ["qemu-aarch64", "qemu-riscv64"];

/// The module.
pub const MODULE: &str = "ext4";

/// Whether this is one of the two boards.
pub fn is_on(board: &Board) -> bool {
    BOARDS.contains(&board.name.as_str())
}

/// The pack, the same for both boards, as sections; with the number of `the_board`'s target.
fn sections(the_board: &Board, progress: &mut dyn Progress) -> Result<(Vec<Section>, u16)> {
    let mut opened = Vec::new();
    for name in BOARDS {
        let kernel = kernel_for(&Board::find(name)?, progress)?;
        let arg = TargetArg::new(&kernel.image, kernel.config.as_deref());
        opened.push(Opened::open(&arg.with_modules(&kernel.modules(progress)?))?);
    }
    let manifest = Manifest::parse("ext4sync.toml", ext4sync::MANIFEST)?;
    let inputs = [Input { name: "ext4sync".to_owned(), bytes: ext4sync::OBJECT.to_vec(), manifest }];
    let built = with_modules(&opened, &inputs, |kernels| build(&inputs, kernels, &Options::default()))?;
    let arch = Arch::from_machine(&the_board.arch.name).context("an architecture without a loader")?;
    for s in built.sections.iter().filter(|s| s.id == section::TARGET) {
        let target: Target<'_> = Records::new(&s.bytes, s.id).at(0)?;
        if target.arch == arch {
            let owner = s.owner;
            return Ok((built.sections, owner));
        }
    }
    anyhow::bail!("{}: not one of {BOARDS:?}", the_board.name)
}

/// What `the_board` runs: the pack itself; where ext4 is a module also as if it were for another build of it, and if so asked with one
/// offset of its types shifted at a time. Paths begin with `module-`.
///
/// # Errors
/// A kernel that cannot be had; one that no longer has ext4 as it is said above.
pub fn packs(the_board: &Board, which: Mutants, progress: &mut dyn Progress) -> Result<Vec<Packed>> {
    let (right, target) = sections(the_board, progress)?;
    let of_target = |id| move |s: &Section| s.id == id && s.owner == target && !s.bytes.is_empty();
    let modules = right.iter().position(of_target(section::MODULES));
    ensure!(
        modules.is_some() == (the_board.name == BOARDS[1]),
        "{}: its kernel has {MODULE} otherwise than it had: find another pair of kernels",
        the_board.name
    );
    let mut packs = Vec::new();
    let mut add = |field: Option<String>, sections: &[Section], cases| -> Result<()> {
        let path = format!("corelet/module-{}.pack", packs.len());
        packs.push(Packed { tool: "ext4sync", cases, field, path, bytes: container(sections)? });
        Ok(())
    };
    add(None, &right, ext4sync::CASES)?;
    let Some(modules) = modules else { return Ok(packs) };
    add(None, &right, ext4sync::UNLOADED)?;
    let other = Module { name: MODULE, build_id: &[0x11; 20] };
    let mut sections = right.clone();
    sections[modules].bytes = Section::records(section::MODULES, target, [other])?.bytes;
    add(None, &sections, ext4sync::OWN_TYPES)?;
    if which == Mutants::None {
        return Ok(packs);
    }
    let subset = right.iter().position(of_target(section::SUBSET)).context("no subset")?;
    for mutant in mutants(&right[subset].bytes)? {
        let mut sections = right.clone();
        sections[subset].bytes = mutant.btf;
        add(Some(mutant.field), &sections, ext4sync::CASES)?;
    }
    Ok(packs)
}
