//! Packs that a device must not take: each is tried on a board, all in one boot, and judged by the loader's exit code, its
//! words, and what it left in the kernel, which must be nothing.

use crate::objects::Objects;
use crate::oracle::maps::EVERY_TYPE;
use crate::tools::board;
use crate::tools::output::Output;
use crate::tools::script::{MARK, READY};
use anyhow::{Context, Result, ensure};
use corelet_boards::{Board, Kernel, Progress, RUN};
use corelet_core::pack::{Arch, CRITICAL, Crc, ENTRY_LEN, HEADER_LEN, Table, section};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::kernel::config::Value;
use corelet_host_tools::manifest::{self, Manifest};
use corelet_host_tools::pack::{self, File, Input, Options, Section, build, container, map_memory};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Programs that the kernel must refuse; `bad.bpf.c` is its source.
const BAD: &[u8] = include_bytes!("refusals/bad.bpf.o");
const SOURCE: &str = include_str!("refusals/bad.bpf.c");
const DRIVER: &str = include_str!("refusals/driver.sh");

/// One try on the board.
struct Try {
    name: String,
    /// What of the driver runs it: `one`, `hidden`, `shown`, `jitless`, `running`, `pinned` or `rewritten`.
    how: &'static str,
    /// Arguments, the pack among them.
    args: String,
    code: i32,
    /// Words of the loader.
    says: Vec<String>,
}

/// Name of the try that tells what the kernel takes for each map.
const MAPS: &str = "maps";

/// The tries, and the files that they need.
#[derive(Default)]
struct Tries {
    list: Vec<Try>,
    files: Vec<(String, Vec<u8>)>,
    /// What each map of [`MAPS`] may take: name and bytes, on a machine of one CPU and pages of 4 KiB, and for each further CPU.
    limits: Vec<(String, u64, u64)>,
}

impl Tries {
    /// Adds a try of a pack of its own with `corelet-loader verify` and some options.
    fn add(&mut self, name: &str, pack: Vec<u8>, options: &str, code: i32, says: &[&str]) {
        let path = self.file(name, pack);
        let args = format!("verify {path} {options}");
        let says = says.iter().map(|&s| s.to_owned()).collect();
        self.list.push(Try { name: name.to_owned(), how: "one", args, code, says });
    }

    /// A file on the board; gives its path there.
    fn file(&mut self, name: &str, bytes: Vec<u8>) -> String {
        let path = format!("corelet/{name}.pack");
        self.files.push((path.clone(), bytes));
        format!("/{path}")
    }

    fn script(&self) -> String {
        let mut text = format!("MARK='{MARK}'\nREADY='{READY}'\n{DRIVER}\n");
        for Try { name, how, args, .. } in &self.list {
            let _ = writeln!(text, "{how} {name} {args}");
        }
        text
    }
}

/// What the tries came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each try.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

