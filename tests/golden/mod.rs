//! Packs of released versions, read record by record: what a device has on its flash must stay readable. README.md has the
//! recipe.

use corelet_core::btf::{Btf, Kind};
use corelet_core::pack::{
    Arch, Attach, Choice, Decision, Event, Fixup, FixupKind, Format, FuncInfo, Function, Hint, How, KernelId,
    LineInfo, Map, MapRole, Memory, Object, Program, Relo, ResultMap, Sizing, SkipReason, Target, section,
};
use corelet_core::relo::ReloKind;
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{File, Input, Options, Section, build};
use std::path::{Path, PathBuf};

const PACK: &[u8] = include_bytes!("0.1/sample.pack");
const TARGET: &[u8] = include_bytes!("0.1/sample.target");
const OBJECT: &[u8] = include_bytes!("0.1/sample.bpf.o");
const MANIFEST: &str = include_str!("0.1/sample.toml");

/// SHA-256 of `sample.bpf.o`, as sha256sum prints it.
const DIGEST: &str = "54070a1d574a72760fc98ab83276a6b4e356a6d7b7256873eb62e8be0cc904f9";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn pack() -> File<'static> {
    File::parse(PACK).unwrap()
}

fn types(id: u16) -> OwnedBtf {
    OwnedBtf::from_bytes(pack().section(id, 0).unwrap().to_vec()).unwrap()
}

/// `KIND name`, the name of the type behind modifiers and typedefs included.
fn name(btf: &Btf<'_>, id: corelet_core::TypeId) -> String {
    let t = btf.skip_mods(id).unwrap();
    format!("{} {}", t.kind().name(), btf.name(&t))
}

/// `member @ bit offset` of a struct.
fn members(btf: &Btf<'_>, of: &str) -> Vec<String> {
    let t = btf.find(of, Kind::Struct).unwrap();
    t.members().map(|m| format!("{} @ {}", btf.string(m.name_off), m.bit_offset)).collect()
}

#[test]
fn format_1_the_sections() {
    let rows: Vec<_> = pack().entries().map(|e| (section::name(e.id), e.owner, e.critical)).collect();
    let critical = ["OBJECT", "INSNS", "BTF", "FUNCTIONS", "PROGRAMS", "MAPS", "RELOS", "FIXUPS", "DATA"];
    let optional = ["FUNC_INFO", "LINE_INFO", "EVENTS", "RESULTS", "HINTS"];
    let target = ["TARGET", "SUBSET", "IDS", "KCONFIG", "PLAN", "MEMORY"];
    let expected: Vec<_> = (critical.iter().map(|&n| (n, 0, true)))
        .chain(optional.iter().map(|&n| (n, 0, false)))
        .chain(target.iter().map(|&n| (n, 0, true)))
        .collect();
    assert_eq!(rows, expected);
    let rows: Vec<_> = File::parse(TARGET).unwrap().entries().map(|e| section::name(e.id)).collect();
    assert_eq!(rows, target);
}

#[test]
fn format_1_the_object_and_its_programs() {
    let file = pack();
    let object: Object<'_> = file.record(section::OBJECT, 0).unwrap();
    assert_eq!((object.name, object.license, object.spdx), ("sample", "GPL", "GPL-2.0-only"));
    assert_eq!((hex(&object.digest).as_str(), object.kern_version), (DIGEST, 0));

    let functions: Vec<Function<'_>> = file.records(section::FUNCTIONS, 0).unwrap();
    let function = |name, start, count| Function { name, start, count };
    let (open, switch) = (function("handle_open", 16, 100), function("handle_switch", 116, 35));
    assert_eq!(functions, [function("parent_of", 0, 16), open, switch, function("handle_exit", 151, 4)]);
    let insns = file.section(section::INSNS, 0).unwrap();
    assert_eq!(insns.len(), 155 * 8);
    assert_eq!(insns[16 * 8..17 * 8], [0x85, 0, 0, 0, 35, 0, 0, 0], "call of bpf_get_current_task");
    for f in &functions {
        let last = (f.start + f.count - 1) as usize * 8;
        assert_eq!(insns[last..last + 8], [0x95, 0, 0, 0, 0, 0, 0, 0], "exit of {}", f.name);
    }

    let program = |name, section, function, prog_type, attach| Program {
        name,
        section,
        function,
        subprograms: if function == 1 { &[0, 0] } else { &[] },
        prog_type,
        expected_attach_type: 0,
        prog_flags: 0,
        attach,
    };
    let tracepoint = Attach::Tracepoint { category: "syscalls", name: "sys_enter_openat" };
    let raw = Attach::RawTracepoint { name: "sched_switch" };
    let kprobe = Attach::Kprobe { symbol: "do_exit", offset: 0, ret: false };
    let programs: Vec<Program<'_>> = file.records(section::PROGRAMS, 0).unwrap();
    assert_eq!(
        programs,
        [
            program("handle_open", "tracepoint/syscalls/sys_enter_openat", 1, 5, tracepoint),
            program("handle_switch", "raw_tracepoint/sched_switch", 2, 17, raw),
            program("handle_exit", "kprobe/do_exit", 3, 2, kprobe),
        ]
    );
}

