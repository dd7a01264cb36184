//! The sessions of keys: which are open, which touch, which are complete. What their rows add up
//! to is kept by the operators, by session id.
//!
//! Sessions live in a slab; each key has a short linked list of its own. A heap orders them by the
//! end they had when they were pushed; a session that has grown since is pushed again when it
//! comes up, so extending one costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use tidegate_types::Result;

use crate::checkpoint::table_files::piece_entries;
use crate::keys::hash::hash_columns;
use crate::keys::{ChangedSlots, KeyTable};
use crate::operator::{Lap, PieceRange, SnapshotMode};

/// No session.
pub(super) const NONE: u32 = u32::MAX;
/// Keys below which forgetting some is not worth it.
const FORGET_MIN: usize = 4096;

/// A session: `[start, end)`, where `end` is the last row's time plus the gap.
#[derive(Clone, Copy)]
pub(super) struct Session {
    /// Slot of its key.
    pub(super) key: u32,
    /// Inclusive start.
    pub(super) start: i64,
    /// Exclusive end.
    pub(super) end: i64,
    /// Next session of the key.
    next: u32,
    /// Tells a reused place from the session that a heap entry meant.
    generation: u32,
    /// Whether it is open.
    pub(super) live: bool,
}

/// The open sessions of every key.
pub(super) struct Sessions {
    key_types: Vec<DataType>,
    keys: KeyTable,
    /// First session by key slot.
    heads: Vec<u32>,
    slab: Vec<Session>,
    free: Vec<u32>,
    heap: BinaryHeap<Reverse<(i64, u32, u32)>>,
    changes: ChangedSlots,
    /// Where refreshing stands: places are ids.
    lap: Lap,
    hashes: Vec<u64>,
}

impl Sessions {
    /// No sessions, of keys of these types.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a type cannot be a key.
    pub(super) fn new(key_types: Vec<DataType>) -> Result<Self> {
        Ok(Self {
            keys: KeyTable::new(&key_types)?,
            key_types,
            heads: Vec::new(),
            slab: Vec::new(),
            free: Vec::new(),
            heap: BinaryHeap::new(),
            changes: ChangedSlots::default(),
            lap: Lap::default(),
            hashes: Vec::new(),
        })
    }

    /// The slot of each row's key; `slots` is overwritten.
    pub(super) fn key_slots(
        &mut self,
        rows: &RecordBatch,
        columns: &[usize],
        slots: &mut Vec<u32>,
    ) -> Result<()> {
        hash_columns(rows, columns, &mut self.hashes)?;
        let keys: Vec<ArrayRef> = columns.iter().map(|c| rows.column(*c).clone()).collect();
        self.keys.upsert(&keys, &self.hashes, slots)?;
        self.heads.resize(self.keys.len(), NONE);
        Ok(())
    }

    /// The key columns of sessions.
    pub(super) fn key_columns(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let slots: Vec<u32> = ids.iter().map(|id| self.get(*id).key).collect();
        self.keys.columns(&slots)
    }

    /// The hashes of keys, by slot.
    pub(super) fn key_hashes(&self) -> &[u64] {
        self.keys.hashes()
    }

    /// The hash of a session's key.
    pub(super) fn hash(&self, id: u32) -> u64 {
        self.keys.hashes()[self.get(id).key as usize]
    }

    /// An open session.
    pub(super) fn get(&self, id: u32) -> &Session {
        &self.slab[id as usize]
    }

    /// One more than the largest id so far.
    pub(super) fn capacity(&self) -> usize {
        self.slab.len()
    }

    /// The first session of a key that touches `[start, end]`, and whether there is another.
    pub(super) fn touching(&self, key: u32, start: i64, end: i64) -> (u32, bool) {
        let mut touching = self.of_key(key).filter(|id| self.get(*id).touches(start, end));
        match touching.next() {
            Some(first) => (first, touching.next().is_some()),
            None => (NONE, false),
        }
    }

