//! `debezium-avro-confluent`: against what Flink 2.3 writes, and against envelopes as Debezium's connectors write them, which
//! Flink reads as is said here.

use arrow::array::{Array, AsArray, Decimal128Array, Int8Array, Int64Array, StructArray};
use arrow::datatypes::Int64Type;
use tidegate_engine::element::Changes;
use tidegate_plan::RowKind;
use tidegate_types::SqlType;

use super::double::start;
use super::*;

const NAME: &str = "debezium-avro-confluent";
/// What Flink registers for the columns of [`product_columns`].
const FLINK_SCHEMA: &str = include_str!("debezium_written_by_flink.avsc");
/// As Debezium's connector for PostgreSQL registers it.
const ENVELOPE: &str = include_str!("debezium_envelope.avsc");

/// What Flink writes for [`products`], with the number 1.
const BY_FLINK: [&[u8]; 4] = [
    b"\x00\x00\x00\x00\x01\x02\x00\x02\x02\x02\x02\x61\x02\x04\x00\x96\x02\x02\x02\x02\x02\x61\x02\x02\x63",
    b"\x00\x00\x00\x00\x01\x02\x02\x02\x02\x02\x61\x02\x04\x00\x96\x02\x02\x02\x02\x02\x61\x00\x02\x02\x64",
    b"\x00\x00\x00\x00\x01\x02\x00\x02\x02\x02\x02\x62\x02\x04\x00\xfa\x02\x02\x02\x02\x02\x62\x02\x02\x63",
    b"\x00\x00\x00\x00\x01\x02\x00\x02\x04\x00\x00\x02\x02\x04\x00\x02\x02\x63",
];

/// Records of [`ENVELOPE`], with the number 1: a row of a snapshot, an insertion, an update, a deletion.
const ENVELOPES: [&[u8]; 4] = [
    b"\x00\x00\x00\x00\x01\x00\x02\x02\x02\x02\x61\x01\x06\x32\x2e\x37\x80\xa0\xab\xfe\xf9\x62\x00\x08\x74\x72\x75\x65\x00\x02\x72\x02\xf6\xa1\xab\xfe\xf9\x62\x00",
    b"\x00\x00\x00\x00\x01\x00\x02\x04\x00\x00\x06\x32\x2e\x37\x80\xa0\xab\xfe\xf9\x62\x00\x08\x74\x72\x75\x65\x00\x02\x63\x02\xf6\xa1\xab\xfe\xf9\x62\x02\x04\x74\x31\x06",
    b"\x00\x00\x00\x00\x01\x02\x02\x02\x02\x61\x01\x02\x02\x02\x02\x62\x01\x06\x32\x2e\x37\x80\xa0\xab\xfe\xf9\x62\x00\x08\x74\x72\x75\x65\x00\x02\x75\x02\xf6\xa1\xab\xfe\xf9\x62\x00",
    b"\x00\x00\x00\x00\x01\x02\x04\x00\x00\x00\x06\x32\x2e\x37\x80\xa0\xab\xfe\xf9\x62\x00\x08\x74\x72\x75\x65\x00\x02\x64\x02\xf6\xa1\xab\xfe\xf9\x62\x00",
];

fn encoder_of(pairs: &[(&str, &str)], columns: &[Field]) -> Result<Box<dyn Encoder>> {
    let options = FormatOptions::new(NAME, pairs).unwrap();
    encoder(&EncoderContext { options: &options, columns, declared: columns, origin: "t" })
}

fn decoder_of(
    pairs: &[(&str, &str)],
    columns: &[Field],
    read: &[Field],
) -> Result<Box<dyn Decoder>> {
    let options = FormatOptions::new(NAME, pairs).unwrap();
    let context =
        DecoderContext { options: &options, declared: columns, read, metadata: &[], origin: "t" };
    decoder(&context)
}

fn field(name: &str, ty: SqlType) -> Field {
    Field::new(name, ty)
}

