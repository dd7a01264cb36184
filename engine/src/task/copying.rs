//! Copying what a barrier marked, between the elements that a task processes, and sending it to the
//! upload. Where the upload is behind, copying waits and processing goes on.

use std::time::Duration;

use futures::future::BoxFuture;
use tidegate_types::Result;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::process::TaskCore;
use super::upload::CopiedPart;
use crate::operator::Copied;
use tidegate_checkpoint::task::SnapshotCost;

/// Entries copied in one step: about a millisecond where they are scattered over a large table.
const STEP: usize = 2 << 10;
/// Pieces that wait for the upload.
const WAITING: usize = 2;

/// A snapshot that is being copied.
pub struct Copying {
    parts: mpsc::Sender<CopiedPart>,
    cost: SnapshotCost,
}

/// What a step of copying did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// Something: the next step may follow at once.
    Copied,
    /// Nothing, until the upload has taken a part.
    Waits,
    /// There is nothing to copy.
    Done,
}

impl Copying {
    /// Waits until the upload can take another part, or is gone.
    pub fn room(&self) -> BoxFuture<'static, ()> {
        let parts = self.parts.clone();
        Box::pin(async move { drop(parts.reserve().await) })
    }
}

impl TaskCore {
    /// Begins to copy what the barrier marked, which took `pause`; what is copied is received.
    pub(super) fn start_copying(&mut self, pause: Duration) -> mpsc::Receiver<CopiedPart> {
        let (parts, copied) = mpsc::channel(WAITING);
        let mut cost = SnapshotCost::default();
        cost.add(pause);
        self.copying = Some(Copying { parts, cost });
        copied
    }

    /// Copies a little.
    ///
    /// # Errors
    /// What an operator fails with.
    pub fn copy_some(&mut self) -> Result<CopyStep> {
        let Some(mut copying) = self.copying.take() else { return Ok(CopyStep::Done) };
        let room = match copying.parts.clone().try_reserve_owned() {
            Ok(room) => room,
            Err(TrySendError::Full(_)) => {
                self.copying = Some(copying);
                return Ok(CopyStep::Waits);
            }
            Err(TrySendError::Closed(_)) => {
                self.chain.abandon_copy();
                return Ok(CopyStep::Done);
            }
        };
        let before = self.clock.elapsed();
        let copied = self.chain.copy(STEP)?;
        copying.cost.add(self.clock.elapsed() - before);
        match copied {
            Some((node, Copied::Piece(table, piece))) => {
                drop(room.send(CopiedPart::Piece(node, table, piece)));
            }
            Some((node, Copied::Changed(table, entries))) => {
                drop(room.send(CopiedPart::Changed(node, table, entries)));
            }
            Some((_, Copied::Some | Copied::Done)) => drop(room),
            None => {
                drop(room.send(CopiedPart::End(copying.cost)));
                return Ok(CopyStep::Done);
            }
        }
        self.copying = Some(copying);
        Ok(CopyStep::Copied)
    }

    /// Copies everything that is left.
    ///
    /// # Errors
    /// As [`TaskCore::copy_some`].
    pub(super) async fn finish_copying(&mut self) -> Result<()> {
        loop {
            match self.copy_some()? {
                CopyStep::Copied => tokio::task::consume_budget().await,
                CopyStep::Waits => match &self.copying {
                    Some(copying) => copying.room().await,
                    None => return Ok(()),
                },
                CopyStep::Done => return Ok(()),
            }
        }
    }

    /// Ends copying without a result.
    pub(super) fn abandon_copying(&mut self) {
        if self.copying.take().is_some() {
            self.chain.abandon_copy();
        }
    }
}
