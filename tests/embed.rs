//! What `corelet embed` makes of this checkout's loader, run on this machine where its processor is the loader's: what needs no
//! privileges and loads nothing. Events of such an executable are seen on a board (`service`).

use anyhow::{Context, Result, ensure};
use corelet_host_tools::cmd::target_arg::{Opened, TargetArg, with_kernels};
use corelet_host_tools::embed::{embed, pack_of};
use corelet_host_tools::manifest::Manifest;
use corelet_host_tools::output::write_executable;
use corelet_host_tools::pack::{Input, Options, build, container};
use std::path::Path;
use std::process::Command;

/// `golden/README.md` has the recipe.
const OBJECT: &[u8] = include_bytes!("golden/0.1/sample.bpf.o");
const MANIFEST: &str = include_str!("golden/0.1/sample.toml");
const BUILD_ID: &str = "000102030405060708090a0b0c0d0e0f10111213";

/// The sample's pack for an x86-64 kernel that nobody runs.
fn pack() -> Result<Vec<u8>> {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/0.1/kernel.o");
    let who = format!("{},release=6.1.0-golden,version=#1,arch=x86_64,build-id={BUILD_ID}", kernel.display());
    let target: TargetArg = who.parse().map_err(anyhow::Error::msg)?;
    let opened = [Opened::open(&target)?];
    let input = Input {
        name: "sample".to_owned(),
        bytes: OBJECT.to_vec(),
        manifest: Manifest::parse("sample.toml", MANIFEST)?,
    };
    let built = with_kernels(&opened, |kernels| build(&[input], kernels, &Options { lines: false }))?;
    container(&built.sections)
}

/// Puts the sample's pack into `loader`, for x86-64, in `folder`, and runs the executable: its own pack is read, no other taken, damage
/// found. Gives the bytes that it has beside loader and pack.
///
/// # Errors
/// What it does otherwise.
pub fn on_host(loader: &[u8], folder: &Path) -> Result<usize> {
    let pack = pack()?;
    let made = embed((loader, &pack), ("the loader", "the pack"))?.bytes;
    ensure!(pack_of(&made) == Some(&*pack), "the pack does not come out as it went in");
    ensure!(pack_of(loader).is_none(), "the loader has a pack of its own");
    let path = folder.join("opens");
    write_executable(&path, &made)?;
    let run = |args: &[&str], code: i32, words: &str| -> Result<()> {
        let output = Command::new(&path).args(args).output().with_context(|| path.display().to_string())?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let right = output.status.code() == Some(code) && said.contains(words);
        ensure!(right, "{args:?}: {}, not {code} and {words:?}: {said}", output.status);
        Ok(())
    };
    run(&["--version"], 0, "corelet-loader ")?;
    run(&["--help"], 0, "An executable that `corelet embed` made has its pack inside")?;
    run(&["preflight", "--build-id", BUILD_ID], 0, "opens: object 0 is ready for 6.1.0-golden #1")?;
    run(&["preflight", "--build-id", "00ff"], 1, "sample: the pack has no target for this kernel")?;
    run(&["other.pack"], 2, "unknown command other.pack")?;
    run(&["run", "other.pack"], 2, "takes no pack but the one inside, and not other.pack")?;
    run(&["--no-such-option"], 2, "--no-such-option")?;
    let mut damaged = made.clone();
    if let Some(last) = damaged.len().checked_sub(pack.len()).and_then(|start| damaged.get_mut(start + 40)) {
        *last ^= 1;
    }
    write_executable(&path, &damaged)?;
    run(&["preflight", "--build-id", BUILD_ID], 3, "corelet-loader: opens: ")?;
    Ok(made.len() - loader.len() - pack.len())
}
