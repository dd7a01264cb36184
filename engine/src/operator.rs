//! What an operator implements: synchronous, vectorised work on batches, watermarks and timers,
//! and its part of a snapshot.
//!
//! Order of calls: `open`, then (after a restore) `restore` for every batch of every table and
//! `restored`, then any of `process`, `watermark`, `timer`; before a snapshot `before_barrier` and
//! `drain` until it is done, then `snapshot`, after which `copy` comes between the other calls until it
//! is done. After each of `watermark`, `timer` and `before_barrier` the chain calls `drain` until it
//! returns [`Progress::Done`], sending what was emitted in between, so that no call has to emit more
//! than a few batches. After `process` it does so only if the operator says that something is pending.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tidegate_types::{Error, KeyGroupRange, MAX_WATERMARK, Result, Watermark};

use crate::element::Changes;
use crate::memory::MemoryBudget;
use crate::metrics::OperatorMetrics;
use crate::spill::{Block, SpillFolder};

/// Where an operator puts its output, and what it may ask.
pub struct Output {
    batches: Vec<Changes>,
    /// Wall-clock time at the start of the call, milliseconds since the epoch.
    pub now_ms: i64,
}

impl Output {
    /// An empty output at a time.
    pub fn new(now_ms: i64) -> Self {
        Self { batches: Vec::new(), now_ms }
    }

    /// Emits rows; empty batches are dropped.
    pub fn emit(&mut self, changes: Changes) {
        if !changes.is_empty() {
            self.batches.push(changes);
        }
    }

    /// Takes what was emitted.
    pub fn take(&mut self) -> Vec<Changes> {
        std::mem::take(&mut self.batches)
    }
}

/// Whether an operator has more to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call `drain` again.
    More,
    /// Nothing is pending.
    Done,
}

/// What an operator learns when it is opened.
#[derive(Clone)]
pub struct OperatorContext {
    /// Index of the subtask.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Key groups of the job.
    pub key_groups: u16,
    /// The key groups that this subtask owns.
    pub owned: KeyGroupRange,
    /// The restored watermark, `MIN_WATERMARK` at a fresh start.
    pub watermark: Watermark,
    /// Most rows in an emitted batch.
    pub batch_rows: usize,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
    /// The memory that the job's state may take.
    pub memory: Arc<MemoryBudget>,
    /// Where state goes that does not fit.
    pub spill: SpillFolder,
}

/// What a snapshot of a state table must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// What changed, and some of the rest.
    Incremental {
        /// Also what changed in this many snapshots before: their files are then dropped. An operator
        /// that cannot go back so far says so in its answer.
        recall: u32,
        /// Entries to write again, changed or not, from where the lap stands.
        refresh: usize,
    },
    /// Everything: all earlier files of the table are dropped.
    Full,
}

impl SnapshotMode {
    /// What changed since the last snapshot and nothing else.
    pub const CHANGES: Self = Self::Incremental { recall: 0, refresh: 0 };
}

/// What a snapshot must hold, by state table.
#[derive(Debug, Clone, Default)]
pub struct SnapshotRequest {
    /// Everything of every table.
    pub full: bool,
    /// By table; tables that are not named have no files yet.
    pub tables: BTreeMap<String, SnapshotMode>,
}

impl SnapshotRequest {
    /// Everything.
    pub fn full() -> Self {
        Self { full: true, tables: BTreeMap::new() }
    }

    /// What is asked of a table.
    pub fn mode(&self, table: &str) -> SnapshotMode {
        match self.full {
            true => SnapshotMode::Full,
            false => self.tables.get(table).copied().unwrap_or(SnapshotMode::CHANGES),
        }
    }
}

/// Where an operator stands in going round a table to refresh it: rounds made, and the place in the
/// table in an order of the operator's own. Places are reached in ascending order; entries that
/// appear behind the place count as changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lap {
    /// The round under way, from 1.
    pub round: u64,
    /// The next place.
    pub place: (i64, i64, u64),
}

impl Default for Lap {
    fn default() -> Self {
        Self { round: 1, place: (i64::MIN, i64::MIN, 0) }
    }
}

impl Lap {
    /// Whether a whole round lies between an earlier standing and this one.
    pub fn has_passed(&self, earlier: Self) -> bool {
        let rounds = self.round.saturating_sub(earlier.round);
        rounds > 1 || (rounds == 1 && self.place >= earlier.place)
    }
}

/// Entries of a state table as typed Arrow columns.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// Entries in memory.
    pub batches: Vec<RecordBatch>,
    /// Entries on local disk, behind those.
    pub spilled: Vec<Block>,
    /// Watermark from which none of them is needed any more, if the table forgets by time.
    pub expires: Option<Watermark>,
}

impl Entries {
    /// Number of entries.
    pub fn rows(&self) -> usize {
        let spilled: usize = self.spilled.iter().map(Block::rows).sum();
        spilled + self.batches.iter().map(RecordBatch::num_rows).sum::<usize>()
    }

    /// Adds entries behind these.
    pub fn append(&mut self, other: Self) {
        self.batches.extend(other.batches);
        self.spilled.extend(other.spilled);
        self.expires = self.expires.max(other.expires);
    }

    /// All entries in memory; reads from local disk.
    ///
    /// # Errors
    /// As [`Block::read`].
    pub fn load(self) -> Result<Vec<RecordBatch>> {
        let mut batches = self.batches;
        for block in &self.spilled {
            batches.extend(block.read()?);
        }
        Ok(batches)
    }
}

