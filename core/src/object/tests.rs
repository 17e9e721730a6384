//! A hand-made object in both byte orders: everything the view shows of it, and damage at every place.

use super::*;
use crate::elf::testing::{Builder, Sym};
use crate::elf::{
    R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, SHF_EXECINSTR, SHT_PROGBITS, STB_GLOBAL, STB_LOCAL, STB_WEAK,
    STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION,
};
use crate::id::TypeId;
use crate::insn::{CALL, Insn, LD_IMM64};
use std::vec;
use std::vec::Vec;

const NO_INSN: Insn = Insn { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
const EXIT: Insn = Insn { code: 0x95, ..NO_INSN };

fn call(imm: i32) -> Insn {
    Insn { code: CALL, src: 1, imm, ..NO_INSN }
}

fn load(imm: i32) -> [Insn; 2] {
    [Insn { code: LD_IMM64, dst: 1, imm, ..NO_INSN }, NO_INSN]
}

fn code(e: Endian, insns: &[Insn]) -> Vec<u8> {
    insns.iter().flat_map(|i| i.encode(e)).collect()
}

/// Names of the sample's types and sections, and where each is.
const STRINGS: &str = "\0int\0type\0max_entries\0key\0value\0m\0.maps\0g\0s\0.data\0kf\0CONFIG_X\0.ksyms\0.kconfig\0\
                       tp/a/b\0";

fn name(name: &str) -> u32 {
    let mut at = 0;
    for s in STRINGS.split('\0') {
        if s == name {
            return at;
        }
        at += s.len() as u32 + 1;
    }
    unreachable!("{name}")
}

/// A blob of `header` words behind the magic, version and length, then `body` and `tail`.
fn blob(e: Endian, header: &[u32], body: &[u32], tail: &str) -> Vec<u8> {
    let mut out = e.from_u16(0xeb9f).to_vec();
    out.extend([1, 0]);
    let len = [8 + 4 * header.len() as u32];
    out.extend(len.iter().chain(header).chain(body).flat_map(|&w| e.from_u32(w)));
    out.extend(tail.bytes());
    out
}

fn btf(e: Endian) -> Vec<u8> {
    let kind = |k: u32, vlen: u32| k << 24 | vlen;
    let (int, array, ptr, structure, var, datasec) = (1, 3, 2, 4, 14, 15);
    let types: &[&[u32]] = &[
        &[name("int"), kind(int, 0), 4, 1 << 24 | 32],
        &[0, kind(array, 0), 0, 1, 1, 1],
        &[0, kind(ptr, 0), 2],
        &[0, kind(array, 0), 0, 1, 1, 16],
        &[0, kind(ptr, 0), 4],
        &[0, kind(ptr, 0), 1],
        &[0, kind(structure, 4), 32],
        &[name("type"), 3, 0, name("max_entries"), 5, 64, name("key"), 6, 128, name("value"), 6, 192],
        &[name("m"), kind(var, 0), 7, 1],
        &[name(".maps"), kind(datasec, 1), 0, 8, 0, 32],
        &[name("g"), kind(var, 0), 1, 1],
        &[name("s"), kind(var, 0), 1, 0],
        // As clang leaves it: size 0, the global variable at 0, the static one where it is.
        &[name(".data"), kind(datasec, 2), 0, 10, 0, 4, 11, 4, 4],
        &[0, kind(13, 0), 1],
        &[name("kf"), kind(12, 2), 13],
        &[name("CONFIG_X"), kind(var, 0), 1, 2],
        &[name(".ksyms"), kind(datasec, 1), 0, 14, 0, 0],
        &[name(".kconfig"), kind(datasec, 1), 0, 15, 0, 4],
    ];
    let types = types.concat();
    let (type_len, str_len) = (4 * types.len() as u32, STRINGS.len() as u32);
    blob(e, &[0, type_len, type_len, str_len], &types, STRINGS)
}

/// Relocations at the first instructions of q and of p.
fn btf_ext(e: Endian) -> Vec<u8> {
    let relos = [16, name("tp/a/b"), 2, 96, 7, 0, 8, 0, 7, 0, 2];
    blob(e, &[0, 0, 0, 0, 0, 4 * relos.len() as u32], &relos, "")
}

/// `.text` with sub and the static st; `tp/a/b` with p and q; `.data` with s, then g. A change can be made on the way.
fn sample(e: Endian, change: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let mut b = Builder::new(e);
    let text = b.section(".text", SHT_PROGBITS, SHF_EXECINSTR, code(e, &[call(1), EXIT, EXIT]));
    let loads = [load(0), load(4), load(0)].concat();
    let calls = [call(-1), call(-1), call(1)];
    let programs = [&loads[..], &calls, &load(16), &[EXIT, EXIT]].concat();
    let tp = b.section("tp/a/b", SHT_PROGBITS, SHF_EXECINSTR, code(e, &programs));
    let maps = b.section(".maps", SHT_PROGBITS, 3, vec![0; 32]);
    let data = b.section(".data", SHT_PROGBITS, 3, vec![7; 12]);
    b.section("license", SHT_PROGBITS, 3, b"GPL\0".to_vec());
    b.section(".BTF", SHT_PROGBITS, 0, btf(e));
    b.section(".BTF.ext", SHT_PROGBITS, 0, btf_ext(e));
    let text_section = b.symbol(Sym("", text, 0, 0, STT_SECTION, STB_LOCAL));
    let data_section = b.symbol(Sym("", data, 0, 0, STT_SECTION, STB_LOCAL));
    b.symbol(Sym("q", tp, 96, 8, STT_FUNC, STB_GLOBAL));
    b.symbol(Sym("p", tp, 0, 96, STT_FUNC, STB_GLOBAL));
    b.symbol(Sym("st", text, 16, 8, STT_FUNC, STB_LOCAL));
    let sub = b.symbol(Sym("sub", text, 0, 16, STT_FUNC, STB_GLOBAL));
    let m = b.symbol(Sym("m", maps, 0, 32, STT_OBJECT, STB_GLOBAL));
    b.symbol(Sym("g", data, 8, 4, STT_OBJECT, STB_GLOBAL));
    let config = b.symbol(Sym("CONFIG_X", 0, 0, 0, STT_NOTYPE, STB_GLOBAL));
    let kf = b.symbol(Sym("kf", 0, 0, 0, STT_NOTYPE, STB_WEAK));
    b.rels(
        tp,
        &[
            (0, m, R_BPF_64_64),
            (16, data_section, R_BPF_64_64),
            (32, config, R_BPF_64_64),
            (48, kf, R_BPF_64_32),
            (56, sub, R_BPF_64_32),
            (64, text_section, R_BPF_64_32),
            (72, text_section, R_BPF_64_64),
        ],
    );
    change(&mut b);
    b.build()
}

/// Walks all that an object has; how many items there were.
fn walk(file: &[u8]) -> Result<usize> {
    let mut index = vec![0; Object::type_count(file)?];
    let o = Object::parse(file, &mut index)?;
    let mut n = o.functions().count();
    for section in o.data_sections() {
        for v in o.variables(&section?) {
            v?;
            n += 1;
        }
    }
    for item in o.maps().map(|r| r.map(drop)).chain(o.map_values().map(|r| r.map(drop))) {
        item?;
        n += 1;
    }
    for item in o.externs().map(|r| r.map(drop)).chain(o.references().map(|r| r.map(drop))) {
        item?;
        n += 1;
    }
    for item in o.core_relos() {
        item?;
        n += 1;
    }
    o.license()?;
    o.kern_version()?;
    Ok(n)
}

#[test]
fn an_object_in_both_byte_orders() {
    for e in [Endian::Little, Endian::Big] {
        let file = sample(e, |_| {});
        let mut index = vec![0; Object::type_count(&file).unwrap()];
        let o = Object::parse(&file, &mut index).unwrap();
        assert_eq!((o.endian(), o.license().unwrap(), o.kern_version().unwrap()), (e, Some("GPL"), 0));

        let functions: Vec<_> =
            o.functions().map(|f| (f.name, f.start, f.insn_count(), f.global, f.entry)).collect();
        let expected = [
            ("sub", 0, 2, true, false),
            ("st", 16, 1, false, false),
            ("p", 0, 12, true, true),
            ("q", 96, 1, true, true),
        ];
        assert_eq!(functions, expected);

        let maps: Vec<_> = o.maps().map(Result::unwrap).collect();
        let spec = MapSpec {
            map_type: 1,
            max_entries: 16,
            key_size: 4,
            value_size: 4,
            key_type: TypeId(1),
            value_type: TypeId(1),
            ..MapSpec::default()
        };
        assert_eq!((maps.len(), maps[0].name, maps[0].ty, maps[0].spec), (1, "m", TypeId(8), spec));

        let data: Vec<_> = o.data_sections().map(Result::unwrap).collect();
        assert_eq!((data.len(), data[0].role, data[0].size), (1, DataRole::Data, 12));
        let variables = o.variables(&data[0]).map(Result::unwrap);
        assert_eq!(variables.map(|v| (v.name, v.offset)).collect::<Vec<_>>(), [("g", 8), ("s", 4)]);

        let kinds: Vec<_> = o.externs().map(|e| e.unwrap()).map(|e| (e.name, e.weak, e.kind)).collect();
        let config = ExternKind::Kconfig { offset: 0, size: 4, value: KconfigType::Int { signed: true } };
        assert_eq!(kinds, [("CONFIG_X", false, config), ("kf", true, ExternKind::Kfunc)]);

        let references: Vec<_> =
            o.references().map(Result::unwrap).map(|r| (r.function, r.insn, r.to)).collect();
        let expected = [
            (0, 0, Referent::Call { function: 1 }),
            (2, 0, Referent::Map { map: 0 }),
            (2, 2, Referent::Data { section: data[0].section, offset: 4 }),
            (2, 4, Referent::Kconfig { index: 0, offset: 0 }),
            (2, 6, Referent::Kfunc { ty: TypeId(14), weak: true }),
            (2, 7, Referent::Call { function: 0 }),
            (2, 8, Referent::Call { function: 1 }),
            (2, 9, Referent::FunctionAddress { function: 1 }),
        ];
        assert_eq!(references, expected);

        let relos: Vec<_> = o.core_relos().map(Result::unwrap).collect();
        let places: Vec<_> = relos.iter().map(|r| (r.function, r.insn, r.number, r.record.kind)).collect();
        assert_eq!(places, [(3, 0, 0, 8), (2, 0, 1, 2)]);
    }
}

/// What the instructions of a changed sample refer to.
fn references(e: Endian, change: impl FnOnce(&mut Builder)) -> Vec<Reference> {
    let file = sample(e, change);
    let mut index = vec![0; Object::type_count(&file).unwrap()];
    Object::parse(&file, &mut index).unwrap().references().map(Result::unwrap).collect()
}

#[test]
fn early_clangs_relocations_of_calls_mean_the_same() {
    for e in [Endian::Little, Endian::Big] {
        let old = references(e, |b| {
            let rels = &mut b.sections.last_mut().unwrap().data;
            // the words of r_info that hold the type
            let types = rels.chunks_mut(16).map(|r| if e == Endian::Little { &mut r[8] } else { &mut r[15] });
            let of_calls: Vec<_> = types.filter(|t| u32::from(**t) == R_BPF_64_32).collect();
            assert_eq!(of_calls.len(), 3);
            of_calls.into_iter().for_each(|t| *t = R_BPF_64_ABS64 as u8);
        });
        assert_eq!(old, references(e, |_| {}));
    }
}

#[test]
fn a_static_and_a_global_function_can_share_a_name() {
    let e = Endian::Little;
    let change = |b: &mut Builder| b.symbols.iter_mut().filter(|s| s.0 == "st").for_each(|s| s.0 = "sub");
    let file = sample(e, change);
    let mut index = vec![0; Object::type_count(&file).unwrap()];
    let o = Object::parse(&file, &mut index).unwrap();
    let functions: Vec<_> = o.functions().map(|f| (f.index, f.name, f.global)).collect();
    assert_eq!(functions, [(0, "sub", true), (1, "sub", false), (2, "p", true), (3, "q", true)]);
    // a call is of a place and not of a name
    assert_eq!(references(e, change), references(e, |_| {}));
}

/// The fault that walking a changed sample ends with.
fn fault_of(change: impl FnOnce(&mut Builder)) -> Fault {
    match walk(&sample(Endian::Little, change)).unwrap_err() {
        Error::Object { fault, .. } | Error::Extern { fault, .. } => fault,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn broken_objects_are_named() {
    let symbol = |name: &'static str, change: fn(&mut Sym)| {
        fault_of(|b| change(b.symbols.iter_mut().find(|s| s.0 == name).unwrap()))
    };
    assert_eq!(symbol("q", |s| s.3 = 0), Fault::EmptyFunction);
    assert_eq!(symbol("q", |s| s.3 = 16), Fault::LongFunction);
    assert_eq!(symbol("q", |s| s.2 = 92), Fault::UnalignedFunction);
    assert_eq!(symbol("q", |s| s.2 = 88), Fault::OverlappingFunctions);
    assert_eq!(symbol("q", |s| s.5 = STB_LOCAL), Fault::StaticProgram);
    assert_eq!(symbol("m", |s| s.0 = "other"), Fault::UntypedMap);
    assert_eq!(symbol("m", |s| s.5 = STB_LOCAL), Fault::StaticMap);
    assert_eq!(symbol("m", |s| s.3 = 40), Fault::OverlappingMaps);
    assert_eq!(symbol("g", |s| s.0 = "other"), Fault::NoVariableSymbol);
    assert_eq!(symbol("g", |s| s.2 = 10), Fault::OutsideSection);
    assert_eq!(symbol("kf", |s| s.0 = "other"), Fault::NoExternSymbol);
    assert_eq!(symbol("sub", |s| s.2 = 8), Fault::OverlappingFunctions);
    assert_eq!(symbol("st", |s| s.4 = STT_OBJECT), Fault::BadCall);

    let rel = |change: fn(&mut [u8])| fault_of(|b| change(&mut b.sections.last_mut().unwrap().data));
    assert_eq!(rel(|r| r[0] = 4), Fault::MisplacedReloc);
    assert_eq!(rel(|r| r[1] = 1), Fault::MisplacedReloc);
    assert_eq!(rel(|r| r[8] = 3), Fault::UnknownRelocType);
    assert_eq!(rel(|r| r[8] = 10), Fault::BadRelocInsn);
    assert_eq!(rel(|r| r[12] = 0), Fault::Uninitialised);
}

#[test]
fn symbols_that_wrap_or_pass_their_section_are_named() {
    let symbol = |name: &str, value: Option<u64>, size: Option<u64>| {
        fault_of(|b| {
            let s = b.symbols.iter_mut().find(|s| s.0 == name).unwrap();
            (s.2, s.3) = (value.unwrap_or(s.2), size.unwrap_or(s.3));
        })
    };
    // multiples of an instruction's 8 bytes that pass the section, or come back to its start in 64 or 32 bits
    for wrapping in [104, 1 << 32, 1 << 63, u64::MAX - 7] {
        assert_eq!(symbol("q", Some(wrapping), None), Fault::LongFunction, "{wrapping:#x}");
        assert_eq!(symbol("q", None, Some(wrapping)), Fault::LongFunction, "{wrapping:#x}");
        assert_eq!(symbol("m", Some(wrapping), None), Fault::OverlappingMaps, "{wrapping:#x}");
        assert_eq!(symbol("m", None, Some(wrapping)), Fault::OverlappingMaps, "{wrapping:#x}");
        assert_eq!(symbol("g", Some(wrapping), None), Fault::OutsideSection, "{wrapping:#x}");
    }
    assert_eq!(symbol("q", Some(8), Some(u64::MAX - 7)), Fault::LongFunction);
    // functions that start together, that reach into the next one, that hold it
    assert_eq!(symbol("q", Some(0), None), Fault::OverlappingFunctions);
    assert_eq!(symbol("sub", None, Some(24)), Fault::OverlappingFunctions);
    assert_eq!(symbol("p", None, Some(104)), Fault::OverlappingFunctions);
    // sections that are not there
    for section in [99, 0xff00, 0xfff1, 0xffff] {
        let gone = |name: &str| fault_of(|b| b.symbols.iter_mut().find(|s| s.0 == name).unwrap().1 = section);
        assert_eq!(gone("sub"), Fault::BadCall, "{section:#x}");
        assert_eq!(gone("g"), Fault::NoVariableSymbol, "{section:#x}");
    }
}

#[test]
fn relocations_at_places_that_no_instruction_starts_at_are_named() {
    // the first two relocations of p: a load of 16 bytes at 0, and one at 16
    let offset = |number: usize, at: u64| {
        fault_of(|b| {
            let rels = &mut b.sections.last_mut().unwrap().data;
            rels[16 * number..16 * number + 8].copy_from_slice(&at.to_le_bytes());
        })
    };
    for at in [1, 7, 8, 15] {
        assert_eq!(offset(0, at), Fault::MisplacedReloc, "in a load, at {at}");
    }
    assert_eq!(offset(1, 0), Fault::MisplacedReloc, "two at one instruction");
    for at in [104, 1 << 32, 1 << 63, u64::MAX - 7, u64::MAX] {
        assert_eq!(offset(0, at), Fault::MisplacedReloc, "behind the section, at {at:#x}");
    }
    let symbol = |number: u32| {
        walk(&sample(Endian::Little, |b| {
            b.sections.last_mut().unwrap().data[12..16].copy_from_slice(&number.to_le_bytes());
        }))
    };
    for index in [11, u32::MAX] {
        assert_eq!(symbol(index), Err(Error::NoSuchIndex { part: crate::error::Part::Symbols, index }));
    }
    // in any order they mean the same
    let backwards = references(Endian::Little, |b| {
        let rels = &mut b.sections.last_mut().unwrap().data;
        *rels = rels.chunks(16).rev().flatten().copied().collect();
    });
    assert_eq!(backwards, references(Endian::Little, |_| {}));
}

#[test]
fn calls_in_circles_are_references_like_others() {
    // st, which sub calls, calls sub
    let e = Endian::Little;
    let found = references(e, |b| b.sections[0].data = code(e, &[call(1), EXIT, call(-3)]));
    let calls: Vec<_> = found.iter().map(|r| (r.function, r.insn, r.to)).take(2).collect();
    assert_eq!(calls, [(0, 0, Referent::Call { function: 1 }), (1, 0, Referent::Call { function: 0 })]);
    assert_eq!(found[2..], references(e, |_| {})[1..]);
}

#[test]
fn no_cut_and_no_flipped_byte_panics() {
    let file = sample(Endian::Little, |_| {});
    for len in 0..file.len() {
        assert!(walk(&file[..len]).is_err(), "cut at {len}");
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut read = 0;
    for _ in 0..20_000 {
        let mut changed = file.clone();
        for _ in 0..2 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            changed[random as usize % file.len()] ^= (random >> 48) as u8;
        }
        read += usize::from(walk(&changed).is_ok());
    }
    assert!(read > 0, "some changes do no harm");
}
