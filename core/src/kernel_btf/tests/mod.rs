//! Through what is selected, relocation must give what it gives through the whole: on BTF made by hand for each rule, on
//! generated types, and on what no kernel writes.

mod generated;
mod hostile;
mod rules;

use super::{Source, select};
use crate::btf::Btf;
use crate::error::{Error, Result};
use crate::id::TypeId;
use crate::insn::{Insn, write};
use crate::pack::Subset;
use crate::relo::{CandList, Cands, CoreRelo, Outcome, ReloKind, Relocator, Scratch, TargetTypes};
use std::vec;
use std::vec::Vec;

/// Files in memory that give at most `piece` bytes in one read.
struct Files<'x> {
    kernel: &'x [u8],
    modules: &'x [Vec<u8>],
    /// Modules by their file numbers from 1, and the next one.
    given: Vec<usize>,
    next: usize,
    piece: usize,
}

impl<'x> Files<'x> {
    fn new(kernel: &'x [u8], modules: &'x [Vec<u8>]) -> Self {
        Files { kernel, modules, given: Vec::new(), next: 0, piece: 4096 }
    }
}

impl Source for Files<'_> {
    fn read_at(&mut self, file: u8, at: u32, into: &mut [u8]) -> Result<usize> {
        let bytes = match file {
            0 => self.kernel,
            n => &self.modules[self.given[usize::from(n) - 1]],
        };
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let n = rest.len().min(into.len()).min(self.piece);
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn next_module(&mut self, file: u8) -> Result<bool> {
        if self.next == self.modules.len() {
            return Ok(false);
        }
        self.given.truncate(usize::from(file) - 1);
        assert_eq!(self.given.len(), usize::from(file) - 1, "file numbers are given in order");
        self.given.push(self.next);
        self.next += 1;
        Ok(true)
    }
}

/// What came of one relocation. Ids of an error are the target's, which differ.
type Fate = core::result::Result<(Outcome, Vec<u8>), core::mem::Discriminant<Error>>;

/// Types with the ids that they have.
struct Whole<'a>(Btf<'a>);

impl TargetTypes for Whole<'_> {
    fn btf(&self) -> &Btf<'_> {
        &self.0
    }
}

/// Applies `relos` one after another, each to an instruction that holds what the local types give: a load for an offset, an
/// addition for anything else.
fn apply(local: &Btf<'_>, target: &impl TargetTypes, relos: &[CoreRelo]) -> Vec<Fate> {
    let mut lists = vec![CandList::default(); relos.len()];
    let mut pool = vec![TypeId::VOID; 4096];
    let mut scratch = Scratch::default();
    let cands = Cands::new(&mut lists, &mut pool);
    let mut relocator = Relocator { local, target, cands, scratch: &mut scratch };
    let endian = local.endian();
    let mut one = |relo: &CoreRelo| {
        let load = relo.kind == ReloKind::FieldByteOffset;
        // r1 = *(u64 *)(r1 + 0), r1 += 0
        let mut insn = Insn { code: if load { 0x79 } else { 0x07 }, dst: 1, src: 1, off: 0, imm: 0 };
        if !load {
            insn.src = 0;
        }
        let mut last = None;
        for _ in 0..6 {
            let mut code = [0; 8];
            write(&mut code, 0, insn, endian).unwrap();
            match relocator.relocate(relo, &mut code, endian, &mut ()) {
                Err(Error::UnexpectedValue { expected, .. }) if last != Some(expected) => {
                    last = Some(expected);
                    if load {
                        insn.off = expected as i16;
                    } else {
                        insn.imm = expected as i32;
                    }
                }
                // a load of another size
                Err(Error::BadMemSize { .. }) if load && insn.code != 0x71 => {
                    insn.code = match insn.code {
                        0x79 => 0x61,
                        0x61 => 0x69,
                        _ => 0x71,
                    }
                }
                Ok(outcome) => return Ok((outcome, code.to_vec())),
                Err(e) => return Err(core::mem::discriminant(&e)),
            }
        }
        unreachable!("{relo:?}: no instruction fits")
    };
    relos.iter().map(|relo| one(&CoreRelo { insn: 0, ..*relo })).collect()
}

fn fates_selected(
    local: &Btf<'_>,
    source: &mut dyn Source,
    relos: &[CoreRelo],
    memory: &mut [u8],
) -> Result<Vec<Fate>> {
    let selected = select(source, local, &mut relos.iter().map(|r| Ok(*r)), memory)?;
    let (types, rest) = memory.split_at(selected.btf);
    let mut index = vec![0; Btf::count(types)?];
    let types = Btf::parse(types, &mut index)?;
    Ok(apply(local, &Subset::new(types, &rest[..selected.ids]), relos))
}

/// The fates through the whole, which those through the selection must equal, however small the pieces in which the source
/// gives its bytes. Returns them.
fn same(local: &[u8], kernel: &[u8], relos: &[CoreRelo]) -> Vec<Fate> {
    let mut index = vec![0; Btf::count(local).unwrap()];
    let local = Btf::parse(local, &mut index).unwrap();
    let mut index = vec![0; Btf::count(kernel).unwrap()];
    let whole = Btf::parse(kernel, &mut index).unwrap();
    let expected = apply(&local, &Whole(whole), relos);
    for piece in [4096, 7, 1] {
        let mut files = Files { piece, ..Files::new(kernel, &[]) };
        let found = fates_selected(&local, &mut files, relos, &mut vec![0xaa; 64 << 10]);
        assert_eq!(found.as_ref(), Ok(&expected), "pieces of {piece}");
    }
    expected
}
