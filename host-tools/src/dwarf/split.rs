//! Names that mean different types in different units: which one each reference to them is.
//!
//! Types are referred to by kind and name (see [`super::shape`]). Where all units agree on what `struct foo` is, that is all.
//! Where they do not, `struct bar` with a pointer to it is two types as well, one for each, and so on along the references:
//! what libbpf's deduplication arrives at by comparing graphs. A unit that only declares `struct foo` agrees with any, so its
//! `struct bar` is the first of them. Computed from the coarsest division, refined until it holds.

use super::hash::Map;
use super::store::{NodeId, Store, What};
use super::tables::Tag;

/// A struct, union or enum with a name, and which of its divisions.
pub(super) type Class = (NodeId, u32);

/// Refinements after which what is left is taken as it is. Three or four are usual.
const MAX_ROUNDS: usize = 32;

/// Divisions of a type that are told apart.
const MAX_DIVISIONS: usize = 1024;

/// What names mean, and where.
pub(super) struct Meanings {
    /// Of each name's node: the types that have it.
    shapes: Map<NodeId, Vec<NodeId>>,
    /// Names with several meanings.
    ambiguous: Map<NodeId, ()>,
    /// What an ambiguous name means in a unit.
    in_unit: Map<(u32, NodeId), Class>,
    /// What ambiguous names mean in the divisions of a type.
    divisions: Map<NodeId, Vec<Vec<(NodeId, Class)>>>,
    /// Whether a node leads to an ambiguous name through nodes without one.
    leads: Vec<bool>,
}

/// Where a reference stands, for what an ambiguous name means there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Unit(u32),
    Class(Class),
}

impl Meanings {
    pub(super) fn find(store: &Store) -> Meanings {
        let mut shapes: Map<NodeId, Vec<NodeId>> = Map::default();
        for (id, node) in store.nodes.iter().enumerate().filter(|(_, node)| is_named(&node.what, node.to)) {
            shapes.entry(node.to).or_default().push(id as NodeId);
        }
        // numbers depend on which thread came first
        for of_name in shapes.values_mut() {
            of_name.sort_by_key(|&id| store.nodes[id as usize].first);
        }
        let ambiguous = shapes.iter().filter(|(_, of)| of.len() > 1).map(|(&name, _)| (name, ())).collect();
        let mut meanings = Meanings {
            shapes,
            ambiguous,
            in_unit: Map::default(),
            divisions: Map::default(),
            leads: Vec::new(),
        };
        for (unit, defined) in store.defined.iter().enumerate() {
            for &id in defined {
                let name = store.nodes[id as usize].to;
                if meanings.ambiguous.contains_key(&name) {
                    meanings.in_unit.entry((unit as u32, name)).or_insert((id, 0));
                }
            }
        }
        for _ in 0..MAX_ROUNDS {
            if !meanings.refine(store) {
                break;
            }
        }
        meanings
    }

    /// What `name` means at `place`; `None` where only its declaration is known.
    pub(super) fn of(&self, name: NodeId, place: Place) -> Option<Class> {
        if !self.ambiguous.contains_key(&name) {
            return self.shapes.get(&name)?.first().map(|&id| (id, 0));
        }
        match place {
            Place::Unit(unit) => self.in_unit.get(&(unit, name)).copied(),
            Place::Class((id, division)) => {
                let division = self.divisions.get(&id)?.get(division as usize)?;
                division.iter().find(|(of, _)| *of == name).map(|&(_, class)| class)
            }
        }
    }

    /// Divisions of a type.
    pub(super) fn divisions(&self, id: NodeId) -> u32 {
        self.divisions.get(&id).map_or(1, |divisions| divisions.len().max(1) as u32)
    }

    /// Whether what a node refers to depends on the place.
    pub(super) fn depends(&self, id: NodeId) -> bool {
        self.leads.get(id as usize).copied().unwrap_or(false)
    }

