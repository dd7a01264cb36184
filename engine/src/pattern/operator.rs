//! The operator: rows wait for event time, or are searched as they come.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{MAX_PATTERN_VARIABLES, MatchRecognize as Plan};
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{
    Error, ErrorCode, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK, Result, Watermark,
};

use super::automaton::Automaton;
use super::conditions::Conditions;
use super::internal;
use super::key_state::KeyStates;
use super::output::Matches;
use super::rows::RowTable;
use super::search::{Due, DueRows, Search};
use super::waiting::{Timed, Waiting};
use crate::element::Changes;
use crate::keyed::{Keyed, Scales, SlotValues, hashes_of};
use crate::keys::native_values;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Finds sequences of rows that match a pattern.
///
/// State tables: `rows` (rows ahead of the watermark, and those that candidates have), `candidates` (by key
/// what may become a match).
pub struct MatchRecognize {
    search: Search,
    waiting: Waiting,
    /// The rowtime column; none: processing time, which is stored behind the input's columns.
    time: Option<usize>,
    /// Whether rows of the same processing time are to be sorted.
    sorts: bool,
    /// Rows at or before it are due.
    bound: i64,
    watermark: Watermark,
    /// Restored candidates have rows up to here, which may be ahead of the watermark.
    ahead: i64,
    input: SchemaRef,
    context: Option<OperatorContext>,
    scales: Scales,
    batch_rows: usize,
}

impl MatchRecognize {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a column cannot be a key or be ordered, or the input updates or deletes rows; what
    /// compiling an expression fails with.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else { return Err(Error::internal("a pattern has one input")) };
        if !input.changelog.is_append() {
            return Err(Error::unsupported(
                "MATCH_RECOGNIZE of an input that updates or deletes rows",
            ));
        }
        if plan.variables.is_empty() || plan.variables.len() > MAX_PATTERN_VARIABLES {
            return Err(Error::internal("a pattern has no variables, or too many"));
        }
        let schema = arrow_schema(&input.schema);
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        if plan.time.is_none() {
            fields.push(Arc::new(Field::new("$time", DataType::Int64, false)));
        }
        let stored = Arc::new(Schema::new(fields));
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let states = KeyStates::default();
        let search = Search::new(
            Automaton::new(plan),
            Conditions::new(plan, &input.schema, &stored, settings)?,
            Keyed::new("candidates", &types, &states.types(), 0)?,
            RowTable::new("rows", &plan.keys, stored.clone()),
            Matches::new(plan, &input.schema, arrow_schema(&node.schema), settings)?,
            (plan.variables.len(), plan.keys.clone()),
        );
        Ok(Self {
            search,
            waiting: Waiting::new(&plan.order, &stored)?,
            time: plan.time,
            sorts: !plan.order.is_empty(),
            bound: i64::MIN,
            watermark: MIN_WATERMARK,
            ahead: i64::MIN,
            input: stored,
            context: None,
            scales: Scales::default(),
            batch_rows: 8192,
        })
    }

    /// Event times; NULL is an error, as rows are ordered by it.
    fn times(&self, column: &ArrayRef) -> Result<Int64Array> {
        let times = native_values(column)?;
        match times.null_count() {
            0 => Ok(times),
            _ => Err(Error::new(ErrorCode::Evaluation, "the event time of a row is NULL")
                .help("filter such rows out before: WHERE … IS NOT NULL")),
        }
    }

    /// Keeps rows until event time has passed them.
    fn wait(&mut self, rows: &RecordBatch, column: usize) -> Result<()> {
        let times = self.times(rows.column(column))?;
        let mut known = Vec::new();
        if self.ahead > self.watermark {
            let keys: Vec<ArrayRef> = self.search.partition(rows);
            self.search.keys.find(&keys, &hashes_of(&keys, rows.num_rows())?, &mut known)?;
        }
        let late = |row: usize, time: i64| {
            let state = known.get(row).and_then(|slot| self.search.state(*slot));
            time <= self.watermark || state.is_some_and(|state| time <= state.last)
        };
        let on_time = times.values().iter().enumerate().filter(|(row, time)| !late(*row, **time));
        let on_time: Vec<u32> = on_time.map(|(row, _)| row as u32).collect();
        if let Some(context) = &self.context {
            context.metrics.late_records.add((rows.num_rows() - on_time.len()) as u64);
        }
        let entries = self.search.rows.add(&on_time, rows)?;
        for (row, entry) in on_time.iter().zip(entries) {
            self.waiting.add(times.value(*row as usize), entry);
        }
        Ok(())
    }

    /// Rows by the clock: searched as they come, or when their millisecond is over if they are to be sorted.
    fn arrive(&mut self, rows: &RecordBatch, now_ms: i64, out: &mut Output) -> Result<()> {
        let times = vec![now_ms; rows.num_rows()];
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(times.clone())));
        let batch = RecordBatch::try_new(self.input.clone(), columns).map_err(internal)?;
        if self.sorts {
            let all: Vec<u32> = (0..rows.num_rows() as u32).collect();
            let entries = self.search.rows.add(&all, &batch)?;
            entries.into_iter().for_each(|entry| self.waiting.add(now_ms, entry));
            return Ok(());
        }
        while self.search.expire(now_ms, now_ms, self.batch_rows)? {}
        self.advance(&Due { rows: DueRows::Fresh(&batch), times: &times }, now_ms)?;
        self.emit(now_ms, out)
    }

    fn advance(&mut self, due: &Due<'_>, now_ms: i64) -> Result<()> {
        let scales = &mut self.scales;
        let mut weigh = |search: &Search| weigh(scales, search, 0);
        self.search.advance(due, now_ms, &mut weigh)
    }

    fn emit(&mut self, now_ms: i64, out: &mut Output) -> Result<()> {
        let Some(matches) = self.search.take_matches(now_ms)? else { return Ok(()) };
        let mut first = 0;
        while first < matches.num_rows() {
            let count = self.batch_rows.min(matches.num_rows() - first);
            out.emit(Changes::append(matches.slice(first, count)));
            first += count;
        }
        Ok(())
    }
}

