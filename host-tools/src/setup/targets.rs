//! Rust's standard library for the devices' targets: built, by rustup; else its source, which cargo then builds too.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use corelet_boards::Missing;

use super::machine::{Call, Ended, Machine};
use super::rust_src;
use super::workspace::Workspace;

/// The targets that the loader is built for: 32-bit ARM twice, for every ARMv7 and for those with NEON.
pub const LOADER: [&str; 4] = [
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
    "riscv64gc-unknown-linux-gnu",
    "x86_64-unknown-linux-gnu",
];

/// Targets of Rust's third tier. Nobody builds their library, so rustup is not asked for it.
pub const TIER_3: [&str; 1] = ["mips-unknown-linux-gnu"];

/// The target of BPF programs in Rust, of the third tier too; no loader is built for it.
pub const BPF: &str = "bpfel-unknown-none";

/// How long rustup may take for one target. Where its server cannot be reached it may hang for ever.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the standard library of a target comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Std {
    /// It lies built beside the compiler.
    Built,
    /// Cargo builds it, from this folder.
    Source(PathBuf),
}

/// The compiler of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// Its release: `1.95.0`.
    pub release: String,
    /// The target that it runs on.
    pub host: String,
    sysroot: PathBuf,
    workspace: Workspace,
}

impl Compiler {
    /// Asks rustc, in the workspace, so that its rust-toolchain.toml counts.
    ///
    /// # Errors
    /// A rustc that cannot be started or does not say its release.
    pub fn find(machine: &mut dyn Machine, workspace: &Workspace) -> Result<Self> {
        let mut rustc = |words: &[&str]| -> Result<String> {
            let call = Call::new("rustc", words.iter().copied()).in_folder(&workspace.root);
            let done = machine.run(&call)?;
            if !done.is_well() {
                bail!("{} failed: {}", call.line(), done.why());
            }
            Ok(done.stdout)
        };
        let version = rustc(&["-vV"])?;
        let field = |name: &str| {
            let value =
                version.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
            value.with_context(|| format!("rustc -vV does not say its {name}"))
        };
        let (release, host) = (field("release:")?, field("host:")?);
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
        Ok(Self { release, host, sysroot, workspace: workspace.clone() })
    }

    /// The standard library of a target, if this machine has it.
    pub fn std(&self, machine: &dyn Machine, target: &str) -> Option<Std> {
        if machine.exists(&self.sysroot.join("lib/rustlib").join(target).join("lib")) {
            return Some(Std::Built);
        }
        let given = rust_src::given(machine).filter(|folder| machine.exists(&folder.join(rust_src::LOCK)));
        let link = self.source_link();
        given.or_else(|| machine.exists(&link.join(rust_src::LOCK)).then_some(link)).map(Std::Source)
    }

    /// Gets the standard library of these targets: by rustup, and where that does not serve as source.
    ///
    /// # Errors
    /// Neither way serves; the message says why of both.
    pub fn install(&self, machine: &mut dyn Machine, targets: &[&str]) -> Result<()> {
        let mut why = "there is no rustup here".to_owned();
        if machine.program("rustup").is_some() {
            why = "it has no library of targets of the third tier".to_owned();
            let built = |target: &&&str| !TIER_3.contains(target) && **target != BPF;
            for target in targets.iter().filter(built) {
                match self.ask_rustup(machine, target)? {
                    None => machine.say(&format!("{target}: standard library by rustup")),
                    Some(reason) => {
                        why = reason;
                        break;
                    }
                }
            }
        }
        let rest: Vec<_> =
            targets.iter().copied().filter(|target| self.std(machine, target).is_none()).collect();
        if rest.is_empty() {
            return Ok(());
        }
        machine.say(&format!("rustup target add does not serve: {why}"));
        if rust_src::given(machine).is_none() && machine.program("apt-get").is_none() {
            return Err(Missing::new(
                format!(
                    "Rust's standard library for {}, and apt-get, which would fetch its source",
                    rest.join(", ")
                ),
                format!("rustup target add {}; or set {} to its source", rest.join(" "), rust_src::VARIABLE),
            )
            .into());
        }
        machine
            .fetch_rust_src(&self.release, &self.source_link())
            .with_context(|| format!("no standard library for {}, built or as source", rest.join(", ")))?;
        for target in rest {
            machine.say(&format!(
                "{target}: standard library built here, from the source of rustc {}",
                self.release
            ));
        }
        Ok(())
    }

