//! Steps of the gallery: objects that are compiled once, on every board.

use anyhow::{Context as _, Result, ensure};
use corelet_boards::{Board, Kernel, kernel_for, on_stderr};
use corelet_host_tools::setup::{Wants, loader, needs, targets};
use corelet_tests::gallery::{self, BOARDS, Cell, PROGRAMS, Program, checksum, run, said};
use std::collections::BTreeMap;

use crate::context::Context;
use crate::run::Outcome;

/// What six boards take.
pub(crate) fn wants() -> Wants {
    Wants { targets: targets::LOADER.to_vec(), ..of_boards(&BOARDS) }
}

fn of_boards(names: &[&str]) -> Wants {
    let boards = names.iter().filter_map(|name| Board::find(name).ok());
    Wants { needs: boards.flat_map(|board| needs::of_board(&board)).collect(), ..Wants::default() }
}

/// The boards that other steps of a default run boot, so that their kernels are there.
const DEFAULT: [&str; 4] = ["qemu-aarch64-5.10", "qemu-aarch64", "qemu-riscv64", "qemu-armv7"];

/// What their kernels take.
pub(crate) fn default_wants() -> Wants {
    of_boards(&DEFAULT)
}

/// Each object packed for those kernels: what relocation comes to.
pub(crate) fn packed(context: &mut Context<'_>) -> Result<Outcome> {
    for (name, object) in objects() {
        context.note(&format!("{name}: {}", checksum(object)))?;
    }
    let mut wrong = Vec::new();
    for name in DEFAULT {
        wrong.extend(misfits(name, &kernel_for(&Board::find(name)?, &mut *on_stderr())?)?);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(Outcome::Passed(format!("{} objects for {} kernels", objects().len(), DEFAULT.len())))
}

fn misfits(board: &str, kernel: &Kernel) -> Result<Vec<String>> {
    let programs: Vec<&Program> = PROGRAMS.iter().collect();
    gallery::misfits(&programs, board, &gallery::opened(kernel, &mut *on_stderr())?)
}

/// A board with so many CPUs.
struct Column {
    head: String,
    cells: Vec<Cell>,
}

/// What runs on one CPU too: what a kernel has in its masks then, and where tasks say that they are.
const ALONE: [&str; 2] = ["cpus", "naps"];

/// All programs on all boards, with two CPUs; some with one.
pub(crate) fn boards(context: &mut Context<'_>) -> Result<Outcome> {
    let (mut columns, mut misfits) = (Vec::new(), Vec::new());
    for name in BOARDS {
        let board = Board::find(name)?;
        let kernel = kernel_for(&board, &mut *on_stderr())?;
        let built = loader::build(&mut context.machine, context.workspace, &board.arch.rust)?;
        let loader = std::fs::read(&built.path).with_context(|| built.path.display().to_string())?;
        misfits.extend(self::misfits(name, &kernel)?);
        for cpus in [2, 1] {
            let programs: Vec<&Program> =
                PROGRAMS.iter().filter(|p| cpus > 1 || ALONE.contains(&p.case.name)).collect();
            let cells = run(&board, &kernel, &loader, &programs, cpus, &mut *on_stderr(), &mut |_| {})?;
            let head = format!("{} {}, {cpus} CPU", board.arch.name, kernel.release);
            for cell in &cells {
                context.note(&format!("{head}: {}: {}", cell.name, said(&cell.verdict)))?;
            }
            columns.push(Column { head, cells });
        }
    }
    let matrix = matrix(&columns);
    context.note(&matrix)?;
    println!("{matrix}");
    let wrong = columns.iter().flat_map(|column| {
        let wrong = column.cells.iter().filter(|cell| cell.verdict.is_err());
        wrong.map(|cell| format!("{}: {}: {}", column.head, cell.name, said(&cell.verdict)))
    });
    let wrong: Vec<String> = wrong.chain(misfits).collect();
    ensure!(wrong.is_empty(), "{}\n{matrix}", wrong.join("\n"));
    let cells: usize = columns.iter().map(|column| column.cells.len()).sum();
    Ok(Outcome::Passed(format!("{cells} runs of {} objects right", objects().len())))
}

/// The objects by name, of which a program may be the second with another manifest.
fn objects() -> BTreeMap<&'static str, &'static [u8]> {
    PROGRAMS.iter().map(|program| (program.case.tool, program.object)).collect()
}

/// Program by board: each object's checksum, once, and `ok`, `WRONG`, or `-` for what is not run there.
fn matrix(columns: &[Column]) -> String {
    let heads = (1..).zip(columns).map(|(number, column)| format!("{number:>3}  {}\n", column.head));
    let numbers: String = (1..=columns.len()).map(|number| format!(" {number:>5}")).collect();
    let rows = PROGRAMS.iter().map(|program| {
        let cell = |column: &Column| {
            let cell = column.cells.iter().find(|cell| cell.name == program.case.name);
            cell.map_or("     -", |cell| if cell.verdict.is_ok() { "    ok" } else { " WRONG" })
        };
        let cells: String = columns.iter().map(cell).collect();
        format!("\n{:18} {}{cells}", program.case.name, checksum(program.object))
    });
    heads.collect::<String>()
        + &format!("{:18} {:16}{numbers}", "program", "object")
        + &rows.collect::<String>()
}
