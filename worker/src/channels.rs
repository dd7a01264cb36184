//! The channels between the subtasks of a run: within this worker bounded queues, to and from other
//! workers the shuffle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidegate_engine::exchange::{Receiver, Sender, local};
use tidegate_plan::task_graph::{Task, TaskGraph};
use tidegate_plan::{Exchange, StreamGraph};
use tidegate_types::{Error, Result, SubtaskId, TaskId};

use crate::build::{OutputChannels, edge_schema};
use crate::deployment::Deployment;
use crate::shuffle::{
    ChannelId, EdgeId, EdgeLinks, OpenRun, RunChannels, RunKey, Shuffle, WorkerAddress, WorkerName,
};

/// Channels of a subtask with the operator input that each belongs to.
pub type Inputs = Vec<(usize, Box<dyn Receiver>)>;

/// Where the subtasks of a run are, and where their workers listen.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The worker that asks.
    pub me: WorkerName,
    /// The worker of every subtask.
    pub subtasks: BTreeMap<SubtaskId, WorkerName>,
    /// `host:port` of the shuffle of every worker.
    pub addresses: BTreeMap<WorkerName, String>,
}

/// How the subtasks of a run reach each other.
pub enum Links {
    /// All of them are in this process.
    Local,
    /// They are where the placement says.
    Placed {
        /// Where.
        placement: Placement,
        /// What connects workers.
        shuffle: Shuffle,
        /// The run.
        key: RunKey,
    },
}

impl Links {
    /// The subtasks of this process; `None`: all.
    pub(crate) fn own(&self) -> Option<BTreeSet<SubtaskId>> {
        match self {
            Self::Local => None,
            Self::Placed { placement, .. } => {
                let own = placement.subtasks.iter().filter(|(_, worker)| **worker == placement.me);
                Some(own.map(|(subtask, _)| *subtask).collect())
            }
        }
    }

    /// The channels of the subtasks of this process.
    pub(crate) fn channels(self, deployment: &Deployment) -> Result<(Channels, Option<OpenRun>)> {
        let tasks = &deployment.tasks;
        match self {
            Self::Local => Ok((Channels::local(tasks), None)),
            Self::Placed { placement, shuffle, key } => {
                let placed = Channels::placed(&deployment.graph, tasks, &placement, &shuffle, key)?;
                Ok((placed.0, Some(placed.1)))
            }
        }
    }
}

/// The channels of a worker's subtasks.
#[derive(Default)]
pub struct Channels {
    /// What each subtask reads, by input and then by sending subtask.
    pub inputs: HashMap<SubtaskId, Inputs>,
    /// What each subtask writes, by edge and then by reading subtask.
    pub outputs: HashMap<SubtaskId, Vec<OutputChannels>>,
}

impl Channels {
    /// All channels of a run whose subtasks all are on this worker.
    pub fn local(tasks: &TaskGraph) -> Self {
        let mut channels = Self::default();
        for edge in edges(tasks) {
            for producer in 0..edge.producers {
                let mut senders = Vec::new();
                for consumer in edge.consumers(producer) {
                    let (sender, receiver) = local::channel();
                    channels.read(&edge, consumer, receiver);
                    senders.push(sender);
                }
                channels.write(&edge, producer, senders);
            }
        }
        channels
    }

    /// The channels of the subtasks that are on this worker, and the run that the remote ones belong
    /// to. Every remote channel is open to its peer when this returns.
    ///
    /// # Errors
    /// `INTERNAL` if the placement lacks a subtask or an address, and as [`Shuffle::open_run`].
    pub fn placed(
        graph: &StreamGraph,
        tasks: &TaskGraph,
        placement: &Placement,
        shuffle: &Shuffle,
        key: RunKey,
    ) -> Result<(Self, OpenRun)> {
        let mut links = Vec::new();
        for edge in edges(tasks) {
            links.push(placement.links(graph, &edge)?);
        }
        let RunChannels { mut inputs, mut outputs, run } = shuffle.open_run(key, links)?;
        let mut channels = Self::default();
        for edge in edges(tasks) {
            for producer in 0..edge.producers {
                let sends = placement.is_mine(edge.producer(producer))?;
                let mut senders = Vec::new();
                for consumer in edge.consumers(producer) {
                    let reads = placement.is_mine(edge.consumer(consumer))?;
                    let id = (edge.id, ChannelId { producer, consumer });
                    let missing = || Error::internal(format!("{} has a channel too few", edge.id));
                    match (sends, reads) {
                        (true, true) => {
                            let (sender, receiver) = local::channel();
                            channels.read(&edge, consumer, receiver);
                            senders.push(sender);
                        }
                        (true, false) => senders.push(outputs.remove(&id).ok_or_else(missing)?),
                        (false, true) => {
                            let receiver = inputs.remove(&id).ok_or_else(missing)?;
                            channels.read(&edge, consumer, receiver);
                        }
                        (false, false) => {}
                    }
                }
                if sends {
                    channels.write(&edge, producer, senders);
                }
            }
        }
        Ok((channels, run))
    }

