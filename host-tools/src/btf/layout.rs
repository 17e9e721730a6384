//! One struct or union with the place and size of each member, its holes, bitfields, padding and cachelines, as pahole(1) prints it.
//!
//! A hole is what no member covers between two. Behind a bitfield it is counted in bits up to the end of the unit that the
//! bitfield's type has, and in bytes from there on. Members of structs and unions without a name stand inside of them, with
//! offsets from the start of the whole.
//!
//! Bounded for any types: `MAX_LINES` members, `MAX_LEVELS` levels on a list, no recursion.

use super::shape::{self, Nameless};
use anyhow::{Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Member, Type};
use corelet_core::limits::MAX_RESOLVE_DEPTH;
use std::fmt::Write;

/// Members that are printed of one type; the largest struct of a kernel has some hundred.
const MAX_LINES: usize = 1 << 16;

/// Levels of structs without a name.
const MAX_LEVELS: usize = 32;

/// Column of the comments, as pahole's.
const COLUMN: usize = 49;

/// Every struct and union called `wanted` (`sock`, `struct sock`, a typedef's name); `cacheline` in bytes, not 0.
///
/// # Errors
/// There is none of the name, or it has more members than any kernel's.
pub fn text(btf: &Btf<'_>, wanted: &str, cacheline: u32) -> Result<String> {
    let mut out = String::new();
    for t in find(btf, wanted) {
        out.push_str(&of(btf, &t, cacheline)?);
    }
    ensure!(!out.is_empty(), "no struct, union or typedef of one is called {wanted}");
    Ok(out)
}

/// The struct or union `t`.
///
/// # Errors
/// It has more members than any kernel's.
pub fn of<'b>(btf: &Btf<'b>, t: &Type<'b>, cacheline: u32) -> Result<String> {
    let mut out = String::new();
    Printer { btf, cacheline, out: &mut out, lines: 0, marked: 0 }.whole(t)?;
    Ok(out)
}

fn find<'b>(btf: &Btf<'b>, wanted: &str) -> Vec<Type<'b>> {
    let (word, name) = wanted.split_once(' ').unwrap_or(("", wanted));
    let all = (1..btf.id_end()).filter_map(|id| btf.ty(TypeId(id)).ok());
    let called = all.filter(|t| t.name_off != 0 && btf.name(t) == name.trim());
    let mut found: Vec<Type<'b>> = Vec::new();
    for t in called {
        let kind = t.kind();
        if kind.is_composite() && (word.is_empty() || word == kind.name()) {
            found.push(t);
        } else if let (Kind::Typedef, "", Ok(of)) = (kind, word, btf.skip_mods(t.id)) {
            // a struct of its own name follows anyway
            if of.kind().is_composite() && btf.name(&of) != name {
                found.push(of);
            }
        }
    }
    found
}

/// A struct that is being printed, and how far it is.
struct Level<'b> {
    of: Type<'b>,
    next: u32,
    /// Bits from the start of the whole.
    base: u64,
    /// What follows its closing brace: a name and dimensions, its place and size.
    closing: String,
    so_far: Sums,
}

/// What a struct adds up to.
#[derive(Default)]
struct Sums {
    /// Bits up to which members reach, from its own start.
    end: u64,
    /// Bit where the unit of the last member ends, if that is a bitfield.
    unit_end: Option<u64>,
    members: u64,
    bitfields: u64,
    holes: (u32, u64),
    bit_holes: (u32, u64),
}

struct Printer<'x, 'b> {
    btf: &'x Btf<'b>,
    cacheline: u32,
    out: &'x mut String,
    lines: usize,
    /// Cachelines whose start was told.
    marked: u64,
}

