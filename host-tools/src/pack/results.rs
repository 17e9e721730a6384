//! What a pack says of results and of members: the sections `RESULTS`, `VIEWS` and `HINTS`.

use super::collect::Collected;
use super::object::Maps;
use super::types::{PackTypes, member_of};
use crate::manifest::decl::Composite;
use crate::manifest::{EventType, Hint, Manifest, ResultFrom, ResultHow, ResultSpec, TimeUnit, Unit};
use anyhow::{Context, Result, ensure};
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind};
use corelet_core::pack::{self, Format, How, ResultMap, View};

/// `BPF_MAP_TYPE_STACK_TRACE`
const STACK_TRACE: u32 = 7;
/// Member number of no member, for stacks of user space without a process.
const NO_MEMBER: u16 = u16::MAX;

/// The records of `RESULTS`, in the manifest's order.
pub(super) fn results<'x>(
    c: &'x Collected<'_>,
    manifest: &'x Manifest,
    maps: &Maps<'_>,
    types: &PackTypes,
    packed: &Btf<'_>,
) -> Result<Vec<ResultMap<'x>>> {
    let mut out = Vec::new();
    for result in &manifest.results {
        out.push(one(c, result, maps, types, packed).with_context(|| context(result))?);
    }
    Ok(out)
}

fn context(result: &ResultSpec) -> String {
    format!("[[results]] {}", result.name)
}

fn one<'x>(
    c: &'x Collected<'_>,
    result: &'x ResultSpec,
    maps: &Maps<'_>,
    types: &PackTypes,
    packed: &Btf<'_>,
) -> Result<ResultMap<'x>> {
    let (map, offset, type_id) = match &result.from {
        ResultFrom::Map(name) => {
            let map = maps.by_name(name).with_context(|| format!("the object has no map `{name}`"))?;
            (map, 0, maps.maps[usize::from(map)].value_type)
        }
        ResultFrom::Variable(name) => {
            let (map, offset, _, ty) = variable(c, maps, name)?;
            (map, offset, types.moved.id(ty))
        }
    };
    let how = match &result.how {
        ResultHow::Entries => How::Entries,
        ResultHow::Counters(labels) => How::Counters { labels: types.labels(labels) },
        ResultHow::Hist { slots, linear, labels } => {
            let hist = hist(packed, type_id, slots.as_deref(), *linear, types.labels(labels));
            hist.with_context(|| slots.as_ref().map_or_else(String::new, |s| format!("slots = \"{s}\"")))?
        }
    };
    Ok(ResultMap { map, name: &result.name, offset, type_id, how })
}

/// Map, offset, size and type of a variable.
fn variable(c: &Collected<'_>, maps: &Maps<'_>, name: &str) -> Result<(u16, u32, u32, TypeId)> {
    let found = c.data.iter().find_map(|(s, vars)| Some((s, vars.iter().find(|v| v.name == name)?)));
    let (s, v) = found.with_context(|| format!("the object has no variable `{name}`"))?;
    Ok((maps.of_section(s.section)?, v.offset, v.size, c.object.btf().ty(v.ty)?.target()))
}

fn hist(
    btf: &Btf<'_>,
    value: TypeId,
    slots: Option<&str>,
    linear: Option<(u32, u32)>,
    labels: TypeId,
) -> Result<How> {
    let t = btf.skip_mods(value)?;
    // an array of histograms, of which each element has the slots
    let element = t.array().map(|a| btf.skip_mods(a.elem)).transpose()?.filter(|e| e.kind() == Kind::Struct);
    let (array, offset) = match slots {
        Some(slots) => {
            let (ty, member) = member_of(btf, element.map_or(value, |e| e.id), slots)?;
            let m = btf.ty(ty)?.member(member.into()).context("no such member")?;
            (btf.skip_mods(m.ty)?.array(), m.bit_offset / 8)
        }
        None => {
            ensure!(element.is_none(), "the value is an array of structs: `slots` says which member counts");
            (t.array(), 0)
        }
    };
    let array =
        array.context("is no array: `slots` names the member of the value that is the array of counters")?;
    let size = btf.size_of(array.elem)?;
    let integers = btf.skip_mods(array.elem)?.kind() == Kind::Int;
    ensure!(integers && matches!(size, 4 | 8), "is no array of 32-bit or 64-bit counters");
    ensure!(
        labels == TypeId::VOID || element.is_some(),
        "`labels` name the elements of an array of histograms; this is one"
    );
    Ok(match linear {
        None if size == 4 && element.is_none() => How::Log2 { offset, slots: array.nelems },
        _ => {
            let (base, step) = linear.unwrap_or((0, 0));
            How::Hist { offset, slots: array.nelems, size: size as u8, base, step, labels }
        }
    })
}

