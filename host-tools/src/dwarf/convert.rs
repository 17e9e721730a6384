//! The whole conversion: opens the file, lets threads go over the units, and has the result written.

use super::abbrev::Table;
use super::die::{Context as Cx, DieRef, Str};
use super::emit::{Counts, Emit};
use super::fault::Malformed;
use super::hash::{Hash, Hasher, Map};
use super::sections::{self, Section};
use super::shape::{self, Names, Shapes};
use super::split::Meanings;
use super::store::{Local, NodeId, Store, What};
use super::symbols::{PERCPU, Symbols};
use super::unit::{self, Unit, UnitKind};
use super::walk::{self, Func, Tables, Tag, Var};
use anyhow::{Context, Result, anyhow, bail};
use corelet_core::Endian;
use gimli::constants as dw;
use object::{Object, ObjectSection, ReadCache};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How to convert.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Threads; 0 is as many as the machine has cores.
    pub threads: usize,
}

/// What came out.
#[derive(Debug)]
pub struct Converted {
    /// The BTF.
    pub btf: Vec<u8>,
    /// What is in it.
    pub counts: Counts,
    /// Units of DWARF that were read.
    pub units: usize,
    /// Units that were left out, in their order.
    pub skipped: Vec<Skipped>,
}

/// A unit that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in `.debug_info`, in bytes.
    pub at: u64,
    /// The name that it gives itself: a source file.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Told how many units of how many are done.
pub type Progress<'p> = &'p (dyn Fn(usize, usize) + Sync);

/// What all threads read.
struct Input {
    endian: Endian,
    info: Section,
    abbrev: Vec<u8>,
    debug_str: Vec<u8>,
    line_str: Vec<u8>,
    str_offsets: Vec<u8>,
    addresses: Vec<u8>,
    symbols: Symbols,
    percpu: Option<u64>,
    units: Vec<Unit>,
}

/// The BTF of the DWARF in the ELF file at `path`.
///
/// # Errors
/// With the path: it cannot be read, is no ELF, has no DWARF or no types in it; the message says what to do.
pub fn convert(path: &Path, options: &Options, progress: Progress) -> Result<Converted> {
    let shown = || path.display().to_string();
    let file = Arc::new(File::open(path).with_context(|| format!("{}: cannot open", shown()))?);
    let (input, fault) = open(&file).with_context(shown)?;
    run(&input, fault, options, progress).with_context(shown)
}

fn open(file: &Arc<File>) -> Result<(Input, Option<Skipped>)> {
    let cache = ReadCache::new(file.try_clone()?);
    let elf =
        object::File::parse(&cache).map_err(|error| anyhow!("not an ELF file that can be read: {error}"))?;
    let endian = if elf.is_little_endian() { Endian::Little } else { Endian::Big };
    let need = |name: &str| -> Result<sections::Extent> {
        sections::extent(&elf, name)?.ok_or_else(|| anyhow!("no section {name} here"))
    };
    let hold = |name: &str| -> Result<Vec<u8>> {
        match sections::extent(&elf, name)? {
            Some(extent) => extent.hold(file).with_context(|| format!("section {name}")),
            None => Ok(Vec::new()),
        }
    };
    let info = need(".debug_info")?.open(file).context("section .debug_info")?;
    let (units, fault) = unit::list(&info, endian)?;
    let fault = fault.map(|(at, why)| Skipped {
        at,
        name: "all from here to the end".to_owned(),
        why: why.to_string(),
    });
    let symbols = Symbols::read(&elf, endian);
    let input = Input {
        endian,
        abbrev: hold(".debug_abbrev")?,
        debug_str: hold(".debug_str")?,
        line_str: hold(".debug_line_str")?,
        str_offsets: hold(".debug_str_offsets")?,
        addresses: hold(".debug_addr")?,
        percpu: elf.section_by_name(PERCPU).map(|section| section.size()),
        info,
        symbols,
        units,
    };
    Ok((input, fault))
}

fn run(input: &Input, fault: Option<Skipped>, options: &Options, progress: Progress) -> Result<Converted> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let shared = Shared {
        input,
        next: AtomicUsize::new(0),
        store: Mutex::new(Store::new(input.units.len())),
        skipped: Mutex::new(Vec::new()),
    };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads.min(input.units.len())).map(|_| scope.spawn(|| shared.work(&|_, _| {}))).collect();
        shared.work(progress);
        drop(others);
    });
    let mut skipped = shared.skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
    skipped.sort_by_key(|skipped| skipped.at);
    skipped.extend(fault);
    let mut store = shared.store.into_inner().unwrap_or_else(PoisonError::into_inner);
    store.seal();
    if store.nodes.len() < 2 {
        let why =
            skipped.first().map(|skipped| format!(": {} {}", skipped.name, skipped.why)).unwrap_or_default();
        bail!("its DWARF has no types of C{why}");
    }
    let meanings = Meanings::find(&store);
    store.defined = Vec::new();
    let percpu = input.percpu.map(|size| (PERCPU, size as u32, 0));
    let (btf, counts) = Emit::new(&store, &meanings, input.endian).run(percpu, &input.symbols.kfuncs)?;
    Ok(Converted { btf, counts, units: input.units.len(), skipped })
}

