//! The state of one slice or window: groups in memory, and runs that were moved to local disk.
//!
//! Partial states can be merged, so spilling never looks back: the groups in memory are written as a
//! *run*, and rows from then on make new groups of the same keys. A run never changes. When a window
//! is emitted, its runs are merged partition by partition (by bits of the keys' hashes that neither
//! key groups nor hash tables use), so that only a part of it has to fit into memory.
//!
//! Writing a run takes portions: until the last one its groups are in memory too. Runs of about one
//! size that have become many are merged into one, again in portions. That concerns the local disk
//! only: what snapshots hold of those runs stays as it is.
//!
//! Entries of the state table carry the number of their run: of one run a later entry replaces an
//! earlier one of its key, different runs add up.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidegate_types::{Error, Result};

use super::layout::RunLayout;
use super::store::{GroupSpec, Groups};
use crate::keys::hash::hash_columns;
use crate::operator::Entries;
use crate::spill::{Block, SpillWriter};

/// Parts in which spilled slices are merged.
pub(super) const PARTITIONS: u32 = 32;
/// Groups below which a run is not cut into parts.
const PARTITION_MIN: usize = if cfg!(test) { 4 } else { 16 << 10 };
/// Runs of about one size that are worth a merge.
const MERGE_RUNS: usize = if cfg!(test) { 3 } else { 8 };

/// The part of a hash.
pub(super) fn partition_of(hash: u64) -> u32 {
    (hash >> 24) as u32 % PARTITIONS
}

/// How the entries of an operator look, and what makes empty groups.
pub(super) struct SliceSpec {
    pub(super) groups: GroupSpec,
    pub(super) layout: RunLayout,
}

/// A slice `(end, start)`.
pub(super) type SliceKey = (i64, i64);

/// Groups of one slice.
pub(super) struct SliceState {
    /// Those that rows are added to.
    pub(super) active: Groups,
    /// Number of the run that they will be.
    pub(super) run: i64,
    /// In ascending order.
    frozen: Vec<Run>,
    merging: Option<Merging>,
    /// Whether a snapshot was taken since `run` began: files may hold entries of that number.
    seen: bool,
}

struct Run {
    number: i64,
    blocks: Vec<RunBlock>,
    /// Groups that are not spilled, or not all of them: behind the blocks.
    memory: Option<Groups>,
    /// Partitions of `memory` that are in the blocks already.
    written: u32,
    /// Whether the last snapshot holds it.
    stored: bool,
    /// Whether some snapshot holds entries of its number.
    seen: bool,
}

struct RunBlock {
    block: Block,
    /// The partition of all its entries; `None`: any.
    partition: Option<u32>,
}

/// A run that is being made of others.
struct Merging {
    inputs: Vec<i64>,
    /// The next partition.
    next: u32,
    blocks: Vec<RunBlock>,
}

impl SliceState {
    /// No groups.
    pub(super) fn new(spec: &SliceSpec) -> Result<Self> {
        let active = spec.groups.groups()?;
        Ok(Self { active, run: 0, frozen: Vec::new(), merging: None, seen: false })
    }

