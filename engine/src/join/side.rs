//! One side of a join: rows, chains of rows by key, and what is known of each row: how many partners it has, when it
//! happened. Forgetting and compaction are in [`super::evict`], snapshots in [`super::snapshot`].

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

use super::links::Links;
use super::rows::{CHUNK_ROWS, NONE, Numbers, RowId, Rows, split};
use crate::keys::hash::hash_columns;
use crate::texts::own;

/// Time buckets that may be open before their width is doubled.
const OPEN_BUCKETS: usize = if cfg!(test) { 4 } else { 32 };
/// Width of a time bucket at first: 2 to the power of this, in ms.
const FIRST_WIDTH: u32 = if cfg!(test) { 2 } else { 10 };
/// Parts of the time that rows are kept in which chunks are opened anew.
const TTL_PARTS: i64 = 16;

/// What a side has to keep.
#[derive(Clone)]
pub(super) struct SideSpec {
    /// Columns that are kept.
    pub(super) schema: SchemaRef,
    /// Columns of the key.
    pub(super) keys: Vec<usize>,
    /// Whether rows are ever taken out.
    pub(super) removable: bool,
    /// Columns by which rows that are taken back are looked for; `None`: none is.
    pub(super) identity: Option<Vec<usize>>,
    /// Whether it is kept how many partners a row has.
    pub(super) counted: bool,
    /// Whether rows are forgotten by themselves.
    pub(super) expiring: bool,
    /// Whether it is kept when a row happened.
    pub(super) timed: bool,
    /// ms of the clock that rows are kept after their last use; 0: for ever.
    pub(super) ttl: i64,
    /// Whether snapshots must name rows that were forgotten by time.
    pub(super) names_forgotten: bool,
}

/// One side of a join.
pub(super) struct Side {
    pub(super) spec: SideSpec,
    pub(super) rows: Rows,
    /// By key.
    pub(super) links: Links,
    /// By identity, if rows are taken back.
    pub(super) identities: Option<Links>,
    pub(super) counts: Vec<u32>,
    pub(super) times: Vec<i64>,
    /// Rows whose counts have changed since the last snapshot, as bits.
    pub(super) changed: Vec<u64>,
    /// Rows of earlier snapshots that are gone since the last one.
    pub(super) gone: Vec<Gone>,
    /// The next number of a row.
    pub(super) next_number: u64,
    pub(super) live: u64,
    /// Rows in chunks that are dead.
    pub(super) dead: u64,
    /// Chunks that take rows, by the time at which they expire.
    pub(super) open: BTreeMap<i64, u32>,
    /// Chunks by that time.
    pub(super) expiring: BTreeMap<i64, Vec<u32>>,
    width: u32,
    scratch: Vec<u64>,
}

/// A row that a snapshot holds and that is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    /// Its number.
    pub(super) number: u64,
    /// Hash of its key.
    pub(super) hash: u64,
    /// When it would have expired.
    pub(super) expires: i64,
}

/// Rows to be kept. Slices have one value per row, or none where a side does not need them.
#[derive(Default, Clone, Copy)]
pub(super) struct New<'a> {
    /// Hashes of the keys.
    pub(super) hashes: &'a [u64],
    /// Rows that are in no chain, as no row is equal to a NULL.
    pub(super) loose: Option<&'a [bool]>,
    /// Numbers of partners.
    pub(super) counts: &'a [u32],
    /// When they can be forgotten.
    pub(super) expiry: &'a [i64],
    /// When they happened.
    pub(super) times: &'a [i64],
    /// Numbers that they had, and have in files.
    pub(super) numbers: &'a [u64],
    /// The clock.
    pub(super) now: i64,
}

