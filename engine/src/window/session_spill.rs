//! Open sessions beyond the memory budget. All of them are written to local disk, in portions between
//! batches, and the table begins anew; what comes for the same sessions makes new parts. A part on
//! disk is read when its end is complete and joins what it touches in memory. A session that is
//! complete in memory but is touched by a part on disk which is not, waits for that part's end.

use arrow::array::RecordBatch;
use hashbrown::HashMap;
use tidegate_types::{Result, Watermark};

use super::chunks::{CHUNK_ROWS, ChunkExtra, Chunks};
use super::layout::RunLayout;
use super::restoring::Restoring;
use super::session_table::bounds;
use super::sessions::Sessions;
use crate::memory::MemoryShare;
use crate::operator::OperatorContext;
use crate::spill::{SpillFolder, SpillWriter};

/// Chunks that are written after one batch of rows.
const CHUNKS_AT_ONCE: usize = if cfg!(test) { 2 } else { 4 };
/// Complete sessions that are looked up on disk together, so that chunks are read for many of them, and
/// parts that are taken in one go.
const SESSIONS_AT_ONCE: usize = 16 * CHUNK_ROWS;
/// Bytes below which spilling is not worth it.
const SPILL_MIN: usize = if cfg!(test) { 1 } else { 256 << 10 };
/// The state is weighed once it may have grown by this part.
const WEIGH_PART: usize = 16;

/// Sessions in memory, with what belongs to each.
pub(super) trait SessionState: Sized {
    /// What a chunk has beside the parts' bounds and keys.
    type Extra: ChunkExtra;

    /// The same without any session.
    fn empty(&self) -> Result<Self>;

    /// How the parts look on disk.
    fn layout(&self) -> &RunLayout;

    /// The sessions.
    fn sessions(&self) -> &Sessions;

    /// The sessions.
    fn sessions_mut(&mut self) -> &mut Sessions;

    /// Grows a session by `[start, end]` and takes in every other one that it then touches.
    fn merge_into(&mut self, target: u32, start: i64, end: i64) -> Result<()>;

    /// How many of these sessions fit a chunk: at least one.
    fn fit(&self, ids: &[u32]) -> usize;

    /// Writes sessions, in order of ends, as parts of a run.
    fn write(
        &self,
        ids: &[u32],
        run: i64,
        chunks: &mut Chunks<Self::Extra>,
        writer: &mut SpillWriter,
    ) -> Result<()>;

    /// Adds the next parts of a chunk: they join the sessions that they touch.
    fn add(&mut self, parts: &RecordBatch, extra: &mut Self::Extra) -> Result<()>;

    /// Bytes held.
    fn memory_size(&self) -> usize;
}

/// Sessions in memory and on local disk.
pub(super) struct Spilling<S: SessionState> {
    /// Those in memory.
    pub(super) table: S,
    /// Number of the run that they belong to.
    pub(super) run: i64,
    pub(super) chunks: Chunks<S::Extra>,
    leaving: Option<Leaving<S>>,
    /// Complete sessions that no part on disk touches, to be given out next.
    ready: Vec<u32>,
    /// Restored entries that no session was made of yet.
    pub(super) restoring: Restoring,
    share: Option<MemoryShare>,
    pub(super) folder: Option<SpillFolder>,
    /// Rows since the state was last weighed.
    unweighed: usize,
}

/// A table on its way to local disk.
struct Leaving<S> {
    table: S,
    run: i64,
    /// In order of ends; those before `next` are written.
    ids: Vec<u32>,
    next: usize,
    writer: SpillWriter,
}

/// Bounds of parts on local disk, by key.
#[derive(Default)]
pub(super) struct PartsOnDisk(HashMap<u32, Vec<(i64, i64)>>);

impl PartsOnDisk {
    /// The bounds `(start, end)` of a part that touches `[start, end]`.
    pub(super) fn touching(&self, key: u32, start: i64, end: i64) -> Option<(i64, i64)> {
        let parts = self.0.get(&key)?;
        parts.iter().copied().find(|part| part.0 <= end && part.1 >= start)
    }
}

impl<S: SessionState> Spilling<S> {
    /// Everything in memory.
    pub(super) fn new(table: S) -> Self {
        Self {
            table,
            run: 0,
            chunks: Chunks::new(),
            leaving: None,
            ready: Vec::new(),
            restoring: Restoring::default(),
            share: None,
            folder: None,
            unweighed: 0,
        }
    }

