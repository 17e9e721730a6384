//! A loader and a pack in one executable.
//!
//! The pack is appended to the loader's ELF file, and the program header that the loader has left for it (`loader/link.ld`) becomes the
//! `PT_LOAD` by which a kernel maps it, for reading alone. Nothing else of the file changes, so that the same loader and pack give the
//! same bytes, and a pack can be taken out or replaced. Source: System V ABI, chapters 4 and 5 (ELF header, program header).

use crate::pack::File;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::pack::{Arch, MAGIC, Target, section};

/// `p_type` of the header that waits for a pack: `loader/src/sys/image.rs` has the same.
const ROOM: u32 = u32::from_le_bytes(*b"pack");
/// `PT_LOAD`
const LOAD: u32 = 1;
/// `PF_R`
const READ: u32 = 4;
/// What every loader says in front of its words.
const NAME: &[u8] = b"corelet-loader";
/// The largest page of a kernel: file offset and address agree in what is below it.
const LARGEST_PAGE: u64 = 64 << 10;
/// What the pack's offset in the file is a multiple of, as that of its sections.
const ALIGN: usize = 8;

/// The loader has six program headers.
const MAX_HEADERS: usize = 64;

/// All architectures.
const ARCHES: [Arch; 4] = [Arch::X86_64, Arch::Aarch64, Arch::Arm, Arch::Riscv64];

/// A program header.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// Where it is in the file.
    at: usize,
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    len: u64,
    memory: u64,
}

/// An executable of ours.
struct Executable<'a> {
    bytes: &'a [u8],
    arch: Arch,
    wide: bool,
    headers: Vec<Header>,
    /// Which of them is the pack's, and whether there is a pack.
    room: (Header, bool),
}

/// The number of `size` bytes at `at`, little-endian.
fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64> {
    let end = at.checked_add(size).context("has an offset beyond any file")?;
    let field = bytes.get(at..end).context("is cut short: copy it again")?;
    Ok(field.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
}

impl<'a> Executable<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Executable<'a>> {
        const EXECUTABLE: u64 = 2;
        ensure!(bytes.starts_with(b"\x7fELF"), "is no ELF file: give the executable corelet-loader");
        ensure!(bytes.get(5) == Some(&1), "is a big-endian ELF file; the loader has no such form");
        let wide = bytes.get(4) == Some(&2);
        let machine = number(bytes, 18, 2)? as u16;
        let arch = ARCHES.into_iter().find(|arch| arch.machine() == machine);
        let arch = arch.with_context(|| format!("is for ELF machine {machine}, which no loader is for"))?;
        let not_ours = "is no corelet-loader, or one that was built without the feature embed";
        ensure!(number(bytes, 16, 2)? == EXECUTABLE, not_ours);
        let (word, table, count) = if wide { (8, 32, 56) } else { (4, 28, 44) };
        let table = number(bytes, table, word)? as usize;
        let count = number(bytes, count, 2)? as usize;
        ensure!(count <= MAX_HEADERS, "has {count} program headers");
        let size = if wide { 56 } else { 32 };
        let mut headers = Vec::new();
        for number_of in 0..count {
            let at = table.checked_add(number_of * size).context("has an offset beyond any file")?;
            let field = |narrow: usize, offset: usize, len: usize| {
                number(bytes, at + if wide { offset } else { narrow }, len)
            };
            headers.push(Header {
                at,
                kind: field(0, 0, 4)? as u32,
                flags: field(24, 4, 4)? as u32,
                offset: field(4, 8, word)?,
                address: field(8, 16, word)?,
                len: field(16, 32, word)?,
                memory: field(20, 40, word)?,
            });
        }
        let rooms: Vec<_> = headers.iter().filter_map(|h| Some((*h, h.has_pack(bytes)?))).collect();
        let &[room] = rooms.as_slice() else { bail!("{not_ours}") };
        ensure!(bytes.windows(NAME.len()).any(|w| w == NAME), not_ours);
        Ok(Executable { bytes, arch, wide, headers, room })
    }

    /// The pack inside.
    fn pack(&self) -> Option<&'a [u8]> {
        let (header, full) = self.room;
        full.then(|| header.bytes(self.bytes)).flatten()
    }
}

