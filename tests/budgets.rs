//! What things may cost: `budgets.toml`, measured values each. A budget holds while a measurement is at most 2 % above.

use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_core::pack::section;
use corelet_host_tools::kernel::packaged;
use corelet_host_tools::pack::File;
use serde::Deserialize;
use std::collections::BTreeMap;

const TEXT: &str = include_str!("budgets.toml");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// What the project wants: bytes of a loader, bytes of opensnoop's pack, KiB resident and anonymous.
    pub goals: Goals,
    /// Bytes of the loader by Rust target, with rustup's standard library.
    pub loader: BTreeMap<String, Loader>,
    /// The same with the standard library built from source, which gives other bytes.
    pub loader_std_from_source: BTreeMap<String, Loader>,
    /// Bytes of the loader with no feature, by Rust's target.
    pub loader_plain: BTreeMap<String, u64>,
    /// Bytes of the C example, which carries the loader, by board and name.
    pub c_example: BTreeMap<String, BTreeMap<String, u64>>,
    /// Bytes of opensnoop's pack by board.
    pub pack: BTreeMap<String, u64>,
    /// Memory to load opensnoop's pack, by board.
    pub memory: BTreeMap<String, Memory>,
    /// The same of a pack that has no target for the board's kernel, by the kernel's own types.
    pub memory_kernel_btf: BTreeMap<String, Memory>,
    /// The firmware with opensnoop's pack, by microcontroller.
    pub mcu: BTreeMap<String, Mcu>,
    /// Instructions on this machine, by what is done.
    pub instructions: BTreeMap<String, u64>,
}

/// What the project wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// Bytes.
    pub loader: u64,
    /// Bytes with no feature.
    pub loader_plain: u64,
    /// Bytes.
    pub pack: u64,
    /// KiB.
    pub resident: u64,
    /// KiB.
    pub anonymous: u64,
    /// KiB resident with the kernel's own types.
    pub resident_kernel_btf: u64,
    /// Bytes of a microcontroller's flash.
    pub mcu_flash: u64,
    /// Bytes of its RAM, stack included.
    pub mcu_ram: u64,
}

/// Bytes of a loader.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// With all features.
    pub whole: u64,
    /// Without the feature `kernel-btf`.
    pub without_kernel_btf: u64,
}

/// What a microcontroller takes, in bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mcu {
    /// Flash of the whole firmware.
    pub flash: u64,
    /// Flash of core.
    pub core: u64,
    /// RAM beside the stack.
    pub work: u64,
    /// Stack at its deepest.
    pub stack: u64,
}

/// Memory of the loader once everything is loaded; nothing is given back before that.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// KiB of all pages, by `Rss` of `/proc/self/smaps_rollup`.
    pub resident: u64,
    /// KiB of those that no file holds.
    pub anonymous: u64,
}

/// The budgets.
///
/// # Errors
/// The file is not of its form.
pub fn budgets() -> Result<Budgets> {
    toml::from_str(TEXT).context("budgets.toml")
}

/// Holds `measured` against `budget`, and says both. `unit` is what is counted; `grain` the step that it comes in.
///
/// # Errors
/// It is more than 2 % above, rounded up to the next grain; or so far below that the budget should be lowered (10 %).
pub fn hold(what: &str, measured: u64, budget: Option<&u64>, grain: u64, goal: u64) -> Result<String> {
    let budget = *budget.with_context(|| format!("{what}: budgets.toml has no budget; it is {measured}"))?;
    let bound = (budget + budget / 50).next_multiple_of(grain);
    ensure!(measured <= bound, "{what}: {measured}, but the budget is {budget} and 2 %");
    ensure!(
        measured * 10 >= budget * 9,
        "{what}: {measured}, far below its budget {budget}: lower the budget"
    );
    let missed = if measured > goal { format!(", goal {goal} missed") } else { String::new() };
    Ok(format!("{what} {measured}{missed}"))
}

/// Deliberate memory that the meter must see, in KiB.
const TOUCH: u64 = 64;

/// Bytes that the loader takes beside a pack's formula: its stack, and the table of the pack's sections.
const BESIDE: u64 = 16 << 10;

