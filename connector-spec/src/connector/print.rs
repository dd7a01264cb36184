//! `print`: rows as lines on standard output.

use super::SINK_PARALLELISM;
use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "print",
    title: "Print",
    summary: Text {
        en: "Writes every change as a line, such as +I[1, a].",
        zh: "把每条变更写成一行，例如 +I[1, a]。",
    },
    source: false,
    sink: true,
    formats: &[],
    options: &[
        OptionSpec::new(
            "print-identifier",
            OptionKind::Text,
            "Put before every line.",
            "加在每行之前的标识。",
        )
        .sink(),
        OptionSpec::new(
            "standard-error",
            OptionKind::Boolean,
            "Write to standard error instead of standard output.",
            "写到标准错误而不是标准输出。",
        )
        .default("false")
        .sink(),
        SINK_PARALLELISM,
    ],
    metadata: &[],
    projection: Projection::None,
    filter_columns: &[],
    changes: Changes::All,
    looks_up: false,
};
