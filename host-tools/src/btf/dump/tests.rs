//! The printer on BTF made by hand; whole kernels are the tests crate's.

use super::*;
use crate::btf::OwnedBtf;

/// Builds little-endian BTF: each type as its three words and what trails them, names by offset in `strings`.
pub(super) struct Builder {
    types: Vec<u32>,
    strings: Vec<u8>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { types: Vec::new(), strings: vec![0] }
    }

    pub(super) fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        at
    }

    pub(super) fn ty(&mut self, name: &str, kind: Kind, vlen: usize, size_or_type: u32, trailing: &[u32]) {
        let name = self.name(name);
        self.types.extend([name, (kind as u32) << 24 | vlen as u32, size_or_type]);
        self.types.extend(trailing);
    }

    pub(super) fn int(&mut self, name: &str, size: u32, signed: u32) {
        self.ty(name, Kind::Int, 0, size, &[(signed << 24) | (size * 8)]);
    }

    /// Members are name, type, bit offset and bits.
    pub(super) fn composite(&mut self, name: &str, kind: Kind, size: u32, members: &[(&str, u32, u32, u32)]) {
        let mut trailing = Vec::new();
        for &(name, ty, offset, bits) in members {
            trailing.extend([self.name(name), ty, bits << 24 | offset]);
        }
        let at = self.types.len() + 1;
        self.ty(name, kind, members.len(), size, &trailing);
        self.types[at] |= 1 << 31;
    }

    /// The types, with pointers of so many bytes.
    pub(super) fn btf(self, pointer_size: u8) -> OwnedBtf {
        let len = self.types.len() as u32 * 4;
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, len, len, self.strings.len() as u32].into_iter().chain(self.types) {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.strings);
        OwnedBtf::from_bytes(bytes).unwrap().with_pointer_size(pointer_size)
    }

    fn text(self, pointer_size: u8, types: &[&str]) -> String {
        let btf = self.btf(pointer_size);
        let types = types.iter().map(|&name| name.to_owned()).collect();
        let text = to_c(&btf.view(), &Options { types, asserts: false });
        text.map_or_else(|e| format!("{e:#}"), |text| body(&text).to_owned())
    }
}

/// What stands between the pragmas.
pub(super) fn body(text: &str) -> &str {
    text.strip_prefix(HEAD).and_then(|text| text.strip_suffix(TAIL)).unwrap()
}

const INT: u32 = 1;

fn with_int() -> Builder {
    let mut b = Builder::new();
    b.int("int", 4, 1);
    b
}

#[test]
fn gaps_and_bitfields_come_to_lie_where_the_btf_says() {
    let mut b = with_int();
    b.composite(
        "x",
        Kind::Struct,
        24,
        &[("a", INT, 0, 3), ("b", INT, 8, 4), ("c", INT, 32, 0), ("d", INT, 128, 0)],
    );
    assert_eq!(
        b.text(8, &[]),
        "\nstruct x {\n\tint a: 3;\n\tlong: 5;\n\tint b: 4;\n\tint c;\n\tlong: 64;\n\tint d;\n\tlong: 32;\n};\n"
    );
}

#[test]
fn padding_of_anonymous_members_has_names_of_its_own() {
    let mut b = with_int();
    b.composite("", Kind::Struct, 192, &[("a", INT, 0, 0)]);
    b.composite("", Kind::Struct, 192, &[("b", INT, 0, 0)]);
    b.composite("x", Kind::Struct, 384, &[("", 2, 0, 0), ("", 3, 192 * 8, 0)]);
    let text = b.text(8, &["x"]);
    for pad in ["\tint a;\n\t\tunsigned char ___pad_0[188];", "\tint b;\n\t\tunsigned char ___pad_1[188];"] {
        assert!(text.contains(pad), "{text}");
    }
}

#[test]
fn packed_only_where_alignment_is_broken() {
    let mut b = with_int();
    b.int("char", 1, 1);
    b.composite("tight", Kind::Struct, 5, &[("a", 2, 0, 0), ("b", INT, 8, 0)]);
    b.composite("loose", Kind::Struct, 8, &[("a", 2, 0, 0), ("b", INT, 32, 0)]);
    assert_eq!(
        b.text(8, &[]),
        "\nstruct tight {\n\tchar a;\n\tint b;\n} __attribute__((packed));\n\
         \nstruct loose {\n\tchar a;\n\tint b;\n};\n"
    );
}

