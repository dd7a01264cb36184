//! What an updating aggregate keeps by group: accumulators, the number of rows where rows may be taken
//! back, and the values of DISTINCT arguments.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use super::distinct::{DistinctValues, NAMES, Rows};
use crate::aggregate::{Accumulator, changes, counts_nulls, is_distinct, plain_accumulator};
use crate::element::Changes;
use crate::keyed::{Keyed, SlotValues};
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// Takes restored entries `(table, version, entries)` of the values of DISTINCT arguments: those were taken
/// out of the state that is among `values`.
///
/// # Errors
/// `INCOMPATIBLE` if there is no such table, or it has another layout.
pub(crate) fn restore_distinct(
    distinct: &mut [DistinctValues],
    (table, version, entries): (&str, u16, &RecordBatch),
    groups: KeyGroupRange,
    context: &OperatorContext,
    keyed: &mut Keyed,
    values: &mut impl SlotValues,
) -> Result<()> {
    match distinct.iter_mut().find(|distinct| distinct.name() == table) {
        Some(distinct) => distinct.restore((version, entries), groups, context, keyed, values),
        None => Err(Error::new(
            ErrorCode::Incompatible,
            format!("the checkpoint has state table '{table}', which this aggregate does not keep"),
        )),
    }
}

/// Groups by slot.
pub(crate) struct GroupState {
    calls: Vec<AggregateCall>,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// Rows of each group, if any may be taken back.
    rows: Option<Vec<i64>>,
    distinct: Vec<DistinctValues>,
}

impl GroupState {
    /// No groups, with keys of types `keys`, of which the first `partition` decide the key group; `retracts`:
    /// the input takes rows back.
    ///
    /// # Errors
    /// `UNSUPPORTED` for aggregates that do not take their argument's type, or cannot take rows back.
    pub(crate) fn new(
        calls: &[AggregateCall],
        input: &Schema,
        (keys, partition): (&[DataType], usize),
        retracts: bool,
    ) -> Result<Self> {
        let accumulators = calls.iter().map(|call| {
            plain_accumulator(call, call.argument.map(|index| &input[index].ty), retracts)
        });
        let accumulators = accumulators.collect::<Result<_>>()?;
        let mut arguments: Vec<(usize, bool)> = Vec::new();
        for call in calls.iter().filter(|call| is_distinct(call)) {
            arguments.extend(call.argument.map(|argument| (argument, counts_nulls(call))));
        }
        arguments.sort_unstable();
        arguments.dedup();
        if arguments.len() > NAMES.len() {
            return Err(Error::unsupported(format!(
                "DISTINCT over {} arguments in one aggregate; at most {} are",
                arguments.len(),
                NAMES.len()
            ))
            .help("compute some of them in a query of their own and join the results"));
        }
        let distinct = arguments.iter().zip(NAMES).map(|((argument, nulls), name)| {
            let of = calls.iter().enumerate().filter(|(_, call)| {
                is_distinct(call)
                    && call.argument == Some(*argument)
                    && counts_nulls(call) == *nulls
            });
            let of: Vec<_> = of.map(|(index, call)| (index, call.filter)).collect();
            let ty = data_type(&input[*argument].ty);
            DistinctValues::new(name, (keys, partition), (*argument, &ty), *nulls, &of, retracts)
        });
        let distinct = distinct.collect::<Result<_>>()?;
        let rows = retracts.then(Vec::new);
        Ok(Self { calls: calls.to_vec(), accumulators, rows, distinct })
    }

