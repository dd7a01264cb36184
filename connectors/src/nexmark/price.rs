//! Prices: `round(10^(6u) × 100)` for a uniform `u`, in arithmetic that gives the same bits everywhere.
//!
//! The power is computed by multiplications and additions alone (no library function, which would
//! differ between platforms and does not vectorise), to a relative error below 10⁻¹¹.

use crate::counter_random::unit;

/// log₂ 10⁶
const EXPONENT: f64 = 19.931_568_569_324_174;

/// A price between 100 and 100 000 000.
#[inline(always)]
pub(super) fn price(draw: u64) -> i64 {
    (power_of_two(unit(draw) * EXPONENT) * 100.0 + 0.5) as i64
}

/// 2^x for 0 ≤ x < 64: the whole part goes into the exponent bits, the rest is a Taylor series of
/// e^((f − ½) ln 2) around ½.
#[inline(always)]
fn power_of_two(x: f64) -> f64 {
    let whole = x as i32;
    let g = (x - f64::from(whole) - 0.5) * std::f64::consts::LN_2;
    let mut series = 1.0 / 362_880.0;
    series = series * g + 1.0 / 40_320.0;
    series = series * g + 1.0 / 5_040.0;
    series = series * g + 1.0 / 720.0;
    series = series * g + 1.0 / 120.0;
    series = series * g + 1.0 / 24.0;
    series = series * g + 1.0 / 6.0;
    series = series * g + 0.5;
    series = series * g + 1.0;
    series = series * g + 1.0;
    let scale = f64::from_bits(((1023 + whole) as u64) << 52);
    series * std::f64::consts::SQRT_2 * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_exact_to_eleven_digits() {
        for i in 0..200_000 {
            let x = f64::from(i) * 1e-4;
            let exact = x.exp2();
            assert!((power_of_two(x) / exact - 1.0).abs() < 1e-11, "2^{x}");
        }
    }

    #[test]
    fn prices_span_six_decades() {
        assert_eq!(price(0), 100);
        assert_eq!(price(u64::MAX), 100_000_000);
        assert_eq!(price(1 << 63), 100_000);
    }
}
