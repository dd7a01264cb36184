//! Placed channels: who is joined with whom, and how.

use std::future::poll_fn;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use tidegate_engine::element::{Changes, Element};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator;
use tidegate_plan::task_graph::TaskInput;
use tidegate_plan::{Node, StreamGraph};
use tidegate_runtime::SystemClock;
use tidegate_types::{Attempt, Field, JobId, OperatorId, TypeKind};

use super::*;
use crate::shuffle::{ShuffleOptions, ShuffleServer, Tcp, Token};

/// Two subtasks of task 0 feed two of task 1 by key and one of task 2, which also reads task 1
/// forward where the parallelism is the same.
fn plan() -> (StreamGraph, TaskGraph) {
    let schema = vec![Field::new("n", TypeKind::BigInt.not_null())];
    let node = |id| Node {
        id: OperatorId(id),
        name: format!("node {id}"),
        operator: Operator::Union,
        inputs: Vec::new(),
        schema: schema.clone(),
        changelog: Default::default(),
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    };
    let input = |task, exchange| TaskInput { task: TaskId(task), node: task as usize, exchange };
    let hash = || Exchange::Hash { keys: vec![0] };
    let task = |node, parallelism, inputs| Task { nodes: vec![node], parallelism, inputs };
    let tasks = vec![
        task(0, 2, Vec::new()),
        task(1, 2, vec![input(0, hash())]),
        task(2, 2, vec![input(0, hash()), input(1, Exchange::Forward)]),
        task(3, 1, vec![input(2, Exchange::Single)]),
    ];
    let nodes = (0..4).map(node).collect();
    (StreamGraph { settings: Default::default(), nodes }, TaskGraph { tasks })
}

fn subtask(task: u32, index: u32) -> SubtaskId {
    SubtaskId { task: TaskId(task), index }
}

fn row(number: i64) -> Element {
    let column = Arc::new(Int64Array::from(vec![number]));
    let schema = arrow_schema(&[Field::new("n", TypeKind::BigInt.not_null())]);
    Element::Batch(Changes::append(RecordBatch::try_new(schema, vec![column]).unwrap()))
}

fn number(element: &Element) -> Option<i64> {
    let Element::Batch(changes) = element else { return None };
    let column = changes.rows.column(0).as_any().downcast_ref::<Int64Array>()?;
    Some(column.value(0))
}

/// Sends from every subtask on every channel a number that says which, and reads them all.
async fn exchange(workers: Vec<Channels>) -> Vec<(SubtaskId, usize, Vec<i64>)> {
    let mut channels = Channels::default();
    for worker in workers {
        for (id, inputs) in worker.inputs {
            assert!(channels.inputs.insert(id, inputs).is_none(), "{id} is on two workers");
        }
        for (id, outputs) in worker.outputs {
            assert!(channels.outputs.insert(id, outputs).is_none(), "{id} is on two workers");
        }
    }
    let mut senders = Vec::new();
    for (id, outputs) in channels.outputs {
        for (edge, (_, reader, ends)) in outputs.into_iter().enumerate() {
            for (target, mut sender) in ends.into_iter().enumerate() {
                let number = i64::from(id.task.0) * 10_000
                    + i64::from(id.index) * 1_000
                    + reader as i64 * 100
                    + edge as i64 * 10
                    + target as i64;
                senders.push(tidegate_runtime::spawn("sender", async move {
                    sender.send(row(number)).await.unwrap();
                    sender.send(Element::End).await.unwrap();
                }));
            }
        }
    }
    let mut received = Vec::new();
    for (id, inputs) in channels.inputs {
        let mut by_input: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for (input, mut receiver) in inputs {
            loop {
                let element = poll_fn(|context| receiver.poll_next(context)).await.unwrap();
                match number(&element) {
                    Some(number) => by_input.entry(input).or_default().push(number),
                    None => break,
                }
            }
        }
        received.extend(by_input.into_iter().map(|(input, numbers)| (id, input, numbers)));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    received.sort();
    received
}

struct Worker {
    shuffle: Shuffle,
    server: ShuffleServer,
}

async fn worker(name: &str) -> Worker {
    let (name, clock) = (WorkerName::new(name), SystemClock::shared());
    let runtime = tokio::runtime::Handle::current();
    let options = ShuffleOptions::default();
    let shuffle = Shuffle::new(name, options, Arc::new(Tcp), clock, runtime);
    let server = ShuffleServer::bind(&shuffle, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    Worker { shuffle, server }
}

fn key() -> RunKey {
    RunKey { job: JobId::from_name("j"), attempt: Attempt(1), token: Token::new("t") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placed_plan_joins_the_same_subtasks_as_a_local_one() {
    let (graph, tasks) = plan();
    let local = exchange(vec![Channels::local(&tasks)]).await;
    // 2 × 2 and 1 × 2 hashed, 2 forward, 2 to the single one.
    assert_eq!(local.iter().map(|(_, _, numbers)| numbers.len()).sum::<usize>(), 4 + 4 + 2 + 2);

    for spread in [[0usize, 1, 0, 1, 1, 0, 2], [0, 0, 1, 1, 2, 2, 0], [0; 7], [0, 1, 2, 0, 1, 2, 0]]
    {
        let workers = [worker("w0").await, worker("w1").await, worker("w2").await];
        let ids =
            tasks.tasks.iter().enumerate().flat_map(|(task, t)| {
                (0..t.parallelism).map(move |index| subtask(task as u32, index))
            });
        let name = |place: &usize| workers[*place].shuffle.name().clone();
        let subtasks: BTreeMap<_, _> = ids.zip(spread.iter().map(name)).collect();
        let addresses: BTreeMap<_, _> = workers
            .iter()
            .map(|worker| {
                let address = worker.server.local_address().to_string();
                (worker.shuffle.name().clone(), address)
            })
            .collect();
        let (mut placed, mut runs) = (Vec::new(), Vec::new());
        for worker in &workers {
            let placement = Placement {
                me: worker.shuffle.name().clone(),
                subtasks: subtasks.clone(),
                addresses: addresses.clone(),
            };
            let (channels, run) =
                Channels::placed(&graph, &tasks, &placement, &worker.shuffle, key()).unwrap();
            for id in channels.inputs.keys().chain(channels.outputs.keys()) {
                assert_eq!(subtasks[id], placement.me, "only own subtasks");
            }
            placed.push(channels);
            runs.push(run);
        }
        assert_eq!(exchange(placed).await, local, "placed as {spread:?}");
    }
}

#[tokio::test]
async fn a_placement_that_lacks_something_is_a_defect() {
    let (graph, tasks) = plan();
    let worker = worker("w0").await;
    let me = worker.shuffle.name().clone();
    let nobody =
        Placement { me: me.clone(), subtasks: BTreeMap::new(), addresses: BTreeMap::new() };
    let placed = |placement| Channels::placed(&graph, &tasks, placement, &worker.shuffle, key());
    let error = placed(&nobody).err().unwrap();
    assert!(error.message().contains("placed nowhere"), "{error}");
    let other = WorkerName::new("w1");
    let subtasks = tasks
        .tasks
        .iter()
        .enumerate()
        .flat_map(|(task, t)| (0..t.parallelism).map(move |index| subtask(task as u32, index)));
    let place = |id: SubtaskId| (id, if id.index == 0 { me.clone() } else { other.clone() });
    let subtasks = subtasks.map(place).collect();
    let nowhere = Placement { me: me.clone(), subtasks, addresses: BTreeMap::new() };
    let error = placed(&nowhere).err().unwrap();
    assert!(error.message().contains("worker w1 has no address"), "{error}");
}
