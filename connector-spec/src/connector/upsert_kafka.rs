//! `upsert-kafka`: topics of Apache Kafka as tables by key.

use super::kafka_shared::{CLIENT, DELIVERY, END, KEY_AND_VALUE, METADATA};
use super::{joined, text};
use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Required, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "upsert-kafka",
    title: "Upsert Kafka",
    summary: Text {
        en: "Reads and writes topics in which a record replaces the earlier ones of its key, and one without value deletes.",
        zh: "读写按键更新的主题：记录取代同键的旧记录，没有值的记录表示删除。",
    },
    source: true,
    sink: true,
    // Formats that say the kind of change in the value would say it twice.
    formats: &["json", "csv", "raw", "avro", "avro-confluent", "protobuf"],
    options: &OPTIONS,
    metadata: METADATA,
    projection: Projection::Nested,
    filter_columns: &[],
    changes: Changes::Upsert,
    looks_up: false,
};

static OPTIONS: [OptionSpec; LENGTH] =
    joined(&[TOPIC, CLIENT, FORMATS, KEY_AND_VALUE, START, END, BUFFER, DELIVERY]);

const LENGTH: usize = TOPIC.len()
    + CLIENT.len()
    + FORMATS.len()
    + KEY_AND_VALUE.len()
    + START.len()
    + END.len()
    + BUFFER.len()
    + DELIVERY.len();

const TOPIC: &[OptionSpec] = &[OptionSpec::new(
    "topic",
    OptionKind::List,
    "Topics, separated by ';'. A sink with several needs the metadata column 'topic'.",
    "主题，多个用 ';' 分隔。写入多个主题时需要元数据列 'topic'。",
)
.required(Required::Both)];

const FORMATS: &[OptionSpec] = &[
    text(
        "key.format",
        "Format of the keys, which hold the columns of the PRIMARY KEY.",
        "键的格式；键由 PRIMARY KEY 的列组成。",
    )
    .required(Required::Both),
    text("value.format", "Format of the values.", "值的格式。").required(Required::Both),
    text(
        "key.fields",
        "The columns of the key are those of the PRIMARY KEY.",
        "键的列就是 PRIMARY KEY 的列。",
    )
    .unsupported(&[], "leave it out: the key holds the columns of the PRIMARY KEY"),
];

const START: &[OptionSpec] = &[text(
    "scan.startup.mode",
    "Reading starts at the oldest record: a table by key is complete only with all of them.",
    "总是从最早的记录开始读取：只有读完全部记录，按键的表才是完整的。",
)
.default("earliest-offset")
.source()
.unsupported(
    &["earliest-offset"],
    "leave it out: a table by key is read from its oldest record; use connector 'kafka' to start elsewhere",
)];

const BUFFER: &[OptionSpec] = &[
    OptionSpec::new(
        "sink.buffer-flush.max-rows",
        OptionKind::Integer { min: 0, max: i64::MAX },
        "With 'sink.buffer-flush.interval': of the rows of one key in a batch only the last is written. Rows are never held back.",
        "与 'sink.buffer-flush.interval' 一起设置时，同一批次中同键的行只写出最后一行；不会延迟写出。",
    )
    .default("0")
    .sink(),
    OptionSpec::new(
        "sink.buffer-flush.interval",
        OptionKind::Duration,
        "See 'sink.buffer-flush.max-rows'; set both or neither.",
        "见 'sink.buffer-flush.max-rows'；两者须同时设置或都不设置。",
    )
    .default("0 s")
    .sink(),
];
