//! The keys of objects inside of a record, for formats to which it matters that a key is there.

use tidegate_json::cursor::{Cursor, Parse};

use super::value::{Scratch, key_text};

/// Calls `each` with the keys of the object under the record's key `field`, and those of the objects of an array
/// there with the index of the object. What is malformed ends it: the decoder has looked at the record before.
pub(in crate::format) fn each_key_in(
    record: &[u8],
    field: &str,
    mut each: impl FnMut(usize, &[u8]),
) {
    let mut scratch = Scratch::default();
    let mut cursor = Cursor::new(record);
    cursor.skip_space();
    // The result says only where reading ended.
    let _ended = find(&mut cursor, field, &mut scratch, &mut each);
}

fn find(
    cursor: &mut Cursor<'_>,
    field: &str,
    scratch: &mut Scratch,
    each: &mut impl FnMut(usize, &[u8]),
) -> Parse<()> {
    let mut open = enter(cursor, b'{', b'}')?;
    while open {
        if key(cursor, scratch)? == field.as_bytes() {
            return rows(cursor, scratch, each);
        }
        cursor.skip_value()?;
        open = cursor.another(b'}')?;
    }
    Ok(())
}

fn rows(
    cursor: &mut Cursor<'_>,
    scratch: &mut Scratch,
    each: &mut impl FnMut(usize, &[u8]),
) -> Parse<()> {
    if cursor.peek() != Some(b'[') {
        return keys(cursor, scratch, 0, each);
    }
    let mut open = enter(cursor, b'[', b']')?;
    let mut index = 0;
    while open {
        keys(cursor, scratch, index, each)?;
        index += 1;
        open = cursor.another(b']')?;
    }
    Ok(())
}

/// The keys of the value that begins here; it has none unless it is an object.
fn keys(
    cursor: &mut Cursor<'_>,
    scratch: &mut Scratch,
    index: usize,
    each: &mut impl FnMut(usize, &[u8]),
) -> Parse<()> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip_value();
    }
    let mut open = enter(cursor, b'{', b'}')?;
    while open {
        each(index, key(cursor, scratch)?);
        cursor.skip_value()?;
        open = cursor.another(b'}')?;
    }
    Ok(())
}

/// Goes into an object or array. Returns whether it has something; else the cursor is behind it.
fn enter(cursor: &mut Cursor<'_>, bracket: u8, close: u8) -> Parse<bool> {
    if cursor.peek() != Some(bracket) {
        return cursor.unexpected("an object or array");
    }
    cursor.position += 1;
    cursor.skip_space();
    let empty = cursor.peek() == Some(close);
    cursor.position += usize::from(empty);
    Ok(!empty)
}

/// Goes over a key and its colon.
fn key<'s, 'a: 's>(cursor: &mut Cursor<'a>, scratch: &'s mut Scratch) -> Parse<&'s [u8]> {
    if cursor.peek() != Some(b'"') {
        return cursor.unexpected("a key in double quotes");
    }
    let token = cursor.string()?;
    cursor.expect(b':', "':'")?;
    match key_text(token.raw, token.escaped, scratch) {
        Ok(text) => Ok(text),
        Err(_) => cursor.fault("an escape in a key is malformed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(record: &str) -> Vec<(usize, String)> {
        let mut all = Vec::new();
        each_key_in(record.as_bytes(), "old", |index, key| {
            all.push((index, String::from_utf8_lossy(key).into_owned()));
        });
        all
    }

    #[test]
    fn keys_come_with_the_index_of_their_object() {
        let key = |index: usize, key: &str| (index, key.to_owned());
        let record = r#" {"a":{"old":{"x":1}}, "old" : [ {"x":null,"\u0079":[1]} , null, {}, {"z":{"w":1}} ],"b":2}"#;
        assert_eq!(keys_of(record), [key(0, "x"), key(0, "y"), key(3, "z")]);
        assert_eq!(keys_of(r#"{"old":{"x":null}}"#), [key(0, "x")]);
        for none in [r#"{"old":null}"#, "{}", r#"{"old":[]}"#, "", "null", "[", r#"{"old":"#] {
            assert_eq!(keys_of(none), [], "{none}");
        }
    }
}
