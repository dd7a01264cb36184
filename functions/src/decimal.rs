//! DECIMAL: Flink's derivation of precision and scale, and exact arithmetic on unscaled values.
//!
//! Type rules are those of Flink's `LogicalTypeMerging`; rounding is HALF_UP (away from zero at a
//! half); a value with more digits than its precision has no representation (`None`, SQL NULL).

use std::fmt::Write as _;

use arrow::datatypes::i256;
use tidegate_types::TypeKind;
use tidegate_types::sql_type::MAX_DECIMAL_PRECISION;

const MAX: i32 = MAX_DECIMAL_PRECISION as i32;
/// Digits of the fraction that adjustment keeps if it can.
const MIN_ADJUSTED_SCALE: i32 = 6;

/// Precision and scale.
pub type Shape = (u8, u8);

const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// 10 to the power `exponent`, which is at most 38; larger ones are cut to that.
#[inline]
pub fn pow10(exponent: u32) -> i128 {
    POWERS[(exponent as usize).min(POWERS.len() - 1)]
}

/// Precision and scale of an integer type or DECIMAL.
pub fn shape(kind: &TypeKind) -> Option<Shape> {
    match kind {
        TypeKind::TinyInt => Some((3, 0)),
        TypeKind::SmallInt => Some((5, 0)),
        TypeKind::Int => Some((10, 0)),
        TypeKind::BigInt => Some((19, 0)),
        TypeKind::Decimal { precision, scale } => Some((*precision, *scale)),
        _ => None,
    }
}

/// DECIMAL of a shape.
pub fn kind((precision, scale): Shape) -> TypeKind {
    TypeKind::Decimal { precision, scale }
}

/// Cuts a derived shape to 38 digits: the fraction gives way, down to six digits.
fn adjust(precision: i32, scale: i32) -> Shape {
    if precision <= MAX {
        return (precision.max(1) as u8, scale as u8);
    }
    let digits = precision - scale;
    let scale = (MAX - digits).max(scale.min(MIN_ADJUSTED_SCALE));
    (MAX_DECIMAL_PRECISION, scale as u8)
}

fn wide((precision, scale): Shape) -> (i32, i32) {
    (i32::from(precision), i32::from(scale))
}

/// Shape of a sum or difference.
pub fn sum_shape(left: Shape, right: Shape) -> Shape {
    let ((p1, s1), (p2, s2)) = (wide(left), wide(right));
    let scale = s1.max(s2);
    adjust((p1 - s1).max(p2 - s2) + scale + 1, scale)
}

/// Shape of a product.
pub fn product_shape(left: Shape, right: Shape) -> Shape {
    let ((p1, s1), (p2, s2)) = (wide(left), wide(right));
    adjust(p1 + p2 + 1, s1 + s2)
}

/// Shape of a quotient.
pub fn quotient_shape(left: Shape, right: Shape) -> Shape {
    let ((p1, s1), (p2, s2)) = (wide(left), wide(right));
    let scale = (s1 + p2 + 1).max(MIN_ADJUSTED_SCALE);
    adjust(p1 - s1 + s2 + scale, scale)
}

/// Shape of a remainder.
pub fn remainder_shape(left: Shape, right: Shape) -> Shape {
    let ((p1, s1), (p2, s2)) = (wide(left), wide(right));
    let scale = s1.max(s2);
    adjust((p1 - s1).min(p2 - s2) + scale, scale)
}

/// Shape after rounding to `digits` digits of the fraction (negative: left of the point).
pub fn round_shape(shape: Shape, digits: i64) -> Shape {
    let (p, s) = wide(shape);
    if digits >= i64::from(s) {
        return shape;
    }
    if digits < 0 {
        return ((1 + p - s).min(MAX) as u8, 0);
    }
    let digits = digits as i32;
    ((1 + p - s + digits).min(MAX) as u8, digits as u8)
}

/// The smallest shape that holds the values of both, cutting the fraction if 38 digits are too few.
pub fn common_shape(left: Shape, right: Shape) -> Shape {
    let ((p1, s1), (p2, s2)) = (wide(left), wide(right));
    let digits = (p1 - s1).max(p2 - s2).min(MAX);
    let scale = s1.max(s2).min(MAX - digits);
    ((digits + scale).max(1) as u8, scale as u8)
}

/// Whether an unscaled value has at most `precision` digits.
#[inline]
pub fn fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < pow10(u32::from(precision)).unsigned_abs()
}

