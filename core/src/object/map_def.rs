//! What a map's definition in BTF says: a struct whose members are pointers, the pointee being the value.
//! Source: `parse_btf_map_def` and `get_map_field_int`, libbpf `src/libbpf.c`; the macros `__uint`, `__type`, `__ulong` and
//! `__array`, `src/bpf_helpers.h`.
//! Time: a step for each member.

use super::Fault;
use crate::btf::{Btf, Kind, Member, Type};
use crate::id::TypeId;

/// `enum bpf_map_type`: a map of programs.
const PROG_ARRAY: u32 = 3;
/// `enum bpf_map_type`: maps of maps.
const ARRAY_OF_MAPS: u32 = 12;
const HASH_OF_MAPS: u32 = 13;
/// `enum bpf_map_type`: a ring buffer, whose values have no size.
const RINGBUF: u32 = 27;

/// What a definition says; 0 and void where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapSpec {
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries, or bytes of a ring buffer, as written.
    pub max_entries: u32,
    /// `BPF_F_*` of map creation.
    pub map_flags: u32,
    /// `map_extra`.
    pub map_extra: u64,
    /// NUMA node; it counts with `BPF_F_NUMA_NODE` in `map_flags`.
    pub numa_node: u32,
    /// Type of a key.
    pub key_type: TypeId,
    /// Type of a value.
    pub value_type: TypeId,
    /// Whether the map is pinned by its name.
    pub pinned: bool,
    /// Where the slots of `values` begin in the definition, in bytes.
    pub values_off: Option<u32>,
    /// Definition of the maps that a map of maps holds.
    pub(super) inner: Option<TypeId>,
}

impl MapSpec {
    fn holds_maps(&self) -> bool {
        matches!(self.map_type, ARRAY_OF_MAPS | HASH_OF_MAPS)
    }

    /// Reads the struct `def`. An inner definition has no inner one, and is not pinned.
    pub(super) fn parse(btf: &Btf<'_>, def: &Type<'_>, is_inner: bool) -> Result<MapSpec, Fault> {
        let mut spec = MapSpec::default();
        for (i, m) in def.members().enumerate() {
            match btf.string(m.name_off) {
                "type" => spec.map_type = uint(btf, &m)?,
                "max_entries" => spec.max_entries = uint(btf, &m)?,
                "map_flags" => spec.map_flags = uint(btf, &m)?,
                "numa_node" => spec.numa_node = uint(btf, &m)?,
                "map_extra" => spec.map_extra = ulong(btf, &m)?,
                "key_size" => set_size(&mut spec.key_size, uint(btf, &m)?)?,
                "value_size" => match uint(btf, &m)? {
                    // `RingBuf<T>` of aya-ebpf: the type of its records, and the size that the kernel wants; libbpf refuses it
                    0 if spec.map_type == RINGBUF => spec.value_size = 0,
                    size => set_size(&mut spec.value_size, size)?,
                },
                "key" => {
                    let size;
                    (spec.key_type, size) = sized(btf, &m)?;
                    set_size(&mut spec.key_size, size)?;
                }
                "value" => {
                    let size;
                    (spec.value_type, size) = sized(btf, &m)?;
                    set_size(&mut spec.value_size, size)?;
                }
                "pinning" => match uint(btf, &m)? {
                    by_name @ (0 | 1) if !is_inner => spec.pinned = by_name == 1,
                    _ => return Err(Fault::BadPinning),
                },
                "values" => {
                    let last = i as u64 == u64::from(def.vlen()).saturating_sub(1);
                    if is_inner || !last || !(spec.holds_maps() || spec.map_type == PROG_ARRAY) {
                        return Err(Fault::MisplacedValues);
                    }
                    set_size(&mut spec.value_size, 4)?;
                    spec.values_off = Some(m.bit_offset / 8);
                    spec.inner = values(btf, &m, spec.holds_maps())?;
                }
                _ => return Err(Fault::UnknownMapField),
            }
        }
        if spec.map_type == 0 { Err(Fault::NoMapType) } else { Ok(spec) }
    }
}

