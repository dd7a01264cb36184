//! HASH_CODE: the hash code that Java gives the value.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type};
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments::{self, Moments};
use crate::rules::{any, count, fail, strict};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("HASH_CODE", "Java's hash code of a value", bind, hash_code)];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = any(args, 0)?;
    let kind = &ty.kind;
    let known = *kind == TypeKind::Boolean
        || kind.is_numeric()
        || kind.is_text()
        || kind.is_temporal()
        || kind.is_interval();
    if !known {
        return Err(fail(format!(
            "argument 1 is {kind}, expected a number, text, truth value or time"
        ))
        .help("MD5 and SHA256 hash bytes"));
    }
    Ok(strict(args, vec![ty], TypeKind::Int))
}

/// Of `Long`: both halves.
fn of_long(value: i64) -> i32 {
    (value ^ ((value as u64) >> 32) as i64) as i32
}

/// Of `String`, over units of UTF-16; Flink leaves the sign out.
fn of_text(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
        .wrapping_abs()
}

/// Of `BigDecimal`: its digits as words of 32 bits, from the first that is not zero, and its scale.
fn of_decimal(value: i128, scale: u8) -> i32 {
    let magnitude = value.unsigned_abs();
    let words = (0..4).rev().map(|word| (magnitude >> (32 * word)) as u32);
    let hash = words.fold(0_i32, |hash, word| hash.wrapping_mul(31).wrapping_add(word as i32));
    let signed = if value < 0 { hash.wrapping_neg() } else { hash };
    signed.wrapping_mul(31).wrapping_add(i32::from(scale))
}

/// Of `TimestampData`: milliseconds, and the nanoseconds behind them.
fn of_timestamp(value: i64, per_second: i64) -> i32 {
    let per_milli = per_second / 1_000;
    let nanos = value.rem_euclid(per_milli) * (1_000_000 / per_milli);
    of_long(value.div_euclid(per_milli)).wrapping_mul(31).wrapping_add(nanos as i32)
}

fn hash_code(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value] = values else {
        return Err(Error::internal("HASH_CODE takes one argument"));
    };
    let nulls = strict_nulls(&[value], context.rows);
    let collect = |hash: &dyn Fn(usize) -> i32| -> Result<ArrayRef> {
        let hashes =
            vector::map_rows::<Int32Type>(context.rows, nulls.clone(), |row| Ok(Some(hash(row))));
        Ok(Arc::new(hashes?))
    };
    let kind = &context.arguments[0].kind;
    match kind {
        TypeKind::Boolean => {
            let flags = vector::booleans(value.array())?;
            collect(&|row| if flags.value(row * value.step()) { 1_231 } else { 1_237 })
        }
        TypeKind::TinyInt => {
            let lane = Lane::<i8>::new::<Int8Type>(value)?;
            collect(&|row| i32::from(lane.get(row)))
        }
        TypeKind::SmallInt => {
            let lane = Lane::<i16>::new::<Int16Type>(value)?;
            collect(&|row| i32::from(lane.get(row)))
        }
        TypeKind::Float => {
            let lane = Lane::<f32>::new::<Float32Type>(value)?;
            collect(&|row| {
                if lane.get(row).is_nan() { 0x7fc0_0000 } else { lane.get(row).to_bits() as i32 }
            })
        }
        TypeKind::Double => {
            let lane = Lane::<f64>::new::<Float64Type>(value)?;
            let bits = |v: f64| if v.is_nan() { 0x7ff8_0000_0000_0000 } else { v.to_bits() };
            collect(&|row| of_long(bits(lane.get(row)) as i64))
        }
        TypeKind::Decimal { scale, .. } => {
            let lane = Lane::<i128>::new::<Decimal128Type>(value)?;
            collect(&|row| of_decimal(lane.get(row), *scale))
        }
        kind if kind.is_text() => {
            let lane = TextLane::new(value)?;
            collect(&|row| of_text(lane.get(row)))
        }
        kind if kind.is_timestamp() => {
            let (moments, per_second) = (Moments::new(value)?, moments::per_second(kind));
            collect(&|row| of_timestamp(moments.get(row), per_second))
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime => {
            let moments = Moments::new(value)?;
            collect(&|row| of_long(moments.get(row)))
        }
        _ => {
            let moments = Moments::new(value)?;
            collect(&|row| moments.get(row) as i32)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{bigint, call, double, exact, int, over, show, some, text, type_of};

    #[test]
    fn values_hash_as_in_java() {
        let hash = |value| show(&call("HASH_CODE", vec![value])).unwrap();
        assert_eq!(hash(int(-7)), "-7");
        assert_eq!(hash(bigint(5_000_000_000)), "705032705");
        assert_eq!(hash(double(1.5)), "1073217536");
        assert_eq!(hash(double(f64::NAN)), "2146959360");
        assert_eq!(hash(exact("1.5")), "466");
        // Both of Java's known pair.
        assert_eq!(hash(text("Aa")), hash(text("BB")));
        let got =
            over(&[Some("abc"), Some("😀"), Some(""), None], |s| call("HASH_CODE", vec![s]));
        assert_eq!(got[..3], some(["96354", "1772899", "0"]));
        assert_eq!(got[3], None);
        assert_eq!(type_of(&call("HASH_CODE", vec![text("a")])), "INT NOT NULL");
    }
}
