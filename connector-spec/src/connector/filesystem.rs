//! `filesystem`: files in local folders and object stores.

use tidegate_types::TypeKind;

use super::lookup_options::{FULL_CACHE, FULL_CACHE_STRATEGY, ONLY_FULL};
use super::{SINK_PARALLELISM, joined};
use crate::spec::{
    Changes, ConnectorSpec, MetadataSpec, OptionKind, OptionSpec, Projection, Required, Text,
};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "filesystem",
    title: "Files",
    summary: Text {
        en: "Reads and writes files in local folders and S3 buckets, in partition folders if asked to.",
        zh: "读写本地目录和 S3 存储桶中的文件，可按分区目录组织。",
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
        "parquet",
        "avro",
        "orc",
    ],
    options: &OPTIONS,
    metadata: METADATA,
    projection: Projection::Nested,
    filter_columns: &[],
    changes: Changes::Append,
    looks_up: true,
};

static METADATA: &[MetadataSpec] = &[
    MetadataSpec {
        key: "file.path",
        ty: || TypeKind::STRING.not_null(),
        readable: true,
        writable: false,
        help: Text { en: "Full path of the file.", zh: "文件的完整路径。" },
    },
    MetadataSpec {
        key: "file.name",
        ty: || TypeKind::STRING.not_null(),
        readable: true,
        writable: false,
        help: Text { en: "Name of the file, without folders.", zh: "文件名，不含目录。" },
    },
    MetadataSpec {
        key: "file.size",
        ty: || TypeKind::BigInt.not_null(),
        readable: true,
        writable: false,
        help: Text { en: "Bytes of the file.", zh: "文件字节数。" },
    },
    MetadataSpec {
        key: "file.modification-time",
        ty: || TypeKind::timestamp_ltz(3).not_null(),
        readable: true,
        writable: false,
        help: Text { en: "When the file was last changed.", zh: "文件最后修改时间。" },
    },
];

const NO_COMPACTION: &str = "small files are not merged; write fewer ones with 'sink.rolling-policy.file-size' \
                             and a longer checkpoint interval";

const fn text(key: &'static str, en: &'static str, zh: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Text, en, zh)
}

const fn duration(key: &'static str, en: &'static str, zh: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Duration, en, zh)
}

static OPTIONS: [OptionSpec; LENGTH] = joined(&[OWN, ONLY_FULL, FULL_CACHE_STRATEGY, FULL_CACHE]);

const LENGTH: usize = OWN.len() + ONLY_FULL.len() + FULL_CACHE_STRATEGY.len() + FULL_CACHE.len();

