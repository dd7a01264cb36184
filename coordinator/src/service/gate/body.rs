//! Reads the one message of a call, so that what it is about can be told before it is let in.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tonic::Status;
use tonic::body::Body;

/// What comes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// Bytes that are read of a call that is refused.
pub(super) const DENIED_BYTES: usize = 64 << 10;
/// How long the message of a call may take to come.
const WAIT: Duration = Duration::from_secs(10);

/// How much is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    bytes: usize,
    wait: Duration,
}

impl Patience {
    /// For a message of so many bytes.
    pub(super) fn with(bytes: usize) -> Self {
        Self { bytes: bytes.saturating_add(PREFIX), wait: WAIT }
    }
}

/// Reads what a call brings and gives it back beside the call, which still has it. Where that fails the call has
/// nothing any more.
pub(super) async fn read(
    request: Request<Body>,
    patience: Patience,
) -> Result<(Request<Body>, Bytes), (Request<Body>, Status)> {
    let (parts, body) = request.into_parts();
    let reading = Limited::new(body, patience.bytes).collect();
    let refused = match tokio::time::timeout(patience.wait, reading).await {
        Ok(Ok(read)) => {
            let bytes = read.to_bytes();
            let body = Body::new(Full::new(bytes.clone()));
            return Ok((Request::from_parts(parts, body), bytes));
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let most = patience.bytes;
            Status::resource_exhausted(format!("a message has at most {most} bytes"))
        }
        Ok(Err(error)) => Status::cancelled(format!("the call ended early: {error}")),
        Err(_) => {
            let seconds = patience.wait.as_secs();
            Status::deadline_exceeded(format!("the message did not come within {seconds} s"))
        }
    };
    Err((Request::from_parts(parts, Body::empty()), refused))
}

/// The message of what was read. Compressed ones are not accepted, and not looked into.
pub(super) fn message(bytes: &[u8]) -> &[u8] {
    match bytes.split_at_checked(PREFIX) {
        Some(([0, ..], message)) => message,
        _ => &[],
    }
}
