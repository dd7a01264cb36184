//! FLOOR and CEIL of dates and times to a unit (`FLOOR_TO`, `CEIL_TO`), TIMESTAMPADD,
//! TIMESTAMPDIFF.
//!
//! Calendar units count whole days that Flink cuts towards 1970; TIMESTAMP_LTZ is rounded on the
//! wall clock, with the offset of the instant itself.

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::arithmetic::shifted;
use crate::cast::millis;
use crate::coercion::common_type;
use crate::datetime::unit::Unit;
use crate::datetime::{DAY_MS, civil};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments::{self, Moments};
use crate::rules::{bigint, count, fail, literal_text, strict, temporal, text};
use crate::vector::{Lane, constant_text, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("FLOOR_TO", "The start of the unit that a moment is in", bind_round, |v, c| {
        round(v, c, true)
    }),
    Function::new("CEIL_TO", "The start of the next unit, unless at one", bind_round, |v, c| {
        round(v, c, false)
    }),
    Function::new("TIMESTAMPADD", "A moment moved by a number of units", bind_add, add),
    Function::new("TIMESTAMPDIFF", "Units from the first to the second", bind_diff, diff),
    Function::new("$DIFFERENCE", "What lies between two moments", bind_difference, difference),
];

fn unit_of(args: &[Argument], index: usize) -> Result<Unit> {
    let name = literal_text(args, index)?;
    Unit::parse(name)
        .filter(|unit| unit.millis().is_some() || unit.months().is_some())
        .ok_or_else(|| fail(format!("'{name}' is not a unit of time")))
}

fn constant_unit(value: &Value, context: &KernelContext<'_>) -> Result<Unit> {
    constant_text(value)
        .and_then(Unit::parse)
        .ok_or_else(|| Error::internal(format!("{} without a constant unit", context.name)))
}

fn is_below_day(unit: Unit) -> bool {
    unit.millis().is_some_and(|length| length < DAY_MS)
}

fn bind_round(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let unit = unit_of(args, 1)?;
    let ty = temporal(args, 0)?;
    if matches!(ty.kind, TypeKind::Time { .. }) && !is_below_day(unit) {
        return Err(fail(format!("{} has no {unit:?}", ty.kind)));
    }
    Ok(Signature { arguments: vec![ty.clone(), text(args, 1)?], result: ty })
}

fn round(values: &[Value], context: &KernelContext<'_>, down: bool) -> Result<ArrayRef> {
    let [value, unit] = values else {
        return Err(Error::internal(format!("{} takes a value and a unit", context.name)));
    };
    let unit = constant_unit(unit, context)?;
    let kind = &context.result.kind;
    let moments = Moments::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let per_milli = moments::per_second(kind) / 1_000;
    if let (TypeKind::Timestamp { .. }, Some(length), true) = (kind, unit.millis(), down)
        && unit != Unit::Week
    {
        let length = length * per_milli;
        // Divisions by constants are multiplications.
        macro_rules! floor {
            ($($constant:literal)*) => {
                match length {
                    $($constant => floor_by(&moments, context, nulls, |value| value.rem_euclid($constant)),)*
                    _ => floor_by(&moments, context, nulls, |value| value.rem_euclid(length)),
                }
            };
        }
        return floor!(1_000 60_000 3_600_000 86_400_000 60_000_000 3_600_000_000 86_400_000_000);
    }
    moments::collect(context.result, context.rows, nulls, |row| {
        let value = moments.get(row);
        Ok(Some(match kind {
            TypeKind::Date => round_days(value, unit, down),
            TypeKind::Time { .. } => round_millis(value, unit, down),
            TypeKind::TimestampLtz { .. } => {
                let utc = millis(value, kind);
                let offset = context.zone.offset_at(utc);
                let rounded = round_millis(utc.wrapping_add(offset), unit, down);
                rounded.wrapping_sub(offset).wrapping_mul(per_milli)
            }
            _ => round_millis(millis(value, kind), unit, down).wrapping_mul(per_milli),
        }))
    })
}

