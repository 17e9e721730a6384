//! A type in full on one line, as C would declare a variable of it: what two kernels' types are compared by.
//!
//! Types with a name stand for themselves by that name (a forward declaration as what it declares), prototypes have all
//! their parameters, and types without a name are written out or stand as `{…}`. [`super::name`] is the short form.
//!
//! Time and memory: [`MAX_TEXT`] bytes of text, whatever the types: what is left to write is a list, each step of which
//! writes something, and members and parameters join it one by one.

use corelet_core::TypeId;
use corelet_core::btf::{Array, Btf, Kind, Param, Type};
use corelet_core::limits::MAX_RESOLVE_DEPTH;

/// Bytes of a text, behind which it ends in `…`. The longest of kernels 5.10 to 7.3, a struct of unions without names, has
/// some 9 KiB.
pub const MAX_TEXT: usize = 64 << 10;

/// How types without a name are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nameless {
    /// `struct {…}`
    Short,
    /// With all members and where they lie.
    Whole,
}

/// The type `id` of `btf`, declared as `name`, which may be empty.
pub fn declare(btf: &Btf<'_>, id: TypeId, name: &str, nameless: Nameless) -> String {
    let todo = vec![Todo::Declare(id, name.to_owned())];
    Writer { btf, nameless, out: String::new(), todo }.finish()
}

/// The type `id` of `btf`.
pub fn of(btf: &Btf<'_>, id: TypeId, nameless: Nameless) -> String {
    declare(btf, id, "", nameless)
}

/// What is left to write.
enum Todo {
    Text(String),
    /// A type around a name.
    Declare(TypeId, String),
    /// The parameters of a prototype from this one on.
    Params(TypeId, u32),
    /// The members or enumerators of a type without a name from this one on.
    Parts(TypeId, u32),
}

struct Writer<'x, 'b> {
    btf: &'x Btf<'b>,
    nameless: Nameless,
    out: String,
    /// Last first.
    todo: Vec<Todo>,
}

impl Writer<'_, '_> {
    fn finish(mut self) -> String {
        while let Some(next) = self.todo.pop() {
            match next {
                Todo::Text(text) => self.out.push_str(&text),
                Todo::Declare(id, name) => self.declare(id, &name),
                Todo::Params(id, from) => self.params(id, from),
                Todo::Parts(id, from) => self.parts(id, from),
            }
            if self.out.len() > MAX_TEXT {
                self.out.push('…');
                break;
            }
        }
        self.out
    }

    /// From the outside in, as C reads a declarator: what stands behind the name is put off in order, what stands before
    /// it comes out in reverse.
    fn declare(&mut self, id: TypeId, name: &str) {
        let (mut before, mut behind): (Vec<String>, Vec<Todo>) = (Vec::new(), Vec::new());
        let (mut qualifiers, mut id, mut of_pointer) = (String::new(), id, false);
        for _ in 0..=2 * MAX_RESOLVE_DEPTH {
            let Ok(t) = self.btf.ty(id) else { break };
            match t.kind() {
                Kind::Const | Kind::Volatile | Kind::Restrict => {
                    qualifiers.push_str(t.kind().name());
                    qualifiers.push(' ');
                }
                Kind::TypeTag => {
                    qualifiers.extend(["tag(", self.btf.name(&t), ") "]);
                }
                Kind::Ptr => {
                    before.push(format!("*{qualifiers}"));
                    qualifiers.clear();
                    of_pointer = true;
                }
                Kind::Array | Kind::FuncProto => {
                    if of_pointer {
                        before.push("(".to_owned());
                        behind.push(Todo::Text(")".to_owned()));
                    }
                    of_pointer = false;
                    match t.array() {
                        Some(Array { nelems, elem, .. }) => {
                            behind.push(Todo::Text(format!("[{nelems}]")));
                            id = elem;
                            continue;
                        }
                        None => behind.push(Todo::Params(id, 0)),
                    }
                }
                _ => return self.spread(&t, &qualifiers, before, name, behind),
            }
            id = t.target();
        }
        self.out.push_str("<no end>");
    }

    /// Puts the parts of a declaration around `base` on the list.
    fn spread(
        &mut self,
        base: &Type<'_>,
        qualifiers: &str,
        mut before: Vec<String>,
        name: &str,
        behind: Vec<Todo>,
    ) {
        let alone = name.is_empty() && before.is_empty() && behind.is_empty();
        self.todo.extend(behind.into_iter().rev());
        before.reverse();
        let before = before.concat();
        let space = if alone { "" } else { " " };
        self.todo.push(Todo::Text(format!("{space}{before}{name}")));
        self.base(base, qualifiers);
    }

    fn base(&mut self, t: &Type<'_>, qualifiers: &str) {
        let name = self.btf.name(t);
        let tag = match (t.kind(), t.kflag()) {
            (Kind::Struct, _) | (Kind::Fwd, false) => "struct ",
            (Kind::Union, _) | (Kind::Fwd, true) => "union ",
            (Kind::Enum | Kind::Enum64, _) => "enum ",
            (Kind::Void, _) => "void",
            _ => "",
        };
        self.out.extend([qualifiers, tag, name]);
        if name.is_empty() && (t.kind().is_composite() || t.kind().is_enum()) {
            match self.nameless {
                Nameless::Short => self.out.push_str("{…}"),
                Nameless::Whole => {
                    self.out.push_str(&format!("({}) {{ ", t.size()));
                    self.todo.push(Todo::Parts(t.id, 0));
                }
            }
        }
    }

