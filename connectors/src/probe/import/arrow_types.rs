//! Types of Arrow, as readers of Parquet and ORC give them.

use arrow::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
use tidegate_types::{Field, SqlType, TimeAttribute, TypeKind};

use super::Description;

/// The columns of a file.
pub(crate) fn describe(schema: &Schema) -> Description {
    let mut found = Description::default();
    for field in schema.fields().iter().take(super::MAX_COLUMNS) {
        let native = field.data_type().to_string();
        found.add(field.name(), &native, ty(field), None, false);
    }
    found
}

fn ty(field: &ArrowField) -> Result<SqlType, String> {
    let kind = kind(field.data_type())?;
    Ok(SqlType { kind, nullable: field.is_nullable() })
}

fn kind(native: &DataType) -> Result<TypeKind, String> {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    Ok(match native {
        DataType::Boolean => TypeKind::Boolean,
        DataType::Int8 => TypeKind::TinyInt,
        DataType::Int16 | DataType::UInt8 => TypeKind::SmallInt,
        DataType::Int32 | DataType::UInt16 => TypeKind::Int,
        DataType::Int64 | DataType::UInt32 => TypeKind::BigInt,
        DataType::Float32 => TypeKind::Float,
        DataType::Float64 => TypeKind::Double,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => TypeKind::STRING,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => TypeKind::BYTES,
        DataType::Date32 => TypeKind::Date,
        DataType::Time32(_) | DataType::Time64(_) => TypeKind::Time { precision: 3 },
        DataType::Timestamp(unit, None) => {
            TypeKind::Timestamp { precision: digits(unit), attribute: TimeAttribute::None }
        }
        DataType::Timestamp(unit, Some(_)) => {
            TypeKind::TimestampLtz { precision: digits(unit), attribute: TimeAttribute::None }
        }
        DataType::Decimal128(precision @ 1..=38, scale @ 0..) => {
            TypeKind::Decimal { precision: *precision, scale: scale.unsigned_abs() }
        }
        DataType::List(element) | DataType::LargeList(element) => {
            TypeKind::Array(Box::new(ty(element)?))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let (key, value) = (ty(&fields[0])?, ty(&fields[1])?);
                TypeKind::Map(Box::new(key.kind.not_null()), Box::new(value))
            }
            other => return Err(format!("a map of {other} is not read")),
        },
        DataType::Struct(fields) => {
            let field = |field: &ArrowField| -> Result<Field, String> {
                let ty = ty(field).map_err(|why| format!("{}: {why}", field.name()))?;
                Ok(Field::new(field.name(), ty))
            };
            TypeKind::Row(fields.iter().map(|inner| field(inner)).collect::<Result<_, _>>()?)
        }
        DataType::Dictionary(_, values) => kind(values)?,
        other => return Err(format!("there is no type for {other}")),
    })
}
