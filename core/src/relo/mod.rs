//! CO-RE relocation: fitting a program to the kernel it runs on.
//!
//! The compiler left a record for each instruction that depends on a type's layout. For each record, in this order:
//!
//! 1. [`Spec::parse`]: what the access string means in the local type, the one the program was compiled against;
//! 2. [`Cands`]: which of the target's types share its essential name;
//! 3. `field`, `compat`, `matches`: which candidates have what the spec describes;
//! 4. `calc`: the value that each match gives; all must agree, on the bit offset too;
//! 5. `patch`: the value goes into the instruction. Where there is no match, questions of existence and size are answered
//!    with 0, and any other instruction is *poisoned*: it becomes a call that the verifier refuses, unless the program
//!    guards it so that it is dead code.
//!
//! What is read of the target's types is told to an [`Observer`]; with `()` that costs nothing. Minimising is such an
//! observer: keep what was read, and relocation through the subset gives the same results.
//!
//! Semantics are libbpf's (`src/relo_core.c`, f7081a6), which are the kernel's. They differ where libbpf takes the byte
//! order or pointer size of the machine it runs on: here the target's decide. Differences in what is refused: negative
//! numbers in access strings and chains of more than 32 modifiers are errors; work is bounded (`limits.rs`).
//!
//! Time of one relocation ([`Relocator::relocate_known`] gives an answer again): at the first one of a root type a walk over the target's types ([`scan`]); then for each
//! candidate [`MAX_COMPARISONS`](crate::limits::MAX_COMPARISONS) members or pairs of types at most, of whose names
//! [`MAX_NAME_LEN`](crate::limits::MAX_NAME_LEN) bytes are looked at.

mod access_str;
mod answer;
mod calc;
mod cand;
mod compat;
mod display;
mod field;
#[cfg(test)]
mod hostile;
mod kind;
mod matches;
mod mismatch;
mod patch;
mod spec;

pub use access_str::RawSpec;
pub use answer::Known;
pub use cand::{CandList, Cands, kinds_compat, scan};
pub use display::SpecText;
pub use kind::ReloKind;
pub use mismatch::Mismatch;
pub use spec::{Accessor, Spec};

use crate::btf::{Btf, Kind};
use crate::bytes::Endian;
use crate::error::{Error, Result};
use crate::id::TypeId;
use crate::limits::SPEC_MAX_LEN;
use answer::Answer;

/// One relocation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRelo {
    /// Instruction, from the function's start.
    pub insn: u32,
    /// Local root type.
    pub type_id: TypeId,
    /// Offset of the access string in the local BTF's strings.
    pub access_str_off: u32,
    /// What is asked.
    pub kind: ReloKind,
}

/// What became of a relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The instruction holds the target's value.
    Patched {
        /// What it held.
        old: u64,
        /// What it holds.
        new: u64,
        /// Bytes that the load or store moves now, where that changed.
        mem_size: Option<u32>,
        /// Whether a matching type was found; without one `new` is 0 and means "does not exist".
        matched: bool,
    },
    /// The instruction is poisoned.
    Poisoned(PoisonReason),
}

/// Why an instruction was poisoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoisonReason {
    /// The target has no type of that name and kind.
    NoCandidate,
    /// It has, but none with such a field or enumerator.
    NoMatch,
    /// It has the field, in another size and not as a pointer or unsigned integer, so a load would give a wrong value.
    MemSize {
        /// Bytes in the local type.
        local: u32,
        /// Bytes in the target's.
        target: u32,
    },
}

/// The types of a target, and how candidates are looked up in them.
pub trait TargetTypes {
    /// The types.
    fn btf(&self) -> &Btf<'_>;

    /// The kernel's own id of a type, which programs pass to helpers.
    ///
    /// # Errors
    /// [`Error::NoSuchType`] where that is not known, as for a subset that kept the type for its layout only.
    fn kernel_id(&self, id: TypeId) -> Result<TypeId> {
        Ok(id)
    }

