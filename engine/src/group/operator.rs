//! The operator.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::GroupAggregate as Plan;
use tidegate_plan::{MiniBatch, Node, PlanSettings, Updates};
use tidegate_types::{Error, KeyGroupRange, Result, Watermark};

use super::local;
use super::state::{GroupState, restore_distinct};
use crate::element::Changes;
use crate::keyed::{Keyed, Pending, Scales, SlotValues, Wanted, rounds};
use crate::keys::hash::{SEED, hash_columns};
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Name of the state table.
const TABLE: &str = "groups";
/// Batches of fewer rows are bundled if they follow each other closely.
const SMALL_BATCH: usize = 256;
/// How closely, and how long a bundle waits, ms.
const BUNDLE_MS: i64 = 2;
/// Most groups that a mini-batch holds back.
const MAX_PENDING: usize = 1 << 20;

/// Aggregates by keys over the whole input.
pub struct GroupAggregate {
    /// Columns of the input that hold the keys.
    keys: Vec<usize>,
    /// Whether the input is partial states of a local phase.
    partials: bool,
    wanted: Wanted,
    /// Whether old results are needed at all.
    needs_old: bool,
    mini_batch: Option<MiniBatch>,
    /// Whether every change comes out.
    each_change: bool,
    output: SchemaRef,
    keyed: Keyed,
    state: GroupState,
    /// Whether the result of a slot is known downstream.
    emitted: Vec<bool>,
    pending: Pending,
    /// Rows of pending groups, and when they must be emitted.
    pending_rows: u64,
    deadline: Option<i64>,
    flushed_at: i64,
    batch_rows: usize,
    context: Option<OperatorContext>,
    scales: Scales,
    slots: Vec<u32>,
    hashes: Vec<u64>,
    expired: Vec<u32>,
}

