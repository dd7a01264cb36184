//! Exchanges: how elements travel from the subtasks of one task to those of another.
//!
//! The channel itself is a trait pair, [`Sender`] and [`Receiver`]: within a process a bounded queue
//! ([`local`]), between processes the worker's. [`gate`] merges a task's input channels and aligns
//! barriers, [`partition`] spreads a task's output over channels.

pub mod gate;
pub mod local;
pub mod partition;

use std::task::{Context, Poll};

use async_trait::async_trait;
use tidegate_types::Result;

use crate::element::Element;

/// The writing end of a channel from one subtask to another. Elements arrive in order.
#[async_trait]
pub trait Sender: Send {
    /// Sends an element, waiting while the channel is full.
    ///
    /// # Errors
    /// `CANCELLED` if the receiver is gone.
    async fn send(&mut self, element: Element) -> Result<()>;
}

/// The reading end of a channel.
pub trait Receiver: Send {
    /// The next element, if there is one.
    ///
    /// # Errors
    /// `CANCELLED` if the sender went away without an `End`.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Element>>;
}