/// What threads share.
struct Shared<'a> {
    input: &'a Input,
    next: AtomicUsize,
    store: Mutex<Store>,
    skipped: Mutex<Vec<Skipped>>,
}

/// What a thread keeps from unit to unit.
#[derive(Default)]
struct Worker {
    bytes: Vec<u8>,
    tables: Tables,
    shapes: Shapes,
    abbrevs: Option<(u64, u8, u8, u16, Table)>,
    /// Roots that this thread has met; units come in order, so the first time is the first place.
    seen: Map<Hash, NodeId>,
    roots: Vec<(Hash, Root, u32)>,
    defined: Vec<NodeId>,
}

/// What stands for itself.
#[derive(Clone, Copy)]
enum Root {
    Type(u32),
    /// By the index of its prototype.
    Func(u32),
    Var {
        number: usize,
        ty: DieRef,
        name: Str,
        external: bool,
    },
}

impl Shared<'_> {
    fn work(&self, progress: Progress) {
        let mut worker = Worker::default();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.input.units.get(index) else { return };
            if let Err(skipped) = worker.unit(self, index, unit) {
                let mut all = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Skipped { at: unit.at, ..skipped });
            }
            progress(index + 1, self.input.units.len());
        }
    }
}

impl Worker {
    fn unit(&mut self, shared: &Shared, index: usize, unit: &Unit) -> Result<(), Skipped> {
        let input = shared.input;
        let mut skipped = Skipped { at: unit.at, name: String::new(), why: String::new() };
        let because = |mut skipped: Skipped, why: String| {
            skipped.why = why;
            skipped
        };
        self.bytes.resize(unit.len as usize, 0);
        if let Err(error) = input.info.read_at(unit.at, &mut self.bytes) {
            return Err(because(skipped, format!("{}: {error:#}", Malformed::Unreadable)));
        }
        if unit.kind == UnitKind::Type {
            return Err(because(
                skipped,
                "is a type unit, which is not read here: build without -fdebug-types-section".to_owned(),
            ));
        }
        let mut cx = Cx {
            encoding: unit.encoding,
            unit_at: unit.at,
            unit_len: unit.len,
            str_offsets: &input.str_offsets,
            str_offsets_base: 8,
            addresses: &input.addresses,
            addresses_base: 8,
            foreign: Vec::new(),
        };
        let encoding = unit.encoding;
        let key = (unit.abbrev, encoding.offset_size, encoding.address_size, encoding.version);
        if self.abbrevs.as_ref().is_none_or(|(a, b, c, d, _)| (*a, *b, *c, *d) != key) {
            match Table::parse(&input.abbrev, unit.abbrev) {
                Ok(table) => self.abbrevs = Some((key.0, key.1, key.2, key.3, table)),
                Err(fault) => return Err(because(skipped, fault.to_string())),
            }
        }
        let Worker { bytes, tables, shapes, seen, roots, defined, abbrevs } = self;
        let Some((.., table)) = abbrevs else { return Ok(()) };
        let names = Names { unit: bytes, debug_str: &input.debug_str, line_str: &input.line_str };
        let root = match walk::root(unit, bytes, table, &mut cx) {
            Ok(root) => root,
            Err(fault) => return Err(because(skipped, fault.to_string())),
        };
        skipped.name = String::from_utf8_lossy(names.get(root.name)).into_owned();
        match language(root.language) {
            Language::C => {}
            Language::NoTypes => return Ok(()),
            Language::Other(name) => return Err(because(skipped, format!("is {name}, not C"))),
        }
        let walked = walk::walk(unit, bytes, table, &mut cx, &input.symbols.percpu_range, tables)
            .and_then(|()| hash(input, tables, shapes, &names, roots, bytes, table, &mut cx));
        if let Err(fault) = walked {
            return Err(because(skipped, fault.to_string()));
        }
        let place = (index as u64) << 32;
        let local = Local { tables, shapes, names };
        if roots.iter().any(|(hash, ..)| !seen.contains_key(hash)) {
            let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
            for &(hash, root, at) in roots.iter() {
                if seen.contains_key(&hash) {
                    continue;
                }
                seen.insert(hash, add(&mut store, hash, root, place | u64::from(at), &local, input));
            }
        }
        defined.clear();
        for (hash, root, _) in roots.iter() {
            if let Root::Type(index) = *root
                && local.tables.is_by_name(&local.tables.types[index as usize], &local.names)
            {
                defined.extend(seen.get(hash));
            }
        }
        let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.defined[index] = defined.as_slice().into();
        Ok(())
    }
}

