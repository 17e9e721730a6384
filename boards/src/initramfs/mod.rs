//! The first file system of a board: busybox, kernel modules, and the files of the caller.
//!
//! `/init` mounts proc, sysfs, devtmpfs, tracefs, bpffs and cgroup2, loads the modules and runs `/corelet/run` under
//! `sh`; then it powers off. What it says to the host is in `crate::console`.

mod cpio;
mod modules;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::files;

/// The first process. It reads `CORELET_NONCE` and `CORELET_SHELL` from the kernel's command line.
const INIT: &str = include_str!("init.sh");

/// Where `/init` looks for what to run, under `sh`.
pub const RUN: &str = "corelet/run";

/// What goes into a board's first file system.
#[derive(Clone, Debug, Default)]
pub struct Initramfs {
    /// A static busybox of the board's architecture.
    pub busybox: PathBuf,
    /// The folder `lib/modules/REL` that modules are taken from.
    pub modules_folder: Option<PathBuf>,
    /// Modules to load in this order, each with its parameters: `brd rd_nr=1`. What they depend on is added.
    pub modules: Vec<String>,
    /// Path without a leading slash, permissions, content: the loader, packs, [`RUN`].
    pub files: Vec<(String, u32, Vec<u8>)>,
}

impl Initramfs {
    /// The archive, gzipped: same input, same bytes.
    ///
    /// # Errors
    /// A file that cannot be read, a module that this kernel lacks, a path that leaves the file system.
    pub fn build(&self) -> Result<Vec<u8>> {
        let mut archive = cpio::Archive::default();
        for folder in ["dev", "proc", "sys", "tmp", "corelet"] {
            archive.folder(folder);
        }
        // The kernel opens it for /init before anything is mounted.
        archive.character_device("dev/console", (5, 1));
        archive.file("init", 0o755, INIT.as_bytes().to_vec());
        archive.file("bin/busybox", 0o755, files::read(&self.busybox)?);
        archive.symlink("bin/sh", "busybox");
        self.add_modules(&mut archive)?;
        for (path, permissions, content) in &self.files {
            let sound = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !sound || path.contains('\0') {
                bail!("{path:?}: a path inside an initramfs has no leading slash, no . and no ..");
            }
            archive.file(path, *permissions, content.clone());
        }
        let bytes = archive.bytes().context("a file for the initramfs is larger than 4 GiB")?;
        let mut gzip = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::default());
        gzip.write_all(&bytes)?;
        Ok(gzip.finish()?)
    }

    fn add_modules(&self, archive: &mut cpio::Archive) -> Result<()> {
        if self.modules.is_empty() {
            return Ok(());
        }
        let folder: &Path = self.modules_folder.as_deref().with_context(|| {
            format!("no folder of modules for this kernel, so {} cannot be loaded", self.modules.join(", "))
        })?;
        let (names, parameters): (Vec<String>, Vec<&str>) = self
            .modules
            .iter()
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(name, parameters)| (name.replace('-', "_"), parameters))
            .unzip();
        let mut order = String::new();
        for module in modules::with_dependencies(folder, &names)? {
            let of_caller = names.iter().position(|name| *name == module.name);
            let parameters = of_caller.map_or("", |at| parameters[at]);
            order.push_str(format!("{}.ko {parameters}", module.name).trim_end());
            order.push('\n');
            archive.file(&format!("lib/modules/{}.ko", module.name), 0o644, module.bytes);
        }
        archive.file("lib/modules/order", 0o644, order.into_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initramfs(path: &str) -> Initramfs {
        Initramfs {
            busybox: std::env::current_exe().unwrap(),
            files: vec![(path.to_owned(), 0o644, vec![1, 2, 3])],
            ..Initramfs::default()
        }
    }

    #[test]
    fn same_input_same_bytes() {
        assert!(initramfs(RUN).build().unwrap() == initramfs(RUN).build().unwrap());
    }

    #[test]
    fn paths_stay_inside_and_modules_need_a_folder() {
        for path in ["/corelet/run", "corelet/../../x", "", "a//b", "a\0b"] {
            assert!(initramfs(path).build().is_err(), "{path:?}");
        }
        let error = Initramfs { modules: vec!["brd".into()], ..initramfs(RUN) }.build().unwrap_err();
        assert!(error.to_string().contains("brd"), "{error}");
    }
}
