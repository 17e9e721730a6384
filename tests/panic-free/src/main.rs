//! All of core that a device can call, on bytes that the compiler cannot know, with a panic handler that calls what is
//! nowhere defined. It links only if no call can end in a panic; that it links is the test (`cargo verify --only
//! panic-free`), and it is never run.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::slice;
use corelet_core::btf::Btf;
use corelet_core::btf_ext::{BtfExt, Record, Table};
use corelet_core::device::{Kind, Place};
use corelet_core::event::raw::{self, Head};
use corelet_core::event::{Out, Printer, Stack, Style, Symbols, add_cpu, print_lost, print_time, subtract};
use corelet_core::executable::{Executable, File, arg_spec, notes::Notes};
use corelet_core::limits::MAX_USDT_NOTE;
use corelet_core::link::{Parts, Placed};
use corelet_core::object::Object;
use corelet_core::pack::{
    self, Checked, Choice, Event, FuncInfo, Hint, KernelId, LineInfo, Map, Memory, Program, Records, Relo,
    ResultMap, Sizes, Subset, Target, View, Wire, section, work,
};
use corelet_core::relo::{
    CandList, Cands, CoreRelo, ReloKind, Relocator, Scratch, Spec, SpecText, TargetTypes,
};
use corelet_core::{Endian, Error, TypeId, Words};

unsafe extern "C" {
    fn a_panic_is_possible() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it is never called, as it does not exist.
    unsafe { a_panic_is_possible() }
}

/// A word that the compiler cannot know.
fn word() -> usize {
    // SAFETY: never run; any aligned address does.
    unsafe { (0x2000_0000 as *const usize).read_volatile() }
}

/// Bytes that the compiler cannot know.
fn bytes() -> &'static [u8] {
    // SAFETY: never run.
    unsafe { slice::from_raw_parts(word() as *const u8, word()) }
}

/// Values that the compiler cannot know, to be changed.
fn memory<T>() -> &'static mut [T] {
    // SAFETY: never run.
    unsafe { slice::from_raw_parts_mut(word() as *mut T, word()) }
}

/// Looks at a value, where the compiler must think that it matters.
fn see<T>(value: T) {
    black_box(value);
}

struct Sink;

impl Words for Sink {
    fn text(&mut self, text: &str) {
        see(text);
    }

    fn number(&mut self, n: u64) {
        see(n);
    }
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // Each answer goes where the compiler does not see, or it would leave out what makes it.
    objects(bytes());
    packs(bytes());
    events(bytes());
    executables();
    #[cfg(feature = "panic")]
    see(word() / word());
    loop {
        core::hint::spin_loop();
    }
}

fn say(error: Error) {
    error.brief(&mut Sink);
}

fn objects(file: &'static [u8]) {
    see(Object::type_count(file).map_err(say));
    let Ok(object) = Object::parse(file, memory()).map_err(say) else { return };
    object.functions().for_each(see);
    for section in object.data_sections().flatten() {
        object.variables(&section).for_each(see);
    }
    object.maps().for_each(see);
    object.map_values().for_each(see);
    object.externs().for_each(see);
    object.references().for_each(see);
    object.func_infos().for_each(see);
    object.line_infos().for_each(see);
    see((object.license(), object.kern_version(), object.kconfig_size()));
    let Ok(btf) = Btf::parse(bytes(), memory()).map_err(say) else { return };
    let target = btf.with_pointer_size(word() as u8);
    let relos = object.core_relos().flatten().filter_map(|r| {
        let kind = ReloKind::from_number(r.record.kind).ok()?;
        let (type_id, access_str_off) = (r.record.type_id, r.record.access_str_off);
        Some(CoreRelo { insn: r.insn, type_id, access_str_off, kind })
    });
    relocate(object.btf(), &target, relos);
    fn walk<R: Record>(table: Table<'_, R>) {
        for block in table.blocks() {
            for i in 0..block.len() {
                see(block.get(i));
            }
        }
    }
    let Ok(ext) = BtfExt::parse(bytes()).map_err(say) else { return };
    walk(ext.func_info());
    walk(ext.line_info());
    walk(ext.core_relo());
    types(&target);
}

