//! What runs on this worker: one run per job at most, and the newest attempt that was ever told of each.

use std::collections::BTreeMap;

use tidegate_checkpoint::task::{Control, ReportKind, TaskEvent};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::task_status::State;
use tidegate_proto::tasks::subtask_to_wire;
use tidegate_runtime::{Refused, refused};
use tidegate_types::{Attempt, Error, ErrorCode, Result, SubtaskId};

use super::metrics::WorkerMetrics;
use super::traces::RunTraces;
use crate::host::RunningTasks;

/// Jobs of which the newest attempt is remembered after their run has ended.
const REMEMBERED: usize = 100_000;

/// A run on this worker.
pub(super) struct Hosted {
    pub(super) attempt: Attempt,
    pub(super) facts: wire::RunFacts,
    /// None while it is being made or ended.
    pub(super) tasks: Option<RunningTasks>,
    traces: RunTraces,
    statuses: BTreeMap<SubtaskId, State>,
}

/// The runs of a process.
#[derive(Default)]
pub(super) struct Runs {
    /// For exporters.
    pub(super) shown: WorkerMetrics,
    hosted: BTreeMap<String, Hosted>,
    newest: BTreeMap<String, Attempt>,
}

impl Runs {
    /// Makes room for a run, or refuses it if it is not newer than what is known of the job. Returns the run that it
    /// replaces.
    ///
    /// # Errors
    /// `FENCED` for an attempt that is not newer.
    pub(super) fn begin(
        &mut self,
        job: &str,
        attempt: Attempt,
        facts: wire::RunFacts,
        own: impl Iterator<Item = SubtaskId>,
        traces: RunTraces,
    ) -> Result<Option<Hosted>> {
        // The attempt check: a run that was replaced elsewhere never comes back.
        let known = self.newest.get(job).copied().unwrap_or(Attempt(0));
        if attempt <= known {
            let message =
                format!("deploy attempt {attempt} of {job}: attempt {known} is known here already");
            refused(Refused::Deployment, &message);
            return Err(Error::new(ErrorCode::Fenced, message));
        }
        if self.newest.len() >= REMEMBERED {
            self.newest.retain(|job, _| self.hosted.contains_key(job));
        }
        self.newest.insert(job.to_owned(), attempt);
        self.shown.hide(job);
        let statuses = own.map(|subtask| (subtask, State::Starting)).collect();
        let hosted = Hosted { attempt, facts, tasks: None, traces, statuses };
        Ok(self.hosted.insert(job.to_owned(), hosted))
    }

    /// Puts the tasks of a run in; gives them back if the run was ended in the meantime.
    pub(super) fn begun(
        &mut self,
        job: &str,
        attempt: Attempt,
        tasks: RunningTasks,
    ) -> Option<RunningTasks> {
        match self.hosted.get_mut(job).filter(|hosted| hosted.attempt == attempt) {
            Some(hosted) => {
                hosted.traces.started(None);
                self.shown.show(job, tasks.metrics.clone(), tasks.shuffle_metrics());
                hosted.tasks = Some(tasks);
                None
            }
            None => Some(tasks),
        }
    }

    /// Takes a run out whose tasks could not be made.
    pub(super) fn failed(&mut self, job: &str, attempt: Attempt, error: &Error) {
        if let Some(hosted) = self.end(job, attempt) {
            hosted.traces.started(Some(error.to_string()));
        }
    }

    /// Takes a run out.
    pub(super) fn end(&mut self, job: &str, attempt: Attempt) -> Option<Hosted> {
        let is_it = self.hosted.get(job).is_some_and(|hosted| hosted.attempt == attempt);
        if !is_it {
            return None;
        }
        self.shown.hide(job);
        self.hosted.remove(job)
    }

    /// Tells the tasks of a run something. An attempt that does not run here hears nothing: it has ended, and what it
    /// reported says so.
    ///
    /// # Errors
    /// As [`RunningTasks::tell_all`].
    pub(super) fn tell(&mut self, job: &str, attempt: Attempt, control: &Control) -> Result<()> {
        let hosted = self.hosted.get_mut(job).filter(|hosted| hosted.attempt == attempt);
        let Some(Hosted { tasks: Some(tasks), traces, .. }) = hosted else { return Ok(()) };
        traces.told(control);
        tasks.tell_all(control)
    }

