//! U-Boot's FIT (`.itb`): a flattened device tree whose node `/images` holds kernels, device trees and ramdisks, and whose
//! node `/configurations` says which of them start together.
//!
//! The kernel of the default configuration is taken, else the only one. Its data is a property, or lies behind the tree
//! (`mkimage -E`). Its hashes are compared where they are CRC-32 or SHA-256.
//!
//! Sources: `doc/usage/fit/source_file_format.rst` of U-Boot; the Devicetree Specification 0.4, chapter 5.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use corelet_core::Endian;
use corelet_core::pack::crc32;
use sha2::{Digest, Sha256};

use super::bytes::ReadAt;
use super::container::{Span, Wrapper};
use super::decompress::Format;
use super::identity::Arch;

const MAGIC: u32 = 0xd00d_feed;
/// Nodes inside one another: `/images/kernel-1/hash-1` is three; more than this many are no FIT.
const MAX_DEPTH: usize = 8;
/// Properties of a tree: far more than any FIT has.
const MAX_PROPS: usize = 1 << 16;

/// Whether `bytes` begin as a flattened device tree does.
pub(super) fn is_fdt(bytes: &[u8]) -> bool {
    Endian::Big.u32_at(bytes, 0) == Some(MAGIC)
}

/// A tree: property values by the node's path and the property's name.
struct Tree<'a> {
    props: BTreeMap<(String, &'a str), &'a [u8]>,
    nodes: Vec<String>,
    /// Bytes of the tree itself, which external data counts from.
    len: usize,
}

/// Finds the kernel.
///
/// # Errors
/// A tree that is cut or no FIT, one without a kernel or with several and no default, data that its hash does not fit.
pub(super) fn wrapper(bytes: &[u8]) -> Result<Wrapper<'_>> {
    let tree = Tree::read(bytes)?;
    let node = tree.kernel()?;
    let (payload, at) = tree.data(bytes, &node)?;
    tree.check(&node, payload)?;
    let compression = match tree.text(&node, "compression") {
        None | Some("none") => None,
        Some("gzip") => Some(Format::Gzip),
        Some("bzip2") => Some(Format::Bzip2),
        Some("lzma") => Some(Format::Lzma),
        Some("lzo") => Some(Format::Lzo),
        Some("lz4") => {
            Some(Format::detect(payload).filter(|f| *f == Format::Lz4).unwrap_or(Format::Lz4Frame))
        }
        Some("zstd") => Some(Format::Zstd),
        Some(other) => bail!("FIT: {node} is compressed by {other:?}, which is not known here"),
    };
    let arch = match tree.text(&node, "arch") {
        Some("arm") => Some(Arch::Arm),
        Some("arm64") => Some(Arch::Aarch64),
        Some("mips") => Some(Arch::Mips),
        Some("mips64") => Some(Arch::Mips64),
        Some("x86") => Some(Arch::X86),
        Some("x86_64") => Some(Arch::X86_64),
        _ => None,
    };
    Ok(Wrapper { name: "FIT", payload, at, compression, arch })
}

