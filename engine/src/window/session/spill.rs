//! Open sessions beyond the memory budget. All of them are written to local disk, in portions between
//! batches, and the table begins anew; what comes for the same sessions makes new parts. A part on
//! disk is read when its end is complete and joins what it touches in memory. A session that is
//! complete in memory but is touched by a part on disk which is not, waits for that part's end.

use hashbrown::HashMap;
use tidegate_types::Result;

use super::super::chunks::{CHUNK_ROWS, Chunks};
use super::super::restoring::Restoring;
use super::super::session_table::{SessionTable, bounds};
use super::SessionAggregate;
use crate::memory::MemoryShare;
use crate::operator::OperatorContext;
use crate::spill::SpillWriter;

/// Chunks that are written after one batch of rows.
const CHUNKS_AT_ONCE: usize = if cfg!(test) { 2 } else { 4 };
/// Bytes below which spilling is not worth it.
const SPILL_MIN: usize = if cfg!(test) { 0 } else { 256 << 10 };
/// The state is weighed once it may have grown by this part.
const WEIGH_PART: usize = 16;

/// What an operator over sessions has beyond its memory budget.
pub(super) struct Spill {
    share: Option<MemoryShare>,
    /// Rows since the state was last weighed.
    unweighed: usize,
    /// Number of the run that sessions in memory belong to.
    pub(super) run: i64,
    /// Each with whether a snapshot holds it.
    pub(super) chunks: Chunks<bool>,
    leaving: Option<Leaving>,
    pub(super) restoring: Restoring,
    /// What is in memory is not what the files of the restored state add up to: the next snapshot
    /// must hold everything.
    pub(super) whole_next: bool,
}

/// A table on its way to local disk.
struct Leaving {
    table: SessionTable,
    run: i64,
    /// In order of ends; those before `next` are written.
    ids: Vec<u32>,
    next: usize,
    writer: SpillWriter,
}

impl Spill {
    pub(super) fn new() -> Self {
        Self {
            share: None,
            unweighed: 0,
            run: 0,
            chunks: Chunks::new(),
            leaving: None,
            restoring: Restoring::default(),
            whole_next: false,
        }
    }

    pub(super) fn open(&mut self, context: &OperatorContext) {
        self.share = Some(context.memory.share());
    }

    pub(super) fn memory_size(&self) -> usize {
        let leaving = self.leaving.as_ref().map_or(0, |leaving| {
            leaving.table.memory_size() + leaving.ids.capacity() * size_of::<u32>()
        });
        leaving + self.chunks.memory_size() + self.restoring.memory_size()
    }

    pub(super) fn spilled_bytes(&self) -> usize {
        self.chunks.spilled_bytes()
    }
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

impl SessionAggregate {
    /// Moves state to local disk if the job's state takes more memory than it may.
    pub(super) fn relieve(&mut self, rows: usize) -> Result<()> {
        if self.spill.leaving.is_some() {
            return self.write_chunks(CHUNKS_AT_ONCE);
        }
        self.spill.unweighed += rows;
        if self.spill.unweighed * WEIGH_PART < self.table.sessions.len() {
            return Ok(());
        }
        self.spill.unweighed = 0;
        if !self.is_over_budget() || (self.spill.chunks.unload() && !self.is_over_budget()) {
            return Ok(());
        }
        if self.table.memory_size() >= SPILL_MIN && self.table.sessions.len() > 0 {
            self.begin_spill()?;
            self.write_chunks(CHUNKS_AT_ONCE)?;
        }
        Ok(())
    }

    /// Reports what is held; true if something should be moved to local disk.
    pub(super) fn is_over_budget(&mut self) -> bool {
        let bytes = self.table.memory_size() + self.spill.memory_size();
        self.spill.share.as_mut().is_some_and(|share| share.report(bytes))
    }

    fn begin_spill(&mut self) -> Result<()> {
        let Some(context) = &self.context else { return Ok(()) };
        let writer = context.spill.create()?;
        let mut table = self.spec.table()?;
        table.sessions.succeed(&self.table.sessions);
        let table = std::mem::replace(&mut self.table, table);
        let ids = table.sessions.by_end();
        let run = self.spill.run;
        self.spill.run += 1;
        self.spill.leaving = Some(Leaving { table, run, ids, next: 0, writer });
        Ok(())
    }

    fn write_chunks(&mut self, count: usize) -> Result<()> {
        let Some(mut leaving) = self.spill.leaving.take() else { return Ok(()) };
        let from = leaving.next;
        leaving.next = leaving.ids.len().min(from.saturating_add(count.saturating_mul(CHUNK_ROWS)));
        for ids in leaving.ids[from..leaving.next].chunks(CHUNK_ROWS) {
            let parts = leaving.table.entries(ids, leaving.run, &self.spec.layout)?;
            self.spill.chunks.write(&parts, &self.spec.layout, &mut leaving.writer, false)?;
        }
        if leaving.next < leaving.ids.len() {
            self.spill.leaving = Some(leaving);
        } else {
            drop(leaving);
            self.is_over_budget();
        }
        Ok(())
    }

