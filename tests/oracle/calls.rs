//! Calls of bpf(2) as the program around libbpf prints them, one a line.
//! Source of commands and offsets: `include/uapi/linux/bpf.h` (kernel 6.12).

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Commands of bpf(2) that libbpf uses while it loads, and the one that runs a program.
pub mod command {
    /// `BPF_MAP_CREATE`
    pub const MAP_CREATE: u32 = 0;
    /// `BPF_MAP_UPDATE_ELEM`
    pub const MAP_UPDATE_ELEM: u32 = 2;
    /// `BPF_PROG_LOAD`
    pub const PROG_LOAD: u32 = 5;
    /// `BPF_PROG_TEST_RUN`
    pub const PROG_TEST_RUN: u32 = 10;
    /// `BPF_BTF_LOAD`
    pub const BTF_LOAD: u32 = 18;
    /// `BPF_MAP_FREEZE`
    pub const MAP_FREEZE: u32 = 22;
}

/// Offsets in the attribute of `BPF_MAP_CREATE`, in bytes.
pub mod map {
    /// `u32`, `enum bpf_map_type`.
    pub const TYPE: usize = 0;
    /// `u32`
    pub const KEY_SIZE: usize = 4;
    /// `u32`
    pub const VALUE_SIZE: usize = 8;
    /// `u32`
    pub const MAX_ENTRIES: usize = 12;
    /// `u32`, `BPF_F_*`.
    pub const FLAGS: usize = 16;
    /// `u32`, descriptor of a map such as are in it.
    pub const INNER: usize = 20;
    /// 16 bytes, NUL-padded.
    pub const NAME: usize = 28;
    /// `u32`, type of a key; 0 for none.
    pub const KEY_TYPE: usize = 52;
    /// `u32`, type of a value; 0 for none.
    pub const VALUE_TYPE: usize = 56;
    /// `u64`, its lower half.
    pub const EXTRA: usize = 64;
}

/// Offsets in the attribute of `BPF_MAP_UPDATE_ELEM`, in bytes.
pub mod update {
    /// `u32`, descriptor of the map.
    pub const MAP: usize = 0;
    /// Address of the key.
    pub const KEY: usize = 8;
    /// Address of the value.
    pub const VALUE: usize = 16;
}

/// Offsets in the attribute of `BPF_PROG_LOAD`, in bytes.
pub mod prog {
    /// `u32`, number of instructions.
    pub const INSN_CNT: usize = 4;
    /// Address of the instructions.
    pub const INSNS: usize = 8;
    /// 16 bytes, NUL-padded.
    pub const NAME: usize = 48;
    /// `u32`, descriptor of the types.
    pub const BTF_FD: usize = 72;
    /// Address of `struct bpf_func_info`s, instructions counted in instructions.
    pub const FUNC_INFO: usize = 80;
    /// `u32`, number of `struct bpf_core_relo`s.
    pub const CORE_RELO_CNT: usize = 116;
    /// Address of `struct bpf_core_relo`s, instructions counted in bytes.
    pub const CORE_RELOS: usize = 128;
    /// `u32`, bytes of one of them.
    pub const CORE_RELO_REC_SIZE: usize = 136;
    /// Bytes of the attribute up to and with `log_true_size`.
    pub const LEN: usize = 144;
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The command.
    pub command: u32,
    /// What libbpf got: a descriptor, or 0.
    pub result: i32,
    /// The attribute. Addresses in it mean nothing any more.
    pub attr: Vec<u8>,
    /// What addresses in the attribute led to, by the offset of the address.
    pub memory: BTreeMap<usize, Vec<u8>>,
}

/// What libbpf did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call of bpf(2).
    Call(Call),
    /// Descriptor `to` became the same as `from`.
    Dup {
        /// The descriptor that a call gave.
        from: i32,
        /// The one that instructions have.
        to: i32,
    },
}

impl Call {
    /// The `u32` at `offset` of the attribute; 0 behind its end, as the kernel takes a short one.
    pub fn u32(&self, offset: usize) -> u32 {
        let bytes = self.attr.get(offset..offset + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    /// Sets the `u32` at `offset`, making the attribute as long as it takes.
    pub fn set(&mut self, offset: usize, value: u32) {
        if self.attr.len() < offset + 4 {
            self.attr.resize(offset + 4, 0);
        }
        self.attr[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// What the address at `offset` led to; nothing where it was null.
    pub fn memory(&self, offset: usize) -> &[u8] {
        self.memory.get(&offset).map_or(&[], Vec::as_slice)
    }
}

/// The event in a line; `None` for a line of another form.
///
/// # Errors
/// A line that begins like one and is none.
pub fn event(line: &str) -> Result<Option<Event>> {
    let Some((word, rest)) = line.split_once(' ') else { return Ok(None) };
    let mut words = rest.split(' ');
    let mut number = || -> Result<i32> { Ok(words.next().context("no number")?.parse()?) };
    let parsed = match word {
        "dup" => Event::Dup { from: number()?, to: number()? },
        "call" => {
            let (command, result) = (number()?.try_into()?, number()?);
            let attr = bytes(words.next().context("no attribute")?)?;
            let memory = words.map(|word| {
                let (offset, digits) = word.split_once('=').context("no =")?;
                Ok((offset.parse()?, bytes(digits)?))
            });
            Event::Call(Call { command, result, attr, memory: memory.collect::<Result<_>>()? })
        }
        _ => return Ok(None),
    };
    Ok(Some(parsed))
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    ensure!(digits.len().is_multiple_of(2), "half a byte");
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_calls() {
        let Some(Event::Call(call)) =
            event("call 5 7 0500000001000000 8=b70000000a000000 16=47504c00").unwrap()
        else {
            panic!("no call")
        };
        assert_eq!((call.command, call.result, call.u32(4), call.u32(100)), (5, 7, 1, 0));
        assert_eq!((call.memory(8)[0], call.memory(16), call.memory(80)), (0xb7, &b"GPL\0"[..], &[][..]));
        assert_eq!(event("dup 3 4").unwrap(), Some(Event::Dup { from: 3, to: 4 }));
        assert_eq!(event("libbpf: prog 'p': relo #0: …").unwrap(), None);
        for bad in ["call 5", "call 5 7 0", "call 5 7 00 8", "dup 1", "call 5 7 zz"] {
            assert!(event(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn setting_makes_room() {
        let mut call = Call::default();
        call.set(8, 0x0403_0201);
        assert_eq!(call.attr, [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    }
}
