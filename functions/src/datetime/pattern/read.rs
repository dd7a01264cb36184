//! Texts in a pattern as moments.

use super::{DAYS, Flavor, Item, MONTHS, Pattern, is_number, is_zone, zone};
use crate::datetime::civil::{days_from_civil, days_in_month};
use crate::datetime::parse::{Cursor, Moment};

/// A moment on the calendar of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zoned {
    /// What the calendar and the clock show.
    pub moment: Moment,
    /// Distance of the zone from UTC in milliseconds, positive in the east, if the text names it.
    pub offset_ms: Option<i64>,
}

impl Pattern {
    /// Reads a text; fields that the pattern does not have are those of 1970-01-01 00:00:00. A zone
    /// is read and does not matter.
    pub fn parse(&self, text: &str) -> Option<Moment> {
        self.parse_zoned(text).map(|zoned| zoned.moment)
    }

    /// The same with the zone.
    pub fn parse_zoned(&self, text: &str) -> Option<Zoned> {
        let mut cursor = Cursor::new(text);
        let mut read = ReadFields::default();
        self.read(&self.items, &mut cursor, &mut read)?;
        let moment = match self.flavor {
            Flavor::Modern if cursor.at_end() => read.resolve_smartly()?,
            Flavor::Modern => return None,
            Flavor::Legacy => read.resolve_leniently(),
        };
        Some(Zoned { moment, offset_ms: read.offset_ms })
    }

    fn read(&self, items: &[Item], cursor: &mut Cursor<'_>, read: &mut ReadFields) -> Option<()> {
        for (index, item) in items.iter().enumerate() {
            match item {
                Item::Literal(literal) => cursor.expect_text(literal)?,
                Item::Field { letter, count } if is_zone(*letter) => {
                    let offset = zone::read(*letter, *count, self.flavor, cursor)?;
                    read.offset_ms = offset.or(read.offset_ms);
                }
                Item::Field { letter, count } => {
                    let abuts = matches!(
                        items.get(index + 1),
                        Some(Item::Field { letter, count }) if is_number(*letter, *count)
                    );
                    self.read_field(*letter, *count, abuts, cursor, read)?;
                }
                Item::Optional(inner) => {
                    let (mut there, mut fields) = (cursor.clone(), read.clone());
                    if self.read(inner, &mut there, &mut fields).is_some() {
                        (*cursor, *read) = (there, fields);
                    }
                }
            }
        }
        Some(())
    }

    fn read_field(
        &self,
        letter: char,
        count: usize,
        abuts: bool,
        cursor: &mut Cursor<'_>,
        read: &mut ReadFields,
    ) -> Option<()> {
        match letter {
            'a' => {
                read.afternoon = Some(if cursor.expect_text("PM").is_some() {
                    true
                } else {
                    cursor.expect_text("AM")?;
                    false
                });
                return Some(());
            }
            'M' | 'L' if count >= 3 => {
                read.month = Some(read_name(&MONTHS, count, cursor)? as i64 + 1);
                return Some(());
            }
            'E' => return read_name(&DAYS, count, cursor).map(|_| ()),
            'G' => return cursor.expect_text("AD"),
            _ => {}
        }
        let number = self.read_number(letter, count, abuts, cursor)?;
        match letter {
            'y' | 'u' if count == 2 && number < 100 => read.year = Some(2_000 + number),
            'y' | 'u' | 'Y' => read.year = Some(number),
            'M' | 'L' => read.month = Some(number),
            'd' => read.day = Some(number),
            'D' => read.day_of_year = Some(number),
            'H' => read.hour = Some(number),
            'k' => read.hour = Some(number % 24),
            'h' => read.half_day_hour = Some(number % 12),
            'K' => read.half_day_hour = Some(number),
            'm' => read.minute = Some(number),
            's' => read.second = Some(number),
            'S' if self.flavor == Flavor::Legacy => read.nanos = Some(number * 1_000_000),
            'S' => read.nanos = Some(number * 10_i64.pow(9 - count.min(9) as u32)),
            'n' => read.nanos = Some(number),
            // Weeks and quarters do not decide a date.
            _ => {}
        }
        Some(())
    }

    fn read_number(
        &self,
        letter: char,
        count: usize,
        abuts: bool,
        cursor: &mut Cursor<'_>,
    ) -> Option<i64> {
        match self.flavor {
            Flavor::Legacy if abuts => cursor.number(1, count),
            Flavor::Legacy => {
                while cursor.expect(b' ').is_some() {}
                cursor.number(1, 18)
            }
            Flavor::Modern if matches!(letter, 'y' | 'u' | 'Y') && count != 2 => {
                cursor.number(count.min(4), if abuts || count >= 4 { count } else { 18 })
            }
            Flavor::Modern if count == 1 && !abuts && letter != 'S' => cursor.number(1, 18),
            Flavor::Modern if letter == 'D' => cursor.number(count, 3),
            Flavor::Modern => cursor.number(count, count),
        }
    }
}

fn read_name(names: &[&str], count: usize, cursor: &mut Cursor<'_>) -> Option<usize> {
    if count >= 4 {
        return names.iter().position(|name| cursor.expect_text(name).is_some());
    }
    names.iter().position(|name| cursor.expect_text(&name[..3]).is_some())
}

/// What a text says, as far as it says it.
#[derive(Clone, Default)]
struct ReadFields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_day_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset_ms: Option<i64>,
}

impl ReadFields {
    fn hour_of_day(&self) -> i64 {
        match (self.hour, self.half_day_hour, self.afternoon) {
            (Some(hour), _, _) => hour,
            (None, Some(hour), Some(afternoon)) => hour + if afternoon { 12 } else { 0 },
            _ => 0,
        }
    }

    /// Fields must be in range; a day that the month does not have becomes its last.
    fn resolve_smartly(&self) -> Option<Moment> {
        let year = self.year.unwrap_or(1970);
        let (hour, minute) = (self.hour_of_day(), self.minute.unwrap_or(0));
        let second = self.second.unwrap_or(0);
        let days = match self.day_of_year {
            Some(day) if (1..=366).contains(&day) => days_from_civil(year, 1, 1) + day - 1,
            Some(_) => return None,
            None => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
                    return None;
                }
                let month = month as u32;
                days_from_civil(year, month, (day as u32).min(days_in_month(year, month)))
            }
        };
        let valid = hour < 24 && minute < 60 && second < 60;
        let seconds = days * 86_400 + (hour * 60 + minute) * 60 + second;
        valid.then_some(Moment { seconds, nanos: self.nanos.unwrap_or(0) as u32 })
    }

    /// Fields out of range count into the next larger ones.
    fn resolve_leniently(&self) -> Moment {
        // Far beyond any date, so that sums stay within 64 bits.
        let bounded = |value: Option<i64>, default: i64| {
            value.unwrap_or(default).clamp(-100_000_000, 100_000_000)
        };
        let months = bounded(self.year, 1970) * 12 + bounded(self.month, 1) - 1;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        let first = match self.day_of_year {
            Some(_) => days_from_civil(year, 1, 1) + bounded(self.day_of_year, 1) - 1,
            None => days_from_civil(year, month, 1) + bounded(self.day, 1) - 1,
        };
        let minutes = bounded(Some(self.hour_of_day()), 0) * 60 + bounded(self.minute, 0);
        let nanos = self.nanos.unwrap_or(0);
        let seconds = first * 86_400
            + minutes * 60
            + bounded(self.second, 0)
            + nanos.div_euclid(1_000_000_000);
        Moment { seconds, nanos: nanos.rem_euclid(1_000_000_000) as u32 }
    }
}
