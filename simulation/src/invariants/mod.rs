//! What must hold, whatever goes wrong: one invariant to a file.

mod acknowledged;
mod agreement;
mod checkpoints;
mod commits;
mod each_once;
mod linearizable;
mod one_leader;
mod one_run;
mod records;
mod same_state;
mod stops;
mod terms;

use std::time::Duration;

use tidegate_coordinator::raft::Metadata;

use crate::history::{Applied, Call};
use crate::kernel::HostId;
use crate::outside::feed::Feed;
use crate::outside::store::SimulatedStore;
use crate::outside::target::Visible;

/// Whether it holds; what is wrong if not.
pub(crate) type Verdict = Result<(), String>;

/// A coordinator that runs.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) host: HostId,
    /// Number of its process, over all processes of the world.
    pub(crate) process: u64,
    pub(crate) metadata: Metadata,
}

/// A process whose disk has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedDisk {
    pub(crate) host: HostId,
    pub(crate) process: u64,
    pub(crate) since: Duration,
}

/// What can be seen of the world at a moment.
pub(crate) struct View<'a> {
    pub(crate) now: Duration,
    pub(crate) live: &'a [Live],
    pub(crate) calls: &'a [Call],
    pub(crate) store: &'a SimulatedStore,
    pub(crate) failed_disks: &'a [FailedDisk],
    /// What there is to read; none where there is no job.
    pub(crate) feed: Option<Feed>,
}

/// Something that must hold. Every method may say that it does not.
pub(crate) trait Invariant {
    /// Its name, which is also that of its file.
    fn name(&self) -> &'static str;

    /// A node has applied an entry.
    fn on_applied(&mut self, _: &Applied) -> Verdict {
        Ok(())
    }

    /// A call has ended.
    fn on_call(&mut self, _: &Call) -> Verdict {
        Ok(())
    }

    /// A row has become visible.
    fn on_visible(&mut self, _: &Visible) -> Verdict {
        Ok(())
    }

    /// Some time has passed.
    fn on_look(&mut self, _: &View<'_>) -> Verdict {
        Ok(())
    }

    /// Everything has come to rest.
    fn at_end(&mut self, _: &View<'_>) -> Verdict {
        Ok(())
    }
}

/// All of them. Rows of a job without a catalog have no records to be compared with.
pub(crate) fn all(with_catalog: bool) -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(agreement::Agreement::default()),
        Box::new(terms::Terms),
        Box::new(one_leader::OneLeader::default()),
        Box::new(acknowledged::Acknowledged::default()),
        Box::new(linearizable::Linearizable),
        Box::new(records::Records::default()),
        Box::new(one_run::OneRun),
        Box::new(checkpoints::Checkpoints::default()),
        Box::new(commits::Commits::new(with_catalog)),
        Box::new(each_once::EachOnce::default()),
        Box::new(same_state::SameState::default()),
        Box::new(stops::Stops),
    ]
}

/// Commands of an entry that were applied and not refused, with their answers.
pub(crate) fn accepted(
    applied: &Applied,
) -> impl Iterator<Item = (&tidegate_coordinator::raft::Proposed, &tidegate_catalog::Response)> {
    let outcomes = match &applied.outcome {
        tidegate_coordinator::raft::Outcome::Commands(outcomes) => outcomes.as_slice(),
        tidegate_coordinator::raft::Outcome::Nothing => &[],
    };
    let pairs = applied.commands.iter().zip(outcomes);
    pairs.filter_map(|(command, outcome)| Some((command, outcome.as_ref().ok()?)))
}
