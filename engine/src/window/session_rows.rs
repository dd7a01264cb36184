//! `SESSION` by itself: every row once, when its session is over, with `window_start`, `window_end`
//! and `window_time` behind its columns. A row that is late and touches no open session is dropped.
//!
//! State table `windows`: the rows that came since the last snapshot. A row is written once, so the
//! files still hold rows of sessions that are over. With each row stands how far sessions were over
//! when it came (`fired`): a restore replays the rows of a key in that order and drops what was over
//! before the next row came. That is exact, where neither the rows nor their sessions' bounds alone
//! would do: a row may open a new session right where the one before it ended, and later pull its
//! start back over that one's rows. Among rows of the same `fired` no session ends, so their order
//! makes no difference to what merges. No file expires by time, as no file tells how far its rows'
//! sessions will grow; those of dead rows go with the next full snapshot.
//!
//! Beyond the memory budget, open sessions move to local disk with their rows (`session_spill.rs`).

mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowTvf as Plan;
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign;
use super::fired::Fired;
use super::layout::{TABLE, VERSION, check_entries, keep, taken_of};
use super::row_store::RowRef;
use super::session_spill::{PartsOnDisk, SessionState, Spilling};
use super::sessions::NONE;
use super::time::WindowZone;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Progress, SnapshotMode, SnapshotRequest,
    TableSnapshot,
};
use table::RowTable;

/// Holds rows until their session is over.
pub struct SessionRows {
    gap: i64,
    processing: bool,
    keys: Vec<usize>,
    zone: WindowZone,
    output: SchemaRef,
    /// `fired`, for processing time `time`, then the input's columns.
    stored: SchemaRef,
    /// Where the input's columns begin there, and where a row's time stands.
    first: usize,
    time: usize,
    context: Option<OperatorContext>,
    watermark: Watermark,
    fired: Fired,
    state: Spilling<RowTable>,
    firing: VecDeque<Firing>,
    slots: Vec<u32>,
}

/// A session that is over; its rows before `next` are out.
struct Firing {
    start: i64,
    end: i64,
    rows: Vec<RowRef>,
    next: usize,
}

impl SessionRows {
    /// The operator of a plan node with output `schema`.
    ///
    /// # Errors
    /// `INTERNAL` if the node's windows are not sessions of its own, `UNSUPPORTED` for types that
    /// cannot be keys.
    pub fn new(
        plan: &Plan,
        input_schema: &Schema,
        schema: &Schema,
        zone: WindowZone,
    ) -> Result<Self> {
        let WindowShape::Session { gap } = plan.shape else {
            return Err(Error::internal("session rows over another window shape"));
        };
        let (prefix, time) = match plan.time {
            WindowTime::Event { column } => (&["fired"][..], 1 + column),
            WindowTime::Processing => (&["fired", "time"][..], 1),
            _ => return Err(Error::internal("session rows over windows of another operator")),
        };
        let fields = prefix.iter().map(|name| Arc::new(Field::new(*name, DataType::Int64, false)));
        let input = arrow_schema(input_schema);
        let fields: Vec<_> = fields.chain(input.fields().iter().cloned()).collect();
        let key_types = plan.partition_keys.iter().map(|key| data_type(&input_schema[*key].ty));
        Ok(Self {
            gap,
            processing: matches!(plan.time, WindowTime::Processing),
            keys: plan.partition_keys.clone(),
            zone,
            output: arrow_schema(schema),
            stored: Arc::new(arrow::datatypes::Schema::new(fields)),
            first: prefix.len(),
            time,
            context: None,
            watermark: MIN_WATERMARK,
            fired: Fired::new(),
            state: Spilling::new(RowTable::new(key_types.collect())?),
            firing: VecDeque::new(),
            slots: Vec::new(),
        })
    }

    /// Sessions that end up to here are out.
    fn settled(&self) -> i64 {
        if self.processing { self.fired.until() } else { self.watermark }
    }

    /// A clock that was set back stands still until it is where it was.
    fn now(&self, out: &Output) -> i64 {
        if self.processing { out.now_ms.max(self.fired.until()) } else { self.watermark }
    }

    /// The keys' places among stored columns.
    fn stored_keys(&self) -> Vec<usize> {
        self.keys.iter().map(|key| self.first + key).collect()
    }

