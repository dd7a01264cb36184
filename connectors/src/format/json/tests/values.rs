//! Values into columns: Flink's recorded answers.

use super::*;

#[test]
fn integers_as_flink_reads_them() {
    check(
        &K::TinyInt,
        &[
            ("127", Some("127")),
            ("128", None),
            ("\"5\"", Some("5")),
            ("1.5", None),
            ("null", Some("NULL")),
        ],
    );
    check(&K::SmallInt, &[("32768", None), ("-32768", Some("-32768"))]);
    check(
        &K::Int,
        &[
            ("12", Some("12")),
            ("\"12\"", Some("12")),
            ("1.5", Some("1")),
            ("\"1.5\"", None),
            ("1e2", Some("100")),
            ("true", None),
            ("\" 7 \"", Some("7")),
            ("2147483648", None),
            ("\"\"", None),
            ("\"x\"", None),
            ("[1]", None),
            ("{\"b\":1}", None),
            ("-0", Some("0")),
            ("0012", None),
            ("-2147483648", Some("-2147483648")),
            ("12x", None),
            ("1 ", Some("1")),
            ("-", None),
            ("\"\\u0031\"", Some("1")),
        ],
    );
    check(
        &K::BigInt,
        &[
            ("9223372036854775807", Some("9223372036854775807")),
            ("9223372036854775808", None),
            ("1.9", Some("1")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("\"9\"", Some("9")),
            ("1e30", None),
        ],
    );
}

#[test]
fn other_numbers_as_flink_reads_them() {
    check(
        &K::Float,
        &[
            ("1.5", Some("1.5")),
            ("\"1.5\"", Some("1.5")),
            ("1e39", Some("inf")),
            ("\"NaN\"", Some("NaN")),
        ],
    );
    check(
        &K::Double,
        &[
            ("0.1", Some("0.1")),
            ("1", Some("1.0")),
            ("\"Infinity\"", Some("inf")),
            ("NaN", None),
            ("1e400", Some("inf")),
            ("[]", None),
        ],
    );
    check(
        &K::Decimal { precision: 5, scale: 2 },
        &[
            ("1.5", Some("1.50")),
            ("\"1.5\"", Some("1.50")),
            ("123.456", Some("123.46")),
            ("1234", Some("NULL")),
            ("1e2", Some("100.00")),
            ("0.005", Some("0.01")),
            ("\"x\"", None),
            ("true", None),
        ],
    );
    check(
        &K::Boolean,
        &[
            ("true", Some("true")),
            ("false", Some("false")),
            ("\"TRUE\"", Some("true")),
            ("\"yes\"", Some("false")),
            ("1", Some("false")),
            ("{\"b\":[1]}", Some("false")),
            ("null", Some("NULL")),
            ("tru", None),
        ],
    );
}

#[test]
fn texts_and_bytes_as_flink_reads_them() {
    check(
        &K::STRING,
        &[
            ("\"x\"", Some("x")),
            ("12", Some("12")),
            ("1.50", Some("1.50")),
            ("1e2", Some("1e2")),
            ("true", Some("true")),
            ("null", Some("NULL")),
            ("{\"b\":1, \"c\":[1,2]}", Some("{\"b\":1,\"c\":[1,2]}")),
            ("[1, 2]", Some("[1,2]")),
            ("\"\\u00e4\\t\"", Some("ä\t")),
            ("\"\"", Some("")),
            ("nul", None),
            ("\"\\q\"", None),
        ],
    );
    check(&K::VarChar { length: 3 }, &[("\"abcdef\"", Some("abcdef"))]);
    check(
        &K::BYTES,
        &[("\"AP9B\"", Some("00ff41")), ("\"!!\"", None), ("\"\"", Some("")), ("12", None)],
    );
}

#[test]
fn times_as_flink_reads_them() {
    check(
        &K::Date,
        &[("\"2024-02-29\"", Some("2024-02-29")), ("\"2024-2-9\"", None), ("19782", None)],
    );
    check(
        &K::Time { precision: 0 },
        &[("\"12:34:56.789\"", Some("12:34:56")), ("\"12:34\"", None)],
    );
    check(
        &K::timestamp(3),
        &[
            ("\"2024-02-29 12:34:56.789123\"", Some("2024-02-29T12:34:56.789")),
            ("\"2024-02-29T12:34:56\"", None),
            ("\"2023-02-29 00:00:00\"", Some("2023-02-28T00:00:00")),
            ("1709210096789", None),
            ("\"\"", None),
        ],
    );
    check(
        &K::timestamp_ltz(3),
        &[
            ("\"2024-02-29 12:34:56.789Z\"", Some("2024-02-29T12:34:56.789Z")),
            ("\"2024-02-29 12:34:56\"", None),
        ],
    );
    let iso = [("timestamp-format.standard", "ISO-8601")];
    assert_eq!(
        value_with(K::timestamp(3), "\"2024-02-29T12:34\"", &iso).as_deref(),
        Some("2024-02-29T12:34:00")
    );
    assert_eq!(value_with(K::timestamp(3), "\"2024-02-29 12:34:56\"", &iso), None);
}

#[test]
fn nested_values_as_flink_reads_them() {
    let ints = K::Array(Box::new(K::Int.nullable()));
    check(
        &ints,
        &[
            ("[1, 2, null]", Some("[1, 2, NULL]")),
            ("[]", Some("[]")),
            ("[\"1\", 2]", Some("[1, 2]")),
            ("1", None),
            ("null", Some("NULL")),
            ("[1", None),
            ("[1,]", None),
        ],
    );
    let map = K::Map(Box::new(K::STRING.nullable()), Box::new(K::Int.nullable()));
    check(
        &map,
        &[
            ("{\"x\":1, \"y\":null}", Some("{x: 1, y: NULL}")),
            ("{}", Some("{}")),
            ("{\"x\":\"1\"}", Some("{x: 1}")),
            ("[]", None),
            ("{\"x\":1,\"y\":2,\"x\":3}", Some("{x: 3, y: 2}")),
        ],
    );
    let row = K::Row(fields(&[("x", K::Int), ("y", K::STRING)]));
    check(
        &row,
        &[
            ("{\"x\":1, \"y\":\"a\"}", Some("{x: 1, y: a}")),
            ("{\"x\":1}", Some("{x: 1, y: NULL}")),
            ("{\"y\":\"b\", \"z\":{}}", Some("{x: NULL, y: b}")),
            ("null", Some("NULL")),
            ("[1]", None),
            ("{\"x\":\"q\"}", None),
        ],
    );
}
