//! Opening a kernel: layer by layer from the file to the bytes that run, then what those bytes tell.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use corelet_core::Endian;

use super::btf_scan::{self, Found};
use super::container;
use super::decompress::{self, Format, MAX_OUTPUT};
use super::files;
use super::identity::{Arch, Identity};
use super::peel::Peel;
use super::{Config, banner, elf, notes};

/// The largest file that is read.
pub(crate) const MAX_FILE: u64 = 4 << 30;

/// Told about long steps: what is being done, and how many bytes came out so far.
pub type Progress<'p> = &'p mut dyn FnMut(&str, usize);

/// The layer that is nothing but BTF.
const RAW_BTF: &str = "raw BTF";

/// A kernel, or the types of one, out of a file.
pub struct Kernel {
    layers: Vec<String>,
    payload: Vec<u8>,
    btf: Option<Found>,
    identity: Identity,
    remarks: Vec<String>,
    ikconfig: Option<String>,
    /// Place and text of the configuration in the same package, folder or file system.
    package_config: Option<(String, String)>,
}

impl Kernel {
    /// Opens `path`, whatever it holds: raw BTF, ELF, or a kernel image in any wrapper that [`container`] knows, itself
    /// compressed or not, or one of those in what [`files`] knows: packages, file systems, and a folder, which may be a root file
    /// system or a build tree.
    ///
    /// # Errors
    /// The file cannot be read, is no kernel, or is cut or corrupt: with its name, the layer, and the offset in it.
    pub fn open(path: &Path, progress: Progress) -> Result<Kernel> {
        let shown = path.display().to_string();
        if path.is_dir() {
            return Kernel::of_folder(path, progress).context(shown);
        }
        let mut bytes = Vec::new();
        let file = File::open(path).with_context(|| format!("{shown}: cannot open"))?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("{shown}: cannot read"))?;
        if bytes.len() as u64 > MAX_FILE {
            bail!("{shown}: is larger than {MAX_FILE} bytes; no kernel is");
        }
        Kernel::parse(bytes, MAX_OUTPUT, progress).context(shown)
    }

    /// The same for bytes in memory; no layer may expand to more than `limit` bytes.
    ///
    /// # Errors
    /// As [`Kernel::open`], without the file's name.
    pub fn parse(bytes: Vec<u8>, limit: usize, progress: Progress) -> Result<Kernel> {
        Kernel::peeled(Peel::new(limit, progress), bytes)
    }

    /// The kernel in a folder.
    fn of_folder(path: &Path, progress: Progress) -> Result<Kernel> {
        let mut peel = Peel::new(MAX_OUTPUT, progress);
        let found = files::folder(path, MAX_OUTPUT)?;
        let hint =
            "; it is looked for in boot and lib/modules/RELEASE, and in the tree that a kernel was built in";
        let bytes = peel.held("folder", hint, found)?;
        Kernel::peeled(peel, bytes)
    }

    fn peeled(mut peel: Peel<'_>, bytes: Vec<u8>) -> Result<Kernel> {
        let payload = peel.run(bytes).with_context(|| peel.trail())?;
        let Peel { layers, known, setup, package_config, .. } = peel;
        let mut kernel = Kernel {
            layers,
            payload: Vec::new(),
            btf: None,
            identity: known,
            remarks: Vec::new(),
            ikconfig: None,
            package_config,
        };
        kernel.read(&payload, setup).with_context(|| kernel.layers.join(" → "))?;
        kernel.payload = payload;
        Ok(kernel)
    }

    /// How the types were reached, e.g. `EFI zboot (gzip) → Image (aarch64) → BTF at 0x1c3a000`.
    pub fn format(&self) -> String {
        let mut parts = self.layers.clone();
        if let Some(btf) = self.btf.as_ref().filter(|btf| btf.at != 0 || parts.is_empty()) {
            parts.push(format!("BTF at {:#x}", btf.at));
        }
        parts.join(" → ")
    }

    /// Who the kernel is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What a person should know about how the identity or the types were found.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The configuration embedded with `CONFIG_IKCONFIG`, as text.
    pub fn ikconfig(&self) -> Option<&str> {
        self.ikconfig.as_deref()
    }

    /// The configuration: the embedded one, else the one that its package holds beside it.
    ///
    /// # Errors
    /// A line that is none of a configuration.
    pub fn config(&self) -> Result<Option<Config>> {
        let text = match (&self.ikconfig, &self.package_config) {
            (Some(text), _) => Config::parse(text).context("IKCONFIG"),
            (None, Some((path, text))) => Config::parse(text).with_context(|| path.clone()),
            (None, None) => return Ok(None),
        };
        text.map(Some)
    }

    /// Where [`Kernel::config`] comes from, in words; `None` where there is none.
    pub fn config_place(&self) -> Option<String> {
        match (&self.ikconfig, &self.package_config) {
            (Some(_), _) => Some("embedded in the kernel".to_owned()),
            (None, Some((place, _))) => Some(place.clone()),
            (None, None) => None,
        }
    }

    /// Where the BTF is in the innermost layer, and what is known of it.
    pub fn found(&self) -> Option<&Found> {
        self.btf.as_ref()
    }

    /// Whether the file is nothing but BTF, which does not say what it was made of.
    pub fn is_raw_btf(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer == RAW_BTF)
    }

    /// The kernel's BTF.
    ///
    /// # Errors
    /// The kernel has none; the message says how to come by it.
    pub fn btf(&self) -> Result<&[u8]> {
        match &self.btf {
            Some(found) => Ok(&self.payload[found.at..found.at + found.len]),
            None => match btf_scan::find_damaged(&self.payload) {
                Some((at, why)) => Err(why.context(format!(
                    "{}: what begins as BTF at {at:#x} is cut or corrupt; get the file again",
                    self.format()
                ))),
                None if elf::facts(&self.payload).is_ok_and(|facts| facts.dwarf) => Err(anyhow!(
                    "no BTF here, but DWARF. Next: `corelet btf convert` makes BTF of this file, which every --btf takes"
                )),
                None => Err(anyhow!(no_btf(&self.identity))),
            },
        }
    }

    /// The distilled base of a module's BTF, where the file has one.
    pub fn btf_base(&self) -> Option<&[u8]> {
        let facts = elf::facts(&self.payload).ok()?;
        self.payload.get(facts.btf_base?)
    }

    /// The release that a module was built for, the first word of its `vermagic` (`include/linux/vermagic.h`); `None` for what
    /// is no module.
    pub fn module_release(&self) -> Option<&str> {
        let modinfo = self.payload.get(elf::facts(&self.payload).ok()?.modinfo?)?;
        let mut fields = modinfo.split(|&b| b == 0);
        let vermagic = fields.find_map(|field| field.strip_prefix(b"vermagic="))?;
        std::str::from_utf8(vermagic).ok()?.split(' ').next()
    }

    /// Fills in what the innermost layer tells.
    fn read(&mut self, payload: &[u8], setup: Option<String>) -> Result<()> {
        if is_btf(payload) {
            self.layers.push(RAW_BTF.to_owned());
            let found = btf_scan::check(payload)?;
            self.identity.endianness = Some(found.endian);
            self.identity.pointer_size = found.long_size;
            self.take(found);
            return Ok(());
        }
        // a pack holds BTF too, of programs and of a few types, and must not pass for a kernel
        if payload.starts_with(&corelet_core::pack::MAGIC) {
            bail!("this is a pack or target file, not a kernel: give the kernel that it was made for");
        }
        if elf::is_elf(payload) {
            self.read_elf(payload)?;
        } else {
            if let Some(found) = btf_scan::find(payload) {
                self.take(found);
            }
            self.read_notes(payload);
        }
        self.name(payload, setup);
        self.ikconfig = ikconfig(payload);
        self.complete();
        Ok(())
    }

    /// The build id of an image without sections. Where no header says the byte order, the notes do: read in the wrong one,
    /// their lengths are none.
    fn read_notes(&mut self, payload: &[u8]) {
        let known = self.identity.endianness.or(self.btf.as_ref().map(|btf| btf.endian));
        let tried: &[Endian] = match known {
            Some(Endian::Little) => &[Endian::Little],
            Some(Endian::Big) => &[Endian::Big],
            None => &[Endian::Little, Endian::Big],
        };
        for &endian in tried {
            match notes::build_id(payload, endian) {
                notes::Outcome::One(id) => {
                    self.identity.build_id = Some(id);
                    self.identity.endianness = Some(endian);
                    return;
                }
                notes::Outcome::None => {}
                notes::Outcome::Ambiguous(ids) => self.remarks.push(format!(
                    "{} build ids in this image and nothing tells the kernel's own from the others: none taken",
                    ids.len()
                )),
            }
        }
    }

    fn read_elf(&mut self, payload: &[u8]) -> Result<()> {
        let facts = elf::facts(payload)?;
        let kind = if facts.relocatable { "ELF object" } else { "ELF" };
        self.layers.push(match facts.arch {
            Some(arch) => format!("{kind} ({arch})"),
            None => kind.to_owned(),
        });
        self.identity.arch = facts.arch.or(self.identity.arch);
        self.identity.endianness = Some(facts.endian);
        self.identity.pointer_size = Some(facts.pointer_size);
        self.identity.build_id = facts.build_id;
        self.identity.page_size = facts
            .head
            .and_then(|head| container::image_header(&payload[head]))
            .and_then(|header| header.page_size);
        match facts.btf {
            Some(Range { start, end }) => {
                let found = btf_scan::check(&payload[start..end])
                    .with_context(|| format!("section .BTF at {start:#x}"))?;
                self.take(Found { at: start, ..found });
            }
            // A vmlinux whose section table was stripped still has the bytes.
            None => {
                if let Some(found) = btf_scan::find(payload) {
                    self.take(found);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, found: Found) {
        if found.split {
            self.remarks.push(
                "BTF of a module: its type ids and strings continue those of its kernel's BTF, which it needs".to_owned(),
            );
        }
        self.btf = Some(found);
    }

    /// Release, version and, where nothing else said it, the architecture.
    fn name(&mut self, payload: &[u8], setup: Option<String>) {
        let setup = setup.as_deref().and_then(banner::setup_version);
        let Some(name) = banner::find(payload).or_else(|| setup.clone()) else { return };
        if let Some(setup) = setup.filter(|setup| setup.release != name.release) {
            self.remarks.push(format!(
                "the setup header says release {}, the kernel in it says {}: the latter is taken",
                setup.release, name.release
            ));
        }
        let machine = name.machine.as_deref().and_then(Arch::from_machine);
        match (self.identity.arch, machine) {
            (None, Some(arch)) => self.identity.arch = Some(arch),
            (Some(header), Some(arch)) if header != arch => self.remarks.push(format!(
                "the headers say {header}, the kernel's own name says {arch}: the former is taken"
            )),
            _ => {}
        }
        self.identity.release = Some(name.release);
        self.identity.version = Some(name.version);
    }

    /// What follows from the architecture, the types and the configuration.
    fn complete(&mut self) {
        // what is wrong with a configuration, `config` says to whom it matters
        let of_config = self.config().ok().flatten().and_then(|config| config.page_size());
        let long_size = self.btf.as_ref().and_then(|btf| btf.long_size);
        let identity = &mut self.identity;
        if identity.endianness.is_none() {
            identity.endianness = self.btf.as_ref().map(|btf| btf.endian);
        }
        identity.pointer_size = identity.pointer_size.or(identity.arch.map(Arch::pointer_size)).or(long_size);
        identity.page_size =
            identity.page_size.or(identity.arch.and_then(Arch::only_page_size)).or(of_config);
        if let (Some(long), Some(pointer)) = (long_size, identity.pointer_size)
            && long != pointer
        {
            self.remarks
                .push(format!("the headers say {pointer}-byte pointers, the BTF has a {long}-byte long"));
        }
    }
}

pub(super) fn is_btf(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x9f, 0xeb]) || bytes.starts_with(&[0xeb, 0x9f])
}

