//! What `kafka` and `upsert-kafka` have in common: metadata columns, and the options of the client, of keys and
//! values, of where reading ends, and of delivery.

use tidegate_types::TypeKind;

use super::{SINK_PARALLELISM, text};
use crate::spec::{MetadataSpec, OptionKind, OptionSpec, Required, Text};

pub(super) static METADATA: &[MetadataSpec] = &[
    MetadataSpec {
        key: "topic",
        ty: || TypeKind::STRING.not_null(),
        readable: true,
        writable: true,
        help: Text { en: "Topic of the record.", zh: "记录所在的主题。" },
    },
    MetadataSpec {
        key: "partition",
        ty: || TypeKind::Int.not_null(),
        readable: true,
        writable: false,
        help: Text { en: "Partition of the record.", zh: "记录所在的分区。" },
    },
    MetadataSpec {
        key: "headers",
        ty: || {
            let (key, value) = (TypeKind::STRING.not_null(), TypeKind::BYTES.nullable());
            TypeKind::Map(Box::new(key), Box::new(value)).not_null()
        },
        readable: true,
        writable: true,
        help: Text { en: "Headers of the record.", zh: "记录的消息头。" },
    },
    MetadataSpec {
        key: "leader-epoch",
        ty: || TypeKind::Int.nullable(),
        readable: true,
        writable: false,
        help: Text {
            en: "Leader epoch of the record, if known.",
            zh: "记录的 leader epoch（若可知）。",
        },
    },
    MetadataSpec {
        key: "offset",
        ty: || TypeKind::BigInt.not_null(),
        readable: true,
        writable: false,
        help: Text { en: "Offset in the partition.", zh: "记录在分区中的位移。" },
    },
    MetadataSpec {
        key: "timestamp",
        ty: || TypeKind::timestamp_ltz(3).not_null(),
        readable: true,
        writable: true,
        help: Text { en: "Timestamp of the record.", zh: "记录的时间戳。" },
    },
    MetadataSpec {
        key: "timestamp-type",
        ty: || TypeKind::STRING.not_null(),
        readable: true,
        writable: false,
        help: Text {
            en: "Kind of the timestamp: NoTimestampType, CreateTime or LogAppendTime.",
            zh: "时间戳类型：NoTimestampType、CreateTime 或 LogAppendTime。",
        },
    },
];

/// Of the client.
pub(super) const CLIENT: &[OptionSpec] = &[
    text(
        "properties.bootstrap.servers",
        "Brokers, host:port separated by ','.",
        "broker 地址，host:port，用 ',' 分隔。",
    )
    .required(Required::Both),
    text(
        "properties.group.id",
        "Consumer group: start position of 'group-offsets', and where progress is shown.",
        "消费者组：'group-offsets' 的起始位置，并用于展示进度。",
    )
    .source(),
    text("properties.sasl.password", "Password.", "密码。").secret(),
    text(
        "properties.sasl.jaas.config",
        "Login module with user name and password, as Java clients write it.",
        "登录模块及用户名和密码，写法与 Java 客户端相同。",
    )
    .secret(),
    text("properties.ssl.key.password", "Password of the private key.", "私钥的密码。").secret(),
    text("properties.ssl.key.pem", "Private key.", "私钥。").secret(),
    text("properties.ssl.keystore.password", "Password of the key store.", "密钥库的密码。")
        .secret(),
    text(
        "properties.ssl.keystore.key",
        "Private key, as Java clients name it.",
        "私钥，写法与 Java 客户端相同。",
    )
    .secret(),
    text("properties.ssl.truststore.password", "Password of the trust store.", "信任库的密码。")
        .secret(),
    text("properties.*", "Any other setting of the Kafka client.", "Kafka 客户端的其他设置。"),
];

/// Of what key and value hold.
pub(super) const KEY_AND_VALUE: &[OptionSpec] = &[
    text(
        "key.fields-prefix",
        "Prefix of the key columns' names that the key's format does not see.",
        "键列名的前缀，键格式中不含此前缀。",
    ),
    OptionSpec::new(
        "value.fields-include",
        OptionKind::Enum(&["ALL", "EXCEPT_KEY"]),
        "Whether the value holds the key columns too.",
        "值中是否也包含键列。",
    )
    .default("ALL"),
];

/// Of where reading ends, and of new partitions.
pub(super) const END: &[OptionSpec] = &[
    OptionSpec::new(
        "scan.bounded.mode",
        OptionKind::Enum(&[
            "unbounded",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ]),
        "Where reading ends.",
        "在何处结束读取。",
    )
    .default("unbounded")
    .source(),
    OptionSpec::new(
        "scan.bounded.specific-offsets",
        OptionKind::Text,
        "End offsets, exclusive: partition:0,offset:42;partition:1,offset:300.",
        "结束位移（不含）：partition:0,offset:42;partition:1,offset:300。",
    )
    .source(),
    OptionSpec::new(
        "scan.bounded.timestamp-millis",
        OptionKind::Integer { min: 0, max: i64::MAX },
        "End before the first record of this time or later, milliseconds since 1970.",
        "在该时间（1970 年以来的毫秒数）或之后的第一条记录之前结束。",
    )
    .source(),
    OptionSpec::new(
        "scan.topic-partition-discovery.interval",
        OptionKind::Duration,
        "How often to look for new topics and partitions; '0 ms' is never.",
        "发现新主题和分区的间隔；'0 ms' 表示从不。",
    )
    .default("5 min")
    .source(),
];

/// Of what is promised.
pub(super) const DELIVERY: &[OptionSpec] = &[
    OptionSpec::new(
        "sink.delivery-guarantee",
        OptionKind::Enum(&["at-least-once", "none", "exactly-once"]),
        "What is promised after a crash.",
        "崩溃后保证什么。",
    )
    .default("at-least-once")
    .sink(),
    text(
        "sink.transactional-id-prefix",
        "Prefix of transactional ids; needed for 'exactly-once'. No two jobs may share one.",
        "事务 id 的前缀；'exactly-once' 时必填，不同作业不可共用。",
    )
    .sink(),
    text(
        "sink.marker-topic",
        "Compacted topic that notes which output is visible; made if missing. For 'exactly-once'.",
        "记录哪些输出已可见的压缩（compact）主题，不存在时自动创建；用于 'exactly-once'。",
    )
    .default("__tidegate_markers")
    .sink(),
    OptionSpec::new(
        "sink.transaction-naming-strategy",
        OptionKind::Enum(&["INCREMENTING", "POOLING"]),
        "Accepted for compatibility: Tidegate names its transactions itself.",
        "仅为兼容而接受：事务由 Tidegate 自行命名。",
    )
    .default("INCREMENTING")
    .sink(),
    SINK_PARALLELISM,
];
