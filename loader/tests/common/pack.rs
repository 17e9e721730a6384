//! Writes a pack of one small object: a tracepoint program with a subprogram, an optional kprobe, a ring buffer, a hash and
//! constants; one relocation, whose field lies elsewhere in the target.

use super::btf::Writer;
use corelet_core::pack::{
    Alias, Arch, Attach, AttachId, CRITICAL, Choice, Crc, Decision, ENTRY_LEN, Event, Fixup, FixupKind,
    FuncInfo, Function, HEADER_LEN, Holds, InnerMap, MAGIC, Map, MapChoice, MapFate, MapRole, MapValue,
    Memory, Module, Object, Patch, Program, Relo, Sizes, Sizing, StructOps, StructOpsMember, Target, VERSION,
    crc32, section, work,
};
use corelet_core::{Endian, TypeId, insn::Insn};
use serde::Serialize;

pub const DIGEST: [u8; 32] = [7; 32];
pub const BUILD_ID: [u8; 20] = [0xab; 20];
pub const RELEASE: &str = "6.12.0-test";
pub const VERSION_TEXT: &str = "#1 SMP test";
/// Offset of `pid` in the target's `task_struct`.
pub const TARGET_PID: i16 = 40;

/// The helper that the subprogram calls, which came with 5.5.
pub const PROBE_READ_KERNEL: i32 = 113;

/// What a test changes.
pub struct Sample {
    /// The object's name.
    pub name: &'static str,
    pub arch: Arch,
    pub build_id: Vec<u8>,
    pub object_in_target: [u8; 32],
    /// Makes the kprobe one that is needed.
    pub needed: bool,
    /// Whether the program that is needed is optional too.
    pub all_optional: bool,
    /// Whether the optional program has a second place.
    pub two_places: bool,
    /// What the kprobe is instead: section, what it is attached to, `enum bpf_prog_type` and `enum bpf_attach_type`.
    pub probe: Option<(&'static str, Attach<'static>, u32, u32)>,
    /// Adds the maps of libbpf's `usdt.bpf.h`, the first with this many entries.
    pub usdt_specs: u32,
    /// Bytes of one.
    pub usdt_spec_size: u32,
    /// The kernel's id of what that attaches to.
    pub attach_id: Option<u32>,
    /// Makes the two programs alternatives, the kprobe the better one.
    pub alternatives: bool,
    /// Makes the call one of a function of the kernel: its name, and whether it is weak.
    pub kfunc: Option<(&'static str, bool)>,
    /// Leaves the field out of the target.
    pub poison: bool,
    /// Name and build id of modules that the target has types of.
    pub modules: &'static [(&'static str, &'static [u8])],
    /// Bytes more or less than the memory formula says.
    pub formula: i32,
    /// Configuration externs: name, bytes, whether weak. One of a single byte is a `bool`.
    pub externs: &'static [(&'static str, u32, bool)],
    /// A kernel symbol whose address `handle_open` loads, and whether it is weak.
    pub ksym: Option<(&'static str, bool)>,
    /// Has the hash `start` pinned by its name.
    pub pinned: bool,
    /// Adds a map of maps `outer`, which holds `start` under 1, and a map of programs `calls`, which holds `handle_open` under 0
    /// and `handle_probe` under 2.
    pub holders: bool,
    /// What becomes of the ring buffer, map 0, on this target.
    pub ring: Option<MapFate>,
    /// Leaves out what relocation comes to.
    pub no_patches: bool,
    /// Adds a map of struct_ops `ops`, with a link or without, which has `handle_probe` as its member 3 at byte 16.
    pub struct_ops: Option<bool>,
    /// It is one of a module's, called `task_struct`.
    pub of_module: bool,
}

impl Default for Sample {
    fn default() -> Sample {
        Sample {
            name: "sample",
            arch: host_arch(),
            build_id: BUILD_ID.to_vec(),
            object_in_target: DIGEST,
            needed: false,
            all_optional: false,
            two_places: false,
            probe: None,
            usdt_specs: 0,
            usdt_spec_size: 208,
            attach_id: None,
            alternatives: false,
            kfunc: None,
            poison: false,
            modules: &[],
            formula: 0,
            externs: &[],
            ksym: None,
            pinned: false,
            holders: false,
            ring: None,
            no_patches: false,
            struct_ops: None,
            of_module: false,
        }
    }
}

pub fn host_arch() -> Arch {
    Arch::from_machine(std::env::consts::ARCH).unwrap()
}

