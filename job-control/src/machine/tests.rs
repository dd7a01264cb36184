//! Stories of a job, event by event.

use std::time::Duration;

use super::*;
use crate::protocol::Adopted;
use tidegate_plan::settings::RestartStrategy;
use tidegate_types::{JobId, TaskId};

fn task(index: u32) -> SubtaskId {
    SubtaskId { task: TaskId(0), index }
}

fn settings() -> ControlSettings {
    ControlSettings {
        interval: Some(Duration::from_millis(100)),
        min_pause: Duration::ZERO,
        timeout: Duration::from_secs(10),
        tolerable_failures: 1,
        retained: 1,
        restart: RestartStrategy::FixedDelay { attempts: 1, delay: Duration::from_millis(50) },
    }
}

/// A job with two tasks, of which the second has a sink, running since time 0.
fn running(staging: bool) -> Job {
    let record = JobRecord::new(JobId::from_name("j"), "lineage".into());
    let mut job = Job::new(record, settings());
    job.handle(0, 0.0, Event::Start(Vec::new()));
    deploy(&mut job, 0, staging);
    job
}

fn deploy(job: &mut Job, now: i64, staging: bool) {
    let attempt = job.record().attempt;
    let tasks = BTreeSet::from([task(0), task(1)]);
    let sinks = BTreeSet::from([task(1)]);
    job.handle(now, 0.0, Event::Deployed { attempt, tasks, sinks, staging });
    assert_eq!(job.handle(now, 0.0, Event::Ready { attempt, task: task(0) }), []);
    assert_eq!(
        job.handle(now, 0.0, Event::Ready { attempt, task: task(1) })[0],
        Action::StartSources
    );
}

fn completed(job: &Job, epoch: u64) -> CompletedCheckpoint {
    CompletedCheckpoint {
        epoch: Epoch(epoch),
        attempt: job.record().attempt,
        folder: "f".into(),
        manifest: format!("chk-{epoch}/_metadata"),
        digest: String::new(),
        savepoint: false,
        timestamp_ms: 0,
    }
}

fn acknowledge(job: &mut Job, now: i64, epoch: u64) -> Vec<Action> {
    let attempt = job.record().attempt;
    let epoch = Epoch(epoch);
    job.handle(now, 0.0, Event::Acknowledged { attempt, epoch, task: task(0) });
    job.handle(now, 0.0, Event::Acknowledged { attempt, epoch, task: task(1) })
}

fn complete(job: &mut Job, now: i64, epoch: u64) -> Vec<Action> {
    assert!(matches!(acknowledge(job, now, epoch)[..], [Action::WriteManifest { .. }]));
    let checkpoint = completed(job, epoch);
    let actions = job.handle(now, 0.0, Event::ManifestWritten(checkpoint));
    let attempt = job.record().attempt;
    job.handle(now, 0.0, Event::Committed { attempt, epoch: Epoch(epoch), task: task(1) });
    actions
}

#[test]
fn a_checkpoint_is_saved_before_sinks_commit_and_older_ones_are_discarded() {
    let mut job = running(false);
    assert_eq!(job.next_tick_ms(), Some(100));
    assert!(matches!(
        job.handle(100, 0.0, Event::Tick)[..],
        [Action::Trigger { epoch: Epoch(1), .. }]
    ));
    let actions = complete(&mut job, 110, 1);
    assert!(
        matches!(&actions[..], [Action::Save(record), Action::Complete(Epoch(1))] if record.latest().unwrap().epoch == Epoch(1))
    );
    job.handle(200, 0.0, Event::Tick);
    let actions = complete(&mut job, 210, 2);
    assert!(matches!(&actions[2], Action::Discard(old) if old[0].epoch == Epoch(1)));
}

