//! Errors as gRPC statuses: the code that clients of any language understand, the message, and details with
//! Tidegate's own code (`google.rpc.ErrorInfo`), the help (`google.rpc.Help` has links only, so it is in the info's
//! metadata) and the place in the SQL text.

use std::collections::HashMap;

use tidegate_types::{Error, ErrorCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::tasks::code_of;

const DOMAIN: &str = "tidegate";
/// Bytes of a message at most, and of what is said beside it. A status is in the headers of an answer, where texts
/// that are not ASCII take three times their bytes, and connections end that have more than 16 KiB of them.
const MESSAGE: usize = 2_000;
const BESIDE: usize = 500;
/// Fields that are said to be wrong at most.
const VIOLATIONS: usize = 10;

/// The beginning of a text.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The gRPC code of an error.
pub fn grpc_code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::SqlSyntax
        | ErrorCode::SqlSemantic
        | ErrorCode::InvalidOption
        | ErrorCode::BadRecord
        | ErrorCode::Evaluation => Code::InvalidArgument,
        ErrorCode::Unsupported => Code::Unimplemented,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::PermissionDenied | ErrorCode::SelfApproval | ErrorCode::GrantMissing => {
            Code::PermissionDenied
        }
        ErrorCode::Corrupt | ErrorCode::CorruptCheckpoint => Code::DataLoss,
        ErrorCode::Incompatible | ErrorCode::FailedPrecondition | ErrorCode::ProjectArchived => {
            Code::FailedPrecondition
        }
        ErrorCode::Fenced | ErrorCode::Conflict => Code::Aborted,
        ErrorCode::ResourceExhausted | ErrorCode::QuotaExceeded => Code::ResourceExhausted,
        ErrorCode::Cancelled => Code::Cancelled,
        ErrorCode::Internal => Code::Internal,
    }
}

/// An error as a status.
pub fn to_status(error: &Error) -> Status {
    to_status_about(error, HashMap::new())
}

/// An error as a status whose `google.rpc.ErrorInfo` says more in its metadata.
pub fn to_status_about(error: &Error, mut metadata: HashMap<String, String>) -> Status {
    if let Some(help) = error.help_text() {
        metadata.insert("help".to_owned(), cut(help, BESIDE));
    }
    if let Some(span) = error.span() {
        metadata.insert("span".to_owned(), span.to_string());
    }
    let mut details = ErrorDetails::with_error_info(error.code().as_str(), DOMAIN, metadata);
    for violation in error.fields().iter().take(VIOLATIONS) {
        let (field, message) = (cut(&violation.field, BESIDE), cut(&violation.message, BESIDE));
        details.add_bad_request_violation(field, message);
    }
    Status::with_error_details(grpc_code(error.code()), cut(&error.summary(), MESSAGE), details)
}

/// A status as an error. One of another server keeps its message and gets the code that is nearest.
pub fn from_status(status: &Status) -> Error {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    let code = match &info {
        Some(info) => code_of(&info.reason),
        None => match status.code() {
            Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidOption,
            Code::NotFound => ErrorCode::NotFound,
            Code::AlreadyExists => ErrorCode::AlreadyExists,
            Code::Unauthenticated => ErrorCode::Unauthenticated,
            Code::PermissionDenied => ErrorCode::PermissionDenied,
            Code::Unimplemented => ErrorCode::Unsupported,
            Code::FailedPrecondition => ErrorCode::FailedPrecondition,
            Code::Aborted => ErrorCode::Conflict,
            Code::ResourceExhausted => ErrorCode::ResourceExhausted,
            Code::Cancelled => ErrorCode::Cancelled,
            Code::Unavailable | Code::DeadlineExceeded | Code::Unknown => ErrorCode::Unavailable,
            _ => ErrorCode::Internal,
        },
    };
    let mut error = Error::new(code, status.message());
    let bad = status.get_details_bad_request();
    for violation in bad.into_iter().flat_map(|bad| bad.field_violations) {
        error = error.field(violation.field, violation.description);
    }
    let help = info.and_then(|mut info| info.metadata.remove("help"));
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_back_from_statuses() {
        let error =
            Error::new(ErrorCode::SqlSemantic, "no column 'x'").help("name one").context("plan");
        let back = from_status(&to_status(&error));
        assert_eq!((back.code(), back.to_string()), (error.code(), error.to_string()));
        let error = Error::new(ErrorCode::InvalidOption, "wrong").field("a.b", "is odd");
        assert_eq!(from_status(&to_status(&error)).fields(), error.fields());
        let foreign = from_status(&Status::deadline_exceeded("too late"));
        assert_eq!(foreign.code(), ErrorCode::Unavailable);
    }
}
