//! The loop of a task that reads the outputs of other tasks.

use std::sync::Arc;
use std::time::Duration;

use tidegate_checkpoint::SubtaskState;
use tidegate_runtime::{Clock, Task, failpoint, spawn};
use tidegate_types::{Epoch, Result, SubtaskId};
use tokio::sync::mpsc;

use super::chain::Chain;
use super::commits::Commits;
use super::copying::{CopyStep, Copying};
use super::sink_stage::Committed;
use super::upload::{SnapshotTarget, Upload, Uploaded, declined};
use crate::element::{Barrier, Element};
use crate::exchange::gate::{GateEvent, InputGate};
use crate::metrics::TaskMetrics;
use tidegate_checkpoint::task::{Control, Report, ReportKind};

/// What both task loops share: the chain, its surroundings, the snapshot under way.
pub struct TaskCore {
    /// Which task.
    pub subtask: SubtaskId,
    /// Its operators.
    pub chain: Chain,
    /// Where snapshots go.
    pub target: SnapshotTarget,
    /// Instructions.
    pub controls: mpsc::Receiver<Control>,
    /// Reports.
    pub reports: mpsc::Sender<Report>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Busy, idle, backpressured.
    pub metrics: Arc<TaskMetrics>,
    /// What the last snapshot has still to copy.
    pub copying: Option<Copying>,
    /// The upload of the last snapshot.
    pub upload: Option<(Epoch, Task<Result<Uploaded>>)>,
    /// Output that is being made visible.
    pub commits: Commits,
    /// The last epoch that was snapshotted.
    pub taken: Epoch,
}

impl TaskCore {
    /// Reports to the host; a host that is gone is noticed at the next instruction.
    pub async fn report(&mut self, kind: ReportKind) {
        let _ = self.reports.send(Report { subtask: self.subtask, kind }).await;
    }

    /// Takes a barrier: runs it through the chain and starts the upload of what it left.
    ///
    /// # Errors
    /// As [`Chain::push`].
    pub async fn barrier(
        &mut self,
        barrier: Barrier,
        source: Option<(tidegate_types::OperatorId, SubtaskState)>,
    ) -> Result<()> {
        // One upload at a time: the next snapshot refers to the files of the last.
        self.finish_copying().await?;
        if self.upload.is_some() {
            self.finish_upload().await;
        }
        failpoint::hit("before-barrier");
        self.taken = barrier.epoch;
        let before = self.clock.elapsed();
        self.chain.push(0, Element::Barrier(barrier)).await?;
        let snapshots = self.chain.take_snapshots();
        let nodes = self.chain.nodes_mut();
        let nodes = snapshots
            .into_iter()
            .map(|snapshot| {
                let files = nodes[snapshot.node].files.clone();
                (snapshot, files)
            })
            .collect();
        let copied = self.start_copying(self.clock.elapsed() - before);
        let upload = Upload { barrier, nodes, source, copied };
        let name = format!("upload {} of {}", barrier.epoch, self.subtask);
        self.upload = Some((barrier.epoch, spawn(name, upload.run(self.target.clone()))));
        Ok(())
    }

    /// Waits for the upload under way and reports it.
    pub async fn finish_upload(&mut self) {
        if self.upload.is_some() {
            let result = ended(&mut self.upload).await;
            self.uploaded(result).await;
        }
    }

    /// Reports what an upload left.
    pub async fn uploaded(&mut self, result: Result<Uploaded>) {
        let Some((epoch, _)) = self.upload.take() else { return };
        match result {
            Ok(uploaded) => {
                for (node, files) in uploaded.files {
                    self.chain.nodes_mut()[node].files = files;
                }
                self.report(ReportKind::Snapshot { epoch, state: uploaded.state }).await;
            }
            Err(error) => {
                self.abandon_copying();
                self.chain.nodes_mut().iter_mut().for_each(|node| node.files.forget());
                let error = declined(epoch, &error);
                self.report(ReportKind::Declined { epoch, error }).await;
            }
        }
    }

    /// Reports the upload under way if it has ended.
    pub async fn poll_upload(&mut self) {
        if self.upload.as_ref().is_some_and(|(_, upload)| upload.is_finished()) {
            self.finish_upload().await;
        }
    }

    /// Starts making staged output visible; reports it at once if there is none. May be told again.
    ///
    /// # Errors
    /// As [`Chain::commit`].
    pub async fn complete(&mut self, epoch: Epoch) -> Result<()> {
        if self.commits.is_waiting(epoch) {
            return Ok(());
        }
        match self.chain.commit(epoch, &self.commits.results()).await? {
            None => {}
            Some(0) => self.report(ReportKind::Committed(epoch)).await,
            Some(sinks) => self.commits.expect(epoch, sinks),
        }
        Ok(())
    }

    /// Notes how a commit went; reports it if it was the last of its checkpoint.
    ///
    /// # Errors
    /// As [`Chain::committed`].
    pub async fn committed(&mut self, committed: Committed) -> Result<()> {
        let epoch = self.chain.committed(committed)?;
        if self.commits.arrived(epoch) {
            self.report(ReportKind::Committed(epoch)).await;
        }
        Ok(())
    }

