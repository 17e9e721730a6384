//! First contents of variables, as C would write them.

use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::{Endian, TypeId};

/// Bytes of other values that are shown.
const SHOWN: usize = 16;

/// The value of type `ty` in `data`, which has all of its bytes.
pub(super) fn text(btf: &Btf<'_>, ty: TypeId, data: &[u8]) -> String {
    let Ok(t) = btf.skip_mods(ty) else { return bytes(data) };
    if data.iter().all(|&b| b == 0) && !matches!(t.kind(), Kind::Int | Kind::Enum | Kind::Enum64) {
        return "0".to_owned();
    }
    let number = || number(data, btf.endian());
    match t.kind() {
        Kind::Int => match (t.int(), number()) {
            (Some(e), Some(n)) if e.encoding & encoding::BOOL != 0 && n < 2 => (n == 1).to_string(),
            (Some(e), Some(n)) if e.encoding & encoding::SIGNED != 0 => signed(n, data.len()).to_string(),
            (_, Some(n)) => n.to_string(),
            _ => bytes(data),
        },
        Kind::Enum | Kind::Enum64 => match number() {
            Some(n) => {
                let same = |v: u64| v == n || v == signed(n, data.len()) as u64;
                let named = t.enumerators().find(|e| same(e.value));
                named.map_or_else(|| n.to_string(), |e| btf.string(e.name_off).to_owned())
            }
            None => bytes(data),
        },
        Kind::Array => match t.array().and_then(|a| btf.skip_mods(a.elem).ok()) {
            Some(e) if e.kind() == Kind::Int && e.size() == 1 => string(data).unwrap_or_else(|| bytes(data)),
            _ => bytes(data),
        },
        _ => bytes(data),
    }
}

fn number(data: &[u8], endian: Endian) -> Option<u64> {
    let mut wide = [0u8; 8];
    match (data.len(), endian) {
        (1..=8, Endian::Little) => wide[..data.len()].copy_from_slice(data),
        (1..=8, Endian::Big) => {
            wide[8 - data.len()..].copy_from_slice(data);
            wide.reverse();
        }
        _ => return None,
    }
    Some(u64::from_le_bytes(wide))
}

/// The number of `len` bytes, 1 to 8, with its sign.
fn signed(n: u64, len: usize) -> i64 {
    let unused = 64 - 8 * len.clamp(1, 8) as u32;
    (n << unused) as i64 >> unused
}

/// Text up to its NUL, in quotes; `None` for what is no text.
fn string(data: &[u8]) -> Option<String> {
    let end = data.iter().position(|&b| b == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(end);
    let plain = std::str::from_utf8(text).ok().filter(|_| rest.iter().all(|&b| b == 0))?;
    Some(format!("{plain:?}"))
}

fn bytes(data: &[u8]) -> String {
    let shown: Vec<String> = data.iter().take(SHOWN).map(|b| format!("{b:02x}")).collect();
    shown.join(" ") + if data.len() > SHOWN { " …" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings() {
        assert_eq!(number(&[1, 2], Endian::Little), Some(0x201));
        assert_eq!(number(&[1, 2], Endian::Big), Some(0x102));
        assert_eq!(number(&[], Endian::Big), None);
        assert_eq!(signed(0xff, 1), -1);
        assert_eq!(signed(u64::MAX, 8), -1);
        assert_eq!(string(b"a\"b\0\0").unwrap(), "\"a\\\"b\"");
        assert_eq!(string(b"a\0b"), None);
        assert_eq!(bytes(&[0xab; 17]), format!("{}ab …", "ab ".repeat(15)));
    }
}
