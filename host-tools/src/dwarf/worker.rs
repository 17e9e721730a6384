//! A thread's work: takes unit after unit, and adds what is new of each to the store.

use super::abbrev::Table;
use super::base;
use super::convert::{Progress, Skipped};
use super::die::{Context, Die, DieRef, Str};
use super::dwo::Dwo;
use super::fault::Malformed;
use super::form::Encoding;
use super::group::{self, Placed};
use super::hash::{Hash, Hasher, Map};
use super::input::{Input, Sources};
use super::sections::Section;
use super::shape::{self, Names, Shapes};
use super::store::{Local, NodeId, Store, What};
use super::tables::{Func, Tables, Tag, Var};
use super::unit::{Unit, UnitKind};
use super::walk;
use corelet_core::btf::Btf;
use gimli::constants as dw;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What threads share.
pub(super) struct Shared<'a> {
    input: &'a Input,
    dwo: Dwo,
    next: AtomicUsize,
    store: Mutex<Store>,
    skipped: Mutex<Vec<Skipped>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(input: &'a Input, base: Option<&Btf>) -> Shared<'a> {
        let mut store = Store::new(input.units.len());
        if let Some(base) = base {
            base::preload(&mut store, base);
        }
        Shared {
            input,
            dwo: Dwo::beside(&input.path, input.endian),
            next: AtomicUsize::new(0),
            store: Mutex::new(store),
            skipped: Mutex::new(Vec::new()),
        }
    }

    /// Goes over all units with so many threads; 0 is as many as the machine has cores.
    pub(super) fn run(&self, threads: usize, progress: Progress) {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(self.input.units.len()) {
                scope.spawn(|| self.work(progress));
            }
            self.work(progress);
        });
    }

    /// What was found, and what was left out.
    pub(super) fn finish(self) -> (Store, Vec<Skipped>) {
        let mut skipped = self.skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
        skipped.sort_by_key(|skipped| skipped.at);
        skipped.extend(self.input.lost.clone());
        (self.store.into_inner().unwrap_or_else(PoisonError::into_inner), skipped)
    }

    fn work(&self, progress: Progress) {
        let mut worker = Worker::default();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.input.units.get(index) else { return };
            if let Err(skipped) = worker.unit(self, index, unit) {
                self.skipped.lock().unwrap_or_else(PoisonError::into_inner).push(skipped);
            }
            progress(index + 1, self.input.units.len());
        }
    }
}

/// What a thread keeps from unit to unit.
#[derive(Default)]
struct Worker {
    bytes: Vec<u8>,
    tables: Tables,
    shapes: Shapes,
    abbrevs: Option<(u64, Encoding, Table)>,
    /// Roots that this thread has met; units come in order, so the first time is the first place.
    seen: Map<Hash, NodeId>,
    roots: Vec<(Hash, Root, u32)>,
}

/// What stands for itself.
#[derive(Clone, Copy)]
enum Root {
    Type(u32),
    /// By the index of its prototype.
    Func {
        proto: u32,
        has_code: bool,
    },
    Var {
        number: usize,
        ty: DieRef,
        name: Str,
        external: bool,
    },
}

impl Worker {
    fn unit(&mut self, shared: &Shared, index: usize, unit: &Unit) -> Result<(), Skipped> {
        let input = shared.input;
        read(&input.info, unit, &mut self.bytes)?;
        let own = Placed { unit: *unit, index, base: 0 };
        let mut cx = Context::new(own, Arc::from([own]), &input.sources, &input.addresses);
        let table = match self.abbrevs.take() {
            Some((at, encoding, table)) if (at, encoding) == (unit.abbrev, unit.encoding) => Ok(table),
            _ => Table::parse(&input.sources.abbrev, unit.abbrev),
        };
        let mut table = table.map_err(|fault| fault.of(unit.at, ""))?;
        let done = self.whole(shared, &mut table, &mut cx, false);
        self.abbrevs = Some((unit.abbrev, unit.encoding, table));
        let Some(root) = done? else { return Ok(()) };
        // a skeleton: what it stands for is in a file of its own
        let names = names(&self.bytes, &input.sources);
        let name = String::from_utf8_lossy(names.get(root.name)).into_owned();
        let text = |name: Str| String::from_utf8_lossy(names.get(name)).into_owned();
        let id = match unit.kind {
            UnitKind::Skeleton(id) => Some(id),
            _ => root.dwo_id,
        };
        let addresses_base = cx.addresses_base;
        let split = shared.dwo.open(&text(root.comp_dir), &text(root.dwo_name), id);
        let split =
            split.map_err(|error| Skipped { at: unit.at, name: name.clone(), why: format!("{error:#}") })?;
        read(&split.info, &split.unit, &mut self.bytes).map_err(|inner| Skipped { at: unit.at, ..inner })?;
        let mut table = Table::parse(&split.sources.abbrev, split.unit.abbrev)
            .map_err(|fault| fault.of(unit.at, &name))?;
        let own = Placed { unit: split.unit, index, base: 0 };
        let mut cx = Context::new(own, Arc::from([own]), &split.sources, &input.addresses);
        cx.addresses_base = addresses_base;
        cx.str_offsets_base = split.str_offsets_base;
        let done = self.whole(shared, &mut table, &mut cx, true);
        done.map(|_| ()).map_err(|inner| Skipped { at: unit.at, ..inner })
    }