fn records<T: Serialize>(records: &[T]) -> Vec<u8> {
    records.iter().flat_map(|r| postcard::to_allocvec(r).unwrap()).collect()
}

fn insns(list: &[Insn]) -> Vec<u8> {
    list.iter().flat_map(|i| i.encode(Endian::HOST)).collect()
}

impl Sample {
    /// Sections of the object, number 0.
    pub fn object(&self) -> Vec<(u16, Vec<u8>)> {
        let mut b = Writer::new();
        let int = b.int("int", 4, 1);
        let byte = b.int("char", 1, 1);
        let boolean = b.int("_Bool", 1, 4);
        let task = b.structure("task_struct", 16, &[("pid", int, 8)]);
        let access = b.string("0:0");
        let ksym = self.ksym.map(|(name, weak)| FixupKind::KsymAddress { name_off: b.string(name), weak });
        let kfunc = self.kfunc.map(|(name, weak)| FixupKind::Kfunc { name_off: b.string(name), weak });
        let proto = b.add("", 13, 0, int, &[]);
        let main = b.add("handle_open", 12, 1, proto, &[]);
        let helper = b.add("helper", 12, 0, proto, &[]);
        let probe = b.add("handle_probe", 12, 1, proto, &[]);
        let text = b.add("", 3, 0, 0, &[byte, int, 8]);
        let vars = [("targ_pid", int, 0, 4), ("verbose", boolean, 4, 1), ("name", text, 8, 8)];
        let rows: Vec<u32> = vars.iter().flat_map(|&(n, t, at, len)| [b.var(n, t), at, len]).collect();
        let rodata = b.add(".rodata", 15, 3, 16, &rows);
        let (mut rows, mut weak, mut at) = (Vec::new(), Vec::new(), 0);
        for &(name, size, is_weak) in self.externs {
            let var = b.var(name, if size == 1 { boolean } else { int });
            rows.extend([var, at, size]);
            weak.extend(is_weak.then_some(TypeId(var)));
            at += size;
        }
        let has_externs = !self.externs.is_empty();
        let kconfig =
            if has_externs { b.add(".kconfig", 15, self.externs.len() as u32, at, &rows) } else { 0 };
        let exit = Insn { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 };
        let mov = Insn { code: 0xb7, ..exit };
        let load = Insn { code: 0x18, dst: 1, ..exit };
        let half = Insn { code: 0, ..exit };
        let call = Insn { code: 0x85, src: 1, imm: -1, ..exit };
        let read = Insn { src: 0, imm: PROBE_READ_KERNEL, ..call };
        // r1 = *(u32 *)(r1 + 8), the relocated one
        let field = Insn { code: 0x61, dst: 1, src: 1, off: 8, imm: 0 };
        let code = [field, load, half, load, half, call, mov, exit, read, exit, mov, exit];
        let none = Map {
            name: "events",
            role: MapRole::Declared,
            map_type: 27,
            key_size: 0,
            value_size: 0,
            max_entries: 5000,
            sizing: Sizing::PowerOfTwoPages,
            map_flags: 0,
            map_extra: 0,
            key_type: TypeId(0),
            value_type: TypeId(0),
            data_off: 0,
            data_len: 0,
            perf_pages: 0,
        };
        let hash = Map {
            name: "start",
            map_type: 1,
            key_size: 4,
            value_size: 8,
            max_entries: 10,
            sizing: Sizing::Exact,
            role: if self.pinned { MapRole::Pinned } else { MapRole::Declared },
            ..none
        };
        let constants = Map {
            name: ".rodata",
            role: MapRole::Rodata,
            map_type: 2,
            key_size: 4,
            value_size: 16,
            max_entries: 1,
            sizing: Sizing::Exact,
            value_type: TypeId(rodata),
            data_len: 5,
            ..none
        };
        let values = Map {
            name: ".kconfig",
            role: MapRole::Kconfig,
            value_size: at,
            value_type: TypeId(kconfig),
            data_len: 0,
            ..constants
        };
        let mut maps: Vec<Map<'_>> =
            [none, hash, constants].into_iter().chain(has_externs.then_some(values)).collect();
        let (mut inner, mut held) = (Vec::new(), Vec::new());
        if self.holders {
            let outer = maps.len() as u16;
            let plain = Map { role: MapRole::Declared, ..hash };
            maps.push(Map { name: "outer", map_type: 12, value_size: 4, max_entries: 2, ..plain });
            maps.push(Map { name: "calls", map_type: 3, value_size: 4, max_entries: 3, ..plain });
            inner.push(InnerMap { map: outer, def: Map { name: "outer", ..plain } });
            let value = |map, key, holds| MapValue { map, key, holds };
            held.push(value(outer, 1, Holds::Map { map: 1 }));
            held.push(value(outer + 1, 0, Holds::Program { program: 0 }));
            held.push(value(outer + 1, 2, Holds::Program { program: 1 }));
        }
        if self.struct_ops.is_some() {
            let role = MapRole::StructOps;
            let value_type = TypeId(if self.of_module { task } else { 0 });
            maps.push(Map {
                name: "ops",
                role,
                map_type: 26,
                value_size: 0,
                max_entries: 1,
                value_type,
                ..hash
            });
        }
        if self.usdt_specs != 0 {
            let (name, max_entries) = ("__bpf_usdt_specs", self.usdt_specs);
            maps.push(Map { name, map_type: 2, value_size: self.usdt_spec_size, max_entries, ..hash });
            let name = "__bpf_usdt_ip_to_spec_id";
            maps.push(Map { name, key_size: 8, value_size: 4, ..hash });
        }
        let open = Program {
            name: "handle_open",
            section: "tracepoint/syscalls/sys_enter_openat",
            function: 0,
            subprograms: &[1, 0],
            prog_type: 5,
            expected_attach_type: 0,
            prog_flags: 0,
            attach: Attach::Tracepoint { category: "syscalls", name: "sys_enter_openat" },
        };
        let kprobe = Program {
            name: "handle_probe",
            section: "kprobe/do_open",
            function: 2,
            subprograms: &[],
            prog_type: 2,
            attach: Attach::Kprobe { symbol: "do_open", offset: 0, ret: true },
            ..open
        };
        let kprobe = match self.probe {
            Some((section, attach, prog_type, expected_attach_type)) => {
                Program { section, attach, prog_type, expected_attach_type, ..kprobe }
            }
            None => kprobe,
        };
        let other = Attach::Kprobe { symbol: "do_open_other", offset: 0, ret: true };
        let mut programs = vec![open, kprobe];
        if self.two_places {
            programs.push(Program { section: "kprobe/do_open_other", attach: other, ..kprobe });
        }
        let object =
            Object { name: self.name, digest: DIGEST, license: "GPL", spdx: "GPL-2.0-only", kern_version: 0 };
        let function = |name, start, count| Function { name, start, count };
        let info = |function, id| FuncInfo { function, type_id: TypeId(id) };
        let fixup = |insn, kind| Fixup { function: 0, insn, kind };
        let relo = Relo {
            function: 0,
            insn: 0,
            type_id: TypeId(task),
            access_str_off: access,
            kind: 0,
            index: 0,
            line: 12,
        };
        let mut relos = vec![relo];
        if self.poison {
            // one more in the same function, on its `mov`
            relos.push(Relo { insn: 6, index: 1, line: 13, ..relo });
        }
        let mut sections = vec![
            (section::OBJECT, records(&[object])),
            (section::INSNS, insns(&code)),
            (section::BTF, b.finish()),
            (
                section::FUNCTIONS,
                records(&[
                    function("handle_open", 0, 8),
                    function("helper", 8, 2),
                    function("handle_probe", 10, 2),
                ]),
            ),
            (section::PROGRAMS, records(&programs)),
            (section::MAPS, records(&maps)),
            (section::RELOS, records(&relos)),
            (
                section::FIXUPS,
                records(&[
                    fixup(1, FixupKind::Map { map: 0 }),
                    fixup(3, ksym.unwrap_or(FixupKind::MapValue { map: 2, offset: 4 })),
                    fixup(5, kfunc.unwrap_or(FixupKind::Call { function: 1 })),
                ]),
            ),
            (section::DATA, vec![1, 0, 0, 0, 1]),
            (section::FUNC_INFO, records(&[info(0, main), info(1, helper), info(2, probe)])),
            (section::EVENTS, records(&[Event { map: 0, type_id: TypeId(int), name: "" }])),
            (section::ALIASES, records(&[Alias { name: "pid", variable: "targ_pid" }])),
        ];
        if self.holders {
            sections.push((section::INNER_MAPS, records(&inner)));
            sections.push((section::MAP_VALUES, records(&held)));
        }
        if !weak.is_empty() {
            sections.push((section::WEAK, records(&weak)));
        }
        sections
    }

