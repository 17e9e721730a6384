//! What is said of places in user space: forms with a `%` for each argument, in one variable that `link.ld` puts where it is no
//! memory while other programs are loaded.

use corelet_core::words::{bytes, nth};

static FORMS: [u8; TEXT.len()] = bytes(TEXT);
/// In the order of [`Form`].
const TEXT: &str = "\
%: cannot attach % (%): %|%: skipped % (%): %|\
% is not there: --attach %=PATH:… names another file|\
% of % is of Thumb instructions, which Linux cannot probe|\
% of % is chosen when a program starts (IFUNC): name one of its functions|\
% has two functions %: name an offset in the file instead|\
% is none of the functions of %: % looked at%|\
; it is stripped: these are those of .dynsym|\
; it is stripped of all symbols: name an offset in the file instead|\
% has more than % places or symbols for it|\
%: %|\
% is of another machine (%)|\
% has no USDT probes (.note.stapsdt)|\
% is position-independent; before 5.15 only programs that are not can have USDT probes attached|\
the object has no map % as this loader fills it: it is of another libbpf|\
map % has room for % places: compile the object with a larger BPF_USDT_MAX_SPEC_CNT|\
%:% is none of the USDT probes of %: % looked at|\
% has argument % of its probe at a place that is not understood: %|";

/// One of them.
#[derive(Clone, Copy)]
pub(super) enum Form {
    CannotAttach,
    Skipped,
    NoFile,
    Thumb,
    Indirect,
    Ambiguous,
    NoSymbol,
    OnlyDynsym,
    NoSymbols,
    TooMany,
    BadFile,
    OtherMachine,
    NoProbes,
    NoCookies,
    NoSpecs,
    FullSpecs,
    NoProbe,
    Argument,
    Nothing,
}

impl Form {
    /// Its text.
    pub(super) fn text(self) -> &'static str {
        nth(&FORMS, b'|', self as usize).unwrap_or_default()
    }
}
