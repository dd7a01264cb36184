//! A chain: operators, sinks and output edges that run in one task without queues between them.
//!
//! An element entering a node runs to completion through everything below it before the next one
//! enters. The work left is an explicit stack, so that an output edge may wait for room anywhere
//! in the tree while at most a few batches are held.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_runtime::Clock;
use tidegate_types::{Epoch, Error, MIN_WATERMARK, OperatorId, Result, Watermark};
use tokio::sync::mpsc;

use crate::element::{Barrier, Element};
use crate::exchange::partition::Partitioner;
use crate::lookup::LookupStage;
use crate::metrics::{OperatorMetrics, TaskMetrics};
use crate::operator::{Copied, Operator, Output, Progress, delayed};
use crate::task::sink_stage::{Committed, SinkStage};
use crate::task::snapshot::{NodeSnapshot, SinkSnapshot, StateFiles};

/// What a node of the chain does.
pub enum Stage {
    /// Runs an operator.
    Operator(Box<dyn Operator>),
    /// Joins with what an outside table holds.
    Lookup(Box<LookupStage>),
    /// Writes to an outside system.
    Sink(SinkStage),
    /// Sends to another task.
    Output(OutputEdge),
}

/// An edge to another task; closed once `End` was sent.
pub struct OutputEdge {
    /// The channels.
    pub partitioner: Partitioner,
    /// Whether `End` was sent.
    pub ended: bool,
}

/// A node of the chain.
pub struct ChainNode {
    /// Operator id; `None` for parts of an output edge, which keep no state.
    pub id: Option<OperatorId>,
    /// Name, for errors.
    pub name: String,
    /// What it does.
    pub stage: Stage,
    /// Nodes that read its output.
    pub next: Vec<usize>,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
    /// Files of its state in the last snapshot.
    pub files: StateFiles,
}

/// Nodes of a task, parents before children.
pub struct Chain {
    nodes: Vec<ChainNode>,
    /// Nodes that read what enters the chain.
    roots: Vec<usize>,
    clock: Arc<dyn Clock>,
    task: Arc<TaskMetrics>,
    watermark: Watermark,
    snapshots: Vec<NodeSnapshot>,
    /// Nodes with a snapshot that is not copied yet.
    copying: VecDeque<usize>,
    steps: Vec<Step>,
}

enum Step {
    Deliver(usize, usize, Element),
    /// Empty a node's pending output, then pass the element on.
    Drain(usize, Option<Element>),
}

impl Chain {
    /// A chain of nodes; `roots` read what enters.
    pub fn new(
        nodes: Vec<ChainNode>,
        roots: Vec<usize>,
        clock: Arc<dyn Clock>,
        task: Arc<TaskMetrics>,
    ) -> Self {
        Self {
            nodes,
            roots,
            clock,
            task,
            watermark: MIN_WATERMARK,
            snapshots: Vec::new(),
            copying: VecDeque::new(),
            steps: Vec::new(),
        }
    }

    /// The nodes, for opening and restoring.
    pub fn nodes_mut(&mut self) -> &mut [ChainNode] {
        &mut self.nodes
    }

    /// The last watermark that entered.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// Sets the restored watermark.
    pub fn set_watermark(&mut self, watermark: Watermark) {
        self.watermark = watermark;
    }

    /// By how many ms the watermark of each node stays behind that of the chain.
    pub fn delays(&self) -> Vec<i64> {
        let mut delays = vec![0i64; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let Stage::Operator(operator) = &node.stage else { continue };
            let behind = delays[index].saturating_add(operator.watermark_delay());
            node.next.iter().for_each(|next| delays[*next] = behind);
        }
        delays
    }

    /// The watermark that a node was given last.
    fn watermark_at(&self, node: usize) -> Watermark {
        delayed(self.watermark, self.delays().get(node).copied().unwrap_or(0))
    }

