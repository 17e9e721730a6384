//! A target's types as a pack carries them.

use super::read::Records;
use super::records::KernelId;
use super::section;
use crate::btf::Btf;
use crate::error::{Error, Result};
use crate::id::TypeId;
use crate::relo::TargetTypes;

/// The subset of a kernel's types, with the kernel's own ids of those whose id a program asks for.
#[derive(Clone, Copy, Debug)]
pub struct Subset<'a> {
    btf: Btf<'a>,
    ids: &'a [u8],
}

impl<'a> Subset<'a> {
    /// Joins the parsed `SUBSET` section, its pointer size set by the `TARGET` record, and the bytes of `IDS`.
    pub fn new(btf: Btf<'a>, ids: &'a [u8]) -> Self {
        Subset { btf, ids }
    }
}

impl TargetTypes for Subset<'_> {
    fn btf(&self) -> &Btf<'_> {
        &self.btf
    }

    fn kernel_id(&self, id: TypeId) -> Result<TypeId> {
        for record in Records::<KernelId>::new(self.ids, section::IDS) {
            let record = record?;
            if record.subset == id {
                return Ok(record.kernel);
            }
        }
        Err(Error::NoSuchType { id })
    }
}