    /// Takes part in the job's memory budget.
    pub(super) fn open(&mut self, context: &OperatorContext) {
        self.share = Some(context.memory.share());
        self.folder = Some(context.spill.clone());
    }

    /// Sessions and parts of sessions.
    pub(super) fn len(&self) -> usize {
        self.table.sessions().len() + self.chunks.parts()
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        let leaving = self.leaving.as_ref().map_or(0, |leaving| {
            leaving.table.memory_size() + leaving.ids.capacity() * size_of::<u32>()
        });
        self.table.memory_size()
            + leaving
            + self.chunks.memory_size()
            + self.restoring.memory_size()
    }

    /// Bytes on local disk.
    pub(super) fn spilled_bytes(&self) -> usize {
        self.chunks.spilled_bytes()
    }

    /// Moves state to local disk if the job's state takes more memory than it may, once enough rows
    /// came that it may have grown.
    pub(super) fn relieve(&mut self, rows: usize) -> Result<()> {
        if self.leaving.is_some() {
            return self.write_chunks(CHUNKS_AT_ONCE);
        }
        self.unweighed = self.unweighed.saturating_add(rows);
        if self.unweighed.saturating_mul(WEIGH_PART) < self.table.sessions().len() {
            return Ok(());
        }
        self.unweighed = 0;
        if !self.is_over_budget() || (self.chunks.unload() && !self.is_over_budget()) {
            return Ok(());
        }
        if self.table.memory_size() >= SPILL_MIN && self.table.sessions().len() > 0 {
            self.begin()?;
            self.write_chunks(CHUNKS_AT_ONCE)?;
        }
        Ok(())
    }

    /// Reports what is held; true if something should be moved to local disk.
    fn is_over_budget(&mut self) -> bool {
        let bytes = self.memory_size();
        self.share.as_mut().is_some_and(|share| share.report(bytes))
    }

    fn begin(&mut self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let writer = folder.create()?;
        let mut table = self.table.empty()?;
        table.sessions_mut().succeed(self.table.sessions());
        let table = std::mem::replace(&mut self.table, table);
        let ids = table.sessions().by_end();
        self.leaving = Some(Leaving { table, run: self.run, ids, next: 0, writer });
        self.run += 1;
        Ok(())
    }

    fn write_chunks(&mut self, count: usize) -> Result<()> {
        let Some(mut leaving) = self.leaving.take() else { return Ok(()) };
        for _ in 0..count {
            let rest = &leaving.ids[leaving.next..];
            if rest.is_empty() {
                drop(leaving);
                self.is_over_budget();
                return Ok(());
            }
            let ids = &rest[..leaving.table.fit(rest).clamp(1, rest.len())];
            leaving.table.write(ids, leaving.run, &mut self.chunks, &mut leaving.writer)?;
            leaving.next += ids.len();
        }
        self.leaving = Some(leaving);
        Ok(())
    }

