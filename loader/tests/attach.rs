//! Every way of attaching, against a fake kernel: what it is asked, what is tried before, and what is said where it fails.

mod common;

use common::btf::Writer;
use common::fake::{Fake, ITERATOR, Known, Thing};
use common::pack::Sample;
use common::run;
use corelet_core::Endian;
use corelet_core::insn::Insn;
use corelet_core::pack::Attach;
use corelet_loader::kprobe::{Probe, open_or_behind};
use corelet_loader::sys::{Errno, Kernel};
use corelet_loader::undo::Ledger;

const RUN: &[&str] = &["run", "/p", "--for", "1"];
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
const FENTRY: (Attach<'_>, u32, u32) = (Attach::Trace { module: "", name: "vfs_read" }, 26, 24);

fn with((attach, prog_type, expected): (Attach<'static>, u32, u32)) -> Sample {
    Sample { probe: Some(("probe", attach, prog_type, expected)), needed: true, ..Sample::default() }
}

/// Runs a pack; the kernel afterwards, of which nothing may be left open.
fn ran(sample: &Sample, code: i32, change: impl Fn(&mut Fake)) -> Fake {
    let mut k = Fake::new(sample.pack());
    change(&mut k);
    assert_eq!(run(&mut k, RUN), code, "{}", k.stderr);
    assert!(k.left().is_empty(), "{:?}\n{}", k.left(), k.stderr);
    k
}

/// Any failing call ends with everything undone.
fn fails_cleanly(sample: &Sample, change: impl Fn(&mut Fake)) {
    let calls = ran(sample, 0, &change).calls;
    for e in [Errno::ENOMEM, Errno::EPERM, Errno::EINVAL, Errno::ENOENT, Errno::ENOTSUPP] {
        for n in 1..=calls {
            let mut k = Fake::new(sample.pack());
            change(&mut k);
            k.fail = Some((n, e));
            let code = run(&mut k, RUN);
            assert!(k.left().is_empty(), "call {n} {e:?}: {:?} left open\n{}", k.left(), k.stderr);
            assert!(code == 0 || k.stderr.lines().count() > 0, "call {n} {e:?} says nothing");
        }
    }
}

#[test]
fn an_id_of_the_pack_needs_no_question() {
    let sample = Sample { attach_id: Some(4321), ..with(FENTRY) };
    let k = ran(&sample, 0, |_| ());
    assert_eq!(k.progs.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["handle_open", "handle_probe"]);
    assert_eq!((k.progs[1].attach_btf_id, &k.progs[1].attach_of), (4321, &None));
    assert!(k.attached.contains(&"handle_probe by type".to_owned()), "{:?}", k.attached);
    fails_cleanly(&sample, |_| ());
}

#[test]
fn names_are_looked_up_by_a_program() {
    let known = |name: &'static str, id| move |k: &mut Fake| k.types.push((name.to_owned(), id));
    let kinds = [(26, 24, "vfs_read"), (26, 23, "btf_trace_vfs_read"), (29, 27, "bpf_lsm_vfs_read")];
    for (prog_type, attach_type, name) in kinds {
        let sample = with((FENTRY.0, prog_type, attach_type));
        let k = ran(&sample, 0, known(name, Known::Own(77)));
        let program = k.progs.last().unwrap();
        assert_eq!((program.attach_btf_id, &program.attach_of), (77, &None));
        assert_eq!(k.progs[1].prog_type, 31);
    }
    // a function of a module comes with a descriptor of its BTF, which is closed again
    let k = ran(&with(FENTRY), 0, known("vfs_read", Known::OfModule(130_001)));
    let program = k.progs.last().unwrap();
    assert_eq!((program.attach_btf_id, &program.attach_of), (130_001, &Some(Thing::Btf)));
    fails_cleanly(&with(FENTRY), known("vfs_read", Known::OfModule(5)));

    let k = ran(&with(FENTRY), 1, |k| drop(k.files.insert(VMLINUX.into(), Vec::new())));
    assert!(
        k.stderr.contains("cannot attach handle_probe (probe): ENOENT; this kernel has nothing of that name")
    );
    let k = ran(&with(FENTRY), 4, |_| ());
    assert!(k.stderr.contains("lacks CONFIG_DEBUG_INFO_BTF, for the kernel's own types"), "{}", k.stderr);
}

/// Kernels before 5.14 have no programs that look up a name.
#[test]
fn old_kernels_types_are_gone_through() {
    let mut b = Writer::new();
    let int = b.int("int", 4, 1);
    b.add("vfs_read", 8, 0, int, &[]);
    let proto = b.add("", 13, 0, int, &[]);
    let function = b.add("vfs_read", 12, 1, proto, &[]);
    let types = b.finish();
    let change = |k: &mut Fake| {
        k.no_syscall_programs = true;
        k.files.insert(VMLINUX.into(), types.clone());
    };
    let k = ran(&with(FENTRY), 0, change);
    assert_eq!(k.progs.last().unwrap().attach_btf_id, function);
    fails_cleanly(&with(FENTRY), change);
    let raw = with((FENTRY.0, 26, 23));
    assert!(ran(&raw, 1, change).stderr.contains("has nothing of that name"));
}

#[test]
fn of_alternatives_the_first_that_can_be_attached_is_taken() {
    let sample = Sample { alternatives: true, attach_id: Some(9), ..with(FENTRY) };
    let k = ran(&sample, 0, |_| ());
    let names = |k: &Fake| k.progs.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&k), ["corelet_try", "handle_probe"]);
    assert_eq!(k.attached, ["corelet_try by type", "handle_probe by type"]);
    assert!(
        k.stderr.contains("skipped handle_open (tracepoint/syscalls/sys_enter_openat): another of its group")
    );
    let k = ran(&sample, 0, |k| k.no_trampolines = true);
    assert_eq!(names(&k), ["corelet_try", "handle_open"]);
    assert!(k.stderr.contains("handle_probe (probe) cannot be attached here: ENOTSUPP"), "{}", k.stderr);
    let k = ran(&sample, 1, |k| {
        k.no_trampolines = true;
        k.files.remove(common::fake::EVENT_ID);
    });
    assert!(k.stderr.contains("cannot attach handle_open"), "{}", k.stderr);
    fails_cleanly(&sample, |_| ());
}

