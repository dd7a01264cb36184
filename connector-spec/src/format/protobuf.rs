//! `protobuf`: messages of Protocol Buffers.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "protobuf",
    title: "Protocol Buffers",
    summary: Text {
        en: "One message per record, described by a .proto file or a descriptor set.",
        zh: "每条记录是一个消息，由 .proto 文件或描述符集描述。",
    },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "message-class-name",
        OptionKind::Text,
        "Name of the message, such as shop.Order, or of the Java class that protoc makes for it. Needed.",
        "消息名，例如 shop.Order，或 protoc 为其生成的 Java 类名；必填。",
    ),
    OptionSpec::new(
        "schema",
        OptionKind::Text,
        "Text of the .proto file, or its path (it ends in .proto; imports are found beside it). Tidegate's own.",
        ".proto 文件的文本或路径（以 .proto 结尾，导入的文件在同一目录中查找）。Tidegate 特有。",
    ),
    OptionSpec::new(
        "descriptor-set",
        OptionKind::Text,
        "Path of a descriptor set made by protoc --include_imports --descriptor_set_out, instead of 'schema'. Tidegate's own.",
        "由 protoc --include_imports --descriptor_set_out 生成的描述符集的路径，可代替 'schema'。Tidegate 特有。",
    ),
    flag(
        "ignore-parse-errors",
        "false",
        "Skip records that cannot be parsed (they are counted) instead of failing.",
        "跳过无法解析的记录（并计数），而不是失败。",
    )
    .source(),
    flag(
        "read-default-values",
        "false",
        "Read missing fields as their defaults, not as NULL. In proto3 scalars always are.",
        "缺失的字段读为默认值而不是 NULL；proto3 的标量总是如此。",
    )
    .source(),
    OptionSpec::new(
        "write-null-string-literal",
        OptionKind::Text,
        "Text written for NULL in a list or map of texts.",
        "在文本列表或映射中代替 NULL 写出的文本。",
    )
    .default("")
    .sink(),
];
