//! Builds what runs on a device from this checkout: the loader for each architecture, the microcontrollers' firmware.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use corelet_boards::Missing;

use super::machine::{Call, Machine};
use super::targets::{Compiler, Std};
use super::workspace::Workspace;

/// A loader that was built, or was up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// The executable.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub size: u64,
    /// Where its standard library came from: the two ways give different bytes.
    pub std: Std,
}

/// What makes a build of the loader the device's executable.
const LOADER: [&str; 6] =
    ["corelet-loader", "--bin", "corelet-loader", "--features", "device", "--profile=device"];

/// What the loader can be built without, in an order in which each one needs only those before it.
pub const FEATURES: [&str; 22] = [
    "engine",
    "kernel-btf",
    "explain",
    "doctor",
    "results",
    "stacks",
    "format",
    "uprobe",
    "trace",
    "service",
    "outputs",
    "perf",
    "ksyms",
    "maps",
    "targets",
    "options",
    "alternatives",
    "old-kernels",
    "place",
    "net",
    "embed",
    "privileges",
];

/// The features that need others, which cargo would turn on again (`loader/Cargo.toml`).
const NEEDS: [(&str, &str); 3] = [("kernel-btf", "engine"), ("doctor", "explain"), ("stacks", "results")];

/// Builds the loader for a target of Rust: `aarch64-unknown-linux-gnu`.
///
/// # Errors
/// [`Missing`] without the target's standard library; cargo's last lines where it does not build.
pub fn build(machine: &mut dyn Machine, workspace: &Workspace, target: &str) -> Result<Loader> {
    of_package(machine, workspace, &LOADER, target)
}

/// The same with those of [`FEATURES`] alone, in the place of the other.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    features: &[&str],
    target: &str,
) -> Result<Loader> {
    let features = format!("device,{}", features.join(","));
    let words = [
        "corelet-loader",
        "--bin",
        "corelet-loader",
        "--no-default-features",
        "--features",
        &features,
        "--profile=device",
    ];
    of_package(machine, workspace, &words, target)
}

/// The same without `feature` and what needs it, in the place of the other: `kernel-btf` for an image whose packs have a target for each kernel that
/// it ships.
///
/// # Errors
/// As [`build`].
pub fn build_without(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    feature: &str,
    target: &str,
) -> Result<Loader> {
    let is_left = |f: &&str| *f != feature && !NEEDS.contains(&(*f, feature));
    let features: Vec<&str> = FEATURES.into_iter().filter(is_left).collect();
    build_with(machine, workspace, &features, target)
}

fn of_package(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    package: &[&str],
    target: &str,
) -> Result<Loader> {
    let (std, folder) = build_package(machine, workspace, package, target)?;
    let path = folder.join(target).join("device/corelet-loader");
    let size = std::fs::metadata(&path)
        .with_context(|| format!("{}: cargo left no loader here", path.display()))?
        .len();
    Ok(Loader { path, size, std })
}

/// Builds another executable of ours that is linked for a device: the microcontrollers' firmware, those of the tests. Gives its
/// path.
///
/// # Errors
/// As [`build`].
pub fn executable(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    package: &str,
    target: &str,
) -> Result<PathBuf> {
    let words = [package, "--bin", package, "--features", "device", "--profile=device"];
    let (_, folder) = build_package(machine, workspace, &words, target)?;
    Ok(folder.join(target).join("device").join(package))
}

/// Builds the library of one of our packages for any target, with or without an operating system.
///
/// # Errors
/// As [`build`].
pub fn library(machine: &mut dyn Machine, workspace: &Workspace, package: &str, target: &str) -> Result<Std> {
    // The same profile as the loader: what both use is built once.
    Ok(build_package(machine, workspace, &[package, "--lib", "--profile=device"], target)?.0)
}

/// Builds the loader for C, `libcorelet.a`, and gives its path. A program may place it anywhere, however large it is itself.
///
/// # Errors
/// As [`build`].
pub fn c_library(machine: &mut dyn Machine, workspace: &Workspace, target: &str) -> Result<PathBuf> {
    let words = ["corelet-capi", "--lib", "--features", "device", "--profile=device"];
    let model = if target.starts_with("riscv") { "medium" } else { "small" };
    let model = format!("-Ccode-model={model}");
    let flags = [model.as_str(), "-Crelocation-model=pic", "-Cforce-unwind-tables=no"];
    let (_, folder) = build_package_with(machine, workspace, &words, target, ("capi", &flags))?;
    Ok(folder.join(target).join("device/libcorelet.a"))
}

