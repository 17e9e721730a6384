//! Records of `.BTF.ext`, each with the function and instruction it belongs to.
//! Time: a walk over the sections for each block, and one over the symbols where neighbours are of two functions.

use super::{Fault, Function, Object};
use crate::btf_ext::{CoreRelo, FuncInfo, LineInfo, Record, Table};
use crate::error::{Error, Result};
use crate::insn::INSN_SIZE;

/// A record of `.BTF.ext` and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<R> {
    /// Its function.
    pub function: u32,
    /// Its instruction, from the function's start.
    pub insn: u32,
    /// Its number within its section's block: libbpf's `relo #N`.
    pub number: u32,
    /// The record.
    pub record: R,
}

impl<'a> Object<'a> {
    /// The CO-RE relocations in the order of `.BTF.ext`. Those of overridden weak functions are left out, as libbpf does.
    ///
    /// # Errors
    /// [`Error::NoSuchSection`] for a section that is not there, [`Error::Object`] for an offset within an instruction.
    pub fn core_relos(&self) -> impl Iterator<Item = Result<Located<CoreRelo>>> + use<'a> {
        self.located(self.ext.map(|e| e.core_relo()))
    }

    /// The FUNCs of functions, in the order of `.BTF.ext`; left out and failing as in [`Object::core_relos`].
    pub fn func_infos(&self) -> impl Iterator<Item = Result<Located<FuncInfo>>> + use<'a> {
        self.located(self.ext.map(|e| e.func_info()))
    }

    /// The source lines of instructions, in the order of `.BTF.ext`; left out and failing as in [`Object::core_relos`].
    pub fn line_infos(&self) -> impl Iterator<Item = Result<Located<LineInfo>>> + use<'a> {
        self.located(self.ext.map(|e| e.line_info()))
    }

    fn located<R: Record + 'a>(
        &self,
        table: Option<Table<'a, R>>,
    ) -> impl Iterator<Item = Result<Located<R>>> + use<'a, R> {
        let object = *self;
        table.into_iter().flat_map(|t| t.blocks()).flat_map(move |block| {
            let name = object.btf.string(block.section_name_off);
            let section = object.elf.find(name).map(|s| s.index);
            // Neighbouring records are mostly of one function, so that the symbols are walked once for each.
            let mut near: Option<Function<'a>> = None;
            (0..block.len()).filter_map(move |number| {
                let record = block.get(number)?;
                let at = u64::from(record.insn_off());
                let Some(section) = section else {
                    return Some(Err(Error::NoSuchSection {
                        part: R::PART,
                        name_off: block.section_name_off,
                    }));
                };
                if !at.is_multiple_of(INSN_SIZE as u64) {
                    return Some(Err(Object::fault(section, at, Fault::MisplacedRecord)));
                }
                if near.and_then(|f| f.insn_at(section, at)).is_none() {
                    near = match object.function_at(section, at) {
                        Ok(f) => f,
                        Err(e) => return Some(Err(e)),
                    };
                }
                let f = near?;
                let insn = f.insn_at(section, at)?;
                Some(Ok(Located { function: f.index, insn, number, record }))
            })
        })
    }
}
