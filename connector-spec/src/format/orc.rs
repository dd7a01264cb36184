//! `orc`: columnar files.

use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "orc",
    title: "Apache ORC",
    summary: Text { en: "Columnar files.", zh: "列式文件。" },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "compress",
        OptionKind::Enum(&["NONE", "ZLIB", "SNAPPY", "LZ4", "ZSTD"]),
        "Compression of written streams.",
        "写出数据流的压缩方式。",
    )
    .default("ZLIB")
    .sink(),
    OptionSpec::new(
        "compress.size",
        OptionKind::MemorySize,
        "Most bytes that are compressed at once; less than 8 mb.",
        "一次压缩的最大字节数，须小于 8 mb。",
    )
    .default("256 kb")
    .sink(),
    OptionSpec::new(
        "stripe.size",
        OptionKind::MemorySize,
        "Size of the rows, as they are in memory, at which a stripe is closed; at most 1 gb.",
        "内存中的行达到此大小时结束条带，最大 1 gb。",
    )
    .default("64 mb")
    .sink(),
    OptionSpec::new(
        "row.index.stride",
        OptionKind::Integer { min: 0, max: i64::MAX },
        "Accepted for compatibility: files are written without an index.",
        "仅为兼容而接受：写出的文件不带索引。",
    )
    .sink(),
    OptionSpec::new(
        "create.index",
        OptionKind::Boolean,
        "Accepted for compatibility: files are written without an index.",
        "仅为兼容而接受：写出的文件不带索引。",
    )
    .sink(),
];
