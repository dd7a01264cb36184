//! Records: Flink's recorded answers, and bytes that nobody meant.

use super::*;

const GOOD: &str = "{\"a\":1,\"b\":\"x\"}";

#[test]
fn records_as_flink_takes_them() {
    let columns = [("a", K::Int), ("b", K::STRING)];
    let ignore = [("ignore-parse-errors", "true")];
    // (record, what it gives, what it gives with ignore-parse-errors)
    type Case<'a> = (&'a str, Option<&'a [&'a str]>, &'a [&'a str]);
    let cases: [Case<'_>; 17] = [
        ("{bad", None, &[]),
        ("{\"a\":\"q\",\"b\":\"y\"}", None, &["NULL|y"]),
        ("{\"a\":2,\"b\":", None, &[]),
        ("[1,2]", None, &[]),
        ("5", None, &[]),
        ("null", None, &[]),
        ("", Some(&[]), &[]),
        ("   ", None, &[]),
        ("{\"a\":2}", Some(&["2|NULL"]), &["2|NULL"]),
        ("{\"a\":2,\"b\":\"y\",\"c\":{\"d\":1}}", Some(&["2|y"]), &["2|y"]),
        ("{\"a\":2,\"a\":4,\"b\":\"y\"}", Some(&["4|NULL"]), &["4|NULL"]),
        ("{\"a\":2,\"b\":\"y\"}{\"a\":22,\"b\":\"yy\"}", Some(&["2|y"]), &["2|y"]),
        ("{\"A\":2,\"B\":\"y\"}", Some(&["NULL|NULL"]), &["NULL|NULL"]),
        ("{\"a\":2,\"b\":\"y\"} // c", Some(&["2|y"]), &["2|y"]),
        ("{\"a\":NaN,\"b\":\"y\"}", None, &[]),
        ("[{\"a\":2,\"b\":\"y\"},{\"a\":4,\"b\":\"w\"}]", Some(&["2|y", "4|w"]), &["2|y", "4|w"]),
        ("{'a':2,'b':'y'}", None, &[]),
    ];
    for (record, strict, lenient) in cases {
        let text = format!("{GOOD}\n{record}\n{GOOD}");
        let around = |rows: &[&str]| -> Vec<String> {
            std::iter::once("1|x")
                .chain(rows.iter().copied())
                .chain(["1|x"])
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(rows(&columns, &[], &text).ok(), strict.map(around), "{record}");
        assert_eq!(
            rows(&columns, &ignore, &text),
            Ok(around(lenient)),
            "{record}, ignore-parse-errors"
        );
    }
}

#[test]
fn rows_know_their_records() {
    let lines: [&[u8]; 5] = [GOOD.as_bytes(), b"", b"[{\"a\":2},{\"a\":3}]", b"{", GOOD.as_bytes()];
    let fields = fields(&[("a", K::Int)]);
    let decoded = decode(&fields, &[("ignore-parse-errors", "true")], &lines).unwrap();
    let origins: Vec<usize> = (0..decoded.rows.num_rows()).map(|row| decoded.origin(row)).collect();
    assert_eq!((origins, decoded.bad_records), (vec![0, 2, 2, 4], 1));
    let Err(DecodeError::Record(bad)) = decode(&fields, &[], &lines) else {
        panic!("a record is malformed")
    };
    assert_eq!(bad.record, 3);
}

#[test]
fn errors_name_place_and_value() {
    let row = K::Row(fields(&[("x", K::Int)]));
    let error = rows(&[("r", row)], &[], "{\"r\":{\"x\":\"abc\"}}").unwrap_err();
    assert_eq!(error, "column r.x: '\\\"abc\\\"' is not a value of type INT (byte 10)");
    let error = rows(&[("a", K::Int)], &[("fail-on-missing-field", "true")], "{}").unwrap_err();
    assert!(error.contains("column a is missing"), "{error}");
    let both = [("fail-on-missing-field", "true"), ("ignore-parse-errors", "true")];
    assert!(rows(&[("a", K::Int)], &both, "{}").unwrap_err().contains("must not both be true"));
    let map = K::Map(Box::new(K::Int.nullable()), Box::new(K::Int.nullable()));
    assert!(
        rows(&[("m", map)], &[], "{}")
            .unwrap_err()
            .contains("column m: JSON objects have text keys")
    );
    let not_null = [Field::new("a", K::Int.not_null())];
    let Err(DecodeError::Record(bad)) = decode(&not_null, &[], &[b"{}"]) else {
        panic!("a is NOT NULL")
    };
    assert!(bad.message.contains("column a is NULL, but declared NOT NULL"), "{}", bad.message);
}

