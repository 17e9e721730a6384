//! One format each: everything that reads it, with any bytes.

use crate::relocation::split;
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind};
use corelet_core::btf_ext::{BtfExt, Record, Table};
use corelet_core::elf::Elf;
use corelet_core::event::{Out, Printer, Style, add_cpu};
use corelet_core::link::{Parts, Placed};
use corelet_core::object::Object;
use corelet_core::pack::{
    self, Choice, ENTRY_LEN, Event, FuncInfo, HEADER_LEN, Hint, How, KernelId, LineInfo, Map, Memory,
    Program, Relo, ResultMap, Target, crc32, section,
};
use corelet_core::relo::{ReloKind, Spec, SpecText};
use corelet_host_tools::btf::{OwnedBtf, dump};
use corelet_host_tools::kernel::Kernel;
use corelet_host_tools::manifest::{Manifest, decl};
use corelet_host_tools::pack::File;
use corelet_host_tools::relocate::{Lines, type_count};

/// Bytes that a kernel image may expand to here: enough for every seed.
const IMAGE_LIMIT: usize = 1 << 20;

/// An object: ELF, functions, maps, variables, externs, references, records of `.BTF.ext`.
pub fn object(data: &[u8]) {
    if let Ok(elf) = Elf::parse(data) {
        assert_eq!(elf.sections().count(), usize::from(elf.section_count()), "parse proved every section");
        assert_eq!(elf.symbols().count(), elf.symbol_count() as usize, "parse proved every symbol");
        for s in elf.sections() {
            if let Ok(rels) = elf.rels_of(s.index) {
                assert_eq!(rels.iter().count(), rels.len());
            }
        }
    }
    let Ok(count) = type_count(data) else { return };
    let mut index = vec![0; count];
    let Ok(object) = Object::parse(data, &mut index) else { return };
    let functions: Vec<_> = object.functions().collect();
    for (i, f) in functions.iter().enumerate() {
        assert_eq!((f.index as usize, object.function(f.index)), (i, Some(*f)));
        assert!(!f.insns.is_empty() && f.insns.len().is_multiple_of(8));
    }
    for section in object.data_sections().flatten() {
        for v in object.variables(&section).flatten() {
            assert!(v.offset + v.size <= section.size, "{v:?} in {section:?}");
        }
    }
    let inside = |function: u32, insn: u32| {
        assert!(functions.get(function as usize).is_some_and(|f| insn < f.insn_count()), "{function} {insn}");
    };
    object.maps().for_each(drop);
    object.map_values().for_each(drop);
    object.externs().for_each(drop);
    object.references().flatten().for_each(|r| inside(r.function, r.insn));
    object.core_relos().flatten().for_each(|r| inside(r.function, r.insn));
    object.func_infos().flatten().for_each(|r| inside(r.function, r.insn));
    if let Ok(lines) = Lines::of(&object) {
        functions.iter().for_each(|f| drop(lines.at(f.index, 0)));
    }
    let _ = (object.license(), object.kern_version(), object.kconfig_size());
}

/// BTF: every accessor of every type, specs of names taken for access strings, and the types as C.
pub fn btf(data: &[u8]) {
    let Ok(owned) = OwnedBtf::from_bytes(data.to_vec()) else { return };
    let btf = owned.view();
    let mut spec = Spec::default();
    let read = |name_off| {
        std::hint::black_box(btf.string(name_off));
    };
    for t in btf.own_types() {
        assert_eq!(btf.ty(t.id).map(|t| t.id), Ok(t.id));
        let _ = (btf.size_of(t.id), t.array(), t.int(), t.var_linkage(), t.tag_component());
        assert!(!btf.skip_mods(t.id).expect("parse proved it").kind().is_modifier());
        assert_eq!(t.members().count(), if t.kind().is_composite() { t.vlen() as usize } else { 0 });
        t.enumerators().for_each(|e| read(e.name_off));
        t.params().for_each(|p| read(p.name_off));
        t.vars().for_each(|v| read(btf.ty(v.ty).expect("parse proved it").name_off));
        for kind in 0..13 {
            let kind = ReloKind::from_number(kind).expect("13 kinds");
            if spec.parse(&btf, t.id, t.name_off, kind).is_ok() {
                drop(SpecText { spec: &spec, btf: &btf, root_id: t.id.0 }.to_string());
            }
        }
    }
    let options = dump::Options { types: Vec::new(), asserts: true };
    let _ = dump::to_c(&btf, &options);
}

