//! Aggregate calls. Arguments are columns: the planner computes expressions before the aggregate.

use serde::{Deserialize, Serialize};
use tidegate_types::SqlType;

use crate::expr::Literal;

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
    /// `$SUM0(x)`: SUM, but 0 over no values.
    Sum0,
    /// `STDDEV_POP(x)`: of doubles, also of those below; a decimal argument is computed as DOUBLE and
    /// returned as the argument's average type, as in Flink.
    StddevPop,
    /// `STDDEV_SAMP(x)`, `STDDEV(x)`: NULL over a single value.
    StddevSamp,
    /// `VAR_POP(x)`
    VarPop,
    /// `VAR_SAMP(x)`, `VARIANCE(x)`: NULL over a single value.
    VarSamp,
    /// `FIRST_VALUE(x)`: the first value that is not NULL, by arrival.
    FirstValue,
    /// `LAST_VALUE(x)`: the last value that is not NULL, by arrival.
    LastValue,
    /// `LISTAGG(x [, separator])`: values that are not NULL, joined; the separator is the parameter.
    ListAgg,
    /// `COLLECT(x)`: a MULTISET of the values that are not NULL.
    Collect,
    /// `ARRAY_AGG(x)`: an ARRAY of the values, NULL among them.
    ArrayAgg,
    /// `APPROX_COUNT_DISTINCT(x)`: HyperLogLog++.
    ApproxCountDistinct,
    /// `PERCENTILE(x, fraction …)`: exact, interpolated; parameters are the fractions.
    Percentile,
    /// `SINGLE_VALUE(x)`: of a scalar subquery; more than one row fails the job.
    SingleValue,
    /// `ROW_NUMBER()` of an OVER frame.
    RowNumber,
    /// `RANK()` of an OVER frame.
    Rank,
    /// `DENSE_RANK()` of an OVER frame.
    DenseRank,
    /// `LAG(x [, n [, default]])` of an OVER frame; parameters are n and the default.
    Lag,
    /// `LEAD(x [, n [, default]])` of an OVER frame.
    Lead,
}

impl AggregateFunction {
    /// Every function with its SQL name; further names of the same function behind it.
    const NAMES: &[(Self, &str)] = &[
        (Self::Count, "COUNT"),
        (Self::Sum, "SUM"),
        (Self::Min, "MIN"),
        (Self::Max, "MAX"),
        (Self::Avg, "AVG"),
        (Self::Sum0, "$SUM0"),
        (Self::StddevPop, "STDDEV_POP"),
        (Self::StddevSamp, "STDDEV_SAMP"),
        (Self::StddevSamp, "STDDEV"),
        (Self::VarPop, "VAR_POP"),
        (Self::VarSamp, "VAR_SAMP"),
        (Self::VarSamp, "VARIANCE"),
        (Self::FirstValue, "FIRST_VALUE"),
        (Self::LastValue, "LAST_VALUE"),
        (Self::ListAgg, "LISTAGG"),
        (Self::Collect, "COLLECT"),
        (Self::ArrayAgg, "ARRAY_AGG"),
        (Self::ApproxCountDistinct, "APPROX_COUNT_DISTINCT"),
        (Self::Percentile, "PERCENTILE"),
        (Self::SingleValue, "SINGLE_VALUE"),
        (Self::RowNumber, "ROW_NUMBER"),
        (Self::Rank, "RANK"),
        (Self::DenseRank, "DENSE_RANK"),
        (Self::Lag, "LAG"),
        (Self::Lead, "LEAD"),
    ];

    /// The function of an upper-case SQL name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(function, _)| *function)
    }

    /// Its SQL name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(function, _)| *function == self).map_or("?", |(_, name)| name)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(_, name)| *name)
    }

    /// Whether it may be NULL over values that are not.
    pub fn may_be_null(self) -> bool {
        matches!(
            self,
            // Of a percentile no value may count.
            Self::StddevSamp
                | Self::VarSamp
                | Self::SingleValue
                | Self::Percentile
                | Self::Lag
                | Self::Lead
        )
    }

    /// Whether it makes sense only in an OVER frame.
    pub fn is_over_only(self) -> bool {
        matches!(self, Self::RowNumber | Self::Rank | Self::DenseRank | Self::Lag | Self::Lead)
    }
}

/// One aggregate of a grouped query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    /// Function.
    pub function: AggregateFunction,
    /// Argument column; none for `COUNT(*)`.
    pub argument: Option<usize>,
    /// Constant arguments behind the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Literal>,
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
