//! EXTRACT and its short forms YEAR, MONTH, HOUR, …
//!
//! Flink computes fields from milliseconds with divisions that cut towards 1970, and takes hours
//! of a DATE from its number of days; the same is done here, so that results agree. TIMESTAMP_LTZ
//! is read on the wall clock of the session's zone.

use arrow::array::ArrayRef;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::cast::{millis, to_local};
use crate::datetime::unit::Unit;
use crate::datetime::zone::Zone;
use crate::datetime::{DAY_MS, civil};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments::{self, Moments};
use crate::rules::{count, fail, literal_text, strict, text};
use crate::vector::{constant_text, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("EXTRACT", "A field of a date, time or interval", bind_extract, extract),
    Function::new("YEAR", "The year", |a| bind_unit(a, Unit::Year), |v, c| unit(v, c, Unit::Year)),
    Function::new(
        "QUARTER",
        "The quarter of the year",
        |a| bind_unit(a, Unit::Quarter),
        |v, c| unit(v, c, Unit::Quarter),
    ),
    Function::new(
        "MONTH",
        "The month of the year",
        |a| bind_unit(a, Unit::Month),
        |v, c| unit(v, c, Unit::Month),
    ),
    Function::new(
        "WEEK",
        "The week of the year, by ISO 8601",
        |a| bind_unit(a, Unit::Week),
        |v, c| unit(v, c, Unit::Week),
    ),
    Function::new(
        "DAYOFYEAR",
        "The day of the year",
        |a| bind_unit(a, Unit::DayOfYear),
        |v, c| unit(v, c, Unit::DayOfYear),
    ),
    Function::new(
        "DAYOFMONTH",
        "The day of the month",
        |a| bind_unit(a, Unit::Day),
        |v, c| unit(v, c, Unit::Day),
    ),
    Function::new(
        "DAYOFWEEK",
        "The day of the week; Sunday is 1",
        |a| bind_unit(a, Unit::DayOfWeek),
        |v, c| unit(v, c, Unit::DayOfWeek),
    ),
    Function::new(
        "HOUR",
        "The hour of the day",
        |a| bind_unit(a, Unit::Hour),
        |v, c| unit(v, c, Unit::Hour),
    ),
    Function::new(
        "MINUTE",
        "The minute of the hour",
        |a| bind_unit(a, Unit::Minute),
        |v, c| unit(v, c, Unit::Minute),
    ),
    Function::new(
        "SECOND",
        "The second of the minute",
        |a| bind_unit(a, Unit::Second),
        |v, c| unit(v, c, Unit::Second),
    ),
];

fn bind_extract(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let name = literal_text(args, 0)?;
    let unit = Unit::parse(name).ok_or_else(|| fail(format!("'{name}' is not a unit of time")))?;
    let value = source(&args[1], unit)?;
    Ok(strict(args, vec![text(args, 0)?, value], TypeKind::BigInt))
}

fn bind_unit(args: &[Argument], unit: Unit) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![source(&args[0], unit)?], TypeKind::BigInt))
}

/// The type of the value, if it has the field.
fn source(arg: &Argument, unit: Unit) -> Result<SqlType> {
    use Unit as U;
    let ty = arg.ty.clone().materialized();
    let of_time = matches!(unit, U::Hour | U::Minute | U::Second | U::Millisecond | U::Epoch);
    let has = match &ty.kind {
        TypeKind::Null => return Ok(TypeKind::timestamp(3).nullable()),
        TypeKind::Date => !matches!(unit, U::Microsecond | U::Nanosecond),
        TypeKind::Time { .. } => of_time,
        kind if kind.is_timestamp() => true,
        TypeKind::IntervalDayTime => of_time || unit == U::Day,
        TypeKind::IntervalYearMonth => matches!(unit, U::Year | U::Quarter | U::Month),
        _ => false,
    };
    if has { Ok(ty) } else { Err(fail(format!("{} has no {unit:?}", ty.kind))) }
}

fn extract(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [name, value] = values else {
        return Err(Error::internal("EXTRACT takes a unit and a value"));
    };
    let unit = constant_text(name).and_then(Unit::parse);
    let unit = unit.ok_or_else(|| Error::internal("EXTRACT without a constant unit"))?;
    fields(value, &context.arguments[1].kind, context, unit)
}

fn unit(values: &[Value], context: &KernelContext<'_>, unit: Unit) -> Result<ArrayRef> {
    match values {
        [value] => fields(value, &context.arguments[0].kind, context, unit),
        _ => Err(Error::internal(format!("{} takes one argument", context.name))),
    }
}

fn fields(
    value: &Value,
    kind: &TypeKind,
    context: &KernelContext<'_>,
    unit: Unit,
) -> Result<ArrayRef> {
    let moments = Moments::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    moments::collect(context.result, context.rows, nulls, |row| {
        Ok(Some(field(moments.get(row), kind, unit, context.zone)))
    })
}

