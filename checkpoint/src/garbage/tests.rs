//! What is needed stays, what is not goes: state files and staged output alike.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use tidegate_types::{JobId, OperatorId};

use super::*;
use crate::barrier::BarrierKind;
use crate::staged::{ChunkRef, StagedUnit};
use crate::storage::manifest_path;
use crate::{FileRef, OperatorState, SubtaskState, TableState};

struct Folder(CheckpointStorage);

fn current(attempt: u64, completed: Option<u64>) -> Current {
    Current { attempt: Attempt(attempt), completed: completed.map(Epoch) }
}

impl Folder {
    fn new() -> Self {
        Self(CheckpointStorage::new(Arc::new(InMemory::new()), Path::from("job/1")))
    }

    async fn put(&self, path: &str) {
        let path = self.0.path(path);
        assert!(self.0.create(&path, Bytes::from_static(b"x")).await.unwrap());
    }

    fn manifest(epoch: u64, files: &[&str], chunks: &[&str]) -> Manifest {
        let file = |path: &&str| FileRef {
            path: (*path).into(),
            size: 1,
            rows: 1,
            digest: "d".into(),
            expires: None,
        };
        let chunk = |path: &&str| ChunkRef {
            path: (*path).into(),
            bytes: 1,
            records: 1,
            digest: "d".into(),
        };
        let unit = StagedUnit {
            lineage: "l".into(),
            sink: OperatorId(1),
            writer: 0,
            epoch: Epoch(epoch),
            payload: serde_json::Value::Null,
            chunks: chunks.iter().map(chunk).collect(),
        };
        let table = TableState {
            table: "t".into(),
            version: 1,
            groups: None,
            files: files.iter().map(file).collect(),
        };
        let subtask =
            SubtaskState { tables: vec![table], staged: vec![unit], ..SubtaskState::default() };
        let operator = OperatorState {
            id: OperatorId(1),
            name: "o".into(),
            layout: Vec::new(),
            subtasks: vec![subtask],
        };
        Manifest {
            job: JobId::from_name("j"),
            lineage: "l".into(),
            attempt: Attempt(1),
            epoch: Epoch(epoch),
            kind: BarrierKind::Checkpoint,
            timestamp_ms: 0,
            key_groups: 128,
            staging: None,
            operators: vec![operator],
        }
    }

    /// A checkpoint with its manifest; the objects are put by the test.
    async fn checkpoint(&self, epoch: u64, files: &[&str], chunks: &[&str]) -> CompletedCheckpoint {
        let manifest = Self::manifest(epoch, files, chunks);
        let path = manifest_path(Epoch(epoch));
        assert!(self.0.write_manifest(&path, manifest.encode().unwrap()).await.unwrap());
        CompletedCheckpoint {
            epoch: Epoch(epoch),
            attempt: Attempt(1),
            folder: "job/1".into(),
            manifest: path,
            digest: String::new(),
            savepoint: false,
            timestamp_ms: 0,
        }
    }

    async fn left(&self) -> Vec<String> {
        let mut all = self.0.list("shared").await.unwrap();
        all.extend(self.0.list(staged::FOLDER).await.unwrap());
        let mut paths: Vec<_> = all.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        paths
    }
}

#[tokio::test]
async fn staged_output_goes_with_the_last_manifest_that_names_it() {
    let folder = Folder::new();
    for path in ["shared/1-1-a", "staged/1-s-0-0", "staged/1-s-0-1", "staged/1-s-0-2"] {
        folder.put(path).await;
    }
    // Chunk 0 was visible before checkpoint 2; chunk 1 was not, because its commit had failed.
    let first =
        folder.checkpoint(1, &["shared/1-1-a"], &["staged/1-s-0-0", "staged/1-s-0-1"]).await;
    let second = folder.checkpoint(2, &["shared/1-1-a"], &["staged/1-s-0-1"]).await;
    let in_flight = BTreeSet::from(["staged/1-s-0-2".to_owned()]);
    discard(&folder.0, &[first], std::slice::from_ref(&second), &in_flight).await.unwrap();
    assert_eq!(folder.left().await, ["shared/1-1-a", "staged/1-s-0-1", "staged/1-s-0-2"]);
    let third = folder.checkpoint(3, &[], &["staged/1-s-0-2"]).await;
    discard(&folder.0, &[second], &[third], &BTreeSet::new()).await.unwrap();
    assert_eq!(folder.left().await, ["staged/1-s-0-2"]);
}

#[tokio::test]
async fn a_published_savepoint_needs_no_staged_output() {
    let folder = Folder::new();
    for path in ["staged/1-s-0-0", "staged/1-s-0-1"] {
        folder.put(path).await;
    }
    let kept = folder.checkpoint(1, &[], &["staged/1-s-0-0"]).await;
    let savepoint = Folder::manifest(2, &[], &["staged/1-s-0-0", "staged/1-s-0-1"]);
    release(&folder.0, &savepoint, &[kept]).await.unwrap();
    assert_eq!(folder.left().await, ["staged/1-s-0-0"]);
}

#[tokio::test]
async fn what_dead_runs_left_is_swept_when_it_is_old() {
    let folder = Folder::new();
    let all =
        ["staged/1-s-0-0", "staged/1-s-0-1", "staged/1-s-0-2", "staged/2-s-0-0", "shared/1-9-a"];
    for path in all {
        folder.put(path).await;
    }
    let kept = [folder.checkpoint(1, &[], &["staged/1-s-0-0"]).await];
    let needed = || BTreeSet::from(["staged/1-s-0-1".to_owned()]);
    let modified = folder.0.list("shared").await.unwrap()[0].1;
    let young = modified + MIN_AGE_MS / 2;
    assert_eq!(sweep(&folder.0, &kept, needed(), current(2, None), young).await.unwrap(), 0);
    let old = modified + MIN_AGE_MS * 2;
    assert_eq!(sweep(&folder.0, &kept, needed(), current(2, None), old).await.unwrap(), 2);
    assert_eq!(folder.left().await, ["staged/1-s-0-0", "staged/1-s-0-1", "staged/2-s-0-0"]);
}

#[tokio::test]
async fn what_an_abandoned_checkpoint_left_goes_once_a_newer_one_is_complete() {
    let folder = Folder::new();
    // Task a stored its part of checkpoint 4 and refers to it in 5; task b could not store its own.
    for name in ["2-4-a", "2-4-b", "2-5-a", "2-5-b", "2-6-a"] {
        folder.put(&format!("shared/{name}.state")).await;
    }
    folder.put("staged/2-s-0-4").await;
    let kept = [folder.checkpoint(5, &["shared/2-4-a.state", "shared/2-5-a.state"], &[]).await];
    let old = folder.0.list("shared").await.unwrap()[0].1 + MIN_AGE_MS * 2;
    let sweep = async |completed| {
        super::sweep(&folder.0, &kept, BTreeSet::new(), current(2, completed), old).await.unwrap()
    };
    assert_eq!(sweep(None).await, 0);
    assert_eq!(sweep(Some(4)).await, 0);
    assert_eq!(sweep(Some(5)).await, 1);
    assert!(!folder.left().await.contains(&"shared/2-4-b.state".to_owned()));
    assert_eq!(sweep(Some(5)).await, 0);
}
