//! Changes between the results of rows before a batch and after it.

use std::collections::HashMap;

use arrow::array::{Int8Array, RecordBatch};
use arrow::compute::interleave;
use arrow::row::RowConverter;
use tidegate_plan::RowKind;
use tidegate_types::Result;

use super::internal;
use crate::element::Changes;

/// The results of the rows of regions.
pub(super) struct Results {
    /// Output rows, region by region in order.
    pub(super) rows: RecordBatch,
    /// The slot of each row's key, and its number, which only tells the rows of one key apart.
    pub(super) ids: Vec<(u32, i64)>,
}

/// How results are compared.
pub(super) struct Comparison<'a> {
    /// Of the columns behind the input's.
    pub(super) results: &'a RowConverter,
    /// Number of the input's columns.
    pub(super) inputs: usize,
    /// Whether old rows are told.
    pub(super) before: bool,
}

impl Comparison<'_> {
    /// What has come, gone and changed, if anything; what is gone comes first.
    pub(super) fn changes(&self, old: &Results, new: &Results) -> Result<Option<Changes>> {
        let converted =
            |of: &Results| self.results.convert_columns(&of.rows.columns()[self.inputs..]);
        let (olds, news) = (converted(old).map_err(internal)?, converted(new).map_err(internal)?);
        let places = |of: &Results| -> HashMap<(u32, i64), usize> {
            of.ids.iter().enumerate().map(|(place, id)| (*id, place)).collect()
        };
        let (were, are) = (places(old), places(new));
        let (mut kinds, mut places) = (Vec::new(), Vec::new());
        let mut add = |kind: RowKind, from: usize, place: usize| {
            kinds.push(kind as i8);
            places.push((from, place));
        };
        for (place, id) in old.ids.iter().enumerate() {
            if !are.contains_key(id) {
                add(RowKind::Delete, 0, place);
            }
        }
        for (place, id) in new.ids.iter().enumerate() {
            match were.get(id) {
                None => add(RowKind::Insert, 1, place),
                Some(before) if olds.row(*before) != news.row(place) => {
                    if self.before {
                        add(RowKind::UpdateBefore, 0, *before);
                    }
                    add(RowKind::UpdateAfter, 1, place);
                }
                Some(_) => {}
            }
        }
        if kinds.is_empty() {
            return Ok(None);
        }
        let columns = old.rows.columns().iter().zip(new.rows.columns());
        let columns = columns.map(|(old, new)| interleave(&[old.as_ref(), new.as_ref()], &places));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(internal)?;
        let rows = RecordBatch::try_new(new.rows.schema(), columns).map_err(internal)?;
        let plain = kinds.iter().all(|kind| *kind == RowKind::Insert as i8);
        Ok(Some(Changes { kinds: (!plain).then(|| Int8Array::from(kinds)), rows }))
    }
}
