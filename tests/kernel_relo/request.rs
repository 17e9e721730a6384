//! The calls that load an object, as a file for `corelet-replay` to repeat on a board.
//!
//! libbpf has prepared everything: types as kernels take them, maps, linked programs, func_info and line_info. What is
//! changed is that the kernel is to relocate: instructions with a relocation are again as the compiler wrote them, and the
//! records of `.BTF.ext` go along, with their places in the linked program.

use super::file::{CALL, CALL_AND_SAY_WHY, CALL_WITH_LOG, File};
use crate::oracle::calls::{Call, Event, command, prog};
use crate::oracle::libbpf::{Done, Loaded};
use crate::oracle::linked::Linker;
use anyhow::{Context, Result, ensure};
use corelet_core::btf_ext::CoreRelo;
use corelet_core::insn::{INSN_SIZE, LD_IMM64};
use corelet_core::object::{Located, Object};
use corelet_host_tools::relocate::Program;

/// `enum bpf_map_type` of maps whose values are maps.
const MAPS_OF_MAPS: [u32; 2] = [12, 13];
/// Offsets in the attribute of `BPF_MAP_CREATE`: `inner_map_fd` and `btf_fd`.
const MAP_FDS: [usize; 2] = [20, 48];
/// Offset of the value's address in the attribute of `BPF_MAP_UPDATE_ELEM`.
const VALUE: usize = 16;
/// Offsets of addresses in the attribute of `BPF_PROG_LOAD` that must be null: `log_buf` and `fd_array`.
const NO_ADDRESS: [usize; 2] = [32, 120];

/// `r0 = *(u32 *)(r0 + 0)` with a field set that must be 0, and `exit`. The kernel refuses them right after it has relocated
/// ("BPF_LDX uses reserved fields"), so that the log ends there and no time goes into verifying.
const STOP: [u8; 2 * INSN_SIZE] = [0x61, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
/// What the kernel says of `STOP`.
pub const STOPPED: &str = "uses reserved fields";

/// What a board is asked about one object.
#[derive(Debug)]
pub struct Request {
    /// The file.
    pub file: Vec<u8>,
    /// The object's programs, by the numbers in labels.
    pub programs: Vec<Sent>,
}

/// One program as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its name.
    pub name: String,
    /// What we do at each of its relocations, by the number that the kernel gives them; `insn` counts in the linked program.
    pub relocations: Vec<Done>,
    /// What it attaches to, where the kernel does not have that: it is then not loaded as it is.
    pub absent: Option<String>,
}

/// Prepares an object for the kernel that `loaded` and `expected` are about.
///
/// # Errors
/// libbpf did not load all programs.
pub fn request(object: &Object<'_>, expected: &[Program], loaded: &Loaded) -> Result<Request> {
    let linker = Linker::new(object)?;
    let relos: Vec<Located<CoreRelo>> = object.core_relos().collect::<Result<_, _>>()?;
    let mut file = File::default();
    let mut programs = Vec::new();
    let btf = types(&loaded.events).with_context(|| format!("nothing was loaded: {}", loaded.warnings))?;
    for (number, event) in loaded.events.iter().enumerate() {
        match event {
            Event::Dup { from, to } => file.dup(*from, *to),
            Event::Call(call) => match call.command {
                command::BTF_LOAD if number == btf => file.call(call, CALL, "types"),
                command::MAP_CREATE => file.map_create(call)?,
                command::MAP_UPDATE_ELEM => file.map_update(call)?,
                command::MAP_FREEZE => file.with_fds(call, &[0], "freeze")?,
                command::PROG_LOAD => {
                    let sent =
                        file.program(object, expected, &linker, &relos, call, loaded, programs.len())?;
                    programs.push(sent);
                }
                _ => {}
            },
        }
    }
    let entries = object.functions().filter(|f| f.entry).count();
    ensure!(
        programs.len() == entries,
        "libbpf loads {} of {entries} programs: {}",
        programs.len(),
        loaded.warnings
    );
    Ok(Request { file: file.finish()?, programs })
}

