//! FLOAT and DOUBLE as Java 17 writes and reads them, digit by digit.
//!
//! Java up to 18 does not always write the shortest text that reads back as the same number
//! (2³¹ as FLOAT is `2.14748365E9`), so its digit generation is followed here: Steele and White's
//! free-format algorithm with the estimates and stopping tests of OpenJDK's `FloatingDecimal`.

mod natural;
mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt::Write as _;

use natural::{Natural, Number};
pub use parse::{parse_f32, parse_f64};

/// Appends a DOUBLE as `Double.toString` writes it.
pub fn write_f64(value: f64, out: &mut String) {
    if write_special(value, out) {
        return;
    }
    let bits = value.to_bits() & !(1 << 63);
    let (mut fraction, exponent) = (bits & FRACTION_MASK, (bits >> EXPONENT_SHIFT) as i32);
    let (exponent, significant) = if exponent == 0 {
        // A subnormal number: shift its first bit to the place of the implied one.
        let leading = fraction.leading_zeros() as i32;
        let shift = leading - (63 - EXPONENT_SHIFT);
        fraction <<= shift;
        (1 - shift, 64 - leading)
    } else {
        fraction |= 1 << EXPONENT_SHIFT;
        (exponent, EXPONENT_SHIFT + 1)
    };
    Digits::generate(exponent - 1_023, fraction, significant).write(out);
}

/// Appends a FLOAT as `Float.toString` writes it.
pub fn write_f32(value: f32, out: &mut String) {
    if write_special(f64::from(value), out) {
        return;
    }
    let bits = value.to_bits() & !(1 << 31);
    let (mut fraction, exponent) = (bits & ((1 << 23) - 1), (bits >> 23) as i32);
    let (exponent, significant) = if exponent == 0 {
        let leading = fraction.leading_zeros() as i32;
        let shift = leading - (31 - 23);
        fraction <<= shift;
        (1 - shift, 32 - leading)
    } else {
        fraction |= 1 << 23;
        (exponent, 24)
    };
    let fraction = u64::from(fraction) << (EXPONENT_SHIFT - 23);
    Digits::generate(exponent - 127, fraction, significant).write(out);
}

/// Writes the sign; and all of the numbers that have no digits. True if nothing is left to write.
fn write_special(value: f64, out: &mut String) -> bool {
    if value.is_nan() {
        out.push_str("NaN");
        return true;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
    } else if value == 0.0 {
        out.push_str("0.0");
    } else {
        return false;
    }
    true
}

const EXPONENT_SHIFT: i32 = 52;
const FRACTION_MASK: u64 = (1 << EXPONENT_SHIFT) - 1;

/// Bits of 5ⁿ.
const BITS_OF_POWER_OF_5: [i32; 27] = [
    0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56,
    59, 61,
];

/// Decimal digits that carry no information in a number whose last bit is worth 2ⁿ.
const INSIGNIFICANT_DIGITS: [u32; 64] = [
    0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9,
    9, 9, 10, 10, 10, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15, 15, 16, 16,
    16, 17, 17, 17, 18, 18, 18, 19,
];

/// Decimal digits d₁d₂… of a number 0.d₁d₂… × 10^exponent.
struct Digits {
    digits: [u8; 24],
    length: usize,
    exponent: i32,
}

impl Digits {
    /// Digits of `fraction` × 2^(`binary_exponent` − 52), of whose bits `significant` are known.
    fn generate(binary_exponent: i32, fraction: u64, significant: i32) -> Self {
        let tail_zeros = fraction.trailing_zeros() as i32;
        let fraction_bits = EXPONENT_SHIFT + 1 - tail_zeros;
        let tiny_bits = (fraction_bits - binary_exponent - 1).max(0);
        if tiny_bits == 0 && (-21..=62).contains(&binary_exponent) && fraction_bits < 64 {
            return Self::of_integer(binary_exponent, fraction, significant);
        }
        Self::free_format(binary_exponent, fraction >> tail_zeros, fraction_bits, significant)
    }

