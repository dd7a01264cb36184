//! Window Top-N: `ROW_NUMBER()` per window and partition with a bound on the rank.
//!
//! Rows stay in the batches they came in; a partition is a short array of references sorted by a
//! memcmp-able sort key (ties in order of arrival). State table `windows`: `window_end`,
//! `window_start`, then the input's columns: the rows that may still be among the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{SortOptions, interleave_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowRank as Plan;
use tidegate_plan::window::WindowTime;
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign::{self, Part};
use super::fired::Fired;
use super::layout::{TABLE, VERSION, check_entries};
use super::time::WindowZone;
use crate::element::Changes;
use crate::keys::KeyTable;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Progress, SnapshotMode, SnapshotRequest,
    TableSnapshot,
};

/// Rows in a window's batches below which compaction is not worth it.
const COMPACT_MIN: usize = 16_384;

/// Keeps the first rows of each window and partition.
pub struct WindowRank {
    plan: Plan,
    start_column: usize,
    end_column: usize,
    processing: bool,
    zone: WindowZone,
    key_types: Vec<DataType>,
    sort: RowConverter,
    input: SchemaRef,
    output: SchemaRef,
    state_schema: SchemaRef,
    context: Option<OperatorContext>,
    watermark: Watermark,
    windows: BTreeMap<(i64, i64), Window>,
    firing: Option<(Window, usize)>,
    fired: Fired,
}

struct Window {
    keys: KeyTable,
    partitions: Vec<Vec<Entry>>,
    batches: Vec<RecordBatch>,
    /// Rows in `batches`, and how many of them are referenced.
    rows: usize,
    live: usize,
}

struct Entry {
    sort: OwnedRow,
    batch: u32,
    row: u32,
    saved: bool,
}

impl WindowRank {
    /// The operator of a plan node with output `schema`; `zone` is that in which its windows were
    /// cut.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a column cannot be ordered.
    pub fn new(
        plan: &Plan,
        input_schema: &Schema,
        schema: &Schema,
        zone: WindowZone,
    ) -> Result<Self> {
        let (start_column, end_column, processing) = match plan.time {
            WindowTime::Attached { start, end } => (start, end, false),
            WindowTime::AttachedProcessing { start, end } => (start, end, true),
            _ => return Err(Error::internal("window rank needs window columns")),
        };
        let order = plan.order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(data_type(&input_schema[key.column].ty), options)
        });
        let sort = RowConverter::new(order.collect())
            .map_err(|error| Error::unsupported(format!("ORDER BY of the rank: {error}")))?;
        let input = arrow_schema(input_schema);
        let bounds =
            ["window_end", "window_start"].map(|n| Arc::new(Field::new(n, DataType::Int64, false)));
        let state: Vec<_> = bounds.into_iter().chain(input.fields().iter().cloned()).collect();
        Ok(Self {
            start_column,
            end_column,
            processing,
            zone,
            key_types: plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect(),
            sort,
            state_schema: Arc::new(arrow::datatypes::Schema::new(state)),
            input,
            output: arrow_schema(schema),
            context: None,
            watermark: MIN_WATERMARK,
            windows: BTreeMap::new(),
            firing: None,
            fired: Fired::new(),
            plan: plan.clone(),
        })
    }

    fn is_complete(&self, end: i64, now: i64) -> bool {
        self.zone.completion(end) <= now
    }

    fn add(&mut self, part: Part, saved: bool) -> Result<()> {
        let order: Vec<ArrayRef> =
            self.plan.order.iter().map(|key| part.rows.column(key.column).clone()).collect();
        let sort = self.sort.convert_columns(&order).map_err(|e| Error::internal(e.to_string()))?;
        let keys: Vec<ArrayRef> =
            self.plan.keys.iter().map(|key| part.rows.column(*key).clone()).collect();
        let window = match self.windows.entry((part.end, part.start)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Window::new(&self.key_types)?)
            }
        };
        let mut slots = Vec::new();
        window.keys.upsert(&keys, &part.hashes, &mut slots)?;
        window.partitions.resize_with(window.keys.len(), Vec::new);
        let batch = window.batches.len() as u32;
        let limit = usize::try_from(self.plan.to).unwrap_or(usize::MAX);
        let mut used = false;
        for (row, slot) in slots.iter().enumerate() {
            let entries = &mut window.partitions[*slot as usize];
            let key = sort.row(row);
            if entries.len() >= limit && entries.last().is_some_and(|last| last.sort.row() <= key) {
                continue;
            }
            let place = entries.partition_point(|entry| entry.sort.row() <= key);
            entries.insert(place, Entry { sort: key.owned(), batch, row: row as u32, saved });
            window.live += 1;
            used = true;
            if entries.len() > limit {
                entries.pop();
                window.live -= 1;
            }
        }
        if used {
            window.rows += part.rows.num_rows();
            window.batches.push(part.rows);
        }
        window.compact()
    }

    fn emit_part(&self, window: &Window, from: usize, out: &mut Output) -> Result<usize> {
        let batch_rows = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let skip = (self.plan.from.max(1) - 1) as usize;
        let (mut places, mut ranks) = (Vec::new(), Vec::new());
        let mut next = from;
        while next < window.partitions.len() && places.len() < batch_rows {
            for (index, entry) in window.partitions[next].iter().enumerate().skip(skip) {
                places.push((entry.batch as usize, entry.row as usize));
                ranks.push(index as i64 + 1);
            }
            next += 1;
        }
        if !places.is_empty() {
            let rows = window.gather(&places)?;
            let mut columns = rows.columns().to_vec();
            if self.plan.rank_column.is_some() {
                columns.push(Arc::new(Int64Array::from(ranks)));
            }
            let rows = RecordBatch::try_new(self.output.clone(), columns)
                .map_err(|error| Error::internal(format!("window rank result: {error}")))?;
            out.emit(Changes::append(rows));
        }
        Ok(next)
    }
}

