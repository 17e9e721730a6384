//! libbpf itself: its relocation of an object on a kernel's types, by its own debug lines and by the programs that it would
//! load, and what differs from ours.

use super::calls::{self, Event};
use anyhow::{Context, Result, ensure};
use corelet_host_tools::relocate::{Program, Relocation, Verdict};
use object::elf::{SHT_SYMTAB, STB_GLOBAL, STB_WEAK};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const SOURCE: &str = include_str!("libbpf.c");
const QUIET: &str = include_str!("quiet.c");

/// The program around libbpf, compiled.
#[derive(Debug)]
pub struct Libbpf {
    program: PathBuf,
    /// What runs it, where this machine does not.
    before: Vec<String>,
}

/// The kernel that libbpf is to think it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Running<'k> {
    /// Its types, for what attaches by them.
    pub btf: &'k Path,
    /// `uname -r`.
    pub release: &'k str,
    /// `.config` of its build.
    pub config: Option<&'k Path>,
}

/// What libbpf did with an object.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What became of each relocation, by function and number.
    pub relocations: BTreeMap<(String, u32), Done>,
    /// What it asked of the kernel.
    pub events: Vec<Event>,
    /// Programs whose attach target the kernel does not have, and that target; they were given another.
    pub absent: BTreeMap<String, String>,
    /// Its warnings.
    pub warnings: String,
}

impl Libbpf {
    /// Compiles the program into `folder`.
    ///
    /// # Errors
    /// There is no C compiler, or no libbpf to compile with.
    pub fn build(folder: &Path) -> Result<Libbpf> {
        Libbpf::link(folder, ("libbpf", SOURCE), &["-lbpf"])
    }

    /// A program that relocates without a word, with libbpf in it, whose functions have names then.
    ///
    /// # Errors
    /// As [`Libbpf::build`].
    pub fn build_static(folder: &Path) -> Result<Libbpf> {
        Libbpf::link(folder, ("quiet", QUIET), &["-l:libbpf.a", "-lelf", "-lz"])
    }

    /// The program's path.
    pub fn path(&self) -> &Path {
        &self.program
    }

    /// `program` for another machine, which the words `before` it run here.
    pub(super) fn under(before: Vec<String>, program: PathBuf) -> Libbpf {
        Libbpf { program, before }
    }

    fn link(folder: &Path, (name, text): (&str, &str), libraries: &[&str]) -> Result<Libbpf> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let (source, program) = (folder.join(format!("{name}.c")), folder.join(format!("{name}-relo")));
        std::fs::write(&source, text).with_context(|| source.display().to_string())?;
        let mut cc = Command::new("cc");
        let output =
            cc.args(["-O1", "-o"]).args([&program, &source]).args(libraries).output().context("cc")?;
        ensure!(output.status.success(), "{name}.c: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Libbpf { program, before: Vec::new() })
    }

    /// Relocates `object` on the types in `btf` and loads it into a kernel that is not there. The object goes into `folder`.
    ///
    /// # Errors
    /// The program does not start, or libbpf does not open the object.
    pub fn load(&self, object: &[u8], btf: &Path, running: Running<'_>, folder: &Path) -> Result<Loaded> {
        let file = folder.join("object.weak.o");
        std::fs::write(&file, weakened(object)?).with_context(|| file.display().to_string())?;
        let mut words = self.before.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().context("no program")?);
        command.args(words).args([&file, btf, running.btf]).arg(running.release);
        command.stdin(match running.config {
            Some(path) => File::open(path).with_context(|| path.display().to_string())?.into(),
            None => Stdio::null(),
        });
        let output = command.output().context("libbpf-relo")?;
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "libbpf-relo: {}: {warnings}", output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        let mut loaded = Loaded { relocations: parse(&text), warnings, ..Loaded::default() };
        for line in text.lines() {
            loaded
                .events
                .extend(calls::event(line).with_context(|| line.chars().take(80).collect::<String>())?);
            let absent = line.strip_prefix("absent ").and_then(|rest| rest.split_once(' '));
            loaded.absent.extend(absent.map(|(program, target)| (program.to_owned(), target.to_owned())));
        }
        Ok(loaded)
    }
}

impl Loaded {
    /// What libbpf did differently from `expected`, relocation by relocation.
    pub fn differences(&self, expected: &[Program]) -> Vec<String> {
        let mut out = Vec::new();
        for program in expected {
            for relo in &program.relocations {
                let done = self.relocations.get(&(program.name.clone(), relo.index));
                if done != Some(&Done::of(relo)) {
                    let (name, index) = (&program.name, relo.index);
                    out.push(format!("{name} relo #{index}: libbpf {done:?}, ours {:?}", Done::of(relo)));
                }
            }
        }
        let ours: usize = expected.iter().map(|p| p.relocations.len()).sum();
        if ours != self.relocations.len() {
            let why = self.warnings.lines().next().unwrap_or_default();
            out.push(format!("libbpf did {} relocations, not {ours}: {why}", self.relocations.len()));
        }
        out
    }
}

