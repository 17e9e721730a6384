//! `corelet extract-objects`: the BPF objects inside a program.
//!
//! A libbpf skeleton is the whole object as a byte string in the program's data, so the objects are found by their ELF
//! headers and cut out at the end of their last table. A stripped program keeps no names for them: they are numbered, and
//! the list says which programs are in which.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use serde::Serialize;

use crate::kernel::elf::{self, Embedded};
use crate::output;

/// Take the BPF objects out of a program that carries them.
///
/// They are named after the program: PROGRAM.bpf.o, PROGRAM-2.bpf.o and so on, in the order of the file.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The program or library (or a BPF object itself).
    program: PathBuf,
    /// The folder to write the objects to; made if it is missing.
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Only list what is there.
    #[arg(long)]
    list: bool,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// One object.
#[derive(Serialize)]
struct Entry {
    /// The file's name.
    name: String,
    /// Where it is in the program.
    offset: usize,
    bytes: usize,
    /// Functions in program sections, as `SECTION:NAME`, sorted.
    programs: Vec<String>,
    /// Whether there is type information to relocate by.
    btf: bool,
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    objects: Vec<Entry>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let shown = args.program.display();
    let host = fs::read(&args.program).with_context(|| format!("{shown}: cannot read"))?;
    let name = base_name(&args.program)?;
    let objects: Vec<(Entry, &[u8])> = find(&host)
        .into_iter()
        .enumerate()
        .map(|(index, found)| {
            let bytes = &host[found.at..found.at + found.len];
            (describe(file_name(&name, index), found.at, bytes), bytes)
        })
        .collect();
    if objects.is_empty() {
        bail!(
            "{shown}: no BPF object inside. Programs that compile their BPF at run time (BCC) or keep it compressed carry none; \
             else give the .bpf.o that it was built from"
        );
    }
    if let Some(folder) = args.output.as_ref().filter(|_| !args.list) {
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot make this folder", folder.display()))?;
        for (entry, bytes) in &objects {
            output::write_file(&folder.join(&entry.name), bytes)?;
        }
    }
    let report = Report { schema: 1, objects: objects.into_iter().map(|(entry, _)| entry).collect() };
    let text = if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { report.text() };
    output::write_file("-".as_ref(), text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The BPF objects in `host`, by offset: relocatable ELF64 for the BPF machine. Old compilers wrote no machine at all; those
/// count only if they have a license section, as every loadable object does.
pub fn find(host: &[u8]) -> Vec<Embedded> {
    let is_bpf = |found: &Embedded| {
        let bytes = &host[found.at..found.at + found.len];
        found.kind == object::elf::ET_REL.0
            && bytes.get(4) == Some(&object::elf::ELFCLASS64.0)
            && match found.machine {
                m if m == object::elf::EM_BPF.0 => true,
                m if m == object::elf::EM_NONE.0 => ElfFile64::<object::Endianness>::parse(bytes)
                    .is_ok_and(|f| f.section_by_name("license").is_some()),
                _ => false,
            }
    };
    // A host that is an ELF itself spans all of its objects; one that is an object has nothing inside that counts.
    let whole = elf::embedded(host, 0);
    match whole.first() {
        Some(first) if first.at == 0 && is_bpf(first) => vec![*first],
        _ => elf::embedded(host, usize::from(elf::is_elf(host))).into_iter().filter(is_bpf).collect(),
    }
}

fn describe(name: String, offset: usize, bytes: &[u8]) -> Entry {
    let mut programs = Vec::new();
    let mut btf = false;
    if let Ok(file) = ElfFile64::<object::Endianness>::parse(bytes) {
        btf = file.section_by_name(".BTF").is_some();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_global())
        {
            let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
            if let (Some(section), Ok(symbol)) = (section, symbol.name())
                && section.kind() == SectionKind::Text
                && let Ok(section) = section.name()
                && section != ".text"
            {
                programs.push(format!("{section}:{symbol}"));
            }
        }
    }
    programs.sort();
    Entry { name, offset, bytes: bytes.len(), programs, btf }
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.objects {
            let btf = if entry.btf { "" } else { ", no BTF" };
            text.push_str(&format!("{}  {} bytes at {:#x}{btf}\n", entry.name, entry.bytes, entry.offset));
            for program in &entry.programs {
                text.push_str(&format!("    {}\n", program.escape_debug()));
            }
        }
        text
    }
}

/// The program's name, without the ending of an object that is given itself.
fn base_name(path: &Path) -> Result<String> {
    let Some(name) = path.file_name() else { bail!("{}: not the name of a file", path.display()) };
    let name = name.to_string_lossy();
    Ok(name.strip_suffix(".bpf.o").unwrap_or(&name).to_owned())
}

fn file_name(program: &str, index: usize) -> String {
    match index {
        0 => format!("{program}.bpf.o"),
        n => format!("{program}-{}.bpf.o", n + 1),
    }
}
