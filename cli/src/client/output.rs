//! How answers are printed: as JSON in the form that proto3 defines, or as lines for people.

use std::fmt::Write;
use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use tidegate_types::{Error, Result};

use crate::run::stdout_error;

pub(super) static DESCRIPTORS: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(tidegate_proto::DESCRIPTORS).ok());

/// Prints a message as JSON.
///
/// # Errors
/// `INTERNAL` if it has no description; `UNAVAILABLE` if standard output is closed.
pub(super) fn json<M: Message + Name>(message: &M) -> Result<()> {
    let internal = |what: String| Error::internal(format!("print {}: {what}", M::full_name()));
    let pool = DESCRIPTORS.as_ref().ok_or_else(|| internal("no descriptions".to_owned()))?;
    let name = M::full_name();
    let descriptor =
        pool.get_message_by_name(&name).ok_or_else(|| internal("not described".to_owned()))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| internal(error.to_string()))?;
    let options =
        SerializeOptions::new().skip_default_fields(false).stringify_64_bit_integers(false);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut text);
    dynamic
        .serialize_with_options(&mut serializer, &options)
        .map_err(|error| internal(error.to_string()))?;
    lines(&String::from_utf8_lossy(&text))
}

/// Prints text and an end of line.
///
/// # Errors
/// `UNAVAILABLE` if standard output is closed.
pub(crate) fn lines(text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()).map_err(stdout_error)
}

/// Columns of text, as wide as their widest value; a sentence where there are no rows.
pub(super) fn table(names: &[&str], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let width = |column: usize| {
        let values = rows.iter().filter_map(|row| row.get(column)).map(|v| v.chars().count());
        values.chain([names[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |values: &[&str]| {
        for (value, width) in values.iter().zip(&widths) {
            let _ = write!(text, "{value:<width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    line(names);
    for row in rows {
        line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// A time, or `-`.
pub(super) fn time(time: Option<&prost_types::Timestamp>) -> String {
    let shown =
        time.and_then(|time| arrow::temporal_conversions::timestamp_s_to_datetime(time.seconds));
    shown.map_or("-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The last part of a name.
pub(super) fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_is_said_in_words() {
        let rows =
            vec![vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "2".to_owned()]];
        assert_eq!(table(&["NAME", "N"], &rows, ""), "NAME  N\na     1\nlong  2\n");
        assert_eq!(table(&["NAME"], &[], "there are no jobs"), "there are no jobs");
    }

    #[test]
    fn every_message_of_the_api_is_described() {
        let pool = DESCRIPTORS.as_ref().unwrap();
        assert!(pool.get_message_by_name("tidegate.v1.Job").is_some());
        for service in pool.services().filter(|s| s.full_name().starts_with("tidegate.v1.")) {
            for method in service.methods() {
                let permission = pool.get_extension_by_name("tidegate.v1.permission").unwrap();
                let options = method.options();
                let value = options.get_extension(&permission);
                let name = method.full_name();
                assert!(value.as_str().is_some_and(|text| text.contains('.')), "{name}");
            }
        }
    }
}