impl<'b> Printer<'_, 'b> {
    fn whole(&mut self, t: &Type<'b>) -> Result<()> {
        let mut levels = vec![self.open(t, 0, String::new(), 0)];
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { return Ok(()) };
            let Some(m) = level.of.member(level.next) else {
                self.close(level, depth);
                levels.pop();
                continue;
            };
            level.next += 1;
            self.lines += 1;
            if self.lines > MAX_LINES || depth > MAX_LEVELS {
                bail!("it has more members or levels than any struct of a kernel");
            }
            if let Some(inner) = self.member(level, m, depth)? {
                levels.push(inner);
            }
        }
    }

    fn open(&mut self, t: &Type<'b>, base: u64, closing: String, depth: usize) -> Level<'b> {
        let name = self.btf.name(t);
        let space = if name.is_empty() { "" } else { " " };
        let _ = writeln!(self.out, "{}{}{space}{name} {{", "\t".repeat(depth), t.kind().name());
        Level { of: *t, next: 0, base, closing, so_far: Sums::default() }
    }

    /// Prints a member, or opens it where its members are to be printed.
    fn member(&mut self, level: &mut Level<'b>, m: Member, depth: usize) -> Result<Option<Level<'b>>> {
        let (at, size) = (u64::from(m.bit_offset), u64::from(self.btf.size_of(m.ty).unwrap_or(0)));
        let bits = self.bits(m, size);
        if level.of.kind() == Kind::Struct {
            self.hole(&mut level.so_far, at, depth);
            self.cacheline(level.base + at, depth);
            level.so_far.add(at, size, bits);
        }
        let name = self.btf.string(m.name_off);
        let from_start = level.base + at;
        if let Some((inner, dimensions)) = self.nameless(m.ty) {
            let closing = self.place(
                &format!("}} {name}{dimensions}").replace("} ;", "};"),
                from_start,
                size,
                0,
                depth,
            );
            return Ok(Some(self.open(&inner, from_start, closing, depth)));
        }
        let width = if bits > 0 { format!(":{bits}") } else { String::new() };
        let declared = shape::declare(self.btf, m.ty, name, Nameless::Whole) + &width;
        let line = self.place(&declared, from_start, size, bits, depth);
        self.out.push_str(&line);
        Ok(None)
    }

    /// Bits of a bitfield, 0 of another member. Before kflag an INT of fewer bits than its size was one.
    fn bits(&self, m: Member, size: u64) -> u32 {
        let int = self.btf.skip_mods(m.ty).ok().and_then(|t| t.int());
        match int {
            Some(int) if m.bitfield_size == 0 && u64::from(int.bits) != size * 8 => int.bits.into(),
            _ => m.bitfield_size,
        }
    }

    /// The struct or union without a name that a member is, or an array of it; with its dimensions.
    fn nameless(&self, id: TypeId) -> Option<(Type<'b>, String)> {
        let (mut id, mut dimensions) = (id, String::new());
        for _ in 0..2 * MAX_RESOLVE_DEPTH {
            let t = self.btf.ty(id).ok()?;
            if let Some(array) = t.array() {
                dimensions.push_str(&format!("[{}]", array.nelems));
                id = array.elem;
            } else if t.kind().is_modifier() && t.kind() != Kind::Typedef {
                id = t.target();
            } else {
                return (t.kind().is_composite() && t.name_off == 0).then_some((t, dimensions));
            }
        }
        None
    }

    /// A line: a declaration, then where it lies and its size in bytes; of a bitfield the byte of its unit, the bit in
    /// that, and the bytes of the unit.
    fn place(&self, declared: &str, at: u64, size: u64, bits: u32, depth: usize) -> String {
        let tabs = "\t".repeat(depth);
        let width = COLUMN.saturating_sub(8 * depth);
        let place = if bits > 0 {
            let unit = unit(at, size, bits);
            format!("{:>5}:{:>2} {size:>2}", unit / 8, at - unit)
        } else {
            format!("{:>5} {size:>5}", at / 8)
        };
        let declared = format!("{declared};");
        format!("{tabs}{declared:width$} /* {place} */\n")
    }

    /// What lies between the end of the members so far and bit `at`.
    fn hole(&mut self, so_far: &mut Sums, at: u64, depth: usize) {
        let (bits, bytes) = so_far.gap(at);
        let tabs = "\t".repeat(depth);
        if bits > 0 {
            so_far.bit_holes = (so_far.bit_holes.0 + 1, so_far.bit_holes.1 + bits);
            let _ = writeln!(self.out, "\n{tabs}/* XXX {bits} bit{} hole, try to pack */", s(bits));
        }
        if bytes > 0 {
            so_far.holes = (so_far.holes.0 + 1, so_far.holes.1 + bytes);
            let first = if bits > 0 { "" } else { "\n" };
            let _ = writeln!(self.out, "{first}{tabs}/* XXX {bytes} byte{} hole, try to pack */", s(bytes));
        }
        if bits + bytes > 0 {
            self.out.push('\n');
        }
    }

    /// Says where a cacheline begins, once each.
    fn cacheline(&mut self, at: u64, depth: usize) {
        let number = at / 8 / u64::from(self.cacheline);
        if number <= self.marked {
            return;
        }
        self.marked = number;
        let start = number * u64::from(self.cacheline);
        let ago = at / 8 - start;
        let ago = if ago > 0 { format!(" was {ago} bytes ago") } else { String::new() };
        let tabs = "\t".repeat(depth);
        let _ = writeln!(self.out, "{tabs}/* --- cacheline {number} boundary ({start} bytes){ago} --- */");
    }

    fn close(&mut self, level: &Level<'b>, depth: usize) {
        if depth > 1 {
            self.out.push_str(&level.closing);
            return;
        }
        let (size, sums) = (u64::from(level.of.size()), &level.so_far);
        let line = u64::from(self.cacheline);
        let (out, members) = (&mut *self.out, level.of.vlen());
        let _ =
            writeln!(out, "\n\t/* size: {size}, cachelines: {}, members: {members} */", size.div_ceil(line));
        if level.of.kind() == Kind::Struct {
            let ((holes, bytes), (bit_holes, bits)) = (sums.holes, sums.bit_holes);
            if holes > 0 || bit_holes > 0 {
                let holes =
                    if holes > 0 { format!(", holes: {holes}, sum holes: {bytes}") } else { String::new() };
                let _ = writeln!(out, "\t/* sum members: {}{holes} */", sums.members / 8);
            }
            if sums.bitfields > 0 && (holes > 0 || bit_holes > 0) {
                let holes = if bit_holes > 0 {
                    format!(", bit holes: {bit_holes}, sum bit holes: {bits} bits")
                } else {
                    String::new()
                };
                let _ = writeln!(out, "\t/* sum bitfield members: {} bits{holes} */", sums.bitfields);
            }
            let (bits, bytes) = sums.gap(size * 8);
            if bytes > 0 {
                let _ = writeln!(out, "\t/* padding: {bytes} */");
            }
            if bits > 0 {
                let _ = writeln!(out, "\t/* bit_padding: {bits} bits */");
            }
        }
        if size % line > 0 {
            let _ = writeln!(out, "\t/* last cacheline: {} bytes */", size % line);
        }
        out.push_str("};\n");
    }
}

fn s(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// First bit of the unit that a bitfield lies in: aligned to the size of its type, or, if it reaches out of that, to a byte.
fn unit(at: u64, size: u64, bits: u32) -> u64 {
    let aligned = at - at % (size * 8).max(8);
    if at + u64::from(bits) <= aligned + size * 8 { aligned } else { at - at % 8 }
}

impl Sums {
    /// Counts a member of `size` bytes, or of `bits` bits.
    fn add(&mut self, at: u64, size: u64, bits: u32) {
        let width = if bits > 0 { u64::from(bits) } else { size * 8 };
        if bits > 0 {
            self.bitfields += width;
            self.unit_end = Some(unit(at, size, bits) + size * 8);
        } else {
            self.members += width;
            self.unit_end = None;
        }
        self.end = self.end.max(at + width);
    }

    /// What lies between the end of the members so far and bit `at`: bits behind a bitfield, and bytes.
    fn gap(&self, at: u64) -> (u64, u64) {
        let gap = at.saturating_sub(self.end);
        let to_unit = self.unit_end.map_or(0, |end| end.saturating_sub(self.end));
        let bits = gap.min(to_unit);
        (bits, (gap - bits) / 8)
    }
}
