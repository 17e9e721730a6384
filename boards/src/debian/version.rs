//! The order of Debian's version numbers.
//!
//! Source: Debian Policy 5.6.12, "Version".

use std::cmp::Ordering;

/// Orders two versions, `[epoch:]upstream[-revision]`, as dpkg does.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_part(a.upstream.as_bytes(), b.upstream.as_bytes()))
        .then_with(|| compare_part(a.revision.as_bytes(), b.revision.as_bytes()))
}

struct Parts<'v> {
    epoch: u64,
    upstream: &'v str,
    revision: &'v str,
}

impl<'v> Parts<'v> {
    fn of(version: &'v str) -> Self {
        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch: epoch.parse().unwrap_or(0), upstream, revision }
    }
}

/// Runs of non-digits and of digits by turns: the first by `rank`, the second by value.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        for i in 0..text_a.len().max(text_b.len()) {
            match rank(text_a.get(i)).cmp(&rank(text_b.get(i))) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        let (digits_a, digits_b) = (take(&mut a, u8::is_ascii_digit), take(&mut b, u8::is_ascii_digit));
        let (digits_a, digits_b) = (without_zeros(digits_a), without_zeros(digits_b));
        match digits_a.len().cmp(&digits_b.len()).then_with(|| digits_a.cmp(digits_b)) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    Ordering::Equal
}

fn take<'s>(from: &mut &'s [u8], wanted: impl Fn(&u8) -> bool) -> &'s [u8] {
    let end = from.iter().position(|c| !wanted(c)).unwrap_or(from.len());
    let (taken, rest) = from.split_at(end);
    *from = rest;
    taken
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|c| **c == b'0').count()..]
}

/// `~` sorts before the end, the end before letters, letters before everything else.
fn rank(c: Option<&u8>) -> i32 {
    match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_rising_order() {
        let rising = [
            "6.1~rc1-1",
            "6.1-1",
            "6.1.192-2",
            "6.12.9-1",
            "6.12.43-1~bpo12+1",
            "6.12.43-1",
            "6.12.107-1",
            "7.2.11-1~bpo13+1",
            "7.2.11-1",
            "7.2.13-1",
            "1:1.37.0-6",
            "1:1.37.0-6+b9",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }
}
