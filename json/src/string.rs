//! Escapes in strings, both ways.

use crate::scan;

/// Appends what the inside of a string token means. Returns the offset of the first malformed escape.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut rest = raw;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..found]);
        let offset = raw.len() - rest.len() + found;
        let (taken, simple) = match rest.get(found + 1) {
            Some(b'"') => (2, b'"'),
            Some(b'\\') => (2, b'\\'),
            Some(b'/') => (2, b'/'),
            Some(b'b') => (2, 8),
            Some(b'f') => (2, 12),
            Some(b'n') => (2, b'\n'),
            Some(b'r') => (2, b'\r'),
            Some(b't') => (2, b'\t'),
            Some(b'u') => {
                let taken = unescape_unicode(&rest[found..], out).ok_or(offset)?;
                rest = &rest[found + taken..];
                continue;
            }
            _ => return Err(offset),
        };
        out.push(simple);
        rest = &rest[found + taken..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// `\u00e4`, or two of them that are a surrogate pair; returns the bytes taken. A surrogate without its
/// partner becomes `?`, as Java encodes it.
fn unescape_unicode(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let first = hex4(text)?;
    let (code, taken) = match first {
        0xd800..0xdc00 => match hex4(&text[6..]) {
            Some(second @ 0xdc00..0xe000) => {
                (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
            }
            _ => (u32::from(b'?'), 6),
        },
        0xdc00..0xe000 => (u32::from(b'?'), 6),
        code => (code, 6),
    };
    let character = char::from_u32(code).unwrap_or('?');
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(taken)
}

/// The number of `\uXXXX` at the beginning.
fn hex4(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text else {
        return None;
    };
    digits
        .first_chunk::<4>()?
        .iter()
        .try_fold(0, |code, digit| char::from(*digit).to_digit(16).map(|digit| code << 4 | digit))
}

/// Appends a text as a string token, with its quotes, escaped as Jackson does: control characters,
/// quotes and backslashes, nothing else.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    while let Some(found) = scan::to_escape(text, from) {
        out.extend_from_slice(&text[from..found]);
        match text[found] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                let digits = [HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
        from = found + 1;
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}

/// The same as Jackson writes it into bytes: characters beyond U+FFFF too are escaped, as two surrogates.
pub fn write_string_into_bytes(text: &[u8], out: &mut Vec<u8>) {
    const FIRST_OF_FOUR: u8 = 0xf0;
    if !text.iter().any(|byte| *byte >= FIRST_OF_FOUR) {
        return write_string(text, out);
    }
    let start = out.len();
    write_string(text, out);
    let Ok(written) = String::from_utf8(out.split_off(start)) else { return };
    for character in written.chars() {
        let mut units = [0; 2];
        match character.encode_utf16(&mut units) {
            [high, low] => {
                out.extend_from_slice(format!("\\u{high:04X}\\u{low:04X}").as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> Result<String, usize> {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn escapes_mean_characters() {
        assert_eq!(unescaped(r#"\u00e4\n\"\\\/\t\b\f\r"#), Ok("ä\n\"\\/\t\u{8}\u{c}\r".to_owned()));
        assert_eq!(unescaped(r"a\ud83d\uDE00b"), Ok("a😀b".to_owned()));
        assert_eq!(unescaped(r"\ud83dx\ude00"), Ok("?x?".to_owned()));
        assert_eq!(unescaped(r"\ud83d\u0041"), Ok("?A".to_owned()));
        assert_eq!(unescaped("plain ä"), Ok("plain ä".to_owned()));
    }

    #[test]
    fn malformed_escapes_are_located() {
        for (raw, offset) in
            [(r"ab\x", 2), (r"\u12", 0), (r"\n\u12g4", 2), ("a\\", 1), (r"\uD83D\u", 6)]
        {
            assert_eq!(unescaped(raw), Err(offset), "{raw}");
        }
    }

    #[test]
    fn strings_are_escaped_as_flink_does() {
        let mut out = Vec::new();
        write_string("q\"\\/\n\t\u{1}ä\u{2028}<\u{1f}\u{7f}".as_bytes(), &mut out);
        let expected = "\"q\\\"\\\\/\\n\\t\\u0001ä\u{2028}<\\u001F\u{7f}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read() {
        for text in
            ["", "ä😀\u{0}\u{1f}\"\\", "long enough for several words of eight \" bytes \\ each"]
        {
            let mut token = Vec::new();
            write_string(text.as_bytes(), &mut token);
            let inner = std::str::from_utf8(&token[1..token.len() - 1]).unwrap();
            assert_eq!(unescaped(inner), Ok(text.to_owned()));
        }
    }
}
