//! The join of append-only inputs whose times are close.
//!
//! A row of an outer join that found no partner comes out when its interval is over: when no row that is not late can
//! be its partner any more (Flink lets it lie for half an interval longer). From then on it is gone, also for late rows.
//! A late row is joined with what is still there, is kept if its own interval is not over, and else comes out at once
//! where it has no partner, as in Flink.
//!
//! Output rows carry the times of both sides, and the older one may be as far behind the watermark as the interval is
//! wide: the watermark of the output is held back by `max(-lower, upper)`, as in Flink.
//!
//! With processing time a row happens when it arrives, and the clock takes the watermark's place: rows to come happen
//! after `clock - 1`.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::IntervalJoin as Plan;
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::clock::{RowClock, partner_times};
use super::core::Core;
use super::regular::{Parts, two};
use super::rows::{RowId, batch};
use super::side::Side;
use super::state::{Keeps, State};
use crate::element::Changes;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Joins rows whose times are close.
pub struct IntervalJoin {
    core: Core,
    state: State,
    event: bool,
    bounds: (i64, i64),
    /// Rows whose intervals ended up to here are out.
    settled: i64,
    /// Rows without a partner that come out, by side; `None`: it was not looked for any.
    alone: Option<VecDeque<(usize, Vec<RowId>)>>,
}

impl IntervalJoin {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling the condition fails with, `INTERNAL` if the plan contradicts itself.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let inputs = two(inputs)?;
        if inputs.iter().any(|input| !input.changelog.is_append()) {
            return Err(Error::internal("an interval join over an input that changes"));
        }
        let event = plan.times.is_some();
        let bounds = (plan.lower, plan.upper);
        let columns = plan.times.unwrap_or_else(|| inputs.map(|input| input.schema.len()));
        let parts = Parts {
            kind: plan.kind,
            on: &plan.on,
            node,
            inputs,
            kept: inputs.map(|input| kept(input, event)),
            clock: RowClock::Interval { bounds, columns },
            names_forgotten: !event,
            settings,
        };
        let core = parts.core()?;
        let (state, settled) = (State::default(), MIN_WATERMARK);
        Ok(Self { core, state, event, bounds, settled, alone: None })
    }

    /// Whether rows of a side without a partner come out.
    fn waits(&self, side: usize) -> bool {
        match side {
            0 => self.core.kind.keeps_left(),
            _ => self.core.kind.keeps_right(),
        }
    }

    /// Rows whose interval is over and that have no partner. By the clock whole chunks only: snapshots name
    /// what is gone of them.
    fn find_alone(&self) -> VecDeque<(usize, Vec<RowId>)> {
        let mut alone = VecDeque::new();
        for side in (0..2).filter(|side| self.waits(*side)) {
            let kept = &self.core.sides[side];
            for (place, whole) in kept.chunks_until(self.core.now) {
                if !whole && !self.event {
                    continue;
                }
                let comes_out = |row: &RowId| {
                    let end = partner_times(side, kept.times[*row as usize], self.bounds).1;
                    let over = !self.event || (self.settled < end && end <= self.core.now);
                    over && kept.counts[*row as usize] == 0
                };
                let rows: Vec<RowId> = kept.live_of(place).into_iter().filter(comes_out).collect();
                if !rows.is_empty() {
                    alone.push_back((side, rows));
                }
            }
        }
        alone
    }

    /// Rows with the clock behind their columns.
    fn timed(&self, rows: &RecordBatch, side: usize, now: i64) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_value(now, rows.num_rows())));
        batch(&self.core.sides[side].spec.schema, columns, rows.num_rows())
    }
}

/// What is kept of an input: by the clock, the time of arrival behind its columns.
fn kept(input: &Node, event: bool) -> SchemaRef {
    let schema = arrow_schema(&input.schema);
    if event {
        return schema;
    }
    let arrival = Arc::new(Field::new("arrival", DataType::Int64, false));
    let fields = schema.fields().iter().cloned().chain([arrival]);
    Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
}

impl Side {
    /// Chunks some of whose rows may have expired, and whether all of a chunk's have.
    pub(super) fn chunks_until(&self, now: i64) -> Vec<(u32, bool)> {
        let width = self.widest();
        let begun = self.expiring.iter();
        let begun = begun.take_while(|(expires, _)| expires.saturating_sub(width) <= now);
        begun.flat_map(|(expires, places)| places.iter().map(|p| (*p, *expires <= now))).collect()
    }
}

impl Operator for IntervalJoin {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        if self.event {
            (self.core.now, self.settled) = (context.watermark, context.watermark);
        }
        self.core.layout.batch_rows = context.batch_rows.max(1);
        self.state.open(context);
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        self.state.restore(&mut self.core, table, version, entries, groups)
    }

    fn restored(&mut self) -> Result<()> {
        self.state.restored(&mut self.core)
    }

    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let mut changes = changes;
        if !self.event {
            // A clock that was set back stands still until it is where it was.
            self.core.now = self.core.now.max(out.now_ms - 1);
            changes.rows = self.timed(&changes.rows, input, self.core.now + 1)?;
        }
        self.core.begin(input, changes, out.now_ms)?;
        self.core.run(out)?;
        if self.core.work.is_none() { self.state.weigh(&mut self.core) } else { Ok(()) }
    }

    fn is_pending(&self) -> bool {
        self.core.work.is_some()
    }

    fn watermark_delay(&self) -> i64 {
        let (lower, upper) = self.bounds;
        if self.event { lower.saturating_neg().max(upper).max(0) } else { 0 }
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        if self.event {
            self.core.now = self.core.now.max(watermark);
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        if self.event {
            return None;
        }
        let next = self.core.sides.iter().filter_map(Side::next_expiry).min();
        next.map(|expires| expires.saturating_add(1))
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.core.now = self.core.now.max(out.now_ms - 1);
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        if self.core.work.is_some() {
            self.core.run(out)?;
            return Ok(Progress::More);
        }
        if self.settled >= self.core.now {
            return Ok(Progress::Done);
        }
        let mut alone = match self.alone.take() {
            Some(alone) => alone,
            None => self.find_alone(),
        };
        if let Some((side, mut rows)) = alone.pop_front() {
            let rest = rows.split_off(rows.len().min(self.core.layout.batch_rows));
            self.core.emit_alone(side, &rows, out)?;
            if !rest.is_empty() {
                alone.push_front((side, rest));
            }
            self.alone = Some(alone);
            return Ok(Progress::More);
        }
        self.settled = self.core.now;
        for side in &mut self.core.sides {
            side.evict(self.core.now)?;
        }
        self.state.weigh(&mut self.core)?;
        Ok(Progress::Done)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        self.state.snapshot(&mut self.core, self.event, request)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.state.copy(entries)
    }

    fn abandon_copy(&mut self) {
        self.state.abandon();
    }

    fn spilled_bytes(&self) -> usize {
        self.core.spilled_bytes()
    }

    fn state_rows(&self) -> u64 {
        self.core.live()
    }

    fn state_bytes(&self) -> usize {
        self.core.memory_size()
    }
}
