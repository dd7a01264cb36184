//! Arithmetic, as recorded from Flink 2.3.

use tidegate_plan::{Expr, Scalar};
use tidegate_types::TypeKind;

use crate::testing::{
    bigint, call, cast_to, double, exact, failure, int, literal, null, over, show, some, text,
    try_call, type_of,
};

fn decimal(value: &str, precision: u8, scale: u8) -> Expr {
    cast_to(exact(value), TypeKind::Decimal { precision, scale })
}

fn tiny(value: i32) -> Expr {
    cast_to(int(value), TypeKind::TinyInt)
}

fn check(op: &str, left: Expr, right: Expr, ty: &str, value: Option<&str>) {
    let expr = call(op, vec![left, right]);
    assert_eq!(type_of(&expr), ty);
    assert_eq!(show(&expr).as_deref(), value);
}

#[test]
fn integers_wrap_and_keep_their_type() {
    check("+", tiny(127), tiny(1), "TINYINT NOT NULL", Some("-128"));
    check("*", int(i32::MAX), int(2), "INT NOT NULL", Some("-2"));
    check("+", bigint(i64::MAX), int(1), "BIGINT NOT NULL", Some("-9223372036854775808"));
    check("/", int(-7), int(2), "INT NOT NULL", Some("-3"));
    check("/", int(i32::MIN), int(-1), "INT NOT NULL", Some("-2147483648"));
    check("%", int(-7), int(2), "INT NOT NULL", Some("-1"));
    check("%", bigint(7), tiny(2), "TINYINT NOT NULL", Some("1"));
    check("%", int(i32::MIN), int(-1), "INT NOT NULL", Some("0"));
    let negated = call("NEGATE", vec![tiny(-128)]);
    assert_eq!(show(&negated).as_deref(), Some("-128"));
}

#[test]
fn decimals_follow_flinks_derivation() {
    let seven = || decimal("7.25", 5, 2);
    check("+", tiny(7), decimal("2.5", 5, 2), "DECIMAL(6, 2) NOT NULL", Some("9.50"));
    check("+", seven(), int(2), "DECIMAL(13, 2) NOT NULL", Some("9.25"));
    check("*", seven(), decimal("2.5", 5, 2), "DECIMAL(11, 4) NOT NULL", Some("18.1250"));
    check("/", seven(), int(2), "DECIMAL(16, 13) NOT NULL", Some("3.6250000000000"));
    check("%", seven(), decimal("2.5", 20, 5), "DECIMAL(8, 5) NOT NULL", Some("2.25000"));
    let wide = || decimal("1", 38, 18);
    check("/", wide(), decimal("3", 38, 18), "DECIMAL(38, 6) NOT NULL", Some("0.333333"));
    check("+", wide(), wide(), "DECIMAL(38, 17) NOT NULL", Some("2.00000000000000000"));
    let nines = decimal("99999999999999999999999999999999999999", 38, 0);
    check("*", nines, int(10), "DECIMAL(38, 0) NOT NULL", None);
    check("%", exact("-7.5"), int(2), "DECIMAL(2, 1) NOT NULL", Some("-1.5"));
}

#[test]
fn floats_follow_ieee_754() {
    check("/", double(1.0), int(0), "DOUBLE NOT NULL", Some("Infinity"));
    check("/", double(0.0), double(0.0), "DOUBLE NOT NULL", Some("NaN"));
    check("+", double(0.1), double(0.2), "DOUBLE NOT NULL", Some("0.30000000000000004"));
    let float = |value: f64| cast_to(double(value), TypeKind::Float);
    check("+", float(16_777_216.0), int(1), "FLOAT NOT NULL", Some("1.6777216E7"));
    check("*", float(7.5), double(2.5), "FLOAT NOT NULL", Some("18.75"));
    check("+", float(7.5), exact("2.5"), "DOUBLE NOT NULL", Some("10.0"));
    assert!(try_call("%", vec![double(1.0), int(2)]).is_err());
}

#[test]
fn division_by_zero_names_the_dividend() {
    let error = failure(&call("/", vec![int(7), int(0)]));
    assert!(error.to_string().contains("7 is divided by zero"), "{error}");
    let error = failure(&call("%", vec![exact("1.50"), int(0)]));
    assert!(error.to_string().contains("1.50 is divided by zero"), "{error}");
    assert_eq!(show(&call("/", vec![null(TypeKind::Int), int(0)])), None);
}

#[test]
fn a_zero_under_a_null_does_not_fail() {
    let quotients =
        over(&[Some("2"), None], |column| call("/", vec![int(10), cast_to(column, TypeKind::Int)]));
    assert_eq!(quotients, [Some("5".to_owned()), None]);
}

#[test]
fn intervals_move_dates_and_times() {
    let millis = |value: i64| literal(Scalar::Integer(value), TypeKind::IntervalDayTime);
    let months = |value: i64| literal(Scalar::Integer(value), TypeKind::IntervalYearMonth);
    let date = |value: &str| cast_to(text(value), TypeKind::Date);
    let timestamp = |value: &str| cast_to(text(value), TypeKind::timestamp(3));
    check("+", date("2024-02-29"), months(12), "DATE NOT NULL", Some("2025-02-28"));
    check("+", millis(90_000_000), date("2024-02-28"), "DATE NOT NULL", Some("2024-02-29"));
    check(
        "-",
        timestamp("2024-02-29 12:34:56.789"),
        millis(93_784_005),
        "TIMESTAMP(3) NOT NULL",
        Some("2024-02-28 10:31:52.784"),
    );
    check(
        "+",
        timestamp("2024-01-31 00:00:00"),
        months(1),
        "TIMESTAMP(3) NOT NULL",
        Some("2024-02-29 00:00:00.000"),
    );
    let time = cast_to(text("23:30:00"), TypeKind::Time { precision: 0 });
    check("+", time, millis(3_600_000), "TIME(0) NOT NULL", Some("00:30:00"));
    let interval = "INTERVAL SECOND(3) NOT NULL";
    check("+", millis(86_400_000), millis(7_200_000), interval, Some("+1 02:00:00.000"));
    check("*", millis(86_400_000), int(2), interval, Some("+2 00:00:00.000"));
    assert!(try_call("-", vec![timestamp("2024-01-01"), timestamp("2024-01-01")]).is_err());
}

#[test]
fn texts_have_no_arithmetic() {
    let error = try_call("+", vec![int(1), text("2")]).unwrap_err();
    assert!(error.to_string().contains("bind +(INT, CHAR(1))"), "{error}");
    let sums = over(&[Some("1"), Some("-2147483648")], |column| {
        let number = cast_to(column, TypeKind::Int);
        call("+", vec![number.clone(), number])
    });
    assert_eq!(sums, some(["2", "0"]));
}
