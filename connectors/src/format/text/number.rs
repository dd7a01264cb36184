//! Writing numbers as Java prints them, and reading them as Java's parsers do.

use lexical_core::FormattedSize as _;
use tidegate_functions::float_text;

/// Bytes of the longest DOUBLE: `-2.2250738585072014E-308`.
const LONGEST_FLOAT: usize = 24;

/// Appends an integer.
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    let mut buffer = [0; i64::FORMATTED_SIZE_DECIMAL];
    out.extend_from_slice(lexical_core::write(value, &mut buffer));
}

/// Appends a DOUBLE as Java's `Double.toString` does: `1.0`, `1.0E-5`, `NaN`.
pub(crate) fn write_double(value: f64, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(LONGEST_FLOAT);
    float_text::write_f64(value, &mut text);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a FLOAT as Java's `Float.toString` does.
pub(crate) fn write_float(value: f32, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(LONGEST_FLOAT);
    float_text::write_f32(value, &mut text);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a DECIMAL with all digits of its scale: `1.50`.
pub(crate) fn write_plain_decimal(value: i128, scale: u8, out: &mut Vec<u8>) {
    let mut buffer = [0; u128::FORMATTED_SIZE_DECIMAL];
    let digits = lexical_core::write(value.unsigned_abs(), &mut buffer);
    if value < 0 {
        out.push(b'-');
    }
    write_point(digits, usize::from(scale), out);
}

/// Appends a DECIMAL as Java's `BigDecimal` prints itself after its zeros were stripped: `1.5`, `1E+2`,
/// `1E-7`.
pub(crate) fn write_stripped_decimal(value: i128, scale: u8, out: &mut Vec<u8>) {
    if value == 0 {
        out.push(b'0');
        return;
    }
    let mut buffer = [0; u128::FORMATTED_SIZE_DECIMAL];
    let digits: &[u8] = lexical_core::write(value.unsigned_abs(), &mut buffer);
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let digits = &digits[..digits.len() - zeros];
    let scale = i32::from(scale) - zeros as i32;
    if value < 0 {
        out.push(b'-');
    }
    let exponent = digits.len() as i32 - 1 - scale;
    if scale >= 0 && exponent >= -6 {
        write_point(digits, scale as usize, out);
        return;
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'E');
    if exponent > 0 {
        out.push(b'+');
    }
    write_integer(i64::from(exponent), out);
}

/// Appends digits with a point before the last `scale` of them.
fn write_point(digits: &[u8], scale: usize, out: &mut Vec<u8>) {
    if scale == 0 {
        out.extend_from_slice(digits);
        return;
    }
    match digits.len().checked_sub(scale) {
        Some(whole @ 1..) => {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + scale - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }
}

/// The bytes without the white space and control characters at both ends that Java's `trim` removes.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [0..=b' ', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., 0..=b' '] = text {
        text = rest;
    }
    text
}

/// An optional sign and digits, as Java's `parseLong` reads them. `None`: not a number, or out of range.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Built up as a negative number, whose range is one larger.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A floating-point number as Java's `parseDouble` reads it: `1.5`, `1e3`, `NaN`, `-Infinity`, `2.5f`.
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    match parse_special(text) {
        Some(special) => Some(special),
        None => lexical_core::parse(decimal_part(text)?).ok(),
    }
}

/// As [`parse_double`], rounded once to a FLOAT.
pub(crate) fn parse_float(text: &[u8]) -> Option<f32> {
    match parse_special(text) {
        Some(special) => Some(special as f32),
        None => lexical_core::parse(decimal_part(text)?).ok(),
    }
}

fn parse_special(text: &[u8]) -> Option<f64> {
    match text {
        b"NaN" | b"+NaN" | b"-NaN" => Some(f64::NAN),
        b"Infinity" | b"+Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The number without Java's type suffix, if it consists of what decimal numbers consist of (the
/// parser below would also take `inf`).
fn decimal_part(text: &[u8]) -> Option<&[u8]> {
    let number = match text {
        [rest @ .., b'f' | b'F' | b'd' | b'D'] => rest,
        rest => rest,
    };
    let decimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
    number.iter().all(decimal).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(value: i128, scale: u8) -> String {
        let mut out = Vec::new();
        write_stripped_decimal(value, scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn plain(value: i128, scale: u8) -> String {
        let mut out = Vec::new();
        write_plain_decimal(value, scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_as_flink_writes_them() {
        assert_eq!(stripped(150, 2), "1.5");
        assert_eq!(stripped(10_000, 2), "1E+2");
        assert_eq!(stripped(12_000, 1), "1.2E+3");
        assert_eq!(stripped(0, 2), "0");
        assert_eq!(stripped(1, 7), "1E-7");
        assert_eq!(stripped(1, 6), "0.000001");
        assert_eq!(stripped(-12_345_678_901_234_567_890_123, 3), "-12345678901234567890.123");
        assert_eq!(plain(150, 2), "1.50");
        assert_eq!(plain(0, 2), "0.00");
        assert_eq!(plain(-5, 3), "-0.005");
        assert_eq!(plain(1, 7), "0.0000001");
        assert_eq!(plain(i128::MIN, 0), i128::MIN.to_string());
    }

    #[test]
    fn integers_as_java_reads_them() {
        assert_eq!(parse_integer(b"+7"), Some(7));
        assert_eq!(parse_integer(b"0012"), Some(12));
        assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
        for wrong in ["", "-", "1.5", "9223372036854775808", " 1", "1e2", "0x1"] {
            assert_eq!(parse_integer(wrong.as_bytes()), None, "{wrong}");
        }
        for value in [0, 7, -7, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_integer(value, &mut out);
            assert_eq!(parse_integer(&out), Some(value));
        }
        assert_eq!(trim(b" \t7\n "), b"7");
    }

    #[test]
    fn doubles_as_java_reads_them() {
        assert_eq!(parse_double(b"1.5"), Some(1.5));
        assert_eq!(parse_double(b"1e3d"), Some(1000.0));
        assert_eq!(parse_double(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_double(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert!(parse_double(b"NaN").is_some_and(f64::is_nan));
        for wrong in ["", "inf", "nan", "x", "1,5", "1.5.5", "e5", "--1", "f"] {
            assert_eq!(parse_double(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse_float(b"16777217"), Some(16_777_216.0));
        assert_eq!(parse_float(b"1e39"), Some(f32::INFINITY));
    }
}
