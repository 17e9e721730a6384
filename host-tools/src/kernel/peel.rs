//! Taking wrappers off: containers, compression and packages, one inside the other, down to a kernel.

use super::btf_scan;
use super::container::{self, Container, ImageHeader};
use super::decompress::{self, Format};
use super::files::{self, Found as Files};
use super::identity::{Arch, Identity};
use super::image::{Progress, is_btf};
use super::{banner, elf};
use anyhow::{Context, Result, anyhow, bail};

/// Layers inside one another: a compressed file of an EFI zboot of a compressed Image is three.
pub(super) const MAX_LAYERS: usize = 5;
/// Compressed streams that are tried in a wrapper whose header does not say where its payload is.
const MAX_ATTEMPTS: usize = 64;

/// How lzma-alone data begins: `xz` and the kernel's build, and OpenWrt's (`-lc1 -lp2 -pb2`).
const LZMA_STARTS: [&[u8]; 2] = [&[0x5d, 0, 0], &[0x6d, 0, 0]];

/// The state of taking wrappers off.
pub(super) struct Peel<'p> {
    pub(super) layers: Vec<String>,
    pub(super) known: Identity,
    /// The text of a bzImage's setup header.
    pub(super) setup: Option<String>,
    pub(super) package_config: Option<(String, String)>,
    limit: usize,
    progress: Progress<'p>,
}