#[test]
fn format_1_maps_and_what_refers_to_them() {
    let file = pack();
    let btf = types(section::BTF);
    let btf = btf.view();
    let maps: Vec<Map<'_>> = file.records(section::MAPS, 0).unwrap();
    let rows: Vec<_> = (maps.iter())
        .map(|m| (m.name, m.role, m.map_type, m.key_size, m.value_size, m.max_entries, m.sizing, m.map_flags))
        .collect();
    assert_eq!(
        rows,
        [
            ("counts", MapRole::Declared, 1, 4, 8, 100, Sizing::Exact, 0),
            ("events", MapRole::Declared, 27, 0, 0, 4096, Sizing::PowerOfTwoPages, 0),
            (".rodata", MapRole::Rodata, 2, 4, 5, 1, Sizing::Exact, 0x80),
            (".bss", MapRole::Data, 2, 4, 16, 1, Sizing::Exact, 0),
            (".kconfig", MapRole::Kconfig, 2, 4, 4, 1, Sizing::Exact, 0x80),
        ]
    );
    assert!(maps.iter().all(|m| m.map_extra == 0 && m.perf_pages == 0));
    assert_eq!(name(&btf, maps[0].key_type), "int unsigned int");
    assert_eq!(name(&btf, maps[0].value_type), "int unsigned long long");
    assert_eq!(name(&btf, maps[2].value_type), "datasec .rodata");
    assert_eq!((maps[2].data_off, maps[2].data_len), (0, 5));
    assert_eq!(maps[3].data_len, 0, "all zeros");
    // targ_pid = -7 of the manifest, level = 3 of the source
    assert_eq!(file.section(section::DATA, 0).unwrap(), [0xf9, 0xff, 0xff, 0xff, 3]);

    let fixups: Vec<Fixup> = file.records(section::FIXUPS, 0).unwrap();
    let fixup = |function, insn, kind| Fixup { function, insn, kind };
    let value = |map, offset| FixupKind::MapValue { map, offset };
    assert_eq!(
        fixups,
        [
            fixup(1, 13, value(2, 0)),
            fixup(1, 21, FixupKind::Map { map: 0 }),
            fixup(1, 32, FixupKind::Map { map: 0 }),
            fixup(1, 37, FixupKind::Map { map: 1 }),
            fixup(1, 47, FixupKind::Call { function: 0 }),
            fixup(1, 65, value(2, 4)),
            fixup(2, 30, value(3, 0)),
            fixup(3, 0, value(4, 0)),
        ]
    );

    let events: Vec<Event<'_>> = file.records(section::EVENTS, 0).unwrap();
    assert_eq!(events.iter().map(|e| (e.map, e.name)).collect::<Vec<_>>(), [(1, "")]);
    assert_eq!(name(&btf, events[0].type_id), "struct event");
    assert_eq!(
        members(&btf, "event"),
        ["pid @ 0", "parent @ 32", "threads @ 64", "zone @ 96", "mode @ 128", "comm @ 192"]
    );
    let hints: Vec<Hint> = file.records(section::HINTS, 0).unwrap();
    assert!(hints.iter().all(|h| h.type_id == events[0].type_id));
    assert_eq!(
        hints.iter().map(|h| (h.member, h.format)).collect::<Vec<_>>(),
        [(4, Format::Hex), (3, Format::Hide)]
    );
    let results: Vec<ResultMap<'_>> = file.records(section::RESULTS, 0).unwrap();
    assert_eq!((results[0].map, results[0].name, results[0].how), (0, "opened", How::Entries));
    let none = How::Counters { labels: corelet_core::TypeId::VOID };
    assert_eq!((results[1].map, results[1].name, results[1].how, results[1].offset), (3, "seen", none, 0));
    assert_eq!(results.len(), 2);
}

