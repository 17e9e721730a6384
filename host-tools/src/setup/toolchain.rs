//! An older Rust toolchain, by rustup, which shows that a stated `rust-version` is true.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::machine::{Call, Machine};
use super::workspace::Workspace;

/// How long rustup may take. Where its server cannot be reached it may hang for ever.
const LIMIT: Duration = Duration::from_secs(180);

/// For how long a server that did not serve is left alone.
const REST: Duration = Duration::from_secs(12 * 60 * 60);

/// Whether rustup has this toolchain: `1.88.0`.
///
/// # Errors
/// A rustup that cannot be started.
pub fn has(machine: &mut dyn Machine, release: &str) -> Result<bool> {
    if machine.program("rustup").is_none() {
        return Ok(false);
    }
    let list = machine.run(&Call::new("rustup", ["toolchain", "list"]))?.stdout;
    Ok(list.lines().any(|line| line.strip_prefix(release).is_some_and(|rest| rest.starts_with('-'))))
}

/// Whether it makes sense to ask rustup for this toolchain: there is a rustup, and it did not fail just now.
pub fn may_be_had(machine: &dyn Machine, workspace: &Workspace, release: &str) -> bool {
    let failed = fs::metadata(stamp(workspace, release)).and_then(|stamp| stamp.modified());
    let lately = failed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < REST));
    machine.program("rustup").is_some() && !lately
}

/// Lets rustup install the toolchain, without what compiling does not need. A failure is said and remembered, no
/// error: who wants the toolchain looks with [`has`].
///
/// # Errors
/// A rustup that cannot be started.
pub fn install(machine: &mut dyn Machine, workspace: &Workspace, release: &str) -> Result<()> {
    machine.say(&format!("rustup toolchain install {release} …"));
    let words = ["toolchain", "install", release, "--profile", "minimal", "--no-self-update"];
    let done = machine.run(&Call::new("rustup", words).within(LIMIT))?;
    if !has(machine, release)? {
        machine.say(&format!("note: rustup cannot install {release}: {}", done.why()));
        // Without the stamp the next run asks again: slower, not wrong.
        let _ = fs::create_dir_all(&workspace.target).and_then(|()| fs::write(stamp(workspace, release), ""));
    }
    Ok(())
}

fn stamp(workspace: &Workspace, release: &str) -> PathBuf {
    workspace.target.join(format!("no-toolchain-{release}"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, failed, printed};
    use super::*;

    #[test]
    fn a_release_is_not_taken_for_a_longer_one() {
        let list =
            |_: &mut _, _: &Call| Some(printed("stable-x86_64\n1.88.0-x86_64-unknown-linux-gnu (active)\n"));
        let mut machine = Fake::with(&["rustup"]).doing(list);
        assert!(has(&mut machine, "1.88.0").unwrap());
        assert!(!has(&mut machine, "1.88").unwrap());
        assert!(!has(&mut Fake::with(&[]), "1.88.0").unwrap());
    }

    #[test]
    fn a_server_that_did_not_serve_is_left_alone_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().into(), target: folder.path().join("target") };
        let mut machine = Fake::with(&["rustup"])
            .doing(|_, call| call.args.contains(&"install".to_owned()).then(|| failed("no route")));
        assert!(may_be_had(&machine, &workspace, "1.88.0"));
        install(&mut machine, &workspace, "1.88.0").unwrap();
        assert!(!may_be_had(&machine, &workspace, "1.88.0"));
        assert!(machine.said.iter().any(|line| line.contains("no route")), "{:?}", machine.said);
    }
}
