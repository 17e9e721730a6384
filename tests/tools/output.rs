//! What a board prints about its runs, taken apart, and the small questions that checks ask of it.

use super::Checked;
use super::script::MARK;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A line that the loader printed.
pub type Line = Map<String, Value>;

/// What came of one run.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The run's label.
    pub label: String,
    /// Exit code of the loader; `None` if it had to be killed.
    pub rc: Option<i32>,
    /// What the work said of itself.
    pub facts: BTreeMap<String, String>,
    /// Events, in order.
    pub events: Vec<Line>,
    /// Events that the kernel or the loader's output lost, where the loader says so.
    pub lost: i64,
    /// Results, in order.
    pub results: Vec<Line>,
    /// Lines on the loader's standard output that are no JSON object.
    pub unreadable: Vec<String>,
    /// Lines on the loader's standard error.
    pub errors: Vec<String>,
}

/// The runs in the lines of a board's console. One that has no end is not among them.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Output> {
    let mut runs = Vec::new();
    let mut current: Option<Output> = None;
    for line in lines {
        if let Some(rest) = line.strip_prefix(MARK) {
            let words: Vec<&str> = rest.split_whitespace().collect();
            match words.as_slice() {
                ["begin", label] => current = Some(Output { label: (*label).into(), ..Output::default() }),
                ["end", label, rest @ ..] => {
                    if let Some(mut run) = current.take().filter(|run| run.label == *label) {
                        run.rc = rest.first().and_then(|rc| rc.parse().ok());
                        runs.push(run);
                    }
                }
                _ => {}
            }
        } else if let Some(run) = &mut current {
            run.take(line);
        }
    }
    runs
}

impl Output {
    fn take(&mut self, line: &str) {
        if let Some((name, value)) = line.strip_prefix("F ").and_then(|fact| fact.split_once('=')) {
            self.facts.insert(name.into(), value.into());
        } else if let Some(error) = line.strip_prefix("E ") {
            self.errors.push(error.into());
        } else if let Some(json) = line.strip_prefix("O ") {
            match serde_json::from_str(json) {
                Ok(Value::Object(o)) if o.contains_key("result") => self.results.push(o),
                Ok(Value::Object(o)) if o.contains_key("lost") => {
                    let counts = o.get("lost").and_then(Value::as_object).into_iter().flatten();
                    self.lost += counts.filter_map(|(_, n)| n.as_i64()).sum::<i64>();
                }
                Ok(Value::Object(o)) => self.events.push(o),
                _ => self.unreadable.push(json.into()),
            }
        }
    }

    /// The number that the work called `name`.
    ///
    /// # Errors
    /// It said no such number.
    pub fn fact(&self, name: &str) -> Result<i64, String> {
        let value = self.facts.get(name).ok_or_else(|| format!("the work did not say {name}: it failed"))?;
        value.parse().map_err(|_| format!("the work said {name}={value}, which is no number"))
    }

    /// The one event whose member `name` is `value`.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn one(&self, name: &str, value: impl Into<Value>) -> Result<&Line, String> {
        let value = value.into();
        let found: Vec<&Line> = self.events.iter().filter(|event| event.get(name) == Some(&value)).collect();
        match found.as_slice() {
            [event] => Ok(event),
            _ => Err(format!("{} of {} events have {name}={value}, not 1", found.len(), self.events.len())),
        }
    }

    /// The lines of the result `name`.
    pub fn result<'o>(&'o self, name: &'o str) -> impl Iterator<Item = &'o Line> {
        self.results.iter().filter(move |line| line.get("result").is_some_and(|n| n == name))
    }
}

/// Whether `line` has exactly the members of `want`, a JSON object, with these values. A member whose value in `want` is
/// `null` may have any value.
pub fn same(line: &Line, want: &Value) -> Checked {
    let want = want.as_object().ok_or("what is wanted must be an object")?;
    if line.len() != want.len() || want.keys().any(|name| !line.contains_key(name)) {
        return Err(format!("{} has not the members {:?}", show(line), want.keys().collect::<Vec<_>>()));
    }
    for (name, value) in want {
        if !value.is_null() && line.get(name) != Some(value) {
            return Err(format!("{} has not {name}={value}", show(line)));
        }
    }
    Ok(())
}

/// The number in member `name`, which is a string above 2^53.
///
/// # Errors
/// No such member, or it is no number.
pub fn number(line: &Line, name: &str) -> Result<i64, String> {
    let found = match line.get(name) {
        Some(Value::Number(n)) => n.as_i64(),
        Some(Value::String(s)) => {
            s.strip_prefix("0x").map_or(s.parse().ok(), |hex| i64::from_str_radix(hex, 16).ok())
        }
        _ => None,
    };
    found.ok_or_else(|| format!("{} has no number {name}", show(line)))
}

/// Whether `value` is from `least` to `most`.
pub fn within(what: &str, value: i64, least: i64, most: i64) -> Checked {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{what} is {value}, not {least} to {most}"))
    }
}

/// A line as text for reasons.
pub fn show(line: &Line) -> String {
    Value::Object(line.clone()).to_string()
}
