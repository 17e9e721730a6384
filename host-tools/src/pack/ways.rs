//! All ways through a function: what is known before each instruction, where ways that meet know what every one of them brings.

use corelet_core::insn::{self, Insn, class};

/// `BPF_OP` of a jump: `BPF_JA`, `BPF_EXIT`.
const JA: u8 = 0x00;
const EXIT: u8 = 0x90;

/// What is known at one place.
pub(super) trait Knowledge: Clone + PartialEq {
    /// What both know.
    fn and(&self, other: &Self) -> Self;
}

/// `BPF_OP` of a jump.
fn operation(insn: &Insn) -> u8 {
    insn.code & 0xf0
}

fn is_jump(insn: &Insn) -> bool {
    matches!(insn.class(), class::JMP | class::JMP32) && insn.code != insn::CALL
}

/// Whether nothing of the function comes behind this instruction but by a jump.
pub(super) fn ends(insn: &Insn) -> bool {
    is_jump(insn) && matches!(operation(insn), JA | EXIT)
}

/// How many instructions behind the next one a jump leads; `None` of what does not jump.
pub(super) fn jump(insn: &Insn) -> Option<i64> {
    if !is_jump(insn) || operation(insn) == EXIT {
        return None;
    }
    let far = insn.class() == class::JMP32 && operation(insn) == JA;
    Some(if far { insn.imm.into() } else { insn.off.into() })
}

/// What is known before each instruction that is come to, of a function that begins with `start`. `behind` gives what is known
/// behind an instruction, `taken` whether a conditional jump is taken, where what is known decides that.
///
/// Time: an instruction is looked at again only where less is known before it than the last time.
pub(super) fn before<S: Knowledge>(
    insns: &[Insn],
    start: S,
    behind: impl Fn(usize, &Insn, &S) -> S,
    taken: impl Fn(&Insn, &S) -> Option<bool>,
) -> Vec<Option<S>> {
    let mut before: Vec<Option<S>> = vec![None; insns.len()];
    let mut work = vec![(0usize, start)];
    while let Some((at, comes)) = work.pop() {
        let (Some(insn), Some(known)) = (insns.get(at), before.get_mut(at)) else { continue };
        let merged = known.as_ref().map_or_else(|| comes.clone(), |known| known.and(&comes));
        if known.as_ref() == Some(&merged) {
            continue;
        }
        let after = behind(at, insn, &merged);
        let decided = jump(insn).filter(|_| operation(insn) != JA).and_then(|_| taken(insn, &merged));
        *known = Some(merged);
        if let Some(by) = jump(insn)
            && decided != Some(false)
        {
            work.extend(usize::try_from(at as i64 + 1 + by).ok().map(|to| (to, after.clone())));
        }
        if !ends(insn) && decided != Some(true) {
            work.push((at + if insn.is_ld_imm64() { 2 } else { 1 }, after));
        }
    }
    before
}
