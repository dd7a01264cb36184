//! An array or object as text, for columns of type STRING: without white space, numbers and strings as
//! Jackson prints them (a number with point or exponent as a DOUBLE).

use crate::format::text::number::{parse_double, write_double};
use tidegate_json::cursor::{Cursor, Parse};
use tidegate_json::string::{unescape, write_string};

/// Deepest nesting of arrays and objects, as in Jackson.
const MAX_DEPTH: usize = 1000;

/// Appends the array or object that begins here. `scratch` is memory for strings.
pub(super) fn compact(
    cursor: &mut Cursor<'_>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Parse<()> {
    // What closes each value that is open, innermost last.
    let mut open: Vec<u8> = Vec::new();
    loop {
        // Here stands a value, or the end of an empty array or object.
        match cursor.peek() {
            Some(bracket @ (b'{' | b'[')) => {
                if open.len() == MAX_DEPTH {
                    return cursor.fault(format!("values are nested deeper than {MAX_DEPTH}"));
                }
                let close = if bracket == b'{' { b'}' } else { b']' };
                cursor.position += 1;
                cursor.skip_space();
                out.push(bracket);
                if cursor.peek() == Some(close) {
                    cursor.position += 1;
                    out.push(close);
                } else {
                    open.push(close);
                    key(cursor, &open, scratch, out)?;
                    continue;
                }
            }
            _ => scalar(cursor, scratch, out)?,
        }
        // Behind a value.
        while let Some(close) = open.last().copied() {
            if cursor.another(close)? {
                out.push(b',');
                key(cursor, &open, scratch, out)?;
                break;
            }
            out.push(close);
            open.pop();
        }
        if open.is_empty() {
            return Ok(());
        }
    }
}

/// Appends the key that stands here, if the innermost open value is an object.
fn key(
    cursor: &mut Cursor<'_>,
    open: &[u8],
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Parse<()> {
    if open.last() != Some(&b'}') {
        return Ok(());
    }
    if cursor.peek() != Some(b'"') {
        return cursor.unexpected("a key");
    }
    string(cursor, scratch, out)?;
    cursor.expect(b':', "':'")?;
    out.push(b':');
    Ok(())
}

fn scalar(cursor: &mut Cursor<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Parse<()> {
    match cursor.peek() {
        Some(b'"') => string(cursor, scratch, out),
        Some(b'-' | b'0'..=b'9') => {
            let number = cursor.number()?;
            match parse_double(number.text) {
                Some(value) if !number.integral => write_double(value, out),
                _ => out.extend_from_slice(number.text),
            }
            Ok(())
        }
        _ => {
            let start = cursor.position;
            cursor.skip_value()?;
            out.extend_from_slice(&cursor.bytes[start..cursor.position]);
            Ok(())
        }
    }
}

fn string(cursor: &mut Cursor<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Parse<()> {
    let start = cursor.position;
    let token = cursor.string()?;
    if !token.escaped {
        write_string(token.raw, out);
        return Ok(());
    }
    scratch.clear();
    if let Err(offset) = unescape(token.raw, scratch) {
        cursor.position = start + 1 + offset;
        return cursor.fault("an escape in a string is malformed");
    }
    write_string(scratch, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(text: &str) -> Option<String> {
        let mut cursor = Cursor::new(text.as_bytes());
        let mut out = Vec::new();
        compact(&mut cursor, &mut Vec::new(), &mut out).ok()?;
        assert_eq!(cursor.position, text.len());
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_written_without_space() {
        for (text, expected) in [
            (r#"{"b":1, "c":[1,2]}"#, r#"{"b":1,"c":[1,2]}"#),
            ("[1, 2]", "[1,2]"),
            (r#"{ "c" : 1.50 }"#, r#"{"c":1.5}"#),
            (
                r#"[ { } , [ ] , null , true, "\u00e4\/" , -0, 1e2 ]"#,
                r#"[{},[],null,true,"ä/",-0,100.0]"#,
            ),
            ("[[[]]]", "[[[]]]"),
        ] {
            assert_eq!(compacted(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            "[1,]",
            "{\"a\"}",
            "{1:2}",
            "[1",
            "{\"a\":1,}",
            "[}",
            "{\"a\":[}",
            "[1 2]",
            "[\"\\x\"]",
            "[nul]",
        ] {
            assert_eq!(compacted(text), None, "{text}");
        }
        assert_eq!(compacted(&"[".repeat(100_000)), None);
    }
}
