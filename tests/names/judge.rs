//! Whether each name came to what it must on each board, and the table of it.

use super::{Column, Fate, numbers};
use crate::attach::sec::{Row, rows};
use anyhow::{Context, Result};
use corelet_host_tools::kconfig::table::{Of, ROWS};

/// A kernel's reason that no option of its configuration is: names, the boards, words of the refusal, and the reason.
type Reason = (&'static [&'static str], fn(&Column) -> bool, &'static str, &'static str);

const REASONS: &[Reason] = &[
    // of the structs that these kernels have, only a scheduler has members that may sleep
    (
        &["struct_ops.s"],
        |c| c.types && !c.config.is_set("CONFIG_SCHED_CLASS_EXT"),
        "the kernel has no struct_ops `sched_ext_ops`",
        "CONFIG_SCHED_CLASS_EXT",
    ),
    // loaded, and not linked: the kernel has it for x86-64 alone
    (
        &[
            "fentry.multi",
            "fentry.multi.s",
            "fexit.multi",
            "fexit.multi.s",
            "fsession.multi",
            "fsession.multi.s",
        ],
        |c| !c.config.is_set("CONFIG_HAVE_SINGLE_FTRACE_DIRECT_OPS"),
        "EOPNOTSUPP",
        "CONFIG_HAVE_SINGLE_FTRACE_DIRECT_OPS",
    ),
];

/// Why this kernel cannot have the name: words of the refusal, and the reason.
fn reason(row: &Row, column: &Column) -> Result<Option<(&'static str, String)>> {
    let since = row.since()?;
    if column.linux < since {
        return Ok(Some(("", format!("Linux {}.{}", since.0, since.1))));
    }
    let name = row.name.as_str();
    if let Some((_, _, words, why)) = REASONS.iter().find(|r| r.0.contains(&name) && (r.1)(column)) {
        return Ok(Some((words, (*why).to_owned())));
    }
    let kind = name.split('/').next().unwrap_or(name);
    let lacks = |options: &[&str]| options.iter().all(|o| !column.config.is_set(&format!("CONFIG_{o}")));
    let needs = ROWS.iter().filter(|r| matches!(r.of, Of::Sec(names) if names.contains(&kind)));
    let lacking = needs.filter(|r| lacks(r.options)).map(|r| ("", format!("CONFIG_{}", r.options[0])));
    Ok(lacking.into_iter().next())
}

/// What is not as it must be: a name that is refused without one of the kernel's reasons, or taken in spite of one; that no board has; and
/// versions that the kernels' own enumerations contradict.
///
/// # Errors
/// The table of names cannot be read.
pub fn judge(columns: &[Column]) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    for (at, row) in rows()?.iter().enumerate() {
        let name = &row.name;
        for column in columns {
            let mut fail = |why: String| failures.push(format!("{name} on {}: {why}", column.board));
            let reason = reason(row, column)?;
            match (&column.fates[at], &reason) {
                (Fate::Untried, _) => continue,
                (Fate::Ran(_), None) => {}
                (Fate::Ran(n), Some((_, why))) => fail(format!("ran {n} times in spite of {why}")),
                (Fate::Refused { said, .. }, None) => fail(format!("refused without a reason: {said}")),
                (Fate::Refused { said, .. }, Some((words, _))) if !said.contains(words) => {
                    fail(format!("other words than `{words}`: {said}"));
                }
                (Fate::Refused { .. }, Some(_)) => {}
            }
            // a number that a kernel lacks is of a later one; older names got theirs later (XDP: 5.9)
            let (program, attach) = numbers(name).with_context(|| format!("{name}: no such name"))?;
            let [programs, attachments] = &column.numbers;
            let known =
                programs.values().any(|&n| n == program) && attachments.values().any(|&n| n == attach);
            if column.linux >= row.since()? && !known {
                fail(format!("since {:?}, and its types have no such number", row.since()?));
            }
            let flags = name.ends_with(".s") || name.contains(".frags") || name.starts_with("tc/");
            // what came by a flag of loading has no number of its own
            if column.linux < row.since()? && known && attach != 0 && !flags {
                fail(format!("since {:?}, and its types have the number", row.since()?));
            }
        }
        let ran = columns.iter().any(|c| matches!(c.fates[at], Fate::Ran(n) if n > 0));
        if !ran && row.board.is_empty() && columns.iter().any(|c| matches!(c.fates[at], Fate::Ran(_))) {
            failures.push(format!("{name}: counted on no board"));
        }
    }
    failures.extend(columns.iter().filter_map(|c| Some(format!("{}: {}", c.board, c.uses.as_ref().err()?))));
    failures.extend(
        columns
            .iter()
            .filter(|c| c.left != 0)
            .map(|c| format!("{}: {} programs are left in the kernel", c.board, c.left)),
    );
    Ok(failures)
}

/// The table: a line for each name, a cell for each board; then what was seen of maps of struct_ops.
///
/// # Errors
/// The table of names cannot be read.
pub fn table(columns: &[Column]) -> Result<Vec<String>> {
    let mut lines =
        vec![cells("name", "since", columns.iter().map(|c| c.board.trim_start_matches("qemu-").to_owned()))];
    let release = |c: &Column| format!("Linux {}.{}", c.linux.0, c.linux.1);
    lines.push(cells("", "", columns.iter().map(release)));
    for (at, row) in rows()?.iter().enumerate() {
        let mut all = Vec::new();
        for column in columns {
            all.push(match (&column.fates[at], reason(row, column)?) {
                (Fate::Untried, _) => String::new(),
                (Fate::Ran(0), _) if row.is_loaded_only() => "loaded".to_owned(),
                (Fate::Ran(n), _) if row.is_loaded_only() => format!("loaded, ran {n}"),
                (Fate::Ran(0), _) => "attached".to_owned(),
                (Fate::Ran(n), _) => format!("attached, ran {n}"),
                (Fate::Refused { .. }, Some((_, why))) => format!("no: {why}"),
                (Fate::Refused { .. }, None) => "REFUSED".to_owned(),
            });
        }
        let since = row.since()?;
        lines.push(cells(&row.name, &format!("{}.{}", since.0, since.1), all));
    }
    for column in columns {
        lines.extend(column.uses.iter().flatten().map(|line| format!("{}: {line}", column.board)));
    }
    Ok(lines)
}

fn cells(name: &str, since: &str, all: impl IntoIterator<Item = String>) -> String {
    let all: String = all.into_iter().map(|cell| format!(" {cell:<34}")).collect();
    format!("{name:<24} {since:<5}{all}").trim_end().to_owned()
}
