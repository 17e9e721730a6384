//! Printing what BPF programs report: events, results and histograms, by their BTF types.
//!
//! A [`Printer`] prints one line for each event or result into an [`Out`], in one of two styles:
//!
//! ```text
//! pid=123 comm=cat ret=3 fname=/etc/passwd                                     Style::Text
//! {"pid":123,"comm":"cat","ret":3,"fname":"/etc/passwd"}                       Style::Json
//! ```
//!
//! # Values
//!
//! * Structs and unions: all members in order, those of anonymous ones among their parent's. Nested ones are in `{}`.
//! * Arrays: `[1,2]`; of `char`, text up to the first NUL. An array of no elements (flexible) goes on to the record's end.
//! * Integers: decimal; above 2^53 strings in JSON; wider than 64 bits in hexadecimal. Pointers and floating point numbers:
//!   hexadecimal. Enums: the enumerator's name, else the number. Booleans: `true`, `false`.
//! * A hint ([`Format`]) overrides the type.
//! * Whatever a traced process can write is escaped, as the module `escape` says.
//!
//! A record may be shorter than its type: members that are not there, or of whose number a part is missing, are left out;
//! an array is printed as far as it goes. It may be longer: the rest is padding. Perf buffers pad a record to 8 bytes with
//! whatever was in the buffer, so a short record that ends inside a character array needs
//! [`Format::Args`], which says how much of it is used.
//!
//! Printing takes no memory but the buffer, a stack that [`MAX_DEPTH`] bounds, and time linear in the record:
//! four members or elements for each of its bytes and some thousands more, each with a walk over hints and enumerators.

mod escape;
mod hint;
mod hist;
mod names;
mod number;
mod out;
pub mod raw;
mod results;
mod stack;
mod sum;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use out::Out;
pub use stack::{MAX_FRAMES, Stack, Symbols};
pub use sum::{add_cpu, subtract};
pub use write::Style;

use crate::btf::Btf;
use crate::id::TypeId;
use crate::pack::{Format, View};
use value::Layout;
use write::Writer;

/// Structs, unions and arrays inside each other that are printed; what is deeper is printed as `?`, in JSON `null`.
pub const MAX_DEPTH: usize = 16;

/// Prints the events and results of one object.
#[derive(Clone, Copy)]
pub struct Printer<'a> {
    layout: Layout<'a>,
    style: Style,
    /// What is said of the results that are printed.
    view: Option<&'a View<'a>>,
    /// Unit of a histogram's values; empty for none.
    unit: &'a str,
}

impl<'a> Printer<'a> {
    /// Prints by the types in `btf` and the section `HINTS` of the same object, checked ([`crate::pack::check`]); it may be empty.
    pub fn new(btf: &'a Btf<'a>, hints: &'a [u8], style: Style) -> Self {
        Printer {
            layout: Layout { btf, hints, clip: usize::MAX, symbols: None, clock: None },
            style,
            view: None,
            unit: "",
        }
    }

    /// The same, with strings cut after `clip` bytes: for records whose strings do not fit otherwise.
    pub fn clipped(self, clip: usize) -> Self {
        Printer { layout: Layout { clip, ..self.layout }, ..self }
    }

    /// The same, with addresses and stacks as `symbols` knows them; without, they are numbers.
    pub fn resolving(self, symbols: &'a dyn Symbols) -> Self {
        Printer { layout: Layout { symbols: Some(symbols), ..self.layout }, ..self }
    }

    /// The same on a device whose wall clock is `ahead` nanoseconds, wrapping, of its monotonic clock; without, times of the
    /// monotonic clock are numbers.
    pub fn clock(self, ahead: u64) -> Self {
        Printer { layout: Layout { clock: Some(ahead), ..self.layout }, ..self }
    }

    /// The same for results of which `view` says more; `unit` is [`View::unit`].
    pub fn viewed(self, view: &'a View<'a>, unit: &'a str) -> Self {
        Printer { view: Some(view), unit, ..self }
    }

    /// Prints one event of type `ty` with a newline. Where `name` is not empty it stands in front, in JSON as member
    /// `event`. What is no struct is printed as if it were the member `value` of one.
    ///
    /// [`Out::is_full`] says whether the line is incomplete.
    pub fn event(&self, out: &mut Out<'_>, name: &str, ty: TypeId, data: &[u8]) {
        let mut w = Writer::new(out, self.style, data.len());
        w.open_line();
        if !name.is_empty() {
            w.headline("event", name);
        }
        self.flat(&mut w, ty, data, Format::Plain);
        self.layout.stacks(&mut w);
        w.close_line();
    }

    /// Prints a value as members of the line.
    fn flat(&self, w: &mut Writer<'_, '_>, ty: TypeId, data: &[u8], format: Format) {
        let t = self.layout.btf.behind(ty);
        if t.kind().is_composite() {
            self.layout.members(w, &t, data, 0);
        } else {
            self.named(w, "value", ty, data, format);
        }
    }

    /// Prints a value as one member of the line.
    fn named(&self, w: &mut Writer<'_, '_>, name: &str, ty: TypeId, data: &[u8], format: Format) {
        let field = self.layout.cut(ty, data);
        let t = self.layout.btf.behind(ty);
        if format == Format::Hide || !self.layout.present(&t, field) {
            return;
        }
        if let Some(stack) = self.layout.stack_of(&t, field, Some(format), field) {
            return self.layout.stack(w, name.as_bytes(), stack.id.cast_signed().into(), stack);
        }
        w.name(name.as_bytes());
        self.layout.hinted(w, &t, &t, field, field, format);
    }
}

/// Prints the time before results that come again and again, on a line of its own.
pub fn print_time(out: &mut Out<'_>, style: Style, real_ns: u64) {
    let mut w = Writer::new(out, style, 0);
    w.open_line();
    w.name(b"time");
    w.quote();
    number::put_time(w.out, real_ns);
    w.quote();
    w.close_line();
}

/// Prints how many events were lost, as the last line: those that the kernel dropped because a buffer was full, and those
/// that were read but that the output did not take.
pub fn print_lost(out: &mut Out<'_>, style: Style, kernel: u64, output: u64) {
    let mut w = Writer::new(out, style, 0);
    w.open_line();
    match style {
        Style::Text => w.headline("", "lost"),
        Style::Json => {
            w.name(b"lost");
            w.open(b'{');
        }
    }
    w.name(b"kernel");
    w.unsigned(kernel);
    w.name(b"output");
    w.unsigned(output);
    if style == Style::Json {
        w.close(b'}');
    }
    w.close_line();
}
