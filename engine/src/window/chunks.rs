//! Parts of sessions on local disk, in chunks ordered by their ends. A chunk is read when the first
//! of its parts is complete, and its parts are taken one after the other. Between that, a small
//! index and a filter of the keys' hashes stay in memory, so that a chunk is read for another part of
//! a session only where there almost certainly is one. What a part holds besides its bounds and key is the owner's.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use hashbrown::{HashSet, HashTable};
use tidegate_types::{Error, Result};

use super::layout::RunLayout;
use crate::keys::hash::hash_columns;
use crate::spill::{Block, SpillWriter};

/// Most parts (or rows) of a chunk.
pub(super) const CHUNK_ROWS: usize = if cfg!(test) { 3 } else { 8192 };

/// Tables of the index.
const INDEX_TABLES: usize = 64;

/// What an owner has for each chunk.
pub(super) trait ChunkExtra {
    /// Bytes in memory.
    fn memory_size(&self) -> usize;

    /// Bytes on local disk.
    fn spilled_bytes(&self) -> usize;

    /// Gives up what is on disk as well; true if there was any.
    fn unload(&mut self) -> bool;
}

/// Whether a snapshot holds a chunk.
impl ChunkExtra for bool {
    fn memory_size(&self) -> usize {
        0
    }

    fn spilled_bytes(&self) -> usize {
        0
    }

    fn unload(&mut self) -> bool {
        false
    }
}

/// Parts of sessions on local disk, with something of the owner's for each chunk.
pub(super) struct Chunks<T> {
    /// By number, ascending as they were written.
    chunks: BTreeMap<u32, Chunk<T>>,
    next: u32,
    index: PartIndex,
}

/// Some parts.
pub(super) struct Chunk<T> {
    /// `window_end`, `window_start`, `run`, keys, states, in order of ends.
    block: Block,
    /// What was read of it, once some of it was taken.
    loaded: Option<RecordBatch>,
    /// Parts that were taken.
    taken: usize,
    /// End of the next part, and of the last.
    next_end: i64,
    last_end: i64,
    first_start: i64,
    filter: HashFilter,
    /// The owner's.
    pub(super) extra: T,
}

impl<T: ChunkExtra> Chunks<T> {
    /// No chunks.
    pub(super) fn new() -> Self {
        Self { chunks: BTreeMap::new(), next: 0, index: PartIndex::new() }
    }

    /// Writes parts in order of their ends as a chunk.
    pub(super) fn write(
        &mut self,
        parts: &RecordBatch,
        layout: &RunLayout,
        writer: &mut SpillWriter,
        extra: T,
    ) -> Result<()> {
        let (ends, starts) = (bound(parts, 0), bound(parts, 1));
        let (Some(next_end), Some(last_end)) = (ends.first(), ends.last()) else { return Ok(()) };
        let hashes = hashes(parts, layout)?;
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.index.insert(number, &hashes);
        let chunk = Chunk {
            next_end: *next_end,
            last_end: *last_end,
            first_start: starts.iter().copied().min().unwrap_or(i64::MIN),
            filter: HashFilter::new(&hashes),
            block: writer.write(std::slice::from_ref(parts))?,
            loaded: None,
            taken: 0,
            extra,
        };
        self.chunks.insert(number, chunk);
        Ok(())
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunks.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Chunk<T>> {
        self.chunks.values_mut()
    }

    /// The earliest end of a part.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.chunks.values().map(|chunk| chunk.next_end).min()
    }