fn types(btf: &Btf<'_>) {
    for t in btf.own_types() {
        see((btf.size_of(t.id), btf.skip_mods(t.id).is_ok(), btf.name(&t), t.array(), t.int()));
        see((t.var_linkage(), t.tag_component(), t.kind().name()));
        t.members().for_each(see);
        t.enumerators().for_each(see);
        t.params().for_each(see);
        t.vars().for_each(see);
    }
    see(btf.guess_pointer_size());
}

fn relocate<T: TargetTypes>(local: &Btf<'_>, target: &T, relos: impl Iterator<Item = CoreRelo>) {
    let (lists, pool): (&mut [CandList], &mut [TypeId]) = (memory(), memory());
    let Some(scratch) = memory::<Scratch>().first_mut() else { return };
    let mut relocator = Relocator { local, target, cands: Cands::new(lists, pool), scratch };
    for relo in relos {
        let endian = if word() == 0 { Endian::Big } else { Endian::Little };
        let outcome = relocator.relocate(&relo, memory(), endian, &mut ());
        see(outcome.map_err(say));
        let spec: &Spec = relocator.scratch.local();
        SpecText { spec, btf: local, root_id: relo.type_id.0 }.say(&mut Sink);
    }
}

fn packs(file: &'static [u8]) {
    fn all<T: Wire<'static>>(id: u16) -> Records<'static, T> {
        Records::<T>::new(bytes(), id).for_each(|r| see(r.map_err(say)));
        Records::new(bytes(), id)
    }
    fn checked<T: Wire<'static>>(id: u16) -> Checked<'static, T> {
        see(pack::check(id, bytes()).map_err(say));
        Checked::new(bytes(), id)
    }
    let Ok(table) = pack::Table::parse(file, word() as u64).map_err(say) else { return };
    for e in table.entries() {
        see(table.section(file, e.id, e.owner).map_err(say));
        see(section::name(e.id));
    }
    all::<pack::Object<'_>>(section::OBJECT);
    all::<Map<'_>>(section::MAPS);
    all::<FuncInfo>(section::FUNC_INFO);
    all::<LineInfo>(section::LINE_INFO);
    all::<Event<'_>>(section::EVENTS);
    all::<Hint>(section::HINTS);
    all::<TypeId>(section::WEAK);
    all::<Target<'_>>(section::TARGET);
    all::<KernelId>(section::IDS);
    all::<Choice>(section::PLAN);
    all::<pack::MapChoice>(section::MAP_PLAN);
    all::<pack::StructOps<'_>>(section::STRUCT_OPS);
    all::<pack::StructOpsMember>(section::STRUCT_OPS_MEMBERS);
    all::<pack::InnerMap<'_>>(section::INNER_MAPS);
    all::<pack::MapValue>(section::MAP_VALUES);
    for value in all::<pack::DeviceValue<'_>>(section::DEVICE_VALUES).flatten() {
        for kind in [Kind::Xdp, Kind::Tc, Kind::Action, Kind::Netkit, Kind::Netfilter] {
            see(Place::parse(value.interface, kind).is_ok());
        }
    }
    for memory in all::<Memory>(section::MEMORY).flatten() {
        see(memory.work.plus(&memory.maps).bytes(word() as u32, word() as u32));
    }
    let sizes = Sizes { types: word(), roots: word(), lines: word(), ..Sizes::default() };
    see(work(&sizes, table.entries().map(|e| (e.id, e.len as usize))));
    let parts = Parts {
        functions: checked(section::FUNCTIONS),
        insns: bytes(),
        fixups: checked(section::FIXUPS),
        endian: Endian::Little,
    };
    for program in all::<Program<'_>>(section::PROGRAMS).flatten() {
        let linked = parts.link(
            &program,
            &|map| i32::try_from(word()).ok().filter(|_| map != 0),
            memory::<Placed>(),
            memory(),
        );
        see(linked.map_err(say));
    }
    let (Ok(local), Ok(btf)) = (Btf::parse(bytes(), memory()), Btf::parse(bytes(), memory())) else { return };
    let relos = all::<Relo>(section::RELOS).flatten().filter_map(|r| {
        let kind = ReloKind::from_number(r.kind.into()).ok()?;
        Some(CoreRelo { insn: r.insn, type_id: r.type_id, access_str_off: r.access_str_off, kind })
    });
    relocate(&local, &Subset::new(btf, bytes()), relos);
}

