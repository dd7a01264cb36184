//! What the format makes of records: Flink's recorded answers, and bytes that nobody meant.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions as DisplayOptions};
use tidegate_plan::arrow_type::arrow_schema;

use super::*;
use crate::counter_random::{Sequence, Stream};
use crate::format::{DecodeError, Decoded, Records};

type K = TypeKind;

fn fields(columns: &[(&str, TypeKind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, kind.clone().nullable())).collect()
}

fn decode(
    declared: &[Field],
    read: &[Field],
    options: &[(&str, &str)],
    texts: &[&[u8]],
) -> Result<Decoded, DecodeError> {
    let options = FormatOptions::new("csv", options)?;
    let context =
        DecoderContext { options: &options, declared, read, metadata: &[], origin: "table t" };
    let mut records = Records::new();
    for text in texts {
        assert!(records.push(Some(text)));
    }
    decoder(&context)?.decode(&records)
}

fn shown(batch: &RecordBatch) -> Vec<String> {
    let options = DisplayOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options).unwrap())
        .collect();
    let row = |row| {
        columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

fn rows(
    columns: &[(&str, TypeKind)],
    options: &[(&str, &str)],
    texts: &[&str],
) -> Result<Vec<String>, String> {
    let fields = fields(columns);
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    match decode(&fields, &fields, options, &texts) {
        Ok(decoded) => Ok(shown(&decoded.rows)),
        Err(DecodeError::Record(bad)) => Err(bad.message),
        Err(DecodeError::Other(error)) => Err(error.to_string()),
    }
}

fn check(kind: &TypeKind, cases: &[(&str, Option<&str>)]) {
    for (text, expected) in cases {
        let row = rows(&[("a", K::Int), ("b", kind.clone())], &[], &[&format!("1,{text}")]);
        let expected = expected.map(|value| vec![format!("1|{value}")]);
        assert_eq!(row.ok(), expected, "{text} into {kind}");
    }
}

#[test]
fn values_as_flink_reads_them() {
    check(
        &K::Int,
        &[
            ("12", Some("12")),
            (" 12 ", Some("12")),
            ("", None),
            ("1.5", None),
            ("\"12\"", Some("12")),
            ("2147483648", None),
            ("null", None),
        ],
    );
    check(
        &K::Double,
        &[
            ("1.5", Some("1.5")),
            ("1e3", Some("1000.0")),
            ("NaN", Some("NaN")),
            ("", None),
            ("1,5", None),
        ],
    );
    let decimal = K::Decimal { precision: 5, scale: 2 };
    check(
        &decimal,
        &[("1.5", Some("1.50")), ("123.456", Some("123.46")), ("1234", Some("NULL")), ("x", None)],
    );
    check(
        &K::Boolean,
        &[
            ("true", Some("true")),
            ("TRUE", Some("true")),
            ("1", Some("false")),
            ("x", Some("false")),
            ("", Some("false")),
        ],
    );
    check(
        &K::STRING,
        &[
            ("x", Some("x")),
            ("", Some("")),
            ("\"\"", Some("")),
            ("\"a,b\"", Some("a,b")),
            ("\"a\"\"b\"", Some("a\"b")),
            (" x ", Some(" x ")),
            ("a\"b", Some("a\"b")),
            ("null", Some("null")),
            ("\" q \"", Some(" q ")),
            ("'x'", Some("'x'")),
        ],
    );
    check(
        &K::Date,
        &[("2024-02-29", Some("2024-02-29")), ("2024-2-9", Some("2024-02-09")), ("", None)],
    );
    check(
        &K::Time { precision: 0 },
        &[("12:34:56", Some("12:34:56")), ("12:34", Some("12:34:00"))],
    );
    check(
        &K::timestamp(3),
        &[
            ("2024-02-29 12:34:56.789", Some("2024-02-29T12:34:56.789")),
            ("2024-02-29T12:34:56", None),
            ("2024-02-29", None),
            ("", None),
        ],
    );
    check(
        &K::timestamp_ltz(3),
        &[("2024-02-29 12:34:56Z", Some("2024-02-29T12:34:56Z")), ("2024-02-29 12:34:56", None)],
    );
    check(&K::BYTES, &[("AP9B", Some("00ff41")), ("!!", None)]);
}

#[test]
fn nested_values_as_flink_reads_them() {
    check(
        &K::Array(Box::new(K::Int.nullable())),
        &[("1;2;3", Some("[1, 2, 3]")), ("", Some("[]")), ("1;;3", None)],
    );
    check(
        &K::Row(fields(&[("x", K::Int), ("y", K::STRING)])),
        &[("1;a", Some("{x: 1, y: a}")), ("1", None)],
    );
    let map = K::Map(Box::new(K::STRING.nullable()), Box::new(K::Int.nullable()));
    assert!(
        rows(&[("b", map)], &[], &["a"])
            .unwrap_err()
            .contains("column b: CSV does not hold values of type MAP")
    );
    let nested = K::Array(Box::new(K::Array(Box::new(K::Double.nullable())).nullable()));
    assert!(rows(&[("b", nested)], &[], &["a"]).is_err());
}

#[test]
fn records_as_flink_takes_them() {
    let columns = [("a", K::Int), ("b", K::STRING)];
    let ignore = [("ignore-parse-errors", "true")];
    let cases: [(&str, Option<&str>, Option<&str>); 9] = [
        ("2", None, Some("2|NULL")),
        ("2,y,w", None, None),
        ("q,y", None, Some("NULL|y")),
        ("", None, Some("NULL|NULL")),
        ("  ", None, Some("NULL|NULL")),
        ("# 2,y", None, Some("NULL|y")),
        ("2,\"y", None, None),
        ("2,\"y\"w", None, None),
        (" 2 , y ", Some("2| y "), Some("2| y ")),
    ];
    for (record, strict, lenient) in cases {
        let around = |row: Option<&str>| -> Vec<String> {
            ["1|x"].into_iter().chain(row).chain(["3|z"]).map(str::to_owned).collect()
        };
        let texts = ["1,x", record, "3,z"];
        assert_eq!(
            rows(&columns, &[], &texts).ok(),
            strict.map(|row| around(Some(row))),
            "{record}"
        );
        assert_eq!(
            rows(&columns, &ignore, &texts),
            Ok(around(lenient)),
            "{record}, ignore-parse-errors"
        );
    }
}

#[test]
fn options_have_their_effect() {
    let columns = [("a", K::Int), ("b", K::STRING)];
    let read = |options: &[(&str, &str)], texts: &[&str]| rows(&columns, options, texts).unwrap();
    assert_eq!(read(&[("allow-comments", "true")], &["1,x", "# 2,y", "3,z"]), ["1|x", "3|z"]);
    let null = [("null-literal", "n/a")];
    assert_eq!(read(&null, &["1,n/a", "n/a,y", "2,\"n/a\""]), ["1|NULL", "NULL|y", "2|NULL"]);
    assert_eq!(read(&[("null-literal", "")], &["1,", ",y"]), ["1|NULL", "NULL|y"]);
    assert_eq!(read(&[("field-delimiter", ";")], &["1;x,y"]), ["1|x,y"]);
    assert_eq!(read(&[("field-delimiter", "\\t")], &["1\tx"]), ["1|x"]);
    assert_eq!(read(&[("quote-character", "'")], &["1,'x,y'", "2,'it''s'"]), ["1|x,y", "2|it's"]);
    assert_eq!(read(&[("disable-quote-character", "true")], &["1,\"x\""]), ["1|\"x\""]);
    assert_eq!(read(&[("escape-character", "\\")], &["1,x\\,y", "2,\\\"q"]), ["1|x,y", "2|\"q"]);
    let list = [("a", K::Int), ("b", K::Array(Box::new(K::STRING.nullable())))];
    assert_eq!(rows(&list, &[("array-element-delimiter", "|")], &["1,x|y"]).unwrap(), ["1|[x, y]"]);
    let both = [("quote-character", "'"), ("disable-quote-character", "true")];
    assert!(rows(&columns, &both, &["1,x"]).is_err());
}

#[test]
fn only_columns_that_are_read_are_decoded() {
    let declared = fields(&[("a", K::Int), ("b", K::Int), ("c", K::STRING)]);
    let decoded = decode(&declared, &declared[2..], &[], &[b"q,r,x", b"1,2,y"]).unwrap();
    assert_eq!(shown(&decoded.rows), ["x", "y"]);
    let decoded = decode(
        &declared,
        &[],
        &[("ignore-parse-errors", "true")],
        &[b"1,2,3", b"1,2,3,4", b"1,2,3"],
    )
    .unwrap();
    assert_eq!((decoded.rows.num_rows(), decoded.bad_records, decoded.origin(1)), (2, 1, 2));
}

#[test]
fn damaged_bytes_never_panic() {
    let declared = fields(&[
        ("a", K::BigInt),
        ("s", K::STRING),
        ("t", K::timestamp(9)),
        ("l", K::Array(Box::new(K::Date.nullable()))),
        ("b", K::BYTES),
        ("d", K::Decimal { precision: 38, scale: 9 }),
    ]);
    let good = b"-12,\"a \"\"q\"\", b\",2024-02-29 12:34:56.789,2024-1-1;2024-01-02,AP9B,1.5e-3";
    let mut random = Sequence::new(Stream::new(5, 5));
    let mut lines: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    for _ in 0..4_000 {
        let mut line = good.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(line.len() as u64) as usize;
            line[place] = if random.below(2) == 0 {
                b"\",;\\\n "[random.below(6) as usize]
            } else {
                random.draw() as u8
            };
        }
        lines.push(line);
    }
    lines.push(good.to_vec());
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    for options in [
        &[("ignore-parse-errors", "true")][..],
        &[("ignore-parse-errors", "true"), ("escape-character", "\\")],
    ] {
        let decoded = decode(&declared, &declared, options, &lines).unwrap();
        let last = shown(&decoded.rows).pop().unwrap();
        assert!(
            last.starts_with(
                "-12|a \"q\", b|2024-02-29T12:34:56.789|[2024-01-01, 2024-01-02]|00ff41|0.001500000"
            ),
            "{last}"
        );
    }
}

