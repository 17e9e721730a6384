//! Targets as files of their own, named as the device looks for them: `DIGEST/BUILDID.target`, the digest of the object and the
//! kernel's build id in hexadecimal. A kernel's package installs the folder as `/lib/corelet`, or where `--targets` says.

use super::write::{Section, container};
use crate::exit::Failure;
use anyhow::Result;
use corelet_core::pack::{Records, Target, section};
use std::fmt::Write;
use std::path::PathBuf;

/// Each target of `sections` as a file of its own: its path in the folder, and its bytes, which do not depend on what other
/// targets there are.
///
/// # Errors
/// A kernel without a build id: nothing could find its target again.
pub fn target_files(sections: &[Section]) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let targets = sections.iter().filter(|s| s.id == section::TARGET);
    targets
        .map(|found| {
            let target: Target<'_> = Records::new(&found.bytes, section::TARGET).at(0)?;
            if target.build_id.is_empty() {
                return Err(Failure::usage(format!(
                    "the kernel {} has no build id that its target could be found by: give the image that boots, or add \
                     ,build-id=HEX behind the file",
                    target.release
                )));
            }
            let of_it = sections.iter().filter(|s| section::of_target(s.id) && s.owner == found.owner);
            let alone: Vec<Section> = of_it.map(|s| Section { owner: 0, ..s.clone() }).collect();
            let name = format!("{}/{}.target", hex(&target.object), hex(target.build_id));
            Ok((PathBuf::from(name), container(&alone)?))
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}
