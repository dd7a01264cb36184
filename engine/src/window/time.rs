//! Windows in the session's zone: TIMESTAMP_LTZ and processing-time windows are cut by local
//! wall-clock time, and fire when that local time is reached (Flink's `TimeWindowUtil`).

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, LocalResult, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use tidegate_types::{Error, ErrorCode, MAX_WATERMARK, Result};

/// How instants map to the time line on which windows are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowZone {
    /// TIMESTAMP without zone, or a zone without offset.
    Utc,
    /// A constant offset, milliseconds.
    Fixed(i64),
    /// A zone with transitions.
    Named(Tz),
}

impl WindowZone {
    /// The zone of a `table.local-time-zone` value.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is neither an IANA name nor an offset.
    pub fn parse(zone: &str) -> Result<Self> {
        if matches!(zone, "UTC" | "Z" | "GMT" | "Etc/UTC") {
            return Ok(Self::Utc);
        }
        let offset = zone.strip_prefix("UTC").or(zone.strip_prefix("GMT")).unwrap_or(zone);
        if let Ok(offset) = FixedOffset::from_str(offset) {
            return Ok(Self::Fixed(i64::from(offset.local_minus_utc()) * 1000));
        }
        Tz::from_str(zone).map(Self::Named).map_err(|_| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("'{zone}' is not a time zone: write an IANA name (Asia/Shanghai) or an offset (+08:00)"),
            )
        })
    }

    /// The local time line's value at an instant.
    #[inline]
    pub fn to_local(self, instant_ms: i64) -> i64 {
        match self {
            Self::Utc => instant_ms,
            Self::Fixed(offset) => instant_ms.saturating_add(offset),
            Self::Named(zone) => match DateTime::from_timestamp_millis(instant_ms) {
                Some(utc) => {
                    let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
                    instant_ms.saturating_add(i64::from(offset.local_minus_utc()) * 1000)
                }
                None => instant_ms,
            },
        }
    }

    /// The instant of a local time: the earlier one where clocks are set back; a time that does not
    /// exist is moved on by the length of the gap.
    pub fn to_instant(self, local_ms: i64) -> i64 {
        match self {
            Self::Utc => local_ms,
            Self::Fixed(offset) => local_ms.saturating_sub(offset),
            Self::Named(zone) => named_instant(zone, local_ms),
        }
    }

    /// The watermark at which a window with this local end is complete: that of its last millisecond.
    pub fn completion(self, local_end: i64) -> i64 {
        if local_end == MAX_WATERMARK { MAX_WATERMARK } else { self.to_instant(local_end.saturating_sub(1)) }
    }
}

fn named_instant(zone: Tz, local_ms: i64) -> i64 {
    let Some(naive) = DateTime::from_timestamp_millis(local_ms).map(|time| time.naive_utc()) else {
        return local_ms;
    };
    let instant = |naive: &NaiveDateTime| -> Option<i64> {
        match zone.from_local_datetime(naive) {
            MappedLocalTime::Single(time) => Some(time.timestamp_millis()),
            LocalResult::Ambiguous(first, second) => {
                Some(first.timestamp_millis().min(second.timestamp_millis()))
            }
            LocalResult::None => None,
        }
    };
    instant(&naive).unwrap_or_else(|| {
        // In a gap: the offset in force before it (an hour or more back no zone has two gaps).
        let before = naive - chrono::TimeDelta::hours(3);
        instant(&before).map_or(local_ms, |ms| ms + 3 * 3_600_000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_shift_and_come_back() {
        let shanghai = WindowZone::parse("Asia/Shanghai").unwrap();
        assert_eq!(shanghai.to_local(0), 8 * 3_600_000);
        assert_eq!(shanghai.to_instant(8 * 3_600_000), 0);
        assert_eq!(WindowZone::parse("+05:30").unwrap(), WindowZone::Fixed(19_800_000));
        assert!(WindowZone::parse("Mars/Olympus").is_err());
    }

    #[test]
    fn gaps_move_on_and_overlaps_take_the_first() {
        let york = WindowZone::parse("America/New_York").unwrap();
        // 2026-03-08 02:30 does not exist; 03:30 EDT is 07:30 UTC.
        let gap = 1_772_937_000_000;
        assert_eq!(york.to_instant(gap) - gap, 5 * 3_600_000);
        // 2026-11-01 01:30 happens twice; the first is EDT, UTC−4.
        let overlap = 1_793_496_600_000;
        assert_eq!(york.to_instant(overlap) - overlap, 4 * 3_600_000);
    }
}
