//! Integers, floating point numbers and enums as C that has the size and sign which the BTF states.
//!
//! A header for BPF is compiled for BPF, whatever machine the kernel runs on: there `long` has 8 bytes, a pointer 8, `int` 4.
//! On a 32-bit kernel the BTF says `long unsigned int` of 4 bytes, and that name in C would be 8 bytes, which the loader then
//! refuses to adjust for signed fields. So the size decides, and the name is kept only where it means the same to BPF.

use corelet_core::btf::{Enumerator, Type, encoding};

/// The C type of an INT called `name`; `None` where C for BPF has no integer of that size.
pub(super) fn int<'n>(t: &Type<'_>, name: &'n str) -> Option<&'n str> {
    let encoding = t.int().map_or(0, |i| i.encoding);
    let signed = encoding & encoding::SIGNED != 0;
    if encoding & encoding::BOOL != 0 && t.size() == 1 {
        return Some("_Bool");
    }
    match meaning(name) {
        // The sign of a plain char is the machine's affair; it stays char, so that text stays text.
        Some((size, sign)) if size == t.size() && sign.is_none_or(|s| s == signed) => Some(name),
        _ => by_size(t.size(), signed),
    }
}

/// The C type of a FLOAT of `size` bytes. BPF has no floating point: what is neither float nor double only keeps its size.
pub(super) fn float(size: u32) -> Option<&'static str> {
    match size {
        4 => Some("float"),
        8 => Some("double"),
        _ => by_size(size, false),
    }
}

/// An integer type of BPF's C with `size` bytes.
pub(super) fn by_size(size: u32, signed: bool) -> Option<&'static str> {
    Some(match (size, signed) {
        (1, true) => "signed char",
        (1, false) => "unsigned char",
        (2, true) => "short",
        (2, false) => "unsigned short",
        (4, true) => "int",
        (4, false) => "unsigned int",
        (8, true) => "long long",
        (8, false) => "unsigned long long",
        (16, true) => "__int128",
        (16, false) => "unsigned __int128",
        _ => return None,
    })
}

/// Size in bytes and sign that BPF's C gives to `name`; `None` for what is no C integer type, no sign for a plain `char`.
fn meaning(name: &str) -> Option<(u32, Option<bool>)> {
    let (mut sign, mut longs, mut int, mut other) = (None, 0, false, None);
    for word in name.split(' ') {
        match word {
            "signed" if sign.is_none() => sign = Some(true),
            "unsigned" if sign.is_none() => sign = Some(false),
            "long" if longs < 2 => longs += 1,
            "int" if !int => int = true,
            "char" | "short" | "__int128" if other.is_none() => other = Some(word),
            _ => return None,
        }
    }
    let size = match (other, longs, int) {
        (Some("char"), 0, false) => return Some((1, sign)),
        (Some("short"), 0, _) => 2,
        (Some("__int128"), 0, false) => 16,
        (None, 1 | 2, _) => 8,
        (None, 0, _) => 4,
        _ => return None,
    };
    Some((size, Some(sign.unwrap_or(true))))
}

/// The underlying type that must be written for an enum, `None` where the one that C derives from the values is right.
pub(super) fn underlying(t: &Type<'_>) -> Option<&'static str> {
    let signed = t.kflag();
    let values = || t.enumerators().map(|e| value(t, e));
    let negative = values().any(|v| v < 0);
    let small = if negative {
        values().all(|v| i32::try_from(v).is_ok())
    } else {
        values().all(|v| v <= u32::MAX.into())
    };
    let derived = (if small { 4 } else { 8 }, negative);
    if derived == (t.size(), signed) && t.vlen() > 0 { None } else { by_size(t.size(), signed) }
}

/// The value of an enumerator with the sign that the enum's kflag gives it.
pub(super) fn value(t: &Type<'_>, e: Enumerator) -> i128 {
    match (t.kflag(), t.size()) {
        (true, _) => (e.value as i64).into(),
        (false, 8) => e.value.into(),
        (false, _) => (e.value as u32).into(),
    }
}

/// A C constant of `value`.
pub(super) fn literal(value: i128) -> String {
    match i64::try_from(value) {
        // C has no negative literals, and the positive one would not fit.
        Ok(i64::MIN) => "(-9223372036854775807LL - 1)".to_owned(),
        Ok(v) => v.to_string(),
        Err(_) => format!("{value}ULL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_mean_to_bpf() {
        assert_eq!(meaning("long unsigned int"), Some((8, Some(false))));
        assert_eq!(meaning("long long int"), Some((8, Some(true))));
        assert_eq!(meaning("__int128 unsigned"), Some((16, Some(false))));
        assert_eq!(meaning("short"), Some((2, Some(true))));
        assert_eq!(meaning("unsigned"), Some((4, Some(false))));
        assert_eq!(meaning("char"), Some((1, None)));
        for name in ["ssizetype", "", "int int", "long char", "long long long", "__Poly8_t"] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }

    #[test]
    fn constants_at_the_ends() {
        assert_eq!(literal(i64::MIN.into()), "(-9223372036854775807LL - 1)");
        assert_eq!(literal(-1), "-1");
        assert_eq!(literal(u64::MAX.into()), "18446744073709551615ULL");
    }
}
