//! What several commands read: objects, and kernels as targets.

use crate::btf::OwnedBtf;
use crate::btf::modules::{self, Module, WithModules};
use crate::input::{MAX_FILE, read_file};
use crate::kernel::Kernel;
use crate::progress::Spinner;
use crate::subset::KernelTypes;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::btf::Btf;
use corelet_core::{Endian, pack};
use std::path::{Path, PathBuf};

/// The bytes of a BPF object.
///
/// # Errors
/// The file cannot be read, or is one of the other files that people hand to these commands. Whether it is a whole object is
/// for [`corelet_core::object::Object::parse`] to say.
pub(crate) fn read_object(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_file(path, MAX_FILE)?;
    match other_than_object(&bytes) {
        Some(what) => bail!("{}: {what}", path.display()),
        None => Ok(bytes),
    }
}

/// What a file is that is certainly no BPF object, and what to do with it.
fn other_than_object(bytes: &[u8]) -> Option<&'static str> {
    /// `e_type` of what a linker made: an executable or a shared object.
    const LINKED: [u16; 2] = [2, 3];
    if bytes.starts_with(&pack::MAGIC) {
        return Some("a pack, not a BPF object; `corelet inspect` shows what is in it");
    }
    if Btf::count(bytes).is_ok() {
        return Some(
            "the types of a kernel or an object (BTF), without its programs; give the object itself",
        );
    }
    let start = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    if !start.is_empty() && start.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..0x7f)) {
        return Some(
            "text, not a BPF object; a program is compiled first: clang -g -O2 -target bpf -I include -c FILE.bpf.c -o FILE.bpf.o",
        );
    }
    let elf_type = bytes.strip_prefix(b"\x7fELF")?.get(12..14)?;
    let elf_type = [elf_type[0], elf_type[1]];
    (LINKED.contains(&u16::from_le_bytes(elf_type)) || LINKED.contains(&u16::from_be_bytes(elf_type))).then_some(
        "a program, not a BPF object; `corelet extract-objects` takes out of it the objects that it carries",
    )
}

/// The largest manifest that is read: those that come with corelet have less than 4 KiB.
const MAX_MANIFEST: u64 = 1 << 20;

/// The text of a manifest.
pub(crate) fn read_manifest(path: &Path) -> Result<String> {
    let bytes = read_file(path, MAX_MANIFEST)?;
    String::from_utf8(bytes).with_context(|| format!("{}: is not text, so no manifest", path.display()))
}

/// Refuses an object of the byte order that the kernel does not have: nothing that is computed of the two can be loaded.
pub(crate) fn same_byte_order(object: Endian, kernel: Endian) -> Result<()> {
    let clang = if kernel == Endian::Big { "bpfeb" } else { "bpfel" };
    ensure!(
        object == kernel,
        "the object's byte order is not the kernel's: compile it with clang -target {clang}"
    );
    Ok(())
}

/// A kernel whose types are at hand.
pub(crate) struct Target {
    name: String,
    /// What the file holds.
    pub(crate) kernel: Kernel,
    modules: Vec<Module>,
}

impl Target {
    /// Opens a kernel image, vmlinux or raw BTF.
    pub(crate) fn open(path: &Path) -> Result<Target> {
        let spinner = Spinner::new();
        let kernel = Kernel::open(path, &mut |what, done| spinner.tell(what, done))?;
        Ok(Target { name: path.display().to_string(), kernel, modules: Vec::new() })
    }

    /// The file's name, as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens a kernel with the types of modules that are loaded with it.
    pub(crate) fn with_modules(path: &Path, modules: &[PathBuf]) -> Result<Target> {
        let mut target = Target::open(path)?;
        for path in modules {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let release = target.kernel.identity().release.as_deref();
            target.modules.push(Module::open(path, &name, release)?);
        }
        Ok(target)
    }

    /// Adds the types of a module that is loaded with it.
    pub(crate) fn add(&mut self, module: Module) {
        self.modules.push(module);
    }

    /// The BTF blob.
    pub(crate) fn btf_bytes(&self) -> Result<&[u8]> {
        self.kernel.btf().with_context(|| self.name.clone())
    }

    /// The types, checked; the pointer size is the file's word, else the size of `long`, else 8.
    pub(crate) fn owned_btf(&self) -> Result<OwnedBtf> {
        let btf = OwnedBtf::from_bytes(self.btf_bytes()?.to_vec()).with_context(|| self.name.clone())?;
        Ok(match self.kernel.identity().pointer_size {
            Some(size) => btf.with_pointer_size(size),
            None => btf,
        })
    }

    /// The types, with those of its modules.
    pub(crate) fn joined(&self) -> Result<WithModules> {
        modules::join(self.owned_btf()?.into(), &self.modules)
    }

    /// Calls `f` with the types.
    pub(crate) fn with_types<R>(&self, f: impl FnOnce(&KernelTypes<'_>) -> R) -> Result<R> {
        let all = self.joined()?;
        Ok(f(&KernelTypes::with_modules(all.btf.view(), &all.first)))
    }
}
