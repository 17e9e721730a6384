//! Which types of a BTF are kept, and how much of each.

use corelet_core::TypeId;
use std::collections::{BTreeMap, BTreeSet};

/// How much of a type is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Its name, as a forward declaration.
    Declaration,
    /// The record with these members or enumerators, by number; its size stays.
    Parts(BTreeSet<u32>),
    /// All of it.
    Whole,
}

/// A type's record, or a member or enumerator of it too.
type Part = (TypeId, Option<u32>);

/// What is kept of one BTF, by type id.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    types: BTreeMap<TypeId, Keep>,
    kernel_ids: BTreeSet<TypeId>,
    counts: BTreeMap<TypeId, u32>,
    /// Types and parts that are kept if the type in front is.
    with: Vec<(TypeId, Vec<Part>)>,
}

impl Marks {
    /// Keeps the record of `id`, without members.
    pub fn record(&mut self, id: TypeId) {
        self.part(id, None);
    }

    /// Keeps member or enumerator `part` of `id`, if one is given, and its record in any case.
    pub fn part(&mut self, id: TypeId, part: Option<u32>) {
        if id == TypeId::VOID {
            return;
        }
        let keep = self.types.entry(id).or_insert(Keep::Declaration);
        if *keep == Keep::Declaration {
            *keep = Keep::Parts(BTreeSet::new());
        }
        if let Keep::Parts(parts) = keep {
            parts.extend(part);
        }
    }

    /// Keeps at least `count` members or enumerators of `id`, and its record: which ones, those that are kept anyway
    /// decide.
    pub fn count(&mut self, id: TypeId, count: u32) {
        self.record(id);
        let least = self.counts.entry(id).or_default();
        *least = count.max(*least);
    }

    /// Keeps the first ones of types that would have fewer members or enumerators than must be.
    pub(super) fn fill(&mut self) {
        for (id, count) in std::mem::take(&mut self.counts) {
            if let Some(Keep::Parts(parts)) = self.types.get_mut(&id) {
                let mut first = 0..;
                while parts.len() < count as usize {
                    parts.extend(first.next());
                }
            }
        }
    }

    /// Keeps the name of `id`.
    pub fn declaration(&mut self, id: TypeId) {
        if id != TypeId::VOID {
            self.types.entry(id).or_insert(Keep::Declaration);
        }
    }

    /// Keeps all of `id`; whether that is news.
    pub fn whole(&mut self, id: TypeId) -> bool {
        id != TypeId::VOID && self.types.insert(id, Keep::Whole) != Some(Keep::Whole)
    }

    /// Notes that the kernel's own id of `id` is needed, beside the type.
    pub fn kernel_id(&mut self, id: TypeId) {
        self.record(id);
        self.kernel_ids.insert(id);
    }

    /// Keeps `parts` if `id` is kept for any other reason.
    pub(super) fn with(&mut self, id: TypeId, parts: Vec<Part>) {
        self.with.push((id, parts));
    }

    /// The same marks with all that belongs to kept types.
    pub(super) fn settled(&self) -> Marks {
        let mut marks = self.clone();
        // what one type brings along may be what another waits for: each turn settles one at least
        loop {
            let waiting = std::mem::take(&mut marks.with);
            let (kept, rest): (Vec<_>, _) = waiting.into_iter().partition(|(id, _)| marks.get(*id).is_some());
            marks.with = rest;
            if kept.is_empty() {
                return marks;
            }
            for (id, part) in kept.into_iter().flat_map(|(_, parts)| parts) {
                marks.part(id, part);
            }
        }
    }

    /// Adds all that `other`, marks on the same BTF, keeps.
    pub fn merge(&mut self, other: Marks) {
        for (id, keep) in other.types {
            match keep {
                Keep::Declaration => self.declaration(id),
                Keep::Whole => drop(self.whole(id)),
                Keep::Parts(parts) => {
                    self.record(id);
                    parts.into_iter().for_each(|p| self.part(id, Some(p)));
                }
            }
        }
        self.kernel_ids.extend(other.kernel_ids);
        other.counts.into_iter().for_each(|(id, count)| self.count(id, count));
        self.with.extend(other.with);
    }

    /// Types whose own ids in the kernel are needed.
    pub fn kernel_ids(&self) -> impl Iterator<Item = TypeId> + '_ {
        self.kernel_ids.iter().copied()
    }

    /// What is kept of `id`, `None` for nothing.
    pub fn get(&self, id: TypeId) -> Option<&Keep> {
        self.types.get(&id)
    }

    /// All that is kept, by id.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &Keep)> {
        self.types.iter().map(|(id, keep)| (*id, keep))
    }
}
