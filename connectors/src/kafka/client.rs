//! Making clients, and turning their failures into errors that name brokers and topic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Result};

use super::in_flight::{InFlight, Side};
use super::properties::client_settings;

/// Longest failure text that is kept for messages.
const MAX_FAILURE: usize = 400;

/// How to reach the brokers.
#[derive(Debug, Clone)]
pub(crate) struct Brokers {
    /// `bootstrap.servers`, for messages.
    pub(super) servers: String,
    settings: Vec<(String, String)>,
}

impl Brokers {
    /// From a table's options.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let servers = options.required("properties.bootstrap.servers")?.trim().to_owned();
        Ok(Self { servers, settings: client_settings(options)? })
    }

    /// A configuration: `defaults`, over them what the table says, over that what Tidegate decides.
    fn config(&self, defaults: &[(&str, &str)], decided: &[(&str, &str)]) -> ClientConfig {
        let mut all: BTreeMap<&str, &str> =
            BTreeMap::from([("client.id", "tidegate"), ("log_level", "5")]);
        all.extend(defaults.iter().copied());
        all.extend(self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        all.extend(decided.iter().copied());
        let mut config = ClientConfig::new();
        for (key, value) in all {
            config.set(key, value);
        }
        config.set_log_level(RDKafkaLogLevel::Notice);
        config
    }

    /// Whether the table sets a client setting itself.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.settings.iter().any(|(name, _)| name == key)
    }

    /// The value of a client setting that the table sets itself.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A consumer; without `group` in the options a name is made up, which is never committed to.
    ///
    /// # Errors
    /// `INVALID_OPTION` if librdkafka refuses a setting.
    pub(crate) fn consumer(&self, defaults: &[(&str, &str)]) -> Result<BaseConsumer<Context>> {
        self.consumer_with(defaults, &[])
    }

    /// As [`Brokers::consumer`], with settings that the table does not change.
    pub(super) fn consumer_with(
        &self,
        defaults: &[(&str, &str)],
        more: &[(&str, &str)],
    ) -> Result<BaseConsumer<Context>> {
        let mut decided = vec![
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // Partitions are assigned by hand, so nothing is ever expected to poll in time.
            ("max.poll.interval.ms", "86400000"),
        ];
        decided.extend(more);
        let mut all = vec![("group.id", "tidegate-reader")];
        all.extend(defaults);
        let config = self.config(&all, &decided);
        config.create_with_context(Context::default()).map_err(|error| self.refused(&error))
    }

    /// The configuration of a producer.
    pub(super) fn producer_config(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        self.config(defaults, &[])
    }

    /// A client for questions about topics and brokers.
    ///
    /// # Errors
    /// `INVALID_OPTION` if librdkafka refuses a setting.
    pub(crate) fn admin(&self) -> Result<AdminClient<Context>> {
        let config = self.config(&[], &[]);
        config.create_with_context(Context::default()).map_err(|error| self.refused(&error))
    }

    /// The error for settings that librdkafka does not take.
    pub(super) fn refused(&self, error: &KafkaError) -> Error {
        let message = match error {
            KafkaError::ClientConfig(_, why, key, _) => {
                format!("option 'properties.{key}': {}", why.trim_end_matches('.'))
            }
            other => format!("the Kafka client for {} cannot be made: {other}", self.servers),
        };
        Error::new(ErrorCode::InvalidOption, message)
    }

    /// The error for a failed call. `doing` is a present-tense phrase that names the topic.
    pub(super) fn failed(&self, doing: &str, error: &KafkaError, context: &Context) -> Error {
        self.failed_with(doing, error.rdkafka_error_code(), &error.to_string(), context)
    }

    /// As [`Brokers::failed`], from a code.
    pub(super) fn failed_with(
        &self,
        doing: &str,
        code: Option<Code>,
        text: &str,
        context: &Context,
    ) -> Error {
        let kind = code.map_or(ErrorCode::Unavailable, error_code);
        let failure = context.last_failure();
        let mut message = match (kind, code) {
            (
                _,
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition),
            ) => {
                format!("{doing}: the topic or partition does not exist at {}", self.servers)
            }
            (ErrorCode::PermissionDenied, _) => {
                format!("{doing}: {} refused access: {text}", self.servers)
            }
            (ErrorCode::Unavailable, _) => {
                format!("{doing}: brokers {} cannot be reached: {text}", self.servers)
            }
            _ => format!("{doing}: {text} (brokers {})", self.servers),
        };
        let context_says_denied = failure.as_deref().is_some_and(is_denial);
        if let Some(failure) = failure {
            message.push_str(&format!("; last failure: {failure}"));
        }
        let kind = if kind == ErrorCode::Unavailable && context_says_denied {
            ErrorCode::PermissionDenied
        } else {
            kind
        };
        Error::new(kind, message)
    }
}

