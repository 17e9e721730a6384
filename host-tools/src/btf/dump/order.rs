//! The order of definitions: what a type holds by value comes before it, what it points to is declared before it.
//!
//! A depth-first walk in id order with a stack of its own. Enums need nothing, so they all come first and are no part of
//! it. Typedefs are always defined before their use; they themselves need their struct complete only inside an array.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use corelet_core::btf::{Btf, Kind, Type};
use corelet_core::id::TypeId;

use super::names::{Names, is_builtin, is_forward};

/// References followed in one dump. A kernel has about a million.
const MAX_STEPS: u64 = 200_000_000;

/// One line or block of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `struct x;`
    Declare(TypeId),
    /// A struct, a union or a typedef.
    Define(TypeId),
}

/// What to print, and in which order.
#[derive(Default)]
pub(super) struct Order {
    /// Declarations and definitions, in order.
    pub(super) steps: Vec<Step>,
    /// Every enum that they mention, anonymous ones included.
    pub(super) enums: BTreeSet<TypeId>,
}

/// Orders `roots` (structs, unions, typedefs) and all that they need.
///
/// # Errors
/// Types that C cannot order, since each holds the other.
pub(super) fn order<'b>(btf: &Btf<'b>, names: &Names<'b>, roots: &[TypeId]) -> Result<Order> {
    let count = btf.id_end() as usize;
    let mut walk = Walk {
        btf: *btf,
        names,
        state: vec![State::New; count],
        declared: vec![false; count],
        seen: vec![0; 2 * count],
        round: 0,
        steps: 0,
        order: Order::default(),
    };
    for &root in roots {
        walk.visit(root)?;
    }
    Ok(walk.order)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

struct Walk<'w, 'b> {
    btf: Btf<'b>,
    names: &'w Names<'b>,
    state: Vec<State>,
    declared: Vec<bool>,
    /// Round in which a type was looked at, by pointer and by value apart.
    seen: Vec<u32>,
    round: u32,
    steps: u64,
    order: Order,
}

/// What one definition mentions.
struct Needs {
    id: TypeId,
    /// Definitions that must come first; the ones before `next` are there.
    before: Vec<TypeId>,
    next: usize,
    /// Structs and unions that it points to.
    declared: Vec<TypeId>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, root: TypeId) -> Result<()> {
        if self.state[root.0 as usize] == State::Done {
            return Ok(());
        }
        self.state[root.0 as usize] = State::Open;
        let mut stack = vec![self.needs(root)?];
        while let Some(top) = stack.last_mut() {
            let Some(&id) = top.before.get(top.next) else {
                self.finish(top.id, &top.declared);
                stack.pop();
                continue;
            };
            top.next += 1;
            match self.state[id.0 as usize] {
                State::Done => {}
                State::New => {
                    self.state[id.0 as usize] = State::Open;
                    stack.push(self.needs(id)?);
                }
                State::Open => bail!(
                    "type {id} ({}) and type {} ({}) each need the other before them, which C cannot express",
                    self.names.of(&self.btf, id),
                    top.id,
                    self.names.of(&self.btf, top.id),
                ),
            }
        }
        Ok(())
    }

    fn finish(&mut self, id: TypeId, declared: &[TypeId]) {
        for &d in declared {
            // A struct's own tag is known from its opening brace on.
            let known = d == id || self.state[d.0 as usize] == State::Done;
            if !known && !std::mem::replace(&mut self.declared[d.0 as usize], true) {
                self.order.steps.push(Step::Declare(d));
            }
        }
        self.state[id.0 as usize] = State::Done;
        self.order.steps.push(Step::Define(id));
    }

    fn needs(&mut self, id: TypeId) -> Result<Needs> {
        self.round += 1;
        let mut needs = Needs { id, before: Vec::new(), next: 0, declared: Vec::new() };
        let t = self.btf.ty(id)?;
        let mut todo = Vec::new();
        // By value is `true`.
        match t.kind() {
            Kind::Typedef => todo.push((t.target(), false)),
            _ => self.members(t, &mut todo),
        }
        let mut next = 0;
        while let Some(&(id, by_value)) = todo.get(next) {
            next += 1;
            self.steps += 1;
            if self.steps > MAX_STEPS {
                bail!("the types refer to one another more than {MAX_STEPS} times; no kernel's do");
            }
            let seen = &mut self.seen[2 * id.0 as usize + usize::from(by_value)];
            if std::mem::replace(seen, self.round) != self.round {
                self.mention(id, by_value, &mut needs, &mut todo)?;
            }
        }
        Ok(needs)
    }

    fn mention(
        &mut self,
        id: TypeId,
        by_value: bool,
        needs: &mut Needs,
        todo: &mut Vec<(TypeId, bool)>,
    ) -> Result<()> {
        let t = self.btf.ty(id)?;
        match t.kind() {
            Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                todo.push((t.target(), by_value))
            }
            Kind::Ptr => todo.push((t.target(), false)),
            // The elements of an array must be complete even behind a pointer.
            Kind::Array => todo.extend(t.array().map(|a| (a.elem, true))),
            Kind::FuncProto => {
                todo.push((t.target(), false));
                todo.extend(t.params().map(|p| (p.ty, false)));
            }
            Kind::Typedef if is_builtin(&self.btf, &t) => {}
            Kind::Typedef => {
                needs.before.push(id);
                if by_value {
                    todo.push((t.target(), true));
                }
            }
            Kind::Enum | Kind::Enum64 => {
                self.order.enums.insert(self.names.complete(id));
            }
            _ if is_forward(&t) => needs.declared.push(self.names.complete(id)),
            Kind::Struct | Kind::Union if t.name_off == 0 => self.members(t, todo),
            Kind::Struct | Kind::Union if by_value => needs.before.push(id),
            Kind::Struct | Kind::Union => needs.declared.push(id),
            _ => {}
        }
        Ok(())
    }

    fn members(&self, t: Type<'_>, todo: &mut Vec<(TypeId, bool)>) {
        for m in t.members() {
            todo.push((m.ty, true));
            // A member without a name is written out in place, whatever its type is called.
            if m.name_off == 0
                && let Ok(inner) = self.btf.skip_mods(m.ty)
                && inner.kind().is_composite()
                && inner.name_off != 0
            {
                todo.extend(inner.members().map(|m| (m.ty, true)));
            }
        }
    }
}
