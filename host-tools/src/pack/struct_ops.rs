//! Maps of struct_ops on one kernel: their value in the kernel's layout, and where in it the programs are.
//!
//! Members are found by their names; what the kernel has and the object does not is 0. The kernel's ids and layout hold for that very
//! build, so that a map of struct_ops needs a target of the running kernel; of a module, whose build the target names, the layout
//! holds, and the device finds its ids.
//! Source: `bpf_map__init_kern_struct_ops` and `find_struct_ops_kern_types`, libbpf `src/libbpf.c`.

use super::Kernel;
use super::collect::Collected;
use super::modules::Looked;
use super::object::Maps;
use super::write::Section;
use crate::exit::Failure;
use anyhow::{Context, Result};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, Member, names};
use corelet_core::pack::{Decision, StructOps, StructOpsMember, section};
use corelet_core::relo::TargetTypes;
use std::collections::BTreeMap;

/// `BPF_PROG_TYPE_STRUCT_OPS`
pub(super) const PROGRAM: u32 = 27;
/// What stands before a struct's name in that of its map's value.
const VALUE: &str = "bpf_struct_ops_";

/// The maps of a kernel: what they are created of, and their members that are programs.
#[derive(Default)]
struct Made {
    maps: Vec<(u16, TypeId, TypeId, bool, Vec<u8>)>,
    members: Vec<StructOpsMember>,
}

/// Sections `STRUCT_OPS` and `STRUCT_OPS_MEMBERS` of a target, without records where the object has no such maps.
///
/// # Errors
/// The kernel has no such struct, or a member of it that the object sets is not there or is another one.
pub(super) fn sections(
    owner: u16,
    c: &Collected<'_>,
    maps: &Maps<'_>,
    decisions: &[Decision],
    kernel: &Kernel<'_>,
    looked: &Looked<'_>,
) -> Result<Vec<Section>> {
    let mut made = Made::default();
    for map in &c.struct_ops {
        let number = maps.by_name(map.name).context("a map of struct_ops without a number")?;
        let told = || format!("map {} of struct_ops", map.name);
        one(&mut made, number, map, c, decisions, (kernel, looked)).with_context(told)?;
    }
    // ids of a module's types are the device's to find, by name
    let id = |of: &TypeId| if looked.types.module_of(*of).is_some() { TypeId::VOID } else { *of };
    let records = made.maps.iter().map(|(map, ops_type, value_type, link, value)| StructOps {
        map: *map,
        ops_type: id(ops_type),
        value_type: id(value_type),
        link: *link,
        value,
    });
    check_programs(c, decisions, &made)?;
    Ok(vec![
        Section::records(section::STRUCT_OPS, owner, records)?,
        Section::records(section::STRUCT_OPS_MEMBERS, owner, &made.members)?,
    ])
}

/// The kernel's name of a map's value.
pub(super) fn value_name(local: &Btf<'_>, map: &corelet_core::object::StructOps<'_>) -> Result<String> {
    Ok(format!("{VALUE}{}", names::essential(local.name(&local.ty(map.ty)?))))
}

/// Each program is one member of one kind of struct, and of one at least.
fn check_programs(c: &Collected<'_>, decisions: &[Decision], made: &Made) -> Result<()> {
    let ops_type = |map: u16| made.maps.iter().find(|m| m.0 == map).map(|m| m.1);
    for (i, ((function, sec), decision)) in c.programs.iter().zip(decisions).enumerate() {
        if sec.prog_type != PROGRAM || matches!(decision, Decision::Skip(_)) {
            continue;
        }
        let name = c.functions[*function as usize].name;
        let mut of = made.members.iter().filter(|m| usize::from(m.program) == i);
        let Some(first) = of.next() else {
            let why = format!("program {name}: no map of struct_ops has it: disable it in the manifest");
            return Err(Failure::not_portable(why));
        };
        if of.any(|m| (ops_type(m.map), m.member) != (ops_type(first.map), first.member)) {
            let why = format!(
                "program {name}: it is two different members of structs; each needs a program of its own"
            );
            return Err(Failure::not_portable(why));
        }
    }
    Ok(())
}

