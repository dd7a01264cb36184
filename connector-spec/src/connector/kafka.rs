//! `kafka`: topics of Apache Kafka.

use super::kafka_shared::{CLIENT, DELIVERY, END, KEY_AND_VALUE, METADATA};
use super::{joined, text};
use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Required, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "kafka",
    title: "Apache Kafka",
    summary: Text {
        en: "Reads and writes topics of Apache Kafka and compatible brokers.",
        zh: "读写 Apache Kafka 及兼容消息系统的主题。",
    },
    source: true,
    sink: true,
    formats: &[
        "json",
        "debezium-json",
        "canal-json",
        "maxwell-json",
        "ogg-json",
        "csv",
        "raw",
        "avro",
        "avro-confluent",
        "debezium-avro-confluent",
        "protobuf",
    ],
    options: &OPTIONS,
    metadata: METADATA,
    projection: Projection::Nested,
    filter_columns: &[],
    changes: Changes::Append,
    looks_up: false,
};

static OPTIONS: [OptionSpec; LENGTH] =
    joined(&[TOPICS, CLIENT, FORMATS, KEY_AND_VALUE, START, END, PARTITIONER, DELIVERY]);

const LENGTH: usize = TOPICS.len()
    + CLIENT.len()
    + FORMATS.len()
    + KEY_AND_VALUE.len()
    + START.len()
    + END.len()
    + PARTITIONER.len()
    + DELIVERY.len();

const TOPICS: &[OptionSpec] = &[
    OptionSpec::new(
        "topic",
        OptionKind::List,
        "Topics, separated by ';'. A sink with several needs the metadata column 'topic'.",
        "主题，多个用 ';' 分隔。写入多个主题时需要元数据列 'topic'。",
    )
    .required(Required::Sink),
    text(
        "topic-pattern",
        "Regular expression over whole topic names; all that match are read.",
        "匹配完整主题名的正则表达式；读取所有匹配的主题。",
    )
    .source(),
];

const FORMATS: &[OptionSpec] = &[
    text(
        "format",
        "Format of the values (same as 'value.format').",
        "值的格式（同 'value.format'）。",
    ),
    text("value.format", "Format of the values.", "值的格式。"),
    text("key.format", "Format of the keys.", "键的格式。"),
    OptionSpec::new(
        "key.fields",
        OptionKind::List,
        "Columns that the key holds, separated by ';'.",
        "键包含的列，用 ';' 分隔。",
    ),
];

const START: &[OptionSpec] = &[
    OptionSpec::new(
        "scan.startup.mode",
        OptionKind::Enum(&[
            "group-offsets",
            "earliest-offset",
            "latest-offset",
            "timestamp",
            "specific-offsets",
        ]),
        "Where reading starts without a checkpoint.",
        "没有检查点时从何处开始读取。",
    )
    .default("group-offsets")
    .source(),
    OptionSpec::new(
        "scan.startup.specific-offsets",
        OptionKind::Text,
        "Start offsets: partition:0,offset:42;partition:1,offset:300.",
        "起始位移：partition:0,offset:42;partition:1,offset:300。",
    )
    .source(),
    OptionSpec::new(
        "scan.startup.timestamp-millis",
        OptionKind::Integer { min: 0, max: i64::MAX },
        "Start at the first record of this time or later, milliseconds since 1970.",
        "从该时间（1970 年以来的毫秒数）或之后的第一条记录开始。",
    )
    .source(),
];

const PARTITIONER: &[OptionSpec] = &[OptionSpec::new(
    "sink.partitioner",
    OptionKind::Enum(&["default", "fixed", "round-robin"]),
    "Which partition a row goes to: by key, one per subtask, or in turn.",
    "行写入哪个分区：按键、每个子任务固定一个，或轮流。",
)
.default("default")
.sink()];