    /// Takes in the unit whose bytes are read; its root comes back if it is a skeleton, and nothing was done.
    fn whole(
        &mut self,
        shared: &Shared,
        table: &mut Table,
        cx: &mut Context,
        split: bool,
    ) -> Result<Option<Die>, Skipped> {
        let input = shared.input;
        let own = cx.own;
        let unit = own.unit;
        let Worker { bytes, tables, shapes, seen, roots, .. } = self;
        let root = walk::root(bytes, table, cx).map_err(|fault| fault.of(unit.at, ""))?;
        let name = String::from_utf8_lossy(names(bytes, cx.sources).get(root.name)).into_owned();
        let skip = |fault: Malformed| fault.of(unit.at, &name);
        if root.dwo_name != Str::NONE && !split {
            return Ok(Some(root));
        }
        match language(root.language) {
            Language::C => {}
            Language::NoTypes => return Ok(None),
            Language::Other(language) => {
                return Err(Skipped { at: unit.at, why: format!("is {language}, not C"), name });
            }
        }
        tables.clear();
        walk::walk(bytes, table, cx, &input.symbols.percpu_range, tables).map_err(skip)?;
        tables.finish(bytes.len());
        if !cx.foreign.is_empty() && !split {
            let foreign = std::mem::take(&mut cx.foreign);
            cx.group = group::widen(input, own, foreign, bytes, tables).map_err(skip)?;
        }
        let names = names(bytes, cx.sources);
        let mut finder = Finder { input, tables, shapes, names, roots };
        finder.find(bytes, table, cx).map_err(skip)?;
        let local = Local { tables, shapes, names };
        let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut defined = Vec::new();
        for &(hash, root, at) in roots.iter() {
            let id = match seen.get(&hash) {
                Some(&id) => id,
                None => {
                    let of = cx.group.iter().find_map(|placed| Some((placed.index, placed.inside(at)?)));
                    let (index, at) = of.unwrap_or((own.index, at));
                    let id = add(&mut store, hash, root, (index as u64) << 32 | u64::from(at), &local, input);
                    // the place in another unit says nothing of the order of this thread's
                    if index == own.index {
                        seen.insert(hash, id);
                    }
                    id
                }
            };
            if let Root::Type(index) = root
                && tables.is_by_name(&tables.types[index as usize], &names)
            {
                defined.push(id);
            }
        }
        store.defined[own.index] = defined.into();
        Ok(None)
    }
}

fn names<'a>(unit: &'a [u8], sources: &'a Sources) -> Names<'a> {
    Names { unit, debug_str: &sources.debug_str, line_str: &sources.line_str }
}

fn read(info: &Section, unit: &Unit, bytes: &mut Vec<u8>) -> Result<(), Skipped> {
    bytes.resize(unit.len as usize, 0);
    info.read_at(unit.at, bytes).map_err(|error| Skipped {
        at: unit.at,
        name: String::new(),
        why: format!("cannot be read: {error:#}"),
    })
}

/// Finds what of a unit stands for itself.
struct Finder<'a, 'n> {
    input: &'a Input,
    tables: &'a Tables,
    shapes: &'a mut Shapes,
    names: Names<'n>,
    roots: &'a mut Vec<(Hash, Root, u32)>,
}

impl Finder<'_, '_> {
    fn find(&mut self, bytes: &[u8], table: &mut Table, cx: &mut Context) -> Result<(), Malformed> {
        self.roots.clear();
        self.shapes.reset(self.tables.types.len());
        self.types(cx)?;
        self.functions()?;
        self.variables(bytes, table, cx)
    }

    fn types(&mut self, cx: &Context) -> Result<(), Malformed> {
        for (index, ty) in self.tables.types.iter().enumerate() {
            let stands = match ty.tag {
                Tag::Struct | Tag::Union | Tag::Enum => !ty.declaration,
                Tag::Typedef | Tag::Base => true,
                _ => false,
            };
            // those of other units are theirs to add, but a name that a type unit defines means that in all that refer to it
            if stands && (cx.own.inside(ty.at).is_some() || cx.is_in_type_unit(ty.at)) {
                let index = index as u32;
                let hash = self.shapes.root(index, self.tables, &self.names)?;
                self.roots.push((hash, Root::Type(index), ty.at));
            }
        }
        Ok(())
    }