/// A size that may be stated twice, but then alike.
fn set_size(size: &mut u32, stated: u32) -> Result<(), Fault> {
    if *size != 0 && *size != stated {
        return Err(Fault::ConflictingSize);
    }
    *size = stated;
    Ok(())
}

/// `__uint(name, n)` is `int (*name)[n]`.
fn uint(btf: &Btf<'_>, m: &Member) -> Result<u32, Fault> {
    let pointee = |t: &Type<'_>| btf.ty(t.target()).ok();
    let t = btf.skip_mods(m.ty).ok().filter(|t| t.kind() == Kind::Ptr);
    let array = t.and_then(|t| pointee(&t)).and_then(|t| t.array());
    array.map(|a| a.nelems).ok_or(Fault::BadMapField)
}

/// `__ulong(name, n)` is `enum { … = n } name`; `__uint` is taken too.
fn ulong(btf: &Btf<'_>, m: &Member) -> Result<u64, Fault> {
    match btf.skip_mods(m.ty) {
        Ok(t) if t.kind().is_enum() && t.vlen() == 1 => {
            t.enumerator(0).map(|e| e.value).ok_or(Fault::BadMapField)
        }
        _ => uint(btf, m).map(u64::from),
    }
}

/// `__type(name, T)` is `T *name`: the type and its size.
fn sized(btf: &Btf<'_>, m: &Member) -> Result<(TypeId, u32), Fault> {
    let ptr = btf.ty(m.ty).ok().filter(|t| t.kind() == Kind::Ptr).ok_or(Fault::BadMapField)?;
    let size = btf.size_of(ptr.target()).map_err(|_| Fault::BadMapField)?;
    Ok((ptr.target(), size))
}

/// `__array(values, T)` is `T *values[]`, T being the inner map's definition or a function's prototype: the former's id.
fn values(btf: &Btf<'_>, m: &Member, holds_maps: bool) -> Result<Option<TypeId>, Fault> {
    let array = btf.ty(m.ty).ok().and_then(|t| t.array()).filter(|a| a.nelems == 0);
    let ptr = array.and_then(|a| btf.skip_mods(a.elem).ok()).filter(|t| t.kind() == Kind::Ptr);
    let element = ptr.and_then(|p| btf.skip_mods(p.target()).ok()).ok_or(Fault::BadMapField)?;
    match element.kind() {
        Kind::Struct if holds_maps => Ok(Some(element.id)),
        Kind::FuncProto if !holds_maps => Ok(None),
        _ => Err(Fault::BadMapField),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::testing::{Build, INT_SIGNED};
    use crate::bytes::Endian;

    /// A definition of this type whose values are a struct of 8 bytes, and `value_size`.
    fn spec(map_type: u32, value_size: u32) -> Result<MapSpec, Fault> {
        let mut b = Build::new(Endian::Little);
        let int = b.int("int", 4, INT_SIGNED);
        let [map_type, size] = [map_type, value_size].map(|n| {
            let array = b.array(int, n);
            b.to("", Kind::Ptr, array)
        });
        let record = b.structure("record", 8, &[("a", int, 0), ("b", int, 32)]);
        let record = b.to("", Kind::Ptr, record);
        let members = [("type", map_type, 0), ("value", record, 64), ("value_size", size, 128)];
        let def = b.structure("def", 24, &members);
        let bytes = b.finish();
        let mut index = [0; 16];
        let btf = Btf::parse(&bytes, &mut index).unwrap();
        MapSpec::parse(&btf, &btf.ty(TypeId(def)).unwrap(), false)
    }

    #[test]
    fn the_records_of_a_ring_buffer_have_a_type_and_its_values_no_size() {
        let ring = spec(RINGBUF, 0).unwrap();
        assert_eq!((ring.value_size, ring.value_type == TypeId::VOID), (0, false));
        assert_eq!(spec(RINGBUF, 4), Err(Fault::ConflictingSize));
        assert_eq!(spec(1, 0), Err(Fault::ConflictingSize));
        assert_eq!(spec(1, 8).map(|hash| hash.value_size), Ok(8));
    }
}
