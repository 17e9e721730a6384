//! Programs on places in user space, on boards: `uprobe/uprobe.bpf.c` on the functions and the USDT probe of `uprobe/probed.c`.
//!
//! What they report is compared whole and in order: arguments, results, what the probe has as a constant, in a register and in
//! memory; the semaphore by what the program says itself.

use anyhow::{Context, Result, bail, ensure};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, RUN, busybox_static};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use serde_json::Value;

/// The boards: three architectures, and a kernel that has neither links nor cookies nor `uprobe_multi`.
pub const BOARDS: [&str; 4] = ["qemu-aarch64", "qemu-aarch64-5.10", "qemu-riscv64", "qemu-armv7"];

/// What is probed, and the object that probes it.
type Parts = (&'static [u8], &'static [u8]);

pub(crate) fn parts(board: &Board) -> Result<Parts> {
    Ok(match board.arch.debian.as_str() {
        "arm64" => (include_bytes!("uprobe/probed-aarch64"), include_bytes!("uprobe/uprobe-arm64.bpf.o")),
        "riscv64" => (include_bytes!("uprobe/probed-riscv64"), include_bytes!("uprobe/uprobe-riscv.bpf.o")),
        "armhf" => (include_bytes!("uprobe/probed-armv7a"), include_bytes!("uprobe/uprobe-arm.bpf.o")),
        other => bail!("nothing is compiled for {other}"),
    })
}

const MANIFEST: &str = "[maps.events]\nevent = \"struct event\"\n\n[programs.absent]\noptional = true\n";

/// Everything; with another function for the program whose function is not there; in one process of two; what is refused.
const SCRIPT: &str = r#"
loader=/corelet/corelet-loader
run() {
    label=$1
    shift
    echo "begin $label"
    # what the run before said must not be taken for this one's
    : >/tmp/said
    $loader run /corelet/uprobe.pack --json "$@" >/tmp/events 2>/tmp/said &
    pid=$!
    until grep -q 'ready:' /tmp/said || ! kill -0 $pid; do sleep 0.1; done
}
end() {
    kill -TERM $pid
    wait $pid
    echo "code $?"
    cat /tmp/said /tmp/events
    echo "end"
}
/corelet/probed 1
run all
/corelet/probed 3
end
/corelet/probed 1
run other --attach absent=/corelet/probed:many_second
/corelet/probed 1
end
sh -c 'sleep 4; exec /corelet/probed 2' &
one=$!
run pid --pid $one
/corelet/probed 1 >/tmp/another
wait $one
end
echo "begin refused"
$loader run /corelet/uprobe.pack --for 1 --attach enter=/corelet/probed:nothing 2>&1
echo "code $?"
$loader run /corelet/uprobe.pack --for 1 --attach tick=/bin/busybox:corelet:tick 2>&1
echo "code $?"
$loader run /corelet/uprobe.pack --for 1 --attach enter=/corelet/none:f 2>&1
echo "code $?"
echo "events left: $(cat /sys/kernel/tracing/uprobe_events)."
echo "end"
"#;

/// Runs it all in one boot of `board`. Returns what was seen, in a few words.
///
/// # Errors
/// The board does not come up, or something is not as it must be, with all that the board said.
pub fn run(board: &Board, kernel: &Kernel, loader: &[u8], progress: &mut dyn Progress) -> Result<String> {
    let (probed, object) = parts(board)?;
    let manifest = Manifest::parse("uprobe", MANIFEST)?;
    let input = Input { name: "uprobe".to_owned(), bytes: object.to_vec(), manifest };
    let opened = [Opened::packaged(kernel, progress)?];
    let pack = with_kernels(&opened, |kernels| build(&[input], kernels, &Options::default()))?;
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        files: vec![
            ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
            ("corelet/uprobe.pack".to_owned(), 0o644, container(&pack.sections)?),
            ("corelet/probed".to_owned(), 0o755, probed.to_vec()),
            (RUN.to_owned(), 0o755, SCRIPT.as_bytes().to_vec()),
        ],
        ..Initramfs::default()
    };
    let mut lines = Vec::new();
    Boot::new(board, &kernel.image, initramfs.build()?).run(&mut |line| lines.push(line.to_owned()))?;
    judge(&lines).with_context(|| format!("{}: {}", board.name, lines.join("\n")))
}

/// What the programs report of one round of `probed`: kind of event, and three numbers.
fn round(n: i64) -> Vec<[i64; 4]> {
    let memory = -1000 - n;
    vec![[0, n, 40, 0], [1, n + 40, 0, 0], [2, n, 0, 0], [2, n, 0, 0], [3, -9, n, memory], [3, 77, n, memory]]
}

fn judge(lines: &[String]) -> Result<String> {
    let part = |label: &str| {
        let begin = format!("begin {label}");
        let mut rest = lines.iter().skip_while(|line| **line != begin).skip(1).peekable();
        ensure!(rest.peek().is_some(), "nothing of {label}");
        Ok(rest.take_while(|line| *line != "end").map(String::as_str).collect::<Vec<_>>())
    };
    let events = |part: &[&str]| -> Vec<[i64; 4]> {
        let number = |event: &Value, name: &str| event.get(name)?.as_i64();
        let event = |line: &&str| {
            let e: Value = serde_json::from_str(line).ok()?;
            Some([number(&e, "kind")?, number(&e, "first")?, number(&e, "second")?, number(&e, "third")?])
        };
        part.iter().filter_map(event).collect()
    };
    let count = |part: &[&str], word: &str| part.iter().filter(|line| **line == word).count();
    let all = part("all")?;
    ensure!(events(&all) == (1..=3).flat_map(round).collect::<Vec<_>>(), "all: {:?}", events(&all));
    ensure!(count(&all, "probed: heard") == 3 && count(&all, "code 0") == 1, "the semaphore was not raised");
    let skipped = "skipped absent (uprobe//corelet/probed:no_such_function): no_such_function is none of the functions of \
                   /corelet/probed: 7 looked at";
    ensure!(all.iter().any(|line| line.contains(skipped)), "not said: {skipped}");
    // before and after, nobody listens
    let unheard = lines.iter().filter(|line| *line == "probed: unheard").count();
    ensure!(unheard == 2, "{unheard} of 2 rounds unheard");
    let other = events(&part("other")?);
    ensure!(
        other.len() == 7 && other.iter().filter(|e| **e == [0, -1, -1, -1]).count() == 1,
        "another function: {other:?}"
    );
    let one = part("pid")?;
    ensure!(events(&one) == (1..=2).flat_map(round).collect::<Vec<_>>(), "one process: {:?}", events(&one));
    let refused = part("refused")?;
    for words in [
        "nothing is none of the functions of /corelet/probed: 7 looked at",
        "/bin/busybox has no USDT probes (.note.stapsdt)",
        "/corelet/none is not there: --attach enter=PATH:",
        "events left: .",
    ] {
        ensure!(refused.iter().any(|line| line.contains(words)), "not said: {words}");
    }
    ensure!(count(&refused, "code 1") == 3, "a refusal has another exit code");
    Ok(format!("{} events", events(&all).len() + other.len() + events(&one).len()))
}
