//! btf-rs, another parser, on the same BTF: each type, member, element and enumerator as core reads it. Over objects and a
//! kernel's types that compilers wrote, over generated ones in both byte orders, and over split BTF.

use crate::property::generated;
use btf_rs::BtfType;
use corelet_core::btf::Btf;
use corelet_core::{Endian, TypeId};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::btf::modules::{Module, join};
use corelet_host_tools::subset::BtfWriter;
use std::sync::Arc;

/// A type in words, as core reads it.
fn ours(btf: &Btf<'_>, id: u32) -> String {
    let t = btf.ty(TypeId(id)).unwrap();
    let mut out = format!("{} {}", t.kind().name(), btf.name(&t));
    if t.kind().refers_to_type() {
        out += &format!(" of {}", t.target().0);
    } else if t.kind().is_composite() || t.kind().is_enum() || t.int().is_some() {
        out += &format!(" size {}", t.size());
    }
    if let Some(a) = t.array() {
        out += &format!(" {} times {}", a.nelems, a.elem.0);
    }
    for m in t.members() {
        out += &format!(" {}: {} @ {}.{}", btf.string(m.name_off), m.ty.0, m.bit_offset, m.bitfield_size);
    }
    for e in t.enumerators() {
        // btf-rs gives the bits of an enumerator as the file has them
        let value = if t.size() == 8 { e.value } else { e.value & u64::from(u32::MAX) };
        out += &format!(" {} = {value}", btf.string(e.name_off));
    }
    for p in t.params() {
        out += &format!(" ({}: {})", btf.string(p.name_off), p.ty.0);
    }
    for v in t.vars() {
        out += &format!(" {} @ {} + {}", v.ty.0, v.offset, v.size);
    }
    out
}

/// The same as btf-rs reads it.
fn theirs(btf: &btf_rs::Btf, id: u32) -> String {
    use btf_rs::Type;
    let t = btf.resolve_type_by_id(id).unwrap();
    let named = |t: &dyn BtfType| match t.get_name_offset() {
        None | Some(0) => String::new(),
        Some(_) => btf.resolve_name(t).unwrap(),
    };
    let of = |t: &dyn BtfType| t.get_type_id().unwrap_or(0);
    let name = t.as_btf_type().map(named).unwrap_or_default();
    let mut out = format!("{} {name}", t.name().replace('-', "_"));
    match &t {
        Type::Ptr(_)
        | Type::Typedef(_)
        | Type::Volatile(_)
        | Type::Const(_)
        | Type::Restrict(_)
        | Type::Func(_)
        | Type::Var(_)
        | Type::DeclTag(_)
        | Type::TypeTag(_) => out += &format!(" of {}", of(t.as_btf_type().unwrap())),
        Type::FuncProto(p) => {
            out += &format!(" of {}", p.return_type_id());
            for p in &p.parameters {
                out += &format!(" ({}: {})", named(p), of(p));
            }
        }
        Type::Int(i) => out += &format!(" size {}", i.size()),
        Type::Struct(s) | Type::Union(s) => {
            out += &format!(" size {}", s.size());
            for m in &s.members {
                let bits = m.bitfield_size().unwrap_or(0);
                out += &format!(" {}: {} @ {}.{bits}", named(m), of(m), m.bit_offset());
            }
        }
        Type::Enum(e) => {
            out += &format!(" size {}", e.size());
            for m in &e.members {
                out += &format!(" {} = {}", named(m), m.val());
            }
        }
        Type::Enum64(e) => {
            out += &format!(" size {}", e.size());
            for m in &e.members {
                out += &format!(" {} = {}", named(m), m.val());
            }
        }
        Type::Array(a) => out += &format!(" {} times {}", a.len(), of(a)),
        Type::Datasec(d) => {
            for v in &d.variables {
                out += &format!(" {} @ {} + {}", of(v), v.offset(), v.size());
            }
        }
        _ => {}
    }
    out
}

fn compare(ours_btf: &Btf<'_>, theirs_btf: &btf_rs::Btf) -> u32 {
    for id in 1..ours_btf.id_end() {
        assert_eq!(ours(ours_btf, id), theirs(theirs_btf, id), "type {id}");
    }
    assert!(theirs_btf.resolve_type_by_id(ours_btf.id_end()).is_err(), "they have more types");
    ours_btf.id_end() - 1
}

#[test]
fn what_compilers_wrote_is_read_as_btf_rs_does() {
    let mut types = 0;
    for file in [
        "golden/0.1/sample.bpf.o",
        "golden/0.1/kernel.o",
        "../host-tools/tests/progs/sample.bpf.o",
        "../host-tools/tests/progs/unportable.bpf.o",
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let btf = OwnedBtf::open(&path).unwrap();
        types += compare(&btf.view(), &btf_rs::Btf::from_bytes(btf.bytes()).unwrap());
    }
    assert!(types > 150, "{types}");
}

#[test]
fn generated_types_are_read_as_btf_rs_does() {
    let (mut types, mut big) = (0, 0);
    for seed in 1..=100 {
        for btf in generated(seed) {
            types += compare(&btf.view(), &btf_rs::Btf::from_bytes(btf.bytes()).unwrap());
            big += u32::from(btf.view().endian() == Endian::Big);
        }
    }
    assert!(types > 2000 && big > 50, "{types} {big}");
}

#[test]
fn split_types_are_read_as_btf_rs_does() {
    for seed in 1..=30 {
        let [base, own] = generated(seed);
        let mut split = BtfWriter::over(&base.view());
        split.push_split(&own.view(), &Default::default()).unwrap();
        let split = split.finish();
        let their_base = btf_rs::Btf::from_bytes(base.bytes()).unwrap();
        let theirs = btf_rs::Btf::from_split_bytes(&split, &their_base).unwrap();
        let base = Arc::new(base);
        let ours = OwnedBtf::from_split(split.clone(), Arc::clone(&base)).unwrap();
        compare(&ours.view(), &theirs);
        // one module alone, joined to its kernel, stays as it was
        let kernel = OwnedBtf::from_bytes(base.bytes().to_vec()).unwrap();
        let module = Module::of_types("module", split, None);
        compare(&join(kernel.into(), &[module]).unwrap().btf.view(), &theirs);
    }
}