    /// Takes parts that are complete at `now`, at most `limit`, from the chunk with the earliest end.
    /// They are given to `take` together with the chunk. Returns how many.
    pub(super) fn take_complete(
        &mut self,
        now: i64,
        limit: usize,
        layout: &RunLayout,
        take: impl FnOnce(RecordBatch, &mut T) -> Result<()>,
    ) -> Result<usize> {
        let earliest = self.chunks.iter_mut().min_by_key(|(_, chunk)| chunk.next_end);
        let Some((number, chunk)) = earliest else { return Ok(0) };
        let number = *number;
        let parts = chunk.parts()?;
        let ends = bound(&parts, 0);
        let complete = ends.partition_point(|end| end.saturating_sub(1) <= now);
        let until = complete.min(chunk.taken.saturating_add(limit));
        let taken = parts.slice(chunk.taken, until.saturating_sub(chunk.taken));
        chunk.taken = until;
        self.index.remove(number, &hashes(&taken, layout)?);
        let count = taken.num_rows();
        take(taken, &mut chunk.extra)?;
        match ends.get(until) {
            Some(end) => {
                chunk.next_end = *end;
                chunk.loaded = Some(parts);
            }
            None => drop(self.chunks.remove(&number)),
        }
        Ok(count)
    }

    /// Parts (`window_end`, `window_start`, `run`, keys …) whose keys have these hashes and that start by
    /// `until`.
    pub(super) fn find(
        &self,
        wanted: &[u64],
        until: i64,
        layout: &RunLayout,
    ) -> Result<Vec<RecordBatch>> {
        let mut found = Vec::new();
        for (number, mut hits) in self.index.find(wanted) {
            let chunk = self.chunks.get(&number).filter(|chunk| chunk.first_start <= until);
            let Some(chunk) = chunk else { continue };
            hits.retain(|hash| chunk.filter.may_contain(*hash));
            if hits.is_empty() {
                continue;
            }
            let parts = chunk.parts()?;
            let parts = parts.slice(chunk.taken, parts.num_rows().saturating_sub(chunk.taken));
            let starts = bound(&parts, 1);
            let hashes = hashes(&parts, layout)?;
            let rows: Vec<u32> = (0..parts.num_rows())
                .filter(|row| starts[*row] <= until && hits.contains(&hashes[*row]))
                .map(|row| row as u32)
                .collect();
            if !rows.is_empty() {
                let rows = take_record_batch(&parts, &UInt32Array::from(rows));
                found.push(rows.map_err(|error| Error::internal(error.to_string()))?);
            }
        }
        Ok(found)
    }

    /// Gives up what is in memory of chunks that are on disk; true if there was any.
    pub(super) fn unload(&mut self) -> bool {
        let mut any = false;
        for chunk in self.chunks.values_mut() {
            any |= chunk.loaded.take().is_some() | chunk.extra.unload();
        }
        any
    }

    /// Parts that were not taken.
    pub(super) fn parts(&self) -> usize {
        self.chunks.values().map(|chunk| chunk.block.rows().saturating_sub(chunk.taken)).sum()
    }

    /// Bytes on disk.
    pub(super) fn spilled_bytes(&self) -> usize {
        let of_chunk = |chunk: &Chunk<T>| chunk.block.bytes() + chunk.extra.spilled_bytes();
        self.chunks.values().map(of_chunk).sum()
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        let of_chunk = |chunk: &Chunk<T>| {
            let loaded = chunk.loaded.as_ref().map_or(0, RecordBatch::get_array_memory_size);
            chunk.filter.words.len() * 8 + loaded + chunk.extra.memory_size()
        };
        self.index.memory_size()
            + self.chunks.len() * size_of::<(u32, Chunk<T>)>()
            + self.chunks.values().map(of_chunk).sum::<usize>()
    }
}

impl<T> Chunk<T> {
    /// The file of the parts, taken ones included.
    pub(super) fn block(&self) -> &Block {
        &self.block
    }

    /// The latest end of a part.
    pub(super) fn last_end(&self) -> i64 {
        self.last_end
    }

    fn parts(&self) -> Result<RecordBatch> {
        match &self.loaded {
            Some(parts) => Ok(parts.clone()),
            None => {
                let parts = self.block.read()?.into_iter().next();
                parts.ok_or_else(|| Error::internal("a chunk of sessions is empty"))
            }
        }
    }
}

fn bound(parts: &RecordBatch, column: usize) -> arrow::buffer::ScalarBuffer<i64> {
    parts.column(column).as_primitive::<Int64Type>().values().clone()
}

