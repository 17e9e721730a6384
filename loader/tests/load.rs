//! Loading and attaching against a fake kernel.

mod common;

use common::fake::{EVENT_ID, Fake, PMU, TRACING};
use common::pack::{PROBE_READ_KERNEL, RELEASE, Sample, TARGET_PID, container};
use common::run;
use corelet_core::pack::Arch;
use corelet_loader::sys::Errno;

const RUN: &[&str] = &["run", "/p", "--for", "1"];

#[test]
fn loads_attaches_and_leaves_nothing() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}", k.left());
    let names: Vec<&str> = k.progs.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["handle_open", "handle_probe"]);
    assert_eq!(k.attached.len(), 2);
    assert_eq!(k.perf, [(6, 1, Some("do_open".into())), (2, 613, None), (6, 1, Some("do_open".into()))]);
    assert!(k.stderr.contains("ready: 2 programs, 3 maps, 0 skipped; 1 relocations patched, 0 poisoned"));
}

#[test]
fn maps_have_the_sizes_names_and_flags_of_this_machine() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let name = |i: usize| String::from_utf8_lossy(&k.maps[i].name).trim_end_matches('\0').to_string();
    assert_eq!((name(0), k.maps[0].max_entries), ("events".into(), 8192));
    assert_eq!((name(2), k.maps[2].map_flags), ("sample.rodata".into(), 0x80));
    assert!(k.maps[2].btf.is_some() && k.maps[1].btf.is_none());
    assert_eq!(k.contents.len(), 1);
    assert_eq!(k.contents[0].1[..6], [1, 0, 0, 0, 1, 0]);
    assert_eq!(k.frozen, [k.contents[0].0]);
    assert!(k.attached.is_empty());
}

#[test]
fn instructions_are_relocated_and_linked() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let p = &k.progs[0];
    assert_eq!((p.insns.len(), p.license.as_str()), (80, "GPL"));
    let insn = |i: usize| &p.insns[8 * i..8 * i + 8];
    assert_eq!(insn(0)[2..4], TARGET_PID.to_le_bytes());
    assert_eq!((insn(1)[1] >> 4, insn(3)[1] >> 4), (1, 2));
    assert_eq!(insn(4)[4..], 4i32.to_le_bytes());
    // the subprogram starts at 8, and a call counts from behind itself
    assert_eq!(insn(5)[4..], 2i32.to_le_bytes());
    assert_eq!(p.func_info.len(), 16);
    assert_eq!(p.func_info[8..12], 8u32.to_le_bytes());
}

/// As libbpf does it: `bpf_object__sanitize_prog`. The pack is the same.
#[test]
fn kernels_without_a_helper_are_given_the_one_before_it() {
    for (release, helper) in
        [("6.12.0-test", PROBE_READ_KERNEL), ("5.5.0", PROBE_READ_KERNEL), ("5.4.99", 4), ("4.19.0-test", 4)]
    {
        let mut k = Fake::new(Sample::default().pack());
        k.release = Some(release);
        assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
        // the subprogram's first instruction, behind the program's eight
        let call = &k.progs[0].insns[8 * 8..8 * 9];
        assert_eq!((call[0], &call[4..]), (0x85, &helper.to_ne_bytes()[..]), "{release}");
    }
}

#[test]
fn every_failing_call_leaves_nothing() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, RUN), 0);
    let calls = k.calls;
    assert!(calls > 40, "{calls}");
    for tracefs in [false, true] {
        for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENOENT] {
            for n in 1..=calls {
                let mut k = Fake::new(Sample::default().pack());
                if tracefs {
                    k.files.remove(PMU);
                }
                k.fail = Some((n, e));
                let code = run(&mut k, RUN);
                assert!(k.left().is_empty(), "call {n} {e:?}: {:?} left open\n{}", k.left(), k.stderr);
                assert!(k.tracefs_probes.is_empty(), "call {n} {e:?}: {:?}", k.tracefs_probes);
                assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
                if e == Errno::ENOMEM && code != 0 {
                    assert_eq!(code, 5, "call {n}: {}", k.stderr);
                }
            }
        }
    }
}