/// Number of the event that loads the types which programs have: libbpf tries out types of its own before.
fn types(events: &[Event]) -> Option<usize> {
    let fd = events.iter().find_map(|event| match event {
        Event::Call(call) if call.command == command::PROG_LOAD => Some(call.u32(prog::BTF_FD) as i32),
        _ => None,
    })?;
    let is_load = |event: &Event| match event {
        Event::Call(call) => call.command == command::BTF_LOAD && call.result == fd,
        Event::Dup { .. } => false,
    };
    events.iter().rposition(is_load)
}

impl File {
    fn map_create(&mut self, call: &Call) -> Result<()> {
        let outer = MAPS_OF_MAPS.contains(&call.u32(0));
        let [inner, btf] = MAP_FDS;
        let mut fds = Vec::new();
        fds.extend(outer.then_some(inner));
        fds.extend((call.u32(btf) != 0).then_some(btf));
        self.outer.retain(|fd| *fd != call.result);
        self.outer.extend(outer.then_some(call.result));
        self.with_fds(call, &fds, "map")
    }

    fn map_update(&mut self, call: &Call) -> Result<()> {
        let (attr, places) = self.attribute(call);
        let map = call.u32(0) as i32;
        self.descriptor(attr, map)?;
        if self.outer.contains(&map) {
            let value = call.memory(VALUE).first_chunk::<4>().context("no value")?;
            self.descriptor(places[&VALUE], i32::from_le_bytes(*value))?;
        }
        self.step(CALL, call, attr, "update");
        Ok(())
    }

