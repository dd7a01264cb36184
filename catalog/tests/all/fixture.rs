//! What earlier releases wrote is read for ever. The files in `tests/data` are never changed; a new version of a format
//! gets files of its own beside them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tidegate_catalog::{Action, COMMAND_VERSION, Catalog, Command, JobName, SNAPSHOT_VERSION};
use tidegate_types::ErrorCode;

use crate::commands::story;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn told() -> Catalog {
    let mut catalog = Catalog::new();
    for command in story() {
        catalog.apply(command.clone()).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
    catalog
}

/// The name of an action's kind, as it is stored.
fn kind(action: &Action) -> String {
    let json = serde_json::to_value(action).unwrap();
    json.as_object().unwrap().keys().next().unwrap().clone()
}

#[test]
#[ignore = "writes the files of the current version, once, before it is released"]
fn write_files() {
    assert_eq!((SNAPSHOT_VERSION, COMMAND_VERSION), (2, 2), "a new version has files of its own");
    std::fs::write(data("snapshot-v2.bin"), told().encode()).unwrap();
    let lines: Vec<u8> = story().iter().flat_map(|c| [&c.encode()[1..], b"\n"].concat()).collect();
    std::fs::write(data("commands-v2.jsonl"), lines).unwrap();
}

#[test]
fn snapshots_of_version_1_are_read() {
    let bytes = std::fs::read(data("snapshot-v1.bin")).unwrap();
    let catalog = Catalog::decode(&bytes).unwrap();
    assert_eq!(catalog, told());
    let orders = JobName::new("sales", "orders").unwrap();
    assert_eq!(catalog.last_run(&orders).unwrap().name.number, 2);
    assert_eq!(catalog.latest_checkpoint(&orders).unwrap().1.epoch.0, 4);
    assert_eq!(catalog.live_runs().count(), 1, "the index is built anew");
}

#[test]
fn commands_of_version_1_are_read() {
    let text = std::fs::read_to_string(data("commands-v1.jsonl")).unwrap();
    let mut catalog = Catalog::new();
    let mut kinds = BTreeSet::new();
    for line in text.lines() {
        let command = Command::decode(&[&[1], line.as_bytes()].concat()).unwrap();
        kinds.insert(kind(&command.action));
        catalog.apply(command).unwrap();
    }
    assert_eq!(catalog, told());
    assert_eq!(kinds.len(), 28, "one of every kind: {kinds:?}");
}

#[test]
fn damaged_and_later_bytes_are_refused() {
    let bytes = told().encode();
    for at in (0..bytes.len()).step_by(97).chain(bytes.len() - 9..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert_eq!(Catalog::decode(&damaged).unwrap_err().code(), ErrorCode::Corrupt, "byte {at}");
    }
    for length in [0, 5, 20, bytes.len() - 1] {
        assert_eq!(Catalog::decode(&bytes[..length]).unwrap_err().code(), ErrorCode::Corrupt);
    }
    let mut command = story()[0].encode();
    command[0] = COMMAND_VERSION + 1;
    assert_eq!(Command::decode(&command).unwrap_err().code(), ErrorCode::Incompatible);
    assert_eq!(Command::decode(&[]).unwrap_err().code(), ErrorCode::Corrupt);
    let unknown = b"\x01{\"now_ms\":1,\"action\":{\"explode\":{}}}";
    assert!(Command::decode(unknown).is_err());
}
