//! What each of the loader's features takes, in bytes of the executable: a table. And that the loader with none does its work.

use anyhow::{Result, ensure};
use corelet_host_tools::setup::loader::{self, FEATURES};
use corelet_host_tools::setup::targets::Std;
use corelet_tests::budgets;

use crate::context::Context;
use crate::run::Outcome;

/// The architectures of the boards; features are left out one by one on the first, which has the smallest machines.
const TARGETS: [&str; 3] =
    ["armv7-unknown-linux-gnueabihf", "aarch64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu"];

/// Builds the loader whole and with no feature, which leaves raw records of tracepoints and kprobes; on one architecture without each
/// feature too, of which none may make it larger. Tests the one with no feature on the host.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let plain = ["test", "--package", "corelet-loader", "--no-default-features", "--test", "plain"];
    context.cargo(&plain)?;
    let budgets = budgets::budgets()?;
    let goal = budgets.goals.loader_plain;
    let mut words = Vec::new();
    for (number, target) in TARGETS.into_iter().enumerate() {
        let arch = target.split('-').next().unwrap_or(target);
        let whole = loader::build_with(&mut context.machine, context.workspace, &FEATURES, target)?.size;
        let plain = loader::build_with(&mut context.machine, context.workspace, &[], target)?;
        let mut none = format!("with no feature {}", plain.size);
        if plain.std == Std::Built {
            none = budgets::hold("with no feature", plain.size, budgets.loader_plain.get(target), 1, goal)?;
        }
        words.push(format!("{arch}: whole {whole}, {none}"));
        if number > 0 {
            let without =
                loader::build_without(&mut context.machine, context.workspace, "kernel-btf", target)?;
            let budget = budgets.loader.get(target).map(|of| &of.without_kernel_btf);
            let goal = budgets.goals.loader;
            let said = if without.std == Std::Built {
                budgets::hold("without kernel-btf", without.size, budget, 1, goal)?
            } else {
                format!("without kernel-btf {}", without.size)
            };
            words.push(format!("{arch}: {said}"));
            continue;
        }
        for feature in FEATURES {
            let without =
                loader::build_without(&mut context.machine, context.workspace, feature, target)?.size;
            ensure!(
                without < whole,
                "{target}: {without} bytes without {feature}, {whole} with it: it gates nothing"
            );
            words.push(format!("{arch}: {feature:<12} {:>6}", whole.saturating_sub(without)));
        }
    }
    words.iter().try_for_each(|line| context.note(line))?;
    Ok(Outcome::Passed(words.join("\n")))
}