fn hashes(parts: &RecordBatch, layout: &RunLayout) -> Result<Vec<u64>> {
    let mut hashes = Vec::new();
    hash_columns(parts, &layout.key_columns().collect::<Vec<_>>(), &mut hashes)?;
    Ok(hashes)
}

/// In which chunk parts with a hash probably are: by 32 bits of the hash, eight bytes for a part. In
/// many small tables, so that none takes long to grow.
struct PartIndex {
    tables: Vec<HashTable<(u32, u32)>>,
}

impl PartIndex {
    fn new() -> Self {
        Self { tables: Vec::new() }
    }

    fn insert(&mut self, chunk: u32, hashes: &[u64]) {
        self.tables.resize_with(INDEX_TABLES, HashTable::new);
        for bits in hashes.iter().map(|hash| index_bits(*hash)) {
            self.tables[bits as usize % INDEX_TABLES].insert_unique(
                spread(bits),
                (bits, chunk),
                |(bits, _)| spread(*bits),
            );
        }
    }

    fn remove(&mut self, chunk: u32, hashes: &[u64]) {
        for bits in hashes.iter().map(|hash| index_bits(*hash)) {
            let Some(table) = self.tables.get_mut(bits as usize % INDEX_TABLES) else { continue };
            if let Ok(entry) = table.find_entry(spread(bits), |entry| *entry == (bits, chunk)) {
                entry.remove();
                if table.len() * 8 < table.capacity() {
                    table.shrink_to_fit(|(bits, _)| spread(*bits));
                }
            }
        }
    }

    /// The chunks with the hashes that they probably hold.
    fn find(&self, hashes: &[u64]) -> BTreeMap<u32, HashSet<u64>> {
        let mut found: BTreeMap<u32, HashSet<u64>> = BTreeMap::new();
        for hash in hashes {
            let bits = index_bits(*hash);
            let Some(table) = self.tables.get(bits as usize % INDEX_TABLES) else { continue };
            for (_, chunk) in table.iter_hash(spread(bits)).filter(|entry| entry.0 == bits) {
                found.entry(*chunk).or_default().insert(*hash);
            }
        }
        found
    }

    fn memory_size(&self) -> usize {
        self.tables.iter().map(HashTable::allocation_size).sum()
    }
}

/// Other bits than those that the filter mostly uses.
fn index_bits(hash: u64) -> u32 {
    (hash >> 24) as u32
}

fn spread(bits: u32) -> u64 {
    let product = u64::from(bits).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 32)
}

/// Which hashes are probably in a set: of 100 others it takes about one for contained. A hash has
/// four bits in one word, so that a look costs one access; there are sixteen bits for each hash.
struct HashFilter {
    words: Box<[u64]>,
}

impl HashFilter {
    fn new(hashes: &[u64]) -> Self {
        let mut words = vec![0; hashes.len().div_ceil(4).max(1)].into_boxed_slice();
        for hash in hashes {
            words[word(*hash, words.len())] |= bits(*hash);
        }
        Self { words }
    }

    fn may_contain(&self, hash: u64) -> bool {
        let bits = bits(hash);
        self.words[word(hash, self.words.len())] & bits == bits
    }
}

fn word(hash: u64, words: usize) -> usize {
    (((hash >> 32) * words as u64) >> 32) as usize
}

fn bits(hash: u64) -> u64 {
    [0, 6, 12, 18].iter().fold(0, |bits, shift| bits | 1 << ((hash >> shift) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_all_its_own_and_few_others() {
        let mut hashes = Vec::new();
        let numbers = arrow::array::Int64Array::from_iter_values(0..40_000);
        let batch = RecordBatch::try_from_iter([("k", std::sync::Arc::new(numbers) as _)]).unwrap();
        hash_columns(&batch, &[0], &mut hashes).unwrap();
        let (own, others) = hashes.split_at(8_192);
        let filter = HashFilter::new(own);
        assert!(own.iter().all(|hash| filter.may_contain(*hash)));
        let wrong = others.iter().filter(|hash| filter.may_contain(**hash)).count();
        assert!(wrong * 50 < others.len(), "{wrong} of {}", others.len());
    }
}
