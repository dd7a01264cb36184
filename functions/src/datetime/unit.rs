//! Units of time in EXTRACT, FLOOR … TO, TIMESTAMPADD and TIMESTAMPDIFF.

use super::DAY_MS;

/// A unit, or for EXTRACT a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's own words")]
pub enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Unit {
    /// Reads a unit in any case, as plain word, plural, or `SQL_TSI_` name.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase();
        let name = name.strip_prefix("SQL_TSI_").unwrap_or(&name);
        Some(match name {
            "MILLENNIUM" => Self::Millennium,
            "CENTURY" => Self::Century,
            "DECADE" => Self::Decade,
            "YEAR" | "YEARS" => Self::Year,
            "ISOYEAR" => Self::IsoYear,
            "QUARTER" | "QUARTERS" => Self::Quarter,
            "MONTH" | "MONTHS" => Self::Month,
            "WEEK" | "WEEKS" => Self::Week,
            "DAY" | "DAYS" => Self::Day,
            "DOY" => Self::DayOfYear,
            "DOW" => Self::DayOfWeek,
            "ISODOW" => Self::IsoDayOfWeek,
            "HOUR" | "HOURS" => Self::Hour,
            "MINUTE" | "MINUTES" => Self::Minute,
            "SECOND" | "SECONDS" => Self::Second,
            "MILLISECOND" | "MILLISECONDS" => Self::Millisecond,
            "MICROSECOND" | "MICROSECONDS" => Self::Microsecond,
            "NANOSECOND" | "NANOSECONDS" => Self::Nanosecond,
            "EPOCH" => Self::Epoch,
            _ => return None,
        })
    }

    /// Length in milliseconds of units that always have the same: week, day and shorter.
    pub fn millis(self) -> Option<i64> {
        Some(match self {
            Self::Week => 7 * DAY_MS,
            Self::Day => DAY_MS,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1_000,
            Self::Millisecond => 1,
            _ => return None,
        })
    }

    /// Length in months of units of the calendar.
    pub fn months(self) -> Option<i64> {
        Some(match self {
            Self::Millennium => 12_000,
            Self::Century => 1_200,
            Self::Decade => 120,
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Unit::parse("day"), Some(Unit::Day));
        assert_eq!(Unit::parse("SQL_TSI_MONTH"), Some(Unit::Month));
        assert_eq!(Unit::parse("Seconds"), Some(Unit::Second));
        assert_eq!(Unit::parse("fortnight"), None);
        assert_eq!(Unit::Week.millis(), Some(604_800_000));
        assert_eq!(Unit::Quarter.months(), Some(3));
    }
}
