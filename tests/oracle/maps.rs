//! Maps as libbpf creates and fills them, held against what our loader asks of a kernel for the same object: type, sizes, flags, name,
//! whether key and value have types, what maps of maps and of programs hold, first contents of variables.
//!
//! Two things differ by intent: libbpf maps global variables into its memory and asks for that (`BPF_F_MMAPABLE`), and it fills a map of maps
//! as soon as it is created, ours when all maps are. Entries and value sizes that an object leaves to its tool count where the object
//! says them.

use super::calls::{Call, Event, command, map, prog, update};
use anyhow::{Context, Result, ensure};
use corelet_core::object::{Object, sec_name};
use corelet_core::pack::{Holds, InnerMap, Map as Record, MapValue, Program, Records, section};
use corelet_host_tools::manifest::{self, Manifest};
use corelet_host_tools::pack::{Input, Section, object_sections};
use corelet_host_tools::relocate::type_count;
use corelet_loader::maps::spec;
use corelet_loader::object::kernel_name;
use corelet_loader::sys::{Fd, MapSpec};
use std::collections::{BTreeMap, BTreeSet};

/// An object with a map of each type that tracing programs use; `tests/maps/maps.bpf.c` is its source.
pub const EVERY_TYPE: &[u8] = include_bytes!("../maps/maps.bpf.o");

/// `BPF_F_MMAPABLE`
const MMAPABLE: u32 = 1 << 10;
/// The name that libbpf gives an object, of its file's.
const NAME: &str = "object";
/// What stands for the sizes that an object does not say.
const ANY: u32 = 8;

/// What a comparison came to.
#[derive(Debug, Default)]
pub struct Compared {
    /// Maps, those in maps of maps too.
    pub maps: usize,
    /// Values that maps hold from the start, and sections of variables.
    pub contents: usize,
    /// What differs.
    pub differences: Vec<String>,
}

impl Compared {
    pub(super) fn add(&mut self, other: Compared) {
        self.maps += other.maps;
        self.contents += other.contents;
        self.differences.extend(other.differences);
    }
}

/// Holds the maps that libbpf created and filled by `events` against ours.
///
/// # Errors
/// The object cannot be packed.
pub fn compare(object: &[u8], events: &[Event]) -> Result<Compared> {
    let (manifest, open) = completed(object)?;
    let input = Input { name: NAME.to_owned(), bytes: object.to_vec(), manifest };
    let sections = object_sections(&input)?;
    let maps: Vec<Record<'_>> = records(&sections, section::MAPS)?;
    let inner: Vec<InnerMap<'_>> = records(&sections, section::INNER_MAPS)?;
    let mut out = Compared::default();
    let mut created = events.iter().filter_map(|e| match e {
        Event::Call(call) if call.command == command::MAP_CREATE => Some(call),
        _ => None,
    });
    let cpus = corelet_loader::number::cpus(&std::fs::read("/sys/devices/system/cpu/possible")?);
    let machine = (cpus.context("number of CPUs")?, 4096);
    let mut fds = BTreeMap::new();
    for (number, record) in (0u16..).zip(&maps) {
        let pattern = inner.iter().find(|i| i.map == number);
        if let Some(pattern) = pattern {
            let mut wanted = spec(NAME, &pattern.def, machine, Some(Fd(1)));
            wanted.name = kernel_name(record.name, ".inner");
            let call = created.next().context("libbpf creates fewer maps")?;
            out.map(&format!("{}.inner", record.name), call, &wanted, false, true);
        }
        let mut wanted = spec(NAME, record, machine, Some(Fd(1)));
        wanted.inner = pattern.map(|_| Fd(1));
        let call = created.next().context("libbpf creates fewer maps")?;
        out.map(record.name, call, &wanted, wanted.inner.is_some(), !open.contains(record.name));
        fds.insert(call.result, number);
    }
    ensure!(created.next().is_none(), "libbpf creates more than {} maps", out.maps);
    out.contents(&sections, &maps, events, fds)?;
    Ok(out)
}

impl Compared {
    fn map(&mut self, name: &str, call: &Call, wanted: &MapSpec, holds_maps: bool, sized: bool) {
        self.maps += 1;
        let typed = |ty: u32| u32::from(wanted.btf.is_some() && ty != 0);
        let rows = [
            ("type", map::TYPE, wanted.map_type),
            ("key size", map::KEY_SIZE, wanted.key_size),
            ("value size", map::VALUE_SIZE, wanted.value_size),
            ("max_entries", map::MAX_ENTRIES, wanted.max_entries),
            ("flags", map::FLAGS, wanted.map_flags | call.u32(map::FLAGS) & MMAPABLE),
            ("map_extra", map::EXTRA, wanted.map_extra as u32),
        ];
        for (what, at, ours) in rows {
            let open = !sized && matches!(what, "value size" | "max_entries");
            if call.u32(at) != ours && !open {
                self.differences.push(format!("map {name}: {what}: libbpf {}, ours {ours}", call.u32(at)));
            }
        }
        for (what, at, ours) in [
            ("a type for keys", map::KEY_TYPE, typed(wanted.key_type)),
            ("a type for values", map::VALUE_TYPE, typed(wanted.value_type)),
            ("a map such as are in it", map::INNER, u32::from(holds_maps)),
        ] {
            if u32::from(call.u32(at) != 0) != ours {
                self.differences.push(format!("map {name}: {what}: libbpf {}, ours {ours}", call.u32(at)));
            }
        }
        if call.attr.get(map::NAME..map::NAME + 16) != Some(&wanted.name[..]) {
            let ours = String::from_utf8_lossy(&wanted.name);
            self.differences.push(format!("map {name}: the kernel's name of it is not {ours}"));
        }
    }

