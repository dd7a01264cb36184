//! Rows as text in one canonical form, and the comparison of two multisets of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};

/// A row: one value per column as text, none for NULL.
pub type Row = Vec<Option<String>>;

/// How values of a column are written by different systems, and so how they are made equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As it stands.
    Text,
    /// An integer.
    Integer,
    /// An exact number: trailing zeros and exponents do not count.
    Decimal,
    /// A floating-point number: compared by value.
    Float,
    /// `true` or `false`, in any case.
    Boolean,
    /// `yyyy-MM-dd HH:mm:ss` with a fraction whose trailing zeros do not count.
    Timestamp,
}

/// The one form of a value.
///
/// # Errors
/// If the text is no such value.
pub fn canonical(shape: Shape, text: &str) -> Result<String> {
    match shape {
        Shape::Text => Ok(text.to_owned()),
        Shape::Boolean => Ok(text.to_ascii_lowercase()),
        Shape::Integer => {
            Ok(text.parse::<i128>().with_context(|| format!("'{text}' is no integer"))?.to_string())
        }
        Shape::Float => float(text),
        Shape::Decimal => decimal(text),
        Shape::Timestamp => Ok(timestamp(text)),
    }
}

/// The one form of a row.
///
/// # Errors
/// If a value does not fit its column, or there are more or fewer values than columns.
pub fn canonical_row(shapes: &[Shape], row: &Row) -> Result<Row> {
    if shapes.len() != row.len() {
        return Err(anyhow!("{} values for {} columns: {row:?}", row.len(), shapes.len()));
    }
    let values = shapes.iter().zip(row);
    values
        .map(|(shape, value)| value.as_deref().map(|text| canonical(*shape, text)).transpose())
        .collect()
}

fn float(text: &str) -> Result<String> {
    let value: f64 = text.parse().with_context(|| format!("'{text}' is no number"))?;
    // −0 and 0 are one value.
    Ok(format!("{:e}", if value == 0.0 { 0.0 } else { value }))
}

fn decimal(text: &str) -> Result<String> {
    let wrong = || anyhow!("'{text}' is no decimal");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok("0".to_owned());
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let exponent = exponent - fraction.len() as i32 + zeros as i32;
    Ok(format!("{sign}{significant}e{exponent}"))
}

fn timestamp(text: &str) -> String {
    let text = text.replace('T', " ");
    match text.split_once('.') {
        Some((seconds, fraction)) => {
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{seconds}{point}{fraction}")
        }
        None => text,
    }
}

/// What differs between two multisets of rows, for people; none if nothing does.
pub fn difference(expected_name: &str, expected: &[Row], actual: &[Row]) -> Option<String> {
    const SHOWN: usize = 8;
    let mut counts: BTreeMap<&Row, i64> = BTreeMap::new();
    expected.iter().for_each(|row| *counts.entry(row).or_default() += 1);
    actual.iter().for_each(|row| *counts.entry(row).or_default() -= 1);
    let missing: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    let extra: Vec<_> = counts.iter().filter(|(_, count)| **count < 0).collect();
    if missing.is_empty() && extra.is_empty() {
        return None;
    }
    let mut text = format!(
        "{} rows of {expected_name}, {} of Tidegate; {} are missing, {} are too many",
        expected.len(),
        actual.len(),
        missing.len(),
        extra.len()
    );
    for (mark, rows) in [("missing", missing), ("too many", extra)] {
        for (row, count) in rows.into_iter().take(SHOWN) {
            text.push_str(&format!("\n  {mark} ({}): {}", count.abs(), show(row)));
        }
    }
    Some(text)
}

fn show(row: &Row) -> String {
    row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: Shape, forms: &[&str], other: &str) {
        let canonical = |text: &str| canonical(shape, text).unwrap();
        for form in forms {
            assert_eq!(canonical(form), canonical(forms[0]));
        }
        assert_ne!(canonical(forms[0]), canonical(other));
    }

    #[test]
    fn one_form_per_value() {
        check(Shape::Decimal, &["100.00", "1E+2", "100", "0100.0"], "100.01");
        check(Shape::Decimal, &["-0.50", "-.5", "-5E-1"], "0.5");
        check(Shape::Decimal, &["0", "0.00", "-0"], "1");
        check(Shape::Float, &["1.0E10", "1e10", "10000000000"], "1.0000000001E10");
        check(
            Shape::Timestamp,
            &["2024-01-01 00:00:01.500", "2024-01-01T00:00:01.5"],
            "2024-01-01 00:00:01",
        );
        check(Shape::Boolean, &["TRUE", "true"], "false");
        assert!(canonical(Shape::Decimal, "1x").is_err());
    }

    #[test]
    fn multisets_are_compared_with_their_counts() {
        let row = |text: &str| vec![Some(text.to_owned()), None];
        let (a, b) = (row("a"), row("b"));
        assert_eq!(difference("x", &[a.clone(), b.clone()], &[b.clone(), a.clone()]), None);
        let text = difference("x", &[a.clone(), b.clone()], &[a.clone(), a]).unwrap();
        assert!(
            text.contains("missing (1): b | NULL") && text.contains("too many (1): a | NULL"),
            "{text}"
        );
    }
}
