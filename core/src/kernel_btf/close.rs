//! Nodes: the types that are kept. The pass over the types finds the candidates; then what relocation may read of each type
//! is kept too, until nothing is new.

use super::Select;
use super::blob::Blob;
use super::wanted::{ask, bit};
use crate::btf::{Kind, Type};
use crate::error::{Error, Limit};
use crate::limits::MAX_COMPARISONS;

/// Words of a node: its id, the place of its record, its file and what is asked of it.
const NODE: usize = 3;
/// A place that is not known yet.
const NOWHERE: u32 = u32::MAX;
/// Set in the third word while something is asked that was not looked at.
const OPEN: u32 = 128;

/// A type that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) id: u32,
    /// Place of its record in the type section.
    pub(super) at: u32,
    pub(super) file: u8,
    /// Bits of [`ask`].
    pub(super) asked: u32,
}

/// No word of a row is a type.
pub(super) const NO_TYPE: u32 = 9;

/// What trails a record: members, enumerators, parameters, or the words of an integer or array as one row.
pub(super) struct Rows {
    /// What is asked of their types.
    asked: u32,
    pub(super) count: u32,
    /// Words of each.
    pub(super) words: u32,
    /// The word that is a type, or [`NO_TYPE`].
    pub(super) ty: u32,
}

