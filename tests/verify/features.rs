//! What each of the loader's features takes, in bytes of the executable: a table.

use anyhow::{Result, ensure};
use corelet_host_tools::setup::loader::{self, FEATURES};

use crate::context::Context;
use crate::run::Outcome;

/// The architectures of the boards.
const TARGETS: [&str; 3] =
    ["aarch64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"];

/// Builds the loader whole, without each feature, and with none: raw records of tracepoints and kprobes alone. None may make it
/// larger.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let mut words = Vec::new();
    for target in TARGETS {
        let arch = target.split('-').next().unwrap_or(target);
        let whole = loader::build_with(&mut context.machine, context.workspace, &FEATURES, target)?.size;
        let none = loader::build_with(&mut context.machine, context.workspace, &[], target)?.size;
        ensure!(none < whole, "{target}: {none} bytes with no feature, {whole} with all");
        let mut saved = Vec::new();
        for feature in FEATURES {
            let without =
                loader::build_without(&mut context.machine, context.workspace, feature, target)?.size;
            ensure!(
                without < whole,
                "{target}: {without} bytes without {feature}, {whole} with it: it gates nothing"
            );
            saved.push(format!("{feature} {}", whole.saturating_sub(without)));
        }
        let row = format!("{arch} {whole} bytes, {none} with no feature; of features: {}", saved.join(", "));
        context.note(&row)?;
        words.push(row);
    }
    Ok(Outcome::Passed(words.join("\n")))
}
