//! Reading dates, times and timestamps, with the leniencies of Java's formatters that Flink uses.
//!
//! Two resolvers differ: *strict* refuses 30 February, *smart* moves a day up to 31 that the month
//! lacks to the month's last day and takes 24:00:00 as the end of the day.

use tidegate_functions::datetime::civil::{days_from_civil, days_in_month};

const MS_PER_SECOND: i32 = 1000;

/// `timestamp-format.standard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    /// `2026-01-02 03:04:05[.678]`
    Sql,
    /// `2026-01-02T03:04[:05[.678]]`
    Iso,
}

/// A timestamp in units of which a second has `per_second`, digits that do not fit the unit cut off.
/// A zoned one must end in `Z`. `None`: not one, or out of range.
pub(crate) fn parse_timestamp(
    text: &[u8],
    standard: Standard,
    zoned: bool,
    per_second: i64,
) -> Option<i64> {
    let text = if zoned { text.strip_suffix(b"Z")? } else { text };
    let (date, rest) = parse_calendar(text)?;
    let time = rest.strip_prefix(if standard == Standard::Sql { b" " } else { b"T" })?;
    let clock = parse_clock(time, standard == Standard::Iso)?;
    // ISO without zone is Java's own formatter, which is strict; the others are smart.
    let smart = standard == Standard::Sql || zoned;
    let mut days = if smart { date.smart_days()? } else { date.strict_days()? };
    let seconds = match clock.seconds {
        86_400 if smart && clock.nanos == 0 => {
            days += 1;
            0
        }
        seconds @ 0..86_400 => seconds,
        _ => return None,
    };
    let fraction = i64::from(clock.nanos) / (1_000_000_000 / per_second);
    let seconds = days.checked_mul(86_400)?.checked_add(i64::from(seconds))?;
    seconds.checked_mul(per_second)?.checked_add(fraction)
}

/// `2024-02-29`, strictly, as days since 1970-01-01.
pub(crate) fn parse_iso_date(text: &[u8]) -> Option<i32> {
    let (date, rest) = parse_calendar(text)?;
    if !rest.is_empty() {
        return None;
    }
    i32::try_from(date.strict_days()?).ok()
}

