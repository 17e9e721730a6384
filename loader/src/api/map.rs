//! Maps by name.

use super::{Loaded, Plain, Result};
use crate::exit::Exit;
use crate::say::{
    Arg::{E, N, S},
    fail, failed, text,
};
use crate::sys::{Carried, Errno, Fd, Hosted, MapFd};
use corelet_core::pack::{Checked, Map as Record, section};

/// A map of a loaded object, to read and write. Keys and values are bytes in the machine's own order, or [`Plain`] values.
pub struct Map<'l, 'o, K: Carried = Hosted<'o>> {
    loaded: &'l mut Loaded<'o, K>,
    name: &'static str,
    map: MapFd,
}

impl<'o, K: Carried> Loaded<'o, K> {
    /// The map of that name in the object, or of its data section: `.bss`, `.data`, `.rodata`. Of several objects the first that has
    /// one; `OBJECT/NAME` says which.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a name that no map has, and for a map that this kernel does not have.
    pub fn map(&mut self, name: &str) -> Result<Map<'_, 'o, K>> {
        for source in &self.sources {
            let own = crate::number::after(name.as_bytes(), source.name.as_bytes());
            let inner = own.and_then(|rest| crate::number::after(rest, b"/"));
            let maps = Checked::<Record<'static>>::new(source.maps, section::MAPS);
            for (record, open) in maps.zip(source.open) {
                let named =
                    record.name.as_bytes() == name.as_bytes() || inner == Some(record.name.as_bytes());
                if named && open.map.fd().0 >= 0 {
                    return Ok(Map { map: open.map, name: record.name, loaded: self });
                }
            }
        }
        let exit = fail(&mut self.kernel, Exit::Usage, text!("%: the pack has no such map here"), &[S(name)]);
        Err(self.error(exit))
    }
}

impl<'o, K: Carried> Map<'_, 'o, K> {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its descriptor, for calls of your own; [`Loaded`] closes it.
    pub fn fd(&self) -> Fd {
        self.map.fd()
    }

    /// Bytes of a key; 0 for a queue, a stack, a ring buffer.
    pub fn key_len(&self) -> usize {
        self.map.key_len()
    }

    /// Bytes of what [`Map::lookup`] gives: of a per-CPU map the value, rounded up to 8 bytes, for each possible CPU.
    pub fn value_len(&self) -> usize {
        self.map.value_len()
    }

    /// Reads the value of `key`; false where there is no such entry.
    ///
    /// # Errors
    /// [`Exit::Usage`] for lengths that are not [`Map::key_len`] and [`Map::value_len`]; what the kernel refuses.
    pub fn lookup(&mut self, key: &[u8], value: &mut [u8]) -> Result<bool> {
        self.check(key.len(), value.len())?;
        let done = self.loaded.kernel.map_lookup(&self.map, key, value);
        self.found(done)
    }

    /// Sets the value of `key`, with a new entry where there is none (`BPF_ANY`).
    ///
    /// # Errors
    /// As of [`Map::lookup`]; [`Exit::NotPortable`] for a map that is full or frozen.
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.check(key.len(), value.len())?;
        let done = self.loaded.kernel.map_update(&self.map, key, value);
        done.map_err(|e| self.refused(e))
    }

    /// Removes an entry; false where there was none.
    ///
    /// # Errors
    /// As of [`Map::lookup`]; arrays do not take it.
    pub fn delete(&mut self, key: &[u8]) -> Result<bool> {
        self.check(key.len(), self.value_len())?;
        let done = self.loaded.kernel.map_delete(&self.map, key);
        self.found(done)
    }

    /// Writes to `next` the key behind `key`, the first one without it; false behind the last. An entry that goes meanwhile makes it
    /// begin again.
    ///
    /// # Errors
    /// As of [`Map::lookup`].
    pub fn next_key(&mut self, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool> {
        self.check(key.map_or(next.len(), <[u8]>::len), self.value_len())?;
        self.check(next.len(), self.value_len())?;
        let done = self.loaded.kernel.map_next_key(&self.map, key, next);
        self.found(done)
    }

    /// The value of `key`; `None` where there is no such entry.
    ///
    /// # Errors
    /// As of [`Map::lookup`].
    pub fn get<V: Plain>(&mut self, key: &impl Plain) -> Result<Option<V>> {
        let mut value = V::ZERO;
        let found = self.lookup(key.to_bytes().as_ref(), value.as_mut())?;
        Ok(found.then(|| V::from_bytes(value)))
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// As of [`Map::update`].
    pub fn set(&mut self, key: &impl Plain, value: &impl Plain) -> Result<()> {
        self.update(key.to_bytes().as_ref(), value.to_bytes().as_ref())
    }

    fn found(&mut self, done: core::result::Result<(), Errno>) -> Result<bool> {
        match done {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(e) => Err(self.refused(e)),
        }
    }

    fn check(&mut self, key: usize, value: usize) -> Result<()> {
        if (key, value) == (self.key_len(), self.value_len()) {
            return Ok(());
        }
        let [key, value, of_key, of_value] =
            [key, value, self.key_len(), self.value_len()].map(|n| N(n as u64));
        let args = [S(self.name), of_key, of_value, key, value];
        let form = text!("map %: keys have % bytes and values %, not % and %");
        let exit = fail(&mut self.loaded.kernel, Exit::Usage, form, &args);
        Err(self.loaded.error(exit))
    }

    fn refused(&mut self, e: Errno) -> super::Error {
        let kernel = &mut self.loaded.kernel;
        let exit = match e {
            Errno::EPERM | Errno::EACCES => failed(kernel, self.name, e),
            _ => fail(kernel, e.exit(), text!("map %: %"), &[S(self.name), E(e)]),
        };
        self.loaded.error(exit)
    }
}
