//! All section names of programs, each on each board: one pack a name, loaded and attached beside work of every kind, and what came of it
//! as a table. Where a kernel has no such program, or its configuration leaves it out, the pack must be refused; anywhere else it must
//! run. So the versions and the ways of `attach/sec.toml` are held against kernels, not against each other.

mod documented;
mod judge;
mod uses;

pub use documented::documented;
pub use judge::{judge, table};

use crate::attach::{enumerators, sec::rows};
use crate::net::version;
use crate::tools::output::{self, Output};
use crate::tools::script::{MARK, READY};
use anyhow::{Context, Result, bail};
use corelet_boards::{Board, Boot, Initramfs, Kernel, Progress, Quiet, RUN, busybox_static};
use corelet_core::object::{Object, sec_name};
use corelet_host_tools::cmd::target_arg::{Opened, with_kernels};
use corelet_host_tools::kernel::{Config, config::Value};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, build, container};
use corelet_host_tools::relocate::type_count;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// A kernel that is not its board's own: suite and package.
pub type Other = (&'static str, &'static str);

/// The boards whose columns the table has, the oldest kernel first, some with another kernel than their own; and the version of Linux
/// whose names, with all that are younger, are tried there.
pub const BOARDS: [(&str, Option<Other>, (u32, u32)); 3] = [
    ("qemu-aarch64", None, (0, 0)),
    ("qemu-aarch64", Some(("trixie-backports", "linux-image-6.18.*-cloud-arm64")), (6, 13)),
    ("qemu-riscv64", None, (0, 0)),
];

const OBJECT: (&str, &[u8]) = ("names", include_bytes!("names/names.bpf.o"));
/// The objects of struct_ops: programs that cannot sleep, and one that can.
const CONGESTION: (&str, &[u8]) = ("congestion", include_bytes!("attach/congestion.bpf.o"));
const SCHEDULER: (&str, &[u8]) = ("sched", include_bytes!("names/sched.bpf.o"));
const DRIVER: [&str; 2] = [include_str!("net/driver.sh"), include_str!("names/driver.sh")];

/// The modules that kernels have devices, filters and actions in, where they are modules.
const MODULES: [(&str, &str); 5] = [
    ("veth", "CONFIG_VETH"),
    ("sch_ingress", "CONFIG_NET_SCH_INGRESS"),
    ("cls_bpf", "CONFIG_NET_CLS_BPF"),
    ("cls_matchall", "CONFIG_NET_CLS_MATCHALL"),
    ("act_bpf", "CONFIG_NET_ACT_BPF"),
];

/// How the program of a name is packed and run.
struct How {
    object: (&'static str, &'static [u8]),
    /// Its function.
    program: String,
    /// Programs besides its own.
    beside: Vec<&'static str>,
    /// What the manifest says more.
    more: String,
    /// What is done while it runs: of `driver.sh`.
    work: &'static str,
    /// The loader's options.
    options: String,
}

impl How {
    /// A value of the map `map` holds the program, and `beside` sends packets there.
    fn hold(&mut self, beside: &'static str, map: &str, value: &str) {
        self.more =
            format!("[maps.{map}]\nvalues = [{{ key = 0, {value}, program = \"{}\" }}]\n", self.program);
        // frames that a device redirects natively are only taken by peers that run programs
        let mode = if map == "devices" { "generic" } else { "native" };
        self.options = format!("--attach {beside}=veth0,{mode}");
        self.beside = vec![beside];
    }
}

/// What came of a name on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The board tries younger names.
    Untried,
    /// It is attached, or loaded where the loader does no more, and ran so often.
    Ran(i64),
    /// Not on this kernel: what was said, and whether it was on the PC.
    Refused {
        /// The last line of it.
        said: String,
        /// When the pack was made.
        on_pc: bool,
    },
}

/// All names on one board.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub board: String,
    /// Major and minor of its kernel.
    pub linux: (u32, u32),
    /// Its configuration.
    pub config: Config,
    /// Whether its kernel has types of its own.
    pub types: bool,
    /// Whether calls of sockets were made there.
    pub sockets: bool,
    /// `enum bpf_prog_type` and `enum bpf_attach_type` of its types.
    pub numbers: [BTreeMap<String, u32>; 2],
    /// What was seen of a scheduler and of a device, or why it was not as it must be.
    pub uses: Result<Vec<String>, String>,
    /// Programs that are left in the kernel at the end.
    pub left: i64,
    /// By the rows of `sec.toml`.
    pub fates: Vec<Fate>,
}

/// The function of a name in `names.bpf.c`.
fn function(name: &str) -> String {
    format!("at_{}", name.replace(['.', '/'], "_"))
}