/// The hashes of all in a unit that stands for itself.
#[allow(clippy::too_many_arguments)]
fn hash(
    input: &Input,
    tables: &Tables,
    shapes: &mut Shapes,
    names: &Names,
    roots: &mut Vec<(Hash, Root, u32)>,
    bytes: &[u8],
    table: &mut Table,
    cx: &mut Cx,
) -> Result<(), Malformed> {
    roots.clear();
    shapes.reset(tables.types.len());
    for (index, ty) in tables.types.iter().enumerate() {
        let stands = match ty.tag {
            Tag::Struct | Tag::Union | Tag::Enum => !ty.declaration,
            Tag::Typedef | Tag::Base => true,
            _ => false,
        };
        if stands {
            let index = index as u32;
            roots.push((shapes.root(index, tables, names)?, Root::Type(index), ty.at));
        }
    }
    for Func { own, name, origin, low_pc, nocall } in &tables.funcs {
        let (proto, name) = match own {
            Some(own) => (*own, *name),
            None => match tables.find(origin.0) {
                Some(proto) => (proto, tables.types[proto as usize].name),
                None => continue,
            },
        };
        let name = names.hash(name);
        if *nocall || !input.symbols.has_function(name, *low_pc) {
            continue;
        }
        let hash = shapes.root(proto, tables, names)?;
        let at = tables.types[proto as usize].at;
        roots.push((Hasher::new(shape::FUNC).with(name).and(hash).end(), Root::Func(proto), at));
    }
    for (number, Var { at, name, ty, declared, address, external }) in tables.vars.iter().enumerate() {
        let (mut own_name, mut ty, mut external) = (*name, *ty, *external);
        if *declared != DieRef::NONE && declared.0 & DieRef::FOREIGN == 0 {
            let die = walk::single(declared.0, bytes, table, cx)?;
            own_name = if own_name == Str::NONE { die.name } else { own_name };
            ty = if ty == DieRef::NONE { die.ty } else { ty };
            external |= die.external;
        }
        let hash = shapes.of(ty, tables, names)?;
        let name = names.hash(own_name);
        if input.symbols.percpu_size(name, *address).is_none() {
            continue;
        }
        let hash = Hasher::new(shape::VAR).with(name).with(*address).with(external.into()).and(hash).end();
        roots.push((hash, Root::Var { number, ty, name: own_name, external }, *at));
    }
    Ok(())
}

/// The node of a root that this thread has not met.
fn add(store: &mut Store, hash: Hash, root: Root, first: u64, local: &Local, input: &Input) -> NodeId {
    let Local { tables, names, .. } = local;
    match root {
        Root::Type(index) => store.root(hash, index, first, local),
        Root::Func(proto) => {
            let to = store.proto(proto, local);
            let name = names.get(tables.types[proto as usize].name);
            store.named(hash, What::Func, name, to, (0, 0, 0), first)
        }
        Root::Var { number, ty, name, external } => {
            let var = &tables.vars[number];
            let to = store.reference(ty, local);
            let size = input.symbols.percpu_size(names.hash(name), var.address).unwrap_or(0);
            let offset = var.address - input.symbols.percpu_range.start;
            let rest = (u8::from(external), size as u32, offset);
            store.named(hash, What::Var, names.get(name), to, rest, first)
        }
    }
}

/// What is made of a unit by its language.
enum Language {
    C,
    /// Assembler: it has symbols and no types.
    NoTypes,
    Other(String),
}

fn language(number: u64) -> Language {
    let lang = dw::DwLang(number as u16);
    match lang {
        // 0 is no language said; 0x2c is C17
        _ if number == 0 => Language::C,
        dw::DW_LANG_C89
        | dw::DW_LANG_C
        | dw::DW_LANG_C99
        | dw::DW_LANG_C11
        | dw::DwLang(0x2c)
        | dw::DwLang(0x3e) => Language::C,
        dw::DW_LANG_Mips_Assembler => Language::NoTypes,
        _ => Language::Other(match lang.static_string() {
            Some(name) => name.trim_start_matches("DW_LANG_").replace('_', " "),
            None => format!("of language {number:#x}"),
        }),
    }
}