impl<'p> Peel<'p> {
    pub(super) fn new(limit: usize, progress: Progress<'p>) -> Peel<'p> {
        Peel {
            layers: Vec::new(),
            known: Identity::default(),
            setup: None,
            package_config: None,
            limit,
            progress,
        }
    }

    /// Takes off one wrapper after another; the result is BTF, an ELF, an Image, or bytes with a kernel's name in them.
    pub(super) fn run(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        for _ in 0..MAX_LAYERS {
            match self.step(&bytes)? {
                Some(inner) => bytes = inner,
                None => return Ok(bytes),
            }
        }
        bail!("more than {MAX_LAYERS} layers of compression inside one another")
    }

    /// The layers so far, for an error's context.
    pub(super) fn trail(&self) -> String {
        if self.layers.is_empty() { "kernel image".to_owned() } else { self.layers.join(" → ") }
    }

    /// The bytes inside the outermost wrapper, or `None` when there is no wrapper left.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        if is_btf(bytes) {
            return Ok(None);
        }
        if elf::is_elf(bytes) {
            return Ok(self.inside_elf(bytes));
        }
        if bytes.is_empty() {
            bail!("is empty");
        }
        if let Some(holder) = files::detect(bytes) {
            (self.progress)("reading the package", 0);
            let found = holder.read(bytes, self.limit).context(holder.name())?;
            return self.held(holder.name(), holder.hint(), found).map(Some);
        }
        match container::detect(bytes)? {
            Some(Container::Image(header)) => {
                self.image(header);
                match container::pe_extent(bytes) {
                    Some(end) if end > bytes.len() => bail!(
                        "its PE header lists sections up to {end:#x}, but the bytes end at {:#x}: cut short",
                        bytes.len()
                    ),
                    _ => Ok(None),
                }
            }
            Some(Container::Zboot { compression, payload, at, arch }) => {
                self.known.arch = arch;
                let format = Format::detect(payload).ok_or_else(|| {
                    anyhow!("EFI zboot: the payload at {at:#x} does not begin as {compression} data")
                })?;
                self.expand(&format!("EFI zboot ({format})"), format, payload, at).map(Some)
            }
            Some(Container::BzImage { payload, at, version }) => {
                self.known.arch = Some(Arch::X86_64);
                self.setup = version;
                self.bzimage(payload, at).map(Some)
            }
            Some(Container::Wrapper(wrapper)) => {
                self.known.arch = wrapper.arch.or(self.known.arch);
                match wrapper.compression {
                    Some(format) => {
                        let name = format!("{} ({format})", wrapper.name);
                        self.expand(&name, format, wrapper.payload, wrapper.at).map(Some)
                    }
                    None => {
                        self.layers.push(wrapper.name.to_owned());
                        Ok(Some(wrapper.payload.to_vec()))
                    }
                }
            }
            Some(Container::ZImage { endian }) => {
                self.known.arch = Some(Arch::Arm);
                self.known.endianness = Some(endian);
                self.search(bytes, "zImage").map(Some)
            }
            None => match Format::detect(bytes) {
                Some(format) => self.expand(format.name(), format, bytes, 0).map(Some),
                None if banner::has_uts_name(bytes) => Ok(self.raw()),
                None => match self.search(bytes, "unknown wrapper") {
                    // Whatever it is, it has types.
                    Err(_) if btf_scan::find(bytes).is_some() => Ok(self.raw()),
                    found => found.map(Some),
                },
            },
        }
    }

    /// The kernel of what holds files.
    pub(super) fn held(&mut self, name: &str, hint: &str, found: Files) -> Result<Vec<u8>> {
        self.package_config = found.config.map(|(path, text)| (format!("{path} in the {name}"), text));
        let Some((path, kernel)) = found.kernel else {
            bail!(
                "{name}: no kernel in it{}{hint}",
                if self.package_config.is_some() { ", only a configuration" } else { "" }
            );
        };
        self.layers.push(format!("{name} ({path})"));
        Ok(kernel)
    }

    /// The kernel in an ELF that only unpacks it, as `vmlinuz` of MIPS and `zImage` of PowerPC are.
    fn inside_elf(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let facts = elf::facts(bytes).ok()?;
        if facts.relocatable || facts.btf.is_some() || banner::find(bytes).is_some() {
            return None;
        }
        let inner = self.search(bytes, "ELF wrapper").ok()?;
        self.known.arch = facts.arch;
        self.known.endianness = Some(facts.endian);
        Some(inner)
    }

    /// Bare bytes of a kernel, such as what an ARM zImage unpacks to.
    fn raw(&mut self) -> Option<Vec<u8>> {
        self.layers.push("raw image".to_owned());
        None
    }

    fn image(&mut self, header: ImageHeader) {
        self.layers.push(format!("Image ({})", header.arch));
        self.known.arch = Some(header.arch);
        self.known.endianness = Some(header.endian);
        self.known.page_size = header.page_size;
    }

    /// A bzImage's payload ends with the length of what comes out, which holds the whole of it to account.
    fn bzimage(&mut self, payload: &[u8], at: usize) -> Result<Vec<u8>> {
        let format = Format::detect(payload)
            .ok_or_else(|| anyhow!("bzImage: no known compression in the payload at {at:#x}"))?;
        let out = self.expand(&format!("bzImage ({format})"), format, payload, at)?;
        let stated = payload.last_chunk::<4>().map_or(0, |raw| u32::from_le_bytes(*raw));
        if stated as usize != out.len() {
            bail!(
                "its payload says at {:#x} that it expands to {stated} bytes, but it gave {}: corrupt",
                at + payload.len() - 4,
                out.len()
            );
        }
        Ok(out)
    }

    fn expand(&mut self, name: &str, format: Format, payload: &[u8], at: usize) -> Result<Vec<u8>> {
        self.layers.push(name.to_owned());
        let progress = &mut self.progress;
        let what = format!("decompressing {name}");
        decompress::decompress(format, payload, self.limit, &mut |done| progress(&what, done))
            .with_context(|| format!("payload at {at:#x}"))
    }

    /// Tries every place in `bytes` that begins like compressed data, until one holds a kernel: for wrappers that do not say
    /// where their payload is (the ARM zImage), and for those not known here.
    fn search(&mut self, bytes: &[u8], name: &str) -> Result<Vec<u8>> {
        let mut places: Vec<(usize, Format)> = Format::MAGICS
            .iter()
            .flat_map(|(magic, format)| memchr::memmem::find_iter(bytes, magic).map(|at| (at, *format)))
            .chain(
                LZMA_STARTS
                    .iter()
                    .flat_map(|start| memchr::memmem::find_iter(bytes, start).map(|at| (at, Format::Lzma))),
            )
            .filter(|(at, format)| Format::detect(&bytes[*at..]) == Some(*format))
            .collect();
        places.sort_by_key(|(at, _)| *at);
        places.truncate(MAX_ATTEMPTS);
        // Chance hits may expand too; together they get no more than one layer does.
        let mut left = self.limit;
        let mut broken: Option<(usize, anyhow::Error)> = None;
        for (at, format) in &places {
            let progress = &mut self.progress;
            let what = format!("decompressing {name} ({format})");
            let mut reached = 0;
            let mut tell = |done| {
                reached = done;
                progress(&what, done);
            };
            match decompress::decompress(*format, &bytes[*at..], left, &mut tell) {
                Ok(inner) if holds_a_kernel(&inner) => {
                    self.layers.push(format!("{name} ({format} at {at:#x})"));
                    return Ok(inner);
                }
                Ok(inner) => left = left.saturating_sub(inner.len()),
                // The place that got furthest is the likeliest, so its complaint is the one to show.
                Err(error) if broken.as_ref().is_none_or(|(best, _)| reached > *best) => {
                    broken = Some((reached, error.context(format!("{format} data at {at:#x}"))));
                }
                Err(_) => {}
            }
        }
        match broken {
            Some((_, error)) => Err(error.context(format!("{name}: no kernel could be unpacked from it"))),
            None => bail!(
                "not a kernel: none of raw BTF, ELF, Image, EFI zboot, bzImage, zImage, uImage, FIT, Android boot image, \
                 package (.deb, .rpm, .ipk) or file system (ext4, squashfs), and no compressed kernel inside (first bytes {:02x?})",
                &bytes[..bytes.len().min(8)]
            ),
        }
    }
}

/// Whether decompressed bytes are a kernel or another wrapper of one.
fn holds_a_kernel(bytes: &[u8]) -> bool {
    matches!(container::detect(bytes), Ok(Some(_)))
        || Format::detect(bytes).is_some()
        || elf::is_elf(bytes)
        || banner::has_uts_name(bytes)
        || btf_scan::find(bytes).is_some()
}
