//! The state of a join as an operator sees it: restored, snapshotted, weighed, forgotten by the clock.

use arrow::array::RecordBatch;
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result, Watermark};

use super::clock::RowClock;
use super::core::Core;
use super::restore::{Restoring, Taken, side_of};
use super::side::Side;
use super::snapshot::{Snapshots, TABLES};
use super::spilled::{Writer, spill_coldest};
use crate::memory::MemoryShare;
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// Chunks that are moved to local disk after one batch.
const MOVES: usize = 4;

/// What a join keeps.
pub(super) trait Keeps {
    /// Its sides.
    fn sides(&self) -> &[Side];

    /// Its sides, and what is known of their rows.
    fn kept(&mut self) -> Kept<'_>;

    /// Bytes held.
    fn memory_size(&self) -> usize {
        self.sides().iter().map(Side::memory_size).sum()
    }

    /// Bytes on local disk.
    fn spilled_bytes(&self) -> usize {
        self.sides().iter().map(|side| side.rows.spilled).sum()
    }

    /// Rows that are kept.
    fn live(&self) -> u64 {
        self.sides().iter().map(|side| side.live).sum()
    }
}

/// The sides of a join, and what is known of their rows.
pub(super) struct Kept<'a> {
    pub(super) sides: &'a mut [Side],
    /// Names of their state tables.
    pub(super) tables: &'static [&'static str],
    /// Per column of the key whether NULL equals NULL.
    pub(super) null_safe: &'a [bool],
    /// When rows happen and are forgotten, if they are.
    pub(super) clock: Option<&'a RowClock>,
    pub(super) now: Watermark,
}

impl Keeps for Core {
    fn sides(&self) -> &[Side] {
        &self.sides
    }

    fn kept(&mut self) -> Kept<'_> {
        Kept {
            sides: &mut self.sides,
            tables: &TABLES,
            null_safe: &self.null_safe,
            clock: Some(&self.clock),
            now: self.now,
        }
    }
}

/// What a join has beside its rows.
#[derive(Default)]
pub(super) struct State {
    context: Option<OperatorContext>,
    share: Option<MemoryShare>,
    snapshots: Snapshots,
    /// By side.
    restoring: Vec<Option<Restoring>>,
    /// The clock when unused rows are looked for next.
    sweep: Option<i64>,
    /// The file that chunks are moved to.
    writer: Writer,
}

impl State {
    /// As the operator's.
    pub(super) fn open(&mut self, context: &OperatorContext) {
        self.share = Some(context.memory.share());
        self.context = Some(context.clone());
    }

    /// As the operator's.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the state is that of another join.
    pub(super) fn restore(
        &mut self,
        join: &mut impl Keeps,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        let context =
            self.context.as_ref().ok_or_else(|| Error::internal("restore before open"))?;
        let kept = join.kept();
        let side = side_of(&kept.tables[..kept.sides.len()], table, version)?;
        let taken = Taken { groups, key_groups: context.key_groups, null_safe: kept.null_safe };
        let times = |rows: &RecordBatch| match kept.clock {
            Some(clock) => clock.times(side, rows, 0),
            None => Ok((Vec::new(), Vec::new())),
        };
        self.restoring.resize_with(kept.sides.len(), || None);
        self.restoring[side].get_or_insert_default().take(
            &mut kept.sides[side],
            entries,
            &taken,
            (kept.now, &times),
        )?;
        self.weigh(join)
    }

    /// As the operator's.
    ///
    /// # Errors
    /// As [`Restoring::finish`].
    pub(super) fn restored(&mut self, join: &mut impl Keeps) -> Result<()> {
        for (restoring, side) in self.restoring.iter_mut().zip(join.kept().sides) {
            if let Some(restoring) = restoring.take() {
                restoring.finish(side)?;
            }
        }
        Ok(())
    }

    /// As the operator's; `event`: rows are forgotten by the watermark.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn snapshot(
        &mut self,
        join: &mut impl Keeps,
        event: bool,
        request: &SnapshotRequest,
    ) -> Result<Vec<TableSnapshot>> {
        let kept = join.kept();
        self.snapshots.take(kept.tables, kept.sides, event, request)
    }

    /// As the operator's.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.snapshots.copy(entries)
    }

    /// As the operator's.
    pub(super) fn abandon(&mut self) {
        self.snapshots.abandon();
    }

    /// The clock when unused rows are to be forgotten.
    pub(super) fn next_sweep(&self, join: &impl Keeps) -> Option<i64> {
        let keeps = join.sides().iter().any(|side| side.spec.ttl > 0 && side.live > 0);
        keeps.then_some(self.sweep.unwrap_or(i64::MIN))
    }

    /// Forgets unused rows.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn sweep(&mut self, join: &mut impl Keeps, now: i64) -> Result<()> {
        let mut shortest = i64::MAX;
        for side in join.kept().sides.iter_mut().filter(|side| side.spec.ttl > 0) {
            side.evict_unused(now.saturating_sub(side.spec.ttl))?;
            shortest = shortest.min(side.spec.ttl);
        }
        self.sweep = Some(now.saturating_add((shortest / 16).max(1)));
        Ok(())
    }

    /// Reports what is held, and moves what was not read for long to local disk if it is more than may be.
    ///
    /// # Errors
    /// As [`weigh`], if there is nothing left to be moved.
    pub(super) fn weigh(&mut self, join: &mut impl Keeps) -> Result<()> {
        let (Some(share), Some(context)) = (&mut self.share, &self.context) else { return Ok(()) };
        if !share.report(join.memory_size()) {
            return Ok(());
        }
        join.sides().iter().for_each(|side| side.rows.loaded.borrow_mut().clear());
        let mut moved = 0;
        while moved < MOVES && spill_coldest(join.kept().sides, &mut self.writer, context)? {
            moved += 1;
        }
        // So little is given by tests that want everything on local disk that can be.
        let enough = cfg!(test) && share.equal_part() < 1_000;
        if moved > 0 || enough || !share.report(join.memory_size()) {
            share.report(join.memory_size());
            return Ok(());
        }
        weigh(Some(share), join.memory_size(), join.live())
    }
}

/// Reports what a join holds.
///
/// # Errors
/// `RESOURCE_EXHAUSTED` if it is more than may be.
pub(super) fn weigh(share: Option<&mut MemoryShare>, bytes: usize, rows: u64) -> Result<()> {
    let Some(share) = share else { return Ok(()) };
    if !share.report(bytes) {
        return Ok(());
    }
    let message = format!(
        "the join keeps {rows} rows, of which {} MiB have to stay in memory, and the state of the job takes more than it may (one operator {} MiB)",
        bytes >> 20,
        share.equal_part() >> 20
    );
    Err(Error::new(ErrorCode::ResourceExhausted, message).help(
        "raise 'taskmanager.memory.managed.size', set 'table.exec.state.ttl' or the hint STATE_TTL, or bound the join by time",
    ))
}