impl<'a> Tree<'a> {
    fn read(bytes: &'a [u8]) -> Result<Tree<'a>> {
        let word = |at| Endian::Big.u32_at(bytes, at).map(|w| w as usize);
        let cut = || anyhow!("device tree: cut at {:#x}", bytes.len());
        let (len, structs, strings) =
            word(4).zip(word(8)).zip(word(12)).map(|((a, b), c)| (a, b, c)).ok_or_else(cut)?;
        let tree = bytes.get(..len).ok_or_else(cut)?;
        let strings = tree.get(strings..).ok_or_else(cut)?;
        let mut out = Tree { props: BTreeMap::new(), nodes: Vec::new(), len };
        // the length of the path of each node that is open
        let mut open: Vec<usize> = Vec::new();
        let mut path = String::new();
        let mut at = structs;
        loop {
            let token = Endian::Big.u32_at(tree, at).ok_or_else(cut)?;
            at += 4;
            match token {
                1 => {
                    let name = text(tree, at).ok_or_else(cut)?;
                    ensure!(
                        open.len() < MAX_DEPTH,
                        "device tree: nodes nest deeper than {MAX_DEPTH}: no FIT"
                    );
                    open.push(path.len());
                    if !name.is_empty() {
                        path.push('/');
                        path.push_str(name);
                    }
                    out.nodes.push(path.clone());
                    at = (at + name.len() + 1).next_multiple_of(4);
                }
                2 => path.truncate(open.pop().context("device tree: a node ends that did not begin")?),
                3 => {
                    let header = Endian::Big.u32_at(tree, at).zip(Endian::Big.u32_at(tree, at + 4));
                    let (len, name) = header.map(|(l, n)| (l as usize, n as usize)).ok_or_else(cut)?;
                    let name = text(strings, name).ok_or_else(cut)?;
                    let value = Span { at: at + 8, len }.of(tree, "device tree")?;
                    out.props.insert((path.clone(), name), value);
                    at = (at + 8 + len).next_multiple_of(4);
                }
                4 => {}
                9 => break,
                other => bail!("device tree: token {other:#x} at {:#x}: corrupt", at - 4),
            }
            ensure!(out.props.len() + out.nodes.len() < MAX_PROPS, "device tree: too large for a FIT");
        }
        Ok(out)
    }

    fn prop(&self, node: &str, name: &'a str) -> Option<&'a [u8]> {
        self.props.get(&(node.to_owned(), name)).copied()
    }

    /// A property's text, up to its first NUL.
    fn text(&self, node: &str, name: &'a str) -> Option<&'a str> {
        text(self.prop(node, name)?, 0)
    }

    fn number(&self, node: &str, name: &'a str) -> Option<usize> {
        Endian::Big.u32_at(self.prop(node, name)?, 0).map(|n| n as usize)
    }

    /// The path of the kernel's node.
    fn kernel(&self) -> Result<String> {
        ensure!(
            self.nodes.iter().any(|n| n == "/images"),
            "a device tree blob without /images: no FIT, so no kernel in it"
        );
        let is_kernel = |node: &str| {
            matches!(self.text(node, "type"), Some("kernel" | "kernel_noload"))
                || self.text(node, "type") == Some("standalone") && self.text(node, "os") == Some("linux")
        };
        let of_default = self.text("/configurations", "default").and_then(|name| {
            let config = format!("/configurations/{name}");
            Some(format!("/images/{}", self.text(&config, "kernel")?))
        });
        if let Some(node) = of_default {
            ensure!(
                self.nodes.contains(&node),
                "FIT: the default configuration names {node}, which is not there"
            );
            return Ok(node);
        }
        let of_images = |n: &&String| n.strip_prefix("/images/").is_some_and(|rest| !rest.contains('/'));
        let kernels: Vec<&String> = self.nodes.iter().filter(of_images).filter(|n| is_kernel(n)).collect();
        match kernels[..] {
            [one] => Ok(one.clone()),
            [] => bail!("FIT: no image of type kernel in it"),
            _ => {
                let names: Vec<&str> = kernels.iter().map(|n| n.as_str()).collect();
                bail!(
                    "FIT: holds {} kernels ({}) and no default configuration: take one out with `dumpimage -T flat_dt -p N`",
                    names.len(),
                    names.join(", ")
                )
            }
        }
    }

    /// The bytes of an image, and where they are.
    fn data(&self, bytes: &'a [u8], node: &str) -> Result<(&'a [u8], usize)> {
        if let Some(data) = self.prop(node, "data") {
            let at = data.as_ptr() as usize - bytes.as_ptr() as usize;
            return Ok((data, at));
        }
        let len = self.number(node, "data-size").with_context(|| format!("FIT: {node} has no data"))?;
        let behind = self.len.next_multiple_of(4);
        let at = match (self.number(node, "data-position"), self.number(node, "data-offset")) {
            (Some(position), _) => position,
            (None, Some(offset)) => behind + offset,
            (None, None) => bail!("FIT: {node} does not say where its data is"),
        };
        Ok((Span { at, len }.of(bytes, "FIT")?, at))
    }

    /// Compares the hashes that are known here.
    fn check(&self, node: &str, data: &[u8]) -> Result<()> {
        let inside = format!("{node}/hash");
        for hash in self.nodes.iter().filter(|n| n.starts_with(&inside)) {
            let Some(value) = self.prop(hash, "value") else { continue };
            let right = match self.text(hash, "algo") {
                Some("crc32") => value == crc32(data).to_be_bytes(),
                Some("sha256") => value == Sha256::digest(data).as_slice(),
                _ => true,
            };
            ensure!(right, "FIT: {hash} does not fit the data: corrupt");
        }
        Ok(())
    }
}

/// NUL-terminated text at `at`.
fn text(bytes: &[u8], at: usize) -> Option<&str> {
    let rest = bytes.get(at..)?;
    let end = memchr::memchr(0, rest)?;
    std::str::from_utf8(&rest[..end]).ok()
}
