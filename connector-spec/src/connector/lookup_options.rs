//! Options of tables that are kept as a whole for lookups.

use crate::spec::{OptionKind, OptionSpec};

/// How a table that is kept as a whole is read again.
pub(super) const FULL_CACHE_STRATEGY: &[OptionSpec] = &[OptionSpec::new(
    "lookup.full-cache.reload-strategy",
    OptionKind::Enum(&["PERIODIC", "TIMED"]),
    "When a table that is kept as a whole is read again (FULL).",
    "整表缓存何时重新读取（FULL）。",
)
.default("PERIODIC")
.source()
.unsupported(
    &["PERIODIC"],
    "use 'PERIODIC' with 'lookup.full-cache.periodic-reload.interval' = '1 d'",
)];

/// How often.
pub(super) const FULL_CACHE: &[OptionSpec] = &[
    OptionSpec::new(
        "lookup.full-cache.periodic-reload.interval",
        OptionKind::Duration,
        "How often a table that is kept as a whole is read again (FULL); without it once.",
        "整表缓存重新读取的间隔（FULL）；不设置则只读取一次。",
    )
    .source(),
    OptionSpec::new(
        "lookup.full-cache.periodic-reload.schedule-mode",
        OptionKind::Enum(&["FIXED_DELAY", "FIXED_RATE"]),
        "Accepted for compatibility: the interval counts from the beginning of the last reading.",
        "仅为兼容而接受：间隔从上一次读取开始时算起。",
    )
    .default("FIXED_DELAY")
    .source(),
];

/// `lookup.cache` of tables that can only be kept as a whole.
pub(super) const ONLY_FULL: &[OptionSpec] = &[OptionSpec::new(
    "lookup.cache",
    OptionKind::Enum(&["NONE", "PARTIAL", "FULL"]),
    "What lookups remember: always the whole table, which is read as files.",
    "查找缓存：文件总是整表读入并缓存。",
)
.default("FULL")
.source()
.unsupported(&["FULL"], "leave it out: files have no index by key, so the whole table is kept")];
