//! The loop of a task that reads a source: splits → columns → watermarks → chain.
//!
//! In continuous mode every batch goes on at once; in micro-batch mode rows are collected up to a
//! size or an interval. Watermarks are kept per split, combined by minimum over the splits that are
//! neither finished nor idle, and never go back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, Int8Array, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use futures::FutureExt;
use tidegate_checkpoint::{SourceState, SubtaskState};
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::RowKind;
use tidegate_plan::settings::ExecutionMode;
use tidegate_types::{
    Epoch, Error, ErrorCode, MAX_WATERMARK, MIN_WATERMARK, OperatorId, Result, Watermark,
};

use super::copying::{CopyStep, Copying};
use super::process::{TaskCore, ended};
use crate::connector::{Read, SourceReader, Split};
use crate::element::{BarrierKind, Changes, Element};
use crate::metrics::OperatorMetrics;
use tidegate_checkpoint::task::{Control, ReportKind};

/// Checkpoints under way whose positions are remembered.
const MAX_SNAPSHOTS: usize = 16;

/// Computes the output columns of a source from what the connector produced.
pub struct Projection {
    /// One per output column; `None`: all columns pass as they are.
    pub columns: Option<Vec<Evaluator>>,
    /// Output schema.
    pub schema: SchemaRef,
}

/// Computes watermarks.
pub struct WatermarkRule {
    /// The rowtime column of the output.
    pub column: usize,
    /// Name of the rowtime column, for messages.
    pub name: String,
    /// The watermark of each row, over the output columns.
    pub expr: Evaluator,
    /// Silence after which a split is idle; zero: never.
    pub idle_timeout: Duration,
}

/// A source task's own part.
pub struct SourceStage {
    /// The source operator.
    pub id: OperatorId,
    /// Its name, for messages.
    pub name: String,
    /// The connector's reader.
    pub reader: Box<dyn SourceReader>,
    /// Output columns.
    pub projection: Projection,
    /// Event time.
    pub watermark: Option<WatermarkRule>,
    /// When rows go on.
    pub mode: ExecutionMode,
    /// Whether the source ends.
    pub bounded: bool,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
}

/// What is known of a split while it is read.
struct SplitProgress {
    watermark: Watermark,
    finished: bool,
    idle: bool,
    last_rows: Duration,
}

struct SourceLoop {
    core: TaskCore,
    stage: SourceStage,
    splits: Vec<SplitProgress>,
    emitted: Watermark,
    idle: bool,
    started: bool,
    /// After a stop-with-savepoint nothing more is read.
    stopped: bool,
    all_known: bool,
    ended: bool,
    buffer: Vec<Changes>,
    buffered_rows: usize,
    buffered_since: Duration,
    /// Splits as they were at checkpoints that are not known to be complete yet.
    snapshots: VecDeque<(Epoch, Vec<Split>)>,
}

/// Runs a source task until it is told to stop; `restored`: splits with their watermarks.
///
/// # Errors
/// Whatever fails the task; the caller reports it.
pub async fn run(
    core: TaskCore,
    stage: SourceStage,
    restored: Vec<(Split, Option<Watermark>)>,
) -> Result<()> {
    let emitted = core.chain.watermark();
    let mut task = SourceLoop {
        core,
        stage,
        splits: Vec::new(),
        emitted,
        idle: false,
        started: false,
        stopped: false,
        all_known: false,
        ended: false,
        buffer: Vec::new(),
        buffered_rows: 0,
        buffered_since: Duration::ZERO,
        snapshots: VecDeque::new(),
    };
    task.add_splits(restored)?;
    let result = task.run().await;
    result.map_err(|error| error.context(task.stage.name.clone()))
}

