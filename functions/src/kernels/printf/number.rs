//! Numbers in the forms of `%d`, `%x`, `%o`, `%f`, `%e` and `%g`.

use super::{Field, pad};
use crate::float_text::write_f64;

/// Appends a whole number of so many bits.
pub(super) fn write_integer(value: i64, bits: u32, field: &Field, out: &mut String) -> bool {
    // Hexadecimal and octal digits are those of the two's complement.
    let unsigned = if bits < 64 { value as u64 & ((1 << bits) - 1) } else { value as u64 };
    let digits = match field.conversion {
        'd' => {
            signed(value < 0, &value.unsigned_abs().to_string(), field, out);
            return true;
        }
        'o' => format!("{}{unsigned:o}", if field.flags.alternate { "0" } else { "" }),
        'X' => format!("{}{unsigned:X}", if field.flags.alternate { "0X" } else { "" }),
        _ => format!("{}{unsigned:x}", if field.flags.alternate { "0x" } else { "" }),
    };
    if field.flags.zeros {
        let prefix = if field.flags.alternate && field.conversion != 'o' { 2 } else { 0 };
        out.push_str(&digits[..prefix]);
        out.extend(std::iter::repeat_n('0', field.width.saturating_sub(digits.len())));
        out.push_str(&digits[prefix..]);
    } else {
        pad(&digits, field, out);
    }
    true
}

/// Sign, grouping, zeros and padding around digits.
fn signed(negative: bool, digits: &str, field: &Field, out: &mut String) {
    let flags = field.flags;
    let grouped = if flags.groups { group(digits) } else { digits.to_owned() };
    let (before, behind) = match negative {
        true if flags.brackets => ("(", ")"),
        true => ("-", ""),
        false if flags.plus => ("+", ""),
        false if flags.space => (" ", ""),
        false => ("", ""),
    };
    let length = before.len() + grouped.len() + behind.len();
    let zeros = if flags.zeros { field.width.saturating_sub(length) } else { 0 };
    pad(&format!("{before}{}{grouped}{behind}", "0".repeat(zeros)), field, out);
}

/// A comma before every three digits of the whole part.
fn group(digits: &str) -> String {
    let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let mut out = String::with_capacity(digits.len() + whole / 3);
    for (at, c) in digits[..whole].chars().enumerate() {
        if at > 0 && (whole - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out.push_str(&digits[whole..]);
    out
}

/// Appends a DOUBLE; the digits are those of `Double.toString`, rounded half up.
pub(super) fn write_float(value: f64, field: &Field, out: &mut String) -> bool {
    if !value.is_finite() {
        let text = match (value.is_nan(), value < 0.0) {
            (true, _) => "NaN",
            (_, true) if field.flags.brackets => "(Infinity)",
            (_, true) => "-Infinity",
            _ if field.flags.plus => "+Infinity",
            _ => "Infinity",
        };
        pad(text, field, out);
        return true;
    }
    let precision = field.precision.unwrap_or(6);
    let number = Decimal::new(value.abs());
    let text = match field.conversion {
        'f' => number.fixed(precision, field.flags.alternate),
        'e' | 'E' => number.scientific(precision, field.flags.alternate),
        _ => {
            let digits = precision.max(1);
            let rounded = number.rounded(digits as i32 - number.exponent);
            // From 10⁻⁴ to below 10^precision without an exponent.
            let magnitude = rounded.exponent;
            if rounded.is_zero() || (-3..=digits as i32).contains(&magnitude) {
                let whole = if rounded.is_zero() { 1 } else { magnitude };
                number.fixed((digits as i32 - whole).max(0) as usize, false)
            } else {
                number.scientific(digits - 1, false)
            }
        }
    };
    let text = if field.conversion.is_ascii_uppercase() { text.to_uppercase() } else { text };
    signed(value.is_sign_negative(), &text, field, out);
    true
}

/// 0.d₁d₂… × 10^exponent.
struct Decimal {
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    /// The digits that Java writes for a number that is not negative.
    fn new(value: f64) -> Self {
        let mut text = String::new();
        write_f64(value, &mut text);
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let whole = mantissa.find('.').unwrap_or(mantissa.len()) as i32;
        let mut digits: Vec<u8> =
            mantissa.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let exponent = exponent.parse::<i32>().unwrap_or(0) + whole - leading as i32;
        Self { exponent: if digits.is_empty() { 0 } else { exponent }, digits }
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Rounded half up to so many digits behind the point.
    fn rounded(&self, behind: i32) -> Self {
        let kept = i64::from(self.exponent) + i64::from(behind);
        let Ok(kept) = usize::try_from(kept) else {
            return Self { digits: Vec::new(), exponent: 0 };
        };
        if kept >= self.digits.len() {
            return Self { digits: self.digits.clone(), exponent: self.exponent };
        }
        let mut digits = self.digits[..kept].to_vec();
        let mut exponent = self.exponent;
        if self.digits[kept] >= 5 {
            match digits.iter().rposition(|digit| *digit < 9) {
                Some(at) => {
                    digits[at] += 1;
                    digits.truncate(at + 1);
                }
                None => {
                    digits = vec![1];
                    exponent += 1;
                }
            }
        }
        Self { digits, exponent }
    }

    fn digit(&self, place: i32) -> char {
        let digit = usize::try_from(place).ok().and_then(|place| self.digits.get(place));
        char::from(b'0' + digit.copied().unwrap_or(0))
    }

    fn fixed(&self, precision: usize, point: bool) -> String {
        let rounded = self.rounded(precision as i32);
        let mut text = String::new();
        match rounded.exponent {
            exponent if exponent > 0 => {
                text.extend((0..exponent).map(|place| rounded.digit(place)))
            }
            _ => text.push('0'),
        }
        if precision > 0 || point {
            text.push('.');
        }
        let places = 0..precision as i32;
        text.extend(places.map(|place| rounded.digit(rounded.exponent + place)));
        text
    }

    fn scientific(&self, precision: usize, point: bool) -> String {
        let rounded = self.rounded(precision as i32 + 1 - self.exponent);
        let mut text = String::from(rounded.digit(0));
        if precision > 0 || point {
            text.push('.');
        }
        text.extend((1..=precision as i32).map(|place| rounded.digit(place)));
        let exponent = if rounded.is_zero() { 0 } else { rounded.exponent - 1 };
        let sign = if exponent < 0 { '-' } else { '+' };
        text + &format!("e{sign}{:02}", exponent.abs())
    }
}