/// Entries that make a file of their own.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The entries.
    pub entries: Entries,
    /// Where they belong.
    pub range: PieceRange,
}

/// Which entries a piece holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceRange {
    /// Every entry of a range of places in the lap's order, which the lap passes bit by bit.
    Places {
        /// The first place.
        from: (i64, i64, u64),
        /// The place behind the last.
        until: (i64, i64, u64),
    },
    /// Entries that do not change any more and that no lap visits: needed until they expire, or until
    /// a snapshot of everything.
    Frozen,
}

impl Piece {
    /// What the lap must have passed so that every entry has been written again.
    pub fn mark(&self, lap: Lap) -> Lap {
        match self.range {
            // A range ahead of the lap is reached in this round, any other in the next.
            PieceRange::Places { from, until } if from >= lap.place => {
                Lap { round: lap.round - 1, place: until }
            }
            PieceRange::Places { until, .. } => Lap { round: lap.round, place: until },
            PieceRange::Frozen => Lap { round: u64::MAX, ..Lap::default() },
        }
    }
}

/// A snapshot of one state table. Later entries replace earlier ones of the same key.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    /// Name of the table, unique within the operator.
    pub table: &'static str,
    /// Version of the table's layout.
    pub version: u16,
    /// What it holds: as asked, or less far back.
    pub mode: SnapshotMode,
    /// Entries that changed, anywhere in the table.
    pub changed: Entries,
    /// Entries of whole ranges of places: refreshed or new ones, or all.
    pub pieces: Vec<Piece>,
    /// Where the lap stands after this snapshot; `None` if the operator makes none.
    pub lap: Option<Lap>,
    /// Live entries.
    pub live: u64,
}

/// What [`Operator::copy`] did.
#[derive(Debug)]
pub enum Copied {
    /// A part of what is left.
    Some,
    /// The last of a piece, which is complete.
    Piece(&'static str, Piece),
    /// The last of a table's changed entries.
    Changed(&'static str, Entries),
    /// There is nothing left to copy.
    Done,
}

/// A watermark that stays behind by so many ms; the last one of a stream does not.
pub fn delayed(watermark: Watermark, delay_ms: i64) -> Watermark {
    if watermark == MAX_WATERMARK { watermark } else { watermark.saturating_sub(delay_ms) }
}

/// A synchronous operator with one or more inputs.
pub trait Operator: Send {
    /// Learns its place.
    ///
    /// # Errors
    /// Fails the start.
    fn open(&mut self, _context: &OperatorContext) -> Result<()> {
        Ok(())
    }

    /// Takes entries of a state table; those of key groups outside `groups` are skipped: the subtask
    /// does not own them, or the writer of the file had given them away by the checkpoint.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the table is unknown or its columns differ.
    fn restore(
        &mut self,
        table: &str,
        _version: u16,
        _entries: &RecordBatch,
        _groups: KeyGroupRange,
    ) -> Result<()> {
        Err(Error::new(
            tidegate_types::ErrorCode::Incompatible,
            format!("the checkpoint has state table '{table}', which this operator does not keep"),
        ))
    }

    /// Every entry of the restored state has been given.
    ///
    /// # Errors
    /// Fails the start.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Processes rows of an input.
    ///
    /// # Errors
    /// Fails the job.
    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()>;

    /// Whether [`Operator::process`] left output behind: `drain` is then called before anything else.
    fn is_pending(&self) -> bool {
        false
    }

    /// Milliseconds by which the watermark of the output stays behind that of the input, as the operator
    /// emits rows that much older.
    fn watermark_delay(&self) -> i64 {
        0
    }

    /// Event time of the combined inputs has advanced.
    ///
    /// # Errors
    /// Fails the job.
    fn watermark(&mut self, _watermark: Watermark, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// Wall-clock time of the next timer, if one is set.
    fn next_timer(&self) -> Option<i64> {
        None
    }

    /// The clock has reached [`Operator::next_timer`].
    ///
    /// # Errors
    /// Fails the job.
    fn timer(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// Emits the next part of pending output.
    ///
    /// # Errors
    /// Fails the job.
    fn drain(&mut self, _out: &mut Output) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// Emits whatever is buffered outside state: before a barrier, before idleness and the end.
    ///
    /// # Errors
    /// Fails the job.
    fn before_barrier(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// Snapshots of the operator's state tables. What takes long is only marked: [`Operator::copy`]
    /// copies it while processing goes on. An earlier snapshot that is not copied yet is abandoned.
    ///
    /// # Errors
    /// Fails the job.
    fn snapshot(&mut self, _request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(Vec::new())
    }

    /// Copies about `entries` more of the marked entries, as they were at the last snapshot, until it
    /// answers [`Copied::Done`]. Called between batches.
    ///
    /// # Errors
    /// Fails the job.
    fn copy(&mut self, _entries: usize) -> Result<Copied> {
        Ok(Copied::Done)
    }

    /// The last snapshot is not wanted any more.
    fn abandon_copy(&mut self) {}

    /// Bytes of state in memory.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Rows (or groups) of state, where the operator knows.
    fn state_rows(&self) -> u64 {
        0
    }

    /// Bytes of state on local disk.
    fn spilled_bytes(&self) -> usize {
        0
    }
}