#[test]
fn a_failure_restarts_from_the_last_complete_checkpoint_and_fences_the_old_attempt() {
    let mut job = running(false);
    job.handle(100, 0.0, Event::Tick);
    complete(&mut job, 110, 1);
    job.handle(200, 0.0, Event::Tick);
    let old = job.record().attempt;
    let error = Error::new(ErrorCode::Unavailable, "broker gone");
    let actions = job.handle(210, 0.0, Event::Failed { attempt: old, error });
    assert!(matches!(
        &actions[..],
        [
            Action::Save(_),
            Action::KillTasks,
            Action::Abandon { epoch: Epoch(2), .. },
            Action::AwaitRestart { at_ms: 260, .. }
        ]
    ));
    let actions = job.handle(260, 0.0, Event::Tick);
    assert!(
        matches!(&actions[1], Action::Deploy { attempt: Attempt(2), restore: Some(from) } if from.epoch == Epoch(1))
    );
    deploy(&mut job, 260, false);
    job.handle(400, 0.0, Event::Tick);
    let stale = Event::Acknowledged { attempt: old, epoch: Epoch(3), task: task(0) };
    assert_eq!(job.handle(400, 0.0, stale), []);
    let error = Error::new(ErrorCode::Unavailable, "again");
    let actions = job.handle(410, 0.0, Event::Failed { attempt: Attempt(2), error });
    assert!(matches!(
        actions.last(),
        Some(Action::Done(Outcome::Failed(ErrorCode::Unavailable, _)))
    ));
}

#[test]
fn a_bounded_job_that_stages_ends_with_a_checkpoint_taken_after_everything_ended() {
    let mut job = running(true);
    let attempt = job.record().attempt;
    job.handle(100, 0.0, Event::Tick);
    job.handle(101, 0.0, Event::Ended { attempt, task: task(0) });
    assert_eq!(job.handle(102, 0.0, Event::Ended { attempt, task: task(1) }), []);
    acknowledge(&mut job, 103, 1);
    let checkpoint = completed(&job, 1);
    job.handle(104, 0.0, Event::ManifestWritten(checkpoint));
    let actions =
        job.handle(105, 0.0, Event::Committed { attempt, epoch: Epoch(1), task: task(1) });
    assert!(matches!(actions[..], [Action::Trigger { epoch: Epoch(2), .. }]));
    acknowledge(&mut job, 106, 2);
    let checkpoint = completed(&job, 2);
    job.handle(107, 0.0, Event::ManifestWritten(checkpoint));
    let actions =
        job.handle(108, 0.0, Event::Committed { attempt, epoch: Epoch(2), task: task(1) });
    assert!(matches!(
        &actions[..],
        [Action::StopTasks { .. }, Action::Save(_), Action::Done(Outcome::Finished)]
    ));
}

#[test]
fn failed_checkpoints_are_tolerated_up_to_the_limit() {
    let mut job = running(false);
    job.handle(100, 0.0, Event::Tick);
    let timeout = job.next_tick_ms().unwrap();
    assert_eq!(timeout, 10_100);
    assert!(matches!(
        job.handle(timeout, 0.0, Event::Tick)[..],
        [Action::Abandon { .. }, Action::Save(_)]
    ));
    job.handle(timeout + 100, 0.0, Event::Tick);
    let attempt = job.record().attempt;
    let error = Error::new(ErrorCode::Unavailable, "store says 503");
    let actions =
        job.handle(timeout + 101, 0.0, Event::Declined { attempt, epoch: Epoch(2), error });
    assert!(matches!(
        &actions[..],
        [Action::Abandon { .. }, Action::Save(_), Action::KillTasks, Action::AwaitRestart { .. }]
    ));
}

