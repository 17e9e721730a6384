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
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| put_char(out, style, if c == '\0' && joined { ' ' } else { c }));
        match style {
            Style::Text => put_escaped(out, chunk.invalid()),
            Style::Json if chunk.invalid().is_empty() => {}
            Style::Json => out.put_str("\\ufffd"),
        }
    }
    if quoted {
        out.put_byte(b'"');
    }
}

fn put_char(out: &mut Out<'_>, style: Style, c: char) {
    let mut utf8 = [0; 4];
    let bytes = c.encode_utf8(&mut utf8).as_bytes();
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