    /// A task of a run, for reports about the whole.
    pub(super) fn first_task(&self, job: &str, attempt: Attempt) -> Option<SubtaskId> {
        let hosted = self.hosted.get(job).filter(|hosted| hosted.attempt == attempt)?;
        hosted.statuses.keys().next().copied()
    }

    /// Notes what a task reports.
    pub(super) fn note(&mut self, job: &str, event: &TaskEvent) {
        let hosted = self.hosted.get_mut(job).filter(|hosted| hosted.attempt == event.attempt);
        let Some(hosted) = hosted else { return };
        hosted.traces.reported(event);
        let Some(status) = hosted.statuses.get_mut(&event.report.subtask) else { return };
        match event.report.kind {
            ReportKind::Ready => *status = State::Ready,
            ReportKind::Ended => *status = State::Ended,
            ReportKind::Failed(_) => *status = State::Failed,
            _ => {}
        }
    }

    /// What there is, for registering.
    pub(super) fn statuses(&self) -> Vec<wire::RunStatus> {
        let run = |(job, hosted): (&String, &Hosted)| wire::RunStatus {
            job: job.clone(),
            attempt: hosted.attempt.0,
            tasks: hosted
                .statuses
                .iter()
                .map(|(subtask, state)| wire::TaskStatus {
                    subtask: Some(subtask_to_wire(*subtask)),
                    // Without its tasks in place it cannot be told anything yet.
                    state: match hosted.tasks {
                        Some(_) => (*state).into(),
                        None => State::Starting.into(),
                    },
                })
                .collect(),
            facts: Some(hosted.facts.clone()),
        };
        self.hosted.iter().map(run).collect()
    }

    /// The runs.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Hosted)> {
        self.hosted.iter()
    }

    /// Takes every run out.
    pub(super) fn take_all(&mut self) -> Vec<Hosted> {
        std::mem::take(&mut self.hosted).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use tidegate_checkpoint::task::Report;
    use tidegate_types::TaskId;

    use super::*;

    const TASK: SubtaskId = SubtaskId { task: TaskId(0), index: 0 };

    fn begin(runs: &mut Runs, attempt: u64) -> Result<Option<Hosted>> {
        let traces = RunTraces::new("w", &wire::RunSpec::default());
        runs.begin("j", Attempt(attempt), wire::RunFacts::default(), [TASK].into_iter(), traces)
    }

    #[test]
    fn only_newer_attempts_are_taken_also_after_the_run_has_ended() {
        let mut runs = Runs::default();
        assert!(begin(&mut runs, 2).unwrap().is_none());
        assert_eq!(begin(&mut runs, 2).err().unwrap().code(), ErrorCode::Fenced);
        assert!(runs.end("j", Attempt(1)).is_none());
        assert_eq!(begin(&mut runs, 3).unwrap().unwrap().attempt, Attempt(2));
        assert!(runs.end("j", Attempt(3)).is_some());
        assert_eq!(begin(&mut runs, 1).err().unwrap().code(), ErrorCode::Fenced);
    }

    #[test]
    fn reports_of_the_hosted_attempt_count_once_its_tasks_are_there() {
        let mut runs = Runs::default();
        begin(&mut runs, 1).unwrap();
        let event = |attempt: u64, kind| TaskEvent {
            attempt: Attempt(attempt),
            report: Report { subtask: TASK, kind },
        };
        runs.note("j", &event(2, ReportKind::Ended));
        let state = |runs: &Runs| runs.hosted["j"].statuses[&TASK];
        assert_eq!(state(&runs), State::Starting);
        runs.note("j", &event(1, ReportKind::Ready));
        assert_eq!(state(&runs), State::Ready);
        let told = runs.statuses()[0].tasks[0].state();
        assert_eq!(told, State::Starting, "its tasks cannot be told anything yet");
    }
}
