//! Programs as libbpf hands them to the kernel, relocated and linked, held against ours instruction by instruction.
//!
//! Every byte of every instruction counts but for what only a running kernel knows: in an instruction that refers to a map,
//! to variables or to the configuration the map's descriptor, which must be the same wherever the same is referred to and
//! another elsewhere; in one that refers to a symbol or function of the kernel its id or address. Distances between functions
//! depend on where libbpf puts subprograms, which its func_info says, and are held against that.

use super::calls::{Call, Event, command, prog};
use anyhow::{Context, Result, ensure};
use corelet_core::insn::{INSN_SIZE, Insn, PSEUDO_CALL, PSEUDO_FUNC, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE};
use corelet_core::object::{Object, Reference, Referent};
use corelet_host_tools::relocate::Program;
use std::collections::BTreeMap;

/// Functions of a linked program: number of the function, its first instruction.
pub type Placed = Vec<(u32, u32)>;

/// What a comparison came to.
#[derive(Debug, Default)]
pub struct Compared {
    /// Instructions, those of subprograms once for each program.
    pub insns: usize,
    /// Instructions of which a descriptor, id or address was left out.
    pub masked: usize,
    /// What differs.
    pub differences: Vec<String>,
}

/// What an object's functions and instructions are, for the programs that are linked of them.
#[derive(Debug)]
pub struct Linker {
    /// Function by its FUNC.
    functions: BTreeMap<u32, u32>,
    references: BTreeMap<(u32, u32), Reference>,
}

impl Linker {
    /// Reads func_info and references.
    ///
    /// # Errors
    /// They are malformed.
    pub fn new(object: &Object<'_>) -> Result<Linker> {
        let functions = object.func_infos().map(|f| f.map(|f| (f.record.type_id.0, f.function)));
        let references = object.references().map(|r| r.map(|r| ((r.function, r.insn), r)));
        Ok(Linker {
            functions: functions.collect::<Result<_, _>>().context("func_info")?,
            references: references.collect::<Result<_, _>>().context("relocations of instructions")?,
        })
    }

    /// Which function stands where in the program of a `BPF_PROG_LOAD`, the program's own first.
    ///
    /// # Errors
    /// func_info is not of the object, or there is none.
    pub fn placed(&self, call: &Call) -> Result<Placed> {
        let records = call.memory(prog::FUNC_INFO).chunks_exact(8);
        let placed = records.map(|record| {
            let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| record[at + i]));
            let function = self.functions.get(&word(4)).with_context(|| format!("no FUNC {}", word(4)))?;
            Ok((*function, word(0)))
        });
        let placed = placed.collect::<Result<Placed>>()?;
        ensure!(placed.first().is_some_and(|(_, start)| *start == 0), "the program has no func_info");
        Ok(placed)
    }

    /// Holds all programs among `events` against `expected`, our relocation of all functions of `object`.
    ///
    /// # Errors
    /// What libbpf loaded are not programs of the object.
    pub fn compare(&self, object: &Object<'_>, expected: &[Program], events: &[Event]) -> Result<Compared> {
        let mut compared = Compared::default();
        let mut loaded = Vec::new();
        let mut fds = Fds::default();
        for event in events {
            let Event::Call(call) = event else { continue };
            if call.command == command::PROG_LOAD {
                let placed = self.placed(call)?;
                self.compare_one(object, expected, call, &placed, &mut fds, &mut compared)?;
                loaded.extend(placed.first().map(|(function, _)| *function));
            }
        }
        for f in object.functions().filter(|f| f.entry && !loaded.contains(&f.index)) {
            compared.differences.push(format!("{}: libbpf does not load it", f.name));
        }
        Ok(compared)
    }

    fn compare_one(
        &self,
        object: &Object<'_>,
        expected: &[Program],
        call: &Call,
        placed: &Placed,
        fds: &mut Fds,
        compared: &mut Compared,
    ) -> Result<()> {
        let endian = object.endian();
        let decode = |chunk: &[u8]| Insn::decode(chunk.try_into().expect("chunks of eight"), endian);
        let theirs: Vec<Insn> = call.memory(prog::INSNS).chunks_exact(INSN_SIZE).map(decode).collect();
        let of = &expected.get(placed[0].0 as usize).context("no such program")?.name;
        let mut end = 0;
        for &(function, start) in placed {
            let ours = expected.get(function as usize).context("no such function")?;
            let mut wanted: Vec<Insn> = ours.insns.bytes.chunks_exact(INSN_SIZE).map(decode).collect();
            ensure!(start == end, "{of}: {} starts at {start}, not {end}", ours.name);
            end = start + wanted.len() as u32;
            let got = theirs.get(start as usize..end as usize);
            let got =
                got.with_context(|| format!("{of}: {} instructions, not {end} or more", theirs.len()))?;
            for ((_, insn), reference) in self.references.range((function, 0)..(function + 1, 0)) {
                let distance = |to: u32| {
                    let callee = placed.iter().find(|(function, _)| *function == to);
                    callee.map(|(_, callee)| callee.wrapping_sub(start + insn + 1) as i32)
                };
                let at = *insn as usize;
                if wanted[at] != Insn::POISON {
                    let masked = refer(&mut wanted[at..], &got[at..], reference.to, distance, fds);
                    compared.masked += usize::from(masked.with_context(|| {
                        format!("{of}: insn #{} refers to what is not there, or another map", start + insn)
                    })?);
                }
            }
            for (at, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                if wanted != got {
                    let (name, at) = (&ours.name, start + at as u32);
                    compared
                        .differences
                        .push(format!("{of} ({name}) insn #{at}: libbpf {got:?}, ours {wanted:?}"));
                }
            }
        }
        ensure!(end as usize == theirs.len(), "{of}: {} instructions, not {end}", theirs.len());
        compared.insns += theirs.len();
        Ok(())
    }
}

