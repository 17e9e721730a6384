//! The object: its name, its functions and its programs.

use super::Attach;
use serde::{Deserialize, Serialize};

/// Section `OBJECT`: which object this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<'a> {
    /// Name, of the file without `.bpf.o`; the kernel sees its first 15 bytes in map names.
    pub name: &'a str,
    /// SHA-256 of the object file.
    pub digest: [u8; 32],
    /// The object's `license` section, as the kernel wants it.
    pub license: &'a str,
    /// SPDX expression, from the manifest; empty where none was given.
    pub spdx: &'a str,
    /// `version` section (KERNEL_VERSION) of old kprobe objects; 0 where there is none.
    pub kern_version: u32,
}

/// Section `FUNCTIONS`: a program's own function or a subprogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function<'a> {
    /// Symbol name.
    pub name: &'a str,
    /// First instruction in `INSNS`, counted in instructions.
    pub start: u32,
    /// Number of instructions.
    pub count: u32,
}

/// Section `PROGRAMS`: an entry point that the kernel loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program<'a> {
    /// Name of its function.
    pub name: &'a str,
    /// Section it was in, such as `tracepoint/syscalls/sys_enter_openat`.
    pub section: &'a str,
    /// Its function.
    pub function: u16,
    /// The subprograms it reaches, as little-endian `u16` function numbers in the order they are appended.
    pub subprograms: &'a [u8],
    /// `enum bpf_prog_type`.
    pub prog_type: u32,
    /// `enum bpf_attach_type`, 0 where the type has none.
    pub expected_attach_type: u32,
    /// `BPF_F_SLEEPABLE` and other load flags.
    pub prog_flags: u32,
    /// What it is attached to.
    #[serde(borrow)]
    pub attach: Attach<'a>,
}

impl<'a> Program<'a> {
    /// Function numbers of all that it is linked of: its own function, then the subprograms.
    pub fn functions(&self) -> impl Iterator<Item = u16> + use<'a> {
        let program = *self;
        (0..).map_while(move |place| program.function_at(place))
    }

    #[inline(never)] // asked in every loop over functions
    fn function_at(&self, place: usize) -> Option<u16> {
        let Some(place) = place.checked_sub(1) else { return Some(self.function) };
        self.subprograms.as_chunks().0.get(place).map(|number| u16::from_le_bytes(*number))
    }

    /// Function numbers of the subprograms, in the order they are appended.
    pub fn subprograms(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.functions().skip(1)
    }
}