#[test]
fn probes_by_tracefs_where_there_is_no_pmu() {
    let mut k = Fake::new(Sample::default().pack());
    k.files.remove(PMU);
    k.no_links = true;
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert!(k.attached.iter().all(|a| a.ends_with("by ioctl")), "{:?}", k.attached);
    assert!(k.perf.contains(&(2, 9, None)), "{:?}", k.perf);
    assert!(k.tracefs_probes.is_empty());
}

#[test]
fn optional_programs_are_skipped_and_reported() {
    let mut k = Fake::new(Sample::default().pack());
    k.no_symbols = true;
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!(k.progs.len(), 1);
    assert!(k.stderr.contains("skipped handle_probe (kprobe/do_open): this kernel has nothing of that name"));
}

#[test]
fn what_would_run_and_show_nothing_is_refused() {
    // an optional program for two places needs one of them
    let mut k = Fake::new(Sample { two_places: true, ..Sample::default() }.pack());
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    assert_eq!(k.progs.len(), 3);
    k.no_symbols = true;
    assert_eq!(run(&mut k, RUN), 1, "{}", k.stderr);
    let word = "cannot attach handle_probe (kprobe/do_open): ENOENT; this kernel has nothing of that name";
    assert!(k.stderr.contains(word), "{}", k.stderr);
    // of an object of optional programs one has to be there
    let mut k = Fake::new(Sample { all_optional: true, ..Sample::default() }.pack());
    k.files.remove(EVENT_ID);
    assert_eq!(run(&mut k, RUN), 0, "{}", k.stderr);
    k.no_symbols = true;
    assert_eq!(run(&mut k, RUN), 1, "{}", k.stderr);
    assert!(k.stderr.contains("cannot attach handle_open"), "{}", k.stderr);
    assert!(k.left().is_empty());
}

#[test]
fn needed_programs_are_not() {
    let mut k = Fake::new(Sample::default().pack());
    k.files.remove(EVENT_ID);
    assert_eq!(run(&mut k, RUN), 1);
    assert!(k.stderr.contains("cannot attach handle_open"), "{}", k.stderr);
    k.files.remove(common::fake::TRACING);
    assert_eq!(run(&mut k, RUN), 4);
    assert!(k.stderr.contains("tracefs is not mounted"), "{}", k.stderr);
    assert!(k.left().is_empty());
}

/// What a kernel without an option is told by, in the words of `corelet kconfig`; and that a name which is missing is none.
#[test]
fn an_option_that_the_kernel_lacks_is_named() {
    type Change = fn(&mut Fake);
    let cases: [(Change, i32, &str); 6] = [
        (|k| k.no_bpf = true, 4, "ENOSYS; this kernel lacks CONFIG_BPF_SYSCALL, for the bpf(2) system call"),
        (|k| k.no_perf = true, 4, "ENOSYS; this kernel lacks CONFIG_PERF_EVENTS, for the perf event that"),
        (
            |k| k.files.retain(|path, _| !path.starts_with("/sys/kernel/tracing/events/syscalls")),
            4,
            "cannot attach handle_open (tracepoint/syscalls/sys_enter_openat): ENOENT; this kernel lacks \
             CONFIG_FTRACE_SYSCALLS, for a tracepoint for each system call",
        ),
        (
            |k| k.files.retain(|path, _| !path.starts_with("/sys/kernel/tracing")),
            4,
            "ENODEV; this kernel lacks CONFIG_EVENT_TRACING, for tracepoints as events",
        ),
        (|k| _ = k.files.remove(TRACING), 4, "tracefs is not mounted"),
        (|k| _ = k.files.remove(EVENT_ID), 1, "ENOENT; this kernel has nothing of that name"),
    ];
    for (change, code, words) in cases {
        let mut k = Fake::new(Sample::default().pack());
        change(&mut k);
        assert_eq!(run(&mut k, RUN), code, "{}", k.stderr);
        assert!(k.stderr.contains(words), "{words}\nis missing in\n{}", k.stderr);
        assert!(k.left().is_empty());
    }
}

