//! The power fails at every single write and sync of a log's life. What was acknowledged must be there afterwards; what
//! was under way is there whole or not at all.

use super::*;
use crate::raft::disk::{Disk, Trouble, Unsynced};

const UNSYNCED: [Unsynced; 6] = [
    Unsynced::Lost,
    Unsynced::Kept,
    Unsynced::Torn(1),
    Unsynced::Torn(2),
    Unsynced::Torn(3),
    Unsynced::Reordered(4),
];

/// One step of a log's life.
#[derive(Debug, Clone)]
enum Step {
    Vote(u64),
    Append(u64, std::ops::Range<u64>),
    Truncate(u64, u64),
    Purge(u64, u64),
}

/// Elections, single entries, batches, a conflict, purges.
fn life() -> Vec<Step> {
    use Step::{Append, Purge, Truncate, Vote};
    vec![
        Vote(1),
        Append(1, 0..1),
        Append(1, 1..2),
        Append(1, 2..10),
        Purge(1, 3),
        Append(1, 10..60),
        Vote(2),
        Truncate(1, 40),
        Append(2, 40..41),
        Append(2, 41..42),
        Append(2, 42..90),
        Purge(2, 50),
        Vote(3),
        Append(3, 90..91),
        Append(3, 91..92),
        Purge(3, 91),
        Append(3, 92..95),
    ]
}

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: Vec<Entry>,
}

impl Model {
    fn after(&self, step: &Step) -> Self {
        let mut model = self.clone();
        match step {
            Step::Vote(term) => model.vote = Some(Vote::new(*term, 1)),
            Step::Append(term, range) => {
                model.entries.extend(range.clone().map(|index| entry(*term, index)));
            }
            Step::Truncate(_, from) => model.entries.retain(|entry| entry.log_id.index < *from),
            Step::Purge(term, upto) => {
                model.purged = Some(id(*term, *upto));
                model.entries.retain(|entry| entry.log_id.index > *upto);
            }
        }
        model
    }

    async fn read(log: &mut LogStore) -> Self {
        let state = log.get_log_state().await.unwrap();
        let entries = log.try_get_log_entries(..).await.unwrap();
        let last = entries.last().map(|entry| entry.log_id).or(state.last_purged_log_id);
        assert_eq!(state.last_log_id, last);
        Self { vote: log.read_vote().await.unwrap(), purged: state.last_purged_log_id, entries }
    }
}

async fn take(log: &mut LogStore, step: &Step) -> Result<(), StorageError> {
    match step {
        Step::Vote(term) => log.save_vote(&Vote::new(*term, 1)).await,
        Step::Append(term, range) => {
            let entries: Vec<_> = range.clone().map(|index| entry(*term, index)).collect();
            log.blocking_append(entries).await
        }
        Step::Truncate(term, from) => log.truncate(id(*term, *from)).await,
        Step::Purge(term, upto) => log.purge(id(*term, *upto)).await,
    }
}

/// How many operations it takes to make a log. A cut among them leaves a file under another name, which is thrown away.
fn making() -> usize {
    let disk = Disk::empty();
    let log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
    let operations = disk.operations();
    drop(log);
    operations
}

/// Lives until something fails. Answers what was acknowledged last, and what it would be after the step under way.
async fn live(disk: &Disk) -> (Model, Model) {
    let mut known = Model::default();
    let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
    for step in life() {
        let next = known.after(&step);
        if take(&mut log, &step).await.is_err() {
            return (known, next);
        }
        known = next;
    }
    (known.clone(), known)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_at_any_step() {
    let disk = Disk::empty();
    let (whole, _) = live(&disk).await;
    assert_eq!(whole.entries.len(), 3);
    let operations = disk.operations();
    assert!(operations > 60, "{operations} operations");
    let (mut before, mut after) = (0, 0);
    for at in making()..operations {
        let disk = Disk::with(Vec::new(), Trouble::PowerCut(at));
        let (known, next) = live(&disk).await;
        for unsynced in UNSYNCED {
            let place = format!("power cut at operation {at} of {operations}, {unsynced:?}");
            let bytes = disk.after_power_cut(unsynced);
            let mut log = LogStore::open(Disk::with(bytes, Trouble::None), 1, Execution::Inline)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            let found = Model::read(&mut log).await;
            assert!(found == known || found == next, "{place}: neither before nor after the step");
            if found == known {
                before += 1
            } else {
                after += 1
            }
            // It can go on.
            let term = found.vote.map_or(1, |vote| vote.leader_id().term + 1);
            log.save_vote(&Vote::new(term, 1)).await.unwrap();
        }
    }
    println!(
        "{operations} operations, {} power cuts: {before} before, {after} after",
        before + after
    );
    assert!(before > 0 && after > 0);
}

#[tokio::test]
async fn nothing_is_acknowledged_after_a_failure() {
    let disk = Disk::empty();
    live(&disk).await;
    let mut failures = 0;
    for at in making()..disk.operations() {
        let disk = Disk::with(Vec::new(), Trouble::Error(at));
        let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
        let mut known = Model::default();
        let mut failed = None;
        for step in life() {
            let next = known.after(&step);
            match (take(&mut log, &step).await, &failed) {
                (Ok(()), None) => known = next,
                (Ok(()), Some(_)) => {
                    panic!("operation {at}: {step:?} was acknowledged after a failure")
                }
                (Err(_), None) => failed = Some(next),
                (Err(_), Some(_)) => {}
            }
        }
        // An error that comes while the file is closed fails no step.
        let Some(next) = failed else { continue };
        failures += 1;
        drop(log);
        // Nobody has lost power: all that was written is there. What was acknowledged is among it.
        let again = Disk::with(disk.after_power_cut(Unsynced::Lost), Trouble::None);
        let mut log = LogStore::open(again, 1, Execution::Inline).unwrap();
        let found = Model::read(&mut log).await;
        assert!(found == known || found == next, "operation {at}");
    }
    assert!(failures > 30, "{failures} failures");
}

/// These tests can tell: without syncs, acknowledged changes are lost at most places.
#[tokio::test]
async fn a_disk_that_does_not_sync_is_noticed() {
    let disk = Disk::empty();
    live(&disk).await;
    let (mut noticed, mut all) = (0, 0);
    for at in (making()..disk.operations()).step_by(5) {
        let disk = Disk::with(Vec::new(), Trouble::Lie(at));
        let (known, next) = live(&disk).await;
        let bytes = disk.after_power_cut(Unsynced::Torn(at as u64));
        let found = match LogStore::open(Disk::with(bytes, Trouble::None), 1, Execution::Inline) {
            Ok(mut log) => Some(Model::read(&mut log).await),
            Err(_) => None,
        };
        all += 1;
        noticed += usize::from(found != Some(known) && found != Some(next));
    }
    assert!(noticed * 2 > all, "{noticed} of {all}");
}
