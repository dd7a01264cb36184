//! Letters for zones: `X` and `x` (ISO 8601), `Z` (RFC 822), `z` (abbreviations), `VV` (names).

use super::Flavor;
use super::write::{Place, write_number};
use crate::datetime::parse::Cursor;
use crate::datetime::zone::Zone;

/// Abbreviations that both of Java's classes read, with hours from UTC: those of the United States, and Europe's.
const ABBREVIATIONS: [(&str, i64); 16] = [
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
];
const HOUR_MS: i64 = 3_600_000;

/// How the digits of an offset stand.
#[derive(Clone, Copy)]
struct Shape {
    colons: bool,
    minutes: Part,
    seconds: Part,
    /// `Z` stands for no offset.
    zulu: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Never,
    /// Where it is not zero.
    Optional,
    Always,
}

fn shape(letter: char, count: usize, flavor: Flavor) -> Shape {
    let (colons, minutes, seconds) = match (letter, count) {
        ('X', 1) if flavor == Flavor::Legacy => (false, Part::Never, Part::Never),
        ('X' | 'x', 1) => (false, Part::Optional, Part::Never),
        ('X' | 'x', 3) => (true, Part::Always, Part::Never),
        ('X' | 'x', 4) => (false, Part::Always, Part::Optional),
        ('X' | 'x' | 'Z', 5) => (true, Part::Always, Part::Optional),
        _ => (false, Part::Always, Part::Never),
    };
    Shape { colons, minutes, seconds, zulu: letter == 'X' || (letter == 'Z' && count == 5) }
}

/// Reads a zone; inside, milliseconds from UTC, nothing for a name whose distance depends on the
/// moment.
pub(super) fn read(
    letter: char,
    count: usize,
    flavor: Flavor,
    cursor: &mut Cursor<'_>,
) -> Option<Option<i64>> {
    // The old class takes either kind for `z` and `Z`.
    let by_name =
        matches!(letter, 'z' | 'V') || (letter == 'Z' && (count == 4 || flavor == Flavor::Legacy));
    if !by_name {
        return read_offset(shape(letter, count, flavor), cursor).map(Some);
    }
    if flavor == Flavor::Legacy && cursor.rest().starts_with(['+', '-']) {
        return read_offset(shape('Z', 1, flavor), cursor).map(Some);
    }
    let rest = cursor.rest();
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '/' | '_' | '+' | '-' | ':'))
        .unwrap_or(rest.len());
    let name = &rest[..end];
    let offset = match ABBREVIATIONS.iter().find(|(known, _)| *known == name) {
        Some((_, hours)) => Some(hours * HOUR_MS),
        None if flavor == Flavor::Legacy && name == "Z" => return None,
        None => match Zone::parse(name).ok()? {
            Zone::Fixed(offset) => Some(offset),
            Zone::Named(_) if flavor == Flavor::Legacy => return None,
            Zone::Named(_) => None,
        },
    };
    cursor.expect_text(name)?;
    Some(offset)
}

fn read_offset(shape: Shape, cursor: &mut Cursor<'_>) -> Option<i64> {
    if shape.zulu && cursor.expect(b'Z').is_some() {
        return Some(0);
    }
    let sign = if cursor.expect(b'-').is_some() {
        -1
    } else {
        cursor.expect(b'+')?;
        1
    };
    let mut seconds = cursor.number(2, 2)? * 3_600;
    for (part, unit) in [(shape.minutes, 60), (shape.seconds, 1)] {
        if part == Part::Never {
            break;
        }
        let mut ahead = cursor.clone();
        let there = (!shape.colons || ahead.expect(b':').is_some()).then(|| ahead.number(2, 2));
        match there.flatten().filter(|value| *value < 60) {
            Some(value) => seconds += value * unit,
            None if part == Part::Always => return None,
            None => break,
        }
        *cursor = ahead;
    }
    (seconds <= 18 * 3_600).then_some(sign * seconds * 1_000)
}

/// Appends the zone of a place, as the old class does: the modern one has nothing to write.
pub(super) fn write(letter: char, count: usize, place: Place<'_>, out: &mut String) {
    if letter == 'z' {
        out.push_str(&place.zone.abbreviation(place.utc_ms));
        return;
    }
    let seconds = place.zone.offset_at(place.utc_ms) / 1_000;
    let shape = shape(letter, count, Flavor::Legacy);
    if seconds == 0 && shape.zulu {
        out.push('Z');
        return;
    }
    out.push(if seconds < 0 { '-' } else { '+' });
    let seconds = seconds.abs();
    write_number(seconds / 3_600, 2, out);
    for (part, value) in [(shape.minutes, seconds / 60 % 60), (shape.seconds, seconds % 60)] {
        if part == Part::Always || (part == Part::Optional && value != 0) {
            if shape.colons {
                out.push(':');
            }
            write_number(value, 2, out);
        }
    }
}
