//! Relocations: places, symbols and addends after the joining.
//!
//! A symbol's relocation keeps its addend. One that is against a section counts from its start, which for all but the first file
//! moved: the addend, which stands in the instruction or datum, grows by as much; that of a call counts instructions.
//! Source: `Documentation/bpf/llvm_reloc.rst`.

use super::input::File;
use super::sections::{Piece, Sections};
use super::symbols::Symbols;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::Endian;
use corelet_core::elf::{R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, Rel, STT_SECTION};
use corelet_core::insn::{CALL, INSN_SIZE, Insn};

/// A 32-bit datum; and one that is of debug information and types only.
const R_BPF_64_ABS32: u32 = 3;
const R_BPF_64_NODYLD32: u32 = 4;

/// The relocations of each joined section; addends in the sections are changed.
///
/// # Errors
/// A relocation of an unknown kind, outside its section, or of what is left out; an addend that does not fit.
pub(super) fn rewrite(
    files: &[File<'_>],
    sections: &mut Sections<'_>,
    symbols: &Symbols<'_>,
) -> Result<Vec<Vec<Rel>>> {
    let mut out = vec![Vec::new(); sections.joined.len()];
    for (number, file) in files.iter().enumerate() {
        for s in &file.sections {
            let Some(piece) = sections.piece(number, s.index).filter(|p| !p.again) else { continue };
            for rel in file.object.elf().rels_of(s.index).context(file.name.to_owned())?.iter() {
                if symbols.is_dead(number, s.index, rel.offset) {
                    continue;
                }
                let to = Source { number, file, piece, executable: s.is_executable() };
                let rel = to.one(&rel, s.size, sections, symbols).with_context(|| {
                    format!("{}: section {}: relocation at byte {}", file.name, s.name, rel.offset)
                })?;
                out[piece.section].push(rel);
            }
        }
    }
    Ok(out)
}

/// The section that relocations are for.
struct Source<'x, 'a> {
    number: usize,
    file: &'x File<'a>,
    piece: Piece,
    executable: bool,
}

impl Source<'_, '_> {
    fn one(&self, rel: &Rel, size: u64, sections: &mut Sections<'_>, symbols: &Symbols<'_>) -> Result<Rel> {
        let known = [R_BPF_64_64, R_BPF_64_ABS64, R_BPF_64_ABS32, R_BPF_64_NODYLD32, R_BPF_64_32];
        ensure!(known.contains(&rel.kind), "of unknown kind {}", rel.kind);
        let symbol = self.file.symbols.get(rel.symbol as usize);
        let symbol = symbol.with_context(|| format!("no symbol #{}", rel.symbol))?;
        let number = symbols.number(self.number, symbol.index);
        let number = number.with_context(|| {
            format!("symbol #{} ({}) is of a section that is not linked", symbol.index, symbol.name)
        })?;
        let to = sections.piece(self.number, symbol.section).map_or(0, |p| p.offset);
        let offset = rel.offset + self.piece.offset;
        ensure!(rel.offset < size, "behind its end");
        if symbol.kind == STT_SECTION && to > 0 {
            let endian = self.file.object.endian();
            let data = &mut sections.joined[self.piece.section].data;
            let data = data.get_mut(offset as usize..).context("behind its end")?;
            if self.executable { in_insn(data, to, endian)? } else { in_datum(data, rel.kind, to, endian)? }
        }
        Ok(Rel { offset, symbol: number, kind: rel.kind })
    }
}

/// Adds `by` bytes to what the instruction at the start of `data` refers to.
fn in_insn(data: &mut [u8], by: u64, endian: Endian) -> Result<()> {
    let bytes = data.first_chunk::<INSN_SIZE>().context("in a part of an instruction")?;
    let insn = Insn::decode(*bytes, endian);
    let by = match insn.code {
        CALL => by / INSN_SIZE as u64,
        _ if insn.is_ld_imm64() => by,
        code => bail!("on an instruction that refers to nothing (opcode {code:#x})"),
    };
    let imm = i32::try_from(by).ok().and_then(|by| insn.imm.checked_add(by));
    let imm = imm.context("refers to what is 2 GiB away")?;
    data[4..8].copy_from_slice(&endian.from_u32(imm as u32));
    Ok(())
}

/// The same for a datum.
fn in_datum(data: &mut [u8], kind: u32, by: u64, endian: Endian) -> Result<()> {
    if matches!(kind, R_BPF_64_ABS32 | R_BPF_64_NODYLD32) {
        let datum = data.first_chunk_mut::<4>().context("in a part of a datum")?;
        let value = u64::from(endian.u32(*datum)) + by;
        *datum = endian.from_u32(u32::try_from(value).context("refers to what is 4 GiB away")?);
        return Ok(());
    }
    let datum = data.first_chunk_mut::<8>().context("in a part of a datum")?;
    let value = endian.u64(*datum).wrapping_add(by);
    *datum = match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    Ok(())
}
