//! The two passes: types, piece by piece, then the names of those that a relocation can be about.

use super::{BadBtf, Reach, Source, Wanted, may_be_candidate};
use anyhow::Result;
use corelet_core::btf::{Header, Kind, names};
use corelet_core::{Endian, Error, Part, TypeId};

/// Bytes of the longest header that is read; those of today have 24 or 32.
const MAX_HEADER: u64 = 4 << 10;
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Bytes behind a chunk of strings that are read with it: most names that begin in the chunk end there.
const OVERLAP: usize = 256;
/// The place of one type in so many is kept: from there the others are a few steps away.
pub(super) const STRIDE: u32 = 16;
/// Bytes that every record begins with.
pub(super) const RECORD: usize = 12;

/// A blob of which the header was read.
pub(super) struct Blob<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) header: Header,
    /// The layout section; empty in blobs of before kernel 7.1.
    pub(super) layout: Vec<u8>,
    /// By the number of the kind.
    shapes: [Shape; 128],
}

/// How long the records of a kind are, in bytes.
#[derive(Clone, Copy, Default)]
struct Shape {
    /// Without elements; 0 for a kind that nothing describes.
    once: u32,
    /// Each element.
    each: u32,
}

/// What the first pass found.
pub(super) struct Scanned {
    /// Offset of the first, the `STRIDE`th and so on type in the type section.
    pub(super) places: Vec<u32>,
    /// Number of types.
    pub(super) count: u32,
    /// Integers with a name.
    pub(super) ints: Vec<TypeId>,
    /// Name offsets and ids of the types that may be candidates, by the chunk of the strings that the name begins in.
    named: Vec<Vec<(u32, TypeId)>>,
}

/// The first words of a record.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) name_off: u32,
    pub(super) kind: Kind,
    /// Bytes of the whole record.
    pub(super) len: usize,
}

impl<'s> Blob<'s> {
    /// Reads the header and the layout section.
    pub(super) fn open(source: &'s Source<'s>) -> Result<Blob<'s>> {
        let mut buffer = Vec::new();
        let start = source.read(0, source.len().min(MAX_HEADER) as usize, &mut buffer)?;
        let header = Header::parse(start).map_err(|error| BadBtf::locate(error, start))?;
        let mut blob = Blob { source, header, layout: Vec::new(), shapes: [Shape::default(); 128] };
        for (off, len, part) in [
            (header.type_off, header.type_len, Part::BtfTypes),
            (header.str_off, header.str_len, Part::BtfStrings),
            (header.layout_off, header.layout_len, Part::BtfLayout),
        ] {
            if u64::from(header.hdr_len) + u64::from(off) + u64::from(len) > source.len() {
                return Err(blob.bad(Error::Truncated { part, at: off }));
            }
        }
        let at = u64::from(header.hdr_len) + u64::from(header.layout_off);
        blob.layout = source.read(at, header.layout_len as usize, &mut buffer)?.to_vec();
        for (number, shape) in (0u8..).zip(&mut blob.shapes) {
            let trailing = match Kind::from_number(number) {
                Kind::Void => None,
                // struct btf_layout: u8 info_sz, u8 elem_sz, u16 flags, one for each kind
                Kind::Unknown => {
                    let known = blob.layout.as_chunks::<4>().0.get(usize::from(number));
                    known.map(|[once, each, ..]| (usize::from(*once), usize::from(*each)))
                }
                kind => Some(kind.trailing()),
            };
            if let Some((once, each)) = trailing {
                *shape = Shape { once: (RECORD + once) as u32, each: each as u32 };
            }
        }
        Ok(blob)
    }

    /// `error`, with its place in the blob.
    pub(super) fn bad(&self, error: Error) -> anyhow::Error {
        BadBtf::place(error, Some(&self.header), self.source.len()).into()
    }

    /// `len` bytes of the types from `at`.
    pub(super) fn types<'b>(&'b self, at: u32, len: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let start = u64::from(self.header.hdr_len) + u64::from(self.header.type_off);
        self.source.read(start + u64::from(at), len, buffer)
    }

    /// The strings from `at`, `len` bytes or as many as there are.
    pub(super) fn strings<'b>(&'b self, at: u32, len: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let start = u64::from(self.header.hdr_len) + u64::from(self.header.str_off);
        let len = len.min((self.header.str_len - at) as usize);
        self.source.read(start + u64::from(at), len, buffer)
    }

    /// The string at `at`, however long, without its NUL.
    pub(super) fn string(&self, at: u32) -> Result<Vec<u8>> {
        let bad = Error::BadString { part: Part::BtfStrings, at };
        let mut buffer = Vec::new();
        let mut len = OVERLAP;
        if at >= self.header.str_len {
            return Err(self.bad(bad));
        }
        loop {
            let text = self.strings(at, len, &mut buffer)?;
            if let Some(end) = memchr::memchr(0, text) {
                return Ok(text[..end].to_vec());
            }
            if text.len() < len {
                return Err(self.bad(bad));
            }
            len *= 2;
        }
    }

    /// Name offset and info of the record that `bytes` begin with.
    #[inline]
    fn words(&self, bytes: &[u8; RECORD]) -> (u32, u32) {
        // both in one: this is done for every type
        let both = bytes.first_chunk().map_or(0, |both| u64::from_le_bytes(*both));
        let (name_off, info) = (both as u32, (both >> 32) as u32);
        if self.header.endian == Endian::Big {
            return (name_off.swap_bytes(), info.swap_bytes());
        }
        (name_off, info)
    }

    /// The first words of the record that `bytes` begin with, which is that of type `id`.
    pub(super) fn head(&self, bytes: &[u8; RECORD], id: TypeId) -> Result<Head, Error> {
        let (name_off, info) = self.words(bytes);
        let Shape { once, each } = self.shapes[number(info)];
        if once == 0 {
            return Err(Error::UnknownKind { id, kind: number(info) as u8 });
        }
        let len = once as usize + each as usize * vlen(info);
        Ok(Head { name_off, kind: Kind::from_number(number(info) as u8), len })
    }
}

