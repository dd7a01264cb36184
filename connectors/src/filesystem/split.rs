//! Splits of files: a range of bytes, of row groups or stripes, or a whole compressed file; and how far
//! each was read.

use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};
use tidegate_engine::connector::Split;
use tidegate_types::{Error, ErrorCode, Result};

/// Size from which a file is cut into several splits, and about the size of those.
pub(super) const TARGET_BYTES: u64 = 64 << 20;

/// What a split is, and how far it was read. Stored in checkpoints as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitState {
    /// Path of the file in its store.
    pub(super) path: String,
    /// Bytes of the file when it was found; what is appended later is not read.
    pub(super) size: u64,
    /// When the file was last changed, milliseconds since the epoch.
    pub(super) modified_ms: i64,
    /// Which part of it.
    pub(super) part: Part,
}

/// A part of a file with the position in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// The records that start in `start..end`.
    Bytes {
        /// First byte.
        start: u64,
        /// Byte behind the last.
        end: u64,
        /// Byte where the next record starts; `None` before the first was found.
        next: Option<u64>,
        /// Records read so far, bad ones included.
        records: u64,
    },
    /// All records of a compressed file.
    Stream {
        /// Byte of the decompressed content where the next record starts.
        next: u64,
        /// Records read so far, bad ones included.
        records: u64,
    },
    /// The blocks of an Avro file that start in `start..end`.
    Blocks {
        /// First byte.
        start: u64,
        /// Byte behind the last.
        end: u64,
        /// Byte where the block that is being read starts; `None` before the first was found.
        next: Option<u64>,
        /// Rows of that block read so far.
        rows: u64,
    },
    /// Some stripes of an ORC file.
    Stripes {
        /// First stripe.
        first: usize,
        /// Number of stripes; `None` is all.
        count: Option<usize>,
        /// Rows read so far.
        next_row: u64,
    },
    /// Some row groups of a Parquet file.
    RowGroups {
        /// First group.
        first: usize,
        /// Number of groups; `None` is all.
        count: Option<usize>,
        /// Rows read so far.
        next_row: u64,
    },
}

impl SplitState {
    /// A part of a file, not read yet.
    pub(super) fn new(meta: &ObjectMeta, part: Part) -> Self {
        Self {
            path: meta.location.to_string(),
            size: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
            part,
        }
    }

    /// Reads the state of a split.
    pub(super) fn decode(split: &Split) -> Result<Self> {
        serde_json::from_value(split.state.clone()).map_err(|error| {
            Error::new(ErrorCode::Corrupt, format!("position of file split {}: {error}", split.id))
        })
    }

    /// Stable identity: the path, and the part if the file has several.
    fn id(&self) -> String {
        match &self.part {
            Part::Bytes { start: 0, end, .. } | Part::Blocks { start: 0, end, .. }
                if *end == self.size =>
            {
                self.path.clone()
            }
            Part::Bytes { start, end, .. } | Part::Blocks { start, end, .. } => {
                format!("{}#{start}-{end}", self.path)
            }
            Part::Stream { .. }
            | Part::RowGroups { count: None, .. }
            | Part::Stripes { count: None, .. } => self.path.clone(),
            Part::RowGroups { first, count: Some(count), .. } => {
                format!("{}#row-groups-{first}-{}", self.path, first + count)
            }
            Part::Stripes { first, count: Some(count), .. } => {
                format!("{}#stripes-{first}-{}", self.path, first + count)
            }
        }
    }

    /// The split for the engine.
    pub(super) fn encode(&self, finished: bool) -> Result<Split> {
        let state =
            serde_json::to_value(self).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Split { id: self.id(), state, finished })
    }
}

/// The ranges into which an uncompressed text file is cut.
pub(super) fn byte_ranges(size: u64, splittable: bool) -> Vec<(u64, u64)> {
    if !splittable || size <= TARGET_BYTES {
        return vec![(0, size)];
    }
    let count = size.div_ceil(TARGET_BYTES);
    let step = size.div_ceil(count);
    (0..count).map(|i| (i * step, ((i + 1) * step).min(size))).collect()
}

/// Groups consecutive row groups, or stripes, of the given sizes into `(first, count)` of about the target size.
pub(super) fn group_ranges(sizes: &[u64]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut open_bytes = u64::MAX;
    for (index, size) in sizes.iter().enumerate() {
        match ranges.last_mut() {
            Some((_, count)) if open_bytes.saturating_add(*size) <= TARGET_BYTES => {
                *count += 1;
                open_bytes += size;
            }
            _ => {
                ranges.push((index, 1));
                open_bytes = *size;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_file_without_gaps() {
        for size in [1, TARGET_BYTES, TARGET_BYTES + 1, 10 * TARGET_BYTES - 7] {
            let ranges = byte_ranges(size, true);
            assert_eq!(ranges.first().map(|r| r.0), Some(0));
            assert_eq!(ranges.last().map(|r| r.1), Some(size));
            assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0));
            assert!(ranges.iter().all(|(a, b)| a < b && b - a <= TARGET_BYTES));
        }
        assert_eq!(byte_ranges(10 * TARGET_BYTES, false).len(), 1);
    }

    #[test]
    fn small_row_groups_share_a_split() {
        let mb = 1 << 20;
        assert_eq!(
            group_ranges(&[30 * mb, 30 * mb, 30 * mb, 200 * mb, mb]),
            [(0, 2), (2, 1), (3, 1), (4, 1)]
        );
        assert!(group_ranges(&[]).is_empty());
    }

    #[test]
    fn states_survive_their_encoding() {
        let state = SplitState {
            path: "data/a.json".into(),
            size: 10,
            modified_ms: 5,
            part: Part::Bytes { start: 0, end: 10, next: Some(4), records: 2 },
        };
        let split = state.encode(false).unwrap();
        assert_eq!(split.id, "data/a.json");
        assert_eq!(SplitState::decode(&split).unwrap(), state);
        let broken =
            Split { id: "x".into(), state: serde_json::json!({"path": 1}), finished: false };
        assert!(SplitState::decode(&broken).unwrap_err().to_string().contains("split x"));
    }
}
