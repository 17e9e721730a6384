//! The C library beside `std`.

use anyhow::Result;
use corelet_host_tools::setup::{Wants, loader, targets};
use corelet_tests::capi;

use crate::context::Context;
use crate::run::Outcome;

/// The machine that runs this, as .cargo/config.toml has it.
const HOST: &str = targets::LOADER[3];

pub(crate) fn wants() -> Wants {
    Wants { targets: vec![HOST], ..Wants::default() }
}

/// Links the library into a Rust program with `std`, and runs that.
pub(crate) fn run(context: &mut Context<'_>) -> Result<Outcome> {
    let library = loader::c_library(&mut context.machine, context.workspace, HOST)?;
    let said = capi::beside_std(&library, context.workspace)?;
    context.note(&said)?;
    Ok(Outcome::Passed(format!(
        "links with std, which keeps its own panics; the loader says: {}",
        said.trim()
    )))
}