    fn functions(&mut self) -> Result<(), Malformed> {
        for Func { own, name, origin, has_code, low_pc, nocall } in &self.tables.funcs {
            let (proto, name) = match own {
                Some(own) => (*own, *name),
                None => match self.tables.find(origin.0) {
                    Some(proto) => (proto, self.tables.types[proto as usize].name),
                    None => continue,
                },
            };
            if *nocall || !self.names.has(name) {
                continue;
            }
            let name = self.names.hash(name);
            if !self.input.symbols.has_function(name, *low_pc) {
                continue;
            }
            let hash = self.shapes.root(proto, self.tables, &self.names)?;
            let at = self.tables.types[proto as usize].at;
            let what = if *has_code { shape::FUNC } else { shape::FUNC_ELSEWHERE };
            let root = Root::Func { proto, has_code: *has_code };
            self.roots.push((Hasher::new(what).with(name).and(hash).end(), root, at));
        }
        Ok(())
    }

    fn variables(&mut self, bytes: &[u8], table: &mut Table, cx: &mut Context) -> Result<(), Malformed> {
        for (number, var) in self.tables.vars.iter().enumerate() {
            let Var { mut name, mut ty, mut external, declared, address, at } = *var;
            if let Some(die) = self.declaration(declared, bytes, table, cx)? {
                name = if name == Str::NONE { die.name } else { name };
                ty = if ty == DieRef::NONE { die.ty } else { ty };
                external |= die.external;
            }
            let hash = self.shapes.of(ty, self.tables, &self.names)?;
            let text = self.names.hash(name);
            if self.input.symbols.percpu_size(text, address).is_none() {
                continue;
            }
            let hash = Hasher::new(shape::VAR).with(text).with(address).with(external.into()).and(hash).end();
            self.roots.push((hash, Root::Var { number, ty, name, external }, at));
        }
        Ok(())
    }
}

impl Finder<'_, '_> {
    /// The DIE that declares a variable, in this unit or, with link-time optimisation, in another.
    fn declaration(
        &self,
        declared: DieRef,
        bytes: &[u8],
        table: &mut Table,
        cx: &mut Context,
    ) -> Result<Option<Die>, Malformed> {
        if declared == DieRef::NONE || declared.0 & DieRef::FOREIGN != 0 {
            return Ok(None);
        }
        if cx.own.inside(declared.0).is_some() {
            return walk::single(declared.0, bytes, table, cx).map(Some);
        }
        let Some(placed) = cx.group.iter().find(|placed| placed.inside(declared.0).is_some()) else {
            return Ok(None);
        };
        let mut table = Table::parse(&cx.sources.abbrev, placed.unit.abbrev)?;
        let mut other = Context::new(*placed, cx.group.clone(), cx.sources, cx.addresses);
        walk::root(bytes, &mut table, &mut other)?;
        walk::single(declared.0, bytes, &mut table, &mut other).map(Some)
    }
}

/// The node of a root that this thread has not met.
fn add(store: &mut Store, hash: Hash, root: Root, first: u64, local: &Local, input: &Input) -> NodeId {
    let Local { tables, names, .. } = local;
    match root {
        Root::Type(index) => store.root(hash, index, first, local),
        Root::Func { proto, has_code } => {
            let to = store.proto(proto, local);
            let name = names.get(tables.types[proto as usize].name);
            store.named(hash, What::Func, name, to, (has_code.into(), 0, 0), first)
        }
        Root::Var { number, ty, name, external } => {
            let var = &tables.vars[number];
            let to = store.reference(ty, local);
            let size = input.symbols.percpu_size(names.hash(name), var.address).unwrap_or(0);
            let offset = var.address - input.symbols.percpu_range.start;
            let rest = (u8::from(external), u32::try_from(size).unwrap_or(u32::MAX), offset);
            store.named(hash, What::Var, names.get(name), to, rest, first)
        }
    }
}

/// What is made of a unit by its language.
enum Language {
    C,
    /// Assembler: it has functions without prototypes.
    NoTypes,
    Other(String),
}

/// C17 and C23 of the list that goes on after DWARF 5.
const DW_LANG_C17: dw::DwLang = dw::DwLang(0x2c);
const DW_LANG_C23: dw::DwLang = dw::DwLang(0x3e);

fn language(number: u64) -> Language {
    let lang = dw::DwLang(u16::try_from(number).unwrap_or(u16::MAX));
    match lang {
        // a partial unit says none
        _ if number == 0 => Language::C,
        dw::DW_LANG_C89 | dw::DW_LANG_C | dw::DW_LANG_C99 | dw::DW_LANG_C11 | DW_LANG_C17 | DW_LANG_C23 => {
            Language::C
        }
        dw::DW_LANG_Mips_Assembler => Language::NoTypes,
        _ => Language::Other(match lang.static_string() {
            Some(name) => name.trim_start_matches("DW_LANG_").replace('_', " "),
            None => format!("of language {number:#x}"),
        }),
    }
}
