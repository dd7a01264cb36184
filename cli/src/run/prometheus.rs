//! The metrics of the jobs of `tidegate run`.

use tidegate_runtime::telemetry::metrics::{Description, Family, Source};
use tidegate_worker::exposition;

use super::live::Board;

/// Metrics of the jobs on a board.
pub(crate) struct OfBoard(pub(crate) Board);

impl Source for OfBoard {
    fn descriptions(&self) -> Vec<Description> {
        exposition::descriptions()
    }

    fn collect(&self) -> Vec<Family> {
        let shown = self.0.with(|jobs| {
            let look = |job: &super::live::Shown| exposition::Shown {
                job: job.name.clone(),
                entries: job.metrics.borrow().entries(),
                checkpoints: Some(job.progress.borrow().checkpoints),
            };
            jobs.iter().map(look).collect::<Vec<_>>()
        });
        exposition::families(&shown)
    }
}
