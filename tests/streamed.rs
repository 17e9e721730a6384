//! The kernel's own types as the device reads them, in passes and bounded tables ([`corelet_core::kernel_btf`]): relocation
//! through what is taken of them must give what relocation through all of them gives, the kernel's own ids included.

use anyhow::{Context, Result, ensure};
use corelet_core::Error;
use corelet_core::kernel_btf::{Selected, Source, Stats, select};
use corelet_core::limits::KERNEL_BTF_MEMORY;
use corelet_core::object::Object;
use corelet_core::pack::Subset;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::relocate::{Program, Relocation, core_relo, relocate, type_count};
use corelet_host_tools::subset::KernelTypes;
use std::path::Path;

use crate::oracle::Named;

/// The bytes of a kernel's BTF, given in pieces of at most a page as sysfs does.
pub struct Pages<'x>(pub &'x [u8]);

impl Source for Pages<'_> {
    fn read_at(&mut self, _: u8, at: u32, into: &mut [u8]) -> Result<usize, Error> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let n = rest.len().min(into.len()).min(4096);
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn next_module(&mut self, _: u8) -> Result<bool, Error> {
        Ok(false)
    }
}

/// Relocates `object` through what the device takes of `whole`, and says where that differs from `expected`, the outcome
/// through all of it.
///
/// # Errors
/// The device could not take it: memory, a limit.
pub fn compare(object: &Object<'_>, whole: &OwnedBtf, expected: &[Program]) -> Result<(Stats, Vec<String>)> {
    let relos = object.core_relos().collect::<Result<Vec<_>, _>>()?;
    let mut relos = relos.iter().map(core_relo);
    let mut memory = vec![0; KERNEL_BTF_MEMORY];
    let Selected { btf, ids, stats } =
        select(&mut Pages(whole.bytes()), object.btf(), &mut relos, &mut memory)?;
    let (types, ids) = memory[..btf + ids].split_at(btf);
    let types = OwnedBtf::from_bytes(types.to_vec()).context("what was taken")?;
    let types = types.with_pointer_size(whole.view().pointer_size());
    let found = relocate(object, &Subset::new(types.view(), ids), &|_| true)?;
    ensure!(found.len() == expected.len(), "{} functions, not {}", found.len(), expected.len());
    let mut differences = Vec::new();
    for (e, f) in expected.iter().zip(&found) {
        if e.insns.bytes != f.insns.bytes {
            differences.push(format!("{}: other instructions", e.name));
        }
        ensure!(e.relocations.len() == f.relocations.len(), "{}: another number of relocations", e.name);
        for (e_relo, f_relo) in e.relocations.iter().zip(&f.relocations) {
            let what = |r: &Relocation| (r.outcome, r.old, r.new, r.mem_sz);
            if what(e_relo) != what(f_relo) {
                let (found, wanted) = (what(f_relo), what(e_relo));
                differences.push(format!("{} relo #{}: {found:?}, not {wanted:?}", e.name, e_relo.index));
            }
        }
    }
    Ok((stats, differences))
}

/// What a comparison of many objects came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Relocations compared.
    pub relocations: usize,
    /// Bytes of working memory that the device needs to select types, at most.
    pub peak: usize,
    /// Bytes read of the kernel's types for the object that needs most, and the bytes that there are.
    pub read: (u32, usize),
    /// A line for each object on each kernel.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Compares all `objects` on the kernel in `image`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn add(&mut self, image: &Path, objects: &[Named]) -> Result<()> {
        let whole = OwnedBtf::open(image)?;
        let types = KernelTypes::new(whole.view());
        for (name, bytes) in objects {
            let mut index = vec![0; type_count(bytes)?];
            let object = Object::parse(bytes, &mut index)?;
            let expected = relocate(&object, &types, &|_| true)?;
            let (stats, differences) = compare(&object, &whole, &expected).with_context(|| name.clone())?;
            let count = expected.iter().map(|p| p.relocations.len()).sum::<usize>();
            self.relocations += count;
            self.peak = self.peak.max(stats.peak as usize);
            self.read = self.read.max((stats.bytes, whole.bytes().len()));
            self.lines.push(format!("{name}: {count} relocations, {stats:?}"));
            self.failures.extend(differences.iter().map(|what| format!("{name}: {what}")));
        }
        Ok(())
    }
}
