//! SUM: integers keep their type and wrap, DECIMAL sums have 38 digits and overflow to NULL, as in Flink.

use arrow::datatypes as dt;
use arrow::datatypes::DataType;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::Accumulator;
use super::fold::Fold;

/// Largest unscaled value of 38 digits, plus one.
pub(super) const DECIMAL_LIMIT: i128 = 10i128.pow(38);

/// The accumulator for an argument type.
pub(super) fn accumulator(argument: &SqlType) -> Result<Box<dyn Accumulator>> {
    macro_rules! sum {
        ($arrow:ty, $ty:expr, $add:expr) => {
            Box::new(Fold::<$arrow, _>::new("SUM", $ty, $add))
        };
    }
    Ok(match &argument.kind {
        TypeKind::TinyInt => {
            sum!(dt::Int8Type, DataType::Int8, |a: i8, b| Some(a.wrapping_add(b)))
        }
        TypeKind::SmallInt => {
            sum!(dt::Int16Type, DataType::Int16, |a: i16, b| Some(a.wrapping_add(b)))
        }
        TypeKind::Int => sum!(dt::Int32Type, DataType::Int32, |a: i32, b| Some(a.wrapping_add(b))),
        TypeKind::BigInt => {
            sum!(dt::Int64Type, DataType::Int64, |a: i64, b| Some(a.wrapping_add(b)))
        }
        TypeKind::Float => sum!(dt::Float32Type, DataType::Float32, |a: f32, b| Some(a + b)),
        TypeKind::Double => sum!(dt::Float64Type, DataType::Float64, |a: f64, b| Some(a + b)),
        TypeKind::Decimal { scale, .. } => {
            let ty = DataType::Decimal128(38, *scale as i8);
            sum!(dt::Decimal128Type, ty, |a: i128, b| {
                a.checked_add(b).filter(|sum| sum.abs() < DECIMAL_LIMIT)
            })
        }
        other => return Err(Error::unsupported(format!("SUM does not take {other}"))),
    })
}
