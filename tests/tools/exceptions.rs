//! Cases that cannot be right on some board, with the reason: `exceptions.toml`.

use anyhow::{Context, Result};
use serde::Deserialize;

const TEXT: &str = include_str!("exceptions.toml");

/// A verdict that stands for "as it must be" on one board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The tool.
    pub tool: String,
    /// Its case.
    pub case: String,
    /// The board.
    pub board: String,
    /// What the case's check says there, word for word.
    pub says: String,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    exception: Vec<Exception>,
}

/// The exceptions of one board.
///
/// # Errors
/// The file is not of its form.
pub fn exceptions(board: &str) -> Result<Vec<Exception>> {
    let file: File = toml::from_str(TEXT).context("exceptions.toml")?;
    Ok(file.exception.into_iter().filter(|e| e.board == board).collect())
}