/// The moments without what is left over.
fn floor_by(
    moments: &Moments<'_>,
    context: &KernelContext<'_>,
    nulls: Option<NullBuffer>,
    rest: impl Fn(i64) -> i64,
) -> Result<ArrayRef> {
    moments::collect_all(context.result, context.rows, nulls, |row| {
        let value = moments.get(row);
        value.wrapping_sub(rest(value))
    })
}

fn round_millis(ms: i64, unit: Unit, down: bool) -> i64 {
    match unit.millis() {
        Some(length) if unit != Unit::Week => {
            let rest = ms.rem_euclid(length);
            let floor = ms.wrapping_sub(rest);
            if down || rest == 0 { floor } else { floor.wrapping_add(length) }
        }
        _ => round_days(ms / DAY_MS, unit, down).wrapping_mul(DAY_MS),
    }
}

/// The first day of the unit; weeks begin on Sunday.
fn round_days(days: i64, unit: Unit, down: bool) -> i64 {
    let (year, month, _) = civil::civil_from_days(days);
    let january = |year: i64| civil::days_from_civil(year, 1, 1);
    // Years of a period that begins in a year such as 2001.
    let period = |length: i64| january((year - 1).div_euclid(length) * length + 1);
    let floor = match unit {
        Unit::Week => days - civil::iso_day_of_week(days) % 7,
        Unit::Month => civil::days_from_civil(year, month, 1),
        Unit::Quarter => civil::days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        Unit::Year => january(year),
        Unit::Decade => january(year.div_euclid(10) * 10),
        Unit::Century => period(100),
        Unit::Millennium => period(1_000),
        _ => days,
    };
    if down || floor == days {
        return floor;
    }
    match unit.months() {
        Some(months) => civil::add_months(floor, months),
        None => floor + 7,
    }
}

fn bind_add(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let unit = unit_of(args, 0)?;
    let mut value = temporal(args, 2)?;
    if value.kind == TypeKind::Date && is_below_day(unit) {
        value.kind = TypeKind::timestamp(6);
    }
    let result = value.kind.clone();
    Ok(strict(args, vec![text(args, 0)?, bigint(args, 1)?, value], result))
}

fn add(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [unit, amount, value] = values else {
        return Err(Error::internal("TIMESTAMPADD takes three arguments"));
    };
    let unit = constant_unit(unit, context)?;
    let (length, months) = match (unit.months(), unit.millis()) {
        (Some(months), _) => (months, true),
        (None, Some(millis)) => (millis, false),
        (None, None) => return Err(Error::internal("TIMESTAMPADD by a unit without a length")),
    };
    let moments = Moments::new(value)?;
    let amounts = Lane::<i64>::new::<Int64Type>(amount)?;
    let nulls = strict_nulls(&[amount, value], context.rows);
    let kind = &context.result.kind;
    moments::collect(context.result, context.rows, nulls, |row| {
        let amount = amounts.get(row).wrapping_mul(length);
        Ok(Some(shifted(moments.get(row), amount, months, kind)))
    })
}

fn bind_diff(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    unit_of(args, 0)?;
    let (from, to) = (temporal(args, 1)?, temporal(args, 2)?);
    let common = common_type(&[from.clone(), to.clone()])
        .ok_or_else(|| fail(format!("{} and {} have no distance", from.kind, to.kind)))?;
    let as_common = |ty: SqlType| SqlType { kind: common.kind.clone(), nullable: ty.nullable };
    Ok(strict(args, vec![text(args, 0)?, as_common(from), as_common(to)], TypeKind::Int))
}

fn diff(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [unit, from, to] = values else {
        return Err(Error::internal("TIMESTAMPDIFF takes three arguments"));
    };
    let unit = constant_unit(unit, context)?;
    match (unit.months(), unit.millis()) {
        (Some(months), _) => {
            distance(from, to, context, |start, end| months_between(start, end) / months)
        }
        (None, length) => {
            distance(from, to, context, |start, end| end.wrapping_sub(start) / length.unwrap_or(1))
        }
    }
}

