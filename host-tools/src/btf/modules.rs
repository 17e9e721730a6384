//! Types of modules with those of their kernel: one BTF, split over the kernel's, that holds all modules' one behind the
//! other. Each module numbers its types from where the kernel's end; here every type has a number of its own.
//!
//! Modules that were built apart from their kernel bring a distilled base: `distilled.rs` finds in the kernel what it
//! stands for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Header};

use super::{OwnedBtf, distilled};
use crate::kernel::Kernel;
use crate::subset::BtfWriter;

/// A module's types as its file has them.
pub struct Module {
    /// The kernel's name of it.
    pub name: String,
    /// What messages call it, its file.
    pub file: String,
    /// Its GNU note, as `/sys/module/NAME/notes` shows it on the device; empty where it has none.
    pub build_id: Vec<u8>,
    /// The section `.BTF`.
    pub btf: Vec<u8>,
    /// The section `.BTF.base`, where there is one.
    pub base: Option<Vec<u8>>,
}

impl Module {
    /// A module of this name with these types, which came from no file.
    pub fn of_types(name: &str, btf: Vec<u8>, base: Option<Vec<u8>>) -> Module {
        Module { name: name.to_owned(), file: name.to_owned(), btf, base, build_id: Vec::new() }
    }

    /// Reads the types of the module `name` out of its `.ko`, compressed or not, or out of raw split BTF. A module that has
    /// its types as DWARF only is refused here: what converts them to split BTF takes its place here too.
    ///
    /// # Errors
    /// With the file's name: it cannot be read, is cut or corrupt, is no module, has no BTF, or says that it is of another
    /// kernel than `release`.
    pub fn open(path: &Path, name: &str, release: Option<&str>) -> Result<Module> {
        let file = path.display().to_string();
        let read = Kernel::open(path, &mut |_, _| {})?;
        if let (Some(of), Some(release)) = (read.module_release(), release) {
            ensure!(of == release, "{file}: is a module of the kernel {of}, not of {release}");
        }
        let no_btf = || {
            format!(
                "{file}: has no BTF: the kernel was built without CONFIG_DEBUG_INFO_BTF_MODULES, or the module was stripped \
                 (`strip -d` leaves the section .BTF where it is)"
            )
        };
        let btf = match (read.btf(), read.module_release()) {
            (Err(_), Some(_)) => bail!(no_btf()),
            (btf, _) => btf.with_context(|| file.clone())?,
        };
        ensure!(
            read.found().is_some_and(|f| f.split),
            "{file}: its types stand by themselves, so it is no module of this kernel"
        );
        Ok(Module {
            name: name.to_owned(),
            btf: btf.to_vec(),
            base: read.btf_base().map(<[u8]>::to_vec),
            build_id: read.identity().build_id.as_ref().map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
            file,
        })
    }
}

/// A kernel's types and its modules'.
#[derive(Debug)]
pub struct WithModules {
    /// All of them: the modules' are split over the kernel's, where there are any.
    pub btf: Arc<OwnedBtf>,
    /// First type of each module.
    pub first: Vec<TypeId>,
}

/// Joins the types of `modules`, in that order, to those of `kernel`.
///
/// # Errors
/// With the module's file: its BTF is malformed, does not belong to this kernel, or has the other byte order.
pub fn join(kernel: Arc<OwnedBtf>, modules: &[Module]) -> Result<WithModules> {
    if modules.is_empty() {
        return Ok(WithModules { btf: kernel, first: Vec::new() });
    }
    let mut writer = BtfWriter::over(&kernel.view());
    let mut first = Vec::new();
    for module in modules {
        let at = writer.next_id();
        add(&kernel, module, &mut writer).with_context(|| module.file.clone())?;
        first.push(at);
    }
    let pointer_size = kernel.view().pointer_size();
    let btf = OwnedBtf::from_split(writer.finish(), kernel).context("the modules' types together")?;
    Ok(WithModules { btf: Arc::new(btf.with_pointer_size(pointer_size)), first })
}

fn add(kernel: &Arc<OwnedBtf>, module: &Module, writer: &mut BtfWriter) -> Result<()> {
    let endian = Header::parse(&module.btf)?.endian;
    ensure!(endian == kernel.view().endian(), "the module's byte order is not the kernel's");
    let (base, of_base) = match &module.base {
        Some(bytes) => {
            let base = Arc::new(OwnedBtf::from_bytes(bytes.clone()).context(".BTF.base")?);
            let of_base = distilled::find(&base.view(), &kernel.view())?;
            (base, of_base)
        }
        None => (Arc::clone(kernel), identity(&kernel.view())),
    };
    const OF_ANOTHER: &str =
        "its types are not split over this kernel's: give the vmlinux that it was built with";
    let own = OwnedBtf::from_split(module.btf.clone(), Arc::clone(&base)).context(OF_ANOTHER)?;
    if let Some(name) = name_inside_another(&own.view(), &base.view()) {
        bail!("{OF_ANOTHER} (a name at {name:#x} begins inside another)");
    }
    writer.push_split(&own.view(), &of_base)
}

/// Offset of a name that lies in the base's strings and does not begin where one of them does: strings are shared with the base
/// whole (`btf__add_str` and `btf__dedup`, libbpf), so that this is another base than the one that the types were split over.
fn name_inside_another(own: &Btf<'_>, base: &Btf<'_>) -> Option<u32> {
    let inside = |name: &u32| (1..base.string_end()).contains(name) && !base.text(name - 1).is_empty();
    let mut names = own.own_types().flat_map(|t| {
        let members = t.members().map(|m| m.name_off);
        let others = t.enumerators().map(|e| e.name_off).chain(t.params().map(|p| p.name_off));
        std::iter::once(t.name_off).chain(members).chain(others)
    });
    names.find(inside)
}

