//! Numbers in the form of Java's `BigDecimal`, as Flink's JSON functions show them.

/// Appends a JSON number as `BigDecimal.toString` writes it: all digits that were given, with an
/// exponent where the scale is negative or the number is below 10⁻⁶. Whole numbers without an
/// exponent stay as they are.
pub fn write(text: &str, out: &mut String) {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let integral = mantissa.len() == digits.len() && mantissa.len() == whole.len();
    let unscaled: String = whole.chars().chain(fraction.chars()).collect();
    let unscaled = unscaled.trim_start_matches('0');
    let unscaled = if unscaled.is_empty() { "0" } else { unscaled };
    if negative && unscaled != "0" {
        out.push('-');
    }
    // An exponent too large for a number is as large as Java allows.
    let exponent: i64 =
        if exponent.is_empty() { 0 } else { exponent.parse().unwrap_or(i64::from(i32::MAX)) };
    let scale = fraction.len() as i64 - exponent;
    write_scaled(unscaled, if integral { 0 } else { scale }, out);
}

/// Appends unscaled digits × 10^−scale.
fn write_scaled(unscaled: &str, scale: i64, out: &mut String) {
    let digits = unscaled.len() as i64;
    let adjusted = digits - 1 - scale;
    if scale == 0 {
        out.push_str(unscaled);
    } else if scale > 0 && adjusted >= -6 {
        let point = digits - scale;
        if point > 0 {
            out.push_str(&unscaled[..point as usize]);
            out.push('.');
            out.push_str(&unscaled[point as usize..]);
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', -point as usize));
            out.push_str(unscaled);
        }
    } else {
        out.push_str(&unscaled[..1]);
        if digits > 1 {
            out.push('.');
            out.push_str(&unscaled[1..]);
        }
        if adjusted != 0 {
            out.push('E');
            if adjusted > 0 {
                out.push('+');
            }
            out.push_str(&adjusted.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_decimals() {
        for (text, wanted) in [
            ("1.10", "1.10"),
            ("1e3", "1E+3"),
            ("0.1e-10", "1E-11"),
            ("12345678901234567890", "12345678901234567890"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1.5E2", "1.5E+2"),
            ("15e-1", "1.5"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("-2.50e0", "-2.50"),
            ("1e0", "1"),
            ("1E400", "1E+400"),
            ("0e5", "0E+5"),
        ] {
            let mut out = String::new();
            write(text, &mut out);
            assert_eq!(out, wanted, "{text}");
        }
    }
}
