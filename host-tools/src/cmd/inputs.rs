//! What several commands read: objects, and kernels as targets.

use crate::kernel::Kernel;
use crate::progress::Spinner;
use crate::subset::KernelTypes;
use anyhow::{Context, Result};
use corelet_core::btf::Btf;
use std::path::Path;

/// The largest object that is read: the biggest known one has 4 MiB.
const MAX_OBJECT: u64 = 256 << 20;

/// The bytes of a BPF object.
pub(crate) fn read_object(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("{shown}: cannot open"))?;
    let mut bytes = Vec::new();
    file.take(MAX_OBJECT).read_to_end(&mut bytes).with_context(|| format!("{shown}: cannot read"))?;
    Ok(bytes)
}

/// A kernel whose types are at hand.
pub(crate) struct Target {
    name: String,
    /// What the file holds.
    pub(crate) kernel: Kernel,
}

impl Target {
    /// Opens a kernel image, vmlinux or raw BTF.
    pub(crate) fn open(path: &Path) -> Result<Target> {
        let spinner = Spinner::new();
        let kernel = Kernel::open(path, &mut |what, done| spinner.tell(what, done))?;
        Ok(Target { name: path.display().to_string(), kernel })
    }

    /// The BTF blob.
    pub(crate) fn btf_bytes(&self) -> Result<&[u8]> {
        self.kernel.btf().with_context(|| self.name.clone())
    }

    /// Bytes of a pointer: by the file's identity, else by the size of `long`, else 8.
    pub(crate) fn pointer_size(&self, btf: &Btf<'_>) -> u8 {
        self.kernel.identity().pointer_size.or_else(|| btf.guess_pointer_size()).unwrap_or(8)
    }

    /// Calls `f` with the types.
    pub(crate) fn with_types<R>(&self, f: impl FnOnce(&KernelTypes<'_>) -> R) -> Result<R> {
        let bytes = self.btf_bytes()?;
        let mut index = vec![0; Btf::count(bytes).with_context(|| self.name.clone())?];
        let btf = Btf::parse(bytes, &mut index).with_context(|| self.name.clone())?;
        let btf = btf.with_pointer_size(self.pointer_size(&btf));
        Ok(f(&KernelTypes::new(btf)))
    }
}
