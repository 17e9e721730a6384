//! A kernel in the image of a squashfs, as most small devices have their root file system.
//!
//! Read are little-endian images of version 4, compressed with gzip, xz, lzma, lz4 or zstd. Every offset is checked against the
//! image, and each block expands to no more than its size; only the folders that may have kernels are gone into.
//!
//! Source: `fs/squashfs/squashfs_fs.h`.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use corelet_core::Endian;

use super::super::bytes::ReadAt;
use super::super::decompress::{self, Format};
use super::Found;
use super::pick::{FOLDERS, MODULES, choose, take};

const MAGIC: &[u8] = b"hsqs";
const VERSION: u16 = 4;
/// Bytes of a block of metadata, unpacked, at most.
const META_BLOCK: usize = 8192;
/// The largest block of data.
const MAX_BLOCK: usize = 1 << 20;
/// The most bytes of a folder's entries that are read.
const MAX_FOLDER: usize = 16 << 20;
/// In a metadata block's header and in a data block's size: it is not compressed.
const META_PLAIN: u16 = 1 << 15;
const DATA_PLAIN: u32 = 1 << 24;
const NO_FRAGMENT: u32 = u32::MAX;
/// `type` of an inode, of which there are two forms.
const FOLDER: u16 = 1;
const FILE: u16 = 2;
const LONG_FOLDER: u16 = 8;
const LONG_FILE: u16 = 9;
/// Bytes of a file's inode before the sizes of its blocks, in both forms.
const HEAD: usize = 32;
const LONG_HEAD: usize = 56;

/// Whether `bytes` are such a file system.
pub(super) fn is_squashfs(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) && u16_at(bytes, 28) == Some(VERSION)
}

/// Kernel and configuration; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// It is damaged or cut, or compressed in a way that is not read; kernels of several releases.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Found> {
    let image = Image::new(bytes)?;
    let mut folders: Vec<String> = FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    for modules in MODULES {
        folders.extend(image.names(modules)?.into_iter().map(|(release, _)| format!("{modules}/{release}")));
    }
    let mut files = Vec::new();
    for folder in folders {
        for (name, inode) in image.names(&folder)? {
            if matches!(image.inode(inode)?.kind, FILE | LONG_FILE) {
                files.push((format!("{folder}/{name}"), inode));
            }
        }
    }
    let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
    let read = |path: &str, limit: usize| -> Result<Vec<u8>> {
        let inode = files.iter().find(|(of, _)| of == path).map(|(_, inode)| *inode);
        image.content(path, inode.context("no such file")?, limit).with_context(|| path.to_owned())
    };
    let [kernel, config] = choose(&paths)?;
    Found::at([kernel, config], limit, read)
}

/// Where an inode is: its block from the table's start, and its offset in that.
type Place = (u64, usize);

struct Image<'a> {
    bytes: &'a [u8],
    compressor: u16,
    block: usize,
    inodes: u64,
    folders: u64,
    fragments: u64,
    root: Place,
}

/// What is used of an inode.
struct Inode {
    kind: u16,
    size: u64,
    /// Of a folder, the block of its entries from the table's start; of a file, that of its data.
    start: u64,
    /// In that block; of a file, in its fragment.
    offset: usize,
    fragment: u32,
    /// Of a file, the sizes of its blocks.
    blocks: Vec<u32>,
}

