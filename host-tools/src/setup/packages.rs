//! Debian's packages of the machine's own architecture: which are missing, and their installation by apt.
//!
//! The lists are fetched only where apt does not know a package, or where what it knows is no longer to be had.

use anyhow::{Result, bail};
use corelet_boards::Missing;

use super::machine::{Call, Finished, Machine};
use super::needs::Need;

/// A need that is not met, and the package chosen for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The need.
    pub need: &'static Need,
    /// The package, where apt's lists know one; they may be empty before the first `apt-get update`.
    pub package: Option<&'static str>,
}

impl Lacking {
    /// The package, or those that it will be one of.
    pub fn name(&self) -> String {
        self.package.map_or_else(|| self.need.packages.join(" or "), str::to_owned)
    }
}

/// Those of `needs` that this machine lacks, each once.
///
/// # Errors
/// [`Missing`] where something is lacking and there is no apt: it names all that is.
pub fn lacking(machine: &mut dyn Machine, needs: &[&'static Need]) -> Result<Vec<Lacking>> {
    let mut missing: Vec<&'static Need> = Vec::new();
    for &need in needs {
        if need.find(machine).is_none() && !missing.contains(&need) {
            missing.push(need);
        }
    }
    if !missing.is_empty() && (machine.program("apt-get").is_none() || machine.program("apt-cache").is_none())
    {
        let what: Vec<_> = missing.iter().map(|need| format!("{} ({})", need.what(), need.why)).collect();
        let packages: Vec<_> = missing.iter().map(|need| need.packages.join(" or ")).collect();
        let how = format!(
            "without apt-get install them yourself; in Debian they are in the packages {}",
            packages.join(", ")
        );
        return Err(Missing::new(what.join(", "), how).into());
    }
    missing.into_iter().map(|need| Ok(Lacking { need, package: candidate(machine, need)? })).collect()
}

/// Installs what is lacking.
///
/// # Errors
/// [`Missing`] without the right to install, or where no package is to be had; else apt's last lines.
pub fn install(machine: &mut dyn Machine, mut lacking: Vec<Lacking>) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    if !machine.is_root() && machine.program("sudo").is_none() {
        return Err(Missing::new(
            lacking.iter().map(|lack| lack.need.what()).collect::<Vec<_>>().join(", "),
            format!("as root: apt-get install {}", names(&lacking)),
        )
        .into());
    }
    let mut updated = false;
    if lacking.iter().any(|lack| lack.package.is_none()) {
        update(machine)?;
        updated = true;
        for lack in &mut lacking {
            lack.package = candidate(machine, lack.need)?;
            if lack.package.is_none() {
                return Err(Missing::new(
                    format!(
                        "{}, and apt has no package {}",
                        lack.need.what(),
                        lack.need.packages.join(" or ")
                    ),
                    "add a suite of Debian that has it to apt's sources",
                )
                .into());
            }
        }
    }
    let mut done = apt_install(machine, &lacking)?;
    if !done.is_well() && !updated {
        // Old lists name versions that the mirror has replaced since.
        update(machine)?;
        done = apt_install(machine, &lacking)?;
    }
    if !done.is_well() {
        bail!("apt-get install {} failed: {}", names(&lacking), done.why());
    }
    for lack in &lacking {
        if lack.need.find(machine).is_none() {
            bail!("the package {} is installed, but {} is not there", lack.name(), lack.need.what());
        }
    }
    Ok(())
}

/// The first of a need's packages that apt can install.
fn candidate(machine: &mut dyn Machine, need: &Need) -> Result<Option<&'static str>> {
    let call = Call::new("apt-cache", ["policy"].into_iter().chain(need.packages.iter().copied()))
        .env("LC_ALL", "C");
    let policy = machine.run(&call)?.stdout;
    Ok(need.packages.iter().find(|name| has_candidate(&policy, name)).copied())
}

/// Whether `apt-cache policy` printed a version to install under `NAME:`.
fn has_candidate(policy: &str, name: &str) -> bool {
    policy
        .lines()
        .skip_while(|line| line.strip_suffix(':') != Some(name))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .is_some_and(|version| version != "(none)")
}

fn update(machine: &mut dyn Machine) -> Result<()> {
    machine.say("fetching apt's lists …");
    let call = privileged(machine, &["update", "-q", "-o", "APT::Update::Error-Mode=any"]);
    let done = machine.run(&call)?;
    if !done.is_well() {
        // One unreachable source of several is the machine's owner's affair; what is needed may come from another.
        machine.say(&format!("note: apt-get update: {}", done.why()));
    }
    Ok(())
}

fn apt_install(machine: &mut dyn Machine, lacking: &[Lacking]) -> Result<Finished> {
    machine.say(&format!("installing {} …", names(lacking)));
    // Without a terminal of its own dpkg leaves out progress that only makes sense there.
    let mut words = vec!["install", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "--"];
    words.extend(lacking.iter().filter_map(|lack| lack.package));
    let call = privileged(machine, &words);
    machine.run(&call)
}

