//! What invariants are shown, and whether everything works.

use tidegate_catalog::Catalog;

use super::World;
use crate::clients;
use crate::history::Answered;
use crate::invariants::{Invariant, Live, Verdict, View};

/// Calls that must be answered after the faults.
const SERVED: usize = 6;

impl World {
    /// Shows invariants what has happened.
    pub(super) fn pass_on(&mut self) -> Result<(), (String, String)> {
        let told = |invariant: &dyn Invariant, verdict: Verdict| {
            verdict.map_err(|message| (invariant.name().to_owned(), message))
        };
        for applied in self.history.take_applied() {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_applied(&applied);
                told(invariant.as_ref(), verdict)?;
            }
        }
        let visible = self.target.visible_from(self.seen);
        self.seen += visible.len();
        for visible in visible {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_visible(&visible);
                told(invariant.as_ref(), verdict)?;
            }
        }
        for call in self.history.take_ended() {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_call(&call);
                told(invariant.as_ref(), verdict)?;
            }
        }
        Ok(())
    }

    pub(super) fn judge(
        &mut self,
        ask: impl Fn(&mut dyn Invariant, &View<'_>) -> Verdict,
        calls: &[crate::history::Call],
    ) -> Result<(), (String, String)> {
        let live = self.living();
        let view = View {
            now: self.kernel.now(),
            live: &live,
            calls,
            store: &self.store,
            failed_disks: &self.failed_disks,
            feed: self.clients.version.as_ref().map(|_| self.scenario.feed),
        };
        for invariant in &mut self.invariants {
            ask(invariant.as_mut(), &view)
                .map_err(|message| (invariant.name().to_owned(), message))?;
        }
        Ok(())
    }

    /// Whether everything that was asked for is done, and the cluster serves.
    pub(super) fn is_complete(&self) -> bool {
        let live = self.living();
        let all = live.len() == self.machines.len();
        let with_job = self.clients.version.is_some();
        let feed = self.scenario.feed;
        let rows = self.target.visible() as u64 == u64::from(feed.partitions) * feed.rows;
        if self.is_embedded() {
            return self.finished;
        }
        all && live.iter().any(|live| live.metadata.leadership().borrow().is_self)
            && (!with_job
                || rows && live.iter().all(|live| live.metadata.peek(clients::has_finished)))
            && self.served()
    }

    /// Whether calls that began after the faults were answered.
    pub(super) fn served(&self) -> bool {
        let calls = self.history.calls();
        let since = calls.iter().skip(self.calls_before_calm);
        since.filter(|call| matches!(call.ended, Some((_, Answered::At(_))))).count() >= SERVED
    }

    /// Whether all nodes have applied as much.
    pub(super) fn agrees(&self) -> bool {
        let live = self.living();
        let mut revisions = live.iter().map(|live| live.metadata.peek(Catalog::revision));
        let first = revisions.next();
        revisions.all(|revision| Some(revision) == first)
    }

    pub(super) fn what_is_missing(&self) -> String {
        let live = self.living();
        let of = |live: &Live| {
            let run = live.metadata.peek(|catalog| {
                let run = catalog.last_run(&clients::job());
                run.map(|run| format!("{} {} {:?}", run.name, run.state, run.last_failure))
            });
            let leadership = live.metadata.leadership();
            let led = leadership.borrow().clone();
            let revision = live.metadata.peek(Catalog::revision);
            format!(
                "c{}: leader {:?} in term {}, revision {revision}, {run:?}",
                live.host, led.leader, led.term
            )
        };
        let nodes: Vec<_> = live.iter().map(of).collect();
        format!(
            "{} s after the faults ended not everything works: {} rows are visible; served: {}; {}",
            self.scenario.patience.as_secs(),
            self.target.visible(),
            self.served(),
            nodes.join("; ")
        )
    }
}
