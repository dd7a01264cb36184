//! Arrays as PostgreSQL writes them: `{1,NULL,"a b"}`, `{{1,2},{3,4}}`.

use std::borrow::Cow;

/// The elements of an array; `None` is NULL, and an array in an array is its text.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn items(text: &[u8]) -> Result<Vec<Option<Cow<'_, [u8]>>>, &'static str> {
    // Bounds that do not begin at 1 stand in front: `[0:1]={…}`.
    let text = match (text.first(), text.iter().position(|byte| *byte == b'=')) {
        (Some(b'['), Some(end)) => &text[end + 1..],
        _ => text,
    };
    let inner = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}"));
    let mut rest = inner.ok_or("it is not in braces")?;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (item, behind) = item(rest)?;
        items.push(item);
        rest = match behind.split_first() {
            None => behind,
            Some((b',', next)) if !next.is_empty() => next,
            Some(_) => return Err("a comma is expected"),
        };
    }
    Ok(items)
}

type Item<'a> = (Option<Cow<'a, [u8]>>, &'a [u8]);

/// The first element, and what comes behind it.
fn item(text: &[u8]) -> Result<Item<'_>, &'static str> {
    match text.first() {
        Some(b'"') => {
            let (item, behind) = quoted(&text[1..])?;
            Ok((Some(Cow::Owned(item)), behind))
        }
        Some(b'{') => {
            let (item, behind) = text.split_at(nested(text)?);
            Ok((Some(Cow::Borrowed(item)), behind))
        }
        _ => {
            let end = text.iter().position(|byte| *byte == b',').unwrap_or(text.len());
            let (item, behind) = text.split_at(end);
            Ok(((item != b"NULL").then_some(Cow::Borrowed(item)), behind))
        }
    }
}

/// What stands before the closing quote, and what behind it.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let (mut item, mut bytes) = (Vec::new(), text.iter().enumerate());
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok((item, &text[index + 1..])),
            b'\\' => item.push(*bytes.next().ok_or("nothing is behind a backslash")?.1),
            other => item.push(*other),
        }
    }
    Err("a quote is not closed")
}

/// Bytes of the array with which a text begins.
fn nested(text: &[u8]) -> Result<usize, &'static str> {
    let (mut depth, mut in_quotes, mut bytes) = (0_usize, false, text.iter().enumerate());
    while let Some((index, byte)) = bytes.next() {
        match (byte, in_quotes) {
            (b'\\', _) => drop(bytes.next()),
            (b'"', _) => in_quotes = !in_quotes,
            (b'{', false) => depth += 1,
            (b'}', false) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(index + 1);
                }
            }
            _ => {}
        }
    }
    Err("a brace is not closed")
}
