//! Texts of dates, times, timestamps and intervals, as literals write them.

/// A parsed interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Months(i64),
    Millis(i64),
}

/// Days since 1970-01-01 of `yyyy-MM-dd`.
pub(crate) fn date(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days_in_month).contains(&day).then(|| days_from_civil(year, month, day))
}

/// Proleptic Gregorian calendar: days before the year that begins in March, then of that year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Milliseconds of the day of `HH:mm:ss[.fraction]`, and the digits of the fraction.
pub(crate) fn time(text: &str) -> Option<(i64, u8)> {
    let (seconds, nanos, precision) = clock(text.trim())?;
    Some((seconds * 1_000 + nanos / 1_000_000, precision))
}

/// A timestamp `yyyy-MM-dd HH:mm:ss[.fraction]` in the unit of its precision, and that precision.
pub(crate) fn timestamp(text: &str) -> Option<(i64, u8)> {
    let (day, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), "00:00:00"));
    let days = date(day)?;
    let (seconds, nanos, precision) = clock(rest.trim_start())?;
    let seconds = days.checked_mul(86_400)?.checked_add(seconds)?;
    let units = tidegate_plan::arrow_type::units_per_second(precision);
    let fraction = nanos / (1_000_000_000 / units);
    Some((seconds.checked_mul(units)?.checked_add(fraction)?, precision))
}

/// Seconds of the day, nanoseconds, and the digits of the fraction.
fn clock(text: &str) -> Option<(i64, i64, u8)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.splitn(3, ':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, precision) = nanos(fraction)?;
    Some((hour * 3_600 + minute * 60 + second, nanos, precision))
}

/// Nanoseconds of up to nine digits behind the point.
fn nanos(fraction: &str) -> Option<(i64, u8)> {
    if fraction.is_empty() {
        return Some((0, 0));
    }
    let value = digits(fraction, 9)?;
    let length = fraction.len() as u32;
    Some((value * 10_i64.pow(9 - length), length as u8))
}

/// A number of one to `most` digits, nothing else.
fn digits(text: &str, most: usize) -> Option<i64> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// An interval's text between quotes, from its first to its last unit (upper case, plural allowed).
pub(crate) fn interval(text: &str, first: &str, last: Option<&str>) -> Option<Interval> {
    let text = text.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let first = singular(first);
    let last = last.map(singular);
    if matches!(first, "YEAR" | "QUARTER" | "MONTH") {
        return Some(Interval::Months(sign * months(text, first, last)?));
    }
    Some(Interval::Millis(sign * millis(text, first, last)?))
}

fn singular(unit: &str) -> &str {
    unit.strip_suffix('S').unwrap_or(unit)
}

fn months(text: &str, first: &str, last: Option<&str>) -> Option<i64> {
    match (first, last) {
        ("YEAR", None) => digits(text, 10)?.checked_mul(12),
        ("QUARTER", None) => digits(text, 10)?.checked_mul(3),
        ("MONTH", None) => digits(text, 10),
        ("YEAR", Some("MONTH")) => {
            let (years, months) = text.split_once('-')?;
            let months = digits(months, 2).filter(|months| *months < 12)?;
            digits(years, 10)?.checked_mul(12)?.checked_add(months)
        }
        _ => None,
    }
}

/// Units from days to seconds with their length in milliseconds and how many make the next larger one.
const UNITS: [(&str, i64, i64); 4] = [
    ("DAY", 86_400_000, i64::MAX),
    ("HOUR", 3_600_000, 24),
    ("MINUTE", 60_000, 60),
    ("SECOND", 1_000, 60),
];

fn millis(text: &str, first: &str, last: Option<&str>) -> Option<i64> {
    if first == "WEEK" && last.is_none() {
        return digits(text, 10)?.checked_mul(7 * 86_400_000);
    }
    let index = |unit: &str| UNITS.iter().position(|(name, ..)| *name == unit);
    let start = index(first)?;
    let end = index(last.unwrap_or(first))?;
    let units = UNITS.get(start..=end)?;
    let parts = split_parts(text, units.len(), start == 0)?;
    let mut total: i64 = 0;
    for (position, (part, (name, length, most))) in parts.iter().zip(units).enumerate() {
        let (whole, fraction) = match *name {
            "SECOND" => part.split_once('.').unwrap_or((part, "")),
            _ => (*part, ""),
        };
        let value = digits(whole, 15)?;
        if position > 0 && value >= *most {
            return None;
        }
        total = total.checked_add(value.checked_mul(*length)?)?;
        total = total.checked_add(nanos(fraction)?.0 / 1_000_000)?;
    }
    Some(total)
}

/// The numbers of `d h:m:s`: a space behind the days, colons elsewhere.
fn split_parts(text: &str, count: usize, days_first: bool) -> Option<Vec<&str>> {
    let parts: Vec<&str> = if days_first && count > 1 {
        let (days, rest) = text.split_once(' ')?;
        std::iter::once(days).chain(rest.trim_start().split(':')).collect()
    } else {
        text.split(':').collect()
    };
    (parts.len() == count).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_the_epoch() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-02-29"), Some(11_016));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2001-02-29"), None);
        assert_eq!(date("2001-13-01"), None);
    }

    #[test]
    fn timestamps_keep_the_precision_of_their_text() {
        assert_eq!(timestamp("1970-01-01 00:00:01"), Some((1_000, 0)));
        assert_eq!(timestamp("1970-01-01 00:00:01.5"), Some((1_500, 1)));
        assert_eq!(timestamp("1970-01-01 00:00:00.000001"), Some((1, 6)));
        assert_eq!(timestamp("1970-01-01T00:00:00"), None);
    }

    #[test]
    fn intervals_have_one_or_several_units() {
        assert_eq!(interval("10", "SECONDS", None), Some(Interval::Millis(10_000)));
        assert_eq!(interval("1.5", "SECOND", None), Some(Interval::Millis(1_500)));
        assert_eq!(interval("1:30", "HOUR", Some("MINUTE")), Some(Interval::Millis(5_400_000)));
        assert_eq!(
            interval("-1 02:03:04", "DAY", Some("SECOND")),
            Some(Interval::Millis(-93_784_000))
        );
        assert_eq!(interval("2-3", "YEAR", Some("MONTH")), Some(Interval::Months(27)));
        assert_eq!(interval("1:60", "HOUR", Some("MINUTE")), None);
        assert_eq!(interval("x", "DAY", None), None);
        assert_eq!(interval("1", "SECOND", Some("DAY")), None);
    }
}
