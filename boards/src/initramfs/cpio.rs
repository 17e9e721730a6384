//! The archive that the kernel unpacks into its first file system: cpio, "newc".
//!
//! Source: Documentation/driver-api/early-userspace/buffer-format.rst. Same entries, same bytes: owner 0, time 0,
//! sorted by path, inode numbers in that order.

use std::collections::BTreeMap;

/// Files by path, without a leading slash; parent folders are added as needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Archive {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Type and permissions, as in `st_mode`.
    mode: u32,
    /// Major and minor number of a device node.
    device: (u32, u32),
    content: Vec<u8>,
}

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

impl Archive {
    pub(super) fn file(&mut self, path: &str, permissions: u32, content: Vec<u8>) {
        self.add(path, Entry { mode: REGULAR | (permissions & 0o7777), device: (0, 0), content });
    }

    pub(super) fn folder(&mut self, path: &str) {
        self.add(path, Entry { mode: DIRECTORY | 0o755, device: (0, 0), content: Vec::new() });
    }

    pub(super) fn symlink(&mut self, path: &str, to: &str) {
        self.add(path, Entry { mode: SYMLINK | 0o777, device: (0, 0), content: to.as_bytes().to_vec() });
    }

    pub(super) fn character_device(&mut self, path: &str, device: (u32, u32)) {
        self.add(path, Entry { mode: CHARACTER | 0o600, device, content: Vec::new() });
    }

    fn add(&mut self, path: &str, entry: Entry) {
        for (slash, _) in path.match_indices('/') {
            let folder = || Entry { mode: DIRECTORY | 0o755, device: (0, 0), content: Vec::new() };
            self.entries.entry(path[..slash].to_owned()).or_insert_with(folder);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The archive's bytes; `None` if a file is larger than the format can say (4 GiB).
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            record(&mut out, inode, path, entry)?;
        }
        let end = Entry { mode: 0, device: (0, 0), content: Vec::new() };
        record(&mut out, 0, "TRAILER!!!", &end)?;
        Some(out)
    }
}

/// A header of 13 numbers in hexadecimal, the name with a NUL, the content: the last two padded to 4 bytes.
fn record(out: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) -> Option<()> {
    let size = u32::try_from(entry.content.len()).ok()?;
    let name = u32::try_from(path.len() + 1).ok()?;
    let (major, minor) = entry.device;
    out.extend_from_slice(b"070701");
    //             ino,   mode,       uid, gid, nlink, mtime, filesize, device of the file system, of the node, namesize, check
    for number in [inode, entry.mode, 0, 0, 1, 0, size, 0, 0, major, minor, name, 0] {
        out.extend_from_slice(format!("{number:08x}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(&entry.content);
    pad(out);
    Some(())
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_the_order_of_adding_does_not_matter() {
        let (mut a, mut b) = (Archive::default(), Archive::default());
        a.file("z/y/x", 0o644, vec![1]);
        a.symlink("a", "z");
        b.symlink("a", "z");
        b.file("z/y/x", 0o644, vec![1]);
        assert_eq!(a.bytes(), b.bytes());
        let names: Vec<_> = a.entries.keys().collect();
        assert_eq!(names, ["a", "z", "z/y", "z/y/x"]);
    }

    #[test]
    fn a_record_by_the_byte() {
        let mut archive = Archive::default();
        archive.file("ab", 0o755, b"hello".to_vec());
        let expected = "070701\
            00000001000081ed00000000000000000000000100000000000000050000000000000000000000000000000000000003\
            00000000ab\0\0\0\0hello\0\0\0";
        let bytes = archive.bytes().unwrap();
        assert!(bytes.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(bytes.len() % 4, 0);
    }
}