/// Quotient rounded to the nearest integer, halves away from zero. `divisor` is not 0.
#[inline]
pub fn divide_half_up(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend.wrapping_div(divisor);
    let rest = dividend.wrapping_rem(divisor).unsigned_abs();
    if rest != 0 && rest >= divisor.unsigned_abs() - rest {
        let up = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
        quotient + up
    } else {
        quotient
    }
}

fn divide_half_up_wide(dividend: i256, divisor: i256) -> i256 {
    let quotient = dividend.wrapping_div(divisor);
    let rest = dividend.wrapping_rem(divisor).wrapping_abs();
    if rest != i256::ZERO && rest >= divisor.wrapping_abs().wrapping_sub(rest) {
        let up = if dividend.is_negative() == divisor.is_negative() {
            i256::ONE
        } else {
            i256::MINUS_ONE
        };
        quotient.wrapping_add(up)
    } else {
        quotient
    }
}

fn narrow(value: i256, precision: u8) -> Option<i128> {
    value.to_i128().filter(|value| fits(*value, precision))
}

fn wide_pow10(exponent: u32) -> i256 {
    let low = exponent.min(38);
    i256::from_i128(pow10(low)).wrapping_mul(i256::from_i128(pow10(exponent - low)))
}

/// The value at another scale, rounded; none if it does not fit `precision`.
#[inline]
pub fn rescale(value: i128, from: u8, to: u8, precision: u8) -> Option<i128> {
    let scaled = if to >= from {
        value.checked_mul(pow10(u32::from(to - from)))?
    } else {
        divide_half_up(value, pow10(u32::from(from - to)))
    };
    fits(scaled, precision).then_some(scaled)
}

/// Sum of two unscaled values with the scales `s1` and `s2`, as a value of the shape `to`.
#[inline]
pub fn add(a: i128, s1: u8, b: i128, s2: u8, to: Shape) -> Option<i128> {
    let scale = s1.max(s2);
    let exact = a
        .checked_mul(pow10(u32::from(scale - s1)))
        .zip(b.checked_mul(pow10(u32::from(scale - s2))))
        .and_then(|(a, b)| a.checked_add(b));
    if let Some(exact) = exact {
        return rescale(exact, scale, to.1, to.0);
    }
    let a = i256::from_i128(a).wrapping_mul(wide_pow10(u32::from(scale - s1)));
    let b = i256::from_i128(b).wrapping_mul(wide_pow10(u32::from(scale - s2)));
    rescale_wide(a.wrapping_add(b), scale, to)
}

fn rescale_wide(value: i256, from: u8, (precision, scale): Shape) -> Option<i128> {
    let scaled = if scale >= from {
        value.checked_mul(wide_pow10(u32::from(scale - from)))?
    } else {
        divide_half_up_wide(value, wide_pow10(u32::from(from - scale)))
    };
    narrow(scaled, precision)
}

/// Product, as a value of the shape `to`.
#[inline]
pub fn multiply(a: i128, s1: u8, b: i128, s2: u8, to: Shape) -> Option<i128> {
    match a.checked_mul(b) {
        Some(product) if s1 + s2 == to.1 => fits(product, to.0).then_some(product),
        Some(product) => rescale(product, s1 + s2, to.1, to.0),
        None => rescale_wide(i256::from_i128(a).wrapping_mul(i256::from_i128(b)), s1 + s2, to),
    }
}

/// Quotient, as a value of the shape `to`; `b` is not 0.
pub fn divide(a: i128, s1: u8, b: i128, s2: u8, to: Shape) -> Option<i128> {
    // (a / 10^s1) / (b / 10^s2) × 10^scale = a × 10^(scale + s2 − s1) / b
    let shift = i32::from(to.1) + i32::from(s2) - i32::from(s1);
    if shift >= 0 {
        if shift <= 38
            && let Some(dividend) = a.checked_mul(pow10(shift as u32))
        {
            let quotient = divide_half_up(dividend, b);
            return fits(quotient, to.0).then_some(quotient);
        }
        let dividend = i256::from_i128(a).checked_mul(wide_pow10(shift as u32))?;
        return narrow(divide_half_up_wide(dividend, i256::from_i128(b)), to.0);
    }
    let divisor = i256::from_i128(b).checked_mul(wide_pow10(shift.unsigned_abs()))?;
    narrow(divide_half_up_wide(i256::from_i128(a), divisor), to.0)
}

