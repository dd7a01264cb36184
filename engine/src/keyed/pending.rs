//! Groups that have changed and whose changes have not been emitted, with the results that they had;
//! and the changes made of them.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int8Array, RecordBatch, RecordBatchOptions, UInt32Array,
    make_comparator,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{SortOptions, concat, interleave, or, take};
use arrow::datatypes::SchemaRef;
use tidegate_plan::RowKind;
use tidegate_types::{Error, Result};

use crate::element::Changes;

/// In place of an index: there is no old result.
pub(super) const NEW: u32 = u32::MAX;

/// Changed groups.
#[derive(Default)]
pub(crate) struct Pending {
    /// Per slot the flush in whose pending groups it last was.
    stamps: Vec<u32>,
    now: u32,
    pub(crate) slots: Vec<u32>,
    /// Per pending group its row in `old`, or [`NEW`].
    olds: Vec<u32>,
    old: Vec<Vec<ArrayRef>>,
    old_rows: u32,
}

impl Pending {
    /// Notes the groups of rows; answers the range of those that were not pending, in `slots`.
    pub(crate) fn note(&mut self, slots: &[u32], table: usize) -> std::ops::Range<usize> {
        if self.slots.is_empty() {
            self.now = self.now.wrapping_add(1);
            if self.now == 0 {
                self.stamps.fill(0);
                self.now = 1;
            }
        }
        self.stamps.resize(table.max(self.stamps.len()), 0);
        let before = self.slots.len();
        for slot in slots {
            let stamp = &mut self.stamps[*slot as usize];
            if *stamp != self.now {
                *stamp = self.now;
                self.slots.push(*slot);
            }
        }
        before..self.slots.len()
    }

    /// Tells which of the groups just noted have been emitted before; `results` of those are kept if they
    /// will be needed.
    pub(crate) fn had(
        &mut self,
        noted: std::ops::Range<usize>,
        emitted: &[bool],
        results: Option<impl FnOnce(&[u32]) -> Result<Vec<ArrayRef>>>,
    ) -> Result<()> {
        let had = self.slots[noted.clone()].iter().map(|slot| emitted[*slot as usize]);
        let had: Vec<bool> = had.collect();
        self.had_each(noted, &had, results)
    }

    /// As [`Pending::had`], said of each of the groups just noted.
    pub(crate) fn had_each(
        &mut self,
        noted: std::ops::Range<usize>,
        had: &[bool],
        results: Option<impl FnOnce(&[u32]) -> Result<Vec<ArrayRef>>>,
    ) -> Result<()> {
        let slots = &self.slots[noted];
        let mut next = self.old_rows;
        for had in had {
            self.olds.push(if *had { next } else { NEW });
            next += u32::from(*had);
        }
        if let Some(results) = results
            && next > self.old_rows
        {
            let columns = if (next - self.old_rows) as usize == slots.len() {
                results(slots)?
            } else {
                let had = slots.iter().zip(had).filter(|(_, had)| **had);
                results(&had.map(|(slot, _)| *slot).collect::<Vec<_>>())?
            };
            self.old.push(columns);
        }
        self.old_rows = next;
        Ok(())
    }

    /// Whether a slot is pending.
    pub(crate) fn has(&self, slot: u32) -> bool {
        !self.slots.is_empty() && self.stamps.get(slot as usize) == Some(&self.now)
    }

    /// Takes what is pending: the slots, and their old results.
    pub(crate) fn take(&mut self) -> Result<(Vec<u32>, Old)> {
        let slots = std::mem::take(&mut self.slots);
        let parts = std::mem::take(&mut self.old);
        self.old_rows = 0;
        let columns = match parts.len() {
            0 => Vec::new(),
            1 => parts.into_iter().next().unwrap_or_default(),
            _ => (0..parts[0].len())
                .map(|column| {
                    let parts: Vec<&dyn Array> = parts.iter().map(|p| p[column].as_ref()).collect();
                    concat(&parts).map_err(internal)
                })
                .collect::<Result<_>>()?,
        };
        Ok((slots, Old { rows: std::mem::take(&mut self.olds), columns }))
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        let old = self.old.iter().flatten().map(|column| column.get_array_memory_size());
        (self.stamps.capacity() + self.slots.capacity() + self.olds.capacity()) * 4
            + old.sum::<usize>()
    }
}

/// Results that groups had.
pub(crate) struct Old {
    pub(super) rows: Vec<u32>,
    /// Empty if they are not needed.
    pub(super) columns: Vec<ArrayRef>,
}

/// What is emitted of changed groups.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Whether the old content of updated groups is.
    pub(crate) before: bool,
    /// Whether updates that change nothing are.
    pub(crate) equal: bool,
}

impl Old {
    /// Whether the group at an index had been emitted.
    pub(crate) fn had(&self, index: usize) -> bool {
        self.rows[index] != NEW
    }