#[test]
fn a_32_bit_kernel_keeps_its_integers_and_not_the_layout_around_pointers() {
    let mut b = Builder::new();
    b.int("long int", 4, 1);
    b.ty("", Kind::Ptr, 0, 0, &[]);
    b.composite("key", Kind::Struct, 8, &[("a", 1, 0, 0)]);
    b.composite("x", Kind::Struct, 12, &[("p", 2, 0, 0), ("a", 1, 64, 0)]);
    assert_eq!(
        b.text(4, &[]),
        "\nstruct key {\n\tint a;\n\tlong: 32;\n};\n\nstruct x {\n\tvoid *p;\n\tint a;\n};\n"
    );
}

#[test]
fn declarators_read_inside_out() {
    let mut b = with_int();
    b.ty("", Kind::FuncProto, 2, INT, &[0, 4, 0, 0]); // 2: int (struct s *, ...)
    b.ty("", Kind::Ptr, 0, 2, &[]); // 3
    b.ty("", Kind::Ptr, 0, 5, &[]); // 4: const struct s *
    b.ty("", Kind::Const, 0, 7, &[]); // 5
    b.ty("", Kind::Array, 0, 0, &[3, INT, 2]); // 6: pointer to function [2]
    b.composite("s", Kind::Struct, 16, &[("f", 6, 0, 0)]); // 7
    b.ty("", Kind::Array, 0, 0, &[INT, INT, 3]); // 8
    b.ty("", Kind::Ptr, 0, 8, &[]); // 9
    b.ty("rows", Kind::Typedef, 0, 9, &[]);
    assert_eq!(
        b.text(8, &[]),
        "\nstruct s {\n\tint (*f[2])(const struct s *, ...);\n};\n\ntypedef int (*rows)[3];\n"
    );
}

#[test]
fn holders_follow_what_they_hold_and_pointees_are_declared() {
    let mut b = with_int();
    b.composite("outer", Kind::Struct, 8, &[("in", 3, 0, 0)]);
    b.composite("inner", Kind::Struct, 8, &[("up", 4, 0, 0)]);
    b.ty("", Kind::Ptr, 0, 2, &[]);
    b.composite("other", Kind::Struct, 4, &[("a", INT, 0, 0)]);
    assert_eq!(
        b.text(8, &["struct outer"]),
        "\nstruct outer;\n\nstruct inner {\n\tstruct outer *up;\n};\n\nstruct outer {\n\tstruct inner in;\n};\n"
    );
}

#[test]
fn enums_have_their_size_and_sign() {
    let mut b = with_int();
    let (one, two) = (b.name("ONE"), b.name("TWO"));
    b.ty("plain", Kind::Enum, 1, 4, &[one, 1]);
    b.ty("byte", Kind::Enum, 1, 1, &[one, 200]);
    b.ty("wide", Kind::Enum64, 1, 8, &[two, 0, 0x8000_0000]);
    b.ty("later", Kind::Enum, 0, 4, &[]);
    assert_eq!(
        b.text(8, &[]),
        "\nenum plain {\n\tONE = 1,\n};\n\nenum byte : unsigned char {\n\tONE___2 = 200,\n};\n\
         \nenum wide {\n\tTWO = 9223372036854775808ULL,\n};\n\nenum later : unsigned int;\n"
    );
}

#[test]
fn impossible_types_are_errors() {
    let mut b = with_int();
    b.composite("a", Kind::Struct, 8, &[("b", 3, 0, 0)]);
    b.composite("b", Kind::Struct, 8, &[("a", 2, 0, 0)]);
    assert!(b.text(8, &[]).contains("each need the other"));

    let mut b = with_int();
    b.composite("", Kind::Struct, 8, &[("self", 2, 0, 0)]);
    b.ty("loop", Kind::Typedef, 0, 2, &[]);
    assert!(b.text(8, &[]).contains("contains itself"));

    let mut b = with_int();
    b.composite("sock_common", Kind::Struct, 0, &[]);
    assert_eq!(b.text(8, &["sock"]), "no type is called sock; did you mean sock_common?");
}
