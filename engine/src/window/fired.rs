//! Until when an operator has emitted what was complete by processing time. A restored job has no
//! watermark to tell that from, and the state's files still hold what was emitted since they were
//! written.
//!
//! State table `fired`: `until`, ms since the epoch, for all key groups of the subtask that wrote it.
//! Manifests list tables by name, so that a restore gives it before `windows`.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidegate_types::key_group::KeyGroupRange;
use tidegate_types::{Error, MIN_WATERMARK, Result};

use super::layout::check_layout;
use crate::operator::{Entries, SnapshotMode, SnapshotRequest, TableSnapshot};

/// Name of the state table.
pub(crate) const TABLE: &str = "fired";
/// Version of its layout.
pub(crate) const VERSION: u16 = 1;

/// Everything that is complete at a time has been emitted.
pub(crate) struct Fired {
    schema: SchemaRef,
    until: i64,
    saved: i64,
    restored: Vec<(KeyGroupRange, i64)>,
}

impl Fired {
    /// Nothing was emitted yet.
    pub(crate) fn new() -> Self {
        let fields = vec![Field::new("until", DataType::Int64, false)];
        Self {
            schema: Arc::new(Schema::new(fields)),
            until: MIN_WATERMARK,
            saved: MIN_WATERMARK,
            restored: Vec::new(),
        }
    }

    /// Until when.
    pub(crate) fn until(&self) -> i64 {
        self.until
    }

    /// Everything that is complete at `now` is emitted before the next row or snapshot.
    pub(crate) fn advance(&mut self, now: i64) {
        self.until = self.until.max(now);
    }

    /// Takes an entry of the state table that speaks of some key groups; false if it is of another
    /// table.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the layout is another.
    pub(crate) fn take(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<bool> {
        if table == TABLE {
            check_layout((table, version), (TABLE, VERSION), entries, &self.schema)?;
            self.restore(entries, groups);
        }
        Ok(table == TABLE)
    }

    fn restore(&mut self, entries: &RecordBatch, groups: KeyGroupRange) {
        let values = entries.column(0).as_primitive::<Int64Type>().values();
        self.restored.extend(values.iter().map(|until| (groups, *until)));
        self.until = values.iter().copied().fold(self.until, i64::max);
        self.saved = self.until;
    }

    /// Until when a key group's output was emitted before the restore.
    pub(crate) fn restored(&self, group: u16) -> i64 {
        let of_group = self.restored.iter().filter(|(groups, _)| groups.contains(group));
        of_group.map(|(_, until)| *until).max().unwrap_or(MIN_WATERMARK)
    }

    /// Until when any key group's output was emitted before the restore.
    pub(crate) fn restored_until(&self) -> i64 {
        self.restored.iter().map(|(_, until)| *until).max().unwrap_or(MIN_WATERMARK)
    }

    /// The state table, if there is something new in it (or anything).
    pub(crate) fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Option<TableSnapshot>> {
        // One entry is everything.
        let full = request.mode(TABLE) == SnapshotMode::Full;
        let mode = SnapshotMode::Full;
        let known = if full { MIN_WATERMARK } else { self.saved };
        if self.until == known {
            return Ok(None);
        }
        self.saved = self.until;
        let column = Arc::new(Int64Array::from(vec![self.until]));
        let entry = RecordBatch::try_new(self.schema.clone(), vec![column])
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(Some(TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: Entries { batches: vec![entry], ..Entries::default() },
            pieces: Vec::new(),
            lap: None,
            live: 1,
        }))
    }
}
