//! Time zones: IANA names and fixed offsets, with Java's rules at gaps and overlaps.

use std::fmt;

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetName as _, Tz};
use tidegate_types::{Error, ErrorCode, Result};

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A zone of the IANA data base, such as `Asia/Shanghai`.
    Named(Tz),
    /// A constant distance from UTC in milliseconds, such as `+08:00`.
    Fixed(i64),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads `UTC`, `Asia/Shanghai`, `+08:00`, `UTC+8`, `GMT-03:30`.
    ///
    /// # Errors
    /// `INVALID_OPTION` if there is no such zone.
    pub fn parse(text: &str) -> Result<Self> {
        Self::find(text).ok_or_else(|| {
            Error::new(ErrorCode::InvalidOption, format!("'{text}' is not a time zone"))
                .help("use an IANA name such as Europe/Berlin, or an offset such as +08:00")
        })
    }

    fn find(text: &str) -> Option<Self> {
        if matches!(text, "UTC" | "GMT" | "Z" | "UT") {
            return Some(Self::UTC);
        }
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
        if offset.starts_with(['+', '-']) {
            return parse_offset(offset).map(Self::Fixed);
        }
        text.parse::<Tz>().ok().map(Self::Named)
    }

    /// Distance from UTC at an instant, in milliseconds; positive in the east.
    pub fn offset_at(&self, utc_ms: i64) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(tz) => naive(utc_ms).map_or(0, |utc| {
                i64::from(tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1_000
            }),
        }
    }

    /// What the zone is called for short at an instant, such as `CET` or `CEST`; `GMT+08:00` where
    /// it has no such name.
    pub fn abbreviation(&self, utc_ms: i64) -> String {
        let name = match self {
            Self::Fixed(0) => return "UTC".to_owned(),
            Self::Fixed(_) => None,
            Self::Named(tz) => naive(utc_ms).and_then(|utc| {
                tz.offset_from_utc_datetime(&utc).abbreviation().map(str::to_owned)
            }),
        };
        let letters = |name: &String| name.starts_with(|c: char| c.is_ascii_alphabetic());
        name.filter(letters).unwrap_or_else(|| {
            let offset = self.offset_at(utc_ms);
            let minutes = offset.unsigned_abs() / 60_000;
            let sign = if offset < 0 { '-' } else { '+' };
            format!("GMT{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        })
    }

    /// The wall clock's time at an instant, both in milliseconds.
    pub fn to_local(&self, utc_ms: i64) -> i64 {
        utc_ms.saturating_add(self.offset_at(utc_ms))
    }

    /// The instant of a time on the wall clock, both in milliseconds: of two instants the earlier;
    /// a time that the clock skips moves on by the length of the gap.
    pub fn to_utc(&self, local_ms: i64) -> i64 {
        local_ms.saturating_sub(self.offset_of_local(local_ms, true))
    }

    /// As [`Zone::to_utc`], but of two instants the later, as Java's old calendar does.
    pub fn to_utc_later(&self, local_ms: i64) -> i64 {
        local_ms.saturating_sub(self.offset_of_local(local_ms, false))
    }

    fn offset_of_local(&self, local_ms: i64, earlier_instant: bool) -> i64 {
        let tz = match self {
            Self::Fixed(offset) => return *offset,
            Self::Named(tz) => tz,
        };
        let Some(local) = naive(local_ms) else {
            return 0;
        };
        let millis = |offset: FixedOffset| i64::from(offset.local_minus_utc()) * 1_000;
        match tz.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) => millis(offset.fix()),
            LocalResult::Ambiguous(one, other) => {
                // The larger offset belongs to the earlier instant.
                let (one, other) = (millis(one.fix()), millis(other.fix()));
                if earlier_instant { one.max(other) } else { one.min(other) }
            }
            // In a gap: the offset from before it.
            LocalResult::None => self.offset_at(local_ms.saturating_sub(super::DAY_MS)),
        }
    }
}

/// As [`Zone::parse`] reads it.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(tz) => f.write_str(tz.name()),
            Self::Fixed(0) => f.write_str("UTC"),
            Self::Fixed(offset) => {
                let sign = if *offset < 0 { '-' } else { '+' };
                let seconds = offset.unsigned_abs() / 1_000;
                let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
                write!(f, "{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60)
            }
        }
    }
}

fn naive(ms: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(ms).map(|moment| moment.naive_utc())
}

/// Reads `+8`, `+08`, `+0800`, `+08:00`, `+08:00:00`; at most 18 hours, as in Java.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = &text[1..];
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else if digits.is_ascii() && matches!(digits.len(), 4 | 6) {
        (0..digits.len()).step_by(2).map(|i| &digits[i..i + 2]).collect()
    } else {
        vec![digits]
    };
    if parts.len() > 3 || parts.iter().any(|p| p.is_empty() || p.len() > 2) {
        return None;
    }
    let mut seconds = 0;
    for (part, unit) in parts.iter().zip([3_600, 60, 1]) {
        let value: i64 = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())??;
        if unit < 3_600 && value > 59 {
            return None;
        }
        seconds += value * unit;
    }
    (seconds <= 18 * 3_600).then_some(sign * seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::civil::Fields;

    fn at(year: i64, month: u32, day: u32, hour: u32, minute: u32) -> i64 {
        let fields = Fields { year, month, day, hour, minute, second: 0, nanos: 0 };
        fields.epoch_seconds() * 1_000
    }

    #[test]
    fn gaps_move_on_and_overlaps_take_the_earlier() {
        let zone = Zone::parse("America/New_York").unwrap();
        let gap = zone.to_utc(at(2024, 3, 10, 2, 30));
        assert_eq!(zone.to_local(gap), at(2024, 3, 10, 3, 30));
        assert_eq!(zone.to_utc(at(2024, 11, 3, 1, 30)), at(2024, 11, 3, 5, 30));
        assert_eq!(zone.to_utc_later(at(2024, 11, 3, 1, 30)), at(2024, 11, 3, 6, 30));
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["UTC", "Asia/Shanghai", "+08:00:00", "-03:30:00", "+00:00:01", "-18:00:00"] {
            let zone = Zone::parse(text).unwrap();
            assert_eq!(zone.to_string(), text);
            assert_eq!(Zone::parse(&zone.to_string()).unwrap(), zone);
        }
    }

    #[test]
    fn reads_names_and_offsets() {
        assert_eq!(Zone::parse("UTC").unwrap(), Zone::UTC);
        assert_eq!(Zone::parse("+08:00").unwrap(), Zone::Fixed(8 * 3_600_000));
        assert_eq!(Zone::parse("UTC+8").unwrap(), Zone::Fixed(8 * 3_600_000));
        assert_eq!(Zone::parse("GMT-0330").unwrap(), Zone::Fixed(-12_600_000));
        assert_eq!(Zone::parse("Asia/Shanghai").unwrap().to_local(0), 8 * 3_600_000);
        for bad in ["", "Mars/Olympus", "+25:00", "+1:2:3:4", "+x", "UTC+"] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }
}
