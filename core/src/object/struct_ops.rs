//! Maps of struct_ops: variables of `.struct_ops` and `.struct_ops.link`, structs whose members are values and programs.
//! Source: `init_struct_ops_maps` and `bpf_object__collect_st_ops_relos`, libbpf `src/libbpf.c`.
//! Time: of [`Object::variables`], and for each map a walk over the section's relocations.

use super::{DataRole, DataSection, Fault, Object};
use crate::btf::Kind;
use crate::elf::R_BPF_64_ABS64;
use crate::error::{Error, Result};
use crate::id::TypeId;

/// Sections of such variables, and whether they are attached by links (Linux 6.4).
const SECTIONS: [(&str, bool); 2] = [(".struct_ops", false), (".struct_ops.link", true)];

/// A map of struct_ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructOps<'a> {
    /// Name of the variable, which is the map's.
    pub name: &'a str,
    /// Its struct.
    pub ty: TypeId,
    /// Whether it is attached by a link.
    pub link: bool,
    /// The variable's bytes, in the object's layout; functions are 0 in it.
    pub data: &'a [u8],
    section: u16,
    offset: u32,
}

impl<'a> Object<'a> {
    /// The maps of struct_ops, by section and then in the order of the DATASEC.
    ///
    /// # Errors
    /// As [`Object::variables`]; [`Error::WrongKind`] for a variable that is no struct.
    pub fn struct_ops(&self) -> impl Iterator<Item = Result<StructOps<'a>>> + use<'a> {
        let object = *self;
        SECTIONS.into_iter().flat_map(move |(name, link)| {
            let section = object.elf.find(name).map(|s| DataSection {
                section: s.index,
                name: s.name,
                role: DataRole::Data,
                data: s.data,
                size: s.data.len().min(u32::MAX as usize) as u32,
                ty: object.btf.find(name, Kind::Datasec).map(|t| t.id),
            });
            section.into_iter().flat_map(move |section| {
                object.variables(&section).map(move |v| {
                    let v = v?;
                    let ty = object.btf.skip_mods(object.btf.ty(v.ty)?.target())?;
                    if ty.kind() != Kind::Struct {
                        return Err(Error::WrongKind { id: ty.id, kind: ty.kind_number() });
                    }
                    let rest = section.data.get(v.offset as usize..).unwrap_or_default();
                    let data = rest.get(..v.size as usize).unwrap_or_default();
                    Ok(StructOps {
                        name: v.name,
                        ty: ty.id,
                        link,
                        data,
                        section: section.section,
                        offset: v.offset,
                    })
                })
            })
        })
    }

    /// The functions that a map of struct_ops names: bytes from the struct's start, and the entry program of [`Object::functions`].
    ///
    /// # Errors
    /// [`Error::Object`] for a reference to what is no entry program.
    pub fn struct_ops_functions(
        &self,
        map: &StructOps<'a>,
    ) -> impl Iterator<Item = Result<(u32, u32)>> + use<'a> {
        let (object, map) = (*self, *map);
        let rels = object.elf.rels_of(map.section);
        let count = rels.as_ref().map_or(1, |r| r.len());
        (0..count).filter_map(move |i| {
            let rel = rels.and_then(|rels| rels.get(i));
            object.struct_ops_function(&map, rel).transpose()
        })
    }

    fn struct_ops_function(
        &self,
        map: &StructOps<'a>,
        rel: Result<crate::elf::Rel>,
    ) -> Result<Option<(u32, u32)>> {
        let rel = rel?;
        let bad = Object::fault(map.section, rel.offset, Fault::BadMapValue);
        let from_start = rel.offset.checked_sub(map.offset.into()).and_then(|d| u32::try_from(d).ok());
        let Some(at) = from_start.filter(|&d| (d as usize) < map.data.len()) else { return Ok(None) };
        let symbol = self.elf.symbol(rel.symbol)?;
        let f = self.function_at(symbol.section, symbol.value)?.filter(|f| f.entry);
        let f = f.filter(|f| u64::from(f.start) == symbol.value && rel.kind == R_BPF_64_ABS64);
        Ok(Some((at, f.ok_or(bad)?.index)))
    }
}
