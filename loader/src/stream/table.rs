//! Addresses and the names that were found for them, in memory of a fixed size.
//!
//! Addresses are collected first, sorted; then the names go by once, in any order, and each address keeps the last that begins
//! before it. So the list of all symbols of a kernel is read once and never kept.

use crate::sys::slots;

/// Longest name in bytes that is kept; what is behind it is left out.
const MAX_NAME: usize = 128;
/// Bytes behind a symbol's start that can still be its own. What is further belongs to something without a name.
const MAX_OFFSET: u64 = 1 << 20;

/// An address and its name.
#[derive(Clone, Copy)]
struct Entry {
    address: u64,
    /// Where what has the name begins; `u64::MAX` for none.
    base: u64,
    name: u32,
    len: u32,
}

/// Bytes of one address.
pub(super) const ENTRY: usize = size_of::<Entry>();

/// Sorted addresses with names.
pub(super) struct Table<'m> {
    entries: &'m mut [Entry],
    count: usize,
    names: &'m mut [u8],
    used: usize,
    /// Where the name of a place goes that another one may take yet: symbols come sorted, most of the time.
    pending: Option<(usize, u64)>,
    pending_name: [u8; MAX_NAME],
    pending_len: usize,
}

impl<'m> Table<'m> {
    /// Room for as many addresses as `entries` has bytes for, with `names` for their names.
    pub(super) fn new(entries: &'m mut [u8], names: &'m mut [u8]) -> Self {
        let nothing = Entry { address: 0, base: u64::MAX, name: 0, len: 0 };
        Table {
            entries: slots(entries, || nothing),
            count: 0,
            names,
            used: 0,
            pending: None,
            pending_name: [0; MAX_NAME],
            pending_len: 0,
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        (self.count, self.used, self.pending) = (0, 0, None);
    }

    fn known(&self) -> &[Entry] {
        self.entries.get(..self.count).unwrap_or(&[])
    }

    /// Place of the first address that is not below `address`.
    fn place(&self, address: u64) -> usize {
        self.known().partition_point(|e| e.address < address)
    }

    /// Takes an address; `false` where there is no room.
    pub(super) fn insert(&mut self, address: u64) -> bool {
        let place = self.place(address);
        if self.known().get(place).is_some_and(|e| e.address == address) {
            return true;
        }
        let end = self.count.saturating_add(1);
        let Some(behind) = self.entries.get_mut(place..end) else { return false };
        let mut moved = Entry { address, base: u64::MAX, name: 0, len: 0 };
        for entry in behind {
            core::mem::swap(entry, &mut moved);
        }
        self.count = end;
        true
    }

    /// Takes the name of what begins at `base`, if an address may be in it.
    pub(super) fn offer(&mut self, base: u64, name: &[u8]) {
        let place = self.place(base);
        let Some(entry) = self.known().get(place) else { return };
        if entry.address.wrapping_sub(base) >= MAX_OFFSET {
            return;
        }
        let best = match self.pending {
            Some((at, base)) if at == place => base,
            _ => entry.base,
        };
        // of several names of one place the first
        if best != u64::MAX && best >= base {
            return;
        }
        if self.pending.is_some_and(|(at, _)| at != place) {
            self.settle();
        }
        self.pending = Some((place, base));
        self.pending_len = name.len().min(MAX_NAME);
        self.pending_name.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
    }

    /// Keeps the name that was offered last.
    fn settle(&mut self) {
        let Some((place, base)) = self.pending.take() else { return };
        let name = self.pending_name.get(..self.pending_len).unwrap_or(&[]);
        let Some(room) = self.names.get_mut(self.used..).and_then(|n| n.get_mut(..name.len())) else {
            return;
        };
        room.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
        if let Some(entry) = self.entries.get_mut(place) {
            (entry.base, entry.name, entry.len) = (base, self.used as u32, name.len() as u32);
            self.used = self.used.saturating_add(name.len());
        }
    }

    /// Gives addresses that several share the name that was offered for the first of them. When all names went by.
    pub(super) fn finish(&mut self) {
        self.settle();
        let mut before: Option<Entry> = None;
        for entry in self.entries.iter_mut().take(self.count) {
            if let Some(b) = before.filter(|b| b.base != u64::MAX)
                && entry.base == u64::MAX
                && entry.address.wrapping_sub(b.base) < MAX_OFFSET
            {
                (entry.base, entry.name, entry.len) = (b.base, b.name, b.len);
            }
            before = Some(*entry);
        }
    }

    /// Gives the addresses from `start` to before `end`, which are in `name`, offsets from `base`, wrapping.
    pub(super) fn cover(&mut self, start: u64, end: u64, base: u64, name: &[u8]) {
        let (from, to) = (self.place(start), self.place(end));
        if from >= to {
            return;
        }
        let at = self.used;
        let Some(room) = self.names.get_mut(at..).and_then(|n| n.get_mut(..name.len())) else { return };
        room.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
        self.used = at.saturating_add(name.len());
        for entry in self.entries.get_mut(from..to).unwrap_or_default() {
            (entry.base, entry.name, entry.len) = (base, at as u32, name.len() as u32);
        }
    }

    /// The name of an address and the offset in what has it.
    pub(super) fn name(&self, address: u64) -> Option<(&[u8], u64)> {
        let entry = self.known().get(self.place(address)).filter(|e| e.address == address)?;
        let name = self.names.get(entry.name as usize..)?.get(..entry.len as usize)?;
        let offset = address.wrapping_sub(entry.base);
        (!name.is_empty() && entry.base != u64::MAX).then_some((name, offset))
    }

    /// Address number `index`.
    pub(super) fn address(&self, index: usize) -> Option<u64> {
        self.known().get(index).map(|e| e.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn name(t: &Table<'_>, address: u64) -> String {
        match t.name(address) {
            Some((name, offset)) => std::format!("{}+{offset:x}", std::str::from_utf8(name).unwrap()),
            None => "?".into(),
        }
    }

    #[test]
    fn names_go_by_once_in_any_order() {
        let (mut entries, mut names) = ([0u64; 60], [0; 64]);
        let mut t = Table::new(crate::sys::bytes(&mut entries), &mut names);
        for address in [0x1010, 0x5000, 0x1080, 0x1010, 0x3000, 0x9000_0000] {
            assert!(t.insert(address));
        }
        // sorted as a kernel's own are, then a module's
        for (base, n) in [
            (0x1000u64, "a"),
            (0x1000, "alias"),
            (0x1081, "b"),
            (0x2f00, "c"),
            (0x3001, "d"),
            (0x4fff, "mod"),
            (0x4000, "mod0"),
        ] {
            t.offer(base, n.as_bytes());
        }
        t.finish();
        assert_eq!(name(&t, 0x1010), "a+10");
        assert_eq!(name(&t, 0x1080), "a+80");
        assert_eq!(name(&t, 0x3000), "c+100");
        assert_eq!(name(&t, 0x5000), "mod+1");
        // too far behind anything, and never collected
        assert_eq!(name(&t, 0x9000_0000), "?");
        assert_eq!(name(&t, 0x1011), "?");
    }

    #[test]
    fn memory_bounds_addresses_and_names() {
        let (mut entries, mut names) = ([0u64; 6], [0; 3]);
        let mut t = Table::new(crate::sys::bytes(&mut entries), &mut names);
        assert!(t.insert(0x10) && t.insert(0x20) && !t.insert(0x30) && t.insert(0x20));
        t.offer(0x8, b"ab");
        t.offer(0x18, b"cd");
        t.finish();
        assert_eq!(name(&t, 0x10), "ab+8");
        // no room for its name: what it is behind has one
        assert_eq!(name(&t, 0x20), "ab+18");
        t.clear();
        assert!(t.insert(0x7f00_1234));
        t.cover(0x7f00_0000, 0x7f00_2000, 0x7f00_0000u64.wrapping_sub(0x5000), b"so");
        assert_eq!(name(&t, 0x7f00_1234), "so+6234");
    }
}