impl<'a> Image<'a> {
    fn new(bytes: &'a [u8]) -> Result<Image<'a>> {
        let cut = "its superblock ends early: cut short";
        let word = |at| u64_at(bytes, at).context(cut);
        let block = u32_at(bytes, 12).context(cut)? as usize;
        ensure!(
            block.is_power_of_two() && (4096..=MAX_BLOCK).contains(&block),
            "blocks of {block} bytes: corrupt"
        );
        Ok(Image {
            bytes,
            block,
            compressor: u16_at(bytes, 20).context(cut)?,
            root: place(word(32)?),
            inodes: word(64)?,
            folders: word(72)?,
            fragments: word(80)?,
        })
    }

    /// What a block of `packed` bytes expands to.
    fn unpack(&self, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
        let format = match self.compressor {
            1 => {
                let mut out = Vec::new();
                let mut stream = flate2::read::ZlibDecoder::new(packed).take(limit as u64 + 1);
                stream.read_to_end(&mut out).context("a block's zlib data: corrupt")?;
                ensure!(out.len() <= limit, "a block expands to more than {limit} bytes: corrupt");
                return Ok(out);
            }
            5 => {
                let mut out = vec![0; limit];
                let len = lz4_flex::block::decompress_into(packed, &mut out)
                    .context("a block's lz4 data: corrupt")?;
                out.truncate(len);
                return Ok(out);
            }
            2 => Format::Lzma,
            3 => Format::Lzo,
            4 => Format::Xz,
            6 => Format::Zstd,
            other => bail!("compressor {other} is not known"),
        };
        decompress::decompress(format, packed, limit, &mut |_| {})
    }

    fn slice(&self, at: u64, len: usize) -> Result<&'a [u8]> {
        let found = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)?.get(..len));
        found.with_context(|| {
            format!("bytes {at:#x} to {:#x} are not there: cut short", u128::from(at) + len as u128)
        })
    }

    /// At least `len` bytes of metadata from `place` of the table at `table`, and what follows them in their last block.
    fn meta(&self, table: u64, (block, offset): Place, len: usize) -> Result<Vec<u8>> {
        let mut at = table.checked_add(block).context("a place that is none: corrupt")?;
        let mut out = Vec::new();
        while out.len() < offset + len {
            let head = u16_at(self.slice(at, 2)?, 0).unwrap_or(0);
            let size = usize::from(head & !META_PLAIN);
            let packed = self.slice(at + 2, size)?;
            let unpacked =
                if head & META_PLAIN == 0 { self.unpack(packed, META_BLOCK)? } else { packed.to_vec() };
            ensure!(!unpacked.is_empty(), "an empty block of metadata at {at:#x}: corrupt");
            out.extend(unpacked);
            at += 2 + size as u64;
        }
        Ok(out.split_off(offset))
    }

    fn inode(&self, place: Place) -> Result<Inode> {
        let kind = u16_at(&self.meta(self.inodes, place, 2)?, 0).unwrap_or(0);
        let len = match kind {
            FOLDER | FILE => HEAD,
            LONG_FOLDER => 40,
            LONG_FILE => LONG_HEAD,
            _ => 2,
        };
        let bytes = self.meta(self.inodes, place, len)?;
        let mut inode =
            Inode { kind, size: 0, start: 0, offset: 0, fragment: NO_FRAGMENT, blocks: Vec::new() };
        let (half, word, wide) = (
            |at| u16_at(&bytes, at).context("an inode ends early: corrupt"),
            |at| u32_at(&bytes, at).context("an inode ends early: corrupt"),
            |at| u64_at(&bytes, at).context("an inode ends early: corrupt"),
        );
        match kind {
            FOLDER => {
                inode.start = word(16)?.into();
                inode.size = half(24)?.into();
                inode.offset = half(26)?.into();
            }
            LONG_FOLDER => {
                inode.size = word(20)?.into();
                inode.start = word(24)?.into();
                inode.offset = half(34)?.into();
            }
            FILE => {
                inode.start = word(16)?.into();
                inode.fragment = word(20)?;
                inode.offset = word(24)? as usize;
                inode.size = word(28)?.into();
            }
            LONG_FILE => {
                inode.start = wide(16)?;
                inode.size = wide(24)?;
                inode.fragment = word(44)?;
                inode.offset = word(48)? as usize;
            }
            _ => {}
        }
        Ok(inode)
    }

    /// The same for a file, with its blocks.
    fn file(&self, place: Place) -> Result<Inode> {
        let mut inode = self.inode(place)?;
        let whole = inode.size / self.block as u64;
        let partial = inode.fragment == NO_FRAGMENT && !inode.size.is_multiple_of(self.block as u64);
        let count = usize::try_from(whole + u64::from(partial))?;
        ensure!(count <= self.bytes.len(), "{count} blocks are more than there is: corrupt");
        let head = if inode.kind == LONG_FILE { LONG_HEAD } else { HEAD };
        let bytes = self.meta(self.inodes, place, head + 4 * count)?;
        inode.blocks = (0..count).filter_map(|n| u32_at(&bytes, head + 4 * n)).collect();
        Ok(inode)
    }

    /// The names in the folder at `path` with their inodes, sorted as they are stored; none where there is no such folder.
    fn names(&self, path: &str) -> Result<Vec<(String, Place)>> {
        let mut at = self.root;
        for part in path.split('/') {
            let Some((_, next)) = self.entries(at)?.into_iter().find(|(name, _)| name == part) else {
                return Ok(Vec::new());
            };
            at = next;
        }
        self.entries(at)
    }

    /// What a folder holds; nothing if it is none.
    fn entries(&self, folder: Place) -> Result<Vec<(String, Place)>> {
        let inode = self.inode(folder)?;
        // three bytes stand for `.` and `..`
        let size = match (inode.kind, usize::try_from(inode.size)) {
            (FOLDER | LONG_FOLDER, Ok(size)) if size > 3 => size - 3,
            _ => return Ok(Vec::new()),
        };
        ensure!(size <= MAX_FOLDER, "a folder of {size} bytes: corrupt");
        let bytes = self.meta(self.folders, (inode.start, inode.offset), size)?;
        let bytes = &bytes[..size];
        let mut names = Vec::new();
        let mut at = 0;
        while at < size {
            let cut = "a folder's entries end early: corrupt";
            let (count, block) = (u32_at(bytes, at).context(cut)?, u32_at(bytes, at + 4).context(cut)?);
            at += 12;
            for _ in 0..=count {
                let offset = u16_at(bytes, at).context(cut)?;
                let len = usize::from(u16_at(bytes, at + 6).context(cut)?) + 1;
                let name = bytes.get(at + 8..).and_then(|rest| rest.get(..len)).context(cut)?;
                names.push((String::from_utf8_lossy(name).into_owned(), (block.into(), offset.into())));
                at += 8 + len;
            }
        }
        Ok(names)
    }

    fn content(&self, path: &str, place: Place, limit: usize) -> Result<Vec<u8>> {
        let inode = self.file(place)?;
        if inode.size > limit as u64 {
            return take(path, inode.size, limit, &mut std::io::empty());
        }
        let size = inode.size as usize;
        let mut out = Vec::new();
        let mut at = inode.start;
        for &block in &inode.blocks {
            let want = self.block.min(size - out.len());
            let len = (block & !DATA_PLAIN) as usize;
            let unpacked = match len {
                // a hole
                0 => vec![0; want],
                _ if block & DATA_PLAIN != 0 => self.slice(at, len)?.to_vec(),
                _ => self.unpack(self.slice(at, len)?, self.block)?,
            };
            ensure!(
                unpacked.len() == want,
                "a block has {} bytes instead of {want}: corrupt",
                unpacked.len()
            );
            out.extend(unpacked);
            at += len as u64;
        }
        if out.len() < size {
            let tail = self.fragment(inode.fragment)?;
            let part = tail.get(inode.offset..).and_then(|rest| rest.get(..size - out.len()));
            out.extend(part.context("its end lies outside its fragment: corrupt")?);
        }
        Ok(out)
    }

    /// A block that several files' ends share.
    fn fragment(&self, number: u32) -> Result<Vec<u8>> {
        const ENTRY: usize = 16;
        let (list, inside) = (number as usize * ENTRY / META_BLOCK, number as usize * ENTRY % META_BLOCK);
        let block =
            self.fragments.checked_add(8 * list as u64).context("a fragment that is not there: corrupt")?;
        let block = u64_at(self.slice(block, 8)?, 0).unwrap_or(u64::MAX);
        let entry = self.meta(block, (0, inside), ENTRY)?;
        let (at, size) = (u64_at(&entry, 0).unwrap_or(u64::MAX), u32_at(&entry, 8).unwrap_or(0));
        let packed = self.slice(at, (size & !DATA_PLAIN) as usize)?;
        if size & DATA_PLAIN != 0 { Ok(packed.to_vec()) } else { self.unpack(packed, self.block) }
    }
}

