//! Names of map types by their numbers, as `bpftool map` prints them. Source: `enum bpf_map_type`,
//! `include/uapi/linux/bpf.h`, kernel 7.2.

/// The name of map type `number`; its number where it has none here.
pub fn name(number: u32) -> String {
    usize::try_from(number)
        .ok()
        .and_then(|n| NAMES.get(n))
        .map_or_else(|| number.to_string(), |n| (*n).to_owned())
}

/// The number of the map type of this name.
pub fn number(name: &str) -> Option<u32> {
    NAMES.iter().position(|n| *n == name).and_then(|at| u32::try_from(at).ok())
}

#[rustfmt::skip]
const NAMES: [&str; 36] = [
    "unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array", "stack_trace",
    "cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps", "hash_of_maps", "devmap", "sockmap",
    "cpumap", "xskmap", "sockhash", "cgroup_storage", "reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack",
    "sk_storage", "devmap_hash", "struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter",
    "user_ringbuf", "cgrp_storage", "arena", "insn_array", "rhash",
];
