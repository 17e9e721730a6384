//! How large the events are that programs send, read off their instructions: what a declared event type is held against.
//!
//! A declaration belongs to one version of a tool. With another version's object it would decode every event wrongly and
//! say nothing, so its size must be the one that the programs hand to the helper.

use super::collect::Collected;
use corelet_core::insn::{self, CALL, Insn, class};
use corelet_core::object::Referent;
use std::collections::BTreeSet;

/// Helpers that send events, with the register that holds the size: `include/uapi/linux/bpf.h`.
const HELPERS: [(i32, u8); 3] = [(25, 5), (130, 3), (131, 2)];
/// `mov64 dst, imm` and `mov32 dst, imm`.
const MOV_IMM: [u8; 2] = [0xb7, 0xb4];

/// Sizes that programs send through map number `map`, as far as they are constants in straight code.
pub(super) fn sent(c: &Collected<'_>, map: u32) -> BTreeSet<u32> {
    let mut sizes = BTreeSet::new();
    for r in c.references.iter().filter(|r| r.to == Referent::Map { map }) {
        let insns = c.functions[r.function as usize].insns;
        let read = |at: u32| insn::read(insns, at, c.object.endian()).ok();
        // the call that takes the map: the next one behind the load of its address
        let call = (r.insn..).map_while(|at| Some((at, read(at)?))).find(|(_, i)| i.class() == class::JMP);
        let Some((at, Insn { code: CALL, imm, .. })) = call else { continue };
        let Some(&(_, register)) = HELPERS.iter().find(|(helper, _)| *helper == imm) else { continue };
        let setter = (0..at)
            .rev()
            .map_while(|i| read(i).filter(|i| i.class() != class::JMP))
            .find(|i| i.dst == register && !matches!(i.class(), class::ST | class::STX));
        sizes.extend(setter.filter(|i| MOV_IMM.contains(&i.code)).and_then(|i| u32::try_from(i.imm).ok()));
    }
    sizes
}
