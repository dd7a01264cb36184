//! What went wrong, in words that name table and host and never a password.

use mysql_async::DriverError;
use tidegate_types::{Error, ErrorCode};

use super::address::Address;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// A literal is nothing that the column could hold: a text that is no UUID, a letter that its character set lacks.
    Value(Error),
    /// Anything else.
    Other(Error),
}

impl Failure {
    /// What there is to say.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Value(error) | Self::Other(error) => error,
        }
    }

    /// Whether another try may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Other(error) if error.code() == ErrorCode::Unavailable)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A value that does not fit the declared column.
pub(super) fn misfit(address: &Address, problem: &str) -> Error {
    Error::new(ErrorCode::BadRecord, format!("read {}: {problem}", address.describe()))
        .help("declare the column with a type that holds what the database has")
}

/// No answer in time.
pub(super) fn timed_out(address: &Address, doing: &str) -> Error {
    let seconds = address.wait.as_secs();
    let message = format!("{doing} {}: no answer within {seconds} s", address.describe());
    Error::new(ErrorCode::Unavailable, message)
        .help("look at the database, or raise 'connection.max-retry-timeout'")
}

/// More rows than are taken at once.
pub(super) fn too_much(address: &Address, bytes: usize) -> Error {
    let message = format!(
        "look up in {}: the answer for some keys has more than {} MiB",
        address.describe(),
        bytes >> 20
    );
    Error::new(ErrorCode::ResourceExhausted, message)
        .help("compare more columns by =, so that a key has fewer rows")
}

/// What PostgreSQL, or the way to it, says.
pub(super) fn postgres(address: &Address, error: &tokio_postgres::Error) -> Failure {
    let Some(answer) = error.as_db_error() else {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            text = format!("{text}: {cause}");
        }
        // All that does not come from the server: connections that are refused, or break.
        return Failure::Other(failed(address, ErrorCode::Unavailable, &text));
    };
    // A place in the statement is that of a literal; what fails while a view computes has none.
    let literal = match answer.code().code() {
        "22P05" | "22021" => true,
        code => code.starts_with("22") && answer.position().is_some(),
    };
    if literal {
        return Failure::Value(failed(address, ErrorCode::FailedPrecondition, answer.message()));
    }
    let code = match answer.code().code() {
        "28P01" | "28000" => ErrorCode::Unauthenticated,
        "42501" => ErrorCode::PermissionDenied,
        "42P01" | "42703" | "3D000" | "3F000" => ErrorCode::NotFound,
        code if ["08", "53", "57", "40", "55"].iter().any(|class| code.starts_with(class)) => {
            ErrorCode::Unavailable
        }
        _ => ErrorCode::FailedPrecondition,
    };
    Failure::Other(failed(address, code, answer.message()))
}

/// What MySQL or MariaDB, or the way to it, says.
pub(super) fn mysql(address: &Address, error: &mysql_async::Error) -> Failure {
    if matches!(error, mysql_async::Error::Driver(DriverError::PacketTooLarge)) {
        return Failure::Value(failed(address, ErrorCode::FailedPrecondition, &error.to_string()));
    }
    let mysql_async::Error::Server(answer) = error else {
        return Failure::Other(failed(address, ErrorCode::Unavailable, &error.to_string()));
    };
    let code = match answer.code {
        // Mixed character sets, values of a wrong form, and statements that the server finds too long.
        1153 | 1267 | 1270 | 1271 | 1292 | 1525 | 3854 => {
            return Failure::Value(failed(address, ErrorCode::FailedPrecondition, &answer.message));
        }
        1045 | 1698 => ErrorCode::Unauthenticated,
        1044 | 1142 | 1143 => ErrorCode::PermissionDenied,
        1049 | 1146 | 1054 => ErrorCode::NotFound,
        1040 | 1053 | 1077..=1079 | 1203 | 1205 | 1213 | 1226 | 1317 | 1927 => {
            ErrorCode::Unavailable
        }
        _ => ErrorCode::FailedPrecondition,
    };
    Failure::Other(failed(address, code, &answer.message))
}

fn failed(address: &Address, code: ErrorCode, text: &str) -> Error {
    let error = Error::new(code, format!("read {}: {text}", address.describe()));
    match code {
        ErrorCode::Unavailable => error.help("see that the database runs and can be reached"),
        ErrorCode::Unauthenticated => error.help("mend the options 'username' and 'password'"),
        ErrorCode::PermissionDenied => error.help("let the user SELECT from the table"),
        ErrorCode::NotFound => {
            error.help("mend 'url', 'table-name' or the columns of the CREATE TABLE")
        }
        _ => error.help("compare the declared columns with those of the database"),
    }
}