fn one(
    made: &mut Made,
    number: u16,
    map: &corelet_core::object::StructOps<'_>,
    c: &Collected<'_>,
    decisions: &[Decision],
    (kernel, looked): (&Kernel<'_>, &Looked<'_>),
) -> Result<()> {
    let (local, own) = (c.object.btf(), looked.types.btf());
    let refuse = |why: String| Err(Failure::not_portable(why));
    if !kernel.own_types {
        return refuse(
            "the kernel's own types (CONFIG_DEBUG_INFO_BTF) are needed, by whose ids it is created"
                .to_owned(),
        );
    }
    let t = local.ty(map.ty)?;
    let name = names::essential(local.name(&t)).to_owned();
    let value = own.find(&value_name(local, map)?, Kind::Struct).zip(own.find(&name, Kind::Struct));
    let Some((value_type, ops_type)) = value else {
        return refuse(format!(
            "the kernel has no struct_ops `{name}`, or in a module only, which the manifest must name: [object] modules = [\"MODULE\"]"
        ));
    };
    let data = value_type.members().find(|m| own.string(m.name_off) == "data");
    let data = data.filter(|m| own.skip_mods(m.ty).is_ok_and(|t| t.id == ops_type.id));
    let data = data.with_context(|| format!("`struct {VALUE}{name}` of the kernel has no `data`"))?;
    let data_off = data.bit_offset / 8;
    let mut bytes = vec![0; own.size_of(value_type.id)? as usize];
    let functions = c.object.struct_ops_functions(map).collect::<Result<BTreeMap<u32, u32>, _>>()?;
    for m in t.members() {
        let member = local.string(m.name_off);
        let (at, size) = (m.bit_offset / 8, local.size_of(m.ty)?);
        let given = map.data.get(at as usize..).and_then(|d| d.get(..size as usize)).unwrap_or(&[]);
        let function = functions.get(&at);
        let found = (0u32..).zip(ops_type.members()).find(|(_, k)| own.string(k.name_off) == member);
        let Some((place, theirs)) = found.filter(|_| !member.is_empty()) else {
            if function.is_none() && given.iter().all(|&b| b == 0) {
                continue;
            }
            return refuse(format!("`{name}` of the kernel has no member `{member}`, which the object sets"));
        };
        let to = data_off + theirs.bit_offset / 8;
        if let Some(&function) = function {
            let pointee = own.skip_mods(theirs.ty).and_then(|p| own.skip_mods(p.target()));
            if pointee.map(|p| p.kind()) != Ok(Kind::FuncProto) {
                return refuse(format!("member `{member}` of the kernel's `{name}` is no function"));
            }
            let all = (0u16..).zip(&c.programs).zip(decisions);
            let loaded = all.filter(|((_, (f, _)), d)| *f == function && !matches!(d, Decision::Skip(_)));
            let members = loaded.map(|((program, _), _)| StructOpsMember {
                map: number,
                program,
                member: place,
                offset: to,
            });
            made.members.extend(members);
            continue;
        }
        if !same_size(local, &m, own, &theirs)? {
            return refuse(format!("member `{member}` of the kernel's `{name}` has another size"));
        }
        let is_pointer = own.skip_mods(theirs.ty)?.kind() == Kind::Ptr;
        if is_pointer && given.iter().any(|&b| b != 0) {
            return refuse(format!("member `{member}` is a pointer, and only functions can be set"));
        }
        // pointers of the object have 8 bytes, those of the kernel may have less, and are 0
        if !is_pointer && let Some(slot) = bytes.get_mut(to as usize..).and_then(|b| b.get_mut(..given.len()))
        {
            slot.copy_from_slice(given);
        }
    }
    made.maps.push((number, ops_type.id, value_type.id, map.link, bytes));
    Ok(())
}

/// Whether two members have the same size, and neither is a bit-field; pointers always.
fn same_size(local: &Btf<'_>, ours: &Member, own: &Btf<'_>, theirs: &Member) -> Result<bool> {
    let (a, b) = (local.skip_mods(ours.ty)?, own.skip_mods(theirs.ty)?);
    if a.kind() == Kind::Ptr && b.kind() == Kind::Ptr {
        return Ok(true);
    }
    let whole = ours.bit_offset.is_multiple_of(8) && theirs.bit_offset.is_multiple_of(8);
    Ok(whole && local.size_of(a.id)? == own.size_of(b.id)?)
}
