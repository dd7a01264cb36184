//! The relational algebra between SQL and the stream graph: typed, without names to resolve, and
//! still without exchanges, chains or ids.
//!
//! The binder makes it, the optimizer rewrites it, `lower` turns it into plan nodes.

use std::sync::Arc;

use tidegate_plan::operator::{MetadataColumn, SortKey};
use tidegate_plan::window::{WindowColumn, WindowShape};
use tidegate_plan::{AggregateCall, Expr, Literal, NamedExpr, Schema};
use tidegate_types::{Field, Span};

use crate::catalog::Table;

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
    /// `ROW_NUMBER() OVER (…)`: the input's columns and the number. The optimizer turns it into
    /// [`RelOp::Rank`] where a filter bounds the number.
    Number {
        input: Box<Relation>,
        number: Number,
    },
    Rank {
        input: Box<Relation>,
        rank: Rank,
    },
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
}

/// `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) partition: Vec<usize>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) span: Span,
}

/// Window Top-N. Output: the input's columns, and the rank if it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rank {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) event: bool,
    pub(crate) keys: Vec<usize>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) rank_column: Option<String>,
}

/// Which columns of a relation are the bounds of a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowProperties {
    pub(crate) shape: WindowShape,
    pub(crate) event: bool,
    pub(crate) starts: Vec<usize>,
    pub(crate) ends: Vec<usize>,
    pub(crate) times: Vec<usize>,
}

impl WindowProperties {
    /// The properties after columns moved; `None` if a bound got lost.
    fn remap(&self, map: impl Fn(usize) -> Vec<usize>) -> Option<Self> {
        let moved =
            |columns: &[usize]| columns.iter().flat_map(|column| map(*column)).collect::<Vec<_>>();
        let (starts, ends, times) = (moved(&self.starts), moved(&self.ends), moved(&self.times));
        if starts.is_empty() && ends.is_empty() && times.is_empty() {
            return None;
        }
        Some(Self { shape: self.shape.clone(), event: self.event, starts, ends, times })
    }
}

impl Relation {
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

    /// Which columns bound windows, if any do.
    pub(crate) fn window(&self) -> Option<WindowProperties> {
        match &self.op {
            RelOp::Scan(_) | RelOp::Values(_) => None,
            RelOp::Project { input, exprs } => {
                let places = |column: usize| {
                    let same = |(_, named): &(usize, &NamedExpr)| matches!(&named.expr, Expr::Column { index, .. } if *index == column);
                    exprs.iter().enumerate().filter(same).map(|(index, _)| index).collect()
                };
                input.window()?.remap(places)
            }
            RelOp::Filter { input, .. }
            | RelOp::Number { input, .. }
            | RelOp::Rank { input, .. } => input.window(),
            RelOp::Union { inputs } => {
                let mut all = inputs.iter().map(Self::window);
                let first = all.next()??;
                all.all(|other| other.as_ref() == Some(&first)).then_some(first)
            }
            RelOp::WindowTvf { input, tvf } => {
                let width = input.schema.len();
                Some(WindowProperties {
                    shape: tvf.shape.clone(),
                    event: tvf.time.is_event(),
                    starts: vec![width],
                    ends: vec![width + 1],
                    times: vec![width + 2],
                })
            }
            RelOp::Aggregate { aggregate, .. } => Some(aggregate.window_properties()),
        }
    }
}

impl Aggregate {
    /// Whether windows are complete by event time.
    pub(crate) fn is_event(&self) -> bool {
        match self.window {
            AggregateWindow::Time(time) => time.is_event(),
            AggregateWindow::Attached { event, .. } => event,
        }
    }

    fn window_properties(&self) -> WindowProperties {
        let first = self.keys.len() + self.calls.len();
        let places = |wanted: WindowColumn| {
            let columns = self.columns.iter().enumerate();
            columns
                .filter(|(_, column)| **column == wanted)
                .map(|(index, _)| first + index)
                .collect()
        };
        WindowProperties {
            shape: self.shape.clone(),
            event: self.is_event(),
            starts: places(WindowColumn::Start),
            ends: places(WindowColumn::End),
            times: places(WindowColumn::Time),
        }
    }
}

/// The columns that expressions make.
pub(crate) fn schema_of(exprs: &[NamedExpr]) -> Schema {
    exprs.iter().map(|named| Field::new(named.name.clone(), named.expr.ty().clone())).collect()
}
