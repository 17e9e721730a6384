//! A BPF object as a whole: programs and subprograms, maps, variables, externs, and what each instruction refers to; the
//! view that joins ELF, `.BTF` and `.BTF.ext`.
//!
//! [`Object::parse`] proves what [`Elf`], [`Btf`] and [`BtfExt`] prove, and that functions are whole and apart from each
//! other. Maps, variables, externs and references are checked while they are walked; their iterators give results.
//!
//! Functions are numbered by section and then by offset, maps by offset in `.maps`, externs as [`Object::externs`] says;
//! these are libbpf's orders, and the numbers are the places in the iterators.
//!
//! Memory: none beside the BTF's index. Time: each function, map, extern or change of function walks the symbol table, so
//! files are held to [`limits::MAX_SYMBOLS`] and [`limits::MAX_FUNCTIONS`]; the parts say what more they take.
//! Source: `bpf_object__elf_collect` and what follows it, libbpf `src/libbpf.c`.

mod data;
mod externs;
mod fault;
mod functions;
mod locate;
mod map_def;
mod maps;
mod references;
pub mod sec_name;
mod sec_table;
mod struct_ops;
#[cfg(test)]
mod tests;

pub use data::{DataRole, DataSection, Variable};
pub use externs::{Extern, ExternKind, KconfigType};
pub use fault::Fault;
pub use functions::Function;
pub use locate::Located;
pub use map_def::MapSpec;
pub use maps::{MapDef, MapValue, MapValueTarget};
pub use references::{Reference, References, Referent};
pub use struct_ops::StructOps;

use crate::btf::{Btf, Kind, Type};
use crate::btf_ext::BtfExt;
use crate::bytes::{Bytes, Endian};
use crate::elf::{Elf, Section};
use crate::error::{Error, Limit, Part, Result};
use crate::limits;

/// Section of subprograms.
const TEXT: &str = ".text";
/// Section of map definitions.
const MAPS: &str = ".maps";
/// Section that maps were defined in before libbpf 1.0.
const LEGACY_MAPS: &str = "maps";

/// A parsed object.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    elf: Elf<'a>,
    btf: Btf<'a>,
    ext: Option<BtfExt<'a>>,
    text: Option<u16>,
    maps: Option<Section<'a>>,
    maps_type: Option<Type<'a>>,
    kconfig: Option<Type<'a>>,
    ksyms: Option<Type<'a>>,
}

impl<'a> Object<'a> {
    /// Number of types in the `.BTF` of `file`, which is the number of entries that [`Object::parse`] needs.
    ///
    /// # Errors
    /// Those of [`Elf::parse`] and [`Btf::count`]; [`Error::NoSection`] without BTF where something needs it.
    pub fn type_count(file: &[u8]) -> Result<usize> {
        Btf::count(btf_section(&Elf::parse(file)?)?)
    }

    /// Checks `file` and indexes its types in `btf_index`.
    ///
    /// # Errors
    /// Those of [`Elf::parse`], [`Btf::parse`] and [`BtfExt::parse`]; [`Error::NoSection`] without BTF where something needs
    /// it; [`Error::LegacyMaps`]; [`Error::Object`] for a broken function; [`Error::TooMany`].
    pub fn parse(file: &'a [u8], btf_index: &'a mut [u32]) -> Result<Object<'a>> {
        let elf = Elf::parse(file)?;
        if elf.symbol_count() > limits::MAX_SYMBOLS {
            return Err(Error::TooMany { what: Limit::Symbols, limit: limits::MAX_SYMBOLS });
        }
        if elf.find(LEGACY_MAPS).is_some() {
            return Err(Error::LegacyMaps);
        }
        let btf = Btf::parse(btf_section(&elf)?, btf_index)?;
        // without types its records speak of nothing
        let ext = elf.find(".BTF.ext").filter(|_| elf.find(".BTF").is_some());
        let datasec = |name| btf.find(name, Kind::Datasec);
        let object = Object {
            elf,
            btf,
            ext: ext.map(|s| BtfExt::parse(s.data)).transpose()?,
            text: elf.find(TEXT).filter(Section::is_executable).map(|s| s.index),
            maps: elf.find(MAPS),
            maps_type: datasec(MAPS),
            kconfig: datasec(".kconfig"),
            ksyms: datasec(".ksyms"),
        };
        object.check_functions()?;
        Ok(object)
    }

    /// The file's ELF.
    pub fn elf(&self) -> &Elf<'a> {
        &self.elf
    }

    /// The object's types.
    pub fn btf(&self) -> &Btf<'a> {
        &self.btf
    }

    /// The object's `.BTF.ext`; `None` where it has none.
    pub fn btf_ext(&self) -> Option<&BtfExt<'a>> {
        self.ext.as_ref()
    }

    /// Byte order of the object and its instructions.
    pub fn endian(&self) -> Endian {
        self.elf.endian()
    }

    /// The `license` section, to its first NUL; `None` where there is none.
    pub fn license(&self) -> Result<Option<&'a str>> {
        let Some(s) = self.elf.find("license") else { return Ok(None) };
        let text = s.data.split(|&b| b == 0).next().unwrap_or(&[]);
        let bad = |_| Error::BadString { part: Part::SectionData, at: 0 };
        core::str::from_utf8(text).map(Some).map_err(bad)
    }

    /// The `version` section (KERNEL_VERSION) of old kprobe objects; 0 where there is none.
    pub fn kern_version(&self) -> Result<u32> {
        match self.elf.find("version") {
            Some(s) => Bytes::new(s.data, self.endian(), Part::SectionData).u32(0),
            None => Ok(0),
        }
    }

    /// An error at byte `at` of section `section`.
    fn fault(section: u16, at: u64, fault: Fault) -> Error {
        Error::Object { section, at: at.min(u32::MAX.into()) as u32, fault }
    }
}

/// What stands for the BTF of an object that was compiled without: a header and the empty string.
const NO_TYPES: [u8; 25] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
/// The same, big-endian.
const NO_TYPES_BIG: [u8; 25] =
    [0xeb, 0x9f, 1, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// The types; none where the object has no `.BTF` and no section that must be described there, as `libbpf_needs_btf` says.
fn btf_section<'a>(elf: &Elf<'a>) -> Result<&'a [u8]> {
    let described = |s: Section<'_>| s.name == MAPS || s.name.starts_with(".struct_ops");
    match elf.find(".BTF") {
        Some(s) => Ok(s.data),
        None if elf.sections().any(described) => Err(Error::NoSection { what: crate::error::Needed::Btf }),
        None if elf.endian() == Endian::Big => Ok(&NO_TYPES_BIG),
        None => Ok(&NO_TYPES),
    }
}