    /// Another session of the same key that touches this one.
    pub(super) fn neighbour(&self, id: u32) -> Option<u32> {
        let Session { key, start, end, .. } = *self.get(id);
        self.of_key(key).find(|other| *other != id && self.get(*other).touches(start, end))
    }

    /// A session of a key that is complete at a time.
    pub(super) fn complete_of_key(&self, key: u32, now: i64) -> Option<u32> {
        self.of_key(key).find(|id| self.get(*id).end.saturating_sub(1) <= now)
    }

    fn of_key(&self, key: u32) -> impl Iterator<Item = u32> {
        let some = |id: u32| (id != NONE).then_some(id);
        std::iter::successors(some(self.heads[key as usize]), move |id| some(self.get(*id).next))
    }

    /// Opens a session.
    pub(super) fn open(&mut self, key: u32, start: i64, end: i64) -> u32 {
        let next = self.heads[key as usize];
        let id = self.free.pop().unwrap_or(self.slab.len() as u32);
        let generation = self.slab.get(id as usize).map_or(0, |old| old.generation.wrapping_add(1));
        let session = Session { key, start, end, next, generation, live: true };
        match self.slab.get_mut(id as usize) {
            Some(place) => *place = session,
            None => self.slab.push(session),
        }
        self.heads[key as usize] = id;
        self.heap.push(Reverse((end, id, generation)));
        self.changes.resize(self.slab.len());
        self.changes.touch(&[id]);
        id
    }

    /// Grows a session to contain `[start, end)`.
    pub(super) fn extend(&mut self, id: u32, start: i64, end: i64) {
        let session = &mut self.slab[id as usize];
        session.start = session.start.min(start);
        session.end = session.end.max(end);
        self.changes.touch(&[id]);
    }

    /// Grows a session by another one, which is closed.
    pub(super) fn absorb(&mut self, id: u32, other: u32) {
        let Session { start, end, .. } = *self.get(other);
        self.extend(id, start, end);
        self.close(other);
    }

    /// Closes a session; its id may be given out again.
    pub(super) fn close(&mut self, id: u32) {
        let Session { key, next, .. } = *self.get(id);
        let head = &mut self.heads[key as usize];
        if *head == id {
            *head = next;
        } else {
            let mut before = *head;
            while self.slab[before as usize].next != id {
                before = self.slab[before as usize].next;
            }
            self.slab[before as usize].next = next;
        }
        self.slab[id as usize].live = false;
        self.free.push(id);
    }

    /// Sessions that are complete at `now`, at most `limit`, in order of their ends. They are not
    /// found again, and stay open until they are closed.
    pub(super) fn take_complete(&mut self, now: i64, limit: usize) -> Vec<u32> {
        let mut complete = Vec::new();
        while let Some(Reverse((end, id, generation))) = self.heap.peek().copied() {
            if end.saturating_sub(1) > now || complete.len() == limit {
                break;
            }
            self.heap.pop();
            let session = &self.slab[id as usize];
            if !session.live || session.generation != generation {
                continue;
            }
            if session.end > end {
                self.heap.push(Reverse((session.end, id, generation)));
            } else {
                complete.push(id);
            }
        }
        complete
    }

    /// Puts a session that was taken for complete back among those that wait for their end.
    pub(super) fn wait(&mut self, id: u32) {
        let Session { end, generation, .. } = self.slab[id as usize];
        self.heap.push(Reverse((end, id, generation)));
    }

    /// Every open session, in order of ends.
    pub(super) fn by_end(&self) -> Vec<u32> {
        let ids = (0..self.slab.len() as u32).filter(|id| self.slab[*id as usize].live);
        let mut ends: Vec<(i64, u32)> = ids.map(|id| (self.get(id).end, id)).collect();
        ends.sort_unstable();
        ends.into_iter().map(|(_, id)| id).collect()
    }

    /// Goes on with the lap of a table whose sessions will be stored otherwise: what its files hold is
    /// passed by the next round.
    pub(super) fn succeed(&mut self, before: &Self) {
        self.lap = Lap { round: before.lap.round + 1, ..Lap::default() };
    }

