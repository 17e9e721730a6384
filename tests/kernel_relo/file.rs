//! The file that `corelet-replay` repeats on a board, while it is written; `tests/replay/src/main.rs` has its form.

use crate::oracle::calls::{Call, command, prog};
use anyhow::{Context, Result, ensure};
use corelet_core::insn::{INSN_SIZE, LD_IMM64, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE};
use std::collections::BTreeMap;

pub(super) const ADDRESS: u32 = 0;
pub(super) const DESCRIPTOR: u32 = 1;
pub(crate) const CALL: u32 = 2;
pub(crate) const CALL_WITH_LOG: u32 = 3;
pub(crate) const CALL_AND_SAY_WHY: u32 = 4;
const CALL_AND_SAY_WORD: u32 = 5;

/// Offset of `retval` in the attribute of `BPF_PROG_TEST_RUN`.
const RETVAL: u32 = 4;

/// The file while it is written: offsets are from the start of the bytes behind the steps.
#[derive(Default)]
pub(crate) struct File {
    steps: Vec<[u32; 6]>,
    data: Vec<u8>,
    /// Slot of a descriptor.
    slots: BTreeMap<i32, u32>,
    /// Descriptors of maps whose values are maps.
    pub(super) outer: Vec<i32>,
    used: u32,
}

impl File {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let at = self.data.len() as u32;
        self.data.extend(bytes);
        at
    }

    pub(crate) fn dup(&mut self, from: i32, to: i32) {
        if let Some(slot) = self.slots.get(&from).copied() {
            self.slots.insert(to, slot);
            if self.outer.contains(&from) {
                self.outer.push(to);
            }
        }
    }

    pub(crate) fn descriptor(&mut self, at: u32, fd: i32) -> Result<()> {
        let slot = self.slots.get(&fd).with_context(|| format!("descriptor {fd} is of nothing"))?;
        self.steps.push([DESCRIPTOR, at, *slot, 0, 0, 0]);
        Ok(())
    }

    /// Adds the attribute and what it points to; gives where it is, and where each of the latter.
    pub(crate) fn attribute(&mut self, call: &Call) -> (u32, BTreeMap<usize, u32>) {
        let attr = self.put(&call.attr);
        let mut places = BTreeMap::new();
        for (&offset, bytes) in &call.memory {
            let to = self.put(bytes);
            self.steps.push([ADDRESS, attr + offset as u32, to, 0, 0, 0]);
            places.insert(offset, to);
        }
        (attr, places)
    }

    pub(crate) fn step(&mut self, kind: u32, call: &Call, attr: u32, label: &str) {
        let slot = match call.command {
            command::MAP_CREATE | command::BTF_LOAD | command::PROG_LOAD => {
                self.used += 1;
                self.slots.insert(call.result, self.used);
                self.used
            }
            _ => 0,
        };
        let label = self.put(format!("{label}\0").as_bytes());
        self.steps.push([kind, call.command, attr, call.attr.len() as u32, slot, label]);
    }

    pub(crate) fn call(&mut self, call: &Call, kind: u32, label: &str) {
        let (attr, _) = self.attribute(call);
        self.step(kind, call, attr, label);
    }

    /// A call whose attribute has descriptors at these offsets.
    pub(crate) fn with_fds(&mut self, call: &Call, offsets: &[usize], label: &str) -> Result<()> {
        let (attr, _) = self.attribute(call);
        for offset in offsets {
            self.descriptor(attr + *offset as u32, call.u32(*offset) as i32)?;
        }
        self.step(CALL, call, attr, label);
        Ok(())
    }

    /// Runs the program with the descriptor at the attribute's start once, and asks what it returned.
    pub(crate) fn test_run(&mut self, call: &Call, label: &str) -> Result<()> {
        let (attr, _) = self.attribute(call);
        self.descriptor(attr, call.u32(0) as i32)?;
        let label = self.put(format!("{label}\0").as_bytes());
        let returned = attr + RETVAL;
        self.steps.push([CALL_AND_SAY_WORD, call.command, attr, call.attr.len() as u32, returned, label]);
        Ok(())
    }

    /// Loads a program; its instructions may have descriptors of maps.
    pub(crate) fn load(&mut self, call: &Call, kind: u32, label: &str) -> Result<()> {
        let (attr, places) = self.attribute(call);
        if call.u32(prog::BTF_FD) != 0 {
            self.descriptor(attr + prog::BTF_FD as u32, call.u32(prog::BTF_FD) as i32)?;
        }
        let insns = call.memory(prog::INSNS);
        let mut at = 0;
        while let Some(&[code, regs, _, _, a, b, c, d]) = insns.get(at..).and_then(|i| i.first_chunk()) {
            if code == LD_IMM64 && [PSEUDO_MAP_FD, PSEUDO_MAP_VALUE].contains(&(regs >> 4)) {
                self.descriptor(places[&prog::INSNS] + at as u32 + 4, i32::from_le_bytes([a, b, c, d]))?;
            }
            at += if code == LD_IMM64 { 2 * INSN_SIZE } else { INSN_SIZE };
        }
        self.step(kind, call, attr, label);
        Ok(())
    }

    /// The whole file, offsets from its start.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        let base = (4 + 24 * self.steps.len() as u32).next_multiple_of(8);
        ensure!(self.used < 500, "{} descriptors", self.used);
        let mut out = (self.steps.len() as u32).to_le_bytes().to_vec();
        for [kind, a, b, c, slot, label] in self.steps {
            let step = match kind {
                ADDRESS => [kind, a + base, b + base, c, slot, label],
                DESCRIPTOR => [kind, a + base, b, c, slot, label],
                CALL_AND_SAY_WORD => [kind, a, b + base, c, slot + base, label + base],
                _ => [kind, a, b + base, c, slot, label + base],
            };
            out.extend(step.iter().flat_map(|word| word.to_le_bytes()));
        }
        out.resize(base as usize, 0);
        out.extend(self.data);
        Ok(out)
    }
}
