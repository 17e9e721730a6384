//! Which programs send events through a map and how large these are, read off the instructions: what a declared event type
//! is held against, and how a buffer is found that no manifest gives a type.
//!
//! A declaration belongs to one version of a tool. With another version's object it would decode every event wrongly and
//! say nothing, so its size must be the one that the programs hand to the helper.

use super::collect::Collected;
use super::object::{PERF_EVENT_ARRAY, RINGBUF};
use crate::manifest::Manifest;
use corelet_core::insn::{self, CALL, Insn, class};
use corelet_core::object::Referent;
use corelet_core::pack::Decision;
use serde::Serialize;
use std::collections::BTreeSet;

/// Helpers that send events, with the register that holds the size: `bpf_perf_event_output`, `bpf_skb_output`,
/// `bpf_xdp_output`, `bpf_ringbuf_output`, `bpf_ringbuf_reserve`, `bpf_ringbuf_reserve_dynptr`, by their numbers in
/// `include/uapi/linux/bpf.h`.
const HELPERS: [(i32, u8); 6] = [(25, 5), (111, 5), (121, 5), (130, 3), (131, 2), (198, 2)];
/// `bpf_perf_event_output`
const PERF_EVENT_OUTPUT: i32 = 25;
/// Helpers that take the same kinds of map and send nothing: `bpf_perf_event_read`, `bpf_perf_event_read_value`,
/// `bpf_ringbuf_query`.
const READERS: [i32; 3] = [22, 55, 134];
/// `mov64 dst, imm` and `mov32 dst, imm`.
const MOV_IMM: [u8; 2] = [0xb7, 0xb4];

/// One place where a function hands a map to a helper that sends events, or to one that cannot be told.
struct Sender {
    function: u32,
    /// The helper's number; 0 where it cannot be told.
    helper: i32,
    /// Whether the helper is known to send.
    sure: bool,
    /// Bytes, where that is a constant in straight code.
    size: Option<u32>,
}

fn senders(c: &Collected<'_>, map: u32) -> Vec<Sender> {
    let mut senders = Vec::new();
    for r in c.references.iter().filter(|r| r.to == Referent::Map { map }) {
        let function = r.function;
        let insns = c.functions[function as usize].insns;
        let read = |at: u32| insn::read(insns, at, c.object.endian()).ok();
        // the call that takes the map: the next one behind the load of its address
        let call = (r.insn..).map_while(|at| Some((at, read(at)?))).find(|(_, i)| i.class() == class::JMP);
        let (at, helper) = match call {
            Some((at, Insn { code: CALL, imm, .. })) => (at, imm),
            _ => {
                senders.push(Sender { function, helper: 0, sure: false, size: None });
                continue;
            }
        };
        let Some(&(_, register)) = HELPERS.iter().find(|(known, _)| *known == helper) else {
            if !READERS.contains(&helper) {
                senders.push(Sender { function, helper, sure: false, size: None });
            }
            continue;
        };
        let setter = (0..at)
            .rev()
            .map_while(|i| read(i).filter(|i| i.class() != class::JMP))
            .find(|i| i.dst == register && !matches!(i.class(), class::ST | class::STX));
        let size = setter.filter(|i| MOV_IMM.contains(&i.code)).and_then(|i| u32::try_from(i.imm).ok());
        senders.push(Sender { function, helper, sure: true, size });
    }
    senders
}

/// Whether programs hand map number `map`, a ring buffer, to `bpf_perf_event_output` too: they are written for kernels without
/// ring buffers as well, and decide by what relocation finds.
pub(super) fn may_be_perf_buffer(c: &Collected<'_>, map: u32) -> bool {
    senders(c, map).iter().any(|s| s.helper == PERF_EVENT_OUTPUT)
}

/// Sizes that programs send through map number `map`, as far as they are constants in straight code.
pub(super) fn sent(c: &Collected<'_>, map: u32) -> BTreeSet<u32> {
    senders(c, map).iter().filter_map(|s| s.size.filter(|_| s.sure)).collect()
}

/// A buffer whose events the loader cannot print, since nothing gives their type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UntypedEvents {
    /// Name of the map.
    pub map: String,
    /// Bytes of its events, where the instructions say.
    pub sizes: Vec<u32>,
    /// Programs that send them.
    pub programs: Vec<String>,
}

/// Ring buffers and perf event arrays that programs to be loaded send through and for which the manifest has no type.
pub(super) fn untyped(c: &Collected<'_>, manifest: &Manifest, decisions: &[Decision]) -> Vec<UntypedEvents> {
    let mut out = Vec::new();
    for (number, map) in (0..).zip(&c.maps) {
        let typed = manifest.maps.get(map.name).is_some_and(|m| m.event.is_some());
        if typed || !matches!(map.spec.map_type, PERF_EVENT_ARRAY | RINGBUF) {
            continue;
        }
        let senders = senders(c, number);
        let mut sizes = BTreeSet::new();
        let mut programs = Vec::new();
        for (&(entry, _), decision) in c.programs.iter().zip(decisions) {
            let functions = [vec![entry], c.reached(entry)].concat();
            let mut own = senders.iter().filter(|s| functions.contains(&s.function)).peekable();
            if matches!(decision, Decision::Skip(_)) || own.peek().is_none() {
                continue;
            }
            sizes.extend(own.filter_map(|s| s.size));
            programs.push(c.functions[entry as usize].name.to_owned());
        }
        if !programs.is_empty() {
            out.push(UntypedEvents {
                map: map.name.to_owned(),
                sizes: sizes.into_iter().collect(),
                programs,
            });
        }
    }
    out
}