const OWN: &[OptionSpec] = &[
    text(
        "path",
        "Folder or file: /data/in, file:///data/in, s3://bucket/in. When reading, * and ? match in names.",
        "目录或文件：/data/in、file:///data/in、s3://bucket/in。读取时 * 和 ? 为通配符。",
    )
    .required(Required::Both),
    text("format", "Format of the files.", "文件格式。").required(Required::Both),
    text(
        "partition.default-name",
        "Stands for NULL and empty text in partition folders.",
        "分区目录名中代表 NULL 和空文本的名称。",
    )
    .default("__DEFAULT_PARTITION__"),
    duration(
        "source.monitor-interval",
        "How often to look for new files; without it the files that exist at the start are read.",
        "发现新文件的间隔；未设置时只读取启动时已存在的文件。",
    )
    .source(),
    text(
        "source.path.regex-pattern",
        "Regular expression over the full path of files; only files that match are read.",
        "匹配文件完整路径的正则表达式；只读取匹配的文件。",
    )
    .source(),
    OptionSpec::new(
        "source.report-statistics",
        OptionKind::Enum(&["NONE", "ALL"]),
        "Accepted for compatibility.",
        "仅为兼容而接受。",
    )
    .default("ALL")
    .source(),
    OptionSpec::new(
        "sink.rolling-policy.file-size",
        OptionKind::MemorySize,
        "A file that has grown to this size is followed by a new one.",
        "文件达到此大小后改写新文件。",
    )
    .default("128 mb")
    .sink(),
    duration(
        "sink.rolling-policy.rollover-interval",
        "A file that has been open for so long is followed by a new one. Files end at checkpoints in any case.",
        "文件打开超过此时间后改写新文件。文件总会在检查点处结束。",
    )
    .default("30 min")
    .sink(),
    duration(
        "sink.rolling-policy.inactivity-interval",
        "A file without new rows for so long is ended.",
        "超过此时间没有新数据的文件会被结束。",
    )
    .default("30 min")
    .sink(),
    duration(
        "sink.rolling-policy.check-interval",
        "How often the intervals are looked at.",
        "检查上述时间间隔的频率。",
    )
    .default("1 min")
    .sink(),
    OptionSpec::new("auto-compaction", OptionKind::Boolean, "Merge small files.", "合并小文件。")
        .default("false")
        .sink()
        .unsupported(&["false"], NO_COMPACTION),
    OptionSpec::new("compaction.file-size", OptionKind::MemorySize, "Size of merged files.", "合并后文件的大小。")
        .sink()
        .unsupported(&[], NO_COMPACTION),
    OptionSpec::new(
        "sink.partition-commit.trigger",
        OptionKind::Enum(&["process-time", "partition-time"]),
        "When a partition is announced.",
        "何时宣告分区完成。",
    )
    .default("process-time")
    .sink(),
    duration(
        "sink.partition-commit.delay",
        "How long to wait before: on the clock since the partition was begun, or in event time behind its time.",
        "宣告之前等待的时间：自分区开始起的时钟时间，或相对于分区时间的事件时间。",
    )
    .default("0 s")
    .sink(),
    text(
        "sink.partition-commit.watermark-time-zone",
        "Time zone of the times in partition folders, with the trigger 'partition-time'.",
        "触发器为 'partition-time' 时，分区目录中时间的时区。",
    )
    .default("UTC")
    .sink(),
    OptionSpec::new(
        "partition.time-extractor.kind",
        OptionKind::Text,
        "Where the time of a partition comes from: 'default' takes it from the names of its folders.",
        "分区时间的来源：'default' 取自目录名。",
    )
    .default("default")
    .sink()
    .unsupported(&["default"], "user code does not run yet; use 'partition.time-extractor.timestamp-pattern'"),
    text(
        "partition.time-extractor.timestamp-pattern",
        "Text of a partition's time with $key for values, such as '$dt $hour:00:00'; by default the first key.",
        "分区时间的文本，用 $键 代表值，例如 '$dt $hour:00:00'；默认为第一个键。",
    )
    .sink(),
    text(
        "partition.time-extractor.timestamp-formatter",
        "How that text is written, as a pattern of Java; by default as a TIMESTAMP or DATE.",
        "该文本的 Java 格式；默认按 TIMESTAMP 或 DATE 读取。",
    )
    .sink(),
    OptionSpec::new(
        "sink.partition-commit.policy.kind",
        OptionKind::Text,
        "How a partition is announced: 'success-file' puts an empty file into its folder.",
        "宣告方式：'success-file' 在分区目录中放入一个空文件。",
    )
    .sink()
    .unsupported(&["success-file"], "only 'success-file' is known to this version"),
    text("sink.partition-commit.success-file.name", "Name of that file.", "该文件的名称。")
        .default("_SUCCESS")
        .sink(),
    OptionSpec::new(
        "sink.shuffle-by-partition.enable",
        OptionKind::Boolean,
        "Bring the rows of a partition to one subtask before writing.",
        "写入前将同一分区的行汇集到一个子任务。",
    )
    .default("false")
    .sink()
    .unsupported(&["false"], "set 'sink.parallelism' = '1' to get one file per partition"),
    text("s3.endpoint", "Address of the S3 service. Flink has it in its configuration.", "S3 服务地址。Flink 将其放在配置文件中。"),
    text("s3.region", "Region of the S3 service.", "S3 服务的区域。"),
    text("s3.access-key", "Key id; by default from the environment.", "访问密钥 ID；默认取自环境变量。").secret(),
    text("s3.secret-key", "Secret key; by default from the environment.", "访问密钥；默认取自环境变量。").secret(),
    text("s3.session-token", "Token of temporary keys.", "临时密钥的令牌。").secret(),
    OptionSpec::new(
        "s3.path.style.access",
        OptionKind::Boolean,
        "Put the bucket into the path, not into the host name; the default where an endpoint is given.",
        "将桶名放在路径而不是主机名中；给定 endpoint 时默认如此。",
    ),
    SINK_PARALLELISM,
];
