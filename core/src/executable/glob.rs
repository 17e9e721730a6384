//! Names with `*` for any text and `?` for any character, as `glob_match` of libbpf.

/// Whether all of `name` fits `pattern`. Time: the product of both lengths at most.
///
/// ```
/// use corelet_core::executable::glob::fits;
/// assert!(fits("pthread_*lock", b"pthread_mutex_unlock") && !fits("m?lloc", b"mlloc"));
/// ```
pub fn fits(pattern: &str, name: &[u8]) -> bool {
    let pattern = pattern.as_bytes();
    let (mut p, mut n) = (0usize, 0usize);
    // where to go on if what follows the last `*` does not fit: it then stands for one character more
    let mut again: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                p = p.saturating_add(1);
                again = Some((p, n));
                continue;
            }
            (None, None) => return true,
            (Some(b'?'), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            (_, None) => return false,
            _ => {
                let Some((behind, from)) = again else { return false };
                (p, n) = (behind, from.saturating_add(1));
                again = Some((p, n));
                continue;
            }
        }
        (p, n) = (p.saturating_add(1), n.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "x"),
            ("a*", "a"),
            ("a*c", "abbc"),
            ("*a*b", "xaxbab"),
            ("?", "x"),
            ("**x", "x"),
            ("a?c*", "abcdef"),
        ] {
            assert!(fits(pattern, name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "x"), ("?", ""), ("a", "ab"), ("a*c", "abb"), ("*ab", "abx"), ("a*b*c", "acb"), ("ab", "a")]
        {
            assert!(!fits(pattern, name.as_bytes()), "{pattern} {name}");
        }
        // bounded: the product of the lengths, not its power
        let (pattern, name) = ("*a".repeat(200), [b'a'; 4000]);
        assert!(fits(&pattern, &name) && !fits(&(pattern + "b"), &name));
    }
}
