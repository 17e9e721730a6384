//! Builds BTF for tests, of either byte order and with any header.

use crate::btf::Kind;
use crate::bytes::Endian;
use crate::id::TypeId;
use crate::relo::{CoreRelo, ReloKind};
use std::string::String;
use std::vec;
use std::vec::Vec;

pub(crate) const INT_SIGNED: u32 = 1 << 24;

/// Types and strings so far.
pub(crate) struct Build {
    pub(crate) endian: Endian,
    pub(crate) types: Vec<u8>,
    pub(crate) strings: Vec<u8>,
    first_name: u32,
    last: u32,
}

impl Build {
    pub(crate) fn new(endian: Endian) -> Build {
        Build { endian, types: Vec::new(), strings: vec![0], first_name: 0, last: 0 }
    }

    /// Split BTF over `base`.
    pub(crate) fn over(base: &Build) -> Build {
        Build {
            endian: base.endian,
            types: Vec::new(),
            strings: vec![0],
            first_name: base.strings.len() as u32,
            last: base.last,
        }
    }

    pub(crate) fn string(&mut self, s: &str) -> u32 {
        if s.is_empty() {
            return 0;
        }
        let text: Vec<u8> = [s.as_bytes(), &[0]].concat();
        // behind a NUL, as every writer does it
        let known = self.strings.windows(text.len() + 1).position(|w| w[0] == 0 && w[1..] == text);
        let at = known.map_or(self.strings.len(), |at| at + 1);
        if known.is_none() {
            self.strings.extend(text);
        }
        at as u32 + self.first_name
    }

    pub(crate) fn raw(&mut self, name_off: u32, info: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        for word in [name_off, info, size_or_type].iter().chain(rest) {
            self.types.extend(self.endian.from_u32(*word));
        }
        self.last += 1;
        self.last
    }

    pub(crate) fn add(
        &mut self,
        name: &str,
        kind: Kind,
        vlen: usize,
        size_or_type: u32,
        rest: &[u32],
    ) -> u32 {
        let name_off = self.string(name);
        self.raw(name_off, (kind as u32) << 24 | vlen as u32, size_or_type, rest)
    }

    pub(crate) fn int(&mut self, name: &str, size: u32, encoding: u32) -> u32 {
        self.add(name, Kind::Int, 0, size, &[encoding | (size * 8)])
    }

    pub(crate) fn to(&mut self, name: &str, kind: Kind, ty: u32) -> u32 {
        self.add(name, kind, 0, ty, &[])
    }

    pub(crate) fn array(&mut self, elem: u32, nelems: u32) -> u32 {
        self.add("", Kind::Array, 0, 0, &[elem, elem, nelems])
    }

    /// Members as name, type, offset in bits.
    pub(crate) fn composite(
        &mut self,
        kind: Kind,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32)],
    ) -> u32 {
        let rest: Vec<u32> = members.iter().flat_map(|(n, t, at)| [self.string(n), *t, *at]).collect();
        self.add(name, kind, members.len(), size, &rest)
    }

    pub(crate) fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        self.composite(Kind::Struct, name, size, members)
    }

    pub(crate) fn enumeration(&mut self, name: &str, values: &[(&str, u32)]) -> u32 {
        let rest: Vec<u32> = values.iter().flat_map(|(n, v)| [self.string(n), *v]).collect();
        self.add(name, Kind::Enum, values.len(), 4, &rest)
    }

    pub(crate) fn proto(&mut self, ret: u32, params: &[u32]) -> u32 {
        let rest: Vec<u32> = params.iter().flat_map(|p| [0, *p]).collect();
        self.add("", Kind::FuncProto, params.len(), ret, &rest)
    }

    /// A relocation on `root`.
    pub(crate) fn relo(&mut self, kind: ReloKind, root: u32, access: &str) -> CoreRelo {
        CoreRelo { insn: 0, type_id: TypeId(root), access_str_off: self.string(access), kind }
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        self.with_header(24, &[])
    }

    /// With a header of `len` bytes, and the strings in front of the types where there is a layout behind both.
    pub(crate) fn with_header(&self, len: u32, layout: &[u8]) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = self.endian.from_u16(crate::btf::MAGIC).to_vec();
        out.extend([1, 0]);
        // types need no place of a multiple of four
        let words = match layout {
            [] => [len, 0, types, types, strings, 0, 0],
            _ => [len, strings, types, 0, strings, strings + types, layout.len() as u32],
        };
        out.extend(words.iter().flat_map(|w| self.endian.from_u32(*w)));
        out.resize(len as usize, 0xee);
        let parts =
            if layout.is_empty() { [&self.types, &self.strings] } else { [&self.strings, &self.types] };
        out.extend(parts.into_iter().flatten());
        out.extend(layout);
        out
    }
}

/// The text of a number, for names.
pub(crate) fn numbered(stem: &str, n: u32) -> String {
    std::format!("{stem}{n}")
}