/// One field of one value.
fn field(value: i64, kind: &TypeKind, unit: Unit, zone: &Zone) -> i64 {
    let per_second = moments::per_second(kind);
    let ms = match kind {
        TypeKind::IntervalYearMonth => return month_field(value, unit),
        TypeKind::Timestamp { .. } => millis(value, kind),
        TypeKind::TimestampLtz { .. } => {
            millis(to_local(value, per_second, zone).unwrap_or(value), kind)
        }
        // Of a DATE these are days.
        _ => value,
    };
    match unit {
        Unit::Hour => ms % DAY_MS / 3_600_000,
        Unit::Minute => ms % 3_600_000 / 60_000,
        Unit::Second => ms % 60_000 / 1_000,
        Unit::Millisecond => ms % 1_000,
        Unit::Microsecond => value.rem_euclid(per_second) * (1_000_000_000 / per_second) / 1_000,
        Unit::Nanosecond => value.rem_euclid(per_second) * (1_000_000_000 / per_second),
        Unit::Epoch if *kind == TypeKind::Date => value * 86_400,
        Unit::Epoch => ms / 1_000,
        Unit::Day if *kind == TypeKind::IntervalDayTime => ms / DAY_MS,
        unit => date_field(if *kind == TypeKind::Date { value } else { ms / DAY_MS }, unit),
    }
}

fn month_field(months: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Year => months / 12,
        Unit::Quarter => months % 12 / 3 + 1,
        _ => months % 12,
    }
}

fn date_field(days: i64, unit: Unit) -> i64 {
    let (year, month, day) = civil::civil_from_days(days);
    // Centuries begin in the year 1, and before it count backwards from −1.
    let counted = |length: i64| {
        if year > 0 { (year + length - 1) / length } else { (year - length + 1) / length }
    };
    match unit {
        Unit::Millennium => counted(1_000),
        Unit::Century => counted(100),
        Unit::Decade => year.div_euclid(10),
        Unit::Year => year,
        Unit::IsoYear => civil::iso_week(days).0,
        Unit::Quarter => i64::from(month.div_ceil(3)),
        Unit::Month => i64::from(month),
        Unit::Week => civil::iso_week(days).1,
        Unit::DayOfYear => civil::day_of_year(days),
        Unit::DayOfWeek => civil::iso_day_of_week(days) % 7 + 1,
        Unit::IsoDayOfWeek => civil::iso_day_of_week(days),
        _ => i64::from(day),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, cast_to, literal, over, show, show_in, some, text, try_call};
    use tidegate_plan::{Expr, Scalar};
    use tidegate_types::TypeKind;

    fn of(unit: &str, value: Expr) -> String {
        show(&call("EXTRACT", vec![text(unit), value])).unwrap()
    }

    fn timestamp(value: &str) -> Expr {
        cast_to(text(value), TypeKind::timestamp(3))
    }

    fn date(value: &str) -> Expr {
        cast_to(text(value), TypeKind::Date)
    }

    #[test]
    fn fields_of_timestamps() {
        let value = || timestamp("2024-02-29 12:34:56.789");
        for (unit, expected) in [
            ("MILLENNIUM", "3"),
            ("CENTURY", "21"),
            ("DECADE", "202"),
            ("YEAR", "2024"),
            ("QUARTER", "1"),
            ("WEEK", "9"),
            ("DOY", "60"),
            ("DOW", "5"),
            ("ISODOW", "4"),
            ("MINUTE", "34"),
            ("MILLISECOND", "789"),
            ("NANOSECOND", "789000000"),
            ("EPOCH", "1709210096"),
        ] {
            assert_eq!(of(unit, value()), expected, "{unit}");
        }
    }

    #[test]
    fn before_1970_divisions_cut_towards_it() {
        let value = || timestamp("1969-12-31 12:34:56.789");
        assert_eq!(of("HOUR", value()), "-11");
        assert_eq!(of("MINUTE", value()), "-25");
        assert_eq!(of("MILLISECOND", value()), "-211");
        assert_eq!(of("YEAR", value()), "1970");
        assert_eq!(of("EPOCH", value()), "-41103");
    }

    #[test]
    fn dates_times_and_intervals() {
        assert_eq!(of("ISOYEAR", date("2024-12-30")), "2025");
        assert_eq!(of("WEEK", date("2021-01-01")), "53");
        assert_eq!(of("SECOND", date("2024-12-30")), "20");
        assert_eq!(of("EPOCH", date("2024-12-30")), "1735516800");
        let time = cast_to(text("12:34:56"), TypeKind::Time { precision: 0 });
        assert_eq!(of("MINUTE", time), "34");
        let days = literal(Scalar::Integer(435_600_000), TypeKind::IntervalDayTime);
        assert_eq!(of("DAY", days.clone()), "5");
        assert_eq!(of("HOUR", days), "1");
        let months = literal(Scalar::Integer(14), TypeKind::IntervalYearMonth);
        assert_eq!(of("MONTH", months), "2");
        assert!(try_call("EXTRACT", vec![text("NANOSECOND"), date("2024-12-30")]).is_err());
        assert!(try_call("EXTRACT", vec![text("FORTNIGHT"), date("2024-12-30")]).is_err());
    }

    #[test]
    fn short_forms_and_zones() {
        let dates = [Some("2024-02-25"), Some("2024-12-31")];
        let got = over(&dates, |s| call("DAYOFWEEK", vec![cast_to(s, TypeKind::Date)]));
        assert_eq!(got, some(["1", "3"]));
        let instant = literal(Scalar::Integer(1_709_210_096_789), TypeKind::timestamp_ltz(3));
        let hour = call("HOUR", vec![instant]);
        assert_eq!(show_in("Asia/Shanghai", &hour).as_deref(), Some("20"));
    }
}