    fn read(&mut self, edge: &Edge<'_>, consumer: u32, receiver: Box<dyn Receiver>) {
        let inputs = self.inputs.entry(edge.consumer(consumer)).or_default();
        inputs.push((edge.id.input as usize, receiver));
    }

    fn write(&mut self, edge: &Edge<'_>, producer: u32, senders: Vec<Box<dyn Sender>>) {
        let input = edge.task.inputs[edge.id.input as usize].clone();
        let outputs = self.outputs.entry(edge.producer(producer)).or_default();
        outputs.push((input, edge.task.nodes[0], senders));
    }
}

/// An edge between tasks.
struct Edge<'a> {
    id: EdgeId,
    /// The reading task.
    task: &'a Task,
    producers: u32,
}

fn edges(tasks: &TaskGraph) -> impl Iterator<Item = Edge<'_>> {
    tasks.tasks.iter().enumerate().flat_map(move |(index, task)| {
        task.inputs.iter().enumerate().map(move |(position, input)| Edge {
            id: EdgeId { task: TaskId(index as u32), input: position as u32 },
            task,
            producers: tasks.tasks[input.task.0 as usize].parallelism,
        })
    })
}

impl Edge<'_> {
    /// The subtasks that read from a sending one.
    fn consumers(&self, producer: u32) -> std::ops::Range<u32> {
        match self.task.inputs[self.id.input as usize].exchange {
            Exchange::Forward => producer..producer + 1,
            _ => 0..self.task.parallelism,
        }
    }

    fn producer(&self, index: u32) -> SubtaskId {
        SubtaskId { task: self.task.inputs[self.id.input as usize].task, index }
    }

    fn consumer(&self, index: u32) -> SubtaskId {
        SubtaskId { task: self.id.task, index }
    }
}

impl Placement {
    fn worker(&self, subtask: SubtaskId) -> Result<&WorkerName> {
        let missing = || Error::internal(format!("subtask {subtask} is placed nowhere"));
        self.subtasks.get(&subtask).ok_or_else(missing)
    }

    fn is_mine(&self, subtask: SubtaskId) -> Result<bool> {
        Ok(*self.worker(subtask)? == self.me)
    }

    fn address(&self, name: &WorkerName) -> Result<WorkerAddress> {
        let missing = || Error::internal(format!("worker {name} has no address"));
        let address = self.addresses.get(name).ok_or_else(missing)?.clone();
        Ok(WorkerAddress { name: name.clone(), address })
    }

    /// The channels of an edge that leave or reach this worker.
    fn links(&self, graph: &StreamGraph, edge: &Edge<'_>) -> Result<EdgeLinks> {
        type ByWorker<'a> = BTreeMap<&'a WorkerName, BTreeSet<ChannelId>>;
        let (mut outgoing, mut incoming) = (ByWorker::new(), ByWorker::new());
        for producer in 0..edge.producers {
            let from = self.worker(edge.producer(producer))?;
            for consumer in edge.consumers(producer) {
                let to = self.worker(edge.consumer(consumer))?;
                let channel = ChannelId { producer, consumer };
                if from == to {
                    continue;
                }
                if *from == self.me {
                    outgoing.entry(to).or_default().insert(channel);
                } else if *to == self.me {
                    incoming.entry(from).or_default().insert(channel);
                }
            }
        }
        let addressed = |by_worker: ByWorker<'_>| {
            let pairs = by_worker.into_iter();
            pairs.map(|(name, channels)| Ok((self.address(name)?, channels))).collect()
        };
        let producer = edge.task.inputs[edge.id.input as usize].node;
        let outgoing: Result<Vec<_>> = addressed(outgoing);
        let incoming: Result<Vec<_>> = addressed(incoming);
        Ok(EdgeLinks {
            edge: edge.id,
            schema: edge_schema(graph, producer, edge.task.nodes[0])?,
            outgoing: outgoing?,
            incoming: incoming?,
        })
    }
}

#[cfg(test)]
mod tests;
