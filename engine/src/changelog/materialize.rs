//! Changes in the order that a sink's key needs: all rows of a key are remembered, the last added is the
//! one the sink has. When it goes, the one added before it takes its place. A batch makes one net change
//! per key.
//!
//! State table `rows`: the sink's key, number in order of arrival, row.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::UpsertMaterialize as Plan;
use tidegate_plan::{Node, PlanSettings, RowKind, Updates};
use tidegate_types::{Error, KeyGroupRange, Result};

use crate::element::Changes;
use crate::keyed::{Identity, Owners, Pending, RowEntries, Scales, Wanted};
use crate::keys::hash::hash_columns;
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Rows that a restore takes at once.
const RESTORE_ROWS: usize = 64 << 10;

/// Keeps all rows per key of a sink.
pub struct UpsertMaterialize {
    keys: Vec<usize>,
    /// Whether a row replaces the one with its key of the input.
    replaces: bool,
    wanted: Wanted,
    output: SchemaRef,
    owners: Owners,
    entries: RowEntries,
    identity: Identity,
    pending: Pending,
    context: Option<OperatorContext>,
    scales: Scales,
    slots: Vec<u32>,
    hashes: Vec<u64>,
    expired: Vec<u32>,
}

impl UpsertMaterialize {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that cannot be keys, `INTERNAL` for an upsert stream without a key.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        _settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else {
            return Err(Error::internal("materialization for a sink has one input"));
        };
        let types: Vec<_> = input.schema.iter().map(|field| data_type(&field.ty)).collect();
        let keys: Vec<_> = plan.keys.iter().map(|key| types[*key].clone()).collect();
        if input.changelog.is_upsert() && input.upsert_key.is_none() {
            return Err(Error::internal("updates without old rows and without a key"));
        }
        let identity = input.upsert_key.clone();
        let replaces = identity.is_some();
        let identity = identity.unwrap_or_else(|| (0..types.len()).collect());
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        let before = node.changelog.updates == Updates::BeforeAndAfter;
        let output = arrow_schema(&node.schema);
        Ok(Self {
            keys: plan.keys.clone(),
            replaces,
            wanted: Wanted { before, equal: ttl > 0 },
            owners: Owners::new(&keys, ttl)?,
            entries: RowEntries::new("rows", &keys, output.clone()),
            output,
            identity: Identity::new(identity_within(&plan.keys, identity), &types)?,
            pending: Pending::default(),
            context: None,
            scales: Scales::default(),
            slots: Vec::new(),
            hashes: Vec::new(),
            expired: Vec::new(),
        })
    }

    fn find(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        hash_columns(rows, &self.keys, &mut self.hashes)?;
        let keys: Vec<ArrayRef> = self.keys.iter().map(|key| rows.column(*key).clone()).collect();
        self.owners.upsert(&keys, &self.hashes, now_ms, &mut self.slots, &mut self.expired)?;
        let expired = std::mem::take(&mut self.expired);
        self.forget(&expired)?;
        self.expired = expired;
        Ok(())
    }

    fn forget(&mut self, slots: &[u32]) -> Result<()> {
        let entries: Vec<u32> = slots.iter().flat_map(|slot| self.entries.of(*slot)).collect();
        let ids = entries.iter().map(|entry| self.identity.remove(*entry)).collect();
        self.entries.remove(&entries, &self.owners)?;
        self.identity.sweep(ids);
        Ok(())
    }

    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let old = self.owners.sweep(now_ms);
        self.forget(&old)?;
        self.owners.remove(&old);
        Ok(())
    }

    /// Adds and takes back the rows of a batch.
    fn apply(&mut self, changes: &Changes) -> Result<()> {
        let ids = self.identity.ids(&changes.rows)?;
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        for (row, (slot, id)) in (0u32..).zip(self.slots.iter().zip(&ids)) {
            let adds = RowKind::adds(changes.kind(row as usize));
            let held = self.identity.first(*id, |entry| self.entries.number(entry));
            if let Some(entry) = held.filter(|_| !adds || self.replaces) {
                self.identity.remove(entry);
                gone.push(entry);
            }
            if adds {
                let entry = self.entries.add(*slot);
                self.identity.add(*id, entry);
                made.push((entry, row));
            }
        }
        // An entry's place is given away only here: until now each was made once.
        let dead: hashbrown::HashSet<u32> = gone.iter().copied().collect();
        made.retain(|(entry, _)| !dead.contains(entry));
        let (entries, rows): (Vec<u32>, Vec<u32>) = made.into_iter().unzip();
        self.entries.fill(&entries, &rows, &changes.rows)?;
        self.entries.remove(&gone, &self.owners)?;
        self.identity.sweep(ids);
        Ok(())
    }

    /// The rows that the sink has of keys; for a key without rows that of any other.
    fn current(&self, slots: &[u32]) -> Result<(Vec<bool>, Vec<ArrayRef>)> {
        let last: Vec<Option<u32>> =
            slots.iter().map(|slot| self.entries.of(*slot).next()).collect();
        let alive = last.iter().map(Option::is_some).collect();
        let Some(any) = last.iter().flatten().next().copied() else {
            let nothing = RecordBatch::new_empty(self.output.clone());
            let nulls = nothing
                .columns()
                .iter()
                .map(|column| arrow::array::new_null_array(column.data_type(), slots.len()));
            return Ok((alive, nulls.collect()));
        };
        let entries: Vec<u32> = last.iter().map(|entry| entry.unwrap_or(any)).collect();
        Ok((alive, self.entries.rows.gather(&entries)?))
    }
}

/// What tells rows of one key apart: the key besides what tells the input's rows apart.
fn identity_within(keys: &[usize], mut columns: Vec<usize>) -> Vec<usize> {
    columns.extend(keys.iter().filter(|key| !columns.contains(key)).copied().collect::<Vec<_>>());
    columns
}

impl Operator for UpsertMaterialize {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
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
            let rows = RecordBatch::try_new(self.output.clone(), columns)
                .map_err(|error| Error::internal(error.to_string()))?;
            let ids = self.identity.ids(&rows)?;
            ids.iter().zip(part).for_each(|(id, entry)| self.identity.add(*id, *entry));
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.find(&changes.rows, out.now_ms)?;
        let noted = self.pending.note(&self.slots, self.owners.keys().len());
        let entries = &self.entries;
        let had = self.pending.slots[noted.clone()].iter();
        let had: Vec<bool> = had.map(|slot| entries.of(*slot).next().is_some()).collect();
        let last = |slots: &[u32]| {
            let last: Vec<u32> = slots.iter().filter_map(|slot| entries.of(*slot).next()).collect();
            entries.rows.gather(&last)
        };
        self.pending.had_each(noted, &had, Some(last))?;
        let (slots, old) = self.pending.take()?;
        self.apply(&changes)?;
        let (alive, new) = self.current(&slots)?;
        let emitted = old.changes(&[], &new, Some(&alive), self.wanted, &self.output)?;
        emitted.into_iter().for_each(|changes| out.emit(changes));
        let empty = slots.iter().zip(&alive).filter(|(_, alive)| !**alive);
        self.owners.remove(&empty.map(|(slot, _)| *slot).collect::<Vec<_>>());
        self.sweep(out.now_ms)?;
        if self.scales.is_due() {
            let (bytes, rows) = (self.state_bytes(), self.entries.live());
            self.scales.weigh(bytes, rows, "rows remembered for a sink's key")?;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.owners.next_sweep()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.sweep(out.now_ms)
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
        self.owners.memory_size()
            + self.entries.memory_size()
            + self.identity.memory_size()
            + self.pending.memory_size()
    }
}