#[test]
fn format_1_relocations_and_lines() {
    let file = pack();
    let btf = types(section::BTF);
    let btf = btf.view();
    // of zone_type, the pack keeps ZONE_MOVABLE and ZONE_DEVICE
    let relos: Vec<Relo> = file.records(section::RELOS, 0).unwrap();
    let rows: Vec<_> = (relos.iter())
        .map(|r| {
            let kind = ReloKind::from_number(r.kind.into()).unwrap().name();
            let t = btf.ty(r.type_id).unwrap();
            let spec = format!("{kind} {} {}", btf.name(&t), btf.string(r.access_str_off));
            (r.function, r.insn, r.index, r.line, spec)
        })
        .collect();
    let expected = [
        (1, 2, 0, 81, "byte_off task_struct 0:1"),
        (1, 49, 1, 97, "byte_off task_struct 0:4"),
        (1, 56, 2, 98, "byte_off signal_struct 0:0"),
        (1, 68, 3, 99, "enumval_value zone_type 0"),
        (1, 73, 4, 100, "byte_off task_struct 0:2"),
        (1, 78, 5, 100, "byte_sz task_struct 0:2"),
        (1, 81, 6, 100, "lshift_u64 task_struct 0:2"),
        (1, 82, 7, 100, "signed task_struct 0:2"),
        (1, 84, 8, 100, "rshift_u64 task_struct 0:2"),
        (1, 86, 9, 100, "rshift_u64 task_struct 0:2"),
        (1, 88, 10, 100, "byte_off task_struct 0:5"),
        (0, 1, 0, 73, "byte_off task_struct 0:3"),
        (0, 7, 1, 75, "byte_off task_struct 0:0"),
        (2, 1, 0, 109, "type_size task_struct 0"),
        (2, 2, 1, 109, "type_exists gone_struct 0"),
        (2, 4, 2, 111, "target_type_id signal_struct 0"),
        (2, 7, 3, 111, "local_type_id event 0"),
        (2, 10, 4, 112, "enumval_exists zone_type 1"),
        (2, 13, 5, 112, "type_matches signal_struct 0"),
        (2, 15, 6, 113, "byte_sz task_struct 0:5"),
        (2, 17, 7, 114, "field_exists task_struct___newer 0:0"),
        (2, 19, 8, 116, "byte_off task_struct___newer 0:0"),
    ];
    assert_eq!(rows, expected.map(|(f, insn, index, line, spec)| (f, insn, index, line, spec.to_owned())));

    let infos: Vec<FuncInfo> = file.records(section::FUNC_INFO, 0).unwrap();
    let names = infos.iter().map(|i| (i.function, name(&btf, i.type_id))).collect::<Vec<_>>();
    let func = |f: u16, name: &str| (f, format!("func {name}"));
    let (open, switch) = (func(1, "handle_open"), func(2, "handle_switch"));
    assert_eq!(names, [func(0, "parent_of"), open, switch, func(3, "handle_exit")]);

    let lines: Vec<LineInfo> = file.records(section::LINE_INFO, 0).unwrap();
    assert_eq!(lines.len(), 50);
    let last = lines.last().unwrap();
    assert_eq!((last.function, last.insn, last.line_col >> 10, last.line_col & 1023), (3, 3, 125, 2));
    assert_eq!(btf.string(last.file_off), "./sample.bpf.c");
    assert_eq!(btf.string(last.line_off), "\treturn LINUX_KERNEL_VERSION;");
}

