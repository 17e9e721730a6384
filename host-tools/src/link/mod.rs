//! Static linking: several BPF objects to one, as `bpftool gen object` does it.
//!
//! Sections of one name are joined in the order of the files, each piece at its alignment, so that calls within a piece stay as
//! the compiler wrote them. A global symbol has one definition: the strong one, else the weak one of the first file that has
//! one; what other files declare or define of that name must be of the same type. Types are written once (`dedup`), records of
//! `.BTF.ext` and relocations move with their instructions. Of a weak function that is overridden the code stays, without
//! symbol, relocations and records: loaders leave it out.
//!
//! The order of files decides the order of sections, of what is in them, of types and symbols, and which of several weak
//! definitions is taken; nothing else. A linked object, linked alone, comes out as the same bytes.
//!
//! Source: `Documentation/bpf/llvm_reloc.rst`, `Documentation/bpf/btf.rst`; what can be linked is what libbpf's `bpf_linker` takes.

mod compat;
mod dedup;
mod elf;
mod ext;
mod input;
mod relocs;
mod sections;
mod symbols;
mod types;

use anyhow::{Context, Result, ensure};
use corelet_core::object::Object;

use input::File;
use sections::Sections;
use symbols::Symbols;

/// An object to link.
#[derive(Clone, Debug)]
pub struct Input {
    /// How messages name it: its path.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A linked object.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The file.
    pub bytes: Vec<u8>,
    /// Types in it.
    pub types: usize,
    /// Types of all inputs.
    pub input_types: usize,
    /// What no file defines and neither the kernel nor its configuration is asked for: the name, and the first file that
    /// declares it. Such an object is for linking further.
    pub undefined: Vec<(String, String)>,
}

/// Links `inputs` in their order.
///
/// # Errors
/// An input is no BPF object with types, or is damaged; byte orders, licences or versions differ; a symbol has two strong
/// definitions, or declarations of different types. Each names the files.
pub fn link(inputs: &[Input]) -> Result<Linked> {
    ensure!(!inputs.is_empty(), "nothing to link");
    let mut indices = inputs.iter().map(input::index).collect::<Result<Vec<_>>>()?;
    let opened = inputs.iter().zip(&mut indices).map(|(input, index)| File::open(input, index));
    let files = opened.collect::<Result<Vec<_>>>()?;
    input::same_byte_order(&files)?;
    let mut sections = Sections::join(&files)?;
    let symbols = Symbols::resolve(&files, &sections)?;
    let mut merged = types::merge(&files, &sections, &symbols)?;
    let ext = ext::merge(&files, &sections, &symbols, &mut merged)?;
    let relocations = relocs::rewrite(&files, &mut sections, &symbols)?;
    let types = merged.count();
    let object = elf::Parts {
        endian: files[0].object.endian(),
        sections: &sections.joined,
        relocations: &relocations,
        symbols: &symbols.table,
        btf: merged.finish(),
        btf_ext: ext,
    };
    let bytes = object.write()?;
    let mut index = vec![0; Object::type_count(&bytes).context("the linked object")?];
    Object::parse(&bytes, &mut index).context("the linked object")?;
    Ok(Linked {
        bytes,
        types,
        input_types: files.iter().map(|f| f.object.btf().id_end() as usize - 1).sum(),
        undefined: symbols.undefined(&files),
    })
}
