//! Snapshots of a side: state table `left` or `right`, of joins of several inputs `input0` and so on, with one entry per row, per changed number of partners, and per row
//! that is gone. Columns: `number`, `change` (0 a row, 1 a number of partners, 2 gone), `hash` of the key (of changes 1
//! and 2), `partners`, `used` (the clock when the row was last used), then the columns of the row.
//!
//! A row is known by its number and the hash of its key: numbers are a subtask's own, but no two subtasks have rows of
//! one hash. At the barrier rows are only marked: chunks are immutable once their rows are written, so that marking them
//! is a reference, and what is copied is their numbers of partners. A row is written once, and again as the lap goes
//! round the table in the order of numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidegate_plan::operator::MAX_MULTI_JOIN_INPUTS;
use tidegate_types::{Error, Result};

use super::rows::{Chunk, RowId, batch};
use super::side::Side;
use super::spilled::Content;
use crate::checkpoint::table_files::piece_entries;
use crate::operator::{
    Copied, Entries, Lap, Piece, PieceRange, SnapshotMode, SnapshotRequest, TableSnapshot,
};

/// Names of the state tables of two sides.
pub(super) const TABLES: [&str; 2] = ["left", "right"];
/// Of several.
pub(super) const MULTI_TABLES: [&str; MAX_MULTI_JOIN_INPUTS] = [
    "input0", "input1", "input2", "input3", "input4", "input5", "input6", "input7", "input8",
    "input9", "input10", "input11", "input12", "input13", "input14", "input15",
];
/// Version of their layout.
pub(super) const VERSION: u16 = 1;
/// Columns before those of the row.
pub(super) const PREFIX: usize = 5;
/// Values of `change`.
pub(super) const ROW: i8 = 0;
pub(super) const PARTNERS: i8 = 1;
pub(super) const GONE: i8 = 2;

/// Columns of the state table of rows of a schema.
pub(super) fn table_schema(rows: &SchemaRef) -> SchemaRef {
    let prefix = [
        Field::new("number", DataType::Int64, false),
        Field::new("change", DataType::Int8, false),
        Field::new("hash", DataType::Int64, true),
        Field::new("partners", DataType::Int64, true),
        Field::new("used", DataType::Int64, true),
    ];
    let rows = rows.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(prefix.into_iter().chain(rows).collect::<Vec<_>>()))
}

/// What is left to be copied of a snapshot, and where the laps stand.
#[derive(Default)]
pub(super) struct Snapshots {
    jobs: VecDeque<Job>,
    laps: Vec<Lap>,
}

/// Entries of one file.
struct Job {
    table: &'static str,
    schema: SchemaRef,
    /// `None`: changed ones.
    range: Option<PieceRange>,
    parts: VecDeque<Part>,
    done: Entries,
}

/// Rows of a chunk as they were at the barrier.
struct Part {
    content: Option<Content>,
    /// Ascending.
    rows: Vec<u32>,
    numbers: Vec<i64>,
    partners: Option<Vec<i64>>,
    used: i64,
    expires: Option<i64>,
}

impl Snapshots {
    /// Takes a snapshot of the sides, by the names of their tables; rows are copied later.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn take(
        &mut self,
        names: &[&'static str],
        sides: &mut [Side],
        event: bool,
        request: &SnapshotRequest,
    ) -> Result<Vec<TableSnapshot>> {
        self.jobs.clear();
        self.laps.resize(sides.len(), Lap::default());
        let mut tables = Vec::new();
        for (index, (side, table)) in sides.iter_mut().zip(names.iter().copied()).enumerate() {
            let event = event && side.spec.expiring;
            let schema = table_schema(side.rows.schema());
            let (mode, changed) = match request.mode(table) {
                SnapshotMode::Full => {
                    // A new round: no file may begin behind the lap and end before it, or what is gone of
                    // it would be forgotten first.
                    let round = self.laps[index].round + 1;
                    self.laps[index] = Lap { round, ..Lap::default() };
                    self.everything(table, &schema, side, event);
                    (SnapshotMode::Full, Entries::default())
                }
                SnapshotMode::Incremental { refresh, .. } => {
                    let changed = side.changes(&schema, event)?;
                    self.push(table, &schema, None, side.new_rows(event));
                    if refresh > 0 {
                        self.refresh((index, table), &schema, side, event, refresh);
                    }
                    (SnapshotMode::Incremental { recall: 0, refresh }, changed)
                }
            };
            side.saved();
            tables.push(TableSnapshot {
                table,
                version: VERSION,
                mode,
                changed,
                pieces: Vec::new(),
                lap: Some(self.laps[index]),
                live: side.live,
            });
        }
        Ok(tables)
    }

    fn push(
        &mut self,
        table: &'static str,
        schema: &SchemaRef,
        range: Option<PieceRange>,
        parts: Vec<Part>,
    ) {
        if !parts.is_empty() {
            let (schema, parts) = (schema.clone(), parts.into());
            self.jobs.push_back(Job { table, schema, range, parts, done: Entries::default() });
        }
    }

