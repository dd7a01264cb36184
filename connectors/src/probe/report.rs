//! What a look at a data source found: steps, and why the last one failed.

use std::time::Duration;

use tidegate_connector_spec::Text;
use tidegate_types::{Error, ErrorCode};

/// How far a test got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// What was done, in order; the last one failed if there is a failure.
    pub steps: Vec<Step>,
    /// Why it went no further; `None`: everything went well.
    pub failure: Option<Failure>,
    /// Time of everything together.
    pub elapsed: Duration,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub what: What,
    /// How it ended.
    pub outcome: Outcome,
    /// With what, and what came of it: addresses, versions, counts.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// With the report's failure.
    Failed,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Names to addresses, and whether those may be connected to.
    Resolve,
    /// A connection.
    Connect,
    /// Encryption, with a look at the certificate.
    Tls,
    /// Saying who asks.
    Authenticate,
    /// The database, namespace, bucket or folder that the data source names.
    OpenDatabase,
    /// A question in the system's own protocol.
    Ask,
    /// A look at what is there.
    List,
    /// The schema registry beside the brokers.
    SchemaRegistry,
}

impl What {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Authenticate => "authenticate",
            Self::OpenDatabase => "open-database",
            Self::Ask => "ask",
            Self::List => "list",
            Self::SchemaRegistry => "schema-registry",
        }
    }

    /// For people.
    pub fn title(self) -> Text {
        let (en, zh) = match self {
            Self::Resolve => ("Resolve the address", "解析地址"),
            Self::Connect => ("Connect", "建立连接"),
            Self::Tls => ("Begin TLS", "建立 TLS"),
            Self::Authenticate => ("Log in", "登录"),
            Self::OpenDatabase => ("Open the database", "打开数据库"),
            Self::Ask => ("Ask the system", "询问系统"),
            Self::List => ("List what is there", "列出内容"),
            Self::SchemaRegistry => ("Ask the schema registry", "询问模式注册中心"),
        };
        Text { en, zh }
    }
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of reason.
    pub reason: Reason,
    /// What happened, with host, port, database.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A name has no address.
    Dns,
    /// The address may not be connected to.
    BlockedAddress,
    /// Nothing listens there, or it cannot be reached.
    Refused,
    /// No answer in time.
    Timeout,
    /// TLS is not spoken, or the certificate is not trusted.
    Tls,
    /// User, password, token or key were refused.
    Authentication,
    /// Who logs in may not do this.
    Permission,
    /// The database, namespace, index, service or folder does not exist.
    MissingDatabase,
    /// The bucket does not exist.
    MissingBucket,
    /// The table, topic, index or file does not exist.
    MissingTable,
    /// What answers is something else, or says that it cannot.
    Protocol,
    /// What was asked for cannot be done with this type, or this build.
    Unsupported,
}

impl Reason {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::BlockedAddress => "BLOCKED_ADDRESS",
            Self::Refused => "REFUSED",
            Self::Timeout => "TIMEOUT",
            Self::Tls => "TLS",
            Self::Authentication => "AUTHENTICATION",
            Self::Permission => "PERMISSION",
            Self::MissingDatabase => "MISSING_DATABASE",
            Self::MissingBucket => "MISSING_BUCKET",
            Self::MissingTable => "MISSING_TABLE",
            Self::Protocol => "PROTOCOL",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    fn code(self) -> ErrorCode {
        match self {
            Self::Dns | Self::Refused | Self::Timeout | Self::Tls | Self::Protocol => {
                ErrorCode::Unavailable
            }
            Self::Authentication | Self::Permission | Self::BlockedAddress => {
                ErrorCode::PermissionDenied
            }
            Self::MissingDatabase | Self::MissingBucket | Self::MissingTable => ErrorCode::NotFound,
            Self::Unsupported => ErrorCode::Unsupported,
        }
    }
}

impl Failure {
    /// A failure with what to do about it.
    pub(super) fn new(reason: Reason, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { reason, message: message.into(), help: help.into() }
    }

    /// The user or password of a place was refused; `said`: in whose words.
    pub(super) fn refused_login(place: &str, user: &str, said: &str) -> Self {
        Self::new(
            Reason::Authentication,
            format!("{place} refuses the login of '{user}': {said}"),
            "mend the user name and the password, or let that user log in from here",
        )
    }

    /// What answers is not what was expected.
    pub(super) fn protocol(place: &str, said: &str, help: &str) -> Self {
        Self::new(Reason::Protocol, format!("{place} does not answer as expected: {said}"), help)
    }

    /// Something that cannot be done.
    pub(super) fn unsupported(message: impl Into<String>, help: &str) -> Self {
        Self::new(Reason::Unsupported, message, help)
    }

    /// As the error of a call.
    pub fn into_error(self) -> Error {
        Error::new(self.reason.code(), self.message).help(self.help)
    }
}
