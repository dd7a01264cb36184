//! Writing dates, times and timestamps.

use tidegate_functions::datetime::civil::{Fields, civil_from_days};

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `2026-01-02 03:04:05.67`: the fraction without zeros at its end.
    Sql,
    /// `2026-01-02T03:04:05.67`
    Iso,
    /// As Java's `LocalDateTime` and `Instant` print themselves: fractions of 3, 6 or 9 digits; a
    /// time without zone lacks seconds that are 0.
    Java,
}

/// Appends `2024-02-29` from days since 1970-01-01.
pub(crate) fn write_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(i64::from(days));
    write_calendar(year, month, day, out);
}

/// Appends `12:34:56` from milliseconds of the day; the fraction is not written, as in Flink.
pub(crate) fn write_time(ms: i32, out: &mut Vec<u8>) {
    let seconds = ms.rem_euclid(86_400_000) as u32 / 1000;
    write_clock(seconds / 3600, seconds / 60 % 60, seconds % 60, out);
}

/// Appends a time of day as Java's `LocalTime` prints itself: `12:34`, `12:34:56`, `12:34:56.789`.
pub(crate) fn write_java_time(ms: i32, out: &mut Vec<u8>) {
    let ms = ms.rem_euclid(86_400_000) as u32;
    let seconds = ms / 1000;
    write_java_clock(seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000 * 1_000_000, out);
}

/// Appends a timestamp in units of which a second has `per_second`, followed by `Z` if it is `zoned`.
pub(crate) fn write_timestamp(
    value: i64,
    per_second: i64,
    zoned: bool,
    style: Style,
    out: &mut Vec<u8>,
) {
    let fields = Fields::from_timestamp(value, per_second);
    write_calendar(fields.year, fields.month, fields.day, out);
    out.push(if style == Style::Sql { b' ' } else { b'T' });
    let Fields { hour, minute, second, nanos, .. } = fields;
    match (style, zoned) {
        (Style::Java, false) => write_java_clock(hour, minute, second, nanos, out),
        (Style::Java, true) => {
            write_clock(hour, minute, second, out);
            write_fraction(nanos, 3, out);
        }
        _ => {
            write_clock(hour, minute, second, out);
            write_fraction(nanos, 1, out);
        }
    }
    if zoned {
        out.push(b'Z');
    }
}

fn write_java_clock(hour: u32, minute: u32, second: u32, nanos: u32, out: &mut Vec<u8>) {
    if second == 0 && nanos == 0 {
        out.extend_from_slice(&[tens(hour), ones(hour), b':', tens(minute), ones(minute)]);
    } else {
        write_clock(hour, minute, second, out);
        write_fraction(nanos, 3, out);
    }
}

fn write_clock(hour: u32, minute: u32, second: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[
        tens(hour),
        ones(hour),
        b':',
        tens(minute),
        ones(minute),
        b':',
        tens(second),
        ones(second),
    ]);
}

/// Appends the fraction of a second in as few digits as hold it, a multiple of `group`; nothing for 0.
fn write_fraction(nanos: u32, group: usize, out: &mut Vec<u8>) {
    if nanos == 0 {
        return;
    }
    let mut digits = [b'.'; 10];
    let mut rest = nanos;
    for digit in digits[1..].iter_mut().rev() {
        *digit = ones(rest);
        rest /= 10;
    }
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let kept = (9 - zeros).next_multiple_of(group);
    out.extend_from_slice(&digits[..=kept]);
}

fn write_calendar(year: i64, month: u32, day: u32, out: &mut Vec<u8>) {
    match u32::try_from(year) {
        Ok(year @ 0..=9_999) => {
            out.extend_from_slice(&[ones(year / 1000), ones(year / 100), tens(year), ones(year)]);
        }
        // Java writes the sign of years outside 0–9999.
        _ if year > 0 => out.extend_from_slice(format!("+{year}").as_bytes()),
        _ => out.extend_from_slice(format!("-{:04}", year.unsigned_abs()).as_bytes()),
    }
    out.extend_from_slice(&[b'-', tens(month), ones(month), b'-', tens(day), ones(day)]);
}

fn tens(value: u32) -> u8 {
    ones(value / 10)
}

fn ones(value: u32) -> u8 {
    b'0' + (value % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn timestamp(value: i64, per_second: i64, zoned: bool, style: Style) -> String {
        written(|out| write_timestamp(value, per_second, zoned, style, out))
    }

    #[test]
    fn timestamps_as_flink_records_them() {
        let ms = 1_709_210_096_789;
        assert_eq!(timestamp(ms, 1000, false, Style::Sql), "2024-02-29 12:34:56.789");
        assert_eq!(timestamp(ms, 1000, true, Style::Sql), "2024-02-29 12:34:56.789Z");
        assert_eq!(timestamp(ms, 1000, true, Style::Iso), "2024-02-29T12:34:56.789Z");
        assert_eq!(timestamp(ms - 9, 1000, false, Style::Sql), "2024-02-29 12:34:56.78");
        assert_eq!(timestamp(ms - 9, 1000, false, Style::Java), "2024-02-29T12:34:56.780");
        assert_eq!(timestamp(0, 1000, true, Style::Java), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(0, 1000, false, Style::Java), "1970-01-01T00:00");
        assert_eq!(timestamp(0, 1000, false, Style::Sql), "1970-01-01 00:00:00");
        assert_eq!(timestamp(-1, 1000, false, Style::Java), "1969-12-31T23:59:59.999");
        let nanos = 1_709_210_096_000_000_001;
        assert_eq!(
            timestamp(nanos, 1_000_000_000, false, Style::Java),
            "2024-02-29T12:34:56.000000001"
        );
        assert_eq!(timestamp(1_500, 1_000_000, false, Style::Java), "1970-01-01T00:00:00.001500");
        assert_eq!(
            timestamp(i64::MIN, 1_000_000_000, false, Style::Sql),
            "1677-09-21 00:12:43.145224192"
        );
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(written(|out| write_date(19_782, out)), "2024-02-29");
        assert_eq!(written(|out| write_date(-800_000, out)), "-0221-09-04");
        assert_eq!(written(|out| write_date(i32::MAX, out)), "+5881580-07-11");
        assert_eq!(written(|out| write_time(3_723_999, out)), "01:02:03");
        assert_eq!(written(|out| write_java_time(3_723_000, out)), "01:02:03");
        assert_eq!(written(|out| write_java_time(3_720_000, out)), "01:02");
        assert_eq!(written(|out| write_java_time(3_720_050, out)), "01:02:00.050");
    }
}