/// `.BTF.ext`: every record of the three tables.
pub fn btf_ext(data: &[u8]) {
    fn walk<R: Record>(table: Table<'_, R>) {
        let mut records = 0;
        for block in table.blocks() {
            for i in 0..block.len() {
                let record = block.get(i).expect("parse proved it");
                std::hint::black_box(record.insn_off());
                records += 1;
            }
        }
        assert_eq!(records, table.len());
    }
    let Ok(ext) = BtfExt::parse(data) else { return };
    walk(ext.func_info());
    walk(ext.line_info());
    walk(ext.core_relo());
}

/// The file with every checksum as it must be, where there is room for one: else nothing behind them is ever reached.
pub fn with_checksums(mut file: Vec<u8>) -> Vec<u8> {
    let len = file.len() as u32;
    let word =
        |file: &[u8], at: usize| file[at..at + 4].try_into().map(u32::from_le_bytes).expect("four bytes");
    let Some(count) = file.get(10..12).map(|n| u16::from_le_bytes([n[0], n[1]])) else { return file };
    let table_end = HEADER_LEN + usize::from(count) * ENTRY_LEN;
    if table_end > file.len() {
        return file;
    }
    for entry in (HEADER_LEN..table_end).step_by(ENTRY_LEN) {
        let (at, len) = (word(&file, entry + 8) as usize, word(&file, entry + 12) as usize);
        if let Some(crc) = file.get(at..).and_then(|f| f.get(..len)).map(crc32) {
            file[entry + 16..entry + 20].copy_from_slice(&crc.to_le_bytes());
        }
    }
    file[12..16].copy_from_slice(&len.to_le_bytes());
    let mut crc = pack::Crc::new();
    crc.update(&file[..16]);
    crc.update(&[0; 4]);
    crc.update(&file[20..table_end]);
    file[16..20].copy_from_slice(&crc.finish().to_le_bytes());
    file
}

/// A pack or target file: every record of every section, and every program linked.
pub fn pack(data: &[u8]) {
    let _ = File::whole(data);
    let bytes = with_checksums(data.to_vec());
    let Ok(file) = File::whole(&bytes) else { return };
    for e in file.entries() {
        let owner = e.owner;
        let _ = file.record::<pack::Object<'_>>(section::OBJECT, owner);
        let _ = file.records::<Map<'_>>(section::MAPS, owner);
        let _ = file.records::<Relo>(section::RELOS, owner);
        let _ = file.records::<FuncInfo>(section::FUNC_INFO, owner);
        let _ = file.records::<LineInfo>(section::LINE_INFO, owner);
        let _ = file.records::<Event<'_>>(section::EVENTS, owner);
        let _ = file.records::<ResultMap<'_>>(section::RESULTS, owner);
        let _ = file.records::<Hint>(section::HINTS, owner);
        let _ = file.records::<TypeId>(section::WEAK, owner);
        let _ = file.record::<Target<'_>>(section::TARGET, owner);
        let _ = file.records::<KernelId>(section::IDS, owner);
        let _ = file.records::<Choice>(section::PLAN, owner);
        let _ = file.records::<pack::MapChoice>(section::MAP_PLAN, owner);
        let _ = file.records::<pack::StructOps<'_>>(section::STRUCT_OPS, owner);
        let _ = file.records::<pack::StructOpsMember>(section::STRUCT_OPS_MEMBERS, owner);
        let _ = file.records::<pack::InnerMap<'_>>(section::INNER_MAPS, owner);
        let _ = file.records::<pack::MapValue>(section::MAP_VALUES, owner);
        let _ = file.records::<pack::DeviceValue<'_>>(section::DEVICE_VALUES, owner);
        let _ = file.records::<pack::Module<'_>>(section::MODULES, owner);
        if let Ok(memory) = file.record::<Memory>(section::MEMORY, owner) {
            let _ = (memory.work.bytes(u32::MAX, 4096), memory.work.plus(&memory.maps));
        }
        if e.id == section::PROGRAMS {
            link(&file, owner);
        }
    }
}

