//! Texts and numbers to dates and back: TO_TIMESTAMP, TO_DATE, TO_TIMESTAMP_LTZ, DATE_FORMAT,
//! FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ.
//!
//! Texts that cannot be read give NULL (UNIX_TIMESTAMP: the smallest BIGINT), as in Flink.
//! Constant patterns are compiled once.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Float64Type, Int64Type};
use tidegate_types::{Error, Result, TypeKind};

use crate::cast::{millis, to_local};
use crate::datetime::civil::Fields;
use crate::datetime::parse::{self, Moment};
use crate::datetime::pattern::{Flavor, Pattern};
use crate::datetime::zone::Zone;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments::{self, Moments};
use crate::rules::{bigint, count, double, fail, literal_integer, may_be_null, strict, text};
use crate::vector::{self, Lane, TextLane, constant_text, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("TO_TIMESTAMP", "A text as TIMESTAMP(3)", bind_timestamp, to_timestamp)
        .fallible(),
    Function::new("TO_DATE", "A text as DATE", bind_date, to_date).fallible(),
    Function::new("TO_TIMESTAMP_LTZ", "A number or a text as an instant", bind_ltz, to_ltz)
        .fallible(),
    Function::new("DATE_FORMAT", "A timestamp in a pattern", bind_format, date_format).fallible(),
    Function::new("FROM_UNIXTIME", "Seconds since 1970 in a pattern", bind_from, from_unixtime)
        .fallible(),
    Function::new("UNIX_TIMESTAMP", "Seconds since 1970", bind_unix, unix_timestamp)
        .volatile()
        .fallible(),
    Function::new("CONVERT_TZ", "A time of one zone in another", bind_convert, convert_tz),
];

/// The pattern that is meant where none is given.
const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";
/// Milliseconds of the years 1 to 9999.
const MILLIS_OF_YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

fn texts(args: &[Argument], result: TypeKind) -> Result<Signature> {
    let arguments = (0..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(may_be_null(arguments, result))
}

fn bind_timestamp(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    texts(args, TypeKind::timestamp(3))
}

fn bind_date(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    texts(args, TypeKind::Date)
}

fn bind_ltz(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=3)?;
    if args[0].ty.kind.is_text() {
        return texts(args, TypeKind::timestamp_ltz(3));
    }
    count(args, 1..=2)?;
    let precision = match (args.len(), literal_integer(args, 1)) {
        (1, _) => 3,
        (_, Some(precision @ 0..=9)) => precision as u8,
        _ => return Err(fail("the precision is not a constant from 0 to 9")),
    };
    let integer = args[0].ty.kind.is_integer() || args[0].ty.kind == TypeKind::Null;
    let mut arguments = vec![if integer { bigint(args, 0)? } else { double(args, 0)? }];
    if args.len() == 2 {
        arguments.push(bigint(args, 1)?);
    }
    Ok(may_be_null(arguments, TypeKind::timestamp_ltz(precision.max(3))))
}

fn bind_format(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let value = args[0].ty.clone().materialized();
    let value = match &value.kind {
        TypeKind::Null => TypeKind::timestamp(3).nullable(),
        kind if kind.is_timestamp() || kind.is_text() => value,
        kind => {
            return Err(fail(format!("argument 1 is {kind}, expected a timestamp or a text"))
                .help("convert it with CAST to TIMESTAMP(3)"));
        }
    };
    Ok(may_be_null(vec![value, text(args, 1)?], TypeKind::STRING))
}

fn bind_from(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let mut arguments = vec![bigint(args, 0)?];
    if args.len() == 2 {
        arguments.push(text(args, 1)?);
    }
    Ok(may_be_null(arguments, TypeKind::STRING))
}

