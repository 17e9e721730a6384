//! Whether anything on the device can panic: programs whose panic handler calls what is nowhere defined must link.

use anyhow::{Result, bail, ensure};
use corelet_host_tools::setup::{Wants, loader, targets};

use crate::context::Context;
use crate::run::Outcome;

/// Bare metal, where core runs without the loader.
const BARE: [&str; 2] = ["riscv32imac-unknown-none-elf", "thumbv7m-none-eabi"];
/// Core alone, all of it that a device can call.
const CORE: &str = "corelet-panic-free";
/// The loader with a panic handler that does not link.
const FEATURES: &str = "device,panic-free";
/// What the panic handlers call.
const UNDEFINED: &str = "a_panic_is_possible";

/// The loader's targets and those of bare metal.
pub(crate) fn wants() -> Wants {
    Wants { targets: targets::LOADER.into_iter().chain(BARE).collect(), ..Wants::default() }
}

/// Links the loader for every architecture, and core for bare metal; and sees that a panic would not link.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    loader::ahead(&mut context.machine, context.workspace, FEATURES, &targets::LOADER)?;
    let mut link = |package: &str, features: &str, target: &str| -> Result<()> {
        let linked = loader::program(&mut context.machine, context.workspace, package, features, target);
        context.note(&format!("{package} ({features}) for {target}: {linked:?}"))?;
        linked.map(drop)
    };
    for target in BARE {
        link(CORE, "bare", target)?;
        // A handler that is never missed would let everything pass.
        match link(CORE, "bare,panic", target) {
            Ok(()) => bail!("a division by an unknown number links for {target}: this test tests nothing"),
            Err(e) => ensure!(e.to_string().contains(UNDEFINED), "not the linker's complaint: {e}"),
        }
    }
    for target in targets::LOADER {
        link("corelet-loader", FEATURES, target)?;
    }
    let (bare, all) = (BARE.len(), targets::LOADER.len());
    Ok(Outcome::Passed(format!(
        "the loader for {all} targets, core for {bare}; a deliberate panic does not link"
    )))
}