/// Runs all tries in one boot of `the_board`, whose kernel is `kernel`. `objects` are those of the nine tools.
///
/// # Errors
/// What keeps the board from running; what the tries show is in the [`Outcome`].
pub fn run(
    the_board: &Board,
    kernel: &Kernel,
    loader: &[u8],
    objects: &Objects,
    progress: &mut dyn Progress,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome> {
    let opened = [Opened::open(&TargetArg::new(&kernel.image, kernel.config.as_deref()))?];
    let tries = with_kernels(&opened, |kernels| tries(&kernels[0], objects))?;
    let mut files = vec![
        (RUN.to_owned(), 0o755, tries.script().into_bytes()),
        ("corelet/corelet-loader".to_owned(), 0o755, loader.to_vec()),
    ];
    files.extend(tries.files.iter().map(|(path, bytes)| (path.clone(), 0o644, bytes.clone())));
    let what = format!("{} tries", tries.list.len());
    let seconds = 300;
    let outputs = board::with_files(the_board, kernel, files, (&what, seconds), progress, on_line)?;
    let mut outcome = Outcome::default();
    memory_of_maps(&tries, &outputs, &mut outcome);
    for one in &tries.list {
        let found = outputs.iter().find(|o| o.label == one.name);
        let found = found.with_context(|| format!("{}: the board said nothing of it", one.name))?;
        let verdict = judge(one, found);
        outcome.lines.push(format!(
            "{}: {}",
            one.name,
            verdict.as_ref().map_or_else(String::as_str, |()| "ok")
        ));
        if let Err(why) = verdict {
            outcome.failures.push(format!("{}: {why}", one.name));
        }
    }
    Ok(outcome)
}

/// Holds what the kernel counts for each map against what the pack's formula allows it.
fn memory_of_maps(tries: &Tries, outputs: &[Output], outcome: &mut Outcome) {
    let said = outputs.iter().find(|o| o.label == MAPS).map_or(&[][..], |o| &o.errors);
    let mut all = outputs.iter().flat_map(|o| &o.errors);
    let cpus = all.find_map(|l| l.strip_prefix("yes  CPUs: ")?.parse().ok()).unwrap_or(1);
    for (map, one, further) in &tries.limits {
        let most = one + further * (cpus - 1);
        let start = format!("  map {MAPS}.{map}: ");
        let bytes =
            said.iter().find_map(|l| l.strip_prefix(&start)?.strip_suffix(" bytes")?.parse::<u64>().ok());
        match bytes {
            Some(bytes) if bytes <= most => {
                outcome.lines.push(format!("map {map}: {bytes} bytes by the kernel's count, at most {most}"));
            }
            other => outcome
                .failures
                .push(format!("map {map}: {other:?} bytes, where the formula says at most {most}")),
        }
    }
}

/// Whether the loader did as it must.
fn judge(one: &Try, output: &Output) -> Result<(), String> {
    let said = output.errors.join("\n");
    if output.rc != Some(one.code) {
        return Err(format!("exit code {:?}, not {}: {said}", output.rc, one.code));
    }
    if let Some(words) = one.says.iter().find(|words| !said.contains(*words)) {
        return Err(format!("does not say {words:?}: {said}"));
    }
    match output.facts.get("left").map(String::as_str) {
        Some("nothing") => Ok(()),
        left => Err(format!("left something in the kernel: {left:?}")),
    }
}

/// The packs and what must become of them.
fn tries(kernel: &pack::Kernel<'_>, objects: &Objects) -> Result<Tries> {
    let mut tries = Tries::default();
    let opensnoop = tool("opensnoop", objects, kernel)?;
    let good = container(&opensnoop)?;
    tries.add("right", good.clone(), "", 0, &["verified"]);
    let path = tries.file("running", good.clone());
    let says = vec![READY.to_owned(), "during: seen".to_owned()];
    tries.list.push(Try { name: "running".to_owned(), how: "running", args: path, code: 0, says });

    damaged(&mut tries, &good, &container(&tool("syscount", objects, kernel)?)?)?;
    other_sections(&mut tries, &opensnoop)?;
    other_kernels(&mut tries, kernel, objects)?;

    tries.add(
        "set-unknown",
        good.clone(),
        "--set no_such_variable=1",
        2,
        &["no_such_variable=1", "no such variable"],
    );
    tries.add("set-range", good.clone(), "--set targ_pid=4294967296", 2, &["targ_pid=4294967296", "takes"]);
    tries.add("set-words", good.clone(), "--set targ_pid=me", 2, &["targ_pid=me", "takes"]);
    tries.add("limit", good.clone(), "--max-kernel-mem 1K", 1, &["--max-kernel-mem", "1024"]);
    tries.add("option", good.clone(), "--fast", 2, &["--fast", "--help"]);

    let line =
        1 + SOURCE.lines().position(|l| l.contains("task->no_such_field")).context("bad.bpf.c changed")?;
    let poison = bad("takes_a_missing_field", kernel)?;
    let place = format!("line {line}");
    tries.add(
        "poison",
        poison,
        "",
        1,
        &["takes_a_missing_field", &place, "struct task_struct", "no_such_field"],
    );
    let refused = bad("writes_through_a_number", kernel)?;
    tries.add("verifier", refused.clone(), "", 1, &["writes_through_a_number", "log", "invalid mem access"]);
    tries.add("log-size", refused, "--log-size 256", 1, &["writes_through_a_number", "--log-size", "log"]);

    maps(&mut tries, kernel)?;
    let path = tries.file("rewritten", good);
    tries.list.push(Try {
        name: "rewritten".to_owned(),
        how: "rewritten",
        args: path,
        code: 0,
        says: Vec::new(),
    });
    Ok(tries)
}

/// Maps of every type, what they hold from the start, symbols, pins; the kernel's compiler on and off; and what `doctor` says.
fn maps(tries: &mut Tries, kernel: &pack::Kernel<'_>) -> Result<()> {
    let build = |callback: bool, entries: u32| -> Result<Vec<u8>> {
        let mut manifest = Manifest::default();
        let disabled: &[&str] = if callback { &["holders", "called"] } else { &["callback"] };
        for program in disabled {
            let disabled =
                manifest::Program { presence: manifest::Presence::Disabled, ..manifest::Program::default() };
            manifest.programs.insert((*program).to_owned(), disabled);
        }
        let size = manifest::Map { max_entries: Some(entries), ..manifest::Map::default() };
        manifest.maps.insert("corelet_pinned".to_owned(), size);
        manifest.results.push(manifest::ResultSpec {
            name: "checked".to_owned(),
            from: manifest::ResultFrom::Variable("checked".to_owned()),
            how: manifest::ResultHow::Counters(manifest::Labels::Numbers),
            key: None,
            value: None,
            unit: None,
            sort: None,
            rows: 0,
            clear: false,
        });
        let input = Input { name: MAPS.to_owned(), bytes: EVERY_TYPE.to_vec(), manifest };
        container(&build(&[input], std::slice::from_ref(kernel), &Options::default())?.sections)
    };
    let pack = build(false, 1)?;
    let file = File::parse(&pack)?;
    for map in file.records::<corelet_core::pack::Map<'_>>(section::MAPS, 0)? {
        let most = map_memory(&map);
        let (one, two) = (most.bytes(1, 4096), most.bytes(2, 4096));
        tries.limits.push((map.name.to_owned(), one, two - one));
    }
    let path = tries.file(MAPS, pack.clone());
    let says = ["verified: 2 programs, 28 maps", "kernel memory: "].map(str::to_owned).to_vec();
    let args = format!("verify {path} --memory");
    tries.list.push(Try { name: MAPS.to_owned(), how: "one", args, code: 0, says });
    // what a map of maps, a map of programs, symbols and variables should be, eight counters; the one that stays 0 is behind the tail call
    let says = [
        "made",
        "stays",
        "ready: 2 programs, 28 maps",
        "ready: 2 programs, 27 maps",
        "has max_entries 1, the pack's 2",
    ];
    let other = tries.file("maps-other", build(false, 2)?);
    let args = format!("{path} {other}");
    let says = says.map(str::to_owned).to_vec();
    tries.list.push(Try { name: "pinned".to_owned(), how: "pinned", args, code: 0, says });

    let path = tries.file("callback", build(true, 1)?);
    let args = format!("verify {path}");
    let try_of = |name: &str, how, code, says: &str| Try {
        name: name.to_owned(),
        how,
        args: args.clone(),
        code,
        says: vec![says.to_owned()],
    };
    tries.list.push(try_of("callback", "one", 0, "verified"));
    // a kernel that always has its compiler on does not take a 0
    let always = kernel.config.is_some_and(|c| c.get("CONFIG_BPF_JIT_ALWAYS_ON") == Some(&Value::Yes));
    let (code, says) = if always { (0, "verified") } else { (4, "net.core.bpf_jit_enable=1") };
    tries.list.push(try_of("callback-interpreted", "jitless", code, says));
    tries.list.push(Try {
        name: "doctor".to_owned(),
        how: "shown",
        args: "doctor /corelet/right.pack".to_owned(),
        code: 0,
        says: ["yes  BTF: ", "yes  JIT: ", "yes  tracefs: ", "yes  opensnoop: has a target for this kernel"]
            .map(str::to_owned)
            .to_vec(),
    });
    Ok(())
}