    fn params(&mut self, id: TypeId, from: u32) {
        let param = self.btf.ty(id).ok().and_then(|t| t.param(from));
        self.out.push_str(if from == 0 { "(" } else { "" });
        let Some(Param { name_off, ty }) = param else {
            self.out.push_str(if from == 0 { "void)" } else { ")" });
            return;
        };
        self.out.push_str(if from > 0 { ", " } else { "" });
        self.todo.push(Todo::Params(id, from.saturating_add(1)));
        if ty == TypeId::VOID {
            self.todo.push(Todo::Text("...".to_owned()));
        } else {
            self.todo.push(Todo::Declare(ty, self.btf.string(name_off).to_owned()));
        }
    }

    fn parts(&mut self, id: TypeId, from: u32) {
        let t = self.btf.ty(id).ok();
        let next = Todo::Parts(id, from.saturating_add(1));
        if let Some(e) = t.and_then(|t| t.enumerator(from)) {
            self.out.push_str(&format!("{} = {}, ", self.btf.string(e.name_off), e.value as i64));
            self.todo.push(next);
        } else if let Some(m) = t.and_then(|t| t.member(from)) {
            let bits = if m.bitfield_size > 0 { format!(":{}", m.bitfield_size) } else { String::new() };
            let place = Todo::Text(format!("{bits} @{}; ", m.bit_offset));
            let member = Todo::Declare(m.ty, self.btf.string(m.name_off).to_owned());
            self.todo.extend([next, place, member]);
        } else {
            self.out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::OwnedBtf;
    use crate::subset::BtfWriter;
    use corelet_core::Endian;

    /// Types 1 to 3: `int`, `struct file` that is only declared, a pointer to it.
    fn writer() -> BtfWriter {
        let mut w = BtfWriter::new(Endian::Little);
        w.push("int", Kind::Int, false, 0, 4, &[0x0100_0020]);
        w.push("file", Kind::Fwd, false, 0, 0, &[]);
        w.push("", Kind::Ptr, false, 0, 2, &[]);
        w
    }

    fn text(w: BtfWriter, id: u32, name: &str, nameless: Nameless) -> String {
        let btf = OwnedBtf::from_bytes(w.finish()).unwrap();
        declare(&btf.view(), TypeId(id), name, nameless)
    }

    #[test]
    fn declarators_read_as_in_c() {
        let mut w = writer();
        let f = w.string("f");
        w.push("", Kind::FuncProto, false, 2, 1, &[f, 3, 0, 0]); // 4: int (struct file *f, ...)
        w.push("", Kind::Ptr, false, 0, 4, &[]); // 5
        w.push("", Kind::Const, false, 0, 5, &[]); // 6
        w.push("", Kind::Array, false, 0, 0, &[6, 1, 3]); // 7
        w.push("", Kind::Array, false, 0, 0, &[7, 1, 2]); // 8
        w.push("", Kind::Ptr, false, 0, 8, &[]); // 9
        w.push("", Kind::FuncProto, false, 0, 0, &[]); // 10: void (void)
        let bytes = w.finish();
        let btf = OwnedBtf::from_bytes(bytes).unwrap();
        let of = |id, name| declare(&btf.view(), TypeId(id), name, Nameless::Short);
        assert_eq!(of(3, "p"), "struct file *p");
        assert_eq!(of(4, ""), "int (struct file *f, ...)");
        assert_eq!(of(5, "open"), "int (*open)(struct file *f, ...)");
        assert_eq!(of(8, "ops"), "int (*const ops[2][3])(struct file *f, ...)");
        assert_eq!(of(9, "p"), "int (*const (*p)[2][3])(struct file *f, ...)");
        assert_eq!(of(10, "g"), "void g(void)");
    }

    #[test]
    fn what_has_no_name_is_written_out() {
        let mut w = writer();
        let (a, b) = (w.string("a"), w.string("b"));
        w.push("", Kind::Struct, true, 2, 8, &[a, 1, 0, b, 1, 3 << 24 | 32]); // 4
        assert_eq!(text(w, 4, "x", Nameless::Whole), "struct (8) { int a @0; int b:3 @32; } x");
        let mut w = writer();
        let a = w.string("A");
        w.push("", Kind::Enum, true, 1, 4, &[a, u32::MAX]);
        assert_eq!(text(w, 4, "", Nameless::Short), "enum {…}");
        let mut w = writer();
        let a = w.string("A");
        w.push("", Kind::Enum, true, 1, 4, &[a, u32::MAX]);
        assert_eq!(text(w, 4, "", Nameless::Whole), "enum (4) { A = -1, }");
    }

    #[test]
    fn types_without_end_come_to_one() {
        // a struct of pointers to itself; a prototype that takes pointers to itself; an array of itself
        let mut w = writer();
        w.push("", Kind::Struct, false, 2, 16, &[0, 5, 0, 0, 5, 64]); // 4
        w.push("", Kind::Ptr, false, 0, 4, &[]); // 5
        w.push("", Kind::FuncProto, false, 2, 0, &[0, 7, 0, 7]); // 6
        w.push("", Kind::Ptr, false, 0, 6, &[]); // 7
        w.push("", Kind::Array, false, 0, 0, &[8, 1, 1]); // 8
        let btf = OwnedBtf::from_bytes(w.finish()).unwrap();
        for id in 4..=8 {
            let text = of(&btf.view(), TypeId(id), Nameless::Whole);
            assert!(text.len() < MAX_TEXT + 1024, "{id}: {}", text.len());
            assert!(text.ends_with('…') || text.starts_with("<no end>"), "{id}");
        }
    }
}
