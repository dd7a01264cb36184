//! Reads the one message of a call, so that what it is about can be told before it is let in.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::ready;
use futures::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, Full, LengthLimitError, Limited, StreamBody};
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

/// Reads the first message of a stream and gives it back beside the call, which still has it with all that follows.
/// Where that fails the call has nothing any more.
pub(super) async fn first(
    request: Request<Body>,
    patience: Patience,
) -> Result<(Request<Body>, Bytes), (Request<Body>, Status)> {
    let (parts, mut body) = request.into_parts();
    let reading = async {
        let mut read = BytesMut::new();
        while !has_message(&read) {
            if announced(&read).max(read.len()) > patience.bytes {
                let most = patience.bytes;
                let message = format!("the first message has at most {most} bytes");
                return Err(Status::resource_exhausted(message));
            }
            match body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => read.extend_from_slice(&data),
                    Err(_) => break,
                },
                Some(Err(status)) => return Err(status),
                None => break,
            }
        }
        Ok(read.freeze())
    };
    let refused = match tokio::time::timeout(patience.wait, reading).await {
        Ok(Ok(bytes)) => {
            let again = stream::once(ready(Ok(Frame::data(bytes.clone()))));
            let body = Body::new(StreamBody::new(again.chain(BodyStream::new(body))));
            return Ok((Request::from_parts(parts, body), bytes));
        }
        Ok(Err(status)) => status,
        Err(_) => {
            let seconds = patience.wait.as_secs();
            Status::deadline_exceeded(format!("the first message did not come within {seconds} s"))
        }
    };
    Err((Request::from_parts(parts, Body::empty()), refused))
}

/// Bytes of the first message with what comes before it, as that says.
fn announced(bytes: &[u8]) -> usize {
    match bytes {
        [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize + PREFIX,
        _ => 0,
    }
}

fn has_message(bytes: &[u8]) -> bool {
    bytes.len() >= PREFIX && bytes.len() >= announced(bytes)
}

/// The first message of what was read. Compressed ones are not accepted, and not looked into.
pub(super) fn message(bytes: &[u8]) -> &[u8] {
    match bytes.split_at_checked(PREFIX) {
        Some(([0, ..], _)) => &bytes[PREFIX..announced(bytes).clamp(PREFIX, bytes.len())],
        _ => &[],
    }
}