/// Remainder with the sign of `a`, as a value of the shape `to`; `b` is not 0.
pub fn remainder(a: i128, s1: u8, b: i128, s2: u8, to: Shape) -> Option<i128> {
    let scale = s1.max(s2);
    let a = i256::from_i128(a).wrapping_mul(wide_pow10(u32::from(scale - s1)));
    let b = i256::from_i128(b).wrapping_mul(wide_pow10(u32::from(scale - s2)));
    rescale_wide(a.wrapping_rem(b), scale, to)
}

/// Order of two values of different scales.
pub fn compare(a: i128, s1: u8, b: i128, s2: u8) -> std::cmp::Ordering {
    let scale = s1.max(s2);
    let scaled = |value: i128, from: u8| value.checked_mul(pow10(u32::from(scale - from)));
    match (scaled(a, s1), scaled(b, s2)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => {
            let wide = |value: i128, from: u8| {
                i256::from_i128(value).wrapping_mul(wide_pow10(u32::from(scale - from)))
            };
            wide(a, s1).cmp(&wide(b, s2))
        }
    }
}

/// Rounds at `digits` digits behind the point (negative: before it), keeping the scale of `to`.
pub fn round(value: i128, scale: u8, digits: i64, to: Shape) -> Option<i128> {
    if digits >= i64::from(scale) {
        return rescale(value, scale, to.1, to.0);
    }
    let dropped = i64::from(scale) - digits;
    if dropped > 38 {
        return Some(0);
    }
    let unit = pow10(dropped as u32);
    let rounded = divide_half_up(value, unit).checked_mul(unit)?;
    rescale(rounded, scale, to.1, to.0)
}

/// Appends the value in plain notation with all digits of its scale: `-0.0050`.
pub fn write(value: i128, scale: u8, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    let digits = value.unsigned_abs();
    // Writing to a string cannot fail.
    if scale == 0 {
        let _ = write!(out, "{digits}");
        return;
    }
    let unit = pow10(u32::from(scale)).unsigned_abs();
    let (whole, fraction) = (digits / unit, digits % unit);
    let _ = write!(out, "{whole}.{fraction:0width$}", width = usize::from(scale));
}

