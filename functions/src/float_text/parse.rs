//! Reading FLOAT and DOUBLE as Java does.

/// Reads a DOUBLE as `Double.parseDouble` does: blanks around it, `NaN`, `Infinity`, a suffix
/// `d` or `f`, hexadecimal notation.
pub fn parse_f64(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    if let Some(special) = parse_special(text) {
        return Some(special);
    }
    let body = decimal_body(text)?;
    if is_hexadecimal(body) { parse_hexadecimal(body) } else { body.parse().ok() }
}

/// Reads a FLOAT as `Float.parseFloat` does.
pub fn parse_f32(text: &str) -> Option<f32> {
    let text = text.trim_matches(|c: char| c <= ' ');
    if let Some(special) = parse_special(text) {
        return Some(special as f32);
    }
    let body = decimal_body(text)?;
    if is_hexadecimal(body) {
        parse_hexadecimal(body).map(|value| value as f32)
    } else {
        body.parse().ok()
    }
}

fn parse_special(text: &str) -> Option<f64> {
    let (sign, name) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match name {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(sign * f64::INFINITY),
        _ => None,
    }
}

/// The text without its type suffix, if only characters of numbers are left.
fn decimal_body(text: &str) -> Option<&str> {
    let hexadecimal = is_hexadecimal(text);
    let body = match text.strip_suffix(['f', 'F', 'd', 'D']) {
        // In hexadecimal notation those are digits unless an exponent stands before.
        Some(body) if !hexadecimal || body.contains(['p', 'P']) => body,
        _ => text,
    };
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    (hexadecimal || body.bytes().all(plain)).then_some(body)
}

fn is_hexadecimal(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with("0x") || digits.starts_with("0X")
}

fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let (mantissa, exponent) = digits.get(2..)?.split_once(['p', 'P'])?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let (mut value, mut point, mut any) = (0.0_f64, false, false);
    for c in mantissa.chars() {
        match c.to_digit(16) {
            Some(digit) => {
                value = value * 16.0 + f64::from(digit);
                exponent = exponent.saturating_sub(if point { 4 } else { 0 });
                any = true;
            }
            None if c == '.' && !point => point = true,
            None => return None,
        }
    }
    any.then(|| sign * value * 2.0_f64.powi(exponent))
}