    /// All rows, in pieces by their numbers.
    fn everything(&mut self, table: &'static str, schema: &SchemaRef, side: &Side, event: bool) {
        let most = piece_entries(side.live);
        let (mut parts, mut rows, mut bounds) = (Vec::new(), 0, (u64::MAX, 0));
        let chunks = side.chunks_by_number();
        for (index, (first, last, place)) in chunks.iter().enumerate() {
            let part = side.part(*place, side.live_of(*place), event);
            rows += part.rows.len();
            bounds = (bounds.0.min(*first), bounds.1.max(*last));
            if !part.rows.is_empty() {
                parts.push(part);
            }
            if rows >= most || index + 1 == chunks.len() {
                let (from, until) = (number_place(bounds.0), number_place(bounds.1 + 1));
                let range = PieceRange::Places { from, until };
                self.push(table, schema, Some(range), std::mem::take(&mut parts));
                (rows, bounds) = (0, (u64::MAX, 0));
            }
        }
    }

    /// About so many rows again, from where the lap stands.
    fn refresh(
        &mut self,
        (index, table): (usize, &'static str),
        schema: &SchemaRef,
        side: &Side,
        event: bool,
        entries: usize,
    ) {
        let lap = self.laps[index];
        let from = if lap.place == Lap::default().place { 0 } else { lap.place.2 };
        let chunks = side.chunks_by_number();
        let (mut rows, mut until) = (0, None);
        for (first, last, place) in &chunks {
            if rows >= entries && *first > from {
                until = Some(*first);
                break;
            }
            if *last >= from {
                rows += side.rows.chunk(*place).map_or(0, |chunk| chunk.live as usize);
            }
        }
        let end = until.unwrap_or(u64::MAX);
        let mut parts = Vec::new();
        for (_, _, place) in chunks.iter().filter(|(first, last, _)| *last >= from && *first < end)
        {
            let Some(chunk) = side.rows.chunk(*place) else { continue };
            let first = Side::first_of(*place);
            let inside = |row: &RowId| {
                let at = (row - first) as usize;
                at < chunk.saved as usize && (from..end).contains(&chunk.numbers.get(at))
            };
            let rows = side.live_of(*place).into_iter().filter(inside).collect();
            let part = side.part(*place, rows, event);
            if !part.rows.is_empty() {
                parts.push(part);
            }
        }
        let (from, last) = (number_place(from), (i64::MAX, i64::MAX, u64::MAX));
        self.laps[index] = match until {
            Some(until) => Lap { round: lap.round, place: number_place(until) },
            None => Lap { round: lap.round + 1, ..Lap::default() },
        };
        let until = until.map_or(last, number_place);
        self.push(table, schema, Some(PieceRange::Places { from, until }), parts);
    }

    /// Copies some of the marked rows.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn copy(&mut self, entries: usize) -> Result<Copied> {
        let Some(job) = self.jobs.front_mut() else { return Ok(Copied::Done) };
        let mut copied = 0;
        while copied < entries
            && let Some(part) = job.parts.pop_front()
        {
            copied += part.rows.len();
            job.done.expires = job.done.expires.max(part.expires);
            part.copy(&job.schema, &mut job.done.batches)?;
        }
        if !job.parts.is_empty() {
            return Ok(Copied::Some);
        }
        Ok(match self.jobs.pop_front() {
            None => Copied::Done,
            Some(Job { table, range: Some(range), done: entries, .. }) => {
                Copied::Piece(table, Piece { entries, range })
            }
            Some(Job { table, done, .. }) => Copied::Changed(table, done),
        })
    }

    /// What is left is not wanted any more.
    pub(super) fn abandon(&mut self) {
        self.jobs.clear();
    }
}

/// The place of a number in the lap's order.
fn number_place(number: u64) -> (i64, i64, u64) {
    (0, 0, number)
}

impl Part {
    fn copy(self, schema: &SchemaRef, into: &mut Vec<RecordBatch>) -> Result<()> {
        let (mut start, mut from) = (0u32, 0);
        let pieces = self.content.as_ref().map_or(Ok(Vec::new()), Content::read)?;
        for piece in &pieces {
            let end = start + piece.num_rows() as u32;
            let until = from + self.rows[from..].partition_point(|row| *row < end);
            let count = until - from;
            if count > 0 {
                let rows: Vec<u32> = self.rows[from..until].iter().map(|row| row - start).collect();
                let dense = rows.last().is_some_and(|last| (last - rows[0]) as usize + 1 == count);
                let kept = if dense {
                    piece.slice(rows[0] as usize, count)
                } else {
                    take_record_batch(piece, &UInt32Array::from(rows))
                        .map_err(|error| Error::internal(error.to_string()))?
                };
                let partners: ArrayRef = match &self.partners {
                    Some(partners) => Arc::new(Int64Array::from(partners[from..until].to_vec())),
                    None => new_null_array(&DataType::Int64, count),
                };
                let mut columns: Vec<ArrayRef> = vec![
                    Arc::new(Int64Array::from(self.numbers[from..until].to_vec())),
                    Arc::new(Int8Array::from_value(ROW, count)),
                    new_null_array(&DataType::Int64, count),
                    partners,
                    Arc::new(Int64Array::from_value(self.used, count)),
                ];
                columns.extend(kept.columns().iter().cloned());
                into.push(batch(schema, columns, count)?);
            }
            (start, from) = (end, until);
        }
        Ok(())
    }
}