impl SourceLoop {
    async fn run(&mut self) -> Result<()> {
        let mut mark = self.core.clock.elapsed();
        loop {
            while let Ok(control) = self.core.controls.try_recv() {
                if !self.on_control(control).await? {
                    return self.core.chain.close().await;
                }
            }
            self.core.poll_upload().await;
            self.core.poll_commits().await?;
            if self.until_wake().is_some_and(|left| left.is_zero()) {
                self.on_wake().await?;
            }
            let copying = self.core.copy_some()?;
            let ready =
                if self.may_read() { self.stage.reader.next().now_or_never() } else { None };
            let read = match ready {
                Some(read) => read?,
                None if copying == CopyStep::Copied => {
                    self.core.chain.flush().await?;
                    tokio::task::consume_budget().await;
                    continue;
                }
                None => {
                    self.core.chain.flush().await?;
                    let before = self.core.clock.elapsed();
                    self.core.metrics.busy.add((before - mark).as_nanos() as u64);
                    let woken = self.wait().await?;
                    mark = self.core.clock.elapsed();
                    self.core.metrics.idle.add((mark - before).as_nanos() as u64);
                    match woken {
                        Woken::Read(read) => read,
                        Woken::Control(control) => {
                            if !self.on_control(control).await? {
                                return self.core.chain.close().await;
                            }
                            continue;
                        }
                        Woken::Nothing => continue,
                        Woken::Gone => return Ok(()),
                    }
                }
            };
            self.on_read(read).await?;
            tokio::task::consume_budget().await;
        }
    }

    fn may_read(&self) -> bool {
        self.started
            && !self.stopped
            && !self.ended
            && self.splits.iter().any(|split| !split.finished)
    }

    async fn wait(&mut self) -> Result<Woken> {
        let may_read = self.may_read();
        let timer = self.until_wake();
        let uploading = self.core.upload.is_some();
        let room = self.core.copying.as_ref().map(Copying::room);
        tokio::select! {
            biased;
            control = self.core.controls.recv() => Ok(control.map_or(Woken::Gone, Woken::Control)),
            read = self.stage.reader.next(), if may_read => read.map(Woken::Read),
            () = async { room.unwrap_or(Box::pin(std::future::pending())).await } => Ok(Woken::Nothing),
            uploaded = ended(&mut self.core.upload), if uploading => {
                self.core.uploaded(uploaded).await;
                Ok(Woken::Nothing)
            }
            committed = self.core.commits.next() => {
                self.core.committed(committed?).await?;
                Ok(Woken::Nothing)
            }
            () = async { tokio::time::sleep(timer.unwrap_or_default()).await }, if timer.is_some() => {
                Ok(Woken::Nothing)
            }
        }
    }

    /// The clock of idleness: it stands still while the outputs have no room, when splits are not read
    /// though they may have rows.
    fn reading_time(&self) -> Duration {
        let blocked = Duration::from_nanos(self.core.metrics.backpressured.get());
        self.core.clock.elapsed().saturating_sub(blocked)
    }

    /// Time until a timer, an idle time-out or the micro-batch interval needs attention.
    fn until_wake(&self) -> Option<Duration> {
        let now = self.core.clock.elapsed();
        let linger = match self.stage.mode {
            ExecutionMode::MicroBatch { interval, .. } if self.buffered_rows > 0 => {
                Some((self.buffered_since + interval).saturating_sub(now))
            }
            _ => None,
        };
        let timeout = self.stage.watermark.as_ref().map(|rule| rule.idle_timeout);
        let timeout = timeout.filter(|timeout| self.started && !timeout.is_zero());
        let idle = timeout.and_then(|timeout| {
            let waiting = self.splits.iter().filter(|split| !split.idle && !split.finished);
            let oldest = waiting.map(|split| split.last_rows).min()?;
            Some((oldest + timeout).saturating_sub(self.reading_time()))
        });
        [linger, idle, self.core.until_timer()].into_iter().flatten().min()
    }

    async fn on_wake(&mut self) -> Result<()> {
        self.core.chain.timers().await?;
        let now = self.core.clock.elapsed();
        if let ExecutionMode::MicroBatch { interval, .. } = self.stage.mode
            && self.buffered_rows > 0
            && now >= self.buffered_since + interval
        {
            self.emit_buffer().await?;
        }
        let timeout =
            self.stage.watermark.as_ref().map_or(Duration::ZERO, |rule| rule.idle_timeout);
        if !timeout.is_zero() && self.started {
            let now = self.reading_time();
            for split in self.splits.iter_mut().filter(|split| !split.finished) {
                split.idle |= now >= split.last_rows + timeout;
            }
            self.advance().await?;
        }
        Ok(())
    }

