//! One file out of a package that is still being fetched: the rest of a large package is never waited for.
//!
//! A `.deb` is an ar(5) archive whose member `data.tar.*` is a compressed tar: each layer is read as a stream, so that
//! reading ends where the wanted file does. apt checks a package against the signed index once it has all of it; a
//! package that was cut short was *not* checked that way. What remains is what the stream says of itself (sizes, tar's
//! checksum of each header, xz's and zstd's of each part that was read whole) and what the caller knows about the file,
//! such as its build id.
//!
//! Sources: deb(5), ar(5); the formats of the compressions are their crates' business.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Between two looks at a file that has nothing new.
const PAUSE: Duration = Duration::from_millis(20);

/// No file that is taken out of a package is larger, in bytes: twice the largest vmlinux with debug information.
const LARGEST: u64 = 1 << 30;

/// Writes to `out` the first regular file of the package that has one of `paths`, which have no leading slash, and
/// returns which; calls `tick` with the bytes that came out so far and their sum. `None` is a package that was read to
/// its end and has no such file.
///
/// # Errors
/// A package that is damaged or cut off, of a compression other than gzip, xz and zstd, a file above [`LARGEST`].
pub(super) fn extract(
    package: impl Read,
    paths: &[String],
    out: &mut File,
    mut tick: impl FnMut(u64, u64),
) -> Result<Option<String>> {
    let mut archive = tar::Archive::new(data(package)?);
    for entry in archive.entries()? {
        let mut entry = entry.context("the package's tar archive is damaged or cut off")?;
        let path = entry.path()?;
        let path = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
        if !entry.header().entry_type().is_file() || !paths.contains(&path) {
            continue;
        }
        let size = entry.size();
        ensure!(size <= LARGEST, "{path}: has more than {} MiB", LARGEST >> 20);
        let mut done = 0;
        // In pieces, for the caller's sake; a short one is the end.
        loop {
            let piece = io::copy(&mut entry.by_ref().take(1 << 20), out)
                .with_context(|| format!("{path}: damaged or cut off behind {done} of {size} bytes"))?;
            done += piece;
            tick(done, size);
            if piece == 0 {
                break;
            }
        }
        ensure!(done == size, "{path}: cut off behind {done} of {size} bytes");
        return Ok(Some(path));
    }
    Ok(None)
}

/// The tar of a package's data, unpacked as it is read.
fn data<'r>(mut package: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    let mut magic = [0; 8];
    package.read_exact(&mut magic).context("the package ends in its first bytes")?;
    ensure!(&magic == b"!<arch>\n", "not a Debian package: it does not begin as an ar archive");
    loop {
        let mut header = [0; 60];
        package.read_exact(&mut header).context("the package ends before its data")?;
        let name = String::from_utf8_lossy(&header[..16]).trim_end().trim_end_matches('/').to_owned();
        let size = str::from_utf8(&header[48..58]).ok().and_then(|text| text.trim_end().parse::<u64>().ok());
        let Some(size) = size.filter(|_| header.ends_with(b"`\n")) else {
            bail!("the package's ar archive is damaged at its member {name:?}");
        };
        let Some(method) = name.strip_prefix("data.tar") else {
            // Members begin at even offsets.
            let skipped = io::copy(&mut package.by_ref().take(size + size % 2), &mut io::sink())?;
            ensure!(skipped >= size, "the package ends in its member {name}");
            continue;
        };
        let data = package.take(size);
        return Ok(match method {
            "" => Box::new(data),
            ".gz" => Box::new(flate2::read::GzDecoder::new(data)),
            ".xz" => Box::new(lzma_rust2::XzReader::new(data, false)),
            ".zst" => Box::new(ruzstd::decoding::StreamingDecoder::new(data)?),
            other => bail!("the package's data is packed as {other}: only gzip, xz and zstd are known"),
        });
    }
}

/// A file that a child process is still writing, from its start to where the child ends it. The child does not outlive
/// this value.
pub(super) struct Growing {
    child: Child,
    folder: PathBuf,
    file: Option<File>,
    find: fn(&Path) -> Option<PathBuf>,
}

impl Growing {
    /// What `child` writes into `folder`, once `find` finds it there.
    pub(super) fn new(child: Child, folder: &Path, find: fn(&Path) -> Option<PathBuf>) -> Self {
        Self { child, folder: folder.to_owned(), file: None, find }
    }

