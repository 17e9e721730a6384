//! Maps that are defined in `.maps`, and what they hold from the start.
//! Source: `bpf_object__init_user_btf_map` and `bpf_object__collect_map_relos`, libbpf `src/libbpf.c`.
//! Time: a walk over the symbols and over the DATASEC for each map; one over the maps for each value that a map holds.

use super::{Fault, MapSpec, Object};
use crate::btf::{Kind, Type};
use crate::elf::{STB_LOCAL, STT_OBJECT, Section, Symbol};
use crate::error::Result;
use crate::id::TypeId;

/// Bytes of a slot of `values`: a pointer, which BPF objects have 8 bytes for on every machine.
const SLOT: u64 = 8;

/// A map that an object defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapDef<'a> {
    /// Its number: place in [`Object::maps`].
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// Its VAR.
    pub ty: TypeId,
    /// Offset of its symbol in `.maps`, in bytes.
    pub offset: u32,
    /// Bytes of its symbol.
    pub size: u32,
    /// What the definition says.
    pub spec: MapSpec,
    /// Of a map of maps: what the maps in it are, where the definition says.
    pub inner: Option<MapSpec>,
}

/// Something that a map holds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapValue {
    /// The map.
    pub map: u32,
    /// Its key there.
    pub key: u32,
    /// What it holds.
    pub target: MapValueTarget,
}

/// What a map of maps or programs holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapValueTarget {
    /// A map of [`Object::maps`].
    Map(u32),
    /// An entry program of [`Object::functions`].
    Program(u32),
}

impl<'a> Object<'a> {
    /// The maps of `.maps` by their offset there. The VAR offsets in the BTF are 0 as clang leaves them, so symbols count.
    ///
    /// # Errors
    /// [`crate::Error::Object`], and then no more maps.
    pub fn maps(&self) -> impl Iterator<Item = Result<MapDef<'a>>> + use<'a> {
        let object = *self;
        let mut last = None;
        let mut ended = false;
        core::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = object.next_map(last);
            match &next {
                Ok(Some(map)) => last = Some(*map),
                _ => ended = true,
            }
            next.transpose()
        })
    }

    /// What maps of maps and of programs hold from the start, in the order of the relocations that say so.
    ///
    /// # Errors
    /// [`crate::Error::Object`] for values that are no such thing.
    pub fn map_values(&self) -> impl Iterator<Item = Result<MapValue>> + use<'a> {
        let object = *self;
        self.maps.into_iter().flat_map(move |section| {
            let rels = object.elf.rels_of(section.index);
            let count = rels.as_ref().map_or(1, |r| r.len());
            (0..count).map(move |i| object.map_value(&section, &rels?.get(i)?))
        })
    }

    /// Number of the map whose symbol starts at byte `at` of `.maps`.
    pub(super) fn map_at(&self, at: u64) -> Option<u32> {
        let mut below = 0u32;
        let mut found = false;
        for s in self.map_symbols() {
            found |= s.value == at;
            below = below.saturating_add(u32::from(s.value < at));
        }
        found.then_some(below)
    }

    fn map_symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let section = self.maps.map(|s| s.index);
        self.elf.unnamed_symbols().filter(move |s| s.kind == STT_OBJECT && Some(s.section) == section)
    }

    fn next_map(&self, last: Option<MapDef<'a>>) -> Result<Option<MapDef<'a>>> {
        let Some(section) = self.maps else { return Ok(None) };
        let fault = |at, fault| Object::fault(section.index, at, fault);
        let after = last.map(|m| u64::from(m.offset));
        let later = self.map_symbols().filter(|s| after.is_none_or(|a| s.value > a));
        let Some(symbol) = later.min_by_key(|s| s.value) else { return Ok(None) };
        let symbol = self.elf.symbol(symbol.index)?;
        let at = symbol.value;
        let twins = self.map_symbols().filter(|s| s.value == at).count() > 1;
        let overlap = last.is_some_and(|m| at < u64::from(m.offset).saturating_add(m.size.into()));
        let end = at.saturating_add(symbol.size);
        if twins || overlap || end > section.data.len().min(u32::MAX as usize) as u64 {
            return Err(fault(at, Fault::OverlappingMaps));
        }
        if symbol.bind == STB_LOCAL {
            return Err(fault(at, Fault::StaticMap));
        }
        let datasec = self.maps_type.ok_or(fault(0, Fault::NoDatasec))?;
        let var = self.variable_of(&datasec, symbol.name).ok_or(fault(at, Fault::UntypedMap))?;
        let def = self.btf.skip_mods(var.target())?;
        if def.kind() != Kind::Struct || u64::from(def.size()) > symbol.size {
            return Err(fault(at, Fault::NotMapDef));
        }
        let spec = MapSpec::parse(&self.btf, &def, false).map_err(|f| fault(at, f))?;
        let inner = match spec.inner {
            Some(id) => Some(MapSpec::parse(&self.btf, &self.btf.ty(id)?, true).map_err(|f| fault(at, f))?),
            None => None,
        };
        Ok(Some(MapDef {
            index: last.map_or(0, |m| m.index.saturating_add(1)),
            name: symbol.name,
            ty: var.id,
            offset: at as u32,
            size: symbol.size as u32,
            spec,
            inner,
        }))
    }

    /// The VAR of name `name` in a DATASEC.
    fn variable_of(&self, datasec: &Type<'a>, name: &str) -> Option<Type<'a>> {
        let vars = datasec.vars().filter_map(|v| self.btf.ty(v.ty).ok());
        vars.into_iter().find(|t| t.kind() == Kind::Var && self.btf.name(t) == name)
    }

    fn map_value(&self, section: &Section<'a>, rel: &crate::elf::Rel) -> Result<MapValue> {
        let bad = Object::fault(section.index, rel.offset, Fault::BadMapValue);
        let mut holder = None;
        for map in self.maps() {
            let map = map?;
            let from_start = rel.offset.checked_sub(map.offset.into());
            holder = holder.or(from_start.filter(|&d| d < map.size.into()).map(|d| (map, d)));
        }
        let (map, from_start) = holder.ok_or(bad)?;
        let values_off = map.spec.values_off.ok_or(bad)?;
        let slot = from_start.checked_sub(values_off.into()).filter(|d| d.is_multiple_of(SLOT)).ok_or(bad)?;
        let symbol = self.elf.symbol(rel.symbol)?;
        let target = if map.spec.inner.is_some() {
            let held = self.map_at(symbol.value).filter(|_| symbol.section == section.index);
            MapValueTarget::Map(held.ok_or(bad)?)
        } else {
            let f = self.function_at(symbol.section, symbol.value)?.filter(|f| f.entry);
            let f = f.filter(|f| u64::from(f.start) == symbol.value).ok_or(bad)?;
            MapValueTarget::Program(f.index)
        };
        Ok(MapValue { map: map.index, key: (slot / SLOT) as u32, target })
    }
}