#[test]
fn a_kernel_without_trampolines_is_named() {
    let sample = Sample { attach_id: Some(9), ..with(FENTRY) };
    let k = ran(&sample, 1, |k| k.no_trampolines = true);
    assert!(k.stderr.contains("NOTSUPP; this architecture's kernel has no BPF trampolines"), "{}", k.stderr);
    let optional = Sample { needed: false, ..sample };
    let k = ran(&optional, 0, |k| k.no_trampolines = true);
    assert!(
        k.stderr.contains("skipped handle_probe (probe): this kernel cannot attach there"),
        "{}",
        k.stderr
    );
}

#[test]
fn iterators_are_printed_to_their_end() {
    let sample = with((Attach::Trace { module: "", name: "task" }, 26, 28));
    let text = "pid name\n".repeat(200);
    let change = |k: &mut Fake| {
        k.types.push(("bpf_iter_task".to_owned(), Known::Own(3)));
        k.files.insert(ITERATOR.into(), text.clone().into_bytes());
    };
    assert!(ran(&sample, 0, change).stdout.starts_with(&text));
    fails_cleanly(&sample, change);
    // alone, it is all there is to wait for
    let alone = Sample { alternatives: true, ..sample };
    let k = ran(&alone, 0, change);
    assert!(k.stdout == text && !k.stderr.contains("ready"), "{}", k.stderr);
}

#[test]
fn many_functions_are_given_by_their_names() {
    let functions = b"vfs_read\nvfs_write\ndo_exit\nvfs_read [some_module]\nvfs_readv\n".repeat(60);
    let change = |k: &mut Fake| {
        k.files.insert("/sys/kernel/tracing/available_filter_functions".into(), functions.clone());
    };
    let multi = |pattern, ret| with((Attach::KprobeMulti { pattern, ret }, 2, 42));
    let attached = |pattern, ret| ran(&multi(pattern, ret), 0, change).attached.pop().unwrap();
    assert_eq!(attached("vfs_*", false), "vfs_read,vfs_write,vfs_readv by 42 false");
    assert_eq!(attached("vfs_?ead", true), "vfs_read by 42 true");
    // a name is not looked for
    assert_eq!(ran(&multi("do_open", false), 0, |_| ()).attached.pop().unwrap(), "do_open by 42 false");
    assert!(ran(&multi("ext4_*", false), 1, change).stderr.contains("has nothing of that name"));
    fails_cleanly(&multi("vfs_*", false), change);
}

/// As many as a large kernel has of one prefix, each there twice: compared with all before it, each would take a minute in all.
#[test]
fn many_thousand_names_are_each_given_once() {
    let multi = with((Attach::KprobeMulti { pattern: "f*", ret: false }, 2, 42));
    let list = |count: usize| -> Vec<u8> {
        (0..count * 2).flat_map(|n| format!("f{:04x}_function\ng\n", n % count).into_bytes()).collect()
    };
    let change = |count| {
        let functions = list(count);
        move |k: &mut Fake| {
            k.files.insert("/sys/kernel/tracing/available_filter_functions".into(), functions.clone());
        }
    };
    let names = ran(&multi, 0, change(15_000)).attached.pop().unwrap();
    let expected: Vec<_> = (0..15_000).map(|n| format!("f{n:04x}_function")).collect();
    assert_eq!(names, expected.join(",") + " by 42 false");
    let k = ran(&multi, 1, change(18_000));
    assert!(
        k.stderr.contains("E2BIG; the pattern fits more functions than the loader takes"),
        "{}",
        k.stderr
    );
}