#[test]
fn a_decoder_goes_on_after_a_malformed_record() {
    let fields = fields(&[("a", K::Int), ("s", K::STRING)]);
    let options = FormatOptions::new("json", &[]).unwrap();
    let context = DecoderContext {
        options: &options,
        declared: &fields,
        read: &fields,
        metadata: &[],
        origin: "table t",
    };
    let mut decoder = decoder(&context).unwrap();
    assert!(decoder.decode(&records(&[b"{\"a\":1,\"s\":\"x\"}", b"{\"a\":2,\"s\":"])).is_err());
    let decoded = decoder.decode(&records(&[b"{\"a\":3,\"s\":\"y\"}"])).unwrap();
    assert_eq!(shown(&decoded.rows), ["3|y"]);
}

#[test]
fn no_columns_give_counts() {
    let decoded = decode(&[], &[], &[b"{\"a\":1}", b"[{},{}]"]).unwrap();
    assert_eq!((decoded.rows.num_rows(), decoded.rows.num_columns()), (3, 0));
    assert!(decode(&[], &[], &[b"{\"a\":1"]).is_err());
}

/// A random value as JSON text, with the text that a STRING column makes of it.
fn random_text(random: &mut Sequence) -> (String, String) {
    let alphabet =
        ["a", "ä", "\"", "\\", "\n", "😀", "{", "}", ",", ":", "longer than one word", "\u{1}"];
    let text: String = (0..random.below(6))
        .map(|_| alphabet[random.below(alphabet.len() as u64) as usize])
        .collect();
    let mut token = Vec::new();
    tidegate_json::string::write_string(text.as_bytes(), &mut token);
    (String::from_utf8(token).unwrap(), text)
}

#[test]
fn random_records_in_any_order_of_keys() {
    let mut random = Sequence::new(Stream::new(3, 3));
    let columns = fields(&[("id", K::BigInt), ("text", K::STRING)]);
    let (mut lines, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2_000 {
        let id = random.draw() as i64 >> random.below(64);
        let (token, text) = random_text(&mut random);
        let (other, _) = random_text(&mut random);
        let mut members = [
            format!("\"id\":{id}"),
            format!("\"text\" : {token}"),
            format!("\"x\":[{other}, {{\"id\":1}}]"),
        ];
        members.rotate_left(random.below(3) as usize);
        lines.push(format!("{{{}}}", members.join(", ")));
        ids.push(id);
        texts.push(text);
    }
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let decoded = decode(&columns, &[], &lines).unwrap();
    assert_eq!(decoded.rows.column(0).as_primitive::<Int64Type>(), &Int64Array::from(ids));
    assert_eq!(decoded.rows.column(1).as_string_view(), &StringViewArray::from_iter_values(texts));
}

#[test]
fn damaged_bytes_never_panic() {
    let record = br#"{"a":-12.5e3,"s":"\u00e4\ud83d\ude00x","l":[1,{"k":"v"}],"m":{"k":"v"},"r":{"x":true},"d":1.25,"b":"AP9B","t":"2024-02-29 12:34:56.789"}"#;
    let list = K::Array(Box::new(K::STRING.nullable()));
    let map = K::Map(Box::new(K::STRING.nullable()), Box::new(K::STRING.nullable()));
    let columns = fields(&[
        ("a", K::Int),
        ("s", K::STRING),
        ("l", list),
        ("m", map),
        ("r", K::Row(fields(&[("x", K::Boolean)]))),
        ("d", K::Decimal { precision: 38, scale: 10 }),
        ("b", K::BYTES),
        ("t", K::timestamp(9)),
    ]);
    let mut lines: Vec<Vec<u8>> = (0..record.len()).map(|end| record[..end].to_vec()).collect();
    let mut random = Sequence::new(Stream::new(9, 9));
    for _ in 0..4_000 {
        let mut line = record.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(line.len() as u64) as usize;
            line[place] = random.draw() as u8;
        }
        lines.push(line);
    }
    lines.push([&b"{\"a\":"[..], &[b'9'; 5_000], b"}"].concat());
    lines.push([&b"{\"d\":1e"[..], &[b'9'; 5_000], b"}"].concat());
    lines.push(b"{\"x\":".repeat(100_000));
    lines.push(b"{\"s\":\"\xff\xfe\"}".to_vec());
    lines.push(record.to_vec());
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let decoded = decode(&columns, &[("ignore-parse-errors", "true")], &lines).unwrap();
    assert!(decoded.bad_records > record.len() as u64 / 2);
    let last = shown(&decoded.rows).pop().unwrap();
    assert!(last.starts_with("-12500|ä😀x|[1, {\"k\":\"v\"}]|{k: v}|{x: true}|1.2500000000|00ff41|2024-02-29T12:34:56.789"), "{last}");
}
