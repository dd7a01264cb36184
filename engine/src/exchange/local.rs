//! The channel between subtasks of one process: a bounded queue, no copy.

use std::task::{Context, Poll};

use async_trait::async_trait;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc;

use super::{Receiver, Sender};
use crate::element::Element;

/// Elements that a channel holds. Batches have at most `execution.batch-size` rows, so this also
/// bounds rows; few, so that barriers do not queue for long behind data.
const CAPACITY: usize = 4;

struct LocalSender(mpsc::Sender<Element>);
struct LocalReceiver(mpsc::Receiver<Element>);

/// A new channel.
pub fn channel() -> (Box<dyn Sender>, Box<dyn Receiver>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Box::new(LocalSender(sender)), Box::new(LocalReceiver(receiver)))
}

#[async_trait]
impl Sender for LocalSender {
    async fn send(&mut self, element: Element) -> Result<()> {
        let gone = |_| Error::new(ErrorCode::Cancelled, "the receiving task is gone");
        self.0.send(element).await.map_err(gone)
    }
}

impl Receiver for LocalReceiver {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Element>> {
        self.0.poll_recv(context).map(|element| {
            element.ok_or_else(|| Error::new(ErrorCode::Cancelled, "the sending task is gone"))
        })
    }
}
