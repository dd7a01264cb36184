//! Durations and memory sizes as people write them in options: `10 s`, `500ms`, `PT1M`, `64 mb`.

use std::time::Duration;

use crate::{Error, ErrorCode, Result};

/// Parses a duration as Flink does: a number with an optional unit (`ms` if absent; `d`, `h`, `min`,
/// `m`, `s`, `ms`, `us`/`µs`, `ns` and their long forms), or ISO-8601 (`PT1M30S`).
///
/// # Errors
/// `INVALID_OPTION` naming the text and the accepted forms.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let trimmed = text.trim();
    let parsed =
        if trimmed.starts_with(['P', 'p']) { parse_iso(trimmed) } else { parse_unit(trimmed) };
    parsed.ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("'{text}' is not a duration: write a number with a unit (10 s, 500 ms, 1 min, 2 h, 1 d) or ISO-8601 (PT10S)"),
        )
    })
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

fn parse_unit(text: &str) -> Option<Duration> {
    let (number, unit) = split_number(text)?;
    let nanos_per_unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        _ => return None,
    };
    let nanos = u128::from(number) * u128::from(nanos_per_unit);
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, (nanos % 1_000_000_000) as u32))
}

fn parse_iso(text: &str) -> Option<Duration> {
    let upper = text.to_ascii_uppercase();
    let (days, clock) = match upper[1..].split_once('T') {
        Some((days, clock)) => (days, clock),
        None => (&upper[1..], ""),
    };
    let mut seconds = 0f64;
    if !days.is_empty() {
        seconds += days.strip_suffix('D')?.parse::<u64>().ok()? as f64 * 86_400.0;
    }
    let mut rest = clock;
    for (unit, factor) in [('H', 3600.0), ('M', 60.0), ('S', 1.0)] {
        if let Some((number, tail)) = rest.split_once(unit) {
            seconds += number.parse::<f64>().ok().filter(|n| *n >= 0.0)? * factor;
            rest = tail;
        }
    }
    if !rest.is_empty() || (days.is_empty() && clock.is_empty()) {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Parses a memory size as Flink does: a number of bytes with an optional unit (`b`, `k`/`kb`,
/// `m`/`mb`, `g`/`gb`, `t`/`tb`, `kibibytes` …), in powers of 1024.
///
/// # Errors
/// `INVALID_OPTION` naming the text and the accepted forms.
pub fn parse_memory_size(text: &str) -> Result<u64> {
    let parse = || {
        let (number, unit) = split_number(text.trim())?;
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" | "bytes" => 0,
            "k" | "kb" | "kibibytes" => 10,
            "m" | "mb" | "mebibytes" => 20,
            "g" | "gb" | "gibibytes" => 30,
            "t" | "tb" | "tebibytes" => 40,
            _ => return None,
        };
        number.checked_mul(1 << shift)
    };
    parse().ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidOption,
            format!(
                "'{text}' is not a memory size: write a number of bytes with a unit (64 mb, 1 gb)"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = |text: &str| parse_duration(text).unwrap().as_millis();
        assert_eq!(ms("10 s"), 10_000);
        assert_eq!(ms("500ms"), 500);
        assert_eq!(ms("250"), 250);
        assert_eq!(ms("1min"), 60_000);
        assert_eq!(ms("2 h"), 7_200_000);
        assert_eq!(ms("PT1M30.5S"), 90_500);
        assert_eq!(ms("P1DT1H"), 90_000_000);
        for bad in ["", "s", "10 parsecs", "P", "PT", "-5 s", "99999999999999999999 d", "PT-1S"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_sizes() {
        assert_eq!(parse_memory_size("64 mb").unwrap(), 64 << 20);
        assert_eq!(parse_memory_size("1024").unwrap(), 1024);
        assert!(parse_memory_size("99999999999 tb").is_err());
        assert!(parse_memory_size("many").is_err());
    }
}