    /// Whether a merge has to read runs.
    pub(super) fn has_runs(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// Groups, counted once in each run.
    pub(super) fn entries(&self) -> usize {
        self.active.keys.len() + self.frozen.iter().map(Run::rows).sum::<usize>()
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        let frozen = self.frozen.iter().filter_map(|run| run.memory.as_ref());
        self.active.memory_size() + frozen.map(Groups::memory_size).sum::<usize>()
    }

    /// Bytes on local disk.
    pub(super) fn spilled_bytes(&self) -> usize {
        self.frozen.iter().flat_map(|run| &run.blocks).map(|block| block.block.bytes()).sum()
    }

    /// Makes a run of the groups in memory, for [`SliceState::write_some`] to write.
    pub(super) fn freeze(&mut self, spec: &SliceSpec) -> Result<()> {
        if self.active.keys.is_empty() {
            return Ok(());
        }
        let (number, seen) = (self.run, std::mem::take(&mut self.seen));
        let groups = std::mem::replace(&mut self.active, spec.groups.groups()?);
        let run = self.frozen_run(number);
        run.memory = Some(groups);
        run.seen = seen;
        self.run += 1;
        Ok(())
    }

    /// Writes about `most` groups of runs in memory to local disk; returns whether none is left.
    pub(super) fn write_some(
        &mut self,
        slice: SliceKey,
        most: usize,
        spec: &SliceSpec,
        writer: &mut SpillWriter,
    ) -> Result<bool> {
        let mut left = most;
        for run in self.frozen.iter_mut().filter(|run| run.memory.is_some()) {
            if left == 0 {
                return Ok(false);
            }
            left = left.saturating_sub(run.write_some(slice, left, spec, writer)?);
        }
        Ok(self.frozen.iter().all(|run| run.memory.is_none()))
    }

    /// Whether there are so many runs of one size that they should be merged.
    pub(super) fn wants_merge(&self) -> bool {
        self.merging.is_some() || (self.frozen.len() >= MERGE_RUNS && !self.mergeable().is_empty())
    }

    /// The newest runs that snapshots hold, or that no snapshot knows the number of, if they are many and
    /// about of one size; all of them if they are very many.
    fn mergeable(&self) -> Vec<i64> {
        let of_kind = |stored: bool| {
            let is_one =
                |run: &&Run| run.memory.is_none() && run.stored == stored && (stored || !run.seen);
            let all: Vec<&Run> = self.frozen.iter().rev().filter(is_one).collect();
            let (mut alike, mut rows) = (0, 0);
            for run in &all {
                if alike > 0 && run.rows() > 2 * rows {
                    break;
                }
                rows += run.rows();
                alike += 1;
            }
            let many = if all.len() >= 4 * MERGE_RUNS { all.len() } else { alike };
            let few = if many < MERGE_RUNS { 0 } else { many };
            all.into_iter().take(few).map(|run| run.number).collect::<Vec<i64>>()
        };
        [true, false].into_iter().map(of_kind).find(|runs| !runs.is_empty()).unwrap_or_default()
    }

    /// Merges about `most` groups of a few runs into one, if there are too many.
    pub(super) fn merge_some(
        &mut self,
        slice: SliceKey,
        most: usize,
        spec: &SliceSpec,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        let mut merging = match self.merging.take() {
            Some(merging) => merging,
            None => Merging { inputs: self.mergeable(), next: 0, blocks: Vec::new() },
        };
        let Some(number) = merging.inputs.iter().copied().max() else { return Ok(()) };
        let is_input = |run: &Run| merging.inputs.contains(&run.number);
        let rows: usize = self.frozen.iter().filter(|run| is_input(run)).map(Run::rows).sum();
        let parts = if rows < PARTITION_MIN { PARTITIONS } else { parts_of(rows, most) };
        let until = merging.next.saturating_add(parts).min(PARTITIONS);
        let all = merging.next == 0 && until == PARTITIONS;
        let partitions = if all { vec![None] } else { (merging.next..until).map(Some).collect() };
        for partition in partitions {
            let mut merged = spec.groups.groups()?;
            for run in self.frozen.iter().filter(|run| is_input(run)) {
                run.merge_into(&mut merged, partition, spec)?;
            }
            let slots = slots_of(&merged, None);
            if !slots.is_empty() {
                let entries = spec.layout.entries(slice, number, &merged, &slots)?;
                merging.blocks.push(RunBlock { block: writer.write(&[entries])?, partition });
            }
        }
        merging.next = until;
        if until < PARTITIONS {
            self.merging = Some(merging);
            return Ok(());
        }
        let inputs = self.frozen.iter().filter(|run| is_input(run));
        let stored = inputs.clone().all(|run| run.stored);
        let seen = inputs.clone().any(|run| run.seen);
        self.frozen.retain(|run| !merging.inputs.contains(&run.number));
        let run = self.frozen_run(number);
        (run.blocks, run.stored, run.seen) = (merging.blocks, stored, seen);
        Ok(())
    }

    /// Takes restored entries of a run: keys and partial states side by side.
    pub(super) fn restore(
        &mut self,
        run: i64,
        columns: &[ArrayRef],
        hashes: &[u64],
        spec: &SliceSpec,
    ) -> Result<()> {
        if run > self.run {
            if !self.active.keys.is_empty() {
                let groups = std::mem::replace(&mut self.active, spec.groups.groups()?);
                let run = self.frozen_run(self.run);
                (run.memory, run.seen) = (Some(groups), true);
            }
            self.run = run;
        }
        self.seen = true;
        let groups = if run == self.run {
            &mut self.active
        } else {
            let run = self.frozen_run(run);
            // What was written already is written again with what comes now, which replaces it.
            (run.seen, run.written) = (true, 0);
            run.memory.get_or_insert(spec.groups.groups()?)
        };
        groups.replace(columns, hashes, spec.layout.keys)?;
        groups.mark_stored();
        Ok(())
    }

    /// The frozen run with this number, made if it is new. Restored runs count as not stored: files
    /// from before the restore are dropped as groups in memory are refreshed, which runs are not.
    fn frozen_run(&mut self, number: i64) -> &mut Run {
        let place = self.frozen.partition_point(|run| run.number < number);
        if self.frozen.get(place).is_none_or(|run| run.number != number) {
            let (blocks, memory) = (Vec::new(), None);
            let run = Run { number, blocks, memory, written: 0, stored: false, seen: false };
            self.frozen.insert(place, run);
        }
        &mut self.frozen[place]
    }

    /// Adds the groups of a partition (or of all) to others.
    pub(super) fn merge_into(
        &self,
        merged: &mut Groups,
        partition: Option<u32>,
        spec: &SliceSpec,
    ) -> Result<()> {
        for run in &self.frozen {
            run.merge_into(merged, partition, spec)?;
        }
        merged.merge_from(&self.active, &slots_of(&self.active, partition))
    }

    /// Runs that a snapshot must hold (or all), in entries of at most `most` rows where blocks allow.
    pub(super) fn take_frozen(
        &mut self,
        slice: SliceKey,
        all: bool,
        most: usize,
        spec: &SliceSpec,
    ) -> Result<Vec<Entries>> {
        let mut taken = Vec::new();
        self.seen = true;
        for run in self.frozen.iter_mut().filter(|run| all || !run.stored) {
            (run.stored, run.seen) = (true, true);
            let mut entries = Entries::default();
            for block in &run.blocks {
                if entries.rows() > 0 && entries.rows() + block.block.rows() > most {
                    taken.push(std::mem::take(&mut entries));
                }
                entries.spilled.push(block.block.clone());
            }
            taken.push(entries);
            if let Some(groups) = &run.memory {
                let slots = slots_from(groups, run.written);
                let batch = spec.layout.entries(slice, run.number, groups, &slots)?;
                taken.push(Entries { batches: vec![batch], ..Entries::default() });
            }
        }
        taken.retain(|entries| entries.rows() > 0);
        Ok(taken)
    }
}

impl Run {
    fn rows(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(|block| block.block.rows()).sum();
        let memory = self.memory.as_ref().map_or(0, |groups| groups.keys.len());
        blocks + memory * (PARTITIONS - self.written.min(PARTITIONS)) as usize / PARTITIONS as usize
    }