/// The double nearest to the value.
pub fn to_f64(value: i128, scale: u8) -> f64 {
    // Exact below 2^53 and 10^22: one rounding. Otherwise the correctly rounded parse of the text.
    if value.unsigned_abs() < 1 << 53 && scale <= 22 {
        return value as f64 / pow10(u32::from(scale)) as f64;
    }
    format!("{value}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// Why a text is not a DECIMAL of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// It is not a number.
    Malformed,
    /// It has too many digits before the point.
    Overflow,
}

/// Reads a number as Java's `BigDecimal` does (`-1.5e3`, `.5`, `5.`) and rounds it to the shape.
///
/// # Errors
/// [`ParseError`].
pub fn parse(text: &str, (precision, scale): Shape) -> Result<i128, ParseError> {
    let (negative, rest) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mantissa_end = rest.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(rest.len());
    let (mantissa, exponent) = rest.split_at(mantissa_end);
    let exponent = parse_exponent(exponent)?;
    let digits = Digits::read(mantissa)?;
    // Digits that stay: those before the point, and `scale` more.
    let kept = digits.before_point + exponent + i64::from(scale);
    let value = digits.take(kept).ok_or(ParseError::Overflow)?;
    if !fits(value, precision) {
        return Err(ParseError::Overflow);
    }
    Ok(if negative { -value } else { value })
}

fn parse_exponent(text: &[u8]) -> Result<i64, ParseError> {
    let Some((_, text)) = text.split_first() else {
        return Ok(0);
    };
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::Malformed);
    }
    Ok(sign * digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// The significant digits of a mantissa. Digits past the buffer do not matter: only the first
/// dropped digit decides about rounding.
struct Digits {
    buffer: [u8; 64],
    length: usize,
    /// Significant digits before the point; negative for zeros behind it.
    before_point: i64,
}

impl Digits {
    fn read(mantissa: &[u8]) -> Result<Self, ParseError> {
        let mut digits = Self { buffer: [0; 64], length: 0, before_point: 0 };
        let (mut any, mut point) = (false, false);
        for byte in mantissa {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    let significant = digits.length > 0 || *byte != b'0';
                    if significant && digits.length < digits.buffer.len() {
                        digits.buffer[digits.length] = byte - b'0';
                        digits.length += 1;
                    }
                    match (significant, point) {
                        (true, false) => digits.before_point += 1,
                        (false, true) => digits.before_point -= 1,
                        _ => {}
                    }
                }
                b'.' if !point => point = true,
                _ => return Err(ParseError::Malformed),
            }
        }
        if any { Ok(digits) } else { Err(ParseError::Malformed) }
    }

    /// The first `count` digits as a number, rounded by the next; none if more than 38.
    fn take(&self, count: i64) -> Option<i128> {
        if self.length == 0 || count < 0 {
            return Some(0);
        }
        if count > i64::from(MAX_DECIMAL_PRECISION) {
            return None;
        }
        let count = count as usize;
        let digit = |i: usize| if i < self.length { self.buffer[i] } else { 0 };
        let value = (0..count).fold(0_i128, |value, i| value * 10 + i128::from(digit(i)));
        Some(if digit(count) >= 5 { value + 1 } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_flink() {
        assert_eq!(sum_shape((10, 2), (5, 4)), (13, 4));
        assert_eq!(sum_shape((38, 10), (38, 10)), (38, 9));
        assert_eq!(product_shape((10, 2), (5, 4)), (16, 6));
        assert_eq!(product_shape((20, 5), (20, 5)), (38, 7));
        assert_eq!(product_shape((38, 10), (38, 10)), (38, 6));
        assert_eq!(quotient_shape((10, 2), (5, 4)), (20, 8));
        assert_eq!(remainder_shape((10, 2), (5, 4)), (5, 4));
        assert_eq!(round_shape((10, 4), 2), (9, 2));
        assert_eq!(round_shape((10, 4), -1), (7, 0));
        assert_eq!(common_shape((10, 2), (5, 4)), (12, 4));
        assert_eq!(common_shape((38, 0), (38, 20)), (38, 0));
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        assert_eq!(rescale(123_455, 3, 2, 5), Some(12_346));
        assert_eq!(rescale(-123_455, 3, 2, 5), Some(-12_346));
        assert_eq!(rescale(999_995, 3, 2, 5), None);
        assert_eq!(divide_half_up(-7, 2), -4);
        assert_eq!(divide_half_up(7, -3), -2);
    }

    #[test]
    fn arithmetic_beyond_128_bits_is_exact() {
        let nines = pow10(38) - 1;
        assert_eq!(multiply(nines, 38, nines, 38, (38, 38)), Some(nines - 1));
        assert_eq!(multiply(nines, 0, nines, 0, (38, 6)), None);
        assert_eq!(divide(1, 0, 3, 0, (38, 20)), Some(33_333_333_333_333_333_333));
        assert_eq!(divide(nines, 0, nines, 0, (38, 6)), Some(1_000_000));
        assert_eq!(remainder(-75, 1, 2, 0, (10, 1)), Some(-15));
        assert_eq!(compare(nines, 0, 1, 38), std::cmp::Ordering::Greater);
    }

    #[test]
    fn reads_what_java_reads() {
        let parse = |text| parse(text, (5, 2));
        assert_eq!(parse("123.455"), Ok(12_346));
        assert_eq!(parse("-.5"), Ok(-50));
        assert_eq!(parse("5."), Ok(500));
        assert_eq!(parse("1e2"), Ok(10_000));
        assert_eq!(parse("0.000000049e5"), Ok(0));
        assert_eq!(parse("0.00000005e5"), Ok(1));
        assert_eq!(parse("1000"), Err(ParseError::Overflow));
        assert_eq!(parse("999.995"), Err(ParseError::Overflow));
        for bad in ["", "-", ".", "1,0", "e5", "1e", "1.2.3", "NaN"] {
            assert_eq!(parse(bad), Err(ParseError::Malformed), "{bad}");
        }
        assert_eq!(super::parse("0e99", (5, 2)), Ok(0));
    }

    #[test]
    fn writes_all_digits_of_the_scale() {
        let text = |value, scale| {
            let mut out = String::new();
            write(value, scale, &mut out);
            out
        };
        assert_eq!(text(-50, 4), "-0.0050");
        assert_eq!(text(0, 5), "0.00000");
        assert_eq!(text(123, 0), "123");
        assert_eq!(text(i128::MIN + 1, 0), (i128::MIN + 1).to_string());
    }
}
