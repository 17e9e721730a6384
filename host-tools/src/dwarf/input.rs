//! What a conversion reads: the sections of the file with the DWARF, which may not be the file that was named, and its symbols.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use corelet_core::Endian;
use object::{Object, ObjectSection, ReadCache, ReadRef};

use super::hash::Map;
use super::relocatable::Layout;
use super::sections::{self, Section};
use super::symbols::{self, PERCPU, Symbols};
use super::unit::{self, Unit, Units};
use super::{Malformed, Skipped};

/// Where distributions put debug files.
pub const DEBUG_FOLDER: &str = "/usr/lib/debug";

/// The sections that a unit's forms refer to.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) abbrev: Vec<u8>,
    pub(super) debug_str: Vec<u8>,
    pub(super) line_str: Vec<u8>,
    pub(super) str_offsets: Vec<u8>,
    /// Where in the section of units the type of a signature is.
    pub(super) signatures: Map<u64, u64>,
}

/// What all threads read.
pub(super) struct Input {
    pub(super) endian: Endian,
    pub(super) pointer_size: u8,
    /// The file that has the DWARF.
    pub(super) path: PathBuf,
    pub(super) info: Section,
    pub(super) sources: Sources,
    pub(super) addresses: Vec<u8>,
    pub(super) symbols: Symbols,
    /// Bytes of the section of per-cpu variables.
    pub(super) percpu: Option<u64>,
    pub(super) units: Vec<Unit>,
    /// The release that it was built for, where it is a module.
    pub(super) module_release: Option<String>,
    /// What follows a damaged unit header.
    pub(super) lost: Option<Skipped>,
}

type Cache = ReadCache<File>;

impl Input {
    /// Opens the ELF at `path`, or the debug file that it names.
    ///
    /// # Errors
    /// No ELF; or neither it nor a debug file has DWARF: which places were looked at, and what to do.
    pub(super) fn open(path: &Path, debug_folders: &[PathBuf]) -> Result<Input> {
        let file = File::open(path).with_context(|| format!("{}: cannot open", path.display()))?;
        let shown = || path.display().to_string();
        let cache = ReadCache::new(file.try_clone()?);
        let elf = parse(&cache).with_context(shown)?;
        if has_dwarf(&elf) {
            return read(path, Arc::new(file), &elf, &elf).with_context(shown);
        }
        let mut tried = Vec::new();
        for candidate in debug_files(path, &elf, debug_folders) {
            let Ok(file) = File::open(&candidate.path) else {
                tried.push(format!("{}: not there", candidate.path.display()));
                continue;
            };
            let cache = ReadCache::new(file.try_clone()?);
            let other = parse(&cache);
            match other.and_then(|other| candidate.check(&file, &elf, &other).map(|()| other)) {
                Ok(other) => {
                    let read = read(&candidate.path, Arc::new(file), &other, &elf);
                    return read.with_context(|| candidate.path.display().to_string());
                }
                Err(error) => tried.push(format!("{}: {error:#}", candidate.path.display())),
            }
        }
        Err(anyhow!(no_dwarf(&elf, &tried))).with_context(shown)
    }
}

fn parse(cache: &Cache) -> Result<object::File<'_, &Cache>> {
    object::File::parse(cache).map_err(|error| {
        anyhow!(
            "no ELF file that can be read ({error}); DWARF is in the vmlinux of a build, or of a -dbg or -debuginfo package, \
             never in an image that boots"
        )
    })
}

fn has_dwarf<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> bool {
    sections::extent(elf, ".debug_info").is_ok_and(|extent| extent.is_some())
}

/// Reads `elf`, the file with the DWARF; `main` has the bytes of sections that a debug file only names.
fn read<'d, 'm, R: ReadRef<'d>, M: ReadRef<'m>>(
    path: &Path,
    file: Arc<File>,
    elf: &object::File<'d, R>,
    main: &object::File<'m, M>,
) -> Result<Input> {
    if let Ok(Some((name, _))) = elf.gnu_debugaltlink() {
        bail!(
            "a part of its DWARF is in another file, {} (.gnu_debugaltlink): dwz put there what several files share, and that is \
             not read here. Next: take the vmlinux of the build itself, or of a package that was built without dwz -m \
             (_find_debuginfo_dwz_opts of rpm, dh_dwz of Debian)",
            String::from_utf8_lossy(name)
        );
    }
    let endian = symbols::endian(elf);
    let layout = Layout::of(elf);
    let hold = |name: &str| -> Result<Vec<u8>> {
        let Some(extent) = sections::extent(elf, name)? else { return Ok(Vec::new()) };
        let mut bytes = extent.hold(&file).with_context(|| format!("section {name}"))?;
        layout.relocate(elf, name, &mut bytes, endian);
        Ok(bytes)
    };
    let of_units = |name: &str| -> Result<Option<Section>> {
        Ok(match sections::extent(elf, name)? {
            Some(_) if layout.is_relocatable() => Some(Section::Held(Arc::new(hold(name)?))),
            Some(extent) => Some(extent.open(&file).with_context(|| format!("section {name}"))?),
            None => None,
        })
    };
    let info = of_units(".debug_info")?.context("no section .debug_info")?;
    let info = match of_units(".debug_types")? {
        Some(types) => Section::Joined(Arc::new([info, types])),
        None => info,
    };
    let Units { units, damaged } = unit::list(&info, endian)?;
    let lost =
        damaged.map(|(at, why)| Skipped { at, name: "all that follows".to_owned(), why: why.to_string() });
    let sources = Sources {
        abbrev: hold(".debug_abbrev")?,
        debug_str: hold(".debug_str")?,
        line_str: hold(".debug_line_str")?,
        str_offsets: hold(".debug_str_offsets")?,
        signatures: units.iter().filter_map(Unit::signature).collect(),
    };
    let symbols = Symbols::read(elf, main, &layout, &file, endian)?;
    Ok(Input {
        endian,
        pointer_size: if elf.is_64() { 8 } else { 4 },
        path: path.to_owned(),
        addresses: hold(".debug_addr")?,
        percpu: elf.section_by_name(PERCPU).map(|section| section.size()),
        module_release: module_release(main),
        info,
        sources,
        symbols,
        units,
        lost,
    })
}