    /// Sends a program twice: with [`STOP`] behind it for what relocation does, and as it is.
    #[allow(clippy::too_many_arguments, reason = "one program's parts, and its number")]
    fn program(
        &mut self,
        object: &Object<'_>,
        expected: &[Program],
        linker: &Linker,
        relos: &[Located<CoreRelo>],
        call: &Call,
        loaded: &Loaded,
        number: usize,
    ) -> Result<Sent> {
        let mut call = call.clone();
        let placed = linker.placed(&call)?;
        let name = expected.get(placed[0].0 as usize).context("no such program")?.name.clone();
        let mut insns = call.memory(prog::INSNS).to_vec();
        let (mut records, mut relocations) = (Vec::new(), Vec::new());
        for &(function, start) in &placed {
            let compiled = object.function(function).context("no such function")?.insns;
            let ours = expected.get(function as usize).context("no such function")?;
            for relo in relos.iter().filter(|r| r.function == function) {
                let (from, to) = (relo.insn as usize * INSN_SIZE, (start + relo.insn) as usize * INSN_SIZE);
                let wide = compiled.get(from) == Some(&LD_IMM64);
                let len = if wide { 2 * INSN_SIZE } else { INSN_SIZE };
                let place = insns.get_mut(to..to + len).context("a relocation behind the end")?;
                place.copy_from_slice(compiled.get(from..from + len).context("a relocation behind the end")?);
                let r = relo.record;
                for word in [to as u32, r.type_id.0, r.access_str_off, r.kind] {
                    records.extend(word.to_le_bytes());
                }
                let done = ours.relocations.iter().find(|r| r.index == relo.number && r.insn == relo.insn);
                let done = Done::of(done.context("a relocation that we did not do")?);
                relocations.push(Done { insn: start + relo.insn, ..done });
            }
        }
        call.attr.resize(prog::LEN.max(call.attr.len()), 0);
        for at in NO_ADDRESS {
            call.set(at, 0);
            call.set(at + 4, 0);
        }
        call.set(prog::CORE_RELO_CNT, relocations.len() as u32);
        call.set(prog::CORE_RELO_REC_SIZE, if relocations.is_empty() { 0 } else { 16 });
        if !relocations.is_empty() {
            call.memory.insert(prog::CORE_RELOS, records);
        }
        let absent = loaded.absent.get(&name).cloned();
        if absent.is_none() {
            call.memory.insert(prog::INSNS, insns.clone());
            self.load(&call, CALL_AND_SAY_WHY, &format!("load {number}"))?;
        }
        insns.extend(STOP);
        call.set(prog::INSN_CNT, (insns.len() / INSN_SIZE) as u32);
        call.memory.insert(prog::INSNS, insns);
        self.load(&call, CALL_WITH_LOG, &format!("relocate {number}"))?;
        Ok(Sent { name, relocations, absent })
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{ADDRESS, DESCRIPTOR};
    use super::*;

    fn call(command: u32, result: i32, attr: &[u32], memory: &[(usize, &[u8])]) -> Call {
        let attr = attr.iter().flat_map(|word| word.to_le_bytes()).collect();
        let memory = memory.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect();
        Call { command, result, attr, memory }
    }

    /// The steps of a file and its bytes, every offset checked.
    fn steps(file: &[u8]) -> Vec<[u32; 6]> {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        (0..word(0) as usize).map(|step| std::array::from_fn(|i| word(4 + 24 * step + 4 * i))).collect()
    }

    fn text(file: &[u8], at: u32) -> &str {
        let rest = &file[at as usize..];
        std::str::from_utf8(&rest[..rest.iter().position(|b| *b == 0).unwrap()]).unwrap()
    }

    #[test]
    fn descriptors_and_addresses_become_steps() {
        let mut file = File::default();
        file.call(&call(command::BTF_LOAD, 3, &[0, 0, 0, 0, 5], &[(0, b"types")]), CALL, "types");
        let mut map = [0; 18];
        map[MAP_FDS[1] / 4] = 3;
        file.map_create(&call(command::MAP_CREATE, 4, &map, &[])).unwrap();
        file.dup(4, 9);
        let update = call(command::MAP_UPDATE_ELEM, 0, &[9, 0, 0, 0, 0, 0], &[(8, b"key4"), (16, b"value")]);
        file.map_update(&update).unwrap();
        let unknown = file.with_fds(&call(command::MAP_FREEZE, 0, &[77], &[]), &[0], "freeze");
        assert!(unknown.is_err(), "a descriptor that nothing gave");
        let file = file.finish().unwrap();
        let steps = steps(&file);
        let kinds: Vec<u32> = steps.iter().map(|step| step[0]).collect();
        assert_eq!(kinds, [ADDRESS, CALL, DESCRIPTOR, CALL, ADDRESS, ADDRESS, DESCRIPTOR, CALL]);
        let [_, at, to, ..] = steps[0];
        let [_, command, attr, len, slot, label] = steps[1];
        assert_eq!((at, &file[to as usize..to as usize + 5]), (attr, &b"types"[..]));
        assert_eq!((command, len, slot, text(&file, label)), (command::BTF_LOAD, 20, 1, "types"));
        // the map takes the types of slot 1 and is slot 2, under both of its numbers
        assert_eq!((steps[2][1], steps[2][2]), (steps[3][2] + MAP_FDS[1] as u32, 1));
        assert_eq!((steps[3][4], steps[6][2]), (2, 2));
        assert_eq!(steps[6][1], steps[7][2]);
    }

    #[test]
    fn the_programs_types_are_the_last_of_their_descriptor() {
        let btf = |fd| Event::Call(call(command::BTF_LOAD, fd, &[], &[]));
        let mut attr = [0; 36];
        attr[prog::BTF_FD / 4] = 4;
        let prog = Event::Call(call(command::PROG_LOAD, 7, &attr, &[]));
        assert_eq!(types(&[btf(3), btf(4), btf(4), btf(5), prog]), Some(2));
        assert_eq!(types(&[btf(3)]), None);
    }
}
