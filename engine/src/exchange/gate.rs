//! A task's inputs: merges channels, combines their watermarks, aligns their barriers.
//!
//! [`Alignment`] is the protocol as a pure state machine; [`InputGate`] does the polling. A channel
//! that has delivered barrier n is not read until every other channel has delivered it or ended, so
//! no row of epoch n + 1 overtakes the barrier.

use std::future::poll_fn;
use std::task::Poll;

use tidegate_types::{Epoch, MAX_WATERMARK, MIN_WATERMARK, Result, Watermark};

use super::Receiver;
use crate::element::{Barrier, Changes, Element};

/// What the inputs, taken together, have brought.
#[derive(Debug)]
pub enum GateEvent {
    /// Rows of an input of the operator.
    Batch {
        /// Index of the input (an input has one channel per upstream subtask).
        input: usize,
        /// The rows.
        changes: Changes,
    },
    /// The combined watermark has advanced.
    Watermark(Watermark),
    /// All channels are idle.
    Idle,
    /// Every channel has delivered this barrier, or ended.
    Barrier(Barrier),
    /// Every channel has ended.
    End,
}

/// Watermarks, idleness, barriers and ends of a set of channels.
#[derive(Debug)]
pub struct Alignment {
    channels: Vec<Channel>,
    combined: Watermark,
    idle: bool,
    aligning: Option<Barrier>,
    /// The newest barrier that any channel has delivered.
    newest: Epoch,
}

#[derive(Debug, Clone)]
struct Channel {
    watermark: Watermark,
    idle: bool,
    blocked: bool,
    ended: bool,
}

impl Alignment {
    /// `count` channels; `watermark` is the restored one, which the combined never goes below.
    pub fn new(count: usize, watermark: Watermark) -> Self {
        let channel =
            Channel { watermark: MIN_WATERMARK, idle: false, blocked: false, ended: false };
        Self {
            channels: vec![channel; count],
            combined: watermark,
            idle: false,
            aligning: None,
            newest: Epoch(0),
        }
    }

    /// Whether a channel may be read.
    pub fn is_readable(&self, channel: usize) -> bool {
        !self.channels[channel].blocked && !self.channels[channel].ended
    }

    /// Whether every channel has ended.
    pub fn all_ended(&self) -> bool {
        self.channels.iter().all(|channel| channel.ended)
    }

    /// A watermark of a channel; returns the combined one if it advanced.
    pub fn watermark(&mut self, channel: usize, watermark: Watermark) -> Option<Watermark> {
        let state = &mut self.channels[channel];
        state.watermark = state.watermark.max(watermark);
        state.idle = false;
        self.idle = false;
        self.combine()
    }

    /// A channel has rows: it is not idle any more.
    pub fn active(&mut self, channel: usize) {
        self.channels[channel].idle = false;
        self.idle = false;
    }

    /// A channel became idle; returns an advanced watermark, and whether all are idle now.
    pub fn idle(&mut self, channel: usize) -> (Option<Watermark>, bool) {
        self.channels[channel].idle = true;
        let advanced = self.combine();
        let all = self.channels.iter().all(|channel| channel.idle || channel.ended);
        let news = all && !self.idle;
        self.idle = all;
        (advanced, news)
    }

    /// A barrier of a channel; returns it once it is aligned.
    ///
    /// Some channels may never deliver a barrier: whoever asked for the checkpoint was lost before every source had
    /// heard of it. So a newer barrier ends the alignment of an older one, which is given up, and an older one than
    /// what was seen is passed over.
    pub fn barrier(&mut self, channel: usize, barrier: Barrier) -> Option<Barrier> {
        if barrier.epoch < self.newest {
            return None;
        }
        if self.aligning.is_some_and(|older| older.epoch < barrier.epoch) {
            self.channels.iter_mut().for_each(|channel| channel.blocked = false);
        }
        self.newest = barrier.epoch;
        self.aligning = Some(barrier);
        self.channels[channel].blocked = true;
        self.aligned()
    }

