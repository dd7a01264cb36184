//! Dates, times and timestamps from text, in the notations that `CAST` and the `TO_…` functions
//! take. Texts in a pattern of the user's are read by `pattern`.

use super::civil::{days_from_civil, days_in_month};

/// A moment on a calendar without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970-01-01 00:00:00.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
}

impl Moment {
    /// The timestamp in units of which a second has `per_second`, cutting off what is smaller;
    /// none if it does not fit 64 bits.
    pub fn to_timestamp(self, per_second: i64) -> Option<i64> {
        let fraction = i64::from(self.nanos) / (1_000_000_000 / per_second);
        let whole = i128::from(self.seconds) * i128::from(per_second);
        i64::try_from(whole + i128::from(fraction)).ok()
    }
}

/// Reads a DATE as `CAST` does: `2024-02-29`, `2024-2-9`, `2024-02`, `2024`, with anything behind
/// a blank ignored. Days since 1970-01-01; years 0–9999.
pub fn date(text: &str) -> Option<i64> {
    let text = match text.find(' ') {
        Some(end) if end > 0 => &text[..end],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().map_or(Some(1), |part| digits(part.trim()));
    let (year, month, day) = (part()?, part()?, part()?);
    let valid = year <= 9_999
        && (1..=12).contains(&month)
        && (1..=i64::from(days_in_month(year, month as u32))).contains(&day);
    valid.then(|| days_from_civil(year, month as u32, day as u32))
}

/// Reads a TIME as `CAST` does: `12:34:56.789`, `12:34`, `12`. Milliseconds of the day.
pub fn time(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hour = digits(parts.next()?.trim())?;
    let minute = parts.next().map_or(Some(0), |part| digits(part.trim()))?;
    let (second, millis) = match parts.next() {
        None => (0, 0),
        Some(part) => match part.split_once('.') {
            None => (digits(part.trim())?, 0),
            Some((second, fraction)) => {
                (digits(second.trim())?, i64::from(nanos(fraction.trim())? / 1_000_000))
            }
        },
    };
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
}

/// Reads a TIMESTAMP as `CAST` does: `2024-02-29` or `2024-02-29 12:34:56.123456789`, months to
/// seconds of one or two digits. A day that the month does not have becomes its last.
pub fn timestamp(text: &str) -> Option<Moment> {
    let mut cursor = Cursor::new(text);
    let year = cursor.number(4, 4)?;
    cursor.expect(b'-')?;
    let month = cursor.number(1, 2)?;
    cursor.expect(b'-')?;
    let day = cursor.number(1, 2)?;
    if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let month = month as u32;
    let day = (day as u32).min(days_in_month(year, month));
    let midnight = days_from_civil(year, month, day) * 86_400;
    if cursor.at_end() {
        return Some(Moment { seconds: midnight, nanos: 0 });
    }
    cursor.expect(b' ')?;
    let hour = cursor.number(1, 2)?;
    cursor.expect(b':')?;
    let minute = cursor.number(1, 2)?;
    cursor.expect(b':')?;
    let second = cursor.number(1, 2)?;
    let nanos = if cursor.expect(b'.').is_some() { nanos(cursor.take_digits(9))? } else { 0 };
    let end_of_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
    let valid = cursor.at_end() && (hour < 24 || end_of_day) && minute < 60 && second < 60;
    let seconds = midnight + (hour * 60 + minute) * 60 + second;
    valid.then_some(Moment { seconds, nanos })
}

/// Reads what `java.sql.Timestamp.valueOf` and `Date.valueOf` take: `2024-2-9 1:2:3.5` or
/// `2024-2-9`, where a day that the month does not have counts into the next.
pub fn timestamp_loosely(text: &str) -> Option<Moment> {
    let text = text.trim();
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let mut cursor = Cursor::new(date);
    let year = cursor.number(4, 4)?;
    cursor.expect(b'-')?;
    let month = cursor.number(1, 2)?;
    cursor.expect(b'-')?;
    let day = cursor.number(1, 2)?;
    if !cursor.at_end() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days_from_civil(year, month as u32, day as u32) * 86_400;
    let Some(time) = time else {
        return Some(Moment { seconds: midnight, nanos: 0 });
    };
    let mut cursor = Cursor::new(time);
    let hour = cursor.number(1, 2)?;
    cursor.expect(b':')?;
    let minute = cursor.number(1, 2)?;
    cursor.expect(b':')?;
    let second = cursor.number(1, 2)?;
    let nanos = if cursor.expect(b'.').is_some() {
        let fraction = cursor.take_digits(9);
        if fraction.is_empty() { None } else { nanos(fraction) }?
    } else {
        0
    };
    let seconds = midnight + (hour * 60 + minute) * 60 + second;
    cursor.at_end().then_some(Moment { seconds, nanos })
}

/// A number of digits only, at most nine of them.
fn digits(text: &str) -> Option<i64> {
    let valid = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

/// Nanoseconds of the digits behind a point; more than nine are cut off.
fn nanos(fraction: &str) -> Option<u32> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let shown = fraction.bytes().take(9).fold(0, |value, b| value * 10 + u32::from(b - b'0'));
    Some(shown * 10_u32.pow(9 - fraction.len().min(9) as u32))
}

/// Reads a text from left to right.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.position == self.text.len()
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.text.as_bytes().get(self.position) == Some(&byte)).then(|| self.position += 1)
    }

    /// Moves past a text that stands here.
    pub(super) fn expect_text(&mut self, text: &str) -> Option<()> {
        self.rest().starts_with(text).then(|| self.position += text.len())
    }

    /// Digits that stand here, at most `most`.
    pub(super) fn take_digits(&mut self, most: usize) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        self.position += length;
        &rest[..length]
    }

    /// A number of `least` to `most` digits; at most 18 are taken.
    pub(super) fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let digits = self.take_digits(most.min(18));
        if digits.len() < least { None } else { digits.parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::civil::Fields;

    fn shown(moment: Option<Moment>) -> Option<(i64, u32, u32, u32, u32, u32, u32)> {
        moment.map(|m| {
            let f = Fields::from_epoch(m.seconds, m.nanos);
            (f.year, f.month, f.day, f.hour, f.minute, f.second, f.nanos)
        })
    }

    #[test]
    fn dates_as_cast_reads_them() {
        let day = |y, m, d| Some(days_from_civil(y, m, d));
        assert_eq!(date("2024-2-9"), day(2024, 2, 9));
        assert_eq!(date("2024-02"), day(2024, 2, 1));
        assert_eq!(date("2024"), day(2024, 1, 1));
        assert_eq!(date("12 "), day(12, 1, 1));
        assert_eq!(date(" 2024-02-29 "), day(2024, 2, 29));
        assert_eq!(date("2024-02-29 12:00:00"), day(2024, 2, 29));
        for bad in ["2023-02-29", "2024-13-01", "20240229", "2024/02/29", "x", "", "10000-01-01"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_as_cast_reads_them() {
        assert_eq!(time("1:2:3"), Some(3_723_000));
        assert_eq!(time("12"), Some(43_200_000));
        assert_eq!(time("23:59:59.9999"), Some(86_399_999));
        for bad in ["24:00:00", "12:60:00", "x", "", "2024-02-29 12:34:56"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn timestamps_as_cast_reads_them() {
        assert_eq!(shown(timestamp("2024-2-9 1:2:3.000000001")), Some((2024, 2, 9, 1, 2, 3, 1)));
        assert_eq!(shown(timestamp("2023-02-29")), Some((2023, 2, 28, 0, 0, 0, 0)));
        assert_eq!(shown(timestamp("2023-12-31 24:00:00")), Some((2024, 1, 1, 0, 0, 0, 0)));
        for bad in [
            "2024-02-29T12:34:56",
            "2024-02-29 12:34",
            " 2024-02-29",
            "2024-02-29 25:00:00",
            "2024-02-29 12:34:56Z",
            "2024-02-29 12:34:56.1234567891",
            "0000-01-01",
            "x",
            "",
        ] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_loose_form_rolls_over() {
        assert_eq!(shown(timestamp_loosely("2023-02-29")), Some((2023, 3, 1, 0, 0, 0, 0)));
        assert_eq!(
            shown(timestamp_loosely(" 1999-9-10 05:20:10.5 ")),
            Some((1999, 9, 10, 5, 20, 10, 500_000_000))
        );
        assert_eq!(timestamp_loosely("2024-02-29 12:34"), None);
        assert_eq!(timestamp_loosely("2024-02-29T12:34:56"), None);
    }
}