    /// Whole numbers below 2⁶³.
    fn of_integer(binary_exponent: i32, fraction: u64, significant: i32) -> Self {
        let insignificant = usize::try_from(binary_exponent - significant - 1)
            .ok()
            .filter(|power| *power > 1 && binary_exponent > significant)
            .and_then(|power| INSIGNIFICANT_DIGITS.get(power).copied())
            .unwrap_or(0);
        let mut value = if binary_exponent >= EXPONENT_SHIFT {
            fraction << (binary_exponent - EXPONENT_SHIFT)
        } else {
            fraction >> (EXPONENT_SHIFT - binary_exponent)
        };
        let mut dropped = insignificant as i32;
        if insignificant > 0 {
            let unit = 10_u64.pow(insignificant);
            let rest = value % unit;
            value /= unit;
            if rest >= unit / 2 {
                value += 1;
            }
        }
        while value > 0 && value % 10 == 0 {
            value /= 10;
            dropped += 1;
        }
        let mut digits = Self { digits: [0; 24], length: 0, exponent: 0 };
        let mut place = 0;
        let mut rest = value;
        while rest > 0 {
            digits.digits[place] = (rest % 10) as u8;
            rest /= 10;
            place += 1;
        }
        digits.digits[..place].reverse();
        digits.length = place;
        digits.exponent = dropped + place as i32;
        digits
    }

    /// Digits until the rest is below half a unit of the last known bit.
    fn free_format(
        binary_exponent: i32,
        fraction: u64,
        fraction_bits: i32,
        significant: i32,
    ) -> Self {
        let decimal_exponent = estimate_exponent(fraction, fraction_bits, binary_exponent);
        let tiny_bits = (fraction_bits - binary_exponent - 1).max(0);
        // The number is B / S × 10^decimal_exponent; M is half a unit of its last bit, scaled as B.
        let b5 = (-decimal_exponent).max(0);
        let mut b2 = b5 + tiny_bits + binary_exponent;
        let s5 = decimal_exponent.max(0);
        let mut s2 = s5 + tiny_bits;
        let m5 = b5;
        let mut m2 = b2 - significant;
        b2 -= fraction_bits - 1;
        let common = b2.min(s2);
        b2 -= common;
        s2 -= common;
        m2 -= common;
        if fraction_bits == 1 {
            // Below a power of two numbers are half as far apart.
            m2 -= 1;
        }
        if m2 < 0 {
            b2 -= m2;
            s2 -= m2;
            m2 = 0;
        }
        let bits_of_5 = |n: i32| BITS_OF_POWER_OF_5.get(n as usize).copied().unwrap_or(n * 3);
        let narrow = fraction_bits + b2 + bits_of_5(b5) < 64 && s2 + 1 + bits_of_5(s5 + 1) < 64;
        // In 64-bit arithmetic Java stops above the bound only, else also at it.
        let stops_at_bound = !narrow;
        // Ten times each, and their sums, stay below 2¹²⁸.
        let largest = (fraction_bits + b2 + bits_of_5(b5)).max(s2 + bits_of_5(s5) + 5);
        if largest <= 122 && b5.max(s5) < 27 {
            let scaled = |value: u64, fives: i32, twos: i32| {
                (u128::from(value) * u128::from(5_u64.pow(fives as u32))) << twos
            };
            let (b, s, m) = (scaled(fraction, b5, b2), scaled(1, s5, s2), scaled(1, m5, m2));
            return Division { b, s, m, stops_at_bound }.digits(decimal_exponent);
        }
        let scaled = |value: u64, fives: i32, twos: i32| {
            let mut number = Natural::from(value);
            number.multiply_by_power_of_5(fives);
            number.shift_left(twos);
            number
        };
        let (b, s, m) = (scaled(fraction, b5, b2), scaled(1, s5, s2), scaled(1, m5, m2));
        Division { b, s, m, stops_at_bound }.digits(decimal_exponent)
    }

