//! Row patterns: `MATCH_RECOGNIZE`.

use serde::{Deserialize, Serialize};

use super::SortKey;
use crate::aggregate::AggregateCall;
use crate::expr::{Expr, NamedExpr};

/// Most variables of a pattern.
pub const MAX_PATTERN_VARIABLES: usize = 64;

/// Finds sequences of rows, next to each other in the order of their partition, that match a pattern.
///
/// Conditions and measures are expressions over these columns, side by side: those of the input, for
/// conditions the row that is tested; one per reference; one per aggregate; the time of the match, of the rowtime
/// column's type, and once more as TIMESTAMP(3), which for an instant is that of UTC.
/// Output: the partition's columns, then the measures, one row per match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchRecognize {
    /// `PARTITION BY`.
    pub keys: Vec<usize>,
    /// The rowtime column that rows are ordered by; none: rows come in the order of processing time.
    pub time: Option<usize>,
    /// Order of rows of the same time.
    pub order: Vec<SortKey>,
    /// The variables of the pattern, in its order.
    pub variables: Vec<PatternVariable>,
    /// Values of single rows of a match.
    pub references: Vec<RowReference>,
    /// Columns over the input that aggregates read behind the input's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub computed: Vec<NamedExpr>,
    /// Aggregates over rows of a match.
    pub aggregates: Vec<PatternAggregate>,
    /// `MEASURES`; they read no column of the input.
    pub measures: Vec<NamedExpr>,
    /// `AFTER MATCH SKIP`.
    pub skip: AfterMatch,
    /// `WITHIN`: the last row of a match comes less than so many ms after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// A variable of a pattern: rows next to each other that meet a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatternVariable {
    /// Name.
    pub name: String,
    /// Fewest rows.
    pub min: u32,
    /// Most rows, from 1; none: any number.
    pub max: Option<u32>,
    /// Whether a row that meets the condition is always taken where it can be.
    pub greedy: bool,
    /// What a row must meet; none: nothing.
    pub condition: Option<Expr>,
}

/// A column of one row of those that a variable has: `FIRST(A.x, 2)`. NULL if there is no such row.
///
/// In a condition the row that is tested is the last of its variable and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowReference {
    /// The variable; none: the rows of all.
    pub variable: Option<usize>,
    /// Column of the input.
    pub column: usize,
    /// Whether rows are counted from the first on, not from the last back.
    pub first: bool,
    /// Which row, from 0.
    pub offset: u64,
}

/// An aggregate over the rows that a variable has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatternAggregate {
    /// The variable; none: the rows of all.
    pub variable: Option<usize>,
    /// The call; its argument is a column of the input or a computed one.
    pub call: AggregateCall,
}

/// Where the next match may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterMatch {
    /// Behind the last row of the match.
    PastLastRow,
    /// At the row behind the first one of the match.
    ToNextRow,
    /// At the first row of a variable. The job fails if that has none, or it is the first of the match.
    ToFirst {
        /// The variable.
        variable: usize,
    },
    /// At the last row of a variable. The job fails if that has none, or it is the first of the match.
    ToLast {
        /// The variable.
        variable: usize,
    },
}

impl MatchRecognize {
    /// The column, among those of conditions and measures, of a reference in an input of `width` columns.
    pub fn reference_column(width: usize, reference: usize) -> usize {
        width + reference
    }

    /// The column of an aggregate.
    pub fn aggregate_column(&self, width: usize, aggregate: usize) -> usize {
        width + self.references.len() + aggregate
    }

    /// The column of the match's time; the next one is its TIMESTAMP.
    pub fn time_column(&self, width: usize) -> usize {
        width + self.references.len() + self.aggregates.len()
    }
}