#[test]
fn probes_without_the_option_are_told_from_symbols_that_are_missing() {
    let needed = Sample { needed: true, ..Sample::default() };
    let mut k = Fake::new(needed.pack());
    k.files.remove(PMU);
    k.files.remove("/sys/kernel/tracing/kprobe_events");
    assert_eq!(run(&mut k, RUN), 4);
    let words = "cannot attach handle_probe (kprobe/do_open): ENOENT; this kernel lacks CONFIG_KPROBE_EVENTS, for probes";
    assert!(k.stderr.contains(words), "{}", k.stderr);
    let mut k = Fake::new(needed.pack());
    k.no_symbols = true;
    assert_eq!(run(&mut k, RUN), 1);
    assert!(k.stderr.contains("this kernel has nothing of that name"), "{}", k.stderr);
}

#[test]
fn variables_are_set_by_name_and_checked() {
    for (set, code, what) in [
        ("targ_pid=-5", 0, ""),
        ("targ_pid=0x7fffffff", 0, ""),
        ("targ_pid=2147483648", 2, "int takes -2147483648 to 2147483647"),
        ("pid=-5", 0, ""),
        ("pid=2147483648", 2, "--set pid=2147483648: int takes"),
        ("verbose=false", 0, ""),
        ("verbose=2", 2, "bool takes true or false"),
        ("name=abcdefg", 0, ""),
        ("name=abcdefgh", 2, "text of 7 bytes at most"),
        ("nothing=1", 2, "the pack has no such variable"),
    ] {
        let mut k = Fake::new(Sample::default().pack());
        assert_eq!(run(&mut k, &["verify", "/p", "--set", set]), code, "{set}: {}", k.stderr);
        assert!(k.stderr.contains(what), "{set}: {}", k.stderr);
        assert!(k.left().is_empty());
        if set.ends_with("pid=-5") {
            assert_eq!(k.contents[0].1[..4], (-5i32).to_le_bytes());
        }
    }
}

#[test]
fn targets_are_taken_by_build_id_or_when_allowed() {
    let other = Sample { build_id: vec![1; 20], ..Sample::default() };
    let mut k = Fake::new(other.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    for part in [RELEASE, "another build id", &"ab".repeat(20), &"01".repeat(20), "--allow-release"] {
        assert!(k.stderr.contains(part), "{part} is missing in {}", k.stderr);
    }
    assert_eq!(run(&mut k, &["verify", "/p", "--allow-release"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("taken by release"));
    k.files.insert("/t".into(), container(&Sample::default().target()));
    assert_eq!(run(&mut k, &["verify", "/p", "--target", "/t"]), 0, "{}", k.stderr);
    let arm = Sample { arch: Arch::Arm, ..Sample::default() };
    let mut k = Fake::new(arm.pack());
    assert_eq!(run(&mut k, &["verify", "/p", "--allow-release"]), 1);
    assert!(k.stderr.contains("another architecture"), "{}", k.stderr);
    let stray = Sample { object_in_target: [1; 32], ..Sample::default() };
    let mut k = Fake::new(stray.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 1);
    assert!(k.stderr.contains("no target for this object"), "{}", k.stderr);
}

#[test]
fn memory_limits_are_checked_before_anything_is_created() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, &["verify", "/p", "--max-kernel-mem", "26383"]), 1);
    assert!(k.stderr.contains("26384 bytes of kernel memory on 4 CPUs"), "{}", k.stderr);
    assert!(k.maps.is_empty());
    assert_eq!(run(&mut k, &["verify", "/p", "--max-kernel-mem", "26384"]), 0, "{}", k.stderr);
    let mut k = Fake::new(Sample { formula: -16_000, ..Sample::default() }.pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 3);
    assert!(k.stderr.contains("bytes too small"), "{}", k.stderr);
}