#[test]
fn stop_with_savepoint_publishes_after_the_commit() {
    let mut job = running(true);
    let attempt = job.record().attempt;
    let actions = job.handle(10, 0.0, Event::SavepointRequested { stop: true, or_cancel: true });
    assert!(matches!(
        actions[..],
        [Action::Trigger { kind: CheckpointKind::StopWithSavepoint, .. }]
    ));
    acknowledge(&mut job, 20, 1);
    let savepoint = CompletedCheckpoint { savepoint: true, ..completed(&job, 1) };
    job.handle(30, 0.0, Event::ManifestWritten(savepoint));
    let actions = job.handle(40, 0.0, Event::Committed { attempt, epoch: Epoch(1), task: task(1) });
    assert!(matches!(
        &actions[..],
        [
            Action::PublishSavepoint(_),
            Action::StopTasks { safe: true },
            Action::Save(_),
            Action::Done(Outcome::Stopped(_))
        ]
    ));
}

#[test]
fn a_given_checkpoint_wins_over_the_record_only_until_there_is_a_newer_one() {
    let mut record = JobRecord::new(JobId::from_name("j"), "lineage".into());
    record.attempt = Attempt(4);
    record.last_epoch = Epoch(9);
    let mut job = Job::new(record, settings());
    let old = CompletedCheckpoint { attempt: Attempt(4), ..completed(&job, 9) };
    job.record.checkpoints.push(old.clone());
    let given = CompletedCheckpoint { attempt: Attempt(2), epoch: Epoch(3), ..old };
    let actions = job.handle(0, 0.0, Event::Start(vec![given]));
    assert!(
        matches!(&actions[1], Action::Deploy { restore: Some(from), .. } if from.epoch == Epoch(3))
    );
    deploy(&mut job, 0, false);
    job.handle(100, 0.0, Event::Tick);
    complete(&mut job, 110, 11);
    let error = Error::new(ErrorCode::Unavailable, "x");
    job.handle(120, 0.0, Event::Failed { attempt: Attempt(5), error });
    let actions = job.handle(500, 0.0, Event::Tick);
    assert!(
        matches!(&actions[1], Action::Deploy { restore: Some(from), .. } if from.epoch == Epoch(11))
    );
}

#[test]
fn a_damaged_checkpoint_gives_way_to_older_ones_until_there_is_none() {
    let mut job = running(false);
    for epoch in 1..=2 {
        job.handle(100 * epoch, 0.0, Event::Tick);
        complete(&mut job, 100 * epoch + 10, epoch as u64);
    }
    let mut kept: Vec<Epoch> = job.record().checkpoints.iter().map(|kept| kept.epoch).collect();
    let attempt = job.record().attempt;
    let error = Error::new(ErrorCode::Unavailable, "broker gone");
    job.handle(500, 0.0, Event::Failed { attempt, error });
    job.handle(1_000, 0.0, Event::Tick);
    while let Some(damaged) = kept.pop() {
        let attempt = job.record().attempt;
        let error = Error::new(ErrorCode::CorruptCheckpoint, "state file 2-2-x is damaged");
        let actions = job.handle(1_000, 0.0, Event::Failed { attempt, error });
        let Some(older) = kept.last().copied() else {
            assert!(matches!(
                actions.last(),
                Some(Action::Done(Outcome::Failed(ErrorCode::CorruptCheckpoint, _)))
            ));
            break;
        };
        assert_eq!(actions[0], Action::KillTasks);
        assert!(
            matches!(&actions[1], Action::FallBack { damaged: d, used, .. } if (*d, *used) == (damaged, older))
        );
        assert!(
            matches!(&actions[3], Action::Deploy { restore: Some(from), .. } if from.epoch == older)
        );
    }
}

#[test]
fn damage_that_is_found_while_the_job_runs_is_not_the_checkpoints() {
    let mut job = running(false);
    job.handle(100, 0.0, Event::Tick);
    complete(&mut job, 110, 1);
    let attempt = job.record().attempt;
    let error = Error::new(ErrorCode::CorruptCheckpoint, "?");
    let actions = job.handle(200, 0.0, Event::Failed { attempt, error });
    assert!(!actions.iter().any(|action| matches!(action, Action::FallBack { .. })), "{actions:?}");
}

