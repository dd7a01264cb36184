//! OVER in the order of any columns: a row that comes or goes changes the results of rows behind it.
//!
//! All rows are kept. For each batch the results of the rows from the first change on are computed before and
//! after, and the differences are emitted; where rows only come behind all others, as in an order that follows
//! time, accumulators go on from where they stand. State table: `rows`, by key and number of arrival.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{OverAggregate as Plan, OverFrame, OverGroup, OverOrder, SortKey};
use tidegate_plan::{Node, RowKind, Schema, Updates};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use super::differences::{Comparison, Results};
use super::frames::{Frames, Item, Sequence};
use super::internal;
use super::ordered::{Extent, Ordered, Reach, Region};
use crate::element::Changes;
use crate::keyed::{Identity, Owners, RowEntries, Scales, SortBytes, hashes_of};
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Rows that a restore sorts in at once.
const RESTORE_ROWS: usize = 64 << 10;

/// Aggregates over rows in an order that later rows may change.
pub(super) struct SortedOver {
    keys: Vec<usize>,
    order: Vec<SortKey>,
    groups: Vec<OverGroup>,
    columns: Schema,
    /// Columns that aggregates read, and the input's columns of which only those have values.
    read: Vec<usize>,
    values: SchemaRef,
    output: SchemaRef,
    before: bool,
    /// Whether rows that are equal in order have the same results.
    by_range: bool,
    reach: Reach,
    /// Rows in front that counted frames need, and the one that tells what is equal in order.
    back: usize,
    owners: Owners,
    rows: RowEntries,
    ordered: Ordered,
    /// Where rows are taken back: which they are.
    identity: Option<Identity>,
    /// Accumulators of unbounded frames by key; where `stands`, behind the key's last row.
    ends: Frames,
    stands: Vec<bool>,
    sort: RowConverter,
    results: RowConverter,
    context: Option<OperatorContext>,
    scales: Scales,
}

