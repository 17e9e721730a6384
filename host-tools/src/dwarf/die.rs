//! The attributes of one DIE that the conversion asks for.

use super::Malformed;
use super::abbrev::{Abbrev, Step};
use super::form::{Cursor, Encoding};
use super::group::{self, Placed};
use super::input::Sources;
use super::unit::UnitKind;
use corelet_core::Endian;
use gimli::constants::{self as dw, DwAt, DwForm};
use std::sync::Arc;

/// Where a name is: in `.debug_str`, in the unit itself, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Str(u32);

/// Where the bytes of a [`Str`] are.
pub(super) enum Place {
    Unit(usize),
    DebugStr(usize),
    LineStr(usize),
    Nowhere,
}

impl Str {
    pub(super) const NONE: Str = Str(u32::MAX);
    const UNIT: u32 = 1 << 31;
    const LINE: u32 = 1 << 30;

    fn new(at: u64, flag: u32) -> Result<Str, Malformed> {
        match u32::try_from(at) {
            Ok(at) if at < Str::LINE => Ok(Str(at | flag)),
            _ => Err(Malformed::String(at)),
        }
    }

    #[inline]
    pub(super) fn place(self) -> Place {
        let at = (self.0 & (Str::LINE - 1)) as usize;
        match self {
            Str::NONE => Place::Nowhere,
            Str(n) if n & Str::UNIT != 0 => Place::Unit(at),
            Str(n) if n & Str::LINE != 0 => Place::LineStr(at),
            Str(_) => Place::DebugStr(at),
        }
    }
}

/// A reference to a DIE: nothing, one in the buffer of units by its offset there, or one elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DieRef(pub(super) u32);

impl DieRef {
    pub(super) const NONE: DieRef = DieRef(0);
    pub(super) const FOREIGN: u32 = 1 << 31;
}

/// What a unit's forms refer to besides the unit.
pub(super) struct Context<'a> {
    pub(super) encoding: Encoding,
    /// Where the unit is, in its section and in the buffer.
    pub(super) own: Placed,
    /// All units in the buffer, by their places in the section.
    pub(super) group: Arc<[Placed]>,
    /// The sections of names, and where this unit's part of `.debug_str_offsets` begins.
    pub(super) sources: &'a Sources,
    pub(super) str_offsets_base: u64,
    /// The section `.debug_addr`, and where this unit's part begins.
    pub(super) addresses: &'a [u8],
    pub(super) addresses_base: u64,
    /// Offsets in `.debug_info` of what other units hold and this one refers to.
    pub(super) foreign: Vec<u64>,
}

/// The values of one DIE.
#[derive(Clone, Debug)]
pub(super) struct Die {
    pub(super) name: Str,
    pub(super) ty: DieRef,
    pub(super) origin: DieRef,
    /// `DW_AT_specification`.
    pub(super) declared: DieRef,
    /// The type in a unit of its own that this one only stands for (`DW_AT_signature`).
    pub(super) signature: DieRef,
    /// Offset in the unit of the next sibling; 0 where the producer gives none.
    pub(super) sibling: u32,
    pub(super) byte_size: Option<u64>,
    /// `DW_AT_data_member_location` in bytes.
    pub(super) location: u64,
    pub(super) data_bit_offset: Option<u64>,
    pub(super) bit_offset: Option<u64>,
    pub(super) bit_size: u64,
    /// `DW_AT_const_value`, and whether its form has a sign.
    pub(super) value: Option<(u64, bool)>,
    /// Elements of a dimension.
    pub(super) count: Option<u64>,
    pub(super) encoding: u8,
    pub(super) declaration: bool,
    pub(super) external: bool,
    /// `DW_CC_nocall`: the compiler changed how the function is called.
    pub(super) nocall: bool,
    /// All calls have its code in them (`DW_INL_*`).
    pub(super) inlined: bool,
    /// Has code at an address, or in several ranges.
    pub(super) low_pc: Option<u64>,
    pub(super) ranges: bool,
    /// Of a variable with a fixed address.
    pub(super) address: Option<u64>,
    pub(super) language: u64,
    pub(super) comp_dir: Str,
    pub(super) dwo_name: Str,
    pub(super) dwo_id: Option<u64>,
}

