//! A bounded place to print to: bytes and numbers without `core::fmt`, whose machinery costs the device 3.7 KB.

/// Prints into a buffer of the caller's. What does not fit is left out and [`Out::is_full`] says so; it never panics.
#[derive(Debug)]
pub struct Out<'b> {
    buf: &'b mut [u8],
    len: usize,
    full: bool,
}

impl<'b> Out<'b> {
    /// Prints into `buf` from its start.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Out { buf, len: 0, full: false }
    }

    /// What was printed.
    pub fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(&[])
    }

    /// Number of bytes printed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether something did not fit. From then on nothing more is taken.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Makes it full, so that nothing more is printed: the caller found that the record cannot be printed whole.
    pub(super) fn give_up(&mut self) {
        self.full = true;
    }

    /// Prints bytes as they are: all of them or none.
    #[inline(never)] // called everywhere: inlined, it takes the device more flash
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buf.get_mut(self.len..end) {
            Some(room) if !self.full => {
                // equally long; `copy_from_slice` would bring its panic
                room.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
                self.len = end;
            }
            _ => self.full = true,
        }
    }

    /// Puts bytes in front of what was printed from `at` on: all of them or none.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        let len = bytes.len();
        let moved = at..self.len;
        self.put(bytes);
        if self.full {
            return;
        }
        // byte by byte: `copy_within` would bring its panic
        for from in moved.rev() {
            let byte = self.buf.get(from).copied();
            if let (Some(to), Some(byte)) = (self.buf.get_mut(from.saturating_add(len)), byte) {
                *to = byte;
            }
        }
        if let Some(room) = self.buf.get_mut(at..) {
            room.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        }
    }

    /// Prints one byte as it is.
    #[inline(never)]
    pub fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Prints a string as it is.
    pub fn put_str(&mut self, s: &str) {
        self.put(s.as_bytes());
    }

    /// Prints a number in decimal, right-aligned in `width` columns.
    pub fn put_u64_in(&mut self, value: u64, width: usize) {
        self.put_padded(value, width, b' ');
    }

    /// The same with `pad` in front.
    pub(super) fn put_padded(&mut self, value: u64, width: usize, pad: u8) {
        let mut digits = [b' '; 20];
        let mut first = digits.len();
        let mut rest = value;
        for (i, d) in digits.iter_mut().enumerate().rev() {
            *d = b'0'.wrapping_add((rest % 10) as u8);
            first = i;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let text = digits.get(first..).unwrap_or(&[]);
        for _ in text.len()..width {
            self.put_byte(pad);
        }
        self.put(text);
    }

    /// Prints a number in decimal.
    pub fn put_u64(&mut self, value: u64) {
        self.put_u64_in(value, 0);
    }

    /// Prints a signed number in decimal.
    pub fn put_i64(&mut self, value: i64) {
        if value < 0 {
            self.put_byte(b'-');
        }
        self.put_u64(value.unsigned_abs());
    }

    /// Prints `0x` and a number in hexadecimal without leading zeros.
    pub fn put_hex(&mut self, value: u64) {
        self.put_str("0x");
        self.put_hex_digits(value);
    }

    /// The same without `0x`.
    pub fn put_hex_digits(&mut self, value: u64) {
        let digits = 16u32.saturating_sub(value.leading_zeros() / 4).max(1);
        for i in (0..digits).rev() {
            self.put_digit(value.wrapping_shr(i.saturating_mul(4)) as u8);
        }
    }

    /// Prints a byte as two hexadecimal digits.
    pub fn put_hex_byte(&mut self, byte: u8) {
        self.put_digit(byte >> 4);
        self.put_digit(byte);
    }

    /// Prints the low four bits as a hexadecimal digit.
    fn put_digit(&mut self, nibble: u8) {
        let n = nibble & 0xf;
        let base = if n < 10 { b'0' } else { b'a'.wrapping_sub(10) };
        self.put_byte(base.wrapping_add(n));
    }
}

#[cfg(test)]
mod tests {
    use super::Out;

    fn printed(f: impl Fn(&mut Out<'_>)) -> std::string::String {
        let mut buf = [0; 64];
        let mut out = Out::new(&mut buf);
        f(&mut out);
        std::str::from_utf8(out.bytes()).unwrap().into()
    }

    #[test]
    fn numbers() {
        assert_eq!(printed(|o| o.put_u64(0)), "0");
        assert_eq!(printed(|o| o.put_u64(u64::MAX)), "18446744073709551615");
        assert_eq!(printed(|o| o.put_i64(i64::MIN)), "-9223372036854775808");
        assert_eq!(printed(|o| o.put_u64_in(42, 5)), "   42");
        assert_eq!(printed(|o| o.put_u64_in(123456, 5)), "123456");
        assert_eq!(printed(|o| o.put_hex(0)), "0x0");
        assert_eq!(printed(|o| o.put_hex(0x0102_ff00)), "0x102ff00");
        assert_eq!(printed(|o| o.put_hex(u64::MAX)), "0xffffffffffffffff");
    }

    #[test]
    fn inserted_bytes_move_the_rest() {
        let insert = |o: &mut Out<'_>| {
            o.put_str("ab");
            o.insert(1, b"xyz");
        };
        assert_eq!(printed(insert), "axyzb");
        let mut buf = [0; 4];
        let mut out = Out::new(&mut buf);
        insert(&mut out);
        assert_eq!((out.bytes(), out.is_full()), (&b"ab"[..], true));
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut buf = [0; 4];
        let mut out = Out::new(&mut buf);
        out.put_str("abc");
        out.put_str("de");
        out.put_byte(b'f');
        assert!(out.is_full());
        assert_eq!(out.bytes(), b"abc");
    }
}
