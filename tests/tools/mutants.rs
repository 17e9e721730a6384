//! Kernels' types that are wrong in one place: what checks are checked with.
//!
//! Of an object's minimised BTF (`corelet btf min`) every member of a struct or union is one that some relocation goes
//! through. For each there is one mutant, in which that member is 8 bytes further on. Packed with the identity of the
//! real kernel, it loads there, reads the wrong bytes, and a check must notice. A pack that equals the right one is of a
//! member that only programs left out by the manifest use: there is nothing to notice.

use anyhow::{Context, Result, bail};

/// A member's offset moved by 8 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Type and member, as in `struct task_struct.pid`. What has no name is called by its type's id or its place.
    pub field: String,
    /// The BTF with that offset.
    pub btf: Vec<u8>,
}

/// Bits of the shift.
const SHIFT: u32 = 64;

/// Kinds whose records have something behind the 12 bytes common to all, of include/uapi/linux/btf.h: bytes once, bytes
/// for each of `vlen`.
fn behind(kind: u32) -> Option<(usize, usize)> {
    Some(match kind {
        1 | 14 | 17 => (4, 0),      // INT, VAR, DECL_TAG
        3 => (12, 0),               // ARRAY
        4 | 5 | 15 | 19 => (0, 12), // STRUCT, UNION, DATASEC, ENUM64
        6 | 13 => (0, 8),           // ENUM, FUNC_PROTO
        2 | 7..=12 | 16 | 18 => (0, 0),
        _ => return None,
    })
}

/// All mutants of a little-endian BTF, in the order of its types and members.
///
/// # Errors
/// The bytes are no such BTF.
pub fn mutants(btf: &[u8]) -> Result<Vec<Mutant>> {
    let word = |at: usize| -> Result<u32> {
        let bytes = btf.get(at..at + 4).with_context(|| format!("the BTF ends before offset {at}"))?;
        Ok(u32::from_le_bytes(bytes.try_into()?))
    };
    let header = word(4)? as usize;
    let (types, types_len, strings) =
        (header + word(8)? as usize, word(12)? as usize, header + word(16)? as usize);
    let name = |at: u32| {
        let rest = btf.get(strings + at as usize..).unwrap_or_default();
        String::from_utf8_lossy(rest.split(|&b| b == 0).next().unwrap_or_default()).into_owned()
    };
    let (mut at, mut id, mut found) = (types, 0, Vec::new());
    while at < types + types_len {
        id += 1;
        let info = word(at + 4)?;
        let (kind, vlen) = (info >> 24 & 0x1f, info as usize & 0xffff);
        let Some((once, each)) = behind(kind) else {
            bail!("kind {kind} at offset {at} of the BTF is not known")
        };
        if let Some(tag) = [(4, "struct"), (5, "union")].iter().find(|(k, _)| *k == kind).map(|(_, tag)| tag)
        {
            let of =
                Some(name(word(at)?)).filter(|n| !n.is_empty()).unwrap_or_else(|| format!("(anon {id})"));
            for member in 0..vlen {
                let record = at + 12 + 12 * member;
                let called = Some(name(word(record)?)).filter(|n| !n.is_empty());
                let called = called.unwrap_or_else(|| format!("(anon {member})"));
                let moved = word(record + 8)?.wrapping_add(SHIFT);
                let mut wrong = btf.to_vec();
                wrong[record + 8..record + 12].copy_from_slice(&moved.to_le_bytes());
                found.push(Mutant { field: format!("{tag} {of}.{called}"), btf: wrong });
            }
        }
        at += 12 + once + each * vlen;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `int`, and `struct s { int a; struct { int b; }; }`.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0s\0a\0b\0";
        #[rustfmt::skip]
        let types: [u32; 19] = [
            1, 1 << 24, 4, 1 << 24 | 32,
            0, 4 << 24 | 1, 4, 9, 1, 0,
            5, 4 << 24 | 2, 8, 7, 1, 0, 0, 2, 32,
        ];
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, 76, 76, strings.len() as u32].iter().chain(&types) {
            btf.extend(word.to_le_bytes());
        }
        btf.extend(strings);
        btf
    }

    #[test]
    fn each_member_is_moved_in_turn() {
        let right = sample();
        let found = mutants(&right).unwrap();
        let fields: Vec<&str> = found.iter().map(|m| m.field.as_str()).collect();
        assert_eq!(fields, ["struct (anon 2).b", "struct s.a", "struct s.(anon 1)"]);
        for mutant in found {
            let changed: Vec<_> = right.iter().zip(&mutant.btf).filter(|(a, b)| a != b).collect();
            assert_eq!(changed.len(), 1, "{}", mutant.field);
            assert_eq!(*changed[0].1, *changed[0].0 + 64, "{}", mutant.field);
        }
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let right = sample();
        for len in [0, 7, 23, 60, 99] {
            assert!(mutants(&right[..len]).is_err(), "{len}");
        }
    }
}
