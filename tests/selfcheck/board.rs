//! The programs on a board's kernel: relocated on the host for their made-up targets, out of a pack as a device does it, and
//! then loaded, run once by `BPF_PROG_TEST_RUN` and compared with what [`vm`] makes of the same instructions.
//!
//! The kernel gives a program no pointer to an image, so two instructions in front put the address of a map's value into `r1`.
//! That is all that is added. Only little-endian ones can run there. A poisoned program must be refused for its poison; of
//! each other one those versions go along that are wrong by one in one place, and must come back with the number of the line
//! that noticed, or be refused by the verifier where what is wrong leads out of the image.

use super::case::{Compiler, Expected, Family, Target, families, parallel};
use super::vm::{self, End};
use super::{changed, image, ways};
use crate::kernel_relo::answers::Answer;
use crate::kernel_relo::file::{CALL, CALL_AND_SAY_WHY, File};
use crate::oracle::calls::{Call, command, prog};
use anyhow::{Context, Result, bail};
use corelet_core::Endian;
use corelet_core::insn::{INSN_SIZE, Insn, LD_IMM64, POISON_IMM, PSEUDO_MAP_VALUE};
use corelet_core::object::Object;
use corelet_host_tools::relocate::type_count;
use corelet_host_tools::subset::KernelTypes;
use std::collections::BTreeMap;
use std::path::Path;

/// `BPF_MAP_TYPE_ARRAY` and `BPF_PROG_TYPE_RAW_TRACEPOINT`: whatever a program of that type returns is right.
const ARRAY: u32 = 2;
const RAW_TRACEPOINT: u32 = 17;
/// Bytes of the attributes of `BPF_MAP_CREATE` (to `map_flags`), of `BPF_MAP_UPDATE_ELEM` and of `BPF_PROG_TEST_RUN`.
const MAP_CREATE_LEN: usize = 20;
const MAP_UPDATE_LEN: usize = 32;
const TEST_RUN_LEN: usize = 80;
/// Offsets of addresses in them: a map's key and value, a program's licence.
const KEY: usize = 8;
const VALUE: usize = 16;
const LICENSE: usize = 16;
/// What stands for the descriptors of the map and of the program.
const MAP_FD: i32 = 3;
const PROG_FD: i32 = 4;

/// What a board is asked about one case.
#[derive(Debug)]
pub struct Question {
    /// `FAMILY/CASE`.
    pub name: String,
    /// The file to repeat.
    pub file: Vec<u8>,
    expected: Expected,
    /// How the program as it is and each changed one end in the interpreter.
    ends: Vec<End>,
}

/// What a board made of all cases.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Programs that returned 0, as they must.
    pub ok: usize,
    /// Programs that were refused for their poison, as they must.
    pub poisoned: usize,
    /// Changed programs that returned the interpreter's line, which is not 0.
    pub noticed: usize,
    /// Those that the verifier refused.
    pub refused: usize,
    /// Those whose change nothing notices, in the interpreter neither.
    pub unnoticed: usize,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

/// All questions that a little-endian board can be asked, and the number of cases whose relocation fails, so that there is
/// nothing to load.
///
/// # Errors
/// A source that does not compile, a pack that cannot be built.
pub fn questions(clang: &Path, folder: &Path) -> Result<(Vec<Question>, usize)> {
    let compiler = Compiler::new(clang, Endian::Little, folder)?;
    let families = families()?;
    let all = parallel(&families, |family| -> Result<Vec<Option<Question>>> {
        let program = compiler.compile_program(&family.name)?;
        let of_target = |source| -> Result<_> {
            let target = compiler.compile_target(source)?;
            let types = ways::types(&target, source.pointers)?;
            question(family, &source.name, source.expected, &program, &target, &types)
                .with_context(|| format!("{}/{}", family.name, source.name))
        };
        family.targets.iter().map(of_target).collect()
    });
    let all: Vec<Option<Question>> =
        all.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let failing = all.iter().filter(|q| q.is_none()).count();
    Ok((all.into_iter().flatten().collect(), failing))
}

