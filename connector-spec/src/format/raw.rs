//! `raw`: the bytes of a record as the value of one column.

use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "raw",
    title: "Raw",
    summary: Text {
        en: "The bytes of a record are the value of a single column.",
        zh: "记录的字节就是唯一一列的值。",
    },
    options: OPTIONS,
    projection: Projection::Columns,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
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
