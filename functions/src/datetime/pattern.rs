//! Java's date and time patterns (`yyyy-MM-dd HH:mm:ss.SSS`), for writing and for reading.
//!
//! Two flavours, because Flink uses both of Java's classes: [`Flavor::Modern`] is
//! `DateTimeFormatter` (DATE_FORMAT, TO_TIMESTAMP): strict about widths, all of the text must be
//! read, a day too large becomes the month's last. [`Flavor::Legacy`] is a lenient
//! `SimpleDateFormat` (FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ, TO_DATE with a pattern): numbers
//! of any width, values roll over, text behind the pattern is ignored. Texts are English.
//!
//! Parts in brackets are optional ([`Flavor::Modern`] only). Letters for zones are read: the modern
//! flavour checks what stands there and goes on, as Flink's functions ignore it; the legacy one
//! counts from it. Values carry no zone, so the modern flavour writes none.

mod read;
mod write;
mod zone;

pub use read::Zoned;

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
    /// A letter for a zone outside of optional parts.
    zone: Option<char>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    Field { letter: char, count: usize },
    Optional(Vec<Item>),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without a subject.
    pub fn compile(text: &str, flavor: Flavor) -> Result<Self, String> {
        let mut items = Vec::new();
        // What stood before each bracket that is still open.
        let mut outer: Vec<Vec<Item>> = Vec::new();
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
                '[' if flavor == Flavor::Modern => {
                    if outer.len() == MAX_DEPTH {
                        return Err(format!(
                            "has more than {MAX_DEPTH} optional parts inside each other"
                        ));
                    }
                    outer.push(std::mem::take(&mut items));
                }
                ']' if flavor == Flavor::Modern => close(&mut items, &mut outer)?,
                '{' | '}' | '#' if flavor == Flavor::Modern => {
                    return Err(format!("uses '{c}', which is reserved in patterns"));
                }
                other => literal(&mut items, other.encode_utf8(&mut [0; 4])),
            }
        }
        while !outer.is_empty() {
            close(&mut items, &mut outer)?;
        }
        let zone = zone_letter(&items);
        Ok(Self { items, flavor, zone })
    }
}

/// Ends the innermost optional part.
fn close(items: &mut Vec<Item>, outer: &mut Vec<Vec<Item>>) -> Result<(), String> {
    let Some(before) = outer.pop() else {
        return Err("has a ']' without a '['".to_owned());
    };
    let inner = std::mem::replace(items, before);
    items.push(Item::Optional(inner));
    Ok(())
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
        'Z' => 5,
        'X' if flavor == Flavor::Legacy && count > 3 => {
            return Err("has too many letters 'X'".to_owned());
        }
        'X' => 5,
        'z' if count > 3 => return Err("asks for the long name of a zone".to_owned()),
        'z' => 3,
        'x' if flavor == Flavor::Modern => 5,
        'V' if flavor == Flavor::Modern && count == 2 => 2,
        _ => return Err(format!("has the unknown letter '{letter}'")),
    };
    if flavor == Flavor::Modern && count > most {
        return Err(format!("has too many letters '{letter}'"));
    }
    Ok(())
}

fn is_number(letter: char, count: usize) -> bool {
    !matches!((letter, count), ('a' | 'E' | 'G', _) | ('M' | 'L' | 'Q', 3..)) && !is_zone(letter)
}

fn is_zone(letter: char) -> bool {
    matches!(letter, 'z' | 'Z' | 'X' | 'x' | 'V')
}

/// A letter for a zone outside of optional parts.
fn zone_letter(items: &[Item]) -> Option<char> {
    items.iter().find_map(|item| match item {
        Item::Field { letter, .. } if is_zone(*letter) => Some(*letter),
        _ => None,
    })
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
/// Optional parts inside each other.
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests;
