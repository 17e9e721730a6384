//! `corelet btf convert`: BTF of the DWARF in a vmlinux.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;

use super::inputs::Target;
use crate::dwarf::{self, Converted, Options};
use crate::output;
use crate::progress::Spinner;

/// Make BTF of a kernel's DWARF.
///
/// VMLINUX is the kernel as ELF with debug information: of a build, or of a -dbg or -debuginfo package. If it is stripped, its
/// debug file is looked for by build id and debug link. The BTF is what every --btf here takes, for a kernel that has none
/// itself.
///
/// Example: corelet btf convert vmlinux -o kernel.btf
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The vmlinux.
    vmlinux: PathBuf,
    /// Where to write the BTF; `-` is the standard output.
    #[arg(short, long, value_name = "OUT.btf")]
    output: PathBuf,
    /// A folder with debug files, `/usr/lib/debug` without this; may be repeated.
    #[arg(long, value_name = "FOLDER")]
    debug_folder: Vec<PathBuf>,
    /// The kernel's BTF, or its image: VMLINUX is a module then, and what comes out is split BTF over it. A module of another
    /// kernel is refused, by its release where an image says the kernel's, and by the layout of `struct module`.
    #[arg(long, value_name = "K.btf")]
    base: Option<PathBuf>,
    /// A System.map, or an ELF file with symbols, of the kernel that is shipped, where VMLINUX was built again for its debug
    /// information. Nothing is written unless all symbols are where they were.
    #[arg(long, value_name = "FILE")]
    shipped: Option<PathBuf>,
    /// Threads; as many as there are cores without this. The result is the same.
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    jobs: usize,
}

/// Units left out that are named one by one.
const NAMED: usize = 10;

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let base = args.base.as_deref().map(Target::open).transpose()?;
    let options = Options {
        threads: args.jobs,
        debug_folders: args.debug_folder,
        base_release: base.as_ref().and_then(|base| base.kernel.identity().release.clone()),
        base: base.map(|base| base.owned_btf()).transpose()?.map(Arc::new),
    };
    let spinner = Spinner::new();
    let converted =
        dwarf::convert(&args.vmlinux, &options, &|done, all| spinner.count("units of DWARF", done, all))?;
    drop(spinner);
    if let Some(shipped) = &args.shipped {
        let count = dwarf::same_symbols(&converted.source, shipped)?;
        eprintln!(
            "{}: all {count} symbols of {} are at the same addresses",
            converted.source.display(),
            shipped.display()
        );
    }
    output::write_file(&args.output, &converted.btf)?;
    eprint!("{}", report(&converted));
    Ok(ExitCode::SUCCESS)
}

/// What a person should know of the result.
fn report(converted: &Converted) -> String {
    let Converted { btf, source, counts, units, skipped, .. } = converted;
    let mut text = format!(
        "{}: {units} units of DWARF to {} bytes of BTF: {} types, of them {} functions ({} kfuncs) and {} per-cpu variables\n",
        source.display(),
        btf.len(),
        counts.types,
        counts.functions,
        counts.kfuncs,
        counts.variables
    );
    if counts.inconsistent > 0 {
        text.push_str(&format!(
            "note: {} names of functions left out: each stands for functions of different prototypes\n",
            counts.inconsistent
        ));
    }
    if counts.unsayable > 0 {
        text.push_str(&format!(
            "note: {} types cut to {} parts, which is all that BTF can say\n",
            counts.unsayable,
            dwarf::MAX_VLEN
        ));
    }
    for skipped in skipped.iter().take(NAMED) {
        text.push_str(&format!("note: unit left out: {skipped}\n"));
    }
    if skipped.len() > NAMED {
        text.push_str(&format!("note: and {} more units left out\n", skipped.len() - NAMED));
    }
    text
}