/// Weighs the state; `more`: bytes beside the search.
fn weigh(scales: &mut Scales, search: &Search, more: usize) -> Result<()> {
    let (bytes, rows) = (search.memory_size() + more, search.rows.live());
    scales.weigh(bytes, rows, "rows that wait or may belong to a match")
}

impl Operator for MatchRecognize {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        if self.time.is_some() {
            self.bound = context.watermark;
        }
        self.batch_rows = context.batch_rows.max(1);
        self.search.keys.open(context);
        self.scales.open(context);
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
        match table {
            "rows" => self.search.rows.restore((version, entries), groups, self.context.as_ref()),
            "candidates" => {
                self.search.keys.restore(version, entries, groups, &mut self.search.states)
            }
            other => Err(Error::new(
                ErrorCode::Incompatible,
                format!(
                    "the checkpoint has state table '{other}', which MATCH_RECOGNIZE does not keep"
                ),
            )),
        }
    }

    fn restored(&mut self) -> Result<()> {
        self.search.keys.restored()?;
        let entries = self.search.rows.restored();
        let time = self.time.unwrap_or(self.input.fields().len() - 1);
        let mut timed: Vec<Timed> = Vec::with_capacity(entries.len());
        for part in entries.chunks(64 << 10) {
            let column = self.search.rows.gather(part, &[time])?;
            let times = match self.time {
                Some(_) => self.times(&column[0])?,
                None => column[0].as_primitive::<Int64Type>().clone(),
            };
            timed.extend(times.values().iter().copied().zip(part.iter().copied()));
        }
        let timed = self.waiting.sort(timed, &self.search.rows)?;
        let mut of_keys = Vec::with_capacity(timed.len());
        for part in timed.chunks(64 << 10) {
            let entries: Vec<u32> = part.iter().map(|(_, entry)| *entry).collect();
            let keys = self.search.rows.keys_of(&entries)?;
            let mut slots = Vec::new();
            self.search.keys.find(&keys, &hashes_of(&keys, entries.len())?, &mut slots)?;
            of_keys.extend(slots.into_iter().zip(part.iter().copied()));
        }
        for (time, entry) in self.search.restored(of_keys)? {
            self.waiting.add(time, entry);
        }
        let live = self.search.keys.live_slots();
        let last = live.iter().map(|slot| self.search.states.get(*slot).last);
        self.ahead = last.max().unwrap_or(i64::MIN);
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        match self.time {
            Some(column) => self.wait(&changes.rows, column)?,
            None => self.arrive(&changes.rows, out.now_ms, out)?,
        }
        if self.scales.is_due() {
            weigh(&mut self.scales, &self.search, self.waiting.memory_size())?;
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        // Processing time goes on, but at the end of the input there is nothing to wait for.
        if self.time.is_some() || watermark == MAX_WATERMARK {
            self.bound = self.watermark;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        if self.time.is_some() {
            return None;
        }
        let waiting = self.waiting.earliest().map(|time| time + 1);
        [waiting, self.search.next_timer()].into_iter().flatten().min()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.bound = self.bound.max(out.now_ms - 1);
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let due = self.waiting.take(self.bound, self.batch_rows, &self.search.rows)?;
        if !due.is_empty() {
            let entries: Vec<u32> = due.iter().map(|(_, entry)| *entry).collect();
            let times: Vec<i64> = due.iter().map(|(time, _)| *time).collect();
            self.advance(&Due { rows: DueRows::Stored(&entries), times: &times }, out.now_ms)?;
            self.emit(out.now_ms, out)?;
            return Ok(Progress::More);
        }
        // By the clock a candidate's time is over at that moment, not before.
        let until = match self.time {
            Some(_) => self.bound,
            None if self.bound == MAX_WATERMARK => MAX_WATERMARK,
            None => out.now_ms,
        };
        if !self.search.expire(until, out.now_ms, self.batch_rows)? {
            return Ok(Progress::Done);
        }
        self.emit(out.now_ms, out)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(vec![self.search.rows.snapshot(request)?, self.search.keys.snapshot(request)?])
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        match self.search.rows.copy(entries)? {
            Copied::Done => self.search.keys.copy(entries, &self.search.states),
            copied => Ok(copied),
        }
    }

    fn abandon_copy(&mut self) {
        self.search.rows.abandon_copy();
        self.search.keys.abandon_copy();
    }

    fn state_bytes(&self) -> usize {
        self.search.memory_size() + self.waiting.memory_size()
    }

    fn state_rows(&self) -> u64 {
        self.search.rows.live() as u64
    }
}