/// Anonymous memory that a pack of one target promises not to pass on a board of one CPU with pages of 4 KiB, in bytes.
///
/// # Errors
/// The pack does not read back.
pub fn promised(pack: &[u8]) -> Result<u64> {
    let memory: corelet_core::pack::Memory = File::parse(pack)?.record(section::MEMORY, 0)?;
    Ok(memory.work.bytes(1, 4096) + BESIDE)
}

/// A file that is opened on a board while opensnoop runs by the kernel's own types.
const OPENED: &str = "/corelet/opened-by-the-test";

/// The script: loads the pack and closes, alone and with memory touched on purpose; then a pack that has no target for this
/// kernel, which runs too until it shows the file that is opened, where that kernel has types. Where the stack begins within its page
/// decides how many pages it takes, so it begins where it always does.
const SCRIPT: &str = r#"
echo 0 >/proc/sys/kernel/randomize_va_space
echo 1 >/proc/sys/net/core/bpf_jit_enable
for touch in 0 65536; do
    /corelet/corelet-loader verify /corelet/x.pack --json --memory --touch $touch 2>&1 | grep '"memory"'
done
[ -e /sys/kernel/btf ] || exit 0
/corelet/corelet-loader verify /corelet/other.pack --json --memory 2>&1 | grep -e '"memory"' -e 'own types'
(for _ in $(seq 100); do cat /corelet/opened-by-the-test; usleep 100000; done) &
timeout 60 /corelet/corelet-loader run /corelet/other.pack --json --for 30 2>&1 | grep -m 1 /corelet/opened-by-the-test
"#;

#[derive(Deserialize)]
struct Line {
    memory: Said,
}

#[derive(Deserialize)]
struct Said {
    rss_kib: u64,
    anonymous_kib: u64,
}

/// Memory that `loader` takes to load `pack` on a board, and to load `other`, opensnoop's pack that has no target for the
/// board's kernel: that one's programs must report a file that is opened. `None` for it where the kernel has no types.
///
/// # Errors
/// The board does not come up, the loader does not say, or the meter does not see 64 KiB that were touched on purpose.
pub fn memory(
    board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    (pack, other): (&[u8], &[u8]),
    progress: &mut dyn Progress,
) -> Result<(Memory, Option<Memory>)> {
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        files: vec![
            ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
            ("corelet/x.pack".to_owned(), 0o644, pack.to_vec()),
            ("corelet/other.pack".to_owned(), 0o644, other.to_vec()),
            (OPENED[1..].to_owned(), 0o644, Vec::new()),
            (RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec()),
        ],
        ..Initramfs::default()
    };
    let mut lines = Vec::new();
    Boot::new(board, &kernel.image, initramfs.build()?).run(&mut |line| lines.push(line.to_owned()))?;
    let said = |line: &String| serde_json::from_str::<Line>(line).ok().map(|l| l.memory);
    let said: Vec<Said> = lines.iter().filter_map(said).collect();
    let wants_own = packaged::types(kernel, progress)? == kernel.image;
    let (plain, touched, own) = match said.as_slice() {
        [plain, touched, own] if wants_own => (plain, touched, Some(own)),
        [plain, touched] if !wants_own => (plain, touched, None),
        _ => anyhow::bail!(
            "{}: the loader did not say its memory as often as it should: {}",
            board.name,
            lines.join(" / ")
        ),
    };
    let event = lines.iter().any(|l| l.starts_with('{') && l.contains(OPENED));
    ensure!(
        !wants_own || event && lines.iter().any(|l| l.contains("its own types")),
        "{}: no event by the kernel's own types: {}",
        board.name,
        lines.join(" / ")
    );
    // pages of the file are mapped around a fault as they happen to be in memory: one more or less between two runs
    for (what, less, more, slack) in [
        ("resident", plain.rss_kib, touched.rss_kib, 4),
        ("anonymous", plain.anonymous_kib, touched.anonymous_kib, 0),
    ] {
        let seen = more.saturating_sub(less);
        let sees = (TOUCH - slack..=TOUCH + 4).contains(&seen);
        ensure!(sees, "{}: of {TOUCH} KiB the meter saw {seen} ({what})", board.name);
    }
    let memory = |said: &Said| Memory { resident: said.rss_kib, anonymous: said.anonymous_kib };
    Ok((memory(plain), own.map(memory)))
}
