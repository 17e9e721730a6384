//! The list of objects that are held against libbpf, `list.toml`: fetched, each once, with what their tools set before loading.

use anyhow::{Context, Result};
use corelet_boards::debian::Debian;
use corelet_boards::{Progress, Source};
use corelet_core::object::{Object, sec_name};
use corelet_host_tools::relocate::type_count;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::oracle::in_folder;

const TEXT: &str = include_str!("list.toml");

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    suites: Vec<String>,
    packages: BTreeMap<String, Settings>,
    /// What need not load, by [`Listed::name`], and why.
    pub excepted: BTreeMap<String, String>,
}

/// Our own, of kinds that no package has: one without types, struct_ops, places, maps of the UAPI.
const OWN: &[(&str, &[u8])] = &[
    ("untyped", include_bytes!("untyped.bpf.o")),
    ("congestion", include_bytes!("../attach/congestion.bpf.o")),
    ("maps", include_bytes!("../maps/maps.bpf.o")),
    ("net", include_bytes!("../net/net.bpf.o")),
    ("places", include_bytes!("../attach/places.bpf.o")),
    ("stores", include_bytes!("../attach/stores.bpf.o")),
];

/// What the tools of a package set before they load their objects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    maps: BTreeMap<String, u32>,
    inner: BTreeMap<String, Inner>,
    programs: BTreeMap<String, String>,
    disabled: Vec<String>,
    modules: Vec<String>,
}

/// What the maps in a map of maps are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    r#type: String,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// One object.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// PACKAGE/FILE, with a number behind it for the second and further ones in a file.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The object.
    pub bytes: Vec<u8>,
    /// The kernel's modules that it needs, where they are modules.
    pub modules: Vec<String>,
    /// The manifest that says what its tool sets, but for these.
    pub manifest: String,
    /// The same for libbpf's loader.
    pub words: Vec<String>,
    /// Names of the sections with programs.
    pub sections: BTreeSet<String>,
}

/// The list as it is written.
///
/// # Errors
/// It is not of its form.
pub fn list() -> Result<List> {
    toml::from_str(TEXT).context("tests/objects/list.toml")
}

impl List {
    /// All objects for `arch`.
    ///
    /// # Errors
    /// A package that cannot be had.
    pub fn fetch(&self, arch: &str, progress: &mut dyn Progress) -> Result<Vec<Listed>> {
        let debian = Debian::open()?;
        let mut listed = Vec::new();
        let mut known = BTreeSet::new();
        for (name, bytes) in OWN {
            let name = format!("corelet/{name}");
            listed.push(one(name, env!("CARGO_PKG_VERSION"), bytes.to_vec(), &Settings::default()));
        }
        for (package, settings) in &self.packages {
            let source = Source { suites: self.suites.clone(), package: package.clone() };
            let found = debian.find(arch, &source, progress)?;
            let mut objects = Vec::new();
            in_folder(&debian.unpack(&found, progress)?, &mut objects)?;
            objects.sort();
            for (file, bytes) in objects {
                if known.insert(bytes.clone()) {
                    listed.push(one(format!("{package}/{file}"), &found.version, bytes, settings));
                }
            }
        }
        Ok(listed)
    }
}

/// An object with what of the settings it has a place for. Of one that cannot be read nothing is known but that.
fn one(name: String, version: &str, bytes: Vec<u8>, settings: &Settings) -> Listed {
    let mut listed = Listed { name, version: version.to_owned(), bytes, ..Listed::default() };
    listed.modules.clone_from(&settings.modules);
    let mut index = type_count(&listed.bytes).map(|count| vec![0; count]).unwrap_or_default();
    let Ok(object) = Object::parse(&listed.bytes, &mut index) else { return listed };
    let maps: BTreeSet<&str> = object.maps().filter_map(|map| Some(map.ok()?.name)).collect();
    let programs: BTreeMap<&str, &str> =
        object.functions().filter(|f| f.entry).map(|f| (f.name, f.section_name)).collect();
    listed.sections = programs.values().map(|&name| name.to_owned()).collect();
    let (text, words) = (&mut listed.manifest, &mut listed.words);
    for map in maps {
        let (entries, inner) = (settings.maps.get(map), settings.inner.get(map));
        if entries.is_some() || inner.is_some() {
            let _ = writeln!(text, "[maps.{map}]");
        }
        if let Some(entries) = entries {
            let _ = writeln!(text, "max_entries = {entries}");
            words.push(format!("{map}={entries}"));
        }
        if let Some(Inner { r#type, key_size, value_size, max_entries }) = inner {
            let _ = writeln!(
                text,
                "inner = {{ type = \"{type}\", key_size = {key_size}, value_size = {value_size}, max_entries = {max_entries} }}"
            );
            let number = corelet_host_tools::inspect::map_type::number(r#type).unwrap_or(0);
            words.push(format!("{map}@{number},{key_size},{value_size},{max_entries}"));
        }
    }
    for (program, section) in programs {
        if settings.disabled.iter().any(|name| name == program) {
            let _ = writeln!(text, "[programs.{program}]\ndisabled = true");
            words.push(format!("-{program}"));
        } else if let Some(kind) = settings.programs.get(program)
            && sec_name::parse(section).is_err()
        {
            let kind = match (kind.strip_prefix('/'), section.split_once('/')) {
                (Some(place), Some((own, _))) => format!("{own}/{place}"),
                _ => kind.clone(),
            };
            let _ = writeln!(text, "[programs.{program}]\nattach = \"{kind}\"");
            words.push(format!("{program}:{kind}"));
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::pack::{Map, Records, section};
    use corelet_host_tools::manifest::Manifest;
    use corelet_host_tools::pack::{Input, object_sections};

    #[test]
    fn the_list_can_be_read_and_gives_reasons() {
        let list = list().unwrap();
        assert!(list.packages.len() > 20);
        assert!(list.excepted.values().all(|why| !why.is_empty()));
        for inner in list.packages.values().flat_map(|settings| settings.inner.values()) {
            assert!(corelet_host_tools::inspect::map_type::number(&inner.r#type).is_some());
        }
    }

    #[test]
    fn an_object_without_types_has_programs_and_variables() {
        let bytes = OWN[0].1;
        let mut index = vec![0; type_count(bytes).unwrap()];
        assert!(index.is_empty());
        let object = Object::parse(bytes, &mut index).unwrap();
        let sections = object.data_sections().map(|s| s.unwrap());
        assert_eq!(
            sections.map(|s| (s.name, s.size, s.ty)).collect::<Vec<_>>(),
            [(".rodata", 4, None), (".bss", 4, None)]
        );
        let references: Vec<_> = object.references().collect::<Result<_, _>>().unwrap();
        assert_eq!(references.len(), 3, "{references:?}");
        let listed = one("corelet/untyped".to_owned(), "1", bytes.to_vec(), &Settings::default());
        let built =
            object_sections(&Input { name: listed.name, bytes: listed.bytes, manifest: Manifest::default() });
        let built = built.unwrap();
        let find = |id| &built.iter().find(|s| s.id == id).unwrap().bytes[..];
        let maps = Records::<Map<'_>>::new(find(section::MAPS), section::MAPS).map(|m| m.unwrap());
        let none = corelet_core::TypeId::VOID;
        assert!(maps.map(|m| (m.value_size, m.key_type, m.value_type)).all(|m| m == (4, none, none)));
        assert_eq!(find(section::DATA), [60]);
    }
}
