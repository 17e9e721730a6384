//! What a board printed about its requests, as facts to be compared.

use super::request::{STOPPED, Sent};
use crate::oracle::libbpf::{Done, parse};

/// What begins the lines of an object.
pub const MARK: &str = "@object ";

/// The answer to one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `load N` or `relocate N` for program number N, or what else was done.
    pub label: String,
    /// Error number; 0 where the kernel did as it was asked.
    pub errno: i32,
    /// Of the verifier's log the lines that were printed.
    pub log: Vec<String>,
}

/// The answers about each object, by the word behind the mark.
pub fn answers<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, Vec<Answer>)> {
    let mut objects: Vec<(String, Vec<Answer>)> = Vec::new();
    for line in lines {
        let line = line.trim_end();
        if let Some(name) = line.strip_prefix(MARK) {
            objects.push((name.to_owned(), Vec::new()));
            continue;
        }
        let Some((_, answers)) = objects.last_mut() else { continue };
        if let Some((label, errno)) = line.strip_prefix("= ").and_then(|rest| rest.rsplit_once(' ')) {
            let errno = errno.parse().unwrap_or(-1);
            answers.push(Answer { label: label.to_owned(), errno, log: Vec::new() });
        } else if let (Some(said), Some(answer)) = (line.strip_prefix(". "), answers.last_mut()) {
            answer.log.push(said.to_owned());
        }
    }
    objects
}

/// What the kernel refused that is no program: types, maps and their first contents.
pub fn others_refused(answers: &[Answer]) -> impl Iterator<Item = String> {
    let of_program = |label: &str| label.starts_with("load ") || label.starts_with("relocate ");
    let refused = answers.iter().filter(move |a| a.errno != 0 && !of_program(&a.label));
    refused.map(|a| format!("{}: errno {}", a.label, a.errno))
}

/// What the kernel made of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Relocations that came out as ours.
    pub agreed: usize,
    /// Those that did not, in words.
    pub differ: Vec<String>,
    /// Why the program was not taken: the verifier's last words, or what it would attach to and is not there.
    pub refused: Option<String>,
}

/// Compares the kernel's answers about program number `number` with what we do.
pub fn judge(sent: &Sent, number: usize, answers: &[Answer]) -> Fate {
    let mut fate = Fate::default();
    let find = |what: &str| answers.iter().find(|a| a.label == format!("{what} {number}"));
    fate.refused = match find("load") {
        None => match &sent.absent {
            Some(target) => Some(format!("attach target absent: {target}")),
            None => Some("no answer".to_owned()),
        },
        Some(Answer { errno: 0, .. }) => None,
        Some(answer) => Some(format!("errno {}: {}", answer.errno, last(&answer.log))),
    };
    let Some(answer) = find("relocate") else {
        fate.differ = vec!["no answer".to_owned(); sent.relocations.len()];
        return fate;
    };
    let done = parse(&answer.log.join("\n"));
    for (i, ours) in (0..).zip(&sent.relocations) {
        match done.get(&(String::new(), i)) {
            Some(theirs) if theirs == ours => fate.agreed += 1,
            Some(theirs) => {
                fate.differ.push(format!("relo #{i}: kernel {}, ours {}", words(theirs), words(ours)))
            }
            None => fate.differ.push(format!("relo #{i}: the kernel stopped before: {}", last(&answer.log))),
        }
    }
    let too_many = done.len().saturating_sub(sent.relocations.len());
    if too_many > 0 {
        fate.differ.push(format!("the kernel did {too_many} relocations that were not sent"));
    }
    // without relocations nothing else shows that the kernel got behind them
    if !answer.log.iter().any(|line| line.contains(STOPPED)) && fate.differ.is_empty() {
        fate.differ.push(format!("errno {}, not behind relocation: {}", answer.errno, last(&answer.log)));
    }
    fate
}

/// The last line that is no count.
fn last(log: &[String]) -> &str {
    log.iter().rfind(|line| !line.starts_with("processed ")).map_or("", String::as_str)
}

fn words(done: &Done) -> String {
    let size = done.mem_sz.map(|size| format!(", {size} bytes")).unwrap_or_default();
    match done.new {
        _ if done.poisoned => format!("insn #{} poisoned", done.insn),
        Some(new) => format!("insn #{} {new}{size}", done.insn),
        None => format!("insn #{} as it was{size}", done.insn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "boot\n@object 0\n= types 0\n= load 0 0\n= relocate 0 22\n\
        . prog '': relo #0: patched insn #3 (LDX/ST/STX) off 4 -> 40\n\
        . prog '': relo #1: substituting insn #5 w/ invalid insn\n. BPF_LDX uses reserved fields\n\
        . processed 0 insns\n@object 1\n= load 0 13\n. R1 invalid mem access\n. processed 9 insns (limit 1000000)\n";

    fn sent(insn: u32) -> Sent {
        let patched = Done { insn, new: Some(40), ..Done::default() };
        let poisoned = Done { insn: 5, poisoned: true, ..Done::default() };
        Sent { name: "p".to_owned(), relocations: vec![patched, poisoned], absent: None }
    }

    #[test]
    fn agreement_is_of_every_relocation() {
        let found = answers(CONSOLE.lines());
        assert_eq!(found.len(), 2);
        let mut answers = found[0].1.clone();
        answers[2].log.pop();
        assert_eq!(judge(&sent(3), 0, &answers), Fate { agreed: 2, ..Fate::default() });
        let other = judge(&sent(4), 0, &answers);
        assert_eq!(
            (other.agreed, other.differ),
            (1, vec!["relo #0: kernel insn #3 40, ours insn #4 40".to_owned()])
        );
        // the kernel stopped at the second
        answers[2].log.remove(1);
        let fate = judge(&sent(3), 0, &answers);
        assert_eq!((fate.agreed, fate.differ.len()), (1, 1), "{fate:?}");
        // nothing says that it came to the relocations
        answers[2].log.clear();
        let none = Sent { relocations: Vec::new(), ..sent(3) };
        assert_eq!(judge(&none, 0, &answers).differ.len(), 1);
    }

    #[test]
    fn refusals_are_the_verifiers_words() {
        let found = answers(CONSOLE.lines());
        assert_eq!(others_refused(&found[1].1).count(), 0);
        let types = Answer { label: "types".to_owned(), errno: 22, log: Vec::new() };
        assert_eq!(others_refused(&[types]).collect::<Vec<_>>(), ["types: errno 22"]);
        let fate = judge(&sent(3), 0, &found[1].1);
        assert_eq!(fate.refused.as_deref(), Some("errno 13: R1 invalid mem access"));
        assert_eq!(fate.differ, ["no answer", "no answer"]);
        assert_eq!(judge(&sent(3), 1, &found[1].1).refused.as_deref(), Some("no answer"));
        let absent = Sent { absent: Some("f".to_owned()), ..sent(3) };
        assert_eq!(judge(&absent, 1, &[]).refused.as_deref(), Some("attach target absent: f"));
    }
}