    /// Whether the child came to a good end; it is ended here if it still runs.
    pub(super) fn end(mut self) -> Result<bool> {
        let status = self.child.try_wait()?;
        Ok(status.is_some_and(|status| status.success()))
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Asked before the file is read: what the child wrote before it ended is all there then.
            let ended = self.child.try_wait()?;
            if self.file.is_none() {
                self.file = (self.find)(&self.folder).map(File::open).transpose()?;
            }
            let length = self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))?;
            match ended {
                _ if length > 0 || buffer.is_empty() => return Ok(length),
                Some(status) if status.success() => return Ok(0),
                Some(status) => {
                    let mut said = String::new();
                    if let Some(mut stderr) = self.child.stderr.take() {
                        stderr.read_to_string(&mut said)?;
                    }
                    let reason = said.lines().find_map(|line| line.strip_prefix("E: "));
                    let reason = reason.unwrap_or("it did not say why");
                    return Err(io::Error::other(format!("fetching it failed ({status}): {reason}")));
                }
                None => thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::process::{Command, Stdio};

    use super::*;

    const WANTED: &str = "usr/lib/debug/boot/vmlinux-6.1";

    fn content() -> Vec<u8> {
        (1..30_000u32).flat_map(|i| (i.wrapping_mul(0x9e37_79b9) >> 7).to_le_bytes()).collect()
    }

    fn tar() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, bytes).unwrap();
        };
        add("./usr/share/doc/readme", b"first");
        add(&format!("./{WANTED}"), &content());
        add("./usr/lib/debug/lib/modules/a.ko", &[7; 70_000]);
        builder.into_inner().unwrap()
    }

    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = b"!<arch>\n".to_vec();
        for (name, bytes) in members {
            writeln!(out, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", bytes.len()).unwrap();
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(2), b'\n');
        }
        out
    }

    fn package(method: &str, data: &[u8]) -> Vec<u8> {
        ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (&format!("data.tar{method}"), data)])
    }

    fn xz() -> Vec<u8> {
        let mut writer =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        writer.write_all(&tar()).unwrap();
        writer.finish().unwrap()
    }

    fn taken(package: &[u8], path: &str) -> Result<Option<Vec<u8>>> {
        let mut out = tempfile::tempfile()?;
        let found = extract(package, &["nowhere".to_owned(), path.to_owned()], &mut out, |_, _| {})?;
        let Some(found) = found else { return Ok(None) };
        assert_eq!(found, path);
        let mut bytes = Vec::new();
        out.rewind()?;
        out.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    #[test]
    fn a_file_comes_out_whatever_the_compression() {
        let zstd = ruzstd::encoding::compress_to_vec(&tar()[..], ruzstd::encoding::CompressionLevel::Fastest);
        for (method, data) in [("", tar()), (".xz", xz()), (".zst", zstd)] {
            let package = package(method, &data);
            assert!(taken(&package, WANTED).unwrap().unwrap() == content(), "{method}");
            assert!(taken(&package, "usr/lib/debug").unwrap().is_none(), "{method}");
        }
    }

    #[test]
    fn a_package_that_is_cut_gives_the_file_whole_or_an_error() {
        let package = package("", &tar());
        let at = package.windows(4).position(|w| w == &content()[..4]).unwrap();
        // Behind the file's last byte nothing of the package is needed.
        let end = at + content().len();
        assert!(taken(&package[..end], WANTED).unwrap().unwrap() == content());
        for cut in [0, 7, 20, 67, 80, at - 600, at - 3, at, at + 4000, end - 1] {
            assert!(taken(&package[..cut], WANTED).is_err(), "cut at {cut} of {end}");
        }
        let mut damaged = package.clone();
        damaged[66] = b'x';
        assert!(format!("{:#}", taken(&damaged, WANTED).unwrap_err()).contains("damaged"));
        assert!(format!("{:#}", taken(b"<html>404</html>", WANTED).unwrap_err()).contains("not a Debian"));
    }

    #[test]
    fn a_changed_byte_of_xz_is_seen() {
        let mut packed = xz();
        let at = packed.len() / 2;
        packed[at] ^= 4;
        assert!(taken(&package(".xz", &packed), "usr/nowhere").is_err());
    }

    fn shell(script: &str, folder: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn part(folder: &Path) -> Option<PathBuf> {
        Some(folder.join("part")).filter(|path| path.is_file())
    }

    #[test]
    fn a_growing_file_is_read_to_where_its_writer_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 0.1; printf one >part; sleep 0.1; printf two >>part";
        let mut growing = Growing::new(shell(script, folder.path()), folder.path(), part);
        let mut text = String::new();
        growing.read_to_string(&mut text).unwrap();
        assert_eq!(text, "onetwo");
        assert!(growing.end().unwrap());
    }

    #[test]
    fn a_writer_that_fails_is_an_error_and_one_that_goes_on_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let script = "printf one >part; echo 'E: no route' >&2; exit 100";
        let mut growing = Growing::new(shell(script, folder.path()), folder.path(), part);
        let error = growing.read_to_end(&mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("no route"), "{error}");
        let mut growing =
            Growing::new(shell("printf more >part; exec sleep 60", folder.path()), folder.path(), part);
        growing.read_exact(&mut [0]).unwrap();
        assert!(!growing.end().unwrap(), "nobody says that it is whole");
    }
}
