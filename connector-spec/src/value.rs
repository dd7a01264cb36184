//! The text of option values: numbers, durations, memory sizes, characters, as Flink reads them.

use std::time::Duration;

use tidegate_types::{Error, ErrorCode, Result};

fn bad(key: &str, text: &str, expected: &str) -> Error {
    let message = format!("option '{key}': '{text}' is not {expected}");
    Error::new(ErrorCode::InvalidOption, message)
}

/// A whole number.
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn integer(key: &str, text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| bad(key, text, "a whole number"))
}

/// A finite number.
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn float(key: &str, text: &str) -> Result<f64> {
    let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| bad(key, text, "a number"))
}

/// `true` or `false`, in any case.
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn boolean(key: &str, text: &str) -> Result<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(bad(key, text, "'true' or 'false'"))
    }
}

/// A duration: a whole number and a unit (milliseconds without one), or ISO 8601 (`PT10S`).
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn duration(key: &str, text: &str) -> Result<Duration> {
    parse_duration(text.trim())
        .ok_or_else(|| bad(key, text, "a duration such as '10 s', '500 ms' or 'PT1M'"))
}

fn parse_duration(text: &str) -> Option<Duration> {
    if text.starts_with(['P', 'p']) {
        return parse_iso_duration(text);
    }
    let (number, unit) = split_number(text)?;
    let nanos_per_unit: u64 = match unit {
        "d" | "day" | "days" => 86_400_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "µs" | "us" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    };
    let nanos = u128::from(number) * u128::from(nanos_per_unit);
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}

/// `PnDTnHnMn.nS`, without signs.
fn parse_iso_duration(text: &str) -> Option<Duration> {
    let mut rest = text.get(1..)?;
    let mut total = Duration::ZERO;
    let (mut in_time, mut parts) = (false, 0);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            (in_time, rest) = (true, after);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit = tail.chars().next()?.to_ascii_uppercase();
        let seconds = match (in_time, unit) {
            (false, 'D') => 86_400,
            (true, 'H') => 3_600,
            (true, 'M') => 60,
            (true, 'S') => {
                total =
                    total.checked_add(Duration::try_from_secs_f64(number.parse().ok()?).ok()?)?;
                0
            }
            _ => return None,
        };
        if seconds > 0 {
            let whole = number.parse::<u64>().ok()?.checked_mul(seconds)?;
            total = total.checked_add(Duration::from_secs(whole))?;
        }
        parts += 1;
        rest = tail.get(1..)?;
    }
    (parts > 0).then_some(total)
}

/// An amount of memory in bytes: a whole number and a unit in powers of 1024 (bytes without one).
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn memory_size(key: &str, text: &str) -> Result<u64> {
    let parsed = split_number(text.trim()).and_then(|(number, unit)| {
        let shift = match unit {
            "" | "b" | "byte" | "bytes" => 0,
            "k" | "kb" | "kibibytes" => 10,
            "m" | "mb" | "mebibytes" => 20,
            "g" | "gb" | "gibibytes" => 30,
            "t" | "tb" | "tebibytes" => 40,
            _ => return None,
        };
        number.checked_mul(1_u64 << shift)
    });
    parsed.ok_or_else(|| bad(key, text, "an amount of memory such as '64 mb'"))
}

/// Splits `10 s` or `10s` into number and lower-case unit.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    let lower = UNITS.iter().find(|known| known.eq_ignore_ascii_case(unit)).copied();
    Some((number.parse().ok()?, lower.unwrap_or(unit)))
}

/// All units, to fold their case without allocating.
const UNITS: &[&str] = &[
    "d",
    "day",
    "days",
    "h",
    "hour",
    "hours",
    "m",
    "min",
    "minute",
    "minutes",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "ms",
    "milli",
    "millis",
    "millisecond",
    "milliseconds",
    "us",
    "micro",
    "micros",
    "microsecond",
    "microseconds",
    "ns",
    "nano",
    "nanos",
    "nanosecond",
    "nanoseconds",
    "b",
    "byte",
    "bytes",
    "k",
    "kb",
    "kibibytes",
    "mb",
    "mebibytes",
    "g",
    "gb",
    "gibibytes",
    "t",
    "tb",
    "tebibytes",
];

/// One ASCII character, `\t`-like escapes and `\uXXXX` included.
///
/// # Errors
/// `INVALID_OPTION` naming `key`.
pub fn character(key: &str, text: &str) -> Result<u8> {
    let one = match text.as_bytes() {
        [one] => Some(*one),
        [b'\\', b't'] => Some(b'\t'),
        [b'\\', b'n'] => Some(b'\n'),
        [b'\\', b'r'] => Some(b'\r'),
        [b'\\', b'b'] => Some(8),
        [b'\\', b'f'] => Some(12),
        [b'\\', one @ (b'\\' | b'\'' | b'"')] => Some(*one),
        [b'\\', b'u', ..] => text.get(2..).filter(|hex| hex.len() == 4).and_then(|hex| {
            u16::from_str_radix(hex, 16).ok().and_then(|code| u8::try_from(code).ok())
        }),
        _ => None,
    };
    one.filter(u8::is_ascii).ok_or_else(|| bad(key, text, "a single ASCII character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_flink_writes_them() {
        let ms = |text| duration("k", text).map(|d| d.as_millis()).ok();
        assert_eq!(ms("10 s"), Some(10_000));
        assert_eq!(ms("1min"), Some(60_000));
        assert_eq!(ms("500 ms"), Some(500));
        assert_eq!(ms("250"), Some(250));
        assert_eq!(ms("2 DAYS"), Some(172_800_000));
        assert_eq!(ms("PT10S"), Some(10_000));
        assert_eq!(ms("P1DT2H3M4.5S"), Some(93_784_500));
        for wrong in ["", "s", "-1 s", "1 fortnight", "P", "PT", "P1M", "PT1D", "1.5 s"] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_do_not_overflow() {
        assert!(duration("k", "18446744073709551615 d").is_err());
        assert!(duration("k", "PT99999999999999999999H").is_err());
    }

    #[test]
    fn memory_sizes_are_powers_of_1024() {
        assert_eq!(memory_size("k", "64 mb").ok(), Some(64 << 20));
        assert_eq!(memory_size("k", "128MB").ok(), Some(128 << 20));
        assert_eq!(memory_size("k", "200").ok(), Some(200));
        assert_eq!(memory_size("k", "200b").ok(), Some(200));
        assert!(memory_size("k", "99999999999 tb").is_err());
    }

    #[test]
    fn characters_may_be_escaped() {
        assert_eq!(character("k", "|").ok(), Some(b'|'));
        assert_eq!(character("k", "\\t").ok(), Some(b'\t'));
        assert_eq!(character("k", "\\u0001").ok(), Some(1));
        assert!(character("k", "ab").is_err());
        assert!(character("k", "é").is_err());
    }
}
