//! The operator.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashMap;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{Rank as Plan, RankFunction};
use tidegate_plan::{ChangelogMode, Node, PlanSettings, RowKind, Updates};
use tidegate_types::{Error, KeyGroupRange, Result};

use super::bounds::Bounds;
use super::emit::{Emission, Style, differences};
use super::marks::Marks;
use super::order::{Order, Place};
use crate::element::Changes;
use crate::keyed::{Identity, Owners, RowEntries, Scales, SortBytes};
use crate::keys::hash::hash_columns;
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Name of the state table.
const TABLE: &str = "rows";
/// Rows that a restore sorts in at once.
const RESTORE_ROWS: usize = 64 << 10;

/// Keeps rows by rank.
pub struct Rank {
    plan: Plan,
    style: Style,
    /// What the input carries; appended rows need no identity.
    input: ChangelogMode,
    output: SchemaRef,
    sort: RowConverter,
    owners: Owners,
    entries: RowEntries,
    order: Order,
    bounds: Option<Bounds>,
    identity: Option<Identity>,
    batch_rows: usize,
    context: Option<OperatorContext>,
    scales: Scales,
    slots: Vec<u32>,
    hashes: Vec<u64>,
    expired: Vec<u32>,
    /// Partitions that the batch has touched.
    touched: Marks,
}

/// What a batch does.
#[derive(Default)]
struct Work {
    /// Touched partitions in the order in which they were, and how many entries each kept before.
    touched: Vec<(u32, u32)>,
    /// What they kept, one after the other.
    before: Vec<(u32, u64)>,
    /// Entries that were made, with their row of the batch.
    made: Vec<(u32, u32)>,
    /// Entries that are out.
    out: Vec<u32>,
    /// Ids that may be without entries.
    ids: Vec<u32>,
}

