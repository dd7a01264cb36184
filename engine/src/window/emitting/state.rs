//! What an emitting aggregate keeps by window and key: the aggregates, the result that was last sent, and
//! when the next one is due.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use tidegate_types::{Error, Result};

use crate::group::GroupState;
use crate::keyed::{SlotRows, SlotValues};

/// In place of a time: no result is due.
pub(super) const NEVER: i64 = i64::MAX;

/// In place of a time: the window had no rows before its end, and whatever comes is sent at once.
pub(super) const AT_ONCE: i64 = i64::MIN;

/// Values by slot.
pub(super) struct WindowState {
    pub(super) groups: GroupState,
    /// Results as they were last sent; slots without a row have sent none.
    pub(super) shown: SlotRows,
    /// When a result is to be sent, ms of the clock, or [`NEVER`] or [`AT_ONCE`].
    pub(super) due: Vec<i64>,
    /// Whether rows came that are not in the result that was sent.
    pub(super) changed: Vec<bool>,
    /// Whether there are results at all, besides that the group exists.
    pub(super) has_results: bool,
}

impl WindowState {
    /// No groups, with results of these types.
    pub(super) fn new(groups: GroupState, results: &[DataType]) -> Self {
        let has_results = !results.is_empty();
        // A row needs a column.
        let types = if has_results { results } else { &[DataType::Boolean] };
        let fields = types.iter().enumerate();
        let fields = fields.map(|(i, ty)| Field::new(format!("result{i}"), ty.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let shown = SlotRows::new(schema);
        Self { groups, shown, due: Vec::new(), changed: Vec::new(), has_results }
    }

    /// The results of slots.
    pub(super) fn results(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        match self.has_results {
            true => self.groups.results(slots),
            false => Ok(vec![Arc::new(BooleanArray::from(vec![true; slots.len()]))]),
        }
    }

    /// Notes results of slots as sent: of those in `alive`; of the others it is noted that they are gone.
    pub(super) fn sent(
        &mut self,
        slots: &[u32],
        alive: Option<&[bool]>,
        results: Vec<ArrayRef>,
    ) -> Result<()> {
        let is_alive = |index: usize| alive.is_none_or(|alive| alive[index]);
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
        let batch =
            RecordBatch::try_new_with_options(self.shown.schema().clone(), results, &options)
                .map_err(|error| Error::internal(format!("results of windows: {error}")))?;
        let (kept, rows): (Vec<u32>, Vec<u32>) = (0u32..)
            .zip(slots)
            .filter(|(row, _)| is_alive(*row as usize))
            .map(|(row, slot)| (*slot, row))
            .unzip();
        for (index, slot) in slots.iter().enumerate() {
            if !is_alive(index) {
                self.shown.clear(*slot);
            }
        }
        self.shown.set(&kept, &rows, &batch)
    }

    /// The results that were sent, NULL where none was.
    fn shown_columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let have: Vec<u32> = slots.iter().copied().filter(|slot| self.shown.has(*slot)).collect();
        let columns = self.shown.gather(&have)?;
        let mut next = 0;
        let places: UInt32Array = slots
            .iter()
            .map(|slot| {
                let has = self.shown.has(*slot);
                next += u32::from(has);
                has.then(|| next - 1)
            })
            .collect();
        let spread =
            |column| take(column, &places, None).map_err(|e| Error::internal(e.to_string()));
        columns.iter().map(|column| spread(column.as_ref())).collect()
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.groups.memory_size()
            + self.shown.memory_size()
            + self.due.capacity() * 8
            + self.changed.capacity()
    }
}

/// The aggregates' columns, `due`, `shown`, the result that was sent.
impl SlotValues for WindowState {
    fn types(&self) -> Vec<DataType> {
        let mut types = self.groups.types();
        types.extend([DataType::Int64, DataType::Boolean]);
        types.extend(self.shown.types());
        types
    }

    fn resize(&mut self, slots: usize) {
        self.groups.resize(slots);
        self.shown.resize(slots);
        self.due.resize(slots.max(self.due.len()), NEVER);
        self.changed.resize(slots.max(self.changed.len()), false);
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.groups.columns(slots)?;
        let due = slots.iter().map(|slot| self.due[*slot as usize]);
        columns.push(Arc::new(Int64Array::from_iter_values(due)));
        let shown = slots.iter().map(|slot| Some(self.shown.has(*slot)));
        columns.push(Arc::new(shown.collect::<BooleanArray>()));
        columns.extend(self.shown_columns(slots)?);
        Ok(columns)
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        slots.iter().for_each(|slot| self.clear(*slot));
        let missing = || Error::internal("the state of windows has too few columns");
        let own = self.groups.types().len();
        let (groups, rest) = columns.split_at_checked(own).ok_or_else(missing)?;
        let [due, shown, results @ ..] = rest else { return Err(missing()) };
        self.groups.put(slots, groups)?;
        let (due, shown) = (due.as_primitive::<Int64Type>(), shown.as_boolean());
        let mut alive = Vec::with_capacity(slots.len());
        for (row, slot) in slots.iter().enumerate() {
            self.due[*slot as usize] = due.value(row);
            // Whether rows came since is not kept: the results tell.
            self.changed[*slot as usize] = true;
            alive.push(shown.value(row));
        }
        self.sent(slots, Some(&alive), results.to_vec())
    }

    fn clear(&mut self, slot: u32) {
        self.groups.clear(slot);
        self.shown.clear(slot);
        self.due[slot as usize] = NEVER;
        self.changed[slot as usize] = false;
    }
}
