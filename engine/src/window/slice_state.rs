//! The state of one slice or window: groups in memory, and runs that were moved to local disk.
//!
//! Partial states can be merged, so spilling never looks back: the groups in memory are written as a
//! *run*, and rows from then on make new groups of the same keys. A run never changes. When a window
//! is emitted, its runs are merged partition by partition (by bits of the keys' hashes that neither
//! key groups nor hash tables use), so that only a part of it has to fit into memory.
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
}

struct Run {
    number: i64,
    blocks: Vec<RunBlock>,
    /// Restored groups that are not spilled: behind the blocks.
    memory: Option<Groups>,
    /// Whether the last snapshot holds it.
    stored: bool,
}

struct RunBlock {
    block: Block,
    /// The partition of all its entries; `None`: any.
    partition: Option<u32>,
}

impl SliceState {
    /// No groups.
    pub(super) fn new(spec: &SliceSpec) -> Result<Self> {
        Ok(Self { active: spec.groups.groups()?, run: 0, frozen: Vec::new() })
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

    /// Moves everything in memory to local disk.
    pub(super) fn spill(
        &mut self,
        slice: SliceKey,
        spec: &SliceSpec,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        for run in &mut self.frozen {
            if let Some(groups) = run.memory.take() {
                run.blocks.extend(write(slice, run.number, &groups, spec, writer)?);
            }
        }
        if self.active.keys.is_empty() {
            return Ok(());
        }
        let groups = std::mem::replace(&mut self.active, spec.groups.groups()?);
        let blocks = write(slice, self.run, &groups, spec, writer)?;
        self.frozen.push(Run { number: self.run, blocks, memory: None, stored: false });
        self.run += 1;
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
                self.frozen_run(self.run).memory = Some(groups);
            }
            self.run = run;
        }
        let groups = if run == self.run {
            &mut self.active
        } else {
            self.frozen_run(run).memory.get_or_insert(spec.groups.groups()?)
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
            let run = Run { number, blocks: Vec::new(), memory: None, stored: false };
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
        for run in self.frozen.iter_mut().filter(|run| all || !run.stored) {
            run.stored = true;
            let mut entries = Entries::default();
            for block in &run.blocks {
                if entries.rows() > 0 && entries.rows() + block.block.rows() > most {
                    taken.push(std::mem::take(&mut entries));
                }
                entries.spilled.push(block.block.clone());
            }
            taken.push(entries);
            if let Some(groups) = &run.memory {
                let slots = slots_of(groups, None);
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
        blocks + self.memory.as_ref().map_or(0, |groups| groups.keys.len())
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

/// Writes groups as blocks, one for each partition if they are many.
fn write(
    slice: SliceKey,
    run: i64,
    groups: &Groups,
    spec: &SliceSpec,
    writer: &mut SpillWriter,
) -> Result<Vec<RunBlock>> {
    let parts: Vec<(Option<u32>, Vec<u32>)> = if groups.keys.len() < PARTITION_MIN {
        vec![(None, slots_of(groups, None))]
    } else {
        let mut parts = vec![Vec::new(); PARTITIONS as usize];
        for (slot, hash) in groups.keys.hashes().iter().enumerate() {
            parts[partition_of(*hash) as usize].push(slot as u32);
        }
        (0..PARTITIONS).map(Some).zip(parts).collect()
    };
    let mut blocks = Vec::new();
    for (partition, slots) in parts.into_iter().filter(|(_, slots)| !slots.is_empty()) {
        let batch = spec.layout.entries(slice, run, groups, &slots)?;
        blocks.push(RunBlock { block: writer.write(&[batch])?, partition });
    }
    Ok(blocks)
}
