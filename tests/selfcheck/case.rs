//! The programs and their made-up targets, out of `progs/`: `FAMILY.c` is a program, `FAMILY.targets.c` its targets, each
//! behind a line that names it and what the program must come to on it:
//!
//! ```text
//! //# NAME ok | poison | fails [pointers=4]
//! ```
//!
//! `ok`: the program runs and returns 0. `poison`: it runs into an instruction that relocation poisoned. `fails`: a
//! relocation is an error, so that the program cannot be loaded. With `pointers=4` the target's pointers have 4 bytes.
//! What follows a line `//#+ module` within a target are the types of a module.

use anyhow::{Context, Result, bail, ensure};
use corelet_core::Endian;
use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

const TARGETS: &str = ".targets.c";

/// What a program must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It returns 0.
    Ok,
    /// It reaches poison.
    Poison,
    /// It cannot be loaded.
    Fails,
}

/// A target, as source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, which is a name of the kernel's own tests where those have such a case.
    pub name: String,
    /// What its family's program must come to.
    pub expected: Expected,
    /// Bytes of its pointers, where not 8.
    pub pointers: Option<u8>,
    /// The kernel's types and then each module's, in C.
    parts: Vec<String>,
}

/// A program and its targets, as source.
#[derive(Clone, Debug)]
pub struct Family {
    /// Name.
    pub name: String,
    /// All targets.
    pub targets: Vec<Source>,
}

/// A target, compiled.
#[derive(Clone, Debug)]
pub struct Target {
    /// The BTF of the kernel, then of each module by itself.
    pub types: Vec<Vec<u8>>,
    /// What the program is given.
    pub image: Vec<u8>,
}

/// Where the sources are.
fn progs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("selfcheck/progs")
}

/// All families, by name.
///
/// # Errors
/// A source that cannot be read, or a directive that is not understood.
pub fn families() -> Result<Vec<Family>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(progs()).context("selfcheck/progs")? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(TARGETS) else { continue };
        let text = fs::read_to_string(progs().join(&file)).context(file.clone())?;
        out.push(Family { name: name.to_owned(), targets: targets(&file, &text).context(file)? });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

fn targets(file: &str, text: &str) -> Result<Vec<Source>> {
    let mut out: Vec<Source> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // a compiler's message, and the program's line numbers, are of the file that people edit
        let start = || format!("#include \"selfcheck.h\"\n#line {} \"{file}\"\n", number + 1);
        if let Some(words) = line.strip_prefix("//# ") {
            let mut words = words.split_whitespace();
            let name = words.next().context("no name")?.to_owned();
            let expected = match words.next() {
                Some("ok") => Expected::Ok,
                Some("poison") => Expected::Poison,
                Some("fails") => Expected::Fails,
                other => bail!("line {number}: {other:?}, not ok, poison or fails"),
            };
            let pointers = match words.next() {
                None => None,
                Some("pointers=4") => Some(4),
                Some(other) => bail!("line {number}: {other:?} is not understood"),
            };
            out.push(Source { name, expected, pointers, parts: vec![start()] });
        } else if line == "//#+ module" {
            out.last_mut().context("a module of no target")?.parts.push(start());
        } else {
            let part = out.last_mut().and_then(|s| s.parts.last_mut());
            let part = part.with_context(|| format!("line {number} stands before the first target"))?;
            part.extend([line, "\n"]);
        }
    }
    Ok(out)
}

/// clang for one byte order, and where its output goes.
pub struct Compiler {
    clang: PathBuf,
    target: &'static str,
    folder: PathBuf,
}

impl Compiler {
    /// clang for `endian`, with a folder of its own below `folder`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(clang: &Path, endian: Endian, folder: &Path) -> Result<Compiler> {
        let target = if endian == Endian::Little { "bpfel" } else { "bpfeb" };
        let folder = folder.join(target);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Compiler { clang: clang.to_owned(), target, folder })
    }

    fn compile(&self, source: &Path, object: &Path) -> Result<Vec<u8>> {
        let mut clang = Command::new(&self.clang);
        clang.current_dir(progs()).args([
            "-target",
            self.target,
            "-mcpu=v3",
            "-g",
            "-O2",
            "-Wall",
            "-Werror",
        ]);
        // a target has members that nothing reads, and its image is written as a whole
        clang
            .args(["-Wno-missing-braces", "-Wno-unused", "-Wno-gnu", "-I.", "-c"])
            .arg(source)
            .arg("-o")
            .arg(object);
        let output = clang.output().with_context(|| self.clang.display().to_string())?;
        ensure!(output.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&output.stderr));
        Ok(fs::read(object)?)
    }

    /// The object file of a family's program.
    pub fn program(&self, family: &str) -> PathBuf {
        self.folder.join(format!("{family}.bpf.o"))
    }

    /// Compiles a family's program.
    ///
    /// # Errors
    /// clang's.
    pub fn compile_program(&self, family: &str) -> Result<Vec<u8>> {
        self.compile(Path::new(&format!("{family}.c")), &self.program(family))
    }

    /// Compiles a target.
    ///
    /// # Errors
    /// clang's; a target without image.
    pub fn compile_target(&self, source: &Source) -> Result<Target> {
        let mut target = Target { types: Vec::new(), image: Vec::new() };
        for (number, part) in source.parts.iter().enumerate() {
            let c = self.folder.join(format!("{}.{number}.c", source.name));
            fs::write(&c, part).with_context(|| c.display().to_string())?;
            let bytes = self.compile(&c, &c.with_extension("o"))?;
            let file = object::File::parse(&*bytes)?;
            let btf = file.section_by_name(".BTF").context("a target without BTF")?;
            target.types.push(btf.data()?.to_vec());
            if let Some(image) = file.symbols().find(|s| s.name() == Ok("image")) {
                let section = file.section_by_index(image.section_index().context("an image elsewhere")?)?;
                let (at, len) = (image.address() as usize, image.size() as usize);
                // one that is all zeros has no bytes in the file
                target.image = section.data()?.get(at..at + len).map_or_else(|| vec![0; len], <[u8]>::to_vec);
            }
        }
        ensure!(!target.image.is_empty(), "{}: no image", source.name);
        Ok(target)
    }
}

/// Calls `f` with each of `items` on all processors, and gives the results in order.
pub fn parallel<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, f(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("a thread does not panic")).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, r)| r).collect()
}
