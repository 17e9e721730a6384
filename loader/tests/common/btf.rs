//! Writes small BTF blobs.

/// Types and strings so far; ids count from 1.
pub struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    last: u32,
}

impl Writer {
    pub fn new() -> Writer {
        Writer { types: Vec::new(), strings: vec![0], last: 0 }
    }

    /// The offset of a string.
    pub fn string(&mut self, s: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(s.bytes());
        self.strings.push(0);
        at
    }

    /// Adds a record; gives its id.
    pub fn add(&mut self, name: &str, kind: u32, vlen: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = if name.is_empty() { 0 } else { self.string(name) };
        for word in [name, (kind << 24) | vlen, size_or_type].iter().chain(rest) {
            self.types.extend(word.to_le_bytes());
        }
        self.last += 1;
        self.last
    }

    /// An integer: `encoding` 1 signed, 2 char, 4 bool.
    pub fn int(&mut self, name: &str, bytes: u32, encoding: u32) -> u32 {
        self.add(name, 1, 0, bytes, &[(encoding << 24) | (bytes * 8)])
    }

    /// A struct of members (name, type, offset in bytes).
    pub fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let rest: Vec<u32> =
            members.iter().flat_map(|(n, t, at)| [self.string(n), *t, at * 8]).collect::<Vec<_>>();
        self.add(name, 4, members.len() as u32, size, &rest)
    }

    /// A global variable.
    pub fn var(&mut self, name: &str, ty: u32) -> u32 {
        self.add(name, 14, 0, ty, &[1])
    }

    pub fn finish(self) -> Vec<u8> {
        let mut out = vec![0x9f, 0xeb, 1, 0];
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        for word in [24, 0, types, types, strings] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}
