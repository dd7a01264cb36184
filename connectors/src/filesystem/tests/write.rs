//! Writing: nothing visible before the commit, everything once after it, at any repetition.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, Int8Array, Int32Array, RecordBatch, StringViewArray, StructArray};
use arrow::datatypes::DataType;
use tidegate_engine::Changes;
use tidegate_plan::arrow_type;
use tidegate_types::{Epoch, ErrorCode, Field, TypeKind};

use super::table::{Reading, TestTable, commit, expected, restored, write_and_commit};

#[tokio::test]
async fn rows_become_visible_with_the_commit_only() {
    for format in ["json", "parquet", "avro", "orc"] {
        let table = TestTable::new().set("format", format);
        let mut writer = table.writer("l");
        writer.write(table.rows(0..5)).await.unwrap();
        let units = writer.prepare(Epoch(1)).await.unwrap();
        writer.write(table.rows(5..9)).await.unwrap();
        assert_eq!(table.visible_files(), Vec::<String>::new(), "{format}");
        commit(writer.as_ref(), &units).await;
        assert_eq!(table.read_all().await, expected(0..5), "{format}");
        let units = writer.prepare(Epoch(2)).await.unwrap();
        commit(writer.as_ref(), &units).await;
        assert_eq!(table.read_all().await, expected(0..9), "{format}");
        assert!(writer.prepare(Epoch(3)).await.unwrap().is_empty());
        writer.close().await.unwrap();
        assert_eq!(table.files().len(), 2, "nothing hidden is left");
    }
}

#[tokio::test]
async fn a_commit_can_be_repeated_by_anybody() {
    let table = TestTable::new();
    let mut writer = table.writer("l");
    writer.write(table.rows(0..3)).await.unwrap();
    let units = writer.prepare(Epoch(1)).await.unwrap();
    drop(writer);
    let mut second = table.writer("l");
    second.recover(restored(units.clone())).await.unwrap();
    commit(second.as_ref(), &units).await;
    table.writer("l").recover(restored(units.clone())).await.unwrap();
    assert_eq!(table.read_all().await, expected(0..3));
    std::fs::remove_file(table.path().join(&table.visible_files()[0])).unwrap();
    let error = table.writer("l").recover(restored(units)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corrupt);
}

#[tokio::test]
async fn a_restore_drops_lost_output_of_its_own_lineage() {
    let table = TestTable::new();
    let mut crashed = table.writer("mine");
    let committed = write_and_commit(crashed.as_mut(), table.rows(0..2), 1).await;
    crashed.write(table.rows(2..4)).await.unwrap();
    let lost = crashed.prepare(Epoch(2)).await.unwrap();
    assert_eq!(lost.len(), 1);
    let mut other = table.writer("other");
    other.write(table.rows(50..52)).await.unwrap();
    let foreign = other.prepare(Epoch(1)).await.unwrap();
    drop(crashed);

    let mut second = table.writer("mine");
    second.recover(restored(committed)).await.unwrap();
    write_and_commit(second.as_mut(), table.rows(2..5), 2).await;
    assert_eq!(table.read_all().await, expected(0..5));
    let hidden = table.files().len() - table.visible_files().len();
    assert_eq!(hidden, 1, "only the other lineage's staged file is left: {:?}", table.files());
    commit(other.as_ref(), &foreign).await;
    assert_eq!(table.read_all().await.len(), 7);
}

