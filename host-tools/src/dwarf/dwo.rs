//! Split DWARF (DWARF 5, section 7.3.2; GNU's in DWARF 4): what a skeleton unit stands for, in a `.dwo` file or in the `.dwp`
//! package beside the file with the skeletons.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, bail, ensure};
use corelet_core::Endian;
use gimli::{DebugCuIndex, EndianSlice, IndexSectionId, RunTimeEndian};
use object::ReadCache;

use super::hash::Map;
use super::input::Sources;
use super::sections::{self, Section};
use super::unit::{self, Unit, UnitKind, Units};

/// Where the split units of a file are.
pub(super) struct Dwo {
    endian: Endian,
    folder: PathBuf,
    package_path: PathBuf,
    package: OnceLock<Option<Package>>,
}

/// A split unit, and what its forms refer to.
pub(super) struct Split {
    pub(super) info: Section,
    pub(super) unit: Unit,
    pub(super) sources: Arc<Sources>,
    pub(super) str_offsets_base: u64,
}

/// A `.dwp`.
struct Package {
    info: Section,
    sources: Arc<Sources>,
    index: Vec<u8>,
}

impl Dwo {
    /// For the file at `path`.
    pub(super) fn beside(path: &Path, endian: Endian) -> Dwo {
        let mut package_path = path.as_os_str().to_owned();
        package_path.push(".dwp");
        Dwo {
            endian,
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            package_path: package_path.into(),
            package: OnceLock::new(),
        }
    }

    /// The unit that a skeleton of this id stands for. Its names are as the compiler wrote them.
    ///
    /// # Errors
    /// It is not to be found, with the places; or is another one's.
    pub(super) fn open(&self, comp_dir: &str, name: &str, id: Option<u64>) -> Result<Split> {
        let package = self.package.get_or_init(|| Package::open(&self.package_path).ok());
        if let (Some(package), Some(id)) = (package, id)
            && let Some(split) = package.find(id, self.endian)?
        {
            return Ok(split);
        }
        let places = [Path::new(comp_dir).join(name), self.folder.join(name)];
        let path = places.iter().find(|path| path.is_file()).with_context(|| {
            let [first, second] = &places;
            format!(
                "is in a .dwo file that is neither {} nor {}, nor in {}: keep the build tree, or make a package with dwp",
                first.display(),
                second.display(),
                self.package_path.display()
            )
        })?;
        self.file(path, id).with_context(|| path.display().to_string())
    }

    fn file(&self, path: &Path, id: Option<u64>) -> Result<Split> {
        let (info, sources, _) = open(path)?;
        let Units { units, damaged } = unit::list(&info, self.endian)?;
        for unit in units {
            let of = match unit.kind {
                UnitKind::Split(of) => Some(of),
                UnitKind::Type { .. } => continue,
                _ => None,
            };
            ensure!(of.is_none() || id.is_none() || of == id, "is of another compilation: its id differs");
            let str_offsets_base = header_of_str_offsets(&unit);
            return Ok(Split { info, unit, sources, str_offsets_base });
        }
        match damaged {
            Some((at, fault)) => bail!("unit at {at:#x}: {fault}"),
            None => bail!("has no unit"),
        }
    }
}

impl Package {
    fn open(path: &Path) -> Result<Package> {
        let (info, sources, index) = open(path)?;
        Ok(Package { info, sources, index })
    }

    fn find(&self, id: u64, endian: Endian) -> Result<Option<Split>> {
        let order = match endian {
            Endian::Little => RunTimeEndian::Little,
            Endian::Big => RunTimeEndian::Big,
        };
        let damaged = |error: gimli::Error| anyhow!("the index of the .dwp is damaged: {error}");
        let index = DebugCuIndex::from(EndianSlice::new(&self.index, order)).index().map_err(damaged)?;
        let Some(row) = index.find(id) else { return Ok(None) };
        let (mut at, mut abbrev, mut str_offsets) = (0, 0, 0);
        for part in index.sections(row).map_err(damaged)? {
            match part.section {
                IndexSectionId::DebugInfo => at = part.offset.into(),
                IndexSectionId::DebugAbbrev => abbrev = part.offset.into(),
                IndexSectionId::DebugStrOffsets => str_offsets = part.offset.into(),
                _ => {}
            }
        }
        let mut unit = unit::at(&self.info, at, endian)?
            .map_err(|fault| anyhow!("unit at {at:#x} of the .dwp {fault}"))?;
        unit.abbrev = unit.abbrev.saturating_add(abbrev);
        Ok(Some(Split {
            info: self.info.clone(),
            unit,
            sources: self.sources.clone(),
            str_offsets_base: str_offsets + header_of_str_offsets(&unit),
        }))
    }
}

/// The units' section, those that they refer to, and the index of a package.
fn open(path: &Path) -> Result<(Section, Arc<Sources>, Vec<u8>)> {
    // what the name comes from is not trusted, and opening a pipe would wait
    ensure!(path.is_file(), "is no file");
    let file = Arc::new(File::open(path).context("cannot open")?);
    let cache = ReadCache::new(file.try_clone()?);
    let elf =
        object::File::parse(&cache).map_err(|error| anyhow!("no ELF file that can be read: {error}"))?;
    let hold = |name: &str| -> Result<Vec<u8>> {
        let extent = sections::extent(&elf, name)?;
        extent.map_or(Ok(Vec::new()), |extent| extent.hold(&file)).with_context(|| format!("section {name}"))
    };
    let info = sections::extent(&elf, ".debug_info.dwo")?.context("no section .debug_info.dwo")?;
    let sources = Sources {
        abbrev: hold(".debug_abbrev.dwo")?,
        debug_str: hold(".debug_str.dwo")?,
        line_str: Vec::new(),
        str_offsets: hold(".debug_str_offsets.dwo")?,
        signatures: Map::default(),
    };
    Ok((info.open(&file).context("section .debug_info.dwo")?, Arc::new(sources), hold(".debug_cu_index")?))
}

/// Bytes of the header that a unit's part of `.debug_str_offsets.dwo` begins with; GNU's of DWARF 4 has none.
fn header_of_str_offsets(unit: &Unit) -> u64 {
    match (unit.encoding.version, unit.encoding.offset_size) {
        (..=4, _) => 0,
        (_, 8) => 16,
        _ => 8,
    }
}