fn bind_unix(args: &[Argument]) -> Result<Signature> {
    count(args, 0..=2)?;
    let arguments = (0..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(strict(args, arguments, TypeKind::BigInt))
}

fn bind_convert(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    texts(args, TypeKind::STRING)
}

/// A pattern that moments without a zone can be written in.
fn writable<'a>(pattern: &'a Pattern, context: &KernelContext<'_>) -> Result<&'a Pattern> {
    match pattern.check_writable() {
        Ok(()) => Ok(pattern),
        Err(reason) => Err(context.error(format!("the pattern {reason}"))),
    }
}

/// The patterns of the rows: one for all, or the last one that was compiled.
struct Patterns<'a> {
    constant: Option<&'a Pattern>,
    lane: Option<TextLane<'a>>,
    last: Option<(&'a str, Pattern)>,
    flavor: Flavor,
    context: &'a KernelContext<'a>,
}

impl<'a> Patterns<'a> {
    /// Patterns of an argument; without one, the usual.
    fn new(
        value: Option<&'a Value>,
        flavor: Flavor,
        context: &'a KernelContext<'a>,
    ) -> Result<Self> {
        let text = value.map_or(Some(DEFAULT_PATTERN), constant_text);
        let constant = match text {
            Some(text) => Some(context.prepared.get_or_try(|| compile(text, flavor, context))?),
            None => None,
        };
        let lane = value.map(TextLane::new).transpose()?;
        Ok(Self { constant, lane, last: None, flavor, context })
    }

    fn get(&mut self, row: usize) -> Result<&Pattern> {
        if let Some(constant) = self.constant {
            return Ok(constant);
        }
        let text = self.lane.map_or(DEFAULT_PATTERN, |lane| lane.get(row));
        let pattern = match self.last.take() {
            Some((known, pattern)) if known == text => pattern,
            _ => compile(text, self.flavor, self.context)?,
        };
        Ok(&self.last.insert((text, pattern)).1)
    }
}

fn compile(text: &str, flavor: Flavor, context: &KernelContext<'_>) -> Result<Pattern> {
    Pattern::compile(text, flavor)
        .map_err(|reason| context.error(format!("the pattern '{text}' {reason}")))
}

/// Reads a text in the pattern, or as `java.sql.Timestamp` reads it.
fn read_timestamp(text: &str, pattern: &Pattern) -> Option<Moment> {
    pattern.parse(text).or_else(|| parse::timestamp_loosely(text))
}

fn first<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes arguments", context.name)))
}

fn all_nulls(values: &[Value], rows: usize) -> Option<arrow::buffer::NullBuffer> {
    strict_nulls(&values.iter().collect::<Vec<_>>(), rows)
}

fn to_timestamp(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let texts = TextLane::new(first(values, context)?)?;
    let mut patterns = Patterns::new(values.get(1), Flavor::Modern, context)?;
    let nulls = all_nulls(values, context.rows);
    moments::collect(context.result, context.rows, nulls, |row| {
        let moment = read_timestamp(texts.get(row), patterns.get(row)?);
        Ok(moment.and_then(|moment| moment.to_timestamp(1_000)))
    })
}

fn to_date(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let texts = TextLane::new(first(values, context)?)?;
    let nulls = all_nulls(values, context.rows);
    if values.len() == 1 {
        return moments::collect(context.result, context.rows, nulls, |row| {
            Ok(parse::date(texts.get(row)))
        });
    }
    let mut patterns = Patterns::new(values.get(1), Flavor::Legacy, context)?;
    moments::collect(context.result, context.rows, nulls, |row| {
        let zoned = patterns.get(row)?.parse_zoned(texts.get(row));
        // A zone in the text makes it an instant, whose date is that of UTC.
        Ok(zoned.map(|zoned| {
            let seconds = zoned.moment.seconds - zoned.offset_ms.unwrap_or(0) / 1_000;
            seconds.div_euclid(86_400)
        }))
    })
}

fn to_ltz(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = first(values, context)?;
    match &context.arguments[0].kind {
        kind if kind.is_text() => text_to_ltz(values, context),
        TypeKind::Double => {
            let numbers = Lane::<f64>::new::<Float64Type>(value)?;
            let (precision, nulls) = precision_and_nulls(values, context)?;
            let unit = moments::per_second(&context.result.kind);
            moments::collect(context.result, context.rows, nulls, |row| {
                let seconds = numbers.get(row) / 10_f64.powi(i32::from(precision));
                Ok(Some((seconds * unit as f64) as i64).filter(|v| in_years(*v, unit)))
            })
        }
        _ => {
            let numbers = Lane::<i64>::new::<Int64Type>(value)?;
            let (precision, nulls) = precision_and_nulls(values, context)?;
            let unit = moments::per_second(&context.result.kind);
            let given = 10_i64.pow(u32::from(precision));
            moments::collect(context.result, context.rows, nulls, |row| {
                let scaled = i128::from(numbers.get(row)) * i128::from(unit);
                let value = i64::try_from(scaled.div_euclid(i128::from(given))).ok();
                Ok(value.filter(|value| in_years(*value, unit)))
            })
        }
    }
}

fn in_years(value: i64, per_second: i64) -> bool {
    MILLIS_OF_YEARS.contains(&value.div_euclid(per_second / 1_000))
}

/// The digits of the fraction that numbers count, and the rows without a number.
fn precision_and_nulls(
    values: &[Value],
    context: &KernelContext<'_>,
) -> Result<(u8, Option<arrow::buffer::NullBuffer>)> {
    let precision = match values.get(1) {
        None => 3,
        Some(precision) => Lane::<i64>::new::<Int64Type>(precision)?.get(0).clamp(0, 9) as u8,
    };
    Ok((precision, all_nulls(values, context.rows)))
}