    /// Barriers up to this one are given up: channels that wait for others to deliver one are read again, and those that
    /// still come are passed over.
    pub fn abort(&mut self, epoch: Epoch) {
        if self.aligning.take_if(|barrier| barrier.epoch <= epoch).is_some() {
            self.channels.iter_mut().for_each(|channel| channel.blocked = false);
        }
        self.newest = self.newest.max(Epoch(epoch.0.saturating_add(1)));
    }

    /// A channel has ended, which counts as its watermark's maximum and as every later barrier.
    /// Returns an advanced watermark and a barrier that is aligned thereby.
    pub fn end(&mut self, channel: usize) -> (Option<Watermark>, Option<Barrier>) {
        self.channels[channel].ended = true;
        let advanced = if self.all_ended() { None } else { self.combine() };
        (advanced, self.aligned())
    }

    fn aligned(&mut self) -> Option<Barrier> {
        if !self.channels.iter().all(|channel| channel.blocked || channel.ended) {
            return None;
        }
        let barrier = self.aligning.take();
        if barrier.is_some() {
            self.channels.iter_mut().for_each(|channel| channel.blocked = false);
        }
        barrier
    }

    fn combine(&mut self) -> Option<Watermark> {
        let counted = self.channels.iter().filter(|channel| !channel.idle && !channel.ended);
        let minimum = counted.map(|channel| channel.watermark).min();
        // With every channel idle the largest watermark holds, as in Flink: nothing older is expected.
        let combined = match minimum {
            Some(minimum) => minimum,
            None => self.channels.iter().filter(|c| !c.ended).map(|c| c.watermark).max()?,
        };
        (combined > self.combined).then(|| {
            self.combined = combined;
            combined
        })
    }
}

/// The channels of a task, read in turn.
pub struct InputGate {
    channels: Vec<(usize, Box<dyn Receiver>)>,
    alignment: Alignment,
    next: usize,
    /// Events that one element caused beyond the first.
    pending: std::collections::VecDeque<GateEvent>,
    finished: bool,
}

impl InputGate {
    /// Channels with the index of the operator's input that each belongs to.
    pub fn new(channels: Vec<(usize, Box<dyn Receiver>)>, watermark: Watermark) -> Self {
        let alignment = Alignment::new(channels.len(), watermark);
        Self { channels, alignment, next: 0, pending: Default::default(), finished: false }
    }

    /// As [`Alignment::abort`].
    pub fn abort(&mut self, epoch: Epoch) {
        self.alignment.abort(epoch);
    }

