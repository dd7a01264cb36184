//! Window Top-N: `ROW_NUMBER()` per window and partition with a bound on the rank.
//!
//! Rows stay in the batches they came in; a partition is a short array of references sorted by a
//! memcmp-able sort key (ties in order of arrival). Beyond the memory budget, rows of the largest window
//! move to local disk, part by part of their keys' hashes; rows that come then make partitions anew. A complete
//! window is put together part by part.
//!
//! State table `windows`: `window_end`, `window_start`, then the input's columns: the rows that may
//! still be among the first. A row is written once.

#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowRank as Plan;
use tidegate_plan::window::WindowTime;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign::{self, Part};
use super::fired::Fired;
use super::layout::{TABLE, VERSION, check_entries, taken_of};
use super::slice_state::PARTITIONS;
use super::time::WindowZone;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::memory::MemoryShare;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Piece, PieceRange, Progress, SnapshotMode,
    SnapshotRequest, TableSnapshot,
};
use crate::spill::SpillWriter;
use window::{RankSpec, Window};

/// Rows that are written to local disk after one batch.
const SPILL_ROWS: usize = if cfg!(test) { 4 } else { 32 << 10 };
/// Bytes below which spilling is not worth it.
const SPILL_MIN: usize = if cfg!(test) { 1 } else { 256 << 10 };
/// Windows whose sizes are added up for each batch.
const WINDOWS_PER_BATCH: usize = 64;

/// Keeps the first rows of each window and partition.
pub struct WindowRank {
    plan: Plan,
    start_column: usize,
    end_column: usize,
    processing: bool,
    zone: WindowZone,
    spec: RankSpec,
    output: SchemaRef,
    context: Option<OperatorContext>,
    watermark: Watermark,
    share: Option<MemoryShare>,
    /// Batches since the state was last weighed.
    unweighed: usize,
    /// By `(end, start)`.
    windows: BTreeMap<(i64, i64), Window>,
    /// The window that is being written to local disk, and the next part of it.
    spilling: Option<((i64, i64), u32, SpillWriter)>,
    firing: Option<Firing>,
    fired: Fired,
}

