//! Which files a restored subtask goes on with, and which key groups an entry is read for.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::checkpoint::state_file::write_entries;
use crate::element::Changes;
use crate::operator::{Entries, Output, SnapshotMode};

const LEFT: KeyGroupRange = KeyGroupRange { start: 0, end: 8 };
const RIGHT: KeyGroupRange = KeyGroupRange { start: 8, end: 16 };

fn file(path: &str) -> FileRef {
    let (path, digest) = (path.to_owned(), String::new());
    FileRef { path, size: 1, rows: 1, digest, expires: None }
}

fn table(groups: Option<KeyGroupRange>, files: Vec<FileRef>) -> TableState {
    TableState { table: "windows".to_owned(), version: 1, groups, files }
}

fn written(mode: SnapshotMode) -> Vec<(&'static str, WrittenTable)> {
    let (changed, pieces) = (Some(file("c")), Vec::new());
    vec![("windows", WrittenTable { version: 1, mode, changed, pieces, lap: None, live: 2 })]
}

#[test]
fn a_subtask_of_the_same_key_groups_goes_on_with_its_own_files_only() {
    let tables = [table(Some(LEFT), vec![file("a")]), table(Some(RIGHT), vec![file("b")])];
    let mut files = StateFiles::restored(&tables, RIGHT, true);
    assert!(!files.request(BarrierKind::Checkpoint).full);
    let after = files.apply(written(SnapshotMode::CHANGES), 0);
    assert_eq!(after, [table(Some(RIGHT), vec![file("b"), file("c")])]);
}

#[test]
fn files_that_speak_of_other_key_groups_too_are_replaced() {
    let tables = [table(Some(LEFT), vec![file("a")]), table(Some(RIGHT), vec![file("b")])];
    let middle = KeyGroupRange { start: 5, end: 10 };
    for (tables, groups, reusable) in [
        (tables.to_vec(), middle, true),
        (tables.to_vec(), KeyGroupRange::all(16), true),
        (tables.to_vec(), LEFT, false),
        (vec![table(None, vec![file("a")])], LEFT, true),
    ] {
        let mut files = StateFiles::restored(&tables, groups, reusable);
        assert!(files.request(BarrierKind::Checkpoint).full, "{groups:?}");
        let after = files.apply(written(SnapshotMode::Full), 0);
        assert_eq!(after, [table(Some(groups), vec![file("c")])]);
        assert!(!files.request(BarrierKind::Checkpoint).full);
    }
}

/// Remembers what it was given.
#[derive(Default)]
struct Given {
    entries: Vec<(i64, KeyGroupRange)>,
    complete: bool,
}

impl Operator for Given {
    fn restore(
        &mut self,
        _table: &str,
        _version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        assert!(!self.complete);
        let column = entries.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
        self.entries.extend(column.values().iter().map(|value| (*value, groups)));
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        self.complete = true;
        Ok(())
    }

    fn process(&mut self, _input: usize, _changes: Changes, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_table_is_read_for_the_key_groups_that_its_writer_had() {
    let storage = CheckpointStorage::new(Arc::new(InMemory::new()), Path::from("job"));
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, false)]));
    let mut tables = Vec::new();
    for (value, groups) in [(1, Some(LEFT)), (2, Some(RIGHT)), (3, None)] {
        let column = Arc::new(Int64Array::from(vec![value]));
        let batches = vec![RecordBatch::try_new(schema.clone(), vec![column]).unwrap()];
        let entries = Entries { batches, ..Entries::default() };
        let file = write_entries(&storage, &format!("{value}.state"), entries).await.unwrap();
        tables.push(table(groups, file.into_iter().collect()));
    }
    let (narrow, wide) = (KeyGroupRange { start: 2, end: 6 }, KeyGroupRange { start: 5, end: 10 });
    let (left, right) = (KeyGroupRange { start: 5, end: 8 }, KeyGroupRange { start: 8, end: 10 });
    for (owned, expected) in
        [(narrow, vec![(1, narrow), (3, narrow)]), (wide, vec![(1, left), (2, right), (3, wide)])]
    {
        let mut given = Given::default();
        restore_operator(&mut given, owned, &tables, &storage).await.unwrap();
        assert!(given.complete);
        assert_eq!(given.entries, expected);
    }
}
