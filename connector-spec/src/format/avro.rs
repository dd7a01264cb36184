//! `avro`: records of Apache Avro, and files of them.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "avro",
    title: "Apache Avro",
    summary: Text {
        en: "Records of Avro with the schema of the table's columns; files with their own schema.",
        zh: "Avro 记录，模式由表的列推导；文件自带模式。",
    },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "encoding",
        OptionKind::Enum(&["binary", "json"]),
        "How records are encoded in messages; files are binary.",
        "消息中记录的编码方式；文件总是二进制编码。",
    )
    .default("binary"),
    OptionSpec::new(
        "codec",
        OptionKind::Enum(&["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]),
        "Compression of the blocks of written files.",
        "写出文件时数据块的压缩方式。",
    )
    .default("snappy")
    .sink(),
    flag(
        "timestamp_mapping.legacy",
        "true",
        "TIMESTAMP as Avro's timestamp, as Flink before 1.19; otherwise TIMESTAMP as local-timestamp and TIMESTAMP_LTZ as timestamp.",
        "按 Flink 1.19 之前的方式将 TIMESTAMP 映射为 Avro 的 timestamp；否则 TIMESTAMP 对应 local-timestamp，TIMESTAMP_LTZ 对应 timestamp。",
    ),
];
