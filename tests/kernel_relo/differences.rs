//! Where the kernel did otherwise than we, by cause: `differences.toml`.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt;

const TEXT: &str = include_str!("differences.toml");

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A relocation came out otherwise, or not at all.
    Relocation,
    /// A program was relocated, but not taken.
    Program,
    /// Types or a map were not taken.
    Other,
}

/// One thing that was not as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The board.
    pub board: String,
    /// Object and program.
    pub place: String,
    /// What it is about.
    pub what: What,
    /// What happened, in words.
    pub said: String,
}

/// Differences of one cause on one board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The board.
    pub board: String,
    /// What they are about.
    pub what: What,
    /// What is in the words of each.
    pub says: String,
    /// Object and program, or the beginning of it; absent for all.
    #[serde(default)]
    pub place: String,
    /// How many there are.
    pub count: usize,
    /// Why.
    pub cause: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// The list.
///
/// # Errors
/// The file is not of its form.
pub fn differences() -> Result<Vec<Difference>> {
    let file: File = toml::from_str(TEXT).context("differences.toml")?;
    Ok(file.difference)
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fact { board, place, what, said } = self;
        write!(f, "{board}: {place}: {what:?}: {said}")
    }
}

impl Difference {
    fn covers(&self, fact: &Fact) -> bool {
        self.board == fact.board
            && self.what == fact.what
            && fact.said.contains(&self.says)
            && fact.place.starts_with(&self.place)
    }
}

/// Where facts and list differ: a fact that no entry covers, an entry that covers another number of facts than it says. A
/// fact counts for the first entry that covers it.
pub fn unlisted(board: &str, facts: &[Fact], list: &[Difference]) -> Vec<String> {
    let list: Vec<&Difference> = list.iter().filter(|d| d.board == board).collect();
    let mut counts = vec![0; list.len()];
    let mut out = Vec::new();
    for fact in facts {
        match list.iter().position(|d| d.covers(fact)) {
            Some(at) => counts[at] += 1,
            None => out.push(format!("{fact}: not in differences.toml")),
        }
    }
    for (difference, count) in list.iter().zip(counts).filter(|(d, count)| d.count != *count) {
        let Difference { says, place, count: listed, .. } = difference;
        out.push(format!("{board}: {place} {says:?}: {count} times, but {listed} in differences.toml"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(place: &str, said: &str) -> Fact {
        Fact { board: "b".to_owned(), place: place.to_owned(), what: What::Program, said: said.to_owned() }
    }

    fn listed(place: &str, says: &str, count: usize) -> Difference {
        let cause = "for a test".to_owned();
        Difference {
            board: "b".to_owned(),
            what: What::Program,
            says: says.to_owned(),
            place: place.to_owned(),
            count,
            cause,
        }
    }

    #[test]
    fn list_and_facts_must_be_the_same() {
        let facts = [fact("a: p", "errno 13: no"), fact("a: q", "errno 13: no"), fact("c: p", "errno 22: x")];
        let list = [listed("", "errno 13", 2), listed("c", "errno 22", 1)];
        assert_eq!(unlisted("b", &facts, &list), [""; 0]);
        assert_eq!(unlisted("b", &facts[..2], &list).len(), 1, "an entry that nothing needs");
        assert_eq!(unlisted("b", &facts, &list[..1]).len(), 1, "a fact of no entry");
        assert_eq!(unlisted("b", &facts[1..], &list).len(), 1, "another number");
        let other = What::Relocation;
        assert_eq!(unlisted("b", &[Fact { what: other, ..facts[2].clone() }], &list[1..]).len(), 2);
        assert_eq!(unlisted("other", &[], &list), [""; 0]);
    }

    #[test]
    fn the_list_has_causes() {
        for d in differences().unwrap() {
            assert!(
                d.cause.len() > 20 && d.count > 0 && corelet_boards::Board::find(&d.board).is_ok(),
                "{d:?}"
            );
        }
    }
}