#[test]
fn output_of_which_nobody_knows_whether_it_is_visible_is_no_reason_to_go_back() {
    let mut job = running(false);
    for epoch in 1..=2 {
        job.handle(100 * epoch, 0.0, Event::Tick);
        complete(&mut job, 100 * epoch + 10, epoch as u64);
    }
    let attempt = job.record().attempt;
    let error = Error::new(ErrorCode::Unavailable, "broker gone");
    job.handle(500, 0.0, Event::Failed { attempt, error });
    job.handle(1_000, 0.0, Event::Tick);
    let error = Error::new(ErrorCode::Corrupt, "a marker is missing");
    let actions = job.handle(1_000, 0.0, Event::Failed { attempt: job.record().attempt, error });
    assert!(
        matches!(actions.last(), Some(Action::Done(Outcome::Failed(ErrorCode::Corrupt, _)))),
        "{actions:?}"
    );
}

fn adopted(record: JobRecord) -> (Job, Vec<Action>) {
    let mut job = Job::new(record, settings());
    let tasks = BTreeSet::from([task(0), task(1)]);
    let sinks = BTreeSet::from([task(1)]);
    let adopted = Adopted { tasks, sinks, staging: true, ended: BTreeSet::new() };
    let actions = job.handle(1_000, 0.0, Event::Adopted(adopted));
    (job, actions)
}

#[test]
fn an_adopted_run_is_told_its_last_checkpoint_again_and_skips_the_one_that_was_under_way() {
    let mut job = running(true);
    job.handle(100, 0.0, Event::Tick);
    complete(&mut job, 110, 1);
    // The next one is under way when the driver is lost: no record knows of it.
    job.handle(210, 0.0, Event::Tick);
    let mut record = job.record().clone();
    record.last_epoch = Epoch(1);
    let (mut job, actions) = adopted(record);
    assert!(
        matches!(&actions[..], [Action::Save(saved), Action::Abort(Epoch(2)), Action::StartSources, Action::Complete(Epoch(1))] if saved.last_epoch == Epoch(2)),
        "{actions:?}"
    );
    assert_eq!(job.handle(2_000, 0.0, Event::Tick), [], "the sinks have not answered");
    let attempt = job.record().attempt;
    assert_eq!(attempt, Attempt(1), "the run goes on");
    let late = Event::Acknowledged { attempt, epoch: Epoch(2), task: task(0) };
    assert_eq!(job.handle(2_000, 0.0, late), []);
    job.handle(2_000, 0.0, Event::Committed { attempt, epoch: Epoch(1), task: task(1) });
    let actions = job.handle(2_000, 0.0, Event::Tick);
    assert!(matches!(actions[..], [Action::Trigger { epoch: Epoch(3), .. }]), "{actions:?}");
    assert!(matches!(complete(&mut job, 2_010, 3)[1], Action::Complete(Epoch(3))));
}

#[test]
fn an_adopted_run_without_a_checkpoint_of_its_own_just_goes_on() {
    let (mut job, actions) = adopted(running(true).record().clone());
    assert!(
        matches!(actions[..], [Action::Save(_), Action::Abort(Epoch(1)), Action::StartSources]),
        "{actions:?}"
    );
    let actions = job.handle(1_100, 0.0, Event::Tick);
    assert!(matches!(actions[..], [Action::Trigger { epoch: Epoch(2), .. }]), "{actions:?}");
}

#[test]
fn tasks_may_be_ready_before_it_is_known_which_there_are() {
    let mut job = Job::new(JobRecord::new(JobId::from_name("j"), "l".into()), settings());
    job.handle(0, 0.0, Event::Start(Vec::new()));
    let attempt = Attempt(1);
    for ready in [task(0), task(1)] {
        assert_eq!(job.handle(0, 0.0, Event::Ready { attempt, task: ready }), []);
    }
    let (tasks, sinks) = (BTreeSet::from([task(0), task(1)]), BTreeSet::from([task(1)]));
    let deployed = Event::Deployed { attempt, tasks, sinks, staging: false };
    assert_eq!(job.handle(0, 0.0, deployed), [Action::StartSources]);
}

