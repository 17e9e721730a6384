//! `inspect` of objects and of BTF, and listings of instructions; packs are in `pack.rs`.

use crate::common::{Folder, big_endian_btf};

fn text(folder: &Folder, words: &str) -> String {
    String::from_utf8(folder.done(words).out).unwrap()
}

#[test]
fn an_object_says_what_is_in_it() {
    let folder = Folder::new();
    let found = text(&folder, "inspect sample.bpf.o");
    assert!(
        found.starts_with(
            "sample.bpf.o: BPF object, 9056 bytes, little-endian, 58 types, license GPL
programs
  handle_open    SEC(\"tracepoint/syscalls/sys_enter_openat\")  100 insns
  handle_switch  SEC(\"raw_tracepoint/sched_switch\")  35 insns
  handle_exit    SEC(\"kprobe/do_exit\")  2 insns  (not loaded unless asked for)
subprograms
  parent_of  16 insns, static
maps
  counts  hash, key __u32 (4 bytes), value __u64 (8 bytes), max_entries 64
  events  ringbuf, max_entries 4096
.rodata (5 bytes)
      0  const volatile __s32 targ_pid = 0
      4  const volatile __u8 level = 3
.bss (16 bytes)
      0  __u64 seen = 0
      8  struct event * unused_event = 0
relocations  22
  byte_off       8
"
        ),
        "{found}"
    );
    let document = folder.done("inspect sample.bpf.o --json").json();
    assert_eq!((&document["schema"], &document["format"]), (&1.into(), &"object".into()));
    assert_eq!(document["relocations"]["type_matches"], 1);
    assert_eq!(document["programs"][1]["attach"]["RawTracepoint"]["name"], "sched_switch");
    assert_eq!(document["sections"][0]["variables"][1]["value"], "3");
}

#[test]
fn a_listing_is_in_the_verifiers_syntax() {
    let folder = Folder::new();
    let found = text(&folder, "inspect sample.bpf.o --disasm parent_of");
    assert_eq!(
        found,
        "parent_of (.text, 16 insns)
; static __attribute__((noinline)) int parent_of(struct task_struct *task) @ sample.bpf.c:72
    0: (bf) r3 = r1
    1: (b7) r1 = 16                                  ; relo #0 <byte_off> [24] struct task_struct.real_parent (0:3 @ offset 16)
    2: (0f) r3 += r1
    3: (bf) r1 = r10
    4: (07) r1 += -16
; return BPF_CORE_READ(task, real_parent, pid); @ sample.bpf.c:74
    5: (b4) w2 = 8
    6: (85) call bpf_probe_read_kernel#113
    7: (b7) r1 = 0                                   ; relo #1 <byte_off> [24] struct task_struct.pid (0:0 @ offset 0)
    8: (79) r3 = *(u64 *)(r10 -16)
    9: (0f) r3 += r1
   10: (bf) r1 = r10
   11: (07) r1 += -4
   12: (b4) w2 = 4
   13: (85) call bpf_probe_read_kernel#113
   14: (61) r0 = *(u32 *)(r10 -4)
   15: (95) exit
"
    );
    let found = text(&folder, "inspect sample.bpf.o --disasm --btf kernel.o");
    for line in [
        "\n    1: (b7) r1 = 56                                  ; relo #0 <byte_off> [24] struct task_struct.real_parent (0:3 @ offset 16): 16 -> 56\n",
        " r1 = map[counts]\n",
        " r1 = map[.bss][0]+0                      ; seen\n",
        " r2 = map[.rodata][0]+0                   ; targ_pid\n",
        " call parent_of\n",
        " call bpf_map_lookup_elem#1\n",
        " if w1 == 0x0 goto pc+11                  ; to 30\n",
        "   19: (85) call unknown#195896080                   ; relo #8 <byte_off> [37] struct task_struct___newer.kernel_pid (0:0 @ offset 0): poisoned\n",
    ] {
        assert!(found.contains(line), "{line}{found}");
    }
}

#[test]
fn types_say_how_they_are_laid_out() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    let document = folder.done("inspect kernel.btf --json").json();
    assert_eq!((&document["schema"], &document["format"]), (&1.into(), &"btf".into()));
    assert_eq!(document["bytes"], folder.get("kernel.btf").len());
    assert_eq!((&document["split"], &document["pointer_size"]), (&false.into(), &8.into()));
    let kinds = document["kinds"].as_object().unwrap();
    assert_eq!(kinds.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), document["types"].as_u64().unwrap());
    let parts = ["header_bytes", "type_bytes", "string_bytes"].map(|p| document[p].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), document["bytes"].as_u64().unwrap());

    folder.put("big.btf", &big_endian_btf());
    assert_eq!(
        text(&folder, "inspect big.btf"),
        "big.btf: raw BTF, 46 bytes, 1 types
  byte order   big-endian
  pointers     8 bytes
  base         none: this is a base
  parts        24 bytes of header, 16 of types, 6 of strings, 0 of layout
  int          1
"
    );
    assert!(text(&folder, "inspect kernel.btf --type task_struct").contains("\nstruct task_struct {\n"));
}

/// Little-endian BTF of one empty struct `mine`, whose strings begin where those of its base, of `strings` bytes, end.
fn split_btf(strings: u32) -> Vec<u8> {
    let mut b = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, 12, 12, 5, strings, 4 << 24, 0] {
        b.extend(u32::to_le_bytes(word));
    }
    b.extend(b"mine\0");
    b
}

#[test]
fn split_types_need_their_base() {
    let folder = Folder::new();
    folder.done("btf extract kernel.o -o kernel.btf");
    let base = folder.done("inspect kernel.btf --json").json();
    folder.put("module.btf", &split_btf(u32::try_from(base["string_bytes"].as_u64().unwrap()).unwrap()));
    let alone = text(&folder, "inspect module.btf");
    assert!(alone.contains("  base         not given: ") && !alone.contains("  struct "), "{alone}");
    let both = text(&folder, "inspect module.btf --base kernel.btf");
    assert!(both.contains("  base         given\n") && both.ends_with("  struct       1\n"), "{both}");
    assert!(text(&folder, "inspect module.btf --base kernel.btf --type mine").contains("struct mine {"));
    folder.refused("inspect module.btf --type mine", 3, &["module.btf: is split BTF", "--base"]);
}
