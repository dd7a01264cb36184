//! Windows: their shape, where their time comes from, and the columns they add.
//!
//! All lengths are milliseconds. A window `[start, end)` is complete when the watermark reaches
//! `end − 1`, as in Flink.

use serde::{Deserialize, Serialize};

/// The shape of windows. Semantics: Flink's window table-valued functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WindowShape {
    /// Fixed windows of `size`, aligned to `offset`.
    Tumble {
        /// Length.
        size: i64,
        /// Shift of the alignment.
        offset: i64,
    },
    /// Windows of `size`, one starting every `slide`. Those of window functions have a size that is a multiple
    /// of the slide, group windows need not.
    Hop {
        /// Length.
        size: i64,
        /// Distance of the starts.
        slide: i64,
        /// Shift of the alignment.
        offset: i64,
    },
    /// Windows with a common start that grow by `step` up to `max_size`, a multiple of `step`.
    Cumulate {
        /// Length of the longest.
        max_size: i64,
        /// Growth.
        step: i64,
        /// Shift of the alignment.
        offset: i64,
    },
    /// Per partition key, rows less than `gap` apart.
    Session {
        /// Smallest silence that ends a session.
        gap: i64,
    },
}

/// Where a windowed operator takes a row's window from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowTime {
    /// From an event-time column.
    Event {
        /// The rowtime column of the input.
        column: usize,
    },
    /// From the clock when the row is processed.
    Processing,
    /// From window columns that an upstream window made; the windows are complete by event time.
    Attached {
        /// The `window_start` column.
        start: usize,
        /// The `window_end` column.
        end: usize,
    },
    /// The same, where upstream windows are complete by processing time.
    AttachedProcessing {
        /// The `window_start` column.
        start: usize,
        /// The `window_end` column.
        end: usize,
    },
}

/// When results of group windows are sent besides once, at the window's end; they are then updated. Flink's
/// settings `table.exec.emit.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct WindowEmit {
    /// Before the window's end: so long after the first row that is not in the last result, ms of the
    /// clock; 0 is at once.
    pub early_ms: Option<u64>,
    /// After the window's end, likewise.
    pub late_ms: Option<u64>,
    /// How far event time may be behind the window's end when rows are still taken, ms.
    pub lateness_ms: u64,
}

/// A column that a window adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowColumn {
    /// `window_start`: inclusive start.
    Start,
    /// `window_end`: exclusive end.
    End,
    /// `window_time`: end − 1 ms, the rowtime of results.
    Time,
}