    /// Writes the rest of a table that is on its way to local disk.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.write_chunks(usize::MAX)
    }

    /// Adds restored entries, with keys in these columns.
    pub(super) fn push_restored(&mut self, entries: RecordBatch, keys: &[usize]) -> Result<()> {
        self.restoring.push(entries);
        if self.is_over_budget()
            && let Some(folder) = &self.folder
        {
            self.restoring.spill(keys, folder)?;
            self.is_over_budget();
        }
        Ok(())
    }

    /// When the next session may be complete.
    pub(super) fn next_completion(&self) -> Option<i64> {
        let leaving = self.leaving.as_ref().and_then(|leaving| {
            let id = leaving.ids.get(leaving.next)?;
            Some(leaving.table.sessions().get(*id).end)
        });
        let spilled = leaving.into_iter().chain(self.chunks.next_end());
        let spilled = spilled.map(|end| end.saturating_sub(1)).min();
        spilled.into_iter().chain(self.table.sessions().next_completion()).min()
    }

    /// Sessions that are complete at `now`, a few at a time, in about the order of their ends; may be
    /// empty although there are more. `None`: there are none.
    pub(super) fn take_complete(&mut self, now: i64, limit: usize) -> Result<Option<Vec<u32>>> {
        if !self.ready.is_empty() {
            return Ok(Some(self.give_out(limit)));
        }
        if self.next_completion().is_none_or(|next| next > now) {
            return Ok(None);
        }
        self.finish()?;
        let Some(on_disk) = self.chunks.next_end() else {
            let complete = self.table.sessions_mut().take_complete(now, limit);
            return Ok(Some(complete).filter(|complete| !complete.is_empty()));
        };
        // A session joins the parts that end when it does before it is complete itself.
        let before = now.min(on_disk.saturating_sub(2));
        let complete = self.table.sessions_mut().take_complete(before, SESSIONS_AT_ONCE);
        if !complete.is_empty() {
            self.ready = self.without_parts(complete)?;
            return Ok(Some(self.give_out(limit)));
        }
        if on_disk.saturating_sub(1) > now {
            return Ok(None);
        }
        let layout = self.table.layout().clone();
        let (table, mut left) = (&mut self.table, SESSIONS_AT_ONCE);
        while left > 0 && self.chunks.next_end().is_some_and(|end| end.saturating_sub(1) <= now) {
            let add = |parts: RecordBatch, extra: &mut S::Extra| table.add(&parts, extra);
            let taken = self.chunks.take_complete(now, left, &layout, add)?;
            left = left.saturating_sub(taken.max(1));
        }
        Ok(Some(Vec::new()))
    }

    /// The next of the sessions that are ready.
    fn give_out(&mut self, limit: usize) -> Vec<u32> {
        let rest = self.ready.split_off(self.ready.len().min(limit));
        std::mem::replace(&mut self.ready, rest)
    }

    /// The sessions that no part on disk touches; the others wait for the end of that part.
    fn without_parts(&mut self, complete: Vec<u32>) -> Result<Vec<u32>> {
        let sessions = self.table.sessions();
        let keys: Vec<u32> = complete.iter().map(|id| sessions.get(*id).key).collect();
        let until = complete.iter().map(|id| sessions.get(*id).end).max();
        let parts = self.find_parts(&keys, until.unwrap_or(i64::MIN))?;
        if parts.0.is_empty() {
            return Ok(complete);
        }
        let (mut over, mut waiting) = (Vec::new(), Vec::new());
        for id in complete {
            let session = *self.table.sessions().get(id);
            match parts.touching(session.key, session.start, session.end) {
                Some(part) => waiting.push((id, part)),
                None => over.push(id),
            }
        }
        for (id, (start, end)) in waiting {
            if !self.table.sessions().get(id).live {
                // Another one that the same part touches has taken it in.
                continue;
            }
            self.table.merge_into(id, start, end)?;
            self.table.sessions_mut().wait(id);
        }
        Ok(over)
    }

    /// Parts on disk that late rows may touch, where `late` is the watermark: they decide whether there is
    /// an open session for such a row. Rows are given by the slots of their keys, and `ends` of the
    /// sessions that they would make.
    pub(super) fn parts_for_late(
        &mut self,
        keys: &[u32],
        ends: impl Iterator<Item = i64>,
        late: Watermark,
    ) -> Result<PartsOnDisk> {
        if self.chunks.is_empty() && self.leaving.is_none() {
            return Ok(PartsOnDisk::default());
        }
        let rows = keys.iter().zip(ends).filter(|(_, end)| end.saturating_sub(1) <= late);
        let (keys, ends): (Vec<u32>, Vec<i64>) = rows.unzip();
        let Some(until) = ends.into_iter().max() else { return Ok(PartsOnDisk::default()) };
        self.finish()?;
        self.find_parts(&keys, until)
    }

    /// Parts on disk of keys in memory that start by `until`.
    fn find_parts(&mut self, keys: &[u32], until: i64) -> Result<PartsOnDisk> {
        let hashes = self.table.sessions().key_hashes();
        let wanted: Vec<u64> = keys.iter().map(|key| hashes[*key as usize]).collect();
        let mut parts = PartsOnDisk::default();
        let columns: Vec<usize> = self.table.layout().key_columns().collect();
        let mut slots = Vec::new();
        for found in self.chunks.find(&wanted, until, self.table.layout())? {
            self.table.sessions_mut().key_slots(&found, &columns, &mut slots)?;
            for (key, (end, start)) in slots.iter().zip(bounds(&found)) {
                parts.0.entry(*key).or_default().push((start, end));
            }
        }
        Ok(parts)
    }
}
