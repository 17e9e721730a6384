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

use crate::input::read_file;
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
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
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

/// No program is larger, in bytes.
const MAX_PROGRAM: u64 = 1 << 30;

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let shown = args.program.display();
    let host = read_file(&args.program, MAX_PROGRAM)?;
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
    if !args.list {
        let folder = &args.output;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The least ELF64: a header, `body`, and a table of one null section and one section over the body.
    fn object(machine: u16, body: &[u8]) -> Vec<u8> {
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        out.resize(16, 0);
        out.extend([1u16.to_le_bytes(), machine.to_le_bytes()].concat());
        out.extend(1u32.to_le_bytes());
        out.extend([0; 16]);
        out.extend((64 + body.len() as u64).to_le_bytes());
        out.extend([0; 4]);
        out.extend([64u16, 0, 0, 64, 2, 0].iter().flat_map(|half| half.to_le_bytes()));
        out.extend(body);
        out.extend([0; 64]);
        let mut section = [0u64; 8];
        section[0] = 1 << 32;
        section[3] = 64;
        section[4] = body.len() as u64;
        out.extend(section.iter().flat_map(|word| word.to_le_bytes()));
        out
    }

    #[test]
    fn objects_are_found_whole_and_in_order() {
        let (first, second, other) = (object(247, b"first"), object(247, b"second!"), object(62, b"x86"));
        let host = [b"\x7fELF noise", &first[..], b"gap", &other, &second, b"tail"].concat();
        let found: Vec<&[u8]> =
            find(&host).iter().map(|found| &host[found.at..found.at + found.len]).collect();
        assert_eq!(found, [&first[..], &second]);
        assert_eq!(find(&first).len(), 1, "an object given itself");
        assert_eq!((file_name("t", 0), file_name("t", 1)), ("t.bpf.o".into(), "t-2.bpf.o".into()));
    }

    #[test]
    fn cut_and_changed_objects_never_panic() {
        let host = object(247, b"body");
        for cut in 0..host.len() {
            assert!(find(&host[..cut]).is_empty(), "cut at {cut}");
        }
        for bit in 0..host.len() * 8 {
            let mut changed = host.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            for found in find(&changed) {
                describe(String::new(), found.at, &changed[found.at..found.at + found.len]);
            }
        }
    }
}
