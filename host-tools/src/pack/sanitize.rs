//! The BTF of an object as an old kernel takes it: kinds that the kernel does not know stand as others of the same length, as
//! libbpf's `bpf_object__sanitize_btf` does it. Ids and strings stay, so that maps, functions and lines still mean the same.
//!
//! What libbpf leaves alone and kernels before 5.0 refuse, structs with the kind flag, is rewritten too: their bitfields
//! become bytes. The loader hands this BTF to the kernel and keeps the other for relocation and printing.

use anyhow::{Context, Result};
use corelet_core::Endian;
use corelet_core::btf::{Btf, Kind};

/// A kernel's version as `KERNEL_VERSION(major, minor, 0)`, of which `LINUX_KERNEL_VERSION` has the patch too.
const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor << 8
}

/// Since when kernels know `struct btf_type`'s kind flag.
const KIND_FLAG: u32 = version(5, 0);
/// Since when a FUNC may say that it is global.
const GLOBAL_FUNC: u32 = version(5, 6);
/// Since when an enum may say by its kind flag that it is signed.
const SIGNED_ENUM: u32 = version(6, 0);

/// Since when kernels know `kind`: include/uapi/linux/btf.h of each series.
fn since(kind: Kind) -> u32 {
    match kind {
        Kind::Func | Kind::FuncProto => version(5, 0),
        Kind::Var | Kind::Datasec => version(5, 2),
        Kind::Float => version(5, 13),
        Kind::DeclTag => version(5, 16),
        Kind::TypeTag => version(5, 17),
        Kind::Enum64 => version(6, 0),
        _ => 0,
    }
}

/// `btf` as a kernel of `release` takes it (a number as `LINUX_KERNEL_VERSION`); empty where it takes it as it is.
pub(super) fn sanitized(btf: &Btf<'_>, bytes: &[u8], release: u32) -> Result<Vec<u8>> {
    let mut out = Words { bytes: bytes.to_vec(), endian: btf.endian() };
    let header = out.get(4)? as usize;
    let types = header + out.get(8)? as usize;
    let placeholder = Placeholder {
        // a name that is surely an identifier: that of the first integer
        name: btf.own_types().find(|t| t.kind() == Kind::Int).map_or(0, |t| t.name_off),
        byte: btf.id_end(),
    };
    let mut at = types;
    for t in btf.own_types() {
        let (fixed, each) = t.kind().trailing();
        let trailing = (fixed + each * t.vlen() as usize) / 4;
        if release < since(t.kind()) {
            replace(&mut out, at, t.kind(), t.vlen(), &placeholder)?;
        } else if t.kind().is_composite() && t.kflag() && release < KIND_FLAG {
            out.put(at + 4, info(t.kind(), t.vlen()))?;
            for (member, place) in t.members().zip((at + 12..).step_by(12)) {
                let bitfield = member.bitfield_size != 0;
                if bitfield {
                    out.put(place + 4, placeholder.byte)?;
                }
                out.put(place + 8, if bitfield { member.bit_offset & !7 } else { member.bit_offset })?;
            }
        } else if t.kind() == Kind::Func && t.vlen() == 1 && release < GLOBAL_FUNC {
            out.put(at + 4, info(t.kind(), 0))?;
        } else if t.kind() == Kind::Enum && t.kflag() && release < SIGNED_ENUM {
            out.put(at + 4, info(t.kind(), t.vlen()))?;
        }
        at += 12 + 4 * trailing;
    }
    if out.bytes == bytes {
        return Ok(Vec::new());
    }
    out.append_byte(at, &placeholder)?;
    Ok(out.bytes)
}

/// What stands in for what is gone.
struct Placeholder {
    /// Offset of a name.
    name: u32,
    /// Id of an integer of one byte, added behind all types.
    byte: u32,
}