fn encoded(columns: &[Field], arrays: Vec<ArrayRef>, options: &[(&str, &str)]) -> String {
    let options = FormatOptions::new("csv", options).unwrap();
    let context =
        EncoderContext { options: &options, columns, declared: columns, origin: "table o" };
    let rows = RecordBatch::try_new(arrow_schema(columns), arrays).unwrap();
    let mut out = Records::with_terminator(b"\n");
    encoder(&context).unwrap().encode(&rows, &mut out).unwrap();
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

#[test]
fn texts_are_quoted_as_flink_does() {
    let texts = [
        "a,b",
        "a\"b",
        "",
        " a ",
        "a\nb",
        "ä",
        "it's",
        "-",
        "a;b",
        "1",
        "2024-02-29",
        "12345678901234567890abcd",
        "12345678901234567890abcde",
    ];
    let column = fields(&[("a", K::STRING)]);
    let array: ArrayRef =
        std::sync::Arc::new(arrow::array::StringViewArray::from_iter_values(texts));
    let expected = "\"a,b\"\n\"a\"\"b\"\n\n\" a \"\n\"a\nb\"\nä\n\"it's\"\n-\na;b\n1\n2024-02-29\n12345678901234567890abcd\n\"12345678901234567890abcde\"\n";
    assert_eq!(encoded(&column, vec![array], &[]), expected);
}

#[test]
fn rows_are_written_as_flink_writes_them() {
    let columns = fields(&[
        ("bo", K::Boolean),
        ("d", K::Decimal { precision: 10, scale: 3 }),
        ("f", K::Double),
        ("t", K::timestamp(3)),
        ("l", K::Array(Box::new(K::Int.nullable()))),
        ("r", K::Row(fields(&[("x", K::Int), ("y", K::STRING)]))),
        ("by", K::BYTES),
        ("s", K::STRING),
    ]);
    let null = [("null-literal", "n/a")];
    let texts: [&[u8]; 2] = [
        b"true,123.450,1e10,2024-02-29 12:34:56.780,1;2,1;b c,AQI=,x",
        b"n/a,n/a,n/a,n/a,n/a,n/a,n/a,n/a",
    ];
    let decoded = decode(&columns, &columns, &null, &texts).unwrap();
    let arrays = decoded.rows.columns().to_vec();
    let expected = "true,123.45,1.0E10,\"2024-02-29 12:34:56.78\",1;2,\"1;b c\",AQI=,x\n";
    assert_eq!(encoded(&columns, arrays.clone(), &[]), format!("{expected},,,,,,,\n"));
    assert!(encoded(&columns, arrays, &null).ends_with("n/a,n/a,n/a,n/a,n/a,n/a,n/a,n/a\n"));
}

#[test]
fn what_is_written_is_read() {
    let columns = fields(&[("a", K::STRING), ("b", K::STRING)]);
    let alphabet =
        ["a", "ä", "\"", "\\", "\n", ",", ";", " ", "#", "'", "long enough for quotes of its own"];
    let mut random = Sequence::new(Stream::new(2, 2));
    let mut text = || -> String {
        (0..random.below(6))
            .map(|_| alphabet[random.below(alphabet.len() as u64) as usize])
            .collect()
    };
    let texts: [Vec<String>; 2] = [(); 2].map(|()| (0..1_000).map(|_| text()).collect());
    let arrays: Vec<ArrayRef> = texts
        .iter()
        .map(|texts| {
            std::sync::Arc::new(arrow::array::StringViewArray::from_iter_values(texts)) as ArrayRef
        })
        .collect();
    for options in [&[][..], &[("quote-character", "'"), ("field-delimiter", ";")]] {
        let format = FormatOptions::new("csv", options).unwrap();
        let context = EncoderContext {
            options: &format,
            columns: &columns,
            declared: &columns,
            origin: "table o",
        };
        let rows = RecordBatch::try_new(arrow_schema(&columns), arrays.clone()).unwrap();
        let mut out = Records::new();
        encoder(&context).unwrap().encode(&rows, &mut out).unwrap();
        let lines: Vec<&[u8]> = out.iter().map(Option::unwrap).collect();
        let decoded = decode(&columns, &columns, options, &lines).unwrap();
        assert_eq!(decoded.rows, rows);
    }
}