impl Window {
    fn new(key_types: &[DataType]) -> Result<Self> {
        Ok(Self {
            keys: KeyTable::new(key_types)?,
            partitions: Vec::new(),
            batches: Vec::new(),
            rows: 0,
            live: 0,
        })
    }

    fn gather(&self, places: &[(usize, usize)]) -> Result<RecordBatch> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        interleave_record_batch(&batches, places).map_err(|e| Error::internal(e.to_string()))
    }

    /// Keeps only referenced rows once they are less than half.
    fn compact(&mut self) -> Result<()> {
        if self.rows < COMPACT_MIN || self.live * 2 > self.rows {
            return Ok(());
        }
        let entries = self.partitions.iter().flatten();
        let places: Vec<_> = entries.map(|e| (e.batch as usize, e.row as usize)).collect();
        let kept = self.gather(&places)?;
        for (row, entry) in self.partitions.iter_mut().flatten().enumerate() {
            entry.batch = 0;
            entry.row = row as u32;
        }
        self.rows = kept.num_rows();
        self.batches = vec![kept];
        Ok(())
    }

    fn memory_size(&self) -> usize {
        let batches: usize = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        batches + self.keys.memory_size() + self.live * 96
    }
}

impl Operator for WindowRank {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.context = Some(context.clone());
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        if self.processing && self.fired.take(table, version, entries, groups)? {
            return Ok(());
        }
        check_entries(table, version, entries, &self.state_schema)?;
        let context = self.context.clone().ok_or_else(|| Error::internal("restore before open"))?;
        let indices: Vec<usize> = (2..entries.num_columns()).collect();
        let rows = entries.project(&indices).map_err(|e| Error::internal(e.to_string()))?;
        let rows =
            rows.with_schema(self.input.clone()).map_err(|e| Error::internal(e.to_string()))?;
        let mut hashes = Vec::new();
        hash_columns(&rows, &self.plan.keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let starts = entries.column(1).as_primitive::<Int64Type>().values();
        let parts = assign::split(&rows, &hashes, |row| {
            let group = key_group(hashes[row], context.key_groups);
            let over = if self.processing { self.fired.restored(group) } else { self.watermark };
            let live = !self.is_complete(ends[row], over);
            (groups.contains(group) && live).then(|| (ends[row], starts[row]))
        })?;
        parts.into_iter().try_for_each(|part| self.add(part, true))
    }

    fn process(&mut self, _input: usize, changes: Changes, _out: &mut Output) -> Result<()> {
        let rows = &changes.rows;
        let starts = assign::times(rows.column(self.start_column), "window_start")?;
        let ends = assign::times(rows.column(self.end_column), "window_end")?;
        let mut hashes = Vec::new();
        hash_columns(rows, &self.plan.keys, &mut hashes)?;
        let parts = assign::split(rows, &hashes, |row| {
            let late = !self.processing && self.is_complete(ends[row], self.watermark);
            (!late).then(|| (ends[row], starts[row]))
        })?;
        let kept: usize = parts.iter().map(|part| part.rows.num_rows()).sum();
        if let Some(context) = &self.context {
            context.metrics.late_records.add((rows.num_rows() - kept) as u64);
        }
        parts.into_iter().try_for_each(|part| self.add(part, false))
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let ((end, _), _) = self.windows.first_key_value().filter(|_| self.processing)?;
        Some(self.zone.completion(*end))
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let now = if self.processing { out.now_ms } else { self.watermark };
        let (window, from) = match self.firing.take() {
            Some(firing) => firing,
            None => match self.windows.first_entry() {
                Some(entry) if self.zone.completion(entry.key().0) <= now => {
                    self.fired.advance(now);
                    (entry.remove(), 0)
                }
                _ => return Ok(Progress::Done),
            },
        };
        let next = self.emit_part(&window, from, out)?;
        if next < window.partitions.len() {
            self.firing = Some((window, next));
        }
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let full = request.mode(TABLE) == SnapshotMode::Full;
        let mode = if full { SnapshotMode::Full } else { SnapshotMode::CHANGES };
        let mut batches = Vec::new();
        let mut expires = MIN_WATERMARK;
        for ((end, start), window) in &mut self.windows {
            let mut places = Vec::new();
            for entry in window.partitions.iter_mut().flatten() {
                if full || !entry.saved {
                    entry.saved = true;
                    places.push((entry.batch as usize, entry.row as usize));
                }
            }
            if places.is_empty() {
                continue;
            }
            let rows = window.gather(&places)?;
            let bounds = [*end, *start]
                .map(|bound| Arc::new(Int64Array::from_value(bound, places.len())) as ArrayRef);
            let columns = bounds.into_iter().chain(rows.columns().iter().cloned()).collect();
            let batch = RecordBatch::try_new(self.state_schema.clone(), columns)
                .map_err(|error| Error::internal(format!("window rank state: {error}")))?;
            batches.push(batch);
            expires = expires.max(self.zone.completion(*end));
        }
        let expires = (!self.processing).then_some(expires);
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: Entries { batches, expires, ..Entries::default() },
            pieces: Vec::new(),
            lap: None,
            live: self.windows.values().map(|window| window.live as u64).sum(),
        }];
        if self.processing {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    fn state_bytes(&self) -> usize {
        self.windows.values().map(Window::memory_size).sum()
    }
}
