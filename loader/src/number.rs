//! Numbers in text, as users and kernels write them.

/// What stands behind `prefix`; `[u8]::strip_prefix` keeps a panic path at `opt-level = "z"`.
pub fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    if text.starts_with(prefix) { text.get(prefix.len()..) } else { None }
}

/// A decimal number without sign.
pub fn decimal(text: &str) -> Option<u32> {
    integer(text).filter(|&(negative, _)| !negative).and_then(|(_, n)| n.try_into().ok())
}

/// An integer, decimal or hexadecimal after `0x`: whether it is negative, and its magnitude.
pub fn integer(text: &str) -> Option<(bool, u64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (base, digits) = match text.strip_prefix("0x") {
        Some(rest) => (16u8, rest),
        None => (10, text),
    };
    let mut n: u64 = 0;
    for b in digits.bytes() {
        let digit = match b {
            b'0'..=b'9' => b.wrapping_sub(b'0'),
            b'a'..=b'f' | b'A'..=b'F' if base == 16 => (b | 0x20).wrapping_sub(b'a' - 10),
            _ => return None,
        };
        n = n.checked_mul(base.into())?.checked_add(digit.into())?;
    }
    (!digits.is_empty()).then_some((negative, n))
}

/// Quotient and remainder, by a shift for each bit where the machine has no division of 64 bits; `by` is below 2³¹ and not 0.
pub fn divide(n: u64, by: u32) -> (u64, u32) {
    if cfg!(target_pointer_width = "64") {
        let by = u64::from(by);
        return (n.checked_div(by).unwrap_or(0), n.checked_rem(by).unwrap_or(0) as u32);
    }
    shifted(n, by)
}

#[inline(never)]
fn shifted(n: u64, by: u32) -> (u64, u32) {
    let (mut quotient, mut rest) = (n, 0u32);
    for _ in 0..u64::BITS {
        rest = rest << 1 | (quotient >> 63) as u32;
        quotient <<= 1;
        if let Some(less) = rest.checked_sub(by) {
            rest = less;
            quotient |= 1;
        }
    }
    (quotient, rest)
}

/// The digit of a number below 16.
pub fn hex_digit(nibble: u8) -> u8 {
    (if nibble < 10 { b'0' } else { b'a' - 10 }).wrapping_add(nibble)
}

/// The bytes that pairs of hexadecimal digits stand for, `N` at most.
#[cold] // preflight alone asks
#[inline(never)]
pub fn hex<const N: usize>(text: &str) -> Option<heapless::Vec<u8, N>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let value = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut bytes = heapless::Vec::new();
    for &[high, low] in pairs {
        bytes.push(value(high)? << 4 | value(low)?).ok()?;
    }
    (rest.is_empty() && !bytes.is_empty()).then_some(bytes)
}

/// The first decimal number in a line, as in `Rss:   72 kB`.
pub fn first(line: &[u8]) -> Option<u32> {
    let start = line.iter().position(u8::is_ascii_digit)?;
    let digits = line.get(start..)?;
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    decimal(core::str::from_utf8(digits.get(..end)?).ok()?)
}

/// The number of CPUs in a list such as `0-3` or `0,2-5`, the form of `/sys/devices/system/cpu/possible`.
pub fn cpus(list: &[u8]) -> Option<u32> {
    let (mut sum, mut from, mut number) = (0u32, None, None);
    for &b in list.trim_ascii_end().iter().chain(b",") {
        match b {
            b'0'..=b'9' => {
                number =
                    Some(number.unwrap_or(0u32).checked_mul(10)?.checked_add(b.wrapping_sub(b'0').into())?)
            }
            b'-' if from.is_none() => from = Some(number.take()?),
            b',' => {
                let to = number.take()?;
                sum = sum.checked_add(to.checked_sub(from.take().unwrap_or(to))?.checked_add(1)?)?;
            }
            _ => return None,
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::{cpus, decimal, divide, first, hex, integer, shifted};

    #[test]
    fn numbers_and_lists() {
        assert_eq!(decimal("17"), Some(17));
        assert_eq!(decimal("-1"), None);
        assert_eq!(decimal("4294967296"), None);
        assert_eq!(decimal(""), None);
        assert_eq!(integer("-0x1F"), Some((true, 31)));
        assert_eq!(integer("18446744073709551616"), None);
        assert_eq!(cpus(b"0-3\n"), Some(4));
        assert_eq!(cpus(b"0,2-5\n"), Some(5));
        assert_eq!(cpus(b"x"), None);
        assert_eq!(first(b"Rss:      72 kB"), Some(72));
        assert_eq!(hex::<2>("0aF5").as_deref(), Some(&[0x0a, 0xf5][..]));
        for (n, by) in [(0, 1), (9, 10), (u64::MAX, 10), (u64::MAX, u32::MAX >> 1), (1_500_000, 1_000_000)] {
            assert_eq!(shifted(n, by), (n / u64::from(by), (n % u64::from(by)) as u32), "{n} / {by}");
            assert_eq!(divide(n, by), shifted(n, by));
        }
        for text in ["", "a", "0g", "0a0", "0a0b0c", "é0"] {
            assert_eq!(hex::<2>(text), None, "{text}");
        }
    }
}
