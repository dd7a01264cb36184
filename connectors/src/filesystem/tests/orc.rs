//! ORC files: those of Flink 2.3, restarts inside of stripes, every kind of compression, damage.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use tidegate_engine::Changes;
use tidegate_engine::connector::Split;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{ErrorCode, Field, SqlType, TypeKind};

use super::table::{Reading, TestTable, expected, write_and_commit};
use crate::filesystem::split::{Part, SplitState};

/// One row of values and one of NULLs, by Flink 2.3: see [`value_columns`].
const VALUES: &[u8] = include_bytes!("flink_values.orc");
/// 12 000 rows in three stripes, by Flink 2.3: `id`, `name` (`name <id>`, NULL where 11 divides the number), `price` (an
/// eighth of the number) and `tm` (1 000 seconds for each row).
const ROWS: &[u8] = include_bytes!("flink_rows.orc");

fn table() -> TestTable {
    TestTable::new().set("format", "orc")
}

fn text(length: u32) -> TypeKind {
    TypeKind::VarChar { length }
}

fn timestamp(precision: u8) -> SqlType {
    TypeKind::timestamp(precision).nullable()
}

fn list(element: SqlType) -> SqlType {
    TypeKind::Array(Box::new(element)).nullable()
}

fn value_columns() -> Vec<Field> {
    let string = || TypeKind::STRING.nullable();
    let int = || TypeKind::Int.nullable();
    let decimal = |precision, scale| TypeKind::Decimal { precision, scale }.nullable();
    let row = |fields| TypeKind::Row(fields).nullable();
    let map =
        TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BigInt.nullable()));
    let inner = row(vec![Field::new("p", int()), Field::new("q", list(string()))]);
    [
        ("b", TypeKind::Boolean.nullable()),
        ("t", TypeKind::TinyInt.nullable()),
        ("s", TypeKind::SmallInt.nullable()),
        ("i", int()),
        ("l", TypeKind::BigInt.nullable()),
        ("f", TypeKind::Float.nullable()),
        ("d", TypeKind::Double.nullable()),
        ("c", TypeKind::Char { length: 3 }.nullable()),
        ("v", text(5).nullable()),
        ("str", string()),
        ("bin", TypeKind::BYTES.nullable()),
        ("dt", TypeKind::Date.nullable()),
        ("ts", timestamp(3)),
        ("ts9", timestamp(9)),
        ("de", decimal(10, 2)),
        ("de2", decimal(38, 18)),
        ("a", list(int())),
        ("m", map.nullable()),
        ("r", row(vec![Field::new("x", int()), Field::new("y", string())])),
        ("rr", list(inner)),
    ]
    .map(|(name, ty)| Field::new(name, ty))
    .to_vec()
}

async fn read(table: &TestTable) -> tidegate_types::Result<Vec<String>> {
    let source = table.source();
    let splits = source.enumerate(&[], false).await?;
    Reading::new(source.as_ref(), splits, 1_000)?.rest().await
}

#[tokio::test]
async fn what_flink_writes_is_read() {
    let mut table = table();
    table.put("flink", VALUES);
    table.plan.columns = value_columns();
    let rows = read(&table).await.unwrap();
    assert_eq!(
        rows[0],
        "true|1|-2|3|9000000000|1.5|-2.25|ab|hello|ünï|00ff|1969-12-31|1965-12-31T23:59:59.999|\
         2026-01-02T03:04:05.123456789|123.45|-12345678901234567890.123456789012345678|[1, ]|{k: 7, n: }|\
         {x: 1, y: }|[{p: 1, q: [q1, q2]}]"
    );
    assert_eq!(rows[1], vec!["NULL"; 20].join("|"));
    assert_eq!(rows.len(), 2);
    // In other types, some of the fields, and with a column that the file does not have.
    let row = TypeKind::Row(vec![Field::new("y", TypeKind::STRING.nullable())]).nullable();
    table.plan.columns = vec![
        Field::new("r", row),
        Field::new("more", TypeKind::Int.nullable()),
        Field::new("i", TypeKind::BigInt.nullable()),
        Field::new("ts9", timestamp(3)),
    ];
    assert_eq!(read(&table).await.unwrap()[0], "{y: }|NULL|3|2026-01-02T03:04:05.123");
    table.plan.columns = vec![Field::new("str", TypeKind::Int.nullable())];
    let error = read(&table).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
    assert!(error.to_string().contains("column str is not a INT"), "{error}");
}

fn row(id: i64) -> String {
    let name = if id % 11 == 0 { "NULL".to_owned() } else { format!("name {id}") };
    format!("{id}|{name}|{}.{:03}", id / 8, id % 8 * 125)
}

