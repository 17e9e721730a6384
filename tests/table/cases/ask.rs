//! Questions that the checks ask: which line, event or result, has members of these names and values, at whatever depth.
//!
//! A manifest decides under which name a result is printed and how deep a struct lies; the names of members are the tool's own.

use crate::tools::output::{Line, Output};
use serde_json::Value;

/// What a member must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want<'a> {
    /// This text.
    Text(&'a str),
    /// A text with this in it.
    Has(&'a str),
    /// This number, or an enumerator by this name.
    Is(i64, &'a str),
    /// This number.
    Number(i64),
    /// That or more.
    Least(i64),
}

use Want::{Has, Is, Least, Number, Text};

/// The first member called `name`, in the line or in what lies in it.
fn member<'l>(value: &'l Value, name: &str) -> Option<&'l Value> {
    match value {
        Value::Object(members) => members
            .get(name)
            .filter(|found| !found.is_object() && !found.is_array())
            .or_else(|| members.values().find_map(|inner| member(inner, name))),
        Value::Array(items) => items.iter().find_map(|inner| member(inner, name)),
        _ => None,
    }
}

/// A number, also where it is printed as text: beyond 2^53, or in hexadecimal digits.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => {
            s.strip_prefix("0x").map_or(s.parse().ok(), |hex| i64::from_str_radix(hex, 16).ok())
        }
        _ => None,
    }
}

impl Want<'_> {
    fn fits(self, value: &Value) -> bool {
        match self {
            Text(text) => value == text,
            Has(text) => value.as_str().is_some_and(|value| value.contains(text)),
            Is(n, name) => number(value) == Some(n) || value == name,
            Number(n) => number(value) == Some(n),
            Least(n) => number(value).is_some_and(|value| value >= n),
        }
    }
}

/// The lines whose members are all as wanted.
pub(super) fn lines<'o>(output: &'o Output, wants: &[(&str, Want<'_>)]) -> Vec<&'o Line> {
    let all = output.events.iter().chain(&output.results);
    let fits = |line: &&Line| {
        let line = Value::Object((*line).clone());
        wants.iter().all(|(name, want)| member(&line, name).is_some_and(|found| want.fits(found)))
    };
    all.filter(fits).collect()
}

/// Whether there are `count` such lines, or more.
///
/// # Errors
/// There are fewer.
pub(super) fn some(output: &Output, count: usize, wants: &[(&str, Want<'_>)]) -> Result<(), String> {
    match lines(output, wants).len() {
        n if n >= count => Ok(()),
        n => {
            let all = output.events.len() + output.results.len();
            Err(format!("{n} of {all} lines have {wants:?}, not {count}"))
        }
    }
}

/// Whether the histograms in the lines with these members hold so many in all.
///
/// # Errors
/// They hold fewer, or more than `most`.
pub(super) fn counted(
    output: &Output,
    wants: &[(&str, Want<'_>)],
    least: i64,
    most: i64,
) -> Result<(), String> {
    let found = lines(output, wants);
    let sum = found.iter().map(|line| slots(&Value::Object((*line).clone()))).sum::<i64>();
    match sum {
        sum if (least..=most).contains(&sum) => Ok(()),
        sum => Err(format!("{} histograms with {wants:?} hold {sum}, not {least} to {most}", found.len())),
    }
}

/// What the slots of all histograms in a value hold: each is an object with `count`, and `from` where it begins.
fn slots(value: &Value) -> i64 {
    match value {
        Value::Object(members) => match (members.get("from"), members.get("count").and_then(number)) {
            (Some(_), Some(count)) => count,
            _ => members.values().map(slots).sum(),
        },
        Value::Array(items) => items.iter().map(slots).sum(),
        _ => 0,
    }
}

/// Whether some number of some result is at least `least`: for counters whose labels the kernel decides.
///
/// # Errors
/// None is.
pub(super) fn counter(output: &Output, least: i64) -> Result<(), String> {
    fn most(value: &Value) -> i64 {
        match value {
            Value::Object(members) => members.values().map(most).max().unwrap_or(0),
            Value::Array(items) => items.iter().map(most).max().unwrap_or(0),
            value => number(value).unwrap_or(0),
        }
    }
    let most = output.results.iter().map(|line| most(&Value::Object(line.clone()))).max().unwrap_or(0);
    if most >= least { Ok(()) } else { Err(format!("no counter is {least} or more, but {most} at most")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::output::parse;

    fn output() -> Output {
        let lines = [
            "@case begin x",
            r#"O {"comm":"dd","pid":7,"type":"CONNECT","at":{"dport":7411}}"#,
            r#"O {"result":"latency","key":{"comm":"dd"},"log2":[{"from":1,"count":3},{"from":2,"count":4}]}"#,
            r#"O {"result":"calls","counters":{"timer":12}}"#,
            "@case end x 0",
        ];
        parse(lines).remove(0)
    }

    #[test]
    fn members_are_found_at_any_depth_and_must_all_fit() {
        let output = output();
        let good = [("comm", Text("dd")), ("type", Is(0, "CONNECT")), ("dport", Number(7411))];
        assert_eq!(some(&output, 1, &good), Ok(()));
        for bad in [
            ("comm", Text("d")),
            ("pid", Number(8)),
            ("pid", Least(8)),
            ("gone", Least(0)),
            ("comm", Has("x")),
        ] {
            assert!(some(&output, 1, &[good[0], bad]).is_err(), "{bad:?}");
        }
        assert!(some(&output, 2, &good).is_err());
    }

    #[test]
    fn histograms_are_summed_and_counters_compared() {
        let output = output();
        assert_eq!(counted(&output, &[("comm", Text("dd"))], 7, 7), Ok(()));
        assert!(counted(&output, &[("comm", Text("dd"))], 8, 9).is_err());
        assert!(counted(&output, &[("comm", Text("cat"))], 1, 9).is_err());
        assert_eq!(counter(&output, 12), Ok(()));
        assert!(counter(&output, 13).is_err());
    }
}
