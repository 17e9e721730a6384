//! The firmware of `boards/mcu` on two microcontrollers under QEMU: what it makes of good, damaged and hostile packs, held
//! against what the PC computes, and the flash, RAM and stack that it takes.

mod on_pc;

use anyhow::{Context, Result, ensure};
use corelet_boards::{Kernel, Missing};
use corelet_core::pack::{self, Entry, Target, section};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{File, Input, Options, Section, build, container};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nobody builds this pack anew: it is of version 0.1.
const GOLDEN: &[u8] = include_bytes!("golden/0.1/sample.pack");

/// Exit code of a fault, of which there must be none.
const DEFECT: i32 = 101;

/// A run takes a fraction of a second; this long it takes on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(60);

/// A microcontroller that QEMU emulates.
pub struct Machine {
    /// Its core.
    pub name: &'static str,
    /// Rust's name of it.
    pub target: &'static str,
    /// The emulator.
    pub program: &'static str,
    args: &'static [&'static str],
    /// Where its flash has room for a pack: `PACK` of `boards/mcu/link/*.ld`.
    pack_at: u32,
}

/// Both.
pub const MACHINES: [Machine; 2] = [
    Machine {
        name: "cortex-m3",
        target: "thumbv7m-none-eabi",
        program: "qemu-system-arm",
        args: &["-M", "lm3s6965evb"],
        pack_at: 0x2_0000,
    },
    Machine {
        name: "rv32",
        target: "riscv32imc-unknown-none-elf",
        program: "qemu-system-riscv32",
        args: &["-M", "virt", "-m", "16M", "-bios", "none"],
        pack_at: 0x8012_0000,
    },
];

/// How the firmware ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// What it said.
    pub lines: Vec<String>,
}

impl Machine {
    /// Runs the firmware with `pack` in flash; `build_id` is the command line's last word, where there is one.
    ///
    /// # Errors
    /// QEMU is not there, or the firmware does not come to an end.
    pub fn run(&self, firmware: &Path, pack: &[u8], build_id: Option<&str>) -> Result<Run> {
        let folder = tempfile::tempdir()?;
        let (flash, console) = (folder.path().join("pack"), folder.path().join("console"));
        std::fs::write(&flash, pack)?;
        let line = format!(
            "enable=on,target=native,chardev=console,arg=corelet-mcu,arg={}",
            build_id.unwrap_or("-")
        );
        let mut qemu = Command::new(self.program)
            .args(self.args)
            .args(["-display", "none", "-monitor", "none", "-serial", "none", "-accel", "tcg"])
            .args(["-device", &format!("loader,file={},cpu-num=0", firmware.display())])
            .args([
                "-device",
                &format!("loader,file={},addr={:#x},force-raw=on", flash.display(), self.pack_at),
            ])
            .args(["-chardev", &format!("file,id=console,path={}", console.display())])
            .args(["-semihosting-config", &line])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| Missing::program(self.program, "qemu-system-arm qemu-system-misc"))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = qemu.try_wait()? {
                break status;
            }
            if start.elapsed() > LIMIT {
                qemu.kill()?;
                qemu.wait()?;
                anyhow::bail!("{}: the firmware does not end", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = std::fs::read(&console).context("the console")?;
        let lines = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        let code = status.code().with_context(|| format!("{}: QEMU ended by {status}", self.name))?;
        Ok(Run { code, lines })
    }
}

/// What the firmware says of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Relocations patched.
    pub patched: u64,
    /// And poisoned.
    pub poisoned: u64,
    /// Instructions of the programs that are loaded.
    pub insns: u64,
    /// CRC-32 of them after relocation.
    pub digest: u64,
    /// Bytes of RAM beside the stack.
    pub work: u64,
}

impl Run {
    /// What was said of an object.
    ///
    /// # Errors
    /// Nothing was.
    pub fn of(&self, object: &str) -> Result<Said> {
        let line = self.lines.iter().find_map(|l| l.strip_prefix(object)?.strip_prefix(": patched "));
        let numbers: Option<Vec<u64>> = line
            .and_then(|line| line.split(", ").map(|part| part.rsplit(' ').next()?.parse().ok()).collect());
        match numbers.as_deref() {
            Some(&[patched, poisoned, insns, digest, work]) => {
                Ok(Said { patched, poisoned, insns, digest, work })
            }
            _ => anyhow::bail!("nothing is said of {object}: {}", self.lines.join(" / ")),
        }
    }

