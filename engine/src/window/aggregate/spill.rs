//! Moving slices to local disk beyond the memory budget, and merging what is there, in portions between
//! batches.

use std::collections::VecDeque;

use tidegate_types::Result;

use super::super::slice_state::{SliceKey, SliceState};
use super::WindowAggregate;
use crate::keyed::Scales;
use crate::memory::MemoryShare;
use crate::operator::{Operator, OperatorContext};
use crate::spill::SpillWriter;

/// Slices whose sizes are added up for each batch.
const SLICES_PER_BATCH: usize = 64;
/// Groups that are written after one batch.
const GROUPS_AT_ONCE: usize = if cfg!(test) { 3 } else { 32 << 10 };

/// What is on its way to local disk.
#[derive(Default)]
pub(super) struct Spill {
    share: Option<MemoryShare>,
    scales: Scales,
    /// Batches since the state was last weighed.
    unweighed: usize,
    /// Slices with runs to write, and then to merge.
    writing: VecDeque<SliceKey>,
    merging: VecDeque<SliceKey>,
    writer: Option<SpillWriter>,
}

impl Spill {
    pub(super) fn open(&mut self, context: &OperatorContext) {
        self.share = Some(context.memory.share());
        self.scales.open(context);
    }
}

impl WindowAggregate {
    /// Moves state to local disk if the job's state takes more memory than it may: the largest slices
    /// first, down to half of what this operator could hold if all held the same.
    pub(super) fn relieve(&mut self) -> Result<()> {
        if !self.spec.groups.splits() {
            return self.weigh();
        }
        if let Some(writer) = self.spill.writer.take() {
            return self.write_some(writer);
        }
        // Adding up many slices takes longer than a batch.
        self.spill.unweighed += 1;
        if self.spill.unweighed * SLICES_PER_BATCH < self.slices.len() {
            return Ok(());
        }
        self.spill.unweighed = 0;
        if !self.is_over_budget() {
            return Ok(());
        }
        let (mut left, enough) = (self.state_bytes(), self.enough());
        let mut sizes: Vec<(usize, SliceKey)> =
            self.slices.iter().map(|(key, slice)| (slice.memory_size(), *key)).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        for (size, key) in sizes {
            if left <= enough {
                break;
            }
            self.copy_out(key)?;
            if let Some(slice) = self.slices.get_mut(&key) {
                slice.freeze(&self.spec)?;
                left = left.saturating_sub(size);
                self.spill.writing.push_back(key);
            }
        }
        let Some(context) = &self.context else { return Ok(()) };
        let writer = context.spill.create()?;
        self.write_some(writer)
    }

    /// State that cannot be moved to local disk.
    fn weigh(&mut self) -> Result<()> {
        if !self.spill.scales.is_due() {
            return Ok(());
        }
        let groups = self.slices.values().map(SliceState::entries).sum();
        self.spill.scales.weigh(self.state_bytes(), groups, "groups of windows over changes")
    }

    /// Reports what is held; true if something should be moved to local disk.
    fn is_over_budget(&mut self) -> bool {
        let bytes = self.state_bytes();
        self.spill.share.as_mut().is_some_and(|share| share.report(bytes))
    }

    /// What this operator may go on to hold.
    fn enough(&self) -> usize {
        self.spill.share.as_ref().map_or(usize::MAX, |share| share.equal_part() / 2)
    }

    /// Writes the next portion.
    fn write_some(&mut self, mut writer: SpillWriter) -> Result<()> {
        if let Some(key) = self.spill.writing.front().copied() {
            let slice = self.slices.get_mut(&key);
            let done = match slice {
                Some(slice) => slice.write_some(key, GROUPS_AT_ONCE, &self.spec, &mut writer)?,
                None => true,
            };
            if done {
                self.spill.writing.pop_front();
                self.spill.merging.push_back(key);
            }
            if self.spill.writing.is_empty() {
                self.is_over_budget();
            }
        } else if let Some(key) = self.spill.merging.front().copied() {
            let slice = self.slices.get_mut(&key).filter(|slice| slice.wants_merge());
            match slice {
                Some(slice) => slice.merge_some(key, GROUPS_AT_ONCE, &self.spec, &mut writer)?,
                None => drop(self.spill.merging.pop_front()),
            }
        }
        if !self.spill.writing.is_empty() || !self.spill.merging.is_empty() {
            self.spill.writer = Some(writer);
        }
        Ok(())
    }
}
