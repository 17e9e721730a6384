//! How much memory a pack takes, said in advance.

use serde::{Deserialize, Serialize};

/// Bytes as a function of the machine: `fixed + per_cpu × CPUs + page × (pages + pages_per_cpu × CPUs)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formula {
    /// Bytes on every machine.
    pub fixed: u32,
    /// Bytes for each possible CPU.
    pub per_cpu: u32,
    /// Pages on every machine.
    pub pages: u32,
    /// Pages for each possible CPU.
    pub pages_per_cpu: u32,
}

impl Formula {
    /// Bytes on a machine of `cpus` possible CPUs and pages of `page_size` bytes.
    pub fn bytes(&self, cpus: u32, page_size: u32) -> u64 {
        let (cpus, page) = (u64::from(cpus), u64::from(page_size));
        let pages = u64::from(self.pages).saturating_add(u64::from(self.pages_per_cpu).saturating_mul(cpus));
        u64::from(self.fixed)
            .saturating_add(u64::from(self.per_cpu).saturating_mul(cpus))
            .saturating_add(page.saturating_mul(pages))
    }

    /// The sum of two formulas.
    pub fn plus(&self, other: &Formula) -> Formula {
        Formula {
            fixed: self.fixed.saturating_add(other.fixed),
            per_cpu: self.per_cpu.saturating_add(other.per_cpu),
            pages: self.pages.saturating_add(other.pages),
            pages_per_cpu: self.pages_per_cpu.saturating_add(other.pages_per_cpu),
        }
    }
}

/// What loading one object on one target takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Memory that the loader asks for before it reads anything else of the pack.
    pub work: Formula,
    /// Kernel memory of the maps, event buffers and programs: an estimate from above, by the kernel's own accounting rules.
    pub maps: Formula,
}
