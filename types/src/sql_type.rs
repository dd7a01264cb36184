//! Flink's SQL types with lengths, precisions, nullability and time attributes.
//!
//! `Display` prints a type exactly as Flink's `asSummaryString` does (`DECIMAL(10, 2) NOT NULL`).
//! Not here: parsing (planner) and the Arrow representation (plan).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Length that Flink gives to `STRING` and `BYTES`.
pub const MAX_LENGTH: u32 = i32::MAX as u32;
/// Largest precision of a DECIMAL.
pub const MAX_DECIMAL_PRECISION: u8 = 38;

/// Whether a timestamp column drives time: only such columns may define windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeAttribute {
    /// An ordinary timestamp.
    #[default]
    None,
    /// Event time: the column of a `WATERMARK FOR`, or a window's `window_time`.
    Event,
    /// Processing time: `PROCTIME()`.
    Processing,
}

/// A type with its nullability.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SqlType {
    /// What the values are.
    pub kind: TypeKind,
    /// Whether NULL is among them.
    pub nullable: bool,
}

/// The kinds of SQL values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// The type of an untyped NULL literal.
    Null,
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`, 8 bits
    TinyInt,
    /// `SMALLINT`, 16 bits
    SmallInt,
    /// `INT`, 32 bits
    Int,
    /// `BIGINT`, 64 bits
    BigInt,
    /// `FLOAT`, 32 bits
    Float,
    /// `DOUBLE`, 64 bits
    Double,
    /// `DECIMAL(precision, scale)`, precision 1–38
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `CHAR(length)`
    Char {
        /// Characters.
        length: u32,
    },
    /// `VARCHAR(length)`; [`MAX_LENGTH`] is `STRING`
    VarChar {
        /// Largest number of characters.
        length: u32,
    },
    /// `BINARY(length)`
    Binary {
        /// Bytes.
        length: u32,
    },
    /// `VARBINARY(length)`; [`MAX_LENGTH`] is `BYTES`
    VarBinary {
        /// Largest number of bytes.
        length: u32,
    },
    /// `DATE`, days since 1970-01-01
    Date,
    /// `TIME(precision)`, kept in milliseconds of the day as in Flink
    Time {
        /// Digits of the fraction, 0–9; more than 3 are not kept.
        precision: u8,
    },
    /// `TIMESTAMP(precision)`, without zone
    Timestamp {
        /// Digits of the fraction, 0–9.
        precision: u8,
        /// Whether the column drives time.
        attribute: TimeAttribute,
    },
    /// `TIMESTAMP_LTZ(precision)`, an instant shown in the session's zone
    TimestampLtz {
        /// Digits of the fraction, 0–9.
        precision: u8,
        /// Whether the column drives time.
        attribute: TimeAttribute,
    },
    /// Years and months, kept in months; printed as `INTERVAL MONTH`, as Flink does
    IntervalYearMonth,
    /// Days to milliseconds, kept in milliseconds; printed as `INTERVAL SECOND(3)`, as Flink does
    IntervalDayTime,
    /// `ARRAY<element>`
    Array(Box<SqlType>),
    /// `MAP<key, value>`
    Map(Box<SqlType>, Box<SqlType>),
    /// `MULTISET<element>`
    Multiset(Box<SqlType>),
    /// `ROW<name type, …>`
    Row(Vec<Field>),
    /// `STRUCTURED<'class', name type, …>`: a ROW with the name of a class
    Structured {
        /// Name of the class, which need not exist.
        class: String,
        /// Its attributes.
        fields: Vec<Field>,
    },
    /// `VARIANT`: a value of any JSON type, kept as JSON text in one form (sorted keys, no white space)
    Variant,
    /// `BITMAP`: a set of 32-bit numbers, kept in the portable format of Roaring bitmaps
    Bitmap,
}

/// A named, typed column or field of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Name, in the case it was declared in.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub ty: SqlType,
}

impl Field {
    /// A field.
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        Self { name: name.into(), ty }
    }
}

impl TypeKind {
    /// `STRING`.
    pub const STRING: Self = Self::VarChar { length: MAX_LENGTH };
    /// `BYTES`.
    pub const BYTES: Self = Self::VarBinary { length: MAX_LENGTH };

    /// `TIMESTAMP(precision)` without a time attribute.
    pub const fn timestamp(precision: u8) -> Self {
        Self::Timestamp { precision, attribute: TimeAttribute::None }
    }

    /// `TIMESTAMP_LTZ(precision)` without a time attribute.
    pub const fn timestamp_ltz(precision: u8) -> Self {
        Self::TimestampLtz { precision, attribute: TimeAttribute::None }
    }

    /// The nullable type of this kind.
    pub fn nullable(self) -> SqlType {
        SqlType { kind: self, nullable: true }
    }

    /// The type of this kind without NULL.
    pub fn not_null(self) -> SqlType {
        SqlType { kind: self, nullable: false }
    }

    /// TINYINT, SMALLINT, INT or BIGINT.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// An integer, DECIMAL, FLOAT or DOUBLE.
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double | Self::Decimal { .. })
    }

    /// FLOAT or DOUBLE.
    pub fn is_approximate(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// CHAR or VARCHAR.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Char { .. } | Self::VarChar { .. })
    }

    /// BINARY or VARBINARY.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary { .. } | Self::VarBinary { .. })
    }

    /// TIMESTAMP or TIMESTAMP_LTZ.
    pub fn is_timestamp(&self) -> bool {
        matches!(self, Self::Timestamp { .. } | Self::TimestampLtz { .. })
    }

    /// DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ.
    pub fn is_temporal(&self) -> bool {
        self.is_timestamp() || matches!(self, Self::Date | Self::Time { .. })
    }

    /// Either kind of interval.
    pub fn is_interval(&self) -> bool {
        matches!(self, Self::IntervalYearMonth | Self::IntervalDayTime)
    }

    /// The fields of a ROW or a structured type.
    pub fn row_fields(&self) -> Option<&[Field]> {
        match self {
            Self::Row(fields) | Self::Structured { fields, .. } => Some(fields),
            _ => None,
        }
    }

    /// The same kind of row with other fields; other kinds become a ROW.
    #[must_use]
    pub fn with_fields(&self, fields: Vec<Field>) -> Self {
        match self {
            Self::Structured { class, .. } => Self::Structured { class: class.clone(), fields },
            _ => Self::Row(fields),
        }
    }

    /// The time attribute, if this is a timestamp with one.
    pub fn time_attribute(&self) -> TimeAttribute {
        match self {
            Self::Timestamp { attribute, .. } | Self::TimestampLtz { attribute, .. } => *attribute,
            _ => TimeAttribute::None,
        }
    }

    /// The same kind with another time attribute; other kinds are unchanged.
    #[must_use]
    pub fn with_time_attribute(self, attribute: TimeAttribute) -> Self {
        match self {
            Self::Timestamp { precision, .. } => Self::Timestamp { precision, attribute },
            Self::TimestampLtz { precision, .. } => Self::TimestampLtz { precision, attribute },
            other => other,
        }
    }
}

impl SqlType {
    /// The same type with the given nullability.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// The same type without its time attribute (what a cast or any computation leaves).
    #[must_use]
    pub fn materialized(self) -> Self {
        Self { kind: self.kind.with_time_attribute(TimeAttribute::None), nullable: self.nullable }
    }

    /// Whether the kinds are the same but for nullability, at every depth, and time attributes.
    pub fn same_kind(&self, other: &Self) -> bool {
        use TypeKind as K;
        match (&self.kind, &other.kind) {
            (K::Array(a), K::Array(b)) | (K::Multiset(a), K::Multiset(b)) => a.same_kind(b),
            (K::Map(k, v), K::Map(l, w)) => k.same_kind(l) && v.same_kind(w),
            (K::Structured { class: a, .. }, K::Structured { class: b, .. }) if a != b => false,
            (K::Row(_), K::Structured { .. }) | (K::Structured { .. }, K::Row(_)) => false,
            (
                K::Row(a) | K::Structured { fields: a, .. },
                K::Row(b) | K::Structured { fields: b, .. },
            ) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.ty.same_kind(&y.ty)),
            (a, b) => {
                a.clone().with_time_attribute(TimeAttribute::None)
                    == b.clone().with_time_attribute(TimeAttribute::None)
            }
        }
    }
}

impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Char { length } => write!(f, "CHAR({length})"),
            Self::VarChar { length: MAX_LENGTH } => f.write_str("STRING"),
            Self::VarChar { length } => write!(f, "VARCHAR({length})"),
            Self::Binary { length } => write!(f, "BINARY({length})"),
            Self::VarBinary { length: MAX_LENGTH } => f.write_str("BYTES"),
            Self::VarBinary { length } => write!(f, "VARBINARY({length})"),
            Self::Date => f.write_str("DATE"),
            Self::Time { precision } => write!(f, "TIME({precision})"),
            Self::Timestamp { precision, attribute } => {
                write!(f, "TIMESTAMP({precision})")?;
                write_attribute(f, *attribute)
            }
            Self::TimestampLtz { precision, attribute } => {
                write!(f, "TIMESTAMP_LTZ({precision})")?;
                write_attribute(f, *attribute)
            }
            Self::IntervalYearMonth => f.write_str("INTERVAL MONTH"),
            Self::IntervalDayTime => f.write_str("INTERVAL SECOND(3)"),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(element) => write!(f, "MULTISET<{element}>"),
            Self::Variant => f.write_str("VARIANT"),
            Self::Bitmap => f.write_str("BITMAP"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                write_fields(f, fields)
            }
            Self::Structured { class, fields } => {
                write!(f, "STRUCTURED<'{}', ", class.replace('\'', "''"))?;
                write_fields(f, fields)
            }
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Field]) -> fmt::Result {
    for (i, field) in fields.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}`{}` {}", field.name, field.ty)?;
    }
    f.write_str(">")
}

fn write_attribute(f: &mut fmt::Formatter<'_>, attribute: TimeAttribute) -> fmt::Result {
    match attribute {
        TimeAttribute::None => Ok(()),
        TimeAttribute::Event => f.write_str(" *ROWTIME*"),
        TimeAttribute::Processing => f.write_str(" *PROCTIME*"),
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.nullable { Ok(()) } else { f.write_str(" NOT NULL") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_flink_does() {
        let row = TypeKind::Row(vec![
            Field::new("a", TypeKind::Int.not_null()),
            Field::new("b", TypeKind::Array(Box::new(TypeKind::STRING.nullable())).nullable()),
        ]);
        assert_eq!(row.nullable().to_string(), "ROW<`a` INT NOT NULL, `b` ARRAY<STRING>>");
        assert_eq!(
            TypeKind::Decimal { precision: 10, scale: 2 }.not_null().to_string(),
            "DECIMAL(10, 2) NOT NULL"
        );
        let rowtime = TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event);
        assert_eq!(rowtime.nullable().to_string(), "TIMESTAMP(3) *ROWTIME*");
    }

    #[test]
    fn same_kind_ignores_nullability_and_time_attributes() {
        let rowtime = TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event).not_null();
        assert!(rowtime.same_kind(&TypeKind::timestamp(3).nullable()));
        assert!(!rowtime.same_kind(&TypeKind::timestamp(6).nullable()));
    }
}
