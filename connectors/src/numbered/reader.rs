//! Reads the splits of one subtask: always from the split that is furthest behind, so that splits
//! advance together.

use std::time::Duration;

use async_trait::async_trait;
use tidegate_engine::connector::{Read, ReaderContext, SourceReader, Split};
use tidegate_types::Result;

use super::split::SplitState;
use super::{Emission, Layout, Rows};
use crate::env::WallClock;

/// Generates the rows of some splits.
pub(crate) struct Reader<R> {
    rows: R,
    emission: Emission,
    clock: WallClock,
    batch_rows: u64,
    linger: Duration,
    splits: Vec<Progress>,
    /// What must be added to a row's time to get the wall-clock time at which it is due; set by the
    /// first read.
    due_offset_ms: Option<i64>,
}

struct Progress {
    id: String,
    state: SplitState,
    finished: bool,
}

impl<R: Rows> Reader<R> {
    /// A reader without splits.
    pub(crate) fn new(
        rows: R,
        emission: Emission,
        clock: WallClock,
        context: &ReaderContext,
    ) -> Self {
        Self {
            rows,
            emission,
            clock,
            batch_rows: context.batch_rows.max(1) as u64,
            linger: context.linger,
            splits: Vec::new(),
            due_offset_ms: None,
        }
    }

    /// Marks a split that has come to its end and says which.
    fn finish_one(&mut self) -> Option<usize> {
        if self.emission.keep_alive {
            return None;
        }
        // Where no number gives a row there is nothing to wait for.
        let barren = self.emission.is_bounded() && self.rows.numbers_for(self.batch_rows).is_none();
        let end = self.emission.end;
        let ended = |split: &Progress| !split.finished && (split.state.next >= end || barren);
        let index = self.splits.iter().position(ended)?;
        self.splits[index].finished = true;
        Some(index)
    }

    /// The unfinished split whose next row is the earliest, and how many numbers its next batch takes.
    fn choose(&self) -> Option<(usize, u64)> {
        let end = self.emission.end;
        let most = self.rows.numbers_for(self.batch_rows)?;
        let open = self
            .splits
            .iter()
            .enumerate()
            .filter(|(_, split)| !split.finished && split.state.next < end);
        let (index, split) = open.min_by_key(|(_, split)| split.state.next)?;
        let SplitState { layout, next, .. } = &split.state;
        let count = even_parts(layout.chunk, most).min(layout.left_in_chunk(*next)).min(end - next);
        Some((index, count))
    }

    /// Waits until the row `next` is due, and up to the linger time for the `count` − 1 behind it.
    /// Returns how many are due then, at least one.
    async fn wait_for(&mut self, layout: Layout, next: u64, count: u64) -> u64 {
        let mut now = (self.clock)();
        let rows = &self.rows;
        let offset = *self.due_offset_ms.get_or_insert_with(|| {
            // A restore goes on as if the round that it is in had just begun.
            let round = next / layout.round() * layout.round();
            now.saturating_sub(rows.due_ms(round))
        });
        let due = |number: u64| self.rows.due_ms(number).saturating_add(offset);
        let linger = i64::try_from(self.linger.as_millis()).unwrap_or(i64::MAX);
        let until = due(next + count - 1).min(due(next).saturating_add(linger));
        while now < until {
            // Repeated, since the wall clock may be behind the timer by a fraction of a millisecond.
            let wait = Duration::from_millis(until.abs_diff(now));
            tokio::time::sleep(wait).await;
            now = (self.clock)();
        }
        let (mut least, mut most) = (1, count);
        while least < most {
            let middle = least + (most - least).div_ceil(2);
            if due(next + middle - 1) <= now {
                least = middle;
            } else {
                most = middle - 1;
            }
        }
        least
    }
}

/// The largest part not above `most` when a chunk is cut into parts that are about equal.
fn even_parts(chunk: u64, most: u64) -> u64 {
    chunk.div_ceil(chunk.div_ceil(most.max(1)))
}

#[async_trait]
impl<R: Rows + Sync> SourceReader for Reader<R> {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let state = SplitState::decode(&split, self.rows.name(), self.rows.shape())?;
            self.splits.push(Progress { id: split.id, state, finished: split.finished });
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        loop {
            if let Some(split) = self.finish_one() {
                return Ok(Read::Finished { split });
            }
            let Some((split, mut count)) = self.choose() else {
                std::future::pending::<()>().await;
                continue;
            };
            let (layout, next) = (self.splits[split].state.layout, self.splits[split].state.next);
            if self.emission.paced {
                count = self.wait_for(layout, next, count).await;
            }
            // No await between these two: a dropped future has not moved a position.
            let rows = self.rows.generate(next, next + count)?;
            self.splits[split].state.next = layout.advance(next, count);
            if let Some(rows) = rows {
                return Ok(Read::Batch { split, rows, kinds: None });
            }
            tokio::task::yield_now().await;
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        self.splits
            .iter()
            .map(|split| split.state.encode(split.id.clone(), split.finished))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_allowed_and_even() {
        assert_eq!(even_parts(4_400, 8_900), 4_400);
        assert_eq!(even_parts(4_400, 4_450), 4_400);
        assert_eq!(even_parts(4_400, 4_050), 2_200);
        assert_eq!(even_parts(4_400, 1_050), 880);
        assert_eq!(even_parts(4_400, 10), 10);
        assert_eq!(even_parts(4_400, 500), 489);
        assert_eq!(even_parts(1, 0), 1);
    }
}
