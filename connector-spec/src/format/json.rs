//! `json`: objects.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "json",
    title: "JSON",
    summary: Text {
        en: "One JSON object per record, or an array of them.",
        zh: "每条记录是一个 JSON 对象，或由对象组成的数组。",
    },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

pub(super) const IGNORE_PARSE_ERRORS: OptionSpec = flag(
        "ignore-parse-errors",
        "false",
        "Skip fields and records that cannot be parsed (fields become NULL, records are counted) instead of failing.",
        "跳过无法解析的字段和记录（字段置 NULL，记录计数），而不是失败。",
    )
    .source();

pub(super) const TIMESTAMP_STANDARD: OptionSpec = OptionSpec::new(
        "timestamp-format.standard",
        OptionKind::Enum(&["SQL", "ISO-8601"]),
        "How timestamps are written: SQL '2026-01-02 03:04:05.678', ISO-8601 '2026-01-02T03:04:05.678'.",
        "时间戳的写法：SQL 为 '2026-01-02 03:04:05.678'，ISO-8601 为 '2026-01-02T03:04:05.678'。",
    )
    .default("SQL");

pub(super) const MAP_NULL_KEY_MODE: OptionSpec = OptionSpec::new(
    "map-null-key.mode",
    OptionKind::Enum(&["FAIL", "DROP", "LITERAL"]),
    "What to do with a NULL key of a MAP when writing.",
    "写出 MAP 时遇到 NULL 键的处理方式。",
)
.default("FAIL")
.sink();

pub(super) const MAP_NULL_KEY_LITERAL: OptionSpec = OptionSpec::new(
    "map-null-key.literal",
    OptionKind::Text,
    "The key written for NULL in mode LITERAL.",
    "LITERAL 模式下代替 NULL 键写出的文本。",
)
.default("null")
.sink();

pub(super) const DECIMAL_AS_PLAIN_NUMBER: OptionSpec = flag(
    "encode.decimal-as-plain-number",
    "false",
    "Write DECIMAL without an exponent.",
    "写出 DECIMAL 时不使用科学计数法。",
)
.sink();

pub(super) const IGNORE_NULL_FIELDS: OptionSpec = flag(
    "encode.ignore-null-fields",
    "false",
    "Leave out fields that are NULL.",
    "省略值为 NULL 的字段。",
)
.sink();

static OPTIONS: &[OptionSpec] = &[
    flag(
        "fail-on-missing-field",
        "false",
        "Fail if a declared field is missing in a record; otherwise it is NULL.",
        "声明的字段在记录中缺失时失败；否则该字段为 NULL。",
    )
    .source(),
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_STANDARD,
    MAP_NULL_KEY_MODE,
    MAP_NULL_KEY_LITERAL,
    DECIMAL_AS_PLAIN_NUMBER,
    IGNORE_NULL_FIELDS,
    flag(
        "decode.json-parser.enabled",
        "true",
        "Accepted for compatibility; the same decoder is used in any case.",
        "仅为兼容而接受；总是使用同一个解码器。",
    )
    .source(),
];
