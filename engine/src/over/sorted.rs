//! OVER in the order of any columns: a row that comes or goes changes the results of rows behind it.
//!
//! All rows are kept. For each batch the results of the keys in it are computed before and after, and the
//! differences are emitted. State table: `rows`, by key and number of arrival.

use std::collections::HashMap;

use arrow::array::{ArrayRef, Int8Array, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{OverAggregate as Plan, OverFrame, OverGroup, OverOrder, SortKey};
use tidegate_plan::{Node, RowKind, Schema, Updates};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use super::frames::{Frames, Item, Sequence};
use super::internal;
use crate::element::Changes;
use crate::keyed::{Owners, RowEntries, Scales, hashes_of};
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Aggregates over rows in an order that later rows may change.
pub(super) struct SortedOver {
    keys: Vec<usize>,
    order: Vec<SortKey>,
    groups: Vec<OverGroup>,
    columns: Schema,
    input: SchemaRef,
    output: SchemaRef,
    before: bool,
    owners: Owners,
    rows: RowEntries,
    sort: RowConverter,
    content: RowConverter,
    context: Option<OperatorContext>,
    scales: Scales,
}

/// The results of some keys.
struct Results {
    /// Output rows, key by key in order.
    rows: RecordBatch,
    /// The entry of each row.
    entries: Vec<u32>,
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
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let fields = order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(data_type(&input.schema[key.column].ty), options)
        });
        let all = input.schema.iter().map(|field| SortField::new(data_type(&field.ty)));
        let converter = |fields| {
            RowConverter::new(fields).map_err(|error| {
                Error::unsupported(format!("OVER cannot order these rows: {error}"))
            })
        };
        let schema = arrow_schema(&input.schema);
        // Made once here, so that what it refuses is refused at the start.
        Frames::new(&plan.groups, &input.schema, false)?;
        Frames::new(&plan.groups, &input.schema, true)?;
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        Ok(Self {
            keys: plan.keys.clone(),
            order: order.clone(),
            groups: plan.groups.clone(),
            columns: input.schema.clone(),
            output: arrow_schema(&node.schema),
            before: node.changelog.updates == Updates::BeforeAndAfter,
            owners: Owners::new(&types, ttl)?,
            rows: RowEntries::new("rows", &types, schema.clone()),
            sort: converter(fields.collect())?,
            content: converter(all.collect())?,
            input: schema,
            context: None,
            scales: Scales::default(),
        })
    }

    /// The results of keys as they are now.
    fn results(&self, slots: &[u32]) -> Result<Results> {
        let mut entries: Vec<u32> = Vec::new();
        let mut lengths = Vec::with_capacity(slots.len());
        for slot in slots {
            let before = entries.len();
            entries.extend(self.rows.of(*slot));
            lengths.push(entries.len() - before);
        }
        let columns = self.rows.rows.gather(&entries)?;
        let order: Vec<ArrayRef> =
            self.order.iter().map(|key| columns[key.column].clone()).collect();
        let sorts = match order.is_empty() {
            true => None,
            false => Some(self.sort.convert_columns(&order).map_err(internal)?),
        };
        let equal = |a: u32, b: u32| {
            sorts.as_ref().is_none_or(|sorts| sorts.row(a as usize) == sorts.row(b as usize))
        };
        let (mut sequences, mut out, mut from) = (Vec::new(), 0_u32, 0_usize);
        let mut places: Vec<u32> = Vec::with_capacity(entries.len());
        for (slot, length) in lengths.iter().enumerate() {
            let mut own: Vec<u32> = (from as u32..(from + length) as u32).collect();
            from += length;
            own.sort_by(|a, b| {
                let number = |place: u32| self.rows.number(entries[place as usize]);
                let by_order = sorts.as_ref().map_or(std::cmp::Ordering::Equal, |sorts| {
                    sorts.row(*a as usize).cmp(&sorts.row(*b as usize))
                });
                by_order.then_with(|| number(*a).cmp(&number(*b)))
            });
            let mut items: Vec<Item> = Vec::with_capacity(own.len());
            for place in own {
                let peer = items.last().is_some_and(|last| equal(last.place, place));
                items.push(Item { place, time: 0, peer, out: Some(out) });
                places.push(place);
                out += 1;
            }
            sequences.push(Sequence { slot: slot as u32, items, starts: Vec::new() });
        }
        let values = RecordBatch::try_new(self.input.clone(), columns).map_err(internal)?;
        let count: usize = self.groups.iter().map(|group| group.aggregates.len()).sum();
        let mut results: Vec<Option<ArrayRef>> = vec![None; count];
        for bounded in [false, true] {
            let mut frames = Frames::new(&self.groups, &self.columns, bounded)?;
            frames.resize(slots.len());
            sequences.iter_mut().for_each(|sequence| sequence.starts = vec![0; frames.len()]);
            frames.evaluate(&values, &mut sequences, places.len(), &mut results)?;
        }
        let order = UInt32Array::from(places.clone());
        let sorted = arrow::compute::take_record_batch(&values, &order).map_err(internal)?;
        let mut columns = sorted.columns().to_vec();
        for result in results {
            columns.push(result.ok_or_else(|| Error::internal("a frame has no result"))?);
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns).map_err(internal)?;
        Ok(Results { rows, entries: places.iter().map(|place| entries[*place as usize]).collect() })
    }

    /// Adds rows, and removes those that are taken back. Entries that are gone stay named until the
    /// differences are out.
    fn apply(&mut self, changes: &Changes, slots: &[u32]) -> Result<()> {
        let contents = self.content.convert_columns(changes.rows.columns()).map_err(internal)?;
        let mut known: HashMap<u32, HashMap<OwnedRow, Vec<u32>>> = HashMap::new();
        let (mut added, mut rows) = (Vec::new(), Vec::new());
        let mut gone = Vec::new();
        for (row, slot) in (0_u32..).zip(slots) {
            if RowKind::adds(changes.kind(row as usize)) {
                let entry = self.rows.add(*slot);
                if let Some(known) = known.get_mut(slot) {
                    let content = contents.row(row as usize).owned();
                    known.entry(content).or_default().insert(0, entry);
                }
                added.push(entry);
                rows.push(row);
                continue;
            }
            if !known.contains_key(slot) {
                // Rows of this batch are not stored before it is through.
                self.rows.fill(
                    &std::mem::take(&mut added),
                    &std::mem::take(&mut rows),
                    &changes.rows,
                )?;
                let own = self.contents(*slot)?;
                known.insert(*slot, own);
            }
            let content = contents.row(row as usize).owned();
            let entry = known.get_mut(slot).and_then(|own| own.get_mut(&content)?.pop());
            let Some(entry) = entry else {
                return Err(Error::new(
                    ErrorCode::Evaluation,
                    "OVER was to take a row back that is not there",
                ));
            };
            gone.push(entry);
        }
        self.rows.fill(&added, &rows, &changes.rows)?;
        self.rows.remove(&gone, &self.owners)
    }

    /// The rows of a key by content, the first to have come last.
    fn contents(&self, slot: u32) -> Result<HashMap<OwnedRow, Vec<u32>>> {
        let mut entries: Vec<u32> = self.rows.of(slot).collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(self.rows.number(*entry)));
        let columns = self.rows.rows.gather(&entries)?;
        let contents = self.content.convert_columns(&columns).map_err(internal)?;
        let mut known: HashMap<OwnedRow, Vec<u32>> = HashMap::new();
        for (row, entry) in contents.iter().zip(&entries) {
            known.entry(row.owned()).or_default().push(*entry);
        }
        Ok(known)
    }

    /// Emits what differs between results before and after.
    fn emit(&self, old: &Results, new: &Results, gone: &[bool], out: &mut Output) -> Result<()> {
        let fields =
            self.output.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(internal)?;
        let olds = converter.convert_columns(old.rows.columns()).map_err(internal)?;
        let news = converter.convert_columns(new.rows.columns()).map_err(internal)?;
        let place_of: HashMap<u32, usize> =
            old.entries.iter().enumerate().map(|(place, entry)| (*entry, place)).collect();
        let kept: HashMap<u32, usize> =
            new.entries.iter().enumerate().map(|(place, entry)| (*entry, place)).collect();
        let (mut kinds, mut places) = (Vec::new(), Vec::new());
        let mut add = |kind: RowKind, from: usize, place: usize| {
            kinds.push(kind as i8);
            places.push((from, place));
        };
        for (place, entry) in old.entries.iter().enumerate() {
            if gone[place] || !kept.contains_key(entry) {
                add(RowKind::Delete, 0, place);
            }
        }
        for (place, entry) in new.entries.iter().enumerate() {
            match place_of.get(entry).filter(|before| !gone[**before]) {
                None => add(RowKind::Insert, 1, place),
                Some(before) if olds.row(*before) != news.row(place) => {
                    if self.before {
                        add(RowKind::UpdateBefore, 0, *before);
                    }
                    add(RowKind::UpdateAfter, 1, place);
                }
                Some(_) => {}
            }
        }
        if kinds.is_empty() {
            return Ok(());
        }
        let columns = old.rows.columns().iter().zip(new.rows.columns());
        let columns = columns.map(|(old, new)| interleave(&[old.as_ref(), new.as_ref()], &places));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(internal)?;
        let rows = RecordBatch::try_new(self.output.clone(), columns).map_err(internal)?;
        let plain = kinds.iter().all(|kind| *kind == RowKind::Insert as i8);
        out.emit(Changes { kinds: (!plain).then(|| Int8Array::from(kinds)), rows });
        Ok(())
    }
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
        self.rows.restored(&mut self.owners);
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let keys: Vec<ArrayRef> =
            self.keys.iter().map(|key| changes.rows.column(*key).clone()).collect();
        let hashes = hashes_of(&keys, changes.len())?;
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        self.owners.upsert(&keys, &hashes, out.now_ms, &mut slots, &mut expired)?;
        for slot in expired {
            let entries: Vec<u32> = self.rows.of(slot).collect();
            self.rows.remove(&entries, &self.owners)?;
        }
        let mut dirty = slots.clone();
        dirty.sort_unstable();
        dirty.dedup();
        let old = self.results(&dirty)?;
        let numbers: Vec<i64> = old.entries.iter().map(|entry| self.rows.number(*entry)).collect();
        self.apply(&changes, &slots)?;
        let new = self.results(&dirty)?;
        // An entry that is gone may have been given to another row already.
        let live: HashMap<u32, i64> =
            new.entries.iter().map(|entry| (*entry, self.rows.number(*entry))).collect();
        let gone: Vec<bool> = old
            .entries
            .iter()
            .zip(&numbers)
            .map(|(entry, number)| live.get(entry) != Some(number))
            .collect();
        self.emit(&old, &new, &gone, out)?;
        dirty.retain(|slot| self.rows.of(*slot).next().is_none());
        self.owners.remove(&dirty);
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
        for slot in &old {
            let entries: Vec<u32> = self.rows.of(*slot).collect();
            self.rows.remove(&entries, &self.owners)?;
        }
        self.owners.remove(&old);
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.rows.memory_size() + self.owners.memory_size()
    }
}
