//! Operators over whole tables that change: they keep state without a window and emit updates.

use serde::{Deserialize, Serialize};

use super::SortKey;
use crate::aggregate::AggregateCall;
use crate::expr::Expr;

/// `GROUP BY` without a window.
///
/// Output: key columns, then one column per aggregate. A group whose last row was taken back is
/// deleted; without keys there is one group, which is never deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupAggregate {
    /// Grouping columns.
    pub keys: Vec<usize>,
    /// Aggregates; none for `SELECT DISTINCT`.
    pub aggregates: Vec<AggregateCall>,
    /// Whether a local phase before the exchange pre-aggregates.
    pub two_phase: bool,
    /// Whether every change comes out, as a log of changes needs it. Else one net change per group and batch
    /// does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_change: bool,
}

/// Each input row becomes several, one per projection (`GROUPING SETS`, `ROLLUP`, `CUBE`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expand {
    /// Output columns of each copy over the input; all of the output's types.
    pub projections: Vec<Vec<Expr>>,
}

/// What rows are ordered by in `OVER (… ORDER BY …)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverOrder {
    /// By an event-time column, ascending: rows wait for the watermark and are then final.
    Event {
        /// The rowtime column.
        column: usize,
    },
    /// In the order of arrival.
    Processing,
    /// By any columns: results of earlier rows change when a row comes between them.
    Columns {
        /// Sort keys.
        keys: Vec<SortKey>,
    },
}

/// How far a frame reaches back from the current row, which it includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverFrame {
    /// `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`
    RowsUnbounded,
    /// `ROWS BETWEEN n PRECEDING AND CURRENT ROW`
    Rows {
        /// n
        preceding: u64,
    },
    /// `RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`: with all rows of the same order.
    RangeUnbounded,
    /// `RANGE BETWEEN INTERVAL … PRECEDING AND CURRENT ROW`
    Range {
        /// Milliseconds.
        preceding: i64,
    },
}

/// Aggregates over the rows before each row.
///
/// Output: the input's columns, then one column per aggregate, group by group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverAggregate {
    /// `PARTITION BY`.
    pub keys: Vec<usize>,
    /// `ORDER BY`.
    pub order: OverOrder,
    /// Aggregates by frame.
    pub groups: Vec<OverGroup>,
}

/// Aggregates over one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverGroup {
    /// The frame.
    pub frame: OverFrame,
    /// The aggregates. `ROW_NUMBER`, `RANK`, … are [`crate::AggregateFunction`]s of frames only.
    pub aggregates: Vec<AggregateCall>,
}

/// How equal rows are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankFunction {
    /// 1, 2, 3, 4: equal rows in the order of arrival.
    RowNumber,
    /// 1, 2, 2, 4
    Rank,
    /// 1, 2, 2, 3
    DenseRank,
}

/// Keeps rows by their rank in a partition of the whole table: Top-N, `ORDER BY … LIMIT`, `LIMIT`.
///
/// Output: the input columns, then the rank (BIGINT NOT NULL) if asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// How equal rows are ranked.
    pub function: RankFunction,
    /// `PARTITION BY`; none: one partition.
    pub keys: Vec<usize>,
    /// Order of rank 1, 2, …; none: arrival.
    pub order: Vec<SortKey>,
    /// First rank that is kept, from 1.
    pub from: u64,
    /// Last rank that is kept.
    pub to: u64,
    /// Name of the rank column, if it is kept.
    pub rank_column: Option<String>,
}

/// Keeps one row per key by time. Output: the input columns.
///
/// The first by a rowtime column is inserted once the watermark has passed it, and late rows are dropped;
/// the first by arrival is inserted at once; neither is ever updated. The last is inserted, then updated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deduplicate {
    /// Columns that tell rows apart.
    pub keys: Vec<usize>,
    /// The rowtime column; none: arrival. Of equal times the first (`keep_last`: last) to arrive wins.
    pub time: Option<usize>,
    /// Whether the last row is kept instead of the first.
    pub keep_last: bool,
    /// Whether every row that becomes the last one comes out, as a reader of versions needs it. Else one
    /// net change per key and batch does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_change: bool,
}

/// Completes an upsert stream: adds the old content of updated and deleted rows, drops updates that
/// change nothing and deletes of unknown keys. Output: the input columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangelogNormalize {
    /// The key.
    pub keys: Vec<usize>,
    /// Whether every change comes out, as a reader of versions needs it. Else one net change per key and
    /// batch does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_change: bool,
}

/// Brings changes that arrive in any order per key of a sink into the order that the sink's key
/// needs: remembers all rows per key, the last added is the one the sink has. Output: the input
/// columns, as an upsert stream by the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpsertMaterialize {
    /// The sink's key.
    pub keys: Vec<usize>,
}

/// Sorts an append-only stream by event time, ascending, then by other columns. Output: the input
/// columns, rows in order once the watermark has passed them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemporalSort {
    /// The rowtime column.
    pub time: usize,
    /// Order of rows of the same time.
    pub order: Vec<SortKey>,
}

/// One output row per element of a collection: `CROSS JOIN UNNEST(…)`.
///
/// Output: the input columns, then the element (the fields of a ROW, key and value of a MAP), then its
/// position from 1 if asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unnest {
    /// An ARRAY, MAP or MULTISET over the input.
    pub collection: Expr,
    /// `WITH ORDINALITY`.
    pub ordinality: bool,
    /// `LEFT JOIN`: a row without elements (that meet the condition) stays, with NULLs.
    pub outer: bool,
    /// What elements must meet, over the output columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expr>,
}