/// Texts are times of UTC, or of the zone that the third argument names.
fn text_to_ltz(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let texts = TextLane::new(first(values, context)?)?;
    let mut patterns = Patterns::new(values.get(1), Flavor::Modern, context)?;
    let zones = values.get(2).map(TextLane::new).transpose()?;
    let nulls = all_nulls(values, context.rows);
    moments::collect(context.result, context.rows, nulls, |row| {
        let moment = read_timestamp(texts.get(row), patterns.get(row)?);
        let Some(local) = moment.and_then(|moment| moment.to_timestamp(1_000)) else {
            return Ok(None);
        };
        match zones {
            None => Ok(Some(local)),
            Some(zones) => {
                let zone = Zone::parse(zones.get(row)).map_err(|e| context.error(e.message()))?;
                Ok(Some(zone.to_utc(local)))
            }
        }
    })
}

fn date_format(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = first(values, context)?;
    let mut patterns = Patterns::new(values.get(1), Flavor::Modern, context)?;
    let nulls = all_nulls(values, context.rows);
    let kind = &context.arguments[0].kind;
    if kind.is_text() {
        let texts = TextLane::new(value)?;
        let usual = compile(DEFAULT_PATTERN, Flavor::Modern, context)?;
        let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
            let Some(moment) = read_timestamp(texts.get(row), &usual) else {
                return Ok(false);
            };
            let fields = Fields::from_epoch(moment.seconds, moment.nanos);
            writable(patterns.get(row)?, context)?.format(&fields, out);
            Ok(true)
        })?;
        return Ok(Arc::new(result));
    }
    let moments = Moments::new(value)?;
    let per_second = moments::per_second(kind);
    let instants = matches!(kind, TypeKind::TimestampLtz { .. });
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let mut value = moments.get(row);
        if instants {
            value = to_local(value, per_second, context.zone).unwrap_or(value);
        }
        let pattern = writable(patterns.get(row)?, context)?;
        pattern.format(&Fields::from_timestamp(value, per_second), out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn from_unixtime(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let seconds = Lane::<i64>::new::<Int64Type>(first(values, context)?)?;
    let mut patterns = Patterns::new(values.get(1), Flavor::Legacy, context)?;
    let nulls = all_nulls(values, context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let Some(utc) = seconds.get(row).checked_mul(1_000).filter(|ms| in_years(*ms, 1_000))
        else {
            return Ok(false);
        };
        patterns.get(row)?.format_in(utc, context.zone, out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

/// Without arguments the present.
fn unix_timestamp(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let Some(value) = values.first() else {
        return moments::collect(context.result, context.rows, None, |_| {
            Ok(Some(context.processing_time_ms.div_euclid(1_000)))
        });
    };
    let texts = TextLane::new(value)?;
    let mut patterns = Patterns::new(values.get(1), Flavor::Legacy, context)?;
    let nulls = all_nulls(values, context.rows);
    moments::collect(context.result, context.rows, nulls, |row| {
        let utc = patterns.get(row)?.parse_zoned(texts.get(row)).and_then(|zoned| {
            let local = zoned.moment.to_timestamp(1_000)?;
            match zoned.offset_ms {
                Some(offset) => local.checked_sub(offset),
                None => Some(context.zone.to_utc_later(local)),
            }
        });
        Ok(Some(utc.map_or(i64::MIN, |utc| utc / 1_000)))
    })
}

/// A zone that does not exist is UTC, as in Java.
fn convert_tz(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [text, from, to] = values else {
        return Err(Error::internal("CONVERT_TZ takes three arguments"));
    };
    let (texts, sources, targets) =
        (TextLane::new(text)?, TextLane::new(from)?, TextLane::new(to)?);
    let mut patterns = Patterns::new(None, Flavor::Legacy, context)?;
    let nulls = all_nulls(values, context.rows);
    let zone = |name: &str| Zone::parse(name).unwrap_or(Zone::UTC);
    let kind = TypeKind::timestamp(3);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let pattern = patterns.get(row)?;
        let moment = pattern.parse(texts.get(row));
        let Some(local) = moment.and_then(|moment| moment.to_timestamp(1_000)) else {
            return Ok(false);
        };
        let utc = zone(sources.get(row)).to_utc_later(millis(local, &kind));
        let fields = Fields::from_timestamp(zone(targets.get(row)).to_local(utc), 1_000);
        pattern.format(&fields, out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

#[cfg(test)]
mod tests;
