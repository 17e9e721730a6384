//! Packages of Debian, of any architecture and suite: found, fetched by apt, unpacked, never installed.
//!
//! All is kept in a cache folder: `CORELET_CACHE`, else `corelet` in `XDG_CACHE_HOME` or `~/.cache`. What a pattern
//! stood for is remembered, so a second use starts no apt and needs no network; after twelve hours the mirror is asked
//! again, and where it cannot be reached what is here serves.

mod apt;
mod mirror;
mod source;
mod stream;
mod version;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::board::Source;
use crate::{Missing, Progress, files};
use apt::{Apt, Stanza};
pub use mirror::MIRROR_VARIABLE;

/// The environment variable that names the cache folder.
pub const CACHE_VARIABLE: &str = "CORELET_CACHE";

/// Debian's packages through the cache of this machine.
#[derive(Clone, Debug)]
pub struct Debian {
    cache: PathBuf,
    refresh: bool,
}

/// One version of one package, as the index of its suite had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Debian's name of the architecture.
    pub arch: String,
    /// The suite whose index has it.
    pub suite: String,
    /// The package's name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Names of the packages that it depends on; of alternatives the first.
    pub depends: Vec<String>,
    /// Bytes of the package file.
    pub size: u64,
}

impl Debian {
    /// The cache of this user; nothing is fetched yet.
    ///
    /// # Errors
    /// A machine without a home folder, where no variable names a cache.
    pub fn open() -> Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder(CACHE_VARIABLE)
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("corelet")))
            .or_else(|| folder("HOME").map(|home| home.join(".cache/corelet")))
            .with_context(|| format!("there is no home folder to keep packages in: set {CACHE_VARIABLE}"))?;
        files::create_dir(&cache)?;
        // apt works in other folders than ours.
        let cache = fs::canonicalize(&cache)
            .with_context(|| format!("{}: cannot enter this folder", cache.display()))?;
        Ok(Self { cache, refresh: false })
    }

    /// A folder of the cache for what is made of packages, by the caller.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cache.join(name);
        files::create_dir(&folder)?;
        Ok(folder)
    }

    /// Asks the mirror again even where the answer here is younger than twelve hours.
    pub fn refreshing(mut self) -> Self {
        self.refresh = true;
        self
    }

    /// The newest package that matches, in the first of the source's suites that has one.
    ///
    /// A suite whose index cannot be fetched is passed over with a note while others are left: mirrors are now and
    /// then caught in the middle of an update.
    ///
    /// # Errors
    /// No match; while nothing is here yet, [`Missing`] without apt, or a mirror that cannot be reached.
    pub fn find(&self, arch: &str, source: &Source, progress: &mut dyn Progress) -> Result<Package> {
        let known = |young: bool| {
            source.suites.iter().find_map(|suite| self.known(arch, suite, &source.package, young))
        };
        if let (false, Some(package)) = (self.refresh, known(true)) {
            return Ok(package);
        }
        let mut failed = Vec::new();
        let asked = source.suites.iter().find_map(|suite| {
            let answer = self.ask(arch, suite, &source.package, progress);
            answer.unwrap_or_else(|error| {
                failed.push(error);
                None
            })
        });
        match asked.or_else(|| known(false)) {
            Some(package) => {
                for error in failed {
                    let Package { package, version, suite, .. } = &package;
                    progress.note(&format!("{error:#}; so {package} {version} of {suite} serves"));
                }
                Ok(package)
            }
            None if failed.is_empty() => {
                bail!("no package for {arch} in {} is called {}", source.suites.join(", "), source.package)
            }
            None => Err(failed.swap_remove(0)),
        }
    }

    /// The folder that holds the package, unpacked as it would lie on a disk.
    ///
    /// # Errors
    /// As [`Debian::find`], or a disk that is full.
    pub fn unpack(&self, package: &Package, progress: &mut dyn Progress) -> Result<PathBuf> {
        let Package { arch, package: name, version, .. } = package;
        let folder = self.cache.join("packages").join(format!("{name}_{version}_{arch}"));
        if folder.is_dir() {
            return Ok(folder);
        }
        let _lock = self.lock(progress)?;
        // Somebody may have done it while we waited.
        if folder.is_dir() {
            return Ok(folder);
        }
        let apt = Apt::open(&self.cache, Some(arch), &package.suite)?;
        let dpkg = files::program("dpkg-deb").ok_or_else(|| Missing::program("dpkg-deb", "dpkg"))?;
        let work = files::work_folder(&self.cache)?;
        progress.step(&format!("fetching {name} {version} ({arch})"));
        let file = apt.download(&package.into(), work.path(), progress)?;
        progress.step(&format!("unpacking {name}"));
        let unpacked = work.path().join("unpacked");
        let status = Command::new(dpkg).arg("-x").arg(&file).arg(&unpacked).stdin(Stdio::null()).status();
        let status = status.context("cannot start dpkg-deb")?;
        if !status.success() {
            bail!("{}: dpkg-deb cannot unpack this ({status})", file.display());
        }
        files::keep(&unpacked, &folder)?;
        Ok(folder)
    }

    /// One file of a package by the package's name: a path inside it, without a leading slash.
    ///
    /// # Errors
    /// As [`Debian::find`]; a package that has no such file.
    pub fn file(
        &self,
        arch: &str,
        suite: &str,
        package: &str,
        member: &str,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf> {
        let source = Source { suites: vec![suite.to_owned()], package: package.to_owned() };
        let package = self.find(arch, &source, progress)?;
        let path = self.unpack(&package, progress)?.join(member);
        if !path.is_file() {
            bail!("the package {} {} ({arch}) has no file {member}", package.package, package.version);
        }
        Ok(path)
    }

    /// One file of a large package, taken out while the package comes and no longer: the first regular file that has one
    /// of `paths`, without leading slashes. It is kept by the package's name and version, and `check` sees it before.
    ///
    /// Where the package was cut short, apt's comparison with the signed index did not take place: the file is what the
    /// mirror sent, whole by the package's own sizes and checksums, and vouched for by `check` alone.
    ///
    /// # Errors
    /// As [`Debian::unpack`]; a package that has no such file or ends before it; what `check` says.
    pub fn early_file(
        &self,
        package: &Package,
        paths: &[String],
        check: &dyn Fn(&Path) -> Result<()>,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf> {
        let Package { arch, package: name, version, .. } = package;
        let folder = self.cache.join("files").join(format!("{name}_{version}_{arch}"));
        let here = || paths.iter().map(|path| folder.join(path)).find(|path| path.is_file());
        if let Some(path) = here() {
            return Ok(path);
        }
        let _lock = self.lock(progress)?;
        // Somebody may have done it while we waited.
        if let Some(path) = here() {
            return Ok(path);
        }
        let apt = Apt::open(&self.cache, Some(arch), &package.suite)?;
        let work = files::work_folder(&self.cache)?;
        let coming = work.path().join("coming");
        files::create_dir(&coming)?;
        let mut out = tempfile::NamedTempFile::new_in(work.path()).context("cannot write in the cache")?;
        progress.step(&format!("reading {name} {version} ({arch}) as it comes"));
        let mut stream = apt.stream(&package.into(), &coming)?;
        let found =
            stream::extract(&mut stream, paths, out.as_file_mut(), |done, of| progress.bytes(done, Some(of)))
                .with_context(|| format!("the package {name} {version} ({arch})"))?;
        let Some(found) = found else {
            bail!("the package {name} {version} ({arch}) has no file {}", paths.join(" or "));
        };
        if !stream.end()? {
            progress
                .note(&format!("{found} is here before the end of its package: its hash was not compared"));
        }
        check(out.path()).with_context(|| format!("{found} of {name} {version} ({arch})"))?;
        let path = folder.join(&found);
        files::create_dir(path.parent().unwrap_or(&folder))?;
        out.persist(&path).with_context(|| format!("{}: cannot put a file here", path.display()))?;
        Ok(path)
    }

    /// The folder of a source package, unpacked, out of the first of these suites whose files the mirror has.
    ///
    /// With Debian's patches where the mirror has all of its files; else, with a note, what the authors released.
    ///
    /// # Errors
    /// As [`Debian::find`]; [`Missing`] without `dpkg-source`.
    pub fn source(&self, suites: &[&str], package: &str, progress: &mut dyn Progress) -> Result<PathBuf> {
        let folder = self.cache.join("sources").join(package);
        if folder.is_dir() && !self.refresh {
            return Ok(folder);
        }
        let _lock = self.lock(progress)?;
        if folder.is_dir() && !self.refresh {
            return Ok(folder);
        }
        let mut failed = Vec::new();
        for whole in [true, false] {
            for suite in suites {
                let work = files::work_folder(&self.cache)?;
                match self.unpack_source(suite, package, whole, work.path(), progress) {
                    Ok(unpacked) => {
                        for error in failed {
                            progress.note(&format!("{error:#}; so that of {suite} serves"));
                        }
                        if folder.is_dir() {
                            fs::rename(&folder, work.path().join("old"))
                                .context("cannot replace the older source")?;
                        }
                        files::keep(&unpacked, &folder)?;
                        return Ok(folder);
                    }
                    Err(error) => failed.push(error),
                }
            }
        }
        Err(failed
            .into_iter()
            .next()
            .unwrap_or_else(|| anyhow!("no suite to look for the source of {package} in")))
    }

    fn unpack_source(
        &self,
        suite: &str,
        package: &str,
        whole: bool,
        work: &Path,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf> {
        let apt = Apt::open(&self.cache, None, suite)?;
        if !apt.is_fresh() {
            apt.update(progress)?;
        }
        progress.step(&format!("fetching the source of {package} ({suite})"));
        let unpacked = work.join("unpacked");
        if !whole {
            source::unpack_tar(&apt.download_source(package, work, &["--tar-only"], "tar")?, &unpacked)?;
            return Ok(unpacked);
        }
        let dpkg =
            files::program("dpkg-source").ok_or_else(|| Missing::program("dpkg-source", "dpkg-dev"))?;
        let dsc = apt.download_source(package, work, &["--download-only"], "dsc")?;
        let mut unpack = Command::new(dpkg);
        // apt has checked the files against the signed index.
        unpack.args(["--no-check", "--extract"]).arg(&dsc).arg(&unpacked).stdin(Stdio::null());
        let output = unpack.output().context("cannot start dpkg-source")?;
        if !output.status.success() {
            bail!("dpkg-source cannot unpack {package}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(unpacked)
    }

    /// What a pattern stood for when a suite was last asked; with `young`, unless that is too long ago.
    fn known(&self, arch: &str, suite: &str, pattern: &str, young: bool) -> Option<Package> {
        let record = self.record(arch, suite, pattern);
        if young && files::age(&record)? >= apt::FRESH {
            return None;
        }
        toml::from_str(&fs::read_to_string(&record).ok()?).ok()
    }

    /// Asks a suite, and remembers what it said.
    fn ask(
        &self,
        arch: &str,
        suite: &str,
        pattern: &str,
        progress: &mut dyn Progress,
    ) -> Result<Option<Package>> {
        let _lock = self.lock(progress)?;
        // Somebody may have asked while we waited.
        if let (false, Some(package)) = (self.refresh, self.known(arch, suite, pattern, true)) {
            return Ok(Some(package));
        }
        let apt = Apt::open(&self.cache, Some(arch), suite)?;
        if self.refresh || !apt.is_fresh() {
            apt.update(progress)?;
        }
        let Some(stanza) = newest(&apt, pattern)? else { return Ok(None) };
        let package = Package::new(arch, suite, stanza);
        let record = self.record(arch, suite, pattern);
        files::create_dir(record.parent().unwrap_or(&self.cache))?;
        files::write(&record, toml::to_string(&package)?.as_bytes())?;
        Ok(Some(package))
    }

    fn record(&self, arch: &str, suite: &str, pattern: &str) -> PathBuf {
        self.cache.join("found").join(format!("{suite}-{arch}")).join(format!("{pattern}.toml"))
    }

    fn lock(&self, progress: &mut dyn Progress) -> Result<files::Lock> {
        files::lock_folder(&self.cache, || progress.step("waiting for another corelet to fetch packages"))
    }
}

impl Package {
    fn new(arch: &str, suite: &str, stanza: Stanza) -> Self {
        let first_word = |alternatives: &str| alternatives.split_whitespace().next().map(str::to_owned);
        Self {
            arch: arch.to_owned(),
            suite: suite.to_owned(),
            depends: stanza.depends.split(',').filter_map(first_word).collect(),
            package: stanza.package,
            version: stanza.version,
            size: stanza.size,
        }
    }

    /// The dependency whose name begins with `prefix`, as something to look for in the same suite.
    pub(crate) fn dependency(&self, prefix: &str) -> Option<Source> {
        let package = self.depends.iter().find(|name| name.starts_with(prefix))?.clone();
        Some(Source { suites: vec![self.suite.clone()], package })
    }
}

impl From<&Package> for Stanza {
    fn from(package: &Package) -> Self {
        Self {
            package: package.package.clone(),
            version: package.version.clone(),
            depends: String::new(),
            size: package.size,
        }
    }
}

fn newest(apt: &Apt, pattern: &str) -> Result<Option<Stanza>> {
    let (prefix, suffix) = pattern.split_once('*').unzip();
    let matches = |name: &String| match (prefix, suffix) {
        (Some(prefix), Some(suffix)) => {
            name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).is_some_and(is_version)
        }
        _ => name == pattern,
    };
    let mut names = apt.names(prefix.unwrap_or(pattern))?;
    names.retain(matches);
    // Without a name apt-cache would fail, and a suite that lacks the package is no failure.
    if names.is_empty() {
        return Ok(None);
    }
    let stanzas = apt.show(&names)?;
    Ok(stanzas.into_iter().max_by(|a, b| version::compare(&a.version, &b.version)))
}

/// What a `*` stands for: a version without words before it, so that `linux-image-6.12.*-arm64` is not the
/// `cloud-arm64` flavour.
fn is_version(text: &str) -> bool {
    !text.contains('-') || text.split('-').skip(1).all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_star_stands_for_a_version() {
        for version in ["107+deb13", "107", "38+deb13-1"] {
            assert!(is_version(version), "{version}");
        }
        for flavour in ["107+deb13-cloud", "107-rt"] {
            assert!(!is_version(flavour), "{flavour}");
        }
    }
}
