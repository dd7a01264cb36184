//! Answers of databases, in which every value is a text, into columns.

use std::borrow::Cow;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidegate_functions::decimal;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, Field, Result};

use super::column::{Column, Data, RowColumns};
use super::quote;
use super::text::datetime_parse::{Standard, parse_iso_time, parse_loose_date, parse_timestamp};
use super::text::number::{parse_double, parse_float, parse_integer, trim};

/// Columns that are filled row by row.
pub(crate) struct Answers {
    columns: RowColumns,
    schema: SchemaRef,
    rows: usize,
    /// Bytes of the texts so far, and eight for each value.
    bytes: usize,
    dialect: Dialect,
}

/// How a database writes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Bytes as `\x` and hexadecimal digits, arrays as `{a,"b"}`.
    Postgres,
    /// Bytes as they are; there are no arrays.
    MySql,
}

impl Answers {
    /// Columns for `fields`.
    ///
    /// # Errors
    /// `INVALID_OPTION` for types that no answer holds.
    pub(crate) fn new(fields: &[Field], dialect: Dialect) -> Result<Self> {
        let columns = RowColumns::new("", fields)?;
        if let Some(column) = columns.columns.iter().find(|column| !readable(column, dialect)) {
            let message = format!("column {} of type {} cannot be read", column.path, column.kind);
            return Err(Error::unsupported(message)
                .help("leave it out of the table, or declare it STRING and take it apart in SQL"));
        }
        Ok(Self { columns, schema: arrow_schema(fields), rows: 0, bytes: 0, dialect })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Bytes of memory that they need, more or less.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a row; `cell` gives the text of a column.
    ///
    /// # Errors
    /// What is wrong with which column; the columns are of no use then.
    pub(crate) fn push<'a>(
        &mut self,
        mut cell: impl FnMut(usize) -> Option<&'a [u8]>,
    ) -> Result<(), String> {
        for (index, column) in self.columns.columns.iter_mut().enumerate() {
            let text = cell(index);
            self.bytes += 8 + text.map_or(0, <[u8]>::len);
            match text {
                None => null(column)?,
                Some(text) => fill(column, text, self.dialect)?,
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows so far; none are left.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.finish()?;
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::internal(format!("columns of an answer: {error}")))
    }
}

fn readable(column: &Column, dialect: Dialect) -> bool {
    match &column.data {
        Data::Array { element, .. } => dialect == Dialect::Postgres && readable(element, dialect),
        Data::Map { .. } | Data::Row(_) => false,
        _ => true,
    }
}

/// Puts a value that is not NULL into a column.
fn fill(column: &mut Column, text: &[u8], dialect: Dialect) -> Result<(), String> {
    if let Data::Array { ends, element, .. } = &mut column.data {
        for item in super::text::postgres_array::items(text).map_err(|problem| {
            format!("column {}: {} is no array: {problem}", column.path, quote(text))
        })? {
            match item {
                None => null(element)?,
                Some(text) => fill(element, &text, dialect)?,
            }
        }
        ends.push(i32::try_from(element.len()).map_err(|_| "arrays with too many elements")?);
        column.pushed();
        return Ok(());
    }
    match value(column, text, dialect == Dialect::Postgres) {
        Outcome::Pushed => column.pushed(),
        Outcome::Null => null(column)?,
        Outcome::Mismatch => {
            let (path, kind) = (&column.path, &column.kind);
            return Err(format!("column {path}: {} is not of type {kind}", quote(text)));
        }
    }
    Ok(())
}

fn null(column: &mut Column) -> Result<(), String> {
    column.push_null().map_err(|_| format!("column {} is NULL, but declared NOT NULL", column.path))
}

enum Outcome {
    Pushed,
    /// A DECIMAL with more digits than were declared, which is NULL as in Flink.
    Null,
    Mismatch,
}

fn value(column: &mut Column, text: &[u8], hex: bool) -> Outcome {
    let pushed = match &mut column.data {
        Data::Text(values) => match std::str::from_utf8(text) {
            Ok(text) => {
                values.append_value(text);
                true
            }
            Err(_) => false,
        },
        Data::Bytes(values) => match bytes(text, hex) {
            Some(bytes) => {
                values.append_value(bytes);
                true
            }
            None => false,
        },
        Data::Boolean(values) => {
            let value = boolean(text);
            value.into_iter().for_each(|value| values.append(value));
            value.is_some()
        }
        Data::TinyInt(values) => push(values, integer(text)),
        Data::SmallInt(values) => push(values, integer(text)),
        Data::Int(values) => push(values, integer(text)),
        Data::BigInt(values) => push(values, parse_integer(trim(text))),
        Data::Float(values) => push(values, parse_float(trim(text))),
        Data::Double(values) => push(values, parse_double(trim(text))),
        Data::Decimal { values, precision, scale } => {
            let shape = (*precision, *scale);
            match std::str::from_utf8(trim(text)).map(|text| decimal::parse(text, shape)) {
                Ok(Ok(value)) => push(values, Some(value)),
                Ok(Err(decimal::ParseError::Overflow)) => return Outcome::Null,
                Ok(Err(decimal::ParseError::Malformed)) | Err(_) => false,
            }
        }
        Data::Date(values) => push(values, parse_loose_date(text)),
        Data::Time(values) => push(values, parse_iso_time(text)),
        // Sessions are in UTC: what says its zone says that.
        Data::Timestamp { values, per_second, .. } => {
            let text = text.strip_suffix(b"+00").unwrap_or(text);
            push(values, parse_timestamp(text, Standard::Sql, false, *per_second))
        }
        Data::Array { .. } | Data::Map { .. } | Data::Row(_) => false,
    };
    if pushed { Outcome::Pushed } else { Outcome::Mismatch }
}

fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let pushed = value.is_some();
    values.extend(value);
    pushed
}

