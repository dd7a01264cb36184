//! Tests of the state machine: the guard of terms, numbers of former members, snapshots that come and go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use openraft::{BasicNode, CommittedLeaderId};
use tidegate_catalog::{Action, Command};

use super::*;
use crate::raft::snapshots::Folder;
use crate::raft::types::Proposal;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 1), index)
}

fn create(index: u64, leader_term: Option<u64>, term: u64) -> Entry {
    let (tenant, description) = (format!("t{index}"), String::new());
    let command = Command::new(1, Action::CreateTenant { tenant, description });
    let commands = vec![Proposed { leader_term, command }];
    let payload = EntryPayload::Normal(Proposal::new(commands));
    Entry { log_id: id(term, index), payload }
}

fn members(index: u64, voters: &[u64]) -> Entry {
    let nodes: BTreeMap<_, _> =
        voters.iter().map(|node| (*node, BasicNode::new(format!("127.0.0.1:{node}")))).collect();
    let membership = Membership::new(vec![voters.iter().copied().collect()], nodes);
    Entry { log_id: id(1, index), payload: EntryPayload::Membership(membership) }
}

fn machine(folder: &Path) -> StateMachine {
    let files = Arc::new(Folder::open(folder).unwrap());
    let (snapshots, stored) = Snapshots::open(files, 0).unwrap();
    StateMachine::new(snapshots, stored, Execution::Inline).unwrap()
}

#[tokio::test]
async fn a_leader_s_decision_counts_only_in_its_term() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    // An entry with three commands, of which the first was decided in an earlier term.
    let entries = [create(0, Some(4), 5), create(1, Some(5), 5), create(2, None, 5)];
    let mut together = Vec::new();
    for entry in entries {
        let EntryPayload::Normal(proposal) = entry.payload else { continue };
        together.extend(proposal.commands);
    }
    let payload = EntryPayload::Normal(Proposal::new(together));
    let outcomes = machine.apply([Entry { log_id: id(5, 0), payload }]).await.unwrap();
    let [Outcome::Commands(outcomes)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(matches!(&outcomes[0], Err(refusal) if refusal.code == ErrorCode::Fenced));
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok());
    let there = |tenant| machine.applied().read(|catalog| catalog.tenant(tenant).is_some());
    assert!(!there("t0") && there("t1") && there("t2"));
}

/// Entries after which node 2 is a former member.
fn story() -> Vec<Entry> {
    vec![members(0, &[1, 2]), create(1, None, 1), members(2, &[1, 3]), create(3, None, 1)]
}

#[tokio::test]
async fn a_snapshot_has_everything_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = machine(folder.path());
    first.apply(story()).await.unwrap();
    assert_eq!(first.applied().retired(), BTreeSet::from([2]));
    let mut builder = first.get_snapshot_builder().await;
    first.apply([create(4, None, 1)]).await.unwrap();
    let snapshot = builder.build_snapshot().await.unwrap();
    assert_eq!(snapshot.meta.last_log_id, Some(id(1, 3)), "as it was when the builder was made");

    let mut restarted = machine(folder.path());
    assert_eq!(restarted.applied_state().await.unwrap().0, Some(id(1, 3)));
    assert_eq!(restarted.applied().retired(), BTreeSet::from([2]));

    let other = tempfile::tempdir().unwrap();
    let mut second = machine(other.path());
    second.install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap();
    second.apply([create(4, None, 1)]).await.unwrap();
    let bytes = |machine: &StateMachine| machine.applied().read(Catalog::encode);
    assert_eq!(bytes(&second), bytes(&first));
    assert_eq!(second.applied().retired(), BTreeSet::from([2]));
    assert_eq!(second.applied_state().await.unwrap(), first.applied_state().await.unwrap());
}

#[tokio::test]
async fn a_damaged_snapshot_from_another_node_is_not_installed() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    machine.apply(story()).await.unwrap();
    let mut snapshot = machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    let middle = snapshot.snapshot.get_ref().len() / 2;
    snapshot.snapshot.get_mut()[middle] ^= 1;
    let before = machine.applied_state().await.unwrap();
    assert!(machine.install_snapshot(&snapshot.meta, snapshot.snapshot).await.is_err());
    assert_eq!(machine.applied_state().await.unwrap(), before);
}

/// A folder as version 1 wrote it.
fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snapshots-v1")
}

#[tokio::test]
#[ignore = "writes the file of the current version, once, before it is released"]
async fn write_file() {
    let mut machine = machine(&stored());
    machine.apply(story()).await.unwrap();
    machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
}

#[tokio::test]
async fn snapshots_of_version_1_are_read() {
    // A copy, because opening a folder may change it.
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(stored()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let mut old = machine(folder.path());
    let (last, membership) = old.applied_state().await.unwrap();
    assert_eq!(last, Some(id(1, 3)));
    assert_eq!(membership.voter_ids().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(old.applied().retired(), BTreeSet::from([2]));
    assert!(old.applied().read(|catalog| catalog.tenant("t3").is_some()));
}
