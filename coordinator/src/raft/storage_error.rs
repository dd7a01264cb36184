//! Errors of the disk in the form that makes the Raft library stop the node.

use std::io;

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageIOError};
use tidegate_types::{Error, ErrorCode};

use super::types::{NodeId, StorageError};

/// An error that stops the node.
pub(crate) fn fatal(
    subject: ErrorSubject<NodeId>,
    verb: ErrorVerb,
    error: &(dyn std::error::Error + 'static),
) -> StorageError {
    StorageIOError::new(subject, verb, AnyError::error(error)).into()
}

/// An error of this project through interfaces that have only `io::Error`; [`from_io`] gets it back.
pub(crate) fn into_io(error: Error) -> io::Error {
    let kind = match error.code() {
        ErrorCode::Corrupt => io::ErrorKind::InvalidData,
        ErrorCode::NotFound => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// The error of this project within, or one of the disk.
pub(crate) fn from_io(error: io::Error, what: &str) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own.context(what),
        Err(other) => Error::new(ErrorCode::Unavailable, format!("{what}: {other}")),
    }
}
