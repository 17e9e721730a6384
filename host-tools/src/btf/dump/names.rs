//! One C name for each type and enumerator.
//!
//! A kernel is many C files, and BTF holds the types of all: two of them may have a struct of one name each. C has one name
//! space for tags and one for typedefs and enumerators; the type of the lowest id keeps the plain name, the next ones get
//! `___2`, `___3`, … That is a flavor to CO-RE, which cuts it off before it looks the type up.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;

/// Words that cannot be a name in gnu17, which clang compiles BPF with, besides those that start with an underscore and
/// that no kernel uses.
const KEYWORDS: &[&str] = &[
    "asm",
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "typeof",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "_Alignas",
    "_Alignof",
    "_Atomic",
    "_BitInt",
    "_Bool",
    "_Complex",
    "_Float16",
    "_Generic",
    "_Imaginary",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "__alignof__",
    "__asm__",
    "__attribute__",
    "__auto_type",
    "__bf16",
    "__const",
    "__extension__",
    "__float128",
    "__fp16",
    "__func__",
    "__inline",
    "__inline__",
    "__int128",
    "__restrict",
    "__restrict__",
    "__signed__",
    "__thread",
    "__typeof__",
    "__volatile__",
];

/// Typedefs that clang has before it reads the first line.
const BUILTIN: &[&str] = &["__builtin_va_list", "__int128_t", "__uint128_t"];

/// Whether `t` is a typedef that the compiler brings, so that it is used and not printed.
pub(super) fn is_builtin(btf: &Btf<'_>, t: &Type<'_>) -> bool {
    t.kind() == Kind::Typedef && BUILTIN.contains(&btf.name(t))
}

/// The names of all types of a BTF.
pub(super) struct Names<'b> {
    tags: Space<'b>,
    idents: Space<'b>,
    /// Types that are not called as in the BTF.
    types: HashMap<TypeId, String>,
    /// Enumerators that are not called as in the BTF, by enum and number.
    enumerators: HashMap<(TypeId, u32), String>,
    /// What a forward declaration is the forward declaration of.
    complete: HashMap<TypeId, TypeId>,
}

impl<'b> Names<'b> {
    /// Names everything in `btf`, in id order.
    pub(super) fn new(btf: &Btf<'b>) -> Names<'b> {
        let mut names = Names {
            tags: Space::new(),
            idents: Space::new(),
            types: HashMap::new(),
            enumerators: HashMap::new(),
            complete: HashMap::new(),
        };
        let mut defined: HashMap<(&str, &str), TypeId> = HashMap::new();
        let mut declared = Vec::new();
        for t in all(btf) {
            let name = btf.name(&t);
            let taken = match tag_word(&t) {
                Some(_) if name.is_empty() => None,
                Some(_) if is_forward(&t) => {
                    declared.push(t);
                    None
                }
                Some(word) => {
                    defined.entry((word, name)).or_insert(t.id);
                    names.tags.take(name)
                }
                None if t.kind() == Kind::Typedef && !is_builtin(btf, &t) => names.idents.take(name),
                None => None,
            };
            if let Some(other) = taken {
                names.types.insert(t.id, other);
            }
            for (index, e) in (0..).zip(t.enumerators()) {
                if let Some(other) = names.idents.take(btf.string(e.name_off)) {
                    names.enumerators.insert((t.id, index), other);
                }
            }
        }
        // After the definitions, so that a declaration finds its own whichever comes first.
        for t in declared {
            let key = (tag_word(&t).unwrap_or_default(), btf.name(&t));
            if let Some(&id) = defined.get(&key) {
                names.complete.insert(t.id, id);
                continue;
            }
            defined.insert(key, t.id);
            if let Some(other) = names.tags.take(key.1) {
                names.types.insert(t.id, other);
            }
        }
        names
    }

    /// The type that a forward declaration stands for; `id` itself for all others.
    pub(super) fn complete(&self, id: TypeId) -> TypeId {
        self.complete.get(&id).copied().unwrap_or(id)
    }

    /// The C name of a struct, union, enum, forward declaration (without its keyword) or typedef.
    pub(super) fn of<'s>(&'s self, btf: &Btf<'b>, id: TypeId) -> &'s str
    where
        'b: 's,
    {
        let id = self.complete(id);
        match self.types.get(&id) {
            Some(name) => name,
            None => btf.ty(id).map_or("", |t| btf.name(&t)),
        }
    }

    /// The C name of enumerator `index` of `t`.
    pub(super) fn enumerator<'s>(&'s self, btf: &Btf<'b>, t: &Type<'_>, index: u32) -> &'s str
    where
        'b: 's,
    {
        match self.enumerators.get(&(t.id, index)) {
            Some(name) => name,
            None => t.enumerator(index).map_or("", |e| btf.string(e.name_off)),
        }
    }

