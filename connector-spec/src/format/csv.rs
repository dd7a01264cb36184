//! `csv`: lines of delimited values.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "csv",
    title: "CSV",
    summary: Text {
        en: "One line of delimited values per record; columns by position.",
        zh: "每条记录是一行分隔值，按位置对应列。",
    },
    options: OPTIONS,
    projection: Projection::Columns,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
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
