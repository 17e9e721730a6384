//! One event or result in the form that was asked for. Without the feature `format` raw records are the only one.

use crate::identity::read_file;
use crate::job::{Output, Source};
use crate::sys::Kernel;
use corelet_core::event::{Out, Symbols, raw};
#[cfg(feature = "format")]
use corelet_core::event::{Printer, Style, print_lost, print_time};
use corelet_core::pack::{Event, ResultMap, View};
use corelet_core::{Endian, TypeId};

/// Whether this loader can print `form`.
pub(super) fn can(form: Output) -> bool {
    cfg!(feature = "format") || form == Output::Raw
}

/// Prints what stands in front of all records.
pub(super) fn header(out: &mut Out<'_>, form: Output, sources: &[Source<'_>]) {
    if form != Output::Raw {
        return;
    }
    let endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
    raw::Header { endian, pointer_size: size_of::<usize>() as u8, objects: sources.len() as u16 }.put(out);
    sources.iter().for_each(|s| out.put(&s.digest));
}

/// Which start of the machine this is, for raw records: `/proc/sys/kernel/random/boot_id`, zeros where there is none.
pub(super) struct Boot([u8; 16]);

impl Boot {
    /// Reads it where the form has it.
    pub(super) fn read<K: Kernel>(kernel: &mut K, form: Output) -> Boot {
        let mut text = [0; 40];
        let text = match form {
            Output::Raw => {
                read_file(kernel, c"/proc/sys/kernel/random/boot_id", &mut text).unwrap_or_default()
            }
            _ => &[],
        };
        let mut digits = text.iter().filter_map(|&b| char::from(b).to_digit(16));
        Boot([(); 16].map(|()| {
            let mut digit = || digits.next().unwrap_or(0) as u8;
            digit() << 4 | digit()
        }))
    }
}

/// Prints the monotonic clock and how far the wall clock is ahead of it as a raw record.
pub(super) fn clock(out: &mut Out<'_>, form: Output, boot: &Boot, (monotonic, ahead): (u64, u64)) {
    if form == Output::Raw {
        raw::put_clock(out, &boot.0, monotonic, monotonic.wrapping_add(ahead));
    }
}

/// Prints an event of object number `object`.
pub(super) fn event(
    out: &mut Out<'_>,
    form: Output,
    (object, source): (u8, &Source<'_>),
    event: &Event<'_>,
    data: &[u8],
    ahead: u64,
    clip: usize,
) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        let printer = Printer::new(&source.btf, source.hints, style).clipped(clip).clock(ahead);
        return printer.event(out, event.name, event.type_id, data);
    }
    let _ = (form, source, ahead, clip);
    raw::put_event(out, object, event.map, data);
}

/// Puts the object's name in front of the line that was printed from `start` on, in JSON as member `pack`; raw records have a
/// number for it.
#[cfg(feature = "format")]
pub(super) fn tag(out: &mut Out<'_>, form: Output, start: usize, source: &Source<'_>) {
    let mut name = [b'_'; 64];
    // as file names are; anything else could need an escape
    let plain = |b: u8| if b.is_ascii_alphanumeric() || b"-.".contains(&b) { b } else { b'_' };
    for (slot, b) in name.iter_mut().zip(source.name.bytes()) {
        *slot = plain(b);
    }
    let name = name.get(..source.name.len()).unwrap_or(&name);
    match form {
        Output::Raw => {}
        Output::Text => {
            out.insert(start, b" ");
            out.insert(start, name);
        }
        Output::Json => {
            let inside = start.saturating_add(1);
            let members = out.bytes().get(inside) != Some(&b'}');
            out.insert(inside, if members { b"\"," } else { b"\"" });
            out.insert(inside, name);
            out.insert(inside, b"\"pack\":\"");
        }
    }
}

/// A result to be printed.
pub(super) struct Found<'r> {
    /// Number of its record.
    pub(super) number: u16,
    pub(super) record: &'r ResultMap<'r>,
    pub(super) view: Option<&'r View<'r>>,
    /// Unit of a histogram's values; empty for none.
    pub(super) unit: &'r str,
    /// Nanoseconds that the wall clock is ahead of the monotonic one, wrapping.
    pub(super) ahead: u64,
    pub(super) key_type: TypeId,
    /// Empty for a variable.
    pub(super) key: &'r [u8],
    pub(super) value: &'r [u8],
}

/// Prints a result of object number `object`.
pub(super) fn result(
    out: &mut Out<'_>,
    form: Output,
    (object, source): (u8, &Source<'_>),
    r: &Found<'_>,
    symbols: Option<&dyn Symbols>,
    clip: usize,
) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        return formatted(out, style, source, r, symbols, clip);
    }
    let _ = (form, source, symbols, clip, r.record, r.key_type, r.view, r.unit, r.ahead);
    raw::put_result(out, object, r.number, r.key, r.value);
}

#[cfg(feature = "format")]
fn formatted(
    out: &mut Out<'_>,
    style: Style,
    source: &Source<'_>,
    r: &Found<'_>,
    symbols: Option<&dyn Symbols>,
    clip: usize,
) {
    let mut printer = Printer::new(&source.btf, source.hints, style).clipped(clip).clock(r.ahead);
    if let Some(view) = r.view {
        printer = printer.viewed(view, r.unit);
    }
    match symbols {
        Some(symbols) => printer.resolving(symbols).result(out, r.record, r.key_type, r.key, r.value),
        None => printer.result(out, r.record, r.key_type, r.key, r.value),
    }
}

/// Has `asked` hear of the stacks and addresses that a result has, without printing it: `nowhere` is a place for it.
#[cfg(feature = "format")]
pub(super) fn ask(nowhere: &mut [u8], (_, source): (u8, &Source<'_>), r: &Found<'_>, asked: &dyn Symbols) {
    formatted(&mut Out::new(nowhere), Style::Text, source, r, Some(asked), usize::MAX);
}

/// Prints the frames of a stack as a raw record.
#[cfg(feature = "format")]
pub(super) fn stack(out: &mut Out<'_>, object: u8, map: u16, id: u32, frames: &[u64]) {
    raw::put_stack(out, object, map, id, frames);
}

/// Prints the name of an address as a raw record.
#[cfg(feature = "format")]
pub(super) fn symbol(out: &mut Out<'_>, address: u64, offset: u64, name: &[u8]) {
    raw::put_symbol(out, address, offset, name);
}

/// Prints the counts of lost events, as the last record.
pub(super) fn lost(out: &mut Out<'_>, form: Output, kernel: u64, output: u64) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        return print_lost(out, style, kernel, output);
    }
    let _ = form;
    raw::put_end(out, kernel, output);
}

#[cfg(feature = "format")]
fn style(form: Output) -> Option<Style> {
    match form {
        Output::Text => Some(Style::Text),
        Output::Json => Some(Style::Json),
        Output::Raw => None,
    }
}

/// Prints the unit of a result, which only raw records have in front of it.
pub(super) fn unit(out: &mut Out<'_>, form: Output, object: u8, result: u16, unit: &str) {
    if form == Output::Raw {
        raw::put_unit(out, object, result, unit);
    }
}

/// Prints when the results behind it were read.
pub(super) fn time(out: &mut Out<'_>, form: Output, real: u64) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        return print_time(out, style, real);
    }
    let _ = form;
    raw::put_time(out, real);
}
