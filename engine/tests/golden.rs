//! State files and manifests that earlier releases wrote must stay readable.
//!
//! `engine/golden/` holds a file of each version. `UPDATE_GOLDEN=1` rewrites those of the current
//! version: only right before its first release.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, ListArray, RecordBatch, StringViewArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use tidegate_checkpoint::{
    FileRef, Manifest, OperatorState, SourceState, SubtaskState, TableState,
};
use tidegate_engine::BarrierKind;
use tidegate_engine::checkpoint::file::{self, Compression};
use tidegate_engine::connector::{Confirmed, Split, StagedUnit};
use tidegate_engine::staging::{self, ChunkRef, Stored};
use tidegate_types::{Attempt, Epoch, JobId, OperatorId};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn golden(name: &str, current: &[u8]) -> Vec<u8> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(name), current).unwrap();
    }
    std::fs::read(path(name)).unwrap()
}

fn state() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("window_end", Arc::new(Int64Array::from(vec![10, 20]))),
        ("key0", Arc::new(StringViewArray::from(vec![Some("a text that is not inline"), None]))),
        (
            "state0",
            Arc::new(
                Decimal128Array::from(vec![Some(-7), None])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
        ),
        (
            "state1",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![Some(1), None]),
                Some(vec![]),
            ])),
        ),
        ("state2", Arc::new(TimestampMillisecondArray::from(vec![0, -1]).with_timezone("UTC"))),
        ("state3", Arc::new(BooleanArray::from(vec![true, false]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn manifest() -> Manifest {
    let split =
        Split { id: "clicks-0".into(), state: serde_json::json!({"offset": 7}), finished: false };
    let unit = StagedUnit {
        lineage: "j-1".into(),
        sink: OperatorId(3),
        writer: 1,
        epoch: Epoch(5),
        payload: serde_json::json!({"files": ["a"]}),
        chunks: Vec::new(),
    };
    let file = FileRef {
        path: "shared/1-5-0000000000000002-0-windows.state".into(),
        size: 1_000,
        rows: 2,
        digest: "00000000000000ff".into(),
        expires: Some(19_999),
    };
    let table = TableState { table: "windows".into(), version: 1, groups: None, files: vec![file] };
    let subtask = |watermark| SubtaskState { watermark, ..SubtaskState::default() };
    Manifest {
        job: JobId::from_name("clicks"),
        lineage: "j-1".into(),
        attempt: Attempt(1),
        epoch: Epoch(5),
        kind: BarrierKind::Checkpoint,
        timestamp_ms: 1_767_225_600_000,
        key_groups: 128,
        staging: None,
        operators: vec![
            OperatorState {
                id: OperatorId(1),
                name: "source".into(),
                layout: Vec::new(),
                subtasks: vec![SubtaskState {
                    source: Some(SourceState { splits: vec![(split, Some(9_000))] }),
                    ..subtask(Some(9_000))
                }],
            },
            OperatorState {
                id: OperatorId(2),
                name: "window".into(),
                layout: Vec::new(),
                subtasks: vec![SubtaskState { tables: vec![table], ..subtask(Some(9_000)) }],
            },
            OperatorState {
                id: OperatorId(3),
                name: "sink".into(),
                layout: Vec::new(),
                subtasks: vec![SubtaskState { staged: vec![unit], ..subtask(None) }],
            },
        ],
    }
}

#[test]
fn state_files_of_every_version_are_readable() {
    let bytes = golden("state-v1.state", &file::encode(&[state()], Compression::Small).unwrap());
    assert_eq!(file::decode("golden", &bytes).unwrap(), [state()]);
}

#[test]
fn staged_output_of_every_version_is_readable() {
    let content = b"\x05\0\0\0first\0\0\0\0\x03\0\0\0end";
    for (name, stored) in [("staged-v1-plain", Stored::Plain), ("staged-v1-zstd", Stored::Zstd)] {
        let bytes = golden(name, &staging::encode(content, stored).unwrap());
        let decoded = staging::decode(name, &bytes.into()).unwrap();
        let records: Vec<_> =
            staging::Records::new(&decoded).map(|r| r.unwrap().to_vec()).collect();
        assert_eq!(records, [b"first".to_vec(), Vec::new(), b"end".to_vec()]);
    }
}

#[test]
fn a_manifest_names_staged_output() {
    let text = golden("manifest-v1-staged.json", &staged_manifest().encode().unwrap());
    let manifest = Manifest::decode("golden", &text).unwrap();
    assert_eq!(manifest, staged_manifest());
    assert_eq!(
        manifest.staged_objects().collect::<Vec<_>>(),
        ["staged/1-0000000000000003-1-00000000"]
    );
}

/// With all that the first manifests did not have.
fn staged_manifest() -> Manifest {
    let mut manifest = manifest();
    manifest.staging = Some("/checkpoints/clicks/1".into());
    let sink = &mut manifest.operators[2].subtasks[0];
    sink.staged[0].chunks.push(ChunkRef {
        path: "staged/1-0000000000000003-1-00000000".into(),
        bytes: 19,
        records: 3,
        digest: "00000000000000aa".into(),
    });
    sink.confirmed.push(Confirmed { lineage: "j-1".into(), writer: 1, epoch: Epoch(4) });
    manifest
}

#[test]
fn manifests_of_every_version_are_readable() {
    let encoded = manifest().encode().unwrap();
    let bytes = golden("manifest-v1.json", &encoded);
    assert_eq!(Manifest::decode("golden", &bytes).unwrap(), manifest());
    assert_eq!(encoded, bytes, "the encoding has changed: give it a new version");
}

#[test]
fn a_damaged_manifest_is_named_and_refused() {
    let bytes = manifest().encode().unwrap();
    let text = String::from_utf8(bytes).unwrap().replacen("\"offset\": 7", "\"offset\": 8", 1);
    let error = Manifest::decode("chk-5/_metadata", text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("chk-5/_metadata") && error.contains("damaged"), "{error}");
}