    /// Writes about `most` groups to local disk, as blocks of a partition each if there are many; returns how
    /// many.
    fn write_some(
        &mut self,
        slice: SliceKey,
        most: usize,
        spec: &SliceSpec,
        writer: &mut SpillWriter,
    ) -> Result<usize> {
        let Some(groups) = &self.memory else { return Ok(0) };
        let mut done = 0;
        let mut write = |slots: &[u32], partition: Option<u32>| -> Result<()> {
            done += slots.len();
            if !slots.is_empty() {
                let batch = spec.layout.entries(slice, self.number, groups, slots)?;
                self.blocks.push(RunBlock { block: writer.write(&[batch])?, partition });
            }
            Ok(())
        };
        if groups.keys.len() < PARTITION_MIN {
            write(&slots_of(groups, None), None)?;
            self.written = PARTITIONS;
        } else {
            let until = self.written.saturating_add(parts_of(groups.keys.len(), most));
            for partition in self.written..until.min(PARTITIONS) {
                write(&slots_of(groups, Some(partition)), Some(partition))?;
            }
            self.written = until.min(PARTITIONS);
        }
        if self.written == PARTITIONS {
            (self.memory, self.written) = (None, 0);
        }
        Ok(done)
    }

    fn merge_into(
        &self,
        merged: &mut Groups,
        partition: Option<u32>,
        spec: &SliceSpec,
    ) -> Result<()> {
        let other = |block: &&RunBlock| match (block.partition, partition) {
            (Some(of), Some(wanted)) => of == wanted,
            _ => true,
        };
        // Later entries of a run replace earlier ones; what another merge adds up are runs.
        let mut own = spec.groups.groups()?;
        for block in self.blocks.iter().filter(other) {
            for batch in block.block.read()? {
                let mut hashes = Vec::new();
                hash_columns(&batch, &spec.layout.key_columns().collect::<Vec<_>>(), &mut hashes)?;
                let (batch, hashes) = match (block.partition, partition) {
                    (None, Some(wanted)) => select(&batch, &hashes, wanted)?,
                    _ => (batch, hashes),
                };
                own.replace(&batch.columns()[RunLayout::BOUNDS..], &hashes, spec.layout.keys)?;
            }
        }
        if let Some(groups) = &self.memory {
            let slots = slots_of(groups, partition);
            let hashes: Vec<u64> =
                slots.iter().map(|slot| groups.keys.hashes()[*slot as usize]).collect();
            own.replace(&groups.columns(&slots)?, &hashes, spec.layout.keys)?;
        }
        merged.merge_from(&own, &slots_of(&own, None))
    }
}

/// The slots of a partition, or all.
fn slots_of(groups: &Groups, partition: Option<u32>) -> Vec<u32> {
    let all: Range<u32> = 0..groups.keys.len() as u32;
    let Some(wanted) = partition else { return all.collect() };
    let hashes = groups.keys.hashes();
    all.filter(|slot| partition_of(hashes[*slot as usize]) == wanted).collect()
}

/// The entries of a partition, with their hashes.
fn select(batch: &RecordBatch, hashes: &[u64], partition: u32) -> Result<(RecordBatch, Vec<u64>)> {
    let rows: Vec<u32> = (0..batch.num_rows() as u32)
        .filter(|row| partition_of(hashes[*row as usize]) == partition)
        .collect();
    let kept = rows.iter().map(|row| hashes[*row as usize]).collect();
    let batch = take_record_batch(batch, &UInt32Array::from(rows))
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok((batch, kept))
}

/// The slots of partitions from one on.
fn slots_from(groups: &Groups, partition: u32) -> Vec<u32> {
    let slots = groups.keys.hashes().iter().zip(0..);
    slots.filter(|(hash, _)| partition_of(**hash) >= partition).map(|(_, slot)| slot).collect()
}

/// How many partitions have about `most` of `rows`.
fn parts_of(rows: usize, most: usize) -> u32 {
    let parts = most.saturating_mul(PARTITIONS as usize) / rows.max(1);
    u32::try_from(parts).unwrap_or(PARTITIONS).clamp(1, PARTITIONS)
}
