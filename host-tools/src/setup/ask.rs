//! Whether set-up may change the machine: by `--yes`, in CI, or because a person said so.

use anyhow::Result;

use super::machine::Machine;

/// The answer that was given before anybody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`, or CI: go on without asking.
    Given,
    /// A person can be asked.
    Ask,
    /// Nobody is there to ask: nothing is changed.
    Refused,
}

impl Consent {
    /// What `--yes`, the variable `CI` and the terminal say together.
    pub fn find(yes: bool, machine: &dyn Machine) -> Self {
        Self::decide(yes, std::env::var("CI").ok().as_deref(), machine.has_person())
    }

    fn decide(yes: bool, ci: Option<&str>, person: bool) -> Self {
        // Every CI service sets it to `true` or `1`; a person may set it to nothing to get the question back.
        let in_ci = ci.is_some_and(|value| !matches!(value, "" | "0" | "false"));
        match (yes || in_ci, person) {
            (true, _) => Self::Given,
            (false, true) => Self::Ask,
            (false, false) => Self::Refused,
        }
    }

    /// Whether to go on, asking the person where that is open.
    ///
    /// # Errors
    /// A terminal that cannot be read.
    pub fn settle(self, question: &str, machine: &mut dyn Machine) -> Result<bool> {
        match self {
            Self::Given => Ok(true),
            Self::Refused => Ok(false),
            Self::Ask => {
                let answer = machine.ask(&format!("{question} [Y/n]"))?;
                // The end of the input is no answer, an empty line is the default.
                Ok(answer.is_some_and(|line| {
                    matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn nobody_to_ask_is_a_no_unless_told_before() {
        assert_eq!(Consent::decide(false, None, false), Consent::Refused);
        assert_eq!(Consent::decide(false, Some(""), false), Consent::Refused);
        assert_eq!(Consent::decide(false, Some("false"), true), Consent::Ask);
        assert_eq!(Consent::decide(false, Some("true"), false), Consent::Given);
        assert_eq!(Consent::decide(true, None, true), Consent::Given);
    }

    #[test]
    fn only_a_yes_or_an_empty_line_goes_on() {
        for (answer, expected) in [
            (Some("\n"), true),
            (Some("Yes\n"), true),
            (Some("n\n"), false),
            (Some("what\n"), false),
            (None, false),
        ] {
            let mut machine = Fake { answer: answer.map(str::to_owned), ..Fake::default() };
            assert_eq!(Consent::Ask.settle("Install?", &mut machine).unwrap(), expected, "{answer:?}");
        }
    }
}