impl SortedOver {
    pub(super) fn new(plan: &Plan, node: &Node, inputs: &[&Node]) -> Result<Self> {
        let [input] = inputs else { return Err(Error::internal("OVER has one input")) };
        let OverOrder::Columns { keys: order } = &plan.order else {
            return Err(Error::internal("OVER without an order"));
        };
        let ranged = |group: &OverGroup| matches!(group.frame, OverFrame::Range { .. });
        if plan.groups.iter().any(ranged) {
            return Err(Error::unsupported(
                "a frame of RANGE with a length needs an order by time",
            )
            .help("order by a rowtime column, or use ROWS"));
        }
        let types: Vec<_> = input.schema.iter().map(|field| data_type(&field.ty)).collect();
        let keys: Vec<_> = plan.keys.iter().map(|key| types[*key].clone()).collect();
        let fields = order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(types[key.column].clone(), options)
        });
        let output = arrow_schema(&node.schema);
        let results = output.fields()[types.len()..].iter();
        let results: Vec<_> =
            results.map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = |fields| {
            RowConverter::new(fields).map_err(|error| {
                Error::unsupported(format!("OVER cannot order these rows: {error}"))
            })
        };
        let calls = plan.groups.iter().flat_map(|group| &group.aggregates);
        let mut read: Vec<usize> =
            calls.flat_map(|call| [call.argument, call.filter]).flatten().collect();
        read.sort_unstable();
        read.dedup();
        let schema = arrow_schema(&input.schema);
        let ends = Frames::new(&plan.groups, &input.schema, false)?;
        let back = Frames::new(&plan.groups, &input.schema, true)?.rows_back().max(1);
        let identity = match input.changelog.is_append() {
            true => None,
            false => Some(Identity::new((0..types.len()).collect(), &types)?),
        };
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        Ok(Self {
            keys: plan.keys.clone(),
            order: order.clone(),
            groups: plan.groups.clone(),
            columns: input.schema.clone(),
            values: values_schema(&schema, &read),
            read,
            output,
            before: node.changelog.updates == Updates::BeforeAndAfter,
            by_range: plan.groups.iter().any(|group| group.frame == OverFrame::RangeUnbounded),
            reach: Reach {
                back: ends.is_empty().then_some(back),
                on: ends.is_empty().then_some(back),
            },
            back,
            owners: Owners::new(&keys, ttl)?,
            rows: RowEntries::new("rows", &keys, schema),
            ordered: Ordered::default(),
            identity,
            ends,
            stands: Vec::new(),
            sort: converter(fields.collect())?,
            results: converter(results)?,
            context: None,
            scales: Scales::default(),
        })
    }

    /// The sort keys of rows; `None` without an order.
    fn sorts(&self, columns: &[ArrayRef]) -> Result<Option<Rows>> {
        if self.order.is_empty() {
            return Ok(None);
        }
        let order: Vec<ArrayRef> =
            self.order.iter().map(|key| columns[key.column].clone()).collect();
        self.sort.convert_columns(&order).map(Some).map_err(internal)
    }

    /// Makes room for the keys there are.
    fn resize(&mut self) {
        let slots = self.owners.keys().len();
        self.ends.resize(slots);
        self.stands.resize(slots.max(self.stands.len()), false);
    }

    /// What a batch changes of each of its keys, by slot.
    fn extents(
        &self,
        changes: &Changes,
        slots: &[u32],
        sorts: Option<&Rows>,
    ) -> Vec<(u32, Extent)> {
        let mut extents: BTreeMap<u32, Extent> = BTreeMap::new();
        for (row, slot) in slots.iter().enumerate() {
            // A row that is added stands behind those that are equal in order.
            let after = !self.by_range && RowKind::adds(changes.kind(row));
            let number = if after { self.rows.next_number() } else { i64::MIN };
            let extent = Extent::new(sort_of(sorts, row), number);
            match extents.get_mut(slot) {
                Some(known) => known.add(extent),
                None => drop(extents.insert(*slot, extent)),
            }
        }
        extents.into_iter().collect()
    }

    /// The results of the rows of regions as they are now. `ends`: accumulators of unbounded frames that are
    /// to go behind the last rows, by slot, and whether they stand in front of the rows of each region.
    fn results(&self, regions: &[Region], ends: Option<(&mut Frames, &[bool])>) -> Result<Results> {
        let indexes: Vec<u32> = (0..regions.len() as u32).collect();
        let none = vec![false; regions.len()];
        let count: usize = self.groups.iter().map(|group| group.aggregates.len()).sum();
        let mut results: Vec<Option<ArrayRef>> = vec![None; count];
        let entries: Vec<u32> = regions
            .iter()
            .flat_map(|region| region.before.iter().chain(&region.rows))
            .copied()
            .collect();
        let mut values = self
            .values
            .fields()
            .iter()
            .map(|_| -> ArrayRef { Arc::new(NullArray::new(entries.len())) })
            .collect::<Vec<_>>();
        let read = self.rows.rows.gather_columns(&entries, &self.read)?;
        self.read.iter().zip(read).for_each(|(column, read)| values[*column] = read);
        let values = RecordBatch::try_new(self.values.clone(), values).map_err(internal)?;
        let mut bounded = Frames::new(&self.groups, &self.columns, true)?;
        bounded.resize(regions.len());
        self.evaluate(&mut bounded, (regions, &indexes, &none), &values, &mut results)?;
        match ends {
            Some((ends, stand)) => {
                let slots: Vec<u32> = regions.iter().map(|region| region.slot).collect();
                for (slot, stands) in slots.iter().zip(stand) {
                    if !stands {
                        ends.reset(*slot);
                    }
                }
                self.evaluate(ends, (regions, &slots, stand), &values, &mut results)?;
            }
            None => {
                let mut ends = Frames::new(&self.groups, &self.columns, false)?;
                ends.resize(regions.len());
                self.evaluate(&mut ends, (regions, &indexes, &none), &values, &mut results)?;
            }
        }
        let own: Vec<u32> = regions.iter().flat_map(|region| &region.rows).copied().collect();
        let mut columns = self.rows.rows.gather(&own)?;
        for result in results {
            columns.push(result.ok_or_else(|| Error::internal("a frame has no result"))?);
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns).map_err(internal)?;
        let number = |entry: &u32| (self.rows.owner(*entry), self.rows.number(*entry));
        Ok(Results { rows, ids: own.iter().map(number).collect() })
    }

    /// Computes frames over regions, each with the slot of its accumulators and whether they hold the rows
    /// in front of it.
    fn evaluate(
        &self,
        frames: &mut Frames,
        (regions, slots, stand): (&[Region], &[u32], &[bool]),
        values: &RecordBatch,
        results: &mut [Option<ArrayRef>],
    ) -> Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let (mut place, mut out) = (0_u32, 0_u32);
        let (mut ready, mut fresh, mut coming) = (Vec::new(), Vec::new(), Vec::new());
        for ((region, slot), stands) in regions.iter().zip(slots).zip(stand) {
            let mut before = None;
            let mut item = |entry: u32, out: Option<u32>| {
                let peer =
                    before.replace(entry).is_some_and(|last| self.ordered.equal(last, entry));
                place += 1;
                Item { place: place - 1, time: 0, peer, out }
            };
            let items = region.before.iter().map(|entry| item(*entry, None)).collect();
            let sequence = Sequence { slot: *slot, items, starts: vec![0; frames.len()] };
            let rows = region.rows.iter().map(|entry| {
                out += 1;
                item(*entry, Some(out - 1))
            });
            coming.push((*stands, rows.collect::<Vec<Item>>()));
            if *stands { &mut ready } else { &mut fresh }.push(sequence);
        }
        frames.prime(values, &mut fresh)?;
        let (mut ready, mut fresh) = (ready.into_iter(), fresh.into_iter());
        let mut sequences = Vec::with_capacity(regions.len());
        for (stands, rows) in coming {
            let next = if stands { ready.next() } else { fresh.next() };
            let mut sequence = next.ok_or_else(|| Error::internal("a region without rows"))?;
            sequence.items.extend(rows);
            sequences.push(sequence);
        }
        frames.evaluate(values, &mut sequences, out as usize, results)
    }

    /// Adds rows, and removes those that are taken back.
    fn apply(&mut self, changes: &Changes, slots: &[u32], sorts: Option<&Rows>) -> Result<()> {
        let ids = match &mut self.identity {
            Some(identity) => Some(identity.ids(&changes.rows)?),
            None => None,
        };
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        for (row, slot) in (0_u32..).zip(slots) {
            let id = ids.as_ref().map(|ids| ids[row as usize]);
            if RowKind::adds(changes.kind(row as usize)) {
                let entry = self.rows.add(*slot);
                let place = (entry, self.rows.number(entry));
                self.ordered.insert(*slot, place, sort_of(sorts, row as usize));
                if let (Some(identity), Some(id)) = (&mut self.identity, id) {
                    identity.add(id, entry);
                }
                made.push((entry, row));
                continue;
            }
            let found = match (&self.identity, id) {
                (Some(identity), Some(id)) => identity.first(id, |entry| self.rows.number(entry)),
                _ => None,
            };
            let Some(entry) = found else {
                return Err(Error::new(
                    ErrorCode::Evaluation,
                    "OVER was to take a row back that is not there",
                ));
            };
            self.take_out(*slot, entry);
            gone.push(entry);
        }
        let mut sorted = gone.clone();
        sorted.sort_unstable();
        made.retain(|(entry, _)| sorted.binary_search(entry).is_err());
        let (entries, rows): (Vec<u32>, Vec<u32>) = made.into_iter().unzip();
        self.rows.fill(&entries, &rows, &changes.rows)?;
        self.rows.remove(&gone, &self.owners)?;
        if let (Some(identity), Some(ids)) = (&mut self.identity, ids) {
            identity.sweep(ids);
        }
        Ok(())
    }

    fn take_out(&mut self, slot: u32, entry: u32) -> Option<u32> {
        self.ordered.remove(slot, (entry, self.rows.number(entry)));
        self.identity.as_mut().map(|identity| identity.remove(entry))
    }

    /// Removes all rows of keys, silently.
    fn forget(&mut self, slots: &[u32]) -> Result<()> {
        for slot in slots {
            let entries: Vec<u32> = self.rows.of(*slot).collect();
            let ids = entries.iter().filter_map(|entry| self.take_out(*slot, *entry)).collect();
            self.rows.remove(&entries, &self.owners)?;
            if let Some(identity) = &mut self.identity {
                identity.sweep(ids);
            }
        }
        self.clear(slots);
        Ok(())
    }

    /// Empties the accumulators of keys without rows.
    fn clear(&mut self, slots: &[u32]) {
        for slot in slots {
            self.ends.reset(*slot);
            self.stands[*slot as usize] = false;
        }
    }

    /// Regions of extents, as far as frames reach; where accumulators stand behind the last row and all
    /// changes come behind them, only what counted frames need of the rows in front.
    fn regions(&self, extents: &[(u32, Extent)], stand: &[bool]) -> Vec<Region> {
        let regions = extents.iter().zip(stand).map(|((slot, extent), stands)| {
            let back = if *stands { Some(self.back) } else { self.reach.back };
            self.ordered.region(*slot, extent, Reach { back, ..self.reach })
        });
        regions.collect()
    }
}

