//! Partition folders, `dt=2026-01-01/hour=07`: reading values from a path and writing them into one.
//!
//! Escapes and the text of values are Flink's, so that both systems read each other's folders.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use chrono::{DateTime, NaiveDateTime, Timelike};
use object_store::path::Path;
use tidegate_plan::arrow_type;
use tidegate_types::{Error, ErrorCode, Field, Result};

/// The values of `keys` in a file's path, unescaped; `None` for NULL.
///
/// # Errors
/// `BAD_RECORD` if a folder of the path lacks.
pub(super) fn values_in_path(
    path: &Path,
    keys: &[Field],
    default_name: &str,
    place: &str,
) -> Result<Vec<Option<String>>> {
    let folders: Vec<String> = path.parts().map(|part| part.as_ref().to_owned()).collect();
    let value = |key: &Field| {
        let folder = folders.iter().rev().skip(1).find_map(|folder| {
            let (name, value) = folder.split_once('=')?;
            (unescape(name) == key.name).then(|| unescape(value))
        });
        match folder {
            Some(value) if value == default_name => Ok(None),
            Some(value) => Ok(Some(value)),
            None => Err(Error::new(
                ErrorCode::BadRecord,
                format!(
                    "file {place} is in no folder {}=…, but the table is partitioned by it",
                    key.name
                ),
            )),
        }
    };
    keys.iter().map(value).collect()
}

/// One row with the value of a partition key.
///
/// # Errors
/// `BAD_RECORD` if the text is no value of the key's type.
pub(super) fn parse_value(text: Option<&str>, key: &Field, place: &str) -> Result<ArrayRef> {
    let strings = StringViewArray::from_iter([text]);
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let target = arrow_type::data_type(&key.ty);
    cast_with_options(&strings, &target, &options).map_err(|_| {
        let text = text.unwrap_or_default();
        let message = format!(
            "file {place}: folder {}={text} does not hold a value of type {}",
            key.name, key.ty
        );
        Error::new(ErrorCode::BadRecord, message)
    })
}

/// The texts of a partition column's values, not escaped; NULL and blank text are `default_name`.
///
/// # Errors
/// `INVALID_OPTION` for a type that cannot name a folder.
pub(super) fn value_texts(
    column: &ArrayRef,
    key: &Field,
    default_name: &str,
) -> Result<Vec<String>> {
    let refused = || {
        let message = format!("column {} of type {} cannot partition files", key.name, key.ty);
        Error::new(ErrorCode::InvalidOption, message)
    };
    if column.data_type().is_nested() || matches!(column.data_type(), DataType::BinaryView) {
        return Err(refused());
    }
    if let DataType::Timestamp(unit, zone) = column.data_type() {
        let suffix = if zone.is_some() { "Z" } else { "" };
        return Ok((0..column.len())
            .map(|row| match timestamp(column, *unit, row) {
                Some(time) => format!("{}{suffix}", java_date_time(time)),
                None => default_name.to_owned(),
            })
            .collect());
    }
    let texts = cast(column, &DataType::Utf8View).map_err(|_| refused())?;
    let texts = texts.as_string_view();
    Ok(texts
        .iter()
        .map(|text| match text {
            Some(text) if !text.trim().is_empty() => text.to_owned(),
            _ => default_name.to_owned(),
        })
        .collect())
}

fn timestamp(column: &ArrayRef, unit: TimeUnit, row: usize) -> Option<NaiveDateTime> {
    if column.is_null(row) {
        return None;
    }
    let time = match unit {
        TimeUnit::Second => None,
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(
            column.as_primitive_opt::<TimestampMillisecondType>()?.value(row),
        ),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(
            column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row),
        ),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(
            column.as_primitive_opt::<TimestampNanosecondType>()?.value(row),
        )),
    };
    time.map(|time| time.naive_utc())
}

/// As `LocalDateTime.toString` of Java: seconds only if there are any, the fraction in groups of three.
fn java_date_time(time: NaiveDateTime) -> String {
    let mut text = time.format("%Y-%m-%dT%H:%M").to_string();
    let (second, nanos) = (time.second(), time.nanosecond());
    if second > 0 || nanos > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ":{second:02}");
    }
    if nanos > 0 {
        let _ = match nanos {
            n if n % 1_000_000 == 0 => write!(text, ".{:03}", n / 1_000_000),
            n if n % 1_000 == 0 => write!(text, ".{:06}", n / 1_000),
            n => write!(text, ".{n:09}"),
        };
    }
    text
}

/// `key=value` with the characters escaped that have a meaning in paths.
pub(super) fn folder(key: &str, value: &str) -> String {
    format!("{}={}", escape(key), escape(value))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let special = c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c);
        if special {
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, TimestampMillisecondArray};
    use tidegate_types::TypeKind;

    use super::*;

    #[test]
    fn special_characters_survive_a_folder_name() {
        for text in ["a b", "2026-01-01 00:00:00", "50%=x/y", "é#?", "%zz", ""] {
            assert_eq!(unescape(&escape(text)), text);
            assert!(!escape(text).contains(['/', ':', '=', '#']));
        }
        assert_eq!(folder("dt", "a:b"), "dt=a%3Ab");
    }

    #[test]
    fn values_are_read_by_name_from_the_folders() {
        let keys = [
            Field::new("b", TypeKind::Int.nullable()),
            Field::new("a", TypeKind::STRING.nullable()),
        ];
        let path = Path::parse("in/a=x%2Fy/b=__D__/f=1.json").unwrap();
        let values = values_in_path(&path, &keys, "__D__", "p").unwrap();
        assert_eq!(values, [None, Some("x/y".to_owned())]);
        let error = values_in_path(&Path::parse("in/a=1/f").unwrap(), &keys, "__D__", "in/a=1/f")
            .unwrap_err();
        assert!(error.to_string().contains("folder b="), "{error}");
    }

    #[test]
    fn values_have_the_declared_type() {
        let key = Field::new("n", TypeKind::Int.nullable());
        let array = parse_value(Some("42"), &key, "p").unwrap();
        assert_eq!(array.as_any().downcast_ref::<Int32Array>().unwrap().value(0), 42);
        assert!(parse_value(None, &key, "p").unwrap().is_null(0));
        let error = parse_value(Some("x"), &key, "in/n=x/f").unwrap_err().to_string();
        assert!(error.contains("n=x") && error.contains("INT"), "{error}");
    }

    #[test]
    fn timestamps_are_written_as_java_does() {
        let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![
            Some(0),
            Some(1_000),
            Some(1_500),
            None,
        ]));
        let key = Field::new("t", TypeKind::timestamp(3).nullable());
        let texts = value_texts(&column, &key, "D").unwrap();
        assert_eq!(
            texts,
            ["1970-01-01T00:00", "1970-01-01T00:00:01", "1970-01-01T00:00:01.500", "D"]
        );
    }
}