/// `2024-2-9`, as `java.sql.Date` reads it: days past the month's end run into the next one.
pub(crate) fn parse_loose_date(text: &[u8]) -> Option<i32> {
    let mut parts = text.split(|byte| *byte == b'-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month, day) = (digits(year)?, one_or_two(month)?, one_or_two(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    i32::try_from(days_from_civil(i64::from(year), month, day)).ok()
}

/// `12:34:56[.789]` in milliseconds of the day; the fraction is read and dropped, as in Flink.
pub(crate) fn parse_sql_time(text: &[u8]) -> Option<i32> {
    let clock = parse_clock(text, false)?;
    match clock.seconds {
        86_400 if clock.nanos == 0 => Some(0),
        seconds @ 0..86_400 => Some(seconds as i32 * MS_PER_SECOND),
        _ => None,
    }
}

/// `12:34[:56[.789]]` in milliseconds of the day; the fraction is read and dropped, as in Flink.
pub(crate) fn parse_iso_time(text: &[u8]) -> Option<i32> {
    let clock = parse_clock(text, true)?;
    (clock.seconds < 86_400).then_some(clock.seconds as i32 * MS_PER_SECOND)
}

/// Year, month and day with the right numbers of digits, month within 1–12, day within 1–31.
#[derive(Clone, Copy)]
struct Calendar {
    year: i64,
    month: u32,
    day: u32,
}

impl Calendar {
    fn strict_days(self) -> Option<i64> {
        (self.day <= days_in_month(self.year, self.month))
            .then(|| days_from_civil(self.year, self.month, self.day))
    }

    fn smart_days(self) -> Option<i64> {
        let day = self.day.min(days_in_month(self.year, self.month));
        Some(days_from_civil(self.year, self.month, day))
    }
}

/// Reads `2024-02-29` at the beginning and returns what follows.
fn parse_calendar(text: &[u8]) -> Option<(Calendar, &[u8])> {
    let (year, rest) = parse_year(text)?;
    let [b'-', m1, m0, b'-', d1, d0, rest @ ..] = rest else {
        return None;
    };
    let (month, day) = (two(*m1, *m0)?, two(*d1, *d0)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some((Calendar { year, month, day }, rest))
}

/// Four digits; more only behind a sign, up to nine.
fn parse_year(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        [a, b, c, d, rest @ ..] => {
            return Some((i64::from(two(*a, *b)? * 100 + two(*c, *d)?), rest));
        }
        _ => return None,
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let least = if sign > 0 { 5 } else { 4 };
    if !(least..=9).contains(&length) {
        return None;
    }
    let (year, rest) = text.split_at(length);
    Some((sign * i64::from(digits(year)?), rest))
}

struct Clock {
    /// Seconds of the day; 86 400 for 24:00:00, more for what is no time of day.
    seconds: u32,
    nanos: u32,
}

/// Reads `12:34:56` with an optional fraction to the end of `text`; with `short`, seconds may be missing.
fn parse_clock(text: &[u8], short: bool) -> Option<Clock> {
    let [h1, h0, b':', m1, m0, rest @ ..] = text else {
        return None;
    };
    let (hour, minute) = (two(*h1, *h0)?, two(*m1, *m0)?);
    let (second, nanos) = match rest {
        [] if short => (0, 0),
        [b':', s1, s0] => (two(*s1, *s0)?, 0),
        [b':', s1, s0, b'.', fraction @ ..] => (two(*s1, *s0)?, parse_fraction(fraction)?),
        _ => return None,
    };
    if minute > 59 || second > 59 || hour > 24 {
        return None;
    }
    Some(Clock { seconds: hour * 3600 + minute * 60 + second, nanos })
}

/// Up to nine digits of a second; none are 0.
fn parse_fraction(text: &[u8]) -> Option<u32> {
    if text.len() > 9 {
        return None;
    }
    let value = if text.is_empty() { 0 } else { digits(text)? };
    Some(value * 10_u32.pow(9 - text.len() as u32))
}

fn one_or_two(text: &[u8]) -> Option<u32> {
    if text.len() > 2 { None } else { digits(text) }
}

/// Digits alone, one to nine of them.
fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::text::datetime::{Style, write_timestamp};

    fn sql(text: &str) -> Option<i64> {
        parse_timestamp(text.as_bytes(), Standard::Sql, false, 1000)
    }

    fn iso(text: &str, zoned: bool) -> Option<i64> {
        parse_timestamp(text.as_bytes(), Standard::Iso, zoned, 1000)
    }

    #[test]
    fn sql_timestamps_as_flink_reads_them() {
        assert_eq!(sql("2024-02-29 12:34:56"), Some(1_709_210_096_000));
        assert_eq!(sql("2024-02-29 12:34:56.789"), Some(1_709_210_096_789));
        assert_eq!(sql("2024-02-29 12:34:56.789123"), Some(1_709_210_096_789));
        assert_eq!(sql("2023-02-29 00:00:00"), sql("2023-02-28 00:00:00"));
        assert_eq!(sql("2023-02-28 24:00:00"), sql("2023-03-01 00:00:00"));
        for wrong in [
            "2024-02-29T12:34:56",
            "2024-02-29 12:34",
            "2024-02-29",
            "2024-02-29 12:34:56Z",
            "",
            "x",
            "2024-13-01 00:00:00",
            "2024-01-32 00:00:00",
            "2024-01-01 24:00:01",
            "2024-01-01 00:60:00",
            "2024-1-01 00:00:00",
            "2024-01-01 00:00:00.1234567890",
            "2024-01-01 00:00:00.x",
            "20240101 00:00:00",
        ] {
            assert_eq!(sql(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn iso_timestamps_as_flink_reads_them() {
        assert_eq!(iso("2024-02-29T12:34:56.789", false), Some(1_709_210_096_789));
        assert_eq!(iso("2024-02-29T12:34", false), Some(1_709_210_040_000));
        assert_eq!(iso("2023-02-29T12:34", false), None);
        assert_eq!(iso("2024-02-29T12:34:56.789Z", true), Some(1_709_210_096_789));
        for wrong in ["2024-02-29T12:34:56", "2024-02-29T12:34:56+08:00", "2024-02-29 12:34:56Z"] {
            assert_eq!(iso(wrong, true), None, "{wrong}");
        }
    }

    #[test]
    fn units_and_limits() {
        let nanos =
            |text: &str| parse_timestamp(text.as_bytes(), Standard::Sql, false, 1_000_000_000);
        assert_eq!(nanos("2024-02-29 12:34:56.123456789"), Some(1_709_210_096_123_456_789));
        assert_eq!(nanos("2500-01-01 00:00:00"), None);
        assert_eq!(sql("+12345-01-01 00:00:00").map(|ms| ms > 0), Some(true));
        assert_eq!(sql("-0044-03-15 00:00:00").map(|ms| ms < 0), Some(true));
    }

    #[test]
    fn what_is_written_is_read() {
        for value in [0, 1, -1, 999, 1_709_210_096_789, -62_135_596_800_000, 253_402_300_799_999] {
            for (style, standard) in [(Style::Sql, Standard::Sql), (Style::Iso, Standard::Iso)] {
                let mut text = Vec::new();
                write_timestamp(value, 1000, true, style, &mut text);
                assert_eq!(parse_timestamp(&text, standard, true, 1000), Some(value));
            }
        }
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(parse_iso_date(b"2024-02-29"), Some(19_782));
        for wrong in ["2024-2-9", "2023-02-29", "2024-02-29 00:00:00", "19782"] {
            assert_eq!(parse_iso_date(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse_loose_date(b"2024-2-9"), parse_iso_date(b"2024-02-09"));
        assert_eq!(parse_loose_date(b"2023-02-31"), parse_iso_date(b"2023-03-03"));
        assert_eq!(parse_loose_date(b""), None);
        assert_eq!(parse_sql_time(b"12:34:56.789"), Some(45_296_000));
        assert_eq!(parse_sql_time(b"12:34"), None);
        assert_eq!(parse_sql_time(b"12:34:56Z"), None);
        assert_eq!(parse_iso_time(b"12:34"), Some(45_240_000));
        assert_eq!(parse_iso_time(b"24:00"), None);
    }
}