/// The object with every symbol that others must define made weak. What a kernel does not have would else end a load before
/// it relocates: functions of modules, addresses that only a running kernel knows.
fn weakened(object: &[u8]) -> Result<Vec<u8>> {
    use object::read::elf::{ElfFile64, FileHeader, SectionHeader};
    let file = ElfFile64::<object::Endianness>::parse(object)?;
    let (endian, header) = (file.endian(), file.elf_header());
    let mut out = object.to_vec();
    for section in header.section_headers(endian, object)? {
        let Some((at, len)) = section.file_range(endian).filter(|_| section.sh_type(endian) == SHT_SYMTAB)
        else {
            continue;
        };
        let symbols = out.get_mut(at as usize..).and_then(|o| o.get_mut(..len as usize));
        // struct Elf64_Sym: name 4, info 1, other 1, section 2, value 8, size 8
        for symbol in symbols.context("symbols behind the end")?.chunks_exact_mut(24) {
            if symbol[6..8] == [0, 0] && symbol[4] >> 4 == STB_GLOBAL.0 {
                symbol[4] = STB_WEAK.0 << 4 | symbol[4] & 15;
            }
        }
    }
    Ok(out)
}

/// What became of an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The instruction.
    pub insn: u32,
    /// Whether it was made one that the verifier refuses.
    pub poisoned: bool,
    /// The new value, its lower 32 bits.
    pub new: Option<u64>,
    /// Bytes of the load or store, where they changed.
    pub mem_sz: Option<u32>,
}

impl Done {
    /// What we did.
    pub fn of(relo: &Relocation) -> Done {
        Done {
            insn: relo.insn,
            poisoned: relo.outcome == Verdict::Poisoned,
            new: relo.new.filter(|_| relo.outcome == Verdict::Patched).map(|new| new & u64::from(u32::MAX)),
            mem_sz: relo.mem_sz,
        }
    }
}

/// The relocations in libbpf's or the kernel's lines, by function (the kernel's lines name none) and number:
/// `prog 'P': relo #N: patched insn #M (LDX/ST/STX) off A -> B` and `… substituting insn #M w/ invalid insn`.
pub fn parse(lines: &str) -> BTreeMap<(String, u32), Done> {
    let mut found = BTreeMap::new();
    for line in lines.lines() {
        let mut take = || {
            let (program, rest) = line.split_once("prog '")?.1.split_once("': relo #")?;
            let (number, what) = rest.split_once(": ")?;
            let (what, rest) = what.split_once(" insn #")?;
            let insn = rest.split(' ').next()?.parse().ok()?;
            let done = found.entry((program.to_owned(), number.parse().ok()?));
            let done: &mut Done = done.or_insert_with(|| Done { insn, ..Done::default() });
            // of a `ld_imm64` that it poisons, libbpf tells the second half first
            done.insn = done.insn.min(insn);
            match what {
                "substituting" => done.poisoned = true,
                "patched" => {
                    let (field, value) = rest.split_once(") ")?.1.split_once(' ')?;
                    let value: i128 = value.split_once("-> ")?.1.trim().parse().ok()?;
                    match field {
                        "mem_sz" => done.mem_sz = u32::try_from(value).ok(),
                        _ => done.new = Some((value as u64) & u64::from(u32::MAX)),
                    }
                }
                _ => {}
            }
            Some(())
        };
        // lines of another form tell of candidates
        let _ = take();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libbpfs_lines_are_understood() {
        let found = parse(
            "libbpf: prog 'p': relo #0: <byte_off> [2] struct s.b (0:1 @ offset 4)\n\
             libbpf: prog 'p': relo #0: patched insn #3 (LDX/ST/STX) off 4 -> 40\n\
             libbpf: prog 'p': relo #0: patched insn #3 (LDX/ST/STX) mem_sz 8 -> 4\n\
             libbpf: prog 'p': relo #1: patched insn #5 (ALU/ALU64) imm 1 -> -1\n\
             libbpf: sec '.text': relo #2: insn #0 against 'x'\n\
             libbpf: prog 'q': relo #0: substituting insn #8 w/ invalid insn\n\
             libbpf: prog 'q': relo #0: substituting insn #7 w/ invalid insn\n",
        );
        let done = |insn, poisoned, new, mem_sz| Done { insn, poisoned, new, mem_sz };
        let wanted = [
            (("p".to_owned(), 0), done(3, false, Some(40), Some(4))),
            (("p".to_owned(), 1), done(5, false, Some(0xffff_ffff), None)),
            (("q".to_owned(), 0), done(7, true, None, None)),
        ];
        assert_eq!(found, BTreeMap::from(wanted));
    }
}