fn tool(name: &'static str, objects: &Objects, kernel: &pack::Kernel<'_>) -> Result<Vec<Section>> {
    let bytes = objects.get(name).with_context(|| format!("no object of {name}"))?.clone();
    let text = Manifest::builtin(name).with_context(|| format!("{name} has no manifest"))?;
    let input = Input { name: name.to_owned(), bytes, manifest: Manifest::parse(name, text)? };
    Ok(build(&[input], std::slice::from_ref(kernel), &Options { lines: true })?.sections)
}

/// A pack of one of the programs of [`BAD`].
fn bad(program: &str, kernel: &pack::Kernel<'_>) -> Result<Vec<u8>> {
    let mut manifest = Manifest::default();
    for other in ["takes_a_missing_field", "writes_through_a_number"].into_iter().filter(|p| *p != program) {
        manifest.programs.insert(other.to_owned(), manifest::Presence::Disabled.into());
    }
    let input = Input { name: "bad".to_owned(), bytes: BAD.to_vec(), manifest };
    container(&build(&[input], std::slice::from_ref(kernel), &Options::default())?.sections)
}

/// Cut files, and one changed byte in each kind of section that the two packs have.
fn damaged(tries: &mut Tries, good: &[u8], other: &[u8]) -> Result<()> {
    for (name, len) in [
        ("cut-empty", 0),
        ("cut-header", 10),
        ("cut-table", 100),
        ("cut-half", good.len() / 2),
        ("cut-last", good.len() - 1),
    ] {
        let path = format!("/corelet/{name}.pack");
        tries.add(name, good[..len].to_vec(), "", 3, &[&path]);
    }
    tries.add("longer", [good, &[0]].concat(), "", 3, &["/corelet/longer.pack"]);
    tries.add("no-pack", BAD.to_vec(), "", 3, &["/corelet/no-pack.pack"]);
    for (name, at) in [("magic", 0), ("version", 8), ("count", 10), ("length", 12), ("table", HEADER_LEN + 9)]
    {
        tries.add(&format!("changed-{name}"), changed(good, at), "", 3, &["/corelet/changed-"]);
    }
    let mut seen = BTreeSet::new();
    for file in [good, other] {
        for entry in Table::parse(file, file.len() as u64)?.entries() {
            if seen.insert(entry.id) {
                let name = format!("changed-{}", section::name(entry.id).to_lowercase());
                let path = format!("/corelet/{name}.pack");
                let at = (entry.offset + entry.len / 2) as usize;
                // a loader with the engine has no use for what relocation came to
                if entry.id == section::PATCHES {
                    tries.add(&name, changed(file, at), "", 0, &["verified"]);
                } else {
                    tries.add(&name, changed(file, at), "", 3, &[&path, "checksum"]);
                }
            }
        }
    }
    ensure!(seen.len() > 12, "the packs have only {} kinds of sections", seen.len());
    Ok(())
}

