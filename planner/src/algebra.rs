//! The relational algebra between SQL and the stream graph: typed, without names to resolve, and
//! still without exchanges, chains or ids.
//!
//! The binder makes it, the optimizer rewrites it, `lower` turns it into plan nodes.

mod windows;

use std::sync::Arc;

use tidegate_plan::operator::{
    FromChangelog, JoinKind, MatchRecognize, MetadataColumn, OverAggregate, Rank, RankFunction,
    SortKey, TemporalSort, ToChangelog, Unnest,
};
use tidegate_plan::window::{WindowColumn, WindowShape};
use tidegate_plan::{AggregateCall, Expr, Literal, NamedExpr, Schema};
use tidegate_types::{Field, Span};

use crate::catalog::Table;
pub(crate) use windows::WindowProperties;

/// A relation: an operator over others, with its columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Relation {
    pub(crate) op: RelOp,
    pub(crate) schema: Schema,
}

/// The operators.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RelOp {
    Scan(Box<Scan>),
    Values(Vec<Vec<Literal>>),
    Project {
        input: Box<Relation>,
        exprs: Vec<NamedExpr>,
    },
    Filter {
        input: Box<Relation>,
        predicate: Expr,
    },
    Union {
        inputs: Vec<Relation>,
    },
    WindowTvf {
        input: Box<Relation>,
        tvf: WindowTvf,
    },
    Aggregate {
        input: Box<Relation>,
        aggregate: Aggregate,
    },
    /// `GROUP BY` without a window; `SELECT DISTINCT`. Output: keys, aggregates.
    Group {
        input: Box<Relation>,
        group: Group,
    },
    /// Each row once per projection, all of the output's width.
    Expand {
        input: Box<Relation>,
        projections: Vec<Vec<Expr>>,
    },
    /// `ROW_NUMBER() OVER (…)`: the input's columns and the number. The optimizer turns it into a
    /// rank where a filter bounds the number, else into [`RelOp::Over`].
    Number {
        input: Box<Relation>,
        number: Number,
    },
    WindowRank {
        input: Box<Relation>,
        rank: WindowRank,
    },
    /// Top-N of a whole table, `ORDER BY … LIMIT`, `LIMIT`.
    Rank {
        input: Box<Relation>,
        rank: Rank,
    },
    /// Output: the input's columns, then the aggregates, group by group.
    Over {
        input: Box<Relation>,
        over: OverAggregate,
    },
    Sort {
        input: Box<Relation>,
        sort: TemporalSort,
    },
    /// Output: the partition's columns, then the measures.
    Match {
        input: Box<Relation>,
        pattern: Box<MatchRecognize>,
    },
    /// Output: the input's columns, then the element's.
    Unnest {
        input: Box<Relation>,
        unnest: Unnest,
    },
    /// Output: the code of the change, then the input's columns.
    ToChangelog {
        input: Box<Relation>,
        changelog: ToChangelog,
        /// Where `on_time` stands, if it does: rows are inserted only.
        timed: Option<Span>,
    },
    /// Output: the input's columns without the code of the change.
    FromChangelog {
        input: Box<Relation>,
        changelog: FromChangelog,
    },
    /// The input behind the exchange by `keys`: several operators read the very same rows and watermarks.
    Gate {
        input: Box<Relation>,
        keys: Vec<usize>,
    },
    /// The rows that come too late for their windows.
    Late {
        input: Box<Relation>,
        late: Late,
    },
    /// Output: the left columns, then (except for semi and anti joins) the right ones.
    Join {
        left: Box<Relation>,
        right: Box<Relation>,
        join: Join,
    },
}

/// A join before its keys are found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    /// Conjuncts over the left, then the right columns.
    pub(crate) on: Vec<Expr>,
    pub(crate) form: JoinForm,
    /// State TTL per side by hint, in ms.
    pub(crate) ttl: [Option<u64>; 2],
    pub(crate) span: Span,
}