fn how(name: &str) -> How {
    let program = function(name);
    let attach = |place: &str| format!("--attach {program}={place}");
    let mut how = How {
        object: OBJECT,
        program: program.clone(),
        beside: Vec::new(),
        more: String::new(),
        work: "all",
        options: String::new(),
    };
    match name {
        "struct_ops" => (how.object, how.work) = (CONGESTION, "cc"),
        "struct_ops.s" => how.object = SCHEDULER,
        "perf_event" => {
            how.more = format!(
                "[programs.{program}]\nperf = {{ type = \"software\", config = \"cpu-clock\", freq = 99 }}\n"
            );
        }
        "sk_skb" => how.more = format!("[programs.{program}]\nattach = \"sk_skb/stream_verdict\"\n"),
        "freplace" => how.beside = vec!["caller"],
        "socket" => how.options = attach("lo"),
        "xdp" | "xdp.frags" | "tcx/ingress" | "tcx/egress" | "tc/ingress" | "tc/egress" => {
            how.options = attach("veth0");
        }
        "tc" | "classifier" | "action" => how.options = attach("veth0,ingress"),
        "netkit/primary" | "netkit/peer" => how.options = attach("nk1"),
        "netfilter" => how.options = attach("ipv4,input"),
        "lirc_mode2" => how.options = attach("/dev/lirc0"),
        "sk_reuseport" | "sk_reuseport/migrate" => (how.options, how.work) = (attach("WORKER/3"), "group"),
        "syscall" | "fentry.s" | "fexit.s" | "fsession.s" => how.work = "test",
        "fmod_ret.s" | "fentry.multi.s" | "fexit.multi.s" | "fsession.multi.s" => {
            (how.beside, how.work) = (vec!["trigger"], "test")
        }
        _ if name.starts_with("lwt_") => how.work = "test",
        "xdp/devmap" => how.hold("to_device", "devices", "interface = \"veth0\""),
        "xdp.frags/devmap" => how.hold("to_device_frags", "devices", "interface = \"veth0\""),
        "xdp/cpumap" => how.hold("to_cpu", "cpus", "size = 64"),
        "xdp.frags/cpumap" => how.hold("to_cpu_frags", "cpus", "size = 64"),
        _ if name.starts_with("cgroup") || name.starts_with("sock") || name == "lsm_cgroup" => {
            how.options = "--cgroup /sys/fs/cgroup/corelet".to_owned();
        }
        _ => {}
    }
    if name.starts_with("sk_skb") || name == "sk_msg" {
        how.beside = if name == "sk_skb/stream_parser" { vec!["keep", "pass"] } else { vec!["keep"] };
        how.options = "--cgroup /sys/fs/cgroup/corelet".to_owned();
    }
    how
}

fn pack(name: &str, how: &How, kernel: &Opened) -> Result<Vec<u8>> {
    let (of, bytes) = how.object;
    let mut index = vec![0; type_count(bytes)?];
    let object = Object::parse(bytes, &mut index)?;
    let mut text = how.more.clone();
    if of == OBJECT.0 {
        for f in object.functions().filter(|f| f.entry) {
            if f.name != how.program && !how.beside.contains(&f.name) {
                let _ = writeln!(text, "[programs.{}]\ndisabled = true", f.name);
            }
        }
    }
    pack_of(how.object, name, &text, kernel)
}

/// A pack of an object with counters in `hits`.
fn pack_of((of, bytes): (&str, &[u8]), name: &str, more: &str, kernel: &Opened) -> Result<Vec<u8>> {
    let result = "[[results]]\nname = \"hits\"\nvariable = \"hits\"\nhow = \"counters\"\n";
    let manifest = Manifest::parse(name, &format!("{result}{more}"))?;
    let input = Input { name: of.to_owned(), bytes: bytes.to_vec(), manifest };
    with_kernels(std::slice::from_ref(kernel), |kernels| {
        container(&build(&[input], kernels, &Options { lines: true })?.sections)
    })
}

/// The program in user space that is probed on `board`.
///
/// # Errors
/// It is compiled for other architectures.
pub fn probed(board: &Board) -> Result<&'static [u8]> {
    Ok(match board.arch.debian.as_str() {
        "arm64" => include_bytes!("uprobe/probed-aarch64"),
        "riscv64" => include_bytes!("uprobe/probed-riscv64"),
        "armhf" => include_bytes!("uprobe/probed-armv7a"),
        other => bail!("nothing is compiled for {other}"),
    })
}