impl Rank {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` for columns that cannot be ordered or keys, `INTERNAL` for an upsert stream without
    /// a key.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        _settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else { return Err(Error::internal("a rank has one input")) };
        let types: Vec<_> = input.schema.iter().map(|field| data_type(&field.ty)).collect();
        let keys: Vec<_> = plan.keys.iter().map(|key| types[*key].clone()).collect();
        let fields = plan.order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(types[key.column].clone(), options)
        });
        let sort = RowConverter::new(fields.collect())
            .map_err(|error| Error::unsupported(format!("ORDER BY of the rank: {error}")))?;
        let updating = !input.changelog.is_append();
        let identity = match (updating, &input.upsert_key) {
            (false, _) => None,
            (true, Some(key)) => Some(Identity::new(key.clone(), &types)?),
            (true, None) if input.changelog.is_upsert() => {
                return Err(Error::internal(
                    "a rank over updates without old rows and without key",
                ));
            }
            (true, None) => Some(Identity::new((0..types.len()).collect(), &types)?),
        };
        let bounds = match plan.order.first() {
            Some(first) if !updating => {
                Bounds::new(plan.function, &plan.order, &types[first.column])
            }
            _ => None,
        };
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        Ok(Self {
            style: style(plan, node),
            input: input.changelog,
            output: arrow_schema(&node.schema),
            sort,
            owners: Owners::new(&keys, ttl)?,
            entries: RowEntries::new(TABLE, &keys, arrow_schema(&input.schema)),
            order: Order::new(plan.function, plan.from, plan.to, updating),
            bounds,
            identity,
            batch_rows: 8192,
            context: None,
            scales: Scales::default(),
            slots: Vec::new(),
            hashes: Vec::new(),
            expired: Vec::new(),
            touched: Marks::default(),
            plan: plan.clone(),
        })
    }

    fn find(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        hash_columns(rows, &self.plan.keys, &mut self.hashes)?;
        let keys: Vec<ArrayRef> =
            self.plan.keys.iter().map(|key| rows.column(*key).clone()).collect();
        self.owners.upsert(&keys, &self.hashes, now_ms, &mut self.slots, &mut self.expired)?;
        self.resize();
        let expired = std::mem::take(&mut self.expired);
        self.forget(&expired)?;
        self.expired = expired;
        Ok(())
    }

    fn resize(&mut self) {
        let partitions = self.owners.keys().len();
        self.order.resize(partitions);
        if let Some(bounds) = &mut self.bounds {
            bounds.resize(partitions);
        }
    }

    /// Removes all rows of partitions, silently.
    fn forget(&mut self, partitions: &[u32]) -> Result<()> {
        let mut work = Work::default();
        for partition in partitions {
            let entries: Vec<u32> = self.entries.of(*partition).collect();
            for entry in entries {
                self.take_out(*partition, entry, &mut work);
            }
            if let Some(bounds) = &mut self.bounds {
                bounds.set(*partition, None);
            }
        }
        self.drop_entries(work)
    }

    fn take_out(&mut self, partition: u32, entry: u32, work: &mut Work) {
        self.order.remove(partition, entry, self.entries.number(entry));
        if let Some(identity) = &mut self.identity {
            work.ids.push(identity.remove(entry));
        }
        work.out.push(entry);
    }

    fn drop_entries(&mut self, work: Work) -> Result<()> {
        self.entries.remove(&work.out, &self.owners)?;
        if let Some(identity) = &mut self.identity {
            identity.sweep(work.ids);
        }
        Ok(())
    }

    fn sorts(&self, columns: impl Fn(usize) -> ArrayRef, rows: usize) -> Result<Option<Rows>> {
        if self.plan.order.is_empty() || rows == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> =
            self.plan.order.iter().map(|key| columns(key.column)).collect();
        let sorts = self.sort.convert_columns(&columns);
        sorts.map(Some).map_err(|error| Error::internal(format!("encode sort keys: {error}")))
    }

    fn note(&mut self, partition: u32, work: &mut Work) {
        if self.touched.insert(partition) {
            let before = work.before.len();
            self.order.kept(partition, &mut work.before);
            work.touched.push((partition, (work.before.len() - before) as u32));
        }
    }

    fn add(&mut self, partition: u32, row: u32, sort: &[u8], work: &mut Work) -> Option<u32> {
        let sort = SortBytes::new(sort);
        let Place::At(place) = self.order.place(partition, &sort) else { return None };
        self.note(partition, work);
        let entry = self.entries.add(partition);
        let number = self.entries.number(entry);
        self.order.insert((partition, entry, number), sort, place, &mut work.out);
        work.made.push((entry, row));
        Some(entry)
    }

    /// Rows that only come: most of them fail a comparison with their partition's bound.
    fn append(&mut self, rows: &RecordBatch, work: &mut Work) -> Result<()> {
        let slots = std::mem::take(&mut self.slots);
        let passing = match &self.bounds {
            None => None,
            Some(bounds) => {
                let values = bounds.values(|column| rows.column(column).clone())?;
                let passing = bounds.passing(&values, &slots);
                (passing.len() < slots.len()).then_some(passing)
            }
        };
        let sorts = match &passing {
            None => self.sorts(|column| rows.column(column).clone(), slots.len())?,
            Some(passing) => {
                let places = UInt32Array::from(passing.clone());
                let columns = self.plan.order.iter().map(|key| {
                    let taken = take(rows.column(key.column), &places, None);
                    taken.map(|taken| (key.column, taken)).map_err(internal)
                });
                let columns = columns.collect::<Result<HashMap<_, _>>>()?;
                self.sorts(|column| columns[&column].clone(), passing.len())?
            }
        };
        let count = passing.as_ref().map_or(slots.len(), Vec::len);
        for index in 0..count {
            let row = passing.as_ref().map_or(index as u32, |passing| passing[index]);
            let sort = sorts.as_ref().map(|sorts| sorts.row(index));
            let sort = sort.as_ref().map_or(&[][..], |sort| sort.as_ref());
            self.add(slots[row as usize], row, sort, work);
        }
        self.slots = slots;
        Ok(())
    }

    /// Rows that come and go.
    fn update(&mut self, changes: &Changes, work: &mut Work) -> Result<()> {
        let rows = &changes.rows;
        let slots = std::mem::take(&mut self.slots);
        let sorts = self.sorts(|column| rows.column(column).clone(), slots.len())?;
        let ids = match &mut self.identity {
            Some(identity) => identity.ids(rows)?,
            None => return Err(Error::internal("a rank over updates without identities")),
        };
        let by_key = self.input.is_upsert();
        for (row, (slot, id)) in (0u32..).zip(slots.iter().zip(&ids)) {
            let adds = RowKind::adds(changes.kind(row as usize));
            let held = self.identity.as_ref();
            let held = held.and_then(|identity| identity.first(*id, |e| self.entries.number(e)));
            if let Some(entry) = held.filter(|_| !adds || by_key) {
                let partition = self.entries.owner(entry);
                self.note(partition, work);
                self.take_out(partition, entry, work);
            }
            if adds {
                let sort = sorts.as_ref().map(|sorts| sorts.row(row as usize));
                let sort = sort.as_ref().map_or(&[][..], |sort| sort.as_ref());
                let made = self.add(*slot, row, sort, work);
                if let (Some(entry), Some(identity)) = (made, &mut self.identity) {
                    identity.add(*id, entry);
                }
            }
        }
        work.ids.extend(ids);
        self.slots = slots;
        Ok(())
    }

    /// Stores the rows of new entries, emits the differences and forgets what is out.
    fn finish(&mut self, rows: &RecordBatch, work: Work, out: &mut Output) -> Result<()> {
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        let mut gone = work.out.clone();
        gone.sort_unstable();
        for (entry, row) in &work.made {
            if gone.binary_search(entry).is_err() {
                entries.push(*entry);
                places.push(*row);
            }
        }
        self.entries.fill(&entries, &places, rows)?;
        let mut emission = Emission::new();
        let touched: Vec<u32> = work.touched.iter().map(|(partition, _)| *partition).collect();
        let (mut old, mut new) = (work.before.as_slice(), Vec::new());
        for (partition, kept) in &work.touched {
            let (of, rest) = old.split_at(*kept as usize);
            old = rest;
            new.clear();
            self.order.kept(*partition, &mut new);
            differences(of, &new, self.style, &mut emission);
        }
        self.touched.clear();
        if let Style::ByRow { .. } = self.style {
            // A row may have moved from one partition to another.
            emission.sort_by_key(|(kind, ..)| *kind != RowKind::Delete);
        }
        self.emit(&emission, out)?;
        self.drop_entries(work)?;
        self.set_bounds(&touched)?;
        if self.identity.is_some() {
            let seen = self.slots.iter().chain(&touched).copied();
            let mut empty: Vec<u32> =
                seen.filter(|slot| self.entries.of(*slot).next().is_none()).collect();
            empty.sort_unstable();
            empty.dedup();
            self.owners.remove(&empty);
        }
        Ok(())
    }

    fn emit(&self, emission: &Emission, out: &mut Output) -> Result<()> {
        for part in emission.chunks(self.batch_rows) {
            let entries: Vec<u32> = part.iter().map(|(_, entry, _)| *entry).collect();
            let mut columns = self.entries.rows.gather(&entries)?;
            if self.plan.rank_column.is_some() {
                let ranks = part.iter().map(|(_, _, rank)| *rank as i64);
                columns.push(Arc::new(Int64Array::from_iter_values(ranks)));
            }
            let rows = RecordBatch::try_new(self.output.clone(), columns)
                .map_err(|error| Error::internal(format!("ranked rows: {error}")))?;
            let plain = part.iter().all(|(kind, ..)| *kind == RowKind::Insert);
            let kinds = Int8Array::from_iter_values(part.iter().map(|(kind, ..)| *kind as i8));
            out.emit(Changes { kinds: (!plain).then_some(kinds), rows });
        }
        Ok(())
    }

    fn set_bounds(&mut self, partitions: &[u32]) -> Result<()> {
        let Some(bounds) = &mut self.bounds else { return Ok(()) };
        let last: Vec<Option<u32>> = partitions.iter().map(|p| self.order.bound(*p)).collect();
        let entries: Vec<u32> = last.iter().flatten().copied().collect();
        let columns = self.entries.rows.gather(&entries)?;
        let values = bounds.values(|column| columns[column].clone())?;
        let mut values = values.iter();
        for (partition, last) in partitions.iter().zip(last) {
            bounds.set(*partition, last.and_then(|_| values.next().flatten()));
        }
        Ok(())
    }

    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let old = self.owners.sweep(now_ms);
        if old.is_empty() {
            return Ok(());
        }
        self.forget(&old)?;
        self.owners.remove(&old);
        Ok(())
    }
}

/// How a rank's changes are expressed, by what its readers know rows by.
fn style(plan: &Plan, node: &Node) -> Style {
    let before = node.changelog.updates == Updates::BeforeAndAfter;
    let ranked = plan.rank_column.is_some();
    let rank = node.schema.len() - 1;
    let key = node.upsert_key.as_ref();
    let by_partition = key.is_some_and(|key| {
        key.iter().all(|column| plan.keys.contains(column) || (ranked && *column == rank))
    });
    let one = plan.from.max(1) == plan.to;
    let positions = plan.function == RankFunction::RowNumber && (ranked || one);
    let updates = node.changelog.updates != Updates::None;
    if positions && updates && (before || by_partition) {
        Style::ByRank { before }
    } else {
        Style::ByRow { ranked }
    }
}

impl Operator for Rank {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.batch_rows = context.batch_rows;
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
        self.resize();
        for part in restored.chunks(RESTORE_ROWS) {
            let columns = self.entries.rows.gather(part)?;
            let sorts = self.sorts(|column| columns[column].clone(), part.len())?;
            let rows = RecordBatch::try_new(self.entries.rows.schema().clone(), columns);
            let rows = rows.map_err(internal)?;
            let ids = match &mut self.identity {
                Some(identity) => identity.ids(&rows)?,
                None => Vec::new(),
            };
            let mut evicted = Vec::new();
            for (index, entry) in part.iter().enumerate() {
                let sort = sorts.as_ref().map(|sorts| sorts.row(index));
                let sort = sort.as_ref().map_or(&[][..], |sort| sort.as_ref());
                let (owner, number) = (self.entries.owner(*entry), self.entries.number(*entry));
                let sort = SortBytes::new(sort);
                if let Place::At(place) = self.order.place(owner, &sort) {
                    self.order.insert((owner, *entry, number), sort, place, &mut evicted);
                }
                if let Some(identity) = &mut self.identity {
                    identity.add(ids[index], *entry);
                }
            }
        }
        let partitions: Vec<u32> = (0..self.owners.keys().len() as u32)
            .filter(|partition| self.entries.of(*partition).next().is_some())
            .collect();
        self.set_bounds(&partitions)
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.find(&changes.rows, out.now_ms)?;
        let mut work = Work::default();
        if self.identity.is_some() {
            self.update(&changes, &mut work)?;
        } else {
            self.append(&changes.rows, &mut work)?;
        }
        if work.touched.is_empty() && self.identity.is_none() {
            // Nothing came in, but a partition may have been made for rows that are beyond.
            self.sweep(out.now_ms)?;
            return self.weigh();
        }
        self.finish(&changes.rows, work, out)?;
        self.sweep(out.now_ms)?;
        self.weigh()
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
            + self.order.memory_size()
            + self.bounds.as_ref().map_or(0, Bounds::memory_size)
            + self.identity.as_ref().map_or(0, Identity::memory_size)
            + self.touched.memory_size()
    }
}

impl Rank {
    fn weigh(&mut self) -> Result<()> {
        if !self.scales.is_due() {
            return Ok(());
        }
        let (bytes, rows) = (self.state_bytes(), self.entries.live());
        self.scales.weigh(bytes, rows, "rows of a ranking")
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