    async fn on_control(&mut self, control: Control) -> Result<bool> {
        match control {
            Control::Start => {
                self.started = true;
                let now = self.reading_time();
                self.splits.iter_mut().for_each(|split| split.last_rows = now);
                self.settle().await?;
            }
            Control::Splits { splits, last } => {
                self.all_known |= last;
                self.add_splits(splits.into_iter().map(|split| (split, None)).collect())?;
                if self.started {
                    self.settle().await?;
                }
            }
            Control::Trigger(barrier) if barrier.epoch > self.core.taken => {
                self.emit_buffer().await?;
                let state = self.snapshot()?;
                self.remember(barrier.epoch, &state);
                let source = (self.stage.id, state);
                self.core.barrier(barrier, Some(source)).await?;
                self.core.chain.flush().await?;
                self.stopped |= barrier.kind == BarrierKind::StopWithSavepoint;
            }
            Control::Trigger(_) | Control::Aborted(_) => {}
            Control::Complete(epoch) => {
                self.announce(epoch);
                self.core.complete(epoch).await?;
            }
            Control::Stop => return Ok(false),
        }
        Ok(true)
    }

    fn snapshot(&mut self) -> Result<SubtaskState> {
        let splits = self.stage.reader.snapshot()?;
        let known = |watermark: Watermark| (watermark > MIN_WATERMARK).then_some(watermark);
        let splits = splits
            .into_iter()
            .zip(&self.splits)
            .map(|(mut split, progress)| {
                split.finished = progress.finished;
                (split, known(progress.watermark))
            })
            .collect();
        Ok(SubtaskState {
            watermark: known(self.emitted),
            source: Some(SourceState { splits }),
            ..SubtaskState::default()
        })
    }

    fn remember(&mut self, epoch: Epoch, state: &SubtaskState) {
        let splits = state.source.iter().flat_map(|source| &source.splits);
        self.snapshots.push_back((epoch, splits.map(|(split, _)| split.clone()).collect()));
        if self.snapshots.len() > MAX_SNAPSHOTS {
            self.snapshots.pop_front();
        }
    }

    /// Tells the reader which positions a completed checkpoint holds.
    fn announce(&mut self, epoch: Epoch) {
        while let Some((taken, splits)) = self.snapshots.pop_front_if(|(taken, _)| *taken <= epoch)
        {
            if taken == epoch {
                self.stage.reader.checkpoint_complete(&splits);
            }
        }
    }

    fn add_splits(&mut self, splits: Vec<(Split, Option<Watermark>)>) -> Result<()> {
        let now = self.reading_time();
        for (split, watermark) in &splits {
            self.splits.push(SplitProgress {
                watermark: watermark.unwrap_or(MIN_WATERMARK),
                finished: split.finished,
                idle: false,
                last_rows: now,
            });
        }
        self.stage.reader.add_splits(splits.into_iter().map(|(split, _)| split).collect())
    }

    async fn on_read(&mut self, read: Read) -> Result<()> {
        match read {
            Read::Batch { split, rows, kinds } => {
                self.on_rows(split, Changes { kinds, rows }).await
            }
            Read::Finished { split } => {
                self.splits[split].finished = true;
                self.settle().await
            }
        }
    }

    /// Rows of one split: compute columns and watermark, pass on.
    async fn on_rows(&mut self, split: usize, changes: Changes) -> Result<()> {
        let context = EvalContext::at(self.core.clock.now_ms());
        let rows = self.stage.projection.apply(&changes.rows, &context)?;
        let kinds = changes.kinds;
        self.stage.metrics.records_in.add(rows.num_rows() as u64);
        self.stage.metrics.records_out.add(rows.num_rows() as u64);
        let now = self.reading_time();
        if let Some(rule) = &self.stage.watermark {
            let watermark = rule.watermark(&rows, kinds.as_ref(), &context)?;
            let progress = &mut self.splits[split];
            progress.watermark = progress.watermark.max(watermark.unwrap_or(MIN_WATERMARK));
            progress.idle = false;
            progress.last_rows = now;
        }
        self.idle = false;
        match self.stage.mode {
            ExecutionMode::Continuous => {
                self.core.chain.push(0, Element::Batch(Changes { kinds, rows })).await?;
                self.advance().await
            }
            ExecutionMode::MicroBatch { size, interval } => {
                let now = self.core.clock.elapsed();
                if self.buffered_rows == 0 {
                    self.buffered_since = now;
                }
                self.buffered_rows += rows.num_rows();
                self.buffer.push(Changes { kinds, rows });
                if self.buffered_rows >= size || now >= self.buffered_since + interval {
                    self.emit_buffer().await?;
                }
                Ok(())
            }
        }
    }