/// Addresses and names that the compiler cannot know.
struct Opaque;

impl Symbols for Opaque {
    fn frame(&self, _: Stack, _: usize) -> Option<u64> {
        (word() != 0).then(|| word() as u64)
    }

    fn name(&self, _: Option<u32>, _: u64) -> Option<(&[u8], u64)> {
        (word() != 0).then(|| (bytes(), word() as u64))
    }
}

fn events(types: &'static [u8]) {
    let Ok(btf) = Btf::parse(types, memory()) else { return };
    let (style, id) = (if word() == 0 { Style::Text } else { Style::Json }, TypeId(word() as u32));
    let printer = Printer::new(&btf, bytes(), style).clipped(word());
    let mut out = Out::new(memory());
    printer.event(&mut out, "event", id, bytes());
    let printer = printer.resolving(&Opaque).clock(word() as u64);
    for view in Records::<View<'_>>::new(bytes(), section::VIEWS).flatten() {
        let printer = printer.viewed(&view, view.unit(btf.endian(), bytes()));
        for result in Records::<ResultMap<'_>>::new(bytes(), section::RESULTS).flatten() {
            printer.result(&mut out, &result, id, bytes(), bytes());
            see(add_cpu(&btf, &result, memory(), bytes()));
            see(subtract(&btf, &result, memory(), bytes()));
        }
    }
    print_time(&mut out, style, word() as u64);
    print_lost(&mut out, style, word() as u64, word() as u64);
    raw::put_event(&mut out, word() as u8, word() as u16, bytes());
    raw::put_result(&mut out, word() as u8, word() as u16, bytes(), bytes());
    raw::put_end(&mut out, word() as u64, word() as u64);
    raw::put_clock(&mut out, &[word() as u8; 16], word() as u64, word() as u64);
    raw::put_unit(&mut out, word() as u8, word() as u16, core::str::from_utf8(bytes()).unwrap_or(""));
    raw::put_stack(&mut out, word() as u8, word() as u16, word() as u32, &[word() as u64; 5]);
    raw::put_symbol(&mut out, word() as u64, word() as u64, bytes());
    raw::put_time(&mut out, word() as u64);
    see(raw::numbers::<3>(bytes(), word()).map_err(say));
    see(raw::Header::parse(bytes()).map_err(say));
    if let Some(head) = bytes().first_chunk() {
        see(Head::parse(head).map_err(say));
    }
    see((raw::split_result(bytes()).is_ok(), raw::split_end(bytes()).is_ok()));
    see(out.bytes());
}

/// A file of bytes that the compiler cannot know, which says that it gave as many as it likes.
struct Unknown;

impl File for Unknown {
    fn read_at(&mut self, at: u32, into: &mut [u8]) -> Result<usize, Error> {
        into.fill(word() as u8 ^ at as u8);
        Ok(word())
    }
}

fn executables() {
    let mut file = Unknown;
    let Ok(mut executable) = Executable::new(&mut file).map_err(say) else { return };
    let name = core::str::from_utf8(bytes()).unwrap_or("");
    see(executable.find(name).map_err(say));
    let tables = executable.matching(name, &mut |symbol| {
        see(symbol);
        Ok(())
    });
    see(tables.map_err(say));
    let Ok(Some(mut notes)) = Notes::of(&mut executable).map_err(say) else { return };
    let mut text = [0; MAX_USDT_NOTE];
    while let Ok(Some(probe)) = notes.next(&mut executable, &mut text) {
        see(probe.place(&mut executable).map_err(say));
        for arch in [pack::Arch::X86_64, pack::Arch::Aarch64, pack::Arch::Arm, pack::Arch::Riscv64] {
            see(arg_spec::spec(arch, probe.args));
        }
    }
}
