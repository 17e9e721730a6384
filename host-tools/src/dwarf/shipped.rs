//! Whether a kernel that was built again, for its DWARF, is the one that was shipped: all symbols where they were.
//!
//! With `CONFIG_DEBUG_INFO_REDUCED`, OpenWrt's default, or without debug information at all, the vmlinux that belongs to an image
//! has no types. The same sources, configuration and compiler with full debug information give the same code and data, since
//! DWARF is in sections of its own. That this holds is seen by the addresses: another layout of a struct, another configuration
//! or compiler moves functions.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::ReadCache;

use super::symbols;
use crate::input;

/// The largest `System.map` that is read, in bytes; that of a kernel with all options has some 20 MB.
const MAX_MAP: u64 = 256 << 20;
/// Symbols that a message names.
const NAMED: usize = 5;

/// A symbol: its address and name.
type Symbol = (u64, Vec<u8>);

/// How many symbols of `shipped`, a `System.map` or an ELF file with symbols, are at the same addresses in the ELF at `built`.
///
/// # Errors
/// Some are not, with the first of them; or one of the files cannot be read or has no symbols.
pub fn same_symbols(built: &Path, shipped: &Path) -> Result<usize> {
    let ours: HashSet<Symbol> =
        of_elf(built)?.context("has no symbols").with_context(|| built.display().to_string())?;
    let theirs: Vec<Symbol> = match of_elf(shipped) {
        Ok(Some(symbols)) => symbols.into_iter().collect(),
        Ok(None) => bail!("{}: has no symbols; give the System.map of the same build", shipped.display()),
        Err(_) => {
            of_map(&input::read_file(shipped, MAX_MAP)?).with_context(|| shipped.display().to_string())?
        }
    };
    let mut moved: Vec<&Symbol> = theirs.iter().filter(|symbol| !ours.contains(symbol)).collect();
    if moved.is_empty() {
        return Ok(theirs.len());
    }
    moved.sort_unstable();
    let names: Vec<String> = (moved.iter().take(NAMED))
        .map(|(address, name)| format!("{} at {address:#x}", String::from_utf8_lossy(name)))
        .collect();
    bail!(
        "{}: is not the kernel of {}: {} of its {} symbols are elsewhere or not there ({}{}). Its types may differ as well, so \
         nothing was written. Build it again with the same sources, configuration and compiler, and with debug information alone \
         changed",
        built.display(),
        shipped.display(),
        moved.len(),
        theirs.len(),
        names.join(", "),
        if moved.len() > NAMED { ", …" } else { "" }
    )
}

/// The functions and variables of an ELF file; `None` where it has no symbols.
fn of_elf(path: &Path) -> Result<Option<HashSet<Symbol>>> {
    let shown = || path.display().to_string();
    let file = File::open(path).context("cannot open").with_context(shown)?;
    let cache = ReadCache::new(file.try_clone()?);
    let elf = object::File::parse(&cache).context("no ELF file that can be read").with_context(shown)?;
    let mut found = HashSet::new();
    symbols::each(&elf, &file, |symbol, name| {
        if symbol.is_placed() {
            found.insert((symbol.value, name[..memchr::memchr(0, name).unwrap_or(name.len())].to_vec()));
        }
    })
    .with_context(shown)?;
    Ok((!found.is_empty()).then_some(found))
}

/// The functions and variables of a `System.map`: an address, a letter, a name on each line. Letters are nm's.
fn of_map(text: &[u8]) -> Result<Vec<Symbol>> {
    let mut found = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let (Some(address), Some(letter), Some(name)) = (words.next(), words.next(), words.next()) else {
            ensure!(line.is_empty(), "line {}: no address, letter and name, as a System.map has", number + 1);
            continue;
        };
        let address = std::str::from_utf8(address).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let address = address.with_context(|| format!("line {}: no address", number + 1))?;
        // numbers, and marks of the linker's: their symbols have no type, which is what tells them in the ELF
        if letter.eq_ignore_ascii_case(b"t") {
            found.push((address, name.to_vec()));
        }
    }
    ensure!(!found.is_empty(), "has no functions");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_by_line() {
        let map = b"ffff800080000000 T _text\nffff800080010000 t helper\nffff800081000000 D data\n0000000000000000 A size\n";
        let expected =
            [(0xffff_8000_8000_0000, b"_text".to_vec()), (0xffff_8000_8001_0000, b"helper".to_vec())];
        assert_eq!(of_map(map).unwrap(), expected);
        assert!(of_map(b"no map at all\n").is_err());
        assert!(of_map(b"").is_err());
    }
}
