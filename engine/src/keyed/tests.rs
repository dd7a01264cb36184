//! A tally by key over random additions and removals, with snapshots of all kinds and restores in other
//! key groups, against a map; and forgetting by time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidegate_plan::ChangelogMode;
use tidegate_types::{KeyGroupRange, Result};

use super::{Keyed, SlotValues};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};
use crate::testing::{Random, Replay, Row, Subject, rows_of};

#[derive(Default)]
struct Sums(Vec<i64>);

impl SlotValues for Sums {
    fn types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn resize(&mut self, slots: usize) {
        self.0.resize(slots, 0);
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let values = slots.iter().map(|slot| self.0[*slot as usize]);
        Ok(vec![Arc::new(Int64Array::from_iter_values(values))])
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let values = columns[0].as_primitive::<Int64Type>().values();
        slots.iter().zip(values).for_each(|(slot, value)| self.0[*slot as usize] = *value);
        Ok(())
    }

    fn clear(&mut self, slot: u32) {
        self.0[slot as usize] = 0;
    }
}

/// Sums by key; a key whose sum is 0 is gone. Emits nothing until it is asked for its table.
struct Tally {
    keys: Vec<usize>,
    keyed: Keyed,
    sums: Sums,
    schema: SchemaRef,
}

impl Tally {
    fn new(schema: &SchemaRef, ttl_ms: u64) -> Self {
        let keys: Vec<usize> = (0..schema.fields().len() - 1).collect();
        let types: Vec<_> = keys.iter().map(|key| schema.field(*key).data_type().clone()).collect();
        let keyed = Keyed::new("sums", &types, &Sums::default().types(), ttl_ms).unwrap();
        Self { keys, keyed, sums: Sums::default(), schema: schema.clone() }
    }

    fn sweep(&mut self, now: i64) {
        let expired = self.keyed.sweep(now);
        self.keyed.capture(&expired, &self.sums).unwrap();
        expired.iter().for_each(|slot| self.sums.clear(*slot));
        self.keyed.remove(&expired).unwrap();
    }
}

impl Operator for Tally {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.keyed.open(context);
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        assert_eq!(table, self.keyed.name());
        self.keyed.restore(version, entries, groups, &mut self.sums)
    }

    fn restored(&mut self) -> Result<()> {
        self.keyed.restored()
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let (mut hashes, mut slots, mut expired) = (Vec::new(), Vec::new(), Vec::new());
        hash_columns(&changes.rows, &self.keys, &mut hashes)?;
        let columns = changes.rows.columns();
        let (values, keys) = columns.split_last().unwrap();
        self.keyed.upsert(keys, &hashes, out.now_ms, &mut slots, &mut expired, &self.sums)?;
        self.sums.resize(self.keyed.keys().len());
        expired.iter().for_each(|slot| self.sums.clear(*slot));
        for (slot, value) in slots.iter().zip(values.as_primitive::<Int64Type>().values()) {
            self.sums.0[*slot as usize] += value;
        }
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| self.sums.0[*slot as usize] == 0);
        self.keyed.remove(&slots)
    }

    fn watermark(&mut self, _watermark: i64, out: &mut Output) -> Result<()> {
        let slots: Vec<u32> = (0..self.keyed.keys().len() as u32)
            .filter(|slot| self.sums.0[*slot as usize] != 0)
            .collect();
        let mut columns = self.keyed.keys().columns(&slots)?;
        columns.extend(self.sums.columns(&slots)?);
        out.emit(Changes::append(RecordBatch::try_new(self.schema.clone(), columns).unwrap()));
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.keyed.next_sweep()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.sweep(out.now_ms);
        Ok(())
    }

    fn before_barrier(&mut self, out: &mut Output) -> Result<()> {
        self.sweep(out.now_ms);
        Ok(())
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(vec![self.keyed.snapshot(request)?])
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.keyed.copy(entries, &self.sums)
    }

    fn state_bytes(&self) -> usize {
        self.keyed.keys().live()
    }
}

