//! A kernel and its configuration among other files: in packages, in a folder, in the image of a file system.
//!
//! `pick` knows the names that they have. Packages are read from front to back and no further than needed.

mod deb;
mod ext4;
mod folder;
mod pick;
mod rpm;
mod squashfs;

pub use folder::modules;
pub(super) use folder::read as folder;

use super::config::MAX_CONFIG;
use anyhow::{Context as _, Result};

/// What there is of a kernel.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Path and bytes of the kernel.
    pub(super) kernel: Option<(String, Vec<u8>)>,
    /// Path and text of the configuration.
    pub(super) config: Option<(String, String)>,
}

impl Found {
    /// Reads the kernel, of at most `limit` bytes, and the configuration at these paths by `read`, which gets a path and its limit.
    fn at(
        [kernel, config]: [Option<&String>; 2],
        limit: usize,
        read: impl Fn(&str, usize) -> Result<Vec<u8>>,
    ) -> Result<Found> {
        let mut found = Found::default();
        if let Some(path) = kernel {
            found.kernel = Some((path.clone(), read(path, limit)?));
        }
        if let Some(path) = config {
            let text =
                String::from_utf8(read(path, MAX_CONFIG)?).with_context(|| format!("{path}: not text"))?;
            found.config = Some((path.clone(), text));
        }
        Ok(found)
    }
}

/// What holds files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Deb,
    Ipk,
    Rpm,
    Ext4,
    Squashfs,
}

/// What `bytes` are, if they are a package or a file system.
pub(super) fn detect(bytes: &[u8]) -> Option<Holder> {
    if deb::is_deb(bytes) {
        Some(Holder::Deb)
    } else if rpm::is_rpm(bytes) {
        Some(Holder::Rpm)
    } else if deb::is_ipk(bytes) {
        Some(Holder::Ipk)
    } else if ext4::is_ext4(bytes) {
        Some(Holder::Ext4)
    } else if squashfs::is_squashfs(bytes) {
        Some(Holder::Squashfs)
    } else {
        None
    }
}

impl Holder {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Holder::Deb => "Debian package",
            Holder::Ipk => "opkg package",
            Holder::Rpm => "RPM package",
            Holder::Ext4 => "ext4 file system",
            Holder::Squashfs => "squashfs",
        }
    }

    /// Where else a kernel may be, for one in which there is none.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Holder::Deb => {
                "; since 6.19 the image is in linux-binary-*, types and debug information in a -dbg package"
            }
            Holder::Ipk => "; of OpenWrt the kernel is in the firmware's image or in the build tree",
            Holder::Rpm => {
                "; the image is in kernel-core or kernel-default, vmlinux with debug information in kernel-debuginfo"
            }
            Holder::Ext4 | Holder::Squashfs => {
                "; it is looked for in /boot and /lib/modules/RELEASE, and may be in a partition of its own"
            }
        }
    }

    /// Takes kernel and configuration out; a kernel of more than `limit` bytes is refused.
    ///
    /// # Errors
    /// It is damaged or cut; a file system with kernels of several releases.
    pub(super) fn read(self, bytes: &[u8], limit: usize) -> Result<Found> {
        match self {
            Holder::Deb => deb::read(bytes, limit),
            Holder::Ipk => deb::read_ipk(bytes, limit),
            Holder::Rpm => rpm::read(bytes, limit),
            Holder::Ext4 => ext4::read(bytes, limit),
            Holder::Squashfs => squashfs::read(bytes, limit),
        }
    }
}
