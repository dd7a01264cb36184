//! Avro files: cut anywhere, restarted inside of blocks, damaged.

use tidegate_engine::connector::Split;
use tidegate_types::{ErrorCode, Field, TypeKind};

use super::table::{Reading, TestTable, expected, write_and_commit};
use crate::filesystem::split::{Part, SplitState};

const ROWS: i64 = 12_000;

/// A table with a file of several blocks, and the bytes of that.
async fn table(codec: &str) -> (TestTable, Vec<u8>) {
    let table = TestTable::new().set("format", "avro").set("avro.codec", codec);
    write_and_commit(table.writer("l").as_mut(), table.rows(0..ROWS), 1).await;
    let file = table.path().join(&table.visible_files()[0]);
    let content = std::fs::read(file).unwrap();
    (table, content)
}

#[tokio::test]
async fn every_cut_of_a_file_gives_each_row_once() {
    let (table, content) = table("null").await;
    let size = content.len() as u64;
    let source = table.source();
    let found = source.enumerate(&[], false).await.unwrap();
    let whole = SplitState::decode(&found[0]).unwrap();
    for step in [997, 30_011, 64_000, 64_030, 150_000, size] {
        let splits: Vec<Split> = (0..size)
            .step_by(step as usize)
            .map(|start| {
                let part =
                    Part::Blocks { start, end: (start + step).min(size), next: None, rows: 0 };
                SplitState { part, ..whole.clone() }.encode(false).unwrap()
            })
            .collect();
        let mut rows = Reading::new(source.as_ref(), splits, 5_000).unwrap().rest().await.unwrap();
        rows.sort();
        assert!(rows == expected(0..ROWS), "ranges of {step} bytes: {} rows", rows.len());
    }
}

#[tokio::test]
async fn a_restart_inside_of_a_block_continues_exactly() {
    for codec in ["snappy", "deflate"] {
        let (table, _) = table(codec).await;
        let source = table.source();
        for batches in [0, 1, 5, 11, 12] {
            let splits = source.enumerate(&[], false).await.unwrap();
            let mut first = Reading::new(source.as_ref(), splits, 1_000).unwrap();
            let mut rows = Vec::new();
            for _ in 0..batches {
                rows.extend(first.next().await.unwrap().unwrap_or_default());
            }
            let text = serde_json::to_string(&first.reader.snapshot().unwrap()).unwrap();
            let restored: Vec<Split> = serde_json::from_str(&text).unwrap();
            rows.extend(
                Reading::new(source.as_ref(), restored, 700).unwrap().rest().await.unwrap(),
            );
            rows.sort();
            assert!(rows == expected(0..ROWS), "{codec}, after {batches} batches");
        }
    }
}

#[tokio::test]
async fn damaged_files_are_named() {
    let (table, content) = table("zstandard").await;
    let name = table.visible_files()[0].clone();
    let read = async || {
        let source = table.source();
        let splits = source.enumerate(&[], false).await.unwrap();
        Reading::new(source.as_ref(), splits, 1_000).unwrap().rest().await.unwrap_err()
    };
    for (damage, message) in [
        (content[..content.len() - 1].to_vec(), "in the middle of a block"),
        (content[..40].to_vec(), "its head is damaged"),
        (b"{\"id\":1}".to_vec(), "no Avro file"),
    ] {
        table.put(&name, damage);
        let error = read().await;
        assert_eq!(error.code(), ErrorCode::BadRecord);
        assert!(
            error.to_string().contains(message) && error.to_string().contains(&name),
            "{error}"
        );
    }
}

#[tokio::test]
async fn columns_are_found_by_name() {
    let (mut table, _) = table("bzip2").await;
    table.plan.columns = vec![
        Field::new("added", TypeKind::Int.nullable()),
        Field::new("name", TypeKind::STRING.nullable()),
    ];
    let rows = table.read_all().await;
    assert_eq!((rows.len() as i64, rows[0].as_str()), (ROWS, "NULL|name 0"));
    table.plan.columns = vec![Field::new("name", TypeKind::Int.nullable())];
    let source = table.source();
    let splits = source.enumerate(&[], false).await.unwrap();
    let error = Reading::new(source.as_ref(), splits, 10).unwrap().rest().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible);
    assert!(error.to_string().contains("column name"), "{error}");
}