fn identity(kernel: &Btf<'_>) -> BTreeMap<TypeId, TypeId> {
    (1..kernel.id_end()).map(|id| (TypeId(id), TypeId(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subset::KernelTypes;
    use corelet_core::Endian;
    use corelet_core::btf::Kind;
    use corelet_core::relo::TargetTypes;

    /// `struct NAME { int MEMBER; }` for each pair, and what they stand on, behind `base`.
    fn types(base: Option<&Btf<'_>>, int: Option<u32>, structs: &[(&str, &str)]) -> Vec<u8> {
        let mut w = base.map_or_else(|| BtfWriter::new(Endian::Big), BtfWriter::over);
        let int = int.unwrap_or_else(|| w.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]).0);
        for (name, member) in structs {
            let trailing = [w.string(member), int, 0];
            w.push(name, Kind::Struct, false, 1, 4, &trailing);
        }
        w.finish()
    }

    fn candidates(types: &KernelTypes<'_>, name: &str) -> Vec<u32> {
        let mut found = Vec::new();
        let add = &mut |id: TypeId| {
            found.push(id.0);
            Ok(())
        };
        types.candidates(name, Kind::Struct, add).unwrap();
        found
    }

    #[test]
    fn modules_are_asked_only_where_the_kernel_has_no_type_of_the_name() {
        let kernel = OwnedBtf::from_bytes(types(None, None, &[("both", "k"), ("only", "k")])).unwrap();
        let one = types(Some(&kernel.view()), Some(1), &[("mine", "m1"), ("both", "m1")]);
        let two = types(Some(&kernel.view()), Some(1), &[("both", "m2"), ("mine", "m2"), ("two", "m2")]);
        let joined =
            join(Arc::new(kernel), &[Module::of_types("one", one, None), Module::of_types("two", two, None)])
                .unwrap();
        let types = KernelTypes::with_modules(joined.btf.view(), &joined.first);
        assert_eq!(candidates(&types, "both"), [2]);
        assert_eq!(candidates(&types, "mine"), [4, 7]);
        assert_eq!(candidates(&types, "two"), [8]);
        assert!(candidates(&types, "none").is_empty());
        // the modules' own numbers: both count from the kernel's end
        let own = |id| types.kernel_id(TypeId(id)).unwrap().0;
        assert_eq!([1, 3, 4, 5, 6, 7, 8].map(own), [1, 3, 4, 5, 4, 5, 6]);
        let btf = joined.btf.view();
        let member = |id| btf.string(btf.ty(TypeId(id)).unwrap().member(0).unwrap().name_off);
        assert_eq!([member(2), member(4), member(7)], ["k", "m1", "m2"]);
        assert_eq!(btf.size_of(TypeId(8)), Ok(4));
    }

    #[test]
    fn a_distilled_base_is_found_in_the_kernel() {
        let kernel = types(None, None, &[("a", "x"), ("b", "x"), ("c", "x")]);
        let mut base = BtfWriter::new(Endian::Big);
        base.push("c", Kind::Struct, false, 0, 4, &[]);
        base.push("a", Kind::Fwd, false, 0, 0, &[]);
        base.push("int", Kind::Int, false, 0, 4, &[32 | 1 << 24]);
        let base = base.finish();
        let view = OwnedBtf::from_bytes(base.clone()).unwrap();
        let mut own = BtfWriter::over(&view.view());
        let pointer = own.push("", Kind::Ptr, false, 0, 2, &[]);
        let trailing = [own.string("c"), 1, 0, own.string("a"), pointer.0, 64, own.string("i"), 3, 32];
        own.push("mine", Kind::Struct, false, 3, 16, &trailing);
        let own = own.finish();
        let joined = |kernel: &[u8], base: Vec<u8>| {
            join(
                Arc::new(OwnedBtf::from_bytes(kernel.to_vec()).unwrap()),
                &[Module::of_types("m", own.clone(), Some(base))],
            )
        };
        let found = joined(&kernel, base.clone()).unwrap();
        let btf = found.btf.view();
        let mine = btf.ty(TypeId(6)).unwrap();
        assert_eq!(btf.name(&mine), "mine");
        let of = |i| mine.member(i).unwrap().ty;
        assert_eq!((of(0), of(1), of(2)), (TypeId(4), TypeId(5), TypeId(1)));
        assert_eq!(btf.ty(of(1)).unwrap().target(), TypeId(2));

        let lacking = types(None, None, &[("a", "x"), ("b", "x")]);
        let e = format!("{:#}", joined(&lacking, base.clone()).unwrap_err());
        assert!(e.contains("m: ") && e.contains("struct c of 4 bytes"), "{e}");
        let twice = types(None, None, &[("a", "x"), ("c", "x"), ("c", "y")]);
        let e = format!("{:#}", joined(&twice, base).unwrap_err());
        assert!(e.contains("struct c of 4 bytes") && e.contains("more than one"), "{e}");
    }

    #[test]
    fn another_kernels_module_is_refused_by_name() {
        let kernel = || OwnedBtf::from_bytes(types(None, None, &[("a", "x")])).unwrap();
        let larger = OwnedBtf::from_bytes(types(None, None, &[("a", "x"), ("b", "x"), ("c", "x")])).unwrap();
        let other = types(Some(&larger.view()), Some(4), &[("mine", "m")]);
        let e = format!(
            "{:#}",
            join(Arc::new(kernel()), &[Module::of_types("other.ko", other, None)]).unwrap_err()
        );
        assert!(e.starts_with("other.ko: ") && e.contains("vmlinux"), "{e}");
    }
}
