//! A node alone: a disk that fails, what is refused. Nodes together are in the crate's `tests`.

use tidegate_catalog::Action;

use super::*;
use crate::raft::disk::{Disk, Trouble};
use crate::raft::execution::Execution;
use crate::raft::network::TcpConnector;
use crate::raft::snapshots::Folder;

async fn alone(disk: Disk, folder: &std::path::Path) -> Metadata {
    let options = NodeOptions {
        request_timeout: Duration::from_secs(2),
        execution: Execution::Inline,
        ..NodeOptions::new(1, "test")
    };
    let log = LogStore::open(disk, 1, Execution::Inline).unwrap();
    let storage = Storage { log, snapshots: Arc::new(Folder::open(folder).unwrap()) };
    Metadata::start(&options, storage, Arc::new(TcpConnector::default())).await.unwrap()
}

fn create(tenant: &str) -> Command {
    let (tenant, description) = (tenant.to_owned(), String::new());
    Command::new(1, Action::CreateTenant { tenant, description })
}

#[tokio::test]
async fn a_node_whose_disk_fails_answers_nothing_and_stops() {
    let (disk, folder) = (Disk::empty(), tempfile::tempdir().unwrap());
    let node = alone(disk.clone(), folder.path()).await;
    node.initialize(BTreeMap::from([(1, "127.0.0.1:1".to_owned())])).await.unwrap();
    node.propose(create("before")).await.unwrap();
    disk.fail_next();
    let error = node.propose(create("after")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("outcome unknown"), "{error}");
    let why = node.stopped().await;
    assert_eq!(why.code(), ErrorCode::Unavailable);
    assert!(why.to_string().contains("storage failed"), "{why}");
    assert!(node.propose(create("later")).await.is_err());
    let mut leadership = node.leadership();
    leadership.wait_for(|known| known.leader.is_none()).await.unwrap();
}

#[tokio::test]
async fn without_a_cluster_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let node = alone(Disk::empty(), folder.path()).await;
    let error = node.propose(create("t")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("no leader is known"), "{error}");
    let read = node.read(Consistency::Linearizable, |_| ()).await.unwrap_err();
    assert_eq!(read.code(), ErrorCode::Unavailable);
    assert_eq!(node.next_node_id(), 1);
}

#[tokio::test]
async fn what_was_stored_is_known_as_soon_as_a_node_has_started() {
    let (disk, folder) = (Disk::empty(), tempfile::tempdir().unwrap());
    let node = alone(disk.clone(), folder.path()).await;
    assert!(node.is_fresh());
    node.initialize(BTreeMap::from([(1, "127.0.0.1:1".to_owned())])).await.unwrap();
    let again = Disk::with(disk.bytes(), Trouble::None);
    // The library's view of a node that has just been started may still be empty; this must not be.
    assert!(!alone(again, folder.path()).await.is_fresh());
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused() {
    let heartbeat = Duration::from_secs(2);
    let timing = Timing { heartbeat, ..Timing::default() };
    let options = NodeOptions { timing, ..NodeOptions::new(1, "test") };
    assert_eq!(options.config().unwrap_err().code(), ErrorCode::InvalidOption);
}

#[tokio::test]
async fn a_command_that_is_too_large_is_refused() {
    let (disk, folder) = (Disk::empty(), tempfile::tempdir().unwrap());
    let node = alone(disk, folder.path()).await;
    node.initialize(BTreeMap::from([(1, "127.0.0.1:1".to_owned())])).await.unwrap();
    let error = node.propose(create(&"x".repeat(17 << 20))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ResourceExhausted);
    node.propose(create("small")).await.unwrap();
}
