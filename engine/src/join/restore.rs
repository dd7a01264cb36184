//! Restoring a side: entries in the order in which they were written, later ones of a row replacing earlier ones.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int8Type, Int64Type};
use hashbrown::HashTable;
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use super::residual::without_partner;
use super::rows::{NONE, RowId, batch, split};
use super::side::{New, Side};
use super::snapshot::{PREFIX, ROW, VERSION, table_schema};
use crate::keys::hash::{hash_columns, hash_i64};

/// Rows that were restored, by hash and number.
#[derive(Default)]
pub(super) struct Restoring {
    known: HashTable<Known>,
    next_number: u64,
}

#[derive(Clone, Copy)]
struct Known {
    id: u64,
    row: RowId,
}

/// What decides which restored rows are taken.
pub(super) struct Taken<'a> {
    /// Key groups of the subtask among those of the file.
    pub(super) groups: KeyGroupRange,
    /// Key groups of the job.
    pub(super) key_groups: u16,
    /// Whether NULL is equal to NULL, by key column.
    pub(super) null_safe: &'a [bool],
}

/// When rows happened and when they can be forgotten; rows that are over are not restored.
pub(super) type Times<'a> = dyn Fn(&RecordBatch) -> Result<(Vec<i64>, Vec<i64>)> + 'a;

/// The side of a state table.
///
/// # Errors
/// `INCOMPATIBLE` if the table is another one.
pub(super) fn side_of(tables: &[&str], table: &str, version: u16) -> Result<usize> {
    let side = tables.iter().position(|name| *name == table).filter(|_| version == VERSION);
    side.ok_or_else(|| {
        incompatible(format!(
            "the checkpoint has state table '{table}' version {version}, this join keeps {} of version {VERSION}",
            tables.join(", ")
        ))
    })
}

fn incompatible(message: String) -> Error {
    Error::new(ErrorCode::Incompatible, message)
}