impl Side {
    /// No rows.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn new(spec: SideSpec) -> Result<Self> {
        Ok(Self {
            rows: Rows::new(&spec.schema)?,
            links: Links::new(spec.removable),
            identities: spec.identity.as_ref().map(|_| Links::new(true)),
            counts: Vec::new(),
            times: Vec::new(),
            changed: Vec::new(),
            gone: Vec::new(),
            next_number: 0,
            live: 0,
            dead: 0,
            open: BTreeMap::new(),
            expiring: BTreeMap::new(),
            width: FIRST_WIDTH,
            scratch: Vec::new(),
            spec,
        })
    }

    /// The widest that a time bucket is, ms.
    pub(super) fn widest(&self) -> i64 {
        1 << self.width
    }

    /// Keeps rows; their places are in the answer.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub(super) fn add(&mut self, rows: &RecordBatch, new: New<'_>) -> Result<Vec<RowId>> {
        let mut places = vec![NONE; rows.num_rows()];
        if rows.num_rows() == 0 {
            return Ok(places);
        }
        let rows = own(rows)?;
        let buckets = self.buckets(new.expiry);
        if let [(expires, _)] = buckets.as_slice() {
            let all: Vec<u32> = (0..rows.num_rows() as u32).collect();
            self.append(&rows, *expires, &all, new, &mut places)?;
        } else {
            for (expires, members) in &buckets {
                let part = take_record_batch(&rows, &UInt32Array::from(members.clone()));
                let part = part.map_err(|error| Error::internal(error.to_string()))?;
                self.append(&part, *expires, members, new, &mut places)?;
            }
        }
        self.link(&rows, &places, new)?;
        Ok(places)
    }

    /// Rows by the time at which their chunk expires; one bucket has no list.
    fn buckets(&mut self, expiry: &[i64]) -> Vec<(i64, Vec<u32>)> {
        let Some(first) = expiry.first().filter(|_| self.spec.expiring) else {
            return vec![(i64::MAX, Vec::new())];
        };
        let first = self.bucket(*first);
        if expiry.iter().all(|expiry| self.bucket(*expiry) == first) {
            return vec![(first, Vec::new())];
        }
        let mut buckets: Vec<(i64, Vec<u32>)> = Vec::new();
        let mut known: HashMap<i64, usize> = HashMap::new();
        for (row, expiry) in expiry.iter().enumerate() {
            let bucket = self.bucket(*expiry);
            let index = *known.entry(bucket).or_insert_with(|| {
                buckets.push((bucket, Vec::new()));
                buckets.len() - 1
            });
            buckets[index].1.push(row as u32);
        }
        buckets
    }

    /// The last time of a time's bucket.
    fn bucket(&self, time: i64) -> i64 {
        let end = (((i128::from(time) >> self.width) + 1) << self.width) - 1;
        i64::try_from(end).unwrap_or(i64::MAX)
    }

    /// Rows (`members` of the batch that the slices of `new` are about) into chunks of a bucket.
    fn append(
        &mut self,
        rows: &RecordBatch,
        expires: i64,
        members: &[u32],
        new: New<'_>,
        places: &mut [RowId],
    ) -> Result<()> {
        let mut from = 0;
        while from < rows.num_rows() {
            let place = self.open_chunk(expires, new.now)?;
            let Some(chunk) = self.rows.chunk_mut(place) else { continue };
            chunk.touched = chunk.touched.max(new.now);
            let begin = chunk.len();
            let count = (CHUNK_ROWS - begin).min(rows.num_rows() - from);
            let members = &members[from..from + count];
            let numbers: Vec<u64> = match (new.numbers, &chunk.numbers) {
                ([], Numbers::From(first)) => {
                    let first = first + begin as u64;
                    (first..first + count as u64).collect()
                }
                ([], Numbers::Each(_)) => return Err(Error::internal("a chunk of other rows")),
                (numbers, _) => members.iter().map(|row| numbers[*row as usize]).collect(),
            };
            self.rows.append(place, &rows.slice(from, count), &numbers)?;
            let first = place * CHUNK_ROWS as u32 + begin as u32;
            for (row, member) in (first..).zip(members) {
                places[*member as usize] = row;
                if self.spec.counted {
                    self.counts[row as usize] = new.counts[*member as usize];
                    self.changed[row as usize / 64] &= !(1 << (row % 64));
                }
                if self.spec.timed {
                    self.times[row as usize] = new.times[*member as usize];
                }
            }
            if begin + count == CHUNK_ROWS {
                self.open.remove(&expires);
            }
            from += count;
        }
        self.live += rows.num_rows() as u64;
        Ok(())
    }

    /// The chunk that takes rows of a bucket.
    fn open_chunk(&mut self, expires: i64, now: i64) -> Result<u32> {
        if let Some(place) = self.open.get(&expires) {
            let old = self.spec.ttl > 0
                && self
                    .rows
                    .chunk(*place)
                    .is_some_and(|chunk| now - chunk.opened > self.spec.ttl / TTL_PARTS);
            if !old {
                return Ok(*place);
            }
        }
        let place = self.new_chunk(expires, now)?;
        self.open.insert(expires, place);
        if self.open.len() > OPEN_BUCKETS {
            // Those that are open stay as they are, until they are compacted or expire.
            self.open.clear();
            self.open.insert(expires, place);
            self.width = (self.width + 1).min(62);
        }
        Ok(place)
    }

    /// A new chunk, which takes no rows unless it is among the open ones.
    pub(super) fn new_chunk(&mut self, expires: i64, now: i64) -> Result<u32> {
        let place = self.rows.open(self.next_number, expires, now)?;
        self.next_number += CHUNK_ROWS as u64;
        if self.spec.expiring {
            self.expiring.entry(expires).or_default().push(place);
        }
        let rows = self.rows.places() * CHUNK_ROWS;
        if self.spec.counted {
            self.counts.resize(rows, 0);
            self.changed.resize(rows.div_ceil(64), 0);
        }
        if self.spec.timed {
            self.times.resize(rows, 0);
        }
        self.links.reserve(rows, 0);
        if let Some(identities) = &mut self.identities {
            identities.reserve(rows, 0);
        }
        Ok(place)
    }

    fn link(&mut self, rows: &RecordBatch, places: &[RowId], new: New<'_>) -> Result<()> {
        match new.loose {
            None => {
                for (place, hash) in places.iter().zip(new.hashes) {
                    self.links.push(*hash, *place);
                }
            }
            Some(loose) => {
                for ((place, hash), loose) in places.iter().zip(new.hashes).zip(loose) {
                    if *loose { self.links.hold(*place) } else { self.links.push(*hash, *place) }
                }
            }
        }
        if let (Some(identities), Some(columns)) = (&mut self.identities, &self.spec.identity) {
            hash_columns(rows, columns, &mut self.scratch)?;
            for (place, hash) in places.iter().zip(&self.scratch) {
                identities.push(*hash, *place);
            }
        }
        Ok(())
    }

    /// Takes a row out; `hash` is that of its key, `identity` that of its identity.
    pub(super) fn remove(&mut self, row: RowId, hash: u64, identity: u64) {
        self.links.remove(row, || hash);
        if let Some(identities) = &mut self.identities {
            identities.remove(row, || identity);
        }
        self.live -= 1;
        self.dead += 1;
        let (slot, at) = split(row);
        let place = slot as u32;
        let Some(chunk) = self.rows.chunk_mut(place) else { return };
        chunk.live -= 1;
        if at < chunk.saved as usize {
            let (number, expires) = (chunk.numbers.get(at), chunk.expires);
            self.gone.push(Gone { number, hash, expires });
        }
        if chunk.live == 0 && self.open.get(&chunk.expires) != Some(&place) {
            self.close(place);
        }
    }

    /// Forgets a chunk without live rows.
    pub(super) fn close(&mut self, place: u32) {
        let Some(chunk) = self.rows.chunk(place) else { return };
        let expires = chunk.expires;
        self.dead -= chunk.len() as u64;
        if let Some(places) = self.expiring.get_mut(&expires) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                self.expiring.remove(&expires);
            }
        }
        self.open.retain(|_, open| *open != place);
        self.rows.close(place);
    }

    /// Changes the number of a row's partners; returns what it was.
    #[inline]
    pub(super) fn count(&mut self, row: RowId, change: impl FnOnce(u32) -> u32) -> u32 {
        let count = &mut self.counts[row as usize];
        let before = *count;
        *count = change(before);
        self.changed[row as usize / 64] |= 1 << (row % 64);
        before
    }

    /// Rows were used: they are kept longer.
    pub(super) fn touch(&mut self, rows: &[RowId], now: i64) {
        for row in rows.iter().filter(|row| **row != NONE) {
            if let Some(chunk) = self.rows.chunk_mut(split(*row).0 as u32) {
                chunk.touched = chunk.touched.max(now);
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.rows.memory_size()
            + self.links.memory_size()
            + self.identities.as_ref().map_or(0, Links::memory_size)
            + self.counts.capacity() * 4
            + (self.times.capacity() + self.changed.capacity()) * 8
            + self.gone.capacity() * size_of::<Gone>()
    }
}
