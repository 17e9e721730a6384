//! Answers that serve again: programs ask for the same field many times, 278 of the 629 relocations in Debian's 57 tools were
//! asked before in the same object.
//!
//! A relocation of the same root type, access string and kind comes to the same while the root's list of candidates is what it
//! left: a list that no candidate was dropped from is in the same order too, and the first that matches gives the sizes.
//! Errors are not kept.
//! Time: a step to look an answer up.

use super::calc::Calc;
use super::{CoreRelo, Outcome, Relocator, TargetTypes, outcome};
use crate::bytes::Endian;
use crate::error::Result;

/// What relocations of one root type, access string and kind come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) calc: Calc,
    /// Whether there was a candidate.
    pub(super) tried: bool,
    /// Whether one of them matched.
    pub(super) matched: bool,
    /// Number of the list of candidates; none for the id of a local type.
    pub(super) list: usize,
    /// Candidates that it left there.
    pub(super) left: usize,
}

/// Room for one answer: [`Relocator::relocate_known`] takes any number of them, the more the fewer are given twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known(Option<(CoreRelo, Answer)>);

impl<T: TargetTypes, const LEN: usize> Relocator<'_, '_, '_, T, LEN> {
    /// [`Relocator::relocate`], but for questions that were answered before: `known` has their answers, and is for the
    /// relocations of one object against one target. [`Relocator::scratch`] is then of an earlier relocation.
    ///
    /// # Errors
    /// As [`Relocator::relocate`].
    pub fn relocate_known(
        &mut self,
        known: &mut [Known],
        relo: &CoreRelo,
        insns: &mut [u8],
        endian: Endian,
    ) -> Result<Outcome> {
        let mixed =
            relo.access_str_off ^ relo.type_id.0.wrapping_mul(31) ^ (relo.kind as u32).wrapping_mul(7);
        let slot = (mixed as usize).checked_rem(known.len()).and_then(|i| known.get_mut(i));
        let same = |asked: &CoreRelo| CoreRelo { insn: relo.insn, ..*asked } == *relo;
        let answer = match &slot {
            Some(Known(Some((asked, answer))))
                if same(asked) && self.cands.ids(answer.list).len() == answer.left =>
            {
                *answer
            }
            _ => self.answer(relo, &mut ())?,
        };
        if let Some(slot) = slot {
            *slot = Known(Some((*relo, answer)));
        }
        outcome(&answer, insns, relo.insn, endian)
    }
}