    /// `fds` has the numbers of the created maps.
    fn contents(
        &mut self,
        sections: &[Section],
        maps: &[Record<'_>],
        events: &[Event],
        mut fds: BTreeMap<i32, u16>,
    ) -> Result<()> {
        let programs: Vec<Program<'_>> = records(sections, section::PROGRAMS)?;
        let mut loaded = BTreeMap::new();
        let mut theirs = BTreeSet::new();
        for event in events {
            match event {
                Event::Dup { from, to } => {
                    if let Some(&number) = fds.get(from) {
                        fds.insert(*to, number);
                    }
                }
                Event::Call(call) if call.command == command::PROG_LOAD => {
                    let name = call.attr.get(prog::NAME..prog::NAME + 16).unwrap_or_default();
                    let number = programs.iter().position(|p| kernel_name("", p.name) == name);
                    loaded.insert(call.result, number.context("a program of another name")?);
                }
                Event::Call(call) if call.command == command::MAP_UPDATE_ELEM => {
                    let number = *fds.get(&(call.u32(update::MAP) as i32)).context("an update of no map")?;
                    let (key, value) = (call.memory(update::KEY), call.memory(update::VALUE));
                    let word = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes);
                    let key = word(key).context("a key of another size")?;
                    let record = &maps[usize::from(number)];
                    if !record.role.is_declared() {
                        self.variables(sections, record, value);
                        continue;
                    }
                    let held = word(value).context("a value of another size")? as i32;
                    let holds = match (fds.get(&held), loaded.get(&held)) {
                        (_, Some(&program)) if record.map_type == 3 => {
                            Holds::Program { program: program as u16 }
                        }
                        (Some(&map), _) => Holds::Map { map },
                        _ => anyhow::bail!("map {}: holds what is no map or program", record.name),
                    };
                    theirs.insert(format!("{:?}", MapValue { map: number, key, holds }));
                }
                Event::Call(_) => {}
            }
        }
        let ours: Vec<MapValue> = records(sections, section::MAP_VALUES)?;
        let ours: BTreeSet<String> = ours.iter().map(|v| format!("{v:?}")).collect();
        self.contents += ours.len();
        for value in ours.symmetric_difference(&theirs) {
            self.differences.push(format!("only one of libbpf and ours has {value}"));
        }
        Ok(())
    }

    /// First contents of variables; those of `.kconfig` are the target's.
    fn variables(&mut self, sections: &[Section], record: &Record<'_>, value: &[u8]) {
        if record.role == corelet_core::pack::MapRole::Kconfig {
            return;
        }
        self.contents += 1;
        let data = sections.iter().find(|s| s.id == section::DATA).map_or(&[][..], |s| &s.bytes);
        let (at, len) = (record.data_off as usize, record.data_len as usize);
        let mut ours = data.get(at..at + len).unwrap_or_default().to_vec();
        ours.resize(record.value_size as usize, 0);
        if ours != value {
            self.differences.push(format!("map {}: other first contents", record.name));
        }
    }
}

fn records<'s, T: corelet_core::pack::Wire<'s>>(sections: &'s [Section], id: u16) -> Result<Vec<T>> {
    let bytes = sections.iter().find(|s| s.id == id).map_or(&[][..], |s| &s.bytes);
    Ok(Records::new(bytes, id).collect::<Result<_, _>>()?)
}

/// A manifest that says the sizes which the object leaves open, and the names of those maps.
fn completed(object: &[u8]) -> Result<(Manifest, BTreeSet<String>)> {
    let mut index = vec![0; type_count(object)?];
    let object = Object::parse(object, &mut index)?;
    let (mut manifest, mut open) = (Manifest::default(), BTreeSet::new());
    for m in object.maps() {
        let m = m?;
        let mut said = manifest::Map::default();
        // of stack traces and what has no keys the size is the kernel's question
        if m.spec.max_entries == 0 && !matches!(m.spec.map_type, 4 | 19 | 21 | 24 | 28 | 29 | 32) {
            said.max_entries = Some(ANY);
        }
        if m.spec.value_size == 0 && m.spec.map_type == 7 {
            said.value_size = Some(ANY);
        }
        if said != manifest::Map::default() {
            open.insert(m.name.to_owned());
            manifest.maps.insert(m.name.to_owned(), said);
        }
    }
    for f in object.functions().filter(|f| f.entry && sec_name::parse(f.section_name).is_err()) {
        // of a kind that is known, to something that its own loader would say
        let kind = f.section_name.split('/').next().unwrap_or_default();
        let attach = vec![format!("{kind}//any/file:function")];
        manifest
            .programs
            .insert(f.name.to_owned(), manifest::Program { attach, ..manifest::Program::default() });
    }
    Ok((manifest, open))
}