impl Select<'_, '_, '_> {
    /// The pass over the types of `blob`: places of some records, and the candidates as nodes.
    #[inline(never)]
    pub(super) fn find_candidates(&mut self, blob: &mut Blob) {
        let mut walk = blob.walk();
        let mut n = 0u32;
        while let Some((at, t)) = blob.next(&mut self.work, &mut walk) {
            blob.keep(&mut self.work, n, at);
            n = n.wrapping_add(1);
            let number = t.kind_number();
            if self.wanted.kinds & bit(number) != 0
                && let Some(name) = self.name_number(blob, t.name_off)
            {
                let asked = self.wanted.asked(&self.work, name, number);
                if asked != 0 {
                    self.wanted.found(&mut self.work, name, t.kind());
                    self.push(t.id.0, at, blob.file, asked | ask::CANDIDATE);
                }
            }
        }
        blob.id_end = blob.first_id.wrapping_add(n);
    }

    fn push(&mut self, id: u32, at: u32, file: u8, asked: u32) {
        for word in [id, at, u32::from(file) << 8 | asked | OPEN] {
            self.work.push(word);
        }
        if !self.work.failed() {
            self.nodes = self.nodes.wrapping_add(1);
        }
    }

    fn place(&self, i: usize) -> usize {
        self.nodes_at.wrapping_add(i.wrapping_mul(NODE))
    }

    /// Node number `i`.
    #[inline(never)]
    pub(super) fn node(&self, i: usize) -> Node {
        let at = self.place(i);
        let word = self.work.get(at.wrapping_add(2));
        Node {
            id: self.work.get(at),
            at: self.work.get(at.wrapping_add(1)),
            file: (word >> 8) as u8,
            asked: word & (OPEN - 1),
        }
    }

    /// The file that a type of id `id` is in, referred to from a type of `file`: a module's ids go on from the kernel's.
    fn file_of(&self, id: u32, file: u8) -> u8 {
        if id < self.blob(file).first_id { 0 } else { file }
    }

    /// Number of the node of a type, referred to from a type of `file`.
    #[inline(never)]
    pub(super) fn find_node(&self, id: u32, file: u8) -> Option<usize> {
        let file = u32::from(self.file_of(id, file));
        (0..self.nodes).find(|&i| {
            let at = self.place(i);
            self.work.get(at) == id && self.work.get(at.wrapping_add(2)) >> 8 == file
        })
    }

    /// Keeps a type, and asks `asked` of it.
    #[inline(never)]
    fn ask(&mut self, id: u32, file: u8, asked: u32) {
        if id == 0 || asked == 0 {
            return;
        }
        let Some(i) = self.find_node(id, file) else {
            return self.push(id, NOWHERE, self.file_of(id, file), asked);
        };
        let at = self.place(i).wrapping_add(2);
        let word = self.work.get(at);
        if word | asked != word {
            self.work.set(at, word | asked | OPEN);
        }
    }

    /// Keeps all that is asked of. Each node is looked at once for each bit that it gets, so this ends.
    pub(super) fn close(&mut self) {
        let mut open = true;
        while open {
            open = false;
            let mut i = 0;
            while i < self.nodes && !self.work.failed() {
                let at = self.place(i).wrapping_add(2);
                let word = self.work.get(at);
                if word & OPEN != 0 {
                    self.work.set(at, word & !OPEN);
                    self.look_at(i);
                    open = true;
                }
                i = i.wrapping_add(1);
            }
        }
    }

    /// The rows of a record that are kept as far as their names are, where `asked` is asked of the type.
    #[inline(never)]
    pub(super) fn rows(t: &Type<'_>, asked: u32) -> Rows {
        let matching = asked & (ask::MATCH | ask::MATCH_BEHIND);
        let kind = t.kind();
        let (asked, words, ty) = match kind {
            Kind::Int => (0, 1, NO_TYPE),
            Kind::Array => (asked & !ask::VALUES, 3, 0),
            Kind::Struct | Kind::Union => (asked & (ask::FIELDS | ask::MATCH), 3, 1),
            Kind::FuncProto => (asked & ask::COMPAT | matching, 2, 1),
            Kind::Enum => (asked & ask::VALUES | matching, 2, NO_TYPE),
            Kind::Enum64 => (asked & ask::VALUES | matching, 3, NO_TYPE),
            _ => (0, 0, NO_TYPE),
        };
        let one = matches!(kind, Kind::Int | Kind::Array);
        let count = if one { 1 } else { t.vlen() };
        Rows { asked, count: if one || asked & !ask::CANDIDATE != 0 { count } else { 0 }, words, ty }
    }

    /// Whether a row of a type of `kind` is kept whose first word is `first`.
    #[inline(never)]
    pub(super) fn keeps(&self, blob: &Blob, kind: Kind, first: u32) -> bool {
        match kind {
            Kind::Struct | Kind::Union if first == 0 => true,
            Kind::Int | Kind::Array | Kind::FuncProto => true,
            _ => self.name_number(blob, first).is_some(),
        }
    }

    /// Asks of the types that the one of node `i` refers to what relocation may read of them.
    #[inline(never)]
    fn look_at(&mut self, i: usize) {
        let mut node = self.node(i);
        let blob = self.blob(node.file);
        if node.at == NOWHERE {
            node.at = blob.locate(&mut self.work, node.id);
            self.work.set(self.place(i).wrapping_add(1), node.at);
        }
        let t = blob.record(&mut self.work, node.id, node.at);
        let asked = node.asked & !ask::CANDIDATE;
        let rows = Self::rows(&t, asked);
        let of_target = match t.kind() {
            k if k.is_modifier() => asked,
            Kind::Ptr if asked & (ask::MATCH | ask::MATCH_BEHIND) != 0 => {
                asked & ask::COMPAT | ask::MATCH_BEHIND
            }
            Kind::Ptr => asked & ask::COMPAT,
            Kind::FuncProto => rows.asked,
            _ => 0,
        };
        self.ask(t.target().0, node.file, of_target);
        if rows.ty == NO_TYPE {
            return;
        }
        self.rows_seen = self.rows_seen.saturating_add(rows.count);
        if self.rows_seen > MAX_COMPARISONS {
            // hostile types end in an error and not in years
            return self.work.fail(Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS });
        }
        for row in 0..rows.count {
            let word = row.wrapping_mul(rows.words).wrapping_add(3);
            let first = blob.word(&mut self.work, node.at, word);
            if self.keeps(&blob, t.kind(), first) {
                let ty = blob.word(&mut self.work, node.at, word.wrapping_add(rows.ty));
                self.ask(ty, node.file, rows.asked);
            }
        }
    }

    /// The blob that a name of a type of `blob` is in: those of a module may be the kernel's.
    pub(super) fn blob_of_name(&self, blob: &Blob, name_off: u32) -> Blob {
        if name_off < blob.first_name { self.blob(0) } else { *blob }
    }

    /// Number of the name at `name_off` of a type of `blob`, if it matters.
    #[inline(never)]
    pub(super) fn name_number(&self, blob: &Blob, name_off: u32) -> Option<usize> {
        self.blob_of_name(blob, name_off).named(&self.work, name_off)
    }

    /// Whether the name of a type of a node is compared.
    pub(super) fn has_name(node: &Node, t: &Type<'_>) -> bool {
        let compared = ask::CANDIDATE | ask::MATCH | ask::MATCH_BEHIND;
        node.asked & compared != 0 || t.kind() == Kind::Fwd || t.kind().is_enum()
    }
}
