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

static OPTIONS: [OptionSpec; LENGTH] = joined(&[
    CONNECTION,
    SCAN,
    CACHE,
    PARTIAL_CACHE,
    FULL_CACHE_STRATEGY,
    FULL_CACHE,
    OLD_CACHE,
    SINK,
]);

const LENGTH: usize = CONNECTION.len()
    + SCAN.len()
    + CACHE.len()
    + PARTIAL_CACHE.len()
    + FULL_CACHE_STRATEGY.len()
    + FULL_CACHE.len()
    + OLD_CACHE.len()
    + SINK.len();

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
    text(
        "compatible-mode",
        "Accepted for compatibility, see 'driver'.",
        "仅为兼容而接受，见 'driver'。",
    ),
    OptionSpec::new(
        "connection.max-retry-timeout",
        OptionKind::Duration,
        "Longest wait for a connection, and for each answer of a lookup; one second at least.",
        "建立连接以及每次查找等待应答的最长时间，至少一秒。",
    )
    .default("60 s"),
];

const SCAN: &[OptionSpec] = &[
    text(
        "scan.partition.column",
        "Column of numbers by which the table is divided, for several subtasks to read.",
        "按此数值列划分全表，由多个子任务读取。",
    )
    .source(),
    OptionSpec::new(
        "scan.partition.num",
        OptionKind::Integer { min: 1, max: 65_536 },
        "Number of parts.",
        "分区数。",
    )
    .source(),
    OptionSpec::new(
        "scan.partition.lower-bound",
        OptionKind::Integer { min: i64::MIN, max: i64::MAX },
        "Smallest value of the column; rows with smaller ones are not read.",
        "该列的最小值；更小的行不会读取。",
    )
    .source(),
    OptionSpec::new(
        "scan.partition.upper-bound",
        OptionKind::Integer { min: i64::MIN, max: i64::MAX },
        "Largest value of the column; rows with larger ones are not read.",
        "该列的最大值；更大的行不会读取。",
    )
    .source(),
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
        "Accepted for compatibility: reading a part is one statement.",
        "仅为兼容而接受：读取一个分区只有一条语句。",
    )
    .default("true")
    .source(),
    OptionSpec::new(
        "filter.handling.policy",
        OptionKind::Enum(&["ALWAYS", "NEVER"]),
        "Accepted for compatibility: conditions on other columns than a lookup's keys are checked here.",
        "仅为兼容而接受：查找键以外的条件在本系统内判断。",
    )
    .default("ALWAYS")
    .source(),
];

const NOT_WRITTEN: &str = "Accepted for compatibility: tables of this connector are not written.";
const NOT_WRITTEN_ZH: &str = "仅为兼容而接受：此连接器不写表。";

/// For tables that Flink also writes.
const SINK: &[OptionSpec] = &[
    OptionSpec::new(
        "sink.buffer-flush.max-rows",
        OptionKind::Integer { min: 0, max: i64::MAX },
        NOT_WRITTEN,
        NOT_WRITTEN_ZH,
    )
    .sink(),
    OptionSpec::new(
        "sink.buffer-flush.interval",
        OptionKind::Duration,
        NOT_WRITTEN,
        NOT_WRITTEN_ZH,
    )
    .sink(),
    OptionSpec::new(
        "sink.max-retries",
        OptionKind::Integer { min: 0, max: i64::MAX },
        NOT_WRITTEN,
        NOT_WRITTEN_ZH,
    )
    .sink(),
    OptionSpec::new(
        "sink.parallelism",
        OptionKind::Integer { min: 1, max: 32_767 },
        NOT_WRITTEN,
        NOT_WRITTEN_ZH,
    )
    .sink(),
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