impl Side {
    /// Chunks with their first and last numbers, by the first.
    fn chunks_by_number(&self) -> Vec<(u64, u64, u32)> {
        let chunks = self.rows.iter().filter(|(_, chunk)| chunk.len() > 0);
        let mut chunks: Vec<(u64, u64, u32)> = chunks
            .map(|(place, chunk)| {
                let numbers = (0..chunk.len()).map(|row| chunk.numbers.get(row));
                let ends = match &chunk.numbers {
                    super::rows::Numbers::From(first) => (*first, first + chunk.len() as u64 - 1),
                    super::rows::Numbers::Each(_) => numbers.fold((u64::MAX, 0), |ends, number| {
                        (ends.0.min(number), ends.1.max(number))
                    }),
                };
                (ends.0, ends.1, place)
            })
            .collect();
        chunks.sort_unstable();
        chunks
    }

    /// Live rows of a chunk as they are now.
    fn part(&self, place: u32, rows: Vec<RowId>, event: bool) -> Part {
        let first = Self::first_of(place);
        let partners = self
            .spec
            .counted
            .then(|| rows.iter().map(|r| self.counts[*r as usize].into()).collect());
        let chunk = self.rows.chunk(place);
        let number =
            |row: &RowId| chunk.map_or(0, |chunk| chunk.numbers.get((row - first) as usize) as i64);
        Part {
            numbers: rows.iter().map(number).collect(),
            partners,
            content: chunk.map(Chunk::content),
            rows: rows.iter().map(|row| row - first).collect(),
            used: chunk.map_or(0, |chunk| chunk.touched),
            expires: chunk.filter(|_| event).map(|chunk| chunk.expires),
        }
    }

    /// Live rows that no snapshot holds.
    fn new_rows(&self, event: bool) -> Vec<Part> {
        let unsaved = self.rows.iter().filter(|(_, chunk)| (chunk.saved as usize) < chunk.len());
        let mut parts = Vec::new();
        for (place, chunk) in unsaved {
            let first = Self::first_of(place);
            let rows = (first + chunk.saved..first + chunk.len() as u32)
                .filter(|row| self.links.is_live(*row))
                .collect();
            let part = self.part(place, rows, event);
            if !part.rows.is_empty() {
                parts.push(part);
            }
        }
        parts
    }

    /// Changed numbers of partners of rows that a snapshot holds, and what is gone of them.
    fn changes(&self, schema: &SchemaRef, event: bool) -> Result<Entries> {
        let mut entries = Entries { expires: event.then_some(i64::MIN), ..Entries::default() };
        let (mut numbers, mut hashes, mut partners) = (vec![], vec![], vec![]);
        if self.spec.counted {
            for (place, chunk) in self.rows.iter() {
                let first = Self::first_of(place);
                let is_changed =
                    |row: &RowId| self.changed[*row as usize / 64] >> (row % 64) & 1 == 1;
                let rows = (first..first + chunk.saved).filter(is_changed);
                let rows: Vec<RowId> = rows.filter(|row| self.links.is_live(*row)).collect();
                if rows.is_empty() {
                    continue;
                }
                let of_chunk = self.hashes_of(place, &self.spec.keys)?;
                for row in rows {
                    let at = (row - first) as usize;
                    numbers.push(chunk.numbers.get(at) as i64);
                    hashes.push(of_chunk[at] as i64);
                    partners.push(Some(i64::from(self.counts[row as usize])));
                }
                if event {
                    entries.expires = entries.expires.max(Some(chunk.expires));
                }
            }
        }
        let counted = numbers.len();
        for gone in &self.gone {
            numbers.push(gone.number as i64);
            hashes.push(gone.hash as i64);
            partners.push(None);
            if event {
                entries.expires = entries.expires.max(Some(gone.expires));
            }
        }
        let rows = numbers.len();
        if rows == 0 {
            return Ok(Entries::default());
        }
        let kinds = (0..rows).map(|row| if row < counted { PARTNERS } else { GONE });
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(numbers)),
            Arc::new(Int8Array::from_iter_values(kinds)),
            Arc::new(Int64Array::from(hashes)),
            Arc::new(Int64Array::from(partners)),
        ];
        let rest = schema.fields().iter().skip(columns.len());
        columns.extend(rest.map(|field| new_null_array(field.data_type(), rows)));
        entries.batches.push(batch(schema, columns, rows)?);
        Ok(entries)
    }

    /// A snapshot holds everything there is.
    pub(super) fn saved(&mut self) {
        self.gone = Vec::new();
        self.changed.fill(0);
        for place in 0..self.rows.places() as u32 {
            if let Some(chunk) = self.rows.chunk_mut(place) {
                chunk.saved = chunk.len() as u32;
            }
        }
    }
}
