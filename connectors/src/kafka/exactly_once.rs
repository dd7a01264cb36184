//! What a table needs for exactly-once output, and whether the brokers give it: checked before the
//! job starts.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, OperatorId, Result};

use super::client::{Brokers, Context};
use super::offsets::ANSWER_TIMEOUT;

/// How long brokers let a transaction be open. It lasts as long as writing one part of an epoch, and
/// what a dead run left open holds back readers for that long.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_SETTING: &str = "transaction.timeout.ms";
const LIMIT_SETTING: &str = "transaction.max.timeout.ms";
/// The client's own limit of a record's size.
const DEFAULT_MAX_BYTES: usize = 1_000_000;
/// How often, and with which pause, a new topic is asked for until it is known.
const KNOWN_TRIES: u32 = 50;
const KNOWN_PAUSE: Duration = Duration::from_millis(100);
/// Settings of the marker topic: only the last marker of a writer matters, for ever.
const TOPIC_SETTINGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    // A restore reads the topic, so it is kept short.
    ("min.cleanable.dirty.ratio", "0.1"),
    ("segment.bytes", "16777216"),
];

/// Settings of exactly-once output.
#[derive(Debug, Clone)]
pub(super) struct ExactlyOnce {
    prefix: String,
    pub(super) marker_topic: String,
    pub(super) transaction_timeout: Duration,
    /// Largest record that the client takes, bytes.
    pub(super) max_record: usize,
}

impl ExactlyOnce {
    /// From a table's options.
    pub(super) fn new(options: &Options, brokers: &Brokers) -> Result<Self> {
        let number = |key: &str| {
            let text = brokers.setting(key)?;
            Some(text.parse::<u64>().map_err(|_| {
                let message = format!("option 'properties.{key}': '{text}' is not a number");
                Error::new(ErrorCode::InvalidOption, message)
            }))
        };
        let timeout = number(TIMEOUT_SETTING).transpose()?.map(Duration::from_millis);
        let max_bytes = number("message.max.bytes").transpose()?;
        Ok(Self {
            prefix: options.required("sink.transactional-id-prefix")?.to_owned(),
            marker_topic: options.required("sink.marker-topic")?.to_owned(),
            transaction_timeout: timeout.unwrap_or(TRANSACTION_TIMEOUT),
            max_record: max_bytes.map_or(DEFAULT_MAX_BYTES, |bytes| bytes as usize),
        })
    }

    /// Name under which brokers know the transactions of a writer: the same in every run, so that a
    /// new run ends what an older one left open, and shuts it out.
    pub(super) fn transactional_id(&self, lineage: &str, sink: OperatorId, writer: u32) -> String {
        format!("{}-{lineage}-{sink}-{writer}", self.prefix)
    }

    /// Checks the brokers' limits, and the marker topic, which is made if it is missing.
    ///
    /// # Errors
    /// `INVALID_OPTION` if a limit or the topic does not fit; what brokers answer.
    pub(super) async fn check(&self, brokers: &Brokers, broker: i32) -> Result<()> {
        let admin = brokers.admin()?;
        self.check_timeout(brokers, &admin, broker).await?;
        self.check_marker_topic(brokers, &admin).await
    }

    async fn check_timeout(
        &self,
        brokers: &Brokers,
        admin: &AdminClient<Context>,
        broker: i32,
    ) -> Result<()> {
        let doing = format!("read the settings of broker {broker}");
        let found = describe(admin, ResourceSpecifier::Broker(broker)).await;
        let config = match found {
            Err(error) => {
                let error = brokers.failed(&doing, &error, admin.inner().context());
                if error.code() == ErrorCode::PermissionDenied {
                    // The broker checks it too, when the first transaction is set up.
                    tracing::warn!(%error, "the brokers' limit of transactions cannot be checked");
                    return Ok(());
                }
                return Err(error);
            }
            Ok(config) => config,
        };
        let limit =
            config.get(LIMIT_SETTING).and_then(|entry| entry.value.as_deref()?.parse().ok());
        let Some(limit) = limit.map(Duration::from_millis) else { return Ok(()) };
        if self.transaction_timeout <= limit {
            return Ok(());
        }
        let message = format!(
            "option 'properties.{TIMEOUT_SETTING}' is {} ms, but the brokers {} allow at most {} ms ({LIMIT_SETTING})",
            self.transaction_timeout.as_millis(),
            brokers.servers,
            limit.as_millis()
        );
        Err(Error::new(ErrorCode::InvalidOption, message).help(
            "leave the option out: nothing in Kafka waits for a checkpoint here, so the default of one minute is enough",
        ))
    }

