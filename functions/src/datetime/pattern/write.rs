//! Moments as texts in a pattern.

use std::fmt::Write as _;

use super::{DAYS, Flavor, Item, MONTHS, Pattern, is_zone, zone, zone_letter};
use crate::datetime::civil::{Fields, day_of_year, days_from_civil, iso_day_of_week, write_two};
use crate::datetime::zone::Zone;

/// Where a moment is shown, for patterns that say so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) zone: &'a Zone,
    pub(super) utc_ms: i64,
}

impl Pattern {
    /// Whether moments without a zone can be written.
    ///
    /// # Errors
    /// What the pattern asks for that they do not have, as a sentence without a subject. Optional
    /// parts may ask for it: they are left out.
    pub fn check_writable(&self) -> Result<(), String> {
        match self.zone {
            Some(letter) => {
                Err(format!("has the letter '{letter}' for a zone, which values do not carry"))
            }
            None => Ok(()),
        }
    }

    /// Appends a moment in this pattern; what is said of a zone is left out.
    pub fn format(&self, moment: &Fields, out: &mut String) {
        self.write(&self.items, moment, None, out);
    }

    /// Appends an instant, milliseconds since 1970, as a clock in the zone shows it.
    pub fn format_in(&self, utc_ms: i64, zone: &Zone, out: &mut String) {
        let moment = Fields::from_timestamp(zone.to_local(utc_ms), 1_000);
        self.write(&self.items, &moment, Some(Place { zone, utc_ms }), out);
    }

    fn write(&self, items: &[Item], moment: &Fields, place: Option<Place<'_>>, out: &mut String) {
        for item in items {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field { letter, count } if is_zone(*letter) => {
                    if let Some(place) = place {
                        zone::write(*letter, *count, place, out);
                    }
                }
                Item::Field { letter, count } => {
                    write_field(*letter, *count, moment, self.flavor, out);
                }
                Item::Optional(inner) => {
                    if place.is_some() || zone_letter(inner).is_none() {
                        self.write(inner, moment, place, out);
                    }
                }
            }
        }
    }
}

/// Appends a number with at least `width` digits; the sign of a negative one counts as a digit.
pub(super) fn write_number(value: i64, width: usize, out: &mut String) {
    match (value, width) {
        (0..=9, 1) => out.push(char::from(b'0' + value as u8)),
        (0..=99, 2) => write_two(value as u32, out),
        (0..=9_999, 4) => {
            write_two((value / 100) as u32, out);
            write_two((value % 100) as u32, out);
        }
        // Writing to a string cannot fail.
        _ => {
            let _ = write!(out, "{value:0width$}");
        }
    }
}

fn write_field(letter: char, count: usize, moment: &Fields, flavor: Flavor, out: &mut String) {
    let number = |value: i64, out: &mut String| write_number(value, count, out);
    match letter {
        'y' | 'u' | 'Y' => {
            let year = if letter == 'Y' { week_of_year(moment).0 } else { moment.year };
            if count == 2 {
                write_two(year.rem_euclid(100) as u32, out);
            } else {
                if flavor == Flavor::Modern && count >= 4 && year > 9_999 {
                    out.push('+');
                }
                number(year, out);
            }
        }
        'M' | 'L' if count >= 3 => name(MONTHS[(moment.month as usize + 11) % 12], count, out),
        'M' | 'L' => number(i64::from(moment.month), out),
        'd' => number(i64::from(moment.day), out),
        'D' => number(day_of_year(moment.days()), out),
        'E' => name(DAYS[(iso_day_of_week(moment.days()) as usize + 6) % 7], count, out),
        'a' => out.push_str(if moment.hour < 12 { "AM" } else { "PM" }),
        'G' => out.push_str(if moment.year > 0 { "AD" } else { "BC" }),
        'H' => number(i64::from(moment.hour), out),
        'k' => number(i64::from((moment.hour + 23) % 24 + 1), out),
        'h' => number(i64::from((moment.hour + 11) % 12 + 1), out),
        'K' => number(i64::from(moment.hour % 12), out),
        'm' => number(i64::from(moment.minute), out),
        's' => number(i64::from(moment.second), out),
        'S' if flavor == Flavor::Legacy => number(i64::from(moment.nanos / 1_000_000), out),
        'S' => {
            let digits = count.min(9);
            let shown = moment.nanos / 10_u32.pow(9 - digits as u32);
            write_number(i64::from(shown), digits, out);
        }
        'n' => number(i64::from(moment.nanos), out),
        'Q' => write_quarter(moment.month.div_ceil(3), count, out),
        'w' => number(week_of_year(moment).1, out),
        _ => {}
    }
}

fn name(full: &str, count: usize, out: &mut String) {
    out.push_str(match count {
        4 => full,
        5 => &full[..1],
        _ => &full[..3],
    });
}

fn write_quarter(quarter: u32, count: usize, out: &mut String) {
    let ordinal = ["st", "nd", "rd", "th"][(quarter as usize + 3) % 4];
    let _ = match count {
        1 | 5 => write!(out, "{quarter}"),
        2 => write!(out, "0{quarter}"),
        3 => write!(out, "Q{quarter}"),
        _ => write!(out, "{quarter}{ordinal} quarter"),
    };
}

/// Year and week as in the United States: weeks begin on Sunday, week 1 has 1 January.
fn week_of_year(moment: &Fields) -> (i64, i64) {
    let days = moment.days();
    let week_start = |day: i64| day - iso_day_of_week(day) % 7;
    let next = week_start(days_from_civil(moment.year + 1, 1, 1));
    if days >= next {
        return (moment.year + 1, 1);
    }
    let first = week_start(days_from_civil(moment.year, 1, 1));
    (moment.year, (days - first) / 7 + 1)
}
