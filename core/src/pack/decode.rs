//! How the records of [`super::records`] are read: their fields and variants in the order of the wire.
//! Time: linear in the section, since every record takes a byte or more.

use super::memory::{Formula, Memory};
use super::records::{
    Alias, Arch, Attach, AttachId, Choice, Decision, DeviceValue, Event, Fixup, FixupKind, Format, FuncInfo,
    Function, Hint, Holds, How, InnerMap, KernelId, LineInfo, Map, MapChoice, MapFate, MapRole, MapValue,
    Module, Object, Patch, Place, Program, Relo, ResultMap, Sizing, SkipReason, StructOps, StructOpsMember,
    Target, View,
};
use super::section;
use super::wire::{Reader, Wire, fields, variants};
use crate::error::{Error, Result};
use crate::id::TypeId;

/// Whether all records of section `id` decode, so that [`super::Checked`] gives them without errors. Those of `MODULES`, which few
/// targets have, are checked where they are read.
///
/// # Errors
/// [`Error::BadRecord`] with the first that does not.
pub fn check<'a>(id: u16, bytes: &'a [u8]) -> Result<()> {
    let skip: fn(&mut Reader<'a>) = match id {
        section::RELOS => skip::<Relo>,
        section::LINE_INFO => skip::<LineInfo>,
        section::RESULTS => skip::<ResultMap<'a>>,
        section::HINTS => skip::<Hint>,
        section::VIEWS => skip::<View<'a>>,
        section::ALIASES => skip::<Alias<'a>>,
        section::WEAK => skip::<TypeId>,
        section::IDS => skip::<KernelId>,
        section::ATTACH_IDS => skip::<AttachId>,
        section::MAP_PLAN => skip::<MapChoice>,
        section::INNER_MAPS => skip::<InnerMap<'a>>,
        section::MAP_VALUES => skip::<MapValue>,
        section::DEVICE_VALUES => skip::<DeviceValue<'a>>,
        section::STRUCT_OPS => skip::<StructOps<'a>>,
        section::STRUCT_OPS_MEMBERS => skip::<StructOpsMember>,
        _ => return check_plain(id, bytes),
    };
    check_by(skip, id, bytes)
}

/// The same for a loader of plain programs, which has no use for the other sections.
///
/// # Errors
/// As [`check`].
pub fn check_plain<'a>(id: u16, bytes: &'a [u8]) -> Result<()> {
    let skip: fn(&mut Reader<'a>) = match id {
        section::OBJECT => skip::<Object<'a>>,
        section::FUNCTIONS => skip::<Function<'a>>,
        section::PROGRAMS => skip::<Program<'a>>,
        section::MAPS => skip::<Map<'a>>,
        section::FIXUPS => skip::<Fixup>,
        section::FUNC_INFO => skip::<FuncInfo>,
        section::EVENTS => skip::<Event<'a>>,
        section::TARGET => skip::<Target<'a>>,
        section::PLAN => skip::<Choice>,
        section::PATCHES => skip::<Patch>,
        section::MEMORY => skip::<Memory>,
        _ => return Ok(()),
    };
    check_by(skip, id, bytes)
}

fn check_by<'a>(skip: fn(&mut Reader<'a>), id: u16, bytes: &'a [u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let mut index = 0u32;
    while !reader.is_empty() {
        skip(&mut reader);
        if reader.failed() {
            return Err(Error::BadRecord { id, index });
        }
        index = index.saturating_add(1);
    }
    Ok(())
}

fn skip<'a, T: Wire<'a>>(reader: &mut Reader<'a>) {
    T::read(reader);
}