    /// Runs an element through the chain.
    ///
    /// # Errors
    /// Whatever an operator, sink or channel fails with, with the operator's name.
    pub async fn push(&mut self, input: usize, element: Element) -> Result<()> {
        if let Element::Watermark(watermark) = element {
            self.watermark = watermark;
        }
        self.deliver(&self.roots.clone(), input, element);
        self.run().await
    }

    /// Runs the timers that are due.
    ///
    /// # Errors
    /// As [`Chain::push`].
    pub async fn timers(&mut self) -> Result<()> {
        let now = self.clock.now_ms();
        for index in 0..self.nodes.len() {
            let Stage::Operator(operator) = &mut self.nodes[index].stage else { continue };
            if operator.next_timer().is_some_and(|at| at <= now) {
                let mut out = Output::new(now);
                operator
                    .timer(&mut out)
                    .map_err(|error| error.context(self.nodes[index].name.clone()))?;
                self.steps.push(Step::Drain(index, None));
                self.emitted(index, &mut out);
                self.run().await?;
            }
        }
        Ok(())
    }

    /// Wall-clock time of the next timer.
    pub fn next_timer(&self) -> Option<i64> {
        let timers = self.nodes.iter().filter_map(|node| match &node.stage {
            Stage::Operator(operator) => operator.next_timer(),
            _ => None,
        });
        timers.min()
    }

