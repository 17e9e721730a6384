//! What the tools' source takes for granted and a 32-bit kernel does not have, mended where it is compiled: 8 bytes to a
//! pointer. `narrow/bpf/bpf_core_read.h` reads pointers of the kernel; what is read of a process is here.

use anyhow::{Result, ensure};
use corelet_boards::Board;

/// The folder to search for headers before libbpf's, for a kernel whose pointers have 4 bytes.
pub const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/narrow");

/// A tool, a line of its source, and that line for processes of 4-byte pointers.
type Line = (&'static str, &'static str, &'static str);

/// execsnoop reads `argv`, an array of pointers in the process's memory.
const LINES: &[Line] = &[
    (
        "execsnoop",
        "const char **args = (const char **)(ctx->args[1]);",
        "const __u32 *args = (const __u32 *)(unsigned long)ctx->args[1];",
    ),
    ("execsnoop", "const char *argp;", "__u32 argp;"),
    ("execsnoop", "ARGSIZE, argp);", "ARGSIZE, (const void *)(unsigned long)argp);"),
];

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