#[tokio::test]
async fn a_restart_anywhere_in_three_stripes_continues_exactly() {
    let mut table = table();
    table.put("flink", ROWS);
    let decimal = TypeKind::Decimal { precision: 20, scale: 3 }.nullable();
    table.plan.columns.push(Field::new("price", decimal));
    let source = table.source();
    let found = source.enumerate(&[], false).await.unwrap();
    let whole = SplitState::decode(&found[0]).unwrap();
    let part = |first, count| {
        let part = Part::Stripes { first, count, next_row: 0 };
        SplitState { part, ..whole.clone() }.encode(false).unwrap()
    };
    let all: Vec<_> = (0..12_000).map(row).collect();
    for splits in [
        vec![part(0, None)],
        vec![part(0, Some(1)), part(1, Some(1)), part(2, Some(1))],
        vec![part(0, Some(2)), part(2, Some(9))],
    ] {
        for batches in [0, 1, 4, 5, 6, 11, 12, 15] {
            let mut first = Reading::new(source.as_ref(), splits.clone(), 1_000).unwrap();
            let mut rows = Vec::new();
            for _ in 0..batches {
                rows.extend(first.next().await.unwrap().unwrap_or_default());
            }
            let text = serde_json::to_string(&first.reader.snapshot().unwrap()).unwrap();
            let restored: Vec<Split> = serde_json::from_str(&text).unwrap();
            let mut second = Reading::new(source.as_ref(), restored, 700).unwrap();
            rows.extend(second.rest().await.unwrap());
            assert!(rows == all, "after {batches} batches: {} rows", rows.len());
        }
    }
    // A count needs no column.
    let source = table.source_with(Vec::new()).unwrap();
    let mut counting = Reading::new(source.as_ref(), vec![part(0, None)], 1_000).unwrap();
    assert_eq!(counting.rest().await.unwrap().len(), 12_000);
}

/// A table of all types that are written, and rows for it with a NULL in each column.
fn written(table: &mut TestTable) -> Changes {
    let columns: Vec<(&str, TypeKind, ArrayRef)> = vec![
        ("b", TypeKind::Boolean, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("t", TypeKind::TinyInt, Arc::new(Int8Array::from(vec![Some(-128), None, Some(127)]))),
        ("s", TypeKind::SmallInt, Arc::new(Int16Array::from(vec![None, Some(-2), Some(300)]))),
        ("i", TypeKind::Int, Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(0), None]))),
        (
            "l",
            TypeKind::BigInt,
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN)])),
        ),
        ("f", TypeKind::Float, Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.0)]))),
        ("d", TypeKind::Double, Arc::new(Float64Array::from(vec![None, Some(1e300), Some(-2.25)]))),
        (
            "c",
            TypeKind::Char { length: 3 },
            Arc::new(StringViewArray::from(vec![Some("abd"), None, Some("abc")])),
        ),
        ("v", text(5), Arc::new(StringViewArray::from(vec![Some("hello"), None, Some("")]))),
        (
            "str",
            TypeKind::STRING,
            Arc::new(StringViewArray::from(vec![
                Some("ünï, longer than a view holds"),
                None,
                Some(""),
            ])),
        ),
        (
            "bin",
            TypeKind::BYTES,
            Arc::new(BinaryViewArray::from(vec![Some(&b"\x00\xff"[..]), None, Some(b"")])),
        ),
        ("dt", TypeKind::Date, Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)]))),
        (
            "ts3",
            TypeKind::timestamp(3),
            Arc::new(TimestampMillisecondArray::from(vec![Some(-5_000_001), None, Some(1)])),
        ),
        (
            "ts6",
            TypeKind::timestamp(6),
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_767_323_045_123_456),
                None,
                Some(-62_135_596_800_000_001),
            ])),
        ),
        (
            "ts9",
            TypeKind::timestamp(9),
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_767_323_045_123_456_789),
                None,
                Some(0),
            ])),
        ),
        (
            "ltz",
            TypeKind::timestamp_ltz(3),
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_000), None, Some(-3_000)])
                    .with_timezone("UTC"),
            ),
        ),
    ];
    table.plan.columns =
        columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone().nullable())).collect();
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    Changes::append(RecordBatch::try_new(arrow_schema(&table.plan.columns), arrays).unwrap())
}

#[tokio::test]
async fn every_type_that_is_written_is_read_again_under_any_compression() {
    for compress in ["NONE", "ZLIB", "snappy", "LZ4", "ZSTD"] {
        let mut table = table().set("orc.compress", compress).set("orc.compress.size", "1000");
        let changes = written(&mut table);
        let texts = super::table::texts(&changes.rows);
        write_and_commit(table.writer("l").as_mut(), changes, 1).await;
        assert_eq!(read(&table).await.unwrap(), texts, "{compress}");
    }
}

