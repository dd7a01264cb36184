//! Conversions of dates and times, as recorded from Flink 2.3.

use tidegate_plan::{Expr, Scalar};
use tidegate_types::TypeKind;

use crate::testing::{
    bigint, call, cast_to, double, exact, failure, int, literal, null, over, show, show_in, some,
    text, try_call, type_of,
};

fn value(name: &str, args: Vec<Expr>) -> Option<String> {
    show(&call(name, args))
}

#[test]
fn timestamps_from_texts() {
    let read = |source| value("TO_TIMESTAMP", vec![text(source)]);
    assert_eq!(read("2024-02-29 12:34:56.789").as_deref(), Some("2024-02-29 12:34:56.789"));
    assert_eq!(read("2024-02-29").as_deref(), Some("2024-02-29 00:00:00.000"));
    assert_eq!(read("2023-02-29 00:00:00").as_deref(), Some("2023-02-28 00:00:00.000"));
    for bad in ["2024-02-29T12:34:56", "x", "2024-13-01 00:00:00"] {
        assert_eq!(read(bad), None, "{bad}");
    }
    let with = |source, pattern| value("TO_TIMESTAMP", vec![text(source), text(pattern)]);
    assert_eq!(with("2024/02/29 12", "yyyy/MM/dd HH").as_deref(), Some("2024-02-29 12:00:00.000"));
    let fine = with("2024-02-29 12:34:56.123456", "yyyy-MM-dd HH:mm:ss.SSSSSS");
    assert_eq!(fine.as_deref(), Some("2024-02-29 12:34:56.123"));
    assert_eq!(with("2024-02-29 12:34", "yyyy-MM-dd HH:mm:ss"), None);
    let loosely = with("1970-01-01 00:00:00", "yyyy-MM-dd HH:mm:ss.SSS");
    assert_eq!(loosely.as_deref(), Some("1970-01-01 00:00:00.000"));
    let error = failure(&call("TO_TIMESTAMP", vec![text("x"), text("bogus")]));
    assert!(error.to_string().contains("the unknown letter 'b'"), "{error}");
}

#[test]
fn patterns_may_be_columns() {
    let got = over(&[Some("yyyy"), Some("MM"), Some("MM"), None], |pattern| {
        let moment = cast_to(text("2024-02-29 12:34:56"), TypeKind::timestamp(3));
        call("DATE_FORMAT", vec![moment, pattern])
    });
    assert_eq!(got, [Some("2024"), Some("02"), Some("02"), None].map(|v| v.map(str::to_owned)));
}

#[test]
fn instants_from_numbers() {
    let read = |number: Expr, precision| value("TO_TIMESTAMP_LTZ", vec![number, int(precision)]);
    assert_eq!(read(int(-1), 0).as_deref(), Some("1969-12-31 23:59:59.000"));
    assert_eq!(read(bigint(1_709_210_096_789), 3).as_deref(), Some("2024-02-29 12:34:56.789"));
    assert_eq!(read(double(1.5), 0).as_deref(), Some("1970-01-01 00:00:01.500"));
    assert_eq!(read(exact("1.5"), 3).as_deref(), Some("1970-01-01 00:00:00.001"));
    assert_eq!(read(bigint(i64::MAX), 3), None);
    assert_eq!(read(null(TypeKind::BigInt), 3), None);
    let fine = call("TO_TIMESTAMP_LTZ", vec![int(1), int(6)]);
    assert_eq!(type_of(&fine), "TIMESTAMP_LTZ(6)");
    assert_eq!(show(&fine).as_deref(), Some("1970-01-01 00:00:00.000001"));
}

#[test]
fn instants_from_texts_are_of_utc() {
    let plain = call("TO_TIMESTAMP_LTZ", vec![text("2024-02-29 12:34:56")]);
    assert_eq!(show_in("Asia/Shanghai", &plain).as_deref(), Some("2024-02-29 20:34:56.000"));
    let args =
        vec![text("2024-02-29 12:34:56"), text("yyyy-MM-dd HH:mm:ss"), text("Asia/Shanghai")];
    assert_eq!(value("TO_TIMESTAMP_LTZ", args).as_deref(), Some("2024-02-29 04:34:56.000"));
}

#[test]
fn dates_from_texts() {
    assert_eq!(value("TO_DATE", vec![text("2024-02-29")]).as_deref(), Some("2024-02-29"));
    let with = vec![text("2024/02/29"), text("yyyy/MM/dd")];
    assert_eq!(value("TO_DATE", with).as_deref(), Some("2024-02-29"));
    assert_eq!(value("TO_DATE", vec![text("2023-02-29")]), None);
}

#[test]
fn formatting() {
    let got = over(&[Some("2024-02-29 12:34:56"), Some("x"), None], |s| {
        call("DATE_FORMAT", vec![s, text("yyyy/MM/dd")])
    });
    assert_eq!(got, [Some("2024/02/29".to_owned()), None, None]);
    let instant = literal(Scalar::Integer(0), TypeKind::timestamp_ltz(3));
    let local = call("DATE_FORMAT", vec![instant, text("yyyy-MM-dd HH:mm:ss")]);
    assert_eq!(show_in("America/New_York", &local).as_deref(), Some("1969-12-31 19:00:00"));
    let date = cast_to(text("2024-02-29"), TypeKind::Date);
    assert!(try_call("DATE_FORMAT", vec![date, text("yyyy")]).is_err());
}

#[test]
fn seconds_since_1970() {
    let from = call("FROM_UNIXTIME", vec![int(0)]);
    assert_eq!(show_in("Asia/Shanghai", &from).as_deref(), Some("1970-01-01 08:00:00"));
    let with = vec![int(1_709_210_096), text("yyyy/MM/dd")];
    assert_eq!(value("FROM_UNIXTIME", with).as_deref(), Some("2024/02/29"));
    let to = |source| call("UNIX_TIMESTAMP", vec![text(source)]);
    assert_eq!(show(&to("1969-12-31 23:59:59")).as_deref(), Some("-1"));
    assert_eq!(show(&to("2024-02-29 12:34:56.789")).as_deref(), Some("1709210096"));
    assert_eq!(show(&to("x")).as_deref(), Some("-9223372036854775808"));
    let new_york = |source| show_in("America/New_York", &to(source)).unwrap();
    assert_eq!(new_york("2024-03-10 02:30:00"), "1710055800");
    assert_eq!(new_york("2024-11-03 01:30:00"), "1730615400");
    let fractions = over(&[Some("1969-12-31 12:34:56.789"), Some("1970-01-01 00:00:00")], |s| {
        call("UNIX_TIMESTAMP", vec![s, text("yyyy-MM-dd HH:mm:ss.SSS")])
    });
    assert_eq!(fractions, some(["-41103", "-9223372036854775808"]));
    assert_eq!(value("UNIX_TIMESTAMP", vec![]).as_deref(), Some("1709210096"));
}

#[test]
fn times_of_other_zones() {
    let convert =
        |source| value("CONVERT_TZ", vec![text(source), text("UTC"), text("America/Los_Angeles")]);
    assert_eq!(convert("1970-01-01 00:00:00").as_deref(), Some("1969-12-31 16:00:00"));
    assert_eq!(convert("x"), None);
}