/// The records of `ALIASES`.
pub(super) fn aliases<'m>(c: &Collected<'_>, manifest: &'m Manifest) -> Result<Vec<pack::Alias<'m>>> {
    let known = |name: &str| c.data.iter().any(|(_, vars)| vars.iter().any(|v| v.name == name));
    let mut out = Vec::new();
    for (name, variable) in &manifest.options {
        ensure!(known(variable), "[options] {name}: the object has no variable `{variable}`");
        let taken = name != variable && known(name);
        ensure!(!taken, "[options] {name}: is the name of another variable of the object");
        out.push(pack::Alias { name, variable });
    }
    Ok(out)
}

/// A [`View`] that owns its text.
pub(super) struct Owned {
    units: String,
    view: View<'static>,
}

impl serde::Serialize for &Owned {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        View { units: &self.units, ..self.view }.serialize(s)
    }
}

/// The records of `VIEWS`: of the results of which more is said than how they are printed by their types.
pub(super) fn views(
    c: &Collected<'_>,
    manifest: &Manifest,
    maps: &Maps<'_>,
    types: &PackTypes,
    packed: &Btf<'_>,
) -> Result<Vec<Owned>> {
    let mut out = Vec::new();
    for (number, result) in manifest.results.iter().enumerate() {
        let plain = result.key.is_none() && result.value.is_none() && result.unit.is_none();
        if !plain || result.sort.is_some() || result.clear {
            let view = view(c, number as u16, result, maps, types, packed);
            out.push(view.with_context(|| context(result))?);
        }
    }
    Ok(out)
}

fn view(
    c: &Collected<'_>,
    number: u16,
    result: &ResultSpec,
    maps: &Maps<'_>,
    types: &PackTypes,
    packed: &Btf<'_>,
) -> Result<Owned> {
    let record = one(c, result, maps, types, packed)?;
    let map = &maps.maps[usize::from(record.map)];
    let scalar = |hint: &Option<Hint>, ty: TypeId, what: &str| {
        let Some(hint) = hint else { return Ok(Format::Plain) };
        let composite = ty != TypeId::VOID && packed.skip_mods(ty)?.kind().is_composite();
        ensure!(
            !composite || *hint == Hint::Hide,
            "`{what}` is a struct: its members are printed as [hints] say, or all of it hidden"
        );
        format(hint, maps, types, &|_| Ok(NO_MEMBER))
    };
    let key = scalar(&result.key, map.key_type, "key")?;
    let value = scalar(&result.value, record.type_id, "value")?;
    let (mut unit_map, mut unit_offset, mut unit_size) = (0, 0, 0);
    let units = match &result.unit {
        None => String::new(),
        Some(Unit::Fixed(unit)) => unit.clone(),
        Some(Unit::ByVariable { variable: name, names }) => {
            let size;
            (unit_map, unit_offset, size, _) = variable(c, maps, name)?;
            ensure!(matches!(size, 1 | 2 | 4 | 8), "`{name}` is no number");
            unit_size = size as u8;
            names.join(" ")
        }
    };
    let (sort_offset, sort_size) = match &result.sort {
        None => (0, 0),
        Some(member) => {
            sort(packed, record.type_id, member).with_context(|| format!("sort = \"{member}\""))?
        }
    };
    let view = View {
        result: number,
        key,
        value,
        units: "",
        unit_map,
        unit_offset,
        unit_size,
        sort_offset,
        sort_size,
        rows: result.rows,
        clear: result.clear,
    };
    Ok(Owned { units, view })
}

/// Offset and size of the number by which entries are sorted.
fn sort(btf: &Btf<'_>, value: TypeId, member: &str) -> Result<(u32, u8)> {
    let t = btf.skip_mods(value)?;
    let (offset, ty) = if t.kind().is_composite() {
        let (of, number) = member_of(btf, value, member)?;
        let m = btf.ty(of)?.member(number.into()).context("no such member")?;
        ensure!(of == t.id && m.bitfield_size == 0, "is in an anonymous member or a bit-field");
        (m.bit_offset / 8, m.ty)
    } else {
        ensure!(member == "value", "the value is a number, which `sort` calls \"value\"");
        (0, value)
    };
    let size = btf.size_of(ty)?;
    ensure!(btf.skip_mods(ty)?.kind() == Kind::Int && matches!(size, 1 | 2 | 4 | 8), "is no number");
    Ok((offset, size as u8))
}

