//! Bytes of a log that change on the disk: the node refuses to start, says which entry, and what to do.

use super::*;
use crate::raft::disk::{Disk, Trouble};

/// The bytes of a log that was closed in order.
async fn closed_log(entries: u64) -> Vec<u8> {
    let disk = Disk::empty();
    let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
    log.save_vote(&Vote::new(1, 1)).await.unwrap();
    for index in 0..entries {
        log.blocking_append([entry(1, index)]).await.unwrap();
    }
    drop(log);
    disk.bytes()
}

fn open(bytes: Vec<u8>) -> Result<LogStore, Error> {
    LogStore::open(Disk::with(bytes, Trouble::None), 1, Execution::Inline)
}

fn find(bytes: &[u8], needle: &str) -> Vec<usize> {
    let needle = needle.as_bytes();
    (0..bytes.len() - needle.len()).filter(|at| &bytes[*at..*at + needle.len()] == needle).collect()
}

#[tokio::test]
async fn a_damaged_entry_is_named_and_the_mend_is_told() {
    let bytes = closed_log(120).await;
    for index in [0, 36, 60, 119] {
        let places = find(&bytes, &format!("needle-1-{index}-"));
        assert!(!places.is_empty());
        let mut damaged = bytes.clone();
        for at in places {
            damaged[at + 2] ^= 0x40;
        }
        let error = open(damaged).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Corrupt);
        let text = error.to_string();
        assert!(text.contains(&format!("entry {index} of the log")), "{text}");
        assert!(text.contains("remove-coordinator") && text.contains("new id"), "{text}");
    }
    assert!(open(bytes).is_ok());
}

#[tokio::test]
async fn any_flipped_byte_is_harmless_or_refused() {
    let bytes = closed_log(60).await;
    let mut log = open(bytes.clone()).unwrap();
    let whole = log.try_get_log_entries(..).await.unwrap();
    let (mut harmless, mut refused) = (0, 0);
    // Every place that has anything, some of those that have not, and the header thoroughly.
    let used = (0..bytes.len()).filter(|at| *at < 320 || (bytes[*at] != 0 && at % 89 == 0));
    for at in used {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        match open(damaged) {
            Ok(mut log) => {
                let found = log.try_get_log_entries(..).await.unwrap();
                assert_eq!(found, whole, "byte {at}: other entries than were written");
                assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(1, 1)), "byte {at}");
                harmless += 1;
            }
            Err(error) => {
                assert!(
                    error.help_text().is_some() || error.code() != ErrorCode::Corrupt,
                    "{error}"
                );
                refused += 1;
            }
        }
    }
    println!("{harmless} flips were harmless, {refused} refused");
    assert!(refused > 0);
}

#[tokio::test]
async fn a_missing_entry_is_named() {
    let disk = Disk::empty();
    let mut log = LogStore::open(disk.clone(), 1, Execution::Inline).unwrap();
    log.blocking_append((0..9).map(|index| entry(1, index))).await.unwrap();
    {
        let transaction = log.inner.database.begin_write().unwrap();
        transaction.open_table(ENTRIES).unwrap().remove(4).unwrap();
        transaction.commit().unwrap();
    }
    drop(log);
    let error = open(disk.bytes()).unwrap_err();
    assert!(error.to_string().contains("entry 4 is missing"), "{error}");
}
