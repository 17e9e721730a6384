//! The whole conversion: opens the file, lets threads go over the units, and has the result written.

use super::emit::{Counts, Emit};
use super::input::Input;
use super::split::Meanings;
use super::store::{NOWHERE, Store, What};
use super::symbols::PERCPU;
use super::worker::Shared;
use crate::btf::OwnedBtf;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::btf::{Btf, Kind, Type};
use memchr::memmem;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to convert.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Threads; 0 is as many as the machine has cores.
    pub threads: usize,
    /// Folders with debug files of stripped ones; [`super::DEBUG_FOLDER`] where there is none.
    pub debug_folders: Vec<PathBuf>,
    /// The kernel's BTF, for the DWARF of a module: what comes out is split BTF over it.
    pub base: Option<Arc<OwnedBtf>>,
    /// The release of the kernel that the base is of, where it is known.
    pub base_release: Option<String>,
}

/// What came out.
#[derive(Debug)]
pub struct Converted {
    /// The BTF.
    pub btf: Vec<u8>,
    /// The file that has the DWARF: the one that was named, or its debug file.
    pub source: PathBuf,
    /// Bytes of a pointer.
    pub pointer_size: u8,
    /// What is in the BTF.
    pub counts: Counts,
    /// Units of DWARF that were read.
    pub units: usize,
    /// Units that were left out, in their order.
    pub skipped: Vec<Skipped>,
}

/// A unit that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in `.debug_info`, in bytes.
    pub at: u64,
    /// The name that it gives itself: a source file.
    pub name: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "without a name" } else { &self.name };
        write!(f, "the one at {:#x} ({name}) {}", self.at, self.why)
    }
}

/// Told how many units of how many are done, by any thread.
pub type Progress<'p> = &'p (dyn Fn(usize, usize) + Sync);

/// Declared types from which on a file of which most types are only declared is taken for one of reduced DWARF.
const MIN_DECLARED: usize = 50;

/// The BTF of the DWARF in the ELF file at `path`. The result is the same for any number of threads.
///
/// # Errors
/// With the path: it cannot be read, is no ELF, has no DWARF or no types of C in it, or only reduced DWARF; the message says
/// what to do.
pub fn convert(path: &Path, options: &Options, progress: Progress) -> Result<Converted> {
    let input = Input::open(path, &options.debug_folders)?;
    run(&input, options, progress).with_context(|| input.path.display().to_string())
}

fn run(input: &Input, options: &Options, progress: Progress) -> Result<Converted> {
    let base = options.base.as_ref().map(|base| base.view());
    if let Some(base) = base {
        ensure!(
            base.endian() == input.endian,
            "is of the other byte order than the base: it is no module of that kernel"
        );
        ensure!(
            base.guess_pointer_size().is_none_or(|size| size == input.pointer_size),
            "has pointers of {} bytes and the base has others: it is no module of that kernel",
            input.pointer_size
        );
        if let (Some(of), Some(release)) = (&input.module_release, &options.base_release) {
            ensure!(of == release, "is a module of the kernel {of}, not of {release}, which the base is of");
        }
    }
    let shared = Shared::new(input, base.as_ref());
    shared.run(options.threads, progress);
    let (mut store, skipped) = shared.finish();
    store.seal();
    if let Some(why) = reduced(input, &store) {
        bail!(
            "{why}: its DWARF is reduced (CONFIG_DEBUG_INFO_REDUCED): types are declared there without their members, and a BTF \
             of it would be half of one. Next: build the same kernel without CONFIG_DEBUG_INFO_REDUCED and convert that vmlinux; \
             layouts and code stay as they are, which --shipped System.map shows"
        );
    }
    if !store.nodes.iter().any(|node| node.first != NOWHERE) {
        let why = skipped.first().map(|first| format!("; of the {} units left out, {first}", skipped.len()));
        let why = why.unwrap_or_default();
        bail!("its DWARF has no types of C{why}");
    }
    let meanings = Meanings::find(&store);
    store.defined = Vec::new();
    let percpu = input.percpu.map(|size| (PERCPU, u32::try_from(size).unwrap_or(u32::MAX)));
    let (btf, counts) =
        Emit::new(&store, &meanings, base.as_ref(), input.endian).run(percpu, &input.symbols.kfuncs)?;
    if let Some(base) = &options.base {
        let own = OwnedBtf::from_split(btf.clone(), base.clone()).context("the BTF that was made")?;
        same_module_struct(&own.view(), &base.view())?;
    }
    Ok(Converted {
        btf,
        source: input.path.clone(),
        pointer_size: input.pointer_size,
        counts,
        units: input.units.len(),
        skipped,
    })
}

/// Refuses a module in which `struct module`, which each one has, is another than in the kernel: that is of another version, or
/// was configured in another way.
fn same_module_struct(own: &Btf, base: &Btf) -> Result<()> {
    let is = |btf: &Btf, t: &Type| t.kind() == Kind::Struct && btf.name(t) == "module";
    // one that is the same is the base's, and not there again
    let Some(ours) = own.own_types().find(|t| is(own, t)) else { return Ok(()) };
    let Some(theirs) = base.own_types().find(|t| is(base, t)) else { return Ok(()) };
    let members = |btf: &Btf, t: &Type| -> Vec<(String, u32)> {
        t.members().map(|m| (btf.string(m.name_off).to_owned(), m.bit_offset)).collect()
    };
    let (of_module, of_kernel) = (members(own, &ours), members(base, &theirs));
    ensure!(
        ours.size() == theirs.size() && of_module == of_kernel,
        "is no module of the kernel that the base is of: its struct module has {} bytes and {} members, the kernel's {} and {}; \
         give the BTF of the kernel that it was built with",
        ours.size(),
        of_module.len(),
        theirs.size(),
        of_kernel.len()
    );
    Ok(())
}

/// What says that the DWARF is reduced, if it is: the compiler's switch, where it is recorded, or that most structs and unions
/// are declared and nowhere defined.
fn reduced(input: &Input, store: &Store) -> Option<String> {
    let switch = b"-femit-struct-debug-baseonly";
    if [&input.sources.debug_str, &input.sources.line_str]
        .iter()
        .any(|bytes| memmem::find(bytes, switch).is_some())
    {
        return Some("was built with -femit-struct-debug-baseonly".to_owned());
    }
    let (mut declared, mut defined) = (0, 0);
    let mut has = vec![false; store.nodes.len()];
    for node in &store.nodes {
        if matches!(node.what, What::Type(tag) if tag.is_tagged()) && node.to != 0 {
            has[node.to as usize] = true;
        }
    }
    for (id, node) in store.nodes.iter().enumerate() {
        match node.what {
            What::Name(_) if has[id] => defined += 1,
            What::Name(_) => declared += 1,
            _ => {}
        }
    }
    (declared > defined && declared >= MIN_DECLARED)
        .then(|| format!("only declares {declared} of its {} structs, unions and enums", declared + defined))
}
