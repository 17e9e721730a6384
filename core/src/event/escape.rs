//! Strings that a traced process may have written, printed so that they cannot act on a terminal or break a format.
//!
//! Escaped in both styles: control characters (C0, DEL, C1), and the invisible and bidirectional formatting characters that
//! make text look like other text. Text: such characters and bytes that are no UTF-8 as `\xNN` for each byte, a backslash
//! doubled; strings that hold a separator (space, comma, `=`, quote, bracket) or nothing at all in double quotes. JSON
//! (RFC 8259): such characters as `\uNNNN`; each ill-formed UTF-8 sequence as `\ufffd`, so the result is always valid.

use super::out::Out;
use super::write::Style;

/// Prints `bytes` as a string of `style`; where it is `joined`, NULs in it are printed as spaces.
pub(super) fn put_string(out: &mut Out<'_>, style: Style, bytes: &[u8], joined: bool) {
    let space = |b: u8| b == 0 && joined;
    let quoted = style == Style::Json || bytes.is_empty() || bytes.iter().any(|&b| space(b) || separates(b));
    if quoted {
        out.put_byte(b'"');
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (text, ill, behind) = first_chunk(rest);
        for (at, c) in text.char_indices() {
            let utf8 = text.as_bytes().get(at..at.saturating_add(c.len_utf8())).unwrap_or(&[]);
            if c == '\0' && joined {
                out.put_byte(b' ');
            } else {
                put_char(out, style, c, utf8);
            }
        }
        match style {
            Style::Text => put_escaped(out, ill),
            Style::Json if ill.is_empty() => {}
            Style::Json => out.put_str("\\ufffd"),
        }
        rest = behind;
    }
    if quoted {
        out.put_byte(b'"');
    }
}

/// The text that `bytes` start with, the ill-formed sequence behind it, and the rest. As `utf8_chunks`, with the decoder that
/// the device has anyway.
fn first_chunk(bytes: &[u8]) -> (&str, &[u8], &[u8]) {
    let (valid, ill) = match core::str::from_utf8(bytes) {
        Ok(text) => return (text, &[], &[]),
        Err(e) => (e.valid_up_to(), e.error_len()),
    };
    let (text, rest) = bytes.split_at_checked(valid).unwrap_or((bytes, &[]));
    let (ill, rest) = rest.split_at_checked(ill.unwrap_or(rest.len())).unwrap_or((rest, &[]));
    (core::str::from_utf8(text).unwrap_or(""), ill, rest)
}

fn put_char(out: &mut Out<'_>, style: Style, c: char, bytes: &[u8]) {
    if c == '\\' || c == '"' {
        out.put_byte(b'\\');
    }
    match style {
        _ if !acts(c) => out.put(bytes),
        Style::Text => put_escaped(out, bytes),
        Style::Json => {
            let [high, low] = (c as u16).to_be_bytes();
            out.put_str("\\u");
            out.put_hex_byte(high);
            out.put_hex_byte(low);
        }
    }
}

fn put_escaped(out: &mut Out<'_>, bytes: &[u8]) {
    for &b in bytes {
        out.put_str("\\x");
        out.put_hex_byte(b);
    }
}

/// Whether a byte makes quotes necessary in text.
fn separates(b: u8) -> bool {
    matches!(b, b' ' | b',' | b'=' | b'"' | b'\'' | b'{' | b'}' | b'[' | b']')
}

/// Whether a character does something to a terminal other than showing. All of them are in the basic plane.
fn acts(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn printed(style: Style, bytes: &[u8]) -> String {
        let mut buf = [0; 256];
        let mut out = Out::new(&mut buf);
        put_string(&mut out, style, bytes, false);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    #[test]
    fn text() {
        let text = |b: &[u8]| printed(Style::Text, b);
        assert_eq!(text(b"/etc/passwd"), "/etc/passwd");
        assert_eq!(text(b""), "\"\"");
        assert_eq!(text(b"a b"), "\"a b\"");
        assert_eq!(text(b"a=b"), "\"a=b\"");
        assert_eq!(text(b"say \"x\""), r#""say \"x\"""#);
        assert_eq!(text(b"a\\n\n"), r"a\\n\x0a");
        assert_eq!(text(b"\x1b[31m"), r#""\x1b[31m""#);
        assert_eq!(text(b"\xff\xc3"), r"\xff\xc3");
        assert_eq!(text("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(text("\u{9b}\u{202e}".as_bytes()), r"\xc2\x9b\xe2\x80\xae");
    }

    #[test]
    fn json() {
        let json = |b: &[u8]| printed(Style::Json, b);
        assert_eq!(json(b""), "\"\"");
        assert_eq!(json(b"a\"\\\n"), r#""a\"\\\u000a""#);
        assert_eq!(json(b"x\xff\xfey"), r#""x\ufffd\ufffdy""#);
        assert_eq!(json("\u{202e}".as_bytes()), r#""\u202e""#);
        assert_eq!(json("\u{1f600}".as_bytes()), "\"\u{1f600}\"");
    }
}