    /// Writes the rest of a table that is on its way to local disk.
    pub(super) fn finish_spill(&mut self) -> Result<()> {
        self.write_chunks(usize::MAX)
    }

    /// When the next session may be complete.
    pub(super) fn next_completion(&self) -> Option<i64> {
        let leaving = self.spill.leaving.as_ref().and_then(|leaving| {
            let id = leaving.ids.get(leaving.next)?;
            Some(leaving.table.sessions.get(*id).end)
        });
        let spilled = leaving.into_iter().chain(self.spill.chunks.next_end());
        let spilled = spilled.map(|end| end.saturating_sub(1)).min();
        spilled.into_iter().chain(self.table.sessions.next_completion()).min()
    }

    /// Sessions that are complete at `now`, a few at a time, in about the order of their ends; may be
    /// empty although there are more. `None`: there are none.
    pub(super) fn take_complete(&mut self, now: i64, limit: usize) -> Result<Option<Vec<u32>>> {
        if self.next_completion().is_none_or(|next| next > now) {
            return Ok(None);
        }
        self.finish_spill()?;
        let Some(on_disk) = self.spill.chunks.next_end() else {
            let complete = self.table.sessions.take_complete(now, limit);
            return Ok(Some(complete).filter(|complete| !complete.is_empty()));
        };
        // A session joins the parts that end when it does before it is complete itself.
        let before = now.min(on_disk.saturating_sub(2));
        let complete = self.table.sessions.take_complete(before, limit);
        if !complete.is_empty() {
            return self.without_parts(complete).map(Some);
        }
        if on_disk.saturating_sub(1) > now {
            return Ok(None);
        }
        let (table, layout) = (&mut self.table, &self.spec.layout);
        self.spill.chunks.take_complete(now, limit, |parts, _| table.add(&parts, layout))?;
        Ok(Some(Vec::new()))
    }

    /// The sessions that no part on disk touches; the others wait for the end of that part.
    fn without_parts(&mut self, complete: Vec<u32>) -> Result<Vec<u32>> {
        let keys: Vec<u32> = complete.iter().map(|id| self.table.sessions.get(*id).key).collect();
        let until = complete.iter().map(|id| self.table.sessions.get(*id).end).max();
        let parts = self.find_parts(&keys, until.unwrap_or(i64::MIN))?;
        if parts.0.is_empty() {
            return Ok(complete);
        }
        let (mut over, mut waiting) = (Vec::new(), Vec::new());
        for id in complete {
            let session = *self.table.sessions.get(id);
            match parts.touching(session.key, session.start, session.end) {
                Some(part) => waiting.push((id, part)),
                None => over.push(id),
            }
        }
        for (id, (start, end)) in waiting {
            if !self.table.sessions.get(id).live {
                // Another one that the same part touches has taken it in.
                continue;
            }
            self.table.merge_into(id, start, end)?;
            self.table.sessions.wait(id);
        }
        Ok(over)
    }

    /// Parts on disk that late rows may touch; they decide whether there is an open session for them.
    pub(super) fn parts_for_late(&mut self, keys: &[u32], times: &[i64]) -> Result<PartsOnDisk> {
        let nothing = self.spill.chunks.is_empty() && self.spill.leaving.is_none();
        if nothing || self.is_processing_time() {
            return Ok(PartsOnDisk::default());
        }
        let ends = times.iter().map(|time| time.saturating_add(self.gap));
        let rows = keys.iter().zip(ends);
        let late = rows.filter(|(_, end)| end.saturating_sub(1) <= self.watermark);
        let (keys, ends): (Vec<u32>, Vec<i64>) = late.unzip();
        let Some(until) = ends.into_iter().max() else { return Ok(PartsOnDisk::default()) };
        self.finish_spill()?;
        self.find_parts(&keys, until)
    }

    /// Parts on disk of keys in memory that start by `until`.
    fn find_parts(&mut self, keys: &[u32], until: i64) -> Result<PartsOnDisk> {
        let hashes = self.table.sessions.key_hashes();
        let wanted: Vec<u64> = keys.iter().map(|key| hashes[*key as usize]).collect();
        let mut parts = PartsOnDisk::default();
        let columns: Vec<usize> = self.spec.layout.key_columns().collect();
        let mut slots = Vec::new();
        for found in self.spill.chunks.find(&wanted, until, &self.spec.layout)? {
            self.table.sessions.key_slots(&found, &columns, &mut slots)?;
            for (key, (end, start)) in slots.iter().zip(bounds(&found)) {
                parts.0.entry(*key).or_default().push((start, end));
            }
        }
        Ok(parts)
    }
}
