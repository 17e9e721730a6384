//! Abbreviations made ready for the walk: for each, what to do with the bytes of a DIE.
//!
//! A kernel's units have a hundred abbreviations and tens of thousands of DIEs each. Runs of attributes that nobody asks for
//! become one step over their summed size.

use super::Malformed;
use super::form::{Encoding, fixed_size};
use gimli::constants::{self as dw, DwAt, DwForm, DwTag};
use gimli::{Abbreviations, DebugAbbrev, DebugAbbrevOffset, EndianSlice, RunTimeEndian};

/// The largest code that is looked up in a table of our own; producers count from 1.
const MAX_CODE: u64 = 1 << 16;

/// What the bytes of one or several attributes mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// So many bytes that are not asked for.
    Skip(u32),
    /// A value of variable size that is not asked for.
    SkipForm(DwForm),
    /// A value that is asked for.
    Read(DwAt, DwForm),
    /// A value that stands in the abbreviation itself.
    Implicit(DwAt, i64),
}

/// An abbreviation.
#[derive(Debug)]
pub(super) struct Abbrev {
    pub(super) tag: DwTag,
    pub(super) has_children: bool,
    /// Reads what is asked for.
    pub(super) steps: Box<[Step]>,
    /// Passes by, reading only where the next sibling is.
    pub(super) pass: Box<[Step]>,
}

/// The abbreviations of one table, compiled when first used.
pub(super) struct Table {
    parsed: Abbreviations,
    compiled: Vec<Option<Abbrev>>,
}

impl Table {
    /// The table at `offset` of `.debug_abbrev`.
    pub(super) fn parse(section: &[u8], offset: u64) -> Result<Table, Malformed> {
        let offset = usize::try_from(offset).ok().filter(|&at| at < section.len());
        let offset = offset.ok_or(Malformed::Abbreviations)?;
        // the byte order means nothing here: all is in LEB128
        let parsed = DebugAbbrev::from(EndianSlice::new(section, RunTimeEndian::Little))
            .abbreviations(DebugAbbrevOffset(offset))
            .map_err(|_| Malformed::Abbreviations)?;
        Ok(Table { parsed, compiled: Vec::new() })
    }

    /// The abbreviation of `code`.
    #[inline]
    pub(super) fn get(&mut self, code: u64, unit: &Encoding) -> Result<&Abbrev, Malformed> {
        let index = code as usize;
        if code >= MAX_CODE {
            return Err(Malformed::Code(code));
        }
        if self.compiled.get(index).is_none_or(Option::is_none) {
            self.compile(code, unit)?;
        }
        self.compiled.get(index).and_then(Option::as_ref).ok_or(Malformed::Code(code))
    }

    #[cold]
    fn compile(&mut self, code: u64, unit: &Encoding) -> Result<(), Malformed> {
        let source = self.parsed.get(code).ok_or(Malformed::Code(code))?;
        let mut all = Steps::default();
        let mut pass = Steps::default();
        for spec in source.attributes() {
            let (name, form) = (spec.name(), spec.form());
            match spec.implicit_const_value() {
                Some(value) if asked(name) => all.list.push(Step::Implicit(name, value)),
                Some(_) => {}
                None => {
                    all.add(name, form, asked(name), unit);
                    pass.add(name, form, name == dw::DW_AT_sibling, unit);
                }
            }
        }
        let abbrev = Abbrev {
            tag: source.tag(),
            has_children: source.has_children(),
            steps: all.list.into(),
            pass: pass.list.into(),
        };
        let index = code as usize;
        if self.compiled.len() <= index {
            self.compiled.resize_with(index + 1, || None);
        }
        self.compiled[index] = Some(abbrev);
        Ok(())
    }
}

#[derive(Default)]
struct Steps {
    list: Vec<Step>,
}

impl Steps {
    fn add(&mut self, name: DwAt, form: DwForm, wanted: bool, unit: &Encoding) {
        let step = match (wanted, fixed_size(form, unit)) {
            (true, _) => Step::Read(name, form),
            (false, None) => Step::SkipForm(form),
            (false, Some(size)) => {
                if let Some(Step::Skip(before)) = self.list.last_mut() {
                    *before = before.saturating_add(size as u32);
                    return;
                }
                if size == 0 {
                    return;
                }
                Step::Skip(size as u32)
            }
        };
        self.list.push(step);
    }
}

/// Whether the walk asks for an attribute.
fn asked(name: DwAt) -> bool {
    matches!(
        name,
        dw::DW_AT_sibling
            | dw::DW_AT_location
            | dw::DW_AT_name
            | dw::DW_AT_byte_size
            | dw::DW_AT_bit_offset
            | dw::DW_AT_bit_size
            | dw::DW_AT_data_bit_offset
            | dw::DW_AT_data_member_location
            | dw::DW_AT_const_value
            | dw::DW_AT_upper_bound
            | dw::DW_AT_count
            | dw::DW_AT_declaration
            | dw::DW_AT_encoding
            | dw::DW_AT_external
            | dw::DW_AT_type
            | dw::DW_AT_low_pc
            | dw::DW_AT_ranges
            | dw::DW_AT_abstract_origin
            | dw::DW_AT_specification
            | dw::DW_AT_signature
            | dw::DW_AT_calling_convention
            | dw::DW_AT_inline
            | dw::DW_AT_language
            | dw::DW_AT_comp_dir
            | dw::DW_AT_str_offsets_base
            | dw::DW_AT_addr_base
            | dw::DW_AT_dwo_name
            | dw::DW_AT_GNU_dwo_name
            | dw::DW_AT_GNU_dwo_id
            | dw::DW_AT_GNU_addr_base
    )
}
