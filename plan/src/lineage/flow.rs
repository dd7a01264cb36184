//! What is known of the columns and rows between two operators.

use std::collections::BTreeSet;

use super::{Origin, TableRef};
use crate::aggregate::{AggregateCall, AggregateFunction};
use crate::expr::Expr;

pub(super) type Origins = BTreeSet<Origin>;

/// A column.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    pub(super) direct: Origins,
    /// What decides which values it has, beside the rows that there are.
    pub(super) indirect: Origins,
}

/// Rows with their columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    pub(super) columns: Vec<Column>,
    /// What decides which rows there are.
    pub(super) rows: Origins,
    pub(super) tables: BTreeSet<TableRef>,
}

impl Flow {
    /// What an expression over the columns comes from.
    pub(super) fn expr(&self, expr: &Expr) -> Option<Column> {
        self.merged(expr.columns())
    }

    /// Columns as one.
    pub(super) fn merged(&self, columns: impl IntoIterator<Item = usize>) -> Option<Column> {
        let mut merged = Column::default();
        for index in columns {
            merged.add(self.columns.get(index)?);
        }
        Some(merged)
    }

    /// Lets columns decide which rows there are.
    pub(super) fn decide(&mut self, columns: impl IntoIterator<Item = usize>) -> Option<()> {
        let by = self.merged(columns)?;
        self.decide_by(by);
        Some(())
    }

    /// Lets a condition decide which rows there are.
    pub(super) fn filter(&mut self, condition: Option<&Expr>) -> Option<()> {
        self.decide(condition.map(Expr::columns).unwrap_or_default())
    }

    pub(super) fn decide_by(&mut self, by: Column) {
        self.rows.extend(by.direct);
        self.rows.extend(by.indirect);
    }

    /// That there are rows: what is computed from their number or order.
    pub(super) fn presence(&self) -> Column {
        let tables = self.tables.iter().cloned();
        let direct = tables.map(|table| Origin { table, column: None }).collect();
        Column { direct, indirect: Origins::new() }
    }

    /// An aggregate of rows; its order or frame is the operator's matter.
    pub(super) fn aggregate(&self, call: &AggregateCall) -> Option<Column> {
        use AggregateFunction as F;
        let mut column = match (call.argument, call.function) {
            (Some(argument), _) => self.columns.get(argument)?.clone(),
            (
                None,
                F::Count
                | F::Sum
                | F::Min
                | F::Max
                | F::Avg
                | F::Sum0
                | F::StddevPop
                | F::StddevSamp
                | F::VarPop
                | F::VarSamp
                | F::FirstValue
                | F::LastValue
                | F::ListAgg
                | F::Collect
                | F::ArrayAgg
                | F::ApproxCountDistinct
                | F::Percentile
                | F::SingleValue
                | F::RowNumber
                | F::Rank
                | F::DenseRank
                | F::Lag
                | F::Lead,
            ) => self.presence(),
        };
        if let Some(filter) = call.filter {
            column.influence(self.columns.get(filter)?);
        }
        Some(column)
    }

    /// The rows of several inputs side by side.
    pub(super) fn beside(flows: &[&Flow]) -> Flow {
        let mut all = Flow::default();
        for flow in flows {
            all.columns.extend(flow.columns.iter().cloned());
            all.rows.extend(flow.rows.iter().cloned());
            all.tables.extend(flow.tables.iter().cloned());
        }
        all
    }
}

impl Column {
    /// A column of a table.
    pub(super) fn of(table: &TableRef, name: &str) -> Self {
        let origin = Origin { table: table.clone(), column: Some(name.to_owned()) };
        Self { direct: Origins::from([origin]), indirect: Origins::new() }
    }

    /// Computed from another, too.
    pub(super) fn add(&mut self, other: &Self) {
        self.direct.extend(other.direct.iter().cloned());
        self.indirect.extend(other.indirect.iter().cloned());
    }

    /// Not computed from another, but decided by it.
    pub(super) fn influence(&mut self, other: &Self) {
        self.indirect.extend(other.direct.iter().cloned());
        self.indirect.extend(other.indirect.iter().cloned());
    }
}