    /// Notes commits that have ended.
    ///
    /// # Errors
    /// As [`Chain::committed`].
    pub async fn poll_commits(&mut self) -> Result<()> {
        while let Some(committed) = self.commits.try_next() {
            self.committed(committed).await?;
        }
        Ok(())
    }

    /// Time until the next timer of the chain.
    pub fn until_timer(&self) -> Option<Duration> {
        let at = self.chain.next_timer()?;
        Some(Duration::from_millis(
            at.saturating_sub(self.clock.now_ms()).clamp(0, 3_600_000) as u64
        ))
    }
}

/// Runs a task until it is told to stop.
///
/// # Errors
/// Whatever fails the task; the caller reports it.
pub async fn run(mut core: TaskCore, mut gate: InputGate) -> Result<()> {
    let mut early_trigger: Option<Barrier> = None;
    let mut mark = core.clock.elapsed();
    loop {
        while let Ok(control) = core.controls.try_recv() {
            if !on_control(&mut core, &mut gate, control, &mut early_trigger).await? {
                return core.chain.close().await;
            }
        }
        core.chain.timers().await?;
        let copying = core.copy_some()?;
        let event = match gate.try_next() {
            Some(event) => event?,
            None if copying == CopyStep::Copied => {
                core.chain.flush().await?;
                tokio::task::consume_budget().await;
                continue;
            }
            None => {
                core.chain.flush().await?;
                let before = core.clock.elapsed();
                core.metrics.busy.add((before - mark).as_nanos() as u64);
                let woken = wait(&mut core, &mut gate).await?;
                mark = core.clock.elapsed();
                core.metrics.idle.add((mark - before).as_nanos() as u64);
                match woken {
                    Woken::Event(event) => event,
                    Woken::Control(control) => {
                        if !on_control(&mut core, &mut gate, control, &mut early_trigger).await? {
                            return core.chain.close().await;
                        }
                        continue;
                    }
                    Woken::Gone => return Ok(()),
                    Woken::Nothing => continue,
                }
            }
        };
        match event {
            GateEvent::Batch { input, changes } => {
                core.chain.push(input, Element::Batch(changes)).await?
            }
            GateEvent::Watermark(watermark) => {
                core.chain.push(0, Element::Watermark(watermark)).await?
            }
            GateEvent::Idle => core.chain.push(0, Element::Idle).await?,
            GateEvent::Barrier(barrier) => core.barrier(barrier, None).await?,
            GateEvent::End => {
                core.chain.push(0, Element::End).await?;
                core.chain.flush().await?;
                core.report(ReportKind::Ended).await;
                if let Some(barrier) = early_trigger.take().filter(|b| b.epoch > core.taken) {
                    core.barrier(barrier, None).await?;
                }
            }
        }
        core.poll_upload().await;
        core.poll_commits().await?;
        tokio::task::consume_budget().await;
    }
}

enum Woken {
    Event(GateEvent),
    Control(Control),
    Nothing,
    Gone,
}

async fn wait(core: &mut TaskCore, gate: &mut InputGate) -> Result<Woken> {
    let timer = core.until_timer();
    let uploading = core.upload.is_some();
    let room = core.copying.as_ref().map(Copying::room);
    tokio::select! {
        biased;
        control = core.controls.recv() => Ok(control.map_or(Woken::Gone, Woken::Control)),
        event = gate.next(), if !gate.is_finished() => event.map(Woken::Event),
        () = async { tokio::time::sleep(timer.unwrap_or_default()).await }, if timer.is_some() => {
            Ok(Woken::Nothing)
        }
        () = async { room.unwrap_or(Box::pin(std::future::pending())).await } => Ok(Woken::Nothing),
        uploaded = ended(&mut core.upload), if uploading => {
            core.uploaded(uploaded).await;
            Ok(Woken::Nothing)
        }
        committed = core.commits.next() => {
            core.committed(committed?).await?;
            Ok(Woken::Nothing)
        }
    }
}

/// Waits for an upload to end. Cancel-safe: the upload goes on by itself.
pub async fn ended(upload: &mut Option<(Epoch, Task<Result<Uploaded>>)>) -> Result<Uploaded> {
    match upload {
        Some((_, task)) => task.await.and_then(|result| result),
        None => std::future::pending().await,
    }
}

/// Handles an instruction; false: stop.
async fn on_control(
    core: &mut TaskCore,
    gate: &mut InputGate,
    control: Control,
    early_trigger: &mut Option<Barrier>,
) -> Result<bool> {
    match control {
        Control::Start | Control::Splits { .. } => {}
        Control::Trigger(barrier) if gate.is_finished() => {
            if barrier.epoch > core.taken {
                core.barrier(barrier, None).await?;
            }
        }
        Control::Trigger(barrier) => *early_trigger = Some(barrier),
        Control::Complete(epoch) => core.complete(epoch).await?,
        Control::Aborted(epoch) => {
            gate.abort(epoch);
            early_trigger.take_if(|barrier| barrier.epoch <= epoch);
        }
        Control::Stop => return Ok(false),
    }
    Ok(true)
}
