//! The Arrow representation of SQL types, in flight and in state.
//!
//! | SQL | Arrow |
//! |---|---|
//! | CHAR, VARCHAR | Utf8View |
//! | BINARY, VARBINARY | BinaryView |
//! | DECIMAL(p, s) | Decimal128(p, s) |
//! | TIME | Time32(ms) |
//! | TIMESTAMP(0–3 / 4–6 / 7–9) | Timestamp(ms / µs / ns) |
//! | TIMESTAMP_LTZ | the same with zone UTC |
//! | INTERVAL YEAR TO MONTH / DAY TO SECOND | Interval(YearMonth) / Duration(ms) |
//! | MULTISET<t> | Map from t to Int32 |
//! | VARIANT | Utf8View, JSON in one form |
//! | BITMAP | BinaryView, portable Roaring format |

use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, IntervalUnit, SchemaRef, TimeUnit};
use tidegate_types::{Field, SqlType, TypeKind};

/// The Arrow type of a SQL type.
pub fn data_type(ty: &SqlType) -> DataType {
    match &ty.kind {
        TypeKind::Null => DataType::Null,
        TypeKind::Boolean => DataType::Boolean,
        TypeKind::TinyInt => DataType::Int8,
        TypeKind::SmallInt => DataType::Int16,
        TypeKind::Int => DataType::Int32,
        TypeKind::BigInt => DataType::Int64,
        TypeKind::Float => DataType::Float32,
        TypeKind::Double => DataType::Float64,
        TypeKind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => DataType::Utf8View,
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => DataType::BinaryView,
        TypeKind::Date => DataType::Date32,
        TypeKind::Time { .. } => DataType::Time32(TimeUnit::Millisecond),
        TypeKind::Timestamp { precision, .. } => DataType::Timestamp(time_unit(*precision), None),
        TypeKind::TimestampLtz { precision, .. } => {
            DataType::Timestamp(time_unit(*precision), Some("UTC".into()))
        }
        TypeKind::IntervalYearMonth => DataType::Interval(IntervalUnit::YearMonth),
        TypeKind::IntervalDayTime => DataType::Duration(TimeUnit::Millisecond),
        TypeKind::Array(element) => DataType::List(Arc::new(item(element))),
        TypeKind::Map(key, value) => map_type(key, value),
        TypeKind::Multiset(element) => map_type(element, &TypeKind::Int.not_null()),
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
            DataType::Struct(arrow_fields(fields))
        }
        TypeKind::Variant => DataType::Utf8View,
        TypeKind::Bitmap => DataType::BinaryView,
    }
}

/// The Arrow schema of columns. Every column may hold NULL: as in Flink a value that is NOT NULL by
/// its type can still become NULL (DECIMAL overflow), and only sinks enforce the declaration.
pub fn arrow_schema(fields: &[Field]) -> SchemaRef {
    let nullable = |field: &Field| ArrowField::new(&field.name, data_type(&field.ty), true);
    Arc::new(arrow_schema::Schema::new(fields.iter().map(nullable).collect::<Fields>()))
}

/// The unit that holds a timestamp precision.
pub fn time_unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// Units of a timestamp precision in a second: 10³, 10⁶ or 10⁹.
pub fn units_per_second(precision: u8) -> i64 {
    match time_unit(precision) {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn arrow_fields(fields: &[Field]) -> Fields {
    fields.iter().map(|field| arrow_field(&field.name, &field.ty)).collect()
}

fn arrow_field(name: &str, ty: &SqlType) -> ArrowField {
    ArrowField::new(name, data_type(ty), ty.nullable)
}

fn item(element: &SqlType) -> ArrowField {
    arrow_field("item", element)
}

fn map_type(key: &SqlType, value: &SqlType) -> DataType {
    let key = ArrowField::new("key", data_type(key), false);
    let entries = Fields::from(vec![key, arrow_field("value", value)]);
    let entries = ArrowField::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_decides_the_unit() {
        let ty = |p| data_type(&TypeKind::timestamp(p).nullable());
        assert_eq!(ty(0), DataType::Timestamp(TimeUnit::Millisecond, None));
        assert_eq!(ty(6), DataType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(ty(9), DataType::Timestamp(TimeUnit::Nanosecond, None));
    }
}