impl GroupAggregate {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that cannot be keys, and aggregates that do not take their argument's type
    /// or cannot take rows back where the input does.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else {
            return Err(Error::internal("a group aggregate has one input"));
        };
        if input.changelog.is_upsert() {
            return Err(Error::internal("an aggregate over updates without the old rows"));
        }
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let retracts = !input.changelog.is_append();
        let partials = local::is_two_phase(plan, node, inputs);
        let state =
            GroupState::new(&plan.aggregates, &input.schema, (&types, types.len()), retracts)?;
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        let keyed = Keyed::new(TABLE, &types, &state.types(), ttl)?;
        let before = node.changelog.updates == Updates::BeforeAndAfter;
        let wanted = Wanted { before, equal: keyed.has_ttl() || state.always_changes() };
        Ok(Self {
            keys: if partials { (0..plan.keys.len()).collect() } else { plan.keys.clone() },
            partials,
            wanted,
            needs_old: before || retracts || !wanted.equal,
            mini_batch: settings.mini_batch,
            each_change: plan.each_change,
            output: arrow_schema(&node.schema),
            keyed,
            state,
            emitted: Vec::new(),
            pending: Pending::default(),
            pending_rows: 0,
            deadline: None,
            flushed_at: i64::MIN,
            batch_rows: 8192,
            context: None,
            scales: Scales::default(),
            slots: Vec::new(),
            hashes: Vec::new(),
            expired: Vec::new(),
        })
    }

    /// Finds the groups of rows and forgets those whose time was over.
    fn find(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        hash_columns(rows, &self.keys, &mut self.hashes)?;
        let keys: Vec<ArrayRef> = self.keys.iter().map(|key| rows.column(*key).clone()).collect();
        let (slots, expired) = (&mut self.slots, &mut self.expired);
        self.keyed.upsert(&keys, &self.hashes, now_ms, slots, expired, &self.state)?;
        let table = self.keyed.keys().len();
        self.state.resize(table);
        self.emitted.resize(table, false);
        for slot in self.keyed.keys().added() {
            self.emitted[*slot as usize] = false;
        }
        let expired = std::mem::take(&mut self.expired);
        self.forget(&expired)?;
        self.expired = expired;
        Ok(())
    }

    /// Empties groups, which stay in the table.
    fn forget(&mut self, slots: &[u32]) -> Result<()> {
        self.keyed.capture(slots, &self.state)?;
        self.state.clear_distinct(slots, &self.keyed)?;
        for slot in slots {
            self.state.clear(*slot);
            self.emitted[*slot as usize] = false;
        }
        Ok(())
    }

    /// Takes rows in, and emits what has changed unless it waits for more.
    fn apply(&mut self, changes: &Changes, out: &mut Output) -> Result<()> {
        self.find(&changes.rows, out.now_ms)?;
        let alone = self.pending.slots.is_empty();
        self.note()?;
        if self.partials {
            self.state.merge(&self.slots, &changes.rows, self.keys.len())?;
        } else {
            self.state.apply(&self.slots, changes, &self.keyed)?;
        }
        if self.each_change || !self.bundles(changes.len(), out.now_ms) {
            self.flush(alone.then_some(&changes.rows), out)?;
        }
        Ok(())
    }

    fn note(&mut self) -> Result<()> {
        let table = self.keyed.keys().len();
        let noted = self.pending.note(&self.slots, table);
        let state = &self.state;
        let results = self.needs_old.then_some(|slots: &[u32]| state.results(slots));
        self.pending.had(noted, &self.emitted, results)
    }

    /// Emits the changes of pending groups; `rows`: the batch in which all of them are, if there is one.
    fn flush(&mut self, rows: Option<&RecordBatch>, out: &mut Output) -> Result<()> {
        self.deadline = None;
        self.pending_rows = 0;
        self.flushed_at = out.now_ms;
        if self.pending.slots.is_empty() {
            return Ok(());
        }
        let (slots, old) = self.pending.take()?;
        let alive: Option<Vec<bool>> = (self.state.can_empty() && !self.keys.is_empty())
            .then(|| slots.iter().map(|slot| self.state.has_rows(*slot)).collect());
        let new = self.state.results(&slots)?;
        let keys = self.key_columns(&slots, rows)?;
        let changes = old.changes(&keys, &new, alive.as_deref(), self.wanted, &self.output)?;
        if let Some(changes) = changes {
            for from in (0..changes.len()).step_by(self.batch_rows) {
                out.emit(changes.slice(from, self.batch_rows.min(changes.len() - from)));
            }
        }
        slots.iter().for_each(|slot| self.emitted[*slot as usize] = true);
        if let Some(alive) = alive {
            let gone = slots.iter().zip(alive).filter(|(_, alive)| !alive);
            let gone: Vec<u32> = gone.map(|(slot, _)| *slot).collect();
            self.forget(&gone)?;
            self.keyed.remove(&gone)?;
        }
        Ok(())
    }

    /// The keys of pending groups: out of the batch they are in, which is cheaper than decoding them.
    fn key_columns(&self, slots: &[u32], rows: Option<&RecordBatch>) -> Result<Vec<ArrayRef>> {
        let Some(rows) = rows.filter(|_| !self.keys.is_empty()) else {
            return self.keyed.keys().columns(slots);
        };
        // Pending groups stand in the order in which the batch first names them.
        let (mut first, mut next) = (Vec::with_capacity(slots.len()), 0);
        for (row, slot) in self.slots.iter().enumerate() {
            if slots.get(next) == Some(slot) {
                first.push(row as u32);
                next += 1;
            }
        }
        let first = UInt32Array::from(first);
        let columns = self.keys.iter().map(|key| take(rows.column(*key), &first, None));
        columns.map(|column| column.map_err(|error| Error::internal(error.to_string()))).collect()
    }

    /// Whether changes wait for more rows.
    fn bundles(&mut self, rows: usize, now_ms: i64) -> bool {
        self.pending_rows += rows as u64;
        let (size, wait) = match self.mini_batch {
            Some(MiniBatch { latency_ms, size }) if latency_ms > 0 => {
                (size, i64::try_from(latency_ms).unwrap_or(i64::MAX))
            }
            _ if rows < SMALL_BATCH && now_ms.saturating_sub(self.flushed_at) < BUNDLE_MS => {
                (SMALL_BATCH as u64, BUNDLE_MS)
            }
            _ if self.deadline.is_some() => (SMALL_BATCH as u64, BUNDLE_MS),
            _ => return false,
        };
        if self.pending_rows >= size || self.pending.slots.len() >= MAX_PENDING {
            return false;
        }
        let deadline = *self.deadline.get_or_insert(now_ms.saturating_add(wait));
        deadline > now_ms
    }

    /// Forgets groups that have not been used for too long.
    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let mut old = self.keyed.sweep(now_ms);
        old.retain(|slot| !self.pending.has(*slot));
        if old.is_empty() {
            return Ok(());
        }
        self.forget(&old)?;
        self.keyed.remove(&old)
    }

    fn weigh(&mut self) -> Result<()> {
        if !self.scales.is_due() {
            return Ok(());
        }
        let (bytes, groups) = (self.state_bytes(), self.keyed.keys().live());
        self.scales.weigh(bytes, groups, "groups of an aggregate")
    }

    /// Without keys there is one group, also over no rows.
    fn ensure_global(&mut self, now_ms: i64) -> Result<()> {
        if self.keys.is_empty() && self.keyed.keys().live() == 0 {
            self.hashes = vec![SEED];
            let (slots, expired) = (&mut self.slots, &mut self.expired);
            self.keyed.upsert(&[], &self.hashes, now_ms, slots, expired, &self.state)?;
            self.state.resize(1);
            self.emitted.resize(1, false);
            self.note()?;
        }
        Ok(())
    }
}