    /// Lets rustup add one target; the reason if it is not there afterwards.
    fn ask_rustup(&self, machine: &mut dyn Machine, target: &str) -> Result<Option<String>> {
        machine.say(&format!("rustup target add {target} …"));
        let call =
            Call::new("rustup", ["target", "add", target]).in_folder(&self.workspace.root).within(LIMIT);
        let done = machine.run(&call)?;
        // What is there counts, not how rustup ended: it was seen to panic after a target was in place. But what it
        // was still unpacking when its time ran out is not whole.
        let here = self.std(machine, target) == Some(Std::Built) && done.ended != Ended::TooLate;
        Ok((!here).then(|| done.why()))
    }

    fn source_link(&self) -> PathBuf {
        self.workspace.target.join(format!("rust-src-{}", self.release))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, State, failed, printed};
    use super::*;

    const ARM: &str = "armv7-unknown-linux-gnueabihf";
    const RISCV: &str = "riscv64gc-unknown-linux-gnu";

    fn compiler() -> Compiler {
        let rustc = |_: &mut State, call: &Call| {
            Some(printed(if call.args[0] == "-vV" { "host: h\nrelease: 1.95.0\n" } else { "/sys\n" }))
        };
        let workspace = Workspace { root: "/w".into(), target: "/w/target".into() };
        Compiler::find(&mut Fake::with(&["rustc"]).doing(rustc), &workspace).unwrap()
    }

    fn add(state: &mut State, call: &Call) {
        state.files.insert(format!("/sys/lib/rustlib/{}/lib", call.args[2]).into());
    }

    #[test]
    fn rustup_is_enough_where_it_serves_however_it_ends() {
        let mut machine = Fake::with(&["rustup"]).doing(|state, call| {
            add(state, call);
            Some(failed("thread 'main' panicked"))
        });
        compiler().install(&mut machine, &[ARM, RISCV]).unwrap();
        assert_eq!(machine.ran, [format!("rustup target add {ARM}"), format!("rustup target add {RISCV}")]);
        assert_eq!(compiler().std(&machine, ARM), Some(Std::Built));
    }

    #[test]
    fn a_server_that_hangs_is_waited_for_once_and_then_the_source_serves() {
        let mut machine = Fake::with(&["rustup", "apt-get"])
            .doing(|_, _| Some(super::super::machine::Finished { ended: Ended::TooLate, ..printed("") }));
        compiler().install(&mut machine, &[ARM, RISCV]).unwrap();
        assert_eq!(machine.ran, [format!("rustup target add {ARM}"), "fetch rust-src 1.95.0".to_owned()]);
        let link = PathBuf::from("/w/target/rust-src-1.95.0");
        assert_eq!(compiler().std(&machine, RISCV), Some(Std::Source(link)));
    }

    #[test]
    fn rustup_is_not_asked_for_what_it_never_has_and_the_others_still_come_from_it() {
        let mut machine = Fake::with(&["rustup", "apt-get"]).doing(|state, call| {
            add(state, call);
            Some(printed(""))
        });
        compiler().install(&mut machine, &[TIER_3[0], BPF, ARM]).unwrap();
        assert_eq!(machine.ran, [format!("rustup target add {ARM}"), "fetch rust-src 1.95.0".to_owned()]);
        assert_eq!(compiler().std(&machine, ARM), Some(Std::Built));
        assert!(matches!(compiler().std(&machine, TIER_3[0]), Some(Std::Source(_))));
        assert!(matches!(compiler().std(&machine, BPF), Some(Std::Source(_))));
    }

    #[test]
    fn without_rustup_the_source_serves_and_without_apt_either_it_says_what_to_do() {
        let mut machine = Fake::with(&["apt-get"]);
        compiler().install(&mut machine, &[ARM]).unwrap();
        assert_eq!(machine.ran, ["fetch rust-src 1.95.0"]);
        let error = compiler().install(&mut Fake::with(&[]), &[ARM]).unwrap_err();
        let missing = error.downcast_ref::<Missing>().unwrap();
        assert!(missing.install.starts_with(&format!("rustup target add {ARM}")), "{missing}");
    }

    #[test]
    fn a_source_that_is_given_needs_neither_rustup_nor_apt() {
        let mut machine = Fake::with(&[]).where_is(rust_src::VARIABLE, "/src/library.tar.xz");
        compiler().install(&mut machine, &[ARM]).unwrap();
        assert_eq!(machine.ran, ["fetch rust-src 1.95.0"]);

        let mut machine = Fake::with(&[]).where_is(rust_src::VARIABLE, "/src/library");
        machine.state.files.insert("/src/library/Cargo.lock".into());
        assert_eq!(compiler().std(&machine, ARM), Some(Std::Source("/src/library".into())));
    }
}
