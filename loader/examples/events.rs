//! Prints a pack's events as JSON, one a line, until nothing has come for some seconds: `events PACK SECONDS [OPTIONS]`.
//!
//! A program with `std` that carries the loader inside itself. For a board with musl:
//!
//! ```text
//! cargo build -p corelet-loader --example events --release --target aarch64-unknown-linux-musl
//! ```

use corelet_loader::api::{Error, Form, Loaded, Pack};
use std::ffi::{CStr, CString};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<CString> = std::env::args().skip(1).filter_map(|word| CString::new(word).ok()).collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let [path, seconds, options @ ..] = words.as_slice() else {
        eprintln!("events PACK SECONDS [OPTIONS of corelet-loader]");
        return ExitCode::from(2);
    };
    let seconds = seconds.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    match run(path, seconds, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.kind() as u8)
        }
    }
}

#[allow(clippy::result_large_err, reason = "an error carries its words: it has no heap")]
fn run(path: &CStr, seconds: u32, options: &[&CStr]) -> Result<(), Error> {
    let bytes = std::fs::read(path.to_string_lossy().as_ref());
    // one that cannot be read is opened, so that the loader says why
    let pack = bytes.as_ref().map_or(Pack::at(path), |bytes| Pack::of(path, bytes));
    let mut loaded = Loaded::load(pack, options, None)?;
    loaded.attach()?;
    eprintln!("ready");
    let mut quiet = 0;
    while quiet < seconds * 10 {
        let mut out = std::io::stdout().lock();
        let polled = loaded.poll(Some(100), &mut |event| {
            let mut line = [0; 4096];
            let line = event.print(Form::Json, &mut line);
            // a reader that has gone is no error of ours
            let _ = out.write_all(line).and_then(|()| out.write_all(b"\n"));
        })?;
        quiet += u32::from(polled.events == 0);
    }
    Ok(())
}
