//! Frames that rows leave again, with the rows that they still need.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::Int64Type;
use tidegate_types::{Error, Result};

use super::frames::{Frames, Item, Sequence};
use super::internal;
use crate::keyed::{Owners, RowEntries};

/// Slots that a restore fills at once.
const RESTORE_SLOTS: usize = 4096;

/// Bounded frames with the rows that they still need.
pub(super) struct Bounded {
    pub(super) frames: Frames,
    /// Farthest row back that LAG looks at is kept by its frame; rows by slot in order.
    pub(super) histories: Vec<History>,
    pub(super) keys: Owners,
    pub(super) rows: RowEntries,
    /// Times at which keys were last seen, to forget them where frames end by time.
    pub(super) seen: BTreeMap<(i64, u32), ()>,
}

#[derive(Default)]
pub(super) struct History {
    /// Entry and time of each row, oldest first.
    pub(super) rows: Vec<(u32, i64)>,
    starts: Vec<usize>,
}

impl Bounded {
    pub(super) fn compute(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        rows: &RecordBatch,
        times: &[i64],
        now_ms: i64,
        results: &mut [Option<ArrayRef>],
    ) -> Result<()> {
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        self.keys.upsert(keys, hashes, now_ms, &mut slots, &mut expired)?;
        let table = self.keys.keys().len();
        self.frames.resize(table);
        self.histories.resize_with(table.max(self.histories.len()), History::default);
        let added: Vec<u32> = self.keys.keys().added().to_vec();
        for slot in added {
            self.frames.reset(slot);
            let starts = vec![0; self.frames.len()];
            self.histories[slot as usize] = History { rows: Vec::new(), starts };
        }
        let (mut sequences, new) = self.sequences(&slots, times, rows.num_rows());
        let values = self.values(rows, &sequences)?;
        self.frames.evaluate(&values, &mut sequences, times.len(), results)?;
        self.keep(sequences, &new, rows, times)
    }

    /// The rows of each key behind those before; and how many are before. Values of new rows come first,
    /// those of older ones behind them.
    fn sequences(&self, slots: &[u32], times: &[i64], rows: usize) -> (Vec<Sequence>, Vec<usize>) {
        let mut places: hashbrown::HashMap<u32, usize> = hashbrown::HashMap::new();
        let (mut sequences, mut before): (Vec<Sequence>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut next = rows as u32;
        for (row, (slot, time)) in (0_u32..).zip(slots.iter().zip(times)) {
            let place = *places.entry(*slot).or_insert_with(|| {
                let history = &self.histories[*slot as usize];
                let items = history.rows.iter().map(|(_, time)| {
                    next += 1;
                    Item { place: next - 1, time: *time, peer: false, out: None }
                });
                let items: Vec<Item> = items.collect();
                before.push(items.len());
                sequences.push(Sequence { slot: *slot, items, starts: history.starts.clone() });
                sequences.len() - 1
            });
            let items = &mut sequences[place].items;
            let peer = items.last().is_some_and(|last| last.time == *time);
            items.push(Item { place: row, time: *time, peer, out: Some(row) });
        }
        (sequences, before)
    }

    /// The values that items name.
    fn values(&self, rows: &RecordBatch, sequences: &[Sequence]) -> Result<RecordBatch> {
        let histories = sequences.iter().map(|sequence| &self.histories[sequence.slot as usize]);
        let entries: Vec<u32> =
            histories.flat_map(|history| history.rows.iter().map(|(entry, _)| *entry)).collect();
        if entries.is_empty() {
            return Ok(rows.clone());
        }
        let older = self.rows.rows.gather(&entries)?;
        let columns = rows.columns().iter().zip(&older);
        let columns = columns.map(|(new, old)| concat(&[new.as_ref(), old.as_ref()]));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(internal)?;
        RecordBatch::try_new(rows.schema(), columns).map_err(internal)
    }

    /// Keeps the rows that frames will still need.
    fn keep(
        &mut self,
        sequences: Vec<Sequence>,
        before: &[usize],
        rows: &RecordBatch,
        times: &[i64],
    ) -> Result<()> {
        let (mut entries, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let by_time = self.frames.longest().is_some();
        for (sequence, before) in sequences.into_iter().zip(before) {
            let history = &mut self.histories[sequence.slot as usize];
            let first = sequence.starts.iter().copied().min().unwrap_or(0);
            let forgotten = first.min(*before);
            if by_time && let Some((_, time)) = history.rows.last() {
                self.seen.remove(&(*time, sequence.slot));
            }
            gone.extend(history.rows.drain(..forgotten).map(|(entry, _)| entry));
            history.starts = sequence.starts.iter().map(|start| start - first).collect();
            for item in sequence.items.iter().skip(first.max(*before)) {
                let entry = self.rows.add(sequence.slot);
                entries.push(entry);
                kept.push(item.place);
                history.rows.push((entry, item.time));
            }
            if by_time && let Some((_, time)) = history.rows.last() {
                self.seen.insert((*time, sequence.slot), ());
            }
        }
        self.rows.remove(&gone, &self.keys)?;
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(times.to_vec())));
        let stored = RecordBatch::try_new(self.rows.rows.schema().clone(), columns);
        self.rows.fill(&entries, &kept, &stored.map_err(internal)?)
    }

