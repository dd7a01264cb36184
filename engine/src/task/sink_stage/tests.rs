//! Commits run beside writing, are repeated where that is safe, and leave the snapshots only once
//! they have returned.

use std::sync::Mutex;

use async_trait::async_trait;
use tidegate_types::OperatorId;
use tokio::sync::Semaphore;

use super::*;

/// What the committer is told to answer, and what it was asked.
#[derive(Debug)]
struct Target {
    /// A commit takes one; it waits while there is none.
    turns: Semaphore,
    /// Answers, from the last to the first; then all is well.
    failures: Mutex<Vec<ErrorCode>>,
    asked: Mutex<Vec<Epoch>>,
    may_retry: bool,
}

impl Target {
    fn new(turns: usize, failures: &[ErrorCode], may_retry: bool) -> Arc<Self> {
        Arc::new(Self {
            turns: Semaphore::new(turns),
            failures: Mutex::new(failures.to_vec()),
            asked: Mutex::default(),
            may_retry,
        })
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|epoch| epoch.0).collect()
    }
}

struct Writer(Arc<Target>);

#[async_trait]
impl SinkWriter for Writer {
    fn committer(&self) -> Option<Box<dyn Committer>> {
        Some(Box::new(Commits(Arc::clone(&self.0))))
    }

    async fn write(&mut self, _: Changes) -> Result<()> {
        Ok(())
    }

    async fn prepare(&mut self, _: Epoch) -> Result<Vec<StagedUnit>> {
        Ok(Vec::new())
    }
}

struct Commits(Arc<Target>);

#[async_trait]
impl Committer for Commits {
    async fn commit(&mut self, unit: &StagedUnit) -> Result<()> {
        self.0.turns.acquire().await.unwrap().forget();
        self.0.asked.lock().unwrap().push(unit.epoch);
        match self.0.failures.lock().unwrap().pop() {
            Some(code) => Err(Error::new(code, "told to fail")),
            None => Ok(()),
        }
    }

    fn may_retry(&self) -> bool {
        self.0.may_retry
    }
}

fn unit(epoch: u64) -> StagedUnit {
    StagedUnit {
        lineage: "l".into(),
        sink: OperatorId(1),
        writer: 4,
        epoch: Epoch(epoch),
        payload: serde_json::Value::Null,
        chunks: Vec::new(),
    }
}

fn stage(target: &Arc<Target>, epochs: &[u64]) -> SinkStage {
    let writer = Box::new(Writer(Arc::clone(target)));
    let mut stage = SinkStage::new(writer, StagingArea::in_memory(), "l".into(), Vec::new());
    let known = |lineage: &str, writer, epoch| Confirmed {
        lineage: lineage.into(),
        writer,
        epoch: Epoch(epoch),
    };
    stage.open("sink", &[known("l", 4, 1), known("l", 0, 2), known("before the fork", 0, 9)]);
    stage.staged = epochs.iter().map(|epoch| unit(*epoch)).collect();
    stage
}

fn confirmed(stage: &SinkStage) -> Vec<(u32, u64)> {
    stage.confirmed().iter().map(|known| (known.writer, known.epoch.0)).collect()
}

#[tokio::test]
async fn output_stays_named_until_its_commit_has_returned() {
    let target = Target::new(0, &[], true);
    let mut stage = stage(&target, &[2, 3, 4]);
    let (done, mut results) = mpsc::channel(4);
    assert!(!stage.commit(7, Epoch(1), &done).await.unwrap(), "nothing is due");
    assert!(stage.commit(7, Epoch(3), &done).await.unwrap());
    // The target does not answer; the stage goes on and names everything.
    assert_eq!(stage.staged.len(), 3);
    assert_eq!(confirmed(&stage), [(0, 2), (4, 1)]);
    target.turns.add_permits(2);
    let committed = results.recv().await.unwrap();
    assert_eq!((committed.node, committed.epoch), (7, Epoch(3)));
    committed.result.unwrap();
    assert_eq!(target.asked(), [2, 3], "in order, and not what comes later");
    stage.committed(Epoch(3));
    assert_eq!(stage.staged, [unit(4)]);
    assert_eq!(confirmed(&stage), [(0, 2), (4, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_repeated_only_where_that_is_safe() {
    let unavailable = ErrorCode::Unavailable;
    let cases: [(&[ErrorCode], bool, usize, bool); 4] = [
        (&[unavailable; 3], true, 4, true),
        (&[unavailable; 20], true, TRIES as usize, false),
        (&[unavailable], false, 1, false),
        (&[ErrorCode::Corrupt], true, 1, false),
    ];
    for (failures, may_retry, asked, succeeds) in cases {
        let target = Target::new(100, failures, may_retry);
        let mut stage = stage(&target, &[2, 3]);
        let (done, mut results) = mpsc::channel(4);
        assert!(stage.commit(0, Epoch(3), &done).await.unwrap());
        let committed = results.recv().await.unwrap();
        assert_eq!(committed.result.is_ok(), succeeds, "{failures:?}");
        // After a failure nothing of a later epoch is tried.
        assert_eq!(target.asked().len(), asked + usize::from(succeeds), "{failures:?}");
    }
}
