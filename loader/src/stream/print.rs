//! One event or result in the form that was asked for. Without the feature `format` raw records are the only one.

use crate::job::{Output, Source};
use corelet_core::event::{Out, raw};
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

/// Prints an event of object number `object`.
pub(super) fn event(
    out: &mut Out<'_>,
    form: Output,
    (object, source): (u8, &Source<'_>),
    event: &Event<'_>,
    data: &[u8],
    clip: usize,
) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        let printer = Printer::new(&source.btf, source.hints, style).clipped(clip);
        return printer.event(out, event.name, event.type_id, data);
    }
    let _ = (form, source, clip);
    raw::put_event(out, object, event.map, data);
}

/// A result to be printed.
pub(super) struct Found<'r> {
    /// Number of its record.
    pub(super) number: u16,
    pub(super) record: &'r ResultMap<'r>,
    pub(super) view: Option<&'r View<'r>>,
    /// Unit of a histogram's values; empty for none.
    pub(super) unit: &'r str,
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
    clip: usize,
) {
    #[cfg(feature = "format")]
    if let Some(style) = style(form) {
        let mut printer = Printer::new(&source.btf, source.hints, style).clipped(clip);
        if let Some(view) = r.view {
            printer = printer.viewed(view, r.unit);
        }
        return printer.result(out, r.record, r.key_type, r.key, r.value);
    }
    let _ = (form, source, clip, r.record, r.key_type, r.view);
    raw::put_result(out, object, r.number, r.key, r.value);
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
