//! apt with a state of its own: any architecture and suite, nothing of the machine's own state read or changed.
//!
//! A state is a folder with a sources.list of one suite, an empty dpkg status and apt's lists. Signatures are checked
//! as always; from the machine's configuration come only how to reach a mirror (proxies, dates) and its address.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::mirror;
use super::stream::Growing;
use crate::{Missing, Progress, files};

/// An index older than this is fetched again.
pub(super) const FRESH: Duration = Duration::from_secs(12 * 60 * 60);

/// One suite of one architecture, or its sources.
pub(super) struct Apt {
    state: PathBuf,
    what: String,
}

/// A stanza of an index: what apt says of one version of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) package: String,
    pub(super) version: String,
    pub(super) depends: String,
    /// Bytes of the package file.
    pub(super) size: u64,
}

impl Apt {
    /// The state for `suite`: binary packages of `arch`, or with `None` source packages.
    ///
    /// # Errors
    /// [`Missing`] where the machine has no apt or no mirror.
    pub(super) fn open(cache: &Path, arch: Option<&str>, suite: &str) -> Result<Self> {
        files::program("apt-get").ok_or_else(|| {
            Missing::new(
                "apt-get, which fetches Debian's packages",
                "use a Debian-like machine, or give files of your own (--kernel FILE)",
            )
        })?;
        let mirror = mirror::find()?;
        let kind = arch.unwrap_or("source");
        let state = cache.join("apt").join(format!("{suite}-{kind}"));
        for folder in ["lists/partial", "archives/partial", "parts"] {
            files::create_dir(&state.join(folder))?;
        }
        let line = format!(
            "{} [{}signed-by={}] {} {suite} main\n",
            if arch.is_some() { "deb" } else { "deb-src" },
            arch.map(|arch| format!("arch={arch} ")).unwrap_or_default(),
            mirror.keyring.display(),
            mirror.uri,
        );
        let sources = state.join("sources.list");
        // Lists of another mirror are no longer good.
        if fs::read_to_string(&sources).ok().as_deref() != Some(&line) {
            let _ = fs::remove_file(state.join("updated"));
            files::write(&sources, line.as_bytes())?;
        }
        files::write(&state.join("status"), b"")?;
        let apt = Self { what: format!("{suite} ({kind})"), state };
        files::write(&apt.state.join("apt.conf"), apt.configuration(arch)?.as_bytes())?;
        Ok(apt)
    }

    /// Whether the index is here and younger than [`FRESH`].
    pub(super) fn is_fresh(&self) -> bool {
        files::age(&self.state.join("updated")).is_some_and(|age| age < FRESH)
    }

    /// Fetches the index.
    pub(super) fn update(&self, progress: &mut dyn Progress) -> Result<()> {
        progress.step(&format!("fetching the index of {}", self.what));
        let stamp = self.state.join("updated");
        // Without this option apt-get reports an unreachable mirror as a warning and succeeds.
        let done = self.run(&self.state, "apt-get", ["update", "-q", "-o", "APT::Update::Error-Mode=any"]);
        match done {
            Ok(_) => files::write(&stamp, b""),
            Err(error) => Err(error.context(format!("cannot fetch the index of {}", self.what))),
        }
    }

    /// The names of all packages that begin with `prefix`.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let text = self.run(&self.state, "apt-cache", ["pkgnames", prefix])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// What the index says of each of these packages, every version.
    pub(super) fn show(&self, packages: &[String]) -> Result<Vec<Stanza>> {
        let words = ["show", "--"].into_iter().chain(packages.iter().map(String::as_str));
        let text = self.run(&self.state, "apt-cache", words)?;
        Ok(text.split("\n\n").filter_map(Stanza::parse).collect())
    }

