//! Aggregate calls. Arguments are columns: the planner computes expressions before the aggregate.

use serde::{Deserialize, Serialize};
use tidegate_types::SqlType;

/// Built-in aggregate functions, with Flink's semantics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateFunction {
    /// `COUNT(*)`, or `COUNT(x)`: rows where x is not NULL. BIGINT NOT NULL.
    Count,
    /// `SUM(x)`: NULL over no values. Integers keep their type and wrap; DECIMAL(p, s) → DECIMAL(38, s).
    Sum,
    /// `MIN(x)`
    Min,
    /// `MAX(x)`
    Max,
    /// `AVG(x)`: sum / count in the argument's type (integers truncate); DECIMAL(p, s) → DECIMAL(38, max(s, 6)).
    Avg,
}

/// One aggregate of a grouped query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    /// Function.
    pub function: AggregateFunction,
    /// Argument column; none for `COUNT(*)`.
    pub argument: Option<usize>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// `FILTER (WHERE …)`: a BOOLEAN column; rows where it is not TRUE do not count.
    pub filter: Option<usize>,
    /// Name of the result column.
    pub name: String,
    /// Result type.
    #[serde(rename = "type")]
    pub ty: SqlType,
}