    /// The input's columns behind those that are kept with them.
    fn to_stored(&self, rows: &RecordBatch, now: i64) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from_value(self.settled(), rows.num_rows()))];
        if self.processing {
            columns.push(Arc::new(Int64Array::from_value(now, rows.num_rows())));
        }
        columns.extend(rows.columns().iter().cloned());
        RecordBatch::try_new(self.stored.clone(), columns)
            .map_err(|error| Error::internal(format!("session rows: {error}")))
    }

    /// When the rows of a stored batch happened.
    fn times<'a>(&self, stored: &'a RecordBatch) -> Result<&'a [i64]> {
        let column = stored.column(self.time);
        match column.as_primitive_opt::<Int64Type>().filter(|_| self.processing) {
            Some(times) => Ok(times.values()),
            None => assign::times(column, "the rowtime of a row"),
        }
    }

    /// Puts a row into its session, unless it has none in memory or among `parts` and would open one
    /// that ends by `late`.
    fn place(
        &mut self,
        key: u32,
        time: i64,
        row: RowRef,
        late: Watermark,
        parts: &PartsOnDisk,
    ) -> Result<bool> {
        let table = &mut self.state.table;
        let (mut start, mut end) = (time, time.saturating_add(self.gap));
        let (mut session, mut more) = table.sessions.touching(key, start, end);
        if session == NONE && end.saturating_sub(1) <= late {
            let Some(part) = parts.touching(key, start, end) else { return Ok(false) };
            // It joins that part's session.
            (start, end) = (start.min(part.0), end.max(part.1));
            (session, more) = table.sessions.touching(key, start, end);
        }
        if session == NONE {
            session = table.open(key, start, end);
        } else if more {
            table.merge_into(session, start, end)?;
        } else {
            table.sessions.extend(session, start, end);
        }
        table.push(session, row);
        Ok(true)
    }

    fn emit(&mut self, limit: usize, out: &mut Output) -> Result<()> {
        let (mut rows, mut bounds) = (Vec::new(), Vec::new());
        while rows.len() < limit
            && let Some(firing) = self.firing.front_mut()
        {
            let until = firing.rows.len().min(firing.next + limit - rows.len());
            rows.extend_from_slice(&firing.rows[firing.next..until]);
            bounds.resize(rows.len(), (firing.start, firing.end));
            firing.next = until;
            if until == firing.rows.len() {
                self.firing.pop_front();
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let table = &mut self.state.table;
        let mut columns = table.store.gather(&rows)?.columns()[self.first..].to_vec();
        let starts: Vec<i64> = bounds.iter().map(|(start, _)| self.zone.to_local(*start)).collect();
        let ends = bounds.iter().map(|(_, end)| self.zone.to_local(*end)).collect();
        let times = bounds.iter().map(|(_, end)| end.saturating_sub(1)).collect();
        for values in [starts, ends, times] {
            let ty = self.output.field(columns.len()).data_type().clone();
            let values = TimestampMillisecondArray::from(values);
            columns.push(Arc::new(values.with_data_type(ty)));
        }
        let result = RecordBatch::try_new(self.output.clone(), columns)
            .map_err(|error| Error::internal(format!("rows of a session: {error}")))?;
        out.emit(Changes::append(result));
        table.store.release(&rows);
        if table.store.is_sparse() {
            let firing = self.firing.iter_mut().flat_map(|firing| &mut firing.rows[firing.next..]);
            table.compact(firing)?;
        }
        table.sessions.forget_keys()
    }

    fn fire(&mut self, session: u32) {
        let table = &mut self.state.table;
        let rows = table.take_rows(session);
        let (start, end) = (table.sessions.get(session).start, table.sessions.get(session).end);
        self.firing.push_back(Firing { start, end, rows, next: 0 });
        table.sessions.close(session);
    }

    /// Restored rows in the order in which they came: `(fired, key, time, row)`.
    fn arrivals(&mut self, restored: Vec<RecordBatch>) -> Result<Vec<(i64, u32, i64, RowRef)>> {
        let mut arrivals = Vec::new();
        let keys = self.stored_keys();
        for entries in restored {
            let mut slots = std::mem::take(&mut self.slots);
            self.state.table.sessions.key_slots(&entries, &keys, &mut slots)?;
            let fired = entries.column(0).as_primitive::<Int64Type>().values();
            let times = self.times(&entries)?;
            let batch = self.state.table.store.reserve();
            for (row, key) in slots.iter().enumerate() {
                let place = RowRef { batch, row: row as u32 };
                arrivals.push((fired[row], *key, times[row], place));
            }
            let all: Vec<u32> = (0..entries.num_rows() as u32).collect();
            self.state.table.store.fill(batch, entries, &all, true);
            self.slots = slots;
        }
        arrivals.sort_unstable_by_key(|(fired, ..)| *fired);
        Ok(arrivals)
    }

    /// Makes sessions of all restored rows of some keys, and drops those that are over.
    fn replay(&mut self, restored: Vec<RecordBatch>, context: &OperatorContext) -> Result<()> {
        for (fired, key, time, row) in self.arrivals(restored)? {
            while let Some(over) = self.state.table.sessions.complete_of_key(key, fired) {
                self.state.table.discard(over);
            }
            self.place(key, time, row, MIN_WATERMARK, &PartsOnDisk::default())?;
        }
        let settled = self.settled();
        for session in self.state.table.sessions.take_complete(settled, usize::MAX) {
            let group = key_group(self.state.table.sessions.hash(session), context.key_groups);
            let last = self.state.table.sessions.get(session).end.saturating_sub(1);
            if self.processing && last > self.fired.restored(group) {
                // Another subtask's clock was further: rows that come now open a new session.
                self.fire(session);
            } else {
                self.state.table.discard(session);
            }
        }
        self.relieve(usize::MAX)
    }

    fn relieve(&mut self, rows: usize) -> Result<()> {
        // Rows that are being emitted are among those in memory.
        if self.firing.is_empty() { self.state.relieve(rows) } else { Ok(()) }
    }
}

impl Operator for SessionRows {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.state.open(context);
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
        check_entries(table, version, entries, &self.stored)?;
        let keys = self.stored_keys();
        let mut hashes = Vec::new();
        hash_columns(entries, &keys, &mut hashes)?;
        let taken = taken_of(&hashes, groups, self.context.as_ref(), |_, _| true)?;
        self.state.push_restored(keep(entries, taken)?, &keys)
    }

    fn restored(&mut self) -> Result<()> {
        let context = self.context.clone().ok_or_else(|| Error::internal("restore before open"))?;
        let keys = self.stored_keys();
        for part in self.state.restoring.take(&keys, &context.spill)? {
            self.replay(part.load()?, &context)?;
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.kinds.is_some() {
            return Err(Error::internal("sessions over an updating input"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let stored = self.to_stored(&changes.rows, self.now(out))?;
        let mut slots = std::mem::take(&mut self.slots);
        self.state.table.sessions.key_slots(&stored, &self.stored_keys(), &mut slots)?;
        let late = if self.processing { MIN_WATERMARK } else { self.watermark };
        let times = self.times(&stored)?;
        let ends = times.iter().map(|time| time.saturating_add(self.gap));
        let parts = self.state.parts_for_late(&slots, ends, late)?;
        let batch = self.state.table.store.reserve();
        let mut alive = Vec::with_capacity(slots.len());
        for (row, (key, time)) in (0u32..).zip(slots.iter().zip(times)) {
            if self.place(*key, *time, RowRef { batch, row }, late, &parts)? {
                alive.push(row);
            }
        }
        if let Some(context) = &self.context {
            context.metrics.late_records.add((slots.len() - alive.len()) as u64);
        }
        let rows = slots.len();
        self.state.table.store.fill(batch, stored, &alive, false);
        self.slots = slots;
        self.relieve(rows)
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        if !self.processing {
            return None;
        }
        if !self.firing.is_empty() {
            return Some(self.fired.until());
        }
        self.state.next_completion()
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        if self.firing.is_empty() {
            let now = self.now(out);
            let Some(complete) = self.state.take_complete(now, limit)? else {
                return Ok(Progress::Done);
            };
            self.fired.advance(now);
            complete.into_iter().for_each(|session| self.fire(session));
        }
        self.emit(limit, out)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let full = request.mode(TABLE) == SnapshotMode::Full;
        self.state.finish()?;
        let mut batches = self.state.table.store.take_unsaved(full)?;
        let (mut spilled, mut live) = (Vec::new(), self.state.table.store.live());
        for chunk in self.state.chunks.iter_mut() {
            chunk.extra.take_unsaved(full, &mut spilled, &mut batches)?;
            live += chunk.extra.rows();
        }
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode: if full { SnapshotMode::Full } else { SnapshotMode::CHANGES },
            changed: Entries { batches, spilled, ..Entries::default() },
            pieces: Vec::new(),
            lap: None,
            live: live as u64,
        }];
        if self.processing {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    fn state_bytes(&self) -> usize {
        let firing = self.firing.iter().map(|firing| firing.rows.capacity() * size_of::<RowRef>());
        self.state.memory_size() + firing.sum::<usize>()
    }

    fn spilled_bytes(&self) -> usize {
        self.state.spilled_bytes()
    }
}
