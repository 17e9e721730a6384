//! A folder with the inputs, the command run in it, and inputs that are made by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What the command said and did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Judges what no run may do, whatever its input: die by a signal or a panic.
    pub(crate) fn of(output: Output) -> Ran {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!err.contains("panicked"), "{err}");
        assert!(output.status.code().is_some_and(|code| code <= 4), "{:?} {err}", output.status);
        Ran { code: output.status.code(), out: output.stdout, err }
    }

    /// The output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A folder of its own with `sample.bpf.o`, `unportable.bpf.o` and `kernel.o`.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for name in ["sample.bpf.o", "unportable.bpf.o", "kernel.o"] {
            folder.put(name, &input(name));
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The command in this folder, with words separated by spaces.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelet"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    /// Runs what must succeed.
    pub(crate) fn done(&self, words: &str) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
        ran
    }

    /// Runs what must be refused with `code`: one line of ours that has all of `said`, nothing on the standard output and
    /// no file changed, made or removed.
    pub(crate) fn refused(&self, words: &str, code: i32, said: &[&str]) {
        let before = self.files();
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "{words}: {}", ran.err);
        assert!(ran.err.starts_with("corelet: ") && ran.err.lines().count() == 1, "{words}: {}", ran.err);
        for words in said {
            assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
        }
        assert!(ran.out.is_empty(), "{words}: {}", String::from_utf8_lossy(&ran.out));
        assert!(self.files() == before, "{words}: the folder changed");
    }

    /// All files with their bytes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.path()).unwrap().map(|e| e.unwrap().path());
        entries.filter(|p| p.is_file()).map(|p| (p.clone(), fs::read(p).unwrap())).collect()
    }
}

/// One of the committed objects.
pub(crate) fn input(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/progs").join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The identity that `kernel.o` does not have, behind its name in `--target`.
pub(crate) const WHO: &str =
    "kernel.o,release=6.1.0-test,version=#1,arch=aarch64,build-id=00112233445566778899";

/// Raw BTF with one integer `long` of 8 bytes, in big-endian order.
pub(crate) fn big_endian_btf() -> Vec<u8> {
    let mut b = vec![0xeb, 0x9f, 1, 0];
    for word in [24, 0, 16, 16, 6, 1, 1 << 24, 8, 64u32] {
        b.extend(word.to_be_bytes());
    }
    b.extend(b"\0long\0");
    b
}

/// `bytes` without any section whose name begins with `.BTF`: their names are changed.
pub(crate) fn without_btf(mut bytes: Vec<u8>) -> Vec<u8> {
    let names: Vec<usize> = (0..bytes.len() - 4).filter(|&at| &bytes[at..at + 4] == b".BTF").collect();
    assert!(!names.is_empty());
    for at in names {
        bytes[at + 1] = b'X';
    }
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The least that is an arm64 `Image`: its header, and `payload` behind it.
pub(crate) fn image(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[56..60].copy_from_slice(b"ARM\x64");
    image.extend(payload);
    image.resize(image.len().next_multiple_of(4096), 0);
    let len = image.len() as u64;
    image[16..24].copy_from_slice(&len.to_le_bytes());
    image
}

/// A little-endian object file with these sections, as `.ko` files are.
pub(crate) fn ko(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut body = Vec::new();
    let mut table = vec![0; 64];
    let strtab = (".shstrtab", &[][..]);
    let count = sections.len() as u16 + 2;
    let all: Vec<_> = sections.iter().copied().chain([strtab]).collect();
    let name_offs: Vec<u32> = all
        .iter()
        .map(|(name, _)| {
            let at = names.len() as u32;
            names.extend(name.bytes().chain([0]));
            at
        })
        .collect();
    for ((name, bytes), name_off) in all.iter().zip(name_offs) {
        let (kind, bytes) = match *name {
            ".shstrtab" => (3u32, names.as_slice()),
            note if note.starts_with(".note") => (7, *bytes),
            _ => (1, *bytes),
        };
        let words = [
            u64::from(name_off) | u64::from(kind) << 32,
            0,
            0,
            64 + body.len() as u64,
            bytes.len() as u64,
            0,
            1,
            0,
        ];
        table.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        body.extend(bytes);
    }
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([1u16, 183].iter().flat_map(|h| h.to_le_bytes()));
    file.extend(1u32.to_le_bytes());
    file.extend([0, 0, 64 + body.len() as u64].iter().flat_map(|w: &u64| w.to_le_bytes()));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 0, 0, 64, count, count - 1].iter().flat_map(|h| h.to_le_bytes()));
    [file, body, table].concat()
}
