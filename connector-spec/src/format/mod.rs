//! The record formats and their options.

mod avro;
mod change_json;
mod csv;
mod json;
mod orc;
mod parquet;
mod protobuf;
mod raw;

use crate::spec::{FormatSpec, OptionKind, OptionSpec};

/// The format with a name.
pub fn format(name: &str) -> Option<&'static FormatSpec> {
    FORMATS.iter().find(|spec| spec.name == name).copied()
}

/// All formats.
pub fn formats() -> impl Iterator<Item = &'static FormatSpec> {
    FORMATS.iter().copied()
}

static FORMATS: &[&FormatSpec] = &[
    &json::SPEC,
    &change_json::DEBEZIUM,
    &change_json::CANAL,
    &change_json::MAXWELL,
    &change_json::OGG,
    &csv::SPEC,
    &raw::SPEC,
    &protobuf::SPEC,
    &avro::SPEC,
    &avro::CONFLUENT,
    &avro::DEBEZIUM,
    &parquet::SPEC,
    &orc::SPEC,
];

const fn flag(
    key: &'static str,
    default: &'static str,
    en: &'static str,
    zh: &'static str,
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Boolean, en, zh).default(default)
}

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
