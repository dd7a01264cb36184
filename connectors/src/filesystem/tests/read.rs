//! Reading: cuts, restarts, compression, bad records, metadata, nested columns.

use std::io::Write as _;

use tidegate_engine::connector::Split;
use tidegate_plan::operator::MetadataColumn;
use tidegate_types::{ErrorCode, Field, TypeKind};

use super::table::{Reading, TestTable, expected, write_and_commit};
use crate::filesystem::split::{Part, SplitState};

fn lines(ids: std::ops::Range<i64>) -> String {
    ids.map(|id| format!("{{\"id\":{id},\"name\":\"name {id}\"}}\n")).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_cut_of_a_file_gives_each_record_once() {
    let table = TestTable::new();
    let content = lines(0..12).replace("name 3\"}\n", "name 3\"}\r\n");
    let path = table.put("a.json", content.trim_end());
    let size = std::fs::metadata(&path).unwrap().len();
    let source = table.source();
    let found = source.enumerate(&[], false).await.unwrap();
    let whole = SplitState::decode(&found[0]).unwrap();
    for step in [1, 7, 26, 27, 28, 100, size] {
        let splits: Vec<Split> = (0..size)
            .step_by(step as usize)
            .map(|start| {
                let part =
                    Part::Bytes { start, end: (start + step).min(size), next: None, records: 0 };
                SplitState { part, ..whole.clone() }.encode(false).unwrap()
            })
            .collect();
        let mut rows = Reading::new(source.as_ref(), splits, 5).unwrap().rest().await.unwrap();
        rows.sort();
        assert_eq!(rows, expected(0..12), "ranges of {step} bytes");
    }
}

#[tokio::test]
async fn a_restart_between_any_two_batches_continues_exactly() {
    for kind in ["json", "gz", "zst", "parquet", "avro", "orc"] {
        let table = match kind {
            "parquet" | "avro" | "orc" => TestTable::new().set("format", kind),
            _ => TestTable::new(),
        };
        match kind {
            "gz" => drop(table.put("a.json.gz", gzip(&lines(0..10)))),
            "zst" => {
                drop(table.put("a.json.zst", zstd::encode_all(lines(0..10).as_bytes(), 1).unwrap()))
            }
            "parquet" | "avro" | "orc" => {
                drop(write_and_commit(table.writer("l").as_mut(), table.rows(0..10), 1).await)
            }
            _ => drop(table.put("a.json", lines(0..10))),
        }
        let source = table.source();
        for stop_after in 0..6 {
            let splits = source.enumerate(&[], false).await.unwrap();
            let mut first = Reading::new(source.as_ref(), splits, 2).unwrap();
            let mut rows = Vec::new();
            for _ in 0..stop_after {
                rows.extend(first.next().await.unwrap().unwrap_or_default());
            }
            let text = serde_json::to_string(&first.reader.snapshot().unwrap()).unwrap();
            let restored: Vec<Split> = serde_json::from_str(&text).unwrap();
            rows.extend(Reading::new(source.as_ref(), restored, 3).unwrap().rest().await.unwrap());
            rows.sort();
            assert_eq!(rows, expected(0..10), "{kind} after {stop_after} batches");
        }
    }
}

#[tokio::test]
async fn a_bad_record_is_named_or_counted() {
    let table = TestTable::new();
    table.put(
        "a.json",
        "{\"id\":1,\"name\":\"name 1\"}\n{\"id\":\n{\"id\":3,\"name\":\"name 3\"}\n",
    );
    let source = table.source();
    let splits = source.enumerate(&[], false).await.unwrap();
    let error = Reading::new(source.as_ref(), splits, 10).unwrap().rest().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
    let text = error.to_string();
    assert!(text.contains("a.json, line 2") && text.contains("json.ignore-parse-errors"), "{text}");

    let table = table.set("json.ignore-parse-errors", "true");
    let source = table.source();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 10).unwrap();
    assert_eq!(reading.rest().await.unwrap(), ["1|name 1", "3|name 3"]);
    assert_eq!(reading.context.metrics.bad_records.get(), 1);
}

