//! Weighing state that stays in memory against the job's budget.

use tidegate_types::{Error, ErrorCode, Result};

use crate::memory::MemoryShare;
use crate::operator::OperatorContext;

/// Batches between two looks at the memory.
const WEIGH_EVERY: u32 = 16;

/// An operator's part of the budget.
#[derive(Default)]
pub(crate) struct Scales {
    share: Option<MemoryShare>,
    batches: u32,
}

impl Scales {
    /// Learns the budget.
    pub(crate) fn open(&mut self, context: &OperatorContext) {
        self.share = Some(context.memory.share());
    }

    /// Counts a batch; whether the state is to be weighed after it.
    pub(crate) fn is_due(&mut self) -> bool {
        self.batches += 1;
        self.batches.is_multiple_of(WEIGH_EVERY)
    }

    /// Reports that `count` of `what` take `bytes`.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if that is too much.
    pub(crate) fn weigh(&mut self, bytes: usize, count: usize, what: &str) -> Result<()> {
        match self.share.as_mut().is_some_and(|share| share.report(bytes)) {
            true => Err(too_large(what, count, bytes)),
            false => Ok(()),
        }
    }
}

/// The error of state that does not fit into the job's memory.
fn too_large(what: &str, count: usize, bytes: usize) -> Error {
    let message = format!(
        "{count} {what} take {} MiB, which with the job's other state exceeds its memory on this worker",
        bytes >> 20
    );
    Error::new(ErrorCode::ResourceExhausted, message).help(
        "raise 'taskmanager.memory.managed.size', spread the job over more workers, or let state expire with 'table.exec.state.ttl'",
    )
}
