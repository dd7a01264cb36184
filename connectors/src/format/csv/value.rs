//! The texts of fields into columns.

use tidegate_functions::decimal;

use super::Dialect;
use crate::format::column::{Column, Data, end_of};
use crate::format::quote;
use crate::format::text::base64;
use crate::format::text::datetime_parse::{
    Standard, parse_iso_time, parse_loose_date, parse_timestamp,
};
use crate::format::text::number::{parse_double, parse_float, parse_integer, trim};

/// How fields become values.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) dialect: Dialect,
    /// A field that cannot be converted becomes NULL.
    pub(super) ignore_errors: bool,
    /// Memory for bytes.
    pub(super) scratch: Vec<u8>,
}

/// What became of a field.
enum Outcome {
    Pushed,
    /// NULL for this type: a DECIMAL with too many digits.
    Null,
    Mismatch,
}

impl Values {
    /// Appends what a field means to its column.
    ///
    /// # Errors
    /// What is wrong with the record, if it cannot stay.
    #[inline]
    pub(super) fn push(&mut self, column: &mut Column, field: &[u8]) -> Result<(), String> {
        if self.dialect.null_literal.as_deref() == Some(field) {
            return null(column);
        }
        let outcome = match &column.data {
            Data::Array { .. } => self.array(column, field)?,
            Data::Row(_) => self.row(column, field)?,
            _ => self.scalar(column, field)?,
        };
        match outcome {
            Outcome::Pushed => Ok(()),
            Outcome::Null => null(column),
            Outcome::Mismatch if self.ignore_errors => null(column),
            Outcome::Mismatch => Err(format!(
                "column {}: {} is not a value of type {}",
                column.path,
                quote(field),
                column.kind
            )),
        }
    }

    #[inline]
    fn scalar(&mut self, column: &mut Column, field: &[u8]) -> Result<Outcome, String> {
        let pushed = match &mut column.data {
            Data::Text(values) => match std::str::from_utf8(field) {
                Ok(text) => {
                    values.append_value(text);
                    true
                }
                Err(_) => {
                    return Err(format!(
                        "column {}: {} is not valid UTF-8",
                        column.path,
                        quote(field)
                    ));
                }
            },
            Data::BigInt(values) => push(values, parse_integer(trim(field))),
            Data::Int(values) => push(values, integer(field)),
            Data::SmallInt(values) => push(values, integer(field)),
            Data::TinyInt(values) => push(values, integer(field)),
            Data::Double(values) => push(values, parse_double(trim(field))),
            Data::Float(values) => push(values, parse_float(trim(field))),
            Data::Boolean(values) => {
                values.append(trim(field).eq_ignore_ascii_case(b"true"));
                true
            }
            Data::Decimal { values, precision, scale } => {
                let shape = (*precision, *scale);
                match std::str::from_utf8(trim(field)).map(|text| decimal::parse(text, shape)) {
                    Ok(Ok(value)) => push(values, Some(value)),
                    Ok(Err(decimal::ParseError::Overflow)) => return Ok(Outcome::Null),
                    Ok(Err(decimal::ParseError::Malformed)) | Err(_) => false,
                }
            }
            Data::Bytes(values) => {
                self.scratch.clear();
                let valid = base64::decode(field, &mut self.scratch);
                if valid {
                    values.append_value(&self.scratch);
                }
                valid
            }
            Data::Date(values) => push(values, parse_loose_date(field)),
            Data::Time(values) => push(values, parse_iso_time(field)),
            Data::Timestamp { values, per_second, zoned } => {
                push(values, parse_timestamp(field, Standard::Sql, *zoned, *per_second))
            }
            Data::Array { .. } | Data::Map { .. } | Data::Row(_) => false,
        };
        if !pushed {
            return Ok(Outcome::Mismatch);
        }
        column.pushed();
        Ok(Outcome::Pushed)
    }

    fn array(&mut self, column: &mut Column, field: &[u8]) -> Result<Outcome, String> {
        let Data::Array { ends, element, .. } = &mut column.data else {
            return Ok(Outcome::Mismatch);
        };
        let mut rest = (!field.is_empty()).then_some(field);
        while let Some(text) = rest {
            let (first, behind) = split(text, &self.dialect.element_delimiter);
            self.push(element, first)?;
            rest = behind;
        }
        ends.push(end_of(element.len()));
        column.pushed();
        Ok(Outcome::Pushed)
    }

    fn row(&mut self, column: &mut Column, field: &[u8]) -> Result<Outcome, String> {
        let Data::Row(row) = &mut column.data else {
            return Ok(Outcome::Mismatch);
        };
        let (mut rest, mut found) = (Some(field), 0);
        let expected = row.columns.len();
        while let Some(text) = rest {
            let (first, behind) = split(text, &self.dialect.element_delimiter);
            if let Some(column) = row.columns.get_mut(found) {
                self.push(column, first)?;
            }
            found += 1;
            rest = behind;
        }
        if found != expected && !self.ignore_errors {
            return Err(format!(
                "column {}: {expected} fields are declared, {found} were found",
                column.path
            ));
        }
        for column in row.columns.iter_mut().skip(found) {
            null(column)?;
        }
        column.pushed();
        Ok(Outcome::Pushed)
    }
}

/// The part before the first `delimiter`, and the one behind it, if there is one.
fn split<'a>(text: &'a [u8], delimiter: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    if delimiter.is_empty() {
        return (text, None);
    }
    match memchr::memmem::find(text, delimiter) {
        Some(found) => (&text[..found], Some(&text[found + delimiter.len()..])),
        None => (text, None),
    }
}

fn integer<T: TryFrom<i64>>(field: &[u8]) -> Option<T> {
    parse_integer(trim(field)).and_then(|value| T::try_from(value).ok())
}

#[inline]
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let pushed = value.is_some();
    values.extend(value);
    pushed
}

/// Appends NULL.
///
/// # Errors
/// That the column is declared NOT NULL.
pub(super) fn null(column: &mut Column) -> Result<(), String> {
    column.push_null().map_err(|_| format!("column {} is NULL, but declared NOT NULL", column.path))
}