#[test]
fn format_1_the_targets() {
    let of_target = File::parse(TARGET).unwrap();
    for (file, release, version, arch, build_id, linux) in [
        (pack(), "6.1.0-golden", "#1", Arch::Aarch64, "000102030405060708090a0b0c0d0e0f10111213", 0x060100),
        (
            of_target,
            "6.1.1-golden",
            "#2",
            Arch::Riscv64,
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00010203",
            0x060101,
        ),
    ] {
        let target: Target<'_> = file.record(section::TARGET, 0).unwrap();
        assert_eq!((hex(&target.object).as_str(), hex(target.build_id).as_str()), (DIGEST, build_id));
        assert_eq!((target.release, target.version, target.arch), (release, version, arch));
        assert_eq!((target.pointer_size, target.big_endian), (8, false));
        let plan: Vec<Choice> = file.records(section::PLAN, 0).unwrap();
        let skip = Decision::Skip(SkipReason::NoAutoload);
        let choice = |program, decision| Choice { program, decision };
        assert_eq!(plan, [choice(1, Decision::IfPresent), choice(2, skip)]);
        assert_eq!(file.section(section::KCONFIG, 0).unwrap(), u32::to_le_bytes(linux));

        let subset = OwnedBtf::from_bytes(file.section(section::SUBSET, 0).unwrap().to_vec()).unwrap();
        let subset = subset.view();
        assert_eq!(
            members(&subset, "task_struct"),
            [
                "pid @ 352",
                "tgid @ 384",
                "jobctl_mode @ 417",
                "real_parent @ 448",
                "signal @ 512",
                "comm @ 576"
            ]
        );
        assert_eq!(subset.find("task_struct", Kind::Struct).unwrap().size(), 88);
        assert_eq!(members(&subset, "signal_struct"), ["nr_threads @ 64"]);
        let ids: Vec<KernelId> = file.records(section::IDS, 0).unwrap();
        assert_eq!(ids.iter().map(|i| i.kernel.0).collect::<Vec<_>>(), [12]);
        assert_eq!(name(&subset, ids[0].subset), "struct signal_struct");

        let memory: Memory = file.record(section::MEMORY, 0).unwrap();
        assert_eq!(memory.maps.bytes(1, 4096), 16_736 + 8 * 4096);
        assert_eq!((memory.work.per_cpu, memory.work.pages), (64, 0));
        assert!(memory.work.fixed > 8 << 10 && memory.work.fixed < 32 << 10, "{memory:?}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/0.1")
}

/// Sections as the present builder makes them of the same input. The memory formula is of the loader's own version.
fn built(who: &str) -> Vec<Section> {
    let arg: TargetArg = format!("{},{who}", folder().join("kernel.o").display()).parse().unwrap();
    let opened = [Opened::open(&arg).unwrap()];
    let manifest = Manifest::parse("sample.toml", MANIFEST).unwrap();
    let input = Input { name: "sample".to_owned(), bytes: OBJECT.to_vec(), manifest };
    let lines = Options { lines: who.contains("#1") };
    let built = with_kernels(&opened, |kernels| build(&[input], kernels, &lines)).unwrap();
    // what relocation comes to is written since packs of 0.1 were
    let newer = [section::MEMORY, section::PATCHES];
    built.sections.into_iter().filter(|s| !newer.contains(&s.id) && !s.bytes.is_empty()).collect()
}

#[test]
fn format_1_is_what_is_built_today() {
    let sections = |file: &File<'_>| -> Vec<Section> {
        let entries = file.entries().filter(|e| e.id != section::MEMORY);
        entries.map(|e| Section::raw(e.id, e.owner, file.section(e.id, e.owner).unwrap().to_vec())).collect()
    };
    let compare = |golden: Vec<Section>, today: Vec<Section>| {
        assert_eq!(golden.len(), today.len());
        for (golden, today) in golden.iter().zip(&today) {
            assert!(golden == today, "section {} differs", section::name(golden.id));
        }
    };
    let first =
        "release=6.1.0-golden,version=#1,arch=aarch64,build-id=000102030405060708090a0b0c0d0e0f10111213";
    compare(sections(&pack()), built(first));
    let second =
        "release=6.1.1-golden,version=#2,arch=riscv64,build-id=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00010203";
    let mut today = built(second);
    today.retain(|s| section::of_target(s.id));
    compare(sections(&File::parse(TARGET).unwrap()), today);
}
