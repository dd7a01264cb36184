//! Texts of floats, as recorded from Java 17.

use super::*;

fn double(value: f64) -> String {
    let mut out = String::new();
    write_f64(value, &mut out);
    out
}

fn float(value: f32) -> String {
    let mut out = String::new();
    write_f32(value, &mut out);
    out
}

#[test]
fn doubles_as_java_writes_them() {
    for (value, text) in [
        (1.0, "1.0"),
        (0.001, "0.001"),
        (9.999e-4, "9.999E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1e10, "1.0E10"),
        (123_456_789.123, "1.23456789123E8"),
        (12_345.678, "12345.678"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2.0 / 3.0, "0.6666666666666666"),
        (1e21, "1.0E21"),
        (1e100, "1.0E100"),
        (1e-7, "1.0E-7"),
        (f64::MAX, "1.7976931348623157E308"),
        (5e-324, "4.9E-324"),
        (2.225_073_858_507_201_4e-308, "2.2250738585072014E-308"),
        (9_007_199_254_740_992.0, "9.007199254740992E15"),
        (9.223_372_036_854_776e18, "9.223372036854776E18"),
        (9.999_999_747_378_752e-6, "9.999999747378752E-6"),
        (-0.0, "-0.0"),
        (-1.5, "-1.5"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(double(value), text);
    }
}

#[test]
fn floats_as_java_writes_them() {
    for (value, text) in [
        (0.1, "0.1"),
        (1e7, "1.0E7"),
        (16_777_216.0, "1.6777216E7"),
        (f32::MAX, "3.4028235E38"),
        (1e-45, "1.4E-45"),
        (123_456.79, "123456.79"),
        (0.333_333_3, "0.3333333"),
        (2_147_483_648.0, "2.14748365E9"),
        (9.007_199e15, "9.0071993E15"),
        (9.223_372e18, "9.223372E18"),
        (1e10, "1.0E10"),
        (1e19, "1.0E19"),
    ] {
        assert_eq!(float(value), text);
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let value = f64::from_bits(bits);
        if value.is_finite() {
            assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        // Of a usual size, which takes the way of 128 bits.
        let value = bits as i64 as f64 / 10_f64.powi((bits % 25) as i32);
        assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        let value = ((bits % 2_000_001) as f64 - 1e6) / 1e3;
        assert_eq!(double(value).parse::<f64>(), Ok(value));
        assert!(double(value).len() <= 9, "{value}");
        let value = f32::from_bits((bits >> 32) as u32);
        if value.is_finite() {
            assert_eq!(float(value).parse::<f32>().unwrap().to_bits(), value.to_bits());
        }
    }
}

#[test]
fn reads_what_java_reads() {
    assert_eq!(parse_f64(" 1e10 "), Some(1e10));
    assert_eq!(parse_f64("1d"), Some(1.0));
    assert_eq!(parse_f64("0x1p3"), Some(8.0));
    assert_eq!(parse_f64("-0x.8P1"), Some(-1.0));
    assert_eq!(parse_f64("1e400"), Some(f64::INFINITY));
    assert_eq!(parse_f64("-Infinity"), Some(f64::NEG_INFINITY));
    assert!(parse_f64("NaN").unwrap().is_nan());
    assert_eq!(parse_f32("1.5f"), Some(1.5));
    assert_eq!(parse_f32("1e39"), Some(f32::INFINITY));
    for bad in ["", "inf", "nan", "infinity", "x", "1,5", "1_0", "0x1", "e5", ".", "--1"] {
        assert_eq!(parse_f64(bad), None, "{bad}");
        assert_eq!(parse_f32(bad), None, "{bad}");
    }
}