impl Die {
    pub(super) const EMPTY: Die = Die {
        name: Str::NONE,
        ty: DieRef::NONE,
        origin: DieRef::NONE,
        declared: DieRef::NONE,
        signature: DieRef::NONE,
        sibling: 0,
        byte_size: None,
        location: 0,
        data_bit_offset: None,
        bit_offset: None,
        bit_size: 0,
        value: None,
        count: None,
        encoding: 0,
        declaration: false,
        external: false,
        nocall: false,
        inlined: false,
        low_pc: None,
        ranges: false,
        address: None,
        language: 0,
        comp_dir: Str::NONE,
        dwo_name: Str::NONE,
        dwo_id: None,
    };

    /// Reads the values of `abbrev` at `cursor`, and moves behind them.
    pub(super) fn read(abbrev: &Abbrev, cursor: &mut Cursor, cx: &mut Context) -> Result<Die, Malformed> {
        let mut die = Die::EMPTY;
        for &step in &abbrev.steps {
            match step {
                Step::Skip(count) => cursor.skip(count as usize)?,
                Step::SkipForm(form) => cursor.skip_form(form, &cx.encoding)?,
                Step::Implicit(name, value) => die.constant(name, value as u64, true),
                Step::Read(name, dw::DW_FORM_indirect) => {
                    let form = cursor.indirect()?;
                    die.value(name, form, cursor, cx)?;
                }
                Step::Read(name, form) => die.value(name, form, cursor, cx)?,
            }
        }
        Ok(die)
    }

    #[inline]
    fn value(
        &mut self,
        name: DwAt,
        form: DwForm,
        cursor: &mut Cursor,
        cx: &mut Context,
    ) -> Result<(), Malformed> {
        match name {
            dw::DW_AT_name => self.name = cx.string(form, cursor)?,
            dw::DW_AT_type => self.ty = cx.reference(form, cursor)?,
            dw::DW_AT_sibling => self.sibling = cx.reference(form, cursor)?.0,
            dw::DW_AT_abstract_origin => self.origin = cx.reference(form, cursor)?,
            dw::DW_AT_specification => self.declared = cx.reference(form, cursor)?,
            dw::DW_AT_signature => self.signature = cx.reference(form, cursor)?,
            dw::DW_AT_comp_dir => self.comp_dir = cx.string(form, cursor)?,
            dw::DW_AT_dwo_name | dw::DW_AT_GNU_dwo_name => self.dwo_name = cx.string(form, cursor)?,
            dw::DW_AT_low_pc => self.low_pc = cx.address(form, cursor)?,
            dw::DW_AT_ranges => {
                self.ranges = true;
                cursor.skip_form(form, &cx.encoding)?;
            }
            dw::DW_AT_location if is_block(form) => {
                let block = cursor.block(form, &cx.encoding)?;
                self.address = cx.fixed_address(block);
            }
            // a list of places is none of a variable in memory
            dw::DW_AT_location => cursor.skip_form(form, &cx.encoding)?,
            _ if is_block(form) => {
                let block = cursor.block(form, &cx.encoding)?;
                if name == dw::DW_AT_data_member_location {
                    self.location = member_location(block).ok_or(Malformed::Location)?;
                }
            }
            _ => match constant(form, cursor, &cx.encoding)? {
                Some((value, signed)) => self.constant(name, value, signed),
                None => cursor.skip_form(form, &cx.encoding)?,
            },
        }
        Ok(())
    }

    #[inline]
    fn constant(&mut self, name: DwAt, value: u64, signed: bool) {
        match name {
            dw::DW_AT_byte_size => self.byte_size = Some(value),
            dw::DW_AT_data_member_location => self.location = value,
            dw::DW_AT_data_bit_offset => self.data_bit_offset = Some(value),
            dw::DW_AT_bit_offset => self.bit_offset = Some(value),
            dw::DW_AT_bit_size => self.bit_size = value,
            dw::DW_AT_const_value => self.value = Some((value, signed)),
            dw::DW_AT_count => self.count = Some(value),
            // -1 in any width is "no elements", as gcc before 8 writes `[0]`
            dw::DW_AT_upper_bound => self.count = Some(value.wrapping_add(1)),
            dw::DW_AT_encoding => self.encoding = value as u8,
            dw::DW_AT_declaration => self.declaration = value != 0,
            dw::DW_AT_external => self.external = value != 0,
            dw::DW_AT_calling_convention => self.nocall = value == u64::from(dw::DW_CC_nocall.0),
            dw::DW_AT_inline => self.inlined = value != 0,
            dw::DW_AT_language => self.language = value,
            dw::DW_AT_GNU_dwo_id => self.dwo_id = Some(value),
            _ => {}
        }
    }
}