impl Operator for GroupAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.keyed.open(context);
        self.batch_rows = context.batch_rows;
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
        let context =
            self.context.as_ref().ok_or_else(|| Error::internal("restore before open"))?;
        if table == TABLE {
            return self.keyed.restore(version, entries, groups, &mut self.state);
        }
        let mut distinct = self.state.take_distinct();
        let (entries, keyed) = ((table, version, entries), &mut self.keyed);
        let restored =
            restore_distinct(&mut distinct, entries, groups, context, keyed, &mut self.state);
        self.state.put_distinct(distinct);
        restored
    }

    fn restored(&mut self) -> Result<()> {
        self.keyed.restored()?;
        self.state.restored_distinct();
        self.emitted = vec![true; self.keyed.keys().len()];
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.each_change {
            hash_columns(&changes.rows, &self.keys, &mut self.hashes)?;
            for round in rounds(&self.hashes) {
                self.apply(&changes.take(&round)?, out)?;
            }
        } else {
            self.apply(&changes, out)?;
        }
        self.sweep(out.now_ms)?;
        self.weigh()
    }

    fn watermark(&mut self, _watermark: Watermark, out: &mut Output) -> Result<()> {
        self.flush(None, out)
    }

    fn next_timer(&self) -> Option<i64> {
        [self.deadline, self.keyed.next_sweep()].into_iter().flatten().min()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        if self.deadline.is_some_and(|deadline| deadline <= out.now_ms) {
            self.flush(None, out)?;
        }
        self.sweep(out.now_ms)
    }

    fn before_barrier(&mut self, out: &mut Output) -> Result<()> {
        self.ensure_global(out.now_ms)?;
        self.flush(None, out)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let mut tables = vec![self.keyed.snapshot(request)?];
        tables.extend(self.state.snapshot_distinct(request)?);
        Ok(tables)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        let copied = self.keyed.copy(entries, &self.state)?;
        if !matches!(copied, Copied::Done) {
            return Ok(copied);
        }
        self.state.copy_distinct(entries, &self.keyed)
    }

    fn abandon_copy(&mut self) {
        self.keyed.abandon_copy();
        self.state.abandon_distinct();
    }

    fn state_bytes(&self) -> usize {
        self.keyed.memory_size()
            + self.state.memory_size()
            + self.emitted.capacity()
            + self.pending.memory_size()
    }
}
