//! The operators of a stream graph: what each computes, not how.

mod changelog;
mod governed;
mod join;
mod pattern;
mod updating;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_types::Field;

use crate::aggregate::AggregateCall;
use crate::expr::{Expr, Literal, NamedExpr};
use crate::window::{WindowColumn, WindowEmit, WindowShape, WindowTime};

pub use changelog::{ChangeCode, FromChangelog, ToChangelog};
pub use governed::{Governed, Mask};
pub use join::{
    IntervalJoin, Join, JoinKind, JoinOn, LookupJoin, LookupKey, LookupRetry,
    MAX_MULTI_JOIN_INPUTS, MultiJoin, TemporalJoin, WindowJoin,
};
pub use pattern::{
    AfterMatch, MAX_PATTERN_VARIABLES, MatchRecognize, PatternAggregate, PatternVariable,
    RowReference,
};
pub use updating::{
    ChangelogNormalize, Deduplicate, Expand, GroupAggregate, OverAggregate, OverFrame, OverGroup,
    OverOrder, Rank, RankFunction, TemporalSort, Unnest, UpsertMaterialize,
};

/// What a node of the graph computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "operator")]
pub enum Operator {
    /// Reads an outside system.
    Source(Source),
    /// Emits constant rows once.
    Values(Values),
    /// Filters, then computes columns.
    Calc(Calc),
    /// Passes rows of all inputs on, in any order.
    Union,
    /// Adds window columns to each row (one output row per window of the row).
    WindowTvf(WindowTvf),
    /// Aggregates by window and keys; emits each window once, when it is complete.
    WindowAggregate(WindowAggregate),
    /// Keeps the first rows of each window and partition by an order; emits when the window is complete.
    WindowRank(WindowRank),
    /// Multiplies rows for several groupings.
    Expand(Expand),
    /// One row per element of a collection.
    Unnest(Unnest),
    /// Aggregates by keys over the whole table; emits updates.
    GroupAggregate(GroupAggregate),
    /// Adds aggregates over the rows before each row.
    OverAggregate(OverAggregate),
    /// Keeps rows by their rank in a partition of the whole table.
    Rank(Rank),
    /// Keeps the first or last row per key by time.
    Deduplicate(Deduplicate),
    /// Sorts by event time.
    TemporalSort(TemporalSort),
    /// Finds sequences of rows that match a pattern.
    MatchRecognize(MatchRecognize),
    /// Joins whole tables.
    Join(Join),
    /// Joins several whole tables by one key.
    MultiJoin(MultiJoin),
    /// Joins rows whose times are close.
    IntervalJoin(IntervalJoin),
    /// Joins rows of equal windows.
    WindowJoin(WindowJoin),
    /// Joins rows with versions.
    TemporalJoin(TemporalJoin),
    /// Joins rows with what an outside table holds.
    LookupJoin(LookupJoin),
    /// Completes an upsert stream.
    ChangelogNormalize(ChangelogNormalize),
    /// Drops the old content of updated rows (`-U`).
    DropUpdateBefore,
    /// Passes on the rows that a window drops as late.
    LateRows(LateRows),
    /// Orders changes for a sink with a key of its own.
    UpsertMaterialize(UpsertMaterialize),
    /// Makes rows of changes.
    ToChangelog(ToChangelog),
    /// Makes changes of rows.
    FromChangelog(FromChangelog),
    /// Writes to an outside system.
    Sink(Sink),
}

/// A connector with its options, as written in `WITH (…)`, `connector` and `format` included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Full name, for messages and metrics.
    pub name: String,
    /// Options; secrets are references, never values, in a stored plan.
    pub options: BTreeMap<String, String>,
    /// All physical columns as declared (formats with positions need them all).
    pub columns: Vec<Field>,
    /// Columns of `PARTITIONED BY`.
    pub partition_keys: Vec<String>,
    /// Columns of `PRIMARY KEY … NOT ENFORCED`.
    pub primary_key: Vec<String>,
    /// Where the catalog defines it; none: the script does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governed: Option<Box<Governed>>,
}

impl Table {
    /// The resource name of a governed table.
    pub fn reference(&self) -> Option<&str> {
        self.governed.as_deref().map(|governed| governed.reference.as_str())
    }
}

/// Reads a table.
///
/// Order of work per split: decode `read` and `metadata` columns → `pushed` (only as a licence to
/// skip: the query's own filter stays above unless the connector guarantees it) → `projection` →
/// watermark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The table.
    pub table: Table,
    /// The columns the connector must produce: a subset of `table.columns` in declared order, ROW
    /// types reduced to the fields that the query reads.
    pub read: Vec<Field>,
    /// Metadata columns, produced behind `read`.
    pub metadata: Vec<MetadataColumn>,
    /// Conditions over the `read` columns that the connector has promised to apply.
    pub pushed: Vec<Expr>,
    /// Output columns (declared, computed and metadata columns) over `read` + `metadata`; this is
    /// where computed columns are evaluated.
    pub projection: Vec<NamedExpr>,
    /// Event time, if the table declares it and the query needs it.
    pub watermark: Option<WatermarkSpec>,
}

/// A column filled from a record's metadata (`METADATA FROM 'key'`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataColumn {
    /// The connector's name for it, such as `timestamp` or `partition`.
    pub key: String,
    /// Name and declared type; the connector casts.
    pub field: Field,
}