/// Builds the example of a program with `std` that carries the loader, static with musl, and gives its path. The linker is the one that
/// comes with Rust, as is musl.
///
/// # Errors
/// As [`build`].
pub fn with_std(machine: &mut dyn Machine, workspace: &Workspace, target: &str) -> Result<PathBuf> {
    let words = ["corelet-loader", "--example", "events", "--profile=device"];
    Ok(with_musl(machine, workspace, &words, target)?.join("examples/events"))
}

/// Builds the example of one without `std`, which musl starts, and gives its path.
///
/// # Errors
/// As [`build`].
pub fn without_std(machine: &mut dyn Machine, workspace: &Workspace, target: &str) -> Result<PathBuf> {
    let words = ["corelet-counters", "--features", "device", "--profile=device"];
    Ok(with_musl(machine, workspace, &words, target)?.join("corelet-counters"))
}

fn with_musl(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    words: &[&str],
    target: &str,
) -> Result<PathBuf> {
    let flags = ("capi", &["-Clinker=rust-lld"][..]);
    Ok(build_package_with(machine, workspace, words, target, flags)?.1.join(target).join("device"))
}

/// Builds a program of one of our packages as the device would have it, with these features, to see whether it links.
///
/// # Errors
/// As [`build`].
pub fn program(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    package: &str,
    features: &str,
    target: &str,
) -> Result<Std> {
    let words = [package, "--bins", "--features", features, "--profile=device"];
    Ok(build_package(machine, workspace, &words, target)?.0)
}

/// Builds the loader for all of `targets` in one call of cargo, which builds them side by side, where [`build`] and, with its features,
/// [`program`] come one by one afterwards and find it done. What is wrong with one they say.
///
/// # Errors
/// Cargo cannot be started.
pub fn ahead(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    features: &str,
    targets: &[&str],
) -> Result<()> {
    let compiler = Compiler::find(machine, workspace)?;
    // of a standard library from source each is a long build of its own
    let built: Vec<&str> =
        targets.iter().copied().filter(|target| compiler.std(machine, target) == Some(Std::Built)).collect();
    if built.is_empty() {
        return Ok(());
    }
    let words = ["corelet-loader", "--bin", "corelet-loader", "--features", features, "--profile=device"];
    let call = cargo(workspace, &words, &built, (&Std::Built, &[]), &workspace.target.join("loader"));
    machine.say(&format!("building corelet-loader for {} …", built.join(", ")));
    machine.run(&call).map(drop)
}

/// Gives also the target folder, which is one of its own: so the build neither waits for the cargo that runs us nor
/// shares features with a host's build. There is one for each way to the standard library.
fn build_package(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    package: &[&str],
    target: &str,
) -> Result<(Std, PathBuf)> {
    build_package_with(machine, workspace, package, target, ("loader", &[]))
}

/// The same in a folder of this name, with these flags of rustc besides.
fn build_package_with(
    machine: &mut dyn Machine,
    workspace: &Workspace,
    package: &[&str],
    target: &str,
    (folder, flags): (&str, &[&str]),
) -> Result<(Std, PathBuf)> {
    let compiler = Compiler::find(machine, workspace)?;
    let Some(std) = compiler.std(machine, target) else {
        let what = format!("Rust's standard library for {target}");
        return Err(Missing::new(what, format!("rustup target add {target}")).into());
    };
    let with_std = if std == Std::Built { "" } else { "-with-std" };
    let folder = workspace.target.join(format!("{folder}{with_std}"));
    let call = cargo(workspace, package, &[target], (&std, flags), &folder);
    machine.say(&format!("building {} for {target} …", package[0]));
    let done = machine.run(&call)?;
    if !done.is_well() {
        bail!(
            "{} for {target} does not build: {}\n(the command was: {})",
            package[0],
            done.why(),
            call.line()
        );
    }
    Ok((std, folder))
}

