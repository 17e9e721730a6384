//! Files and programs: the few calls that all of this crate shares, with errors that name the path.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

/// No file that is read whole is larger, in bytes.
const LARGEST: u64 = 1 << 30;

/// How the names of folders begin that hold work in progress.
const WORK: &str = "work-";

/// The path of an executable, searched as a shell does.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("{}: cannot create this folder", path.display()))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .with_context(|| format!("{}: cannot read this file", path.display()))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{}: has more than {} MiB", path.display(), LARGEST >> 20);
    }
    Ok(bytes)
}

/// Writes a file whole or not at all: under another name first, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("{}: cannot write this file", path.display()))
}

/// How long ago a file was written; the future counts as now.
pub(crate) fn age(path: &Path) -> Option<Duration> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

/// Bytes in all files of a folder, those in folders of it too; what cannot be read counts as nothing.
pub(crate) fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The one file of a folder that has `kind` among its extensions.
pub(crate) fn only_of_kind(folder: &Path, kind: &str) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{}: cannot list this folder", folder.display()))?;
    let mut found = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().split('.').skip(1).any(|part| part == kind))
        .map(|entry| entry.path());
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => bail!("{}: one .{kind} file was expected here", folder.display()),
    }
}

/// Waits for a child whose pipes are drained meanwhile, and calls `tick` every so often.
pub(crate) fn poll(mut child: Child, every: Duration, mut tick: impl FnMut()) -> Result<Output> {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // A pipe that breaks has said all that it will say.
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tick();
        thread::sleep(every);
    };
    Ok(Output {
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// Holds a file's lock until dropped, against other processes and other threads alike.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the open file")] File);

impl Lock {
    /// Takes the lock; `wait` is called once if somebody else has it.
    pub(crate) fn take(path: &Path, wait: impl FnOnce()) -> Result<Self> {
        let open = || -> std::io::Result<File> {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            if file.try_lock().is_err() {
                wait();
                file.lock()?;
            }
            Ok(file)
        };
        Ok(Self(open().with_context(|| format!("{}: cannot lock this file", path.display()))?))
    }
}

/// Holds a folder of the cache for this process to work in; `wait` is called once if another has it.
pub(crate) fn lock_folder(folder: &Path, wait: impl FnOnce()) -> Result<Lock> {
    let lock = Lock::take(&folder.join("lock"), wait)?;
    // Only who holds the lock works here: what is left of that is from somebody who was killed.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(WORK) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(lock)
}

/// A new folder inside one that is locked; it goes with the value.
pub(crate) fn work_folder(folder: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(WORK).tempdir_in(folder).context("cannot create a folder in the cache")
}

/// Moves a finished folder to where it is looked for; there it is whole from the first moment.
pub(crate) fn keep(finished: &Path, folder: &Path) -> Result<()> {
    create_dir(folder.parent().unwrap_or(folder))?;
    fs::rename(finished, folder).with_context(|| format!("{}: cannot put a folder here", folder.display()))
}
