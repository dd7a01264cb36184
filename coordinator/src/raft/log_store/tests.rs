//! Tests of the log on disk: the Raft library's own suite, power cuts at every step, failing disks, damage.

mod damage;
mod power_cut;

use std::collections::BTreeSet;
use std::sync::Arc;

use openraft::storage::RaftLogStorageExt;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, EntryPayload};
use tempfile::TempDir;
use tidegate_catalog::{Action, Command};

use super::*;
use crate::raft::disk;
use crate::raft::snapshots::{Folder, Snapshots};
use crate::raft::state_machine::StateMachine;
use crate::raft::types::{Membership, Proposal, Proposed};

/// The id of an entry of a term's leader, node 1.
pub(super) fn id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 1), index)
}

/// An entry with a command that can be recognised in a file.
pub(super) fn entry(term: u64, index: u64) -> Entry {
    let payload = match index % 7 {
        3 => EntryPayload::Blank,
        5 => EntryPayload::Membership(Membership::new(vec![BTreeSet::from([1])], None)),
        _ => {
            let description = format!("needle-{term}-{index}-{}", "x".repeat(index as usize % 300));
            let tenant = format!("t{index}");
            let command = Command::new(1, Action::CreateTenant { tenant, description });
            let leader_term = index.is_multiple_of(2).then_some(term);
            EntryPayload::Normal(Proposal::new(vec![Proposed { leader_term, command }]))
        }
    };
    Entry { log_id: id(term, index), payload }
}

struct InFolder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for InFolder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        let log = LogStore::open_file(&path, 1, Execution::Blocking).unwrap();
        let files = Arc::new(Folder::open(folder.path().join("snapshots")).unwrap());
        let (snapshots, stored) = Snapshots::open(files, 0).unwrap();
        let machine = StateMachine::new(snapshots, stored, Execution::Blocking).unwrap();
        Ok((folder, log, machine))
    }
}

#[test]
fn the_library_s_own_suite_passes() {
    Suite::test_all(InFolder).unwrap();
}

#[tokio::test]
async fn a_log_is_one_node_s_and_one_process_s() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let log = LogStore::open_file(&path, 1, Execution::Inline).unwrap();
    let error = LogStore::open_file(&path, 1, Execution::Inline).unwrap_err();
    assert_eq!(error.code(), ErrorCode::FailedPrecondition, "{error}");
    drop(log);
    let error = LogStore::open_file(&path, 2, Execution::Inline).unwrap_err();
    assert_eq!(error.code(), ErrorCode::FailedPrecondition);
    assert!(error.to_string().contains("belongs to node 1"), "{error}");
    assert!(LogStore::open_file(&path, 1, Execution::Inline).is_ok());
}

#[test]
fn a_log_is_made_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    std::fs::write(folder.path().join("log.redb.unfinished"), "what a crash has left").unwrap();
    assert!(LogStore::open_file(&path, 1, Execution::Inline).is_ok());
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    std::fs::write(&path, "").unwrap();
    let error = LogStore::open_file(&path, 1, Execution::Inline).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corrupt, "an empty file has forgotten: {error}");
    assert!(error.help_text().is_some());
}

#[tokio::test]
async fn what_is_committed_rides_along_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let mut log = LogStore::open_file(&path, 1, Execution::Inline).unwrap();
    log.blocking_append((0..4).map(|index| entry(1, index))).await.unwrap();
    log.save_committed(Some(id(1, 2))).await.unwrap();
    assert_eq!(log.read_committed().await.unwrap(), Some(id(1, 2)));
    drop(log);
    let mut log = LogStore::open_file(&path, 1, Execution::Inline).unwrap();
    assert_eq!(log.read_committed().await.unwrap(), None, "it had no sync of its own");
    log.save_committed(Some(id(1, 3))).await.unwrap();
    log.blocking_append([entry(1, 4)]).await.unwrap();
    drop(log);
    let mut log = LogStore::open_file(&path, 1, Execution::Inline).unwrap();
    assert_eq!(log.read_committed().await.unwrap(), Some(id(1, 3)));
}

#[tokio::test]
async fn holes_are_refused() {
    let disk = disk::Disk::empty();
    let mut log = LogStore::open(disk, 1, Execution::Inline).unwrap();
    log.blocking_append([entry(1, 0), entry(1, 1)]).await.unwrap();
    assert!(log.blocking_append([entry(1, 3)]).await.is_err());
    assert!(log.blocking_append([entry(1, 1)]).await.is_err());
    log.blocking_append([entry(1, 2)]).await.unwrap();
    log.purge(id(1, 1)).await.unwrap();
    let entries = log.try_get_log_entries(0..9).await.unwrap();
    assert_eq!(entries, [entry(1, 2)]);
}

#[tokio::test]
async fn batches_for_other_nodes_are_bounded() {
    let mut log = LogStore::open(disk::Disk::empty(), 1, Execution::Inline).unwrap();
    let large = |index| {
        let (tenant, description) = ("t".to_owned(), "x".repeat(BATCH_BYTES / 2));
        let command = Command::new(1, Action::CreateTenant { tenant, description });
        let commands = vec![Proposed { leader_term: None, command }];
        let payload = EntryPayload::Normal(Proposal::new(commands));
        Entry { log_id: id(1, index), payload }
    };
    log.blocking_append((0..3).map(large)).await.unwrap();
    assert_eq!(log.limited_get_log_entries(0, 3).await.unwrap().len(), 1);
    assert_eq!(log.try_get_log_entries(0..3).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_leader_that_comes_back_has_resigned_and_a_follower_still_follows() {
    let disk = disk::Disk::empty();
    for (leader, committed) in [(1, false), (2, true)] {
        let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
        let vote = Vote::new_committed(7 + leader, leader);
        log.save_vote(&vote).await.unwrap();
        assert_eq!(log.read_vote().await.unwrap(), Some(vote));
        drop(log);
        let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
        assert_eq!(log.read_vote().await.unwrap(), Some(Vote { committed, ..vote }));
    }
}