fn cargo(
    workspace: &Workspace,
    package: &[&str],
    targets: &[&str],
    (std, more): (&Std, &[&str]),
    folder: &Path,
) -> Call {
    let words = ["build", "--quiet", "--package"].into_iter().chain(package.iter().copied());
    let targeted = targets.iter().flat_map(|target| ["--target", *target]);
    let mut words: Vec<String> = words.chain(targeted).map(str::to_owned).collect();
    words.extend(["--target-dir".to_owned(), folder.display().to_string()]);
    let mut hidden = vec![(home_of_cargo(), "/cargo"), (workspace.root.clone(), "/corelet")];
    if let Std::Source(library) = std {
        words.push("-Zbuild-std=core,alloc,compiler_builtins".to_owned());
        words.push("-Zbuild-std-features=compiler-builtins-mem".to_owned());
        hidden.push((library.clone(), "/rust/library"));
    }
    // No path of this machine in the device's bytes. Added to the flags of .cargo/config.toml, not in their place.
    let hidden = hidden.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let flags: Vec<_> = hidden.chain(more.iter().map(|flag| (*flag).to_owned())).collect();
    for target in targets {
        words.extend(["--config".to_owned(), format!("target.{target}.rustflags={flags:?}")]);
    }
    // Flags of the caller's environment would replace those of the configuration.
    let call = Call::new("cargo", words)
        .in_folder(&workspace.root)
        .without_env("RUSTFLAGS")
        .without_env("CARGO_ENCODED_RUSTFLAGS");
    match std {
        Std::Built => call,
        // Cargo looks for the source in the compiler's own folder, which may not be ours to write to; this variable,
        // made for cargo's own tests, names another. Building a standard library is otherwise for nightly only.
        Std::Source(library) => call.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_TESTS_ONLY_SRC_ROOT", library),
    }
}

/// Where the sources of the packages lie that the loader uses.
fn home_of_cargo() -> PathBuf {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    home("CARGO_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".cargo")))
        .unwrap_or_else(|| "/.cargo".into())
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, failed, printed};
    use super::*;

    fn workspace() -> Workspace {
        Workspace { root: "/w".into(), target: "/t".into() }
    }

    #[test]
    fn a_library_from_source_is_built_too_in_a_folder_of_its_own() {
        let built = cargo(&workspace(), &LOADER, &["t-t", "u"], (&Std::Built, &[]), Path::new("/t/loader"));
        assert!(built.line().contains("--features device"), "{}", built.line());
        assert!(!built.line().contains("-Zbuild-std"), "{}", built.line());
        assert!(built.line().contains(r#"target.t-t.rustflags=["--remap-path-prefix="#), "{}", built.line());
        assert!(built.line().contains("--target t-t --target u --target-dir /t/loader"), "{}", built.line());
        let source = cargo(
            &workspace(),
            &LOADER,
            &["t-t"],
            (&Std::Source("/s/library".into()), &[]),
            Path::new("/t/x"),
        );
        assert!(source.line().contains("-Zbuild-std=core"), "{}", source.line());
        assert!(
            source.env.iter().any(|(name, value)| name == "__CARGO_TESTS_ONLY_SRC_ROOT" && value.is_some())
        );
    }

    #[test]
    fn a_build_that_fails_ends_with_cargos_words_and_one_without_library_says_what_to_do() {
        let answers = |words: &[String]| match words[0].as_str() {
            "-vV" => printed("host: h\nrelease: 1.95.0\n"),
            "--print" => printed("/sys\n"),
            _ => failed("error: linking failed"),
        };
        let mut machine = Fake::with(&[]).doing(move |_, call| Some(answers(&call.args)));
        let error = build(&mut machine, &workspace(), "t-t").unwrap_err();
        assert!(
            error.downcast_ref::<Missing>().is_some_and(|missing| missing.install == "rustup target add t-t")
        );
        machine.state.files.insert("/sys/lib/rustlib/t-t/lib".into());
        let error = build(&mut machine, &workspace(), "t-t").unwrap_err().to_string();
        assert!(error.contains("error: linking failed") && error.contains("cargo build"), "{error}");
    }
}