    /// Sections of the target, number 0.
    pub fn target(&self) -> Vec<(u16, Vec<u8>)> {
        let mut b = Writer::new();
        let int = b.int("int", 4, 1);
        let members = [("pid", int, TARGET_PID as u32)];
        b.structure("task_struct", 64, if self.poison { &[] } else { &members });
        let target = Target {
            object: self.object_in_target,
            build_id: &self.build_id,
            release: RELEASE,
            version: VERSION_TEXT,
            arch: self.arch,
            pointer_size: self.arch.pointer_size(),
            big_endian: false,
        };
        let decision = if self.needed { Decision::Load } else { Decision::IfPresent };
        let choice = |program, decision| Choice { program, decision };
        let choices = match self.alternatives {
            true => {
                let one_of = |set| Decision::OneOf { group: 0, set };
                vec![choice(0, one_of(1)), choice(1, one_of(0))]
            }
            false => {
                let all = if self.all_optional { Decision::IfPresent } else { Decision::Load };
                let mut choices = vec![choice(0, all), choice(1, decision)];
                choices.extend(self.two_places.then(|| choice(2, decision)));
                choices
            }
        };
        let mut sections = vec![
            (section::TARGET, records(&[target])),
            (section::SUBSET, b.finish()),
            (section::PLAN, records(&choices)),
        ];
        if !self.no_patches {
            let field = Insn { code: 0x61, dst: 1, src: 1, off: 8, imm: 0 };
            let new = if self.poison { Insn::POISON } else { Insn { off: TARGET_PID, ..field } };
            sections.push((section::PATCHES, records(&[Patch::between(0, field, new).unwrap()])));
        }
        if let Some(fate) = self.ring {
            sections.push((section::MAP_PLAN, records(&[MapChoice { map: 0, fate }])));
        }
        if let Some(link) = self.struct_ops {
            let known = (TypeId(501), TypeId(502));
            let (ops_type, value_type) = if self.of_module { (TypeId(0), TypeId(0)) } else { known };
            let ops = StructOps { map: 3, ops_type, value_type, link, value: &[7; 24] };
            let member = StructOpsMember { map: 3, program: 1, member: 3, offset: 16 };
            sections.push((section::STRUCT_OPS, records(&[ops])));
            sections.push((section::STRUCT_OPS_MEMBERS, records(&[member])));
        }
        if let Some(id) = self.attach_id {
            sections.push((section::ATTACH_IDS, records(&[AttachId { program: 1, id: TypeId(id) }])));
        }
        let sizes = Sizes {
            types: 15 + self.externs.len(),
            subset_types: 2,
            maps: 6,
            functions: 3,
            programs: 2,
            roots: 1,
            candidates: 1,
            program_bytes: 80,
            program_functions: 2,
            lines: 0,
            value_bytes: 16,
            license: 3,
            printing: 0,
        };
        let all = self.object().into_iter().chain(sections.clone());
        let mut formula = work(&sizes, all.map(|(id, bytes)| (id, bytes.len())));
        formula.fixed = formula.fixed.saturating_add_signed(self.formula);
        let maps = corelet_core::pack::Formula { fixed: 10_000, pages: 4, ..Default::default() };
        let modules: Vec<Module<'_>> =
            self.modules.iter().map(|&(name, build_id)| Module { name, build_id }).collect();
        if !modules.is_empty() {
            sections.push((section::MODULES, records(&modules)));
        }
        sections.push((section::MEMORY, records(&[Memory { work: formula, maps }])));
        sections
    }

    /// The whole pack.
    pub fn pack(&self) -> Vec<u8> {
        container(&self.object().into_iter().chain(self.target()).collect::<Vec<_>>())
    }
}

/// A file of these sections, all of owner 0.
pub fn container(sections: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let table_end = HEADER_LEN + sections.len() * ENTRY_LEN;
    let mut out = vec![0; table_end.next_multiple_of(8)];
    for (i, (id, bytes)) in sections.iter().enumerate() {
        let mut entry = Vec::new();
        for half in [*id, if section::critical(*id) { CRITICAL } else { 0 }, 0, 0] {
            entry.extend(half.to_le_bytes());
        }
        for word in [out.len() as u32, bytes.len() as u32, crc32(bytes)] {
            entry.extend(word.to_le_bytes());
        }
        out[HEADER_LEN + i * ENTRY_LEN..][..ENTRY_LEN].copy_from_slice(&entry);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    let len = out.len() as u32;
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[10..12].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    out[12..16].copy_from_slice(&len.to_le_bytes());
    let mut crc = Crc::new();
    crc.update(&out[..table_end]);
    out[16..20].copy_from_slice(&crc.finish().to_le_bytes());
    out
}