/// How a join treats time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JoinForm {
    /// Not decided before WHERE is known; none is left when a SELECT is bound.
    Undecided,
    /// Both inputs are kept.
    Regular,
    /// `left_time` between `right_time + lower` and `right_time + upper`, in ms; the conjuncts that say
    /// so are not among `on`.
    Interval { times: [usize; 2], event: bool, lower: i64, upper: i64 },
    /// Rows of equal windows: `window_start` and `window_end` of either side, whose equality is not among
    /// `on`.
    Window { starts: [usize; 2], ends: [usize; 2], event: bool },
    /// With the version of the right row at the left row's time.
    Temporal { times: [usize; 2] },
    /// With what the right table, a scan, holds when the row passes.
    Lookup { options: Box<LookupOptions> },
}

/// What a `LOOKUP` hint and the settings say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LookupOptions {
    pub(crate) asynchronous: Option<bool>,
    pub(crate) ordered: Option<bool>,
    pub(crate) capacity: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) retry: Option<tidegate_plan::operator::LookupRetry>,
}

/// A grouping of the whole table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<AggregateCall>,
    /// State TTL by hint, in ms.
    pub(crate) ttl: Option<u64>,
}

/// Reads a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scan {
    pub(crate) table: Arc<Table>,
    /// Physical columns that the connector produces.
    pub(crate) read: Vec<Field>,
    /// Metadata columns, behind `read`.
    pub(crate) metadata: Vec<MetadataColumn>,
    /// Output columns over `read` and `metadata`.
    pub(crate) projection: Vec<NamedExpr>,
    /// Conditions over `read` that the connector applies.
    pub(crate) pushed: Vec<Expr>,
    /// Rowtime column and watermark expression over the output columns.
    pub(crate) watermark: Option<(usize, Expr)>,
}

/// Where a window function takes its time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TvfTime {
    /// An event-time column of the input.
    Event(usize),
    /// The clock.
    Processing,
}

impl TvfTime {
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Self::Event(_))
    }
}

/// A window table function. Output: the input's columns, `window_start`, `window_end`, `window_time`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowTvf {
    pub(crate) shape: WindowShape,
    pub(crate) time: TvfTime,
    pub(crate) partition_keys: Vec<usize>,
    /// Whether it stands for a group window: `GROUP BY TUMBLE(…)`.
    pub(crate) grouping: bool,
}

/// Where an aggregate takes a row's window from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateWindow {
    /// Computed from the time of the row.
    Time(TvfTime),
    /// Columns of the input.
    Attached { start: usize, end: usize, event: bool },
}

/// A windowed aggregate. Output: keys, aggregates, window columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) shape: WindowShape,
    pub(crate) window: AggregateWindow,
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<AggregateCall>,
    pub(crate) columns: Vec<WindowColumn>,
    /// Whether its windows are group windows.
    pub(crate) grouping: bool,
}

/// Windows for which rows may be late.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Late {
    pub(crate) shape: WindowShape,
    /// The event-time column.
    pub(crate) time: usize,
    /// Whether they are group windows.
    pub(crate) grouping: bool,
}

/// `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)`, `RANK`, `DENSE_RANK`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) function: RankFunction,
    pub(crate) partition: Vec<usize>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) span: Span,
}

/// Window Top-N. Output: the input's columns, and the rank if it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowRank {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) event: bool,
    pub(crate) keys: Vec<usize>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) rank_column: Option<String>,
}

impl Relation {
    /// No rows and no columns; what stands where a relation was taken out.
    pub(crate) fn empty() -> Self {
        Self { op: RelOp::Values(Vec::new()), schema: Vec::new() }
    }

    /// A reference to a column.
    pub(crate) fn column(&self, index: usize) -> Expr {
        Expr::column(index, self.schema[index].ty.clone())
    }