/// The records of `HINTS`.
pub(super) fn hints(
    manifest: &Manifest,
    maps: &Maps<'_>,
    types: &PackTypes,
    packed: &Btf<'_>,
) -> Result<Vec<pack::Hint>> {
    let mut out = Vec::new();
    for (of, members) in &manifest.hints {
        let context = || format!("[hints.\"{of}\"]");
        let kind = if of.starts_with("union") { Kind::Union } else { Kind::Struct };
        let bare = of.split_whitespace().last().unwrap_or("");
        let declared = types
            .events
            .values()
            .find(|&&id| packed.ty(id).is_ok_and(|t| t.kind() == kind && packed.name(&t) == bare));
        let found = declared.copied().or_else(|| packed.find(bare, kind).map(|t| t.id));
        if found.is_none() && versions(manifest).any(|v| v.name.as_deref() == Some(bare)) {
            continue;
        }
        let root =
            found.context("neither the object's types nor a declaration have it").with_context(context)?;
        for (member, hint) in members {
            if of_other_version(manifest, bare, packed, root, member) {
                continue;
            }
            let (type_id, number) = member_of(packed, root, member).with_context(context)?;
            let sibling = |name: &str| {
                let (ty, n) = member_of(packed, root, name)?;
                ensure!(ty == type_id, "`{name}` is not in the same struct as `{member}`");
                Ok(n)
            };
            let format = format(hint, maps, types, &sibling).with_context(context)?;
            out.push(pack::Hint { type_id, member: number, format });
        }
    }
    Ok(out)
}

/// What a hint becomes. `sibling` gives the number of another member of the same struct.
fn format(
    hint: &Hint,
    maps: &Maps<'_>,
    types: &PackTypes,
    sibling: &dyn Fn(&str) -> Result<u16>,
) -> Result<Format> {
    let stacks = |name: &str| {
        let map = maps.by_name(name).with_context(|| format!("the object has no map `{name}`"))?;
        let stacks = maps.maps[usize::from(map)].map_type == STACK_TRACE;
        ensure!(stacks, "map {name} holds no stack traces");
        Ok(map)
    };
    Ok(match hint {
        Hint::Hide => Format::Hide,
        Hint::Text => Format::Text,
        Hint::Hex => Format::Hex,
        Hint::Port => Format::Port,
        Hint::Ip(family) => Format::Ip { family: sibling(family)? },
        Hint::Ipv4 => Format::Ipv4,
        Hint::Args(len) => Format::Args { len: sibling(len)? },
        Hint::Errno => Format::Errno,
        Hint::Signal => Format::Signal,
        Hint::Names(names) => Format::Names { enumeration: types.names(false, names) },
        Hint::Flags(names) => Format::Flags { enumeration: types.names(true, names) },
        Hint::Dev => Format::Dev,
        Hint::Octal => Format::Octal,
        Hint::Time(unit) => Format::Time {
            unit: match unit {
                TimeUnit::Ns => 1,
                TimeUnit::Us => 1_000,
                TimeUnit::Ms => 1_000_000,
                TimeUnit::S => 1_000_000_000,
            },
        },
        Hint::Decimals(digits) => Format::Decimals { digits: *digits },
        Hint::KernelStack(map) => Format::KernelStack { map: stacks(map)? },
        Hint::UserStack { map, pid } => {
            Format::UserStack { map: stacks(map)?, pid: pid.as_deref().map_or(Ok(NO_MEMBER), sibling)? }
        }
        Hint::Ksym => Format::Ksym,
        Hint::Ksyms(len) => Format::Ksyms { len: sibling(len)? },
    })
}

/// Whether a member is one that only another declared version of the event has.
fn of_other_version(manifest: &Manifest, name: &str, packed: &Btf<'_>, root: TypeId, member: &str) -> bool {
    let mut versions = versions(manifest).filter(|v| v.name.as_deref() == Some(name));
    member_of(packed, root, member).is_err() && versions.any(|v| v.member(member).is_some())
}

/// All events that a manifest declares.
fn versions(manifest: &Manifest) -> impl Iterator<Item = &Composite> {
    let declared = manifest.maps.values().filter_map(|m| match &m.event {
        Some(EventType::Declared(versions)) => Some(versions),
        _ => None,
    });
    declared.flatten().map(|v| &v.decl)
}