    /// Adds one unit of the last digit.
    fn round_up(&mut self) {
        for place in (0..self.length).rev() {
            if self.digits[place] < 9 {
                self.digits[place] += 1;
                return;
            }
            self.digits[place] = 0;
        }
        self.digits[0] = 1;
        self.exponent += 1;
    }

    fn write(&self, out: &mut String) {
        let digits = &self.digits[..self.length];
        let push = |out: &mut String, digits: &[u8]| {
            out.extend(digits.iter().map(|digit| char::from(b'0' + digit)));
        };
        match self.exponent {
            1..=7 => {
                let whole = self.exponent as usize;
                let (before, after) = digits.split_at(whole.min(digits.len()));
                push(out, before);
                out.extend(std::iter::repeat_n('0', whole - before.len()));
                out.push('.');
                push(out, if after.is_empty() { &[0] } else { after });
            }
            -2..=0 => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', self.exponent.unsigned_abs() as usize));
                push(out, digits);
            }
            exponent => {
                push(out, &digits[..1]);
                out.push('.');
                push(out, if digits.len() > 1 { &digits[1..] } else { &[0] });
                out.push('E');
                // Writing to a string cannot fail.
                let _ = write!(out, "{}", exponent - 1);
            }
        }
    }
}

/// The decimal exponent of the first digit, or one more.
fn estimate_exponent(fraction: u64, fraction_bits: i32, binary_exponent: i32) -> i32 {
    let mantissa = (fraction << (EXPONENT_SHIFT + 1 - fraction_bits)) & FRACTION_MASK;
    let between_1_and_2 = f64::from_bits((1_023 << EXPONENT_SHIFT) | mantissa);
    let estimate = (between_1_and_2 - 1.5) * 0.289_529_654
        + 0.176_091_259
        + f64::from(binary_exponent) * std::f64::consts::LOG10_2;
    estimate.floor() as i32
}

/// The long division that yields digits.
struct Division<N> {
    b: N,
    s: N,
    m: N,
    stops_at_bound: bool,
}

impl<N: Number> Division<N> {
    fn digits(mut self, mut decimal_exponent: i32) -> Digits {
        let mut digits = Digits { digits: [0; 24], length: 0, exponent: 0 };
        let mut ten_s = self.s.clone();
        ten_s.multiply(10);
        let (mut digit, mut low, mut high) = self.step(&ten_s);
        if digit == 0 && !high {
            // The estimate was one too large.
            decimal_exponent -= 1;
        } else {
            digits.push(digit);
        }
        if !(-3..8).contains(&decimal_exponent) {
            // Notation with an exponent has a digit behind the point.
            low = false;
            high = false;
        }
        while !low && !high && digits.length < digits.digits.len() {
            (digit, low, high) = self.step(&ten_s);
            digits.push(digit);
        }
        digits.exponent = decimal_exponent + 1;
        if high && (!low || self.rounds_up(&ten_s, digit)) {
            digits.round_up();
        }
        digits
    }

    /// The next digit; whether what is left is below M, and whether it is within M of the next.
    fn step(&mut self, ten_s: &N) -> (u8, bool, bool) {
        let digit = self.b.divide_once(&self.s);
        self.b.multiply(10);
        self.m.multiply(10);
        let low = self.b.compare(&self.m) == Ordering::Less;
        let mut sum = self.b.clone();
        sum.add(&self.m);
        let high = match sum.compare(ten_s) {
            Ordering::Greater => true,
            Ordering::Equal => self.stops_at_bound,
            Ordering::Less => false,
        };
        (digit, low, high)
    }

    /// Whether the rest is nearer to the next digit, or in the middle of an odd one and the next.
    fn rounds_up(&mut self, ten_s: &N, digit: u8) -> bool {
        self.b.shift_left(1);
        match self.b.compare(ten_s) {
            Ordering::Greater => true,
            Ordering::Equal => digit % 2 == 1,
            Ordering::Less => false,
        }
    }
}

impl Digits {
    fn push(&mut self, digit: u8) {
        self.digits[self.length] = digit;
        self.length += 1;
    }
}