fn no_btf(identity: &Identity) -> String {
    if identity.release.is_none() {
        return "no BTF here, and no sign of a kernel either; give the kernel's image, its vmlinux, or its BTF".to_owned();
    }
    let release = identity.release.as_deref().unwrap_or("of unknown release");
    let arch = identity.arch.map(|arch| format!(" for {arch}")).unwrap_or_default();
    format!(
        "no BTF in this kernel ({release}{arch}): it was built without CONFIG_DEBUG_INFO_BTF. Next: build it with that \
         option; or take the vmlinux with debug information of the same build (a -dbg or -debuginfo package) and run \
         `corelet btf convert VMLINUX -o OUT.btf`, whose result every --btf here takes"
    )
}

/// The text between the marks of `CONFIG_IKCONFIG` (`kernel/configs.c`).
fn ikconfig(payload: &[u8]) -> Option<String> {
    const MAX_CONFIG: usize = 16 << 20;
    memchr::memmem::find_iter(payload, b"IKCFG_ST").find_map(|at| {
        let data = &payload[at + 8..];
        if Format::detect(data) != Some(Format::Gzip) {
            return None;
        }
        String::from_utf8(decompress::decompress(Format::Gzip, data, MAX_CONFIG, &mut |_| {}).ok()?).ok()
    })
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