impl Header {
    fn bytes<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        file.get(start..start.checked_add(usize::try_from(self.len).ok()?)?)
    }

    /// Whether there is a pack, where this header is the one for packs.
    fn has_pack(&self, file: &[u8]) -> Option<bool> {
        let full = self.kind == LOAD && self.flags == READ;
        match self.kind {
            ROOM => Some(false),
            _ if full => self.bytes(file).filter(|pack| pack.starts_with(&MAGIC)).map(|_| true),
            _ => None,
        }
    }
}

/// An executable that was made.
#[derive(Debug)]
pub struct Embedded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The architecture that it runs on.
    pub arch: Arch,
    /// Targets of other architectures, which it has no use for.
    pub unused: usize,
    /// Whether the loader had another pack, which is gone.
    pub replaced: bool,
}

/// The pack inside an executable of ours; `None` where there is none, or it is no executable of ours.
pub fn pack_of(executable: &[u8]) -> Option<&[u8]> {
    Executable::parse(executable).ok()?.pack()
}

/// The architectures of a pack's targets, without doubles.
///
/// # Errors
/// It is no pack, or a damaged one.
pub fn arches_of(pack: &[u8]) -> Result<Vec<Arch>> {
    let mut arches = check(pack)?;
    arches.sort_by_key(|arch| arch.machine());
    arches.dedup();
    Ok(arches)
}

/// The architecture of each target.
///
/// # Errors
/// It is no pack, is damaged, or is a target file.
fn check(pack: &[u8]) -> Result<Vec<Arch>> {
    let file = File::whole(pack)?;
    ensure!(
        file.owners(section::OBJECT).next().is_some(),
        "is a target file, which has no programs: embed the pack, and install the target file beside it"
    );
    let arch = |owner| file.record::<Target<'_>>(section::TARGET, owner).map(|target| target.arch);
    file.owners(section::TARGET).map(arch).collect()
}

/// Puts `pack` into `loader`; one that is there already is replaced. `names` are those of both files, for errors.
///
/// # Errors
/// With the file's name: the loader is none, the pack is none or damaged, or it has targets and none for the loader's architecture.
pub fn embed((loader, pack): (&[u8], &[u8]), names: (&str, &str)) -> Result<Embedded> {
    let arches = check(pack).with_context(|| names.1.to_owned())?;
    let executable = Executable::parse(loader).with_context(|| names.0.to_owned())?;
    let arch = executable.arch;
    let unused = arches.iter().filter(|&&of| of != arch).count();
    if unused > 0 && unused == arches.len() {
        let mut of: Vec<_> = arches.iter().map(|arch| arch.name()).collect();
        of.sort_unstable();
        of.dedup();
        bail!(
            "{}: has targets for {} only, and {} is for {}: give the loader of that architecture, or pack with a target of {}",
            names.1,
            of.join(" and "),
            names.0,
            arch.name(),
            arch.name()
        );
    }
    let (room, replaced) = executable.room;
    let keep = if replaced { room.offset as usize } else { loader.len() };
    let mut bytes = loader.get(..keep).unwrap_or(loader).to_vec();
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    let offset = bytes.len() as u64;
    bytes.extend(pack);
    let others = executable.headers.iter().filter(|h| h.kind == LOAD && h.at != room.at);
    let end = others.map(|h| h.address.saturating_add(h.memory)).max().unwrap_or(0);
    // a whole page is left between, and none is shared
    let address = end.next_multiple_of(LARGEST_PAGE) + LARGEST_PAGE + offset % LARGEST_PAGE;
    let len = pack.len() as u64;
    ensure!(
        executable.wide || address + len < 1 << 31,
        "{}: has {len} bytes, which {} has no room for",
        names.1,
        names.0
    );
    let fields = [offset, address, address, len, len];
    let (word, places) =
        if executable.wide { (8, [4, 8, 16, 24, 32, 40, 48]) } else { (4, [24, 4, 8, 12, 16, 20, 28]) };
    let [flags, rest @ .., align] = places;
    let mut put = |at: usize, value: u64, len: usize| {
        let to = room.at + at;
        bytes[to..to + len].copy_from_slice(&value.to_le_bytes()[..len]);
    };
    put(0, LOAD.into(), 4);
    put(flags, READ.into(), 4);
    rest.into_iter().zip(fields).for_each(|(at, value)| put(at, value, word));
    put(align, LARGEST_PAGE, word);
    Ok(Embedded { bytes, arch, unused, replaced })
}