/// Writes another kind over the type at `at`, of the same length.
fn replace(out: &mut Words, at: usize, kind: Kind, vlen: u32, placeholder: &Placeholder) -> Result<()> {
    let elements = |each: usize| (at + 12..).step_by(each).take(vlen as usize);
    match kind {
        // integers of one byte
        Kind::Var | Kind::DeclTag => {
            out.put(at, placeholder.name)?;
            out.put(at + 4, info(Kind::Int, 0))?;
            out.put(at + 8, 1)?;
            out.put(at + 12, 8)
        }
        // a struct with a member for each variable
        Kind::Datasec => {
            out.put(at, 0)?;
            out.put(at + 4, info(Kind::Struct, vlen))?;
            for place in elements(12) {
                let (variable, offset) = (out.get(place)?, out.get(place + 4)?);
                out.put(place, placeholder.name)?;
                out.put(place + 4, variable)?;
                out.put(place + 8, offset.saturating_mul(8))?;
            }
            Ok(())
        }
        Kind::Func => out.put(at + 4, info(Kind::Typedef, 0)),
        Kind::FuncProto => {
            out.put(at + 4, info(if vlen == 0 { Kind::Struct } else { Kind::Enum }, vlen))?;
            out.put(at + 8, 4)?;
            elements(8).try_for_each(|place| out.put(place, placeholder.name))
        }
        Kind::Float => {
            out.put(at, 0)?;
            out.put(at + 4, info(Kind::Struct, 0))
        }
        Kind::TypeTag => {
            out.put(at, 0)?;
            out.put(at + 4, info(Kind::Const, 0))
        }
        // a union with a member for each enumerator
        Kind::Enum64 => {
            out.put(at + 4, info(Kind::Union, vlen))?;
            for place in elements(12) {
                out.put(place + 4, placeholder.byte)?;
                out.put(place + 8, 0)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `struct btf_type.info` without the kind flag.
fn info(kind: Kind, vlen: u32) -> u32 {
    (kind as u32) << 24 | vlen
}

/// BTF as words of its byte order.
struct Words {
    bytes: Vec<u8>,
    endian: Endian,
}

impl Words {
    fn get(&self, at: usize) -> Result<u32> {
        let word = self.bytes.get(at..at + 4).context("the object's types end early")?;
        Ok(self.endian.u32(word.try_into()?))
    }

    fn put(&mut self, at: usize, value: u32) -> Result<()> {
        let endian = self.endian;
        let word = self.bytes.get_mut(at..at + 4).context("the object's types end early")?;
        word.copy_from_slice(&of_order(endian, value));
        Ok(())
    }

    /// Adds the placeholder's integer at `end`, where the types end; the strings move behind it.
    fn append_byte(&mut self, end: usize, placeholder: &Placeholder) -> Result<()> {
        let endian = self.endian;
        let record = [placeholder.name, info(Kind::Int, 0), 1, 8].map(|word| of_order(endian, word)).concat();
        let added = record.len() as u32;
        self.bytes.splice(end..end, record);
        let (type_len, string_off) = (self.get(12)?, self.get(16)?);
        self.put(12, type_len + added)?;
        self.put(16, string_off + added)
    }
}

fn of_order(endian: Endian, value: u32) -> [u8; 4] {
    match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::OwnedBtf;
    use crate::subset::BtfWriter;

    /// One type of every kind that some kernel did not know, and structs, enums and functions with flags.
    fn every_kind(endian: Endian) -> OwnedBtf {
        let mut w = BtfWriter::new(endian);
        let int = w.push("int", Kind::Int, false, 0, 4, &[32]);
        let proto = {
            let name = w.string("argument");
            w.push("", Kind::FuncProto, false, 1, int.0, &[name, int.0])
        };
        w.push("none", Kind::FuncProto, false, 0, 0, &[]);
        w.push("function", Kind::Func, false, 1, proto.0, &[]);
        let var = w.push("variable", Kind::Var, false, 0, int.0, &[1]);
        w.push(".data", Kind::Datasec, false, 1, 8, &[var.0, 4, 4]);
        w.push("double", Kind::Float, false, 0, 8, &[]);
        w.push("a:tag", Kind::DeclTag, false, 0, var.0, &[u32::MAX]);
        w.push("user", Kind::TypeTag, false, 0, int.0, &[]);
        let one = w.string("ONE");
        w.push("big", Kind::Enum64, true, 1, 8, &[one, 1, 2]);
        w.push("small", Kind::Enum, true, 1, 4, &[one, 1]);
        let (plain, bits) = (w.string("plain"), w.string("bits"));
        w.push("s", Kind::Struct, true, 2, 8, &[plain, int.0, 0, bits, int.0, 3 << 24 | 35]);
        OwnedBtf::from_bytes(w.finish()).unwrap()
    }

    fn of(btf: &OwnedBtf, release: u32) -> OwnedBtf {
        OwnedBtf::from_bytes(sanitized(&btf.view(), btf.bytes(), release).unwrap()).unwrap()
    }

    #[test]
    fn a_kernel_is_given_no_kind_that_it_does_not_know() {
        for endian in [Endian::Little, Endian::Big] {
            let btf = every_kind(endian);
            assert!(sanitized(&btf.view(), btf.bytes(), version(6, 0)).unwrap().is_empty());
            for release in [version(4, 19), version(5, 1), version(5, 4), version(5, 10), version(5, 19)] {
                let old = of(&btf, release);
                assert_eq!(old.view().endian(), endian);
                assert_eq!(old.view().id_end(), btf.view().id_end() + 1, "one placeholder behind all types");
                for (was, is) in btf.view().own_types().zip(old.view().own_types()) {
                    assert!(since(is.kind()) <= release, "{release:#x}: {:?}", is.kind());
                    let same = release >= since(was.kind());
                    assert_eq!(same, was.kind() == is.kind(), "{release:#x}: {:?}", was.kind());
                    let flag = if is.kind().is_composite() { KIND_FLAG } else { SIGNED_ENUM };
                    assert!(!is.kflag() || release >= flag, "{release:#x}: {:?}", is.kind());
                    assert!(is.kind() != Kind::Func || is.vlen() == 0 || release >= GLOBAL_FUNC);
                }
            }
        }
    }

    #[test]
    fn bitfields_of_kernels_without_them_are_bytes() {
        let old = of(&every_kind(Endian::Little), version(4, 19));
        let view = old.view();
        let members: Vec<_> = view
            .find("s", Kind::Struct)
            .unwrap()
            .members()
            .map(|m| (m.bit_offset, m.bitfield_size))
            .collect();
        assert_eq!(members, [(0, 0), (32, 0)]);
        let byte = view.own_types().last().unwrap();
        assert_eq!((byte.kind(), byte.size()), (Kind::Int, 1));
    }

    #[test]
    fn strings_stay_where_they_are() {
        let btf = every_kind(Endian::Little);
        let old = of(&btf, version(5, 10));
        let name = |b: &OwnedBtf| b.view().find("s", Kind::Struct).map(|t| (t.name_off, t.id));
        assert_eq!(name(&btf), name(&old));
        assert_eq!(btf.view().string_end(), old.view().string_end());
    }
}
