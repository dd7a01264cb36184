//! Casts, as recorded from Flink 2.3.

use tidegate_plan::{Expr, Scalar};
use tidegate_types::{ErrorCode, Field, TypeKind};

use super::*;
use crate::testing::{
    bigint, call, cast_to, double, exact, failure, int, literal, null, over, show, show_in, some,
    text, try_cast_to, try_over,
};

fn shown(input: Expr, kind: TypeKind) -> Option<String> {
    show(&cast_to(input, kind))
}

fn texts(input: &[&str], kind: TypeKind) -> Vec<Option<String>> {
    let values: Vec<Option<&str>> = input.iter().map(|text| Some(*text)).collect();
    over(&values, |column| try_cast_to(column, kind.clone()))
}

const DECIMAL_5_2: TypeKind = TypeKind::Decimal { precision: 5, scale: 2 };

#[test]
fn numbers_narrow_as_in_java() {
    assert_eq!(shown(int(300), TypeKind::TinyInt).as_deref(), Some("44"));
    assert_eq!(shown(bigint(5_000_000_000), TypeKind::SmallInt).as_deref(), Some("-3584"));
    assert_eq!(shown(double(1e20), TypeKind::TinyInt).as_deref(), Some("-1"));
    assert_eq!(shown(double(-1e20), TypeKind::Int).as_deref(), Some("-2147483648"));
    assert_eq!(shown(double(f64::NAN), TypeKind::BigInt).as_deref(), Some("0"));
    assert_eq!(shown(double(-1.9), TypeKind::Int).as_deref(), Some("-1"));
    let huge = exact("1234567890123456789012345678.0123456789");
    assert_eq!(shown(huge, TypeKind::BigInt).as_deref(), Some("7888470988696384334"));
    assert_eq!(shown(double(f64::NAN), TypeKind::Boolean).as_deref(), Some("TRUE"));
    assert_eq!(shown(exact("0.0"), TypeKind::Boolean).as_deref(), Some("FALSE"));
}

#[test]
fn too_many_digits_are_null() {
    assert_eq!(shown(exact("123.455"), DECIMAL_5_2).as_deref(), Some("123.46"));
    assert_eq!(shown(exact("-123.455"), DECIMAL_5_2).as_deref(), Some("-123.46"));
    assert_eq!(shown(exact("1234.5"), DECIMAL_5_2), None);
    assert_eq!(shown(bigint(32_768), DECIMAL_5_2), None);
    assert_eq!(shown(double(1e10), DECIMAL_5_2), None);
    let wide = TypeKind::Decimal { precision: 38, scale: 20 };
    assert_eq!(shown(double(0.1), wide).as_deref(), Some("0.10000000000000000000"));
}

#[test]
fn texts_become_numbers() {
    assert_eq!(
        texts(&["true", "T", "yes", "1", "F", "no", "0"], TypeKind::Boolean),
        some(["TRUE", "TRUE", "TRUE", "TRUE", "FALSE", "FALSE", "FALSE"])
    );
    assert_eq!(texts(&[" true ", "on", "2", ""], TypeKind::Boolean), [None, None, None, None]);
    assert_eq!(texts(&["127", "5.9", "."], TypeKind::TinyInt), some(["127", "5", "0"]));
    assert_eq!(texts(&["128", "abc", "1e2"], TypeKind::TinyInt), [None, None, None]);
    assert_eq!(
        texts(&["1e10", "NaN", "1.5f", "1e39"], TypeKind::Float),
        some(["1.0E10", "NaN", "1.5", "Infinity"])
    );
    assert_eq!(texts(&["1e2", ".5", "x"], DECIMAL_5_2), some(["100.00", "0.50", "0.00"]));
    assert_eq!(texts(&["1000", ""], DECIMAL_5_2), [None, None]);
}

#[test]
fn a_bad_value_is_named() {
    let error =
        try_over(&[Some("1"), None, Some("twelve")], |column| cast_to(column, TypeKind::Int))
            .unwrap_err();
    assert_eq!(error.code(), ErrorCode::Evaluation);
    assert!(error.to_string().contains("'twelve' cannot be cast to INT"), "{error}");
    let error = failure(&cast_to(double(f64::NAN), DECIMAL_5_2));
    assert!(error.to_string().contains("'NaN' cannot be cast to DECIMAL(5, 2)"), "{error}");
}

#[test]
fn text_types_cut_and_pad() {
    let char = |length| TypeKind::Char { length };
    assert_eq!(texts(&["", "a", "日本語文"], char(3)), some(["   ", "a  ", "日本語"]));
    let varchar = TypeKind::VarChar { length: 3 };
    assert_eq!(texts(&["", "  a  ", "日本"], varchar), some(["", "  a", "日本"]));
    assert_eq!(shown(int(7), char(3)).as_deref(), Some("7  "));
    let padded = cast_to(cast_to(text("ABC"), TypeKind::Binary { length: 5 }), TypeKind::STRING);
    assert_eq!(show(&padded).as_deref(), Some("ABC\0\0"));
    let cut = cast_to(text("ABC"), TypeKind::VarBinary { length: 2 });
    assert_eq!(shown(cut, TypeKind::STRING).as_deref(), Some("AB"));
    let invalid = literal(Scalar::Bytes(vec![0, 255, 65]), TypeKind::Binary { length: 3 });
    assert_eq!(shown(invalid, TypeKind::STRING).as_deref(), Some("\0\u{FFFD}A"));
}

