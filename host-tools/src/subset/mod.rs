//! Minimising: the part of a kernel's types that an object's relocations read, as BTF of a few hundred bytes.
//!
//! The relocation engine itself says what it reads ([`corelet_core::relo::Observer`]). Each relocation is tried against
//! each candidate apart, so that the subset serves every set of programs that may be loaded: which candidates survive
//! depends on the set. Of a candidate that does not match, nothing is kept: it takes no part in the result. One that other
//! relocations keep a part of must not match by what that part lacks: there, what decided is kept with it.

mod mark;
#[cfg(test)]
mod tests;
mod types;
mod write;

pub use mark::{Keep, Marks};
pub use types::KernelTypes;
pub use write::{BtfWriter, Moved};

use anyhow::Result;
use corelet_core::btf::{Btf, Kind};
use corelet_core::relo::{CandList, Cands, CoreRelo, Observer, ReloKind, Relocator, Scratch, TargetTypes};
use corelet_core::{Result as CoreResult, TypeId};

/// A minimised BTF.
pub struct Subset {
    /// The blob.
    pub bytes: Vec<u8>,
    /// Number of types in it.
    pub types: usize,
    /// Id in the subset and in the kernel, of types whose own id a program asks for; by subset id.
    pub kernel_ids: Vec<(TypeId, TypeId)>,
}

/// Collects what is read for one candidate, and keeps it if it decided anything.
#[derive(Default)]
struct Collector {
    marks: Marks,
    pending: Vec<Read>,
    /// Whether the relocation at hand is about a whole type. What is not kept of a type turns into `void`, which a pointer to
    /// void would match. Fields cannot come to match in that way: members are kept with their types.
    of_type: bool,
}

enum Read {
    Type(TypeId),
    Part(TypeId, u32),
    Count(TypeId, u32),
    KernelId(TypeId),
}

impl Observer for Collector {
    fn read_type(&mut self, id: TypeId) {
        self.pending.push(Read::Type(id));
    }

    fn read_member(&mut self, id: TypeId, member: u32) {
        self.pending.push(Read::Part(id, member));
    }

    fn read_enumerator(&mut self, id: TypeId, index: u32) {
        self.pending.push(Read::Part(id, index));
    }

    fn read_count(&mut self, id: TypeId, at_least: u32) {
        self.pending.push(Read::Count(id, at_least));
    }

    fn need_kernel_id(&mut self, id: TypeId) {
        self.pending.push(Read::KernelId(id));
    }

    fn candidate(&mut self, id: TypeId, matched: CoreResult<bool>) {
        let reads = std::mem::take(&mut self.pending);
        if matched == Ok(false) && self.of_type {
            let parts = reads.iter().filter_map(|read| match *read {
                // fewer members make no match
                Read::Type(id) | Read::Count(id, _) => Some((id, None)),
                Read::Part(id, part) => Some((id, Some(part))),
                Read::KernelId(_) => None,
            });
            self.marks.with(id, parts.collect());
        }
        // what made the engine give up is kept too, so that it gives up on the subset as well
        if matched != Ok(false) {
            for read in reads {
                match read {
                    Read::Type(id) => self.marks.record(id),
                    Read::Part(id, part) => self.marks.part(id, Some(part)),
                    Read::Count(id, count) => self.marks.count(id, count),
                    Read::KernelId(id) => self.marks.kernel_id(id),
                }
            }
        }
    }
}

/// What the relocations `relos`, compiled against `local`, read of `target`'s types.
pub fn marks<'r>(
    local: &Btf<'_>,
    target: &KernelTypes<'_>,
    relos: impl Iterator<Item = &'r CoreRelo>,
) -> Marks {
    let mut seen = std::collections::HashSet::new();
    let mut collector = Collector::default();
    let mut scratch = Scratch::default();
    for relo in relos.filter(|r| r.kind != ReloKind::TypeIdLocal) {
        // the same question about the same place reads the same
        if !seen.insert((relo.type_id, relo.access_str_off, relo.kind)) {
            continue;
        }
        let Ok(t) = local.ty(relo.type_id) else { continue };
        let name = corelet_core::btf::names::essential(local.name(&t));
        let mut ids = Vec::new();
        let found = target.candidates(name, t.kind(), &mut |id| {
            ids.push(id);
            Ok(())
        });
        if name.is_empty() || found.is_err() {
            continue;
        }
        for id in ids {
            let one = types::OneCandidate { types: target, id };
            let (mut lists, mut pool) = ([CandList::default()], [TypeId::VOID]);
            let mut relocator = Relocator {
                local,
                target: &one,
                cands: Cands::new(&mut lists, &mut pool),
                scratch: &mut scratch,
            };
            collector.of_type = relo.kind.is_type();
            // no instructions: what is read matters here and not what is patched, so the error that follows is expected
            let _ = relocator.relocate(relo, &mut [], local.endian(), &mut collector);
        }
    }
    collector.marks
}

/// Writes the subset that `marks` describes. With `named_long`, an integer called `long` of the kernel's pointer size is
/// added where none was kept: libbpf takes the pointer size from it.
pub fn write(target: &Btf<'_>, marks: &Marks, named_long: bool) -> Result<Subset> {
    let marks = &marks.settled();
    let mut writer = BtfWriter::new(target.endian());
    let mut marks = marks.clone();
    marks.fill();
    let moved = writer.push_marked(target, &marks)?;
    if named_long {
        let size = u32::from(target.pointer_size());
        writer.push("long unsigned int", Kind::Int, false, 0, size, &[size * 8]);
    }
    let mut kernel_ids: Vec<_> = marks.kernel_ids().map(|id| (moved.id(id), id)).collect();
    kernel_ids.sort();
    Ok(Subset { types: writer.next_id().0 as usize - 1, bytes: writer.finish(), kernel_ids })
}