    /// The changes from these results to `new` ones, of groups with `keys`; groups that are not `alive`
    /// are deleted.
    pub(crate) fn changes(
        &self,
        keys: &[ArrayRef],
        new: &[ArrayRef],
        alive: Option<&[bool]>,
        wanted: Wanted,
        schema: &SchemaRef,
    ) -> Result<Option<Changes>> {
        let groups = self.rows.len();
        let alive = |group: usize| alive.is_none_or(|alive| alive[group]);
        let changed = match wanted.equal || self.columns.is_empty() {
            true => None,
            false => Some(self.changed(new)?),
        };
        // Groups without results (SELECT DISTINCT) come and go, they do not change.
        let changed = |group: usize| {
            !new.is_empty() && changed.as_ref().is_none_or(|changed| changed.value(group))
        };
        let (mut kinds, mut rows) = (Vec::new(), Vec::new());
        let mut emit = |kind: RowKind, group: usize, new: bool| {
            kinds.push(kind as i8);
            let row = if new { group } else { self.rows[group] as usize };
            rows.push((group as u32, (usize::from(new), row)));
        };
        for group in 0..groups {
            match (self.had(group), alive(group)) {
                (false, false) => {}
                (false, true) => emit(RowKind::Insert, group, true),
                (true, false) => emit(RowKind::Delete, group, false),
                (true, true) if changed(group) => {
                    if wanted.before {
                        emit(RowKind::UpdateBefore, group, false);
                    }
                    emit(RowKind::UpdateAfter, group, true);
                }
                (true, true) => {}
            }
        }
        if kinds.is_empty() {
            return Ok(None);
        }
        let in_order = kinds.len() == groups && rows.iter().all(|(_, (of, _))| *of == 1);
        let columns = if in_order {
            keys.iter().chain(new).cloned().collect()
        } else {
            let (groups, places): (Vec<u32>, Vec<(usize, usize)>) = rows.into_iter().unzip();
            let groups = UInt32Array::from(groups);
            let keys = keys.iter().map(|key| take(key, &groups, None).map_err(internal));
            let results = new.iter().enumerate().map(|(column, new)| {
                let old = self.columns.get(column).unwrap_or(new);
                interleave(&[old.as_ref(), new.as_ref()], &places).map_err(internal)
            });
            keys.chain(results).collect::<Result<Vec<_>>>()?
        };
        let plain = kinds.iter().all(|kind| *kind == RowKind::Insert as i8);
        let options = RecordBatchOptions::new().with_row_count(Some(kinds.len()));
        let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options)
            .map_err(|error| Error::internal(format!("results of groups: {error}")))?;
        Ok(Some(Changes { kinds: (!plain).then(|| Int8Array::from(kinds)), rows }))
    }

    /// Which groups have other results than they had. New ones count as changed.
    fn changed(&self, new: &[ArrayRef]) -> Result<BooleanArray> {
        let all = self.rows.iter().enumerate().all(|(group, row)| *row as usize == group);
        let places: UInt32Array =
            self.rows.iter().map(|row| (*row != NEW).then_some(*row)).collect();
        let mut changed =
            BooleanArray::from(self.rows.iter().map(|r| *r == NEW).collect::<Vec<_>>());
        for (old, new) in self.columns.iter().zip(new) {
            let old = match all {
                true => old.clone(),
                false => take(old, &places, None).map_err(internal)?,
            };
            changed = or(&changed, &differ(&old, new)?).map_err(internal)?;
        }
        Ok(changed)
    }
}

/// Which rows of two columns differ; NULL equals NULL.
fn differ(old: &ArrayRef, new: &ArrayRef) -> Result<BooleanArray> {
    if !new.data_type().is_nested() {
        return distinct(old, new).map_err(internal);
    }
    match make_comparator(old, new, SortOptions::default()) {
        Ok(compare) => Ok((0..new.len()).map(|row| Some(compare(row, row).is_ne())).collect()),
        // Not comparable by value: by its parts.
        Err(_) => Ok((0..new.len())
            .map(|row| Some(old.slice(row, 1).to_data() != new.slice(row, 1).to_data()))
            .collect()),
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn floats_and_nulls_compare_as_values() {
        use arrow::array::Float64Array;
        let old: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(1.0)]));
        let new: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), None, None]));
        assert_eq!(differ(&old, &new).unwrap(), BooleanArray::from(vec![false, false, true]));
    }

    #[test]
    fn a_group_is_noted_once_until_it_is_taken() {
        let mut pending = Pending::default();
        assert_eq!(pending.note(&[2, 1, 2], 3), 0..2);
        assert_eq!(pending.note(&[1, 0], 3), 2..3);
        assert!(pending.has(0));
        pending.had(0..3, &[true, false, true], Some(|_: &[u32]| Ok(Vec::new()))).unwrap();
        let (slots, old) = pending.take().unwrap();
        assert_eq!((slots, old.had(0), old.had(1)), (vec![2, 1, 0], true, false));
        assert!(!pending.has(0));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert_eq!(pending.note(&[1], 3), 0..1);
        pending.had(0..1, &[true; 3], Some(|_: &[u32]| Ok(vec![values]))).unwrap();
        assert_eq!(pending.take().unwrap().1.columns[0].len(), 1);
    }
}