    /// Gives `found` every type that may stand for a local type of `kind` whose essential name is `name`, in id order.
    fn candidates(&self, name: &str, kind: Kind, found: &mut dyn FnMut(TypeId) -> Result<()>) -> Result<()> {
        scan(self.btf(), name, kind, found)
    }
}

impl TargetTypes for Btf<'_> {
    fn btf(&self) -> &Btf<'_> {
        self
    }
}

/// What is told of the target's types while they are read. Ids are of the target's BTF.
pub trait Observer {
    /// Whether anything is done with what is told: where not, what is read only to be told is not read.
    const LISTENS: bool = true;

    /// The type's record was read.
    fn read_type(&mut self, _id: TypeId) {}
    /// A member of a struct or union was read.
    fn read_member(&mut self, _id: TypeId, _member: u32) {}
    /// An enumerator was read.
    fn read_enumerator(&mut self, _id: TypeId, _index: u32) {}
    /// That the type has at least so many members or enumerators was part of the answer.
    fn read_count(&mut self, _id: TypeId, _at_least: u32) {}
    /// The kernel's own id of the type is part of the result.
    fn need_kernel_id(&mut self, _id: TypeId) {}
    /// A candidate was looked at: what was read since the last one decided whether it matched.
    fn candidate(&mut self, _id: TypeId, _matched: Result<bool>) {}
    /// The candidate at hand does not have what the spec describes: why. [`Observer::candidate`] follows.
    fn mismatch(&mut self, _why: Mismatch) {}
    /// The candidate that was looked at has it: where, and the value that it gives, `None` for poison.
    fn fits<const LEN: usize>(&mut self, _place: &Spec<LEN>, _new: Option<u64>) {}
}

impl Observer for () {
    const LISTENS: bool = false;
}

/// Working memory for one relocation at a time, which small machines do not want on the stack: some 3 KiB where it takes
/// every access string, 0.8 KiB where 16 steps are enough ([`Spec`] says what `LEN` is).
#[derive(Clone, Debug)]
pub struct Scratch<const LEN: usize = SPEC_MAX_LEN> {
    local: Spec<LEN>,
    /// The place in the first candidate that matches.
    targ: Spec<LEN>,
    /// The place in another one, which is compared with the first.
    other: Spec<LEN>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}

impl<const LEN: usize> Scratch<LEN> {
    /// Nothing relocated yet.
    pub const fn new() -> Self {
        Scratch { local: Spec::new(), targ: Spec::new(), other: Spec::new() }
    }

    /// What the last relocation's access string means in the local type.
    pub fn local(&self) -> &Spec<LEN> {
        &self.local
    }

    /// Its place in the first matching candidate; only after [`Outcome::Patched`] with `matched`, or a bad memory size.
    pub fn target(&self) -> &Spec<LEN> {
        &self.targ
    }
}

/// Everything that the relocations of one object share.
pub struct Relocator<'x, 'l, 'm, T, const LEN: usize = SPEC_MAX_LEN> {
    /// The program's types.
    pub local: &'x Btf<'l>,
    /// The kernel's types.
    pub target: &'x T,
    /// Candidate lists, pruned from relocation to relocation.
    pub cands: Cands<'m>,
    /// Working memory; holds the specs of the last relocation.
    pub scratch: &'m mut Scratch<LEN>,
}

