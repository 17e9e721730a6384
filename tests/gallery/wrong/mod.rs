//! The wrong forms of `GUIDE.md`: each is packed for a made-up kernel, and what corelet says of it must be what the guide prints.

use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::pack::{Input, Options, TargetReport, build};

const GUIDE: &str = include_str!("../../../GUIDE.md");

/// Packs a wrong form; what is said of it, or why it is refused.
fn packed(name: &str) -> Result<TargetReport, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/gallery/wrong");
    let target = format!(
        "{folder}/kernel.o,release=6.12.1-test,version=#1 SMP,arch=armv7l,build-id=1111,config={folder}/kernel.config"
    );
    let kernel = [Opened::open(&target.parse::<TargetArg>().unwrap()).unwrap()];
    let bytes = std::fs::read(format!("{folder}/{name}.bpf.o")).unwrap();
    let input = [Input { name: name.to_owned(), bytes, manifest: Manifest::default() }];
    let built = with_kernels(&kernel, |kernels| build(&input, kernels, &Options::default()));
    let mut built = built.map_err(|e| format!("{e:#}"))?;
    Ok(built.reports.remove(0).targets.remove(0))
}

/// `said` holds the words, and the guide shows them.
fn holds(said: &str, words: &str) {
    assert!(said.contains(words), "{words:?} is not in {said:?}");
    assert!(GUIDE.contains(words), "GUIDE.md does not show {words:?}");
}

#[test]
fn registers_of_another_architecture_are_refused_with_their_line() {
    let said = packed("registers").unwrap_err();
    holds(
        &said,
        "registers.bpf.c:6: bytes += ctx->regs[2];: reads insn #0 reads a register where aarch64 has it",
    );
    holds(&said, "compiled for aarch64, this kernel is of arm");
}

#[test]
fn registers_of_nobody_knows_which_are_warned_of() {
    let report = packed("unknown").unwrap();
    assert_eq!(report.registers.len(), 1);
    holds(&report.registers[0], "reads a register at an offset of one architecture");
}

#[test]
fn what_nothing_guards_is_named() {
    let report = packed("field").unwrap();
    let (program, first) = report.unguarded.first().unwrap();
    assert_eq!(program, "switches");
    holds(
        first.reason.as_deref().unwrap(),
        "no struct task_struct of the target has `.state` of a type that fits",
    );
}

#[test]
fn a_signed_long_is_named() {
    let report = packed("long").unwrap();
    holds(
        report.unresolved[0].1.reason.as_deref().unwrap(),
        "the field has 8 bytes in the object and 4 in the target",
    );
}

#[test]
fn an_option_that_is_off_is_named() {
    holds(
        &packed("config").unwrap_err(),
        "not set in the kernel's configuration, and the extern is not weak",
    );
}
