//! 128-bit hashes of what a type is, so that the same type of two units is the same number.
//!
//! Not cryptographic: DWARF made to collide makes a wrong BTF of itself and nothing else. Among the half million different
//! types and names of a kernel, two that are taken for one by chance have a probability below 2^-88 (types) and 2^-26 (names).

/// The identity of a type, or of its shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hash(pub(super) u64, pub(super) u64);

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;
const K2: u64 = 0xa076_1d64_78bd_642f;

impl std::hash::Hash for Hash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Takes the word that a [`Hash`] is as its own hash.
#[derive(Clone, Copy, Default)]
pub(super) struct Same(u64);

impl std::hash::Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = fold(self.0 ^ n ^ K0, K1);
    }
}

/// A map whose keys are hashes or small numbers.
pub(super) type Map<K, V> = std::collections::HashMap<K, V, std::hash::BuildHasherDefault<Same>>;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    wide as u64 ^ (wide >> 64) as u64
}

/// A hash being made.
#[derive(Clone, Copy)]
pub(super) struct Hasher(u64, u64);

impl Hasher {
    /// Begins; `what` tells one kind of thing from another.
    #[inline]
    pub(super) fn new(what: u64) -> Hasher {
        Hasher(K0, K1).with(what)
    }

    #[inline]
    #[must_use]
    pub(super) fn with(self, word: u64) -> Hasher {
        Hasher(fold(self.0 ^ word, K1 ^ self.1), fold(self.1.rotate_left(29) ^ word ^ K2, K0))
    }

    #[inline]
    #[must_use]
    pub(super) fn and(self, other: Hash) -> Hasher {
        Hasher(fold(self.0 ^ other.0, K1 ^ self.1), fold(self.1.rotate_left(29) ^ other.1 ^ K2, K0))
    }

    #[inline]
    pub(super) fn end(self) -> Hash {
        Hash(fold(self.0 ^ K2, K0), fold(self.1, K1) ^ self.0)
    }
}

/// The hash of the string that ends with the first NUL of `bytes`, or with them.
#[inline]
pub(super) fn string(bytes: &[u8]) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let (mut hash, mut rest) = (K0, bytes);
    while let Some((&word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(word);
        let zeros = word.wrapping_sub(LOW) & !word & (LOW << 7);
        if zeros != 0 {
            let bits = zeros.trailing_zeros() & !7;
            return fold(hash ^ (word & !(u64::MAX << bits)), K1);
        }
        hash = fold(hash ^ word, K2);
        rest = after;
    }
    let mut word = 0;
    for (at, &byte) in rest.iter().take_while(|&&byte| byte != 0).enumerate() {
        word |= u64::from(byte) << (8 * at);
    }
    fold(hash ^ word, K1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_hash_whatever_follows_it() {
        for text in ["", "a", "sk_buff", "task_struct", "exactly8", "sixteen letters."] {
            let alone = string(text.as_bytes());
            for after in ["\0", "\0x", "\0another string that is long"] {
                assert_eq!(string(format!("{text}{after}").as_bytes()), alone, "{text}");
            }
            assert_ne!(string(format!("{text}x").as_bytes()), alone);
        }
    }
}