    /// Divides once more; whether that changed anything.
    fn refine(&mut self, store: &Store) -> bool {
        self.leads = leads(store, &self.ambiguous);
        let refers = references(store, &self.leads, &self.ambiguous);
        let mut in_unit: Map<(u32, NodeId), Class> = Map::default();
        let mut divisions: Map<NodeId, Vec<Vec<(NodeId, Class)>>> = Map::default();
        for (unit, defined) in store.defined.iter().enumerate() {
            let unit = unit as u32;
            for &id in defined {
                let name = store.nodes[id as usize].to;
                let mut class = (id, 0);
                if let Some(refers) = refers.get(&id) {
                    let known = refers.iter().filter_map(|&to| Some((to, *self.in_unit.get(&(unit, to))?)));
                    class.1 = join(divisions.entry(id).or_default(), known.collect());
                }
                if self.ambiguous.contains_key(&name) || class.1 > 0 {
                    in_unit.entry((unit, name)).or_insert(class);
                }
            }
        }
        let mut ambiguous: Map<NodeId, ()> =
            self.shapes.iter().filter(|(_, of)| of.len() > 1).map(|(&name, _)| (name, ())).collect();
        for (&id, of) in &divisions {
            if of.len() > 1 {
                ambiguous.insert(store.nodes[id as usize].to, ());
            }
        }
        let changed =
            ambiguous.len() != self.ambiguous.len() || in_unit != self.in_unit || divisions != self.divisions;
        (self.ambiguous, self.in_unit, self.divisions) = (ambiguous, in_unit, divisions);
        changed
    }
}

/// Whether a node is a struct, union or enum with a name.
fn is_named(what: &What, to: NodeId) -> bool {
    matches!(what, What::Type(Tag::Struct | Tag::Union | Tag::Enum)) && to != 0
}

/// The first of `divisions` that `known` does not contradict, with what it adds; or a new one.
fn join(divisions: &mut Vec<Vec<(NodeId, Class)>>, known: Vec<(NodeId, Class)>) -> u32 {
    let agrees = |division: &Vec<(NodeId, Class)>| {
        known
            .iter()
            .all(|(name, class)| division.iter().all(|(other, meaning)| other != name || meaning == class))
    };
    match divisions.iter().position(agrees) {
        Some(at) => {
            for pair in known {
                if !divisions[at].contains(&pair) {
                    divisions[at].push(pair);
                }
            }
            at as u32
        }
        // so many are in no kernel, and looking through them is work for each unit
        None if divisions.len() >= MAX_DIVISIONS => 0,
        None => {
            divisions.push(known);
            divisions.len() as u32 - 1
        }
    }
}

/// Which nodes lead to a name of `ambiguous`, through nodes that are not referred to by name.
fn leads(store: &Store, ambiguous: &Map<NodeId, ()>) -> Vec<bool> {
    let mut leads = vec![false; store.nodes.len()];
    for (id, node) in store.nodes.iter().enumerate() {
        let through = |to: NodeId| leads[to as usize];
        leads[id] = match node.what {
            What::Name(_) => ambiguous.contains_key(&(id as NodeId)),
            // its own name is no reference
            _ if is_named(&node.what, node.to) => store.parts(node).iter().any(|part| through(part.to)),
            _ => through(node.to) || store.parts(node).iter().any(|part| through(part.to)),
        };
    }
    leads
}

/// Of each type with a name that leads to ambiguous names: which.
fn references(store: &Store, leads: &[bool], ambiguous: &Map<NodeId, ()>) -> Map<NodeId, Vec<NodeId>> {
    let mut found: Map<NodeId, Vec<NodeId>> = Map::default();
    let (mut open, mut seen) = (Vec::new(), Map::<NodeId, ()>::default());
    for (id, node) in store.nodes.iter().enumerate() {
        if !leads[id] || !is_named(&node.what, node.to) {
            continue;
        }
        let mut names = Vec::new();
        open.extend(store.parts(node).iter().map(|part| part.to));
        seen.clear();
        while let Some(to) = open.pop() {
            if !leads[to as usize] || seen.insert(to, ()).is_some() {
                continue;
            }
            if ambiguous.contains_key(&to) {
                names.push(to);
                continue;
            }
            let inner = &store.nodes[to as usize];
            open.push(inner.to);
            open.extend(store.parts(inner).iter().map(|part| part.to));
        }
        names.sort_unstable();
        names.dedup();
        found.insert(id as NodeId, names);
    }
    found
}
