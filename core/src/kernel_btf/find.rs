//! One type of a kernel by its name and kind, for what programs attach to: the strings once, the types once.

use super::blob::Blob;
use super::source::Source;
use super::work::Work;
use crate::btf::Kind;
use crate::error::{Error, Part, Result};
use crate::id::TypeId;
use heapless::Vec;

/// Places at which one name may stand: its own string, and ends of longer ones that share it. More are as if they were not
/// there: kernels' strings have one.
const MAX_PLACES: usize = 8;

/// The first type of `kind` whose name is `name`, in file 0 of `source`; `window` is memory to read with, of
/// [`crate::limits::KERNEL_BTF_WINDOW`] bytes.
///
/// # Errors
/// What is wrong with the file, as far as it was read.
///
/// Time and bytes read: linear in the file.
#[cold]
pub fn find(source: &mut dyn Source, name: &str, kind: Kind, window: &mut [u8]) -> Result<Option<TypeId>> {
    let mut work = Work::new(source, window, &mut []);
    let blob = Blob::open(&mut work, 0, None)?;
    let places = places(&mut work, &blob, name.as_bytes())?;
    let mut walk = blob.walk();
    while let Some((_, t)) = blob.next(&mut work, &mut walk) {
        if t.kind() == kind && places.contains(&t.name_off) {
            return Ok(Some(t.id));
        }
    }
    work.check()?;
    Ok(None)
}

/// Where `name` stands in the strings.
fn places(work: &mut Work<'_, '_>, blob: &Blob, name: &[u8]) -> Result<Vec<u32, MAX_PLACES>> {
    let mut places = Vec::new();
    let mut off = 0u32;
    while off < blob.str_len {
        let rest = blob.str_len.wrapping_sub(off);
        let loaded = work.load(blob.file, blob.str_at.wrapping_add(off), rest);
        // a string that does not end here is read again from its start
        let Some(whole) = loaded.iter().rposition(|&b| b == 0) else {
            work.check()?;
            return Err(Error::Truncated { part: Part::BtfStrings, at: off });
        };
        let mut at = off;
        for text in loaded.get(..whole).unwrap_or_default().split(|&b| b == 0) {
            let len = text.len() as u32;
            if text.ends_with(name) {
                let _ = places.push(at.wrapping_add(len).wrapping_sub(name.len() as u32));
            }
            at = at.wrapping_add(len).wrapping_add(1);
        }
        off = at;
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::btf::Kind;
    use crate::btf::testing::{Build, INT_SIGNED, numbered};
    use crate::bytes::Endian;
    use crate::error::Result;
    use crate::id::TypeId;
    use crate::kernel_btf::Source;
    use crate::limits::KERNEL_BTF_WINDOW;
    use std::vec;
    use std::vec::Vec;

    struct File(Vec<u8>);

    impl Source for File {
        /// No more than 100 bytes at once, as a file may give.
        fn read_at(&mut self, _: u8, at: u32, into: &mut [u8]) -> Result<usize> {
            let rest = self.0.get(at as usize..).unwrap_or(&[]);
            let n = rest.len().min(into.len()).min(100);
            into[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        }

        fn next_module(&mut self, _: u8) -> Result<bool> {
            Ok(false)
        }
    }

    fn find_in(blob: &[u8], name: &str, kind: Kind) -> Result<Option<TypeId>> {
        find(&mut File(blob.to_vec()), name, kind, &mut vec![0; KERNEL_BTF_WINDOW])
    }

    #[test]
    fn names_and_kinds_are_told_apart() {
        let mut b = Build::new(Endian::Big);
        let int = b.int("int", 4, INT_SIGNED);
        for i in 0..500 {
            b.structure(&numbered("a_struct_with_a_long_name_", i), 4, &[("member", int, 0)]);
        }
        let named = b.structure("vfs_read", 4, &[]);
        let proto = b.proto(0, &[]);
        let function = b.to("vfs_read", Kind::Func, proto);
        b.to("vfs_read", Kind::Func, proto);
        let blob = b.finish();
        assert_eq!(find_in(&blob, "vfs_read", Kind::Func).unwrap(), Some(TypeId(function)));
        assert_eq!(find_in(&blob, "vfs_read", Kind::Struct).unwrap(), Some(TypeId(named)));
        assert_eq!(find_in(&blob, "vfs_read", Kind::Typedef).unwrap(), None);
        assert_eq!(find_in(&blob, "read", Kind::Func).unwrap(), None);
        assert_eq!(find_in(&blob, "a_struct_with_a_long_name_499", Kind::Struct).unwrap(), Some(TypeId(501)));
        assert_eq!(find_in(&blob, "nothing", Kind::Func).unwrap(), None);
        for len in 0..blob.len() {
            // whatever is cut off: a result or an error
            let _ = find_in(&blob[..len], "vfs_read", Kind::Func);
        }
    }
}
