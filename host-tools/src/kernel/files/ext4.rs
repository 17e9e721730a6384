//! A kernel in the image of an ext2 or ext4 file system, which `ext4-view` reads.

use anyhow::{Result, anyhow};
use ext4_view::{Ext4, Path};

use super::Found;
use super::pick::{FOLDERS, MODULES, choose, take};

/// Where the superblock's magic is, and where the superblock begins.
const MAGIC_AT: usize = 0x438;
const MAGIC: [u8; 2] = [0x53, 0xef];

/// Whether `bytes` are such a file system: nothing else may be there before the superblock's magic than boot code.
pub(super) fn is_ext4(bytes: &[u8]) -> bool {
    // the number of the first inode that is not reserved, 11, tells it from chance
    bytes.get(MAGIC_AT..).is_some_and(|rest| rest.starts_with(&MAGIC))
        && bytes.get(0x454..0x458) == Some(&11u32.to_le_bytes()[..])
}

/// Kernel and configuration; a kernel of more than `limit` bytes is refused.
///
/// # Errors
/// It is damaged or cut, or has features that are not read; kernels of several releases.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Found> {
    let fs = Ext4::load(Box::new(bytes.to_vec())).map_err(|e| anyhow!("{e}"))?;
    let mut folders: Vec<String> = FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    for modules in MODULES {
        // of /lib and /usr/lib one may be a link to the other
        if !is_link(&fs, modules) {
            folders.extend(names(&fs, modules)?.into_iter().map(|release| format!("{modules}/{release}")));
        }
    }
    let mut files = Vec::new();
    for folder in folders {
        for path in names(&fs, &folder)?.into_iter().map(|name| format!("{folder}/{name}")) {
            let meta = fs.symlink_metadata(absolute(&path).as_str()).map_err(|e| anyhow!("{path}: {e}"))?;
            if meta.file_type().is_regular_file() {
                files.push(path);
            }
        }
    }
    let [kernel, config] = choose(&files)?;
    let read = |path: &str, limit: usize| -> Result<Vec<u8>> {
        let at = absolute(path);
        let size = fs.metadata(at.as_str()).map_err(|e| anyhow!("{path}: {e}"))?.len();
        let bytes = match size <= limit as u64 {
            true => fs.read(at.as_str()).map_err(|e| anyhow!("{path}: {e}"))?,
            // for the error
            false => Vec::new(),
        };
        take(path, size, limit, &mut &bytes[..])
    };
    Found::at([kernel, config], limit, read)
}

fn absolute(path: &str) -> String {
    format!("/{path}")
}

/// Whether the first folder of `path` is a link.
fn is_link(fs: &Ext4, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or(path);
    fs.symlink_metadata(absolute(first).as_str()).is_ok_and(|meta| meta.file_type().is_symlink())
}

/// The names in a folder, sorted; none where there is no such folder.
fn names(fs: &Ext4, folder: &str) -> Result<Vec<String>> {
    let at = absolute(folder);
    if !fs.metadata(at.as_str()).is_ok_and(|meta| meta.is_dir()) {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs.read_dir(Path::new(at.as_str())).map_err(|e| anyhow!("{folder}: {e}"))? {
        let entry = entry.map_err(|e| anyhow!("{folder}: {e}"))?;
        let name = String::from_utf8_lossy(entry.file_name().as_ref()).into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Any bytes give files or an error: the crate is not ours, and what is opened may be anybody's.
    #[test]
    fn damaged_file_systems_are_no_fault() {
        let mut whole = Vec::new();
        let packed = include_bytes!("../../../tests/progs/rootfs.ext4.gz");
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut whole).unwrap();
        assert!(is_ext4(&whole));
        let found = read(&whole, 1 << 20).unwrap();
        assert_eq!(found.kernel.unwrap().0, "boot/vmlinux-6.1.0-test");
        assert_eq!(found.config.unwrap().0, "boot/config-6.1.0-test");
        assert!(read(&whole, 1000).unwrap_err().to_string().contains("larger than 1000 bytes"));
        let used: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
        let mut refused = 0;
        for at in used.into_iter().step_by(11) {
            let mut odd = whole.clone();
            for with in [0xff, 0x80, 0x01] {
                odd[at] = whole[at] ^ with;
                refused += usize::from(read(&odd, 1 << 20).is_err());
            }
        }
        assert!(refused > 30, "{refused}");
    }
}
