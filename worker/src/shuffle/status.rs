//! Between our errors and gRPC's statuses, for refused calls.

use tidegate_types::{Error, ErrorCode};
use tonic::{Code, Status};

/// The header that carries our code, which gRPC's codes are too few for.
const CODE: &str = "tidegate-code";
/// Longest message that a status carries: it travels in HTTP headers.
const MAX_MESSAGE: usize = 512;

/// The status of an error.
pub(crate) fn to_status(error: &Error) -> Status {
    let code = match error.code() {
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::PermissionDenied => Code::PermissionDenied,
        ErrorCode::Incompatible | ErrorCode::Fenced => Code::FailedPrecondition,
        ErrorCode::ResourceExhausted => Code::ResourceExhausted,
        ErrorCode::Cancelled => Code::Cancelled,
        _ => Code::Internal,
    };
    let message: String = error.message().chars().take(MAX_MESSAGE).collect();
    let mut status = Status::new(code, message);
    if let Ok(value) = error.code().as_str().parse() {
        status.metadata_mut().insert(CODE, value);
    }
    status
}

/// The error that the peer answered with, if the status is an answer of a worker and not the loss of
/// the connection.
pub(crate) fn refusal(status: &Status) -> Option<Error> {
    let code = status.metadata().get(CODE)?.to_str().ok()?;
    let known = [
        ErrorCode::NotFound,
        ErrorCode::AlreadyExists,
        ErrorCode::Unavailable,
        ErrorCode::PermissionDenied,
        ErrorCode::Incompatible,
        ErrorCode::Fenced,
        ErrorCode::ResourceExhausted,
        ErrorCode::Cancelled,
    ];
    let code = known.into_iter().find(|known| known.as_str() == code);
    Some(Error::new(code.unwrap_or(ErrorCode::Internal), status.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_way() {
        for code in [ErrorCode::Fenced, ErrorCode::Incompatible, ErrorCode::PermissionDenied] {
            let back = refusal(&to_status(&Error::new(code, "no"))).unwrap();
            assert_eq!((back.code(), back.message()), (code, "no"));
        }
        let internal = refusal(&to_status(&Error::new(ErrorCode::Corrupt, "x"))).unwrap();
        assert_eq!(internal.code(), ErrorCode::Internal);
        assert!(refusal(&Status::unavailable("connection refused")).is_none());
    }
}