// `cold` is what many packs do without: a device's loader has it where it is no memory then.
fields!(Object<'a> { name, digest, license, spdx, kern_version });
fields!(Function<'a> { name, start, count });
fields!(Program<'a> {
    name,
    section,
    function,
    subprograms,
    prog_type,
    expected_attach_type,
    prog_flags,
    attach,
});
fields!(Map<'a> {
    name,
    role,
    map_type,
    key_size,
    value_size,
    max_entries,
    sizing,
    map_flags,
    map_extra,
    key_type,
    value_type,
    data_off,
    data_len,
    perf_pages,
});
fields!(Relo { function, insn, type_id, access_str_off, kind, index, line });
fields!(Fixup { function, insn, kind });
fields!(FuncInfo { function, type_id });
fields!(
    #[cold]
    #[inline(never)]
    LineInfo { function, insn, file_off, line_off, line_col }
);
fields!(Event<'a> { map, type_id, name });
fields!(#[cold] #[inline(never)] ResultMap<'a> { map, name, offset, type_id, how });
fields!(Hint { type_id, member, format });
fields!(#[cold] #[inline(never)] Alias<'a> { name, variable });
fields!(#[cold] #[inline(never)] View<'a> {
    result,
    key,
    value,
    units,
    unit_map,
    unit_offset,
    unit_size,
    sort_offset,
    sort_size,
    rows,
    clear,
});
fields!(Target<'a> { object, build_id, release, version, arch, pointer_size, big_endian });
fields!(Module<'a> { name, build_id });
fields!(KernelId { subset, kernel });
fields!(Choice { program, decision });
fields!(
    #[cold]
    #[inline(never)]
    MapChoice { map, fate }
);
fields!(#[cold] #[inline(never)] InnerMap<'a> { map, def });
fields!(
    #[cold]
    #[inline(never)]
    MapValue { map, key, holds }
);
fields!(
    #[cold]
    #[inline(never)]
    DeviceValue<'a> { map, key, interface, size, program }
);
fields!(Formula { fixed, per_cpu, pages, pages_per_cpu });
fields!(Memory { work, maps });

variants!(Sizing { Exact, Cpus, PowerOfTwoPages });
variants!(MapRole { Declared, Data, Rodata, Kconfig, Pinned, StructOps, Arena });
variants!(MapFate { Absent, PerfBuffer });
variants!(Arch { X86_64, Aarch64, Arm, Riscv64 });
fields!(AttachId { program, id });
fields!(
    #[cold]
    #[inline(never)]
    StructOps<'a> { map, ops_type, value_type, link, value }
);
fields!(
    #[cold]
    #[inline(never)]
    StructOpsMember { map, program, member, offset }
);
variants!(Place { Cgroup, Netns, SockMap, Socket, Reuseport, Lirc });
fields!(Patch { place, value });
variants!(SkipReason { Disabled, Alternative, NoAutoload });

impl<'a> Wire<'a> for Attach<'a> {
    fn read(r: &mut Reader<'a>) -> Self {
        match r.variant(13) {
            0 => Attach::None,
            1 => Attach::Kprobe { symbol: Wire::read(r), offset: Wire::read(r), ret: Wire::read(r) },
            2 => Attach::Tracepoint { category: Wire::read(r), name: Wire::read(r) },
            3 => Attach::RawTracepoint { name: Wire::read(r) },
            4 => Attach::Other { section: Wire::read(r) },
            5 => Attach::KprobeMulti { pattern: Wire::read(r), ret: Wire::read(r) },
            6 => Attach::Ksyscall { name: Wire::read(r), ret: Wire::read(r) },
            7 => Attach::Trace { module: Wire::read(r), name: Wire::read(r) },
            8 => Attach::Uprobe {
                path: Wire::read(r),
                symbol: Wire::read(r),
                offset: Wire::read(r),
                ret: Wire::read(r),
            },
            9 => Attach::Usdt { path: Wire::read(r), provider: Wire::read(r), name: Wire::read(r) },
            10 => Attach::PerfEvent {
                kind: Wire::read(r),
                config: Wire::read(r),
                sample: Wire::read(r),
                freq: Wire::read(r),
            },
            11 => Attach::Place { kind: Wire::read(r), path: Wire::read(r), hook: Wire::read(r) },
            _ => Attach::Device { place: Wire::read(r) },
        }
    }
}

impl Wire<'_> for FixupKind {
    fn read(r: &mut Reader<'_>) -> Self {
        match r.variant(7) {
            0 => FixupKind::Map { map: Wire::read(r) },
            1 => FixupKind::MapValue { map: Wire::read(r), offset: Wire::read(r) },
            2 => FixupKind::Call { function: Wire::read(r) },
            3 => FixupKind::FunctionAddress { function: Wire::read(r) },
            4 => FixupKind::Ksym { name_off: Wire::read(r), weak: Wire::read(r) },
            5 => FixupKind::Kfunc { name_off: Wire::read(r), weak: Wire::read(r) },
            _ => FixupKind::KsymAddress { name_off: Wire::read(r), weak: Wire::read(r) },
        }
    }
}

impl Wire<'_> for Holds {
    fn read(r: &mut Reader<'_>) -> Self {
        match r.variant(2) {
            0 => Holds::Map { map: Wire::read(r) },
            _ => Holds::Program { program: Wire::read(r) },
        }
    }
}

impl Wire<'_> for How {
    fn read(r: &mut Reader<'_>) -> Self {
        match r.variant(4) {
            0 => How::Entries,
            1 => How::Log2 { offset: Wire::read(r), slots: Wire::read(r) },
            2 => How::Counters { labels: Wire::read(r) },
            _ => How::Hist {
                offset: Wire::read(r),
                slots: Wire::read(r),
                size: Wire::read(r),
                base: Wire::read(r),
                step: Wire::read(r),
                labels: Wire::read(r),
            },
        }
    }
}

impl Wire<'_> for Format {
    fn read(r: &mut Reader<'_>) -> Self {
        match r.variant(20) {
            0 => Format::Hide,
            1 => Format::Text,
            2 => Format::Hex,
            3 => Format::Port,
            4 => Format::Ip { family: Wire::read(r) },
            5 => Format::Ipv4,
            6 => Format::Args { len: Wire::read(r) },
            7 => Format::Errno,
            8 => Format::Signal,
            9 => Format::Plain,
            10 => Format::Names { enumeration: Wire::read(r) },
            11 => Format::Flags { enumeration: Wire::read(r) },
            12 => Format::Dev,
            13 => Format::Octal,
            14 => Format::Time { unit: Wire::read(r) },
            15 => Format::Decimals { digits: Wire::read(r) },
            16 => Format::KernelStack { map: Wire::read(r) },
            17 => Format::UserStack { map: Wire::read(r), pid: Wire::read(r) },
            18 => Format::Ksym,
            _ => Format::Ksyms { len: Wire::read(r) },
        }
    }
}

impl Wire<'_> for Decision {
    fn read(r: &mut Reader<'_>) -> Self {
        match r.variant(4) {
            0 => Decision::Load,
            1 => Decision::IfPresent,
            2 => Decision::Skip(Wire::read(r)),
            _ => Decision::OneOf { group: Wire::read(r), set: Wire::read(r) },
        }
    }
}

#[cfg(test)]
mod tests;