fn is_block(form: DwForm) -> bool {
    matches!(
        form,
        dw::DW_FORM_exprloc
            | dw::DW_FORM_block1
            | dw::DW_FORM_block2
            | dw::DW_FORM_block4
            | dw::DW_FORM_block
    )
}

/// A number, and whether its form has a sign; `None` for a form that is no number.
#[inline]
fn constant(form: DwForm, cursor: &mut Cursor, unit: &Encoding) -> Result<Option<(u64, bool)>, Malformed> {
    let endian = unit.endian;
    Ok(Some(match form {
        dw::DW_FORM_data1 | dw::DW_FORM_flag => (cursor.unsigned(1, endian)?, false),
        dw::DW_FORM_data2 => (cursor.unsigned(2, endian)?, false),
        dw::DW_FORM_data4 => (cursor.unsigned(4, endian)?, false),
        dw::DW_FORM_data8 => (cursor.unsigned(8, endian)?, false),
        dw::DW_FORM_udata => (cursor.uleb()?, false),
        dw::DW_FORM_sdata => (cursor.sleb()? as u64, true),
        dw::DW_FORM_flag_present => (1, false),
        dw::DW_FORM_sec_offset => (cursor.unsigned(unit.offset_size, endian)?, false),
        _ => return Ok(None),
    }))
}

/// Where a member is, of the expression that DWARF 2 and 3 have for it.
fn member_location(block: &[u8]) -> Option<u64> {
    let (&op, rest) = block.split_first()?;
    let mut cursor = Cursor { bytes: rest, at: 0 };
    match dw::DwOp(op) {
        dw::DW_OP_plus_uconst | dw::DW_OP_constu => cursor.uleb().ok(),
        _ => None,
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(
        own: Placed,
        group: Arc<[Placed]>,
        sources: &'a Sources,
        addresses: &'a [u8],
    ) -> Context<'a> {
        Context {
            encoding: own.unit.encoding,
            own,
            group,
            sources,
            str_offsets_base: 0,
            addresses,
            addresses_base: 0,
            foreign: Vec::new(),
        }
    }
}

