//! Sorting an append-only stream by event time, then by other columns: rows wait for the watermark. Those at
//! or before the last time that was emitted are dropped, as in Flink; after a restore those that the
//! watermark had passed.
//!
//! State table `rows`: number in order of arrival, row.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::TemporalSort as Plan;
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use crate::element::Changes;
use crate::keyed::{Owners, RowEntries, Scales};
use crate::keys::hash::SEED;
use crate::keys::native_values;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Rows that a restore sorts in at once.
const RESTORE_ROWS: usize = 64 << 10;

/// Sorts by event time.
pub struct TemporalSort {
    plan: Plan,
    output: SchemaRef,
    sort: RowConverter,
    /// The one key.
    owners: Owners,
    entries: RowEntries,
    /// Time, sort key, number → entry.
    order: BTreeMap<(i64, Box<[u8]>, i64), u32>,
    bytes: usize,
    watermark: Watermark,
    /// The last time that was emitted.
    emitted: i64,
    context: Option<OperatorContext>,
    scales: Scales,
}

impl TemporalSort {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a column cannot be ordered, or the input updates or deletes rows.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        _settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else { return Err(Error::internal("a sort has one input")) };
        if !input.changelog.is_append() {
            return Err(Error::unsupported(
                "sorting by time an input that updates or deletes rows",
            ));
        }
        let fields = plan.order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            let ty = data_type(&input.schema[key.column].ty);
            SortField::new_with_options(ty, options)
        });
        let sort = RowConverter::new(fields.collect())
            .map_err(|error| Error::unsupported(format!("ORDER BY: {error}")))?;
        let output = arrow_schema(&node.schema);
        Ok(Self {
            plan: plan.clone(),
            sort,
            owners: Owners::new(&[], 0)?,
            entries: RowEntries::new("rows", &[], output.clone()),
            output,
            order: BTreeMap::new(),
            bytes: 0,
            watermark: MIN_WATERMARK,
            emitted: MIN_WATERMARK,
            context: None,
            scales: Scales::default(),
        })
    }

    fn times(&self, columns: &[ArrayRef]) -> Result<Int64Array> {
        let times = native_values(&columns[self.plan.time])?;
        match times.null_count() {
            0 => Ok(times),
            _ => Err(Error::new(ErrorCode::Evaluation, "the event time of a row is NULL")
                .help("filter such rows out before: WHERE … IS NOT NULL")),
        }
    }

    fn sorts(&self, columns: &[ArrayRef]) -> Result<Vec<Box<[u8]>>> {
        let rows = columns.first().map_or(0, |column| column.len());
        if self.plan.order.is_empty() || rows == 0 {
            return Ok(vec![Box::default(); rows]);
        }
        let columns: Vec<ArrayRef> =
            self.plan.order.iter().map(|key| columns[key.column].clone()).collect();
        let sorts = self.sort.convert_columns(&columns);
        let sorts = sorts.map_err(|e| Error::internal(format!("encode sort keys: {e}")))?;
        Ok(sorts.iter().map(|sort| sort.as_ref().into()).collect())
    }

    fn insert(&mut self, time: i64, sort: Box<[u8]>, entry: u32) {
        self.bytes += sort.len();
        self.order.insert((time, sort, self.entries.number(entry)), entry);
    }
}

impl Operator for TemporalSort {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        (self.watermark, self.emitted) = (context.watermark, context.watermark);
        self.scales.open(context);
        self.context = Some(context.clone());
        Ok(())
    }

    fn restore(
        &mut self,
        _table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        let context = self.context.as_ref();
        self.entries.restore((version, entries), groups, context, &mut self.owners)
    }

    fn restored(&mut self) -> Result<()> {
        let restored = self.entries.restored(&mut self.owners);
        for part in restored.chunks(RESTORE_ROWS) {
            let columns = self.entries.rows.gather(part)?;
            let (times, sorts) = (self.times(&columns)?, self.sorts(&columns)?);
            for ((entry, time), sort) in part.iter().zip(times.values()).zip(sorts) {
                self.insert(*time, sort, *entry);
            }
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let columns = changes.rows.columns();
        let (times, sorts) = (self.times(columns)?, self.sorts(columns)?);
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        self.owners.upsert(&[], &[SEED], out.now_ms, &mut slots, &mut expired)?;
        let (mut entries, mut rows) = (Vec::new(), Vec::new());
        for (row, (time, sort)) in (0u32..).zip(times.values().iter().zip(sorts)) {
            if *time <= self.emitted {
                continue;
            }
            let entry = self.entries.add(slots[0]);
            self.insert(*time, sort, entry);
            entries.push(entry);
            rows.push(row);
        }
        if let Some(context) = &self.context {
            context.metrics.late_records.add((changes.len() - rows.len()) as u64);
        }
        self.entries.fill(&entries, &rows, &changes.rows)?;
        if self.scales.is_due() {
            let (bytes, rows) = (self.state_bytes(), self.entries.live());
            self.scales.weigh(bytes, rows, "rows that wait to be sorted")?;
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let mut due = Vec::new();
        while due.len() < limit
            && let Some(first) = self.order.first_entry()
            && first.key().0 <= self.watermark
        {
            let ((time, sort, _), entry) = first.remove_entry();
            self.bytes -= sort.len();
            self.emitted = self.emitted.max(time);
            due.push(entry);
        }
        if due.is_empty() {
            return Ok(Progress::Done);
        }
        let rows = RecordBatch::try_new(self.output.clone(), self.entries.rows.gather(&due)?);
        out.emit(Changes::append(rows.map_err(|e| Error::internal(format!("sorted rows: {e}")))?));
        self.entries.remove(&due, &self.owners)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(vec![self.entries.snapshot(request)?])
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.entries.copy(entries, &self.owners)
    }

    fn abandon_copy(&mut self) {
        self.entries.abandon_copy();
    }

    fn state_bytes(&self) -> usize {
        self.entries.memory_size() + self.bytes + self.order.len() * 56
    }
}