#[test]
fn a_savepoint_that_fails_does_not_end_the_run_unless_the_job_was_to_stop() {
    for stop in [false, true] {
        let mut job = running(true);
        job.settings.tolerable_failures = 0;
        job.handle(10, 0.0, Event::SavepointRequested { stop, or_cancel: false });
        let error = Error::new(ErrorCode::Unavailable, "the store is full");
        let attempt = job.record().attempt;
        let declined = Event::Declined { attempt, epoch: Epoch(1), error };
        let actions = job.handle(20, 0.0, declined);
        let failed = |action: &Action| matches!(action, Action::SavepointFailed { .. });
        assert_eq!(actions.iter().any(failed), !stop, "{actions:?}");
        assert_eq!(actions.contains(&Action::KillTasks), stop, "{actions:?}");
        let kept = stop.then_some(CheckpointKind::StopWithSavepoint);
        assert_eq!(job.requested, kept, "what is to stop the job is tried again when it runs");
    }
}

#[test]
fn an_interrupted_connection_costs_the_checkpoint_under_way_and_nothing_else() {
    let mut job = running(true);
    job.handle(100, 0.0, Event::Tick);
    complete(&mut job, 110, 1);
    job.handle(10, 0.0, Event::SavepointRequested { stop: false, or_cancel: false });
    assert!(matches!(job.checkpoint, Some(InFlight { epoch: Epoch(2), .. })));
    let attempt = job.record().attempt;
    let resumed = || Event::Resumed { attempt, ended: BTreeSet::new() };
    let actions = job.handle(300, 0.0, resumed());
    assert!(matches!(
        &actions[..],
        [
            Action::Save(_),
            Action::Abandon { epoch: Epoch(2), .. },
            Action::StartSources,
            Action::Complete(Epoch(1))
        ]
    ));
    assert_eq!(
        job.record().last_epoch,
        Epoch(2),
        "a driver after this one must not give it out again"
    );
    let committed = Event::Committed { attempt, epoch: Epoch(1), task: task(1) };
    let actions = job.handle(310, 0.0, committed);
    assert!(
        matches!(
            actions[..],
            [Action::Trigger { epoch: Epoch(3), kind: CheckpointKind::Savepoint }]
        ),
        "the savepoint is still wanted: {actions:?}"
    );
    let old = Event::Resumed { attempt: Attempt(0), ended: BTreeSet::new() };
    assert_eq!(job.handle(320, 0.0, old), []);
    let mut deploying = Job::new(JobRecord::new(JobId::from_name("j"), "l".into()), settings());
    deploying.handle(0, 0.0, Event::Start(Vec::new()));
    assert_eq!(deploying.handle(1, 0.0, resumed())[1], Action::KillTasks);
}

#[test]
fn an_adopted_run_that_completed_nothing_goes_back_to_what_it_was_given() {
    let mut record = running(true).record().clone();
    let given = completed(&running(true), 7);
    record.origin = Some(given.clone());
    let (mut job, _) = adopted(record);
    let error = Error::new(ErrorCode::Unavailable, "a worker is gone");
    job.handle(1_010, 0.0, Event::Failed { attempt: Attempt(1), error });
    let actions = job.handle(1_100, 0.0, Event::Tick);
    assert!(
        matches!(&actions[1], Action::Deploy { attempt: Attempt(2), restore: Some(from) } if *from == given),
        "{actions:?}"
    );
}

