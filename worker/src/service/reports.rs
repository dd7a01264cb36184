//! Reports that the leader has not acknowledged: kept to be sent again on a new stream.

use std::collections::VecDeque;

use tidegate_proto::internal::v1 as wire;

/// Reports that are kept. A task waits with its report while there are as many; a checkpoint is some per task.
pub(super) const CAPACITY: usize = 4096;

/// The reports of a process, numbered.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    last: u64,
    waiting: VecDeque<wire::Report>,
}

impl Unacknowledged {
    /// Numbers a report and keeps it.
    pub(super) fn push(&mut self, mut report: wire::Report) -> wire::Report {
        self.last += 1;
        report.sequence = self.last;
        self.waiting.push_back(report.clone());
        report
    }

    /// Forgets what the leader has.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        while self.waiting.front().is_some_and(|report| report.sequence <= sequence) {
            self.waiting.pop_front();
        }
    }

    /// Whether no more should be taken for now.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= CAPACITY
    }

    /// What is to be sent on a new stream.
    pub(super) fn iter(&self) -> impl Iterator<Item = &wire::Report> {
        self.waiting.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_is_kept_in_order() {
        let mut reports = Unacknowledged::default();
        for attempt in 1..=3 {
            reports.push(wire::Report { attempt, ..wire::Report::default() });
        }
        reports.acknowledge(1);
        let kept: Vec<(u64, u64)> = reports.iter().map(|r| (r.sequence, r.attempt)).collect();
        assert_eq!(kept, [(2, 2), (3, 3)]);
        reports.acknowledge(9);
        assert_eq!(reports.push(wire::Report::default()).sequence, 4);
    }
}