fn integer<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    parse_integer(trim(text)).and_then(|value| T::try_from(value).ok())
}

/// `t` and `f`, words, numbers, and the bytes of a BIT(1).
fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"t" | b"true" | b"1" | b"\x01" => Some(true),
        b"f" | b"false" | b"0" | b"\x00" => Some(false),
        other => parse_integer(other).map(|number| number != 0),
    }
}

fn bytes(text: &[u8], hex: bool) -> Option<Cow<'_, [u8]>> {
    if !hex {
        return Some(Cow::Borrowed(text));
    }
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = text.strip_prefix(b"\\x")?;
    if digits.len() % 2 == 1 {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;
    use tidegate_types::TypeKind;

    use super::*;

    fn read(kind: TypeKind, text: &str) -> Result<String, String> {
        let fields = [Field::new("c", kind.nullable())];
        let mut answers = Answers::new(&fields, Dialect::Postgres).unwrap();
        answers.push(|_| Some(text.as_bytes()))?;
        Ok(array_value_to_string(answers.finish().unwrap().column(0), 0).unwrap())
    }

    #[test]
    fn values_as_databases_write_them() {
        let decimal = || TypeKind::Decimal { precision: 5, scale: 2 };
        for (kind, text, expected) in [
            (TypeKind::Boolean, "t", "true"),
            (TypeKind::Boolean, "0", "false"),
            (TypeKind::TinyInt, "-128", "-128"),
            (TypeKind::BigInt, "9223372036854775807", "9223372036854775807"),
            (TypeKind::Double, "1e+300", "1e300"),
            (decimal(), "12.345", "12.35"),
            (decimal(), "1234.5", ""),
            (TypeKind::STRING, " a ", " a "),
            (TypeKind::BYTES, "\\x00fF", "00ff"),
            (TypeKind::Date, "2024-02-29", "2024-02-29"),
            (TypeKind::Time { precision: 0 }, "23:59:59.5", "23:59:59"),
            (TypeKind::timestamp_ltz(3), "2024-01-02 03:04:05.678+00", "2024-01-02T03:04:05.678Z"),
            (
                TypeKind::Timestamp { precision: 6, attribute: Default::default() },
                "2024-01-02 03:04:05.678901",
                "2024-01-02T03:04:05.678901",
            ),
        ] {
            assert_eq!(read(kind.clone(), text).as_deref(), Ok(expected), "{kind} {text}");
        }
        let array = |kind: TypeKind| TypeKind::Array(Box::new(kind.nullable()));
        for (kind, text, expected) in [
            (array(TypeKind::Int), "{}", "[]"),
            (array(TypeKind::Int), "[0:1]={1,NULL}", "[1, ]"),
            (array(TypeKind::STRING), r#"{a,"b,\"c\\","NULL",""}"#, r#"[a, b,"c\, NULL, ]"#),
            (array(array(TypeKind::Int)), "{{1,2},{3,4}}", "[[1, 2], [3, 4]]"),
            (array(TypeKind::BYTES), r#"{"\\x00ff"}"#, "[00ff]"),
        ] {
            assert_eq!(read(kind.clone(), text).as_deref(), Ok(expected), "{kind} {text}");
        }
        for (kind, text) in [
            (array(TypeKind::Int), "{x}"),
            (array(TypeKind::Int), "{1"),
            (array(TypeKind::Int), "1"),
            (array(TypeKind::STRING), r#"{"a}"#),
        ] {
            assert!(read(kind.clone(), text).is_err(), "{kind} {text}");
        }
        for (kind, text) in [
            (TypeKind::TinyInt, "128"),
            (TypeKind::Int, "x"),
            (TypeKind::Boolean, "maybe"),
            (TypeKind::BYTES, "00"),
            (TypeKind::Date, "0000-00-00"),
            (TypeKind::timestamp_ltz(3), "infinity"),
        ] {
            let error = read(kind.clone(), text).unwrap_err();
            assert!(error.contains(text) && error.contains(&kind.to_string()), "{error}");
        }
    }
}
