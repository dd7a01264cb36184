//! `datagen`: random and sequential rows.

use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "datagen",
    title: "Data generator",
    summary: Text {
        en: "Generates rows from random values or sequences.",
        zh: "用随机值或序列生成数据。",
    },
    source: true,
    sink: false,
    formats: &[],
    options: OPTIONS,
    metadata: &[],
    projection: Projection::Columns,
    filter_columns: &[],
    changes: Changes::Append,
    looks_up: false,
};

const fn text(key: &'static str, en: &'static str, zh: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Text, en, zh).source()
}

static OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "rows-per-second",
        OptionKind::Integer { min: 1, max: i64::MAX },
        "Rows per second of all subtasks together.",
        "所有并行子任务每秒生成的总行数。",
    )
    .default("10000")
    .source(),
    OptionSpec::new(
        "number-of-rows",
        OptionKind::Integer { min: 1, max: i64::MAX },
        "Ends after so many rows; unbounded without it, unless a column is a sequence.",
        "生成这么多行后结束；未设置时无界，除非有列为序列。",
    )
    .source(),
    OptionSpec::new(
        "seed",
        OptionKind::Integer { min: i64::MIN, max: i64::MAX },
        "Seed of the random values: the same seed gives the same rows. Tidegate's own option.",
        "随机值的种子：种子相同则各行相同。Tidegate 自有选项。",
    )
    .default("0")
    .source(),
    OptionSpec::new(
        "fields.#.kind",
        OptionKind::Enum(&["random", "sequence"]),
        "How values of the column are made.",
        "该列的取值方式。",
    )
    .default("random")
    .source(),
    text("fields.#.min", "Smallest random value.", "随机值的最小值。"),
    text("fields.#.max", "Largest random value.", "随机值的最大值。"),
    OptionSpec::new(
        "fields.#.max-past",
        OptionKind::Duration,
        "Timestamps lie at most so far before now.",
        "时间戳最多早于当前时间这么久。",
    )
    .default("0 ms")
    .source(),
    OptionSpec::new(
        "fields.#.length",
        OptionKind::Integer { min: 0, max: i32::MAX as i64 },
        "Length of texts and bytes (100 by default), or number of elements of a collection (3).",
        "文本和字节的长度（默认 100），或集合的元素个数（默认 3）。",
    )
    .source(),
    OptionSpec::new(
        "fields.#.var-len",
        OptionKind::Boolean,
        "Lengths vary from 1 to the length.",
        "长度在 1 到设定长度之间变化。",
    )
    .default("false")
    .source(),
    text("fields.#.start", "First value of a sequence.", "序列的第一个值。"),
    text("fields.#.end", "Last value of a sequence.", "序列的最后一个值。"),
    OptionSpec::new(
        "fields.#.null-rate",
        OptionKind::Float { min: 0.0, max: 1.0 },
        "Share of NULLs.",
        "NULL 所占比例。",
    )
    .default("0")
    .source(),
];