    /// Puts the file of a package, checked against the signed index, into `folder`.
    pub(super) fn download(
        &self,
        stanza: &Stanza,
        folder: &Path,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf> {
        let name = format!("{}={}", stanza.package, stanza.version);
        let mut apt = self.command(folder, "apt-get", ["download", "-q", &name]);
        let child = apt.spawn().context("cannot start apt-get")?;
        let child = files::poll(child, Duration::from_millis(100), || {
            let here = files::size_of(folder) + files::size_of(&self.state.join("archives"));
            progress.bytes(here.min(stanza.size), Some(stanza.size));
        })?;
        progress.bytes(stanza.size, Some(stanza.size));
        succeeded("apt-get download", &child)
            .with_context(|| format!("cannot fetch {name} of {}", self.what))?;
        files::only_of_kind(folder, "deb")
    }

    /// Begins to fetch the file of a package into `folder`, which is empty, and reads it as it comes. When all of it has
    /// come apt compares it with the signed index; what is read before that is not checked.
    pub(super) fn stream(&self, stanza: &Stanza, folder: &Path) -> Result<Growing> {
        let name = format!("{}={}", stanza.package, stanza.version);
        let mut apt = self.command(folder, "apt-get", ["download", "-q", &name]);
        // Nobody reads what it prints there.
        let child = apt.stdout(Stdio::null()).spawn().context("cannot start apt-get")?;
        Ok(Growing::new(child, folder, |folder| files::only_of_kind(folder, "deb").ok()))
    }

    /// Puts files of the newest version of a source package into `folder`, all or what `options` ask for; gives the
    /// one whose name goes on with `.kind` somewhere.
    pub(super) fn download_source(
        &self,
        package: &str,
        folder: &Path,
        options: &[&str],
        kind: &str,
    ) -> Result<PathBuf> {
        let words = ["source", "-q", "--only-source", "--download-only"];
        let words = words.into_iter().chain(options.iter().copied()).chain(["--", package]);
        self.run(folder, "apt-get", words)
            .with_context(|| format!("cannot fetch the source package {package} of {}", self.what))?;
        files::only_of_kind(folder, kind)
    }

    fn run<'w>(
        &self,
        folder: &Path,
        program: &str,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Result<String> {
        let output = self
            .command(folder, program, words)
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        succeeded(program, &output)?;
        String::from_utf8(output.stdout)
            .with_context(|| format!("{program} printed something that is not text"))
    }

    fn command<'w>(&self, folder: &Path, program: &str, words: impl IntoIterator<Item = &'w str>) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(folder)
            .env("APT_CONFIG", self.state.join("apt.conf"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// apt.conf(5), complete: the machine's own files are not read after it, so that no hook of theirs runs.
    fn configuration(&self, arch: Option<&str>) -> Result<String> {
        let state = self.state.to_str().context("the cache folder's name is not text")?;
        if state.contains(['"', '\n']) {
            bail!(
                "{state}: apt cannot work in a folder with a quote in its name; set CORELET_CACHE to another"
            );
        }
        let mut text = String::new();
        let machine = Command::new("apt-config")
            .arg("dump")
            .stdin(Stdio::null())
            .output()
            .context("cannot start apt-config")?;
        for line in String::from_utf8_lossy(&machine.stdout).lines() {
            const REACH: [&str; 6] = ["http", "https", "ftp", "ForceIPv", "Check-", "Proxy"];
            if line
                .strip_prefix("Acquire::")
                .is_some_and(|rest| REACH.iter().any(|word| rest.starts_with(word)))
            {
                text.push_str(line);
                text.push('\n');
            }
        }
        if let Some(arch) = arch {
            text.push_str(&format!("APT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\n"));
        }
        // apt drops root's rights to a user who may not enter a person's cache folder.
        text.push_str(
            "APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n",
        );
        for (key, value) in [
            ("Dir::State", ""),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", ""),
            ("Dir::Cache::archives", "archives"),
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "parts"),
            ("Dir::Etc::parts", "parts"),
            ("Dir::Etc::preferencesparts", "parts"),
        ] {
            text.push_str(&format!("{key} \"{state}/{value}\";\n"));
        }
        // Kept compressed, and in one binary form of the two that apt would make, an index takes half the disk.
        text.push_str("Acquire::GzipIndexes \"true\";\nDir::Cache::srcpkgcache \"\";\n");
        text.push_str("Dir::Etc::main \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n");
        Ok(text)
    }
}

impl Stanza {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        Some(Self {
            package: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            depends: field("Depends").unwrap_or_default().to_owned(),
            size: field("Size")?.parse().ok()?,
        })
    }
}

fn succeeded(program: impl AsRef<OsStr>, output: &std::process::Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    // One reason is enough: the rest follows from it.
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().find_map(|line| line.strip_prefix("E: ")).unwrap_or("it did not say why");
    bail!("{} failed ({}): {reason}", program.as_ref().display(), output.status);
}
