//! Variables of the programs by name: those of `.data`, `.bss`, `.rodata` and `.kconfig`.
//!
//! Where the kernel maps them (5.5), reading and writing a variable touches nothing else. Before that the whole section is read and
//! written back, so that what a program changes meanwhile in another variable of it is lost.

use super::{Loaded, Plain, Result};
use crate::exit::Exit;
use crate::say::{
    Arg::{E, N, S},
    fail, text,
};
use crate::sys::{Carried, Errno, Hosted, MapFd, Shared, Sys};
use corelet_core::pack::{Checked, Map as Record, MapRole, section};

/// Data sections whose mappings are kept.
pub(super) const MAX_DATA: usize = 16;

/// A variable.
pub struct Global<'l, 'o, K: Carried = Hosted<'o>> {
    loaded: &'l mut Loaded<'o, K>,
    name: &'static str,
    map: MapFd,
    role: MapRole,
    offset: usize,
    size: usize,
}

impl<'o, K: Carried> Loaded<'o, K> {
    /// The variable of that name, as the object's source has it; of several objects the first that has one.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a name that no variable has.
    pub fn global(&mut self, name: &str) -> Result<Global<'_, 'o, K>> {
        for source in &self.sources {
            let maps = Checked::<Record<'static>>::new(source.maps, section::MAPS);
            for (record, open) in maps.zip(source.open) {
                if record.role.is_declared() || open.map.fd().0 < 0 {
                    continue;
                }
                let Ok(datasec) = source.btf.ty(record.value_type) else { continue };
                for var in datasec.vars() {
                    let Ok(t) = source.btf.ty(var.ty) else { continue };
                    if source.btf.name(&t) == name {
                        let (offset, size) = (var.offset as usize, var.size as usize);
                        let name = source.btf.name(&t);
                        return Ok(Global {
                            map: open.map,
                            role: record.role,
                            offset,
                            size,
                            name,
                            loaded: self,
                        });
                    }
                }
            }
        }
        let exit =
            fail(&mut self.kernel, Exit::Usage, text!("%: the programs have no such variable"), &[S(name)]);
        Err(self.error(exit))
    }

    /// The mapping of a data section; `None` where the kernel has none.
    fn data(&mut self, map: &MapFd) -> Option<Shared> {
        if let Some((_, shared)) = self.data.iter().find(|(fd, _)| *fd == map.fd()) {
            return Some(shared.clone());
        }
        if !self.session.identity.is_at_least(5, 5) || self.data.is_full() {
            return None;
        }
        let page = self.session.identity.page_size as usize;
        let len = map.value_len().checked_next_multiple_of(page)?;
        let shared = self.kernel.map_shared(map.fd(), 0, len, true).ok()?;
        self.data.push((map.fd(), shared.clone())).ok()?;
        Some(shared)
    }

    /// The contents of a data section, for a while.
    fn whole<T>(&mut self, map: &MapFd, then: impl FnOnce(&mut K, &mut [u8]) -> Sys<T>) -> Sys<T> {
        let before = self.kernel.mappings();
        let done = self.kernel.region(map.value_len()).and_then(|contents| {
            self.kernel.map_lookup(map, &0u32.to_ne_bytes(), contents)?;
            then(&mut self.kernel, contents)
        });
        self.kernel.unmap(before);
        done
    }
}

impl<'o, K: Carried> Global<'_, 'o, K> {
    /// Its bytes.
    #[allow(clippy::len_without_is_empty, reason = "no variable is empty")]
    pub fn len(&self) -> usize {
        self.size
    }

    /// Reads it into `value`.
    ///
    /// # Errors
    /// [`Exit::Usage`] for another length than [`Global::len`]; what the kernel refuses.
    pub fn read(&mut self, value: &mut [u8]) -> Result<()> {
        self.check(value.len())?;
        // constants are not mapped: the kernel does not let them be written, and a mapping could
        let shared = if self.role == MapRole::Data { self.loaded.data(&self.map) } else { None };
        if let Some(shared) = shared {
            shared.copy(self.offset, value);
            return Ok(());
        }
        let (offset, map) = (self.offset, self.map);
        let done = self.loaded.whole(&map, |_, contents| {
            let place = contents.get(offset..).unwrap_or_default();
            value.iter_mut().zip(place).for_each(|(to, &from)| *to = from);
            Ok(())
        });
        done.map_err(|e| self.refused(e))
    }

    /// Sets it: a number of 4 bytes, or of a register's, at once.
    ///
    /// # Errors
    /// [`Exit::Usage`] for another length, and for a constant, which only `--set` changes, before it is loaded.
    pub fn write(&mut self, value: &[u8]) -> Result<()> {
        self.check(value.len())?;
        if self.role != MapRole::Data {
            let form = text!("%: a constant; the option --set changes it before the programs are loaded");
            let exit = fail(&mut self.loaded.kernel, Exit::Usage, form, &[S(self.name)]);
            return Err(self.loaded.error(exit));
        }
        if let Some(shared) = self.loaded.data(&self.map) {
            shared.store(self.offset, value);
            return Ok(());
        }
        let (offset, map) = (self.offset, self.map);
        let done = self.loaded.whole(&map, |kernel, contents| {
            let place = contents.get_mut(offset..).unwrap_or_default();
            place.iter_mut().zip(value).for_each(|(to, &from)| *to = from);
            kernel.map_update(&map, &0u32.to_ne_bytes(), contents)
        });
        done.map_err(|e| self.refused(e))
    }

    /// Its value.
    ///
    /// # Errors
    /// As of [`Global::read`].
    pub fn get<V: Plain>(&mut self) -> Result<V> {
        let mut value = V::ZERO;
        self.read(value.as_mut())?;
        Ok(V::from_bytes(value))
    }

    /// Sets it.
    ///
    /// # Errors
    /// As of [`Global::write`].
    pub fn set(&mut self, value: &impl Plain) -> Result<()> {
        self.write(value.to_bytes().as_ref())
    }

    fn check(&mut self, len: usize) -> Result<()> {
        if len == self.size {
            return Ok(());
        }
        let args = [S(self.name), N(self.size as u64), N(len as u64)];
        let exit =
            fail(&mut self.loaded.kernel, Exit::Usage, text!("%: a variable of % bytes, not %"), &args);
        Err(self.loaded.error(exit))
    }

    fn refused(&mut self, e: Errno) -> super::Error {
        let exit = fail(&mut self.loaded.kernel, e.exit(), "%: %", &[S(self.name), E(e)]);
        self.loaded.error(exit)
    }
}