#[tokio::test]
async fn files_of_many_stripes_hold_all_rows_once() {
    let table = table().set("orc.stripe.size", "20 kb");
    let mut writer = table.writer("l");
    for from in (0..5_000).step_by(250) {
        writer.write(table.rows(from..from + 250)).await.unwrap();
    }
    let units = writer.prepare(tidegate_types::Epoch(1)).await.unwrap();
    super::table::commit(writer.as_ref(), &units).await;
    let path = table.path().join(&table.visible_files()[0]);
    let size = std::fs::metadata(&path).unwrap().len();
    let location =
        tidegate_storage::locate(path.parent().unwrap().to_str().unwrap(), &table.plan.options)
            .unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let in_store = location.path.clone().join(name);
    let sizes =
        crate::filesystem::orc_source::stripe_sizes(&location, &in_store, size).await.unwrap();
    assert!(sizes.len() > 3 && sizes.iter().sum::<u64>() < size, "{sizes:?}");
    assert_eq!(table.read_all().await, expected(0..5_000));
}

#[tokio::test]
async fn columns_of_hive_are_found_by_their_place() {
    let mut table = table();
    let declared = table.plan.columns.clone();
    let rows = table.rows(0..3);
    table.plan.columns = ["_col0", "_col1"]
        .iter()
        .zip(&declared)
        .map(|(name, field)| Field::new(*name, field.ty.clone()))
        .collect();
    write_and_commit(table.writer("l").as_mut(), rows, 1).await;
    table.plan.columns = declared;
    assert_eq!(table.read_all().await, expected(0..3));
    let source = table.source_reading(&["name"]).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let rows = Reading::new(source.as_ref(), splits, 10).unwrap().rest().await.unwrap();
    assert_eq!(rows, ["name 0", "name 1", "name 2"]);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let decimal = TypeKind::Decimal { precision: 10, scale: 2 };
    let row = TypeKind::Row(vec![Field::new("x", TypeKind::Int.nullable())]);
    let elements = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    for kind in [decimal, row, elements, TypeKind::Time { precision: 0 }] {
        let mut table = table();
        table.plan.columns.push(Field::new("x", kind.nullable()));
        let error = table.sink_error();
        assert_eq!(error.code(), ErrorCode::Unsupported);
        assert!(error.to_string().contains("column x has the type"), "{error}");
    }
    let error = table().set("orc.compress.size", "8 mb").sink_error();
    assert!(error.to_string().contains("'orc.compress.size'"), "{error}");
}

#[tokio::test]
async fn a_time_that_the_format_cannot_hold_is_malformed() {
    let mut table = table();
    table.plan.columns = vec![Field::new("ts", timestamp(3))];
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![-1]));
    let rows = RecordBatch::try_new(arrow_schema(&table.plan.columns), vec![times]).unwrap();
    let mut writer = table.writer("l");
    writer.write(Changes::append(rows)).await.unwrap();
    let error = writer.prepare(tidegate_types::Epoch(1)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord, "{error}");
}

#[tokio::test]
async fn damaged_files_are_named() {
    let mut table = table();
    table.plan.columns = value_columns();
    for damage in [
        VALUES[..VALUES.len() - 1].to_vec(),
        VALUES[VALUES.len() - 100..].to_vec(),
        VALUES[..40].to_vec(),
        b"{\"id\":1}".to_vec(),
        vec![0xff; 300],
    ] {
        table.put("damaged", damage);
        let error = read(&table).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadRecord, "{error}");
        assert!(error.to_string().contains("damaged: "), "{error}");
    }
    // Any one byte: what is read may be wrong, for the format has no checksums, but reading ends.
    for place in (0..VALUES.len()).step_by(7) {
        let mut bytes = VALUES.to_vec();
        bytes[place] ^= 0x55;
        table.put("damaged", bytes);
        if let Err(error) = read(&table).await {
            assert_eq!(error.code(), ErrorCode::BadRecord, "byte {place}: {error}");
        }
    }
}

#[tokio::test]
async fn types_that_hold_themselves_are_refused() {
    let table = table().set("orc.compress", "NONE");
    write_and_commit(table.writer("l").as_mut(), table.rows(0..3), 1).await;
    let name = table.visible_files()[0].clone();
    let mut bytes = std::fs::read(table.path().join(&name)).unwrap();
    // The struct of the rows with its two children.
    let children = [8, 12, 18, 2, 1, 2];
    let place = bytes.windows(children.len()).rposition(|part| part == children).unwrap();
    bytes[place + 4] = 0;
    table.put(&name, bytes);
    let error = read(&table).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
    assert!(error.to_string().contains("its type 0 holds itself"), "{error}");
}