#[tokio::test]
async fn partitions_are_folders_and_come_back() {
    let mut table = TestTable::new()
        .set("sink.partition-commit.policy.kind", "success-file")
        .set("format", "json");
    table.plan.columns.push(Field::new("day", TypeKind::STRING.nullable()));
    table.plan.columns.push(Field::new("hour", TypeKind::Int.nullable()));
    table.plan.partition_keys = vec!["day".into(), "hour".into()];
    let rows = table.rows_with_partitions(
        &[Some("a/b"), Some("a/b"), None, Some("c=d")],
        &[Some(1), Some(2), None, Some(1)],
    );
    let mut writer = table.writer("l");
    write_and_commit(writer.as_mut(), rows, 1).await;
    let folders: Vec<String> = table
        .visible_files()
        .iter()
        .map(|file| file.rsplit_once('/').unwrap().0.to_owned())
        .collect();
    for folder in [
        "day=a%2Fb/hour=1",
        "day=a%2Fb/hour=2",
        "day=__DEFAULT_PARTITION__/hour=__DEFAULT_PARTITION__",
        "day=c%3Dd/hour=1",
    ] {
        assert_eq!(
            folders.iter().filter(|found| *found == folder).count(),
            2,
            "a part and _SUCCESS in {folder}: {folders:?}"
        );
    }
    let rows = table.read_all().await;
    assert_eq!(rows, ["0|n0|a/b|1", "1|n1|a/b|2", "2|n2|NULL|NULL", "3|n3|c=d|1"]);
}

impl TestTable {
    fn rows_with_partitions(&self, days: &[Option<&str>], hours: &[Option<i32>]) -> Changes {
        let ids = arrow::array::Int64Array::from_iter_values(0..days.len() as i64);
        let names = StringViewArray::from_iter_values((0..days.len()).map(|id| format!("n{id}")));
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(names),
            Arc::new(StringViewArray::from_iter(days.iter().copied())),
            Arc::new(Int32Array::from(hours.to_vec())),
        ];
        Changes::append(
            RecordBatch::try_new(arrow_type::arrow_schema(&self.plan.columns), columns).unwrap(),
        )
    }
}

#[tokio::test]
async fn files_roll_by_size_and_by_time() {
    let table = TestTable::new().set("sink.rolling-policy.file-size", "100 b");
    let mut writer = table.writer("l");
    for start in [0, 5, 10] {
        writer.write(table.rows(start..start + 5)).await.unwrap();
    }
    let units = writer.prepare(Epoch(1)).await.unwrap();
    commit(writer.as_ref(), &units).await;
    assert_eq!(table.visible_files().len(), 3);
    assert_eq!(table.read_all().await, expected(0..15));

    let table = TestTable::new().set("sink.rolling-policy.rollover-interval", "10 min");
    let mut writer = table.writer("l");
    writer.write(table.rows(0..1)).await.unwrap();
    table.now.store(11 * 60_000, Ordering::Relaxed);
    writer.linger().await.unwrap();
    writer.write(table.rows(1..2)).await.unwrap();
    let units = writer.prepare(Epoch(1)).await.unwrap();
    commit(writer.as_ref(), &units).await;
    assert_eq!(table.visible_files().len(), 2);
}

#[tokio::test]
async fn updates_are_refused() {
    let table = TestTable::new();
    let mut changes = table.rows(0..2);
    changes.kinds = Some(Int8Array::from(vec![0, 3]));
    let error = table.writer("l").write(changes).await.unwrap_err();
    assert!(error.to_string().contains("a -D row came"), "{error}");
}

#[tokio::test]
async fn nested_parquet_columns_are_read_by_field() {
    let mut table = TestTable::new().set("format", "parquet");
    let inner = vec![
        Field::new("x", TypeKind::Int.nullable()),
        Field::new("y", TypeKind::STRING.nullable()),
    ];
    table.plan.columns.push(Field::new("r", TypeKind::Row(inner.clone()).nullable()));
    let schema = arrow_type::arrow_schema(&table.plan.columns);
    let DataType::Struct(fields) = arrow_type::data_type(&table.plan.columns[2].ty) else {
        panic!("a struct")
    };
    let base = table.rows_of_two(3);
    let nested = StructArray::new(
        fields,
        vec![
            Arc::new(Int32Array::from(vec![10, 11, 12])),
            Arc::new(StringViewArray::from(vec!["a", "b", "c"])),
        ],
        Some(vec![true, false, true].into()),
    );
    let columns =
        vec![Arc::clone(base.column(0)), Arc::clone(base.column(1)), Arc::new(nested) as _];
    let mut writer = table.writer("l");
    let rows = Changes::append(RecordBatch::try_new(schema, columns).unwrap());
    write_and_commit(writer.as_mut(), rows, 1).await;
    let read = vec![
        Field::new("id", TypeKind::BigInt.nullable()),
        Field::new(
            "r",
            TypeKind::Row(vec![inner[1].clone(), Field::new("new", TypeKind::Int.nullable())])
                .nullable(),
        ),
        Field::new("missing", TypeKind::STRING.nullable()),
    ];
    let source = table.source_with(read).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let rows = Reading::new(source.as_ref(), splits, 10).unwrap().rest().await.unwrap();
    assert_eq!(rows, ["0|{y: a, new: }|NULL", "1|NULL|NULL", "2|{y: c, new: }|NULL"]);
}

