//! The one error type that crosses crate borders, and the codes it carries.
//!
//! Not here: how an error is shown (the command line renders spans) or mapped to gRPC.

use std::fmt;

/// Result with the shared [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what the reader of the message must do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The SQL text does not parse: mend the statement at the span.
    SqlSyntax,
    /// The SQL parses but means nothing (unknown column, wrong types): mend it at the span.
    SqlSemantic,
    /// Valid Flink SQL that this version does not run yet: use another construct.
    Unsupported,
    /// An option or setting is unknown, missing or out of range: mend the configuration.
    InvalidOption,
    /// A topic, file, table, bucket or checkpoint does not exist: create it or mend its name.
    NotFound,
    /// The thing exists already.
    AlreadyExists,
    /// The thing is in a state that does not allow this: do first what the message says.
    FailedPrecondition,
    /// The thing was changed meanwhile: read it again and repeat the change on what it is now.
    Conflict,
    /// An outside system did not answer or refused: check address, network and credentials; retried by restart strategies.
    Unavailable,
    /// The caller did not say who it is, or with a token or certificate that is not known: give one that is.
    Unauthenticated,
    /// An outside system refused the credentials, or the caller may not do this.
    PermissionDenied,
    /// Whoever asked for something wants to approve it: let another person decide.
    SelfApproval,
    /// A table of another project is used without a grant: ask for access to it.
    GrantMissing,
    /// The project is archived: nothing in it can be changed or run any more.
    ProjectArchived,
    /// The quota of a project's service does not allow more: free some, or have it raised.
    QuotaExceeded,
    /// A record could not be decoded or converted: mend the data or allow it to be skipped.
    BadRecord,
    /// An expression failed on a value (division by zero, failed cast): mend data or expression.
    Evaluation,
    /// Stored data is damaged: see the message for what to do.
    Corrupt,
    /// State of a checkpoint is damaged or missing: use an older checkpoint.
    CorruptCheckpoint,
    /// A checkpoint or plan does not fit the job: see the message for what differs.
    Incompatible,
    /// An older attempt tried to act after a newer one began: nothing to do, it was refused.
    Fenced,
    /// A bound (memory, rows, restarts) was reached: raise it or reduce the load.
    ResourceExhausted,
    /// The work was cancelled on request.
    Cancelled,
    /// A defect of Tidegate: report it.
    Internal,
}

impl ErrorCode {
    /// Whether a restart of the job may succeed without anybody changing anything.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::ResourceExhausted | Self::Internal)
    }

    /// The code as written in messages and JSON, such as `SQL_SYNTAX`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SqlSyntax => "SQL_SYNTAX",
            Self::SqlSemantic => "SQL_SEMANTIC",
            Self::Unsupported => "UNSUPPORTED",
            Self::InvalidOption => "INVALID_OPTION",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Conflict => "CONFLICT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::SelfApproval => "SELF_APPROVAL",
            Self::GrantMissing => "GRANT_MISSING",
            Self::ProjectArchived => "PROJECT_ARCHIVED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::BadRecord => "BAD_RECORD",
            Self::Evaluation => "EVALUATION",
            Self::Corrupt => "CORRUPT",
            Self::CorruptCheckpoint => "CORRUPT_CHECKPOINT",
            Self::Incompatible => "INCOMPATIBLE",
            Self::Fenced => "FENCED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Cancelled => "CANCELLED",
            Self::Internal => "INTERNAL",
        }
    }
}

/// A place in a script: 1-based line and column (in characters) of the first and last character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Line of the last character.
    pub end_line: u32,
    /// Column of the last character.
    pub end_column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An error with a code, a message that names the thing and the mend, and where there is text, a span.
///
/// Context is added outermost first, each a present-tense phrase (`read topic clicks`), and is
/// printed before the message, separated by colons.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    span: Option<Span>,
    help: Option<String>,
    context: Vec<String>,
    fields: Vec<FieldViolation>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field, such as `data_source.parameters.host`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Error {
    /// A new error; `message` names the thing, the place and, where short enough, the mend.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            span: None,
            help: None,
            context: Vec::new(),
            fields: Vec::new(),
        }))
    }

    /// A defect of Tidegate itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// Valid Flink SQL, or a valid option, that is not supported yet.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// Attaches the place in the script, unless a more precise one is attached already.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Attaches advice, printed on its own line after the message.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Attaches what is wrong with a field of a request; there may be several.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.fields.push(FieldViolation { field: field.into(), message: message.into() });
        self
    }

    /// The same error with another code.
    #[must_use]
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        self.0.code = code;
        self
    }

    /// Adds an outer context, a present-tense phrase such as `open table clicks`.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.0.context.push(context.into());
        self
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The message without context, code or span.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What happened, with its context and place, without the help.
    pub fn summary(&self) -> String {
        let context = self.0.context.iter().rev().map(|context| format!("{context}: "));
        let place = self.0.span.map(|span| format!(" ({span})")).unwrap_or_default();
        format!("{}{}{place}", context.collect::<String>(), self.0.message)
    }

    /// Where in the script, if the error has a place there.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// What is wrong with fields of a request.
    pub fn fields(&self) -> &[FieldViolation] {
        &self.0.fields
    }

    /// The advice, if any.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        for FieldViolation { field, message } in &self.0.fields {
            write!(f, "\n  {field}: {message}")?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Adds context to the error of a result.
pub trait ResultExt<T> {
    /// Adds an outer context, computed only on failure.
    fn context<C: Into<String>>(self, context: impl FnOnce() -> C) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn context<C: Into<String>>(self, context: impl FnOnce() -> C) -> Result<T> {
        self.map_err(|error| error.context(context()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_is_printed_outermost_first() {
        let error = Error::new(ErrorCode::NotFound, "topic clicks does not exist")
            .context("read partition 3")
            .context("start job j");
        assert_eq!(error.to_string(), "start job j: read partition 3: topic clicks does not exist");
    }

    #[test]
    fn the_innermost_span_wins() {
        let span = |line| Span { line, column: 1, end_line: line, end_column: 2 };
        let error = Error::new(ErrorCode::SqlSemantic, "no column x").at(span(3)).at(span(1));
        assert_eq!(error.span(), Some(span(3)));
    }
}
