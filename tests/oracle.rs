//! Other implementations on the same input: libbpf must relocate and link as we do, instruction by instruction, on the whole
//! of a kernel's types and on the minimum; what bpftool keeps of a kernel's types and what `corelet btf min` keeps must give
//! the same instructions as the whole; and bpftool must read what is written here.
//!
//! One thing differs by nature: plain BTF numbers its types anew, so an instruction that takes the kernel's own id of a
//! type (TYPE_ID_TARGET) is right through the whole only. Between the whole and a minimum those instructions are counted and
//! left out; libbpf gets the same minimum as we do.

pub mod calls;
pub mod cost;
pub mod foreign;
pub mod libbpf;
pub mod linked;
pub mod maps;
pub mod names;
pub mod newest;
pub mod packages;

use anyhow::{Context, Result, ensure};
use corelet_boards::Kernel;
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::relo::ReloKind;
use corelet_host_tools::btf::excerpt::{Wanted, excerpt};
use corelet_host_tools::btf::{OwnedBtf, Source};
use corelet_host_tools::pack::patches;
use corelet_host_tools::relocate::{Program, core_relo, relocate, type_count};
use corelet_host_tools::subset::{self, KernelTypes};
use libbpf::{Libbpf, Running};
use linked::Linker;
pub(crate) use packages::in_folder;
pub use packages::{of_package, packaged};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A BPF object by the name of its program.
pub type Named = (String, Vec<u8>);

/// Bytes that an integer `long` takes in a minimum: its record, its encoding and its name. libbpf reads the pointer size
/// off it; bpftool keeps none.
const LONG: usize = 16 + "long unsigned int\0".len();

/// What the comparison came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Relocations compared, of all objects on all kernels.
    pub relocations: usize,
    /// Instructions of linked programs compared with libbpf's, of all objects on all kernels.
    pub insns: usize,
    /// Of those the ones whose map descriptor or kernel id was left out.
    pub masked: usize,
    /// Maps compared with those that libbpf creates, and what they hold from the start.
    pub maps: maps::Compared,
    /// Bytes of patches that make of all objects' functions what relocation makes of them.
    pub patches: usize,
    /// Instructions left out between the whole and minima, since they take the kernel's id of a type.
    pub ids: usize,
    /// Bytes of all minima: ours, without the integer `long`, and bpftool's.
    pub bytes: (usize, usize),
    /// A line for each object on each kernel.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Compares all `objects` on `kernel`, and with a `bpftool` also through minima. What is made on the way goes into
    /// `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or written, a program that does not start.
    pub fn add(
        &mut self,
        kernel: &Kernel,
        objects: &[Named],
        bpftool: Option<&Path>,
        folder: &Path,
    ) -> Result<()> {
        let libbpf = &Libbpf::build(folder)?;
        let whole = OwnedBtf::open(&kernel.image)?;
        let whole_file = folder.join("kernel.btf");
        fs::write(&whole_file, whole.bytes()).with_context(|| whole_file.display().to_string())?;
        let types = KernelTypes::new(whole.view());
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = |folder: &Path| {
            while let Some((name, bytes)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                let one = One { kernel, bpftool, libbpf, folder, whole: &whole, types: &types, name, bytes };
                let mut outcome = Outcome::default();
                let result = one.compare(&mut outcome).with_context(|| name.clone()).map(|()| outcome);
                results.lock().expect("no worker panics with it").push((name, result));
            }
        };
        std::thread::scope(|scope| -> Result<()> {
            for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                let folder = folder.join(worker.to_string());
                fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
                scope.spawn(move || work(&folder));
            }
            Ok(())
        })?;
        let mut results = results.into_inner().expect("no worker panics with it");
        results.sort_by_key(|(name, _)| *name);
        results.into_iter().try_for_each(|(_, outcome)| -> Result<()> { self.and(outcome?) })
    }

    fn and(&mut self, other: Outcome) -> Result<()> {
        self.relocations += other.relocations;
        self.insns += other.insns;
        self.masked += other.masked;
        self.maps.add(other.maps);
        self.ids += other.ids;
        self.patches += other.patches;
        self.bytes.0 += other.bytes.0;
        self.bytes.1 += other.bytes.1;
        self.lines.extend(other.lines);
        self.failures.extend(other.failures);
        Ok(())
    }
}

/// One object on one kernel.
struct One<'x> {
    kernel: &'x Kernel,
    bpftool: Option<&'x Path>,
    libbpf: &'x Libbpf,
    folder: &'x Path,
    whole: &'x OwnedBtf,
    types: &'x KernelTypes<'x>,
    name: &'x str,
    bytes: &'x [u8],
}