fn product_columns() -> Vec<Field> {
    let inner = vec![field("a", TypeKind::Int.nullable()), field("b", TypeKind::STRING.nullable())];
    vec![
        field("id", TypeKind::BigInt.not_null()),
        field("name", TypeKind::STRING.nullable()),
        field("price", TypeKind::Decimal { precision: 10, scale: 2 }.nullable()),
        field("w", TypeKind::Row(inner).nullable()),
    ]
}

/// `+I (1, 'a')`, `-U`, `+U (1, 'b')`, `+I (2, NULL)`.
fn products() -> Changes {
    let schema = arrow_schema(&product_columns());
    let names = || StringViewArray::from(vec![Some("a"), Some("a"), Some("b"), None]);
    let prices = Decimal128Array::from(vec![Some(150), Some(150), Some(250), None])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let arrow::datatypes::DataType::Struct(fields) = schema.field(3).data_type() else {
        panic!("a ROW is a struct")
    };
    let inner: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(vec![1, 1, 1, 2])), Arc::new(names())];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 1, 1, 2])),
        Arc::new(names()),
        Arc::new(prices),
        Arc::new(StructArray::new(fields.clone(), inner, None)),
    ];
    let kinds = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Insert];
    Changes {
        rows: RecordBatch::try_new(schema, arrays).unwrap(),
        kinds: Some(Int8Array::from(kinds.map(|kind| kind as i8).to_vec())),
    }
}

fn records(all: &[&[u8]]) -> Records {
    let mut records = Records::new();
    all.iter().for_each(|record| assert!(records.push(Some(record))));
    records
}

#[tokio::test]
async fn changes_are_written_as_flink_does() {
    let (double, url) = start().await;
    let pairs = [("url", url.as_str()), ("subject", "products-value")];
    let mut encoder = encoder_of(&pairs, &product_columns()).unwrap();
    encoder.prepare().await.unwrap();
    let mut written = Records::new();
    encoder.encode_changes(&products(), &mut written).unwrap();
    let found: Vec<_> = written.iter().map(Option::unwrap).collect();
    assert_eq!(found, BY_FLINK);
    let schema = double.lock().unwrap().schemas[0]["schema"].clone();
    assert_eq!(schema.as_str().unwrap(), FLINK_SCHEMA.trim_end());
    // And they are read again; changes that were updates are insertions and deletions now.
    let columns = product_columns();
    let mut decoder = decoder_of(&pairs[..1], &columns, &columns).unwrap();
    decoder.prepare(&written).await.unwrap();
    let decoded = decoder.decode(&written).unwrap();
    assert_eq!(decoded.rows, products().rows);
    let kinds = [RowKind::Insert, RowKind::Delete, RowKind::Insert, RowKind::Insert];
    assert_eq!(decoded.kinds.unwrap().values().as_ref(), kinds.map(|kind| kind as i8));
}

#[tokio::test]
async fn envelopes_of_debezium_are_read() {
    let (double, url) = start().await;
    double.lock().unwrap().schemas.push(json!({"schema": ENVELOPE.trim_end()}));
    let columns = [
        field("name", TypeKind::STRING.nullable()),
        field("id", TypeKind::BigInt.not_null()),
        field("extra", TypeKind::Int.nullable()),
    ];
    let mut decoder = decoder_of(&[("url", &url)], &columns, &columns).unwrap();
    let mut all = records(&ENVELOPES[..3]);
    // What Debezium writes behind a deletion says nothing.
    assert!(all.push(None) && all.push(Some(b"")) && all.push(Some(ENVELOPES[3])));
    decoder.prepare(&all).await.unwrap();
    let decoded = decoder.decode(&all).unwrap();
    let (names, ids) = (decoded.rows.column(0), decoded.rows.column(1));
    let ids: Vec<_> = ids.as_primitive::<Int64Type>().values().to_vec();
    let names: Vec<_> = names.as_string_view().iter().collect();
    assert_eq!(ids, [1, 2, 1, 1, 2]);
    assert_eq!(names, [Some("a"), None, Some("a"), Some("b"), None]);
    assert_eq!(decoded.rows.column(2).null_count(), 5);
    let kinds = [
        RowKind::Insert,
        RowKind::Insert,
        RowKind::UpdateBefore,
        RowKind::UpdateAfter,
        RowKind::Delete,
    ];
    assert_eq!(decoded.kinds.as_ref().unwrap().values().as_ref(), kinds.map(|kind| kind as i8));
    let origins: Vec<_> = (0..5).map(|row| decoded.origin(row)).collect();
    assert_eq!(origins, [0, 1, 2, 2, 5]);
    // A count of the rows needs none of them.
    let mut counting = decoder_of(&[("url", &url)], &columns, &[]).unwrap();
    counting.prepare(&all).await.unwrap();
    assert_eq!(counting.decode(&all).unwrap().rows.num_rows(), 5);
    // A column that rows cannot give is told when the schema comes.
    let needed = [field("extra", TypeKind::Int.not_null())];
    let mut decoder = decoder_of(&[("url", &url)], &needed, &needed).unwrap();
    let error = decoder.prepare(&all).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible);
    assert!(error.to_string().contains("column before.extra"), "{error}");
}

