//! Who a kernel is: what a target in a pack is chosen by (design: the build id first).

use std::fmt;

use corelet_core::Endian;

/// Everything that tells one kernel from another. `None` is "the file does not say", never a guess.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `uname -r`.
    pub release: Option<String>,
    /// `uname -v`.
    pub version: Option<String>,
    /// The GNU note of the kernel, as `/sys/kernel/notes` shows it on the device.
    pub build_id: Option<BuildId>,
    /// The architecture the kernel was built for.
    pub arch: Option<Arch>,
    /// Bytes of a pointer.
    pub pointer_size: Option<u8>,
    /// Byte order.
    pub endianness: Option<Endian>,
    /// Bytes of a page, where the image or the architecture fixes it.
    pub page_size: Option<u32>,
}

/// A build id: 8 to 32 bytes, 20 with GNU ld's default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildId(Vec<u8>);

impl BuildId {
    /// `None` when the length is none that a linker writes (xxhash 8, md5 and uuid 16, sha1 20, sha256 32).
    pub fn new(bytes: &[u8]) -> Option<BuildId> {
        (8..=32).contains(&bytes.len()).then(|| BuildId(bytes.to_vec()))
    }

    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An architecture that Linux runs on, at one pointer width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum Arch {
    X86,
    X86_64,
    Arm,
    Aarch64,
    Riscv32,
    Riscv64,
    Mips,
    Mips64,
    Powerpc,
    Powerpc64,
    S390x,
    Loongarch64,
}

impl Arch {
    const ALL: [(Arch, &'static str); 12] = [
        (Arch::X86, "i386"),
        (Arch::X86_64, "x86_64"),
        (Arch::Arm, "arm"),
        (Arch::Aarch64, "aarch64"),
        (Arch::Riscv32, "riscv32"),
        (Arch::Riscv64, "riscv64"),
        (Arch::Mips, "mips"),
        (Arch::Mips64, "mips64"),
        (Arch::Powerpc, "ppc"),
        (Arch::Powerpc64, "ppc64"),
        (Arch::S390x, "s390x"),
        (Arch::Loongarch64, "loongarch64"),
    ];

    /// The kernel's `UTS_MACHINE`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(arch, _)| *arch == self).map_or("", |(_, name)| name)
    }

    /// The architecture of a `uname -m`, those of 32-bit x86 and ARM that are refined at boot too.
    pub fn from_machine(machine: &str) -> Option<Arch> {
        let machine = match machine {
            "i486" | "i586" | "i686" => "i386",
            "ppc64le" => "ppc64",
            "aarch64_be" => "aarch64",
            _ if machine.starts_with("armv") => "arm",
            other => other,
        };
        Self::ALL.iter().find(|(_, name)| *name == machine).map(|(arch, _)| *arch)
    }

    /// Bytes of a pointer in its kernel.
    pub fn pointer_size(self) -> u8 {
        match self {
            Arch::X86 | Arch::Arm | Arch::Riscv32 | Arch::Mips | Arch::Powerpc => 4,
            _ => 8,
        }
    }

    /// The page size, for those that have one only.
    pub fn only_page_size(self) -> Option<u32> {
        match self {
            Arch::X86 | Arch::X86_64 | Arch::Arm | Arch::Riscv32 | Arch::Riscv64 | Arch::S390x => Some(4096),
            _ => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