    /// Forgets keys whose last row no frame will reach any more.
    pub(super) fn forget(&mut self, now: i64) -> Result<()> {
        let Some(longest) = self.frames.longest() else { return Ok(()) };
        while let Some(((time, slot), ())) = self.seen.first_key_value()
            && time.saturating_add(longest) < now
        {
            let slot = *slot;
            self.seen.pop_first();
            let history = std::mem::take(&mut self.histories[slot as usize]);
            let entries: Vec<u32> = history.rows.iter().map(|(entry, _)| *entry).collect();
            self.rows.remove(&entries, &self.keys)?;
            self.keys.remove(&[slot]);
        }
        Ok(())
    }

    /// Rebuilds frames from restored rows.
    pub(super) fn restored(&mut self) -> Result<()> {
        let entries = self.rows.restored(&mut self.keys);
        let table = self.keys.keys().len();
        self.frames.resize(table);
        self.histories.resize_with(table, History::default);
        let frames = self.frames.len();
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let mut sequences: Vec<Sequence> = Vec::new();
            let mut end = 0;
            for entry in rest {
                let slot = self.rows.owner(*entry);
                if sequences.last().is_none_or(|last| last.slot != slot) {
                    if sequences.len() == RESTORE_SLOTS {
                        break;
                    }
                    sequences.push(Sequence { slot, items: Vec::new(), starts: vec![0; frames] });
                }
                end += 1;
            }
            let (part, others) = rest.split_at(end);
            rest = others;
            let columns = self.rows.rows.gather(part)?;
            let times = columns.last().map(|column| column.as_primitive::<Int64Type>().clone());
            let times = times.ok_or_else(|| Error::internal("a history without times"))?;
            let mut sequence = 0;
            for (place, entry) in (0_u32..).zip(part) {
                let slot = self.rows.owner(*entry);
                if sequences[sequence].slot != slot {
                    sequence += 1;
                }
                let time = times.value(place as usize);
                sequences[sequence].items.push(Item { place, time, peer: false, out: None });
                self.histories[slot as usize].rows.push((*entry, time));
            }
            let values = RecordBatch::try_new(self.rows.rows.schema().clone(), columns);
            self.frames.prime(&values.map_err(internal)?, &mut sequences)?;
            let by_time = self.frames.longest().is_some();
            for sequence in sequences {
                if by_time && let Some(last) = sequence.items.last() {
                    self.seen.insert((last.time, sequence.slot), ());
                }
                self.histories[sequence.slot as usize].starts = sequence.starts;
            }
        }
        Ok(())
    }
}