    async fn emit_buffer(&mut self) -> Result<()> {
        if self.buffered_rows == 0 {
            return Ok(());
        }
        self.buffered_rows = 0;
        for changes in std::mem::take(&mut self.buffer) {
            self.core.chain.push(0, Element::Batch(changes)).await?;
        }
        self.advance().await
    }

    /// Emits the combined watermark if it advanced, or idleness if every split has become idle.
    async fn advance(&mut self) -> Result<()> {
        if self.ended || self.stage.watermark.is_none() || self.buffered_rows > 0 {
            return Ok(());
        }
        let unfinished = self.splits.iter().filter(|split| !split.finished);
        let active = unfinished.clone().filter(|split| !split.idle);
        let combined = match active.clone().map(|split| split.watermark).min() {
            Some(watermark) => Some(watermark),
            None => unfinished.clone().map(|split| split.watermark).max(),
        };
        if let Some(watermark) = combined.filter(|watermark| *watermark > self.emitted) {
            self.emitted = watermark;
            self.core.chain.push(0, Element::Watermark(watermark)).await?;
        }
        // A bounded subtask without open splits is about to end, which says more than idleness.
        let ending = self.stage.bounded && unfinished.count() == 0;
        if active.count() == 0 && !self.idle && !ending {
            self.idle = true;
            self.core.chain.push(0, Element::Idle).await?;
        }
        Ok(())
    }

    /// After a change of the set of splits: ends if nothing is left, else combines anew.
    async fn settle(&mut self) -> Result<()> {
        let done = self.splits.iter().all(|split| split.finished);
        if done && self.stage.bounded && self.all_known && !self.ended && !self.stopped {
            // First of all: what follows must not take the last split's end for idleness.
            self.ended = true;
            self.emit_buffer().await?;
            self.emitted = MAX_WATERMARK;
            self.core.chain.push(0, Element::Watermark(MAX_WATERMARK)).await?;
            self.core.chain.push(0, Element::End).await?;
            self.core.chain.flush().await?;
            self.core.report(ReportKind::Ended).await;
            return Ok(());
        }
        if done
            && self.stage.watermark.is_none()
            && !self.idle
            && !self.ended
            && !self.stage.bounded
        {
            // Without event time idleness still matters to inputs that are merged with others'.
            self.idle = true;
            return self.core.chain.push(0, Element::Idle).await;
        }
        self.advance().await
    }
}

enum Woken {
    Read(Read),
    Control(Control),
    Nothing,
    Gone,
}

impl Projection {
    /// The output columns for what the connector produced.
    ///
    /// # Errors
    /// `EVALUATION` if an expression fails, `INTERNAL` if a column has the wrong type.
    pub fn apply(&self, rows: &RecordBatch, context: &EvalContext) -> Result<RecordBatch> {
        let columns = match &self.columns {
            None => rows.columns().to_vec(),
            Some(columns) => columns
                .iter()
                .map(|column| column.evaluate(rows, context))
                .collect::<Result<_>>()?,
        };
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::internal(format!("source columns: {error}")))
    }
}

impl WatermarkRule {
    /// The largest watermark of a batch. Deletions may come without a time: some name only a key.
    fn watermark(
        &self,
        rows: &RecordBatch,
        kinds: Option<&Int8Array>,
        context: &EvalContext,
    ) -> Result<Option<Watermark>> {
        let times = rows.column(self.column);
        let stays = |row| kinds.is_none_or(|kinds| kinds.value(row) != RowKind::Delete as i8);
        if times.null_count() > 0 && (0..times.len()).any(|row| times.is_null(row) && stays(row)) {
            return Err(Error::new(
                ErrorCode::BadRecord,
                format!("the rowtime column '{}' is NULL in a record, but event time needs a value", self.name),
            )
            .help("filter such records out before they are written, or declare the watermark on a computed column that replaces NULL"));
        }
        let values = self.expr.evaluate(rows, context)?;
        let values = values.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(|| {
            Error::internal("watermark expression is not a timestamp of precision 0 to 3")
        })?;
        Ok(max(values))
    }
}