impl Context<'_> {
    /// Takes where this unit's parts of the tables begin, out of its root; passes over any other value.
    pub(super) fn base(&mut self, name: DwAt, form: DwForm, cursor: &mut Cursor) -> Result<(), Malformed> {
        let base = match name {
            dw::DW_AT_str_offsets_base => &mut self.str_offsets_base,
            dw::DW_AT_addr_base | dw::DW_AT_GNU_addr_base => &mut self.addresses_base,
            _ => return cursor.skip_form(form, &self.encoding),
        };
        match constant(form, cursor, &self.encoding)? {
            Some((value, _)) => *base = value,
            None => return Err(Malformed::Form(form.0)),
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, form: DwForm, cursor: &mut Cursor) -> Result<Str, Malformed> {
        let Encoding { endian, offset_size, .. } = self.encoding;
        let index = match form {
            dw::DW_FORM_strp => return Str::new(cursor.unsigned(offset_size, endian)?, 0),
            dw::DW_FORM_line_strp => return Str::new(cursor.unsigned(offset_size, endian)?, Str::LINE),
            dw::DW_FORM_string => {
                let at = cursor.at as u64;
                cursor.string()?;
                return Str::new(at, Str::UNIT);
            }
            dw::DW_FORM_strx | dw::DW_FORM_GNU_str_index => cursor.uleb()?,
            dw::DW_FORM_strx1 => cursor.unsigned(1, endian)?,
            dw::DW_FORM_strx2 => cursor.unsigned(2, endian)?,
            dw::DW_FORM_strx3 => cursor.unsigned(3, endian)?,
            dw::DW_FORM_strx4 => cursor.unsigned(4, endian)?,
            _ => {
                // a name in a supplementary file, which dwz makes: of a type it would be wanting
                cursor.skip_form(form, &self.encoding)?;
                return Err(Malformed::Form(form.0));
            }
        };
        let at = entry(&self.sources.str_offsets, self.str_offsets_base, index, offset_size, endian);
        Str::new(at.ok_or(Malformed::String(index))?, 0)
    }

    #[inline]
    fn reference(&mut self, form: DwForm, cursor: &mut Cursor) -> Result<DieRef, Malformed> {
        let Encoding { endian, offset_size, address_size, version } = self.encoding;
        let at = match form {
            dw::DW_FORM_ref4 => cursor.unsigned(4, endian)?,
            dw::DW_FORM_ref1 => cursor.unsigned(1, endian)?,
            dw::DW_FORM_ref2 => cursor.unsigned(2, endian)?,
            dw::DW_FORM_ref8 => cursor.unsigned(8, endian)?,
            dw::DW_FORM_ref_udata => cursor.uleb()?,
            dw::DW_FORM_ref_addr => {
                let at = cursor.unsigned(if version <= 2 { address_size } else { offset_size }, endian)?;
                return Ok(self.elsewhere(at));
            }
            dw::DW_FORM_ref_sig8 => {
                let signature = cursor.unsigned(8, endian)?;
                let at = self.sources.signatures.get(&signature).ok_or(Malformed::Signature(signature))?;
                return Ok(self.elsewhere(*at));
            }
            other => return Err(Malformed::Form(other.0)),
        };
        if at == 0 || at >= self.own.unit.len {
            return Err(Malformed::Reference(at));
        }
        Ok(DieRef(self.own.base + at as u32))
    }

    /// Whether the DIE at `at` of the buffer is in a unit that has one type.
    pub(super) fn is_in_type_unit(&self, at: u32) -> bool {
        let of = self.group.iter().find(|placed| placed.inside(at).is_some());
        of.is_some_and(|placed| matches!(placed.unit.kind, UnitKind::Type { .. }))
    }

    /// A reference to the DIE at `at` of the section, in this unit or another.
    fn elsewhere(&mut self, at: u64) -> DieRef {
        match group::locate(&self.group, at) {
            Some(at) => DieRef(at),
            None => {
                let index = self.foreign.len() as u32;
                self.foreign.push(at);
                DieRef(DieRef::FOREIGN | index)
            }
        }
    }

    fn address(&self, form: DwForm, cursor: &mut Cursor) -> Result<Option<u64>, Malformed> {
        let Encoding { endian, address_size, .. } = self.encoding;
        let index = match form {
            dw::DW_FORM_addr => return cursor.unsigned(address_size, endian).map(Some),
            dw::DW_FORM_addrx | dw::DW_FORM_GNU_addr_index => cursor.uleb()?,
            dw::DW_FORM_addrx1 => cursor.unsigned(1, endian)?,
            dw::DW_FORM_addrx2 => cursor.unsigned(2, endian)?,
            dw::DW_FORM_addrx3 => cursor.unsigned(3, endian)?,
            dw::DW_FORM_addrx4 => cursor.unsigned(4, endian)?,
            _ => {
                cursor.skip_form(form, &self.encoding)?;
                return Ok(None);
            }
        };
        Ok(self.indexed_address(index))
    }

    fn indexed_address(&self, index: u64) -> Option<u64> {
        entry(self.addresses, self.addresses_base, index, self.encoding.address_size, self.encoding.endian)
    }

    /// The address that a variable's location is, where it is nothing else.
    fn fixed_address(&self, block: &[u8]) -> Option<u64> {
        let (&op, rest) = block.split_first()?;
        let mut cursor = Cursor { bytes: rest, at: 0 };
        match dw::DwOp(op) {
            dw::DW_OP_addr => cursor.unsigned(self.encoding.address_size, self.encoding.endian).ok(),
            dw::DW_OP_addrx | dw::DW_OP_GNU_addr_index => self.indexed_address(cursor.uleb().ok()?),
            _ => None,
        }
        .filter(|_| cursor.at == rest.len())
    }
}

/// The number at `index` of a table of numbers of `size` bytes that begins at `base`.
fn entry(table: &[u8], base: u64, index: u64, size: u8, endian: Endian) -> Option<u64> {
    let at = base.checked_add(index.checked_mul(size.into())?)?;
    Cursor { bytes: table, at: usize::try_from(at).ok()? }.unsigned(size, endian).ok()
}
