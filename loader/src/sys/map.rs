//! Maps: what they are created of, and a descriptor that remembers how long keys and values are, so that the kernel is never
//! handed a buffer that is too short.

use super::{Errno, Fd, Sys};

/// A map to be created: the fields of `union bpf_attr` for `BPF_MAP_CREATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapSpec {
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub map_flags: u32,
    /// `map_extra`.
    pub map_extra: u64,
    /// Name, NUL-padded.
    pub name: [u8; 16],
    /// Descriptor of the BTF that the type ids are of; `None` for no types.
    pub btf: Option<Fd>,
    /// Type of a key, 0 for none.
    pub key_type: u32,
    /// Type of a value, 0 for none.
    pub value_type: u32,
    /// Of a map of struct_ops: id of its value's type in the kernel's BTF, or in that of `module`.
    pub kernel_value_type: u32,
    /// Descriptor of a module's BTF (6.9).
    pub module: Option<Fd>,
    /// Of a map of maps: one such as are in it.
    pub inner: Option<Fd>,
}

/// A created map; by default none, whose descriptor is -1 and whose keys and values have no bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapFd {
    fd: Fd,
    key_len: u32,
    value_len: u32,
}

impl MapFd {
    /// The map `fd` that was created of `spec` on a machine of `cpus` possible CPUs.
    pub fn new(fd: Fd, spec: &MapSpec, cpus: u32) -> MapFd {
        // BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE
        let per_cpu = matches!(spec.map_type, 5 | 6 | 10 | 21);
        let slots = spec.value_size.next_multiple_of(8).saturating_mul(cpus);
        MapFd { fd, key_len: spec.key_size, value_len: if per_cpu { slots } else { spec.value_size } }
    }

    /// Its descriptor.
    pub fn fd(&self) -> Fd {
        self.fd
    }

    /// Bytes of a key.
    pub fn key_len(&self) -> usize {
        self.key_len as usize
    }

    /// Bytes of what a lookup gives: of a per-CPU map the value, rounded up to 8 bytes, for each possible CPU.
    pub fn value_len(&self) -> usize {
        self.value_len as usize
    }

    pub(super) fn check(&self, key: &[u8], value: &[u8]) -> Sys<()> {
        if key.len() == self.key_len() && value.len() == self.value_len() {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }
}
