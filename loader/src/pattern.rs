//! Names by a pattern in which `*` stands for any text and `?` for any character, as in SEC() names.
//! Source: `glob_match`, libbpf `src/libbpf.c`.

/// Whether `pattern` has to be looked for, and is no name itself.
#[cold]
pub fn is_pattern(pattern: &str) -> bool {
    pattern.bytes().any(|b| matches!(b, b'*' | b'?'))
}

/// Whether `name` fits `pattern`. Time: length × length at worst.
#[cold]
#[inline(never)]
pub fn fits(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0usize, 0usize);
    // behind the last `*`, and what it stood for so far
    let mut again: Option<(usize, usize)> = None;
    while let Some(&b) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                p = p.saturating_add(1);
                again = Some((p, n));
            }
            Some(&c) if c == b'?' || c == b => (n, p) = (n.saturating_add(1), p.saturating_add(1)),
            _ => {
                let Some((star, taken)) = again else { return false };
                let taken = taken.saturating_add(1);
                again = Some((star, taken));
                (p, n) = (star, taken);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_and_question_marks() {
        let all = [
            ("vfs_*", "vfs_read", true),
            ("*", "", true),
            ("*read*", "vfs_readv", true),
            ("vfs_?ead", "vfs_read", true),
            ("a*b*c", "a__b__b_c", true),
            ("*ab", "aab", true),
            ("vfs_read", "vfs_read", true),
            ("vfs_read", "vfs_readv", false),
            ("vfs_readv", "vfs_read", false),
            ("?", "", false),
            ("a*b", "acc", false),
            ("", "a", false),
        ];
        for (pattern, name, expected) in all {
            assert_eq!(fits(name.as_bytes(), pattern.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