/// The number of elements in a record's info.
#[inline]
pub(super) fn vlen(info: u32) -> usize {
    (info & 0x00ff_ffff) as usize
}

/// The number of the kind in a record's info.
#[inline]
fn number(info: u32) -> usize {
    (info >> 24 & 0x7f) as usize
}

/// Walks all types.
pub(super) fn types(blob: &Blob<'_>, wanted: &Wanted) -> Result<Scanned> {
    let total = blob.header.type_len;
    let mut counts = [false; 128];
    for (number, slot) in (0u8..).zip(&mut counts) {
        let kind = Kind::from_number(number);
        *slot = kind != Kind::Unknown && (may_be_candidate(kind) || wanted.every_kind);
    }
    let chunks = blob.header.str_len as usize / CHUNK + 1;
    let (mut places, mut ints, mut named) = (Vec::new(), Vec::new(), vec![Vec::new(); chunks]);
    let mut buffer = Vec::new();
    let (mut at, mut count) = (0u32, 0u32);
    // most of the time goes into the inner loop: it keeps to a few numbers, and leaves on anything that is wrong
    while at < total {
        let window = blob.types(at, CHUNK.min((total - at) as usize), &mut buffer)?;
        let mut next = 0usize;
        let mut wrong = None;
        while let Some(bytes) = window.get(next..).and_then(|rest| rest.first_chunk()) {
            if count % STRIDE == 0 {
                places.push(at + next as u32);
            }
            count += 1;
            let (name_off, info) = blob.words(bytes);
            let Shape { once, each } = blob.shapes[number(info)];
            if once == 0 {
                wrong = Some(Error::UnknownKind { id: TypeId(count), kind: number(info) as u8 });
                break;
            }
            if name_off != 0 && counts[number(info)] {
                let id = TypeId(count);
                if number(info) == Kind::Int as usize {
                    ints.push(id);
                }
                match named.get_mut(name_off as usize / CHUNK) {
                    Some(named) if name_off < blob.header.str_len => named.push((name_off, id)),
                    _ => {
                        wrong = Some(Error::BadString { part: Part::BtfStrings, at: name_off });
                        break;
                    }
                }
            }
            next += once as usize + each as usize * vlen(info);
        }
        let cut = Error::Truncated { part: Part::BtfTypes, at };
        if let Some(error) = wrong.or((next == 0 || next > (total - at) as usize).then_some(cut)) {
            return Err(blob.bad(error));
        }
        at += next as u32;
    }
    Ok(Scanned { places, count, ints, named })
}

/// The candidates: types whose essential name is wanted, each with how far to go from it.
pub(super) fn candidates(
    blob: &Blob<'_>,
    scanned: &Scanned,
    wanted: &Wanted,
) -> Result<Vec<(TypeId, Reach)>> {
    let first_bytes = FirstBytes::of(wanted);
    let mut out: Vec<_> = scanned.ints.iter().map(|&id| (id, Reach::default())).collect();
    let mut buffer = Vec::new();
    for (chunk, named) in scanned.named.iter().enumerate().filter(|(_, named)| !named.is_empty()) {
        let start = (chunk * CHUNK) as u32;
        let window = blob.strings(start, CHUNK + OVERLAP, &mut buffer)?;
        for &(name_off, id) in named {
            let text = window.get((name_off - start) as usize..).unwrap_or(&[]);
            if !first_bytes.may_begin(text) {
                continue;
            }
            let whole;
            let name = match memchr::memchr(0, text) {
                Some(end) => &text[..end],
                None => {
                    whole = blob.string(name_off)?;
                    &whole
                }
            };
            let bad = |_| blob.bad(Error::BadString { part: Part::BtfStrings, at: name_off });
            let name = std::str::from_utf8(name).map_err(bad)?;
            if let Some(reaches) = wanted.names.get(names::essential(name).as_bytes()) {
                out.extend(reaches.iter().map(|&reach| (id, reach)));
            }
        }
    }
    Ok(out)
}

/// The first two bytes of the wanted names, as a bit each: what most names of a kernel differ in already.
struct FirstBytes(Vec<u64>);

impl FirstBytes {
    fn of(wanted: &Wanted) -> FirstBytes {
        let mut bits = FirstBytes(vec![0; (1 << 16) / 64]);
        for name in wanted.names.keys() {
            match **name {
                [] => {}
                // the name itself, or one with a flavor
                [only] => [0, b'_'].into_iter().for_each(|next| bits.set(only, next)),
                [first, second, ..] => bits.set(first, second),
            }
        }
        bits
    }

    fn set(&mut self, first: u8, second: u8) {
        let bit = usize::from(u16::from_le_bytes([first, second]));
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether a wanted name may begin as `text`, of which less than two bytes mean that it is not known.
    fn may_begin(&self, text: &[u8]) -> bool {
        let [first, second, ..] = *text else { return true };
        let bit = usize::from(u16::from_le_bytes([first, second]));
        self.0[bit / 64] >> (bit % 64) & 1 != 0
    }
}
