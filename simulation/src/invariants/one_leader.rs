//! A leader is one process for the whole of its lead, and of two leaders in a term only the later one counts.
//!
//! The Raft library orders leaders by term and then by their number: a node may depose one of a smaller number in the same
//! term. So a term's leaders come in the order of their numbers, and none leads by way of two processes.

use std::collections::BTreeMap;

use super::{Invariant, Verdict, View};
use crate::kernel::HostId;

/// By term, the hosts that led in it, each with its process.
#[derive(Default)]
pub(super) struct OneLeader(BTreeMap<u64, BTreeMap<HostId, u64>>);

impl Invariant for OneLeader {
    fn name(&self) -> &'static str {
        "one_leader"
    }

    fn on_look(&mut self, view: &View<'_>) -> Verdict {
        for live in view.live {
            let (leads, term) = {
                let leadership = live.metadata.leadership();
                let now = leadership.borrow();
                (now.is_self, now.term)
            };
            if !leads {
                continue;
            }
            let leaders = self.0.entry(term).or_default();
            let last = leaders.last_key_value().map(|(host, _)| *host);
            let known = leaders.get(&live.host).copied();
            let good = match known {
                Some(process) => process == live.process,
                None => last.is_none_or(|last| last < live.host),
            };
            if !good {
                return Err(format!(
                    "term {term} is led by process {} of host {}; it was led by {leaders:?} (processes by host)",
                    live.process, live.host
                ));
            }
            leaders.insert(live.host, live.process);
        }
        Ok(())
    }
}