    /// The relations below.
    pub(crate) fn inputs(&self) -> Vec<&Relation> {
        match &self.op {
            RelOp::Scan(_) | RelOp::Values(_) => Vec::new(),
            RelOp::Union { inputs } => inputs.iter().collect(),
            RelOp::Join { left, right, .. } => vec![left, right],
            RelOp::Project { input, .. }
            | RelOp::Filter { input, .. }
            | RelOp::WindowTvf { input, .. }
            | RelOp::Aggregate { input, .. }
            | RelOp::Group { input, .. }
            | RelOp::Expand { input, .. }
            | RelOp::Number { input, .. }
            | RelOp::WindowRank { input, .. }
            | RelOp::Rank { input, .. }
            | RelOp::Over { input, .. }
            | RelOp::Sort { input, .. }
            | RelOp::Match { input, .. }
            | RelOp::Gate { input, .. }
            | RelOp::Late { input, .. }
            | RelOp::ToChangelog { input, .. }
            | RelOp::FromChangelog { input, .. }
            | RelOp::Unnest { input, .. } => vec![input],
        }
    }

    /// The relations below, to be rewritten in place.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut Relation> {
        match &mut self.op {
            RelOp::Scan(_) | RelOp::Values(_) => Vec::new(),
            RelOp::Union { inputs } => inputs.iter_mut().collect(),
            RelOp::Join { left, right, .. } => vec![left, right],
            RelOp::Project { input, .. }
            | RelOp::Filter { input, .. }
            | RelOp::WindowTvf { input, .. }
            | RelOp::Aggregate { input, .. }
            | RelOp::Group { input, .. }
            | RelOp::Expand { input, .. }
            | RelOp::Number { input, .. }
            | RelOp::WindowRank { input, .. }
            | RelOp::Rank { input, .. }
            | RelOp::Over { input, .. }
            | RelOp::Sort { input, .. }
            | RelOp::Match { input, .. }
            | RelOp::Gate { input, .. }
            | RelOp::Late { input, .. }
            | RelOp::ToChangelog { input, .. }
            | RelOp::FromChangelog { input, .. }
            | RelOp::Unnest { input, .. } => vec![input],
        }
    }

    /// The expressions that the operator itself evaluates.
    pub(crate) fn exprs(&self) -> Vec<&Expr> {
        match &self.op {
            RelOp::Project { exprs, .. } => exprs.iter().map(|named| &named.expr).collect(),
            RelOp::Filter { predicate, .. } => vec![predicate],
            RelOp::Expand { projections, .. } => projections.iter().flatten().collect(),
            RelOp::Unnest { unnest, .. } => {
                std::iter::once(&unnest.collection).chain(&unnest.condition).collect()
            }
            RelOp::Join { join, .. } => join.on.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The same, to be rewritten in place.
    pub(crate) fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.op {
            RelOp::Project { exprs, .. } => exprs.iter_mut().map(|named| &mut named.expr).collect(),
            RelOp::Filter { predicate, .. } => vec![predicate],
            RelOp::Expand { projections, .. } => projections.iter_mut().flatten().collect(),
            RelOp::Unnest { unnest, .. } => {
                std::iter::once(&mut unnest.collection).chain(&mut unnest.condition).collect()
            }
            RelOp::Join { join, .. } => join.on.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// A projection; the columns get the types of the expressions.
    pub(crate) fn project(self, exprs: Vec<NamedExpr>) -> Self {
        let schema = schema_of(&exprs);
        Self { op: RelOp::Project { input: Box::new(self), exprs }, schema }
    }

    /// A filter.
    pub(crate) fn filter(self, predicate: Expr) -> Self {
        let schema = self.schema.clone();
        Self { op: RelOp::Filter { input: Box::new(self), predicate }, schema }
    }

    /// References to all columns, under their names.
    pub(crate) fn identity(&self) -> Vec<NamedExpr> {
        let columns = self.schema.iter().enumerate();
        columns
            .map(|(index, field)| NamedExpr {
                name: field.name.clone(),
                expr: Expr::column(index, field.ty.clone()),
            })
            .collect()
    }
}

/// The columns that expressions make.
pub(crate) fn schema_of(exprs: &[NamedExpr]) -> Schema {
    exprs.iter().map(|named| Field::new(named.name.clone(), named.expr.ty().clone())).collect()
}