impl TestTable {
    fn rows_of_two(&self, count: i64) -> RecordBatch {
        let columns = self.plan.columns[..2].to_vec();
        let ids = arrow::array::Int64Array::from_iter_values(0..count);
        let names = StringViewArray::from_iter_values((0..count).map(|id| format!("n{id}")));
        assert_eq!(ids.len(), names.len());
        RecordBatch::try_new(
            arrow_type::arrow_schema(&columns),
            vec![Arc::new(ids), Arc::new(names)],
        )
        .unwrap()
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let table = TestTable::new();
    let file = table.put("file", "x");
    let table = table.set("path", &file.join("below").display().to_string());
    let error = table.writer("l").write(table.rows(0..1)).await.unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}

#[tokio::test]
async fn partitions_are_announced_when_event_time_has_passed_them() {
    let mut table = TestTable::new()
        .set("sink.partition-commit.policy.kind", "success-file")
        .set("sink.partition-commit.trigger", "partition-time")
        .set("sink.partition-commit.delay", "1 h")
        .set("partition.time-extractor.timestamp-pattern", "$day $hour:00:00");
    table.plan.columns.push(Field::new("day", TypeKind::STRING.nullable()));
    table.plan.columns.push(Field::new("hour", TypeKind::Int.nullable()));
    table.plan.partition_keys = vec!["day".into(), "hour".into()];
    let day = Some("2024-01-01");
    let hour = |hours: i64| 1_704_067_200_000 + hours * 3_600_000;
    let announced = |table: &TestTable| -> Vec<String> {
        let files = table.visible_files().into_iter();
        files.filter_map(|file| Some(file.strip_suffix("/_SUCCESS")?.to_owned())).collect()
    };
    let mut writer = table.writer("l");
    writer.recover(restored(Vec::new())).await.unwrap();
    let rows = table.rows_with_partitions(&[day, day], &[Some(1), Some(2)]);
    writer.watermark(hour(2)).await.unwrap();
    write_and_commit(writer.as_mut(), rows.clone(), 1).await;
    assert_eq!(announced(&table), Vec::<String>::new());
    writer.watermark(hour(2) + 1).await.unwrap();
    let units = writer.prepare(Epoch(2)).await.unwrap();
    assert_eq!(
        announced(&table),
        Vec::<String>::new(),
        "announced before the checkpoint is complete"
    );
    commit(writer.as_ref(), &units).await;
    assert_eq!(announced(&table), ["day=2024-01-01/hour=1"]);
    drop(writer);

    // Another run finds what waits in the folder; rows that come late announce their partition again.
    let mut second = table.writer("l");
    second.recover(restored(units)).await.unwrap();
    std::fs::remove_file(table.path().join("day=2024-01-01/hour=1/_SUCCESS")).unwrap();
    second.watermark(tidegate_types::MAX_WATERMARK).await.unwrap();
    let units = second.prepare(Epoch(3)).await.unwrap();
    commit(second.as_ref(), &units).await;
    assert_eq!(announced(&table), ["day=2024-01-01/hour=2"]);
    write_and_commit(second.as_mut(), rows, 4).await;
    assert_eq!(announced(&table), ["day=2024-01-01/hour=1", "day=2024-01-01/hour=2"]);
}
