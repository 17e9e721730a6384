//! 8 bytes to a pointer: what the tools' source takes for granted and a 32-bit kernel does not have.
//!
//! Where the tools are compiled it is mended: `narrow/bpf/bpf_core_read.h` reads pointers of the kernel; what is read of a
//! process is here. What comes of it where it is not mended, `narrow/narrow.bpf.c` shows on a board.

use anyhow::{Result, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use serde_json::Value;
use std::collections::BTreeMap;

/// The folder to search for headers before libbpf's, for a kernel whose pointers have 4 bytes.
pub const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/narrow");

/// A tool, a line of its source, and that line for processes of 4-byte pointers.
type Line = (&'static str, &'static str, &'static str);

/// execsnoop reads `argv`, an array of pointers in the process's memory; memleak puts a `size_t` into a map of 8 bytes.
const LINES: &[Line] = &[
    (
        "execsnoop",
        "const char **args = (const char **)(ctx->args[1]);",
        "const __u32 *args = (const __u32 *)(unsigned long)ctx->args[1];",
    ),
    ("execsnoop", "const char *argp;", "__u32 argp;"),
    ("execsnoop", "ARGSIZE, argp);", "ARGSIZE, (const void *)(unsigned long)argp);"),
    ("memleak", "static int gen_alloc_enter(size_t size)", "static int gen_alloc_enter(__u64 size)"),
];

/// Why a tool cannot be compiled for 32-bit ARM.
pub fn without(tool: &str) -> Option<&'static str> {
    (tool == "ksnoop").then_some("it reads a function's fifth argument, which 32-bit ARM passes on the stack")
}

/// Whether the board's kernel has pointers of 4 bytes.
pub fn is(board: &Board) -> bool {
    board.arch.debian == "armhf"
}

/// The source of a tool with its lines changed.
///
/// # Errors
/// The source has such a line not exactly once: it is of another version.
pub fn source(tool: &str, mut text: String) -> Result<String> {
    for (_, from, to) in LINES.iter().filter(|(of, ..)| *of == tool) {
        let times = text.matches(from).count();
        ensure!(times == 1, "{tool}.bpf.c: {from:?} is there {times} times, not once");
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

const OBJECT: &[u8] = include_bytes!("narrow/narrow.bpf.o");

/// The manifest of a pack without one of the object's programs.
fn manifest(without: &str) -> String {
    let result = r#"[[results]]
name = "counts"
variable = "counts"
how = "counters"
labels = ["kthreads", "null_sized", "null_wide", "users", "found_sized", "found_wide", "preempted", "equal_sized", "equal_wide", "failed", "sent"]
"#;
    format!("{result}\n[maps.events]\nevent = \"struct event\"\n\n[programs.{without}]\ndisabled = true\n")
}

/// Two of them share the CPU, so that the kernel takes it from them.
const SCRIPT: &str = r#"
echo 1 >/proc/sys/net/core/bpf_jit_enable
(while :; do :; done) & (while :; do :; done) &
/corelet/corelet-loader run /corelet/switched.pack --json --for 2
echo "switched $?"
/corelet/corelet-loader verify /corelet/failed.pack
echo "failed $?"
"#;

/// Runs the programs of `narrow.bpf.c` on `board`, whose kernel has 4 bytes to a pointer, and compares what the reads of a
/// constant size saw with what is there. Beforehand the packing must have named each of those reads. Returns the counts.
///
/// # Errors
/// The board does not come up, or something is not as it must be, with all that the board said.
pub fn run(board: &Board, kernel: &Kernel, loader: &[u8], progress: &mut dyn Progress) -> Result<String> {
    let opened = [Opened::packaged(kernel, progress)?];
    let pack = |without: &str| {
        let manifest = Manifest::parse("narrow", &manifest(without))?;
        let input = Input { name: "narrow".to_owned(), bytes: OBJECT.to_vec(), manifest };
        with_kernels(&opened, |kernels| build(&[input], kernels, &Options::default()))
    };
    let (switched, failed) = (pack("failed")?, pack("switched")?);
    let wide: Vec<_> = switched.reports[0].targets[0].wide_reads.iter().map(|read| &*read.field).collect();
    for field in ["struct task_struct.mm ", "struct task_struct.nvcsw "] {
        ensure!(wide.iter().any(|named| named.contains(field)), "{field}is not named: {wide:?}");
    }
    ensure!(wide.len() == 2, "other reads are named too: {wide:?}");
    let unresolved = &failed.reports[0].targets[0].unresolved;
    ensure!(
        matches!(&unresolved[..], [(_, one)] if one.spec.contains("struct trace_event_raw_sys_exit.ret ")),
        "the signed long is not named: {unresolved:?}"
    );
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        files: vec![
            ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
            ("corelet/switched.pack".to_owned(), 0o644, container(&switched.sections)?),
            ("corelet/failed.pack".to_owned(), 0o644, container(&failed.sections)?),
            (RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec()),
        ],
        ..Initramfs::default()
    };
    let mut lines = Vec::new();
    Boot::new(board, &kernel.image, initramfs.build()?).run(&mut |line| lines.push(line.to_owned()))?;
    judge(&lines).map_err(|why| anyhow::anyhow!("{why}: {}", lines.join(" / ")))
}

fn judge(lines: &[String]) -> Result<String, String> {
    let counts = lines.iter().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let counts = line.get("counters")?.as_object()?;
        counts.iter().map(|(k, v)| Some((k.clone(), v.as_u64()?))).collect::<Option<BTreeMap<_, _>>>()
    });
    let counts = counts.ok_or("no counts")?;
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    for (all, sized, wide) in [
        ("kthreads", "null_sized", "null_wide"),
        ("users", "found_sized", "found_wide"),
        ("preempted", "equal_sized", "equal_wide"),
    ] {
        if of(all) == 0 || of(sized) != of(all) || of(wide) != 0 {
            return Err(format!(
                "of {} {all}, {} {sized} (all should be) and {} {wide} (none should)",
                of(all),
                of(sized),
                of(wide)
            ));
        }
    }
    // every record arrived once and in order, on many times round the ring
    let numbers: Vec<u64> = (lines.iter())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get("number")?.as_u64())
        .collect();
    if numbers.len() < 300 || !numbers.iter().copied().eq(0..of("sent")) {
        return Err(format!("{} records of {} sent arrived in order", numbers.len(), of("sent")));
    }
    let said = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    if !said(&["switched 0"]) || !said(&["failed 1"]) || !said(&["poisoned", "ret"]) {
        return Err("a poisoned load of a signed long must be refused, with its field".to_owned());
    }
    Ok(format!("{counts:?}"))
}
