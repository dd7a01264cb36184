//! Column types and values of generated tables: as SQL, as JSON, as Arrow, and how they compare.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringArray,
};
use arrow::datatypes::DataType;

use crate::compare::Shape;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// STRING.
    Text,
    /// SMALLINT.
    SmallInt,
    /// INT.
    Int,
    /// BIGINT.
    BigInt,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// DECIMAL(precision, scale).
    Decimal(u8, i8),
    /// DOUBLE.
    Double,
    /// TIMESTAMP(3).
    Timestamp,
}

impl ColumnType {
    /// As DDL names it.
    pub fn sql(self) -> String {
        match self {
            Self::Text => "STRING".to_owned(),
            Self::SmallInt => "SMALLINT".to_owned(),
            Self::Int => "INT".to_owned(),
            Self::BigInt => "BIGINT".to_owned(),
            Self::Boolean => "BOOLEAN".to_owned(),
            Self::Date => "DATE".to_owned(),
            Self::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
            Self::Double => "DOUBLE".to_owned(),
            Self::Timestamp => "TIMESTAMP(3)".to_owned(),
        }
    }

    /// How its values are compared.
    pub fn shape(self) -> Shape {
        match self {
            Self::Text | Self::Date => Shape::Text,
            Self::SmallInt | Self::Int | Self::BigInt => Shape::Integer,
            Self::Boolean => Shape::Boolean,
            Self::Decimal(..) => Shape::Decimal,
            Self::Double => Shape::Float,
            Self::Timestamp => Shape::Timestamp,
        }
    }

    /// Whether SUM and AVG take it.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::SmallInt | Self::Int | Self::BigInt | Self::Decimal(..) | Self::Double)
    }

    /// Whether SUM and AVG keep it as an integer.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// The Arrow type that holds it in the oracle; timestamps are milliseconds.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt | Self::Timestamp => DataType::Int64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Double => DataType::Float64,
        }
    }
}

/// A value; which variant fits is the column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL of any type.
    Null,
    /// SMALLINT, INT, BIGINT; DATE as days and TIMESTAMP as milliseconds since 1970.
    Integer(i64),
    /// STRING.
    Text(String),
    /// BOOLEAN.
    Boolean(bool),
    /// DECIMAL without its point.
    Unscaled(i128),
    /// DOUBLE.
    Double(f64),
}

impl Cell {
    /// The JSON text of the value as a column of this type.
    pub fn json(&self, ty: ColumnType) -> String {
        match (self, ty) {
            (Self::Null, _) => "null".to_owned(),
            (Self::Integer(days), ColumnType::Date) => format!("\"{}\"", date(*days)),
            (Self::Integer(millis), ColumnType::Timestamp) => format!("\"{}\"", timestamp(*millis)),
            (Self::Integer(value), _) => value.to_string(),
            (Self::Text(text), _) => serde_json::Value::from(text.as_str()).to_string(),
            (Self::Boolean(value), _) => value.to_string(),
            (Self::Unscaled(value), ColumnType::Decimal(_, scale)) => decimal(*value, scale as u32),
            (Self::Unscaled(value), _) => value.to_string(),
            (Self::Double(value), _) => format!("{value:?}"),
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

/// A column of values as Arrow.
///
/// # Errors
/// If a decimal has too many digits for its type.
pub fn array<'a>(ty: ColumnType, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef> {
    Ok(match ty {
        ColumnType::Text => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        ColumnType::SmallInt => Arc::new(Int16Array::from_iter(
            cells.map(|cell| cell.integer().map(|value| value as i16)),
        )),
        ColumnType::Int => Arc::new(Int32Array::from_iter(
            cells.map(|cell| cell.integer().map(|value| value as i32)),
        )),
        ColumnType::Date => Arc::new(Date32Array::from_iter(
            cells.map(|cell| cell.integer().map(|value| value as i32)),
        )),
        ColumnType::BigInt | ColumnType::Timestamp => {
            Arc::new(Int64Array::from_iter(cells.map(Cell::integer)))
        }
        ColumnType::Boolean => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Cell::Boolean(value) => Some(*value),
            _ => None,
        }))),
        ColumnType::Decimal(precision, scale) => {
            let values = Decimal128Array::from_iter(cells.map(|cell| match cell {
                Cell::Unscaled(value) => Some(*value),
                _ => None,
            }));
            Arc::new(values.with_precision_and_scale(precision, scale)?)
        }
        ColumnType::Double => Arc::new(Float64Array::from_iter(cells.map(|cell| match cell {
            Cell::Double(value) => Some(*value),
            _ => None,
        }))),
    })
}

/// An unscaled decimal with its point.
pub fn decimal(unscaled: i128, scale: u32) -> String {
    let divisor = 10_u128.pow(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let (whole, fraction) = (unscaled.unsigned_abs() / divisor, unscaled.unsigned_abs() % divisor);
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction:0width$}", width = scale as usize)
    }
}

/// Days since 1970 as `yyyy-MM-dd`. After Howard Hinnant's `civil_from_days`.
pub fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Milliseconds since 1970 as `yyyy-MM-dd HH:mm:ss.SSS`.
pub fn timestamp(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}.{millis:03}", date(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(timestamp(1_710_028_800_007), "2024-03-10 00:00:00.007");
    }

    #[test]
    fn values_as_json() {
        assert_eq!(Cell::Unscaled(-5).json(ColumnType::Decimal(6, 2)), "-0.05");
        assert_eq!(Cell::Text("a\"b".into()).json(ColumnType::Text), r#""a\"b""#);
        assert_eq!(Cell::Double(2.0).json(ColumnType::Double), "2.0");
        assert_eq!(Cell::Integer(1).json(ColumnType::Date), "\"1970-01-02\"");
    }
}
