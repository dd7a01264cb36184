//! A term has one leader, and that is one process.

use std::collections::BTreeMap;

use super::{Invariant, Verdict, View};

/// Host and process that led in a term.
#[derive(Default)]
pub(super) struct OneLeader(BTreeMap<u64, (u32, u64)>);

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
            let this = (live.host, live.process);
            let known = *self.0.entry(term).or_insert(this);
            if known != this {
                return Err(format!(
                    "term {term} is led by process {} of host {} and was led by process {} of host {}",
                    this.1, this.0, known.1, known.0
                ));
            }
        }
        Ok(())
    }
}