fn question(
    family: &Family,
    case: &str,
    expected: Expected,
    program: &[u8],
    target: &Target,
    types: &corelet_host_tools::btf::modules::WithModules,
) -> Result<Option<Question>> {
    let mut index = vec![0; type_count(program)?];
    let object = Object::parse(program, &mut index)?;
    let modules = types.first.len();
    let types = KernelTypes::with_modules(types.btf.view(), &types.first);
    let packed = ways::packed(&family.name, program, &types, modules, Endian::Little)?;
    let insns = match (&packed.insns, expected) {
        (Err(_), Expected::Fails) => return Ok(None),
        (Err(why), _) => bail!("{why}"),
        (Ok(_), Expected::Fails) => bail!("a relocation must fail"),
        (Ok(insns), _) => insns.clone(),
    };
    let programs = ways::whole(&object, &types)?.programs;
    let image = image(target, family, &packed, Endian::Little);
    let mut versions = vec![insns];
    if expected == Expected::Ok {
        versions.extend(changed(&packed, &programs, Endian::Little));
    }
    let ends = versions.iter().map(|insns| vm::interpret(insns, Endian::Little, &image)).collect();
    let file = file(&image, &versions)?;
    Ok(Some(Question { name: format!("{}/{case}", family.name), file, expected, ends }))
}

/// A call with these `u32`s in its attribute, by offset, and these bytes behind its addresses.
fn call(command: u32, len: usize, words: &[(usize, u32)], memory: &[(usize, &[u8])]) -> Call {
    let result = if command == command::MAP_CREATE { MAP_FD } else { PROG_FD };
    let memory = memory.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect::<BTreeMap<_, _>>();
    let mut call = Call { command, result, attr: vec![0; len], memory };
    for (offset, word) in words {
        call.set(*offset, *word);
    }
    call
}

/// The calls that load each of `versions` and run it on a map of `image`.
fn file(image: &[u8], versions: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut file = File::default();
    let size = image.len() as u32;
    let create = [(0, ARRAY), (4, 4), (8, size), (12, 1)];
    file.call(&call(command::MAP_CREATE, MAP_CREATE_LEN, &create, &[]), CALL, "map");
    let memory: [(usize, &[u8]); 2] = [(KEY, &[0; 4]), (VALUE, image)];
    let update = call(command::MAP_UPDATE_ELEM, MAP_UPDATE_LEN, &[(0, MAP_FD as u32)], &memory);
    for (number, version) in versions.iter().enumerate() {
        let to_image = Insn { code: LD_IMM64, dst: 1, src: PSEUDO_MAP_VALUE, off: 0, imm: MAP_FD };
        let upper = Insn { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
        let mut insns: Vec<u8> = [to_image, upper].iter().flat_map(|i| i.encode(Endian::Little)).collect();
        insns.extend(version);
        let words = [(0, RAW_TRACEPOINT), (prog::INSN_CNT, (insns.len() / INSN_SIZE) as u32)];
        let memory: [(usize, &[u8]); 2] = [(prog::INSNS, &insns), (LICENSE, b"Dual MIT/GPL\0")];
        let load = call(command::PROG_LOAD, prog::LEN, &words, &memory);
        file.load(&load, CALL_AND_SAY_WHY, &format!("load {number}"))?;
        // programs write into it
        file.with_fds(&update, &[0], "image")?;
        let run = call(command::PROG_TEST_RUN, TEST_RUN_LEN, &[(0, PROG_FD as u32)], &[]);
        file.test_run(&run, &format!("run {number}"))?;
    }
    file.finish()
}

/// What the kernel made of one version.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Returned(u32),
    Refused(String),
    /// Neither, in words.
    Other(String),
}

fn fate(number: usize, answers: &[Answer]) -> Fate {
    let find = |what: &str| answers.iter().find(|a| a.label == format!("{what} {number}"));
    match (find("load"), find("run")) {
        (Some(load), _) if load.errno != 0 => Fate::Refused(load.log.join("; ")),
        (Some(_), Some(run)) if run.errno == 0 => {
            let word = run.log.first().and_then(|line| line.strip_prefix("returned ")?.parse().ok());
            word.map_or_else(|| Fate::Other(format!("no word: {run:?}")), Fate::Returned)
        }
        (_, run) => Fate::Other(format!("not run: {run:?}")),
    }
}