#[test]
fn a_driver_leaves_after_a_checkpoint_that_was_triggered_for_it() {
    let mut job = running(true);
    job.handle(100, 0.0, Event::Tick);
    assert_eq!(job.handle(105, 0.0, Event::LeaveRequested), [], "a checkpoint is under way");
    assert!(matches!(acknowledge(&mut job, 110, 1)[..], [Action::WriteManifest { .. }]));
    let (attempt, checkpoint) = (job.record().attempt, completed(&job, 1));
    job.handle(110, 0.0, Event::ManifestWritten(checkpoint));
    let committed = |epoch| Event::Committed { attempt, epoch: Epoch(epoch), task: task(1) };
    let actions = job.handle(111, 0.0, committed(1));
    assert!(matches!(&actions[..], [Action::Trigger { epoch: Epoch(2), .. }]), "{actions:?}");
    assert!(matches!(acknowledge(&mut job, 112, 2)[..], [Action::WriteManifest { .. }]));
    let checkpoint = completed(&job, 2);
    job.handle(113, 0.0, Event::ManifestWritten(checkpoint));
    let actions = job.handle(114, 0.0, committed(2));
    let left = [Action::StopTasks { safe: true }, Action::KillTasks, Action::Done(Outcome::Left)];
    assert_eq!(actions, left, "its output is visible, and the job is not over");
    assert_eq!(job.record().status, JobStatus::Running);
}

#[test]
fn a_driver_leaves_with_the_next_checkpoint_if_one_fails_and_at_once_if_the_run_does() {
    let mut job = running(true);
    job.settings.tolerable_failures = 0;
    let actions = job.handle(50, 0.0, Event::LeaveRequested);
    assert!(matches!(&actions[..], [Action::Trigger { .. }]));
    let (attempt, error) = (job.record().attempt, Error::new(ErrorCode::Unavailable, "store"));
    let actions = job.handle(60, 0.0, Event::Declined { attempt, epoch: Epoch(1), error });
    assert!(!actions.contains(&Action::KillTasks), "the run is well: {actions:?}");
    let actions = job.handle(1_060, 0.0, Event::Tick);
    assert!(matches!(&actions[..], [Action::Trigger { epoch: Epoch(2), .. }]), "{actions:?}");
    let left = [Action::KillTasks, Action::Done(Outcome::Left)];
    let actions = complete_with(&mut job, 1_070, 2);
    assert!(actions.ends_with(&left), "{actions:?}");

    let mut job = running(true);
    job.handle(50, 0.0, Event::LeaveRequested);
    let error = Error::new(ErrorCode::Unavailable, "broker gone");
    let actions = job.handle(60, 0.0, Event::Failed { attempt, error });
    assert!(matches!(actions.last(), Some(Action::Done(Outcome::Left))), "{actions:?}");
    assert!(matches!(&actions[..2], [Action::Save(_), Action::KillTasks]), "{actions:?}");

    let record = JobRecord::new(JobId::from_name("j"), "lineage".into());
    let mut waits = Job::new(record, settings());
    waits.handle(0, 0.0, Event::Start(Vec::new()));
    assert_eq!(waits.handle(1, 0.0, Event::LeaveRequested), left, "nothing runs yet");
}

#[test]
fn a_stop_that_was_asked_for_before_the_driver_leaves_ends_the_job() {
    let mut job = running(false);
    job.handle(10, 0.0, Event::LeaveRequested);
    job.handle(11, 0.0, Event::SavepointRequested { stop: true, or_cancel: false });
    complete(&mut job, 20, 1);
    let actions = complete_with(&mut job, 30, 2);
    assert!(matches!(actions.last(), Some(Action::Done(Outcome::Stopped(_)))), "{actions:?}");
}

/// As [`complete`], with what follows the commit.
fn complete_with(job: &mut Job, now: i64, epoch: u64) -> Vec<Action> {
    acknowledge(job, now, epoch);
    let checkpoint = completed(job, epoch);
    job.handle(now, 0.0, Event::ManifestWritten(checkpoint));
    let attempt = job.record().attempt;
    job.handle(now, 0.0, Event::Committed { attempt, epoch: Epoch(epoch), task: task(1) })
}
