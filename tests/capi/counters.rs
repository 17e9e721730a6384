//! `loader/examples/counters` on a board: a program without `std` writes and reads maps and variables, and is handed events.

use crate::tools::board;
use crate::tools::output::Output;
use crate::tools::script::MARK;
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Kernel, Progress, Quiet, RUN};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use std::collections::BTreeMap;

const OBJECT: &[u8] = include_bytes!("../../loader/examples/counters/counters.bpf.o");
const MANIFEST: &str = "[object]\nspdx = \"MIT OR GPL-2.0\"\n[maps.firsts]\nevent = \"struct name\"\n";

/// Programs that begin while it watches: `true` five times and `id` twice, by links to BusyBox; each counts 2.
const SCRIPT: &str = r#"
said() {
	sed "s/^/$1 /" "$2"
}
echo "$MARK begin counters"
/corelet/counters /corelet/counters.pack 3 >/out 2>/err &
pid=$!
until grep -q ready /err 2>/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 1; done
for _ in 1 2 3 4 5; do /bin/true; done
for _ in 1 2; do /bin/id >/dev/null; done
wait $pid
echo "F rc=$?"
said O /out
said E /err
echo "F left=$(ls /proc/$pid 2>/dev/null | wc -l)"
echo "$MARK end counters 0"
"#;

/// What it printed, by the first word of a line and the name behind it.
type Said = BTreeMap<(String, String), String>;

/// Boots `board` with the example, built for it as `program`; what it said of itself.
///
/// # Errors
/// What keeps the board from running, and whatever is not as it must be.
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    program: Vec<u8>,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<String> {
    let opened = Opened::packaged(kernel, &mut Quiet)?;
    let pack = with_kernels(std::slice::from_ref(&opened), |kernels| {
        let manifest = Manifest::parse("counters", MANIFEST)?;
        let input = Input { name: "counters".to_owned(), bytes: OBJECT.to_vec(), manifest };
        container(&build(&[input], kernels, &Options::default())?.sections)
    })?;
    let script = format!("MARK='{MARK}'\n{SCRIPT}");
    let files = vec![
        (RUN.to_owned(), 0o755, script.into_bytes()),
        ("corelet/counters".to_owned(), 0o755, program),
        ("corelet/counters.pack".to_owned(), 0o644, pack),
    ];
    let outputs = board::with_files(the_board, kernel, files, ("counters", 120), progress, on_line)?;
    let output = outputs.iter().find(|o| o.label == "counters").context("the board said nothing of it")?;
    judge(output).with_context(|| format!("{output:?}"))
}

fn judge(output: &Output) -> Result<String> {
    ensure!(output.facts.get("rc").is_some_and(|rc| rc == "0"), "it failed");
    let mut said = Said::new();
    for line in &output.unreadable {
        let (kind, rest) = line.split_once(' ').context("a line of one word")?;
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let again = said.insert((kind.to_owned(), name.to_owned()), value.to_owned());
        ensure!(again.is_none(), "{line}: said twice");
    }
    let of = |kind: &str, name: &str| said.get(&(kind.to_owned(), name.to_owned())).map(String::as_str);
    for (name, count) in [("true", "10"), ("id", "4")] {
        ensure!(of("first", name).is_some(), "no event of {name}");
        ensure!(of("count", name) == Some(count), "{name} has no count of {count}");
    }
    ensure!(of("count", "held") == Some("40"), "the entry that was set is not there");
    ensure!(of("first", "held").is_none(), "an event of the entry that was set");
    let counts = said.iter().filter(|((kind, name), _)| kind == "count" && name != "held");
    let sum: u64 = counts.filter_map(|(_, count)| count.parse::<u64>().ok()).sum();
    let total = said.iter().find(|((kind, _), _)| kind == "total");
    let ((_, total), rest) = total.context("no total")?;
    ensure!(total.parse() == Ok(sum), "a total of {total}, but counts of {sum}");
    ensure!(rest == "step 2 gone (true, false)", "{rest}");
    Ok(format!("a program without std counted {total}, by maps and variables that it set"))
}