#[test]
fn counters_are_sampled_on_every_cpu() {
    let attach = Attach::PerfEvent { kind: 1, config: 0, sample: 99, freq: true };
    let k = ran(&with((attach, 7, 0)), 0, |_| ());
    assert_eq!(k.perf.iter().filter(|p| **p == (1, 0, None)).count(), 4);
    assert_eq!(k.attached.iter().filter(|a| a.starts_with("Prog(\"handle_probe\")")).count(), 4);
    fails_cleanly(&with((attach, 7, 0)), |_| ());
    fails_cleanly(&with((attach, 7, 0)), |k| k.no_links = true);
}

#[test]
fn a_system_calls_function_has_the_wrappers_name() {
    let sample = with((Attach::Ksyscall { name: "openat", ret: true }, 2, 0));
    let k = ran(&sample, 0, |_| ());
    let symbol = k.perf.iter().find_map(|p| p.2.clone()).unwrap();
    assert!(symbol.ends_with("_sys_openat") && symbol.starts_with("__"), "{symbol}");
    fails_cleanly(&sample, |_| ());
}

#[test]
fn a_function_of_another_program_is_replaced() {
    let sample = with((Attach::Trace { module: "handle_open", name: "helper" }, 28, 0));
    let k = ran(&sample, 0, |_| ());
    let program = k.progs.last().unwrap();
    assert_eq!(program.attach_of, Some(Thing::Prog("handle_open".to_owned())));
    assert!(program.attach_btf_id > 0);
    for attach in [("handle_close", "helper"), ("handle_open", "nothing")] {
        let sample = with((Attach::Trace { module: attach.0, name: attach.1 }, 28, 0));
        assert!(ran(&sample, 1, |_| ()).stderr.contains("no program that is loaded before it"));
    }
    fails_cleanly(&sample, |_| ());
}

#[test]
fn functions_of_the_kernel_are_called_by_their_ids() {
    let sample = |weak| Sample { kfunc: Some(("bpf_task_release___flavor", weak)), ..Sample::default() };
    let call = |k: &Fake| {
        let program = k.progs.iter().find(|p| p.name == "handle_open").unwrap();
        let bytes = program.insns.as_chunks().0[5];
        let insn = Insn::decode(bytes, Endian::HOST);
        (insn.src, insn.off, insn.imm)
    };
    let known = |id| move |k: &mut Fake| k.types.push(("bpf_task_release".to_owned(), id));
    let k = ran(&sample(false), 0, known(Known::Own(55)));
    assert_eq!((call(&k), k.fd_arrays.last().unwrap().len()), ((2, 0, 55), 0));
    // of a module by the place of its BTF
    let k = ran(&sample(false), 0, known(Known::OfModule(66)));
    assert_eq!((call(&k), k.fd_arrays.last().unwrap().len()), ((2, 1, 66), 2));
    fails_cleanly(&sample(false), known(Known::OfModule(66)));
    let k = ran(&sample(true), 0, |_| ());
    assert_eq!(call(&k), (0, 0, 2_002_000_000));
    let k = ran(&sample(false), 4, |_| ());
    assert!(
        k.stderr.contains("need `bpf_task_release` of the kernel: CONFIG_DEBUG_INFO_BTF"),
        "{}",
        k.stderr
    );
    let k = ran(&sample(false), 1, |k| drop(k.files.insert(VMLINUX.into(), Vec::new())));
    assert!(k.stderr.contains("neither the kernel nor a loaded module has it"), "{}", k.stderr);
}

#[test]
fn a_kprobe_lies_behind_the_start_where_that_is_refused() {
    let mut k = Fake::new(Sample::default().pack());
    k.no_starts = true;
    let (mut ledger, start) = (Ledger::default(), Probe { symbol: "vfs_read", offset: 0, ret: false });
    assert_eq!(open_or_behind(&mut k, &mut ledger, &start, None), Err(Errno::EINVAL));
    // a return is known at the very start alone
    let ret = Probe { ret: true, ..start };
    assert_eq!(open_or_behind(&mut k, &mut ledger, &ret, Some(8)), Err(Errno::EINVAL));
    let probe = open_or_behind(&mut k, &mut ledger, &start, Some(8)).unwrap();
    assert_eq!(k.spots.last().map(|(offset, _)| *offset), Some(8));
    k.close(probe);
    // a kernel that takes the start has it
    k.no_starts = false;
    let probe = open_or_behind(&mut k, &mut ledger, &start, Some(8)).unwrap();
    assert_eq!(k.spots.last().map(|(offset, _)| *offset), Some(0));
    k.close(probe);
}
