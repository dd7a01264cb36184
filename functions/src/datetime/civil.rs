//! The proleptic Gregorian calendar: days ↔ year, month, day; timestamps ↔ fields.
//!
//! The day algorithms count in eras of 400 years that begin on 1 March, so that leap days stand
//! at the end (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").

use std::fmt::Write as _;

/// A date and time of day, without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Year; 0 is 1 BC.
    pub year: i64,
    /// Month, 1–12.
    pub month: u32,
    /// Day of the month, 1–31.
    pub day: u32,
    /// Hour, 0–23.
    pub hour: u32,
    /// Minute, 0–59.
    pub minute: u32,
    /// Second, 0–59.
    pub second: u32,
    /// Nanosecond of the second.
    pub nanos: u32,
}

/// Days since 1970-01-01 of a date; `month` is 1–12, `day` may be any number.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// Whether a year has 29 February.
pub fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the year, from 1.
pub fn day_of_year(days: i64) -> i64 {
    days - days_from_civil(civil_from_days(days).0, 1, 1) + 1
}

/// Day of the week by ISO 8601: Monday is 1, Sunday 7.
pub fn iso_day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Year and week by ISO 8601: week 1 has the year's first Thursday.
pub fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_day_of_week(days) + 4;
    let year = civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// Adds months to a date, keeping the day where the month has it, else its last day.
pub fn add_months(days: i64, months: i64) -> i64 {
    let (year, month, day) = civil_from_days(days);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    days_from_civil(year, month, day.min(days_in_month(year, month)))
}

impl Fields {
    /// The fields of a moment in seconds since the epoch plus nanoseconds below a second.
    pub fn from_epoch(seconds: i64, nanos: u32) -> Self {
        let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            nanos,
        }
    }

    /// The fields of a timestamp in units of which a second has `per_second`.
    pub fn from_timestamp(value: i64, per_second: i64) -> Self {
        let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
        Self::from_epoch(value.div_euclid(per_second), nanos as u32)
    }

    /// Days since 1970-01-01.
    pub fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// Seconds since the epoch, without the fraction.
    pub fn epoch_seconds(&self) -> i64 {
        self.days() * 86_400
            + i64::from(self.hour) * 3_600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
    }

    /// The timestamp in units of which a second has `per_second`, cutting off what is smaller;
    /// none if it does not fit 64 bits.
    pub fn to_timestamp(&self, per_second: i64) -> Option<i64> {
        let fraction = i64::from(self.nanos) / (1_000_000_000 / per_second);
        let whole = i128::from(self.epoch_seconds()) * i128::from(per_second);
        i64::try_from(whole + i128::from(fraction)).ok()
    }
}

/// Appends `2024-02-29`. Of years past 9999 the last four digits are written, as Flink does.
pub fn write_date(year: i64, month: u32, day: u32, out: &mut String) {
    write_year(year, out);
    out.push('-');
    write_two(month, out);
    out.push('-');
    write_two(day, out);
}

/// Appends `12:34:56`.
pub fn write_time(hour: u32, minute: u32, second: u32, out: &mut String) {
    write_two(hour, out);
    out.push(':');
    write_two(minute, out);
    out.push(':');
    write_two(second, out);
}

/// Appends `.789`: the first `digits` digits of a second's nanoseconds; nothing for none.
pub fn write_fraction(nanos: u32, digits: u8, out: &mut String) {
    if digits == 0 {
        return;
    }
    let digits = digits.min(9);
    let shown = nanos / 10_u32.pow(u32::from(9 - digits));
    // Writing to a string cannot fail.
    let _ = write!(out, ".{shown:0width$}", width = usize::from(digits));
}

fn write_year(year: i64, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = if year < 0 {
        write!(out, "-{:04}", year.unsigned_abs())
    } else {
        write!(out, "{:04}", year % 10_000)
    };
}

/// Appends a number of two digits.
pub fn write_two(value: u32, out: &mut String) {
    let at = 2 * (value % 100) as usize;
    out.push_str(&PAIRS[at..at + 2]);
}

/// The numbers 00 to 99.
const PAIRS: &str = "00010203040506070809101112131415161718192021222324\
    25262728293031323334353637383940414243444546474849\
    50515253545556575859606162636465666768697071727374\
    75767778798081828384858687888990919293949596979899";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_round_trip_over_eras() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 3, 1), 11_017);
        assert_eq!(days_from_civil(1, 1, 1), -719_162);
        for days in (-800_000..3_000_000).step_by(13) {
            let (year, month, day) = civil_from_days(days);
            assert!((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day));
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn weeks_follow_iso_8601() {
        let week = |y, m, d| iso_week(days_from_civil(y, m, d));
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2021, 1, 4), (2021, 1));
        assert_eq!(week(2024, 12, 30), (2025, 1));
        assert_eq!(iso_day_of_week(days_from_civil(2024, 2, 29)), 4);
    }

    #[test]
    fn months_keep_the_day_or_take_the_last() {
        let day = days_from_civil;
        assert_eq!(add_months(day(2024, 1, 31), 1), day(2024, 2, 29));
        assert_eq!(add_months(day(2024, 2, 29), 12), day(2025, 2, 28));
        assert_eq!(add_months(day(2024, 1, 15), -13), day(2022, 12, 15));
    }

    #[test]
    fn fields_of_moments_before_the_epoch() {
        let fields = Fields::from_timestamp(-1, 1_000);
        assert_eq!((fields.year, fields.second, fields.nanos), (1969, 59, 999_000_000));
        assert_eq!(fields.to_timestamp(1_000), Some(-1));
        assert_eq!(fields.to_timestamp(1_000_000), Some(-1_000));
    }
}
