//! Nodes: the types that are kept. The pass over the types finds the candidates; then what relocation may read of each type
//! is kept too, until nothing is new.

use super::Select;
use super::blob::Blob;
use super::wanted::{ask, bit};
use crate::btf::{Kind, Type};
use crate::error::{Error, Limit, Result};
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

impl Select<'_, '_, '_> {
    /// The pass over the types of `blob`: places of some records, and the candidates as nodes.
    pub(super) fn find_candidates(&mut self, blob: &mut Blob, limit: u32) -> Result<()> {
        let mut walk = blob.walk();
        let mut n = 0u32;
        while let Some((at, t)) = blob.next(&mut self.reader, &mut walk)? {
            blob.mark(&mut self.tables, n, at, limit);
            n = n.saturating_add(1);
            let number = t.kind_number();
            if self.wanted.kinds & bit(number) == 0 {
                continue;
            }
            let Some(name) = self.name_number(blob, t.name_off) else { continue };
            let asked = self.wanted.asked(&self.tables, name, number);
            if asked != 0 {
                self.wanted.found(&mut self.tables, name, t.kind());
                self.push(t.id.0, at, blob.file, asked | ask::CANDIDATE)?;
            }
        }
        blob.id_end = blob.first_id.saturating_add(n);
        Ok(())
    }

    fn push(&mut self, id: u32, at: u32, file: u8, asked: u32) -> Result<()> {
        self.tables.push([id, at, u32::from(file) << 8 | asked | OPEN])?;
        self.nodes = self.nodes.saturating_add(1);
        Ok(())
    }

    fn place(&self, i: usize) -> usize {
        self.nodes_at.saturating_add(i.saturating_mul(NODE))
    }

    /// Node number `i`.
    pub(super) fn node(&self, i: usize) -> Node {
        let at = self.place(i);
        let word = self.tables.get(at.saturating_add(2));
        Node {
            id: self.tables.get(at),
            at: self.tables.get(at.saturating_add(1)),
            file: (word >> 8) as u8,
            asked: word & (OPEN - 1),
        }
    }

    /// The file that a type of id `id` is in, referred to from a type of `file`: a module's ids go on from the kernel's.
    fn file_of(&self, id: u32, file: u8) -> u8 {
        if id < self.blob(file).first_id { 0 } else { file }
    }

    /// Number of the node of a type, referred to from a type of `file`.
    pub(super) fn find_node(&self, id: u32, file: u8) -> Option<usize> {
        let file = u32::from(self.file_of(id, file));
        (0..self.nodes).find(|&i| {
            let at = self.place(i);
            self.tables.get(at) == id && self.tables.get(at.saturating_add(2)) >> 8 == file
        })
    }

    /// Keeps a type, and asks `asked` of it.
    fn ask(&mut self, id: u32, file: u8, asked: u32) -> Result<()> {
        if id == 0 || asked == 0 {
            return Ok(());
        }
        let Some(i) = self.find_node(id, file) else {
            return self.push(id, NOWHERE, self.file_of(id, file), asked);
        };
        let at = self.place(i).saturating_add(2);
        let word = self.tables.get(at);
        if word | asked != word {
            self.tables.set(at, word | asked | OPEN);
        }
        Ok(())
    }

    /// Keeps all that is asked of. Each node is looked at once for each bit that it gets, so this ends.
    pub(super) fn close(&mut self) -> Result<()> {
        let mut open = true;
        while open {
            open = false;
            let mut i = 0;
            while i < self.nodes {
                let at = self.place(i).saturating_add(2);
                let word = self.tables.get(at);
                if word & OPEN != 0 {
                    self.tables.set(at, word & !OPEN);
                    self.look_at(i)?;
                    open = true;
                }
                i = i.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Asks of the types that the one of node `i` refers to what relocation may read of them.
    fn look_at(&mut self, i: usize) -> Result<()> {
        let mut node = self.node(i);
        let blob = self.blob(node.file);
        if node.at == NOWHERE {
            node.at = blob.locate(&mut self.reader, &self.tables, node.id)?;
            self.tables.set(self.place(i).saturating_add(1), node.at);
        }
        let t = blob.record(&mut self.reader, node.id, node.at)?;
        let asked = node.asked & !ask::CANDIDATE;
        let matching = asked & (ask::MATCH | ask::MATCH_BEHIND);
        match t.kind() {
            k if k.is_modifier() => self.ask(t.target().0, node.file, asked),
            Kind::Ptr => {
                let behind = if matching != 0 { ask::MATCH_BEHIND } else { 0 };
                self.ask(t.target().0, node.file, asked & ask::COMPAT | behind)
            }
            Kind::Array => {
                let elem = blob.word(&mut self.reader, node.at, (0, 0, 0))?;
                self.ask(elem, node.file, asked & !ask::VALUES)
            }
            Kind::FuncProto => {
                let through = asked & ask::COMPAT | matching;
                self.ask(t.target().0, node.file, through)?;
                let rows = if through != 0 { t.vlen() } else { 0 };
                self.count(rows)?;
                for row in 0..rows {
                    let [_, ty] = blob.row2(&mut self.reader, node.at, row, 8)?;
                    self.ask(ty, node.file, through)?;
                }
                Ok(())
            }
            Kind::Struct | Kind::Union => {
                let fields = asked & (ask::FIELDS | ask::MATCH);
                let rows = if fields != 0 { t.vlen() } else { 0 };
                self.count(rows)?;
                for row in 0..rows {
                    let [name_off, ty] = blob.row2(&mut self.reader, node.at, row, 12)?;
                    if self.is_kept(&blob, name_off) {
                        self.ask(ty, node.file, fields)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Counts rows looked at, so that hostile types end in an error and not in years.
    fn count(&mut self, rows: u32) -> Result<()> {
        self.rows = self.rows.saturating_add(rows);
        if self.rows > MAX_COMPARISONS {
            return Err(Error::TooMany { what: Limit::Comparisons, limit: MAX_COMPARISONS });
        }
        Ok(())
    }

    /// The blob that a name of a type of `blob` is in: those of a module may be the kernel's.
    pub(super) fn blob_of_name(&self, blob: &Blob, name_off: u32) -> Blob {
        if name_off < blob.first_name { self.blob(0) } else { *blob }
    }

    /// Number of the name at `name_off` of a type of `blob`, if it matters.
    pub(super) fn name_number(&self, blob: &Blob, name_off: u32) -> Option<usize> {
        self.blob_of_name(blob, name_off).named(&self.tables, name_off)
    }

    /// Whether a member of that name is kept.
    pub(super) fn is_kept(&self, blob: &Blob, name_off: u32) -> bool {
        name_off == 0 || self.name_number(blob, name_off).is_some()
    }

    /// Whether the name of a type of a node is compared.
    pub(super) fn has_name(node: &Node, t: &Type<'_>) -> bool {
        let compared = ask::CANDIDATE | ask::MATCH | ask::MATCH_BEHIND;
        node.asked & compared != 0 || t.kind() == Kind::Fwd || t.kind().is_enum()
    }
}
