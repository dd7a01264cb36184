//! Joins. Output of all: the left columns, then the right ones; of semi and anti joins the left ones.

use serde::{Deserialize, Serialize};

use super::Table;
use crate::expr::{Expr, Literal};
use tidegate_types::Field;

/// Which rows without a partner stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// None.
    Inner,
    /// Those of the left side, with NULLs for the right.
    Left,
    /// Those of the right side.
    Right,
    /// Those of both sides.
    Full,
    /// Left rows with a partner, once each.
    Semi,
    /// Left rows without a partner.
    Anti,
}

impl JoinKind {
    /// Whether left rows without a partner come out.
    pub fn keeps_left(self) -> bool {
        matches!(self, Self::Left | Self::Full | Self::Anti)
    }

    /// Whether right rows without a partner come out.
    pub fn keeps_right(self) -> bool {
        matches!(self, Self::Right | Self::Full)
    }

    /// Whether the output has the right side's columns.
    pub fn has_right_columns(self) -> bool {
        !matches!(self, Self::Semi | Self::Anti)
    }
}

/// The equalities of a join and what else must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinOn {
    /// Columns of the left input.
    pub left_keys: Vec<usize>,
    /// Columns of the right input, equal to those, of the same types.
    pub right_keys: Vec<usize>,
    /// Per key whether NULL equals NULL (`IS NOT DISTINCT FROM`); else NULL equals nothing.
    pub null_safe: Vec<bool>,
    /// Over the left and then the right columns, also for semi and anti joins: must be TRUE.
    pub condition: Option<Expr>,
}

/// A join of whole tables, which keeps both inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Which rows stay.
    pub kind: JoinKind,
    /// What is equal.
    pub on: JoinOn,
    /// Per side, over its columns: the last event time (TIMESTAMP(3) or TIMESTAMP_LTZ(3)) at which a partner
    /// of the row can have happened. When the watermark has reached it, the row is forgotten. NULL: never
    /// has a partner. Only where all changes of the other side are in time, as those of an append-only input
    /// with event time are: a row that is taken back late would not find its partners any more.
    pub expiry: [Option<Expr>; 2],
}

/// Most inputs of a [`MultiJoin`].
pub const MAX_MULTI_JOIN_INPUTS: usize = 16;

/// An inner join of three or more append-only inputs that are equal in one key, which keeps the inputs and
/// nothing between them. Output: the columns of all inputs, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiJoin {
    /// Per input its columns that are equal to those of the others, of the same types. NULL equals nothing.
    pub keys: Vec<Vec<usize>>,
    /// Over the output's columns: each must be TRUE.
    pub conditions: Vec<Expr>,
}

/// A join of append-only inputs whose times are close:
/// `right_time + lower <= left_time <= right_time + upper`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalJoin {
    /// Which rows stay. Rows of outer joins without a partner come out when the interval is over. The
    /// output's watermark stays behind the input's by `max(-lower, upper, 0)`.
    pub kind: JoinKind,
    /// What is equal, and what else holds beside the interval.
    pub on: JoinOn,
    /// Event-time columns of the inputs; `None`: the clock when a row arrives.
    pub times: Option<[usize; 2]>,
    /// Milliseconds.
    pub lower: i64,
    /// Milliseconds.
    pub upper: i64,
}

/// A join of rows of equal windows, made when the window is complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowJoin {
    /// Which rows stay.
    pub kind: JoinKind,
    /// What is equal beside the window, and what else holds.
    pub on: JoinOn,
    /// The `window_start` columns of the inputs.
    pub starts: [usize; 2],
    /// The `window_end` columns of the inputs.
    pub ends: [usize; 2],
    /// Whether windows are complete by event time; else by the clock.
    pub event: bool,
}

/// A join of each left row with the version of the right row that was valid at the left row's time:
/// `FOR SYSTEM_TIME AS OF` a versioned table.
///
/// The right side's key is `on.right_keys`; its changes are versions that begin at `times[1]`: `+I` and
/// `+U` are one, `-D` ends the one before, `-U` says nothing (updates by key are enough). Left rows may
/// change: an output row has the kind of its left row. Kinds are `Inner` and `Left`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemporalJoin {
    /// Which rows stay.
    pub kind: JoinKind,
    /// What is equal.
    pub on: JoinOn,
    /// Event-time columns of the inputs.
    pub times: [usize; 2],
}

/// What a key column of an outside table is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupKey {
    /// A column of the input.
    Column(usize),
    /// A constant.
    Constant(Literal),
}

/// A join of each row with what an outside table holds when the row passes. Kinds are `Inner` and `Left`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookupJoin {
    /// Which rows stay.
    pub kind: JoinKind,
    /// The outside table, with the options of hints.
    pub table: Table,
    /// Columns that the connector reads: a subset of the table's; conditions and output index these.
    pub read: Vec<Field>,
    /// Columns of `read` that must equal something. At least one.
    pub keys: Vec<(usize, LookupKey)>,
    /// Over the input and then the `read` columns: must be TRUE.
    pub condition: Option<Expr>,
    /// Columns of `read` that come out, behind the input's.
    pub output: Vec<usize>,
    /// Whether several lookups are under way at once.
    pub asynchronous: bool,
    /// Whether results keep the order of the input (`table.exec.async-lookup.output-mode`).
    pub ordered: bool,
    /// Lookups under way at once (`table.exec.async-lookup.buffer-capacity`).
    pub capacity: u32,
    /// Milliseconds after which a lookup fails (`table.exec.async-lookup.timeout`).
    pub timeout_ms: u64,
    /// Repeated when nothing was found, as the LOOKUP hint says.
    pub retry: Option<LookupRetry>,
}

/// Repeating of lookups that found nothing: `'retry-predicate'='lookup_miss'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRetry {
    /// Milliseconds between two attempts (`fixed-delay`).
    pub delay_ms: u64,
    /// Attempts after the first (`max-attempts`).
    pub max_attempts: u32,
}