/// A complete window whose rows are being emitted.
struct Firing {
    /// The rows of this part (or all), and the next partition.
    part: Window,
    next: usize,
    /// Where the parts after it come from, and which is the next one.
    rest: Option<(Window, u32)>,
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
            spec: RankSpec {
                keys: plan.keys.clone(),
                key_types: plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect(),
                order: plan.order.iter().map(|key| key.column).collect(),
                sort,
                limit: usize::try_from(plan.to).unwrap_or(usize::MAX),
                state: Arc::new(arrow::datatypes::Schema::new(state)),
                input,
            },
            output: arrow_schema(schema),
            context: None,
            watermark: MIN_WATERMARK,
            share: None,
            unweighed: 0,
            windows: BTreeMap::new(),
            spilling: None,
            firing: None,
            fired: Fired::new(),
            plan: plan.clone(),
        })
    }

    fn is_complete(&self, end: i64, now: i64) -> bool {
        self.zone.completion(end) <= now
    }

    fn add(&mut self, part: Part, saved: bool) -> Result<()> {
        let window = match self.windows.entry((part.end, part.start)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Window::new(&self.spec)?)
            }
        };
        window.add(part.rows, &part.hashes, |_| saved, &self.spec)
    }

    /// Moves rows to local disk if the job's state takes more memory than it may: the largest window
    /// first, a part of it after each batch.
    fn relieve(&mut self) -> Result<()> {
        self.unweighed += 1;
        if self.spilling.is_none() && self.unweighed * WINDOWS_PER_BATCH >= self.windows.len() {
            self.unweighed = 0;
            if self.is_over_budget() {
                let sizes = self.windows.iter().map(|(key, window)| (window.memory_size(), *key));
                let largest = sizes.filter(|(size, _)| *size >= SPILL_MIN).max();
                if let (Some((_, key)), Some(context)) = (largest, &self.context) {
                    self.spilling = Some((key, 0, context.spill.create()?));
                }
            }
        }
        let Some((key, part, mut writer)) = self.spilling.take() else { return Ok(()) };
        let Some(window) = self.windows.get_mut(&key) else { return Ok(()) };
        let next = window.spill(key, part, SPILL_ROWS, &self.spec, &mut writer)?;
        if next < PARTITIONS {
            self.spilling = Some((key, next, writer));
        } else {
            self.is_over_budget();
        }
        Ok(())
    }

    /// Reports what is held; true if something should be moved to local disk.
    fn is_over_budget(&mut self) -> bool {
        let bytes = self.state_bytes();
        self.share.as_mut().is_some_and(|share| share.report(bytes))
    }

    fn emit_part(&self, window: &Window, from: usize, out: &mut Output) -> Result<usize> {
        let batch_rows = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let skip = (self.plan.from.max(1) - 1) as usize;
        let (mut places, mut ranks) = (Vec::new(), Vec::new());
        let mut next = from;
        while next < window.partitions.len() && places.len() < batch_rows {
            for (index, entry) in window.partitions[next].iter().enumerate().skip(skip) {
                places.push(entry.place());
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

impl Firing {
    /// Goes on to the next part with rows; false if there is none.
    fn advance(&mut self, spec: &RankSpec) -> Result<bool> {
        while self.next >= self.part.partitions.len() {
            let Some((window, part)) = self.rest.as_mut().filter(|(_, part)| *part < PARTITIONS)
            else {
                return Ok(false);
            };
            (self.part, self.next) = (window.part(*part, spec)?, 0);
            *part += 1;
        }
        Ok(true)
    }

    fn memory_size(&self) -> usize {
        self.part.memory_size() + self.rest.as_ref().map_or(0, |(rest, _)| rest.memory_size())
    }
}

impl Operator for WindowRank {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.share = Some(context.memory.share());
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
        check_entries(table, version, entries, &self.spec.state)?;
        let rows = self.spec.rows(entries)?;
        let mut hashes = Vec::new();
        hash_columns(&rows, &self.plan.keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let starts = entries.column(1).as_primitive::<Int64Type>().values();
        let taken = taken_of(&hashes, groups, self.context.as_ref(), |row, group| {
            let over = if self.processing { self.fired.restored(group) } else { self.watermark };
            !self.is_complete(ends[row], over)
        })?;
        let parts =
            assign::split(&rows, &hashes, |row| taken[row].then(|| (ends[row], starts[row])))?;
        parts.into_iter().try_for_each(|part| self.add(part, true))?;
        self.relieve()
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
        parts.into_iter().try_for_each(|part| self.add(part, false))?;
        self.relieve()
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
        let mut firing = match self.firing.take() {
            Some(firing) => firing,
            None => match self.windows.first_entry() {
                Some(entry) if self.zone.completion(entry.key().0) <= now => {
                    self.fired.advance(now);
                    let window = entry.remove();
                    if window.has_blocks() {
                        Firing { part: Window::new(&self.spec)?, next: 0, rest: Some((window, 0)) }
                    } else {
                        Firing { part: window, next: 0, rest: None }
                    }
                }
                _ => return Ok(Progress::Done),
            },
        };
        if firing.advance(&self.spec)? {
            firing.next = self.emit_part(&firing.part, firing.next, out)?;
            self.firing = Some(firing);
        }
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let full = request.mode(TABLE) == SnapshotMode::Full;
        let mode = if full { SnapshotMode::Full } else { SnapshotMode::CHANGES };
        let (mut spilled, mut batches) = (Vec::new(), Vec::new());
        let mut expires = MIN_WATERMARK;
        for (key, window) in &mut self.windows {
            let (blocks, rows) = window.take_unsaved(full)?;
            if !blocks.is_empty() || rows.is_some() {
                expires = expires.max(self.zone.completion(key.0));
            }
            spilled.extend(blocks);
            if let Some(rows) = rows {
                batches.push(self.spec.entries(*key, &rows)?);
            }
        }
        let expires = (!self.processing).then_some(expires);
        let mut changed = Entries { batches, expires, ..Entries::default() };
        let mut pieces = Vec::new();
        if !spilled.is_empty() {
            // What is on disk came before: it stands first, so that ties come back in their order.
            let entries =
                std::mem::replace(&mut changed, Entries { spilled, expires, ..Entries::default() });
            pieces.push(Piece { entries, range: PieceRange::Frozen });
        }
        pieces.retain(|piece| piece.entries.rows() > 0);
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed,
            pieces,
            lap: None,
            live: self.windows.values().map(|window| window.entries() as u64).sum(),
        }];
        if self.processing {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    fn state_bytes(&self) -> usize {
        self.windows.values().map(Window::memory_size).sum::<usize>()
            + self.firing.as_ref().map_or(0, Firing::memory_size)
    }

    fn spilled_bytes(&self) -> usize {
        self.windows.values().map(Window::spilled_bytes).sum()
    }
}