#[test]
fn of_what_a_program_does_not_find_the_first_is_said_and_all_if_asked() {
    let pack = || Sample { poison: true, ..Sample::default() }.pack();
    let (first, second) = ("handle_open insn 0, line 12", "handle_open insn 6, line 13");
    let mut k = Fake::new(pack());
    assert_eq!(run(&mut k, &["verify", "/p"]), 0, "{}", k.stderr);
    let more = "sample: and 1 more in the same programs poisoned: --verbose names each";
    assert!(k.stderr.contains(first) && k.stderr.contains(more), "{}", k.stderr);
    assert!(!k.stderr.contains(second) && k.stderr.contains("2 poisoned"), "{}", k.stderr);
    let mut k = Fake::new(pack());
    assert_eq!(run(&mut k, &["verify", "/p", "--verbose"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains(first) && k.stderr.contains(second), "{}", k.stderr);
    assert!(!k.stderr.contains("--verbose"), "{}", k.stderr);
}

#[test]
fn a_refused_program_is_explained() {
    let mut k = Fake::new(Sample { poison: true, ..Sample::default() }.pack());
    let log = "0: R1=ctx()\n0: (85) call unknown#195896080\ninvalid func unknown#195896080\n";
    k.refuse = Some(("handle_open".into(), Errno::EINVAL, log.into()));
    assert_eq!(run(&mut k, RUN), 1);
    for part in [
        "handle_open insn 0, line 12: byte_off of [4] struct task_struct.pid",
        "such a field",
        "program handle_open (tracepoint/syscalls/sys_enter_openat): the kernel refused it: EINVAL at instruction 0",
        "it reads what this kernel does not have: sample: handle_open insn 0, line 12",
        log,
    ] {
        assert!(k.stderr.contains(part), "{part}\nis missing in\n{}", k.stderr);
    }
    assert!(k.left().is_empty());
    k.refuse = Some(("handle_open".into(), Errno::EINVAL, String::new()));
    k.stderr.clear();
    assert_eq!(run(&mut k, RUN), 1);
    assert!(
        k.stderr.contains("EINVAL; this kernel may lack CONFIG_BPF_EVENTS, for programs"),
        "{}",
        k.stderr
    );
    k.refuse = Some(("handle_open".into(), Errno::ENOSPC, log.into()));
    k.stderr.clear();
    assert_eq!(run(&mut k, RUN), 1);
    assert!(k.stderr.contains("its start cut off"), "{}", k.stderr);
}

#[test]
fn reports_memory_and_time() {
    let mut k = Fake::new(Sample::default().pack());
    assert_eq!(run(&mut k, &["verify", "/p", "--memory", "--json", "--touch", "64K"]), 0, "{}", k.stderr);
    assert!(k.stderr.contains("{\"memory\":{\"rss_kib\":72,\"anonymous_kib\":20,\"load_us\":1000}}"));
}

#[test]
fn a_kernel_whose_compiler_is_off_is_told_from_a_bad_program() {
    for (jit, code) in [("0\n", 4), ("1\n", 1)] {
        let mut k = Fake::new(Sample::default().pack());
        k.files.insert("/proc/sys/net/core/bpf_jit_enable".into(), jit.into());
        k.refuse = Some(("handle_open".into(), Errno::ENOTSUPP, "processed 2 insns\n".into()));
        assert_eq!(run(&mut k, RUN), code, "{}", k.stderr);
        assert_eq!(k.stderr.contains("sysctl net.core.bpf_jit_enable=1"), code == 4, "{}", k.stderr);
        assert!(k.left().is_empty());
    }
}
