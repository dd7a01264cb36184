//! The connectors, and the options that all sources share.

mod blackhole;
mod datagen;
mod filesystem;
mod jdbc;
mod kafka;
mod kafka_shared;
mod lookup_options;
mod nexmark;
mod print;
mod upsert_kafka;

use crate::spec::{ConnectorSpec, OptionKind, OptionSpec};

static CONNECTORS: &[&ConnectorSpec] = &[
    &kafka::SPEC,
    &upsert_kafka::SPEC,
    &filesystem::SPEC,
    &jdbc::SPEC,
    &datagen::SPEC,
    &nexmark::SPEC,
    &print::SPEC,
    &blackhole::SPEC,
];

/// The connector with a name.
pub fn connector(name: &str) -> Option<&'static ConnectorSpec> {
    CONNECTORS.iter().find(|spec| spec.name == name).copied()
}

/// All connectors.
pub fn connectors() -> &'static [&'static ConnectorSpec] {
    CONNECTORS
}

/// Options that every source takes.
pub fn common_source_options() -> &'static [OptionSpec] {
    COMMON_SOURCE
}

const NO_ALIGNMENT: &str =
    "splits of a source are read in step already; remove the options 'scan.watermark.alignment.…'";

static COMMON_SOURCE: &[OptionSpec] = &[
    OptionSpec::new(
        "scan.watermark.idle-timeout",
        OptionKind::Duration,
        "Splits without rows for this long do not hold the watermark back; '0 ms' is never.",
        "超过此时间没有数据的分片不再阻碍水位线；'0 ms' 表示从不。",
    )
    .source(),
    OptionSpec::new(
        "scan.watermark.emit.strategy",
        OptionKind::Enum(&["on-periodic", "on-event"]),
        "Accepted for compatibility: watermarks are emitted after each batch in which they move.",
        "仅为兼容而接受：水位线在其前进的每个批次之后发出。",
    )
    .source(),
    OptionSpec::new(
        "scan.watermark.emit.on-event.gap",
        OptionKind::Integer { min: 1, max: i64::MAX },
        "Accepted for compatibility, see 'scan.watermark.emit.strategy'.",
        "仅为兼容而接受，见 'scan.watermark.emit.strategy'。",
    )
    .source(),
    OptionSpec::new(
        "scan.watermark.alignment.group",
        OptionKind::Text,
        "Sources of one group keep their watermarks close together.",
        "同组数据源的水位线保持接近。",
    )
    .source()
    .unsupported(&[], NO_ALIGNMENT),
    OptionSpec::new(
        "scan.watermark.alignment.max-drift",
        OptionKind::Duration,
        "Largest distance of watermarks within a group.",
        "组内水位线的最大差距。",
    )
    .source()
    .unsupported(&[], NO_ALIGNMENT),
    OptionSpec::new(
        "scan.watermark.alignment.update-interval",
        OptionKind::Duration,
        "How often watermarks of a group are compared.",
        "比较组内水位线的间隔。",
    )
    .source()
    .unsupported(&[], NO_ALIGNMENT),
    OptionSpec::new(
        "scan.parallelism",
        OptionKind::Integer { min: 1, max: 32_767 },
        "Number of subtasks that read the table; the job's parallelism by default.",
        "读取该表的并行度；默认为作业并行度。",
    )
    .source(),
];

/// `sink.parallelism`, which every sink takes.
const SINK_PARALLELISM: OptionSpec = OptionSpec::new(
    "sink.parallelism",
    OptionKind::Integer { min: 1, max: 32_767 },
    "Number of subtasks that write the table; that of the input by default.",
    "写入该表的并行度；默认与上游一致。",
)
.sink();

/// An option that takes any text.
const fn text(key: &'static str, en: &'static str, zh: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Text, en, zh)
}

/// Groups of options as one list, which has as many as all of them.
const fn joined<const N: usize>(groups: &[&[OptionSpec]]) -> [OptionSpec; N] {
    let mut all = [SINK_PARALLELISM; N];
    let (mut group, mut next) = (0, 0);
    while group < groups.len() {
        let mut option = 0;
        while option < groups[group].len() {
            all[next] = groups[group][option];
            (option, next) = (option + 1, next + 1);
        }
        group += 1;
    }
    assert!(next == N, "the length of the list is not that of its groups");
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_keys_are_unique_and_helped_in_both_languages() {
        for connector in connectors() {
            let all: Vec<_> = connector.options.iter().chain(COMMON_SOURCE).collect();
            for (i, option) in all.iter().enumerate() {
                assert!(all[..i].iter().all(|other| other.key != option.key), "{}", option.key);
                assert!(!option.help.en.is_empty() && !option.help.zh.is_empty(), "{}", option.key);
            }
        }
    }

    #[test]
    fn defaults_are_valid_values() {
        for connector in connectors() {
            for option in connector.options {
                if let Some(default) = option.default {
                    crate::validate::check_value(option, option.key, default).unwrap();
                }
            }
        }
    }
}