#[tokio::test]
async fn envelopes_without_what_their_operation_needs_are_malformed() {
    let (double, url) = start().await;
    double.lock().unwrap().schemas.push(json!({"schema": ENVELOPE.trim_end()}));
    let columns = [field("id", TypeKind::BigInt.nullable())];
    let mut decoder = decoder_of(&[("url", &url)], &columns, &columns).unwrap();
    decoder.prepare(&records(&ENVELOPES)).await.unwrap();
    // The operation is the letter in front of the time and the transaction.
    let with_operation = |record: &[u8], letter: u8| {
        let mut record = record.to_vec();
        let place = record.windows(3).rposition(|bytes| bytes[0] == 2 && bytes[2] == 2).unwrap();
        record[place + 1] = letter;
        record
    };
    let insert = ENVELOPES[0];
    for (record, message) in [
        (with_operation(insert, b'u'), "'before' is missing: the database must log full rows"),
        (with_operation(insert, b'd'), "'before' is missing"),
        (with_operation(ENVELOPES[3], b'c'), "'after' is missing"),
        (with_operation(insert, b't'), "'op' is 't': it must be one of c, r, u, d"),
        (insert[..9].to_vec(), "(schema 1)"),
    ] {
        let error = decoder.decode(&records(&[&record])).unwrap_err();
        let DecodeError::Record(bad) = error else { panic!("the record is to blame") };
        assert!(bad.message.contains(message), "{}", bad.message);
    }
}

#[tokio::test]
async fn a_schema_that_is_given_must_be_one_of_envelopes() {
    let (double, url) = start().await;
    let subject = ("subject", "s");
    let columns = product_columns();
    // As Flink wants it, or without the union.
    let whole: serde_json::Value = serde_json::from_str(FLINK_SCHEMA).unwrap();
    let record = whole[1].to_string();
    for (schema, begin) in [(FLINK_SCHEMA, &[2, 0][..]), (record.as_str(), &[0, 2][..])] {
        let pairs = [("url", url.as_str()), subject, ("schema", schema)];
        let mut encoder = encoder_of(&pairs, &columns).unwrap();
        encoder.prepare().await.unwrap();
        let mut written = Records::new();
        encoder.encode_changes(&products(), &mut written).unwrap();
        assert!(written.get(0).unwrap()[5..].starts_with(begin));
        let mut decoder = decoder_of(&pairs, &columns, &columns).unwrap();
        decoder.prepare(&written).await.unwrap();
        assert_eq!(decoder.decode(&written).unwrap().rows, products().rows);
    }
    assert_eq!(double.lock().unwrap().schemas[0]["schema"], FLINK_SCHEMA);
    let row = whole[1]["fields"][0]["type"][1].to_string();
    let pairs = [("url", url.as_str()), subject, ("schema", row.as_str())];
    let error = encoder_of(&pairs, &columns).err().unwrap().to_string();
    assert!(
        error.contains("it has the fields id, name, price, w, not before, after, op"),
        "{error}"
    );
    let read = [field("id", TypeKind::BigInt.not_null())];
    let error = decoder_of(&pairs, &read, &read).err().unwrap().to_string();
    assert!(error.contains("it has no 'before'"), "{error}");
}
