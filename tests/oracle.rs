//! Other implementations on the same input: libbpf must relocate as we do, on the whole of a kernel's types and on the
//! minimum; what bpftool keeps of a kernel's types and what `corelet btf min` keeps must give the same instructions as the
//! whole; and bpftool must read what is written here.
//!
//! One thing differs by nature: plain BTF numbers its types anew, so an instruction that takes the kernel's own id of a
//! type (TYPE_ID_TARGET) is right through the whole only. Those instructions are counted and left out.

pub mod cost;
pub mod libbpf;
pub mod newest;

use anyhow::{Context, Result, ensure};
use corelet_boards::Progress;
use corelet_boards::debian::Debian;
use corelet_core::insn::INSN_SIZE;
use corelet_core::object::Object;
use corelet_core::relo::ReloKind;
use corelet_host_tools::btf::excerpt::{Wanted, excerpt};
use corelet_host_tools::btf::{OwnedBtf, Source};
use corelet_host_tools::cmd::extract_objects;
use corelet_host_tools::relocate::{Program, core_relo, relocate, type_count};
use corelet_host_tools::subset::{self, KernelTypes};
use libbpf::Libbpf;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A BPF object by the name of its program.
pub type Named = (String, Vec<u8>);

/// Bytes that an integer `long` takes in a minimum: its record, its encoding and its name. libbpf reads the pointer size
/// off it; bpftool keeps none.
const LONG: usize = 16 + "long unsigned int\0".len();

/// Every object in the programs of Debian's package libbpf-tools for `arch`, by name.
///
/// # Errors
/// The package cannot be had; a program has not one object.
pub fn packaged(arch: &str, progress: &mut dyn Progress) -> Result<Vec<Named>> {
    let one = Debian::open()?.file(arch, "trixie", "libbpf-tools", "usr/sbin/opensnoop-libbpf", progress)?;
    let folder = one.parent().context("a file without a folder")?;
    let mut objects = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        // links give one program several names
        if fs::symlink_metadata(&path)?.is_symlink() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        for found in extract_objects::find(&bytes) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            objects.push((name, bytes[found.at..found.at + found.len].to_vec()));
        }
    }
    objects.sort();
    Ok(objects)
}

/// What the comparison came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Relocations compared, of all objects on all kernels.
    pub relocations: usize,
    /// Instructions left out, since they take the kernel's id of a type.
    pub ids: usize,
    /// Bytes of all minima: ours, without the integer `long`, and bpftool's.
    pub bytes: (usize, usize),
    /// A line for each object on each kernel.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Compares all `objects` on the kernel in `image`. What is made on the way goes into `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or written, a bpftool that does not start.
    pub fn add(&mut self, image: &Path, objects: &[Named], bpftool: &Path, folder: &Path) -> Result<()> {
        let libbpf = &Libbpf::build(folder)?;
        let whole = OwnedBtf::open(image)?;
        let whole_file = folder.join("kernel.btf");
        fs::write(&whole_file, whole.bytes()).with_context(|| whole_file.display().to_string())?;
        let types = KernelTypes::new(whole.view());
        for (name, bytes) in objects {
            let one = One { bpftool, libbpf, folder, whole: &whole, types: &types, name, bytes };
            one.compare(self).with_context(|| name.clone())?;
        }
        Ok(())
    }
}

/// One object on one kernel.
struct One<'x> {
    bpftool: &'x Path,
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
        let pointer_size = self.whole.view().pointer_size();
        let expected = relocate(&object, self.types, &|_| true)?;

        let relos =
            object.core_relos().map(|r| r.and_then(|r| core_relo(&r))).collect::<Result<Vec<_>, _>>()?;
        let marks = subset::marks(object.btf(), self.types, relos.iter());
        let ours = subset::write(&self.whole.view(), &marks, true)?.bytes;
        let bare = subset::write(&self.whole.view(), &marks, false)?.bytes.len();
        let read = OwnedBtf::from_bytes(ours.clone()).context("our minimum")?;
        ensure!(read.view().pointer_size() == pointer_size, "our minimum lost the pointer size");
        let mut fail = |what: &str| outcome.failures.push(format!("{}: {what}", self.name));
        // what `corelet btf min` does: it reads an excerpt of the kernel's types
        let mut wanted = Wanted::default();
        wanted.add(object.btf(), relos.iter());
        let excerpt = excerpt(&Source::Memory(self.whole.bytes()), &wanted)?.with_pointer_size(pointer_size);
        let types = KernelTypes::new(excerpt.view());
        let marks = subset::marks(object.btf(), &types, relos.iter());
        if subset::write(&excerpt.view(), &marks, true)?.bytes != ours {
            fail("the minimum of the excerpt is not that of the whole");
        }
        for what in differences(&expected, &through(&object, read)?) {
            fail(&format!("our minimum: {what}"));
        }

        let (our_file, object_file, their_file) =
            (self.folder.join("ours.btf"), self.folder.join("object.bpf.o"), self.folder.join("theirs.btf"));
        fs::write(&our_file, &ours)?;
        fs::write(&object_file, self.bytes)?;
        let dump = Command::new(self.bpftool).args(["btf", "dump", "file"]).arg(&our_file).output()?;
        if !dump.status.success() {
            fail(&format!("bpftool does not read our minimum: {}", String::from_utf8_lossy(&dump.stderr)));
        }
        for btf in [&self.folder.join("kernel.btf"), &our_file] {
            for what in self.libbpf.differences(&object_file, btf, &expected)? {
                fail(&what);
            }
        }
        let mut min = Command::new(self.bpftool);
        min.args(["gen", "min_core_btf"])
            .arg(self.folder.join("kernel.btf"))
            .args([&their_file, &object_file]);
        let min = min.output()?;
        let theirs = match min.status.success() {
            true => fs::read(&their_file)?,
            false => {
                fail(&format!("bpftool makes no minimum: {}", String::from_utf8_lossy(&min.stderr)));
                return Ok(());
            }
        };
        let their_len = theirs.len();
        let read = OwnedBtf::from_bytes(theirs).context("bpftool's minimum")?.with_pointer_size(pointer_size);
        for what in differences(&expected, &through(&object, read)?) {
            fail(&format!("bpftool's minimum: {what}"));
        }
        if bare > their_len || ours.len() > bare + LONG {
            fail(&format!(
                "our minimum has {} bytes, {bare} of them without `long`; bpftool's {their_len}",
                ours.len()
            ));
        }

        let relocations = || expected.iter().flat_map(|p| &p.relocations);
        outcome.relocations += relocations().count();
        outcome.ids += relocations().filter(|r| r.kind == ReloKind::TypeIdTarget.name()).count();
        outcome.bytes.0 += bare;
        outcome.bytes.1 += their_len;
        let count = relocations().count();
        outcome
            .lines
            .push(format!("{}: {count} relocations, minimum {bare} bytes, bpftool's {their_len}", self.name));
        Ok(())
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
