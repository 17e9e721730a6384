//! `corelet link`: several BPF objects to one.

use super::inputs::read_object;
use crate::link::{Input, Linked, link};
use crate::output::write_file;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Link BPF objects into one, as `bpftool gen object` does.
///
/// Programs, maps and variables of one file can then be used by another that declares them extern; types are written once. The
/// result is an ordinary object, for corelet as for libbpf.
///
/// Link what is one program in several sources: what shares maps, variables or functions, or takes a subprogram from a library. Give
/// `corelet pack` several objects where each stands for itself: tools that travel in one file, share kernels' types there,
/// and share nothing at work.
///
/// The order of files decides the order of what is in the result, and which of several weak definitions is taken.
///
/// Example: corelet link prog.bpf.o lib.bpf.o -o whole.bpf.o
#[derive(clap::Args, Debug)]
pub struct Args {
    /// BPF objects with types (clang -g).
    #[arg(required = true, value_name = "OBJ")]
    objects: Vec<PathBuf>,
    /// Where to write the object; `-` is the standard output.
    #[arg(short, long, value_name = "OUT.bpf.o")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let input = |path: &PathBuf| Ok(Input { name: path.display().to_string(), bytes: read_object(path)? });
    let inputs = args.objects.iter().map(input).collect::<Result<Vec<_>>>()?;
    let linked = link(&inputs)?;
    write_file(&args.output, &linked.bytes)?;
    eprint!("{}", report(&args, &linked));
    Ok(ExitCode::SUCCESS)
}

/// What a person should know of the result.
fn report(args: &Args, linked: &Linked) -> String {
    let mut text = format!(
        "{}: {} objects to {} bytes, {} types of {}\n",
        args.output.display(),
        args.objects.len(),
        linked.bytes.len(),
        linked.types,
        linked.input_types
    );
    for (name, file) in &linked.undefined {
        text.push_str(&format!(
            "note: `{name}`, which {file} declares, is defined by none: link the file that does, or mark it __ksym if it is \
             the kernel's\n"
        ));
    }
    text
}
