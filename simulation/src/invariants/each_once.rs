//! Every row of the input is in the output once, and none that was not in the input.

use std::collections::BTreeMap;

use super::{Invariant, Verdict, View};
use crate::outside::target::{Row, Visible};

/// Rows that are visible, with what made them so.
#[derive(Default)]
pub(super) struct EachOnce(BTreeMap<Row, String>);

impl Invariant for EachOnce {
    fn name(&self) -> &'static str {
        "each_once"
    }

    fn on_visible(&mut self, visible: &Visible) -> Verdict {
        let by = format!(
            "epoch {} of writer {}, lineage {}, attempt {}",
            visible.epoch, visible.producer.2, visible.producer.0, visible.attempt
        );
        match self.0.insert(visible.row, by.clone()) {
            None => Ok(()),
            Some(before) => {
                Err(format!("row {:?} is visible twice: by {before} and by {by}", visible.row))
            }
        }
    }

    fn at_end(&mut self, view: &View<'_>) -> Verdict {
        let Some(feed) = view.feed else { return Ok(()) };
        let all = (0..feed.partitions as i32)
            .flat_map(|partition| (0..feed.rows as i64).map(move |number| (partition, number)));
        let mut missing = all.filter(|row| !self.0.contains_key(row));
        if let Some(row) = missing.next() {
            return Err(format!("row {row:?} and {} others were lost", missing.count()));
        }
        let all = u64::from(feed.partitions) * feed.rows;
        if self.0.len() as u64 != all {
            return Err(format!("{} rows are visible, {all} were sent", self.0.len()));
        }
        Ok(())
    }
}
