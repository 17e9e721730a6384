//! `doctor`: what this kernel has of what loading a pack takes, a line for each thing on standard output, in text or as JSON; to what
//! is not there, what to do about it. With a pack also whether its objects have a target for this kernel, and whether it has what each
//! program is attached to.
//!
//! Nothing is loaded but one map of 4 bytes, which is closed again. None of this is memory while packs are loaded (`link.ld`).

use crate::choose;
use crate::exit::{Done, Exit};
use crate::file::{PackFile, SMALL};
use crate::identity::{number_in, read_file};
use crate::installed::{self, Installed};
use crate::job::Output;
use crate::kprobe::{self, Probe};
use crate::lacking;
use crate::number;
use crate::say::{
    Arg::{self, E, N, P, S, X},
    failed, print, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MapSpec, Open, Sys};
use crate::tracefs;
use core::ffi::CStr;
use corelet_core::kconfig;
use corelet_core::pack::{Attach, Checked, Choice, Decision, Program, section};

/// `CAP_SYS_ADMIN`, `CAP_PERFMON` (5.8), `CAP_BPF` (5.8) and `CAP_SYS_RESOURCE`, `include/uapi/linux/capability.h`.
const SYS_ADMIN: u64 = 1 << 21;
const SYS_RESOURCE: u64 = 1 << 24;
const TRACING: u64 = 1 << 38 | 1 << 39;

/// How the lines are printed, and whether one was a "no".
struct Doctor<'k, K: Kernel> {
    kernel: &'k mut K,
    json: bool,
    lacks: bool,
}

/// Looks at everything.
///
/// # Errors
/// [`Exit::Missing`] where something is not there; the exit of a pack that cannot be read.
#[cold]
#[inline(never)]
pub fn run<K: Kernel>(kernel: &mut K, session: &mut Session<'_>) -> Done<()> {
    let options = session.options;
    let mut d = Doctor { kernel, json: options.output == Output::Json, lacks: false };
    d.identity(session);
    let capabilities = d.permissions(session);
    d.files(capabilities & (SYS_ADMIN | TRACING) != 0);
    for path in &options.packs {
        d.pack(session, path)?;
    }
    if d.lacks { Err(Exit::Missing) } else { Ok(()) }
}

