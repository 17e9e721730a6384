//! Members that are more than their type says: addresses, ports, argument vectors, stacks.

use super::stack::Stack;
use super::value::Layout;
use super::write::Writer;
use crate::btf::Type;
use crate::bytes::Endian;
use crate::pack::Format;

/// `AF_INET`, `include/linux/socket.h`.
const AF_INET: u64 = 2;
/// `AF_INET6`.
const AF_INET6: u64 = 10;

impl<'a> Layout<'a> {
    /// Prints the member of type `ty` in `field` as `format` says. `data` holds the struct `parent` around it, for formats
    /// that read another member too. What does not fit the format is printed in hexadecimal.
    pub(super) fn hinted(
        &self,
        w: &mut Writer<'_, '_>,
        parent: &Type<'a>,
        ty: &Type<'a>,
        data: &[u8],
        field: &[u8],
        format: Format,
    ) {
        match (format, field) {
            (Format::Hide, _) => {}
            (Format::Text, _) => self.text(w, field),
            (Format::Args { len }, _) => {
                // No such member, or one that says more than there is: all there is.
                let used = self.sibling(parent, data, len).unwrap_or(u64::MAX);
                let used = usize::try_from(used).unwrap_or(usize::MAX).min(field.len());
                self.args(w, field.get(..used).unwrap_or(field));
            }
            (Format::Port, [a, b, ..]) => w.unsigned(u16::from_be_bytes([*a, *b]).into()),
            (Format::Ipv4, [a, b, c, d, ..]) => ipv4(w, [*a, *b, *c, *d]),
            (Format::Ip { family }, _) => match (self.sibling(parent, data, family), field) {
                (Some(AF_INET), [a, b, c, d, ..]) => ipv4(w, [*a, *b, *c, *d]),
                (Some(AF_INET6), _) if field.len() >= 16 => ipv6(w, field),
                _ => hex(w, field),
            },
            (Format::Ksyms { len }, _) => {
                let used = self.sibling(parent, data, len).unwrap_or(u64::MAX);
                let used = usize::try_from(used).unwrap_or(usize::MAX);
                self.addresses(w, field.get(..used).unwrap_or(field));
            }
            (Format::Port | Format::Ipv4, _) => hex(w, field),
            (Format::Plain, _) => self.value(w, ty, field, 0),
            _ => match self.number(ty, field, 0, None) {
                Some(n) => self.scalar(w, ty, n, Some(format)),
                None => hex(w, field),
            },
        }
    }

    /// The stack whose number is in `field`, where `format` says that one is.
    pub(super) fn stack_of(
        &self,
        parent: &Type<'a>,
        data: &[u8],
        format: Option<Format>,
        field: &[u8],
    ) -> Option<Stack> {
        let (map, pid) = match format? {
            Format::KernelStack { map } => (map, None),
            Format::UserStack { map, pid } => {
                (map, Some(self.sibling(parent, data, pid).unwrap_or(0) as u32))
            }
            _ => return None,
        };
        let id = field.first_chunk().map_or(u32::MAX, |b| match field.get(4..8) {
            // of eight bytes the low four: they hold what the helper gave
            Some(_) => read_low(self.btf.endian(), field),
            None => self.btf.endian().u32(*b),
        });
        Some(Stack { map, id, pid })
    }

    /// The number in member `index` of `parent`.
    fn sibling(&self, parent: &Type<'a>, data: &[u8], index: u16) -> Option<u64> {
        let m = parent.member(index.into())?;
        let t = self.btf.behind(m.ty);
        let bits = Some(m.bitfield_size).filter(|&n| n != 0);
        self.number(&t, data, m.bit_offset, bits).map(|n| n.raw)
    }

    /// Prints strings that end in NULs as one, with spaces between.
    fn args(&self, w: &mut Writer<'_, '_>, bytes: &[u8]) {
        let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last.saturating_add(1));
        let bytes = bytes.get(..end.min(self.clip)).unwrap_or(&[]);
        w.joined(bytes);
    }
}

fn ipv4(w: &mut Writer<'_, '_>, bytes: [u8; 4]) {
    w.quote();
    for (i, &b) in bytes.iter().enumerate() {
        if i > 0 {
            w.out.put_byte(b'.');
        }
        w.out.put_u64(b.into());
    }
    w.quote();
}

/// Prints an IPv6 address by RFC 5952: groups without leading zeros, the longest run of two or more zero groups as `::`.
fn ipv6(w: &mut Writer<'_, '_>, bytes: &[u8]) {
    let mut groups = [0u16; 8];
    for (g, b) in groups.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *g = b.iter().fold(0, |high, &low| high << 8 | u16::from(low));
    }
    let (mut start, mut len) = (groups.len(), 1usize);
    for from in 0..groups.len() {
        let zeros = groups.iter().skip(from).take_while(|&&g| g == 0).count();
        if zeros > len {
            (start, len) = (from, zeros);
        }
    }
    let end = start.saturating_add(len);
    w.quote();
    for (i, &g) in groups.iter().enumerate() {
        if i == start {
            w.out.put_str("::");
        }
        if (start..end).contains(&i) {
            continue;
        }
        if i > 0 && i != end {
            w.out.put_byte(b':');
        }
        w.out.put_hex_digits(g.into());
    }
    w.quote();
}

/// Prints bytes in the order of memory.
fn hex(w: &mut Writer<'_, '_>, bytes: &[u8]) {
    w.quote();
    bytes.iter().for_each(|&b| w.out.put_hex_byte(b));
    w.quote();
}

/// The low four bytes of a number of eight.
fn read_low(endian: Endian, field: &[u8]) -> u32 {
    field.first_chunk().map_or(u32::MAX, |b| endian.u64(*b) as u32)
}