/// Compares the answers to each question with what the interpreter made of it.
pub fn judge(questions: &[Question], answers: &[Vec<Answer>]) -> Outcome {
    let mut outcome = Outcome::default();
    if questions.len() != answers.len() {
        outcome.failures.push(format!("{} answers to {} questions", answers.len(), questions.len()));
    }
    for (question, answers) in questions.iter().zip(answers) {
        let of_map = |a: &&Answer| ["map", "image"].contains(&a.label.as_str());
        if let Some(other) = answers.iter().filter(of_map).find(|a| a.errno != 0) {
            outcome.failures.push(format!("{}: {}: errno {}", question.name, other.label, other.errno));
        }
        for (number, end) in question.ends.iter().enumerate() {
            let fate = fate(number, answers);
            if let Err(what) = outcome.add(question.expected, number > 0, end, &fate) {
                outcome.failures.push(format!("{} version {number}: {what}", question.name));
            }
        }
    }
    outcome
}

impl Outcome {
    fn add(&mut self, expected: Expected, changed: bool, end: &End, fate: &Fate) -> Result<(), String> {
        let poison = (POISON_IMM as u32).to_string();
        let counted = match (expected, fate) {
            (Expected::Poison, Fate::Refused(why)) if why.contains(&poison) => &mut self.poisoned,
            (Expected::Ok, Fate::Returned(0)) if !changed && *end == End::Returned(0) => &mut self.ok,
            (Expected::Ok, Fate::Refused(_)) if changed => &mut self.refused,
            (Expected::Ok, Fate::Returned(line)) if changed && *end == End::Returned((*line).into()) => {
                if *line == 0 {
                    &mut self.unnoticed
                } else {
                    &mut self.noticed
                }
            }
            _ => return Err(format!("{fate:?}; the interpreter says {end:?}, {expected:?} expected")),
        };
        *counted += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(label: &str, errno: i32, log: &[&str]) -> Answer {
        Answer { label: label.to_owned(), errno, log: log.iter().map(|&l| l.to_owned()).collect() }
    }

    fn question(expected: Expected, ends: &[End]) -> Question {
        Question { name: "f/c".to_owned(), file: Vec::new(), expected, ends: ends.to_vec() }
    }

    #[test]
    fn the_kernels_word_must_be_the_interpreters() {
        let ends = [End::Returned(0), End::Returned(33), End::Fault("x".to_owned()), End::Returned(0)];
        let mut answers = vec![
            answer("map", 0, &[]),
            answer("image", 0, &[]),
            answer("load 0", 0, &[]),
            answer("run 0", 0, &["returned 0"]),
            answer("load 1", 0, &[]),
            answer("run 1", 0, &["returned 33"]),
            answer("load 2", 13, &["invalid access to map value"]),
            answer("run 2", 9, &["returned 0"]),
            answer("load 3", 0, &[]),
            answer("run 3", 0, &["returned 0"]),
        ];
        let asked = [question(Expected::Ok, &ends)];
        let right = Outcome { ok: 1, noticed: 1, refused: 1, unnoticed: 1, ..Outcome::default() };
        assert_eq!(judge(&asked, &[answers.clone()]), right);
        // another line, a run where there is none, a program that is refused as it is, no word
        for (at, wrong) in [
            (5, answer("run 1", 0, &["returned 34"])),
            (5, answer("run 1", 0, &["returned 0"])),
            (6, answer("load 2", 0, &[])),
            (2, answer("load 0", 13, &["R1 invalid"])),
            (3, answer("run 0", 22, &["returned 0"])),
            (1, answer("image", 22, &[])),
        ] {
            let right = std::mem::replace(&mut answers[at], wrong);
            assert_eq!(judge(&asked, &[answers.clone()]).failures.len(), 1, "{:?}", answers[at]);
            answers[at] = right;
        }
        assert_eq!(judge(&asked, &[]).failures.len(), 1);
    }

    #[test]
    fn poison_must_be_why_a_program_is_refused() {
        let asked = [question(Expected::Poison, &[End::Poison])];
        let refused = |why: &str| vec![answer("load 0", 22, &[why]), answer("run 0", 9, &["returned 0"])];
        let poisoned = judge(&asked, &[refused("invalid func unknown#195896080")]);
        assert_eq!(poisoned, Outcome { poisoned: 1, ..Outcome::default() });
        assert_eq!(judge(&asked, &[refused("R1 invalid mem access")]).failures.len(), 1);
    }
}
