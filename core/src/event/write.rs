//! The two styles: names, values and brackets with the separators between them.

use super::escape::put_string;
use super::out::Out;
use super::stack::Stack;

/// How values are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `name=value` with spaces between, nested values in `{}`, arrays as `[1,2]`.
    Text,
    /// One JSON object a line.
    Json,
}

/// Largest integer that every JSON reader holds exactly: 2^53.
const JSON_EXACT: u64 = 1 << 53;

/// Members and elements that are looked at while one record is printed: this many, and four for each byte of the record.
/// Types may nest so that their number grows exponentially without a byte being printed.
const STEPS: usize = 1 << 12;

/// Prints values in one style, keeping track of separators.
pub(super) struct Writer<'o, 'b> {
    pub(super) out: &'o mut Out<'b>,
    pub(super) style: Style,
    first: bool,
    steps: usize,
    /// What is printed behind the line: a stack of the kernel and one of user space.
    pub(super) stacks: [Option<Stack>; 2],
}

impl<'o, 'b> Writer<'o, 'b> {
    /// Prints a record of `len` bytes.
    pub(super) fn new(out: &'o mut Out<'b>, style: Style, len: usize) -> Self {
        Writer {
            out,
            style,
            first: true,
            steps: len.saturating_mul(4).saturating_add(STEPS),
            stacks: [None; 2],
        }
    }

    /// Counts a member or element; `false` where the record is not worth going on with.
    pub(super) fn step(&mut self) -> bool {
        match self.steps.checked_sub(1) {
            Some(left) => self.steps = left,
            None => self.out.give_up(),
        }
        !self.out.is_full()
    }

    /// Opens the line's own object, which text shows no bracket for.
    pub(super) fn open_line(&mut self) {
        if self.style == Style::Json {
            self.out.put_byte(b'{');
        }
        self.first = true;
    }

    pub(super) fn close_line(&mut self) {
        self.out.put_str(if self.style == Style::Json { "}\n" } else { "\n" });
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.out.put_byte(bracket);
        self.first = true;
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.out.put_byte(bracket);
        self.first = false;
    }

    fn separate(&mut self, text: u8) {
        if !self.first {
            self.out.put_byte(if self.style == Style::Json { b',' } else { text });
        }
        self.first = false;
    }

    /// Goes on to the next element of an array.
    pub(super) fn element(&mut self) {
        self.separate(b',');
    }

    /// Goes on to the member `name`.
    pub(super) fn name(&mut self, name: &[u8]) {
        self.separate(b' ');
        put_string(self.out, self.style, name, false);
        self.out.put_byte(if self.style == Style::Json { b':' } else { b'=' });
    }

    /// Goes on to the member that is called by a number.
    pub(super) fn number_name(&mut self, name: u64) {
        self.separate(b' ');
        self.quote();
        self.out.put_u64(name);
        self.quote();
        self.out.put_byte(if self.style == Style::Json { b':' } else { b'=' });
    }

    /// Puts the word `value` in front of a line: bare in text, as member `key` in JSON.
    pub(super) fn headline(&mut self, key: &str, value: &str) {
        match self.style {
            Style::Json => self.name(key.as_bytes()),
            Style::Text => self.separate(b' '),
        }
        self.string(value.as_bytes());
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        put_string(self.out, self.style, bytes, false);
    }

    /// Strings that NULs separate, as one string with spaces.
    pub(super) fn joined(&mut self, bytes: &[u8]) {
        put_string(self.out, self.style, bytes, true);
    }

    /// Stands before and behind a word that needs no escape: an address, a hexadecimal number, the name of an errno.
    #[inline(never)]
    pub(super) fn quote(&mut self) {
        if self.style == Style::Json {
            self.out.put_byte(b'"');
        }
    }

    pub(super) fn hex(&mut self, value: u64) {
        self.quote();
        self.out.put_hex(value);
        self.quote();
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        self.decimal(false, value);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.decimal(value < 0, value.unsigned_abs());
    }

    #[inline(never)]
    fn decimal(&mut self, negative: bool, value: u64) {
        let exact = value <= JSON_EXACT;
        if !exact {
            self.quote();
        }
        if negative {
            self.out.put_byte(b'-');
        }
        self.out.put_u64(value);
        if !exact {
            self.quote();
        }
    }

    /// A word within quotes: printable ASCII without quote and backslash as it is, `?` for anything else.
    pub(super) fn word(&mut self, bytes: &[u8]) {
        for &b in bytes {
            let plain = b.is_ascii_graphic() && b != b'"' && b != b'\\';
            self.out.put_byte(if plain { b } else { b'?' });
        }
    }

    /// Keeps a stack for the end of the line; `false` where there is one already.
    pub(super) fn put_off(&mut self, stack: Stack) -> bool {
        let [kernel, user] = &mut self.stacks;
        let place = if stack.pid.is_some() { user } else { kernel };
        let free = place.is_none();
        if free {
            *place = Some(stack);
        }
        free
    }

    /// What stands for a value that cannot be printed.
    pub(super) fn nothing(&mut self) {
        self.out.put_str(if self.style == Style::Json { "null" } else { "?" });
    }
}
