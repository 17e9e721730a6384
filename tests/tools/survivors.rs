//! The shifts that no check can see, with the reason: `survivors.toml`.

use anyhow::{Context, Result};
use serde::Deserialize;

const TEXT: &str = include_str!("survivors.toml");

/// A field whose offset may be wrong by 8 bytes without a change in any output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// The tool.
    pub tool: String,
    /// The board; absent for all of them.
    pub board: Option<String>,
    /// Type and member, as in `struct task_struct.real_parent`.
    pub field: String,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

/// The list.
///
/// # Errors
/// The file is not of its form.
pub fn survivors() -> Result<Vec<Survivor>> {
    let file: File = toml::from_str(TEXT).context("survivors.toml")?;
    Ok(file.survivor)
}

impl Survivor {
    /// Whether this is about that field of that tool on that board.
    pub fn is(&self, tool: &str, board: &str, field: &str) -> bool {
        self.tool == tool && self.field == field && self.board.as_deref().is_none_or(|b| b == board)
    }
}
