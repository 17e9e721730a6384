//! C declarations of event types, laid out as clang lays them out for BPF.
//!
//! What is taken: `struct` and `union` definitions whose members are integers, pointers, arrays of them, and other structs
//! and unions, nested or defined before. What is not, since an event has no use for it: bit-fields, enums, floating point,
//! flexible arrays, attributes and the preprocessor (constants are numbers).
//!
//! Layout rules of the BPF target, whatever the machine that reads them: `long` and pointers have 8 bytes, every integer
//! is aligned to its size, a struct to its strictest member and padded to a multiple of that.

mod grammar;
#[cfg(test)]
mod tests;

use anyhow::{Result, anyhow};
use std::fmt;

/// Largest type: a perf buffer's record and a ring buffer's header count 16 bits and more, but no event is larger.
const MAX_BYTES: u32 = 1 << 16;

/// A type of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// An integer.
    Int(Int),
    /// A pointer, to whatever it may be: 8 bytes.
    Pointer,
    /// An array.
    Array {
        /// Type of an element.
        element: Box<Type>,
        /// Number of elements, at least one.
        len: u32,
    },
    /// A struct or union.
    Composite(Composite),
}

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// The name that clang gives it in BTF, such as `unsigned int`.
    pub name: &'static str,
    /// Bytes: 1, 2, 4 or 8.
    pub bytes: u8,
    /// How its value is read.
    pub kind: IntKind,
}

/// How an integer's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntKind {
    /// From 0.
    Unsigned,
    /// In two's complement.
    Signed,
    /// A byte of text; arrays of them are strings. Signed, as `char` is for BPF.
    Char,
    /// 0 or 1.
    Bool,
}

/// A struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composite {
    /// Which of the two.
    pub kind: CompositeKind,
    /// Its tag; `None` where it has none.
    pub name: Option<String>,
    /// Its members, in order.
    pub members: Vec<Member>,
    /// Bytes, padding included.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

/// Struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompositeKind {
    /// Members one after the other.
    Struct,
    /// All members at offset 0.
    Union,
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name; `None` for an anonymous struct or union, whose members belong to the one around it.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
    /// Bytes from the start of the struct or union it is in.
    pub offset: u32,
}

impl Type {
    /// Bytes.
    pub fn size(&self) -> u32 {
        match self {
            Type::Int(int) => u32::from(int.bytes),
            Type::Pointer => 8,
            Type::Array { element, len } => element.size().saturating_mul(*len),
            Type::Composite(c) => c.size,
        }
    }

    /// Alignment in bytes.
    pub fn align(&self) -> u32 {
        match self {
            Type::Int(int) => u32::from(int.bytes),
            Type::Pointer => 8,
            Type::Array { element, .. } => element.align(),
            Type::Composite(c) => c.align,
        }
    }
}

impl Composite {
    /// Lays out members: gives each its offset, and the whole its size and alignment. `None` above 64 KiB.
    fn lay_out(
        kind: CompositeKind,
        name: Option<String>,
        members: Vec<(Option<String>, Type)>,
    ) -> Option<Composite> {
        let (mut end, mut size, mut align) = (0u32, 0u32, 1u32);
        let mut laid_out = Vec::with_capacity(members.len());
        for (name, ty) in members {
            let offset = match kind {
                CompositeKind::Struct => end.next_multiple_of(ty.align()),
                CompositeKind::Union => 0,
            };
            end = offset.checked_add(ty.size())?;
            if end > MAX_BYTES {
                return None;
            }
            size = size.max(end);
            align = align.max(ty.align());
            laid_out.push(Member { name, ty, offset });
        }
        Some(Composite { kind, name, members: laid_out, size: size.next_multiple_of(align), align })
    }

    /// The member of this name, through anonymous structs and unions, with its offset from the start of this type.
    pub fn member(&self, name: &str) -> Option<(u32, &Type)> {
        self.members.iter().find_map(|m| match (&m.name, &m.ty) {
            (Some(n), ty) if n == name => Some((m.offset, ty)),
            (None, Type::Composite(inner)) => inner.member(name).map(|(at, ty)| (m.offset + at, ty)),
            _ => None,
        })
    }
}

impl fmt::Display for CompositeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CompositeKind::Struct => "struct",
            CompositeKind::Union => "union",
        })
    }
}

/// Parses declarations and returns the last type they define, which must be a struct with a name.
///
/// # Errors
/// With the line and column within `text`, what was found there and what would be taken.
pub fn parse(text: &str) -> Result<Composite> {
    grammar::parse(text).map_err(|fail| {
        let before = &text[..text.len() - fail.at.len()];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        let found = fail.at.lines().next().unwrap_or("").trim_end();
        let found = match found.char_indices().nth(24) {
            Some((end, _)) => format!("`{}…`", &found[..end]),
            None if found.is_empty() && fail.at.is_empty() => "the end".to_string(),
            None => format!("`{found}`"),
        };
        anyhow!("line {line}, column {column} of the declaration, at {found}: {}", fail.why)
    })
}