/// `WATERMARK FOR column AS expr`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatermarkSpec {
    /// The rowtime column in the source's output.
    pub column: usize,
    /// The watermark of a row, over the source's output columns: a timestamp of precision ≤ 3.
    pub expr: Expr,
    /// `scan.watermark.idle-timeout` / `table.exec.source.idle-timeout` in ms; 0 is never.
    pub idle_timeout_ms: u64,
}

/// Constant rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// Rows of literals, each as wide as the schema.
    pub rows: Vec<Vec<Literal>>,
}

/// Filter and projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calc {
    /// Rows where this is not TRUE are dropped.
    pub filter: Option<Expr>,
    /// Output columns over the input.
    pub projection: Vec<NamedExpr>,
}

/// A window table-valued function by itself: input columns, then `window_start`, `window_end`, `window_time`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowTvf {
    /// Shape.
    pub shape: WindowShape,
    /// Where time comes from; never `Attached`.
    pub time: WindowTime,
    /// `PARTITION BY` of a session.
    pub partition_keys: Vec<usize>,
}

/// Window aggregation.
///
/// Output: key columns, then one column per aggregate, then `columns`. With [`WindowTime::Attached`]
/// `shape` is the shape that made the windows; it says how the results are described, the bounds come
/// from the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowAggregate {
    /// Shape.
    pub shape: WindowShape,
    /// Where a row's windows come from.
    pub time: WindowTime,
    /// Grouping columns without the window's own.
    pub keys: Vec<usize>,
    /// Aggregates.
    pub aggregates: Vec<AggregateCall>,
    /// Window columns of the output.
    pub columns: Vec<WindowColumn>,
    /// Whether a local phase before the exchange pre-aggregates (`table.optimizer.agg-phase-strategy`).
    pub two_phase: bool,
    /// Results before and after the window's end. Windows that are sessions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<WindowEmit>,
}

/// The rows that come too late for every window that contains them: those that a window aggregate with the
/// same input drops. Output: the input's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LateRows {
    /// Shape of the windows; no sessions.
    pub shape: WindowShape,
    /// The rowtime column of the input.
    pub column: usize,
    /// How far event time may be behind a window's end when rows are still taken, ms.
    pub lateness_ms: u64,
}

/// Sort key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// Column.
    pub column: usize,
    /// `DESC`.
    pub descending: bool,
    /// Whether NULLs come first. Flink's default: NULL is the smallest value.
    pub nulls_first: bool,
}

/// `ROW_NUMBER() OVER (PARTITION BY window_start, window_end, keys ORDER BY …)` with a bound on the rank.
///
/// Output: the input columns, then the rank (BIGINT NOT NULL) if asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowRank {
    /// Window columns of the input: `Attached` or `AttachedProcessing`.
    pub time: WindowTime,
    /// Partition columns without the window's own.
    pub keys: Vec<usize>,
    /// Order of rank 1, 2, …
    pub order: Vec<SortKey>,
    /// First rank that is kept, from 1.
    pub from: u64,
    /// Last rank that is kept.
    pub to: u64,
    /// Name of the rank column, if it is kept.
    pub rank_column: Option<String>,
}

/// Writes a table. The input has the sink's columns in declared order, cast to their types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    /// The table.
    pub table: Table,
    /// Writable metadata columns: `(column index, metadata key)`.
    pub metadata: Vec<(usize, String)>,
    /// `INSERT OVERWRITE`.
    pub overwrite: bool,
    /// Name of the insert in reports: the table's name, made unique.
    pub insert: String,
}

impl Operator {
    /// Name of the kind, as EXPLAIN and metrics show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Source(_) => "TableSourceScan",
            Self::Values(_) => "Values",
            Self::Calc(_) => "Calc",
            Self::Union => "Union",
            Self::WindowTvf(_) => "WindowTableFunction",
            Self::WindowAggregate(_) => "WindowAggregate",
            Self::WindowRank(_) => "WindowRank",
            Self::Expand(_) => "Expand",
            Self::Unnest(_) => "Correlate",
            Self::GroupAggregate(_) => "GroupAggregate",
            Self::OverAggregate(_) => "OverAggregate",
            Self::Rank(_) => "Rank",
            Self::Deduplicate(_) => "Deduplicate",
            Self::TemporalSort(_) => "TemporalSort",
            Self::MatchRecognize(_) => "Match",
            Self::Join(_) => "Join",
            Self::MultiJoin(_) => "MultiJoin",
            Self::IntervalJoin(_) => "IntervalJoin",
            Self::WindowJoin(_) => "WindowJoin",
            Self::TemporalJoin(_) => "TemporalJoin",
            Self::LookupJoin(_) => "LookupJoin",
            Self::ChangelogNormalize(_) => "ChangelogNormalize",
            Self::DropUpdateBefore => "DropUpdateBefore",
            Self::LateRows(_) => "LateRows",
            Self::UpsertMaterialize(_) => "SinkMaterializer",
            Self::ToChangelog(_) | Self::FromChangelog(_) => "ProcessTableFunction",
            Self::Sink(_) => "Sink",
        }
    }

    /// Whether it reads two inputs, which the exchanges keep apart.
    pub fn is_binary(&self) -> bool {
        matches!(
            self,
            Self::Join(_) | Self::IntervalJoin(_) | Self::WindowJoin(_) | Self::TemporalJoin(_)
        )
    }
}
