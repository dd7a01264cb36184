//! Columns of texts: written one behind the other into shared buffers ([`map_text`]), or parts of the texts of
//! another column, whose buffers they share ([`map_slice`]).
//!
//! Arrow's own builder copies each text once more, and its check of finished columns reads all bytes again. Here
//! every view is made of a `&str` that lies where the view says, so the check is left out: the only place in this
//! crate with `unsafe` code.
#![allow(unsafe_code, reason = "views are made of texts that lie where the views say")]

use arrow::array::{ByteView, StringViewArray, make_view};
use arrow::buffer::{Buffer, NullBuffer};
use tidegate_types::{Error, ErrorCode, Result};

use crate::vector::{TextLane, also_null, valid};

/// Texts of at most so many bytes lie in their views.
const INLINE: usize = 12;
/// A buffer with more bytes gets no further text.
const FULL: usize = 1 << 20;

/// A text per row: `op` appends it to what it is given, which it must not change otherwise, and says whether it is
/// a value (`false` is NULL). Runs only on rows that are not NULL.
pub(crate) fn map_text(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut op: impl FnMut(usize, &mut String) -> Result<bool>,
) -> Result<StringViewArray> {
    let mut views: Vec<u128> = Vec::with_capacity(rows);
    let mut sealed: Vec<Buffer> = Vec::new();
    let mut open = String::new();
    let mut missing: Vec<usize> = Vec::new();
    for row in 0..rows {
        if !valid(nulls, row) {
            views.push(0);
            continue;
        }
        if open.len() > FULL {
            sealed.push(Buffer::from_vec(std::mem::take(&mut open).into_bytes()));
        }
        let start = open.len();
        if !op(row, &mut open)? {
            open.truncate(start);
            missing.push(row);
            views.push(0);
            continue;
        }
        let text = open.get(start..).unwrap_or_default();
        if u32::try_from(open.len()).is_err() {
            return Err(Error::new(
                ErrorCode::ResourceExhausted,
                format!("a text of {} bytes is too long", text.len()),
            ));
        }
        views.push(make_view(text.as_bytes(), sealed.len() as u32, start as u32));
        if text.len() <= INLINE {
            open.truncate(start);
        }
    }
    if !open.is_empty() {
        sealed.push(Buffer::from_vec(open.into_bytes()));
    }
    let nulls = also_null(nulls.cloned(), rows, &missing);
    // SAFETY: a view longer than `INLINE` is that of a text at `start` of the buffer that was open then, which only
    // grew and is `sealed` at the index that was its length; a shorter one holds the bytes of a text itself.
    Ok(unsafe { StringViewArray::new_unchecked(views.into(), sealed, nulls) })
}

/// A part of the text of each row, or NULL: `op` gives it for rows that are not NULL. No bytes are copied.
pub(crate) fn map_slice<'a>(
    source: TextLane<'a>,
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut op: impl FnMut(usize, &'a str) -> Option<&'a str>,
) -> Result<StringViewArray> {
    let mut views: Vec<u128> = Vec::with_capacity(rows);
    let mut missing: Vec<usize> = Vec::new();
    for row in 0..rows {
        if !valid(nulls, row) {
            views.push(0);
            continue;
        }
        let text = source.get(row);
        let Some(part) = op(row, text) else {
            missing.push(row);
            views.push(0);
            continue;
        };
        let view = if part.len() <= INLINE {
            make_view(part.as_bytes(), 0, 0)
        } else {
            let whole = ByteView::from(source.view(row));
            let skipped = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            if skipped > text.len() || part.len() > text.len() - skipped {
                return Err(Error::internal("a part of a text that is none of it"));
            }
            make_view(part.as_bytes(), whole.buffer_index, whole.offset + skipped as u32)
        };
        views.push(view);
    }
    let nulls = also_null(nulls.cloned(), rows, &missing);
    let buffers = source.array().data_buffers().to_vec();
    // SAFETY: a view longer than `INLINE` is that of a `&str` within the text of its row, which is longer, too, and
    // so lies in a buffer of the source; a shorter one holds the bytes of a text itself.
    Ok(unsafe { StringViewArray::new_unchecked(views.into(), buffers, nulls) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Array as _;

    use super::*;
    use crate::function::Value;

    /// What Arrow's check says about a column.
    fn checked(array: &StringViewArray) -> Vec<Option<String>> {
        let (views, buffers, nulls) = array.clone().into_parts();
        let again = StringViewArray::try_new(views, buffers, nulls).unwrap();
        again.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn written_texts_lie_where_their_views_say() {
        let long = "流数据".repeat(50_000);
        let texts =
            ["", "short", "twelve bytes", "thirteen byte", "Zürich, Zürich", &long, &long, "x"];
        let nulls = NullBuffer::from((0..16).map(|row| row % 5 != 0).collect::<Vec<_>>());
        let made = map_text(16, Some(&nulls), |row, out| {
            out.push_str(texts[row % 8]);
            Ok(row % 7 != 0)
        });
        let expected: Vec<Option<String>> = (0..16)
            .map(|row| (row % 5 != 0 && row % 7 != 0).then(|| texts[row % 8].to_owned()))
            .collect();
        assert_eq!(checked(&made.unwrap()), expected);
    }

    #[test]
    fn parts_share_the_buffers() {
        let source: StringViewArray =
            [Some("a text that is long enough"), Some("short"), None, Some("ünter zwölf Ümlauten")]
                .into_iter()
                .collect();
        let buffers = source.data_buffers().len();
        let value = Value::Array(Arc::new(source.clone()));
        let lane = TextLane::new(&value).unwrap();
        let made = map_slice(lane, 4, source.nulls(), |row, text| match row {
            1 => None,
            3 => Some(&text[2..]),
            _ => Some(&text[2..24]),
        });
        let made = made.unwrap();
        assert_eq!(made.data_buffers().len(), buffers);
        let expected = [Some("text that is long enou"), None, None, Some("nter zwölf Ümlauten")];
        assert_eq!(checked(&made), expected.map(|text| text.map(str::to_owned)));
        assert!(map_slice(lane, 1, None, |_, _| Some("a text of another place")).is_err());
    }
}