impl<K: Kernel> Doctor<'_, K> {
    /// One line: whether it is there, what was found, and to a "no" what to do.
    fn line(&mut self, name: &str, there: bool, value: Arg<'_>, advice: Arg<'_>) {
        self.lacks |= !there;
        let advice = if there { S("") } else { advice };
        let named = [S(name), S(if there { "true" } else { "false" }), value, advice];
        if self.json {
            let form = text!("{\"check\":\"%\",\"ok\":%,\"value\":\"%\",\"advice\":\"%\"}\n");
            print(self.kernel, Fd::STDOUT, form, &named);
        } else if there {
            print(self.kernel, Fd::STDOUT, text!("yes  %: %\n"), &[S(name), value]);
        } else {
            print(self.kernel, Fd::STDOUT, text!("no   %: %; %\n"), &[S(name), value, advice]);
        }
    }

    fn identity(&mut self, session: &Session<'_>) {
        let id = &session.identity;
        let args = [S(&id.uname.release), S(&id.uname.version), S(&id.uname.machine)];
        self.line(text!("kernel"), true, P(text!("% % %"), &args), S(""));
        let there = !id.build_id.is_empty();
        let value = if there { X(&id.build_id) } else { S(text!("none")) };
        let advice = text!(
            "the kernel's image has no build id, so targets are found by --allow-release, or the kernel's own types serve"
        );
        self.line(text!("build id"), there, value, S(advice));
        self.line(text!("CPUs"), true, N(id.cpus.into()), S(""));
    }

    /// What this process may do; gives its capabilities.
    fn permissions(&mut self, session: &Session<'_>) -> u64 {
        let capabilities = capabilities(self.kernel).unwrap_or(0);
        let may = capabilities & SYS_ADMIN != 0 || capabilities & TRACING == TRACING;
        let set = capabilities.to_be_bytes();
        self.line(
            "capabilities",
            may,
            P(text!("effective set %"), &[X(&set)]),
            S(text!("run it as root, or with CAP_BPF and CAP_PERFMON")),
        );
        let spec = MapSpec { map_type: 2, key_size: 4, value_size: 4, max_entries: 1, ..MapSpec::default() };
        let made = self.kernel.map_create(&spec, 1).map(|map| self.kernel.close(map.fd()));
        let lacking = [S(kconfig::BPF_SYSCALL)];
        let advice = match made {
            Err(Errno::ENOSYS) => P(text!("this kernel lacks %"), &lacking),
            _ => S(text!("run it as root, or with CAP_BPF; another security module may forbid it")),
        };
        let value = match made {
            Ok(()) => S(text!("maps can be created")),
            Err(e) => E(e),
        };
        self.line(text!("bpf(2)"), made.is_ok(), value, advice);
        // from 5.11 on memory is charged to the cgroup, and the loader raises the limit where it may
        let free = session.identity.is_at_least(5, 11) || capabilities & SYS_RESOURCE != 0;
        let limit = memlock(self.kernel);
        let value = match limit {
            Ok(Some(bytes)) => [N(bytes.into()), S(text!(" bytes"))],
            _ => [S(text!("unlimited")), S("")],
        };
        let there = free || matches!(limit, Ok(None));
        self.line(
            "memlock",
            there,
            P("%%", &value),
            S(text!("ulimit -l unlimited, or CAP_SYS_RESOURCE: this kernel charges maps to it")),
        );
        capabilities
    }

    fn files(&mut self, may: bool) {
        let vmlinux = path(text!("/sys/kernel/btf/vmlinux\0"));
        self.file(text!("BTF"), vmlinux, S(text!("packs need a target for this kernel (corelet pack --target), and what is attached by type needs CONFIG_DEBUG_INFO_BTF")));
        let jit = path(text!("/proc/sys/net/core/bpf_jit_enable\0"));
        self.number(text!("JIT"), jit, |n| n > 0, S(text!("sysctl net.core.bpf_jit_enable=1: without it callbacks, functions of the kernel and tail calls beside subprograms are refused")));
        let perf = [S(kconfig::PERF_EVENTS)];
        let paranoid = path(text!("/proc/sys/kernel/perf_event_paranoid\0"));
        self.file(text!("perf events"), paranoid, P(text!("this kernel lacks %"), &perf));
        let limit = |n| may || n < 2;
        self.number(
            text!("perf_event_paranoid"),
            paranoid,
            limit,
            S(text!("run it as root or with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=1")),
        );
        let unprivileged = path(text!("/proc/sys/kernel/unprivileged_bpf_disabled\0"));
        self.number(
            text!("unprivileged_bpf_disabled"),
            unprivileged,
            |n| may || n == 0,
            S(text!("run it as root or with CAP_BPF")),
        );
        let hidden = |n| n == 0 || may && n < 2;
        self.number(text!("kptr_restrict"), path(text!("/proc/sys/kernel/kptr_restrict\0")), hidden, S(text!("sysctl kernel.kptr_restrict=1 and CAP_SYSLOG: without them addresses of kernel symbols are hidden")));
        self.file(
            text!("kallsyms"),
            path(text!("/proc/kallsyms\0")),
            S(text!(
                "this kernel lacks CONFIG_KALLSYMS, for addresses of kernel symbols and their names in stacks"
            )),
        );
        match tracefs::root(self.kernel) {
            Ok(root) => self.line(text!("tracefs"), true, S(root), S("")),
            Err(e) => self.line(
                text!("tracefs"),
                false,
                E(e),
                S(text!("mount -t tracefs none /sys/kernel/tracing")),
            ),
        }
        let mounted = is_mounted(self.kernel);
        let value = if mounted == Ok(true) { "/sys/fs/bpf" } else { "not mounted" };
        self.line(
            "bpffs",
            mounted == Ok(true),
            S(value),
            S(text!("mount -t bpf none /sys/fs/bpf: pins need it")),
        );
        let pmu = number_in(self.kernel, path(text!("/sys/bus/event_source/devices/kprobe/type\0")));
        let probes = [S(kconfig::KPROBE_EVENTS)];
        match pmu {
            Ok(_) => self.line(text!("kprobes"), true, S(text!("as perf events")), S("")),
            Err(_) if lacking::has_kprobe_events(self.kernel) => {
                self.line(text!("kprobes"), true, S(text!("by kprobe_events of tracefs")), S(""));
            }
            Err(e) => self.line(text!("kprobes"), false, E(e), P(text!("this kernel lacks %"), &probes)),
        }
    }

    fn file(&mut self, name: &str, path: &CStr, advice: Arg<'_>) {
        let opened = self.kernel.open(path, Open::Read).map(|fd| self.kernel.close(fd));
        let why = [S(path.to_str().unwrap_or("")), E(opened.err().unwrap_or(Errno::ENOENT))];
        let form = if opened.is_ok() { "%" } else { "%: %" };
        self.line(name, opened.is_ok(), P(form, &why), advice);
    }

    /// A number in a file, which is as it should be where `right` says so; a file that is not there is no fault.
    fn number(&mut self, name: &str, path: &CStr, right: impl Fn(u32) -> bool, advice: Arg<'_>) {
        match number_in(self.kernel, path) {
            Ok(n) => self.line(name, right(n), N(n.into()), advice),
            Err(e) => self.line(name, e == Errno::ENOENT, E(e), advice),
        }
    }

    /// The targets of a pack, and what its programs are attached to.
    fn pack(&mut self, session: &mut Session<'_>, path: &CStr) -> Done<()> {
        let pack = PackFile::named(self.kernel, &mut session.ledger, path)?;
        let mut installed = Installed::new();
        installed::open(self.kernel, session, &pack, &mut installed)?;
        let mut files = heapless::Vec::<&PackFile<'_>, { corelet_core::limits::MAX_PACK_OBJECTS + 1 }>::new();
        for file in core::iter::once(&pack).chain(&installed) {
            // as many as there is room for
            let _ = files.push(file);
        }
        for entry in pack.table().entries().filter(|e| e.id == section::OBJECT) {
            let mut buffer = [0; SMALL];
            let object = pack.object(self.kernel, entry.owner, &mut buffer)?;
            let there = choose::have(self.kernel, &files, &object.digest, &session.identity)?;
            let value =
                if there { text!("has a target for this kernel") } else { text!("has none for this kernel") };
            let advice = text!(
                "without one the kernel's own types serve where it has them; corelet target makes one of its image"
            );
            self.line(object.name, there, S(value), S(advice));
            let digest = object.digest;
            let plan = self.plan(&files, &digest, &mut buffer)?;
            self.programs(session, &pack, entry.owner, plan)?;
        }
        Ok(())
    }

    /// What any target of the object says of its programs: the manifest's plan, which is the same for every kernel.
    fn plan<'b>(
        &mut self,
        files: &[&PackFile<'_>],
        digest: &[u8; 32],
        buffer: &'b mut [u8; SMALL],
    ) -> Done<&'b [u8]> {
        for file in files {
            for entry in file.table().entries().filter(|e| e.id == section::TARGET) {
                let mut target = [0; SMALL];
                if file.target(self.kernel, entry.owner, &mut target)?.object == *digest {
                    return file.small(self.kernel, section::PLAN, entry.owner, buffer);
                }
            }
        }
        Ok(&[])
    }

    fn programs(
        &mut self,
        session: &mut Session<'_>,
        pack: &PackFile<'_>,
        owner: u16,
        plan: &[u8],
    ) -> Done<()> {
        let Some(entry) = pack.table().find(section::PROGRAMS, owner) else { return Ok(()) };
        let bytes = match self.kernel.region(entry.len as usize) {
            Ok(bytes) => bytes,
            Err(e) => return Err(failed(self.kernel, text!("memory for the pack"), e)),
        };
        pack.read(self.kernel, &entry, bytes)?;
        for (number, program) in (0..).zip(Checked::<Program<'_>>::new(bytes, section::PROGRAMS)) {
            let decision =
                Checked::<Choice>::new(plan, section::PLAN).find(|c| c.program == number).map(|c| c.decision);
            if matches!(decision, Some(Decision::Skip(_))) {
                continue;
            }
            let optional = decision == Some(Decision::IfPresent);
            let found = self.attachable(session, &program.attach);
            let Some(found) = found else { continue };
            let why = [S(program.section), E(found.err().unwrap_or(Errno::ENOENT))];
            let form = match (found.is_ok(), optional) {
                (true, _) => "%",
                (false, true) => text!("%: %, but it is optional"),
                (false, false) => "%: %",
            };
            let advice = text!("the pack's manifest can say that it is optional, or name alternatives");
            self.line(program.name, found.is_ok() || optional, P(form, &why), S(advice));
        }
        Ok(())
    }

    /// Whether what a program is attached to is there; `None` where that cannot be asked without a program.
    fn attachable(&mut self, session: &mut Session<'_>, attach: &Attach<'_>) -> Option<Sys<()>> {
        match *attach {
            Attach::Tracepoint { category, name } => {
                let mut event = tracefs::Path::new();
                event.text(category).text("/").text(name);
                Some(tracefs::event_id(self.kernel, event.as_str()).map(drop))
            }
            Attach::Kprobe { symbol, offset, ret } => {
                let probe = Probe { symbol, offset, ret };
                Some(kprobe::open(self.kernel, &mut session.ledger, &probe).map(|fd| self.kernel.close(fd)))
            }
            _ => None,
        }
    }
}

