//! The checkout that set-up works in: the device's loader is built from its sources.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use corelet_boards::Missing;

/// A checkout and where its builds go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The folder that holds `loader/` and the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the root.
    pub target: PathBuf,
}

impl Workspace {
    /// The workspace around the package that cargo runs, else around the present folder, else the one that this program was
    /// built in, where it is still there: an installed `corelet` works in any folder.
    ///
    /// # Errors
    /// [`Missing`] where there is no checkout.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("the present folder is gone")?;
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = [package.as_deref(), Some(&here), Some(built_in)]
            .into_iter()
            .flatten()
            .flat_map(Path::ancestors)
            .find(|folder| folder.join("loader/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file())
            .ok_or_else(|| {
                Missing::new("the sources of Corelet's loader", "run this inside a clone of Corelet")
            })?;
        let target = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
        let target = target.map_or_else(|| root.join("target"), |folder| here.join(folder));
        Ok(Self { root: root.to_owned(), target })
    }
}