/// The input's columns, of which only some have values.
fn values_schema(input: &SchemaRef, read: &[usize]) -> SchemaRef {
    let fields =
        input.fields().iter().enumerate().map(|(index, field)| match read.contains(&index) {
            true => field.clone(),
            false => Arc::new(Field::new(field.name(), DataType::Null, true)),
        });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

fn sort_of(sorts: Option<&Rows>, row: usize) -> SortBytes {
    sorts.map_or_else(SortBytes::default, |sorts| SortBytes::new(sorts.row(row).as_ref()))
}

impl Operator for SortedOver {
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
        self.rows.restore((version, entries), groups, context, &mut self.owners)
    }

    fn restored(&mut self) -> Result<()> {
        let entries = self.rows.restored(&mut self.owners);
        self.resize();
        for part in entries.chunks(RESTORE_ROWS) {
            let columns = self.rows.rows.gather(part)?;
            let sorts = self.sorts(&columns)?;
            for (row, entry) in part.iter().enumerate() {
                let place = (*entry, self.rows.number(*entry));
                self.ordered.insert(self.rows.owner(*entry), place, sort_of(sorts.as_ref(), row));
            }
            if let Some(identity) = &mut self.identity {
                let rows = RecordBatch::try_new(self.rows.rows.schema().clone(), columns);
                let ids = identity.ids(&rows.map_err(internal)?)?;
                ids.iter().zip(part).for_each(|(id, entry)| identity.add(*id, *entry));
            }
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let keys: Vec<ArrayRef> =
            self.keys.iter().map(|key| changes.rows.column(*key).clone()).collect();
        let hashes = hashes_of(&keys, changes.len())?;
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        self.owners.upsert(&keys, &hashes, out.now_ms, &mut slots, &mut expired)?;
        self.resize();
        self.forget(&expired)?;
        let sorts = self.sorts(changes.rows.columns())?;
        let extents = self.extents(&changes, &slots, sorts.as_ref());
        // Behind all rows of a key, its accumulators go on.
        let behind = |(slot, extent): &(u32, Extent)| {
            self.stands[*slot as usize] && self.ordered.is_behind(*slot, extent)
        };
        let stand: Vec<bool> = extents.iter().map(behind).collect();
        let mut regions = self.regions(&extents, &stand);
        regions.retain(|region| !region.rows.is_empty());
        let old = self.results(&regions, None)?;
        self.apply(&changes, &slots, sorts.as_ref())?;
        let regions = self.regions(&extents, &stand);
        let mut ends = std::mem::replace(&mut self.ends, Frames::empty());
        let new = self.results(&regions, Some((&mut ends, &stand)));
        self.ends = ends;
        let new = new?;
        extents.iter().for_each(|(slot, _)| self.stands[*slot as usize] = true);
        let compared =
            Comparison { results: &self.results, inputs: self.columns.len(), before: self.before };
        if let Some(changes) = compared.changes(&old, &new)? {
            out.emit(changes);
        }
        let dirty = extents.iter().map(|(slot, _)| *slot);
        let empty: Vec<u32> = dirty.filter(|slot| self.rows.of(*slot).next().is_none()).collect();
        self.clear(&empty);
        self.owners.remove(&empty);
        if self.scales.is_due() {
            let (bytes, rows) = (self.state_bytes(), self.rows.live());
            self.scales.weigh(bytes, rows, "rows for OVER")?;
        }
        Ok(())
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(vec![self.rows.snapshot(request)?])
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.rows.copy(entries, &self.owners)
    }

    fn abandon_copy(&mut self) {
        self.rows.abandon_copy();
    }

    fn next_timer(&self) -> Option<i64> {
        self.owners.next_sweep()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        let old = self.owners.sweep(out.now_ms);
        self.forget(&old)?;
        self.owners.remove(&old);
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.rows.memory_size()
            + self.owners.memory_size()
            + self.ordered.memory_size()
            + self.identity.as_ref().map_or(0, Identity::memory_size)
            + self.ends.memory_size()
    }
}
