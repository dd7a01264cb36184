//! Reads the partitions of one subtask: starts fetchers, decodes what they hand over, keeps positions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::connector::{Read, ReaderContext, SourceReader, Split};
use tidegate_engine::element::Changes;
use tidegate_types::{Error, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::fetcher::{Assigned, FetchSettings, Fetched, Fetcher};
use super::offsets::TopicPartition;
use super::row_layout::Decoders;
use super::source::Shared;
use super::split::SplitState;

/// Batches that wait for decoding.
const CHANNEL_BATCHES: usize = 4;

/// The reader of a subtask.
pub(super) struct Reader {
    shared: Arc<Shared>,
    context: ReaderContext,
    decoders: Decoders,
    splits: Vec<Known>,
    /// Splits that no fetcher reads yet.
    waiting: Vec<usize>,
    /// Splits that have ended and of which the task does not know yet.
    ended: VecDeque<usize>,
    /// One fetcher; where reading is bounded one per topic, because the client tells the end of a
    /// partition without its topic.
    fetchers: BTreeMap<String, Fetcher>,
    sender: Sender<Result<Fetched>>,
    receiver: Receiver<Result<Fetched>>,
    /// What a fetcher handed over and is not decoded yet. Kept here, so that a cancelled `next` loses nothing.
    fetched: Option<Fetched>,
    /// A question for ends that is under way.
    question: Option<(Vec<TopicPartition>, Answer)>,
}

/// Ends of partitions, when the brokers have told them.
type Answer = JoinHandle<Result<BTreeMap<TopicPartition, i64>>>;

struct Known {
    state: SplitState,
    finished: bool,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, context: ReaderContext) -> Result<Self> {
        let (sender, receiver) = channel(CHANNEL_BATCHES);
        Ok(Self {
            decoders: shared.layout.decoders()?,
            shared,
            context,
            splits: Vec::new(),
            waiting: Vec::new(),
            ended: VecDeque::new(),
            fetchers: BTreeMap::new(),
            sender,
            receiver,
            fetched: None,
            question: None,
        })
    }

    /// Finds the ends of waiting splits that have none although reading is bounded: an unbounded run began to read them.
    /// May be given up and called again.
    async fn find_ends(&mut self) -> Result<()> {
        while self.shared.is_bounded() {
            let endless = self.waiting.iter().filter_map(|split| self.splits.get(*split));
            let endless = endless.map(|known| &known.state).filter(|state| state.stop.is_none());
            let open: Vec<TopicPartition> =
                endless.map(|state| (state.topic.clone(), state.partition)).collect();
            if open.is_empty() {
                break;
            }
            let shared = Arc::clone(&self.shared);
            let (asked, answer) = self.question.get_or_insert_with(|| {
                (open.clone(), tokio::task::spawn_blocking(move || shared.ends(&open)))
            });
            let answer = answer.await;
            let asked = std::mem::take(asked);
            self.question = None;
            let ends = answer.map_err(|_| Error::internal("looking up offsets ended early"))??;
            self.set_ends(&asked, &ends);
        }
        Ok(())
    }

    /// Gives the splits that were asked for their ends. One that the given numbers leave out is not read further.
    fn set_ends(&mut self, asked: &[TopicPartition], ends: &BTreeMap<TopicPartition, i64>) {
        for split in std::mem::take(&mut self.waiting) {
            let Some(Known { state, .. }) = self.splits.get_mut(split) else { continue };
            let key = (state.topic.clone(), state.partition);
            if state.stop.is_none() && asked.contains(&key) {
                state.stop = Some(ends.get(&key).copied().unwrap_or(state.next));
            }
            if state.is_done() { self.ended.push_back(split) } else { self.waiting.push(split) }
        }
    }

    /// Gives waiting splits to fetchers.
    fn start_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let count = waiting.len();
        for split in waiting {
            let Some(Known { state, .. }) = self.splits.get(split) else {
                continue;
            };
            let group = if state.stop.is_some() { state.topic.clone() } else { String::new() };
            let assigned = Assigned {
                split,
                topic: state.topic.clone(),
                partition: state.partition,
                next: state.next,
                stop: state.stop,
            };
            if !self.fetchers.contains_key(&group) {
                let settings = FetchSettings {
                    brokers: self.shared.brokers.clone(),
                    wanted: self.shared.layout.wanted(),
                    reset: self.shared.fetch_reset(),
                    batch_rows: self.context.batch_rows,
                    linger: self.context.linger,
                    describe: self.shared.topics.describe(),
                    monotonic: Arc::clone(&self.shared.monotonic),
                };
                let fetcher = Fetcher::start(settings, count, self.sender.clone())?;
                self.fetchers.insert(group.clone(), fetcher);
            }
            if let Some(fetcher) = self.fetchers.get(&group) {
                fetcher.add(assigned);
            }
        }
        Ok(())
    }

    /// Decodes what a fetcher handed over and moves the split's position.
    fn take(&mut self, fetched: &Fetched) -> Result<Option<Read>> {
        let known =
            self.splits.get_mut(fetched.split).ok_or_else(|| Error::internal("no such split"))?;
        self.context.metrics.bytes.add(fetched.batch.bytes() as u64);
        let rows = if fetched.batch.is_empty() {
            None
        } else {
            let SplitState { topic, partition, .. } = &known.state;
            let metrics = &self.context.metrics;
            Some(self.shared.layout.decode(
                &mut self.decoders,
                &fetched.batch,
                topic,
                *partition,
                metrics,
            )?)
        };
        known.state.next = fetched.next;
        if fetched.finished {
            self.ended.push_back(fetched.split);
        }
        Ok(rows.filter(|changes| !changes.is_empty()).map(|changes: Changes| Read::Batch {
            split: fetched.split,
            rows: changes.rows,
            kinds: changes.kinds,
        }))
    }
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let state = SplitState::decode(&split)?;
            let index = self.splits.len();
            if !split.finished {
                if state.is_done() { self.ended.push_back(index) } else { self.waiting.push(index) }
            }
            self.splits.push(Known { state, finished: split.finished });
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        if !self.waiting.is_empty() {
            self.find_ends().await?;
            self.start_waiting()?;
        }
        loop {
            if let Some(split) = self.ended.pop_front() {
                if let Some(known) = self.splits.get_mut(split) {
                    known.finished = true;
                }
                return Ok(Read::Finished { split });
            }
            if self.fetched.is_none() {
                // `sender` keeps the channel open, so this waits for as long as there is nothing.
                let Some(fetched) = self.receiver.recv().await else {
                    return Err(Error::internal("the channel of a Kafka reader is closed"));
                };
                self.fetched = Some(fetched?);
            }
            if let Some(fetched) = &self.fetched {
                self.decoders.prepare(&fetched.batch).await?;
            }
            if let Some(fetched) = self.fetched.take()
                && let Some(read) = self.take(&fetched)?
            {
                return Ok(read);
            }
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        self.splits.iter().map(|known| known.state.encode(known.finished)).collect()
    }

    fn checkpoint_complete(&mut self, splits: &[Split]) {
        if !self.shared.commits_offsets {
            return;
        }
        let states = splits.iter().filter_map(|split| SplitState::decode(split).ok());
        let offsets: Vec<_> =
            states.map(|state| ((state.topic, state.partition), state.next)).collect();
        if let Some(fetcher) = self.fetchers.values().next().filter(|_| !offsets.is_empty()) {
            fetcher.commit(offsets);
        }
    }
}
