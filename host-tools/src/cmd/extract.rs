//! `corelet btf extract`: the BTF out of whatever file holds a kernel.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::kernel::{Endian, Kernel};
use crate::output;
use crate::progress::Spinner;

/// Take a kernel's BTF out of the file that holds it.
///
/// FILE is raw BTF, an ELF vmlinux or module, a kernel image as distributions and vendors ship it (Image, EFI zboot, bzImage,
/// zImage, uImage, FIT, Android boot image, compressed or not), a package (.deb, .rpm, .ipk) or the image of a file system (ext4, squashfs)
/// with one of them in it, or a folder: a device's root file system, or the tree that a kernel was built in. What was found, and
/// where, goes to the standard output (to the standard error with `-o -`).
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel.
    file: PathBuf,
    /// Where to write the BTF; `-` is the standard output. Without it, only the report is made.
    #[arg(short, long, value_name = "OUT.btf")]
    output: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The report. The order of the fields is the order of the lines.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    format: String,
    bytes: usize,
    types: u32,
    split: bool,
    release: Option<&'a str>,
    version: Option<&'a str>,
    build_id: Option<String>,
    arch: Option<&'static str>,
    pointer_size: Option<u8>,
    endianness: Option<&'static str>,
    page_size: Option<u32>,
    ikconfig: bool,
    config: Option<String>,
    remarks: &'a [String],
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let spinner = Spinner::new();
    let kernel = Kernel::open(&args.file, &mut |what, done| spinner.tell(what, done))?;
    drop(spinner);

    let btf = kernel.btf().with_context(|| args.file.display().to_string())?;
    if let Some(path) = &args.output {
        output::write_file(path, btf)?;
    }
    let report = Report::of(&kernel, btf);
    let text = if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { report.text() };
    match args.output {
        Some(path) if path.as_os_str() == "-" => eprint!("{text}"),
        _ => output::write_file("-".as_ref(), text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

impl<'a> Report<'a> {
    fn of(kernel: &'a Kernel, btf: &[u8]) -> Report<'a> {
        let identity = kernel.identity();
        Report {
            schema: 1,
            format: kernel.format(),
            bytes: btf.len(),
            types: kernel.found().map_or(0, |found| found.types),
            split: kernel.found().is_some_and(|found| found.split),
            release: identity.release.as_deref(),
            version: identity.version.as_deref(),
            build_id: identity.build_id.as_ref().map(ToString::to_string),
            arch: identity.arch.map(|arch| arch.name()),
            pointer_size: identity.pointer_size,
            endianness: identity.endianness.map(byte_order),
            page_size: identity.page_size,
            ikconfig: kernel.ikconfig().is_some(),
            config: kernel.config_place(),
            remarks: kernel.remarks(),
        }
    }

    fn text(&self) -> String {
        let size = |n: Option<u32>| n.map(|n| format!("{n} bytes"));
        let lines = [
            ("format", Some(self.format.clone())),
            ("BTF", Some(format!("{} bytes, {} types", self.bytes, self.types))),
            ("release", self.release.map(str::to_owned)),
            ("version", self.version.map(str::to_owned)),
            ("build id", self.build_id.clone()),
            ("arch", self.arch.map(str::to_owned)),
            ("byte order", self.endianness.map(str::to_owned)),
            ("pointers", size(self.pointer_size.map(u32::from))),
            ("pages", size(self.page_size)),
            ("config", self.config.clone()),
        ];
        let mut text: String = lines
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("{:<12}{value}\n", format!("{name}:"))))
            .collect();
        for remark in self.remarks {
            text.push_str(&format!("note: {remark}\n"));
        }
        text
    }
}

/// The words of the ELF tools.
fn byte_order(endian: Endian) -> &'static str {
    match endian {
        Endian::Little => "little-endian",
        Endian::Big => "big-endian",
    }
}
