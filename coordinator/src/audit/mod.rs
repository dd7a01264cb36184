//! Sealed audit records: those that are not in the catalog any more, in segments of the store that all coordinators
//! share, `_audit/<first>-<last>-<hash>.jsonl.zst`: JSON lines, compressed.
//!
//! A segment is read whole, and is checked whenever it is: each record has the hash of the one before in its own, and
//! the catalog has that of the last.

use std::io::{Read, Write};

use bytes::Bytes;
use tidegate_catalog::{AuditRecord, Segment};
use tidegate_checkpoint::CheckpointStorage;
use tidegate_runtime::blocking::beside;
use tidegate_types::{Error, ErrorCode, Result};

use crate::jobs::CheckpointFolders;

/// Folder below the directory of checkpoints. No project is called so.
const FOLDER: &str = "_audit";
/// How strongly segments are compressed: that is seldom done, and they stay for ever.
const LEVEL: i32 = 9;
/// How often a segment is written whose files are damaged.
const COPIES: u32 = 9;
/// Bytes that a segment may have when it is not compressed.
const MOST_BYTES: u64 = 256 << 20;

/// Where sealed records are.
#[derive(Debug, Clone)]
pub(crate) struct SealedRecords {
    folders: CheckpointFolders,
}

impl SealedRecords {
    /// Below these folders.
    pub(crate) fn new(folders: CheckpointFolders) -> Self {
        Self { folders }
    }

    fn storage(&self) -> Result<CheckpointStorage> {
        Ok(self.folders.kept(FOLDER)?.storage())
    }

    /// Writes records, which follow one with the hash `before`, as a segment. One that is there already, because who
    /// wrote it could not say so any more, counts if it is whole; beside one that a power cut has damaged another is
    /// written. Nothing is ever deleted: another leader may rely on it.
    ///
    /// # Errors
    /// What the store answers; `CORRUPT` if all that could be written is there and damaged; `INTERNAL` for no records.
    pub(crate) async fn write(&self, before: String, records: Vec<AuditRecord>) -> Result<Segment> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Err(Error::internal("a segment without audit records"));
        };
        let name = format!("{:012}-{:012}-{}", first.number, last.number, last.hash);
        let mut segment = Segment {
            first: first.number,
            last: last.number,
            first_ms: first.time_ms,
            last_ms: last.time_ms,
            location: format!("{name}.jsonl.zst"),
            hash: last.hash.clone(),
        };
        let storage = self.storage()?;
        let bytes = beside("pack audit records", move || pack(&records)).await??;
        let bytes = Bytes::from(bytes);
        for copy in 2..=COPIES {
            if storage.create(&storage.path(&segment.location), bytes.clone()).await? {
                return Ok(segment);
            }
            match self.read(&segment, before.clone()).await {
                Ok(_) => return Ok(segment),
                Err(error) if error.code() == ErrorCode::Corrupt => {}
                Err(error) => return Err(error),
            }
            segment.location = format!("{name}.{copy}.jsonl.zst");
        }
        Err(altered(&format!("{FOLDER}/{name}"), "it was written damaged too often"))
    }

    /// Reads and checks a segment, which follows a record with the hash `before`.
    ///
    /// # Errors
    /// `CORRUPT` with its name if it is not as it was sealed; what the store answers.
    pub(crate) async fn read(&self, segment: &Segment, before: String) -> Result<Vec<AuditRecord>> {
        let storage = self.storage()?;
        let place = format!("{FOLDER}/{}", segment.location);
        let bytes = match storage.read(&storage.path(&segment.location)).await {
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(altered(&place, "it is not there"));
            }
            read => read?,
        };
        let segment = segment.clone();
        let unpacked = beside("unpack audit records", move || {
            let records = unpack(&bytes).map_err(|why| altered(&place, &why))?;
            check(&segment, before, &records).map_err(|why| altered(&place, &why))?;
            Ok(records)
        });
        unpacked.await?
    }
}

fn pack(records: &[AuditRecord]) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::internal(format!("pack audit records: {error}"));
    let mut packed = zstd::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    for record in records {
        serde_json::to_writer(&mut packed, record).map_err(|error| failed(error.into()))?;
        packed.write_all(b"\n").map_err(failed)?;
    }
    packed.finish().map_err(failed)
}

fn unpack(bytes: &[u8]) -> Result<Vec<AuditRecord>, String> {
    let mut text = Vec::new();
    let unpacked = zstd::Decoder::new(bytes).map_err(|error| error.to_string())?;
    unpacked.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let record = |(number, line): (usize, &[u8])| {
        let number = number + 1;
        serde_json::from_slice(line).map_err(|error| format!("line {number}: {error}"))
    };
    lines.enumerate().map(record).collect()
}

/// Whether these are the records of a segment.
fn check(segment: &Segment, before: String, records: &[AuditRecord]) -> Result<(), String> {
    let mut before = before;
    let mut number = segment.first;
    for record in records {
        if record.number != number {
            return Err(format!("record {number} is missing"));
        }
        if record.hash != record.hash_after(&before) {
            return Err(format!("record {number} does not have the hash that it must have"));
        }
        before.clone_from(&record.hash);
        number += 1;
    }
    match number == segment.last + 1 && before == segment.hash {
        true => Ok(()),
        false => Err(format!("it ends before record {}, or with another", segment.last)),
    }
}

fn altered(place: &str, why: &str) -> Error {
    let message = format!("the sealed audit records {place} are not as they were sealed: {why}");
    Error::new(ErrorCode::Corrupt, message)
        .help("restore the file from a copy; what an export said before tells which records it had")
}

/// Finds out that a record does not continue those before it.
pub(crate) fn continues(record: &AuditRecord, before: &str) -> Result<()> {
    if record.hash == record.hash_after(before) {
        return Ok(());
    }
    let message = format!("audit record {} does not continue those before it", record.number);
    Err(Error::new(ErrorCode::Corrupt, message))
}
