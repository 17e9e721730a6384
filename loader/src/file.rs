//! A pack or target file: its section table in memory, its sections copied in one at a time and checked in the copy.

use crate::PLAIN;
use crate::exit::{Done, Exit};
use crate::say::{
    Arg::{E, N, S},
    bad, fail, failed, text,
};
use crate::sys::{Errno, Fd, Image, Kernel, Open};
use crate::undo::Ledger;
use core::ffi::CStr;
use corelet_core::Error;
use corelet_core::pack::{
    Checked, Entry, HEADER_LEN, Header, Object, Table, Target, check, check_plain, section,
};

/// Longest section that is read before the pack has said how much memory it takes.
pub const SMALL: usize = 512;

/// An open file with a checked section table.
pub struct PackFile<'a> {
    /// Its path, for messages.
    pub path: &'a str,
    fd: Fd,
    table: Table<'static>,
}

impl<'a> PackFile<'a> {
    /// The pack of the command line: in an executable with a pack inside it is that one, and `path` its name.
    ///
    /// # Errors
    /// As [`PackFile::open`].
    #[inline(always)]
    pub fn named<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, path: &'a CStr) -> Done<PackFile<'a>> {
        if cfg!(feature = "embed") && kernel.embedded() {
            return PackFile::of(kernel, Image::PACK, path.to_str().unwrap_or(text!("the pack")));
        }
        PackFile::open(kernel, ledger, path)
    }

    /// Opens the file, and reads it as [`PackFile::of`] does.
    ///
    /// # Errors
    /// [`Exit::BadInput`] where it cannot be opened, said with the path.
    #[inline(never)]
    pub fn open<K: Kernel>(kernel: &mut K, ledger: &mut Ledger, path: &'a CStr) -> Done<PackFile<'a>> {
        let name = path.to_str().unwrap_or(text!("the pack"));
        let fd = match kernel.open(path, Open::Read) {
            Ok(fd) => ledger.keep(kernel, fd)?,
            Err(e) if e.exit() == Exit::Again => return Err(failed(kernel, name, e)),
            Err(e) => return Err(fail(kernel, Exit::BadInput, text!("cannot open %: %"), &[S(name), E(e)])),
        };
        PackFile::of(kernel, fd, name)
    }

    /// Checks header and table of an open file, in a copy of their own. `name` is for messages.
    ///
    /// # Errors
    /// [`Exit::BadInput`] where it is no whole pack, said with the name.
    #[inline(never)]
    pub fn of<K: Kernel>(kernel: &mut K, fd: Fd, name: &'a str) -> Done<PackFile<'a>> {
        let len = match kernel.file_len(fd) {
            Ok(len) => len,
            Err(e) => return Err(failed(kernel, name, e)),
        };
        let mut head = [0; HEADER_LEN];
        fill(kernel, fd, name, 0, &mut head)?;
        let header = bad(kernel, name, Header::parse(&head))?;
        let end = header.table_end();
        if end as u64 > len {
            let cut = Error::Truncated { part: corelet_core::Part::PackTable, at: len as u32 };
            return bad(kernel, name, Err(cut));
        }
        let copy = match kernel.region(end) {
            Ok(region) => region,
            Err(e) => return Err(failed(kernel, text!("memory"), e)),
        };
        fill(kernel, fd, name, 0, copy)?;
        let table = bad(kernel, name, Table::parse(copy, len))?;
        Ok(PackFile { path: name, fd, table })
    }

    /// The section table.
    pub fn table(&self) -> Table<'static> {
        self.table
    }

    /// Copies a section into `into`, which has its length, and checks the copy: its checksum, and that its records decode.
    pub fn read<K: Kernel>(&self, kernel: &mut K, entry: &Entry, into: &mut [u8]) -> Done<()> {
        fill(kernel, self.fd, self.path, entry.offset, into)?;
        let check = if PLAIN { check_plain } else { check };
        bad(kernel, self.path, entry.verify(into).and_then(|()| check(entry.id, into)))
    }

    /// A section that fits into `buffer`; empty where it is left out.
    pub fn small<'b, K: Kernel>(
        &self,
        kernel: &mut K,
        id: u16,
        owner: u16,
        buffer: &'b mut [u8],
    ) -> Done<&'b [u8]> {
        let Some(entry) = self.table.find(id, owner) else { return Ok(&[]) };
        let Some(into) = buffer.get_mut(..entry.len as usize) else {
            let too_long =
                Error::BadValue { part: corelet_core::Part::PackTable, at: entry.offset, found: entry.len };
            return bad(kernel, self.path, Err(too_long));
        };
        self.read(kernel, &entry, into)?;
        Ok(into)
    }

    /// Which object the one of number `owner` is.
    #[inline(never)]
    pub fn object<'b, K: Kernel>(
        &self,
        kernel: &mut K,
        owner: u16,
        buffer: &'b mut [u8],
    ) -> Done<Object<'b>> {
        let bytes = self.small(kernel, section::OBJECT, owner, buffer)?;
        bad(kernel, self.path, Checked::new(bytes, section::OBJECT).at(0))
    }

    /// Whose target the one of number `owner` is.
    #[inline(never)]
    pub fn target<'b, K: Kernel>(
        &self,
        kernel: &mut K,
        owner: u16,
        buffer: &'b mut [u8],
    ) -> Done<Target<'b>> {
        let bytes = self.small(kernel, section::TARGET, owner, buffer)?;
        bad(kernel, self.path, Checked::new(bytes, section::TARGET).at(0))
    }
}

/// Reads all of `into` from `offset`. A file that ends before was cut after its length was read.
fn fill<K: Kernel>(kernel: &mut K, fd: Fd, name: &str, offset: u32, into: &mut [u8]) -> Done<()> {
    let mut at = 0;
    while let Some(rest) = into.get_mut(at..).filter(|r| !r.is_empty()) {
        let place = offset.saturating_add(at as u32);
        match kernel.read_at(fd, place, rest) {
            Ok(0) => {
                let args = [S(name), N(place.into())];
                return Err(fail(kernel, Exit::BadInput, text!("%: cut short at byte %"), &args));
            }
            Ok(n) => at = at.saturating_add(n),
            Err(Errno::EINTR) => {}
            Err(e) if e.exit() == Exit::Again => return Err(failed(kernel, name, e)),
            Err(e) => return Err(fail(kernel, Exit::BadInput, "%: %", &[S(name), E(e)])),
        }
    }
    Ok(())
}
