//! Maps of struct_ops: a struct of the kernel's, such as a TCP congestion control, whose members are programs.
//!
//! What the map is created of, and where its value has the descriptors of programs, the target says, whose ids hold for the very kernel
//! that it is of. Of a struct that a module has (6.9) the kernel is asked for the ids, by its name. With `.struct_ops.link` (6.4) a link registers it; else the update of the map does (5.6), which the ledger undoes.

use super::Held;
use crate::args::Command;
use crate::btf_id::{AttachTo, Loaded, by_name};
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::object::Sections;
use crate::say::{
    Arg::{E, S},
    fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapSpec, Sys};
use crate::tracefs::Path;
use corelet_core::TypeId;
use corelet_core::btf::{Kind, names};
use corelet_core::pack::{StructOps, StructOpsMember, section};

/// `BPF_PROG_TYPE_STRUCT_OPS`
pub const PROGRAM: u32 = 27;
/// `BPF_STRUCT_OPS` of `enum bpf_attach_type`.
const ATTACH: u32 = 44;
/// What stands before a struct's name in that of its map's value.
const VALUE: &str = "bpf_struct_ops_";
/// `BPF_F_VTYPE_BTF_OBJ_FD`
const OF_MODULE: u32 = 1 << 15;
/// `BPF_F_LINK`
const LINK: u32 = 1 << 13;

/// Whether the object has such maps on this kernel.
pub fn any(s: &Sections<'_>) -> bool {
    !s.parts.get(section::STRUCT_OPS).is_empty()
}

#[cold]
fn of_map<'a>(s: &Sections<'a>, map: u16) -> Option<StructOps<'a>> {
    s.parts.records::<StructOps<'a>>(section::STRUCT_OPS).find(|ops| ops.map == map)
}

/// The member that program number `number` is.
#[cold]
#[inline(never)]
fn member(s: &Sections<'_>, number: u16) -> Option<StructOpsMember> {
    s.parts.records::<StructOpsMember>(section::STRUCT_OPS_MEMBERS).find(|m| m.program == number)
}

/// What a program of a map of struct_ops attaches to: the struct; its `expected_attach_type` becomes the member.
///
/// # Errors
/// `ENOENT` where no target says.
#[cold]
#[inline(never)]
pub fn attach_to<K: Kernel>(kernel: &mut K, s: &Sections<'_>, number: u16) -> Sys<(AttachTo, u32)> {
    let member = member(s, number).ok_or(Errno::ENOENT)?;
    let ops = of_map(s, member.map).ok_or(Errno::ENOENT)?;
    let of = match ops.ops_type {
        TypeId::VOID => of_module(kernel, s, member.map, "")?,
        id => AttachTo { id: id.0, ..AttachTo::default() },
    };
    Ok((of, member.member))
}

/// The struct of map number `map` in a module's BTF, or what has its name behind `prefix`.
#[cold]
#[inline(never)]
fn of_module<K: Kernel>(kernel: &mut K, s: &Sections<'_>, map: u16, prefix: &str) -> Sys<AttachTo> {
    let record = s.maps().zip(0u16..).find(|(_, number)| *number == map).ok_or(Errno::ENOENT)?.0;
    let t = s.btf.ty(record.value_type).map_err(|_| Errno::ENOENT)?;
    let mut path = Path::new();
    path.text(prefix).text(names::essential(s.btf.name(&t)));
    path.as_cstr()?;
    by_name(kernel, path.as_str(), Kind::Struct)
}

/// Completes what the kernel is asked for to create map number `map`.
///
/// # Errors
/// Said: without a target of this very kernel it cannot be made.
#[cold]
#[inline(never)]
pub fn spec<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    map: u16,
    name: &str,
    spec: &mut MapSpec,
) -> Done<()> {
    let Some(ops) = of_map(s, map) else {
        let form =
            text!("%: map % of struct_ops: the pack needs a target of this very kernel, by its build id");
        return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(name)]));
    };
    spec.value_size = ops.value.len() as u32;
    spec.kernel_value_type = ops.value_type.0;
    // the object's own type is there for its name alone
    spec.value_type = 0;
    spec.map_flags |= if ops.link { LINK } else { 0 };
    if ops.value_type != TypeId::VOID {
        return Ok(());
    }
    match of_module(kernel, s, map, VALUE) {
        Ok(AttachTo { id, of: Some(fd), .. }) => {
            (spec.kernel_value_type, spec.module) = (id, Some(fd));
            spec.map_flags |= OF_MODULE;
            session.ledger.keep(kernel, fd).map(drop)
        }
        found => {
            let e = found.err().unwrap_or(Errno::ENOENT);
            let form = text!("%: map % of struct_ops: no module has its struct: %");
            Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name), S(name), E(e)]))
        }
    }
}

/// Registers all maps of struct_ops of an object.
///
/// # Errors
/// Said, with the map.
#[cold]
#[inline(never)]
pub fn attach<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    open: &[OpenMap],
    loaded: Loaded<'_>,
) -> Done<()> {
    if session.options.command == Command::Load {
        let form = text!(
            "%: maps of struct_ops cannot be pinned with their attachment; corelet-loader run holds it"
        );
        return Err(fail(kernel, Exit::NotPortable, form, &[S(s.object.name)]));
    }
    for ops in s.parts.records::<StructOps<'_>>(section::STRUCT_OPS) {
        let Some(map) = open.get(usize::from(ops.map)).filter(|map| map.map.fd().0 >= 0) else { continue };
        if let Err(e) = register(kernel, session, s, &ops, map, loaded) {
            let name = s.maps().zip(0u16..).find(|(_, n)| *n == ops.map).map_or("", |(map, _)| map.name);
            let why = match e {
                Errno::EEXIST => text!("; one of that name is registered already"),
                Errno::EINVAL => {
                    text!("; the kernel does not take its values, or lacks a program that it must have")
                }
                Errno::EOPNOTSUPP => text!("; this version of the kernel registers it no longer, or not yet"),
                _ => "",
            };
            let form = text!("%: cannot register map % of struct_ops: %%");
            return Err(fail(kernel, e.exit(), form, &[S(s.object.name), S(name), E(e), S(why)]));
        }
    }
    Ok(())
}

#[cold]
fn register<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    ops: &StructOps<'_>,
    map: &OpenMap,
    loaded: Loaded<'_>,
) -> Sys<()> {
    let value = kernel.region(ops.value.len())?;
    for (slot, &b) in value.iter_mut().zip(ops.value) {
        *slot = b;
    }
    let members = s.parts.records::<StructOpsMember>(section::STRUCT_OPS_MEMBERS);
    for member in members.filter(|m| m.map == ops.map) {
        let Some(fd) = loaded.number(session, member.program) else { continue };
        let slot = value.iter_mut().skip(member.offset as usize);
        for (slot, b) in slot.zip(fd.0.to_ne_bytes()) {
            *slot = b;
        }
    }
    kernel.map_update(&map.map, &0u32.to_ne_bytes(), value)?;
    if ops.link {
        let link = kernel.link_place(map.map.fd(), Fd(0), ATTACH)?;
        return session.ledger.keep(kernel, link).map(drop).map_err(|_| Errno::EMFILE);
    }
    let held = Held::Registered { map: map.map.fd().0 as u16 };
    session.ledger.held.push(kernel, held).map_err(|held| {
        super::release(kernel, held);
        Errno::EMFILE
    })
}