    /// Whether a group still has rows.
    #[inline]
    pub(crate) fn has_rows(&self, slot: u32) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows[slot as usize] > 0)
    }

    /// Whether groups can lose their last row.
    pub(crate) fn can_empty(&self) -> bool {
        self.rows.is_some()
    }

    /// Whether any row of a group changes its result.
    pub(crate) fn always_changes(&self) -> bool {
        let counts_all = |call: &AggregateCall| {
            call.function == tidegate_plan::AggregateFunction::Count
                && call.argument.is_none()
                && call.filter.is_none()
        };
        self.rows.is_none() && self.calls.iter().any(counts_all)
    }

    /// Adds and takes back the rows of a batch.
    pub(crate) fn apply(&mut self, slots: &[u32], batch: &Changes, groups: &Keyed) -> Result<()> {
        let kinds = batch.kinds.as_ref().filter(|_| self.rows.is_some());
        let adds = changes::added(kinds);
        if let Some(rows) = &mut self.rows {
            changes::count(rows, slots, adds.as_ref());
        }
        let batch = &batch.rows;
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            if !is_distinct(call) {
                changes::apply(call, accumulator.as_mut(), slots, batch, adds.as_ref())?;
            }
        }
        let rows = Rows { slots, batch, adds: adds.as_ref() };
        for distinct in &mut self.distinct {
            distinct.apply(&rows, groups, &mut self.accumulators)?;
        }
        Ok(())
    }

    /// Adds partial states: those of all calls side by side, then the number of rows.
    pub(crate) fn merge(
        &mut self,
        slots: &[u32],
        partials: &RecordBatch,
        keys: usize,
    ) -> Result<()> {
        self.merge_columns(slots, &partials.columns()[keys..])
    }

    fn merge_columns(&mut self, slots: &[u32], mut columns: &[ArrayRef]) -> Result<()> {
        let missing = || Error::internal("the state of groups has too few columns");
        for accumulator in &mut self.accumulators {
            let width = accumulator.state_types().len();
            let (own, rest) = columns.split_at_checked(width).ok_or_else(missing)?;
            accumulator.merge(slots, own)?;
            columns = rest;
        }
        if let Some(rows) = &mut self.rows {
            let counts = columns.first().and_then(|column| column.as_primitive_opt::<Int64Type>());
            let counts = counts.ok_or_else(missing)?;
            for (slot, count) in slots.iter().zip(counts.values()) {
                rows[*slot as usize] += count;
            }
        }
        Ok(())
    }

    /// The results of groups, one column per call.
    pub(crate) fn results(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.accumulators.iter().map(|accumulator| accumulator.result(slots)).collect()
    }

    /// Forgets the values of DISTINCT arguments of groups, which must still be there.
    pub(crate) fn clear_distinct(&mut self, slots: &[u32], groups: &Keyed) -> Result<()> {
        self.distinct.iter_mut().try_for_each(|distinct| distinct.clear(slots, groups))
    }

    /// Begins snapshots of the values of DISTINCT arguments.
    pub(crate) fn snapshot_distinct(
        &mut self,
        request: &SnapshotRequest,
    ) -> Result<Vec<TableSnapshot>> {
        self.distinct.iter_mut().map(|distinct| distinct.snapshot(request)).collect()
    }

    /// Copies about `entries` more of those snapshots.
    pub(crate) fn copy_distinct(&mut self, entries: usize, groups: &Keyed) -> Result<Copied> {
        for distinct in &mut self.distinct {
            let copied = distinct.copy(entries, groups)?;
            if !matches!(copied, Copied::Done) {
                return Ok(copied);
            }
        }
        Ok(Copied::Done)
    }

    /// The last snapshot is not wanted any more.
    pub(crate) fn abandon_distinct(&mut self) {
        self.distinct.iter_mut().for_each(|distinct| distinct.abandon_copy());
    }

    /// Takes the values of DISTINCT arguments out, so that they can be restored beside what holds them.
    pub(crate) fn take_distinct(&mut self) -> Vec<DistinctValues> {
        std::mem::take(&mut self.distinct)
    }

    /// Puts them back.
    pub(crate) fn put_distinct(&mut self, distinct: Vec<DistinctValues>) {
        self.distinct = distinct;
    }

    /// Everything has been restored.
    pub(crate) fn restored_distinct(&mut self) {
        self.distinct.iter_mut().for_each(|distinct| distinct.restored());
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.memory_size()).sum::<usize>()
            + self.rows.as_ref().map_or(0, |rows| rows.capacity() * 8)
            + self.distinct.iter().map(DistinctValues::memory_size).sum::<usize>()
    }
}

impl SlotValues for GroupState {
    fn types(&self) -> Vec<DataType> {
        let states = self.accumulators.iter().flat_map(|accumulator| accumulator.state_types());
        states.chain(self.rows.is_some().then_some(DataType::Int64)).collect()
    }

    fn resize(&mut self, slots: usize) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.resize(slots));
        if let Some(rows) = &mut self.rows {
            rows.resize(slots, 0);
        }
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for accumulator in &self.accumulators {
            columns.extend(accumulator.state(slots)?);
        }
        if let Some(rows) = &self.rows {
            let rows = slots.iter().map(|slot| rows[*slot as usize]);
            columns.push(Arc::new(Int64Array::from_iter_values(rows)));
        }
        Ok(columns)
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        slots.iter().for_each(|slot| self.clear(*slot));
        self.merge_columns(slots, columns)
    }

    /// Leaves the values of DISTINCT arguments, which have their own entries.
    fn clear(&mut self, slot: u32) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.reset(slot));
        if let Some(rows) = &mut self.rows {
            rows[slot as usize] = 0;
        }
    }
}