impl<T: TargetTypes, const LEN: usize> Relocator<'_, '_, '_, T, LEN> {
    /// Applies one relocation to the instructions of its function.
    ///
    /// The relocations of an object are applied in the order of its `.BTF.ext`, those of programs that are not loaded left
    /// out: candidates that one relocation rules out are ruled out for the later ones of the same local type.
    ///
    /// # Errors
    /// The record is malformed, the candidates disagree ([`Error::Ambiguous`]), or the instruction cannot take the value.
    /// The instruction is then as it was, and later relocations can go on.
    #[inline(never)] // its frame belongs to one relocation
    pub fn relocate(
        &mut self,
        relo: &CoreRelo,
        insns: &mut [u8],
        endian: Endian,
        observer: &mut impl Observer,
    ) -> Result<Outcome> {
        outcome(&self.answer(relo, observer)?, insns, relo.insn, endian)
    }

    /// What a relocation comes to, whatever its instruction holds.
    #[inline]
    fn answer(&mut self, relo: &CoreRelo, observer: &mut impl Observer) -> Result<Answer> {
        let Scratch { local, targ, other } = &mut *self.scratch;
        local.parse(self.local, relo.type_id, relo.access_str_off, relo.kind)?;
        let root = u64::from(relo.type_id.0);
        let mut result = calc::Calc {
            old: root,
            new: root,
            poison: false,
            validate: false,
            old_size: 0,
            new_size: 0,
            bad_mem_size: false,
        };
        let (mut matched, mut tried, mut list) = (0, 0, usize::MAX);
        if relo.kind != ReloKind::TypeIdLocal {
            list = self.cands.list(self.local, relo.type_id, self.target)?;
            tried = self.cands.ids(list).len();
            for i in 0..tried {
                let Some(&id) = self.cands.ids(list).get(i) else { break };
                let cand = if matched == 0 { &mut *targ } else { &mut *other };
                let verdict = field::spec_match(self.local, local, self.target.btf(), id, cand, observer);
                let res = match verdict {
                    Ok(true) => Some(calc::calc(self.local, local, self.target, Some(cand), observer)),
                    _ => None,
                };
                observer.candidate(id, verdict);
                verdict?;
                let Some(res) = res.transpose()? else { continue };
                observer.fits(if matched == 0 { targ } else { other }, (!res.poison).then_some(res.new));
                if matched == 0 {
                    result = res;
                } else if other.bit_offset != targ.bit_offset
                    || (res.poison, res.new) != (result.poison, result.new)
                {
                    return Err(Error::Ambiguous { first: targ.root, second: id });
                }
                // one and the same place, and no other case, is an error, and stays
                if let Ok([first, this]) = self.cands.ids(list).get_disjoint_mut([matched, i]) {
                    std::mem::swap(first, this);
                }
                matched = matched.saturating_add(1);
            }
            if matched > 0 {
                self.cands.prune(list, matched);
            } else {
                result = calc::calc(self.local, local, self.target, None, &mut ())?;
            }
        }
        let matched = matched > 0 || relo.kind == ReloKind::TypeIdLocal;
        Ok(Answer { calc: result, tried: tried > 0, matched, list, left: self.cands.ids(list).len() })
    }
}

/// Puts an answer into the instruction `insn`, and says what became of it.
fn outcome(answer: &Answer, insns: &mut [u8], insn: u32, endian: Endian) -> Result<Outcome> {
    let Answer { calc, tried, matched, .. } = answer;
    Ok(match patch::patch(insns, insn, endian, calc)? {
        patch::Patched::Value { old } => Outcome::Patched {
            old,
            new: calc.new,
            mem_size: (calc.old_size != calc.new_size && is_mem(insns, insn, endian))
                .then_some(calc.new_size),
            matched: *matched,
        },
        patch::Patched::BadMemSize => {
            Outcome::Poisoned(PoisonReason::MemSize { local: calc.old_size, target: calc.new_size })
        }
        patch::Patched::NoValue if !tried => Outcome::Poisoned(PoisonReason::NoCandidate),
        patch::Patched::NoValue => Outcome::Poisoned(PoisonReason::NoMatch),
    })
}

/// Whether the instruction is a load or store, the only ones whose size a relocation changes.
fn is_mem(insns: &[u8], at: u32, endian: Endian) -> bool {
    use crate::insn::{class, read};
    read(insns, at, endian).is_ok_and(|i| matches!(i.class(), class::LDX | class::ST | class::STX))
}
