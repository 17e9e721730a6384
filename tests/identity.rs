//! The build id that is read from a kernel's image, held against the one that the running kernel shows: the notes of the vDSOs
//! in the image, and whatever else has one, must not be taken for the kernel's.

use anyhow::{Context, Result, ensure};
use corelet_host_tools::kernel::{BuildId, Kernel};
use std::path::Path;

/// How the line begins that [`SHELL`] prints.
pub const MARK: &str = "@notes ";

/// What a board's script runs, to say what [`compare`] needs.
pub const SHELL: &str = "echo \"@notes $(hexdump -ve '1/1 \"%02x\"' /sys/kernel/notes)\"\n";

/// The build id in `image`, which must be the one in the notes that a running board printed among `lines`.
///
/// # Errors
/// They differ, or either is missing.
pub fn compare<'a>(image: &Path, lines: impl IntoIterator<Item = &'a str>) -> Result<BuildId> {
    let notes = lines.into_iter().find_map(|line| line.strip_prefix(MARK));
    let notes = notes.context("the board did not print its /sys/kernel/notes")?;
    let running = in_notes(&bytes(notes.trim())?).context("no build id in the board's /sys/kernel/notes")?;
    let kernel = Kernel::open(image, &mut |_, _| {})?;
    let found = kernel.identity().build_id.clone();
    let found = found.with_context(|| format!("{}: no build id found", image.display()))?;
    ensure!(
        found == running,
        "{}: the build id found is {found}, the running kernel says {running}",
        image.display()
    );
    Ok(found)
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// The GNU build id among ELF notes of a little-endian kernel: lengths of name and descriptor, type, then both, each padded
/// to four bytes. Every note is gone through; the kernel shows no others here.
fn in_notes(mut notes: &[u8]) -> Option<BuildId> {
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (name_len, len, kind) = (word(0)?, word(4)?, word(8)?);
        let at = 12 + name_len.next_multiple_of(4);
        if kind == 3 && notes.get(12..16)? == b"GNU\0" {
            return BuildId::new(notes.get(at..at + len)?);
        }
        notes = notes.get(at + len.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_among_other_notes() {
        let linux = "0600000004000000 00010000 4c696e7578000000 00000000";
        let gnu = "04000000 14000000 03000000 474e5500 0102030405060708090a0b0c0d0e0f1011121314";
        let all = format!("{linux}{gnu}{linux}").replace(' ', "");
        let id = in_notes(&bytes(&all).unwrap()).unwrap();
        assert_eq!(id.to_string(), "0102030405060708090a0b0c0d0e0f1011121314");
        assert_eq!(in_notes(&bytes(&linux.replace(' ', "")).unwrap()), None);
        assert!(bytes("0g").is_err());
    }
}