fn bind_difference(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind_diff(args)?;
    signature.result.kind = match unit_of(args, 0)?.months() {
        Some(_) => TypeKind::IntervalYearMonth,
        None => TypeKind::IntervalDayTime,
    };
    Ok(signature)
}

/// `(b - a) DAY`: all of the milliseconds, or of the months where the unit is one of the calendar.
fn difference(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [_, from, to] = values else {
        return Err(Error::internal("a difference takes a unit and two moments"));
    };
    match context.result.kind {
        TypeKind::IntervalYearMonth => distance(from, to, context, months_between),
        _ => distance(from, to, context, |start, end| end.wrapping_sub(start)),
    }
}

/// What a rule makes of two moments in milliseconds.
fn distance(
    from: &Value,
    to: &Value,
    context: &KernelContext<'_>,
    rule: impl Fn(i64, i64) -> i64,
) -> Result<ArrayRef> {
    let kind = &context.arguments[1].kind;
    let (starts, ends) = (Moments::new(from)?, Moments::new(to)?);
    let nulls = strict_nulls(&[from, to], context.rows);
    let in_millis = |value: i64| match kind {
        TypeKind::Date => value.wrapping_mul(DAY_MS),
        _ => millis(value, kind),
    };
    moments::collect_all(context.result, context.rows, nulls, |row| {
        rule(in_millis(starts.get(row)), in_millis(ends.get(row)))
    })
}

/// Whole months from one moment to another, in milliseconds. Counted in days first; a month less
/// if the days agree and the time of day is earlier, also backwards, as in Calcite.
fn months_between(start: i64, end: i64) -> i64 {
    let day = |ms: i64| ms.div_euclid(DAY_MS);
    let months = months_between_days(day(start), day(end));
    let reached = civil::add_months(day(start), months);
    if reached == day(end) && end.rem_euclid(DAY_MS) < start.rem_euclid(DAY_MS) {
        months - 1
    } else {
        months
    }
}