#[test]
fn timestamps_lose_digits_towards_1970() {
    let input = [Some("2024-02-29 12:34:56.123456"), Some("1969-12-31 12:34:56.789")];
    let through = |kind: TypeKind| {
        over(&input, |column| cast_to(cast_to(column, TypeKind::timestamp(6)), kind.clone()))
    };
    assert_eq!(
        through(TypeKind::timestamp(0)),
        some(["2024-02-29 12:34:56", "1969-12-31 12:34:57"])
    );
    assert_eq!(
        through(TypeKind::timestamp(3)),
        some(["2024-02-29 12:34:56.123", "1969-12-31 12:34:56.789"])
    );
    assert_eq!(through(TypeKind::Date), some(["2024-02-29", "1970-01-01"]));
    assert_eq!(through(TypeKind::Time { precision: 0 }), some(["12:34:56", "12:34:57"]));
    assert_eq!(
        through(TypeKind::timestamp(9)),
        some(["2024-02-29 12:34:56.123456000", "1969-12-31 12:34:56.789000000"])
    );
}

#[test]
fn instants_are_shown_in_the_zone() {
    let instant = literal(Scalar::Integer(1_709_210_096_789), TypeKind::timestamp_ltz(3));
    let as_text = cast_to(instant.clone(), TypeKind::STRING);
    assert_eq!(show_in("Asia/Shanghai", &as_text).as_deref(), Some("2024-02-29 20:34:56.789"));
    let local = cast_to(instant, TypeKind::timestamp(9));
    assert_eq!(
        show_in("America/New_York", &local).as_deref(),
        Some("2024-02-29 07:34:56.789000000")
    );
    let gap = cast_to(text("2024-03-10 02:30:00"), TypeKind::timestamp_ltz(3));
    assert_eq!(show_in("America/New_York", &gap).as_deref(), Some("2024-03-10 03:30:00.000"));
}

#[test]
fn years_beyond_the_nanoseconds_are_refused() {
    let far = || cast_to(text("9999-12-31 23:59:59"), TypeKind::timestamp(3));
    assert_eq!(show(&try_cast_to(far(), TypeKind::timestamp(9))), None);
    let error = failure(&cast_to(far(), TypeKind::timestamp(9)));
    assert!(error.to_string().contains("TIMESTAMP(9)"), "{error}");
}

#[test]
fn nested_values_as_text() {
    let array = call("ARRAY", vec![null(TypeKind::Int), int(1)]);
    assert_eq!(shown(array, TypeKind::STRING).as_deref(), Some("[NULL, 1]"));
    let row = call("ROW", vec![int(1), text("a"), null(TypeKind::Boolean)]);
    assert_eq!(shown(row, TypeKind::STRING).as_deref(), Some("(1, a, NULL)"));
    let inner = call("ARRAY", vec![int(1), int(2)]);
    let map = call("MAP", vec![text("k"), inner]);
    assert_eq!(shown(map, TypeKind::VarChar { length: 6 }).as_deref(), Some("{k=[1,"));
    let months = literal(Scalar::Integer(-14), TypeKind::IntervalYearMonth);
    assert_eq!(shown(months, TypeKind::STRING).as_deref(), Some("-1-02"));
    let millis = literal(Scalar::Integer(93_784_567), TypeKind::IntervalDayTime);
    assert_eq!(shown(millis, TypeKind::STRING).as_deref(), Some("+1 02:03:04.567"));
}

#[test]
fn nested_values_are_cast_by_element() {
    let ints = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    let good = call("ARRAY", vec![text("1"), text("2")]);
    assert_eq!(shown(good, ints.clone()).as_deref(), Some("[1, 2]"));
    let bad = || call("ARRAY", vec![text("1"), text("x")]);
    assert_eq!(show(&try_cast_to(bad(), ints.clone())), None);
    assert!(failure(&cast_to(bad(), ints)).to_string().contains("'x'"));
    let row = TypeKind::Row(vec![
        Field::new("a", TypeKind::BigInt.nullable()),
        Field::new("b", TypeKind::Int.nullable()),
    ]);
    let value = call("ROW", vec![int(1), text("2")]);
    assert_eq!(shown(value, row).as_deref(), Some("(1, 2)"));
    let map =
        TypeKind::Map(Box::new(TypeKind::Int.not_null()), Box::new(TypeKind::BigInt.nullable()));
    let value = call("MAP", vec![text("1"), int(2)]);
    assert_eq!(shown(value, map).as_deref(), Some("{1=2}"));
}

#[test]
fn conversions_that_do_not_exist_are_refused() {
    let error = failure(&cast_to(int(1), TypeKind::Date));
    assert_eq!(error.code(), ErrorCode::SqlSemantic);
    assert!(is_fallible(&TypeKind::STRING.nullable(), &TypeKind::Int.nullable()));
    assert!(!is_fallible(&TypeKind::Int.nullable(), &TypeKind::TinyInt.nullable()));
}
