//! Errors as the device says them: a few words and two numbers. `Display` has the sentences.
//!
//! The host read the same pack and relocated with the same types before the device did, so that there an error of this crate
//! means a file that was damaged or made to be so. The sentences would take the device 4 KB.

use super::Error;
use crate::words::{Words, nth};

/// In the order of [`Error::number`].
const WORDS: &str = "\
cut short,bad magic,value not allowed,bad string,unknown BTF kind,no such type,type without size,wrong kind of type,\
no such member,too many,section missing,wrong checksum,unknown section,newer version,bad record,bad access string,\
unknown relocation,type without name,ambiguous,not for arrays,bad instruction,unexpected value,offset too big,\
bad load size,no such instruction,bad ELF class,bad ELF machine,bad ELF type,stripped,legacy maps,no such section,\
bad object,bad extern,no such index";

impl Error {
    /// Says what is wrong in a few words, and where in two numbers, in the order of the variant's fields.
    pub fn brief(self, out: &mut dyn Words) {
        let (a, b) = self.fields();
        out.text(nth(WORDS, b',', self.number().into()).unwrap_or(""));
        out.text(" (");
        out.number(a.into());
        out.text(", ");
        out.number(b.into());
        out.text(")");
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
        assert_eq!(brief(Error::Truncated { part, at: 17 }), "cut short (5, 17)");
        assert_eq!(brief(Error::BadValue { part, at: 4, found: 8 }), "value not allowed (5, 4)");
        assert_eq!(brief(Error::BadRecord { id: 0x12, index: 3 }), "bad record (18, 3)");
        assert_eq!(brief(Error::NotForArray), "not for arrays (0, 0)");
        assert_eq!(brief(Error::Extern { id, fault: Fault::BadCall }), "bad extern (9, 0)");
        assert_eq!(brief(Error::NoSuchIndex { part, index: 1 }), "no such index (5, 1)");
    }
}