fn months_between_days(start: i64, end: i64) -> i64 {
    if end < start {
        return -months_between_days(end, start);
    }
    // No month has more than 31 days, so this is not too large.
    let mut months = (end - start) / 31;
    loop {
        if civil::add_months(start, months) >= end {
            return months;
        }
        if civil::add_months(start, months + 1) > end {
            return months;
        }
        months += 1;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{
        call, cast_to, int, literal, null, show, show_in, text, try_call, type_of,
    };
    use tidegate_plan::{Expr, Scalar};
    use tidegate_types::TypeKind;

    fn timestamp(value: &str) -> Expr {
        cast_to(text(value), TypeKind::timestamp(3))
    }

    fn date(value: &str) -> Expr {
        cast_to(text(value), TypeKind::Date)
    }

    fn value(name: &str, args: Vec<Expr>) -> String {
        show(&call(name, args)).unwrap()
    }

    #[test]
    fn rounding_to_units() {
        let round =
            |name, unit| value(name, vec![timestamp("2024-02-29 12:34:56.789"), text(unit)]);
        for (unit, floor, ceil) in [
            ("SECOND", "2024-02-29 12:34:56.000", "2024-02-29 12:34:57.000"),
            ("HOUR", "2024-02-29 12:00:00.000", "2024-02-29 13:00:00.000"),
            ("DAY", "2024-02-29 00:00:00.000", "2024-03-01 00:00:00.000"),
            ("WEEK", "2024-02-25 00:00:00.000", "2024-03-03 00:00:00.000"),
            ("MONTH", "2024-02-01 00:00:00.000", "2024-03-01 00:00:00.000"),
            ("QUARTER", "2024-01-01 00:00:00.000", "2024-04-01 00:00:00.000"),
            ("YEAR", "2024-01-01 00:00:00.000", "2025-01-01 00:00:00.000"),
            ("DECADE", "2020-01-01 00:00:00.000", "2030-01-01 00:00:00.000"),
            ("CENTURY", "2001-01-01 00:00:00.000", "2101-01-01 00:00:00.000"),
            ("MILLISECOND", "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.789"),
        ] {
            assert_eq!(round("FLOOR_TO", unit), floor, "{unit}");
            assert_eq!(round("CEIL_TO", unit), ceil, "{unit}");
        }
        let early = vec![timestamp("1960-02-29 00:00:00.001"), text("MONTH")];
        assert_eq!(value("FLOOR_TO", early), "1960-03-01 00:00:00.000");
        assert_eq!(value("CEIL_TO", vec![date("2024-02-29"), text("YEAR")]), "2025-01-01");
        let time = cast_to(text("12:34:56"), TypeKind::Time { precision: 0 });
        assert_eq!(value("FLOOR_TO", vec![time.clone(), text("MINUTE")]), "12:34:00");
        assert!(try_call("FLOOR_TO", vec![time, text("MONTH")]).is_err());
    }

    #[test]
    fn instants_are_rounded_on_the_wall_clock() {
        let instant = cast_to(text("2024-03-10 03:30:00"), TypeKind::timestamp_ltz(3));
        let day = call("FLOOR_TO", vec![instant, text("DAY")]);
        // The day of the change began an hour earlier by the offset after it, as in Flink.
        assert_eq!(show_in("America/New_York", &day).as_deref(), Some("2024-03-09 23:00:00.000"));
        let instant = literal(Scalar::Integer(1_709_210_096_789), TypeKind::timestamp_ltz(3));
        let hour = call("CEIL_TO", vec![instant, text("HOUR")]);
        assert_eq!(show_in("Asia/Shanghai", &hour).as_deref(), Some("2024-02-29 21:00:00.000"));
    }

    #[test]
    fn adding_units() {
        let add = |unit, amount, to: Expr| call("TIMESTAMPADD", vec![text(unit), int(amount), to]);
        let shown = |expr: Expr| show(&expr).unwrap();
        assert_eq!(
            shown(add("MONTH", 1, timestamp("2024-01-31 12:34:56"))),
            "2024-02-29 12:34:56.000"
        );
        assert_eq!(
            shown(add("WEEK", 1, timestamp("2024-01-31 00:00:00"))),
            "2024-02-07 00:00:00.000"
        );
        assert_eq!(shown(add("MONTH", -1, date("2024-03-31"))), "2024-02-29");
        assert_eq!(shown(add("DAY", 1, date("2024-02-28"))), "2024-02-29");
        let hours = add("HOUR", 25, date("2024-02-29"));
        assert_eq!(type_of(&hours), "TIMESTAMP(6) NOT NULL");
        assert_eq!(shown(hours), "2024-03-01 01:00:00.000000");
        let time = cast_to(text("12:00:00"), TypeKind::Time { precision: 0 });
        assert_eq!(shown(add("HOUR", 25, time)), "13:00:00");
    }

    #[test]
    fn distances() {
        let between =
            |unit, from: Expr, to: Expr| value("TIMESTAMPDIFF", vec![text(unit), from, to]);
        let (a, b) = ("2024-01-31 12:00:00", "2025-03-01 11:59:59");
        for (unit, expected) in [
            ("SECOND", "34127999"),
            ("DAY", "394"),
            ("WEEK", "56"),
            ("MONTH", "13"),
            ("QUARTER", "4"),
            ("YEAR", "1"),
        ] {
            assert_eq!(between(unit, timestamp(a), timestamp(b)), expected, "{unit}");
        }
        assert_eq!(between("MONTH", date("2024-01-31"), date("2024-02-29")), "1");
        assert_eq!(between("MONTH", date("2024-02-29"), date("2024-01-31")), "-1");
        assert_eq!(between("DAY", date("2024-01-01"), timestamp("2024-01-02 12:00:00")), "1");
        let unknown = vec![text("DAY"), date("2024-01-01"), null(TypeKind::Date)];
        assert_eq!(show(&call("TIMESTAMPDIFF", unknown)), None);
    }
}
