//! Tasks with two inputs, whole: a table joined with itself, and one whose rows reach both sides on ways of different
//! lengths, with small batches, full channels and barriers all the way through.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use tidegate_checkpoint::Directory;
use tidegate_checkpoint::task::{Control, ReportKind, TaskEvent};
use tidegate_engine::connector::{
    DeliveryGuarantee, Sink, SinkContext, SinkWriter, Source, StagedUnit,
};
use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::spill::SpillFolder;
use tidegate_engine::staging::Stored;
use tidegate_engine::{Barrier, BarrierKind, Changes};
use tidegate_plan::operator::{self, Join, JoinKind, JoinOn, Operator};
use tidegate_plan::settings::Settings;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_plan::{Exchange, Input, Literal, Node, PlanSettings, Scalar, StreamGraph};
use tidegate_runtime::SystemClock;
use tidegate_types::{Attempt, Epoch, Error, Field, OperatorId, Result, SubtaskId, TypeKind};
use tidegate_worker::{ConnectorFactory, Deployment, Links, prepare, start};
use tokio::sync::mpsc;

const ROWS: i64 = 20_000;
const KEYS: i64 = 4_000;
const CHECKPOINTS: u64 = 8;

/// Collects what is written, slowly.
#[derive(Default, Clone)]
struct Collected(Arc<Mutex<Vec<Changes>>>);

#[async_trait]
impl Sink for Collected {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn writer(&self, _context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl SinkWriter for Collected {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        tokio::time::sleep(Duration::from_micros(200)).await;
        self.0.lock().unwrap().push(changes);
        Ok(())
    }

    async fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<StagedUnit>> {
        Ok(Vec::new())
    }
}

impl ConnectorFactory for Collected {
    fn source(&self, _plan: &operator::Source) -> Result<Arc<dyn Source>> {
        Err(Error::internal("there are only values"))
    }

    fn sink(&self, _plan: &operator::Sink, _columns: &[Field]) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(self.clone()))
    }
}

