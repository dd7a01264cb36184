//! Records on their way to the brokers, by the checkpoint before which they were written.
//!
//! A checkpoint waits for the acknowledgement of what was written before its barrier while later
//! records are on their way too. A task has one checkpoint under way at a time, so two counts are
//! enough: of the records before the barrier, and of those behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

/// Which of the two counts a record belongs to; what a client carries for each record.
pub(super) type Side = usize;

/// Of records for which no checkpoint waits: those of transactions, whose commit waits for them.
pub(super) const UNCOUNTED: Side = 2;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    counts: [AtomicI64; 2],
    none: Notify,
}

impl InFlight {
    /// A record is handed to the client.
    pub(super) fn add(&self, side: Side) {
        if let Some(count) = self.counts.get(side) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A record is acknowledged, given up, or was not taken.
    pub(super) fn remove(&self, side: Side) {
        if self.counts.get(side).is_some_and(|count| count.fetch_sub(1, Ordering::AcqRel) == 1) {
            self.none.notify_waiters();
        }
    }

    /// Waits until no record of a side is on its way.
    pub(super) async fn wait(self: Arc<Self>, side: Side) {
        loop {
            let none = self.none.notified();
            tokio::pin!(none);
            // Registered before looking, so that a count that reaches zero in between is not missed.
            none.as_mut().enable();
            if self.counts.get(side).is_none_or(|count| count.load(Ordering::Acquire) <= 0) {
                return;
            }
            none.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn waits_for_one_side_only() {
        let in_flight = Arc::new(InFlight::default());
        in_flight.add(0);
        in_flight.add(0);
        in_flight.add(1);
        let waiting = tidegate_runtime::spawn("wait", in_flight.clone().wait(0));
        tokio::time::sleep(Duration::from_millis(5)).await;
        in_flight.remove(0);
        assert!(!waiting.is_finished());
        in_flight.remove(UNCOUNTED);
        in_flight.remove(0);
        waiting.await.unwrap();
    }
}
