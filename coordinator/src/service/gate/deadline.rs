//! Deadlines of calls. The server under us ends a call whose time is up, too, but says `CANCELLED`, which is what a
//! client has done itself.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, Response};
use tonic::Status;
use tonic::body::Body;

/// How long a call may take, from the header `grpc-timeout`: up to eight digits and a unit. What is malformed says
/// nothing.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The answer of a call, or that its time is up. The time runs from now, not from the first poll: it must be up before
/// the server's own.
pub(super) fn within<E>(
    limit: Option<Duration>,
    call: impl Future<Output = Result<Response<Body>, E>>,
) -> impl Future<Output = Result<Response<Body>, E>> {
    let limit = limit.map(|limit| (limit, tokio::time::sleep(limit)));
    async move {
        let Some((limit, up)) = limit else { return call.await };
        tokio::select! {
            biased;
            answer = call => answer,
            () = up => {
                let message = format!("not done within {limit:?}, the deadline of the call");
                Ok(Status::deadline_exceeded(message).into_http())
            }
        }
    }
}
