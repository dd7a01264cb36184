//! `blackhole`: takes every row and keeps none.

use super::SINK_PARALLELISM;
use crate::spec::{Changes, ConnectorSpec, Projection, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "blackhole",
    title: "Blackhole",
    summary: Text {
        en: "Takes every row and keeps none: for tests and benchmarks.",
        zh: "接收所有行但不保留：用于测试和基准。",
    },
    source: false,
    sink: true,
    formats: &[],
    options: &[SINK_PARALLELISM],
    metadata: &[],
    projection: Projection::None,
    filter_columns: &[],
    changes: Changes::WithoutOld,
    looks_up: false,
};
