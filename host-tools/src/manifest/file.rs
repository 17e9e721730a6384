//! The form of a manifest's file, and the checks that its parts make sense together.

use super::{
    Alternatives, DeviceValue, EventType, Hint, Inner, Labels, Manifest, Map, Names, Presence, Program,
    ResultFrom, ResultHow, ResultSpec, Unit, Value, Version, decl, perf::PerfTable,
};
use crate::inspect::map_type;
use anyhow::{Context, Result, bail, ensure};
use corelet_boards::modules::spelling;
use corelet_core::device::is_interface;
use corelet_core::object::sec_name;
use corelet_core::pack::Arch;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

/// `MODULE_NAME_LEN` of a 64-bit kernel without its NUL: `include/linux/moduleparam.h`.
const MAX_MODULE_NAME: usize = 55;
/// Digits of a 64-bit number.
const MAX_DECIMALS: u8 = 19;
/// Pages of one CPU's perf buffer: 16 MiB with pages of 4 KiB, far above sense, and a `u16` still.
const MAX_PERF_PAGES: u16 = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    object: ObjectTable,
    #[serde(default)]
    maps: BTreeMap<String, Spanned<MapTable>>,
    #[serde(default)]
    alternatives: Vec<Spanned<AlternativesTable>>,
    #[serde(default)]
    programs: BTreeMap<String, Spanned<ProgramTable>>,
    #[serde(default)]
    variables: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    options: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    results: Vec<Spanned<ResultTable>>,
    #[serde(default)]
    hints: BTreeMap<Spanned<String>, BTreeMap<String, Hint>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectTable {
    spdx: Option<String>,
    description: Option<String>,
    #[serde(default)]
    modules: Vec<Spanned<String>>,
    arch: Option<Spanned<String>>,
    #[serde(default)]
    varying: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapTable {
    event: Option<Spanned<String>>,
    event_decl: Option<Spanned<Versions>>,
    max_entries: Option<u32>,
    value_size: Option<u32>,
    perf_pages: Option<Spanned<u16>>,
    #[serde(default)]
    values: Vec<Spanned<DeviceValue>>,
    inner: Option<Spanned<Inner>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(self) -> Vec<String> {
        match self {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a declaration, or a list of declarations")]
enum Versions {
    One(VersionText),
    Many(Vec<VersionText>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a declaration, alone or as `{ program = \"NAME\", decl = \"...\" }`")]
enum VersionText {
    Of { program: String, decl: String },
    Any(String),
}

impl Versions {
    fn parse(self) -> Result<Vec<Version>> {
        let texts = match self {
            Versions::One(text) => vec![text],
            Versions::Many(texts) => texts,
        };
        let parsed = texts.into_iter().map(|text| {
            let (program, text) = match text {
                VersionText::Of { program, decl } => (Some(program), decl),
                VersionText::Any(text) => (None, text),
            };
            Ok(Version { decl: decl::parse(&text)?, program })
        });
        parsed.collect::<Result<Vec<_>>>().and_then(versions_differ)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlternativesTable {
    sets: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramTable {
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    disabled: bool,
    attach: Option<Spanned<OneOrMany>>,
    place: Option<Spanned<OneOrMany>>,
    perf: Option<Spanned<PerfTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultTable {
    name: String,
    map: Option<String>,
    variable: Option<String>,
    how: How,
    slots: Option<String>,
    base: Option<u32>,
    step: Option<u32>,
    labels: Option<Names>,
    unit: Option<Unit>,
    key: Option<Hint>,
    value: Option<Hint>,
    sort: Option<String>,
    rows: Option<u16>,
    #[serde(default)]
    clear: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Entries,
    Log2,
    Linear,
    Counters,
}

pub(super) fn parse(name: &str, text: &str) -> Result<Manifest> {
    let place = |span: Range<usize>| {
        let line = text.get(..span.start).unwrap_or("").matches('\n').count();
        format!("{name}:{}: `{}`", line + 1, text.lines().nth(line).unwrap_or("").trim())
    };
    let file: File = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or_else(|| name.to_string(), place);
        anyhow::anyhow!("{at}: {}", e.message().trim().replace('\n', "; "))
    })?;
    file.check().map_err(|fault| fault.why.context(place(fault.span)))
}

/// What is wrong, and where.
struct Fault {
    span: Range<usize>,
    why: anyhow::Error,
}

trait At<T> {
    fn at(self, span: Range<usize>) -> Result<T, Fault>;
}

impl<T> At<T> for Result<T> {
    fn at(self, span: Range<usize>) -> Result<T, Fault> {
        self.map_err(|why| Fault { span, why })
    }
}

impl File {
    fn check(self) -> Result<Manifest, Fault> {
        let mut manifest =
            Manifest { spdx: self.object.spdx, description: self.object.description, ..Manifest::default() };
        for name in self.object.modules {
            let span = name.span();
            let name = module_name(name.get_ref()).at(span.clone())?;
            let twice = manifest.modules.contains(&name);
            (!twice).then_some(()).with_context(|| format!("the module {name} is named twice")).at(span)?;
            manifest.modules.push(name);
        }
        if let Some(name) = self.object.arch {
            manifest.arch = Some(arch(name.get_ref()).at(name.span())?);
        }
        let mut grouped = BTreeSet::new();
        for table in self.alternatives {
            let span = table.span();
            manifest.alternatives.push(table.into_inner().check(&mut grouped).at(span)?);
        }
        for (name, table) in self.programs {
            let span = table.span();
            let program = table.into_inner().check(span, grouped.contains(&name))?;
            manifest.programs.insert(name, program);
        }
        for (name, table) in self.maps {
            manifest.maps.insert(name, table.into_inner().check()?);
        }
        for (name, value) in self.variables {
            let span = value.span();
            manifest.variables.insert(name, scalar(value.into_inner()).at(span)?);
        }
        for (name, variable) in self.options {
            let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            let sound = !name.get_ref().is_empty() && name.get_ref().bytes().all(word);
            let why = "an option's name is letters, digits, `-` and `_`, without the dashes in front";
            sound.then_some(()).context(why).at(name.span())?;
            manifest.options.insert(name.into_inner(), variable);
        }
        for table in self.results {
            let span = table.span();
            manifest.results.push(table.into_inner().check().at(span)?);
        }
        for (of, members) in self.hints {
            let span = of.span();
            members.values().try_for_each(names_fit).at(span.clone())?;
            let known = tagged(of.get_ref(), &["struct ", "union "]).at(span.clone())?.to_string();
            for declared in manifest.maps.values().filter_map(|m| match &m.event {
                Some(EventType::Declared(all))
                    if all.iter().any(|v| v.decl.name.as_deref() == Some(&known)) =>
                {
                    Some(all)
                }
                _ => None,
            }) {
                hints_fit(declared, &members).at(span.clone())?;
            }
            manifest.hints.insert(of.into_inner(), members);
        }
        for name in self.object.varying {
            let said = says_something_of(&manifest, name.get_ref());
            said.then_some(())
                .with_context(|| format!("`{}`: the manifest says nothing else of it", name.get_ref()))
                .at(name.span())?;
            manifest.varying.insert(name.into_inner());
        }
        Ok(manifest)
    }
}

/// An architecture by the kernel's word, which of AArch64 has two.
fn arch(name: &str) -> Result<Arch> {
    let all = [Arch::X86_64, Arch::Aarch64, Arch::Arm, Arch::Riscv64];
    let found = all.into_iter().find(|arch| arch.name() == name);
    found
        .or((name == "arm64").then_some(Arch::Aarch64))
        .context("an architecture is x86_64, aarch64, arm or riscv64")
}

/// Whether a program, map or variable of this name is in the manifest.
fn says_something_of(manifest: &Manifest, name: &String) -> bool {
    let mut results = manifest.results.iter().map(|r| match &r.from {
        ResultFrom::Map(from) | ResultFrom::Variable(from) => from,
    });
    let mut grouped = manifest.alternatives.iter().flat_map(|group| group.sets.iter().flatten());
    manifest.programs.contains_key(name)
        || manifest.maps.contains_key(name)
        || manifest.variables.contains_key(name)
        || results.any(|from| from == name)
        || grouped.any(|program| program == name)
}

/// A module's name in the kernel's spelling.
fn module_name(name: &str) -> Result<String> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    ensure!(
        !name.is_empty() && name.len() <= MAX_MODULE_NAME && name.bytes().all(sound),
        "`{name}`: expected a module's name without folder and `.ko`, such as \"nf_conntrack\""
    );
    Ok(spelling(name))
}

/// The name behind one of `tags`.
fn tagged<'a>(name: &'a str, tags: &[&str]) -> Result<&'a str> {
    let rest = tags.iter().find_map(|tag| name.strip_prefix(tag)).filter(|rest| !rest.trim().is_empty());
    rest.with_context(|| format!("`{name}`: expected `{}NAME`, as in C", tags.join("NAME` or `")))
}

/// Whether the members that hints speak of are there, in one version at least.
fn hints_fit(versions: &[Version], hints: &BTreeMap<String, Hint>) -> Result<()> {
    for (member, hint) in hints {
        for name in [Some(member.as_str()), hint.refers_to()].into_iter().flatten() {
            ensure!(
                versions.iter().any(|event| event.decl.member(name).is_some()),
                "the declaration of the event has no member `{name}`"
            );
        }
    }
    Ok(())
}

/// Versions are told apart by their size, and by a program where that is the same.
fn versions_differ(versions: Vec<Version>) -> Result<Vec<Version>> {
    let marks: BTreeSet<_> = versions.iter().map(|v| (v.decl.size, &v.program)).collect();
    ensure!(!versions.is_empty(), "an empty list declares no event");
    ensure!(
        marks.len() == versions.len(),
        "two of the declarations have the same size, so no object could tell them apart: give one as `{{ program = \"NAME\", \
         decl = \"...\" }}`, with a program that only its version has"
    );
    Ok(versions)
}

impl MapTable {
    fn check(self) -> Result<Map, Fault> {
        let event = match (self.event, self.event_decl) {
            (Some(event), Some(_)) => {
                let why = anyhow::anyhow!(
                    "`event` names a type of the BTF, `event_decl` declares one: give one of them"
                );
                return Err(Fault { span: event.span(), why });
            }
            (Some(event), None) => {
                let name = tagged(event.get_ref(), &["struct "]).at(event.span())?;
                Some(EventType::Btf(name.to_string()))
            }
            (None, Some(texts)) => {
                let span = texts.span();
                Some(EventType::Declared(texts.into_inner().parse().at(span)?))
            }
            (None, None) => None,
        };
        if let Some(pages) = &self.perf_pages {
            let fits = pages.get_ref().is_power_of_two() && *pages.get_ref() <= MAX_PERF_PAGES;
            let why = || format!("`perf_pages` is a power of two up to {MAX_PERF_PAGES}");
            fits.then_some(()).with_context(why).at(pages.span())?;
        }
        let perf_pages = self.perf_pages.map(Spanned::into_inner);
        let mut values = Vec::new();
        for value in self.values {
            let span = value.span();
            values.push(device_value(value.into_inner()).at(span)?);
        }
        let inner = match self.inner {
            Some(inner) => {
                let name = &inner.get_ref().r#type;
                let known = map_type::number(name).map(drop);
                known
                    .with_context(|| format!("`{name}`: no type of map; such as \"hash\""))
                    .at(inner.span())?;
                Some(inner.into_inner())
            }
            None => None,
        };
        Ok(Map {
            event,
            max_entries: self.max_entries,
            value_size: self.value_size,
            perf_pages,
            values,
            inner,
        })
    }
}

impl AlternativesTable {
    /// `grouped` collects the programs of all groups.
    fn check(self, grouped: &mut BTreeSet<String>) -> Result<Alternatives> {
        ensure!(self.sets.len() > 1, "`sets` is a list of two or more lists of programs, the best first");
        for program in self.sets.iter().flatten() {
            ensure!(grouped.insert(program.clone()), "`{program}` is in two sets");
        }
        ensure!(self.sets.iter().all(|set| !set.is_empty()), "a set without programs");
        Ok(Alternatives { sets: self.sets })
    }
}

impl ProgramTable {
    fn check(self, span: Range<usize>, grouped: bool) -> Result<Program, Fault> {
        let presence = presence(self.optional, self.disabled, grouped).at(span)?;
        if let (Some(_), Some(perf)) = (&self.attach, &self.perf) {
            let why = anyhow::anyhow!(
                "`attach` names what the program is attached to, `perf` a counter: give one of them"
            );
            return Err(Fault { span: perf.span(), why });
        }
        let mut program = Program::from(presence);
        if let Some(names) = self.attach {
            let span = names.span();
            program.attach = attachments(names.into_inner().all()).at(span)?;
        }
        if let Some(places) = self.place {
            let span = places.span();
            program.places = named(places.into_inner().all()).at(span)?;
        }
        if let Some(perf) = self.perf {
            let span = perf.span();
            program.perf = Some(perf.into_inner().check().at(span)?);
        }
        Ok(program)
    }
}

fn presence(optional: bool, disabled: bool, grouped: bool) -> Result<Presence> {
    Ok(match (optional, disabled) {
        (true, true) => bail!("`optional` or `disabled`, not both"),
        (_, true) if grouped => {
            bail!("a program of `alternatives` cannot be `disabled`: leave it out of its set")
        }
        (true, false) => Presence::Optional,
        (false, true) => Presence::Disabled,
        (false, false) => Presence::Needed,
    })
}

/// A value of a map of devices or CPUs: one of both, with a name that an interface can have.
fn device_value(value: DeviceValue) -> Result<DeviceValue> {
    ensure!(
        value.interface.is_some() != value.size.is_some(),
        "a value is an `interface` (of a map of devices) or a `size` (of a map of CPUs): give one of them"
    );
    if let Some(name) = &value.interface {
        ensure!(is_interface(name), "`{name}`: no name of an interface");
    }
    Ok(value)
}

/// SEC() names that say what a program is attached to.
fn attachments(names: Vec<String>) -> Result<Vec<String>> {
    ensure!(!names.is_empty(), "an empty list: leave `attach` out where the object's own SEC() stands");
    for (at, name) in names.iter().enumerate() {
        sec_name::parse(name).map_err(|e| anyhow::anyhow!("{e}"))?;
        ensure!(!names[..at].contains(name), "`{name}` is named twice");
    }
    Ok(names)
}

/// Places of a program.
fn named(places: Vec<String>) -> Result<Vec<String>> {
    ensure!(
        !places.is_empty(),
        "an empty list: leave `place` out where the device's command line says which"
    );
    for (at, name) in places.iter().enumerate() {
        ensure!(!name.is_empty(), "a place without a name");
        ensure!(!places[..at].contains(name), "`{name}` is named twice");
    }
    Ok(places)
}

fn scalar(value: toml::Value) -> Result<Value> {
    match value {
        toml::Value::Boolean(b) => Ok(Value::Bool(b)),
        toml::Value::Integer(i) => Ok(Value::Int(i)),
        other => bail!("a variable's value is a number, `true` or `false`; this is a {}", other.type_str()),
    }
}

impl ResultTable {
    fn check(self) -> Result<ResultSpec> {
        let from = match (self.map, self.variable) {
            (Some(map), None) => ResultFrom::Map(map),
            (None, Some(variable)) => ResultFrom::Variable(variable),
            _ => bail!("a result is in a `map` or in a `variable`: give one of them"),
        };
        let (log2, linear) = (self.how == How::Log2, self.how == How::Linear);
        let (hist, counters) = (log2 || linear, self.how == How::Counters);
        let only = |given: bool, allowed: bool, what: &str| {
            ensure!(!given || allowed, "{what}");
            Ok(())
        };
        only(self.slots.is_some(), hist, "`slots` is for `how = \"log2\"` and `\"linear\"`")?;
        only(self.unit.is_some(), hist, "`unit` is for `how = \"log2\"` and `\"linear\"`")?;
        only(
            self.step.is_some() || self.base.is_some(),
            linear,
            "`base` and `step` are for `how = \"linear\"`",
        )?;
        only(self.labels.is_some(), hist || counters, "`labels` is for counters and arrays of histograms")?;
        only(self.value.is_some(), !hist && !counters, "`value` is for `how = \"entries\"`")?;
        only(self.sort.is_some(), self.how == How::Entries, "`sort` is for `how = \"entries\"`")?;
        only(self.rows.is_some(), self.sort.is_some(), "`rows` goes with `sort`: which entries, otherwise?")?;
        let of_a_map = matches!(from, ResultFrom::Map(_));
        only(self.key.is_some() || self.sort.is_some(), of_a_map, "`key` and `sort` are for maps")?;
        for hint in [&self.key, &self.value].into_iter().flatten() {
            ensure!(hint.refers_to().is_none(), "there is no other member beside a number");
            names_fit(hint)?;
        }
        if let Some(Unit::ByVariable { names, .. }) = &self.unit {
            ensure!(!names.is_empty(), "`unit` needs a name for each value of the variable");
        }
        let units: Vec<&String> = match &self.unit {
            Some(Unit::Fixed(name)) => vec![name],
            Some(Unit::ByVariable { names, .. }) => names.iter().collect(),
            None => Vec::new(),
        };
        ensure!(units.iter().all(|u| !u.is_empty() && !u.contains(' ')), "a unit is one word");
        let labels = self.labels.map_or(Ok(Labels::Numbers), |names| {
            checked(&names)?;
            Ok::<_, anyhow::Error>(Labels::Named(names))
        })?;
        let step = self.step.unwrap_or(1);
        ensure!(step > 0, "`step` is 1 or more");
        let how = match self.how {
            How::Entries => ResultHow::Entries,
            How::Log2 => ResultHow::Hist { slots: self.slots, linear: None, labels },
            How::Linear => {
                ResultHow::Hist { slots: self.slots, linear: Some((self.base.unwrap_or(0), step)), labels }
            }
            How::Counters => ResultHow::Counters(labels),
        };
        Ok(ResultSpec {
            name: self.name,
            from,
            how,
            key: self.key,
            value: self.value,
            unit: self.unit,
            sort: self.sort,
            rows: self.rows.unwrap_or(0),
            clear: self.clear,
        })
    }
}

/// Whether the names of a hint can be meant.
fn names_fit(hint: &Hint) -> Result<()> {
    match hint {
        Hint::Flags(Names::List(names)) => {
            ensure!(names.len() <= 32, "`flags` names 32 bits at most");
            checked(&Names::List(names.clone()))
        }
        Hint::Names(names) | Hint::Flags(names) => checked(names),
        Hint::Decimals(digits) => {
            ensure!(*digits <= MAX_DECIMALS, "`decimals` is at most {MAX_DECIMALS}");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn checked(names: &Names) -> Result<()> {
    match names {
        Names::Enum(name) => tagged(name, &["enum "]).map(|_| ()),
        Names::List(names) => {
            ensure!(!names.is_empty(), "a list without names");
            Ok(())
        }
        Names::Values(values) => {
            ensure!(!values.is_empty(), "a table without names");
            let numbers: BTreeSet<&u32> = values.values().collect();
            ensure!(numbers.len() == values.len(), "two names have the same number");
            Ok(())
        }
    }
}