    /// Bytes of work area and stack that were touched, by the paint that is left.
    ///
    /// # Errors
    /// That is not said.
    pub fn touched(&self) -> Result<(u64, u64)> {
        let line =
            self.lines.iter().find_map(|l| l.strip_prefix("RAM touched: work ")?.split_once(", stack "));
        let (work, stack) = line.with_context(|| format!("no RAM is said: {}", self.lines.join(" / ")))?;
        Ok((work.parse()?, stack.parse()?))
    }

    /// Whether it ended with `code` and said `words`.
    ///
    /// # Errors
    /// It did not.
    pub fn is(&self, code: i32, words: &str) -> Result<()> {
        let said = self.lines.join(" / ");
        ensure!(self.code == code && said.contains(words), "exit code {} for {code}: {said}", self.code);
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A tool packed for some kernels, and what must come of it on each.
pub struct Packed {
    /// The object's name.
    pub name: String,
    /// The pack's sections.
    pub sections: Vec<Section>,
    /// By kernel: its build id in hexadecimal digits, and what the firmware must say.
    pub kernels: Vec<(String, Said)>,
}

impl Packed {
    /// Packs `object` for `kernels`, and relocates it against all of their types.
    ///
    /// # Errors
    /// It has no manifest or does not fit a kernel.
    pub fn new(name: &str, object: &[u8], kernels: &[&Kernel]) -> Result<Packed> {
        let opened = kernels.iter().map(|k| Opened::open(&TargetArg::new(&k.image, k.config.as_deref())));
        let opened: Vec<Opened> = opened.collect::<Result<_>>()?;
        with_kernels(&opened, |kernels| {
            let text = Manifest::builtin(name).with_context(|| format!("{name} has no manifest"))?;
            let manifest = Manifest::parse(name, text)?;
            let input = Input { name: name.to_owned(), bytes: object.to_vec(), manifest };
            let sections = build(&[input], kernels, &Options::default())?.sections;
            let bytes = container(&sections)?;
            let pack = File::parse(&bytes)?;
            let kernels = (0u16..).zip(kernels);
            let kernels = kernels
                .map(|(number, k)| Ok((hex(k.build_id), on_pc::from_whole(object, k, &pack, number)?)));
            let kernels = kernels.collect::<Result<_>>()?;
            Ok(Packed { name: name.to_owned(), sections, kernels })
        })
    }

    /// A pack as it was built once: the format's golden one, whose object has relocations of nearly every kind.
    ///
    /// # Errors
    /// It does not read back.
    pub fn golden() -> Result<Packed> {
        let pack = File::parse(GOLDEN)?;
        let section = |e: Entry| Ok(Section::raw(e.id, e.owner, pack.section(e.id, e.owner)?.to_vec()));
        let sections = pack.entries().map(section).collect::<Result<_>>()?;
        let target: Target<'_> = pack.record(section::TARGET, 0)?;
        let kernels = vec![(hex(target.build_id), on_pc::from_pack(&pack, 0)?)];
        Ok(Packed { name: "sample".to_owned(), sections, kernels })
    }

    /// The pack.
    ///
    /// # Errors
    /// It is too large for the format.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        container(&self.sections)
    }
}

/// Sections that relocation reads. Of the others the firmware checks the checksums only.
const READ: [u16; 8] = [
    section::OBJECT,
    section::INSNS,
    section::BTF,
    section::FUNCTIONS,
    section::PROGRAMS,
    section::RELOS,
    section::TARGET,
    section::SUBSET,
];

/// A pack that the firmware must refuse.
pub struct Refused {
    /// What is wrong with it.
    pub what: String,
    /// The pack.
    pub bytes: Vec<u8>,
    /// The exit code.
    pub code: i32,
    /// Words of the message.
    pub words: &'static str,
}

/// Packs that the firmware must refuse: damaged, cut short, absent, too large.
///
/// # Errors
/// The right pack has not the sections that it should.
pub fn refused(packed: &Packed) -> Result<Vec<Refused>> {
    const DAMAGED: &str = "has a wrong checksum";
    let whole = packed.bytes()?;
    let mut out = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>, code, words| {
        out.push(Refused { what: what.to_owned(), bytes, code, words });
    };
    for entry in File::parse(&whole)?.entries().filter(|e| e.owner == 0) {
        let mut bytes = whole.clone();
        bytes[(entry.offset + entry.len / 2) as usize] ^= 0x10;
        add(section::name(entry.id), bytes, 3, DAMAGED);
    }
    let mut table = whole.clone();
    table[pack::HEADER_LEN + 5] ^= 1;
    add("the section table", table, 3, DAMAGED);
    add("half a pack", whole[..whole.len() / 2].to_vec(), 3, DAMAGED);
    add("erased flash", vec![0xff; 4096], 3, "another kind of file");
    let mut long = packed.sections.clone();
    let insns = long.iter_mut().find(|s| s.id == section::INSNS).context("no INSNS")?;
    insns.bytes.resize(64 << 10, 0);
    add("more instructions than RAM", container(&long)?, 1, "bytes of RAM more than there are");
    Ok(out)
}

/// Packs whose checksums are right and whose content somebody made up: each byte of a section replaced, section by section.
/// Anything may come of them but a fault and no end.
///
/// # Errors
/// A pack is too large for the format.
pub fn hostile(packed: &Packed) -> Result<Vec<(String, Vec<u8>)>> {
    let mut out = Vec::new();
    for (i, s) in packed.sections.iter().enumerate().filter(|(_, s)| s.owner == 0 && READ.contains(&s.id)) {
        for (how, change) in [("all ones", (|_| 0xff) as fn(u8) -> u8), ("turned over", |b| b.reverse_bits())]
        {
            let mut sections = packed.sections.clone();
            // a type section's and a record's first bytes say what the rest is: it is the rest that is made up
            sections[i].bytes.iter_mut().skip(s.bytes.len() / 3).for_each(|b| *b = change(*b));
            out.push((format!("{} {how}", section::name(s.id)), container(&sections)?));
        }
    }
    Ok(out)
}

/// Whether a run on a hostile pack came to an end of its own.
///
/// # Errors
/// It ended in a fault.
pub fn ended(run: &Run) -> Result<()> {
    ensure!(
        run.code != DEFECT && matches!(run.code, 0 | 1 | 3),
        "exit code {}: {}",
        run.code,
        run.lines.join(" / ")
    );
    Ok(())
}

/// Bytes of flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flash {
    /// The whole firmware: code and constants.
    pub all: u64,
    /// Of these, at most this much is core's: all but the symbols of start, console, command line and memory, and of the
    /// compiler's own library.
    pub core: u64,
}

impl Flash {
    /// Reads them off the firmware.
    ///
    /// # Errors
    /// It is no ELF file with sections and symbols.
    pub fn of(firmware: &Path) -> Result<Flash> {
        let bytes = std::fs::read(firmware).with_context(|| firmware.display().to_string())?;
        let elf = object::File::parse(&*bytes)?;
        let size = |name| elf.section_by_name(name).with_context(|| format!("no {name}")).map(|s| s.size());
        let all = size(".text")? + size(".rodata")?;
        let own = ["corelet_mcu7machine", "corelet_mcu7console", "corelet_mcu6memory", "corelet_mcu7BuildId"];
        let library = ["mem", "bcmp", "strlen", "__aeabi_", "__riscv_"];
        let mut beside = 0;
        for symbol in elf.symbols() {
            let name = symbol.name()?;
            let is_beside = own.iter().any(|part| name.contains(part))
                || name.contains("corelet_mcu..console")
                || library
                    .iter()
                    .any(|start| name.starts_with(start) || name.contains("17compiler_builtins"));
            if is_beside {
                beside += symbol.size();
            }
        }
        ensure!(beside > 0, "{}: its symbols are stripped", firmware.display());
        Ok(Flash { all, core: all - beside })
    }
}