impl One<'_> {
    fn compare(&self, outcome: &mut Outcome) -> Result<()> {
        let mut index = vec![0; type_count(self.bytes)?];
        let object = Object::parse(self.bytes, &mut index)?;
        let expected = relocate(&object, self.types, &|_| true)?;
        fs::write(self.object_file(), self.bytes)?;
        self.with_libbpf(&object, &self.kernel_file(), &expected, outcome)?;
        let count = expected.iter().flat_map(|p| &p.relocations).count();
        outcome.relocations += count;
        for (function, relocated) in object.functions().zip(&expected) {
            // what a loader without an engine makes of it
            let done = patches(0, function.insns, &relocated.insns.bytes, object.endian());
            outcome.patches += done.with_context(|| relocated.name.clone())?.bytes.len();
        }
        let mut line = format!("{}: {count} relocations", self.name);
        if let Some(bpftool) = self.bpftool {
            line.push_str(&self.minima(&object, &expected, bpftool, outcome)?);
        }
        outcome.lines.push(line);
        Ok(())
    }

    fn object_file(&self) -> std::path::PathBuf {
        self.folder.join("object.bpf.o")
    }

    /// Beside the workers' folders.
    fn kernel_file(&self) -> std::path::PathBuf {
        self.folder.with_file_name("kernel.btf")
    }

    fn fail(&self, what: &str, outcome: &mut Outcome) {
        outcome.failures.push(format!("{} on {}: {what}", self.name, self.kernel.release));
    }

    /// Holds libbpf's relocation on the types in `btf` against `expected`.
    fn with_libbpf(
        &self,
        object: &Object<'_>,
        btf: &Path,
        expected: &[Program],
        outcome: &mut Outcome,
    ) -> Result<()> {
        let kernel_file = self.kernel_file();
        let running = Running {
            btf: &kernel_file,
            release: &self.kernel.release,
            config: self.kernel.config.as_deref(),
        };
        let loaded = self.libbpf.load(self.bytes, btf, running, self.folder)?;
        for what in loaded.differences(expected) {
            self.fail(&what, outcome);
        }
        match Linker::new(object).and_then(|linker| linker.compare(object, expected, &loaded.events)) {
            Ok(compared) => {
                outcome.insns += compared.insns;
                outcome.masked += compared.masked;
                for what in compared.differences {
                    self.fail(&format!("{what} {}", loaded.warnings), outcome);
                }
            }
            Err(e) => self.fail(&format!("{e:#}"), outcome),
        }
        match maps::compare(self.bytes, &loaded.events) {
            Ok(compared) => {
                for what in &compared.differences {
                    self.fail(what, outcome);
                }
                outcome.maps.add(compared);
            }
            Err(e) => self.fail(&format!("maps: {e:#}"), outcome),
        }
        Ok(())
    }

    /// Compares through our minimum and bpftool's; gives words about them.
    fn minima(
        &self,
        object: &Object<'_>,
        expected: &[Program],
        bpftool: &Path,
        outcome: &mut Outcome,
    ) -> Result<String> {
        let pointer_size = self.whole.view().pointer_size();
        let relos =
            object.core_relos().map(|r| r.and_then(|r| core_relo(&r))).collect::<Result<Vec<_>, _>>()?;
        let marks = subset::marks(object.btf(), self.types, relos.iter());
        let ours = subset::write(&self.whole.view(), &marks, true)?.bytes;
        let bare = subset::write(&self.whole.view(), &marks, false)?.bytes.len();
        let read = OwnedBtf::from_bytes(ours.clone()).context("our minimum")?;
        ensure!(read.view().pointer_size() == pointer_size, "our minimum lost the pointer size");
        // what `corelet btf min` does: it reads an excerpt of the kernel's types
        let mut wanted = Wanted::default();
        wanted.add(object.btf(), relos.iter());
        let excerpt = excerpt(&Source::Memory(self.whole.bytes()), &wanted)?.with_pointer_size(pointer_size);
        let types = KernelTypes::new(excerpt.view());
        let marks = subset::marks(object.btf(), &types, relos.iter());
        if subset::write(&excerpt.view(), &marks, true)?.bytes != ours {
            self.fail("the minimum of the excerpt is not that of the whole", outcome);
        }
        let found = through(object, read)?;
        for what in differences(expected, &found) {
            self.fail(&format!("our minimum: {what}"), outcome);
        }

        let (our_file, their_file) = (self.folder.join("ours.btf"), self.folder.join("theirs.btf"));
        fs::write(&our_file, &ours)?;
        let dump = Command::new(bpftool).args(["btf", "dump", "file"]).arg(&our_file).output()?;
        if !dump.status.success() {
            let said = String::from_utf8_lossy(&dump.stderr);
            self.fail(&format!("bpftool does not read our minimum: {said}"), outcome);
        }
        self.with_libbpf(object, &our_file, &found, outcome)?;
        let mut min = Command::new(bpftool);
        min.args(["gen", "min_core_btf"]).args([&self.kernel_file(), &their_file, &self.object_file()]);
        let min = min.output()?;
        if !min.status.success() {
            let said = String::from_utf8_lossy(&min.stderr);
            self.fail(&format!("bpftool makes no minimum: {said}"), outcome);
            return Ok(String::new());
        }
        let theirs = fs::read(&their_file)?;
        let their_len = theirs.len();
        let read = OwnedBtf::from_bytes(theirs).context("bpftool's minimum")?.with_pointer_size(pointer_size);
        for what in differences(expected, &through(object, read)?) {
            self.fail(&format!("bpftool's minimum: {what}"), outcome);
        }
        if bare > their_len || ours.len() > bare + LONG {
            let all = ours.len();
            let what =
                format!("our minimum has {all} bytes, {bare} of them without `long`; bpftool's {their_len}");
            self.fail(&what, outcome);
        }
        let relocations = expected.iter().flat_map(|p| &p.relocations);
        outcome.ids += relocations.filter(|r| r.kind == ReloKind::TypeIdTarget.name()).count();
        outcome.bytes.0 += bare;
        outcome.bytes.1 += their_len;
        Ok(format!(", minimum {bare} bytes, bpftool's {their_len}"))
    }
}

