//! `edits.patch`: what had to be changed in the tools' sources, a unified diff whose hunks have their reason behind the second `@@`.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

const TEXT: &str = include_str!("edits.patch");

/// A place in a source that is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// The source's name.
    pub file: String,
    /// Why.
    pub reason: String,
    /// What is there, with lines around it that make it one place only.
    before: String,
    /// What stands there afterwards.
    after: String,
}

impl Edit {
    /// How many lines are put in place of others.
    pub fn lines(&self) -> usize {
        self.after.lines().filter(|line| !self.before.lines().any(|before| before == *line)).count()
    }
}

/// All edits, in the order of the file.
///
/// # Errors
/// A line that no unified diff has, with its number.
pub fn listed() -> Result<Vec<Edit>> {
    parse(TEXT)
}

fn parse(text: &str) -> Result<Vec<Edit>> {
    let (mut edits, mut file): (Vec<Edit>, &str) = (Vec::new(), "");
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("--- a/") {
            file = name;
        } else if let Some(hunk) = line.strip_prefix("@@ ") {
            let (_, reason) = hunk.split_once(" @@").with_context(|| format!("line {}", number + 1))?;
            edits.push(Edit { file: file.to_owned(), reason: reason.trim().to_owned(), ..Edit::default() });
        } else if !line.starts_with("+++ ") {
            let edit = edits.last_mut().with_context(|| format!("line {}: before any hunk", number + 1))?;
            let (before, after) = match line.split_at_checked(1) {
                Some(("-", _)) => (true, false),
                Some(("+", _)) => (false, true),
                Some((" ", _)) => (true, true),
                _ => anyhow::bail!("line {}: no line of a unified diff", number + 1),
            };
            for text in
                [before.then_some(&mut edit.before), after.then_some(&mut edit.after)].into_iter().flatten()
            {
                text.push_str(&line[1..]);
                text.push('\n');
            }
        }
    }
    Ok(edits)
}

/// Copies the sources in `from` to the folder `to`, edited. Gives the names of the tools, sorted.
///
/// # Errors
/// An edit whose place is not there exactly once: the source is of another version; files that cannot be read or written.
pub(super) fn sources(from: &Path, to: &Path) -> Result<Vec<String>> {
    let edits = listed()?;
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let mut tools = Vec::new();
    let mut met = 0;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let tool = name.strip_suffix(".bpf.c");
        if tool.is_none() && !name.ends_with(".h") {
            continue;
        }
        let path = from.join(&name);
        let mut text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for edit in edits.iter().filter(|edit| edit.file == name) {
            let times = text.matches(&edit.before).count();
            ensure!(times == 1, "{name}: {:?} is there {times} times, not once", edit.before);
            text = text.replacen(&edit.before, &edit.after, 1);
            met += 1;
        }
        fs::write(to.join(&name), text)?;
        tools.extend(tool.map(str::to_owned));
    }
    ensure!(met == edits.len(), "{met} of {} edits have a source", edits.len());
    tools.sort();
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_has_a_reason_and_changes_something() {
        let edits = listed().unwrap();
        assert!(!edits.is_empty());
        for edit in edits {
            assert!(edit.reason.split(' ').count() > 3, "{}: {:?} gives no reason", edit.file, edit.reason);
            assert!(edit.before != edit.after && edit.lines() > 0, "{}: {}", edit.file, edit.reason);
        }
    }

    #[test]
    fn a_place_that_is_not_there_once_is_an_error() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(sources(from.path(), to.path()).unwrap_err().to_string().starts_with("0 of "));
        for edit in listed().unwrap() {
            fs::write(from.path().join(&edit.file), [&*edit.before, &edit.before].concat()).unwrap();
        }
        assert!(sources(from.path(), to.path()).unwrap_err().to_string().contains("not once"));
    }
}