/// A path whose NUL is in the text, as `text!` takes it.
fn path(text: &'static str) -> &'static CStr {
    tracefs::until_nul(text.as_bytes())
}

/// The capabilities that this process has in effect.
fn capabilities<K: Kernel>(kernel: &mut K) -> Sys<u64> {
    let mut text = [0; 1536];
    let text = read_file(kernel, path(text!("/proc/self/status\0")), &mut text)?;
    let digits = text.split(|&b| b == b'\n').find_map(|l| number::after(l, b"CapEff:")).unwrap_or_default();
    digits
        .trim_ascii()
        .iter()
        .try_fold(0u64, |n, &b| Some(n << 4 | u64::from(char::from(b).to_digit(16)?)))
        .ok_or(Errno::EINVAL)
}

/// `RLIMIT_MEMLOCK` in bytes; `None` for no limit.
fn memlock<K: Kernel>(kernel: &mut K) -> Sys<Option<u32>> {
    let mut text = [0; 2048];
    let text = read_file(kernel, path(text!("/proc/self/limits\0")), &mut text)?;
    let line = text
        .split(|&b| b == b'\n')
        .find_map(|l| number::after(l, b"Max locked memory"))
        .ok_or(Errno::EINVAL)?;
    Ok(if line.trim_ascii_start().starts_with(b"unlimited") { None } else { number::first(line) })
}

/// Whether a bpffs is mounted where pins are.
fn is_mounted<K: Kernel>(kernel: &mut K) -> Sys<bool> {
    const LINE: &[u8] = b" /sys/fs/bpf bpf ";
    const OVERLAP: usize = LINE.len();
    let file = kernel.open(path(text!("/proc/self/mounts\0")), Open::Read)?;
    let mut window = [0u8; 512];
    let found = loop {
        let n = match kernel.read(file, window.get_mut(OVERLAP..).unwrap_or_default()) {
            Ok(0) => break Ok(false),
            Ok(n) => n,
            Err(Errno::EINTR) => continue,
            Err(e) => break Err(e),
        };
        let end = n.saturating_add(OVERLAP);
        if window.get(..end).is_some_and(|w| w.windows(LINE.len()).any(|w| w == LINE)) {
            break Ok(true);
        }
        for at in 0..OVERLAP {
            let byte = window.get(n.saturating_add(at)).copied().unwrap_or(0);
            if let Some(slot) = window.get_mut(at) {
                *slot = byte;
            }
        }
    };
    kernel.close(file);
    found
}
