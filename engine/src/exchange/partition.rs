//! A task's output edge: spreads rows over the subtasks that read it.
//!
//! Rows are split by a counting sort into one `take` per target and coalesced per target, so that
//! no fragments travel; control elements flush what is buffered before them, at once.

use arrow::array::UInt32Array;
use tidegate_plan::Exchange;
use tidegate_types::Result;
use tidegate_types::key_group::{key_group, owner};

use super::Sender;
use crate::element::{Changes, Element};
use crate::keys::hash::hash_columns;

/// Rows per target at which its buffer is sent.
const TARGET_ROWS: usize = 4096;

/// An output edge of a subtask.
pub struct Partitioner {
    exchange: Exchange,
    key_groups: u16,
    targets: Vec<Target>,
    next: usize,
    hashes: Vec<u64>,
}

struct Target {
    sender: Box<dyn Sender>,
    buffered: Vec<Changes>,
    rows: usize,
}

impl Partitioner {
    /// An edge to `senders`, one per reading subtask (for `Forward` exactly one).
    pub fn new(exchange: Exchange, key_groups: u16, senders: Vec<Box<dyn Sender>>) -> Self {
        let targets = senders
            .into_iter()
            .map(|sender| Target { sender, buffered: Vec::new(), rows: 0 })
            .collect::<Vec<_>>();
        Self { exchange, key_groups, targets, next: 0, hashes: Vec::new() }
    }

    /// Sends an element: rows to the target each belongs to, anything else to all.
    ///
    /// # Errors
    /// `CANCELLED` if a receiver is gone, `UNSUPPORTED` if a column cannot be a key.
    pub async fn send(&mut self, element: Element) -> Result<()> {
        match element {
            Element::Batch(changes) => self.send_rows(changes).await,
            control => {
                self.flush().await?;
                for target in &mut self.targets {
                    target.sender.send(control.clone()).await?;
                }
                Ok(())
            }
        }
    }

    /// Sends everything that is buffered.
    ///
    /// # Errors
    /// `CANCELLED` if a receiver is gone.
    pub async fn flush(&mut self) -> Result<()> {
        for target in &mut self.targets {
            target.flush().await?;
        }
        Ok(())
    }

    async fn send_rows(&mut self, changes: Changes) -> Result<()> {
        if self.targets.len() == 1 {
            return self.targets[0].push(changes).await;
        }
        match &self.exchange {
            Exchange::Hash { keys } => {
                hash_columns(&changes.rows, keys, &mut self.hashes)?;
                self.send_partitioned(changes).await
            }
            Exchange::Broadcast => {
                for target in &mut self.targets {
                    target.push(changes.clone()).await?;
                }
                Ok(())
            }
            Exchange::Rebalance | Exchange::Forward | Exchange::Single => {
                self.next = (self.next + 1) % self.targets.len();
                self.targets[self.next].push(changes).await
            }
        }
    }

    async fn send_partitioned(&mut self, changes: Changes) -> Result<()> {
        let count = self.targets.len() as u32;
        let target_of =
            |hash: &u64| owner(key_group(*hash, self.key_groups), self.key_groups, count);
        let targets: Vec<u32> = self.hashes.iter().map(target_of).collect();
        let mut starts = vec![0u32; self.targets.len() + 1];
        targets.iter().for_each(|target| starts[*target as usize + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut order = vec![0u32; targets.len()];
        let mut place = starts.clone();
        for (row, target) in targets.iter().enumerate() {
            let slot = &mut place[*target as usize];
            order[*slot as usize] = row as u32;
            *slot += 1;
        }
        let order = UInt32Array::from(order);
        for (index, target) in self.targets.iter_mut().enumerate() {
            let (from, to) = (starts[index] as usize, starts[index + 1] as usize);
            if to - from == changes.len() {
                target.push(changes.clone()).await?;
            } else if to > from {
                let indices = order.slice(from, to - from);
                target.push(changes.take(&indices)?).await?;
            }
        }
        Ok(())
    }
}

impl Target {
    async fn push(&mut self, changes: Changes) -> Result<()> {
        self.rows += changes.len();
        self.buffered.push(changes);
        if self.rows >= TARGET_ROWS { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        if self.buffered.is_empty() {
            return Ok(());
        }
        let changes = Changes::concat(&self.buffered)?;
        self.buffered.clear();
        self.rows = 0;
        self.sender.send(Element::Batch(changes)).await
    }
}
