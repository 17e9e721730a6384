//! Errors as the device says them: one table of forms, filled in without `core::fmt`. `Display` says more, on the PC.
//!
//! The host read the same pack and relocated with the same types before the device did, so that there an error of this crate
//! means a file that was damaged or made to be so.

use super::Error;
use crate::words::{Words, bytes, nth};

/// In the order of [`Error::number`]: `%` and `#` stand for the first and the second field, `@` for the part of the file
/// that the first names. Errors that only the PC meets have none.
static FORMS: [u8; FORM_TEXT.len()] = bytes(FORM_TEXT);
const FORM_TEXT: &str = "\
@ is cut short at byte #: copy the file again|@ begins with #: another kind of file|@: the value at byte # is not allowed|\
@: no proper string at byte #|type % has BTF kind #, unknown to this version|type % does not exist|type % has no size|\
type % is of unexpected kind #|type % has no member #|more than # of limit %|a section is missing (%)|\
@ # has a wrong checksum: copy the file again|critical section % is unknown: use a newer loader|\
format % is newer than this loader|section %: record # does not decode|bad access string at byte %|\
relocation kind % is unknown|type % has no name|ambiguous: types % and # of the kernel give different results|\
not for array elements|an instruction of code % cannot be relocated|the instruction holds %, expected #|\
offset % does not fit the instruction|a load of % bytes does not fit the field|insn % is outside the program|\
||||||||@: no entry #";

/// In the order of [`super::Part`].
static PARTS: [u8; PART_TEXT.len()] = bytes(PART_TEXT);
const PART_TEXT: &str = "ELF,ELF,ELF,ELF,ELF,ELF,BTF header,BTF types,BTF strings,BTF layout,BTF.ext,BTF.ext,BTF.ext,BTF.ext,\
the instructions,the file,the section table,section,event";

impl Error {
    /// Says what is wrong, where, and what to do.
    pub fn brief(self, out: &mut dyn Words) {
        let (a, b) = self.fields();
        let form = nth(&FORMS, b'|', self.number().into()).filter(|form| !form.is_empty());
        let form = form.unwrap_or("not a BPF object");
        let mut rest = form;
        while let Some(at) = rest.bytes().position(|c| matches!(c, b'%' | b'#' | b'@')) {
            out.text(rest.get(..at).unwrap_or(""));
            match rest.as_bytes().get(at) {
                Some(b'%') => out.number(a.into()),
                Some(b'#') => out.number(b.into()),
                _ => out.text(nth(&PARTS, b',', a as usize).unwrap_or("")),
            }
            rest = rest.get(at.saturating_add(1)..).unwrap_or("");
        }
        out.text(rest);
    }

    /// Number of the variant.
    fn number(self) -> u8 {
        match self {
            Error::Truncated { .. } => 0,
            Error::BadMagic { .. } => 1,
            Error::BadValue { .. } => 2,
            Error::BadString { .. } => 3,
            Error::UnknownKind { .. } => 4,
            Error::NoSuchType { .. } => 5,
            Error::NoSize { .. } => 6,
            Error::WrongKind { .. } => 7,
            Error::NoSuchMember { .. } => 8,
            Error::TooMany { .. } => 9,
            Error::NoSection { .. } => 10,
            Error::BadChecksum { .. } => 11,
            Error::UnknownSection { .. } => 12,
            Error::UnknownVersion { .. } => 13,
            Error::BadRecord { .. } => 14,
            Error::BadAccessStr { .. } => 15,
            Error::UnknownReloKind { .. } => 16,
            Error::Anonymous { .. } => 17,
            Error::Ambiguous { .. } => 18,
            Error::NotForArray => 19,
            Error::BadInsn { .. } => 20,
            Error::UnexpectedValue { .. } => 21,
            Error::OffsetTooBig { .. } => 22,
            Error::BadMemSize { .. } => 23,
            Error::NoSuchInsn { .. } => 24,
            Error::ElfClass { .. } => 25,
            Error::ElfMachine { .. } => 26,
            Error::ElfType { .. } => 27,
            Error::Stripped => 28,
            Error::LegacyMaps => 29,
            Error::NoSuchSection { .. } => 30,
            Error::Object { .. } => 31,
            Error::Extern { .. } => 32,
            Error::NoSuchIndex { .. } => 33,
        }
    }

    /// The variant's first two fields; 0 for one that there is not.
    fn fields(self) -> (u32, u32) {
        match self {
            Error::Truncated { part, at: b }
            | Error::BadMagic { part, found: b }
            | Error::BadValue { part, at: b, .. }
            | Error::BadString { part, at: b }
            | Error::NoSuchSection { part, name_off: b }
            | Error::NoSuchIndex { part, index: b } => (part as u32, b),
            Error::UnknownKind { id, kind } | Error::WrongKind { id, kind } => (id.0, kind.into()),
            Error::NoSuchType { id }
            | Error::NoSize { id }
            | Error::Anonymous { id }
            | Error::Extern { id, .. } => (id.0, 0),
            Error::NoSuchMember { id, index } => (id.0, index),
            Error::Ambiguous { first, second } => (first.0, second.0),
            Error::UnexpectedValue { found, expected } => (found, expected),
            Error::TooMany { what, limit } => (what as u32, limit),
            Error::NoSection { what } => (what as u32, 0),
            Error::BadChecksum { part, id } => (part as u32, id.into()),
            Error::BadRecord { id, index } => (id.into(), index),
            Error::Object { section, at, .. } => (section.into(), at),
            Error::UnknownSection { id: a }
            | Error::UnknownVersion { found: a }
            | Error::ElfMachine { found: a }
            | Error::ElfType { found: a } => (a.into(), 0),
            Error::BadAccessStr { at: a }
            | Error::UnknownReloKind { kind: a }
            | Error::OffsetTooBig { value: a }
            | Error::BadMemSize { size: a }
            | Error::NoSuchInsn { insn: a } => (a, 0),
            Error::BadInsn { code: a } | Error::ElfClass { found: a } => (a.into(), 0),
            Error::NotForArray | Error::Stripped | Error::LegacyMaps => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::object::Fault;
    use crate::words::displayed;
    use crate::{Error, Part, TypeId};
    use std::fmt;
    use std::string::ToString;

    struct Brief(Error);

    impl fmt::Display for Brief {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            displayed(f, |out| self.0.brief(out))
        }
    }

    #[test]
    fn words_and_numbers() {
        let brief = |e| Brief(e).to_string();
        let (part, id) = (Part::SectionData, TypeId(9));
        assert_eq!(
            brief(Error::Truncated { part: Part::PackHeader, at: 17 }),
            "the file is cut short at byte 17: copy the file again"
        );
        assert_eq!(
            brief(Error::BadValue { part: Part::BtfTypes, at: 4, found: 8 }),
            "BTF types: the value at byte 4 is not allowed"
        );
        assert_eq!(brief(Error::BadRecord { id: 0x12, index: 3 }), "section 18: record 3 does not decode");
        assert_eq!(brief(Error::NotForArray), "not for array elements");
        assert_eq!(brief(Error::Extern { id, fault: Fault::BadCall }), "not a BPF object");
        assert_eq!(brief(Error::NoSuchIndex { part, index: 1 }), "ELF: no entry 1");
        let last = Error::BadChecksum { part: Part::PackSection, id: 17 };
        assert_eq!(brief(last), "section 17 has a wrong checksum: copy the file again");
    }
}
