//! Opening a stream to a coordinator.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::worker_message::Message;
use tidegate_proto::internal::v1::worker_service_client::WorkerServiceClient;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

/// Messages to the leader that may wait for the network.
const OUTGOING: usize = 256;
/// Bytes of a message at most: a plan with the splits of its sources, the state of a task.
const MESSAGE_BYTES: usize = 32 << 20;
/// How long a coordinator may take to take up a stream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Makes channels to coordinators.
pub trait Connect: Send + Sync {
    /// A channel to `host:port`; it connects when it is used.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the address is none.
    fn channel(&self, address: &str) -> Result<Channel>;
}

impl<F: Fn(&str) -> Result<Channel> + Send + Sync> Connect for F {
    fn channel(&self, address: &str) -> Result<Channel> {
        self(address)
    }
}

/// The error about a coordinator.
pub(super) fn unavailable(address: &str, why: &str) -> Error {
    Error::new(ErrorCode::Unavailable, format!("coordinator {address}: {why}"))
}

/// A stream to a coordinator.
pub(super) struct Session {
    pub(super) outgoing: mpsc::Sender<wire::WorkerMessage>,
    pub(super) incoming: Streaming<wire::WorkerCommand>,
}

/// Opens a stream and registers.
pub(super) fn open(
    connect: Arc<dyn Connect>,
    address: String,
    register: wire::Register,
) -> BoxFuture<'static, Result<Session>> {
    let opening = async move {
        let channel = connect.channel(&address)?;
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        let first = wire::WorkerMessage { message: Some(Message::Register(register)) };
        outgoing.send(first).await.map_err(|_| unavailable(&address, "closed"))?;
        let mut client = WorkerServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES);
        let opening = client.attach(ReceiverStream::new(messages));
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opening).await;
        let opened = opened.map_err(|_| unavailable(&address, "it does not answer"))?;
        let incoming = opened.map_err(|status| unavailable(&address, status.message()))?;
        Ok(Session { outgoing, incoming: incoming.into_inner() })
    };
    opening.boxed()
}
