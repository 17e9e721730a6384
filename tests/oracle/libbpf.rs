//! libbpf itself: its relocation of an object on a kernel's types, by its own debug lines, and what differs from ours.

use anyhow::{Context, Result, ensure};
use corelet_host_tools::relocate::{Program, Relocation, Verdict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("libbpf.c");

/// The program around libbpf, compiled.
#[derive(Debug)]
pub struct Libbpf(PathBuf);

impl Libbpf {
    /// Compiles the program into `folder`.
    ///
    /// # Errors
    /// There is no C compiler, or no libbpf to compile with.
    pub fn build(folder: &Path) -> Result<Libbpf> {
        Libbpf::link(folder, &["-lbpf"])
    }

    /// The same with libbpf in it, whose functions have names then.
    ///
    /// # Errors
    /// As [`Libbpf::build`].
    pub fn build_static(folder: &Path) -> Result<Libbpf> {
        Libbpf::link(folder, &["-l:libbpf.a", "-lelf", "-lz"])
    }

    /// The program's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn link(folder: &Path, libraries: &[&str]) -> Result<Libbpf> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let (source, program) = (folder.join("libbpf.c"), folder.join("libbpf-relo"));
        std::fs::write(&source, SOURCE).with_context(|| source.display().to_string())?;
        let mut cc = Command::new("cc");
        let output =
            cc.args(["-O1", "-o"]).args([&program, &source]).args(libraries).output().context("cc")?;
        ensure!(output.status.success(), "libbpf.c: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Libbpf(program))
    }

    /// What libbpf does differently from `expected`, relocation by relocation.
    ///
    /// # Errors
    /// The program does not start.
    pub fn differences(&self, object: &Path, btf: &Path, expected: &[Program]) -> Result<Vec<String>> {
        let output = Command::new(&self.0).args([object, btf]).output().context("libbpf-relo")?;
        ensure!(output.status.success(), "libbpf-relo: {}", output.status);
        let found = parse(&String::from_utf8_lossy(&output.stdout));
        let mut out = Vec::new();
        for program in expected {
            for relo in &program.relocations {
                let done = found.get(&(program.name.clone(), relo.index));
                if done != Some(&Done::of(relo)) {
                    let (name, index) = (&program.name, relo.index);
                    out.push(format!("{name} relo #{index}: libbpf {done:?}, ours {:?}", Done::of(relo)));
                }
            }
        }
        let ours: usize = expected.iter().map(|p| p.relocations.len()).sum();
        if ours != found.len() {
            let why = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
            out.push(format!("libbpf did {} relocations, not {ours}: {why}", found.len()));
        }
        Ok(out)
    }
}

/// What became of an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Done {
    insn: u32,
    poisoned: bool,
    /// The new value, as many bits of it as the instruction has.
    new: Option<u64>,
    mem_sz: Option<u32>,
}

impl Done {
    fn of(relo: &Relocation) -> Done {
        Done {
            insn: relo.insn,
            poisoned: relo.outcome == Verdict::Poisoned,
            new: relo.new.filter(|_| relo.outcome == Verdict::Patched).map(|new| new & u64::from(u32::MAX)),
            mem_sz: relo.mem_sz,
        }
    }
}

/// The relocations in libbpf's lines, by function and number:
/// `prog 'P': relo #N: patched insn #M (LDX/ST/STX) off A -> B` and `… substituting insn #M w/ invalid insn`.
fn parse(lines: &str) -> BTreeMap<(String, u32), Done> {
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
