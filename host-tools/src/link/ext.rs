//! `.BTF.ext`: functions, source lines and CO-RE relocations, with their instructions' new places, types and strings.
//!
//! Blocks stand in the order of the joined sections, records of one section in the order of the files. Records of code that a
//! definition in another file overrides are left out.

use super::input::File;
use super::sections::Sections;
use super::symbols::Symbols;
use super::types::Merged;
use anyhow::{Context, Result};
use corelet_core::Endian;
use corelet_core::btf::MAGIC;
use corelet_core::btf_ext::{BtfExt, CoreRelo, FuncInfo, LineInfo, Record, Table};
use std::collections::BTreeMap;

/// Bytes of the header.
const HEADER_LEN: u32 = 32;

/// A word of a record.
enum Word<'a> {
    Number(u32),
    /// An offset in the strings. They are added when all records are in their order, so that linking again finds the same.
    Text(&'a str),
}

/// Words of records, by joined section.
type Blocks<'a> = BTreeMap<usize, Vec<Word<'a>>>;

/// The bytes of `.BTF.ext`; `None` where no file has any.
///
/// # Errors
/// Records of a section that is not there.
pub(super) fn merge(
    files: &[File<'_>],
    sections: &Sections<'_>,
    symbols: &Symbols<'_>,
    merged: &mut Merged,
) -> Result<Option<Vec<u8>>> {
    let (mut functions, mut lines, mut relos) = (Blocks::new(), Blocks::new(), Blocks::new());
    for (number, file) in files.iter().enumerate() {
        let Some(ext) = file.object.btf_ext() else { continue };
        let walk = Walk { number, file, sections, symbols };
        walk.add(ext, merged, (&mut functions, &mut lines, &mut relos))
            .with_context(|| format!("{}: .BTF.ext", file.name))?;
    }
    let tables = [(functions, FuncInfo::LEN), (lines, LineInfo::LEN), (relos, CoreRelo::LEN)];
    if tables.iter().all(|(blocks, _)| blocks.is_empty()) {
        return Ok(None);
    }
    let tables = tables.map(|(blocks, len)| table(blocks, len, sections, merged));
    Ok(Some(write(files[0].object.endian(), &tables)))
}

/// One file's records.
struct Walk<'x, 'a> {
    number: usize,
    file: &'x File<'a>,
    sections: &'x Sections<'a>,
    symbols: &'x Symbols<'a>,
}

impl<'a> Walk<'_, 'a> {
    fn add(
        &self,
        ext: &BtfExt<'_>,
        merged: &Merged,
        (functions, lines, relos): (&mut Blocks<'a>, &mut Blocks<'a>, &mut Blocks<'a>),
    ) -> Result<()> {
        let btf = self.file.object.btf();
        let ty = |id| Word::Number(merged.id(self.number, id).0);
        let text = |off| Word::Text(btf.text(off));
        self.each(ext.func_info(), functions, |r| vec![ty(r.type_id)])?;
        self.each(ext.line_info(), lines, |r| {
            vec![text(r.file_name_off), text(r.line_off), Word::Number(r.line_col)]
        })?;
        self.each(ext.core_relo(), relos, |r| {
            vec![ty(r.type_id), text(r.access_str_off), Word::Number(r.kind)]
        })
    }

    /// Adds each record of a table: its instruction's new place, and what `make` makes of it behind.
    fn each<R: Record>(
        &self,
        table: Table<'_, R>,
        blocks: &mut Blocks<'a>,
        make: impl Fn(R) -> Vec<Word<'a>>,
    ) -> Result<()> {
        let btf = self.file.object.btf();
        for block in table.blocks() {
            let name = btf.string(block.section_name_off);
            let section = self.file.sections.iter().find(|s| s.name == name && s.is_executable());
            let piece = section.and_then(|s| Some((s, self.sections.piece(self.number, s.index)?)));
            let (section, piece) = piece.with_context(|| format!("no instructions in a section `{name}`"))?;
            for record in (0..block.len()).filter_map(|i| block.get(i)) {
                let at = u64::from(record.insn_off());
                if at < section.size && !self.symbols.is_dead(self.number, section.index, at) {
                    let words = blocks.entry(piece.section).or_default();
                    words.push(Word::Number((at + piece.offset) as u32));
                    words.extend(make(record));
                }
            }
        }
        Ok(())
    }
}

/// A table: the size of its records, then for each block the section's name, the number of records and these.
fn table(blocks: Blocks<'_>, len: u32, sections: &Sections<'_>, merged: &mut Merged) -> Vec<u32> {
    let mut words = Vec::new();
    for (section, records) in blocks {
        if words.is_empty() {
            words.push(len);
        }
        let name = merged.string(sections.joined[section].name);
        words.extend([name, records.len() as u32 * 4 / len]);
        words.extend(records.into_iter().map(|word| match word {
            Word::Number(number) => number,
            Word::Text(text) => merged.string(text),
        }));
    }
    words
}

/// `struct btf_ext_header`, then the tables.
fn write(endian: Endian, tables: &[Vec<u32>; 3]) -> Vec<u8> {
    let mut out = Vec::from(endian.from_u16(MAGIC));
    out.extend([1, 0]);
    out.extend(endian.from_u32(HEADER_LEN));
    let mut at = 0;
    for table in tables {
        let len = table.len() as u32 * 4;
        out.extend([at, len].into_iter().flat_map(|word| endian.from_u32(word)));
        at += len;
    }
    out.extend(tables.iter().flatten().flat_map(|&word| endian.from_u32(word)));
    out
}