    /// A fresh name for an enumerator whose anonymous enum is printed once more.
    pub(super) fn enumerator_again(&mut self, name: &'b str) -> String {
        self.idents.take(name).unwrap_or_else(|| name.to_owned())
    }
}

/// The C name of a member: its own, unless that is none.
pub(super) fn member(name: &str) -> Cow<'_, str> {
    if KEYWORDS.contains(&name) { Cow::Owned(format!("{name}___2")) } else { identifier(name) }
}

/// All types, those of a base included, in id order.
pub(super) fn all<'b>(btf: &Btf<'b>) -> impl Iterator<Item = Type<'b>> + use<'b> {
    let btf = *btf;
    (1..btf.id_end()).map_while(move |id| btf.ty(TypeId(id)).ok())
}

/// The keyword before the tag of a type that has one.
pub(super) fn tag_word(t: &Type<'_>) -> Option<&'static str> {
    Some(match t.kind() {
        Kind::Struct => "struct",
        Kind::Union => "union",
        Kind::Fwd if t.kflag() => "union",
        Kind::Fwd => "struct",
        Kind::Enum | Kind::Enum64 => "enum",
        _ => return None,
    })
}

/// Whether `t` only says that a type exists. An enum does so by having no enumerators.
pub(super) fn is_forward(t: &Type<'_>) -> bool {
    t.kind() == Kind::Fwd || t.kind().is_enum() && t.vlen() == 0
}

/// `name` with what C does not allow in an identifier replaced.
fn identifier(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
        let mut out = String::from("_");
        out.extend(name.chars().map(|c| if fits(c) { c } else { '_' }));
        return Cow::Owned(out);
    }
    Cow::Borrowed(name)
}

/// A name space of C.
struct Space<'b> {
    taken: HashSet<Cow<'b, str>>,
    /// Number of the next name tried, by plain name.
    next: HashMap<Cow<'b, str>, u32>,
}

impl<'b> Space<'b> {
    fn new() -> Space<'b> {
        let taken = KEYWORDS.iter().chain(BUILTIN).map(|&word| Cow::Borrowed(word)).collect();
        Space { taken, next: HashMap::new() }
    }

    /// Takes `name`: `None` when it is free and an identifier, else what to use instead.
    fn take(&mut self, name: &'b str) -> Option<String> {
        let plain = identifier(name);
        if !self.taken.contains(&plain) {
            self.taken.insert(plain.clone());
            return matches!(plain, Cow::Owned(_)).then(|| plain.into_owned());
        }
        let next = self.next.entry(plain.clone()).or_insert(2);
        loop {
            let other = format!("{plain}___{next}");
            *next += 1;
            if self.taken.insert(Cow::Owned(other.clone())) {
                return Some(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_comers_get_a_flavor() {
        let mut space = Space::new();
        let mut take = |name| space.take(name);
        assert_eq!(take("foo"), None);
        assert_eq!(take("foo"), Some("foo___2".to_owned()));
        assert_eq!(take("foo___3"), None);
        assert_eq!(take("foo"), Some("foo___4".to_owned()));
        assert_eq!(take("inline"), Some("inline___2".to_owned()));
        assert_eq!(take("a::b"), Some("_a__b".to_owned()));
        assert_eq!(take("a::b"), Some("_a__b___2".to_owned()));
    }

    #[test]
    fn members_keep_their_names() {
        assert_eq!(member("inline"), "inline___2");
        assert_eq!(member("pid"), "pid");
        assert_eq!(member("0"), "_0");
    }
}
