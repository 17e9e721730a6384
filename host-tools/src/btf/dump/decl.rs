//! Declarations of C: a name and the type around it, `int (*name[4])(struct x *)`.
//!
//! C writes types inside out. The walk goes from the outermost type inwards and puts each layer around what it has so far,
//! until it comes to a type that is written to the left of it all.

use anyhow::{Result, bail};
use corelet_core::btf::{Kind, Type};
use corelet_core::id::TypeId;
use corelet_core::limits::MAX_RESOLVE_DEPTH;

use super::print::Printer;
use super::{names, scalar};

/// Qualifiers and tags met and not yet written: they belong to the next pointer or to the base type.
#[derive(Default)]
struct Quals {
    words: Vec<&'static str>,
    tags: Vec<String>,
}

impl Quals {
    fn add(&mut self, word: &'static str) {
        if !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    /// As they follow a `*`.
    fn take_behind_pointer(&mut self) -> String {
        let mut text = String::new();
        for word in self.words.drain(..).map(str::to_owned).chain(self.tags.drain(..)) {
            text.push(' ');
            text.push_str(&word);
        }
        text
    }
}

impl<'b> Printer<'b> {
    /// Appends the declaration of `name` with type `id` to `out`, without the semicolon. An empty name gives the type alone,
    /// as in a parameter list. `level` is the indentation of what an inline struct holds, in tabs.
    pub(super) fn declare(
        &mut self,
        out: &mut String,
        id: TypeId,
        name: &str,
        level: usize,
        depth: usize,
    ) -> Result<()> {
        let mut inner = name.to_owned();
        let mut quals = Quals::default();
        let mut id = id;
        for _ in 0..=2 * MAX_RESOLVE_DEPTH {
            let t = self.btf.ty(id)?;
            self.spend(inner.len() + 16)?;
            match t.kind() {
                Kind::Const => quals.add("const"),
                Kind::Volatile => quals.add("volatile"),
                Kind::Restrict => quals.add("__restrict"),
                Kind::TypeTag => quals.tags.extend(tag(self.btf.name(&t), t.kflag())),
                Kind::Ptr => {
                    let behind = quals.take_behind_pointer();
                    let space = if behind.is_empty() || inner.is_empty() { "" } else { " " };
                    inner = format!("*{behind}{space}{inner}");
                    if self.binds_tighter(t.target())? {
                        inner = format!("({inner})");
                    }
                }
                Kind::Array => {
                    let Some(a) = t.array() else { break };
                    inner.push_str(&format!("[{}]", a.nelems));
                    id = a.elem;
                    continue;
                }
                Kind::FuncProto => {
                    // A function cannot be const; its BTF can.
                    quals = Quals::default();
                    self.params(&mut inner, &t, level, depth)?;
                }
                _ => {
                    // Only a pointer can be restrict.
                    for word in quals.words.iter().filter(|&&word| word != "__restrict") {
                        out.push_str(word);
                        out.push(' ');
                    }
                    self.base(out, &t, level, depth)?;
                    for part in quals.tags.iter().chain(Some(&inner).filter(|inner| !inner.is_empty())) {
                        out.push(' ');
                        out.push_str(part);
                    }
                    return Ok(());
                }
            }
            id = t.target();
        }
        bail!("type {id}: more than {} types around one name", 2 * MAX_RESOLVE_DEPTH)
    }

    /// Whether `id` is, behind qualifiers, an array or a function, which bind tighter than the `*` of a pointer to them.
    fn binds_tighter(&self, mut id: TypeId) -> Result<bool> {
        for _ in 0..=MAX_RESOLVE_DEPTH {
            let t = self.btf.ty(id)?;
            match t.kind() {
                Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => id = t.target(),
                kind => return Ok(matches!(kind, Kind::Array | Kind::FuncProto)),
            }
        }
        Ok(false)
    }

    /// Parameters without their names: a parameter may be called like a typedef that the next one needs.
    fn params(&mut self, inner: &mut String, t: &Type<'b>, level: usize, depth: usize) -> Result<()> {
        if depth > MAX_RESOLVE_DEPTH {
            bail!("type {}: functions nest deeper than {MAX_RESOLVE_DEPTH} levels", t.id);
        }
        inner.push('(');
        let last = t.vlen().saturating_sub(1);
        for (index, p) in (0..).zip(t.params()) {
            if index > 0 {
                inner.push_str(", ");
            }
            match p.ty {
                // Alone it is how clang records `()`, behind others it is the dots.
                TypeId::VOID if index == last => inner.push_str(if index == 0 { "void" } else { "..." }),
                ty => self.declare(inner, ty, "", level, depth + 1)?,
            }
        }
        inner.push_str(if t.vlen() == 0 { "void)" } else { ")" });
        Ok(())
    }

    /// The type at the left end of a declaration.
    fn base(&mut self, out: &mut String, t: &Type<'b>, level: usize, depth: usize) -> Result<()> {
        let name = self.btf.name(t);
        match t.kind() {
            Kind::Int => match scalar::int(t, name) {
                Some(c) => out.push_str(c),
                None => bytes(out, t.size()),
            },
            Kind::Float => match scalar::float(t.size()) {
                Some(c) => out.push_str(c),
                None => bytes(out, t.size()),
            },
            Kind::Typedef => out.push_str(self.names.of(&self.btf, t.id)),
            Kind::Struct | Kind::Union if name.is_empty() => self.composite(out, t, level, depth)?,
            Kind::Enum | Kind::Enum64 if name.is_empty() => self.inline_enum(out, t, level)?,
            Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                out.push_str(names::tag_word(t).unwrap_or_default());
                out.push(' ');
                out.push_str(self.names.of(&self.btf, t.id));
            }
            // Functions, variables, sections and later kernels' kinds are no types of a value.
            _ => out.push_str("void"),
        }
        Ok(())
    }
}

/// A type that only has a size.
fn bytes(out: &mut String, size: u32) {
    out.push_str(&format!("struct {{ unsigned char ___bytes[{size}]; }}"));
}

/// A type tag as an attribute; with kflag the tag is the text of an attribute itself (kernel 6.15). Nothing for one that is
/// no plain text.
fn tag(text: &str, is_attribute: bool) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '(' | ')' | ',' | ' ' | ':');
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    Some(if is_attribute {
        format!("__attribute__(({text}))")
    } else {
        format!("__attribute__((btf_type_tag(\"{text}\")))")
    })
}
