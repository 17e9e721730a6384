//! A report on BTF: how it is laid out, and how many types of each kind it has.

use crate::btf::BadBtf;
use crate::kernel::Kernel;
use anyhow::{Context, Result};
use corelet_core::Endian;
use corelet_core::btf::{Btf, Header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// What is said of BTF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// What kind of report it is: `btf`.
    pub format: &'static str,
    /// How the types were reached in the file.
    pub found: String,
    /// Bytes of all of it.
    pub bytes: usize,
    /// Bytes of the header.
    pub header_bytes: u32,
    /// Bytes of the types.
    pub type_bytes: u32,
    /// Bytes of the strings.
    pub string_bytes: u32,
    /// Bytes of the layout section (kernel 7.1); 0 where there is none.
    pub layout_bytes: u32,
    /// `little` or `big`.
    pub endian: &'static str,
    /// Bytes of a pointer; none for split BTF, whose base knows.
    pub pointer_size: Option<u8>,
    /// Whether it continues the ids and strings of another BTF.
    pub split: bool,
    /// Number of types.
    pub types: usize,
    /// The same by kind, in libbpf's words; empty for split BTF without its base.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Release, version and build id of the kernel that it was found in.
    pub kernel: Option<KernelPart>,
}

/// The kernel around the types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelPart {
    /// `uname -r`.
    pub release: Option<String>,
    /// `uname -v`.
    pub version: Option<String>,
    /// Its build id in hexadecimal digits.
    pub build_id: Option<String>,
}

/// The word for a byte order.
pub(super) fn endian(e: Endian) -> &'static str {
    match e {
        Endian::Little => "little",
        Endian::Big => "big",
    }
}

impl Report {
    /// A report on `bytes`; `types` are what they hold, `None` for split BTF without its base.
    ///
    /// # Errors
    /// The header is malformed.
    pub fn new(found: String, bytes: &[u8], types: Option<&Btf<'_>>) -> Result<Report> {
        let header = Header::parse(bytes).map_err(|error| BadBtf { error, offset: None })?;
        let mut kinds = BTreeMap::new();
        for t in types.into_iter().flat_map(|b| b.own_types()) {
            *kinds.entry(t.kind().name()).or_default() += 1;
        }
        let split = types.is_none_or(|b| b.id_start() > 1);
        Ok(Report {
            schema: 1,
            format: "btf",
            found,
            bytes: bytes.len(),
            header_bytes: header.hdr_len,
            type_bytes: header.type_len,
            string_bytes: header.str_len,
            layout_bytes: header.layout_len,
            endian: endian(header.endian),
            pointer_size: types.map(|b| b.pointer_size()),
            split,
            types: Btf::count(bytes).map_err(|error| BadBtf { error, offset: None })?,
            kinds,
            kernel: None,
        })
    }

    /// The same with what `kernel` says of itself.
    pub fn with_kernel(mut self, kernel: &Kernel) -> Report {
        let i = kernel.identity();
        let part = KernelPart {
            release: i.release.clone(),
            version: i.version.clone(),
            build_id: i.build_id.as_ref().map(ToString::to_string),
        };
        let known = part.release.is_some() || part.version.is_some() || part.build_id.is_some();
        self.kernel = known.then_some(part);
        self
    }

    /// The report as text.
    ///
    /// # Errors
    /// Never but for a writer that fails.
    pub fn text(&self, name: &str) -> Result<String> {
        let mut out = String::new();
        self.write(&mut out, name).context("text")?;
        Ok(out)
    }

    fn write(&self, out: &mut String, name: &str) -> fmt::Result {
        writeln!(out, "{name}: {}, {} bytes, {} types", self.found, self.bytes, self.types)?;
        if let Some(k) = &self.kernel {
            for (what, value) in [("release", &k.release), ("version", &k.version), ("build id", &k.build_id)]
            {
                if let Some(value) = value {
                    writeln!(out, "  {what:<12} {value}")?;
                }
            }
        }
        writeln!(out, "  {:<12} {}-endian", "byte order", self.endian)?;
        if let Some(size) = self.pointer_size {
            writeln!(out, "  {:<12} {size} bytes", "pointers")?;
        }
        let base = match (self.split, self.kinds.is_empty()) {
            (false, _) => "none: this is a base",
            (true, false) => "given",
            (true, true) => "not given: its ids and names continue another BTF (--base FILE)",
        };
        writeln!(out, "  {:<12} {base}", "base")?;
        writeln!(
            out,
            "  {:<12} {} bytes of header, {} of types, {} of strings, {} of layout",
            "parts", self.header_bytes, self.type_bytes, self.string_bytes, self.layout_bytes
        )?;
        for (kind, count) in &self.kinds {
            writeln!(out, "  {kind:<12} {count}")?;
        }
        Ok(())
    }
}