fn place(reference: u64) -> Place {
    (reference >> 16, (reference & 0xffff) as usize)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Endian::Little.u16_at(bytes, at)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Endian::Little.u32_at(bytes, at)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Endian::Little.u64_at(bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same root as that of the ext4 image.
    const IMAGES: [&[u8]; 4] = [
        include_bytes!("../../../tests/progs/rootfs-gzip.squashfs"),
        include_bytes!("../../../tests/progs/rootfs-xz.squashfs"),
        include_bytes!("../../../tests/progs/rootfs-zstd.squashfs"),
        include_bytes!("../../../tests/progs/rootfs-lz4.squashfs"),
    ];
    const KERNEL: &[u8] = include_bytes!("../../../tests/progs/kernel.o");

    #[test]
    fn files_come_out_as_they_went_in() {
        for image in IMAGES {
            assert!(is_squashfs(image));
            let found = read(image, 1 << 20).unwrap();
            let (path, kernel) = found.kernel.unwrap();
            assert_eq!((path.as_str(), &kernel[..]), ("boot/vmlinux-6.1.0-test", KERNEL));
            let (path, config) = found.config.unwrap();
            assert!(
                path == "boot/config-6.1.0-test" && config.starts_with("CONFIG_BPF_SYSCALL=y\n"),
                "{config}"
            );
            assert!(format!("{:#}", read(image, 1000).unwrap_err()).contains("larger than 1000 bytes"));
        }
    }

    #[test]
    fn damaged_images_are_no_fault() {
        let mut refused = 0;
        for image in IMAGES {
            let used = u64_at(image, 40).unwrap() as usize;
            for at in (0..used).step_by(13) {
                let mut odd = image.to_vec();
                for with in [0xff, 0x80, 0x01] {
                    odd[at] = image[at] ^ with;
                    refused += usize::from(read(&odd, 1 << 20).is_err());
                }
                if at % 5 == 0 {
                    refused += usize::from(read(&image[..at], 1 << 20).is_err());
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }
}