/// apt-get as root: as we are, or by sudo, which may ask for a password only where a person is.
fn privileged(machine: &dyn Machine, words: &[&str]) -> Call {
    // Another apt that is at work, such as the machine's own updates, is waited for.
    let apt =
        ["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
    let apt = apt.into_iter().chain(words.iter().copied());
    let call = match (machine.is_root(), machine.has_person()) {
        (true, _) => Call::new("env", apt),
        (false, true) => Call::new("sudo", ["env"].into_iter().chain(apt)),
        (false, false) => Call::new("sudo", ["-n", "env"].into_iter().chain(apt)),
    };
    call.shown()
}

fn names(lacking: &[Lacking]) -> String {
    lacking.iter().map(Lacking::name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, failed, printed};
    use super::super::needs::{CLANG, QEMU_AARCH64, QEMU_RISCV64};
    use super::*;

    const APT: [&str; 3] = ["apt-get", "apt-cache", "env"];

    fn policy(known: &[&str]) -> String {
        known.iter().map(|name| format!("{name}:\n  Installed: (none)\n  Candidate: 1:19\n")).collect()
    }

    #[test]
    fn a_machine_that_has_all_runs_nothing() {
        let mut machine = Fake::with(&["qemu-system-aarch64"]);
        assert_eq!(lacking(&mut machine, &[&QEMU_AARCH64]).unwrap(), []);
        assert_eq!(machine.ran, [""; 0]);
    }

    #[test]
    fn without_apt_all_that_is_missing_is_named_with_its_reason() {
        let error = lacking(&mut Fake::with(&[]), &[&QEMU_AARCH64, &CLANG]).unwrap_err();
        assert!(error.downcast_ref::<Missing>().is_some());
        for word in ["qemu-system-aarch64 (boots the AArch64 board)", "clang-19", "qemu-system-arm"] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn the_first_name_that_apt_knows_is_installed_without_an_update() {
        let mut machine = Fake::with(&APT).doing(|state, call| {
            if call.program == "env" {
                state.programs.insert("qemu-system-riscv64".into());
            }
            // Debian 12 knows the newer name only as one that nobody provides.
            Some(printed(&format!(
                "qemu-system-riscv:\n  Candidate: (none)\n{}",
                policy(&["qemu-system-misc"])
            )))
        });
        let lacking = lacking(&mut machine, &[&QEMU_RISCV64, &QEMU_RISCV64]).unwrap();
        assert_eq!(lacking, [Lacking { need: &QEMU_RISCV64, package: Some("qemu-system-misc") }]);
        install(&mut machine, lacking).unwrap();
        assert_eq!(machine.ran.len(), 2, "{:?}", machine.ran);
        assert!(machine.ran[1].ends_with("-- qemu-system-misc"));
    }

    #[test]
    fn empty_lists_are_fetched_first() {
        let mut lists = "";
        let mut machine = Fake::with(&APT).doing(move |state, call| {
            match call.args.iter().map(String::as_str).find(|word| ["update", "install"].contains(word)) {
                Some("update") => lists = "qemu-system-arm:\n  Candidate: 7.2\n",
                Some(_) => drop(state.programs.insert("qemu-system-aarch64".into())),
                None => return Some(printed(lists)),
            }
            None
        });
        let lacking = lacking(&mut machine, &[&QEMU_AARCH64]).unwrap();
        assert_eq!((lacking[0].package, lacking[0].name().as_str()), (None, "qemu-system-arm"));
        install(&mut machine, lacking).unwrap();
        assert!(machine.ran[1].contains("update") && machine.ran[3].contains("install"), "{:?}", machine.ran);
    }

    #[test]
    fn a_failed_installation_is_tried_once_more_with_new_lists_and_ends_with_apts_words() {
        let mut machine = Fake::with(&APT).doing(|_, call| {
            call.args.iter().any(|word| word == "install").then(|| failed("E: 404 Not Found"))
        });
        let lacking = vec![Lacking { need: &QEMU_AARCH64, package: Some("qemu-system-arm") }];
        let error = install(&mut machine, lacking).unwrap_err().to_string();
        assert!(error.contains("E: 404 Not Found"), "{error}");
        assert_eq!(machine.ran.len(), 3, "{:?}", machine.ran);
    }

    #[test]
    fn a_user_needs_sudo_and_without_a_terminal_one_that_does_not_ask() {
        let lacking = || vec![Lacking { need: &QEMU_AARCH64, package: Some("qemu-system-arm") }];
        let mut machine = Fake { root: false, ..Fake::with(&APT) };
        let error = install(&mut machine, lacking()).unwrap_err();
        assert!(
            error.downcast_ref::<Missing>().is_some_and(|missing| missing.install.starts_with("as root"))
        );
        let mut machine = Fake { root: false, ..Fake::with(&["sudo"]) }.doing(|state, _| {
            state.programs.insert("qemu-system-aarch64".into());
            None
        });
        install(&mut machine, lacking()).unwrap();
        assert!(machine.ran[0].starts_with("sudo -n env"), "{:?}", machine.ran);
    }
}
