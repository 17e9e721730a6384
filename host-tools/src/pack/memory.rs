//! What the kernel takes for maps and event buffers, estimated from above.
//!
//! By the kernel's own accounting: `htab_map_mem_usage`, `array_map_mem_usage`, `ringbuf_map_mem_usage`,
//! `stack_map_mem_usage` (`kernel/bpf/`) and `perf_mmap_alloc`; element headers rounded up to what a 64-bit kernel takes.

use corelet_core::pack::{Formula, Map, Sizing};

/// `struct bpf_map` and what surrounds it, for any map.
const MAP: u64 = 512;
/// `struct htab_elem` with its LRU node, rounded up.
const HASH_ELEM: u64 = 64;
/// `struct bucket`.
const BUCKET: u64 = 16;
/// A file descriptor's file, a perf event.
const PERF_EVENT: u64 = 2048;

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
    pub(super) const RINGBUF: u32 = 27;
}

/// Kernel memory of one map.
pub(super) fn of_map(map: &Map<'_>) -> Formula {
    let entries = u64::from(map.max_entries);
    let round8 = |n: u32| u64::from(n).next_multiple_of(8);
    let (key, value) = (round8(map.key_size), round8(map.value_size));
    let buckets = entries.max(1).next_power_of_two() * BUCKET;
    let mut f = Formula::default();
    let mut fixed = MAP;
    let mut per_cpu = 0;
    match map.map_type {
        kind::HASH | kind::LRU_HASH => fixed += buckets + entries * (HASH_ELEM + key + value),
        kind::PERCPU_HASH | kind::LRU_PERCPU_HASH => {
            fixed += buckets + entries * (HASH_ELEM + key + 8);
            per_cpu += entries * value;
        }
        kind::ARRAY => fixed += entries * value,
        kind::PERCPU_ARRAY => {
            fixed += entries * 8;
            per_cpu += entries * value;
        }
        kind::STACK_TRACE => fixed += entries.next_power_of_two() * (8 + 16 + value),
        kind::PERF_EVENT_ARRAY => {
            // one slot and one event a CPU, the event with its control page and buffer
            per_cpu += 8;
            if map.perf_pages > 0 {
                per_cpu += PERF_EVENT;
                f.pages_per_cpu = 1 + u32::from(map.perf_pages);
            }
        }
        // control, consumer and producer pages; the data's pages are rounded up to the machine's
        kind::RINGBUF => {
            fixed += entries;
            f.pages = 3;
        }
        _ => fixed += entries * (HASH_ELEM + key + value),
    }
    if map.sizing == Sizing::Exact || map.map_type == kind::RINGBUF {
        // the last page of each allocation
        f.pages += 1;
    }
    f.fixed = fixed.min(u32::MAX.into()) as u32;
    f.per_cpu = per_cpu.min(u32::MAX.into()) as u32;
    f
}
