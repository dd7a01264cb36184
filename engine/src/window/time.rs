//! Windows in the session's zone: TIMESTAMP_LTZ and processing-time windows are cut by local
//! wall-clock time, and fire when that local time is reached (Flink's `TimeWindowUtil`).

use tidegate_functions::Zone;
use tidegate_types::{MAX_WATERMARK, Result};

/// How instants map to the time line on which windows are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowZone {
    /// The rows' own time line: TIMESTAMP, without zone.
    Unzoned,
    /// The wall clock of a zone.
    Session(Zone),
}

impl WindowZone {
    /// The zone of a `table.local-time-zone` value.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is neither an IANA name nor an offset.
    pub fn parse(zone: &str) -> Result<Self> {
        Ok(match Zone::parse(zone)? {
            Zone::UTC => Self::Unzoned,
            zone => Self::Session(zone),
        })
    }

    /// The local time line's value at an instant.
    #[inline]
    pub fn to_local(self, instant_ms: i64) -> i64 {
        match self {
            Self::Unzoned => instant_ms,
            Self::Session(zone) => zone.to_local(instant_ms),
        }
    }

    /// The watermark at which a window with this local end is complete: that of its last
    /// millisecond, and of its second occurrence where clocks are set back.
    pub fn completion(self, local_end: i64) -> i64 {
        let last = local_end.saturating_sub(1);
        match self {
            _ if local_end == MAX_WATERMARK => MAX_WATERMARK,
            Self::Unzoned => last,
            Self::Session(zone) => zone.to_utc_later(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_wall_clock() {
        let shanghai = WindowZone::parse("Asia/Shanghai").unwrap();
        assert_eq!(shanghai.to_local(0), 8 * 3_600_000);
        assert_eq!(shanghai.completion(8 * 3_600_000), -1);
        assert_eq!(WindowZone::parse("UTC").unwrap(), WindowZone::Unzoned);
        assert!(WindowZone::parse("Mars/Olympus").is_err());
    }

    #[test]
    fn a_repeated_hour_is_complete_when_it_is_over_for_the_second_time() {
        let york = WindowZone::parse("America/New_York").unwrap();
        // 2026-11-01 01:00–02:00 happens twice; the second ends at 07:00 UTC.
        let local_end = 1_793_498_400_000;
        assert_eq!(york.completion(local_end), local_end - 1 + 5 * 3_600_000);
    }
}
