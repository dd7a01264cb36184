//! `parquet`: columnar files.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "parquet",
    title: "Apache Parquet",
    summary: Text { en: "Columnar files.", zh: "列式文件。" },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
    flag(
        "utc-timezone",
        "false",
        "Accepted for compatibility: TIMESTAMP is written without zone and read as written.",
        "仅为兼容而接受：TIMESTAMP 不带时区写出，并按原样读取。",
    ),
    OptionSpec::new(
        "compression",
        OptionKind::Enum(&["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW"]),
        "Compression of written pages.",
        "写出数据页的压缩方式。",
    )
    .default("SNAPPY")
    .sink(),
    OptionSpec::new(
        "block.size",
        OptionKind::MemorySize,
        "Size at which a row group is closed.",
        "行组达到此大小时结束。",
    )
    .default("128 mb")
    .sink(),
];
