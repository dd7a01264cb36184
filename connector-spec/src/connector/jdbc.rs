//! `jdbc`: tables of relational databases. The names are those of Flink's connector; no Java is involved.

use super::lookup_options::{FULL_CACHE, FULL_CACHE_STRATEGY};
use super::{joined, text};
use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Required, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "jdbc",
    title: "PostgreSQL, MySQL, MariaDB",
    summary: Text {
        en: "Looks rows up in tables of PostgreSQL, MySQL and MariaDB, and reads them whole.",
        zh: "在 PostgreSQL、MySQL、MariaDB 的表中按键查找，或整表读取。",
    },
    source: true,
    sink: false,
    formats: &[],
    options: &OPTIONS,
    metadata: &[],
    projection: Projection::Columns,
    filter_columns: &[],
    changes: Changes::Append,
    looks_up: true,
};

static OPTIONS: [OptionSpec; LENGTH] =
    joined(&[CONNECTION, SCAN, CACHE, PARTIAL_CACHE, FULL_CACHE_STRATEGY, FULL_CACHE, OLD_CACHE]);

const LENGTH: usize = CONNECTION.len()
    + SCAN.len()
    + CACHE.len()
    + PARTIAL_CACHE.len()
    + FULL_CACHE_STRATEGY.len()
    + FULL_CACHE.len()
    + OLD_CACHE.len();

const CONNECTION: &[OptionSpec] = &[
    text(
        "url",
        "Database: jdbc:postgresql://host:port/database, jdbc:mysql://… or jdbc:mariadb://….",
        "数据库地址：jdbc:postgresql://host:port/database、jdbc:mysql://… 或 jdbc:mariadb://…。",
    )
    .required(Required::Both),
    text("table-name", "Table, also as schema.table.", "表名，也可写作 schema.table。")
        .required(Required::Both),
    text("username", "User.", "用户名。"),
    text("password", "Password.", "密码。").secret(),
    text(
        "driver",
        "Accepted for compatibility: the URL says which database it is.",
        "仅为兼容而接受：由 URL 决定数据库类型。",
    ),
    OptionSpec::new(
        "connection.max-retry-timeout",
        OptionKind::Duration,
        "Longest wait for a connection, and for each answer of a lookup; one second at least.",
        "建立连接以及每次查找等待应答的最长时间，至少一秒。",
    )
    .default("60 s"),
];

const NO_PARTITIONS: &str =
    "the table is read by one subtask; remove the options 'scan.partition.…'";

const SCAN: &[OptionSpec] = &[
    text("scan.partition.column", "Column by which reading is divided.", "划分读取的列。")
        .source()
        .unsupported(&[], NO_PARTITIONS),
    text("scan.partition.num", "Number of parts.", "分区数。")
        .source()
        .unsupported(&[], NO_PARTITIONS),
    text("scan.partition.lower-bound", "Smallest value of the column.", "该列的最小值。")
        .source()
        .unsupported(&[], NO_PARTITIONS),
    text("scan.partition.upper-bound", "Largest value of the column.", "该列的最大值。")
        .source()
        .unsupported(&[], NO_PARTITIONS),
    OptionSpec::new(
        "scan.fetch-size",
        OptionKind::Integer { min: 0, max: i64::MAX },
        "Accepted for compatibility: rows are taken as they come.",
        "仅为兼容而接受：行随到随取。",
    )
    .default("0")
    .source(),
    OptionSpec::new(
        "scan.auto-commit",
        OptionKind::Boolean,
        "Accepted for compatibility: reading is one statement.",
        "仅为兼容而接受：读取只有一条语句。",
    )
    .default("true")
    .source(),
];

const CACHE: &[OptionSpec] = &[
    OptionSpec::new(
        "lookup.cache",
        OptionKind::Enum(&["NONE", "PARTIAL", "FULL"]),
        "What lookups remember: nothing, what single keys gave, or the whole table.",
        "查找缓存：不缓存、按键缓存，或缓存整表。",
    )
    .default("NONE")
    .source(),
    OptionSpec::new(
        "lookup.max-retries",
        OptionKind::Integer { min: 0, max: 1000 },
        "Further tries of a lookup that the database did not answer, after 1, 2, 3 … seconds.",
        "数据库未应答时重试查找的次数，间隔依次为 1、2、3……秒。",
    )
    .default("3")
    .source(),
];

const PARTIAL_CACHE: &[OptionSpec] = &[
    OptionSpec::new(
        "lookup.partial-cache.max-rows",
        OptionKind::Integer { min: 1, max: i64::MAX },
        "Most rows that a subtask remembers (PARTIAL); a million by default.",
        "每个子任务最多缓存的行数（PARTIAL），默认一百万。",
    )
    .source(),
    OptionSpec::new(
        "lookup.partial-cache.expire-after-write",
        OptionKind::Duration,
        "Rows are forgotten so long after they were read (PARTIAL).",
        "读取后经过此时间即失效（PARTIAL）。",
    )
    .source(),
    OptionSpec::new(
        "lookup.partial-cache.expire-after-access",
        OptionKind::Duration,
        "Rows are forgotten so long after they were last used (PARTIAL).",
        "最后一次使用后经过此时间即失效（PARTIAL）。",
    )
    .source(),
    OptionSpec::new(
        "lookup.partial-cache.cache-missing-key",
        OptionKind::Boolean,
        "Whether it is remembered that a key gave nothing (PARTIAL).",
        "是否缓存没有结果的键（PARTIAL）。",
    )
    .default("true")
    .source(),
];

const OLD_CACHE: &[OptionSpec] = &[
    OptionSpec::new(
        "lookup.cache.max-rows",
        OptionKind::Integer { min: 1, max: i64::MAX },
        "Old name of 'lookup.partial-cache.max-rows'; makes the cache PARTIAL.",
        "'lookup.partial-cache.max-rows' 的旧名称；设置后缓存为 PARTIAL。",
    )
    .source(),
    OptionSpec::new(
        "lookup.cache.ttl",
        OptionKind::Duration,
        "Old name of 'lookup.partial-cache.expire-after-write'; makes the cache PARTIAL.",
        "'lookup.partial-cache.expire-after-write' 的旧名称；设置后缓存为 PARTIAL。",
    )
    .source(),
    OptionSpec::new(
        "lookup.cache.caching-missing-key",
        OptionKind::Boolean,
        "Old name of 'lookup.partial-cache.cache-missing-key'.",
        "'lookup.partial-cache.cache-missing-key' 的旧名称。",
    )
    .source(),
];
