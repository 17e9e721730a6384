//! What may differ between pahole's types and ours, by rule: `differences.toml`.

use super::compare::{Difference, Side};
use anyhow::{Context, Result};
use serde::Deserialize;

const TEXT: &str = include_str!("differences.toml");

/// Differences of one cause in the types of one kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Debian's package of the kernel without its version, as `cloud-arm64`.
    pub kernel: String,
    /// On which side something is missing.
    pub side: Side,
    /// Kind in libbpf's words, or `place` for variables in their section.
    pub kind: String,
    /// Names; a `*` at the end stands for any rest. All names where there are none.
    #[serde(default)]
    pub names: Vec<String>,
    /// What is in one of the texts of pahole's side.
    #[serde(default)]
    pub theirs: String,
    /// What is in one of the texts of ours.
    #[serde(default)]
    pub ours: String,
    /// How many names.
    pub count: usize,
    /// Why it may be.
    pub rule: String,
}

/// The file: what it was written for, and the rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// Version of pahole.
    pub pahole: String,
    /// Release of the kernels.
    pub release: String,
    /// The rules; a difference counts for the first that covers it.
    #[serde(default)]
    pub difference: Vec<Rule>,
}

impl Differences {
    /// The list.
    ///
    /// # Errors
    /// The file is not of its form.
    pub fn read() -> Result<Differences> {
        toml::from_str(TEXT).context("tests/convert/differences.toml")
    }

    /// What is not as the list says: a difference of no rule, a rule of another count than its own. Counts are exact for the
    /// releases that the list was written for; on others a rule must cover something, and no more than twice its count.
    pub fn unlisted(&self, kernel: &str, pahole: &str, release: &str, found: &[Difference]) -> Vec<String> {
        let rules: Vec<&Rule> = self.difference.iter().filter(|r| r.kernel == kernel).collect();
        let mut counts = vec![0; rules.len()];
        let mut out = Vec::new();
        for difference in found {
            match rules.iter().position(|r| r.covers(difference)) {
                Some(at) => counts[at] += 1,
                None => out.push(format!("no rule covers {difference}")),
            }
        }
        let exact = pahole == self.pahole && release.starts_with(&self.release);
        for (rule, count) in rules.iter().zip(counts) {
            if count == 0 || if exact { count != rule.count } else { count > 2 * rule.count } {
                out.push(format!(
                    "{kernel}, {:?} {} {:?}: {count} names, but {} in differences.toml ({})",
                    rule.side, rule.kind, rule.names, rule.count, rule.rule
                ));
            }
        }
        out
    }
}

impl Rule {
    fn covers(&self, d: &Difference) -> bool {
        let named = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => d.key.1.starts_with(start),
            None => d.key.1 == *pattern,
        };
        let holds = |texts: &[String], part: &str| part.is_empty() || texts.iter().any(|t| t.contains(part));
        self.side == d.side
            && self.kind == d.key.0
            && (self.names.is_empty() || self.names.iter().any(named))
            && holds(&d.theirs, &self.theirs)
            && holds(&d.ours, &self.ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(side: Side, name: &str, theirs: &str) -> Difference {
        let key = ("func", name.to_owned());
        Difference { side, key, theirs: vec![theirs.to_owned()], ours: Vec::new() }
    }

    fn list(rules: &[(&[&str], &str, usize)]) -> Differences {
        let rule = |&(names, theirs, count): &(&[&str], &str, usize)| Rule {
            kernel: "k".to_owned(),
            side: Side::Missing,
            kind: "func".to_owned(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            theirs: theirs.to_owned(),
            ours: String::new(),
            count,
            rule: "for a test".to_owned(),
        };
        let difference = rules.iter().map(rule).collect();
        Differences { pahole: "v1".to_owned(), release: "6.12.".to_owned(), difference }
    }

    #[test]
    fn list_and_differences_must_be_the_same() {
        let facts = [
            found(Side::Missing, "a_b", "int"),
            found(Side::Missing, "a_c", "int"),
            found(Side::Missing, "d", "x"),
        ];
        let rules: [(&[&str], &str, usize); 2] = [(&["a_*"], "int", 2), (&["d"], "", 1)];
        let unlisted = |l: &Differences, f: &[Difference]| l.unlisted("k", "v1", "6.12.3", f).len();
        assert_eq!(unlisted(&list(&rules), &facts), 0);
        assert_eq!(unlisted(&list(&rules), &facts[..2]), 1, "a rule that nothing needs");
        assert_eq!(unlisted(&list(&rules), &facts[1..]), 1, "another count");
        assert_eq!(unlisted(&list(&rules[..1]), &facts), 1, "a difference of no rule");
        assert_eq!(unlisted(&list(&[(&[], "", 3)]), &facts), 0, "all names");
        assert_eq!(unlisted(&list(&rules), &[found(Side::Extra, "d", "x")]), 3);
        let other = |f: &[Difference]| list(&rules).unlisted("k", "v2", "6.12.3", f).len();
        assert_eq!((other(&facts), other(&facts[1..]), other(&facts[2..])), (0, 0, 1), "of another pahole");
        assert!(list(&rules).unlisted("other", "v1", "6.12.3", &[]).is_empty());
    }

    #[test]
    fn every_rule_says_why() {
        for rule in Differences::read().unwrap().difference {
            assert!(rule.rule.len() > 20 && rule.count > 0, "{rule:?}");
        }
    }
}