    async fn check_marker_topic(
        &self,
        brokers: &Brokers,
        admin: &AdminClient<Context>,
    ) -> Result<()> {
        let topic = self.marker_topic.as_str();
        let doing = format!("read the settings of marker topic {topic}");
        let failed = |error: &KafkaError| brokers.failed(&doing, error, admin.inner().context());
        let found = describe(admin, ResourceSpecifier::Topic(topic)).await;
        let mut config = found.map_err(|error| failed(&error))?;
        // No entries: there is no such topic, or it may not be described.
        if config.entries.is_empty() {
            self.create_marker_topic(brokers, admin).await?;
            config = self.describe_new(admin).await.map_err(|error| failed(&error))?;
        }
        let policy = config.get("cleanup.policy").and_then(|entry| entry.value.as_deref());
        let Some(policy) = policy else {
            tracing::warn!(
                topic,
                "the settings of the marker topic may not be read: make sure that its cleanup.policy is compact"
            );
            return Ok(());
        };
        if policy.split(',').map(str::trim).all(|part| part == "compact") {
            return Ok(());
        }
        let message = format!(
            "marker topic {topic} has cleanup.policy = {policy}: markers would be deleted, and a restart could not tell which output is visible"
        );
        Err(Error::new(ErrorCode::InvalidOption, message)
            .help("set the topic's cleanup.policy to compact, or name another topic in 'sink.marker-topic'"))
    }

    /// The settings of a topic that was made a moment ago and may not be known everywhere yet.
    async fn describe_new(
        &self,
        admin: &AdminClient<Context>,
    ) -> Result<ConfigResource, KafkaError> {
        for _ in 0..KNOWN_TRIES {
            let found = describe(admin, ResourceSpecifier::Topic(&self.marker_topic)).await?;
            if !found.entries.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(KNOWN_PAUSE).await;
        }
        describe(admin, ResourceSpecifier::Topic(&self.marker_topic)).await
    }

    async fn create_marker_topic(
        &self,
        brokers: &Brokers,
        admin: &AdminClient<Context>,
    ) -> Result<()> {
        let topic = self.marker_topic.as_str();
        // The brokers' default replication.
        let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
        for (key, value) in TOPIC_SETTINGS {
            new = new.set(key, value);
        }
        let doing = format!("make marker topic {topic}");
        let made = admin.create_topics([&new], &options()).await;
        let made = made.map_err(|error| brokers.failed(&doing, &error, admin.inner().context()))?;
        match made.into_iter().next() {
            Some(Err((_, Code::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => {
                let context = admin.inner().context();
                Err(brokers
                    .failed_with(&doing, Some(code), &code.to_string(), context)
                    .help("make the topic yourself, with cleanup.policy = compact, or name another in 'sink.marker-topic'"))
            }
            Some(Ok(_)) | None => {
                tracing::info!(topic, "made the marker topic");
                Ok(())
            }
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT))
}

async fn describe(
    admin: &AdminClient<Context>,
    what: ResourceSpecifier<'_>,
) -> Result<ConfigResource, KafkaError> {
    let found = admin.describe_configs([&what], &options()).await?;
    match found.into_iter().next() {
        Some(Ok(config)) => Ok(config),
        Some(Err(code)) => Err(KafkaError::AdminOp(code)),
        None => Err(KafkaError::AdminOp(Code::Unknown)),
    }
}