/// Descriptors of maps by what refers to them: kind and number.
#[derive(Debug, Default)]
struct Fds(BTreeMap<(u8, u32), i32>);

impl Fds {
    /// Whether `fd` is that of the map, or a new one.
    fn is(&mut self, map: (u8, u32), fd: i32) -> bool {
        if let Some(known) = self.0.get(&map) {
            return *known == fd;
        }
        let new = self.0.values().all(|other| *other != fd);
        if new {
            self.0.insert(map, fd);
        }
        new
    }
}

/// Fills the reference in as linking would, with what only a kernel knows taken from `got`. Gives whether that was anything;
/// `None` where the reference leads nowhere.
fn refer(
    wanted: &mut [Insn],
    got: &[Insn],
    to: Referent,
    distance: impl Fn(u32) -> Option<i32>,
    fds: &mut Fds,
) -> Option<bool> {
    let fd = got.first()?.imm;
    let first = wanted.first_mut()?;
    let (src, imm, second) = match to {
        Referent::Call { function } => (PSEUDO_CALL, distance(function)?, None),
        Referent::FunctionAddress { function } => (PSEUDO_FUNC, distance(function)?, Some(0)),
        Referent::Map { map } => (PSEUDO_MAP_FD, fds.is((0, map), fd).then_some(fd)?, Some(0)),
        Referent::Data { section, offset } => {
            (PSEUDO_MAP_VALUE, fds.is((1, section.into()), fd).then_some(fd)?, Some(offset as i32))
        }
        Referent::Kconfig { offset, .. } => {
            (PSEUDO_MAP_VALUE, fds.is((2, 0), fd).then_some(fd)?, Some(offset as i32))
        }
        Referent::Ksym { .. } => (got.first()?.src, fd, Some(got.get(1)?.imm)),
        Referent::Kfunc { .. } => {
            first.off = got.first()?.off;
            (got.first()?.src, fd, None)
        }
    };
    (first.src, first.imm) = (src, imm);
    if let Some(imm) = second {
        wanted.get_mut(1)?.imm = imm;
    }
    Some(!matches!(to, Referent::Call { .. } | Referent::FunctionAddress { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::insn::{CALL, LD_IMM64};

    const WIDE: Insn = Insn { code: LD_IMM64, ..Insn::ZERO };

    fn filled(to: Referent, got: [Insn; 2], fds: &mut Fds) -> Option<(bool, [Insn; 2])> {
        let mut wanted = [Insn { imm: 9, ..WIDE }, Insn::ZERO];
        let distance = |function| (function == 1).then_some(5);
        Some((refer(&mut wanted, &got, to, distance, fds)?, wanted))
    }

    #[test]
    fn only_what_a_kernel_knows_is_taken_over() {
        let mut fds = Fds::default();
        let got = [Insn { dst: 3, src: 7, imm: 40, ..WIDE }, Insn { imm: 41, ..Insn::ZERO }];
        let with = |src, imm, second| [Insn { src, imm, ..WIDE }, Insn { imm: second, ..Insn::ZERO }];
        let map = filled(Referent::Map { map: 0 }, got, &mut fds);
        assert_eq!(map, Some((true, with(PSEUDO_MAP_FD, 40, 0))));
        let data = Referent::Data { section: 6, offset: 8 };
        // one descriptor is not of two maps
        assert_eq!(filled(data, got, &mut fds), None);
        let other = [Insn { imm: 42, ..got[0] }, got[1]];
        assert_eq!(filled(data, other, &mut fds), Some((true, with(PSEUDO_MAP_VALUE, 42, 8))));
        // and a map has one descriptor
        assert_eq!(filled(data, [Insn { imm: 43, ..got[0] }, got[1]], &mut fds), None);
        let ksym = filled(Referent::Ksym { ty: corelet_core::TypeId(1), weak: false }, got, &mut fds);
        assert_eq!(ksym, Some((true, with(7, 40, 41))));
        let address = filled(Referent::FunctionAddress { function: 1 }, got, &mut fds);
        assert_eq!(address, Some((false, with(PSEUDO_FUNC, 5, 0))));
        assert_eq!(filled(Referent::FunctionAddress { function: 2 }, got, &mut fds), None);
        let mut call = [Insn { code: CALL, imm: -1, ..Insn::ZERO }];
        let done = refer(&mut call, &got, Referent::Call { function: 1 }, |_| Some(-3), &mut fds);
        assert_eq!((done, call[0].src, call[0].imm), (Some(false), PSEUDO_CALL, -3));
    }

    /// Our own linking of the golden sample, in the place of libbpf's: any byte that is changed must be seen.
    #[test]
    fn every_byte_of_a_linked_program_is_seen_but_descriptors() {
        let bytes = include_bytes!("../golden/0.1/sample.bpf.o");
        let mut index = vec![0; Object::type_count(bytes).unwrap()];
        let object = Object::parse(bytes, &mut index).unwrap();
        let linker = Linker::new(&object).unwrap();
        let expected: Vec<Program> = object.functions().map(|f| program(&f)).collect();
        let events = linked(&object, &linker, &expected);
        let compared = linker.compare(&object, &expected, &events).unwrap();
        assert_eq!(compared.differences, [""; 0]);
        assert!(compared.insns > 20 && compared.masked > 0, "{compared:?}");
        assert!(linker.references.values().any(|r| matches!(r.to, Referent::Call { .. })));
        let mut unseen = 0;
        for (i, event) in events.iter().enumerate() {
            let Event::Call(call) = event else { continue };
            for at in 0..call.memory(prog::INSNS).len() {
                let mut changed = events.clone();
                let Some(Event::Call(call)) = changed.get_mut(i) else { unreachable!() };
                call.memory.get_mut(&prog::INSNS).unwrap()[at] ^= 0x40;
                let seen =
                    linker.compare(&object, &expected, &changed).is_ok_and(|c| c.differences.is_empty());
                unseen += usize::from(seen);
            }
        }
        // four bytes of a descriptor, where the map is referred to once only
        assert!(unseen <= 4 * compared.masked, "{unseen} bytes");
        assert_eq!(linker.compare(&object, &expected, &events[1..]).unwrap().differences.len(), 1);
    }

    fn program(f: &corelet_core::object::Function<'_>) -> Program {
        Program {
            name: f.name.to_owned(),
            section: f.section_name.to_owned(),
            offset: f.start,
            insns: corelet_host_tools::relocate::Insns {
                bytes: f.insns.to_vec(),
                endian: corelet_core::Endian::Little,
            },
            relocations: Vec::new(),
        }
    }

    /// The calls that load the object's programs, each with the subprograms that it reaches behind it.
    fn linked(object: &Object<'_>, linker: &Linker, expected: &[Program]) -> Vec<Event> {
        let count = |function: u32| (expected[function as usize].insns.bytes.len() / INSN_SIZE) as u32;
        let of = |function: u32| linker.references.range((function, 0)..(function + 1, 0)).map(|(_, r)| *r);
        let call = |f: corelet_core::object::Function<'_>| {
            let mut placed: Placed = vec![(f.index, 0)];
            let mut next = 0;
            while let Some(&(function, _)) = placed.get(next) {
                for reference in of(function) {
                    if let Referent::Call { function } = reference.to
                        && placed.iter().all(|(known, _)| *known != function)
                    {
                        let (last, start) = placed[placed.len() - 1];
                        placed.push((function, start + count(last)));
                    }
                }
                next += 1;
            }
            let (mut insns, mut func_info) = (Vec::new(), Vec::new());
            for &(function, start) in &placed {
                let mut code = expected[function as usize].insns.bytes.clone();
                for Reference { insn, to, .. } in of(function) {
                    let at = insn as usize * INSN_SIZE;
                    let (src, imm, second) = match to {
                        Referent::Map { map } => (PSEUDO_MAP_FD, 10 + map, Some(0)),
                        Referent::Data { section, offset } => {
                            (PSEUDO_MAP_VALUE, 100 + u32::from(section), Some(offset))
                        }
                        Referent::Kconfig { offset, .. } => (PSEUDO_MAP_VALUE, 9, Some(offset)),
                        Referent::Call { function } => {
                            let callee = placed.iter().find(|(f, _)| *f == function).unwrap().1;
                            (PSEUDO_CALL, callee.wrapping_sub(start + insn + 1), None)
                        }
                        _ => panic!("the sample has none of these"),
                    };
                    code[at + 1] = code[at + 1] & 15 | src << 4;
                    code[at + 4..at + 8].copy_from_slice(&imm.to_le_bytes());
                    if let Some(second) = second {
                        code[at + 12..at + 16].copy_from_slice(&second.to_le_bytes());
                    }
                }
                insns.extend(code);
                let (&func, _) = linker.functions.iter().find(|(_, f)| **f == function).unwrap();
                func_info.extend([start.to_le_bytes(), func.to_le_bytes()].concat());
            }
            let memory = [(prog::INSNS, insns), (prog::FUNC_INFO, func_info)].into();
            Event::Call(Call { command: command::PROG_LOAD, memory, ..Call::default() })
        };
        object.functions().filter(|f| f.entry).map(call).collect()
    }
}
