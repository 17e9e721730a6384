//! The forms that `GUIDE.md` shows: of each rule a wrong one and a right one, and what corelet says of the wrong one.
//!
//! In the guide a block begins with `/* wrong: NAME */` and goes on behind `/* right`; the quotations after it are the messages,
//! with `…` where something is left out. `NAME.bpf.c`, in this folder, is the whole program: the wrong one, or with `-DRIGHT`
//! the right one.

use anyhow::{Context, Result, bail, ensure};

/// The page.
pub const GUIDE: &str = include_str!("../../../GUIDE.md");
/// Where the programs are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gallery/guide");

/// A rule's forms.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The program's name.
    pub name: String,
    /// Lines of the wrong form.
    pub wrong: Vec<String>,
    /// Lines of the right one.
    pub right: Vec<String>,
    /// What corelet says of the wrong one.
    pub said: Vec<String>,
}

/// The forms of a page, in its order.
///
/// # Errors
/// A form without a part.
pub fn forms(page: &str) -> Result<Vec<Form>> {
    let mut forms: Vec<Form> = Vec::new();
    let (mut is_right, mut in_quotation, mut in_rule) = (false, false, false);
    for line in page.lines() {
        if line.starts_with("## ") {
            in_rule = false;
        }
        let code = line.strip_prefix("    ").map(str::trim).filter(|code| !code.is_empty());
        let wrong = code.and_then(|code| code.strip_prefix("/* wrong: ")?.strip_suffix(" */"));
        if let Some(name) = wrong {
            forms.push(Form { name: name.to_owned(), ..Form::default() });
            (is_right, in_rule) = (false, true);
            continue;
        }
        let Some(form) = forms.last_mut().filter(|_| in_rule) else { continue };
        if let Some(code) = code {
            match code.starts_with("/* right") {
                true => is_right = true,
                false if is_right => form.right.push(code.to_owned()),
                false => form.wrong.push(code.to_owned()),
            }
        }
        let words = line.strip_prefix("> ");
        match (words, in_quotation) {
            (Some(words), false) => form.said.push(words.to_owned()),
            (Some(words), true) => {
                let said = form.said.last_mut().context("a quotation without a beginning")?;
                said.push(' ');
                said.push_str(words);
            }
            (None, _) => {}
        }
        in_quotation = words.is_some();
    }
    for form in &forms {
        let whole = ![&form.wrong, &form.right, &form.said].iter().any(|part| part.is_empty());
        ensure!(
            whole,
            "GUIDE.md: the form {} lacks its wrong lines, its right ones or its message",
            form.name
        );
    }
    Ok(forms)
}

/// Whether `said` holds the parts of a message, in their order.
///
/// # Errors
/// The first part that is not there.
pub fn holds(said: &str, message: &str) -> Result<()> {
    let mut rest = said;
    for part in message.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        let Some(at) = rest.find(part) else {
            bail!("GUIDE.md shows {part:?}, corelet says: {said}");
        };
        rest = &rest[at + part.len()..];
    }
    Ok(())
}

/// The lines of a program as the compiler sees them, with `RIGHT` defined or without; conditions are of that name alone.
pub fn lines(source: &str, right: bool) -> Vec<&str> {
    let mut holds = true;
    let mut lines = Vec::new();
    for line in source.lines().map(str::trim) {
        match line {
            "#ifndef RIGHT" => holds = !right,
            "#ifdef RIGHT" => holds = right,
            "#else" => holds = !holds,
            "#endif" => holds = true,
            _ if holds => lines.push(line),
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery::PROGRAMS;
    use std::collections::BTreeSet;

    #[test]
    fn every_form_of_the_guide_is_of_a_program_here() {
        let forms = forms(GUIDE).unwrap();
        for form in &forms {
            let path = format!("{FOLDER}/{}.bpf.c", form.name);
            let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            for (shown, right) in [(&form.wrong, false), (&form.right, true)] {
                let lines = lines(&source, right);
                for line in shown {
                    assert!(lines.contains(&line.as_str()), "{line:?} is not in {path}, right: {right}");
                }
            }
        }
        let shown: BTreeSet<_> = forms.into_iter().map(|form| format!("{}.bpf.c", form.name)).collect();
        let files = std::fs::read_dir(FOLDER).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<_> = files.filter(|f| f.ends_with(".bpf.c")).collect();
        // those that the step `authors` compiles beside the forms
        let others =
            ["guards", "kinds", "matches", "sources", "union"].map(|name| format!("{name}.bpf.c")).into();
        let forms: BTreeSet<_> = files.difference(&others).cloned().collect();
        assert_eq!(forms, shown, "programs here, and forms of GUIDE.md");
    }

    #[test]
    fn every_rule_names_a_program_of_the_gallery() {
        let rules =
            GUIDE.lines().filter(|line| line.starts_with("## ") && line.as_bytes()[3].is_ascii_digit());
        let mut named = 0;
        for rule in rules {
            let names: Vec<_> = rule.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{rule:?} names no program");
            for name in names {
                assert!(
                    PROGRAMS.iter().any(|p| p.case.tool == name),
                    "{name} of {rule:?} is not in the gallery"
                );
                named += 1;
            }
        }
        assert!(named >= 8, "{named} names");
    }

    #[test]
    fn parts_of_a_message_come_in_their_order() {
        assert!(holds("warning: a: b c", "warning: … b").is_ok());
        assert!(holds("warning: a: b c", "b … warning").is_err());
    }

    #[test]
    fn a_form_without_its_message_is_an_error() {
        let page = "## 1. A (`naps`)\n\n    /* wrong: x */\n    a;\n    /* right */\n    b;\n\ntext\n";
        assert!(forms(page).unwrap_err().to_string().contains("the form x lacks"));
        let page = format!("{page}\n> said … of it\n> here\n");
        let form = forms(&page).unwrap().remove(0);
        assert_eq!(form.said, ["said … of it here"]);
        assert_eq!((form.wrong, form.right), (vec!["a;".to_owned()], vec!["b;".to_owned()]));
    }
}
