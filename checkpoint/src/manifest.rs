//! The manifest of a checkpoint or savepoint: every operator's state by subtask, as JSON with a
//! version and a checksum.

use serde::{Deserialize, Serialize};
use tidegate_plan::envelope::Envelope;
use tidegate_types::{Attempt, Epoch, JobId, KeyGroupRange, OperatorId, Result, Watermark};
use xxhash_rust::xxh3::xxh3_64;

use crate::barrier::BarrierKind;
use crate::staged::{Confirmed, StagedUnit};

const ENVELOPE: Envelope = Envelope {
    format: "tidegate-checkpoint",
    version: 1,
    content: "manifest",
    noun: "checkpoint manifest",
};

/// Everything that a run needs to go on from a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The job.
    pub job: JobId,
    /// Identity of the chain of runs that share state.
    pub lineage: String,
    /// The run that took it.
    pub attempt: Attempt,
    /// Its number.
    pub epoch: Epoch,
    /// Why it was taken.
    pub kind: BarrierKind,
    /// When it was triggered, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Key groups of the job: cannot change on restore.
    pub key_groups: u16,
    /// Folder that staged output is in, where that is not the manifest's: that of a savepoint's job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<String>,
    /// State by operator.
    pub operators: Vec<OperatorState>,
}

/// State of one operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorState {
    /// The operator.
    pub id: OperatorId,
    /// Its name, for messages.
    pub name: String,
    /// What it keeps, to compare it with another version of the operator; empty if that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layout: Vec<String>,
    /// State of each subtask, by index.
    pub subtasks: Vec<SubtaskState>,
}

/// State of one subtask of an operator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SubtaskState {
    /// Combined watermark at the barrier; absent before any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// Keyed state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableState>,
    /// Of a source: its splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    /// Of a sink: output that is not yet known to be visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staged: Vec<StagedUnit>,
    /// Of a sink: output that is known to be visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<Confirmed>,
}

/// A part of a source that is read in order by one subtask: a Kafka partition, a file, a share of
/// generated rows. Also its position: the connector encodes both in `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Identity, stable over restarts: `topic-3`, a file's path.
    pub id: String,
    /// What the reader needs to continue, in the connector's own JSON.
    pub state: serde_json::Value,
    /// Whether the split was read to its end.
    pub finished: bool,
}

/// Splits of a source subtask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// Each split with its watermark.
    pub splits: Vec<(Split, Option<Watermark>)>,
}

/// Files of a state table, oldest first; later entries replace earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableState {
    /// Name of the table.
    pub table: String,
    /// Version of its layout.
    pub version: u16,
    /// Key groups that the files speak of: entries of others are out of date. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<KeyGroupRange>,
    /// Files.
    pub files: Vec<FileRef>,
}

/// A state file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRef {
    /// Path relative to the job's folder, or to the savepoint's.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Entries.
    pub rows: u64,
    /// xxh3-64 of the content, hexadecimal.
    pub digest: String,
    /// Watermark from which nothing in the file is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Watermark>,
}

impl Manifest {
    /// Encodes the manifest.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        ENVELOPE.seal(self).map(String::into_bytes)
    }

    /// Decodes a manifest; `name` is its path, for messages.
    ///
    /// # Errors
    /// `CORRUPT` if it is damaged, `INCOMPATIBLE` if a newer release wrote it.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        ENVELOPE.open(name, bytes)
    }

    /// The state of an operator, if the checkpoint has any.
    pub fn operator(&self, id: OperatorId) -> Option<&OperatorState> {
        self.operators.iter().find(|operator| operator.id == id)
    }

    /// Paths of the objects that staged output is in.
    pub fn staged_objects(&self) -> impl Iterator<Item = &str> {
        let subtasks = self.operators.iter().flat_map(|operator| &operator.subtasks);
        let chunks = subtasks.flat_map(|subtask| &subtask.staged).flat_map(|unit| &unit.chunks);
        chunks.map(|chunk| chunk.path.as_str())
    }

    /// Every state file.
    pub fn files(&self) -> impl Iterator<Item = &FileRef> {
        self.operators
            .iter()
            .flat_map(|operator| &operator.subtasks)
            .flat_map(|subtask| &subtask.tables)
            .flat_map(|table| &table.files)
    }
}

/// xxh3-64 as hexadecimal text.
pub fn digest(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}
