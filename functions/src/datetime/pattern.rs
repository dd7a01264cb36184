//! Java's date and time patterns (`yyyy-MM-dd HH:mm:ss.SSS`), for writing and for reading.
//!
//! Two flavours, because Flink uses both of Java's classes: [`Flavor::Modern`] is
//! `DateTimeFormatter` (DATE_FORMAT, TO_TIMESTAMP): strict about widths, all of the text must be
//! read, a day too large becomes the month's last. [`Flavor::Legacy`] is a lenient
//! `SimpleDateFormat` (FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ, TO_DATE with a pattern): numbers
//! of any width, values roll over, text behind the pattern is ignored. Texts are English; letters
//! for zones are not supported.

use std::fmt::Write as _;

use super::civil::{
    Fields, day_of_year, days_from_civil, days_in_month, iso_day_of_week, write_two,
};
use super::parse::{Cursor, Moment};

/// Which of Java's classes a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// `java.time.format.DateTimeFormatter`
    Modern,
    /// `java.text.SimpleDateFormat`
    Legacy,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    items: Vec<Item>,
    flavor: Flavor,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    Field { letter: char, count: usize },
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without a subject.
    pub fn compile(text: &str, flavor: Flavor) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => literal(&mut items, &quoted(&mut chars)?),
                'a'..='z' | 'A'..='Z' => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    check(c, count, flavor)?;
                    items.push(Item::Field { letter: c, count });
                }
                '[' | ']' | '{' | '}' | '#' if flavor == Flavor::Modern => {
                    return Err(format!("uses '{c}', which is not supported in patterns"));
                }
                other => literal(&mut items, other.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(Self { items, flavor })
    }

    /// Appends a moment in this pattern.
    pub fn format(&self, moment: &Fields, out: &mut String) {
        for item in &self.items {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field { letter, count } => {
                    write_field(*letter, *count, moment, self.flavor, out);
                }
            }
        }
    }

    /// Reads a text; fields that the pattern does not have are those of 1970-01-01 00:00:00.
    pub fn parse(&self, text: &str) -> Option<Moment> {
        let mut cursor = Cursor::new(text);
        let mut read = ReadFields::default();
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Literal(literal) => cursor.expect_text(literal)?,
                Item::Field { letter, count } => {
                    let abuts = matches!(
                        self.items.get(index + 1),
                        Some(Item::Field { letter, count }) if is_number(*letter, *count)
                    );
                    self.read_field(*letter, *count, abuts, &mut cursor, &mut read)?;
                }
            }
        }
        if self.flavor == Flavor::Modern {
            return if cursor.at_end() { read.resolve_smartly() } else { None };
        }
        Some(read.resolve_leniently())
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

fn literal(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Literal(last)) = items.last_mut() {
        last.push_str(text);
    } else {
        items.push(Item::Literal(text.to_owned()));
    }
}

/// A text up to the closing quote; two quotes stand for one, also alone.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match chars.next() {
            Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            Some('\'') => return Ok(text),
            Some(c) => text.push(c),
            None => return Err("has a quoted text without an end".to_owned()),
        }
    }
}

/// Whether a letter exists, and may stand that often.
fn check(letter: char, count: usize, flavor: Flavor) -> Result<(), String> {
    let most = match letter {
        'y' | 'u' | 'Y' | 'n' => 18,
        'M' | 'L' | 'E' | 'G' | 'Q' => 5,
        'S' => 9,
        'D' => 3,
        'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' | 'w' => 2,
        'a' => 1,
        'z' | 'Z' | 'X' | 'x' | 'V' | 'O' | 'v' => {
            return Err(format!("has the letter '{letter}' for a zone, which values do not carry"));
        }
        _ => return Err(format!("has the unknown letter '{letter}'")),
    };
    if flavor == Flavor::Modern && count > most {
        return Err(format!("has too many letters '{letter}'"));
    }
    Ok(())
}

fn is_number(letter: char, count: usize) -> bool {
    !matches!((letter, count), ('a' | 'E' | 'G', _) | ('M' | 'L' | 'Q', 3..))
}

fn read_name(names: &[&str], count: usize, cursor: &mut Cursor<'_>) -> Option<usize> {
    if count >= 4 {
        return names.iter().position(|name| cursor.expect_text(name).is_some());
    }
    names.iter().position(|name| cursor.expect_text(&name[..3]).is_some())
}

fn write_field(letter: char, count: usize, moment: &Fields, flavor: Flavor, out: &mut String) {
    let number = |value: i64, out: &mut String| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{value:0count$}");
    };
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
            let _ = write!(out, "{shown:0digits$}");
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

/// What a text says, as far as it says it.
#[derive(Default)]
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

#[cfg(test)]
mod tests;