fn node(id: u64, operator: Operator, inputs: Vec<Input>, columns: usize) -> Node {
    let field = |index| Field::new(format!("c{index}"), TypeKind::BigInt.not_null());
    Node {
        id: OperatorId(id),
        name: format!("node {id}"),
        operator,
        inputs,
        schema: (0..columns).map(field).collect(),
        changelog: Default::default(),
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}

fn input(node: usize, exchange: Exchange) -> Input {
    Input { node, exchange }
}

fn values() -> Operator {
    let literal =
        |value| Literal { value: Scalar::Integer(value), ty: TypeKind::BigInt.not_null() };
    let rows = (0..ROWS).map(|row| vec![literal(row % KEYS), literal(row)]).collect();
    Operator::Values(operator::Values { rows })
}

fn join() -> Operator {
    let on =
        JoinOn { left_keys: vec![0], right_keys: vec![0], null_safe: vec![false], condition: None };
    Operator::Join(Join { kind: JoinKind::Inner, on, expiry: [None, None] })
}

fn sink() -> Operator {
    let table = operator::Table {
        name: "sink".to_owned(),
        options: BTreeMap::new(),
        columns: Vec::new(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        governed: None,
    };
    let insert = "sink".to_owned();
    Operator::Sink(operator::Sink { table, metadata: Vec::new(), overwrite: false, insert })
}

/// Runs a graph with checkpoints all the time; returns how often each row came out.
async fn run(nodes: Vec<Node>) -> BTreeMap<Vec<i64>, usize> {
    let graph = StreamGraph { settings: PlanSettings::default(), nodes };
    graph.validate().unwrap();
    let tasks = TaskGraph::build(&graph, 2);
    let folder = tempfile();
    let storage = Directory::open(&folder).unwrap().storage();
    let collected = Collected::default();
    let deployment = Deployment {
        job: "two inputs".to_owned(),
        graph: Arc::new(graph),
        tasks: Arc::new(tasks),
        attempt: Attempt(1),
        lineage: "two-1".to_owned(),
        batch_rows: 64,
        mode: Settings::new().execution_mode(),
        restored: None,
        checkpoints: storage.clone(),
        savepoints: storage,
        staged_as: Stored::Plain,
        memory: MemoryBudget::unlimited(),
        spill: SpillFolder::new(&std::env::temp_dir()),
        clock: SystemClock::shared(),
        connectors: Arc::new(collected.clone()),
    };
    let (events, mut reports) = mpsc::channel(64);
    let prepared = prepare(&deployment).await.unwrap();
    let running =
        start(deployment, prepared, Links::Local, &tokio::runtime::Handle::current(), events)
            .unwrap();
    let all = running.ids();
    let (mut ready, mut ended) = (BTreeSet::<SubtaskId>::new(), BTreeSet::new());
    let (mut epoch, mut stored) = (0, BTreeSet::new());
    while ended.len() < all.len() || epoch < CHECKPOINTS || stored.len() < all.len() {
        let event = tokio::time::timeout(Duration::from_secs(60), reports.recv()).await;
        let TaskEvent { report, .. } = event.expect("tasks wait for each other").unwrap();
        match report.kind {
            ReportKind::Ready => {
                ready.insert(report.subtask);
                if ready == all {
                    running.tell_all(&Control::Start).unwrap();
                }
            }
            ReportKind::Ended => drop(ended.insert(report.subtask)),
            ReportKind::Snapshot { epoch: of, .. } if of == Epoch(epoch) => {
                stored.insert(report.subtask);
            }
            ReportKind::Snapshot { .. } | ReportKind::Committed(_) => {}
            ReportKind::Failed(error) | ReportKind::Declined { error, .. } => panic!("{error}"),
        }
        let done = epoch == 0 || stored == all;
        if ready == all && done && epoch < CHECKPOINTS {
            tokio::time::sleep(Duration::from_millis(10)).await;
            epoch += 1;
            stored.clear();
            let barrier = Barrier { epoch: Epoch(epoch), kind: BarrierKind::Checkpoint };
            running.tell_all(&Control::Trigger(barrier)).unwrap();
        }
    }
    running.stop().await.unwrap();
    let mut counts = BTreeMap::new();
    for changes in collected.0.lock().unwrap().iter() {
        let columns: Vec<_> =
            changes.rows.columns().iter().map(|c| c.as_primitive::<Int64Type>()).collect();
        for row in 0..changes.len() {
            let row = columns.iter().map(|column| column.value(row)).collect();
            *counts.entry(row).or_default() += 1;
        }
    }
    let _ = std::fs::remove_dir_all(folder);
    counts
}

fn tempfile() -> String {
    let name =
        format!("tidegate-two-inputs-{}-{:?}", std::process::id(), std::thread::current().id());
    std::env::temp_dir().join(name).to_string_lossy().into_owned()
}

/// Every pair of rows of one key, once.
fn expected() -> usize {
    let of_key = ROWS / KEYS;
    usize::try_from(of_key * of_key * KEYS).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_joined_with_itself() {
    let hash = || input(0, Exchange::Hash { keys: vec![0] });
    let counts = run(vec![
        node(1, values(), vec![], 2),
        node(2, join(), vec![hash(), hash()], 4),
        node(3, sink(), vec![input(1, Exchange::Forward)], 4),
    ])
    .await;
    assert_eq!(counts.len(), expected());
    assert!(counts.iter().all(|(row, count)| *count == 1 && row[0] == row[2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_reach_both_sides_on_ways_of_different_lengths() {
    let counts = run(vec![
        node(1, values(), vec![], 2),
        node(2, Operator::Union, vec![input(0, Exchange::Rebalance)], 2),
        node(3, Operator::Union, vec![input(1, Exchange::Rebalance)], 2),
        node(
            4,
            join(),
            vec![
                input(0, Exchange::Hash { keys: vec![0] }),
                input(2, Exchange::Hash { keys: vec![0] }),
            ],
            4,
        ),
        node(5, sink(), vec![input(3, Exchange::Rebalance)], 4),
    ])
    .await;
    assert_eq!(counts.len(), expected());
    assert!(counts.values().all(|count| *count == 1));
}