impl Restoring {
    /// Takes entries of a side.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the columns are others.
    pub(super) fn take(
        &mut self,
        side: &mut Side,
        entries: &RecordBatch,
        taken: &Taken<'_>,
        (now, times): (i64, &Times<'_>),
    ) -> Result<()> {
        check(side, entries)?;
        let changes = entries.column(1).as_primitive::<Int8Type>().values();
        let numbers = entries.column(0).as_primitive::<Int64Type>().values();
        let last = numbers.iter().map(|number| *number as u64).max().unwrap_or_default();
        self.next_number = self.next_number.max(last + 1);
        let mut from = 0;
        for run in changes.chunk_by(|a, b| a == b) {
            let entries = entries.slice(from, run.len());
            from += run.len();
            if run[0] == ROW {
                self.rows(side, &entries, taken, (now, times))?;
            } else {
                self.changes(side, &entries, taken)?;
            }
        }
        Ok(())
    }

    fn rows(
        &mut self,
        side: &mut Side,
        entries: &RecordBatch,
        taken: &Taken<'_>,
        (now, times): (i64, &Times<'_>),
    ) -> Result<()> {
        let schema = side.rows.schema().clone();
        let of = |entries: &RecordBatch| {
            batch(&schema, entries.columns()[PREFIX..].to_vec(), entries.num_rows())
        };
        let rows = of(entries)?;
        let mut hashes = Vec::new();
        hash_columns(&rows, &side.spec.keys, &mut hashes)?;
        let (_, expiry) = times(&rows)?;
        let partners = entries.column(3).as_primitive::<Int64Type>();
        let mut mine = vec![false; hashes.len()];
        for (at, (number, hash)) in numbers_of(entries).zip(&hashes).enumerate() {
            let over = expiry.get(at).is_some_and(|expiry| *expiry <= now);
            if over || !taken.groups.contains(key_group(*hash, taken.key_groups)) {
                continue;
            }
            // A row that was written again is the same; only the number of its partners may be another.
            let row = self.find(side, *hash, number);
            mine[at] = row == NONE;
            if row != NONE && side.spec.counted {
                side.count(row, |_| count_of(partners.value(at)));
            }
        }
        let entries = filter_record_batch(entries, &BooleanArray::from(mine))
            .map_err(|error| Error::internal(error.to_string()))?;
        let rows = of(&entries)?;
        hash_columns(&rows, &side.spec.keys, &mut hashes)?;
        let numbers: Vec<u64> = numbers_of(&entries).collect();
        let (times, expiry) = times(&rows)?;
        let loose = without_partner(rows.columns(), &side.spec.keys, taken.null_safe);
        let partners = entries.column(3).as_primitive::<Int64Type>().values();
        let used = entries.column(4).as_primitive::<Int64Type>();
        let counts: Vec<u32> = partners.iter().map(|count| count_of(*count)).collect();
        let new = New {
            hashes: &hashes,
            loose: loose.as_deref(),
            counts: &counts,
            expiry: &expiry,
            times: &times,
            numbers: &numbers,
            now: used.iter().flatten().max().unwrap_or_default(),
        };
        let places = side.add(&rows, new)?;
        for ((row, hash), number) in places.into_iter().zip(&hashes).zip(&numbers) {
            let id = hash_i64(*number as i64, *hash);
            self.known.insert_unique(id, Known { id, row }, |known| known.id);
        }
        Ok(())
    }

    fn changes(&mut self, side: &mut Side, entries: &RecordBatch, taken: &Taken<'_>) -> Result<()> {
        let hashes = entries.column(2).as_primitive::<Int64Type>().values();
        let partners = entries.column(3).as_primitive::<Int64Type>();
        let mut gone = Vec::new();
        for (at, (number, hash)) in numbers_of(entries).zip(hashes).enumerate() {
            let hash = *hash as u64;
            if !taken.groups.contains(key_group(hash, taken.key_groups)) {
                continue;
            }
            let row = self.find(side, hash, number);
            if row == NONE {
                continue;
            }
            if partners.is_valid(at) && side.spec.counted {
                side.count(row, |_| count_of(partners.value(at)));
            } else {
                gone.push(row);
            }
        }
        self.remove(side, &gone)
    }

    /// The place of a row; of rows of equal ids the one of that number is meant.
    fn find(&self, side: &Side, hash: u64, number: u64) -> RowId {
        let id = hash_i64(number as i64, hash);
        let is = |known: &Known| {
            let (place, at) = split(known.row);
            known.id == id
                && side.rows.chunk(place as u32).is_some_and(|c| c.numbers.get(at) == number)
        };
        self.known.find(id, is).map_or(NONE, |known| known.row)
    }

    fn remove(&mut self, side: &mut Side, rows: &[RowId]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let content = side.rows.gather_rows(rows)?;
        let (mut hashes, mut identities) = (Vec::new(), vec![0; rows.len()]);
        hash_columns(&content, &side.spec.keys, &mut hashes)?;
        if let Some(columns) = side.spec.identity.clone() {
            hash_columns(&content, &columns, &mut identities)?;
        }
        for ((row, hash), identity) in rows.iter().zip(&hashes).zip(&identities) {
            let (place, at) = split(*row);
            let number = side.rows.chunk(place as u32).map(|chunk| chunk.numbers.get(at));
            let id = hash_i64(number.unwrap_or_default() as i64, *hash);
            if let Ok(entry) = self.known.find_entry(id, |known| known.row == *row) {
                entry.remove();
            }
            side.remove(*row, *hash, *identity);
        }
        Ok(())
    }

    /// Every entry has been given.
    ///
    /// # Errors
    /// As [`Side::compact`].
    pub(super) fn finish(self, side: &mut Side) -> Result<()> {
        side.open.clear();
        side.saved();
        side.next_number = side.next_number.max(self.next_number);
        side.compact()?;
        #[cfg(test)]
        side.check();
        Ok(())
    }
}

fn count_of(partners: i64) -> u32 {
    u32::try_from(partners).unwrap_or(u32::MAX)
}

fn numbers_of(entries: &RecordBatch) -> impl Iterator<Item = u64> + '_ {
    let numbers = entries.column(0).as_primitive::<Int64Type>().values();
    numbers.iter().map(|number| *number as u64)
}

fn check(side: &Side, entries: &RecordBatch) -> Result<()> {
    let types = |schema: &arrow::datatypes::SchemaRef| -> Vec<DataType> {
        schema.fields().iter().map(|field| field.data_type().clone()).collect()
    };
    let (have, want) = (types(&entries.schema()), types(&table_schema(side.rows.schema())));
    if have != want {
        return Err(incompatible(format!(
            "the state of a join has columns {have:?} in the checkpoint, the job needs {want:?}"
        )));
    }
    Ok(())
}