#[tokio::test]
async fn folders_wildcards_and_patterns_choose_files() {
    let table = TestTable::new();
    for (name, id) in
        [("x/1.json", 1), ("x/y/2.json", 2), ("z/3.json", 3), ("_t/4.json", 4), (".h.json", 5)]
    {
        table.put(name, lines(id..id + 1));
    }
    table.put("empty.json", "");
    assert_eq!(table.read_all().await, expected(1..4));
    let path = table.path().display().to_string();
    let table = table.set("path", &format!("{path}/?/*.json"));
    assert_eq!(table.read_all().await, ["1|name 1", "3|name 3"]);
    let table = table.set("path", &path).set("source.path.regex-pattern", ".*/[23]\\.json");
    assert_eq!(table.read_all().await, expected(2..4));
    let table = table.set("path", &format!("{path}/nowhere"));
    let error = table.source().enumerate(&[], false).await.unwrap_err();
    assert!(
        error.code() == ErrorCode::NotFound && error.to_string().contains("nowhere"),
        "{error}"
    );
}

#[tokio::test]
async fn a_monitored_folder_gives_new_files_once() {
    let table = TestTable::new().set("source.monitor-interval", "1 s");
    table.put("1.json", lines(1..2));
    let source = table.source();
    assert!(!source.is_bounded() && source.discovery_interval().is_some());
    let known = source.enumerate(&[], false).await.unwrap();
    assert!(source.enumerate(&known, true).await.unwrap().is_empty());
    table.put("2.json", lines(2..3));
    let new = source.enumerate(&known, true).await.unwrap();
    assert_eq!(new.len(), 1);
    assert_eq!(
        Reading::new(source.as_ref(), new, 5).unwrap().next().await.unwrap(),
        Some(expected(2..3))
    );
}

#[tokio::test]
async fn metadata_columns_say_where_a_row_came_from() {
    let mut table = TestTable::new();
    let path = table.put("d/a.json", lines(1..2));
    let size = std::fs::metadata(&path).unwrap().len();
    for (key, kind) in [
        ("file.path", TypeKind::STRING),
        ("file.name", TypeKind::STRING),
        ("file.size", TypeKind::Int),
    ] {
        let field = Field::new(key, kind.nullable());
        table.metadata.push(MetadataColumn { key: key.into(), field });
    }
    let expected = format!("1|name 1|{}|a.json|{size}", path.display());
    assert_eq!(table.read_all().await, [expected]);
}

#[tokio::test]
async fn only_read_columns_are_decoded_and_none_counts_rows() {
    let table = TestTable::new();
    table.put("a.json", lines(0..7));
    for (read, first) in [(vec!["name"], "name 0"), (vec![], "")] {
        let source = table.source_reading(&read).unwrap();
        let splits = source.enumerate(&[], false).await.unwrap();
        let rows = Reading::new(source.as_ref(), splits, 3).unwrap().rest().await.unwrap();
        assert_eq!((rows.len(), rows[0].as_str()), (7, first));
    }
}

#[tokio::test]
async fn a_position_of_another_format_is_refused() {
    let table = TestTable::new();
    table.put("a.json", lines(0..1));
    let splits = table.source().enumerate(&[], false).await.unwrap();
    let table = table.set("format", "parquet");
    let error = Reading::new(table.source().as_ref(), splits, 3).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_a_clear_error() {
    let table = TestTable::new();
    table.put("a.json.gz", b"this is not gzip");
    let splits = table.source().enumerate(&[], false).await.unwrap();
    let error = Reading::new(table.source().as_ref(), splits, 3).unwrap().rest().await.unwrap_err();
    assert!(error.to_string().contains("a.json.gz"), "{error}");
    let table = TestTable::new().set("format", "parquet");
    table.put("a.parquet", b"this is not parquet either");
    let splits = table.source().enumerate(&[], false).await.unwrap();
    let error = Reading::new(table.source().as_ref(), splits, 3).unwrap().rest().await.unwrap_err();
    assert!(
        error.to_string().contains("a.parquet") && error.code() == ErrorCode::BadRecord,
        "{error}"
    );
}