/// Whether a line of librdkafka's log is about refused credentials.
fn is_denial(line: &str) -> bool {
    [
        "uthentication failed",
        "SASL authentication error",
        "Invalid credentials",
        "certificate verify failed",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

/// What the reader of the message must do about a code.
pub(super) fn error_code(code: Code) -> ErrorCode {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            ErrorCode::NotFound
        }
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => ErrorCode::PermissionDenied,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord => {
            ErrorCode::BadRecord
        }
        Code::InvalidConfig | Code::InvalidArgument | Code::InvalidTopic => {
            ErrorCode::InvalidOption
        }
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::NoOffset => ErrorCode::NotFound,
        _ => ErrorCode::Unavailable,
    }
}

/// Listens to a client: keeps the last failure of a connection for messages, and the first record
/// that was not delivered.
#[derive(Debug, Default)]
pub(crate) struct Context {
    failure: Mutex<Option<String>>,
    undelivered: Mutex<Option<(Code, String)>>,
    in_flight: Arc<InFlight>,
}

impl Context {
    /// Records on their way, by what their senders say of them.
    pub(super) fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }

    /// The last thing that went wrong with a connection, in librdkafka's words.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the brokers refused the credentials, which waiting does not mend.
    pub(super) fn is_denied(&self) -> bool {
        self.last_failure().as_deref().is_some_and(is_denial)
    }

    /// Why the first record that was given up was not delivered.
    pub(super) fn delivery_failure(&self) -> Option<(Code, String)> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets which record was given up, and says which that was.
    pub(super) fn take_delivery_failure(&self) -> Option<(Code, String)> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, text: &str) {
        // `[thrd:host:9092/bootstrap]: host:9092/bootstrap: Connect to … failed` → the part behind the thread.
        let text = text.split_once("]: ").map_or(text, |(_, rest)| rest);
        let text: String = text.chars().take(MAX_FAILURE).collect();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(facility, "FAIL" | "ERROR") {
            self.note(message);
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The readers ask for these; an end of what is there so far is no fault.
        if matches!(error, KafkaError::PartitionEOF(_))
            || error.rdkafka_error_code() == Some(Code::PartitionEOF)
        {
            return;
        }
        self.note(reason);
        tracing::warn!(target: "librdkafka", %error, reason);
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Side;

    fn delivery(&self, result: &DeliveryResult<'_>, side: Side) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
            let mut first = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (code, error.to_string()));
        }
        self.in_flight.remove(side);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(more: &[(&str, &str)]) -> Brokers {
        let fixed = [("connector", "kafka"), ("properties.bootstrap.servers", "localhost:1")];
        let all = fixed.iter().chain(more).map(|(k, v)| ((*k).into(), (*v).into()));
        Brokers::new(&Options::new(all.collect()).unwrap()).unwrap()
    }

    #[test]
    fn settings_that_do_not_exist_are_named() {
        let error =
            brokers(&[("properties.fetch.min.byte", "1")]).consumer(&[]).map(drop).unwrap_err();
        assert!(error.to_string().contains("'properties.fetch.min.byte'"), "{error}");
        assert_eq!(error.code(), ErrorCode::InvalidOption);
    }

    #[test]
    fn refused_credentials_are_told_from_silence() {
        let context = Context::default();
        let doing = "read topic clicks";
        let timeout = Some(Code::OperationTimedOut);
        let error = brokers(&[]).failed_with(doing, timeout, "timed out", &context);
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert!(error.to_string().contains("clicks") && error.to_string().contains("localhost:1"));
        context.note("[thrd:x]: sasl://x: SASL authentication error: Authentication failed");
        assert_eq!(
            brokers(&[]).failed_with(doing, timeout, "timed out", &context).code(),
            ErrorCode::PermissionDenied
        );
    }
}
