//! What the filter does: by an interpreter of classic BPF for every call that there is, and by the host's kernel in a child process.

use super::*;

/// `struct seccomp_data` as 32-bit words: number, architecture, instruction pointer, six arguments.
type Data = [u32; 16];

fn data(number: u32, args: &[u32]) -> Data {
    let mut data = [0; 16];
    (data[0], data[1]) = (number, ARCH);
    args.iter().zip(data[4..].iter_mut().step_by(2)).for_each(|(arg, slot)| *slot = *arg);
    data
}

/// Runs a filter as the kernel does; every filter has to end by a return.
fn answer(filter: &Filter, data: &Data) -> u32 {
    let (mut at, mut a) = (0, 0);
    loop {
        let i = filter[at];
        at += 1;
        match i.code {
            LOAD => a = data[i.k as usize / 4],
            EQUAL => at += usize::from(if a == i.k { i.yes } else { i.no }),
            ANY_OF => at += usize::from(if a & i.k != 0 { i.yes } else { i.no }),
            RETURN => return i.k,
            other => panic!("{other:#x} is no instruction of these filters"),
        }
    }
}

const GROUPS: [u32; 7] = [ALWAYS, FILES, NAMES, SOCKETS, SERVICE, FOLLOW, HELD];

#[test]
fn what_the_table_has_and_nothing_else_is_allowed() {
    for groups in GROUPS.into_iter().chain([0, FILES | NAMES, 127]) {
        let filter = filter(groups);
        assert!(!filter.is_full(), "{groups}: {} instructions", filter.len());
        for number in (0..2048).chain([0x4000_0001, u32::MAX]) {
            let mut expected = REFUSE;
            let of = |(n, of): &(u16, u8)| u32::from(*n) == number && u32::from(*of) & (groups | ALWAYS) != 0;
            if CALLS.iter().any(of) || number == MMAP {
                expected = ALLOW;
            }
            assert_eq!(answer(&filter, &data(number, &[u32::MAX, 0, 3])), expected, "{groups}: {number}");
        }
        for command in 0..64 {
            let of = |(n, of): &(u8, u8)| u32::from(*n) == command && u32::from(*of) & (groups | ALWAYS) != 0;
            let expected = if COMMANDS.iter().any(of) { ALLOW } else { REFUSE };
            assert_eq!(answer(&filter, &data(nr::__NR_bpf, &[command])), expected, "{groups}: {command}");
        }
    }
}

#[test]
fn loading_executing_and_another_architectures_numbers_are_never_allowed() {
    let all = filter(127);
    for command in
        [cmd::PROG_LOAD, cmd::MAP_CREATE, cmd::BTF_LOAD, cmd::PROG_ATTACH, cmd::RAW_TRACEPOINT_OPEN]
    {
        assert_eq!(answer(&all, &data(nr::__NR_bpf, &[command as u32])), REFUSE);
    }
    for number in [
        nr::__NR_execve,
        nr::__NR_execveat,
        nr::__NR_clone,
        nr::__NR_ptrace,
        nr::__NR_mprotect,
        nr::__NR_mount,
        nr::__NR_init_module,
        nr::__NR_perf_event_open,
        nr::__NR_process_vm_writev,
        nr::__NR_setuid,
        nr::__NR_capset,
        nr::__NR_kill,
    ] {
        assert_eq!(answer(&all, &data(number, &[])), REFUSE, "{number}");
    }
    for prot in 0..8 {
        let expected = if prot & 4 == 0 { ALLOW } else { REFUSE };
        assert_eq!(answer(&all, &data(MMAP, &[0, 4096, prot])), expected, "{prot}");
    }
    let mut foreign = data(nr::__NR_write, &[]);
    foreign[1] ^= 0x8000_0000;
    assert_eq!(answer(&all, &foreign), KILL);
    // a plain run opens no file, makes no socket and removes nothing
    for number in [nr::__NR_openat, nr::__NR_socket, nr::__NR_unlinkat, nr::__NR_connect] {
        assert_eq!(answer(&filter(0), &data(number, &[])), REFUSE, "{number}");
    }
}

/// A child of this process, which does `work` and ends with what that gives; it makes nothing but system calls.
fn in_a_child(work: fn() -> usize) -> u32 {
    const SIGCHLD: usize = 17;
    // SAFETY: fork(2); the child touches no lock and allocates nothing.
    let child = unsafe { syscall(nr::__NR_clone, SIGCHLD, 0, 0, 0, 0) }.unwrap();
    if child == 0 {
        crate::sys::exit(work() as i32);
    }
    let mut status = 0u32;
    let at = (&raw mut status).expose_provenance();
    // SAFETY: the kernel writes four bytes.
    unsafe { syscall(nr::__NR_wait4, child as usize, at, 0, 0, 0) }.unwrap();
    status
}

/// The error number of a call without arguments, or 0.
fn call(number: u32) -> usize {
    // SAFETY: none of the calls below does anything with null arguments.
    unsafe { syscall(number, 0, 0, 0, 0, 0) }.map_or_else(|e| e.0.into(), |_| 0)
}

#[test]
fn the_kernel_takes_the_filter_and_the_capabilities_are_gone() {
    const CAP_SYSLOG: u32 = 34;
    let status = in_a_child(|| {
        if keep_capabilities(1 << CAP_SYSLOG).is_err() {
            return 1;
        }
        let mut sets = [0u32; 6];
        let header = [VERSION_3, 0];
        let (at, data) = ((&raw const header).expose_provenance(), (&raw mut sets).expose_provenance());
        // SAFETY: as in `keep_capabilities`.
        let got = unsafe { syscall(nr::__NR_capget, at, data, 0, 0, 0) };
        // whoever is not root had none to begin with
        let upper = sets[3] & !(1 << (CAP_SYSLOG - 32));
        if got.is_err() || sets[0] | sets[1] | sets[2] | sets[5] | upper != 0 {
            return 2;
        }
        if confine(0).is_err() {
            return 3;
        }
        // getpid and a read of no descriptor are let through, getppid and the rest are not
        let [allowed, refused] = [call(nr::__NR_getpid), call(nr::__NR_getppid)];
        if (allowed, refused) != (0, 1) || call(nr::__NR_openat) != 1 || call(nr::__NR_execve) != 1 {
            return 4;
        }
        0
    });
    assert_eq!(status, 0, "{status:#x}");
}
