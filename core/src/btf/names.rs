//! Essential names: what remains of a type's name without its flavor.
//! Source: `bpf_core_essential_name_len`, libbpf `src/relo_core.c`: the cut is at the last `X___Y` where X and Y are no
//! underscores.
//! Time: linear in the name, which [`super::Btf::string`] bounds.

use crate::limits::MAX_NAME_LEN;

/// Length of `name` without its flavor, in bytes.
pub fn essential_len(name: &str) -> usize {
    essential_bytes(name.as_bytes())
}

/// The same of bytes that need not be UTF-8.
pub(crate) fn essential_bytes(b: &[u8]) -> usize {
    let cut = b.windows(5).rposition(|w| matches!(w, [x, b'_', b'_', b'_', y] if *x != b'_' && *y != b'_'));
    cut.map_or(b.len(), |at| at.saturating_add(1))
}

/// `name` without its flavor: `task_struct` of `task_struct___old`.
pub fn essential(name: &str) -> &str {
    name.get(..essential_len(name)).unwrap_or(name)
}

/// Whether the strings that begin with `a` and `b` (see [`super::Btf::tail`]) are one name, of up to [`MAX_NAME_LEN`] bytes.
///
/// Most names differ in their first bytes, so that neither is walked to its end.
#[inline]
pub(crate) fn equal(a: &str, b: &str) -> bool {
    for (a, b) in a.bytes().zip(b.bytes()).take(MAX_NAME_LEN.saturating_add(1)) {
        if a != b {
            return false;
        }
        if a == 0 {
            return true;
        }
    }
    false
}

/// Whether two names are equal but for their flavors.
#[cfg_attr(feature = "small", inline(never))]
#[cfg_attr(not(feature = "small"), inline)]
pub fn same(a: &str, b: &str) -> bool {
    essential(a) == essential(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_up_to_their_end() {
        assert!(equal("pid\0tgid\0", "pid\0comm\0"));
        assert!(!equal("pid\0", "pid_t\0") && !equal("pid_t\0", "pid\0") && !equal("pid\0", "tid\0"));
        assert!(!equal("", "") && !equal("pid", "pid"), "no end");
        let long = |len| "x".repeat(len) + "\0";
        assert!(equal(&long(MAX_NAME_LEN), &long(MAX_NAME_LEN)));
        assert!(!equal(&long(MAX_NAME_LEN + 1), &long(MAX_NAME_LEN + 1)));
    }

    #[test]
    fn flavor_is_cut_at_the_last_separator() {
        assert_eq!(essential("task_struct"), "task_struct");
        assert_eq!(essential("task_struct___old"), "task_struct");
        assert_eq!(essential("a___b___c"), "a___b");
        assert_eq!(essential("___x"), "___x");
        assert_eq!(essential("x___"), "x___");
        assert_eq!(essential("x____y"), "x____y");
        assert_eq!(essential(""), "");
        assert_eq!(essential("a___b"), "a");
    }
}