fn changed(file: &[u8], at: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at] ^= 0x10;
    file
}

/// Sections that this version does not know: one that it may skip, one that it may not.
fn other_sections(tries: &mut Tries, sections: &[Section]) -> Result<()> {
    const UNKNOWN: u16 = 0x70;
    let mut sections = sections.to_vec();
    sections.push(Section { id: UNKNOWN, owner: 0, bytes: b"from a later version".to_vec() });
    let mut file = container(&sections)?;
    tries.add("unknown-optional", file.clone(), "", 0, &["verified"]);
    let count = usize::from(u16::from_le_bytes([file[10], file[11]]));
    let last = HEADER_LEN + (count - 1) * ENTRY_LEN;
    ensure!(file[last..last + 2] == UNKNOWN.to_le_bytes(), "the unknown section is not the last");
    file[last + 2..last + 4].copy_from_slice(&CRITICAL.to_le_bytes());
    file[16..20].fill(0);
    let mut crc = Crc::new();
    crc.update(&file[..last + ENTRY_LEN]);
    file[16..20].copy_from_slice(&crc.finish().to_le_bytes());
    tries.add("unknown-critical", file, "", 3, &["unknown-critical.pack", "critical section", "unknown"]);
    Ok(())
}

/// What the loader says where the running kernel's own types serve.
const OWN_TYPES: [&str; 3] =
    ["no target for this kernel; relocating with its own types", "0 modules looked into", "verified"];

/// Packs for kernels that are not the running one.
fn other_kernels(tries: &mut Tries, kernel: &pack::Kernel<'_>, objects: &Objects) -> Result<()> {
    let with = |build_id: &[u8], release: &str, arch: Arch| -> Result<Vec<u8>> {
        let other = pack::Kernel {
            types: kernel.types,
            modules: kernel.modules,
            btf_len: kernel.btf_len,
            type_ids: kernel.type_ids,
            build_id,
            release,
            version: kernel.version,
            arch,
            config: kernel.config,
            own_types: kernel.own_types,
        };
        container(&tool("opensnoop", objects, &other)?)
    };
    let other_id = [0x11; 20];
    let other_arch = if kernel.arch == Arch::Riscv64 { Arch::Aarch64 } else { Arch::Riscv64 };
    let pack = with(kernel.build_id, kernel.release, other_arch)?;
    tries.add("other-arch", pack.clone(), "", 1, &["another architecture", other_arch.name()]);
    tries.add("other-arch-release", pack, "--allow-release", 1, &["another architecture"]);
    let pack = with(&other_id, kernel.release, kernel.arch)?;
    let says = ["another build id", "1111", "--allow-release"];
    tries.add("other-build", pack.clone(), "--only-targets", 1, &says);
    tries.add("other-build-own-types", pack.clone(), "", 0, &OWN_TYPES);
    tries.add(
        "other-build-allowed",
        pack,
        "--allow-release",
        0,
        &["taken by release", kernel.release, "verified"],
    );
    let pack = with(&other_id, "6.1.0-other", kernel.arch)?;
    tries.add(
        "other-kernel",
        pack.clone(),
        "--only-targets",
        1,
        &["no target for this kernel", "6.1.0-other", kernel.release],
    );
    let allowed = "--allow-release --only-targets";
    tries.add("other-kernel-allowed", pack.clone(), allowed, 1, &["no target for this kernel"]);
    tries.add("other-kernel-own-types", pack.clone(), "", 0, &OWN_TYPES);
    tries.add(
        "other-kernel-hidden-types",
        pack,
        "",
        1,
        &["/sys/kernel/btf/vmlinux: ENOENT", "no target for this kernel"],
    );
    if let Some(last) = tries.list.last_mut() {
        last.how = "hidden";
    }
    Ok(())
}
