//! What is in a file, for people and as JSON: BPF objects, BTF, packs and target files.
//!
//! One file for each kind of file, each with a report that serialises and a function that writes it as text. The kind is
//! found by the first bytes ([`Kind::of`]), never by the name.

pub mod btf;
pub mod listing;
pub mod map_type;
pub mod object;
pub mod pack;
mod value;

use corelet_core::pack::MAGIC;

/// Bytes that tell what a file is.
pub const HEAD: usize = 20;

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A BPF object: ELF for the machine "BPF".
    Object,
    /// A pack or target file.
    Pack,
    /// Something else, in which there may be a kernel's types: raw BTF, another ELF file, a kernel image.
    Kernel,
}

impl Kind {
    /// The kind of a file whose first [`HEAD`] bytes, or all that it has, are `head`.
    pub fn of(head: &[u8]) -> Kind {
        // e_machine behind e_ident and e_type; EM_BPF, 247, in either byte order
        let is_bpf = |h: &[u8]| matches!(h.get(18..20), Some([247, 0] | [0, 247]));
        if head.starts_with(b"\x7fELF") && is_bpf(head) {
            Kind::Object
        } else if head.starts_with(&MAGIC) {
            Kind::Pack
        } else {
            Kind::Kernel
        }
    }
}

/// What a file is that holds nothing of ours, where its first bytes tell a person.
pub fn looks_like(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return Some("is empty");
    }
    let is_text = head.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    is_text.then_some("is text")
}

/// What is understood, for messages.
pub const UNDERSTOOD: &str =
    "BPF objects, raw BTF, vmlinux and kernel images, packs and target files are understood";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        let elf = |machine: [u8; 2]| [&b"\x7fELF\x02\x01"[..], &[0; 12], &machine].concat();
        assert_eq!(Kind::of(&elf([247, 0])), Kind::Object);
        assert_eq!(Kind::of(&elf([0, 247])), Kind::Object);
        assert_eq!(Kind::of(&elf([62, 0])), Kind::Kernel);
        assert_eq!(Kind::of(&elf([247, 0])[..19]), Kind::Kernel, "cut within its header");
        assert_eq!(Kind::of(&MAGIC), Kind::Pack);
        assert_eq!(Kind::of(b""), Kind::Kernel);
        assert_eq!(
            [&b""[..], b"a b\n", b"\x9f\xeb"].map(looks_like),
            [Some("is empty"), Some("is text"), None]
        );
    }
}
