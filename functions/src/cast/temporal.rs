//! Casts among DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ.
//!
//! A TIMESTAMP before 1970 that becomes a DATE or loses digits is cut towards 1970, not towards
//! the past, as Flink does; TIMESTAMP_LTZ goes through the wall clock of the session's zone.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::TimeUnit;
use tidegate_plan::arrow_type::time_unit;
use tidegate_types::{Result, SqlType, TypeKind};

use super::Failures;
use crate::datetime::DAY_MS;
use crate::datetime::zone::Zone;
use crate::moments::{self, Moments};

pub(super) fn cast(
    array: &ArrayRef,
    from: &TypeKind,
    to: &SqlType,
    zone: &Zone,
    failures: &Failures<'_>,
) -> Result<ArrayRef> {
    let values = Moments::of_array(array.as_ref())?;
    moments::collect(to, array.len(), array.nulls().cloned(), |row| {
        let value = values.get(row);
        failures.check(convert(value, from, &to.kind, zone), || format!("{from} number {value}"))
    })
}

/// One value; none if the target cannot hold it.
pub(crate) fn convert(value: i64, from: &TypeKind, to: &TypeKind, zone: &Zone) -> Option<i64> {
    use TypeKind as K;
    match (from, to) {
        (K::Date, K::Timestamp { .. }) => from_millis(value.checked_mul(DAY_MS)?, to),
        (K::Date, K::TimestampLtz { .. }) => {
            from_millis(zone.to_utc(value.checked_mul(DAY_MS)?), to)
        }
        (K::Time { .. }, K::Time { precision }) => Some(cut_millis(value, *precision)),
        (K::Time { .. }, K::Timestamp { .. }) => from_millis(value, to),
        (K::Time { .. }, K::TimestampLtz { .. }) => from_millis(zone.to_utc(value), to),
        (K::Timestamp { .. }, K::Date) => Some(millis(value, from) / DAY_MS),
        (K::TimestampLtz { .. }, K::Date) => {
            Some(zone.to_local(millis(value, from)).div_euclid(DAY_MS))
        }
        (K::Timestamp { .. }, K::Time { precision }) => {
            let rest = cut_millis(millis(value, from) % DAY_MS, *precision);
            Some(rest.rem_euclid(DAY_MS))
        }
        (K::TimestampLtz { .. }, K::Time { precision }) => {
            let local = zone.to_local(millis(value, from)).rem_euclid(DAY_MS);
            Some(cut_millis(local, *precision))
        }
        (K::Timestamp { .. }, K::TimestampLtz { .. }) => {
            rescale(to_utc(value, moments::per_second(from), zone)?, from, to)
        }
        (K::TimestampLtz { .. }, K::Timestamp { .. }) => {
            rescale(to_local(value, moments::per_second(from), zone)?, from, to)
        }
        (K::Timestamp { .. }, K::Timestamp { .. })
        | (K::TimestampLtz { .. }, K::TimestampLtz { .. }) => rescale(value, from, to),
        _ => Some(value),
    }
}

/// Milliseconds of a timestamp, rounded down.
pub(crate) fn millis(value: i64, kind: &TypeKind) -> i64 {
    value.div_euclid(moments::per_second(kind) / 1_000)
}

fn from_millis(millis: i64, to: &TypeKind) -> Option<i64> {
    millis.checked_mul(moments::per_second(to) / 1_000)
}

fn precision(kind: &TypeKind) -> u8 {
    match kind {
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            *precision
        }
        _ => 3,
    }
}

/// A timestamp in the unit of another precision, without the digits that this does not have.
fn rescale(value: i64, from: &TypeKind, to: &TypeKind) -> Option<i64> {
    let (source, target) = (moments::per_second(from), moments::per_second(to));
    let scaled = if target >= source {
        value.checked_mul(target / source)?
    } else {
        value.div_euclid(source / target)
    };
    Some(if precision(to) < precision(from) { cut_fraction(scaled, precision(to)) } else { scaled })
}

/// Cuts a timestamp in the unit of a precision to its digits: milliseconds towards 1970, smaller
/// units down.
pub(super) fn cut_fraction(value: i64, precision: u8) -> i64 {
    match time_unit(precision) {
        TimeUnit::Millisecond => cut_millis(value, precision),
        TimeUnit::Microsecond => cut_down(value, 10_i64.pow(u32::from(6 - precision))),
        _ => cut_down(value, 10_i64.pow(u32::from(9 - precision.min(9)))),
    }
}

fn cut_down(value: i64, unit: i64) -> i64 {
    value - value.rem_euclid(unit)
}

/// Cuts milliseconds to a precision, towards zero.
pub(super) fn cut_millis(value: i64, precision: u8) -> i64 {
    let unit = 10_i64.pow(u32::from(3 - precision.min(3)));
    value - value % unit
}

/// The instant of a wall-clock time, both in units of which a second has `per_second`.
pub(crate) fn to_utc(local: i64, per_second: i64, zone: &Zone) -> Option<i64> {
    let per_milli = per_second / 1_000;
    let ms = local.div_euclid(per_milli);
    local.checked_add(zone.to_utc(ms).checked_sub(ms)?.checked_mul(per_milli)?)
}

/// The wall-clock time of an instant, both in units of which a second has `per_second`.
pub(crate) fn to_local(utc: i64, per_second: i64, zone: &Zone) -> Option<i64> {
    let per_milli = per_second / 1_000;
    let offset = zone.offset_at(utc.div_euclid(per_milli));
    utc.checked_add(offset.checked_mul(per_milli)?)
}