    /// Sends on what waits in output buffers: called when there is nothing else to do.
    ///
    /// # Errors
    /// As [`Chain::push`].
    pub async fn flush(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            match &mut node.stage {
                Stage::Operator(_) | Stage::Lookup(_) => {}
                Stage::Sink(sink) => {
                    sink.writer.linger().await.map_err(|error| error.context(node.name.clone()))?;
                }
                Stage::Output(edge) if !edge.ended => edge.partitioner.flush().await?,
                Stage::Output(_) => {}
            }
        }
        Ok(())
    }

    /// What the last barrier left in each node.
    pub fn take_snapshots(&mut self) -> Vec<NodeSnapshot> {
        std::mem::take(&mut self.snapshots)
    }

    /// Copies some more of what the last barrier marked; `None`: there is nothing left.
    ///
    /// # Errors
    /// What an operator fails with, with its name.
    pub fn copy(&mut self, entries: usize) -> Result<Option<(usize, Copied)>> {
        while let Some(index) = self.copying.front().copied() {
            let node = &mut self.nodes[index];
            if let Stage::Operator(operator) = &mut node.stage {
                let copied = operator.copy(entries);
                match copied.map_err(|error| error.context(node.name.clone()))? {
                    Copied::Done => {}
                    copied => return Ok(Some((index, copied))),
                }
            }
            self.copying.pop_front();
        }
        Ok(None)
    }

    /// What the last barrier marked is not wanted any more.
    pub fn abandon_copy(&mut self) {
        for index in self.copying.drain(..) {
            if let Stage::Operator(operator) = &mut self.nodes[index].stage {
                operator.abandon_copy();
            }
        }
    }

    /// Starts making staged output up to an epoch visible; how that went is sent to `done`. `None`:
    /// there are no sinks; else the number of commits to wait for.
    ///
    /// # Errors
    /// As [`SinkStage::commit`], with the sink's name.
    pub async fn commit(
        &mut self,
        epoch: Epoch,
        done: &mpsc::Sender<Committed>,
    ) -> Result<Option<usize>> {
        let mut started = None;
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let Stage::Sink(sink) = &mut node.stage else { continue };
            let waits = sink.commit(index, epoch, done).await;
            let waits = waits.map_err(|error| error.context(node.name.clone()))?;
            *started.get_or_insert(0) += usize::from(waits);
        }
        Ok(started)
    }

    /// Notes how a commit went.
    ///
    /// # Errors
    /// What the sink failed with, with its name.
    pub fn committed(&mut self, committed: Committed) -> Result<Epoch> {
        let Some(node) = self.nodes.get_mut(committed.node) else { return Ok(committed.epoch) };
        let name = &node.name;
        committed.result.map_err(|error| error.context(format!("commit output of {name}")))?;
        if let Stage::Sink(sink) = &mut node.stage {
            sink.committed(committed.epoch);
        }
        Ok(committed.epoch)
    }

    /// Closes the sinks at a normal end.
    ///
    /// # Errors
    /// What a sink fails with, with its name.
    pub async fn close(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Stage::Sink(sink) = &mut node.stage {
                sink.writer.close().await.map_err(|error| error.context(node.name.clone()))?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, targets: &[usize], input: usize, element: Element) {
        // Last in, first out: the last target is pushed first.
        for target in targets.iter().rev() {
            self.steps.push(Step::Deliver(*target, input, element.clone()));
        }
    }

    /// Puts a node's emitted batches before everything else that is left to do.
    fn emitted(&mut self, node: usize, out: &mut Output) {
        let batches = out.take();
        let rows: usize = batches.iter().map(|batch| batch.len()).sum();
        self.nodes[node].metrics.records_out.add(rows as u64);
        for batch in batches.into_iter().rev() {
            for target in self.nodes[node].next.iter().rev() {
                self.steps.push(Step::Deliver(*target, 0, Element::Batch(batch.clone())));
            }
        }
    }

    async fn run(&mut self) -> Result<()> {
        while let Some(step) = self.steps.pop() {
            let result = match step {
                Step::Deliver(node, input, element) => match self.nodes[node].stage {
                    Stage::Operator(_) => self.operate(node, input, element),
                    Stage::Lookup(_) => self.look_up(node, element).await,
                    _ => self.write(node, element).await,
                },
                Step::Drain(node, after) => self.drain(node, after),
            };
            if let Err(error) = result {
                self.steps.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    fn operate(&mut self, index: usize, input: usize, element: Element) -> Result<()> {
        let node = &mut self.nodes[index];
        let Stage::Operator(operator) = &mut node.stage else { return Ok(()) };
        let mut out = Output::new(self.clock.now_ms());
        let context = |error: Error| error.context(node.name.clone());
        match element {
            Element::Batch(changes) => {
                node.metrics.records_in.add(changes.len() as u64);
                operator.process(input, changes, &mut out).map_err(context)?;
                if operator.is_pending() {
                    self.steps.push(Step::Drain(index, None));
                }
            }
            Element::Watermark(watermark) => {
                node.metrics.watermark.set(watermark);
                operator.watermark(watermark, &mut out).map_err(context)?;
                self.steps.push(Step::Drain(index, Some(element)));
            }
            Element::Barrier(_) => {
                operator.before_barrier(&mut out).map_err(context)?;
                self.steps.push(Step::Drain(index, Some(element)));
            }
            // While this input is idle, or for ever after its end, others may carry event time past what
            // is buffered here: it goes first.
            Element::Idle | Element::End => {
                operator.before_barrier(&mut out).map_err(context)?;
                self.steps.push(Step::Drain(index, Some(element)));
            }
        }
        self.emitted(index, &mut out);
        Ok(())
    }

    /// Joins a batch; what controls the stream follows behind the rows that came before it.
    async fn look_up(&mut self, index: usize, element: Element) -> Result<()> {
        let node = &mut self.nodes[index];
        let Stage::Lookup(lookup) = &mut node.stage else { return Ok(()) };
        match element {
            Element::Batch(changes) => {
                node.metrics.records_in.add(changes.len() as u64);
                let mut out = Output::new(self.clock.now_ms());
                let joined = lookup.process(changes, &mut out).await;
                joined.map_err(|error| error.context(node.name.clone()))?;
                self.emitted(index, &mut out);
            }
            control => {
                if let Element::Watermark(watermark) = &control {
                    node.metrics.watermark.set(*watermark);
                }
                let next = node.next.clone();
                self.deliver(&next, 0, control);
            }
        }
        Ok(())
    }

    fn drain(&mut self, index: usize, after: Option<Element>) -> Result<()> {
        let node = &mut self.nodes[index];
        let Stage::Operator(operator) = &mut node.stage else { return Ok(()) };
        let mut out = Output::new(self.clock.now_ms());
        let delay = operator.watermark_delay();
        let progress =
            operator.drain(&mut out).map_err(|error| error.context(node.name.clone()))?;
        if progress == Progress::More {
            self.steps.push(Step::Drain(index, after));
        } else if let Some(element) = after {
            if let Element::Barrier(barrier) = &element {
                self.snapshot_operator(index, *barrier)?;
            }
            let element = match element {
                Element::Watermark(watermark) => Element::Watermark(delayed(watermark, delay)),
                other => other,
            };
            let next = self.nodes[index].next.clone();
            self.deliver(&next, 0, element);
        }
        self.emitted(index, &mut out);
        Ok(())
    }

    fn snapshot_operator(&mut self, index: usize, barrier: Barrier) -> Result<()> {
        let node = &mut self.nodes[index];
        let (Stage::Operator(operator), Some(id)) = (&mut node.stage, node.id) else {
            return Ok(());
        };
        let request = node.files.request(barrier.kind);
        let tables =
            operator.snapshot(&request).map_err(|error| error.context(node.name.clone()))?;
        node.metrics.state_bytes.set(operator.state_bytes() as i64);
        node.metrics.spilled_bytes.set(operator.spilled_bytes() as i64);
        let watermark = self.watermark_at(index);
        self.snapshots.push(NodeSnapshot { node: index, id, watermark, tables, sink: None });
        self.copying.push_back(index);
        Ok(())
    }

    async fn write(&mut self, index: usize, element: Element) -> Result<()> {
        let watermark = match element {
            Element::Barrier(_) => self.watermark_at(index),
            _ => self.watermark,
        };
        let node = &mut self.nodes[index];
        match &mut node.stage {
            Stage::Operator(_) | Stage::Lookup(_) => Ok(()),
            Stage::Output(edge) => {
                if edge.ended {
                    return Ok(());
                }
                edge.ended = matches!(element, Element::End);
                let before = self.clock.elapsed();
                let sent = edge.partitioner.send(element).await;
                self.task.backpressured.add((self.clock.elapsed() - before).as_nanos() as u64);
                sent
            }
            Stage::Sink(sink) => {
                let context = |error: Error| error.context(node.name.clone());
                match element {
                    Element::Batch(changes) => {
                        node.metrics.records_in.add(changes.len() as u64);
                        sink.enforce_not_null(&changes).map_err(context)?;
                        let before = self.clock.elapsed();
                        let written = sink.writer.write(changes).await.map_err(context);
                        self.task
                            .backpressured
                            .add((self.clock.elapsed() - before).as_nanos() as u64);
                        written
                    }
                    Element::Watermark(watermark) => {
                        node.metrics.watermark.set(watermark);
                        sink.writer.watermark(watermark).await.map_err(context)
                    }
                    Element::Barrier(barrier) => {
                        let units = sink.writer.prepare(barrier.epoch).await.map_err(context)?;
                        sink.staged.extend(units);
                        let output = SinkSnapshot {
                            staged: sink.staged.clone(),
                            confirmed: sink.confirmed(),
                            area: sink.staging.clone(),
                            acknowledgements: sink.writer.acknowledgements(),
                        };
                        if let Some(id) = node.id {
                            self.snapshots.push(NodeSnapshot {
                                node: index,
                                id,
                                watermark,
                                tables: Vec::new(),
                                sink: Some(output),
                            });
                        }
                        Ok(())
                    }
                    Element::Idle | Element::End => sink.writer.linger().await.map_err(context),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
