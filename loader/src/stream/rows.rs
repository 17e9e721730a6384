//! The entries of a map that count most, in order: keys with their weights, in memory of a fixed size.

/// Bytes of a weight.
const WEIGHT: usize = 8;

/// Keys by weight, the heaviest first; of those of equal weight the one that came first.
pub(super) struct Rows<'m> {
    bytes: &'m mut [u8],
    stride: usize,
    count: usize,
    most: usize,
    /// Entries that there was no room for.
    pub(super) left_out: u64,
}

impl<'m> Rows<'m> {
    /// Room for `most` keys of `key_len` bytes; for as many as there is memory for where `most` is 0.
    pub(super) fn new(bytes: &'m mut [u8], key_len: usize, most: usize) -> Self {
        let stride = key_len.saturating_add(WEIGHT);
        let fit = bytes.len().checked_div(stride).unwrap_or(0);
        Rows { bytes, stride, count: 0, most: if most == 0 { fit } else { most.min(fit) }, left_out: 0 }
    }

    /// Takes a key into its place, if it is among the heaviest.
    pub(super) fn offer(&mut self, weight: u64, key: &[u8]) {
        let place = (0..self.count).find(|&i| self.weight(i) < weight).unwrap_or(self.count);
        if self.count == self.most {
            self.left_out = self.left_out.saturating_add(1);
        }
        if place >= self.most {
            return;
        }
        self.count = self.count.saturating_add(1).min(self.most);
        let (start, end) = (place.saturating_mul(self.stride), self.count.saturating_mul(self.stride));
        // byte by byte: `copy_within` would bring its panic
        for to in (start.saturating_add(self.stride)..end).rev() {
            let from = self.bytes.get(to.saturating_sub(self.stride)).copied();
            if let (Some(to), Some(from)) = (self.bytes.get_mut(to), from) {
                *to = from;
            }
        }
        let row = self.bytes.get_mut(start..).unwrap_or_default();
        row.iter_mut().zip(weight.to_ne_bytes().iter().chain(key)).for_each(|(to, &from)| *to = from);
    }

    /// The memory that was given.
    pub(super) fn into_memory(self) -> &'m mut [u8] {
        self.bytes
    }

    fn row(&self, index: usize) -> Option<(&[u8; WEIGHT], &[u8])> {
        let start = index.saturating_mul(self.stride);
        self.bytes.get(start..start.saturating_add(self.stride))?.split_first_chunk()
    }

    fn weight(&self, index: usize) -> u64 {
        self.row(index).map_or(0, |(weight, _)| u64::from_ne_bytes(*weight))
    }

    /// The key of row `index`; `None` behind the last.
    pub(super) fn key(&self, index: usize) -> Option<&[u8]> {
        self.row(index).filter(|_| index < self.count).map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn kept(rows: &Rows<'_>) -> Vec<Vec<u8>> {
        (0..).map_while(|i| rows.key(i).map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn the_heaviest_are_kept_in_order() {
        let mut memory = [0xcc; 64];
        let mut rows = Rows::new(&mut memory, 2, 3);
        for (weight, key) in [(5, b"aa"), (7, b"bb"), (5, b"cc"), (u64::MAX, b"dd"), (1, b"ee"), (6, b"ff")] {
            rows.offer(weight, key);
        }
        assert_eq!(kept(&rows), [b"dd", b"bb", b"ff"]);
        assert_eq!(rows.left_out, 3);
    }

    #[test]
    fn memory_bounds_them() {
        let mut memory = [0; 25];
        let mut rows = Rows::new(&mut memory, 4, 0);
        (1..=5u32).for_each(|n| rows.offer(n.into(), &n.to_ne_bytes()));
        assert_eq!(kept(&rows), [5u32.to_ne_bytes(), 4u32.to_ne_bytes()]);
        assert_eq!(rows.left_out, 3);
        let mut rows = Rows::new(&mut [], 4, 9);
        rows.offer(1, &[0; 4]);
        assert_eq!((rows.key(0), rows.left_out), (None, 1));
    }
}