fn schema(native: bool) -> SchemaRef {
    let mut fields = vec![Field::new("k", DataType::Int64, true)];
    if !native {
        fields.push(Field::new("t", DataType::Utf8View, true));
    }
    fields.push(Field::new("v", DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

fn batch(schema: &SchemaRef, rows: &[(Option<i64>, i64)]) -> Changes {
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>())];
    if schema.fields().len() > 2 {
        let texts = rows.iter().map(|row| row.0.map(|key| format!("a key with the number {key}")));
        columns.push(Arc::new(texts.collect::<StringViewArray>()));
    }
    columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))));
    Changes::append(RecordBatch::try_new(schema.clone(), columns).unwrap())
}

fn table(subject: &mut Subject<'_>) -> Vec<Row> {
    subject.replay = Replay::new(ChangelogMode::APPEND, None);
    subject.watermark(0);
    subject.replay.table()
}

#[test]
fn random_tallies_survive_snapshots_of_all_kinds_and_rescaling() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let schema = schema(seed % 2 == 0);
        let none = Replay::new(ChangelogMode::APPEND, None);
        let keys = (0..schema.fields().len() - 1).collect();
        let make = || Box::new(Tally::new(&schema, 0)) as Box<dyn Operator>;
        let mut subject = Subject::new(make, vec![Some(keys)], &["sums"], none);
        let mut model: BTreeMap<Option<i64>, i64> = BTreeMap::new();
        for _ in 0..120 {
            let rows: Vec<_> = (0..1 + random.below(12))
                .map(|_| {
                    let key = random.value(20, 30);
                    let held = model.get(&key).copied().unwrap_or_default();
                    let value = if held != 0 && random.below(2) == 0 { -held } else { 1 };
                    *model.entry(key).or_default() += value;
                    (key, value)
                })
                .collect();
            subject.feed(0, &batch(&schema, &rows));
            subject.disturb(&mut random);
        }
        model.retain(|_, sum| *sum != 0);
        let expected: Vec<_> = model.into_iter().collect();
        let mut replay = Replay::new(ChangelogMode::APPEND, None);
        replay.apply(&batch(&schema, &expected));
        assert_eq!(table(&mut subject), replay.table(), "seed {seed}");
    }
}

#[test]
fn keys_are_forgotten_after_their_time_also_across_a_restore() {
    let schema = schema(true);
    let none = Replay::new(ChangelogMode::APPEND, None);
    let make = || Box::new(Tally::new(&schema, 10_000)) as Box<dyn Operator>;
    let mut subject = Subject::new(make, vec![Some(vec![0])], &["sums"], none);
    let mut random = Random(1);
    let rows: Vec<_> = (0..100).map(|key| (Some(key), 1)).collect();
    subject.feed(0, &batch(&schema, &rows));
    subject.checkpoint(&mut random);
    subject.advance(8_000);
    subject.feed(0, &batch(&schema, &rows[..10]));
    subject.checkpoint(&mut random);
    subject.restart(&[KeyGroupRange::all(crate::testing::GROUPS)]);
    subject.advance(1_999);
    assert_eq!(table(&mut subject).len(), 100);
    // An old key that comes back starts anew, whether it was swept or not.
    subject.advance(1_000);
    subject.feed(0, &batch(&schema, &[(Some(99), 1)]));
    let expected = || ["0".to_owned(), "2".to_owned()].map(Some).to_vec();
    assert!(table(&mut subject).contains(&expected()));
    for _ in 0..20 {
        subject.advance(100);
        subject.flush();
    }
    let rows = table(&mut subject);
    assert_eq!((rows.len(), subject.state_bytes()), (11, 11));
    assert!(rows.contains(&["99".to_owned(), "1".to_owned()].map(Some).to_vec()));
    subject.checkpoint(&mut random);
    subject.restart(&[KeyGroupRange::all(crate::testing::GROUPS)]);
    assert_eq!(table(&mut subject), rows);
    assert_eq!(rows_of(&batch(&schema, &[(None, 1)]).rows), [vec![None, Some("1".to_owned())]]);
}
