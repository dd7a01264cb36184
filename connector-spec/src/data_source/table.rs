//! Which options a table in a data source sets itself: those of its connector, without what the data
//! source decides and without what would reach past it.

use super::spec::DataSourceSpec;
use crate::connector::connector;
use crate::spec::{OptionKind, OptionSpec};

/// What a table may set of Kafka's client: nothing of addresses, logins, certificates, files, programs
/// and libraries.
const CLIENT_PROPERTIES: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "batch.num.messages",
    "batch.size",
    "check.crcs",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.idempotence",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.id",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "max.request.size",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.max.age.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "send.buffer.bytes",
    "session.timeout.ms",
    "socket.keepalive.enable",
    "socket.timeout.ms",
    "transaction.timeout.ms",
];

/// Stands for the properties above where options are listed.
static PROPERTIES: OptionSpec = OptionSpec::new(
    "properties.*",
    OptionKind::Text,
    "Another setting of the Kafka client: time-outs, sizes, retries. Those of addresses, logins and files are the data source's.",
    "Kafka 客户端的其他设置：超时、大小、重试。地址、登录和文件由数据源决定。",
);

/// What is decided, by the connector's option.
const DECIDED: &[(&str, &[&str])] = &[
    ("kafka", &["topic", "topic-pattern"]),
    ("upsert-kafka", &["topic"]),
    ("jdbc", &["url", "table-name", "username", "password", "driver"]),
    ("filesystem", &["path"]),
];

/// The options that a table in a data source of this type may set, with a connector of the type; those
/// of the record format come on top. Empty where the type has no connector, or not this one.
pub fn table_options(
    spec: &'static DataSourceSpec,
    connector_name: &str,
) -> Vec<&'static OptionSpec> {
    let known = spec.connectors.iter().find(|known| **known == connector_name);
    let Some(connector) = known.and_then(|name| connector(name)) else {
        return Vec::new();
    };
    let own =
        connector.options.iter().filter(|option| refusal(connector.name, option.key).is_none());
    let more = connector.options.iter().any(|option| option.key == PROPERTIES.key);
    own.filter(|option| option.key != PROPERTIES.key).chain(more.then_some(&PROPERTIES)).collect()
}

/// The options that say how a table is made in the outside system, such as the partitions of a topic.
pub fn creation_options(spec: &'static DataSourceSpec) -> &'static [OptionSpec] {
    spec.creation
}

/// Why a table in a data source cannot set an option of its connector, or of its format; `None`: it can.
pub(super) fn refusal(connector: &str, key: &str) -> Option<&'static str> {
    const DECIDES: &str = "the data source decides it";
    let decided = DECIDED.iter().filter(|(name, _)| *name == connector);
    if decided.flat_map(|(_, keys)| *keys).any(|decided| *decided == key) || key.starts_with("s3.")
    {
        return Some(DECIDES);
    }
    if let Some(property) = key.strip_prefix("properties.") {
        let known = property == "*" || CLIENT_PROPERTIES.contains(&property);
        return (!known).then_some(
            "of the client's settings, those of addresses, logins, certificates and files are the data source's",
        );
    }
    let of_format = ["key.", "value."].iter().find_map(|prefix| key.strip_prefix(prefix));
    let (format, option) = of_format.unwrap_or(key).split_once('.')?;
    match (format, option) {
        (
            "avro-confluent" | "debezium-avro-confluent",
            "subject" | "schema" | "schema-registry.subject" | "schema-registry.schema",
        ) => None,
        ("avro-confluent" | "debezium-avro-confluent", _) => {
            Some("the registry is the data source's: set its 'schema-registry-url'")
        }
        ("protobuf", "descriptor-set") => Some(
            "files of the machines that run jobs are not read for it; put the text into 'protobuf.schema'",
        ),
        _ => None,
    }
}