    /// When the next session may be complete.
    pub(super) fn next_completion(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse((end, _, _))| end.saturating_sub(1))
    }

    /// Open sessions.
    pub(super) fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// What a snapshot must hold: how far back it goes, the changed sessions, and ranges of all. What
    /// is returned counts as stored.
    pub(super) fn take_changes(
        &mut self,
        mode: SnapshotMode,
    ) -> (SnapshotMode, Vec<u32>, Vec<IdRange>) {
        let all = self.slab.len() as u32;
        match mode {
            SnapshotMode::Full => {
                self.changes.take_all();
                let step = piece_entries(self.len() as u64);
                let ranges = (0..all).step_by(step).map(|from| {
                    let until = all.min(from.saturating_add(step as u32));
                    self.range(from, until)
                });
                (mode, Vec::new(), ranges.collect())
            }
            SnapshotMode::Incremental { recall, refresh } => {
                let recall = recall.min(self.changes.recallable());
                let mut changed = self.changes.take(recall);
                changed.retain(|id| self.slab[*id as usize].live);
                let from = (self.lap.place.2 as u32).min(all);
                let until = all.min(from.saturating_add(refresh as u32));
                let range = self.range(from, until);
                self.lap.place = place(until);
                if until == all && refresh > 0 {
                    self.lap = Lap { round: self.lap.round + 1, ..Lap::default() };
                }
                let mode = SnapshotMode::Incremental { recall, refresh };
                (
                    mode,
                    changed,
                    Some(range).filter(|range| !range.ids.is_empty()).into_iter().collect(),
                )
            }
        }
    }

    fn range(&self, from: u32, until: u32) -> IdRange {
        let ids = (from..until).filter(|id| self.slab[*id as usize].live).collect();
        let range = PieceRange::Places { from: place(from), until: place(until) };
        IdRange { range, ids }
    }

    /// Where refreshing stands.
    pub(super) fn lap(&self) -> Lap {
        self.lap
    }

    /// Every session of the restored state has been opened: the snapshot that it came from holds them.
    pub(super) fn mark_stored(&mut self) {
        self.changes.forget_current();
    }

    /// Rebuilds the key table once most of its keys have no session any more.
    pub(super) fn forget_keys(&mut self) -> Result<()> {
        let live = self.slab.len() - self.free.len();
        if self.keys.len() < FORGET_MIN || live * 4 > self.keys.len() {
            return Ok(());
        }
        let old: Vec<u32> =
            (0..self.keys.len() as u32).filter(|key| self.heads[*key as usize] != NONE).collect();
        let mut keys = KeyTable::new(&self.key_types)?;
        let hashes: Vec<u64> = old.iter().map(|key| self.keys.hashes()[*key as usize]).collect();
        let mut slots = Vec::new();
        keys.upsert(&self.keys.columns(&old)?, &hashes, &mut slots)?;
        let mut heads = vec![NONE; keys.len()];
        for (old, new) in old.iter().zip(&slots) {
            heads[*new as usize] = self.heads[*old as usize];
            let mut id = self.heads[*old as usize];
            while id != NONE {
                self.slab[id as usize].key = *new;
                id = self.slab[id as usize].next;
            }
        }
        self.keys = keys;
        self.heads = heads;
        Ok(())
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.keys.memory_size()
            + self.heads.capacity() * 4
            + self.slab.capacity() * size_of::<Session>()
            + self.heap.capacity() * 16
            + self.changes.memory_size()
    }
}

/// The open sessions with an id in a range.
pub(super) struct IdRange {
    /// Their places.
    pub(super) range: PieceRange,
    /// The sessions.
    pub(super) ids: Vec<u32>,
}

/// The lap's place of an id.
fn place(id: u32) -> (i64, i64, u64) {
    (i64::MIN, i64::MIN, u64::from(id))
}

impl Session {
    /// Whether rows of `[start, end]` belong to the session: exactly the gap apart still do.
    fn touches(&self, start: i64, end: i64) -> bool {
        self.start <= end && self.end >= start
    }
}