fn through(object: &Object<'_>, btf: OwnedBtf) -> Result<Vec<Program>> {
    relocate(object, &KernelTypes::new(btf.view()), &|_| true)
}

/// Where two relocations of one object differ, ids of the kernel's types excepted.
fn differences(expected: &[Program], found: &[Program]) -> Vec<String> {
    let mut out = Vec::new();
    if expected.len() != found.len() {
        out.push(format!("{} functions, not {}", found.len(), expected.len()));
    }
    for (e, f) in expected.iter().zip(found) {
        let an_id = |insn: usize| {
            let of_an_id = |at: u32| {
                e.relocations.iter().any(|r| r.insn == at && r.kind == ReloKind::TypeIdTarget.name())
            };
            of_an_id(insn as u32) || insn > 0 && of_an_id(insn as u32 - 1) && is_wide(e, insn - 1)
        };
        let insns = e.insns.bytes.chunks(INSN_SIZE).zip(f.insns.bytes.chunks(INSN_SIZE));
        for (insn, (wanted, got)) in insns.enumerate().filter(|(insn, _)| !an_id(*insn)) {
            if wanted != got {
                out.push(format!("{} insn #{insn}: {got:02x?}, not {wanted:02x?}", e.name));
            }
        }
        if e.relocations.len() != f.relocations.len() || e.insns.bytes.len() != f.insns.bytes.len() {
            out.push(format!("{}: another number of relocations or instructions", e.name));
        }
        for (e_relo, f_relo) in e.relocations.iter().zip(&f.relocations) {
            if e_relo.outcome != f_relo.outcome {
                let outcomes = (f_relo.outcome, e_relo.outcome);
                out.push(format!(
                    "{} relo #{}: {:?}, not {:?}",
                    e.name, e_relo.index, outcomes.0, outcomes.1
                ));
            }
        }
    }
    out
}

/// Whether an instruction is the first half of a `ld_imm64`.
fn is_wide(program: &Program, insn: usize) -> bool {
    program.insns.bytes.get(insn * INSN_SIZE) == Some(&0x18)
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::Endian;
    use corelet_host_tools::relocate::{Insns, Relocation, Verdict};

    /// A `ld_imm64` and two additions, the first instruction and the last relocated.
    fn program(first: &'static str) -> Program {
        let relo = |index, insn, kind| Relocation {
            index,
            insn,
            kind,
            spec: String::new(),
            target_spec: None,
            old: Some(0),
            new: Some(1),
            mem_sz: None,
            outcome: Verdict::Patched,
            reason: None,
            source: None,
        };
        let mut bytes = vec![0; 4 * INSN_SIZE];
        bytes[0] = 0x18;
        Program {
            name: "p".to_owned(),
            section: "s".to_owned(),
            offset: 0,
            insns: Insns { bytes, endian: Endian::Little },
            relocations: vec![relo(0, 0, first), relo(1, 3, "byte_off")],
        }
    }

    #[test]
    fn every_changed_byte_is_seen_but_in_ids_of_the_kernels_types() {
        let seen = |kind, at: usize| {
            let mut changed = program(kind);
            changed.insns.bytes[at] ^= 1;
            differences(&[program(kind)], &[changed]).len()
        };
        for at in 0..4 * INSN_SIZE {
            assert_eq!(seen("byte_off", at), 1, "byte {at}");
            // both halves of the load hold the id
            assert_eq!(seen("target_type_id", at), usize::from(at >= 2 * INSN_SIZE), "byte {at}");
        }
        let mut changed = program("byte_off");
        changed.relocations[1].outcome = Verdict::Poisoned;
        assert_eq!(differences(&[program("byte_off")], &[changed]).len(), 1);
        assert_eq!(differences(&[program("byte_off")], &[]).len(), 1);
    }
}