/// Runs all names in one boot of `board`, whose kernel is `kernel`; `probed` is the program in user space that is probed, `sockets` the
/// one that makes calls of sockets. Names that are older than `from` are left untried.
///
/// # Errors
/// What keeps the board from running; what the names show is in the [`Column`].
pub fn run(
    board: &Board,
    kernel: &Kernel,
    (loader, sockets, probed): (&[u8], Option<&[u8]>, &[u8]),
    from: (u32, u32),
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Column> {
    let rows = rows()?;
    let opened = Opened::packaged(kernel, &mut Quiet)?;
    let config = Config::read(kernel.config.as_deref().context("a kernel without its configuration")?)?;
    let linux = version(&kernel.release).context("a kernel without a version")?;
    let [interfaces, driver] = DRIVER;
    let mut script = format!("MARK='{MARK}'\nREADY='{READY}'\n{interfaces}\n{driver}\nsetup\nprepare\n");
    let mut files = vec![
        ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
        ("corelet/probed".to_owned(), 0o755, probed.to_vec()),
    ];
    files.extend(sockets.map(|s| ("corelet/sockets".to_owned(), 0o755, s.to_vec())));
    let mut refused = Vec::new();
    for row in &rows {
        let name = &row.name;
        if row.since()? < from {
            refused.push(Some(Fate::Untried));
            continue;
        }
        let how = how(name);
        let label = name.replace('/', "_");
        let packed = pack(name, &how, &opened);
        if let Ok(bytes) = &packed {
            files.push((format!("corelet/{label}.pack"), 0o644, bytes.clone()));
            let _ = writeln!(script, "name {label} {} {}", how.work, how.options);
        }
        refused.push(packed.err().map(|e| Fate::Refused { said: format!("{e:#}"), on_pc: true }));
    }
    uses::prepare(&opened, &config, &mut files, &mut script)?;
    script.push_str("left\n");
    files.push((RUN.to_owned(), 0o755, script.into_bytes()));
    let modules =
        MODULES.iter().chain(&uses::MODULES).filter(|(_, option)| config.get(option) == Some(&Value::Module));
    let initramfs = Initramfs {
        busybox: busybox_static(board, progress)?,
        modules_folder: Some(kernel.modules(progress)?),
        modules: modules.map(|(name, _)| (*name).to_owned()).collect(),
        files,
    };
    let mut boot = Boot::new(board, kernel.image.clone(), initramfs.build()?);
    boot.deadline = Duration::from_secs(1200);
    progress.step(&format!("booting {} for {} names of sections", board.name, rows.len()));
    let lines = crate::tools::board::lines(&boot, on_line)?;
    let outputs = output::parse(lines.iter().map(String::as_str));
    let find = |label: &str| outputs.iter().find(|o| o.label == label);
    let fates = rows.iter().zip(refused).map(|(row, refused)| match refused {
        Some(fate) => Ok(fate),
        None => {
            let found = find(&row.name.replace('/', "_"));
            Ok(fate(found.with_context(|| format!("{}: the board said nothing of it", row.name))?))
        }
    });
    Ok(Column {
        board: board.name.clone(),
        linux,
        types: !opened.is_without_btf(),
        numbers: [enumerators(&opened, "bpf_prog_type")?, enumerators(&opened, "bpf_attach_type")?],
        sockets: sockets.is_some(),
        uses: uses::judge(&config, &outputs).map_err(|e| format!("{e:#}")),
        left: find("left")
            .and_then(|o| o.fact("programs").ok())
            .context("the board did not come to its end")?,
        fates: fates.collect::<Result<_>>()?,
        config,
    })
}

/// What a run came to: its counters together.
fn fate(output: &Output) -> Fate {
    let counters = output.results.iter().filter_map(|r| r.get("counters")?.as_object());
    let ran: i64 = counters.flat_map(|all| all.values().filter_map(serde_json::Value::as_i64)).sum();
    let read = output.unreadable.iter().filter(|line| *line == "ran").count() as i64;
    if output.rc == Some(0) && output.facts.contains_key("ready") {
        return Fate::Ran(ran + read);
    }
    let said = output.errors.iter().filter(|line| !line.starts_with("work: "));
    Fate::Refused { said: said.cloned().collect::<Vec<_>>().join(" | "), on_pc: false }
}

/// The numbers of a name: `enum bpf_prog_type` and `enum bpf_attach_type`.
fn numbers(name: &str) -> Option<(u32, u32)> {
    let sections = ["", "/a", "/a/b", "/a:b", "/a:b:c"].map(|behind| format!("{name}{behind}"));
    let sec = sections.iter().find_map(|section| sec_name::parse(section).ok())?;
    Some((sec.prog_type, sec.expected_attach_type))
}
