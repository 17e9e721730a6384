//! What the kernel takes for maps, event buffers and programs, estimated from above.
//!
//! By the kernel's own accounting (6.12): `htab_map_mem_usage`, `array_map_mem_usage`, `ringbuf_map_mem_usage`,
//! `stack_map_mem_usage`, `trie_mem_usage`, `queue_stack_map_mem_usage`, `bloom_map_mem_usage`, `bpf_local_storage_map_mem_usage`
//! (`kernel/bpf/`), `perf_mmap_alloc`, `bpf_prog_alloc`, `bpf_jit_binary_alloc`; element headers rounded up to what a 64-bit kernel
//! takes. What local storage holds grows with tasks, sockets and cgroups, not with the map: it is not in the estimate.

use corelet_core::pack::{Formula, Map, Sizing};

/// `struct bpf_map` and what surrounds it, for any map.
const MAP: u64 = 512;
/// `struct htab_elem` with its LRU node, rounded up.
const HASH_ELEM: u64 = 64;
/// `struct bucket`.
const BUCKET: u64 = 16;
/// A file descriptor's file, a perf event.
const PERF_EVENT: u64 = 2048;

/// Bytes of machine code that the JIT makes of one instruction, at most on average, and a line's address of it.
const JITED: u64 = 24;
/// `struct bpf_prog` and `struct bpf_prog_aux`, of a function.
const FUNCTION: u64 = 2048;

/// `enum bpf_map_type` of the maps whose memory differs.
mod kind {
    pub(super) const HASH: u32 = 1;
    pub(super) const ARRAY: u32 = 2;
    pub(super) const PERF_EVENT_ARRAY: u32 = 4;
    pub(super) const PERCPU_HASH: u32 = 5;
    pub(super) const PERCPU_ARRAY: u32 = 6;
    pub(super) const STACK_TRACE: u32 = 7;
    pub(super) const LRU_HASH: u32 = 9;
    pub(super) const LRU_PERCPU_HASH: u32 = 10;
    pub(super) const LPM_TRIE: u32 = 11;
    pub(super) const HASH_OF_MAPS: u32 = 13;
    pub(super) const QUEUE: u32 = 22;
    pub(super) const STACK: u32 = 23;
    pub(super) const RINGBUF: u32 = 27;
    pub(super) const USER_RINGBUF: u32 = 31;
}

/// Kernel memory of one map.
pub fn of_map(map: &Map<'_>) -> Formula {
    let entries = u64::from(map.max_entries);
    let round8 = |n: u32| u64::from(n).next_multiple_of(8);
    let (key, value) = (round8(map.key_size), round8(map.value_size));
    let buckets = entries.max(1).next_power_of_two() * BUCKET;
    let element = HASH_ELEM + key + value;
    // locks, an element in reserve and its pointer for each CPU
    let hash_per_cpu = 48 + element;
    let ring = matches!(map.map_type, kind::RINGBUF | kind::USER_RINGBUF);
    let mut f = Formula::default();
    let mut fixed = MAP;
    let mut per_cpu = 0;
    match map.map_type {
        kind::HASH | kind::LRU_HASH | kind::HASH_OF_MAPS => {
            fixed += buckets + entries * element;
            per_cpu += hash_per_cpu;
        }
        kind::PERCPU_HASH | kind::LRU_PERCPU_HASH => {
            fixed += buckets + entries * (HASH_ELEM + key + 8);
            per_cpu += hash_per_cpu + entries * value;
        }
        kind::ARRAY => fixed += entries * value,
        kind::PERCPU_ARRAY => {
            fixed += entries * 8;
            per_cpu += entries * value;
        }
        kind::STACK_TRACE => {
            fixed += entries.next_power_of_two() * (8 + 16 + value);
            per_cpu += 64;
        }
        // a node in the middle for nearly every one with a value
        kind::LPM_TRIE => fixed += 2 * entries * element,
        kind::QUEUE | kind::STACK => fixed += (entries + 1) * value,
        kind::PERF_EVENT_ARRAY => {
            // one slot and one event a CPU, the event with its control page and buffer
            per_cpu += 8;
            if map.perf_pages > 0 {
                per_cpu += PERF_EVENT;
                f.pages_per_cpu = 1 + u32::from(map.perf_pages);
            }
        }
        // control, consumer and producer pages; the data's, rounded up to a power of two of the machine's, each mapped twice by a
        // pointer of 8 bytes
        kind::RINGBUF | kind::USER_RINGBUF => {
            let data = entries.next_power_of_two();
            fixed += data + data / 256;
            f.pages = 4;
        }
        // lists for each CPU, where elements belong to tasks, sockets or cgroups
        _ if entries == 0 => per_cpu += 64,
        _ => fixed += entries * element,
    }
    if map.sizing == Sizing::Exact || ring {
        // the last page of each allocation
        f.pages += 1;
    }
    f.fixed = fixed.min(u32::MAX.into()) as u32;
    f.per_cpu = per_cpu.min(u32::MAX.into()) as u32;
    f
}

/// Kernel memory of one program, of functions of so many instructions: each is a program of its own once the JIT made code of it, and
/// until then they are one.
pub(super) fn of_program(functions: impl Iterator<Item = u32>) -> Formula {
    let (mut fixed, mut pages) = (FUNCTION, 2);
    for insns in functions {
        fixed += FUNCTION + u64::from(insns) * (8 + 8 + JITED);
        // the last pages of instructions and code
        pages += 2;
    }
    Formula { fixed: fixed.min(u32::MAX.into()) as u32, pages, ..Formula::default() }
}