fn link(file: &File<'_>, owner: u16) {
    let Ok(programs) = file.records::<Program<'_>>(section::PROGRAMS, owner) else { return };
    let [functions, insns, fixups] = [section::FUNCTIONS, section::INSNS, section::FIXUPS]
        .map(|id| file.section(id, owner).unwrap_or_default());
    // what a loader does as it reads them
    if [(section::FUNCTIONS, functions), (section::FIXUPS, fixups)]
        .iter()
        .any(|(id, b)| pack::check(*id, b).is_err())
    {
        return;
    }
    let parts = Parts {
        functions: pack::Checked::new(functions, section::FUNCTIONS),
        insns,
        fixups: pack::Checked::new(fixups, section::FIXUPS),
        endian: corelet_core::Endian::Little,
    };
    let (mut placed, mut out) = ([Placed::default(); 16], [0; 16384]);
    for program in programs.iter().take(16) {
        let fd = |map: u16| (map < 100).then_some(i32::from(map) + 3);
        if let Ok((insns, functions)) = parts.link(program, &fd, &mut placed, &mut out) {
            assert!(insns * 8 <= out.len() && functions <= placed.len());
        }
    }
}

/// A kernel: whatever wraps it, its types, identity and configuration.
pub fn image(data: &[u8]) {
    let Ok(kernel) =
        Kernel::parse(data.to_vec(), IMAGE_LIMIT, &mut |_, bytes| assert!(bytes <= IMAGE_LIMIT + 1))
    else {
        return;
    };
    let _ = (kernel.format(), kernel.identity(), kernel.remarks(), kernel.ikconfig());
    if let Ok(btf) = kernel.btf() {
        // what is found by its header need not be whole
        let _ = OwnedBtf::from_bytes(btf.to_vec());
    }
}

/// A manifest, and a declaration in C.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Manifest::parse("fuzz.toml", text);
    if let Ok(declared) = decl::parse(text) {
        std::hint::black_box(&declared);
    }
}

/// Events and results of types that come with them, as text and as JSON, which must be JSON.
pub fn event(data: &[u8]) {
    let (types, rest) = split(data);
    let mut index = vec![0; Btf::count(types).unwrap_or(0)];
    let Ok(btf) = Btf::parse(types, &mut index) else { return };
    let (hints, record) = rest.split_at(rest.len() / 4);
    let mut buf = vec![0; 1 << 16];
    let roots = btf.own_types().filter(|t| !matches!(t.kind(), Kind::FuncProto | Kind::Func)).take(8);
    for id in roots.map(|t| t.id).chain([TypeId::VOID]) {
        for style in [Style::Text, Style::Json] {
            for hints in [&[], hints] {
                let printer = Printer::new(&btf, hints, style);
                let mut out = Out::new(&mut buf);
                printer.event(&mut out, "event", id, record);
                check_line(&out, style);
                for how in [
                    How::Entries,
                    How::Counters { labels: id },
                    How::Log2 { offset: u32::from(record.first().copied().unwrap_or(0)), slots: 8 },
                ] {
                    let result = ResultMap { map: 0, name: "result", offset: 0, type_id: id, how };
                    let mut out = Out::new(&mut buf);
                    let (key, value) = record.split_at(record.len().min(8));
                    printer.clipped(16).result(&mut out, &result, id, key, value);
                    check_line(&out, style);
                    let _ = add_cpu(&btf, &result, &mut value.to_vec(), value);
                }
            }
        }
    }
}

fn check_line(out: &Out<'_>, style: Style) {
    if style == Style::Json && !out.is_full() {
        let line = std::str::from_utf8(out.bytes()).expect("JSON is UTF-8");
        assert!(line.ends_with("}\n"), "{line}");
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}
