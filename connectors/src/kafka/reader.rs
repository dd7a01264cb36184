//! Reads the partitions of one subtask: starts fetchers, decodes what they hand over, keeps positions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::connector::{Read, ReaderContext, SourceReader, Split};
use tidegate_types::{Error, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::fetcher::{Assigned, FetchSettings, Fetched, Fetcher};
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
}

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
        })
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
        Ok(rows
            .filter(|rows| rows.num_rows() > 0)
            .map(|rows| Read::Batch { split: fetched.split, rows }))
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
            self.start_waiting()?;
        }
        loop {
            if let Some(split) = self.ended.pop_front() {
                if let Some(known) = self.splits.get_mut(split) {
                    known.finished = true;
                }
                return Ok(Read::Finished { split });
            }
            // `sender` keeps the channel open, so this waits for as long as there is nothing.
            let Some(fetched) = self.receiver.recv().await else {
                return Err(Error::internal("the channel of a Kafka reader is closed"));
            };
            if let Some(read) = self.take(&fetched?)? {
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