    /// Whether every channel has ended.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Waits for the next event. Never resolves after `End`. Cancel-safe.
    ///
    /// # Errors
    /// `CANCELLED` if an upstream task is gone.
    pub async fn next(&mut self) -> Result<GateEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            let (channel, element) = self.element().await?;
            self.take(channel, element)?;
        }
    }

    /// The next event if one is ready without waiting.
    ///
    /// # Errors
    /// As [`InputGate::next`].
    pub fn try_next(&mut self) -> Option<Result<GateEvent>> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let next = std::pin::pin!(self.next());
        match next.poll(&mut context) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    async fn element(&mut self) -> Result<(usize, Element)> {
        poll_fn(|context| {
            let count = self.channels.len();
            for step in 0..count {
                let index = (self.next + step) % count;
                if !self.alignment.is_readable(index) {
                    continue;
                }
                if let Poll::Ready(element) = self.channels[index].1.poll_next(context) {
                    self.next = index + 1;
                    return Poll::Ready(element.map(|element| (index, element)));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn take(&mut self, channel: usize, element: Element) -> Result<()> {
        match element {
            Element::Batch(changes) => {
                self.alignment.active(channel);
                let input = self.channels[channel].0;
                self.pending.push_back(GateEvent::Batch { input, changes });
            }
            Element::Watermark(watermark) => {
                let advanced = self.alignment.watermark(channel, watermark);
                self.pending.extend(advanced.map(GateEvent::Watermark));
            }
            Element::Idle => {
                let (advanced, all) = self.alignment.idle(channel);
                self.pending.extend(advanced.map(GateEvent::Watermark));
                self.pending.extend(all.then_some(GateEvent::Idle));
            }
            Element::Barrier(barrier) => {
                let aligned = self.alignment.barrier(channel, barrier);
                self.pending.extend(aligned.map(GateEvent::Barrier));
            }
            Element::End => {
                let (advanced, aligned) = self.alignment.end(channel);
                self.pending.extend(advanced.map(GateEvent::Watermark));
                self.pending.extend(aligned.map(GateEvent::Barrier));
                if self.alignment.all_ended() {
                    self.finished = true;
                    let last = self.alignment.channels.iter().map(|c| c.watermark).max();
                    if last == Some(MAX_WATERMARK) && self.alignment.combined < MAX_WATERMARK {
                        self.pending.push_back(GateEvent::Watermark(MAX_WATERMARK));
                    }
                    self.pending.push_back(GateEvent::End);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::BarrierKind;

    fn barrier(epoch: u64) -> Barrier {
        Barrier { epoch: Epoch(epoch), kind: BarrierKind::Checkpoint }
    }

    #[test]
    fn the_combined_watermark_is_the_minimum_and_never_goes_back() {
        let mut alignment = Alignment::new(2, 5);
        assert_eq!(alignment.watermark(0, 10), None);
        assert_eq!(alignment.watermark(1, 3), None, "below the restored one");
        assert_eq!(alignment.watermark(1, 7), Some(7));
        assert_eq!(alignment.watermark(1, 6), None);
        assert_eq!(alignment.watermark(1, 12), Some(10));
    }

    #[test]
    fn idle_channels_do_not_hold_back() {
        let mut alignment = Alignment::new(2, MIN_WATERMARK);
        assert_eq!(alignment.watermark(0, 10), None);
        assert_eq!(alignment.idle(1), (Some(10), false));
        assert_eq!(alignment.idle(0), (None, true));
        assert_eq!(alignment.watermark(1, 4), None, "active again, but nothing goes back");
        assert_eq!(alignment.watermark(1, 11), Some(11));
    }

    #[test]
    fn a_barrier_blocks_its_channel_until_all_have_it_or_ended() {
        let mut alignment = Alignment::new(3, MIN_WATERMARK);
        assert_eq!(alignment.barrier(0, barrier(1)), None);
        assert!(!alignment.is_readable(0));
        assert_eq!(alignment.end(1).1, None);
        assert_eq!(alignment.barrier(2, barrier(1)), Some(barrier(1)));
        assert!(alignment.is_readable(0) && alignment.is_readable(2) && !alignment.is_readable(1));
        assert_eq!(alignment.barrier(0, barrier(2)), None);
        assert_eq!(alignment.end(2).1, Some(barrier(2)));
    }

    #[test]
    fn a_newer_barrier_ends_the_alignment_of_one_that_not_all_channels_deliver() {
        let mut alignment = Alignment::new(3, MIN_WATERMARK);
        assert_eq!(alignment.barrier(0, barrier(1)), None);
        assert_eq!(alignment.barrier(1, barrier(2)), None);
        assert!(alignment.is_readable(0), "its rows up to the newer barrier belong to that");
        assert!(!alignment.is_readable(1));
        assert_eq!(alignment.barrier(2, barrier(1)), None, "too late");
        assert!(alignment.is_readable(2));
        assert_eq!(alignment.barrier(0, barrier(2)), None);
        assert_eq!(alignment.barrier(2, barrier(2)), Some(barrier(2)));
        assert_eq!(alignment.barrier(0, barrier(1)), None);
        assert!(alignment.is_readable(0));
    }

    #[test]
    fn an_aborted_barrier_blocks_nothing_and_is_passed_over_when_it_comes_late() {
        let mut alignment = Alignment::new(2, MIN_WATERMARK);
        assert_eq!(alignment.barrier(0, barrier(3)), None);
        alignment.abort(Epoch(2));
        assert!(!alignment.is_readable(0), "it is of another one");
        alignment.abort(Epoch(4));
        assert!(alignment.is_readable(0));
        assert_eq!(alignment.barrier(1, barrier(3)), None);
        assert_eq!(alignment.barrier(1, barrier(4)), None);
        assert!(alignment.is_readable(1));
        assert_eq!(alignment.barrier(1, barrier(5)), None);
        assert_eq!(alignment.barrier(0, barrier(5)), Some(barrier(5)));
    }
}