/// The first word of a module's `vermagic` (`include/linux/vermagic.h`).
fn module_release<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Option<String> {
    let modinfo = elf.section_by_name(".modinfo")?.data().ok()?;
    let vermagic = modinfo.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(b"vermagic="))?;
    String::from_utf8_lossy(vermagic).split(' ').next().map(str::to_owned)
}

/// A place where a debug file may be, and what must hold if it is the right one.
struct Candidate {
    path: PathBuf,
    /// Of `.gnu_debuglink`.
    crc: Option<u32>,
}

impl Candidate {
    fn check<'a, 'b, A: ReadRef<'a>, B: ReadRef<'b>>(
        &self,
        file: &File,
        main: &object::File<'a, A>,
        other: &object::File<'b, B>,
    ) -> Result<()> {
        let id = |id: object::read::Result<Option<&[u8]>>| id.ok().flatten().map(<[u8]>::to_vec);
        let (ours, theirs) = (id(main.build_id()), id(other.build_id()));
        match (ours, theirs, self.crc) {
            (Some(ours), Some(theirs), _) => {
                ensure!(ours == theirs, "is of another build: its build id differs")
            }
            (_, _, Some(crc)) => {
                ensure!(sections::crc(file)? == crc, "is of another build: its checksum differs")
            }
            _ => bail!("has no build id"),
        }
        ensure!(has_dwarf(other), "has no DWARF");
        Ok(())
    }
}

/// The places where GDB looks for the debug file of `elf` (its manual, "Debugging Information in Separate Files").
fn debug_files<'d, R: ReadRef<'d>>(
    path: &Path,
    elf: &object::File<'d, R>,
    folders: &[PathBuf],
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let default = [PathBuf::from(DEBUG_FOLDER)];
    let folders = if folders.is_empty() { &default[..] } else { folders };
    if let Ok(Some([first, rest @ ..])) = elf.build_id() {
        let hex: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!(".build-id/{first:02x}/{hex}.debug");
        found.extend(folders.iter().map(|folder| Candidate { path: folder.join(&name), crc: None }));
    }
    if let Ok(Some((name, crc))) = elf.gnu_debuglink() {
        // a name, not a path: what else it says is not for us to open
        let name = String::from_utf8_lossy(name).into_owned();
        let plain = Path::new(&name).file_name().is_some_and(|file| file == name.as_str());
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if plain {
            let absolute = std::path::absolute(&folder).unwrap_or_default();
            let under = absolute.strip_prefix("/").unwrap_or(&absolute).to_owned();
            let mut places = vec![folder.join(&name), folder.join(".debug").join(&name)];
            places.extend(folders.iter().map(|folder| folder.join(&under).join(&name)));
            found.extend(places.into_iter().map(|path| Candidate { path, crc: Some(crc) }));
        }
    }
    found
}

/// What is said of a file without DWARF.
fn no_dwarf<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>, tried: &[String]) -> String {
    let mut text = "has no DWARF (no section .debug_info): it was stripped, or built without debug information. Next: take the \
        vmlinux of the same build with debug information, which is in the package linux-image-RELEASE-dbg of Debian, \
        linux-image-RELEASE-dbgsym of Ubuntu, kernel-debuginfo of Fedora; or build it with \
        CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT"
        .to_owned();
    if elf.section_by_name(".BTF").is_some() {
        text.push_str("; or use `corelet btf extract`, since this file has BTF already");
    }
    for place in tried {
        text.push_str("\n  looked at ");
        text.push_str(place);
    }
    text
}

impl Malformed {
    /// The unit at `at` that this is wrong with.
    pub(super) fn of(self, at: u64, name: &str) -> Skipped {
        Skipped { at, name: name.to_owned(), why: self.to_string() }
    }
}
