//! The record formats and their options.

use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

/// The format with a name.
pub fn format(name: &str) -> Option<&'static FormatSpec> {
    FORMATS.iter().find(|spec| spec.name == name)
}

/// All formats.
pub fn formats() -> &'static [FormatSpec] {
    FORMATS
}

static FORMATS: &[FormatSpec] = &[
    FormatSpec {
        name: "json",
        title: "JSON",
        summary: Text {
            en: "One JSON object per record, or an array of them.",
            zh: "每条记录是一个 JSON 对象，或由对象组成的数组。",
        },
        options: JSON,
        projection: Projection::Nested,
        changelog: false,
    },
    FormatSpec {
        name: "debezium-json",
        title: "Debezium JSON",
        summary: Text {
            en: "Changes of database rows as Debezium writes them: the row before and after, and the operation.",
            zh: "Debezium 写出的数据库行变更：变更前、变更后的行以及操作类型。",
        },
        options: DEBEZIUM_JSON,
        projection: Projection::Nested,
        changelog: true,
    },
    FormatSpec {
        name: "csv",
        title: "CSV",
        summary: Text {
            en: "One line of delimited values per record; columns by position.",
            zh: "每条记录是一行分隔值，按位置对应列。",
        },
        options: CSV,
        projection: Projection::Columns,
        changelog: false,
    },
    FormatSpec {
        name: "raw",
        title: "Raw",
        summary: Text {
            en: "The bytes of a record are the value of a single column.",
            zh: "记录的字节就是唯一一列的值。",
        },
        options: RAW,
        projection: Projection::Columns,
        changelog: false,
    },
    FormatSpec {
        name: "parquet",
        title: "Apache Parquet",
        summary: Text { en: "Columnar files.", zh: "列式文件。" },
        options: PARQUET,
        projection: Projection::Nested,
        changelog: false,
    },
];

const fn flag(
    key: &'static str,
    default: &'static str,
    en: &'static str,
    zh: &'static str,
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Boolean, en, zh).default(default)
}

const IGNORE_PARSE_ERRORS: OptionSpec = flag(
        "ignore-parse-errors",
        "false",
        "Skip fields and records that cannot be parsed (fields become NULL, records are counted) instead of failing.",
        "跳过无法解析的字段和记录（字段置 NULL，记录计数），而不是失败。",
    )
    .source();

const TIMESTAMP_STANDARD: OptionSpec = OptionSpec::new(
        "timestamp-format.standard",
        OptionKind::Enum(&["SQL", "ISO-8601"]),
        "How timestamps are written: SQL '2026-01-02 03:04:05.678', ISO-8601 '2026-01-02T03:04:05.678'.",
        "时间戳的写法：SQL 为 '2026-01-02 03:04:05.678'，ISO-8601 为 '2026-01-02T03:04:05.678'。",
    )
    .default("SQL");

const MAP_NULL_KEY_MODE: OptionSpec = OptionSpec::new(
    "map-null-key.mode",
    OptionKind::Enum(&["FAIL", "DROP", "LITERAL"]),
    "What to do with a NULL key of a MAP when writing.",
    "写出 MAP 时遇到 NULL 键的处理方式。",
)
.default("FAIL")
.sink();

const MAP_NULL_KEY_LITERAL: OptionSpec = OptionSpec::new(
    "map-null-key.literal",
    OptionKind::Text,
    "The key written for NULL in mode LITERAL.",
    "LITERAL 模式下代替 NULL 键写出的文本。",
)
.default("null")
.sink();

const DECIMAL_AS_PLAIN_NUMBER: OptionSpec = flag(
    "encode.decimal-as-plain-number",
    "false",
    "Write DECIMAL without an exponent.",
    "写出 DECIMAL 时不使用科学计数法。",
)
.sink();

const IGNORE_NULL_FIELDS: OptionSpec = flag(
    "encode.ignore-null-fields",
    "false",
    "Leave out fields that are NULL.",
    "省略值为 NULL 的字段。",
)
.sink();

static DEBEZIUM_JSON: &[OptionSpec] = &[
    flag(
        "schema-include",
        "false",
        "Whether records carry their schema: the change is then in the field 'payload'.",
        "记录是否带有模式：若是，变更内容位于 'payload' 字段中。",
    ),
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_STANDARD,
    MAP_NULL_KEY_MODE,
    MAP_NULL_KEY_LITERAL,
    DECIMAL_AS_PLAIN_NUMBER,
    IGNORE_NULL_FIELDS,
];

static JSON: &[OptionSpec] = &[
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

static CSV: &[OptionSpec] = &[
    OptionSpec::new(
        "field-delimiter",
        OptionKind::Character,
        "What separates fields; escapes such as \\t are understood.",
        "字段分隔符，支持 \\t 等转义。",
    )
    .default(","),
    flag(
        "disable-quote-character",
        "false",
        "Quotes have no meaning; 'csv.quote-character' must not be set.",
        "引号没有特殊含义；此时不能设置 'csv.quote-character'。",
    ),
    OptionSpec::new(
        "quote-character",
        OptionKind::Character,
        "What encloses a value that holds delimiters, \" by default.",
        "包围含分隔符的值的字符，默认为 \"。",
    ),
    flag(
        "allow-comments",
        "false",
        "Lines that begin with # are skipped.",
        "跳过以 # 开头的行。",
    )
    .source(),
    flag(
        "ignore-parse-errors",
        "false",
        "Skip fields and records that cannot be parsed (fields become NULL, records are counted) instead of failing.",
        "跳过无法解析的字段和记录（字段置 NULL，记录计数），而不是失败。",
    )
    .source(),
    OptionSpec::new(
        "array-element-delimiter",
        OptionKind::Text,
        "What separates the elements of ARRAY and ROW values.",
        "ARRAY 和 ROW 值中元素的分隔符。",
    )
    .default(";"),
    OptionSpec::new(
        "escape-character",
        OptionKind::Character,
        "Takes the meaning from the character behind it; off by default.",
        "取消其后字符的特殊含义；默认关闭。",
    ),
    OptionSpec::new(
        "null-literal",
        OptionKind::Text,
        "The text that stands for NULL; none by default.",
        "表示 NULL 的文本；默认没有。",
    ),
    flag(
        "write-bigdecimal-in-scientific-notation",
        "true",
        "Write DECIMAL with an exponent where that is shorter, as Flink does.",
        "与 Flink 一样，用科学计数法写出 DECIMAL。",
    )
    .sink(),
];

static RAW: &[OptionSpec] = &[
    OptionSpec::new("charset", OptionKind::Text, "Encoding of text.", "文本的编码。")
        .default("UTF-8"),
    OptionSpec::new(
        "endianness",
        OptionKind::Enum(&["big-endian", "little-endian"]),
        "Order of the bytes of numbers.",
        "数值的字节序。",
    )
    .default("big-endian"),
];

static PARQUET: &[OptionSpec] = &[
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_keys_are_unique_and_helped_in_both_languages() {
        for format in formats() {
            for (i, option) in format.options.iter().enumerate() {
                assert!(
                    format.options[..i].iter().all(|other| other.key != option.key),
                    "{}",
                    option.key
                );
                assert!(!option.help.en.is_empty() && !option.help.zh.is_empty(), "{}", option.key);
            }
        }
    }
}
